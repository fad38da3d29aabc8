//! The layout: what a header says, checked.
//!
//! ```text
//!   Fixed     sizes and addresses               ──┐
//!   fields    "row.state": 48, 1 byte           ──┼──► Layout: a place in a structure for each thing that is read
//!   labels    of `await`, 2 is "timer"          ──┘
//! ```
//!
//! After this, each place is within its structure, so reading a field cannot go wrong.

use crate::error::Error;
use crate::limits;
use crate::memory::Memory;
use crate::texts::shown;
use homing_executor::holders::Hold;
use homing_executor::introspect::{SharedStr, TaskState};
use homing_executor::outside::{Field, Fixed, Label, LabelKind, MAGIC, Meaning, VERSION};
use std::collections::HashMap;
use std::mem::offset_of;
use std::ops::Range;

/// A place in a structure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    offset: usize,
    size: usize,
}

/// What is known of one header.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) address: u64,
    pub(crate) release: String,
    pub(crate) pages: u64,
    pub(crate) page_count: u64,
    pub(crate) types: u64,
    pub(crate) runtimes: u64,
    pub(crate) clock_origin: u64,
    pub(crate) page_rows: usize,
    pub(crate) row: RowLayout,
    pub(crate) extras: ExtrasLayout,
    /// The part of the extras that has all of those fields.
    pub(crate) extras_window: Range<usize>,
    pub(crate) node: NodeLayout,
    pub(crate) scope: ScopeLayout,
    pub(crate) kind: TypeLayout,
    pub(crate) runtime: RuntimeLayout,
    pub(crate) core: CoreLayout,
    /// Of a scope, in which poll it was last polled; not in all releases.
    pub(crate) scope_polled: Option<At>,
    /// Releases that have none do not say who holds a lock.
    pub(crate) boards: Option<BoardsLayout>,
    /// By their numbers, as far as these are small: all that there are, are bytes.
    states: Vec<Option<TaskState>>,
    awaits: Vec<Option<(SharedStr, Meaning)>>,
    holds: Vec<Option<Hold>>,
    pub(crate) callback: u64,
    pub(crate) main: u64,
    pub(crate) virtual_clock: u64,
}

/// The boards of locks, and the entries on them.
#[derive(Debug)]
pub(crate) struct BoardsLayout {
    pub(crate) board: BoardLayout,
    pub(crate) holder: HolderLayout,
}

impl BoardsLayout {
    fn of(fields: &Fields) -> Option<BoardsLayout> {
        Some(BoardsLayout { board: BoardLayout::of(fields).ok()?, holder: HolderLayout::of(fields).ok()? })
    }
}

/// Makes a structure of places, and how to find them.
macro_rules! layout {
    ($name:ident, $structure:literal, { $($field:ident: $text:literal,)* }) => {
        #[derive(Debug)]
        pub(crate) struct $name {
            pub(crate) size: usize,
            $(pub(crate) $field: At,)*
        }

        impl $name {
            fn of(fields: &Fields) -> Result<$name, Error> {
                let size = fields.structure($structure)?;
                Ok($name { size, $($field: fields.within($text, size)?,)* })
            }
        }
    };
}

layout!(RowLayout, "row", {
    word: "row.word",
    owner: "row.owner",
    table: "row.table",
    extras: "row.extras",
    state: "row.state",
    flags: "row.flags",
    count: "row.count",
    number: "row.number",
    group: "row.group",
    parent: "row.parent",
    place: "row.place",
    polls: "row.polls",
    await_kind: "row.await.kind",
    await_more: "row.await.more",
    await_sequence: "row.await.sequence",
    await_scope: "row.await.scope",
    await_operand: "row.await.operand",
    await_place: "row.await.place",
});
layout!(ExtrasLayout, "extras", {
    name: "extras.name",
    nodes: "extras.nodes",
    scopes: "extras.scopes",
});
layout!(NodeLayout, "node", {
    kind: "node.kind",
    scope: "node.scope",
    operand: "node.operand",
    place: "node.place",
    poll: "node.poll",
    linked: "node.linked",
});
layout!(ScopeLayout, "scope", {
    id: "scope.id",
    parent: "scope.parent",
    kind: "scope.kind",
    name: "scope.name",
    place: "scope.place",
    deadline: "scope.deadline",
});
layout!(TypeLayout, "type", {
    table: "type.table",
    name: "type.name",
    next: "type.next",
});
layout!(RuntimeLayout, "runtime", {
    core: "runtime.core",
    thread: "runtime.thread",
    next: "runtime.next",
});
layout!(CoreLayout, "core", {
    current: "core.current",
    now: "core.clock.now",
    clock: "core.clock.kind",
});
layout!(BoardLayout, "board", {
    address: "board.address",
    sequence: "board.sequence",
    count: "board.count",
    more: "board.more",
    first: "board.first",
});
layout!(HolderLayout, "holder", {
    task: "holder.task",
    place: "holder.place",
    permits: "holder.permits",
    hold: "holder.hold",
});

