//! Giving way.

use crate::cancel::{Awaiting, Leaf};
use crate::error::Result;
use crate::waker;
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

    #[track_caller]
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        this.leaf.resume()?;
        if this.yielded {
            this.leaf.unpark();
            return Poll::Ready(Ok(()));
        }
        this.leaf.park(cx, Awaiting::Turn)?;
        this.yielded = true;
        waker::wake_self(cx.waker());
        Poll::Pending
    }
}
