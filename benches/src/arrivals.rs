//! Arrivals: one task waits until so many others have come to some point.
//!
//! Not by giving way until they have: a runtime may poll a task that gives way again at once, and let the
//! others wait.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// How many have arrived, and who waits for them.
#[derive(Default)]
pub(crate) struct Arrivals {
    count: Cell<usize>,
    wanted: Cell<usize>,
    waiting: RefCell<Option<Waker>>,
}

impl Arrivals {
    /// One more is there.
    pub(crate) fn arrive(&self) {
        self.count.set(self.count.get() + 1);
        if self.count.get() == self.wanted.get()
            && let Some(waker) = self.waiting.take()
        {
            waker.wake();
        }
    }

    /// Waits until so many have arrived since the beginning.
    pub(crate) async fn reach(&self, wanted: usize) {
        self.wanted.set(wanted);
        poll_fn(|cx| {
            if self.count.get() >= wanted {
                return Poll::Ready(());
            }
            *self.waiting.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
