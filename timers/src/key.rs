//! The name of an armed timer.

use crate::generation::NOBODYS;
use std::num::NonZeroU32;

/// Names one arming of one timer, for as long as it is armed.
///
/// A key is small and `Copy`, and holding it keeps nothing alive. Once its timer has fired or was disarmed
/// the key is *stale*: every call that is given it says so and changes nothing, even if the place was taken
/// by another timer since. To a wheel that did not give it, a key is stale from the beginning.
///
/// It is two numbers: the place of the timer in the wheel, and one that no other timer of the process has.
/// That is counted modulo 2³², so a stale key is mistaken for a live one only if about a multiple of 2³²
/// timers were armed in between, and one of just that number in the same place.
///
/// An `Option` of a key is as small as the key.
///
/// ```
/// use homing_timers::TimerWheel;
///
/// let mut wheel = TimerWheel::new(0);
/// let stale = wheel.arm(1, "first");
/// wheel.advance(1, |_| {});
/// let fresh = wheel.arm(2, "second"); // in the same place
/// assert_ne!(stale, fresh);
/// assert_eq!(wheel.disarm(stale), None);
/// assert_eq!(wheel.get(fresh), Some(&"second"));
///
/// let mut other = TimerWheel::new(0);
/// other.arm(2, "in the same place of another wheel");
/// assert_eq!(other.disarm(fresh), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TimerKey {
    pub(crate) index: u32,
    pub(crate) generation: NonZeroU32,
}

const _: () = assert!(size_of::<Option<TimerKey>>() == 8, "a key has no room for `None`");

impl TimerKey {
    /// The key as one word, to be kept where a word fits, as in an atomic.
    ///
    /// Keys are equal exactly when their bits are; nothing else may be read from them.
    ///
    /// ```
    /// use homing_timers::{TimerKey, TimerWheel};
    ///
    /// let key = TimerWheel::new(0).arm(1, ());
    /// assert_eq!(TimerKey::from_bits(key.to_bits()), key);
    /// ```
    #[inline]
    pub const fn to_bits(self) -> u64 {
        (self.generation.get() as u64) << u32::BITS | self.index as u64
    }

    /// The key that [`to_bits`](Self::to_bits) was called on.
    ///
    /// Any other word makes a key too: one that most likely names nothing, and does no harm. (It need not give
    /// the same word back.)
    ///
    /// ```
    /// use homing_timers::{TimerKey, TimerWheel};
    ///
    /// let mut wheel = TimerWheel::<()>::new(0);
    /// assert_eq!(wheel.disarm(TimerKey::from_bits(42)), None);
    /// ```
    #[inline]
    pub const fn from_bits(bits: u64) -> Self {
        let generation = match NonZeroU32::new((bits >> u32::BITS) as u32) {
            Some(generation) => generation,
            None => NOBODYS,
        };
        TimerKey { index: bits as u32, generation }
    }
}
