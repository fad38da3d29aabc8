//! Who keeps a runtime's memory: its owner, and, if need be, the last of its guests.
//!
//! Code of the program's may run inside a runtime that nobody is running: a destructor, when a handle is dropped from
//! outside. It may drop anything, also the runtime itself. Then the runtime stays until that call has returned:
//!
//! ```text
//!   drop(task) ─► inside: a guest ─► the output's destructor ─► drop(runtime): forsaken, nothing happens yet
//!                 the guest leaves ◄────────────────────────────┘
//!                 and was the last: now the runtime is dropped
//! ```
//!
//! `block_on`, `turn` and their like borrow the runtime, so it cannot be dropped within those.

use super::core::Core;
use crate::black_box::Near;
use std::cell::Cell;
use std::fmt;
use std::ops::Deref;
use std::ptr::NonNull;

/// A core, owned. Dropped, it goes as soon as nobody is a guest in it.
pub(crate) struct OwnedCore(NonNull<Core>);

/// A core's part of it.
#[derive(Debug, Default)]
pub(crate) struct Tenancy {
    /// How many calls from outside there are on the stack.
    guests: Cell<u32>,
    /// The owner is gone, and has left its box to the last guest.
    forsaken: Cell<Option<NonNull<Core>>>,
}

impl OwnedCore {
    pub(crate) fn new(core: Near<Core>) -> OwnedCore {
        OwnedCore(core.into_raw())
    }
}

/// The end of a core, and of its black box, if it has one.
///
/// # Safety
///
/// It comes from an [`OwnedCore`], and nobody uses it any more.
unsafe fn end(core: NonNull<Core>) {
    // SAFETY: there it came from `into_raw`; each comes here once.
    let core = unsafe { Near::from_raw(core) };
    // It ends after everything in it.
    let _black_box = core.black_box.take();
    drop(core);
}

impl Deref for OwnedCore {
    type Target = Core;

    #[inline]
    fn deref(&self) -> &Core {
        // SAFETY: it is there until the drop of this, or longer.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for OwnedCore {
    fn drop(&mut self) {
        if self.tenancy.guests.get() == 0 {
            // SAFETY: it is owned by this, and there is no guest that would end it too.
            unsafe { end(self.0) };
        } else {
            self.tenancy.forsaken.set(Some(self.0));
        }
    }
}

impl fmt::Debug for OwnedCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Core::fmt(self, f)
    }
}

/// Somebody inside of a runtime that is not running.
pub(crate) struct Guest(NonNull<Core>);

impl Guest {
    pub(crate) fn enter(core: &Core) -> Guest {
        core.tenancy.guests.set(core.tenancy.guests.get() + 1);
        Guest(NonNull::from(core))
    }

    /// Whether the runtime has gone in the meantime, but for its memory.
    pub(crate) fn is_alone(&self) -> bool {
        self.tenancy().forsaken.get().is_some()
    }

    fn tenancy(&self) -> &Tenancy {
        // SAFETY: the core stays at least as long as its guests.
        unsafe { &self.0.as_ref().tenancy }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let guests = self.tenancy().guests.get() - 1;
        self.tenancy().guests.set(guests);
        if guests == 0
            && let Some(core) = self.tenancy().forsaken.get()
        {
            // SAFETY: it comes from an `OwnedCore`, which is gone and has left it to the last guest. References
            // to it further up on the stack are not used any more: whoever calls something inside a runtime from
            // elsewhere does nothing with that runtime afterwards, or asks a row's generation first. (That they still
            // exist is no matter: a reference to something with cells in it need not outlast its last use.)
            unsafe { end(core) };
        }
    }
}
