//! Lingering: where messages of other threads come thick and fast, the loop looks out for the next before it sleeps.
//!
//! To fall asleep and to be rung for is a system call on each side. A loop that keeps pace with the threads that wake its
//! tasks would pay them for every other wake. So once a message has cut a sleep short, shorter than lingering takes in
//! vain, the loop lingers:
//!
//! ```text
//!   nothing is ready ──► has a message cut the last sleep short? ──no───────────────► sleep
//!                          yes: two looks into the inbox, some time apart ───none──► sleep, and do not linger
//!                                 └──► a message: the next turn                       until one is cut short again
//! ```
//!
//! Time passes between the looks for the senders' sake. Whoever looks all the time fetches the queue's memory to his
//! processor, and the sender fetches it back, for each single message; after a while there are many, for the same price.
//!
//! A runtime that is idle does not linger, nor does one that another thread wakes now and then. A flood that ends costs
//! [`AT_MOST`], once; by so much an event or a deadline may be noticed later while there is one.

use crate::clock::{Nanos, monotonic};
use std::cell::Cell;
use std::hint;

/// Between two looks into the inbox.
const APART: Nanos = 1_000;

const LOOKS: u32 = 2;

/// How long one lingers in vain.
const AT_MOST: Nanos = LOOKS as Nanos * APART;

/// What came of lingering.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lingered {
    /// A message has come.
    Heard,
    /// None has.
    InVain,
    /// It was not tried: none is expected so soon.
    NotAtAll,
}

/// Whether it is worth it, as far as the last sleep tells.
#[derive(Debug, Default)]
pub(super) struct Linger {
    pays: Cell<bool>,
}

impl Linger {
    /// Looks out for a message for a moment, if one is likely to come.
    #[inline]
    pub(super) fn until(&self, has_message: impl Fn() -> bool) -> Lingered {
        if !self.pays.get() {
            return Lingered::NotAtAll;
        }
        for _ in 0..LOOKS {
            pass_the_time();
            if has_message() {
                return Lingered::Heard;
            }
        }
        self.pays.set(false);
        Lingered::InVain
    }

    /// The thread has slept so long.
    pub(super) fn note_sleep(&self, slept: Nanos, has_message: bool) {
        self.pays.set(has_message && slept < AT_MOST);
    }
}

/// Told by the clock: a processor takes anything from three to forty nanoseconds for the hint.
fn pass_the_time() {
    let begin = monotonic();
    while monotonic().saturating_sub(begin) < APART {
        hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_lingers_after_a_sleep_that_a_message_has_cut_short_and_no_other() {
        for (slept, has_message, expected) in [
            (AT_MOST - 1, true, Lingered::Heard),
            (AT_MOST, true, Lingered::NotAtAll),
            (0, false, Lingered::NotAtAll),
        ] {
            let linger = Linger::default();
            assert_eq!(linger.until(|| true), Lingered::NotAtAll);
            linger.note_sleep(slept, has_message);
            assert_eq!(linger.until(|| true), expected, "{slept} ns, {has_message}");
        }
    }

    #[test]
    fn one_lingers_on_as_long_as_it_pays_and_once_in_vain() {
        let linger = Linger::default();
        linger.note_sleep(0, true);
        for _ in 0..3 {
            assert_eq!(linger.until(|| true), Lingered::Heard);
        }
        let looks = Cell::new(0);
        let look = || {
            looks.set(looks.get() + 1);
            false
        };
        assert_eq!(linger.until(look), Lingered::InVain);
        assert_eq!(looks.get(), LOOKS);
        assert_eq!(linger.until(look), Lingered::NotAtAll);
        assert_eq!(looks.get(), LOOKS);
    }
}
