//! A deadline as eleven digits of base 64.
//!
//! Everything the wheel does with a tick is here: which digit, and which is the highest that differs.
//! ```text
//! bit   63   60 59    54      …      11     6 5      0
//!       [ 10  ] [   9  ]      …      [   1  ] [   0  ]     digit, and the level it decides
//!        4 bits   6 bits               6 bits   6 bits
//! ```
//! Nothing is added to a tick, so nothing can overflow; and the top level has no wrap, because its digits
//! are the end of the number.

use crate::Tick;

/// The bits of one digit: 64 slots, so that one word tells which of them are occupied.
const DIGIT_BITS: u32 = 6;

/// How many slots a level has: one for each value of a digit.
pub(crate) const SLOTS: usize = 1 << DIGIT_BITS;

/// How many levels a tick has: eleven digits of six bits cover 64.
pub(crate) const LEVELS: usize = u64::BITS.div_ceil(DIGIT_BITS) as usize;

/// The digit of `tick` at `level`: which slot of that level it falls in.
#[inline]
pub(crate) fn digit(tick: Tick, level: usize) -> usize {
    (tick >> (level as u32 * DIGIT_BITS)) as usize % SLOTS
}

/// The highest level at which the digits of the two differ; 0 where they are equal.
#[inline]
pub(crate) fn highest_difference(one: Tick, other: Tick) -> usize {
    // The lowest bit is set so that equal ticks have a highest bit too, in the digit where they belong.
    (((one ^ other) | 1).ilog2() / DIGIT_BITS) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eleven_digits_cover_every_tick() {
        assert_eq!(LEVELS, 11);
        assert_eq!(digit(Tick::MAX, LEVELS - 1), 15);
        assert_eq!(highest_difference(0, Tick::MAX), LEVELS - 1);
    }

    #[test]
    fn ticks_differ_at_the_level_of_their_highest_unequal_digit() {
        assert_eq!(highest_difference(5, 5), 0);
        assert_eq!(highest_difference(0, 63), 0);
        assert_eq!(highest_difference(63, 64), 1);
        assert_eq!(highest_difference(64 * 64 - 1, 64 * 64), 2);
        assert_eq!(highest_difference(64 * 64, 64 * 64 + 64), 1);
    }

    #[test]
    fn the_digits_of_a_tick_spell_it() {
        let tick = 0x0123_4567_89ab_cdef;
        let spelt = (0..LEVELS).rev().fold(0, |sum, level| sum << DIGIT_BITS | digit(tick, level) as Tick);
        assert_eq!(spelt, tick);
    }
}