impl At {
    /// Where it begins.
    pub(crate) fn offset(self) -> usize {
        self.offset
    }

    /// The same place, counted from another beginning.
    pub(crate) fn since(self, start: usize) -> At {
        At { offset: self.offset - start, size: self.size }
    }

    /// The number that is there.
    #[inline]
    pub(crate) fn number(self, structure: &[u8]) -> u64 {
        // Nearly always there are eight bytes: then all sizes are the same few instructions.
        if let Some(word) = structure[self.offset..].first_chunk::<8>()
            && self.size <= 8
        {
            let (word, others) = (u64::from_ne_bytes(*word), 64 - 8 * self.size as u32);
            return if cfg!(target_endian = "big") { word >> others } else { word << others >> others };
        }
        let bytes = &structure[self.offset..self.offset + self.size];
        match *bytes {
            [byte] => byte.into(),
            [a, b] => u16::from_ne_bytes([a, b]).into(),
            [a, b, c, d] => u32::from_ne_bytes([a, b, c, d]).into(),
            [a, b, c, d, e, f, g, h] => u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
            // `Fields` lets no other size pass, but for pairs.
            _ => 0,
        }
    }

    /// The address and the length that are there.
    pub(crate) fn pair(self, structure: &[u8]) -> (u64, u64) {
        let word = |offset| At { offset: self.offset + offset, size: 8 }.number(structure);
        if self.size == 16 { (word(0), word(8)) } else { (0, 0) }
    }
}

impl Layout {
    /// Reads the header at an address. `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Version`], [`Error::Corrupt`].
    pub(crate) fn read(memory: &dyn Memory, address: u64) -> Result<Option<Layout>, Error> {
        let mut fixed = [0; size_of::<Fixed>()];
        if memory.read(address, &mut fixed).is_err() || fixed[..MAGIC.len()] != MAGIC {
            return Ok(None);
        }
        let number =
            |offset: usize| u32::from_ne_bytes(fixed[offset..offset + 4].try_into().expect("four bytes"));
        let word =
            |offset: usize| u64::from_ne_bytes(fixed[offset..offset + 8].try_into().expect("eight bytes"));
        if word(offset_of!(Fixed, address)) != address {
            return Ok(None);
        }
        let release = text(&fixed[offset_of!(Fixed, release)..][..16]);
        let version = number(offset_of!(Fixed, version));
        if version != VERSION {
            return Err(Error::Version { version, release });
        }
        if number(offset_of!(Fixed, pointer_size)) != 8 {
            return Err(Error::Corrupt("pointers that are not of 64 bits".to_owned()));
        }
        let counts = [number(offset_of!(Fixed, field_count)), number(offset_of!(Fixed, label_count))];
        if counts.iter().any(|count| *count > limits::DESCRIPTIONS) {
            return Err(Error::Corrupt(format!("{} fields and {} labels", counts[0], counts[1])));
        }
        let [field_count, label_count] = counts.map(|count| count as usize);
        let described = address.checked_add(number(offset_of!(Fixed, fixed_size)).into());
        let mut bytes = vec![0; field_count * size_of::<Field>() + label_count * size_of::<Label>()];
        if described.is_none_or(|described| memory.read(described, &mut bytes).is_err()) {
            return Err(Error::Corrupt("fields that cannot be read".to_owned()));
        }
        let (fields, labels) = bytes.split_at(field_count * size_of::<Field>());
        let fields = Fields::of(fields);
        let labels = Labels::of(labels);
        let page_rows = number(offset_of!(Fixed, page_rows));
        if page_rows == 0 || page_rows > limits::PAGE_ROWS {
            return Err(Error::Corrupt(format!("pages of {page_rows} rows")));
        }
        let extras = ExtrasLayout::of(&fields)?;
        let extras_window = window([extras.name, extras.nodes, extras.scopes]);
        Ok(Some(Layout {
            address,
            release,
            pages: word(offset_of!(Fixed, pages)),
            page_count: word(offset_of!(Fixed, page_count)),
            types: word(offset_of!(Fixed, types)),
            runtimes: word(offset_of!(Fixed, runtimes)),
            clock_origin: word(offset_of!(Fixed, clock_origin)),
            page_rows: page_rows as usize,
            row: RowLayout::of(&fields)?,
            extras,
            extras_window,
            node: NodeLayout::of(&fields)?,
            scope: ScopeLayout::of(&fields)?,
            kind: TypeLayout::of(&fields)?,
            runtime: RuntimeLayout::of(&fields)?,
            core: CoreLayout::of(&fields)?,
            scope_polled: fields.within("scope.polled", fields.structure("scope")?).ok(),
            boards: BoardsLayout::of(&fields),
            states: labels.states(),
            awaits: labels.awaits(),
            holds: labels.holds(),
            callback: labels.value(LabelKind::Flag, "callback"),
            main: labels.value(LabelKind::Flag, "main"),
            virtual_clock: labels.value(LabelKind::Clock, "virtual"),
        }))
    }

