//! The deadlines: the runtime's timer wheel, and whom each timer wakes.
//!
//! Nearly every timer wakes a task of homing, and then its value in the wheel is the task's id: a number that is copied,
//! with nothing to count and nothing to drop. Only what is polled by a combinator with wakers of its own, or in a foreign
//! executor, has a waker that must be kept. Those are in a table beside the wheel.
//!
//! ```text
//!   wheel    deadline ──► Sleeper: ……………0   the id of a task
//!                                  ……………1   a place in the table ──► Waker
//! ```
//!
//! Wakers of others are anybody's code: they are cloned before a call comes here, and given back, to be woken or dropped
//! once the deadlines are let go of.

use crate::clock::Nanos;
use crate::waker;
use homing_timers::{TimerKey, TimerWheel};
use slab::Slab;
use std::num::NonZeroU64;
use std::task::Waker;

/// See the [module](self).
pub(crate) struct Deadlines {
    wheel: TimerWheel<Sleeper>,
    foreign: Slab<Waker>,
}

/// Whom a timer wakes, in one word: the id of a task, or, with [`FOREIGN`], a place in the table.
#[derive(Clone, Copy)]
struct Sleeper(NonZeroU64);

/// In the ids of tasks this bit is 0.
const FOREIGN: u64 = 1;

/// Whom a timer is to wake, or has woken.
pub(crate) enum Wakes {
    /// The task with this id.
    Task(NonZeroU64),
    Foreign(Waker),
}

impl Wakes {
    /// Whom this waker wakes.
    #[inline(always)]
    pub(crate) fn by(waker: &Waker) -> Wakes {
        match waker::task_of(waker).and_then(NonZeroU64::new) {
            Some(task) => Wakes::Task(task),
            None => Wakes::Foreign(waker.clone()),
        }
    }

    #[cold]
    fn foreign(self) -> Option<Waker> {
        match self {
            Wakes::Task(_) => None,
            Wakes::Foreign(waker) => Some(waker),
        }
    }
}

impl Deadlines {
    pub(crate) fn new(now: Nanos) -> Deadlines {
        Deadlines { wheel: TimerWheel::new(now), foreign: Slab::new() }
    }

    /// How many timers are armed.
    pub(crate) fn len(&self) -> usize {
        self.wheel.len()
    }

    /// The tasks that timers wake.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = u64> {
        self.wheel.values().filter(|sleeper| !sleeper.is_foreign()).map(|sleeper| sleeper.0.get())
    }

    /// Arms a timer.
    #[inline]
    pub(crate) fn arm(&mut self, deadline: Nanos, wakes: Wakes) -> TimerKey {
        let sleeper = match wakes {
            Wakes::Task(task) => Sleeper(task),
            Wakes::Foreign(waker) => self.keep(waker),
        };
        self.wheel.arm(deadline, sleeper)
    }

    /// Disarms a timer, if it is armed. Whatever waker it had is for the caller to drop.
    #[inline]
    pub(crate) fn disarm(&mut self, key: TimerKey) -> Option<Waker> {
        let sleeper = self.wheel.disarm(key)?;
        if sleeper.is_foreign() { self.give_back(sleeper).foreign() } else { None }
    }

    /// Gives a timer another deadline; `false` if it is not armed.
    pub(crate) fn rearm(&mut self, key: TimerKey, deadline: Nanos) -> bool {
        self.wheel.rearm(key, deadline)
    }

    pub(crate) fn is_armed(&self, key: TimerKey) -> bool {
        self.wheel.is_armed(key)
    }

    /// Whether the timer wakes whom this waker wakes; `None` if it is not armed.
    #[inline]
    pub(crate) fn wakes(&self, key: TimerKey, waker: &Waker) -> Option<bool> {
        let &sleeper = self.wheel.get(key)?;
        Some(match waker::task_of(waker) {
            Some(task) => sleeper.0.get() == task,
            None => sleeper.is_foreign() && self.foreign[sleeper.place()].will_wake(waker),
        })
    }

    /// Has an armed timer wake somebody else. The waker that it had is for the caller to drop.
    #[cold]
    pub(crate) fn replace(&mut self, key: TimerKey, wakes: Wakes) -> Option<Waker> {
        let sleeper = match wakes {
            Wakes::Task(task) => Sleeper(task),
            Wakes::Foreign(waker) => self.keep(waker),
        };
        let former = std::mem::replace(self.wheel.get_mut(key)?, sleeper);
        self.give_back(former).foreign()
    }

    /// Whether [`pop_due`](Self::pop_due) would find nothing at `now`, and change nothing.
    #[inline(always)]
    pub(crate) fn is_quiet_at(&self, now: Nanos) -> bool {
        self.wheel.is_quiet_at(now)
    }

    /// The next timer that is due; `None` if there are no more.
    #[inline]
    pub(crate) fn pop_due(&mut self, now: Nanos) -> Option<Wakes> {
        let sleeper = self.wheel.pop_due(now)?;
        Some(self.give_back(sleeper))
    }

    /// When the earliest timer is due.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Nanos> {
        self.wheel.next_deadline()
    }

    #[cold]
    fn keep(&mut self, waker: Waker) -> Sleeper {
        let place = self.foreign.insert(waker) as u64;
        Sleeper(NonZeroU64::new(place << 1 | FOREIGN).expect("the last bit is set"))
    }

    #[inline]
    fn give_back(&mut self, sleeper: Sleeper) -> Wakes {
        if sleeper.is_foreign() {
            Wakes::Foreign(self.foreign.remove(sleeper.place()))
        } else {
            Wakes::Task(sleeper.0)
        }
    }
}

impl Sleeper {
    #[inline(always)]
    fn is_foreign(self) -> bool {
        self.0.get() & FOREIGN != 0
    }

    fn place(self) -> usize {
        (self.0.get() >> 1) as usize
    }
}
