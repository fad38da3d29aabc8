//! How a group's block ends, step by step.
//!
//! The steps are asyncio's (the numbers are those of the rules page). *Own* is the request by which the group interrupts
//! its own block; *outside* are all others since the block began.
//!
//! ```text
//!  1  the body has ended: the block is exiting
//!  2  it ended in a `Cancelled`: that is P
//!  3  it ended without a value: shut down
//!  4  wait for the children. A `Cancelled` from the wait shuts down and becomes P; if that is done, it is Q. Wait on
//!  5  it panicked: report the errors, do as in 6 and 9, let the panic go on
//!  6  take the own request back. Nobody outside asked: P, if it came of the own request, is forgotten. Somebody did:
//!     P stands, or else Q
//!  7  P and no errors: P leaves the block
//!  8  the body's error joins the children's
//!  9  errors: their group leaves the block, and what was asked outside is pending once more
//! 10  otherwise the block ends normally, with the body's value if it has one
//! ```

use crate::task_group::{Group, Phase, TaskGroup};
use homing_executor::Unhandled;
use homing_executor::cancel::{Awaiting, Leaf, Outside, Scope};
use homing_executor::error::{Cancelled, Error, ExceptionGroup, Panicked, Result, RuntimeError, ScopeNote};
use homing_executor::runtime;
use std::any::Any;
use std::borrow::Cow;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

/// How the body ended.
enum Body<T> {
    Value(T),
    Cancelled(Error),
    Failed(Error),
    Panicked(Box<dyn Any + Send>),
}

