//! How a group's block ends, step by step.
//!
//! The steps are asyncio's (the numbers are those of the rules page). *Own* is the request by which the group interrupts
//! its own block; *outside* are all others since the block began.
//!
//! ```text
//!  1  the body ends: a value, an error, `Cancelled` (P), or a panic
//!  3  not with a value: shut down
//!  4  wait for the children. A `Cancelled` from the wait (Q): the first one shuts down and becomes P; wait on
//!  5  a panic: report the errors, take the own request back, let the panic go on
//!  6  take the own request back. Nobody outside asked: P is forgotten. Somebody did: P, or else Q, stands
//!  7  P and no errors:  Cancelled
//!  8  the body's error joins the children's
//!  9  errors:           the exception group; and what was asked outside is pending once more
//! 10  otherwise:        the body's value, if the group's own request did not interrupt it
//! ```

use crate::task_group::{Group, Phase, TaskGroup};
use homing_executor::Unhandled;
use homing_executor::cancel::{Awaiting, Leaf, Outside, Scope};
use homing_executor::error::{Cancelled, Error, ExceptionGroup, Result, RuntimeError, ScopeNote};
use homing_executor::runtime;
use std::any::Any;
use std::borrow::Cow;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::task::{Context, Poll};

/// How the body ended.
enum Body<T> {
    Value(T),
    Cancelled(Error),
    Failed(Error),
    Panicked(Box<dyn Any + Send>),
}

/// Runs a body in a group. `None` if it was ended by the group's own request, and so has no value.
pub(crate) async fn run<T, F>(handle: TaskGroup, body: F) -> Result<Option<T>>
where
    F: AsyncFnOnce(&TaskGroup) -> Result<T>,
{
    let group = &*handle.group;
    if !matches!(group.phase(), Phase::New | Phase::Doomed) {
        return Err(RuntimeError::AlreadyEntered.into());
    }
    group.enter(Scope::enter()?);
    let block = Block { group };
    let body = {
        // In a scope of its own: a body that is given up is dropped here, before its children are waited for.
        let mut body = pin!(body(&handle));
        poll_fn(|cx| block.poll_body(cx, body.as_mut())).await
    };
    block.exit(body).await
}

/// The block while it is running. Dropped midway, it aborts the children.
struct Block<'a> {
    group: &'a Group,
}

