//! The waker: how a task gets back in line.
//!
//! A waker is a row's id and nothing else. There is no reference count, so cloning and dropping one do nothing, and
//! there is no pointer, so a waker that outlives its task, its runtime or its thread is merely stale: rows are never
//! freed, and the generation in the id tells that the task is over.
//!
//! ```text
//!  wake(id) ─► row ─► is the runtime that owns it the one running on this thread?
//!                     yes: is id the row's current one?   state: Parked ─► Ready, onto the ready queue
//!                     no:  the slow way through the outpost (module `remote`)
//! ```
//!
//! On its own thread a wake is a few loads and stores: no atomic read-modify-write, no system call.

use crate::context;
use crate::remote::Mark;
use crate::task::pages::row_of;
use crate::task::row::Row;
use std::mem::ManuallyDrop;
use std::task::{RawWaker, RawWakerVTable, Waker};

/// A `static`, not a `const`: `will_wake` compares addresses.
static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, drop);

fn data(id: u64) -> *const () {
    std::ptr::without_provenance(id as usize)
}

fn clone(id: *const ()) -> RawWaker {
    RawWaker::new(id, &VTABLE)
}

fn drop(_: *const ()) {}

fn wake(id: *const ()) {
    let id = id.addr() as u64;
    let row = row_of(id);
    match context::core_that_owns(row) {
        Some(core) => {
            if row.id() == id {
                core.wake(row);
            }
        }
        None => wake_from_elsewhere(row, id),
    }
}

/// The running task's row, if the waker is that task's own, and not one that a combinator has put in its place.
#[inline(always)]
pub(crate) fn own_row(waker: &Waker) -> Option<&'static Row> {
    context::current_row().filter(|row| task_of(waker) == Some(row.id()))
}

#[cold]
fn wake_from_elsewhere(row: &'static Row, id: u64) {
    let Some(outpost) = row.owner() else { return };
    match row.word.mark(id) {
        Mark::Send => outpost.ring(outpost.send(id)),
        Mark::AlreadySent | Mark::Stale => {}
    }
}

/// A waker for the task with this id; to be used by reference or cloned, never dropped (it need not be).
#[inline(always)]
pub(crate) fn waker(id: u64) -> ManuallyDrop<Waker> {
    const { assert!(size_of::<usize>() == size_of::<u64>(), "ids are 64 bits wide, and travel in a pointer") };
    // SAFETY: the functions of the table do what `RawWaker` asks for: they are thread-safe (see the module), and
    // clone and drop have nothing to count.
    ManuallyDrop::new(unsafe { Waker::new(data(id), &VTABLE) })
}

/// The task that a waker wakes, if it is one of homing's.
#[inline(always)]
pub(crate) fn task_of(waker: &Waker) -> Option<u64> {
    std::ptr::eq(waker.vtable(), &VTABLE).then(|| waker.data().addr() as u64)
}
