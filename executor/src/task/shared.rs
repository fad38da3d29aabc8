//! `SharedTask<T>`: a handle that any number of tasks may await.

use super::extras::Joiner;
use super::handle::{Join, Task, poll_join};
use super::reference::TaskRef;
use super::row::Row;
use crate::cancel::leaf::Leaf;
use crate::error::{Error, Result, RuntimeError};
use crate::waker::keep_waker;
use std::cell::{OnceCell, RefCell};
use std::fmt;
use std::ops::Deref;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// A handle that can be cloned, and awaited by any number of tasks: each gets a clone of the result, resumed in the
/// order in which they began to wait.
///
/// Made by [`Task::share`]. Dropping the last one detaches the task, as dropping a [`Task`] does.
///
/// # asyncio
///
/// What every `asyncio.Task` is (TK-5).
///
/// ```
/// homing::run(async {
///     let answer = homing::spawn(async { homing::yield_now().await?; Ok(42) }).share();
///     let second = answer.clone();
///     let other = homing::spawn(async move { second.await });
///     assert_eq!(answer.await?, 42);
///     assert_eq!(other.await?, 42);
///     Ok(())
/// })
/// # .unwrap();
/// ```
pub struct SharedTask<T> {
    inner: Rc<Inner<T>>,
    leaf: Leaf,
    /// Its place among the task's joiners; 0 for none.
    joiner: u32,
}

struct Inner<T> {
    reference: TaskRef,
    /// Until the output has been taken out of it.
    task: RefCell<Option<Task<T>>>,
    output: OnceCell<Result<T>>,
}

impl<T: Clone> SharedTask<T> {
    #[track_caller]
    pub(crate) fn new(mut task: Task<T>) -> Self {
        task.reset();
        let inner =
            Inner { reference: task.task_ref(), task: RefCell::new(Some(task)), output: OnceCell::new() };
        SharedTask { inner: Rc::new(inner), leaf: Leaf::new(), joiner: 0 }
    }

    /// An untyped handle on the same task.
    pub fn task_ref(&self) -> TaskRef {
        self.inner.reference.clone()
    }

    /// A clone of the result, if the task has ended.
    pub fn try_result(&self) -> Option<Result<T>> {
        self.inner.output().cloned()
    }
}

impl<T> Inner<T> {
    fn output(&self) -> Option<&Result<T>> {
        if self.output.get().is_none() {
            let mut task = self.task.borrow_mut();
            let output = task.as_mut()?.try_result()?;
            let _spent = task.take();
            drop(task);
            let _ = self.output.set(output);
        }
        self.output.get()
    }
}

impl<T> SharedTask<T> {
    fn leave_line(&mut self) {
        if self.joiner != 0
            && let Some(extras) = self.inner.reference.row().and_then(Row::extras)
        {
            let left = {
                let mut joiners = extras.joiners.borrow_mut();
                let place = joiners.iter().position(|joiner| joiner.key == self.joiner);
                place.and_then(|at| joiners.remove(at))
            };
            drop(left);
        }
        self.joiner = 0;
    }
}

/// Puts a waiter at the end of the line, or, if it stands there already, keeps its place.
fn stand_in_line(row: &Row, waker: &Waker, key: &mut u32) {
    let extras = row.extras_or_new();
    let mut joiners = extras.joiners.borrow_mut();
    let standing = joiners.iter_mut().find(|joiner| *key != 0 && joiner.key == *key);
    if let Some(joiner) = standing {
        if !joiner.waker.will_wake(waker) {
            let replaced = std::mem::replace(&mut joiner.waker, keep_waker(waker));
            drop(joiners);
            drop(replaced);
        }
        return;
    }
    *key = extras.joiners_made.get() + 1;
    extras.joiners_made.set(*key);
    joiners.push_back(Joiner { key: *key, waker: keep_waker(waker) });
}

impl<T: Clone> Future for SharedTask<T> {
    type Output = Result<T>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let this = self.get_mut();
        let key = &mut this.joiner;
        let found = match this.inner.reference.row() {
            Some(row) => poll_join(&mut this.leaf, row, cx, |_, row, waker| stand_in_line(row, waker, key)),
            None => Join::Refused(RuntimeError::RuntimeGone),
        };
        if let Join::Pending = found {
            return Poll::Pending;
        }
        this.leave_line();
        Poll::Ready(match found {
            Join::Done => this.inner.output().cloned().unwrap_or(Err(RuntimeError::AlreadyTaken.into())),
            Join::Cancelled(cancelled) => {
                let error = Error::from(cancelled);
                match this.inner.output() {
                    Some(Err(displaced)) if !displaced.is_cancelled() => {
                        Err(error.with_displaced(displaced.clone()))
                    }
                    _ => Err(error),
                }
            }
            // The runtime is gone, or the await makes no sense; but an output that was taken in time is still here.
            Join::Refused(refused) => match this.inner.output.get() {
                Some(output) => output.clone(),
                None => Err(refused.into()),
            },
            Join::Pending => unreachable!("returned above"),
        })
    }
}

impl<T> Clone for SharedTask<T> {
    #[track_caller]
    fn clone(&self) -> Self {
        SharedTask { inner: self.inner.clone(), leaf: Leaf::new(), joiner: 0 }
    }
}

impl<T> Deref for SharedTask<T> {
    type Target = TaskRef;

    fn deref(&self) -> &TaskRef {
        &self.inner.reference
    }
}

impl<T> Drop for SharedTask<T> {
    fn drop(&mut self) {
        self.leave_line();
        if self.leaf.is_parked() {
            self.leaf.leave_join();
        }
    }
}

impl<T> fmt::Debug for SharedTask<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.reference.fmt(f)
    }
}
