//! The runtime's outposts: where they come from, and their bell.
//!
//! An [`Outpost`] must never be freed (see [`remote`](crate::remote)), so a runtime that ends gives its own back for
//! the next one. What costs the operating system something, the bell with its descriptor, is closed at that moment.

use crate::remote::{Outpost, Ring};
use crate::runtime::core::Core;
use std::sync::{Arc, Mutex};

pub(crate) type RuntimeOutpost = Outpost<Bell, Core>;

static SPARE: Mutex<Vec<&'static RuntimeOutpost>> = Mutex::new(Vec::new());

/// What gets a runtime out of the kernel: there once its reactor is.
///
/// Behind a lock, because the runtime may take it away at the moment in which another thread rings. Nobody ever waits
/// for long: ringing is one system call, and happens only while the runtime sleeps.
#[derive(Default)]
pub(crate) struct Bell(Mutex<Option<Arc<mio::Waker>>>);

impl Bell {
    pub(crate) fn hang(&self, waker: Option<Arc<mio::Waker>>) {
        *self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = waker;
    }

    fn ring(&self) {
        let waker = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(waker) = waker.as_ref() {
            // It fails only if the descriptor is bad, and this one is ours and open.
            let rung = waker.wake();
            debug_assert!(rung.is_ok(), "ringing for a sleeping runtime: {rung:?}");
        }
    }
}

impl RuntimeOutpost {
    pub(crate) fn ring(&self, ring: Ring) {
        if ring == Ring::Now {
            self.bell.ring();
        }
    }
}

/// An outpost that nobody uses.
pub(crate) fn check_out() -> &'static RuntimeOutpost {
    let spare = SPARE.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).pop();
    spare.unwrap_or_else(|| Box::leak(Box::new(Outpost::new(Bell::default()))))
}

pub(crate) fn check_in(outpost: &'static RuntimeOutpost) {
    outpost.bell.hang(None);
    outpost.wake_up();
    outpost.set_home(std::ptr::null());
    // What is left in the inbox is stale; so is what may still come. The next user finds that out one by one.
    while outpost.receive().is_some() {}
    SPARE.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(outpost);
}