impl Block<'_> {
    fn poll_body<T>(
        &self,
        cx: &mut Context<'_>,
        body: std::pin::Pin<&mut impl Future<Output = Result<T>>>,
    ) -> Poll<Body<T>> {
        // Caught, so that the children can be waited for before the panic goes on (TG-38).
        let polled = catch_unwind(AssertUnwindSafe(|| self.poll_in_scope(cx, body)));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(Ok(Ok(value)))) => Poll::Ready(Body::Value(value)),
            Ok(Poll::Ready(Ok(Err(error)))) if error.is_cancelled() => Poll::Ready(Body::Cancelled(error)),
            Ok(Poll::Ready(Ok(Err(error)))) => Poll::Ready(Body::Failed(error)),
            Ok(Poll::Ready(Err(cancelled))) => Poll::Ready(Body::Cancelled(cancelled.into())),
            Err(payload) => Poll::Ready(Body::Panicked(payload)),
        }
    }

    fn poll_in_scope<R>(
        &self,
        cx: &mut Context<'_>,
        future: std::pin::Pin<&mut impl Future<Output = R>>,
    ) -> Poll<Result<R, Cancelled>> {
        match self.group.scope.borrow().as_ref() {
            Some(scope) => scope.poll(cx, future),
            None => unreachable!("a block has its scope until it has ended"),
        }
    }

    async fn exit<T>(self, body: Body<T>) -> Result<Option<T>> {
        let group = self.group;
        group.begin_exit();
        let mut outer = match &body {
            Body::Cancelled(error) => Some(error.clone()),
            _ => None,
        };
        match &body {
            Body::Value(_) => {}
            Body::Cancelled(error) => group.shut_down(&group.because(cancellation(error))),
            Body::Failed(_) | Body::Panicked(_) => {
                group.shut_down(&group.because(Cancelled::new().with_reason("the body failed")));
            }
        }
        let in_the_wait = self.wait_for_children(&mut outer).await;
        let mut errors = group.take_errors();
        if let Body::Panicked(payload) = body {
            for error in errors {
                runtime::report_unhandled(Unhandled::Displaced { error });
            }
            let _ = self.take_back();
            drop(self);
            resume_unwind(payload);
        }
        let outside = self.settle(&mut outer, in_the_wait);
        let value = match body {
            Body::Value(value) => Some(value),
            Body::Cancelled(_) | Body::Panicked(_) => None,
            Body::Failed(error) => {
                errors.push(error);
                None
            }
        };
        if !errors.is_empty() {
            if outside == Outside::Asked {
                self.ask_again(outer.as_ref());
            }
            return Err(self.group_of(errors));
        }
        outer.map_or(Ok(value), Err)
    }

    /// Step 4. Returns the last `Cancelled` that came out of the wait.
    async fn wait_for_children(&self, outer: &mut Option<Error>) -> Option<Error> {
        let group = self.group;
        let mut latest = None;
        let mut interrupted = |cancelled: Cancelled| {
            let error = Error::from(cancelled.clone());
            if !group.is_shutting_down() {
                *outer = Some(error.clone());
                group.shut_down(&group.because(cancelled));
            }
            latest = Some(error);
        };
        let mut leaf = Leaf::new();
        let mut wait = pin!(poll_fn(|cx| {
            if let Err(cancelled) = leaf.resume() {
                interrupted(cancelled);
            }
            while group.has_children() {
                match leaf.park(cx, Awaiting::Children(group.unfinished() as u64)) {
                    Err(cancelled) => interrupted(cancelled),
                    Ok(()) => {
                        group.wake_at_end(cx.waker());
                        return Poll::Pending;
                    }
                }
            }
            leaf.unpark();
            Poll::Ready(())
        }));
        poll_fn(|cx| match self.poll_in_scope(cx, wait.as_mut()) {
            Poll::Pending => Poll::Pending,
            // A scope gives up a foreign future only, and this wait is none.
            Poll::Ready(_) => Poll::Ready(()),
        })
        .await;
        latest
    }

    fn take_back(&self) -> Outside {
        self.group.scope.borrow().as_ref().map_or(Outside::Quiet, Scope::take_back)
    }

    /// Step 6.
    fn settle(&self, outer: &mut Option<Error>, in_the_wait: Option<Error>) -> Outside {
        let asked = self.group.scope.borrow().as_ref().is_some_and(Scope::has_asked);
        let outside = self.take_back();
        if asked {
            match outside {
                Outside::Quiet => *outer = None,
                Outside::Asked => *outer = outer.take().or(in_the_wait),
            }
        }
        outside
    }

    /// Step 9: what was asked outside has been used up by this block, and has to be delivered once more (TG-20).
    fn ask_again(&self, outer: Option<&Error>) {
        let why = outer.map(cancellation).unwrap_or_default();
        if let Some(scope) = self.group.scope.borrow().as_ref() {
            scope.ask_again(&why);
        }
    }

    fn group_of(&self, errors: Vec<Error>) -> Error {
        let name = self.group.name();
        let message: Cow<'static, str> = match &name {
            Some(name) => Cow::Owned(format!("unhandled errors in task group '{name}'")),
            None => Cow::Borrowed("unhandled errors in a task group"),
        };
        let group = ExceptionGroup::new(message, errors).expect("there is at least one error");
        Error::from(group).with_scope(ScopeNote { kind: "group", name, place: self.group.place() })
    }
}

/// The cancellation that an error is, wherever it may be wrapped.
fn cancellation(error: &Error) -> Cancelled {
    error.as_cancelled().cloned().unwrap_or_default()
}

impl Drop for Block<'_> {
    fn drop(&mut self) {
        // Nothing to do if the block has come to its end. Otherwise its future is being dropped midway.
        if self.group.has_children() {
            self.group.finish();
            self.group.abort_children();
        }
        self.group.finish();
        for error in self.group.take_errors() {
            runtime::report_unhandled(Unhandled::Displaced { error });
        }
        // Takes the own request back, if that has not been done.
        let scope = self.group.scope.take();
        drop(scope);
    }
}