/// What is known of the body while the exit waits. Dropped then, it is reported: no failure is silent.
struct Held<T>(Option<Body<T>>);

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        let error = match self.0.take() {
            None | Some(Body::Value(_)) => return,
            Some(Body::Cancelled(cancelled)) => return let_go(Some(cancelled), &[]),
            Some(Body::Failed(error)) => error,
            Some(Body::Panicked(payload)) => Panicked::new(payload).into(),
        };
        runtime::report_unhandled(Unhandled::Displaced { error });
    }
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
    group.enter(Scope::enter()?.with_pending_from_outside());
    let block = Block { group };
    let body = {
        // In a block of its own: a body that is given up is dropped here, before its children are waited for.
        let mut call = Some(body);
        let mut called = pin!(None);
        let mut body = pin!(poll_fn(|cx| {
            if let Some(call) = call.take() {
                // Here, and not before: what the call does, belongs to the body, be it a spawn or a panic.
                called.set(Some(call(&handle)));
            }
            called.as_mut().as_pin_mut().expect("called above").poll(cx)
        }));
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
        body: Pin<&mut impl Future<Output = Result<T>>>,
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
        future: Pin<&mut impl Future<Output = R>>,
    ) -> Poll<Result<R, Cancelled>> {
        let polled = match self.group.scope.borrow().as_ref() {
            Some(scope) => scope.poll(cx, future),
            None => unreachable!("a block has its scope until it has ended"),
        };
        if polled.is_pending() {
            // Only now: the shutdown may have come from within that poll.
            self.group.watch_the_clock(cx.waker());
        }
        polled
    }

    async fn exit<T>(self, body: Body<T>) -> Result<Option<T>> {
        let group = self.group;
        group.begin_exit();
        let mut outer = None;
        match &body {
            Body::Value(_) => {}
            Body::Cancelled(error) => {
                outer = Some(error.clone());
                group.shut_down(&group.because(cancellation(error)));
            }
            Body::Failed(_) | Body::Panicked(_) => {
                group.shut_down(&group.because(Cancelled::new().with_reason("the body failed")));
            }
        }
        let mut held = Held(Some(body));
        let in_the_wait = self.wait_for_children(&mut outer).await;
        let mut errors = group.take_errors();
        let outside = self.settle(&mut outer, in_the_wait, &errors);
        let value = match held.0.take() {
            Some(Body::Value(value)) => Some(value),
            Some(Body::Cancelled(_)) | None => None,
            Some(Body::Failed(error)) => {
                errors.push(error);
                None
            }
            Some(Body::Panicked(payload)) => {
                self.displace(outer, outside, &[]);
                errors
                    .into_iter()
                    .for_each(|error| runtime::report_unhandled(Unhandled::Displaced { error }));
                drop(self);
                resume_unwind(payload);
            }
        };
        if !errors.is_empty() {
            self.displace(outer, outside, &errors);
            return Err(self.group_of(errors));
        }
        outer.map_or(Ok(value), Err)
    }

    /// Step 4. Returns what came out of the wait when the group was shutting down already.
    async fn wait_for_children(&self, outer: &mut Option<Error>) -> Option<Cancelled> {
        let group = self.group;
        let mut later: Option<Cancelled> = None;
        let mut interrupted = |cancelled: Cancelled| {
            if group.is_shutting_down() {
                later = Some(later.take().map_or_else(|| cancelled.clone(), |later| later.and(&cancelled)));
            } else {
                *outer = Some(cancelled.clone().into());
                group.shut_down(&group.because(cancelled));
            }
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
            Poll::Ready(waited) => {
                debug_assert!(waited.is_ok(), "a scope gives up foreign futures only, and this wait is none");
                Poll::Ready(())
            }
        })
        .await;
        later
    }

    /// Step 6: `outer` becomes what leaves the block, if no error does.
    fn settle(&self, outer: &mut Option<Error>, in_the_wait: Option<Cancelled>, errors: &[Error]) -> Outside {
        let scope = self.group.scope.borrow();
        let Some(scope) = scope.as_ref() else { return Outside::Quiet };
        let asked = scope.has_asked();
        let outside = scope.take_back();
        match outside {
            Outside::Quiet if asked => let_go(outer.take(), errors),
            // A `Cancelled` that is nobody's request: the body has got it from a task that was cancelled.
            Outside::Quiet => {}
            Outside::Asked => *outer = both(outer.take(), in_the_wait),
        }
        outside
    }

    /// Step 9: something outranks `outer`. What was asked outside has been used up by this block, and has to be
    /// delivered once more (TG-20).
    fn displace(&self, outer: Option<Error>, outside: Outside, errors: &[Error]) {
        if outside == Outside::Asked
            && let Some(scope) = self.group.scope.borrow().as_ref()
        {
            scope.ask_again(&outer.as_ref().map(cancellation).unwrap_or_default());
        }
        let_go(outer, errors);
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

/// P, or else Q, and with the causes of both: which of them was the own request, and which were not, they tell.
fn both(p: Option<Error>, q: Option<Cancelled>) -> Option<Error> {
    let (p, q) = match (p, q) {
        (Some(p), Some(q)) => (p, q),
        (p, q) => return p.or(q.map(Error::from)),
    };
    Some(match p.downcast::<Cancelled>() {
        Ok(p) => p.and(&q).into(),
        // One within another error, which stays as it is.
        Err(p) => p,
    })
}

/// A cancellation goes no further. An error that it had displaced is reported, unless it is one of those that the group
/// returns anyway (KQ-13).
fn let_go(cancelled: Option<Error>, errors: &[Error]) {
    for displaced in cancelled.iter().flat_map(Error::displaced) {
        if !errors.iter().any(|error| error.ptr_eq(displaced)) {
            runtime::report_unhandled(Unhandled::Displaced { error: displaced.clone() });
        }
    }
}

impl Drop for Block<'_> {
    fn drop(&mut self) {
        self.group.finish();
        // All the rest is done already if the block has come to its end. Otherwise its future is being dropped midway.
        self.group.abort_children("its block was dropped");
        for error in self.group.take_errors() {
            runtime::report_unhandled(Unhandled::Displaced { error });
        }
        let scope = self.group.scope.take();
        // Takes the own request back.
        drop(scope);
    }
}
