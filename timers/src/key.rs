//! The name of an armed timer.

/// Names one arming of one timer, for as long as it is armed.
///
/// A key is small and `Copy`, and holding it keeps nothing alive. Once its timer has fired or was disarmed
/// the key is *stale*: every call that is given it says so and changes nothing, even if the place was taken
/// by another timer since. It is two numbers: the place of the timer in the wheel, and the count of timers
/// armed before it. The count is kept modulo 2³², so a stale key is mistaken for a live one only if exactly
/// a multiple of 2³² timers were armed in between, the last of them in the same place.
///
/// Keys of different wheels must not be mixed up; the wheel cannot tell.
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
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TimerKey {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

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
        (self.generation as u64) << u32::BITS | self.index as u64
    }

    /// The key that [`to_bits`](Self::to_bits) was called on.
    ///
    /// Any other word makes a key too: one that most likely names nothing, and does no harm.
    ///
    /// ```
    /// use homing_timers::{TimerKey, TimerWheel};
    ///
    /// let mut wheel = TimerWheel::<()>::new(0);
    /// assert_eq!(wheel.disarm(TimerKey::from_bits(42)), None);
    /// ```
    #[inline]
    pub const fn from_bits(bits: u64) -> Self {
        TimerKey { index: bits as u32, generation: (bits >> u32::BITS) as u32 }
    }
}
