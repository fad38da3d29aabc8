//! A join whose outcome is unwrapped, for runtimes whose handles give a `Result`.
//!
//! An `async` block around the handle would do the same, but keep it twice, and move it from the one place to the other
//! at its first poll: work that is the adapter's and not the runtime's.

use std::pin::Pin;
use std::task::{Context, Poll};

/// The handle, and what to do with its outcome.
pub(super) struct Joined<H, M> {
    handle: H,
    unwrap: M,
}

impl<H: Future, M: Fn(H::Output)> Joined<H, M> {
    #[inline]
    pub(super) fn new(handle: H, unwrap: M) -> Joined<H, M> {
        Joined { handle, unwrap }
    }
}

impl<H: Future + Unpin, M: Fn(H::Output) + Unpin> Future for Joined<H, M> {
    type Output = ();

    // Always: in a program there would be no such function, but the handle's own, or what that has in line.
    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.handle).poll(cx).map(&self.unwrap)
    }
}
