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
    pub(crate) fn new(core: Box<Core>) -> OwnedCore {
        OwnedCore(NonNull::from(Box::leak(core)))
    }
}

impl Deref for OwnedCore {
    type Target = Core;

    #[inline]
    fn deref(&self) -> &Core {
        // SAFETY: it comes from a box, and is freed by the drop of this, or after it.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for OwnedCore {
    fn drop(&mut self) {
        if self.tenancy.guests.get() == 0 {
            // SAFETY: it comes from a box, and there is no guest that would drop it too.
            drop(unsafe { Box::from_raw(self.0.as_ptr()) });
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
            // SAFETY: it comes from the box of an `OwnedCore`, which is gone and has left it to the last guest. References
            // to it further up on the stack are not used any more: whoever calls something inside a runtime from
            // elsewhere does nothing with that runtime afterwards, or asks a row's generation first. (That they still
            // exist is no matter: a reference to something with cells in it need not outlast its last use.)
            drop(unsafe { Box::from_raw(core.as_ptr()) });
        }
    }
}
