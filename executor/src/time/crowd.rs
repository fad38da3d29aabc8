//! The crowd: timers that come due thick and fast are served together.
//!
//! To sleep until a deadline costs the thread some ten microseconds: the kernel has to be told, the processor's own timer
//! to be set, the thread to be put to sleep and woken. With a timer every ten microseconds it would do nothing else. So
//! after several were due at once, the thread lets the next ones gather for a moment, and serves them at once too:
//!
//! ```text
//!   deadlines    |  | |   |  |  |  | |   |      |                                   |
//!   wake-ups     ^        └── grain ─┴─► ^      └── grain ─► ^ one alone            ^ so this is exact
//!              several                several                  again
//! ```
//!
//! A timer that is alone, as most are, never waits for others: only who follows upon a crowd within a grain does. So
//! none is late by more than the grain for this reason, and none is ever early.
//!
//! Network cards do the same with their interrupts, and the kernel with threads that sleep without a timer descriptor.

use crate::clock::Nanos;
use std::cell::Cell;
use std::time::Duration;

/// The grain, unless the program says otherwise. It is what Linux puts off a thread's sleep by, if it is not told otherwise
/// (`PR_SET_TIMERSLACK`).
pub(crate) const GRAIN: Duration = Duration::from_micros(50);

/// As many timers at once are a crowd.
const CROWD: u32 = 2;

/// When the next timers may be served.
#[derive(Debug)]
pub(crate) struct Crowd {
    /// For so long after a crowd was served nobody is woken for a deadline.
    grain: Nanos,
    /// Long past, unless a crowd was served just now.
    not_before: Cell<Nanos>,
}

impl Crowd {
    pub(crate) fn new(grain: Duration) -> Crowd {
        let grain = Nanos::try_from(grain.as_nanos()).unwrap_or(Nanos::MAX);
        Crowd { grain, not_before: Cell::new(0) }
    }

    /// So many timers were due by now, and have been served.
    #[inline]
    pub(crate) fn served(&self, timers: u32, now: Nanos) {
        if timers >= CROWD {
            self.not_before.set(now.saturating_add(self.grain));
        }
    }

    /// When to wake up for a deadline that is yet to come.
    #[inline]
    pub(crate) fn alarm(&self, deadline: Nanos) -> Nanos {
        deadline.max(self.not_before.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRAIN: Nanos = 50_000;

    #[test]
    fn a_timer_alone_is_served_to_the_nanosecond() {
        let crowd = Crowd::new(Duration::from_nanos(GRAIN));
        assert_eq!(crowd.alarm(1_003), 1_003);
        crowd.served(1, 1_003);
        assert_eq!(crowd.alarm(1_004), 1_004);
    }

    #[test]
    fn who_follows_upon_a_crowd_waits_for_the_next_one_and_at_most_a_grain() {
        let crowd = Crowd::new(Duration::from_nanos(GRAIN));
        crowd.served(2, 1_000);
        assert_eq!(crowd.alarm(1_001), 1_000 + GRAIN);
        assert_eq!(crowd.alarm(1_000 + GRAIN + 1), 1_000 + GRAIN + 1);
        // That was one alone, so there is no crowd any more.
        crowd.served(1, 1_000 + GRAIN);
        assert_eq!(crowd.alarm(1_000 + GRAIN + 1), 1_000 + GRAIN + 1);
    }

    #[test]
    fn without_a_grain_nobody_waits() {
        let crowd = Crowd::new(Duration::ZERO);
        crowd.served(7, 1_000);
        assert_eq!(crowd.alarm(1_001), 1_001);
    }

    #[test]
    fn at_the_end_of_time_a_crowd_waits_no_longer_than_that() {
        let crowd = Crowd::new(Duration::from_nanos(GRAIN));
        crowd.served(7, Nanos::MAX - 1);
        assert_eq!(crowd.alarm(Nanos::MAX - 1), Nanos::MAX);
    }
}
