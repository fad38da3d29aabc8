//! [`TimedOut`]: a deadline that passed.

use super::Cancelled;
use std::fmt;
use std::panic::Location;
use std::time::Duration;

/// A timeout expired before what it guarded was done.
///
/// It is an error of its own and never a cancellation, though it grew from one: the timeout cancels what it guards,
/// and turns the [`Cancelled`] that comes back into this. That one is kept as the [`source`](std::error::Error::source),
/// for the report; all the same [`Error::is_cancelled`](super::Error::is_cancelled) says no, since whoever asked for the
/// time limit wants the limit, and not the means by which it was kept.
///
/// # asyncio
/// `TimeoutError`, whose `__cause__` is the `CancelledError`.
///
/// ```
/// use homing::{Cancelled, Error, TimedOut};
/// use std::time::Duration;
///
/// let late = Error::from(TimedOut::new().with_after(Duration::from_secs(2)).with_cause(Cancelled::new()));
/// assert_eq!(late.to_string(), "timed out after 2s");
/// assert!(late.is_timeout() && !late.is_cancelled());
/// ```
#[derive(Clone, Debug, Default)]
pub struct TimedOut {
    after: Option<Duration>,
    place: Option<&'static Location<'static>>,
    cause: Option<Cancelled>,
}

impl TimedOut {
    /// A timeout that expired, without particulars.
    pub fn new() -> Self {
        TimedOut::default()
    }

    /// Says how long it had waited. A timeout that was set to a point in time has nothing to say here.
    #[must_use]
    pub fn with_after(mut self, after: Duration) -> Self {
        self.after = Some(after);
        self
    }

    /// Says where the program set the timeout.
    #[must_use]
    pub fn with_place(mut self, place: &'static Location<'static>) -> Self {
        self.place = Some(place);
        self
    }

    /// Says which cancellation it grew from.
    #[must_use]
    pub fn with_cause(mut self, cause: Cancelled) -> Self {
        self.cause = Some(cause);
        self
    }

    /// How long it had waited.
    pub fn after(&self) -> Option<Duration> {
        self.after
    }

    /// Where the program set the timeout.
    pub fn place(&self) -> Option<&'static Location<'static>> {
        self.place
    }

    /// The cancellation it grew from.
    pub fn cause(&self) -> Option<&Cancelled> {
        self.cause.as_ref()
    }
}

/// Reads `timed out after 2s (src/main.rs:10:5)`.
impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("timed out")?;
        if let Some(after) = self.after {
            write!(f, " after {after:?}")?;
        }
        if let Some(place) = self.place {
            write!(f, " ({place})")?;
        }
        Ok(())
    }
}

impl std::error::Error for TimedOut {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as _)
    }
}
