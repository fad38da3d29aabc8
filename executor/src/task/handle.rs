//! `Task<T>`: the owning handle, and how one task awaits another.

use super::cell;
use super::extras::Joiner;
use super::joiner;
use super::life;
use super::reference::{TaskRef, home};
use super::row::{Flag, Row, Stage};
use super::shared::SharedTask;
use super::state::State;
use crate::cancel::{Leaf, Resumed};
use crate::context;
use crate::error::{Cancelled, Error, Result, RuntimeError};
use crate::waker;
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// The owning handle of a task: await it for the task's result.
///
/// Dropping it detaches: the task goes on. If it ends in an error then, or did before, and nobody has read that error,
/// it is reported through the runtime's hook for unhandled errors; no failure is silent.
///
/// All that an untyped [`TaskRef`] can do, it can do too.
///
/// # Errors
///
/// Awaiting it gives what the task ended with: its error, a [`Panicked`](crate::error::Panicked) if it panicked, a
/// [`Cancelled`] if it was cancelled, by whomever. And [`RuntimeError`], if the task awaits itself, belongs to another
/// runtime, or its runtime is gone, or if its result has been taken before.
///
/// # Cancel safety
///
/// A task that is cancelled while it awaits another passes the request on to that one, and goes on waiting: it sees how
/// that one ends. Awaited by reference (`(&mut task).await`), a handle keeps its result when that await is dropped.
///
/// # asyncio
///
/// `await task`, except that the result can be taken only once; [`share`](Task::share) gives a handle that any number
/// of tasks may await (TK-4, TK-5).
pub struct Task<T> {
    /// Both are let go of by the drop of the handle itself, at once in the usual cases.
    reference: ManuallyDrop<TaskRef>,
    leaf: ManuallyDrop<Leaf>,
    _output: PhantomData<fn() -> T>,
}

impl<T> Task<T> {
    #[track_caller]
    #[inline(always)]
    pub(crate) fn adopt(row: Option<&'static Row>) -> Task<T> {
        let reference = row.map_or_else(TaskRef::dead, TaskRef::adopt);
        Task {
            reference: ManuallyDrop::new(reference),
            leaf: ManuallyDrop::new(Leaf::new()),
            _output: PhantomData,
        }
    }

    /// An untyped handle on the same task.
    pub fn task_ref(&self) -> TaskRef {
        TaskRef::clone(&self.reference)
    }

    /// The result, if the task has ended and it has not been taken.
    ///
    /// # asyncio
    ///
    /// `Task.result()`, which raises `InvalidStateError` where this is `None`.
    pub fn try_result(&mut self) -> Option<Result<T>> {
        let row = self.reference.row()?;
        row.has_outcome().then(|| take(row))
    }

    /// Makes it a handle that can be cloned, and awaited by any number of tasks.
    pub fn share(self) -> SharedTask<T>
    where
        T: Clone,
    {
        SharedTask::new(self)
    }

    /// Begins the await anew, as if it had never been polled.
    pub(crate) fn reset(&mut self) {
        self.leaf.leave_join();
    }
}

/// Moves the output out of a task that is done.
fn take<T>(row: &Row) -> Result<T> {
    if row.is(Flag::Failed) {
        row.set(Flag::Observed);
    }
    let outcome = take_plain(row);
    if row.is(Flag::Cancelled) { outcome.map_err(|cancelled| life::told(row, cancelled)) } else { outcome }
}

#[cold]
#[inline(never)]
fn end_failed<T>(row: &Row) -> Poll<Result<T>> {
    Poll::Ready(take(row))
}

/// The same where there is nothing to remark on it: for a value.
#[inline(always)]
fn take_plain<T>(row: &Row) -> Result<T> {
    debug_assert_eq!(row.stage.get(), Stage::Output);
    row.stage.set(Stage::Empty);
    // SAFETY: the stage was `Output`, and a `Task<T>` is only ever made for a cell with the output `Result<T>`.
    unsafe { cell::take_output(row.cell.get()) }
}

/// Whether the running task may await this one.
pub(crate) fn check_joinable(row: &'static Row) -> Result<(), RuntimeError> {
    context::with(|core| match core {
        // Nobody can tell: polled where no runtime is running.
        None => Ok(()),
        Some(core) if !core.owns(row) => Err(RuntimeError::OtherRuntime),
        Some(core) if core.current.get().is_some_and(|current| std::ptr::eq(current, row)) => {
            Err(awaits_itself(row))
        }
        Some(_) => Ok(()),
    })
}

#[cold]
fn awaits_itself(row: &Row) -> RuntimeError {
    RuntimeError::AwaitsItself { task: life::name(row).into_owned() }
}

/// What a join finds.
pub(crate) enum Join {
    /// The task has ended: its output may be looked at.
    Done,
    /// It has not; the waiter is registered.
    Pending,
    /// The waiter was cancelled before it saw the task's end.
    Cancelled(Cancelled),
    /// This await makes no sense.
    Refused(RuntimeError),
}

/// One poll of an await of a task, whoever holds its output. `register` sees to it that `cx`'s waker is woken.
#[inline]
#[track_caller]
pub(crate) fn poll_join(
    leaf: &mut Leaf,
    row: &'static Row,
    cx: &mut Context<'_>,
    register: impl FnOnce(&Leaf, &Row, &Waker),
) -> Join {
    let resumed = leaf.resume_forwarding();
    if !row.state.get().is_alive() {
        if resumed == Resumed::Requested {
            return Join::Cancelled(leaf.take_request());
        }
        leaf.unpark();
        return Join::Done;
    }
    if let Err(refused) = check_joinable(row) {
        leaf.unpark();
        return Join::Refused(refused);
    }
    if let Err(cancelled) = leaf.park_join(cx, row) {
        return Join::Cancelled(cancelled);
    }
    register(leaf, row, cx.waker());
    Join::Pending
}