    /// The state with this number; `None` if there is no task.
    pub(crate) fn state(&self, number: u64) -> Option<TaskState> {
        self.states.get(number as usize).copied().flatten()
    }

    /// What an await of this kind is called, and what its operand is.
    pub(crate) fn awaited(&self, kind: u64) -> (SharedStr, Meaning) {
        let unknown = || (format!("kind {kind}").into(), Meaning::Thing);
        self.awaits.get(kind as usize).cloned().flatten().unwrap_or_else(unknown)
    }

    /// What this number means of how a lock is held.
    pub(crate) fn hold(&self, number: u64) -> Hold {
        self.holds.get(number as usize).copied().flatten().unwrap_or_default()
    }

    /// What the operand of an await of this kind is.
    pub(crate) fn meaning(&self, kind: u64) -> Meaning {
        let known = self.awaits.get(kind as usize).and_then(Option::as_ref);
        known.map_or(Meaning::Thing, |(_, meaning)| *meaning)
    }
}

/// How `core::panic::Location` is laid out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlaceLayout {
    pub(crate) size: usize,
    file: At,
    length: At,
    line: At,
    column: At,
}

impl PlaceLayout {
    /// As the header says, if it knows by now.
    pub(crate) fn read(memory: &dyn Memory, header: u64) -> Option<PlaceLayout> {
        let mut bytes = [0; 24];
        memory.read(header.checked_add(offset_of!(Fixed, location) as u64)?, &mut bytes).ok()?;
        let number = |at: usize| {
            u32::from_ne_bytes(bytes[4 * at..4 * at + 4].try_into().expect("four bytes")) as usize
        };
        let size = number(0);
        let at = |index: usize, width: usize| {
            let at = At { offset: number(index), size: width };
            (at.offset + at.size <= size).then_some(at)
        };
        if size == 0 || size > limits::STRUCTURE as usize {
            return None;
        }
        Some(PlaceLayout { size, file: at(1, 8)?, length: at(2, 8)?, line: at(3, 4)?, column: at(4, 4)? })
    }

    /// The file's name, by address and length; the line; the column.
    pub(crate) fn parts(&self, place: &[u8]) -> ((u64, u64), u32, u32) {
        let name = (self.file.number(place), self.length.number(place));
        (name, self.line.number(place) as u32, self.column.number(place) as u32)
    }
}

/// All fields, by their names.
struct Fields(HashMap<String, At>);

impl Fields {
    fn of(bytes: &[u8]) -> Fields {
        let fields = bytes.chunks_exact(size_of::<Field>()).map(|field| {
            let number = |offset: usize| {
                u32::from_ne_bytes(field[offset..offset + 4].try_into().expect("four bytes")) as usize
            };
            let at = At { offset: number(offset_of!(Field, offset)), size: number(offset_of!(Field, size)) };
            (text(&field[..24]), at)
        });
        Fields(fields.collect())
    }

