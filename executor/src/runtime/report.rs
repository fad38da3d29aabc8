//! The way of all reports: to the hook, whatever that does.

use super::core::Core;
use crate::hook::{self, Unhandled};
use std::panic::{AssertUnwindSafe, catch_unwind};

impl Core {
    /// Calls the hook for unhandled errors. Should it panic, what it was given is printed.
    #[cold]
    pub(crate) fn report(&self, unhandled: Unhandled) {
        let call = AssertUnwindSafe(|| (self.hook)(&unhandled));
        if let Err(payload) = catch_unwind(call) {
            hook::print(&unhandled);
            discard(payload);
        }
        discard(unhandled);
    }
}

/// Drops what has been reported. If its destructor panics, there is nobody left to tell.
fn discard(reported: impl Sized) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(reported))) {
        // Nor is there an end to destructors that panic.
        std::mem::forget(payload);
    }
}
