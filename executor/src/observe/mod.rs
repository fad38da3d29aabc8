//! Observers: who is told what the runtime does, as it does it.
//!
//! The foundation of everything that records: spans of `tracing`, a time line, counters. A runtime that was
//! [built](crate::runtime::Builder::observe) without an observer pays a test a turn and a test at a task's end for that
//! there could be one; its spawns, polls and wakes pay nothing.
//!
//! ```text
//!   spawned ──► poll_started ──► poll_ended ──► parked ──► woken ──► poll_started …  ──► poll_ended ──► done
//!                    │ in between: what the task does to others, and
//!                    └─► scope_entered … scope_left,  cancel_requested
//! ```
//!
//! How the usual ways stay as they are: a spawn looks whether there are task-locals to be inherited, and in a runtime with
//! observers every task pretends to have some; a turn chooses once how it polls; and a task that parks is
//! `Watched`, not `Parked`, so that its wake takes the long way.

mod counters;
mod event;
mod futurelock;
mod grants;
mod slow;
#[cfg(feature = "tracing")]
mod spans;
mod watch;

use crate::cancel::ScopeId;
use crate::task::{Outcome, TaskRef};
use std::time::Instant;

pub use counters::{Metrics, PollMetrics, metrics};
pub use event::{CancelRequest, PollEnd, ScopeEntered, Spawned, Wait, WokenBy};
#[cfg(feature = "tracing")]
pub use spans::Spans;

pub use futurelock::{Futurelock, FuturelockWaiter, polls_of};
pub use grants::Grant;
pub use slow::SlowPoll;

pub(crate) use counters::{Counters, Counts, add};
pub(crate) use futurelock::{FuturelockHook, print as print_futurelock};
pub(crate) use grants::Futurelocks;
pub(crate) use slow::{Post, SlowHook, print as print_slow};
pub(crate) use watch::{Cause, Forwarded, Watch, tell_request, tell_scope_entered, tell_scope_left};

/// Told what becomes of the tasks of a runtime, in the order in which it happens, on the runtime's thread.
///
/// Every method does nothing unless it is written. Handed to [`Builder::observe`](crate::runtime::Builder::observe).
///
/// An observer is called in the middle of things, so it should look, note down, and return. It may use the tasks' handles,
/// and keep clones of them (which keeps the tasks' records). What it *does* to tasks works as ever, but neither that nor
/// anything that comes of it is told to any observer as long as the call lasts; and a task that it spawns is not told of at
/// all. A panic in it is caught, and reported as that of a callback.
///
/// # asyncio
///
/// Has none; a task factory and `loop.set_debug` are as close as it gets.
///
/// ```
/// use homing::observe::{Observer, Spawned};
/// use homing::TaskRef;
/// use std::{cell::RefCell, rc::Rc};
///
/// #[derive(Default)]
/// struct Names(Rc<RefCell<Vec<String>>>);
///
/// impl Observer for Names {
///     fn spawned(&self, task: &TaskRef, _: &Spawned) {
///         self.0.borrow_mut().push(task.name().into_owned());
///     }
/// }
///
/// let names = Names::default();
/// let seen = names.0.clone();
/// let runtime = homing::Builder::new().observe(names).build();
/// runtime.block_on(async { homing::task(async { Ok(()) }).name("fetch").spawn().await }).unwrap();
/// assert_eq!(*seen.borrow(), ["main", "fetch"]);
/// ```
#[expect(unused_variables, reason = "what nobody wants to know")]
pub trait Observer {
    /// A task was made, and has its name, its place and its parent. It has not been polled.
    fn spawned(&self, task: &TaskRef, spawned: &Spawned) {}

    /// Its poll begins, within that of another task if it is started eagerly or driven. From here to
    /// [`poll_ended`](Observer::poll_ended) it is the current task.
    fn poll_started(&self, task: &TaskRef, at: Instant) {}

    /// Its poll has returned, or panicked.
    fn poll_ended(&self, task: &TaskRef, poll: &PollEnd) {}

    /// Its poll has left it waiting for this: several things, if it does several at once; nothing that is known, if it waits
    /// for what other libraries have written.
    fn parked(&self, task: &TaskRef, waits: &[Wait]) {}

    /// Somebody has put it back in line; or has done so while it was being polled, and it will be polled again. Whoever wakes
    /// it once more before its turn is not told of.
    fn woken(&self, task: &TaskRef, by: &WokenBy) {}

    /// It was asked to cancel.
    fn cancel_requested(&self, task: &TaskRef, request: &CancelRequest<'_>) {}

    /// It has entered a scope: a group, a timeout.
    fn scope_entered(&self, task: &TaskRef, scope: &ScopeEntered<'_>) {}

    /// It has left one. That the task is ending may be the reason.
    fn scope_left(&self, task: &TaskRef, scope: ScopeId) {}

    /// It has ended. Whoever answers for it, or waits for it, has not been told yet.
    fn done(&self, task: &TaskRef, outcome: Outcome<'_>) {}

    /// The runtime has slept in the kernel, because there was nothing to do.
    fn slept(&self, from: Instant, until: Instant) {}
}