    /// The size of a structure; where none is told, what its fields need.
    fn structure(&self, name: &str) -> Result<usize, Error> {
        let told = self.0.get(name).map(|at| at.size);
        let fields = self
            .0
            .iter()
            .filter(|(field, _)| field.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')));
        let needed = fields.map(|(_, at)| at.offset.saturating_add(at.size)).max().unwrap_or_default();
        match told.unwrap_or(needed) {
            size if size > 0 && size <= limits::STRUCTURE as usize => Ok(size),
            size => Err(Error::Corrupt(format!("a {name} of {size} bytes"))),
        }
    }

    fn within(&self, name: &str, structure: usize) -> Result<At, Error> {
        let at = *self.0.get(name).ok_or_else(|| Error::Corrupt(format!("no {name}")))?;
        let is_within = at.offset.checked_add(at.size).is_some_and(|end| end <= structure);
        if is_within && matches!(at.size, 1 | 2 | 4 | 8 | 16) {
            return Ok(at);
        }
        Err(Error::Corrupt(format!("{name} at {}, {} bytes", at.offset, at.size)))
    }
}

/// From the first of them to the end of the last.
fn window<const FIELDS: usize>(fields: [At; FIELDS]) -> Range<usize> {
    let starts = fields.map(|at| at.offset);
    let ends = fields.map(|at| at.offset + at.size);
    starts.into_iter().min().unwrap_or(0)..ends.into_iter().max().unwrap_or(0)
}

/// All labels: kind, value, name, meaning.
struct Labels(Vec<(u16, u64, String, Meaning)>);

impl Labels {
    fn of(bytes: &[u8]) -> Labels {
        let labels = bytes.chunks_exact(size_of::<Label>()).map(|label| {
            let short = |offset: usize| u16::from_ne_bytes([label[offset], label[offset + 1]]);
            let value = &label[offset_of!(Label, value)..][..4];
            let value = u32::from_ne_bytes(value.try_into().expect("four bytes"));
            let meaning = Meaning::from_number(short(offset_of!(Label, meaning)));
            (short(offset_of!(Label, kind)), value.into(), text(&label[..24]), meaning)
        });
        Labels(labels.collect())
    }

    fn of_kind(&self, kind: LabelKind) -> impl Iterator<Item = (u64, &str, Meaning)> {
        let of_kind = self.0.iter().filter(move |label| label.0 == kind as u16);
        of_kind.map(|(_, value, name, meaning)| (*value, name.as_str(), *meaning))
    }

    fn value(&self, kind: LabelKind, name: &str) -> u64 {
        self.of_kind(kind).find(|label| label.1 == name).map_or(0, |label| label.0)
    }

    fn states(&self) -> Vec<Option<TaskState>> {
        let state = |name: &str| match name {
            "held" => Some(TaskState::Held),
            "created" => Some(TaskState::Created),
            "ready" => Some(TaskState::Ready),
            "running" => Some(TaskState::Running),
            "parked" => Some(TaskState::Parked),
            _ => None,
        };
        by_number(self.of_kind(LabelKind::State).map(|(value, name, _)| (value, state(name))))
    }

    fn holds(&self) -> Vec<Option<Hold>> {
        by_number(self.of_kind(LabelKind::Hold).map(|(value, name, _)| (value, Hold::from_name(name))))
    }

    fn awaits(&self) -> Vec<Option<(SharedStr, Meaning)>> {
        let awaits = self.of_kind(LabelKind::Await);
        by_number(awaits.map(|(value, name, meaning)| (value, Some((name.into(), meaning)))))
    }
}

/// What belongs to each number.
fn by_number<T: Clone>(of_numbers: impl Iterator<Item = (u64, Option<T>)>) -> Vec<Option<T>> {
    let mut all = vec![None; 256];
    for (number, value) in of_numbers {
        if let Some(place) = all.get_mut(number as usize) {
            *place = value;
        }
    }
    all
}

/// A text with zeros after it. It is shown to people, as all that is read.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    shown(&bytes[..end], end as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_labels_and_releases_do_nothing_to_the_terminal() {
        let mut label = [0; size_of::<Label>()];
        let name = b"\x1b]0;title\x07timer\x7f\n";
        label[..name.len()].copy_from_slice(name);
        label[offset_of!(Label, value)] = 3;
        label[offset_of!(Label, kind)..][..2].copy_from_slice(&(LabelKind::Await as u16).to_ne_bytes());
        let awaits = Labels::of(&label).awaits();
        let (name, _) = awaits[3].as_ref().unwrap();
        assert_eq!(&**name, "\u{FFFD}]0;title\u{FFFD}timer\u{FFFD}\u{FFFD}");
        assert_eq!(text(b"0.1.0\x1b[2J\0\0"), "0.1.0\u{FFFD}[2J");
    }
}
