//! Foreign futures, made cancellable.
//!
//! A future that homing did not write has no channel for `Cancelled`. Awaited as it is, it is dropped by the innermost
//! scope around it (a timeout, a group's body, the task itself) when a request passes by, and everything up to that scope
//! with it. With [`cancellable`](Cancellable::cancellable) the request comes out of the await itself, as from any of
//! homing's own.

use super::{Awaiting, Leaf};
use crate::error::Result;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Gives any future a way to be cancelled.
pub trait Cancellable: Future + Sized {
    /// The same future, which returns `Err(Cancelled)` when the task is cancelled while it stands here. Its own output
    /// comes in `Ok`.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::error::Cancelled).
    ///
    /// # Cancel safety
    ///
    /// The inner future is dropped together with this one, not before. What it may have been handed by then is its own
    /// affair: see its documentation on dropping it.
    ///
    /// # asyncio
    ///
    /// Nothing: there every await can be interrupted (NC-3).
    ///
    /// ```
    /// use homing::cancel::Cancellable;
    ///
    /// homing::run(async {
    ///     let task = homing::spawn(async {
    ///         let waited = std::future::pending::<()>().cancellable().await;
    ///         assert!(waited.unwrap_err().is_cancelled());
    ///         Ok("cleaned up")
    ///     });
    ///     homing::yield_now().await?;
    ///     task.cancel();
    ///     assert_eq!(task.await?, "cleaned up");
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    #[track_caller]
    fn cancellable(self) -> WithCancel<Self> {
        WithCancel { future: self, leaf: Leaf::new() }
    }
}

impl<F: Future> Cancellable for F {}

/// The future of [`Cancellable::cancellable`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct WithCancel<F> {
    /// Pinned with the whole.
    future: F,
    /// Not pinned.
    leaf: Leaf,
}

impl<F: Future> Future for WithCancel<F> {
    type Output = Result<F::Output>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: `future` is pinned with the whole and never moved out of it (the type has no destructor of its own, and
        // is `Unpin` only if `F` is); `leaf` is never pinned.
        let (future, leaf) = unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut this.future), &mut this.leaf)
        };
        leaf.resume()?;
        if let Poll::Ready(output) = future.poll(cx) {
            leaf.unpark();
            return Poll::Ready(Ok(output));
        }
        leaf.park(cx, Awaiting::Foreign)?;
        Poll::Pending
    }
}
