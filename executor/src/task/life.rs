//! From spawn to recycling: the steps of a task's life that the runtime takes.
//!
//! ```text
//!  spawn ──► ready queue ──► poll ──► finish ──► release
//!    └─ eager: poll at once ──┘  ▲       │          when it is done, and the last handle is gone
//!                                wake    owner, joiners, callbacks; an unseen error to the hook
//!  └──── birth ────┘└──── step ────┘└──────────────── end ───────────────┘
//! ```
//!
//! Each of the three has a file. Here is what they share: what is known of a task at any time, and how the program's own code
//! is called.
//!
//! Whatever runs code of the program's (a poll, a destructor, an owner) runs under `catch_unwind`: a panic there
//! ends the task it belongs to, never the loop.

use super::cell::VTable;
use super::owner::Outcome;
use super::row::{Flag, Row, Stage};
use crate::cancel::ScopeId;
use crate::error::{Error, Origin, Panicked};
use crate::hook::Unhandled;
use crate::runtime::core::Core;
use crate::waker;
use std::any::Any;
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

pub(super) type PanicPayload = Box<dyn Any + Send>;

impl Core {
    /// Calls a destructor, an owner, or whatever else is not ours. A panic in it is reported, and goes no further.
    #[inline(always)]
    pub(crate) fn contain<R>(&self, call: impl FnOnce() -> R) -> Option<R> {
        let called = catch_unwind(AssertUnwindSafe(call));
        called.map_err(|payload| self.report_panic(payload)).ok()
    }

    /// A destructor, owner, waker or callback panicked.
    #[cold]
    pub(crate) fn report_panic(&self, payload: PanicPayload) {
        self.report(Unhandled::CallbackPanicked { error: Error::from(Panicked::new(payload)) });
    }
}

/// The table of a row's task. (Of the former one, if the row is free.)
#[inline(always)]
pub(super) fn vtable(row: &Row) -> &'static VTable {
    let vtable = row.vtable.get();
    debug_assert!(vtable.is_some(), "a row that has been taken has a table: {row:?}");
    // SAFETY: a row gets its first table when it is first taken, in `take_row`, before anybody else knows of it, and is never
    // without one again.
    unsafe { vtable.unwrap_unchecked() }
}

/// The error of a task that is done and still has its output (a clone: a count, shared).
pub(crate) fn error_of(row: &Row) -> Option<Error> {
    if row.stage.get() != Stage::Output || !row.is(Flag::Failed) {
        return None;
    }
    // SAFETY: the stage is `Output`; the reference ends before anybody else looks at the cell.
    unsafe { (vtable(row).error)(row.cell.get()).map(|error| error.as_ref().clone()) }
}

/// Calls `f` with the outcome of a task that is done. `f` may do anything, also drop the last handle of the task.
#[inline]
pub(crate) fn with_outcome<R>(row: &Row, f: impl FnOnce(Outcome<'_>) -> R) -> R {
    if !row.is(Flag::Failed) {
        return f(Outcome::Value);
    }
    match error_of(row) {
        None => f(Outcome::Value),
        Some(error) if row.is(Flag::Cancelled) => f(Outcome::Cancelled(&error)),
        Some(error) => f(Outcome::Failed(&error)),
    }
}

/// The name of a task: the given one, or `main`, or `Task-7`.
pub(crate) fn name(row: &Row) -> Cow<'static, str> {
    let given = row.extras().and_then(|extras| extras.name.get());
    if given.is_none() && row.is(Flag::Main) {
        return Cow::Borrowed("main");
    }
    given.unwrap_or_else(|| Cow::Owned(format!("Task-{}", row.number.get())))
}

/// A cancellation, with whose it was written on it, if it has anything else to tell. (Others get that at the task's end. But
/// tasks are cancelled by the thousand, and few of them are awaited.)
#[cold]
pub(crate) fn told(row: &Row, cancelled: Error) -> Error {
    if cancelled.is_plain() { cancelled } else { cancelled.with_origin(origin(row)) }
}

/// Who waits for a task from its spawn to its end, if its owner says so. The task has not ended.
pub(crate) fn waiter(row: &Row) -> Option<ScopeId> {
    debug_assert!(row.state.get().is_alive());
    // SAFETY: the owner is there until the task has ended.
    unsafe { (vtable(row).waiter)(row.cell.get()) }
}

pub(super) fn origin(row: &Row) -> Origin {
    Origin { task: Some(name(row)), spawned_at: row.spawned_at.get() }
}

/// Wakes a waker that may be anybody's, and drops it. A panic in either is reported, and goes no further.
#[inline]
pub(crate) fn wake_foreign(waker: Waker) {
    if waker::task_of(&waker).is_some() {
        return waker.wake();
    }
    contain(|| waker.wake());
}

/// As [`Core::contain`], for what may also be called where no runtime is running.
#[inline]
pub(crate) fn contain<R>(call: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(call)).map_err(report_panic).ok()
}

#[cold]
fn report_panic(payload: PanicPayload) {
    let error = Error::from(Panicked::new(payload));
    crate::runtime::report_unhandled(Unhandled::CallbackPanicked { error });
}
