//! Sleeping.

use super::{Instant, Timer};
use crate::cancel::{Awaiting, Leaf};
use crate::error::Result;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Waits for `duration`, from now on: from this call, not from the first poll. Called outside of a runtime it goes by the
/// operating system's clock, of which a virtual one knows nothing. Zero gives way once, and arms no timer.
///
/// Never shorter than asked; longer by what it takes the loop to get to it, and where timers come due thick and fast, by up
/// to 50 µs, so that they are served together ([`timer_grain`](crate::runtime::Builder::timer_grain)). Very long ones end with
/// the clock, in some 584 years.
///
/// # Errors
///
/// [`Cancelled`](crate::error::Cancelled), if the task is cancelled while it stands here, and
/// [`RuntimeError::NoRuntime`](crate::error::RuntimeError::NoRuntime) outside of a runtime.
///
/// # Cancel safety
///
/// Cancelled or dropped, it disarms its timer; nothing else is lost.
///
/// # asyncio
///
/// `asyncio.sleep(seconds)` (SC-5, SC-6).
///
/// ```
/// use std::time::Duration;
///
/// homing::run(async {
///     let begin = homing::Instant::now();
///     homing::sleep(Duration::from_millis(5)).await?;
///     assert!(begin.elapsed() >= Duration::from_millis(5));
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[track_caller]
#[inline]
pub fn sleep(duration: Duration) -> Sleep {
    let state = if duration.is_zero() { State::Yield } else { State::Timer };
    Sleep { timer: Timer::new(Instant::now() + duration), state, leaf: Leaf::new() }
}

/// Waits until `deadline`: completes in the first turn of the loop at or after it. A past one still gives way once.
///
/// # Errors
///
/// As [`sleep`].
///
/// # Cancel safety
///
/// As [`sleep`].
///
/// # asyncio
///
/// `asyncio.sleep(when - loop.time())`.
#[track_caller]
#[inline]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep { timer: Timer::new(deadline), state: State::Timer, leaf: Leaf::new() }
}

/// The future of [`sleep`] and [`sleep_until`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep {
    timer: Timer,
    state: State,
    leaf: Leaf,
}

/// | from    | polled                     | to      |
/// |---------|----------------------------|---------|
/// | Yield   | wake at once, pending      | Yielded |
/// | Yielded | ready                      | Over    |
/// | Timer   | until the deadline pending | Over    |
/// | Over    | ready                      |         |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Zero: gives way once.
    Yield,
    Yielded,
    Timer,
    Over,
}

impl Sleep {
    /// When it ends.
    pub fn deadline(&self) -> Instant {
        self.timer.deadline()
    }

    /// Sets another end. One that is over begins anew.
    pub fn reset(&mut self, deadline: Instant) {
        self.timer.reset(deadline);
        self.state = State::Timer;
    }
}

impl Future for Sleep {
    type Output = Result<()>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        if let Err(cancelled) = this.leaf.resume() {
            this.timer.disarm();
            return Poll::Ready(Err(cancelled.into()));
        }
        let over = match this.state {
            State::Yield => {
                this.state = State::Yielded;
                cx.waker().wake_by_ref();
                false
            }
            State::Yielded | State::Over => true,
            State::Timer => match this.timer.poll(cx.waker()) {
                Poll::Ready(result) => {
                    result?;
                    true
                }
                Poll::Pending => false,
            },
        };
        if over {
            this.state = State::Over;
            this.leaf.unpark();
            return Poll::Ready(Ok(()));
        }
        if let Err(cancelled) = this.leaf.park(cx, Awaiting::Timer(this.timer.deadline().nanos())) {
            this.timer.disarm();
            return Poll::Ready(Err(cancelled.into()));
        }
        Poll::Pending
    }
}
