//! Giving way.

use crate::cancel::{Awaiting, Leaf, place};
use crate::error::Result;
use crate::waker;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Gives way once: everything else that is ready is polled before the task goes on.
///
/// # Errors
///
/// [`Cancelled`](crate::error::Cancelled), if the task has been asked to cancel: it suspends, so it is a delivery point.
///
/// # Cancel safety
///
/// Nothing to lose.
///
/// # asyncio
///
/// `asyncio.sleep(0)` (SC-5).
///
/// ```
/// homing::run(async {
///     let other = homing::spawn(async { Ok(()) });
///     homing::yield_now().await?;
///     assert!(other.is_finished());
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[track_caller]
#[inline]
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false, leaf: Leaf::new() }
}

/// The future of [`yield_now`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct YieldNow {
    yielded: bool,
    leaf: Leaf,
}

impl Future for YieldNow {
    type Output = Result<()>;

    // Always in line: then the place is a constant, and the rest some sixty instructions for both polls.
    #[track_caller]
    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        if this.yielded {
            this.leaf.resume()?;
            this.leaf.unpark();
            return Poll::Ready(Ok(()));
        }
        let place = place::of_await(Location::caller(), this.leaf.place());
        match waker::own_row(cx.waker()) {
            Some(row) if this.leaf.parks_first(row, Awaiting::Turn, place) => {
                // It goes back in line when its poll returns.
                row.state.set(row.state.get().rewake());
            }
            _ => this.give_way_otherwise(cx, place)?,
        }
        this.yielded = true;
        Poll::Pending
    }
}

impl YieldNow {
    /// Where there is more to it: a request is pending, or it is not the first to park, or a combinator polls it.
    #[cold]
    #[inline(never)]
    fn give_way_otherwise(&mut self, cx: &mut Context<'_>, place: &'static Location<'static>) -> Result<()> {
        self.leaf.park_at(cx, Awaiting::Turn, place)?;
        cx.waker().wake_by_ref();
        Ok(())
    }
}
