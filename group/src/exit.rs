//! A group's block, and how it ends, step by step.
//!
//! The steps are asyncio's (the numbers are those of the rules page). *Own* is the request by which the group
//! interrupts its own block; *outside* are all others since the block began.
//!
//! ```text
//!  1  the body has ended: the block is exiting
//!  2  it ended in a `Cancelled`: that is P
//!  3  it ended without a value: shut down
//!  4  wait for the children. A `Cancelled` from the wait shuts down and becomes P; if that is done, it is Q. Wait on
//!  –  run the clean-ups that were deferred, the last first, and wait for them in the same way
//!  5  it panicked: report the errors, do as in 6 and 9, let the panic go on
//!  6  take the own request back. Nobody outside asked: P, if it came of the own request, is forgotten. Somebody did:
//!     P stands, or else Q
//!  7  P and no errors: P leaves the block
//!  8  the body's error joins the children's
//!  9  errors: their group leaves the block, and what was asked outside is pending once more
//! 10  otherwise the block ends normally, with the body's value if it has one
//! ```
//!
//! The block is a future written by hand, with the body in it once, and these steps:
//!
//! | from    | on                       | to      | steps                                                  |
//! |---------|--------------------------|---------|--------------------------------------------------------|
//! | New     | the first poll           | Body    | the group is entered                                   |
//! | Body    | the body ends, or panics | Waiting | 1 to 3; the body is gone                               |
//! | Waiting | a `Cancelled`            | Waiting | 4                                                      |
//! | Waiting | no child is left         | Waiting | 8; the clean-ups, one after the other                  |
//! | Waiting | no clean-up is left      | Over    | 5 to 10                                                |
//! | any     | the block is dropped     | –       | see below                                              |
//!
//! Dropped midway, the body goes first. What is known of how it ended is reported, the children are aborted,
//! and then the clean-ups begin, in the runtime's care.

use crate::task_group::{Group, Phase, TaskGroup};
use homing_executor::Unhandled;
use homing_executor::cancel::{Awaiting, Leaf, Outside, Scope};
use homing_executor::error::{Cancelled, Error, ExceptionGroup, Panicked, Result, RuntimeError, ScopeNote};
use homing_executor::runtime;
use pin_project_lite::pin_project;
use std::any::Any;
use std::borrow::Cow;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

pin_project! {
    /// The future of a block. It gives `None` if the group's own request has ended it, so that it has no
    /// value.
    ///
    /// The order of the fields is that in which they are dropped.
    pub(crate) struct Block<B, T> {
        // Gone when it has ended, or was given up.
        #[pin]
        body: Option<B>,
        step: Step<T>,
        // While the group is this block's.
        entered: Option<Entered>,
    }
}

/// See the [table](self).
enum Step<T> {
    New(TaskGroup),
    Body,
    Waiting(Exit<T>),
    Over,
}

impl<B, T> Block<B, T> {
    pub(crate) fn new(group: TaskGroup, body: B) -> Block<B, T> {
        Block { body: Some(body), step: Step::New(group), entered: None }
    }
}

impl<B: Future<Output = Result<T>>, T> Future for Block<B, T> {
    type Output = Result<Option<T>>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        let mut this = self.project();
        if let Step::New(group) = this.step {
            let entered = Entered::enter(group);
            *this.step = Step::Body;
            *this.entered = Some(entered?);
        }
        let Some(entered) = this.entered.as_ref() else { panic!("a block was polled after it had ended") };
        if let (Step::Body, Some(body)) = (&this.step, this.body.as_mut().as_pin_mut()) {
            let held = Held(Some(ready!(entered.poll_body(cx, body))));
            // A body that is given up is dropped here, before its children are waited for.
            this.body.set(None);
            *this.step = Step::Waiting(Exit::begin(&entered.group, held));
        }
        if let Step::Waiting(exit) = this.step {
            ready!(exit.poll_end_of_all(entered, cx));
        }
        match (std::mem::replace(this.step, Step::Over), this.entered.take()) {
            (Step::Waiting(exit), Some(entered)) => Poll::Ready(exit.end(entered)),
            _ => unreachable!("it is waiting, or it would not have come here"),
        }
    }
}

/// A group while its block is running. Dropped midway, it aborts the children.
struct Entered {
    group: Rc<Group>,
}

impl Entered {
    fn enter(handle: &TaskGroup) -> Result<Entered, RuntimeError> {
        let group = &handle.group;
        if !matches!(group.phase(), Phase::New | Phase::Doomed) {
            return Err(RuntimeError::AlreadyEntered);
        }
        let note = ScopeNote { kind: group.kind(), name: group.name(), place: group.place() };
        group.enter(Scope::enter_as(note, None)?.with_pending_from_outside());
        Ok(Entered { group: group.clone() })
    }

