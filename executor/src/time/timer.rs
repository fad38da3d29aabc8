//! A timer: one deadline in the runtime's wheel, without any notion of cancellation.
//!
//! What [`Sleep`](super::Sleep) and the timeouts are built with. It is armed when it is first polled, allocates nothing
//! of its own, and is disarmed when it is dropped.

use super::{Deadlines, Instant, Wakes};
use crate::context;
use crate::error::RuntimeError;
use crate::runtime::core::Core;
use homing_timers::TimerKey;
use std::num::NonZeroU64;
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
    runtime: NonZeroU64,
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
        self.armed.is_some() && self.in_place(|deadlines, key| !deadlines.is_armed(key)) == Some(true)
    }

    /// Sets another deadline. If it is armed it stays so, for the same waker. If it has fired, or is out of reach because
    /// its runtime is not running here, it is armed anew when it is next polled.
    pub fn reset(&mut self, deadline: Instant) {
        self.deadline = deadline;
        if self.in_place(|deadlines, key| deadlines.rearm(key, deadline.nanos())) != Some(true) {
            self.armed = None;
        }
    }

    /// Forgets about the deadline; polled again, it is armed anew.
    #[inline]
    pub fn disarm(&mut self) {
        let _waker = self.in_place(|deadlines, key| deadlines.disarm(key));
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
    #[inline(always)]
    pub fn poll(&mut self, waker: &Waker) -> Poll<Result<(), RuntimeError>> {
        let Some(core) = context::running() else { return Poll::Ready(Err(RuntimeError::NoRuntime)) };
        match self.armed {
            Some(armed) if armed.runtime == core.serial => {
                let over = poll_armed(core, armed.key, waker);
                if over.is_ready() {
                    self.armed = None;
                }
                over.map(Ok)
            }
            _ => {
                // Armed also for the end of time, which never comes: it may be reset, and then knows whom to wake.
                let wakes = Wakes::by(waker);
                let key = core.deadlines.arm(self.deadline.nanos(), wakes);
                self.armed = Some(Armed { runtime: core.serial, key });
                Poll::Pending
            }
        }
    }

    /// Calls `f` with the deadlines among which it is armed, if they are the running runtime's, or can be reached at all.
    #[inline]
    fn in_place<R>(&self, f: impl FnOnce(&Deadlines, TimerKey) -> R) -> Option<R> {
        let armed = self.armed?;
        let core = context::running().filter(|core| core.serial == armed.runtime)?;
        Some(f(&core.deadlines, armed.key))
    }
}

/// It has fired, if it is not armed any more; else it wakes whoever has polled it last.
fn poll_armed(core: &Core, key: TimerKey, waker: &Waker) -> Poll<()> {
    match core.deadlines.wakes(key, waker) {
        None => return Poll::Ready(()),
        Some(true) => {}
        Some(false) => {
            let wakes = Wakes::by(waker);
            let _former = core.deadlines.replace(key, wakes);
        }
    }
    Poll::Pending
}

impl Drop for Timer {
    #[inline]
    fn drop(&mut self) {
        if self.armed.is_some() {
            self.disarm();
        }
    }
}
