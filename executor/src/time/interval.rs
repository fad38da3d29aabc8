//! Doing something at intervals.

use super::{Instant, Sleep, sleep_until};
use crate::error::Result;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Ticks every `period`, the first time at once.
///
/// # Panics
///
/// If the period is zero.
///
/// # asyncio
///
/// Nothing: there one writes the loop by hand, and it drifts.
///
/// ```
/// use std::time::Duration;
///
/// let runtime = homing::Builder::new().virtual_time().build();
/// runtime.block_on(async {
///     let begin = homing::Instant::now();
///     let mut interval = homing::time::interval(Duration::from_millis(10));
///     for tick in 0..3 {
///         let at = interval.tick().await?;
///         assert_eq!(at - begin, Duration::from_millis(10) * tick);
///     }
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    interval_at(Instant::now(), period)
}

/// Ticks at `start`, and every `period` after that.
///
/// # Panics
///
/// If the period is zero.
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(!period.is_zero(), "an interval's period must not be zero");
    Interval { next: start, period, missed: MissedTicks::Burst, sleep: None }
}

/// What an [`Interval`] does about ticks whose time has passed before anybody asked for them.
///
/// With a period of 10 ms, ticks asked for at 0 and then not before 35:
///
/// ```text
///   Burst   0        35 35 35  40  50        all of them, at once
///   Delay   0        35  45  55              the schedule starts over at the late one
///   Skip    0        35  40  50              those missed are left out
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissedTicks {
    /// They come at once, one after the other, until it has caught up.
    #[default]
    Burst,
    /// The next one comes a full period after the late one.
    Delay,
    /// The next one comes at the next multiple of the period.
    Skip,
}

/// See [`interval`].
#[derive(Debug)]
pub struct Interval {
    /// When the next tick is due.
    next: Instant,
    period: Duration,
    missed: MissedTicks,
    sleep: Option<Sleep>,
}

impl Interval {
    /// Sets what is done about missed ticks.
    pub fn missed_ticks(mut self, missed: MissedTicks) -> Self {
        self.missed = missed;
        self
    }

    /// The period.
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Waits for the next tick, and gives the time for which it was due. One that is overdue does not wait.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::error::Cancelled), if the task is cancelled while it stands here.
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped, no tick is lost.
    #[track_caller]
    pub fn tick(&mut self) -> Tick<'_> {
        self.sleep = None;
        let place = sleep_until(self.next);
        Tick { interval: self, fresh: Some(place) }
    }

    /// Begins anew: the next tick is due a period from now.
    pub fn reset(&mut self) {
        self.next = Instant::now() + self.period;
        self.sleep = None;
    }

    fn advance(&mut self, now: Instant) -> Instant {
        let due = self.next;
        let following = due + self.period;
        self.next = match self.missed {
            _ if following >= now => following,
            MissedTicks::Burst => following,
            MissedTicks::Delay => now + self.period,
            MissedTicks::Skip => {
                let late = now.saturating_duration_since(due).as_nanos();
                let periods = late / self.period.as_nanos() + 1;
                let ahead = periods.saturating_mul(self.period.as_nanos());
                due + Duration::from_nanos(u64::try_from(ahead).unwrap_or(u64::MAX))
            }
        };
        due
    }
}

/// The future of [`Interval::tick`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Tick<'a> {
    interval: &'a mut Interval,
    fresh: Option<Sleep>,
}

impl Drop for Tick<'_> {
    fn drop(&mut self) {
        // The wait is over, also if the interval stays. The next one is for the same tick.
        self.interval.sleep = None;
    }
}

impl Future for Tick<'_> {
    type Output = Result<Instant>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Instant>> {
        let this = &mut *self;
        if let Some(sleep) = this.fresh.take() {
            let now = Instant::now();
            if this.interval.next <= now {
                return Poll::Ready(Ok(this.interval.advance(now)));
            }
            this.interval.sleep = Some(sleep);
        }
        let Some(sleep) = &mut this.interval.sleep else {
            let now = Instant::now();
            return Poll::Ready(Ok(this.interval.advance(now)));
        };
        let slept = ready!(Pin::new(sleep).poll(cx));
        this.interval.sleep = None;
        slept?;
        Poll::Ready(Ok(this.interval.advance(Instant::now())))
    }
}