    fn poll_body<T>(
        &self,
        cx: &mut Context<'_>,
        body: Pin<&mut impl Future<Output = Result<T>>>,
    ) -> Poll<Ended<T>> {
        // Caught, so that the children can be waited for before the panic goes on (TG-38).
        let polled = catch_unwind(AssertUnwindSafe(|| self.poll_in_scope(cx, body)));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(Ok(Ok(value)))) => Poll::Ready(Ended::Value(value)),
            Ok(Poll::Ready(Ok(Err(error)))) if error.is_cancelled() => Poll::Ready(Ended::Cancelled(error)),
            Ok(Poll::Ready(Ok(Err(error)))) => Poll::Ready(Ended::Failed(error)),
            Ok(Poll::Ready(Err(cancelled))) => Poll::Ready(Ended::Cancelled(cancelled.into())),
            Err(payload) => Poll::Ready(Ended::Panicked(payload)),
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
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.group.finish();
        // All the rest is done already if the block has come to its end. Otherwise its future is being
        // dropped midway.
        self.group.abort_children("its block was dropped");
        self.group.clean_ups.go_on(&self.group);
        for error in self.group.take_errors() {
            runtime::report_unhandled(Unhandled::Displaced { error });
        }
        let scope = self.group.scope.take();
        // Takes the own request back.
        drop(scope);
    }
}

/// How the body ended.
enum Ended<T> {
    Value(T),
    Cancelled(Error),
    Failed(Error),
    Panicked(Box<dyn Any + Send>),
}

/// What is known of the body while the exit waits. Dropped then, it is reported: no failure is silent.
struct Held<T>(Option<Ended<T>>);

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        let error = match self.0.take() {
            None | Some(Ended::Value(_)) => return,
            Some(Ended::Cancelled(cancelled)) => return let_go(Some(cancelled), &[]),
            Some(Ended::Failed(error)) => error,
            Some(Ended::Panicked(payload)) => Panicked::new(payload).into(),
        };
        runtime::report_unhandled(Unhandled::Displaced { error });
    }
}

/// A block whose body has ended.
struct Exit<T> {
    body: Held<T>,
    /// What leaves the block if no error does: P.
    outer: Option<Error>,
    /// What came out of the wait when the group was shutting down already: Q.
    later: Option<Cancelled>,
    leaf: Leaf,
}

impl<T> Exit<T> {
    /// Steps 1 to 3.
    #[track_caller]
    fn begin(group: &Group, body: Held<T>) -> Exit<T> {
        group.begin_exit();
        let mut outer = None;
        match &body.0 {
            Some(Ended::Value(_)) | None => {}
            Some(Ended::Cancelled(error)) => {
                outer = Some(error.clone());
                group.shut_down(&group.because(cancellation(error)));
            }
            Some(Ended::Failed(_) | Ended::Panicked(_)) => {
                group.shut_down(&group.because(Cancelled::new().with_reason("the body failed")));
            }
        }
        Exit { body, outer, later: None, leaf: Leaf::new() }
    }

    /// Step 4.
    fn poll_end_of_all(&mut self, entered: &Entered, cx: &mut Context<'_>) -> Poll<()> {
        let wait = pin!(poll_fn(|cx| self.poll_wait(&entered.group, cx)));
        let waited = ready!(entered.poll_in_scope(cx, wait));
        debug_assert!(waited.is_ok(), "a scope gives up foreign futures only, and this wait is none");
        Poll::Ready(())
    }

    fn poll_wait(&mut self, group: &Rc<Group>, cx: &mut Context<'_>) -> Poll<()> {
        if let Err(cancelled) = self.leaf.resume() {
            self.interrupted(group, cancelled);
        }
        while let Some(awaiting) = self.awaited(group) {
            match self.leaf.park_at(cx, awaiting, group.place()) {
                Err(cancelled) => self.interrupted(group, cancelled),
                Ok(()) => {
                    group.wake_at_end(cx.waker());
                    return Poll::Pending;
                }
            }
        }
        self.leaf.unpark();
        Poll::Ready(())
    }

    /// Whom the exit waits for: the children, then the clean-ups.
    fn awaited(&mut self, group: &Rc<Group>) -> Option<Awaiting> {
        if group.has_children() {
            return Some(Awaiting::Children(group.unfinished() as u64));
        }
        if let Some(Ended::Failed(error)) = self.body.0.take_if(|body| matches!(body, Ended::Failed(_))) {
            // Step 8, before the clean-ups add theirs.
            let _taken = group.keep_error(&error);
        }
        group.clean_ups.go_on(group).then(|| Awaiting::Other(group.clean_ups.left() as u64))
    }

