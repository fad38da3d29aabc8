//! Grace: how long children may clean up once their group is shutting down.
//!
//! ```text
//!   shut down ── children are cancelled, and clean up ──┬── all have ended: the timer is disarmed
//!   the timer is set                                    └── the time is over: the rest is aborted
//! ```
//!
//! The block watches the clock, whether it is in its body or in its exit: a shutdown comes from its poll, or leads to one,
//! and then the timer is armed for whatever polls it.

use homing_executor::time::{Instant, Timer};
use std::cell::RefCell;
use std::task::{Poll, Waker};
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Grace {
    duration: Duration,
    /// There from the shutdown until it has fired, or the block has ended.
    timer: RefCell<Option<Timer>>,
}

impl Grace {
    pub(crate) fn new(duration: Duration) -> Grace {
        Grace { duration, timer: RefCell::new(None) }
    }

    pub(crate) fn duration(&self) -> Duration {
        self.duration
    }

    /// The group shuts down.
    pub(crate) fn begin(&self) {
        let _none = self.timer.replace(Some(Timer::new(Instant::now() + self.duration)));
    }

    /// Whether the time is over: `true` once. Until then `waker` will be woken when it is.
    pub(crate) fn runs_out(&self, waker: &Waker) -> bool {
        let over = match self.timer.borrow_mut().as_mut() {
            Some(timer) => matches!(timer.poll(waker), Poll::Ready(Ok(()))),
            None => false,
        };
        if over {
            self.end();
        }
        over
    }

    /// Nobody is left to wait for.
    pub(crate) fn end(&self) {
        let timer = self.timer.take();
        // Outside of the borrow: a waker goes with it, which may be a foreign one.
        drop(timer);
    }
}
