//! A timer: one deadline in the runtime's wheel, without any notion of cancellation.
//!
//! What [`Sleep`](super::Sleep) and the timeouts are built with. It is armed when it is first polled, allocates nothing
//! of its own, and is disarmed when it is dropped.

use super::Instant;
use crate::context;
use crate::error::RuntimeError;
use crate::runtime::core::Core;
use homing_timers::TimerKey;
use std::task::{Poll, Waker};

/// A deadline that wakes whoever polled it last.
///
/// A building block: [`sleep_until`](super::sleep_until) is what programs use, and what a cancel gets through to.
///
/// It may be sent to another thread, where it can only be dropped: its deadline then passes unheard.
#[derive(Debug)]
pub struct Timer {
    deadline: Instant,
    armed: Option<Armed>,
}

/// Where it is armed: in the wheel of the runtime with this serial number, under this key.
#[derive(Clone, Copy, Debug)]
struct Armed {
    runtime: u64,
    key: TimerKey,
}

impl Timer {
    /// A timer for this deadline, not armed yet.
    pub const fn new(deadline: Instant) -> Timer {
        Timer { deadline, armed: None }
    }

    /// The deadline.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether it was armed, and has fired since.
    pub fn has_fired(&self) -> bool {
        self.armed.is_some() && self.with_wheel(|wheel, key| !wheel.is_armed(key)) == Some(true)
    }

    /// Sets another deadline. If it is armed it stays so, for the same waker. If it has fired, or is out of reach because
    /// its runtime is not running here, it is armed anew when it is next polled.
    pub fn reset(&mut self, deadline: Instant) {
        self.deadline = deadline;
        if self.with_wheel(|wheel, key| wheel.rearm(key, deadline.nanos())) != Some(true) {
            self.armed = None;
        }
    }

    /// Forgets about the deadline; polled again, it is armed anew.
    pub fn disarm(&mut self) {
        // The waker is dropped after the wheel was let go: it may be a foreign one, whose destructor does anything.
        let _waker = self.with_wheel(|wheel, key| wheel.disarm(key));
        self.armed = None;
    }

    /// Ready once the deadline has come. Until then `waker` will be woken when it does.
    ///
    /// Polled for the first time after its deadline it is pending all the same, and fires in the next turn: what waits
    /// for a point in time gives way at least once.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::NoRuntime`] outside of a runtime.
    pub fn poll(&mut self, waker: &Waker) -> Poll<Result<(), RuntimeError>> {
        context::with(|core| {
            let Some(core) = core else { return Poll::Ready(Err(RuntimeError::NoRuntime)) };
            if let Some(armed) = self.armed.filter(|armed| armed.runtime == core.serial) {
                let will_wake = core.timers.borrow().get(armed.key).map(|kept| kept.will_wake(waker));
                if will_wake.is_none() {
                    self.armed = None;
                    return Poll::Ready(Ok(()));
                }
                if will_wake == Some(false) {
                    replace(core, armed.key, waker.clone());
                }
                return Poll::Pending;
            }
            // Armed also for the end of time, which never comes: it may be reset, and then knows whom to wake.
            // Cloned before the wheel is borrowed: a foreign waker may do anything, also with timers.
            let waker = waker.clone();
            let key = core.timers.borrow_mut().arm(self.deadline.nanos(), waker);
            self.armed = Some(Armed { runtime: core.serial, key });
            Poll::Pending
        })
    }

    /// Calls `f` with the wheel in which it is armed, if that is the running runtime's, or can be reached at all.
    fn with_wheel<R>(
        &self,
        f: impl FnOnce(&mut homing_timers::TimerWheel<Waker>, TimerKey) -> R,
    ) -> Option<R> {
        let armed = self.armed?;
        context::with(|core| {
            let core = core.filter(|core| core.serial == armed.runtime)?;
            Some(f(&mut core.timers.borrow_mut(), armed.key))
        })
    }
}

/// Has another waker woken at the deadline. The former one is dropped once the wheel is let go.
#[cold]
fn replace(core: &Core, key: TimerKey, waker: Waker) {
    let _replaced = core.timers.borrow_mut().get_mut(key).map(|kept| std::mem::replace(kept, waker));
}

impl Drop for Timer {
    #[inline]
    fn drop(&mut self) {
        if self.armed.is_some() {
            self.disarm();
        }
    }
}
