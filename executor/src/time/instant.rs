//! A point in time, by the runtime's clock.

use crate::clock::{self, Nanos};
use crate::context;
use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::time::Duration;

/// A point in time by the clock of the runtime that is running: real, or virtual.
///
/// Counted in nanoseconds from a point early in the process's life, and good for 584 years; what would lie beyond, is
/// cut off at the end ([`Instant::FAR_FUTURE`]), and what would lie before, at the beginning. A virtual clock and the
/// real one drift apart, so an instant means something in one runtime only, unless all its clocks are real.
///
/// # asyncio
///
/// What `loop.time()` returns, in seconds as a float.
///
/// ```
/// use homing::Instant;
/// use std::time::Duration;
///
/// let begin = Instant::now();
/// let deadline = begin + Duration::from_secs(2);
/// assert_eq!(deadline - begin, Duration::from_secs(2));
/// assert_eq!(begin + Duration::MAX, Instant::FAR_FUTURE);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(Nanos);

impl Instant {
    /// The last point in time. A timer that is set to it never fires.
    pub const FAR_FUTURE: Instant = Instant(Nanos::MAX);

    /// Now, by the clock of the running runtime; outside of one, by the operating system's.
    #[inline]
    pub fn now() -> Instant {
        Instant(context::with(|core| core.map_or_else(clock::monotonic, |core| core.clock.read())))
    }

    /// So much later than now, or a little more.
    ///
    /// Not in line: so a [`sleep`](super::sleep) is short enough to be, and made where it is to stand.
    #[inline(never)]
    pub(crate) fn in_time(duration: Duration) -> Instant {
        Instant(context::with(|core| core.map_or_else(clock::monotonic, |core| core.clock.at_latest())))
            + duration
    }

    #[inline]
    pub(crate) const fn from_nanos(nanos: Nanos) -> Instant {
        Instant(nanos)
    }

    #[inline]
    pub(crate) const fn nanos(self) -> Nanos {
        self.0
    }

    /// How long ago it was; zero if it is yet to come.
    pub fn elapsed(self) -> Duration {
        Instant::now().saturating_duration_since(self)
    }

    /// The time from `earlier` to this; zero if that is later.
    pub fn saturating_duration_since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

fn nanos_of(duration: Duration) -> Nanos {
    Nanos::try_from(duration.as_nanos()).unwrap_or(Nanos::MAX)
}

impl Add<Duration> for Instant {
    type Output = Instant;

    #[inline]
    fn add(self, duration: Duration) -> Instant {
        Instant(self.0.saturating_add(nanos_of(duration)))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;

    fn sub(self, duration: Duration) -> Instant {
        Instant(self.0.saturating_sub(nanos_of(duration)))
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Instant) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Instant({:?})", Duration::from_nanos(self.0))
    }
}
