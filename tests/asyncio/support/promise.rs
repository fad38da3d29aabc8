//! A result to come: what `asyncio.Future` is.

use homing::cancel::{Awaiting, Leaf};
use homing::introspect::{Awaitable, Target};
use homing::{Cancelled, Error, Result};
use std::cell::RefCell;
use std::future::poll_fn;
use std::panic::Location;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// A result to come, that anybody may set or cancel, and any number of tasks may wait for: what `asyncio.Future` is.
/// A leaf, written on the public API.
///
/// As there, a cancel of a task that waits for it cancels it; only that it takes effect when that task is next polled.
pub(crate) struct Promise<T>(Rc<Promised<T>>);

struct Promised<T> {
    outcome: RefCell<Option<Result<T>>>,
    waiters: RefCell<Vec<Waker>>,
}

impl<T: Clone> Promise<T> {
    pub(crate) fn new() -> Promise<T> {
        Promise(Rc::new(Promised { outcome: RefCell::new(None), waiters: RefCell::default() }))
    }

    #[track_caller]
    pub(crate) fn set(&self, value: T) {
        assert!(self.settle(Ok(value)), "it is set once");
    }

    #[track_caller]
    pub(crate) fn fail(&self, error: impl Into<Error>) {
        assert!(self.settle(Err(error.into())), "it is set once");
    }

    /// Returns whether it was still to come.
    pub(crate) fn cancel(&self) -> bool {
        self.settle(Err(Cancelled::new().into()))
    }

    fn settle(&self, outcome: Result<T>) -> bool {
        if self.0.outcome.borrow().is_some() {
            return false;
        }
        self.0.outcome.replace(Some(outcome));
        self.0.waiters.take().into_iter().for_each(Waker::wake);
        true
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        matches!(&*self.0.outcome.borrow(), Some(Err(error)) if error.is_cancelled())
    }

    /// How many tasks wait for it.
    pub(crate) fn waiters(&self) -> usize {
        self.0.waiters.borrow().len()
    }

    pub(crate) fn is_same(&self, other: &Promise<T>) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// Waits for it.
    #[track_caller]
    pub(crate) fn wait(self) -> impl Future<Output = Result<T>> {
        let place = Location::caller();
        let mut leaf = Leaf::new();
        poll_fn(move |cx| {
            if let Err(cancelled) = leaf.resume() {
                self.cancel();
                return Poll::Ready(Err(cancelled.into()));
            }
            if let Some(outcome) = &*self.0.outcome.borrow() {
                leaf.unpark();
                return Poll::Ready(outcome.clone());
            }
            if let Err(cancelled) = leaf.park_at(cx, Awaiting::Other(self.number()), place) {
                self.cancel();
                return Poll::Ready(Err(cancelled.into()));
            }
            let mut waiters = self.0.waiters.borrow_mut();
            if !waiters.iter().any(|waiter| waiter.will_wake(cx.waker())) {
                waiters.push(cx.waker().clone());
            }
            Poll::Pending
        })
    }
}

impl<T> Promise<T> {
    /// What tells it from others.
    fn number(&self) -> u64 {
        Rc::as_ptr(&self.0).addr() as u64
    }
}

impl<T> Awaitable for Promise<T> {
    fn target(&self) -> Target {
        Target::thing("Future", [self.number()])
    }
}

impl<T> Clone for Promise<T> {
    fn clone(&self) -> Self {
        Promise(self.0.clone())
    }
}