    fn interrupted(&mut self, group: &Group, cancelled: Cancelled) {
        if group.is_shutting_down() {
            self.later =
                Some(self.later.take().map_or_else(|| cancelled.clone(), |later| later.and(&cancelled)));
        } else {
            self.outer = Some(cancelled.clone().into());
            group.shut_down(&group.because(cancelled));
        }
    }

    /// Steps 5 to 10.
    fn end(mut self, entered: Entered) -> Result<Option<T>> {
        let group = &*entered.group;
        let errors = group.take_errors();
        let outside = self.settle(group, &errors);
        let outer = self.outer.take();
        let value = match self.body.0.take() {
            Some(Ended::Value(value)) => Some(value),
            // Its error is one of the group's by now.
            Some(Ended::Cancelled(_) | Ended::Failed(_)) | None => None,
            Some(Ended::Panicked(payload)) => {
                displace(group, outer, outside, &[]);
                errors
                    .into_iter()
                    .for_each(|error| runtime::report_unhandled(Unhandled::Displaced { error }));
                drop(entered);
                resume_unwind(payload);
            }
        };
        if !errors.is_empty() {
            displace(group, outer, outside, &errors);
            return Err(group_of(group, errors));
        }
        outer.map_or(Ok(value), Err)
    }

    /// Step 6.
    fn settle(&mut self, group: &Group, errors: &[Error]) -> Outside {
        let scope = group.scope.borrow();
        let Some(scope) = scope.as_ref() else { return Outside::Quiet };
        let asked = scope.has_asked();
        let outside = scope.take_back();
        match outside {
            Outside::Quiet if asked => let_go(self.outer.take(), errors),
            // A `Cancelled` that is nobody's request: the body has got it from a task that was cancelled.
            Outside::Quiet => {}
            Outside::Asked => self.outer = both(self.outer.take(), self.later.take()),
        }
        outside
    }
}

/// Step 9: something outranks `outer`. What was asked outside has been used up by this block, and has to be
/// delivered once more (TG-20).
fn displace(group: &Group, outer: Option<Error>, outside: Outside, errors: &[Error]) {
    if outside == Outside::Asked
        && let Some(scope) = group.scope.borrow().as_ref()
    {
        scope.ask_again(&outer.as_ref().map(cancellation).unwrap_or_default());
    }
    let_go(outer, errors);
}

fn group_of(group: &Group, errors: Vec<Error>) -> Error {
    let name = group.name();
    // As asyncio says it; and there are no scopes there.
    let kind = if group.kind() == "group" { "task group" } else { group.kind() };
    let message: Cow<'static, str> = match &name {
        Some(name) => Cow::Owned(format!("unhandled errors in {kind} '{name}'")),
        None if group.kind() == "group" => Cow::Borrowed("unhandled errors in a task group"),
        None => Cow::Owned(format!("unhandled errors in a {kind}")),
    };
    let errors = ExceptionGroup::new(message, errors).expect("there is at least one error");
    Error::from(errors).with_scope(ScopeNote { kind: group.kind(), name, place: group.place() })
}

/// The cancellation that an error is, wherever it may be wrapped.
fn cancellation(error: &Error) -> Cancelled {
    error.as_cancelled().cloned().unwrap_or_default()
}

/// P, or else Q, and with the causes of both: which of them was the own request, and which were not, they
/// tell.
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

/// A cancellation goes no further. An error that it had displaced is reported, unless it is one of those that
/// the group returns anyway (KQ-13).
fn let_go(cancelled: Option<Error>, errors: &[Error]) {
    for displaced in cancelled.iter().flat_map(Error::displaced) {
        if !errors.iter().any(|error| error.ptr_eq(displaced)) {
            runtime::report_unhandled(Unhandled::Displaced { error: displaced.clone() });
        }
    }
}

pin_project! {
    /// A block that has to give a value: that it was ended by its own request is an error.
    pub(crate) struct WithValue<B, T> {
        #[pin]
        block: Block<B, T>,
    }
}

impl<B, T> WithValue<B, T> {
    pub(crate) fn new(block: Block<B, T>) -> WithValue<B, T> {
        WithValue { block }
    }
}

impl<B: Future<Output = Result<T>>, T> Future for WithValue<B, T> {
    type Output = Result<T>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        self.project().block.poll(cx)?.map(|value| value.ok_or_else(|| crate::GroupCancelled.into()))
    }
}
