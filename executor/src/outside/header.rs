//! The header itself, and the ways to it.
//!
//! ```text
//!   .homing        the header: a static, so its addresses are right wherever the program is loaded
//!   .note.homing   "homing", and how far the header is from here: survives `strip`, and files without section headers
//! ```

use super::format::{Address, Field, Fixed, Label, LabelKind, LocationLayout, MAGIC, Meaning, VERSION, name};
use super::location;
use crate::cancel::scope::ScopeEntry;
use crate::clock::{self, Clock, ClockKind};
use crate::holders::{self, Hold};
use crate::outpost;
use crate::runtime::core::Core;
use crate::task::extras::{Extras, Node};
use crate::task::pages::{self, PAGE_ROWS};
use crate::task::row::{AwaitKind, Flag, Row};
use crate::task::state::State;
use crate::task::types;
use std::mem::offset_of;
use std::sync::atomic::AtomicU32;

/// All fields, structure by structure.
const FIELDS: [&[Field]; 8] = [
    &Row::FIELDS,
    &Extras::FIELDS,
    &Node::FIELDS,
    &ScopeEntry::FIELDS,
    &types::FIELDS,
    &outpost::FIELDS,
    &holders::FIELDS,
    &[
        Field::new("core.serial", offset_of!(Core, serial), 8),
        Field::new("core.current", offset_of!(Core, current), size_of::<usize>()),
        Field::new("core.alive", offset_of!(Core, alive), size_of::<usize>()),
        Field::new("core.clock.now", offset_of!(Core, clock) + Clock::NOW, 8),
        Field::new("core.clock.kind", offset_of!(Core, clock) + Clock::KIND, 1),
    ],
];

const LABELS: [&[Label]; 5] = [
    &State::LABELS,
    &AwaitKind::LABELS,
    &Hold::LABELS,
    &[
        Label::new(LabelKind::Flag, Flag::Callback as u32, "callback", Meaning::Plain),
        Label::new(LabelKind::Flag, Flag::Main as u32, "main", Meaning::Plain),
        Label::new(LabelKind::Flag, Flag::Driven as u32, "driven", Meaning::Plain),
    ],
    &[
        Label::new(LabelKind::Clock, ClockKind::Monotonic as u32, "monotonic", Meaning::Plain),
        Label::new(LabelKind::Clock, ClockKind::Virtual as u32, "virtual", Meaning::Plain),
    ],
];

const FIELD_COUNT: usize = count(&FIELDS);
const LABEL_COUNT: usize = count(&LABELS);

#[repr(C)]
pub(crate) struct Header {
    fixed: Fixed,
    fields: [Field; FIELD_COUNT],
    labels: [Label; LABEL_COUNT],
}

/// What a header leads to, and where it is itself: see [`Fixed`].
pub(crate) struct Tables {
    pub(crate) address: Address,
    pub(crate) pages: Address,
    pub(crate) page_count: Address,
    pub(crate) types: Address,
    pub(crate) runtimes: Address,
    pub(crate) clock_origin: Address,
}

impl Header {
    pub(crate) const fn new(tables: Tables) -> Header {
        let Tables { address, pages, page_count, types, runtimes, clock_origin } = tables;
        Header {
            fixed: Fixed {
                magic: MAGIC,
                version: VERSION,
                fixed_size: size_of::<Fixed>() as u32,
                field_count: FIELD_COUNT as u32,
                label_count: LABEL_COUNT as u32,
                address,
                release: name(env!("CARGO_PKG_VERSION")),
                pages,
                page_count,
                types,
                runtimes,
                page_rows: PAGE_ROWS as u32,
                pointer_size: size_of::<usize>() as u32,
                location: LocationLayout {
                    size: AtomicU32::new(0),
                    file: AtomicU32::new(0),
                    length: AtomicU32::new(0),
                    line: AtomicU32::new(0),
                    column: AtomicU32::new(0),
                    reserved: AtomicU32::new(0),
                },
                clock_origin,
            },
            fields: all(&FIELDS),
            labels: all(&LABELS),
        }
    }

    /// Finds out how places are laid out.
    pub(crate) fn find_layout(&self) {
        location::find_layout(&self.fixed.location);
    }
}

#[used]
#[cfg_attr(
    any(target_os = "linux", target_os = "android", target_os = "freebsd"),
    unsafe(link_section = ".homing")
)]
static HEADER: Header = Header::new(Tables {
    address: Address::of(&raw const HEADER),
    pages: Address::of(&raw const pages::PAGES),
    page_count: Address::of(&raw const pages::PAGE_COUNT),
    types: Address::of(&raw const types::FIRST),
    runtimes: Address::of(&raw const outpost::FIRST),
    clock_origin: Address::of(&raw const clock::ORIGIN_NANOS),
});

// A note is a name's length, that of the contents, a type, the name and the contents. The distance is known to the linker,
// and needs no relocation when the program is loaded.
#[cfg(all(any(target_os = "linux", target_os = "android"), target_pointer_width = "64"))]
std::arch::global_asm!(
    ".pushsection .note.homing, \"a\", %note",
    ".balign 4",
    ".long 7",
    ".long 8",
    ".long 1",
    ".asciz \"homing\"",
    ".balign 4",
    ".quad {header} - .",
    ".popsection",
    header = sym HEADER,
);

/// The first page of rows is made: from here on there is something to see.
#[cold]
pub(crate) fn announce() {
    HEADER.find_layout();
}

pub(super) fn address() -> usize {
    (&raw const HEADER).addr()
}

const fn count<T>(lists: &[&[T]]) -> usize {
    let mut count = 0;
    let mut at = 0;
    while at < lists.len() {
        count += lists[at].len();
        at += 1;
    }
    count
}

/// The lists, one after the other.
const fn all<T: Copy, const N: usize>(lists: &[&[T]]) -> [T; N] {
    let mut all = [lists[0][0]; N];
    let (mut list, mut at, mut next) = (0, 0, 0);
    while list < lists.len() {
        if at < lists[list].len() {
            all[next] = lists[list][at];
            (at, next) = (at + 1, next + 1);
        } else {
            (list, at) = (list + 1, 0);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_field_and_each_number_is_told_once() {
        let fields: HashSet<_> = HEADER.fields.iter().map(|field| field.name).collect();
        assert_eq!(fields.len(), FIELD_COUNT);
        let labels: HashSet<_> = HEADER.labels.iter().map(|label| (label.kind, label.value)).collect();
        assert_eq!(labels.len(), LABEL_COUNT);
    }

    #[test]
    fn the_fields_come_right_after_the_fixed_part_and_the_labels_after_them() {
        assert_eq!(offset_of!(Header, fields), size_of::<Fixed>());
        assert_eq!(offset_of!(Header, labels), size_of::<Fixed>() + FIELD_COUNT * size_of::<Field>());
    }
}
