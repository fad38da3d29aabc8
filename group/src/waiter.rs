//! Who waits: the one that callbacks wake.

use homing_executor::cancel::keep_waker;
use std::cell::RefCell;
use std::task::Waker;

/// The waker of whoever polled last.
///
/// Wakers are cloned, woken and dropped while it is not borrowed: a foreign one may do anything, also poll what this is
/// part of.
#[derive(Default)]
pub(crate) struct Waiter(RefCell<Option<Waker>>);

impl Waiter {
    /// Whoever polls with this waker is to be woken, in place of whoever did before.
    pub(crate) fn register(&self, waker: &Waker) {
        let is_kept = self.0.borrow().as_ref().is_some_and(|kept| kept.will_wake(waker));
        if !is_kept {
            drop(self.0.replace(Some(keep_waker(waker))));
        }
    }

    pub(crate) fn wake(&self) {
        if let Some(waker) = self.0.take() {
            waker.wake();
        }
    }
}