impl<T> Future for Task<T> {
    type Output = Result<T>;

    // Always in line: then the place is a constant.
    #[track_caller]
    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let this = self.get_mut();
        // The usual beginning and the usual end by themselves; what is there at the end is taken as it lies. Nothing is called
        // for them, not even to find the running runtime, which is the task's own: so nothing need be saved.
        if let Some(row) = this.reference.row() {
            let core = home(row);
            if row.has_outcome() && this.leaf.ends_undisturbed(core) {
                return if row.is(Flag::Failed) { end_failed(row) } else { Poll::Ready(take_plain(row)) };
            }
            if this.leaf.joins_undisturbed(cx, core, row) {
                return Poll::Pending;
            }
        }
        this.poll_linked(cx)
    }
}

impl<T> Task<T> {
    /// What is usual within a combinator.
    #[track_caller]
    #[inline(never)]
    fn poll_linked(&mut self, cx: &mut Context<'_>) -> Poll<Result<T>> {
        if let Some(row) = self.reference.row() {
            if row.has_outcome() && self.leaf.ends_linked() {
                return if row.is(Flag::Failed) { end_failed(row) } else { Poll::Ready(take_plain(row)) };
            }
            if self.leaf.joins_linked(cx, row) {
                return Poll::Pending;
            }
        }
        self.poll_join(cx)
    }

    #[track_caller]
    #[cold]
    #[inline(never)]
    fn poll_join(&mut self, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let Some(row) = self.reference.row() else {
            return Poll::Ready(Err(RuntimeError::RuntimeGone.into()));
        };
        match poll_join(&mut self.leaf, row, cx, register_sole_joiner) {
            Join::Pending => Poll::Pending,
            Join::Done if row.stage.get() == Stage::Output => Poll::Ready(take(row)),
            Join::Done => Poll::Ready(Err(RuntimeError::AlreadyTaken.into())),
            Join::Cancelled(cancelled) => Poll::Ready(Err(displace(row, cancelled))),
            Join::Refused(refused) => Poll::Ready(Err(refused.into())),
        }
    }
}

/// The waiter was cancelled when the task had ended already. A value stays with the handle; an error is kept beside
/// the `Cancelled`, so that it reaches somebody (KQ-13).
#[cold]
fn displace(row: &Row, cancelled: Cancelled) -> Error {
    let error = Error::from(cancelled);
    match life::error_of(row) {
        Some(displaced) if !row.is(Flag::Cancelled) => {
            row.set(Flag::Observed);
            error.with_displaced(displaced)
        }
        _ => error,
    }
}

/// The one who awaits an owning handle. In the usual case, a task polled with its own waker, its id is all there is.
#[inline]
fn register_sole_joiner(leaf: &Leaf, row: &Row, waker: &Waker) {
    if let Some(id) = waker::task_of(waker) {
        row.joiner.set(id);
    } else if let Some((task, node)) = leaf.linked() {
        joiner::keep_combinator(row, task, node, waker);
    } else {
        register_outsider(row, waker);
    }
}

/// Who awaits it outside of all tasks: under another executor.
#[cold]
fn register_outsider(row: &Row, waker: &Waker) {
    row.joiner.set(0);
    let extras = row.extras_or_new();
    let replaced = {
        let mut joiners = extras.joiners.borrow_mut();
        let replaced = joiners.iter().position(|joiner| joiner.key == SOLE).and_then(|at| joiners.remove(at));
        joiners.push_back(Joiner { key: SOLE, waker: waker.clone() });
        replaced
    };
    drop(replaced);
}

/// The joiner's key of an owning handle; the keys of shared ones begin at 1.
const SOLE: u32 = 0;

impl<T> Deref for Task<T> {
    type Target = TaskRef;

    fn deref(&self) -> &TaskRef {
        &self.reference
    }
}

impl<T> Drop for Task<T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(row) = self.reference.row()
            && !self.leaf.is_parked()
        {
            if row.state.get() != State::Done {
                // It goes on by itself.
                row.clear(Flag::Handle);
                return row.refs.set(row.refs.get() - 1);
            }
            if row.is_spent() {
                return TaskRef::let_go_last(row);
            }
        }
        self.let_go();
    }
}

impl<T> Task<T> {
    /// Where there is more to it: it is being awaited, or nobody has taken its output, or there are other handles, or its
    /// runtime is gone.
    #[inline(never)]
    fn let_go(&mut self) {
        if let Some(row) = self.reference.row() {
            row.clear(Flag::Handle);
            if row.state.get().is_alive() {
                self.detach(row);
                // The reference's part, for which it need not find the row anew.
                TaskRef::let_go(row);
            } else if row.stage.get() == Stage::Output {
                self.drop_unread(row);
            } else {
                TaskRef::let_go(row);
            }
        }
        self.leaf.abandon();
    }

    #[cold]
    fn drop_unread(&mut self, row: &'static Row) {
        let core = home(row);
        core.inside(|| core.drop_unread(row));
        // What was dropped may have been anything, even the runtime.
        if self.reference.row().is_some() {
            TaskRef::let_go(row);
        }
    }

    /// Waits for nobody any more. (A waker kept by the combinator that polled it is stale, and harmless.)
    #[inline]
    fn detach(&mut self, row: &Row) {
        if self.leaf.is_parked() {
            row.joiner.set(0);
            self.leaf.leave_join();
        }
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        TaskRef::fmt(&self.reference, f)
    }
}
