//! The waker: how a task gets back in line.
//!
//! A waker is a row's id and nothing else. There is no reference count, so cloning and dropping one do nothing, and
//! there is no pointer, so a waker that outlives its task, its runtime or its thread is merely stale: rows are never
//! freed, and the generation in the id tells that the task is over.
//!
//! ```text
//!  wake(id) ─► the task that is running on this thread?   Running ─► Rewoken: it goes back in line by itself
//!           ─► row ─► is the runtime that owns it the one running on this thread?
//!                     yes: is id the row's current one?   state: Parked ─► Ready, onto the ready queue
//!                     no:  the slow way through the outpost (module `remote`)
//! ```
//!
//! On its own thread a wake is a few loads and stores: no atomic read-modify-write, no system call.
//!
//! A runtime that is to [find stuck tasks](crate::introspect::Stuck) has its tasks polled with wakers of another kind: the same
//! id and the same wake, but their clones are counted.

use crate::context;
use crate::remote::Mark;
use crate::task::pages::row_of;
use crate::task::row::Row;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{RawWaker, RawWakerVTable, Waker};

/// A `static`, not a `const`: `will_wake` compares addresses.
static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, drop);

/// The counted kind.
static COUNTED: RawWakerVTable = RawWakerVTable::new(clone_counted, wake_counted, wake, drop_counted);

/// Which wakers the tasks of a runtime are polled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    Counted,
}

fn data(id: u64) -> *const () {
    std::ptr::without_provenance(id as usize)
}

fn clone(id: *const ()) -> RawWaker {
    RawWaker::new(id, &VTABLE)
}

fn drop(_: *const ()) {}

fn wake(id: *const ()) {
    let id = id.addr() as u64;
    // First of all: to the compiler this is a call, around which whatever is known by then has to be kept.
    let core = context::running();
    if let Some(core) = core
        && let Some(row) = core.current.get()
        && row.id() == id
    {
        // A task that wakes itself, as they do to give way, need not be looked for.
        return core.wake(row);
    }
    let row = row_of(id);
    match core.filter(|core| core.owns(row)) {
        Some(core) if row.id() == id => core.wake(row),
        Some(_) => {}
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

/// The same, of the kind that is asked for. Itself, it is not counted.
#[inline(always)]
pub(crate) fn waker_of(kind: Kind, id: u64) -> ManuallyDrop<Waker> {
    match kind {
        Kind::Plain => waker(id),
        // SAFETY: as for the plain kind; what is counted is an atomic number, and nothing depends on it.
        Kind::Counted => ManuallyDrop::new(unsafe { Waker::new(data(id), &COUNTED) }),
    }
}

/// How many clones of counted wakers there are of the tasks that have this place in the table. Several tasks share a place: a
/// waker of one then counts for all, and none of them is found to be stuck, which is the harmless mistake.
static COUNTS: [AtomicU32; 1 << 14] = [const { AtomicU32::new(0) }; 1 << 14];

fn count(id: *const ()) -> &'static AtomicU32 {
    // The lower half of an id without its last bit is the row's place in the tables; the upper one is the generation.
    &COUNTS[(id.addr() as u32 >> 1) as usize % COUNTS.len()]
}

fn clone_counted(id: *const ()) -> RawWaker {
    count(id).fetch_add(1, Ordering::Relaxed);
    RawWaker::new(id, &COUNTED)
}

fn wake_counted(id: *const ()) {
    wake(id);
    drop_counted(id);
}

fn drop_counted(id: *const ()) {
    // Who sees that it is gone sees also what it has sent before.
    count(id).fetch_sub(1, Ordering::Release);
}

/// Whether somebody has a counted waker of this task. (Perhaps it is a former task's, in the same place.)
pub(crate) fn is_out(id: u64) -> bool {
    count(data(id)).load(Ordering::Acquire) > 0
}

/// A clone for something that is used by one thread only, and is seen by who looks at the tasks that wait for it: a lock, a
/// queue. It is not counted as a waker that somebody may wake from elsewhere.
///
/// For leaves that are waited for under a name of their own ([`Awaiting`](super::cancel::Awaiting)). If in doubt, clone.
#[inline]
pub fn keep_waker(waker: &Waker) -> Waker {
    match task_of(waker) {
        Some(id) => ManuallyDrop::into_inner(self::waker(id)),
        None => waker.clone(),
    }
}

/// The task that a waker wakes, if it is one of homing's whose clones are not counted: then the id is all of it.
#[inline(always)]
pub(crate) fn plain_task_of(waker: &Waker) -> Option<u64> {
    std::ptr::eq(waker.vtable(), &VTABLE).then(|| waker.data().addr() as u64)
}

/// The task that a waker wakes, if it is one of homing's.
#[inline(always)]
pub(crate) fn task_of(waker: &Waker) -> Option<u64> {
    let is_ours = std::ptr::eq(waker.vtable(), &VTABLE) || std::ptr::eq(waker.vtable(), &COUNTED);
    is_ours.then(|| waker.data().addr() as u64)
}
