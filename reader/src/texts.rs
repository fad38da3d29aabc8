//! Texts and places: read once, then remembered. They lie in the program itself, and do not change.
//!
//! ```text
//!   row.place ──► Location ──► "src/main.rs"        by address: of a hundred thousand tasks most have the same
//!   row.table ──► type record ──► "app::fetch"      the list is read as far as it was not known before
//! ```

use crate::budget::Budget;
use crate::layout::{Layout, PlaceLayout};
use crate::limits;
use crate::memory::{Memory, read_u64};
use homing_executor::introspect::{Place, SharedStr};
use std::collections::HashMap;

/// What an address has led to.
type Recent<T> = (u64, T);

/// How many of those there are.
const RECENT: usize = 256;

#[derive(Debug)]
pub(crate) struct Texts {
    layout: Option<PlaceLayout>,
    texts: HashMap<(u64, u64), SharedStr>,
    places: HashMap<u64, Option<Place>>,
    types: HashMap<u64, SharedStr>,
    /// Places that were lately asked for, each where its address puts it: most tasks stand in the same few.
    recent: Vec<Recent<Option<Place>>>,
    /// The same of types.
    recent_types: Vec<Recent<SharedStr>>,
    /// The record that was the first when the list was last read: from there on all is known.
    newest_type: u64,
    /// What may still be remembered. What does not fit any more is empty, and forgotten with all else before the next
    /// reading: no program has that many, so whatever this is, it is not worth its memory.
    room: Budget,
    limit: usize,
}

/// What it takes to find a text or a place again.
const ENTRY: usize = 128;

impl Texts {
    /// Remembers so many bytes.
    pub(crate) fn new(limit: usize) -> Texts {
        Texts {
            layout: None,
            texts: HashMap::new(),
            places: HashMap::new(),
            types: HashMap::new(),
            recent: Vec::new(),
            recent_types: Vec::new(),
            newest_type: 0,
            room: Budget::new(limit),
            limit,
        }
    }

    /// Whether something was left out.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.room.is_used_up()
    }

    /// What has come since the last reading.
    pub(crate) fn update(&mut self, memory: &dyn Memory, layout: &Layout, reads: &mut Budget) {
        if self.layout.is_none() {
            self.layout = PlaceLayout::read(memory, layout.address);
        }
        if self.is_cut_off() {
            *self = Texts { layout: self.layout, ..Texts::new(self.limit) };
        }
        self.recent.resize(RECENT, (0, None));
        // A type whose name was not known may be by now.
        self.recent_types.clear();
        self.recent_types.resize(RECENT, (0, SharedStr::default()));
        let Ok(first) = read_u64(memory, layout.types) else { return };
        let (mut next, known) = (first, self.newest_type);
        let mut record = vec![0; layout.kind.size];
        for _ in 0..limits::TYPES {
            if next == 0 || next == known || memory.read(next, &mut record).is_err() {
                break;
            }
            if !(reads.take_all(record.len().max(64)) && self.room.take_all(ENTRY)) {
                break;
            }
            let (address, length) = layout.kind.name.pair(&record);
            let name = self.text(memory, address, length);
            self.types.insert(layout.kind.table.number(&record), SharedStr::of_type(&name));
            next = layout.kind.next.number(&record);
        }
        self.newest_type = first;
    }

    /// The name of the type whose table is at this address; empty if it is not known.
    pub(crate) fn type_name(&mut self, table: u64) -> SharedStr {
        let recent = &mut self.recent_types[(table >> 3) as usize % RECENT];
        if recent.0 != table {
            *recent = (table, self.types.get(&table).cloned().unwrap_or_default());
        }
        recent.1.clone()
    }

    /// A text that is part of the program.
    pub(crate) fn text(&mut self, memory: &dyn Memory, address: u64, length: u64) -> SharedStr {
        if let Some(known) = self.texts.get(&(address, length)) {
            return known.clone();
        }
        let cost = usize::try_from(length).unwrap_or(usize::MAX).min(limits::TEXT) + ENTRY;
        if !self.room.take_all(cost) {
            return SharedStr::default();
        }
        let text: SharedStr = text(memory, address, length, limits::TEXT).into();
        self.texts.insert((address, length), text.clone());
        text
    }

    /// The place whose `Location` is at this address.
    pub(crate) fn place(&mut self, memory: &dyn Memory, address: u64) -> Option<Place> {
        if address == 0 {
            return None;
        }
        let at = (address >> 3) as usize % RECENT;
        if self.recent[at].0 == address {
            return self.recent[at].1.clone();
        }
        let place = match self.places.get(&address) {
            Some(known) => known.clone(),
            None => {
                if !self.room.take_all(self.layout.map_or(0, |layout| layout.size) + ENTRY) {
                    return None;
                }
                let place = self.read_place(memory, address);
                self.places.insert(address, place.clone());
                place
            }
        };
        self.recent[at] = (address, place.clone());
        place
    }

    fn read_place(&mut self, memory: &dyn Memory, address: u64) -> Option<Place> {
        let layout = self.layout?;
        let mut bytes = vec![0; layout.size];
        memory.read(address, &mut bytes).ok()?;
        let ((file, length), line, column) = layout.parts(&bytes);
        let file = self.text(memory, file, length);
        (!file.is_empty()).then_some(Place { file, line, column })
    }
}

/// A text; empty if it cannot be read, and cut off where it is too long.
pub(crate) fn text(memory: &dyn Memory, address: u64, length: u64, limit: usize) -> String {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX).min(limit)];
    if bytes.is_empty() || memory.read(address, &mut bytes).is_err() {
        return String::new();
    }
    shown(&bytes, length)
}

/// Bytes as text. What is no text, or would do something to the terminal, is replaced.
pub(crate) fn shown(bytes: &[u8], length: u64) -> String {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~');
    if bytes.iter().all(is_plain) && length <= bytes.len() as u64 {
        return String::from_utf8(bytes.to_vec()).expect("it is ASCII");
    }
    let mut text: String = String::from_utf8_lossy(bytes)
        .chars()
        .map(|char| if char.is_control() { char::REPLACEMENT_CHARACTER } else { char })
        .collect();
    if length > bytes.len() as u64 {
        text.push('…');
    }
    text
}
