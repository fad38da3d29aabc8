//! Ears: how a handler finds those who listen, and how one of them goes without being written to once more.
//!
//! A handler may run on any thread, in the middle of anything, so it takes no lock and no memory. Ears are in a list that only
//! grows; they are recycled, never freed. What an ear leads to, a pipe, must not be closed while a handler may write to it:
//!
//! ```text
//!   the handler                          who closes an ear
//!   running + 1                          ear: listens to nothing
//!   fence ◄──────── either one sees ───► fence
//!   ear listens to this signal?          running = 0?  no: wait, it is not long
//!     yes: write to its pipe             yes: no handler has seen the ear, or will: the pipe may be closed
//!   running − 1
//! ```
//!
//! The whole file is model-checked with loom (`executor/tests/loom_ears.rs`), which includes it as it stands.

use super::sync::{AtomicI32, AtomicPtr, AtomicU32, AtomicUsize, Ordering, fence, yield_now};

/// A listener, as the handler knows it.
pub(crate) struct Ear {
    /// What it listens to; 0 for nothing: then it can be had.
    signal: AtomicI32,
    came: AtomicU32,
    /// The pipe's end for the handler.
    wake: AtomicI32,
    next: AtomicPtr<Ear>,
}

impl Ear {
    /// How often its signal has come since it was opened, modulo 2³².
    pub(crate) fn came(&self) -> u32 {
        self.came.load(Ordering::Acquire)
    }
}

/// All ears there ever were, and the handlers that are looking at them. (Made where they are: the model check's atomics cannot
/// be made by a constant function, which a `static` needs.)
pub(crate) struct Ears {
    /// Null at first.
    pub(crate) first: AtomicPtr<Ear>,
    /// How many handlers are looking; zero at first.
    pub(crate) running: AtomicUsize,
}

impl Ears {
    /// An ear that listens to this signal from now on. One at a time: the caller holds the lock under which they are opened.
    pub(crate) fn open(&self, signal: i32, wake: i32) -> &'static Ear {
        let ear = self.free_ear();
        ear.came.store(0, Ordering::Relaxed);
        ear.wake.store(wake, Ordering::Relaxed);
        ear.signal.store(signal, Ordering::Release);
        ear
    }

    fn free_ear(&self) -> &'static Ear {
        let mut next = self.first.load(Ordering::Relaxed);
        // SAFETY: ears are never freed.
        while let Some(ear) = unsafe { next.as_ref() } {
            if ear.signal.load(Ordering::Relaxed) == 0 {
                return ear;
            }
            next = ear.next.load(Ordering::Relaxed);
        }
        let ear = Box::leak(Box::new(Ear {
            signal: AtomicI32::new(0),
            came: AtomicU32::new(0),
            wake: AtomicI32::new(-1),
            next: AtomicPtr::new(self.first.load(Ordering::Relaxed)),
        }));
        self.first.store(ear, Ordering::Release);
        ear
    }

    /// Ends it. When this returns, nobody writes to its pipe any more. Under the same lock.
    pub(crate) fn close(&self, ear: &'static Ear) {
        ear.signal.store(0, Ordering::Relaxed);
        self.wait_for_handlers();
    }

    /// Waits until no handler is running that may have seen what was there before this call.
    ///
    /// Such a one looks at a list and writes a few bytes. One that runs on this very thread has ended by the time this goes on.
    pub(crate) fn wait_for_handlers(&self) {
        // Pairs with the fence in `enter`: either that handler sees what the caller has stored before, or this thread sees
        // that it is running.
        fence(Ordering::SeqCst);
        // Acquires what handlers have done that have left.
        while self.running.load(Ordering::Acquire) > 0 {
            yield_now();
        }
    }

    /// A handler begins to look.
    pub(crate) fn enter(&self) -> Inside<'_> {
        self.running.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        Inside(self)
    }
}

/// A handler that is looking.
pub(crate) struct Inside<'a>(&'a Ears);

impl Inside<'_> {
    /// Counts a signal for everybody who listens to it, and has their pipes written to. Says whether there is anybody.
    pub(crate) fn tell(&self, signal: i32, write: impl Fn(i32)) -> bool {
        let mut is_heard = false;
        let mut next = self.0.first.load(Ordering::Acquire);
        // SAFETY: ears are never freed.
        while let Some(ear) = unsafe { next.as_ref() } {
            // Acquires what was stored when it was opened.
            if ear.signal.load(Ordering::Acquire) == signal {
                // Before the byte, of which the listener learns that there is something to be looked at.
                ear.came.fetch_add(1, Ordering::Release);
                write(ear.wake.load(Ordering::Relaxed));
                is_heard = true;
            }
            next = ear.next.load(Ordering::Acquire);
        }
        is_heard
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Release);
    }
}
