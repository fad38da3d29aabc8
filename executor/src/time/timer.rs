//! A timer: one deadline in the runtime's wheel, without any notion of cancellation.
//!
//! What the timeouts are built with. It is armed when it is first polled, allocates nothing of its own, and is disarmed
//! when it is dropped. [`Sleep`](super::Sleep) has the same parts, and beside them a leaf.
//!
//! Of where it is armed it keeps the key. That says nothing about the runtime: in the wheel of any other the key names
//! nothing, as if the timer had fired. One that is [polled](poll) there has fired if its deadline is over; if not, it is from
//! elsewhere, and is armed anew.

use super::{Instant, Wakes};
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
    key: Option<TimerKey>,
}

impl Timer {
    /// A timer for this deadline, not armed yet.
    pub const fn new(deadline: Instant) -> Timer {
        Timer { deadline, key: None }
    }

    /// The deadline.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether it was armed, and has fired since.
    pub fn has_fired(&self) -> bool {
        let Some((key, core)) = self.key.zip(context::running()) else { return false };
        core.deadlines.have_come_to(self.deadline.nanos()) && !core.deadlines.is_armed(key)
    }

    /// Sets another deadline. If it is armed it stays so, for the same waker. If it has fired, or is out of reach because
    /// its runtime is not running here, it is armed anew when it is next polled.
    pub fn reset(&mut self, deadline: Instant) {
        self.deadline = deadline;
        self.key = rearm(self.key, deadline);
    }

    /// Forgets about the deadline; polled again, it is armed anew.
    #[inline]
    pub fn disarm(&mut self) {
        if let Some(key) = self.key.take() {
            disarm_now(key);
        }
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
        self.key = poll(core, self.key, self.deadline, waker);
        if self.key.is_some() { Poll::Pending } else { Poll::Ready(Ok(())) }
    }
}

impl Drop for Timer {
    #[inline]
    fn drop(&mut self) {
        self.disarm();
    }
}

/// A timer that is armed under this key, if it ever was, is polled. Returns the key under which it is armed for whom `waker`
/// wakes; `None` if it has fired.
// Armed also for the end of time, which never comes: it may be reset, and then knows whom to wake.
#[inline(always)]
pub(super) fn poll(core: &Core, key: Option<TimerKey>, deadline: Instant, waker: &Waker) -> Option<TimerKey> {
    match key {
        Some(key) => poll_armed(core, key, deadline, waker),
        None => Some(arm(core, deadline, waker)),
    }
}

/// Not in line, for polls of timers are, in other crates, too.
#[inline(never)]
fn arm(core: &Core, deadline: Instant, waker: &Waker) -> TimerKey {
    core.deadlines.arm(deadline.nanos(), Wakes::by(waker))
}

fn poll_armed(core: &Core, key: TimerKey, deadline: Instant, waker: &Waker) -> Option<TimerKey> {
    match core.deadlines.wakes(key, waker) {
        Some(true) => Some(key),
        Some(false) => {
            let wakes = Wakes::by(waker);
            let _former = core.deadlines.replace(key, wakes);
            Some(key)
        }
        None if core.deadlines.have_come_to(deadline.nanos()) => None,
        // It was armed in another runtime.
        None => Some(arm(core, deadline, waker)),
    }
}

/// A timer that is armed under this key, if it ever was, has another deadline. Returns the key if it is armed for that;
/// `None` if it is to be armed when it is next polled.
pub(super) fn rearm(key: Option<TimerKey>, deadline: Instant) -> Option<TimerKey> {
    let core = context::running()?;
    key.filter(|&key| core.deadlines.rearm(key, deadline.nanos()))
}

/// Not in line, for drops of timers are, in other crates, too.
#[inline(never)]
fn disarm_now(key: TimerKey) {
    drop(context::running().and_then(|core| core.deadlines.disarm(key)));
}
