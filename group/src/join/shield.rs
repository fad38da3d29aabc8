//! Shield: waiting for a task without dragging it along.

use super::child::Child;
use super::watch::Watch;
use crate::waiter::Waiter;
use homing_executor::cancel::{Awaiting, Leaf};
use homing_executor::error::{Error, Result};
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// Waits for a task, but keeps a cancel of the waiter away from it: the waiting is interrupted, the task goes on.
///
/// A future that is no handle is spawned as a task, here and now. If the task has ended already, awaiting the shield does
/// not suspend. If the task itself is cancelled, by somebody else, the shield ends cancelled.
///
/// # Errors
///
/// What the task ended with; `Cancelled`, if the waiter is cancelled. An error that the task ends with after that is read
/// by whoever else has a handle; if nobody has, it is reported through the hook for unhandled errors.
///
/// # Panics
///
/// Outside of a runtime, if there is anything to spawn.
///
/// # Cancel safety
///
/// That is what it is for. Lend the handle (`shield` of a [`SharedTask`](homing_executor::task::SharedTask)) to be able to
/// await the task again.
///
/// # asyncio
///
/// `asyncio.shield` (SH-1 to SH-7).
///
/// ```
/// use homing::{shield, sleep, spawn, timeout};
/// use std::time::Duration;
///
/// homing::run(async {
///     let save = spawn(async { sleep(Duration::from_millis(5)).await?; Ok("saved") }).share();
///     let hurried = timeout(Duration::from_millis(1), shield(save.clone())).await;
///     assert!(hurried.unwrap_err().is_timeout());
///     assert_eq!(save.await?, "saved");
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[track_caller]
pub fn shield<F, T>(task: F) -> Shield<T>
where
    F: IntoFuture<Output = Result<T>>,
    F::IntoFuture: 'static,
    T: 'static,
{
    Shield {
        child: Child::new(task.into_future(), Location::caller()),
        watch: None,
        waiter: Rc::default(),
        leaf: Leaf::new(),
    }
}

/// The future of [`shield`].
#[must_use = "the task runs all the same, but nobody waits for it"]
pub struct Shield<T> {
    child: Child<T>,
    /// There while it waits.
    watch: Option<Watch>,
    waiter: Rc<Waiter>,
    leaf: Leaf,
}

impl<T: 'static> Shield<T> {
    fn wait(&mut self, cx: &Context<'_>) {
        self.waiter.register(cx.waker());
        if self.watch.is_none() {
            let waiter = self.waiter.clone();
            self.watch = Some(Watch::new([(0, self.child.task())], move |_, _| waiter.wake()));
        }
    }

    /// Cancelled before the outcome was seen: an error is kept beside the `Cancelled` (KQ-13).
    fn displace(&mut self, error: Error) -> Error {
        if !self.child.task().has_failed() {
            return error;
        }
        match self.child.outcome() {
            Err(displaced) => error.with_displaced(displaced),
            Ok(_) => error,
        }
    }
}

/// What a shield has come to.
pub(super) enum Seen<T> {
    /// The task has ended.
    Outcome(Result<T>),
    /// The waiter was cancelled.
    Interrupted(Error),
}

impl<T: 'static> Shield<T> {
    #[track_caller]
    pub(super) fn poll_seen(&mut self, cx: &mut Context<'_>) -> Poll<Seen<T>> {
        if let Err(cancelled) = self.leaf.resume() {
            self.watch = None;
            return Poll::Ready(Seen::Interrupted(self.displace(cancelled.into())));
        }
        if self.child.task().is_finished() {
            self.leaf.unpark();
            self.watch = None;
            return Poll::Ready(Seen::Outcome(self.child.outcome()));
        }
        if let Err(cancelled) = self.leaf.park(cx, Awaiting::Task(self.child.task().id())) {
            self.watch = None;
            return Poll::Ready(Seen::Interrupted(cancelled.into()));
        }
        self.wait(cx);
        Poll::Pending
    }
}

// The handle is moved about as what it is: nothing in here is pinned.
impl<T> Unpin for Shield<T> {}

impl<T: 'static> Future for Shield<T> {
    type Output = Result<T>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        self.poll_seen(cx).map(|seen| match seen {
            Seen::Outcome(outcome) => outcome,
            Seen::Interrupted(error) => Err(error),
        })
    }
}

impl<T> fmt::Debug for Shield<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shield").field("waiting", &self.watch.is_some()).finish_non_exhaustive()
    }
}
