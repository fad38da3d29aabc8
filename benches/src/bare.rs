//! Futures polled by hand: what the limits are made of.
//!
//! A limit has no queue, no waker and no handle. It knows when a future can go on, polls it then, and that is
//! all.

use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// A future on the heap, of a type that the compiler may not look into.
pub(crate) type Boxed = Pin<Box<dyn Future<Output = ()>>>;

/// Puts a future where a task would be.
pub(crate) fn boxed(future: impl Future<Output = ()> + 'static) -> Boxed {
    black_box(Box::pin(future))
}

/// Polls once, with a waker that does nothing. Says whether the future is done.
pub(crate) fn poll(future: &mut Boxed) -> bool {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

/// Polls once a future that is not on the heap.
pub(crate) fn poll_pinned<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// One future of many that are pinned together.
pub(crate) fn element<F>(futures: Pin<&mut [F]>, index: usize) -> Pin<&mut F> {
    // SAFETY: the elements of a pinned slice are never moved: nothing here does, and the box drops them in
    // place.
    unsafe { futures.map_unchecked_mut(|futures| &mut futures[index]) }
}
