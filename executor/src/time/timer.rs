//! A timer: one deadline in the runtime's wheel, without any notion of cancellation.
//!
//! What the timeouts are built with. It is armed when it is first polled, allocates nothing of its own, and is disarmed
//! when it is dropped. [`Sleep`](super::Sleep) has the same parts, and beside them a leaf.

use super::{Deadlines, Instant, Wakes};
use crate::context;
use crate::error::RuntimeError;
use crate::runtime::core::{Core, RuntimeTag};
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
    arming: Arming,
}

/// Where a timer is armed, if it is: in the wheel of this runtime, under this key.
#[derive(Debug, Default)]
pub(super) struct Arming(Option<(RuntimeTag, TimerKey)>);

impl Timer {
    /// A timer for this deadline, not armed yet.
    pub const fn new(deadline: Instant) -> Timer {
        Timer { deadline, arming: Arming::NONE }
    }

    /// The deadline.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether it was armed, and has fired since.
    pub fn has_fired(&self) -> bool {
        self.arming.in_place(context::running(), |deadlines, key| !deadlines.is_armed(key)) == Some(true)
    }

    /// Sets another deadline. If it is armed it stays so, for the same waker. If it has fired, or is out of reach because
    /// its runtime is not running here, it is armed anew when it is next polled.
    pub fn reset(&mut self, deadline: Instant) {
        self.deadline = deadline;
        self.arming.reset(deadline);
    }

    /// Forgets about the deadline; polled again, it is armed anew.
    #[inline]
    pub fn disarm(&mut self) {
        if self.arming.is_some() {
            self.disarm_now();
        }
    }

    fn disarm_now(&mut self) {
        drop(self.arming.disarm(context::running()));
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
        self.arming.poll(core, self.deadline, waker).map(Ok)
    }
}

impl Drop for Timer {
    #[inline]
    fn drop(&mut self) {
        self.disarm();
    }
}

impl Arming {
    pub(super) const NONE: Arming = Arming(None);

    #[inline(always)]
    pub(super) fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// Ready if it was armed and has fired since. Until then `waker` will be woken when it does.
    #[inline(always)]
    pub(super) fn poll(&mut self, core: &Core, deadline: Instant, waker: &Waker) -> Poll<()> {
        match self.0 {
            Some((runtime, key)) if runtime == core.tag => {
                let over = poll_armed(core, key, waker);
                if over.is_ready() {
                    self.0 = None;
                }
                over
            }
            _ => {
                self.arm_for(core, deadline, waker);
                Poll::Pending
            }
        }
    }

    /// Not in line, for polls of timers are, in other crates, too.
    #[inline(never)]
    fn arm_for(&mut self, core: &Core, deadline: Instant, waker: &Waker) {
        self.arm(core, deadline, Wakes::by(waker));
    }

    // Armed also for the end of time, which never comes: it may be reset, and then knows whom to wake.
    #[inline(always)]
    pub(super) fn arm(&mut self, core: &Core, deadline: Instant, wakes: Wakes) {
        let key = core.deadlines.arm(deadline.nanos(), wakes);
        self.0 = Some((core.tag, key));
    }

    /// It has another deadline, of which the wheel is to know if it is armed there.
    pub(super) fn reset(&mut self, deadline: Instant) {
        let rearmed = |deadlines: &Deadlines, key| deadlines.rearm(key, deadline.nanos());
        if self.in_place(context::running(), rearmed) != Some(true) {
            self.0 = None;
        }
    }

    /// It is armed no more, if it was, and if the runtime that is running is the one to tell. A foreign waker is for the caller
    /// to drop.
    #[inline(always)]
    pub(super) fn disarm(&mut self, running: Option<&Core>) -> Option<Waker> {
        let waker = self.in_place(running, |deadlines, key| deadlines.disarm(key));
        self.0 = None;
        waker.flatten()
    }

    /// Calls `f` with the deadlines among which it is armed, if they are the running runtime's, or can be reached at all.
    #[inline(always)]
    fn in_place<R>(&self, running: Option<&Core>, f: impl FnOnce(&Deadlines, TimerKey) -> R) -> Option<R> {
        // By reference: copied, the key would be read as one word, which waits for the two stores that wrote its halves.
        let (runtime, key) = self.0.as_ref()?;
        let core = running.filter(|core| core.tag == *runtime)?;
        Some(f(&core.deadlines, *key))
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
