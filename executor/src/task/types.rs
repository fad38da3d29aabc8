//! The names of the futures' types, for readers that cannot call a function: another process, or a core file.
//!
//! A row leads to its table of functions, and one of those gives the type's name. That is no use to who only has the
//! memory, so each table is entered, once in the life of the process, in a list that has the name as plain data. (The
//! name cannot be data in the table itself: `type_name` is not a `const fn`.)
//!
//! ```text
//!   row ──► vtable ◄── record ──► "my_app::fetch::{{closure}}"
//!                        │
//!   FIRST ──► record ──► record ──► null        all that were ever spawned, the latest first
//! ```
//!
//! A row is usually taken by the kind of task that has left it, and then its table is known: that costs a spawn one
//! comparison. For the others each runtime remembers the tables that it has lately seen.

use super::cell::VTable;
use crate::black_box;
use crate::outside::Field;
use std::cell::{Cell, OnceCell};
use std::mem::offset_of;
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicPtr, Ordering};

/// One type's name. Never freed.
#[repr(C)]
pub(crate) struct TypeRecord {
    vtable: *const VTable,
    name: *const u8,
    length: usize,
    next: *const TypeRecord,
}

impl TypeRecord {
    pub(crate) fn new(
        vtable: &'static VTable,
        name: *const u8,
        length: usize,
        next: *const TypeRecord,
    ) -> TypeRecord {
        TypeRecord { vtable, name, length, next }
    }

    #[cfg_attr(any(not(target_os = "linux"), homing_portable), expect(dead_code))]
    pub(crate) fn is_of(&self, vtable: &'static VTable) -> bool {
        ptr::eq(self.vtable, vtable)
    }

    #[cfg_attr(any(not(target_os = "linux"), homing_portable), expect(dead_code))]
    pub(crate) fn next(&self) -> *const TypeRecord {
        self.next
    }
}

pub(crate) static FIRST: AtomicPtr<TypeRecord> = AtomicPtr::new(ptr::null_mut());
pub(crate) const FIELDS: [Field; 4] = [
    Field::new("type", 0, size_of::<TypeRecord>()),
    Field::new("type.table", offset_of!(TypeRecord, vtable), size_of::<usize>()),
    Field::new("type.name", offset_of!(TypeRecord, name), size_of::<[usize; 2]>()),
    Field::new("type.next", offset_of!(TypeRecord, next), size_of::<usize>()),
];

/// Held while a record is added. Readers need no lock: records never change.
static ADDING: Mutex<()> = Mutex::new(());

/// How many tables a runtime remembers: a power of two.
const REMEMBERED: usize = 64;

/// The tables that a runtime has lately seen, each in the place that its address gives it.
#[derive(Default)]
pub(crate) struct KnownTypes(OnceCell<Box<[Cell<*const VTable>; REMEMBERED]>>);

impl KnownTypes {
    /// A task with this table is being spawned.
    #[inline(never)]
    pub(crate) fn note(&self, vtable: &'static VTable) {
        let seen = self.0.get_or_init(|| Box::new([const { Cell::new(ptr::null()) }; REMEMBERED]));
        // Fibonacci hashing (Knuth, The Art of Computer Programming, 6.4): tables lie at regular distances, and shall not
        // crowd into a few places.
        let hash = (ptr::from_ref(vtable).addr() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let known = &seen[(hash >> (u64::BITS - REMEMBERED.ilog2())) as usize];
        if !ptr::eq(known.get(), vtable) {
            known.set(vtable);
            enter(vtable);
            if let Some(arena) = black_box::arena_of(ptr::from_ref(self).cast()) {
                arena.enter_type(vtable);
            }
        }
    }
}

/// Adds a table's record, if it has none.
#[cold]
fn enter(vtable: &'static VTable) {
    let _adding = ADDING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if records().any(|record| ptr::eq(record.vtable, vtable)) {
        return;
    }
    let name = (vtable.type_name)();
    let next = FIRST.load(Ordering::Acquire);
    let record = TypeRecord::new(vtable, name.as_ptr(), name.len(), next);
    FIRST.store(Box::leak(Box::new(record)), Ordering::Release);
}

fn records() -> impl Iterator<Item = &'static TypeRecord> {
    let mut next = FIRST.load(Ordering::Acquire).cast_const();
    std::iter::from_fn(move || {
        // SAFETY: null, or a record that `enter` has leaked and published.
        let record = unsafe { next.as_ref() }?;
        next = record.next;
        Some(record)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::cell;
    use std::future::Ready;

    type Future = Ready<crate::error::Result<u128>>;

    #[test]
    fn a_type_is_entered_once_and_its_name_can_be_read_as_plain_data() {
        let vtable = cell::pooled::<Future, u128, ()>();
        for _ in 0..3 {
            KnownTypes::default().note(vtable);
        }
        let entered: Vec<_> = records().filter(|record| ptr::eq(record.vtable, vtable)).collect();
        assert_eq!(entered.len(), 1);
        // SAFETY: a record has the parts of a `&'static str`.
        let name = unsafe { std::slice::from_raw_parts(entered[0].name, entered[0].length) };
        assert_eq!(name, std::any::type_name::<Future>().as_bytes());
    }
}
