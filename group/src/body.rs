//! A body: the closure that a block was given, then the future that it gives.
//!
//! The closure is called with a reference to its block's handle, and the future keeps that reference; so the
//! handle has to lie beside the future, and stay there. An `async` block would see to that, but it keeps room
//! for what it has captured as long as it lives, so that whatever the closure captures would be in it twice:
//! once in the closure, which is gone, and once in the future.
//!
//! ```text
//!   before the first poll      from then on
//!   ┌─────────┬────────┐       ┌────────────────┬────────┐
//!   │ closure │ handle │  ──►  │ future ──&──────► handle │
//!   └─────────┴────────┘       └────────────────┴────────┘
//! ```
#![allow(unsafe_code)]

use std::marker::PhantomPinned;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A future that calls `body` with its handle when it is first polled, and is what that gives from then on.
///
/// The call belongs to the first poll: what it does, be it a spawn or a panic, is the body's doing.
pub(crate) fn call<H: 'static, F, R>(handle: H, body: F) -> impl Future<Output = R>
where
    F: AsyncFnOnce(&H) -> R,
{
    // SAFETY: `F` takes a reference of any lifetime, and what it gives names none; so it cannot tell that
    // this one is said to last for ever, nor keep it anywhere that outlives its future.
    unsafe { Body::new(handle, move |handle: &'static H| body(handle)) }
}

struct Body<H, C, F> {
    /// Before the handle: it is dropped first.
    stage: Stage<C, F>,
    /// Invariant (stays-put): borrowed by the future, and neither moved nor changed once that is there.
    handle: H,
    _pinned: PhantomPinned,
}

enum Stage<C, F> {
    /// Not pinned.
    NotCalled(C),
    /// Pinned with the whole.
    Called(F),
    /// The call has panicked.
    Gone,
}

impl<H, C, F> Body<H, C, F> {
    /// # Safety
    ///
    /// What `call` is given lasts only as long as the future that it gives, whatever its type says: `call`
    /// must be such that it would work for any lifetime.
    unsafe fn new(handle: H, call: C) -> Self
    where
        C: FnOnce(&'static H) -> F,
        H: 'static,
    {
        Body { stage: Stage::NotCalled(call), handle, _pinned: PhantomPinned }
    }
}

impl<H, C, F> Future for Body<H, C, F>
where
    H: 'static,
    C: FnOnce(&'static H) -> F,
    F: Future,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: nothing that is pinned is moved out of it: the closure is not, and the future stays where
        // it is.
        let this = unsafe { self.get_unchecked_mut() };
        if let Stage::NotCalled(_) = this.stage
            && let Stage::NotCalled(call) = std::mem::replace(&mut this.stage, Stage::Gone)
        {
            // SAFETY: stays-put. The handle is part of a pinned value, and so is there until that is dropped,
            // the future before the handle. The lifetime is as the caller of `new` has promised for.
            let handle: &'static H = unsafe { &*std::ptr::from_ref(&this.handle) };
            this.stage = Stage::Called(call(handle));
        }
        match &mut this.stage {
            // SAFETY: it is pinned with the whole.
            Stage::Called(future) => unsafe { Pin::new_unchecked(future) }.poll(cx),
            Stage::NotCalled(_) | Stage::Gone => panic!("a body was polled after its call had panicked"),
        }
    }
}
