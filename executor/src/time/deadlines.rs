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
//! by the caller.
//!
//! The loop asks at the beginning of each turn whether anything is due, and before each sleep what comes next. The answer is
//! nearly always no, and often nothing: it takes one comparison, with the earliest deadline that there can be. (bound-holds)

use crate::clock::Nanos;
use crate::waker;
use homing_timers::{TimerKey, TimerWheel};
use slab::Slab;
use std::cell::{Cell, RefCell};
use std::num::NonZeroU64;
use std::task::Waker;

/// See the [module](self).
pub(crate) struct Deadlines {
    table: RefCell<Table>,
    /// Invariant (bound-holds): before this time nothing is due.
    bound: Cell<Nanos>,
}

struct Table {
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
        let table = Table { wheel: TimerWheel::new(now), foreign: Slab::new() };
        Deadlines { table: RefCell::new(table), bound: Cell::new(Nanos::MAX) }
    }

    /// How many timers are armed.
    pub(crate) fn len(&self) -> usize {
        self.table.borrow().wheel.len()
    }

    /// The tasks that timers wake.
    pub(crate) fn tasks<C: FromIterator<u64>>(&self) -> C {
        let table = self.table.borrow();
        table.wheel.values().filter(|sleeper| !sleeper.is_foreign()).map(|sleeper| sleeper.0.get()).collect()
    }

    /// Arms a timer.
    #[inline(always)]
    pub(crate) fn arm(&self, deadline: Nanos, wakes: Wakes) -> TimerKey {
        match wakes {
            Wakes::Task(task) => self.arm_for(deadline, task),
            Wakes::Foreign(waker) => self.arm_foreign(deadline, waker),
        }
    }

    #[inline(always)]
    fn arm_for(&self, deadline: Nanos, task: NonZeroU64) -> TimerKey {
        self.lower_bound(deadline);
        self.table.borrow_mut().wheel.arm(deadline, Sleeper(task))
    }

    #[cold]
    fn arm_foreign(&self, deadline: Nanos, waker: Waker) -> TimerKey {
        self.lower_bound(deadline);
        let mut table = self.table.borrow_mut();
        let sleeper = table.keep(waker);
        table.wheel.arm(deadline, sleeper)
    }

    /// Disarms a timer, if it is armed. Whatever waker it had is for the caller to drop.
    #[inline(always)]
    pub(crate) fn disarm(&self, key: TimerKey) -> Option<Waker> {
        let sleeper = self.table.borrow_mut().wheel.disarm(key)?;
        if sleeper.is_foreign() { self.waker_of(sleeper) } else { None }
    }

    #[cold]
    fn waker_of(&self, former: Sleeper) -> Option<Waker> {
        self.table.borrow_mut().give_back(former).foreign()
    }

    /// Gives a timer another deadline; `false` if it is not armed.
    pub(crate) fn rearm(&self, key: TimerKey, deadline: Nanos) -> bool {
        self.lower_bound(deadline);
        self.table.borrow_mut().wheel.rearm(key, deadline)
    }

    pub(crate) fn is_armed(&self, key: TimerKey) -> bool {
        self.table.borrow().wheel.is_armed(key)
    }

    /// Whether the timers of this deadline have fired, all that are armed here.
    pub(crate) fn have_come_to(&self, deadline: Nanos) -> bool {
        self.table.borrow().wheel.now() >= deadline
    }

    /// Whether the timer wakes whom this waker wakes; `None` if it is not armed.
    #[inline]
    pub(crate) fn wakes(&self, key: TimerKey, waker: &Waker) -> Option<bool> {
        let table = self.table.borrow();
        let &sleeper = table.wheel.get(key)?;
        Some(match waker::task_of(waker) {
            Some(task) => sleeper.0.get() == task,
            None => sleeper.is_foreign() && table.foreign[sleeper.place()].will_wake(waker),
        })
    }

    /// Has an armed timer wake somebody else. The waker that it had is for the caller to drop.
    #[cold]
    pub(crate) fn replace(&self, key: TimerKey, wakes: Wakes) -> Option<Waker> {
        let mut table = self.table.borrow_mut();
        let sleeper = table.sleeper(wakes);
        let former = std::mem::replace(table.wheel.get_mut(key)?, sleeper);
        table.give_back(former).foreign()
    }

    /// Whether nothing can be due at `now`, so that one need not ask.
    #[inline(always)]
    pub(crate) fn are_quiet_at(&self, now: Nanos) -> bool {
        now < self.bound.get()
    }

    /// The next timer that is due; `None` if there are no more, and this round is over.
    #[inline]
    pub(crate) fn pop_due(&self, now: Nanos) -> Option<Wakes> {
        let mut table = self.table.borrow_mut();
        let due = table.wheel.pop_due(now);
        if due.is_none() {
            self.bound.set(table.wheel.quiet_until());
        }
        due.map(|sleeper| table.give_back(sleeper))
    }

    /// When the earliest timer is due. One that is set to the end of time never is.
    ///
    /// Whoever has no timers at all, as many servers, finds that out by looking at the bound: for he asks before each sleep.
    #[inline]
    pub(crate) fn next(&self) -> Option<Nanos> {
        if self.are_quiet_at(Nanos::MAX - 1) {
            return None;
        }
        let next = self.table.borrow_mut().wheel.next_deadline().unwrap_or(Nanos::MAX);
        self.bound.set(next);
        (next != Nanos::MAX).then_some(next)
    }

    /// Disarms all of them, for the runtime's end. Their wakers are for the caller to drop.
    pub(crate) fn disarm_all(&self) -> Slab<Waker> {
        let mut table = self.table.borrow_mut();
        table.wheel.clear();
        self.bound.set(Nanos::MAX);
        std::mem::take(&mut table.foreign)
    }

    #[inline(always)]
    fn lower_bound(&self, deadline: Nanos) {
        if deadline < self.bound.get() {
            self.bound.set(deadline);
        }
    }
}

impl Table {
    #[inline(always)]
    fn sleeper(&mut self, wakes: Wakes) -> Sleeper {
        match wakes {
            Wakes::Task(task) => Sleeper(task),
            Wakes::Foreign(waker) => self.keep(waker),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn task() -> Wakes {
        Wakes::Task(NonZeroU64::new(2).expect("it is two"))
    }

    #[test]
    fn a_timer_at_the_end_of_time_is_never_next() {
        let deadlines = Deadlines::new(0);
        let key = deadlines.arm(Nanos::MAX, task());
        assert_eq!(deadlines.next(), None);
        assert!(deadlines.is_armed(key));
        deadlines.arm(5, task());
        assert_eq!(deadlines.next(), Some(5));
    }

    #[test]
    fn who_has_asked_what_comes_next_is_not_called_for_a_timer_that_was_disarmed() {
        let deadlines = Deadlines::new(0);
        let (early, late) = (deadlines.arm(5, task()), deadlines.arm(9, task()));
        let _ = deadlines.disarm(early);
        assert!(!deadlines.are_quiet_at(6), "nobody has looked yet");
        assert_eq!(deadlines.next(), Some(9));
        assert!(deadlines.are_quiet_at(8) && !deadlines.are_quiet_at(9));
        let _ = deadlines.disarm(late);
        assert_eq!(deadlines.next(), None);
        assert!(deadlines.are_quiet_at(Nanos::MAX - 1));
        // What is armed after that is heard of again.
        deadlines.arm(3, task());
        assert!(!deadlines.are_quiet_at(3));
        assert_eq!(deadlines.next(), Some(3));
        assert!(deadlines.pop_due(2).is_none() && deadlines.pop_due(3).is_some());
    }
}
