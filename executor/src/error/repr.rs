//! The word: an `Error` is one pointer, and two bits of it say what it points to.
//!
//! Most errors that a busy program sees are cancellations, and most of those carry nothing, or the place where
//! somebody asked. These two must cost no allocation, so they live in the pointer itself:
//!
//! ```text
//!   63                             2 1 0
//!  ┌────────────────────────────────┬───┐
//!  │                              0 │ 01│  bare    a Cancelled and nothing else
//!  │ &'static Location              │ 10│  at      a Cancelled, and the place of whoever asked
//!  │ Arc<Body>                      │ 00│  shared  everything else, and every error with a story
//!  └────────────────────────────────┴───┘
//!    never all zero, so `Result<(), Error>` is one word too
//! ```
//!
//! This is the only file of the module with `unsafe` in it. It promises two things to the others: that a word is read
//! back as what it was made from, and that a reference to an [`Error`] can be had as a reference to one of its
//! [`View`]s. What the word *means* is their business.

use super::body::Body;
use super::{Cancelled, Error, ExceptionGroup};
use std::mem::{ManuallyDrop, align_of};
use std::panic::Location;
use std::ptr::{self, NonNull};
use std::sync::Arc;

const TAG: usize = 0b11;
const SHARED: usize = 0b00;
const BARE: usize = 0b01;
const AT: usize = 0b10;

// Both kinds of pointer leave the two low bits free. On every target: a `Body` holds pointers, a `Location` holds `u32`s.
const _: () = assert!(align_of::<Body>() > TAG && align_of::<Location<'static>>() > TAG);

/// The tagged pointer. Invariant (tagged): the tag tells the origin of the rest of the word, as in the picture above,
/// and a word tagged `SHARED` owns one strong count of its `Arc`.
pub(super) struct Repr(NonNull<()>);

/// What a [`Repr`] holds, for reading.
pub(super) enum Word<'a> {
    Bare,
    At(&'static Location<'static>),
    Shared(&'a Body),
}

impl Repr {
    pub(super) const fn bare() -> Self {
        // A number dressed up as a pointer: it has no provenance, and nobody follows it.
        Repr(NonNull::new(ptr::without_provenance_mut(BARE)).unwrap())
    }

    pub(super) fn at(place: &'static Location<'static>) -> Self {
        Repr(NonNull::from(place).cast::<()>().map_addr(|address| address | AT))
    }

    pub(super) fn shared(body: Arc<Body>) -> Self {
        let pointer = Arc::into_raw(body).cast_mut().cast::<()>();
        Repr(NonNull::new(pointer).expect("an Arc is never null"))
    }

    fn tag(&self) -> usize {
        self.0.addr().get() & TAG
    }

    pub(super) fn read(&self) -> Word<'_> {
        match self.tag() {
            BARE => Word::Bare,
            AT => {
                let place = self.0.as_ptr().map_addr(|address| address & !TAG).cast::<Location<'static>>();
                // SAFETY: (tagged) `at` made this word out of a `&'static Location`, and `map_addr` has kept the
                // provenance of that reference while the tag came and went.
                Word::At(unsafe { &*place })
            }
            _ => {
                debug_assert_eq!(self.tag(), SHARED);
                // SAFETY: (tagged) the word owns a strong count, so the `Body` lives at least as long as `self` is
                // borrowed; and nobody has it mutably, since an `Arc` gives that out to a sole owner only.
                Word::Shared(unsafe { self.0.cast::<Body>().as_ref() })
            }
        }
    }

    /// Gives the `Arc` out, with the count that the word owned; or the word back, if it has no `Arc`.
    pub(super) fn into_shared(self) -> Result<Arc<Body>, Repr> {
        if self.tag() != SHARED {
            return Err(self);
        }
        let word = ManuallyDrop::new(self);
        // SAFETY: (tagged) the pointer came from `Arc::into_raw`, and `word` is never dropped, so its count changes
        // hands here.
        Ok(unsafe { Arc::from_raw(word.0.as_ptr().cast::<Body>()) })
    }

    /// Whether both are one and the same. Words without an `Arc` are the same if they say the same.
    pub(super) fn ptr_eq(&self, other: &Repr) -> bool {
        self.0 == other.0
    }

    /// The word as a number: equal for two words exactly if they are `ptr_eq`, as long as both are alive.
    pub(super) fn address(&self) -> usize {
        self.0.addr().get()
    }
}

impl Clone for Repr {
    fn clone(&self) -> Self {
        if self.tag() == SHARED {
            // SAFETY: (tagged) the pointer came from `Arc::into_raw`, and the count that the word owns keeps the
            // `Arc` alive meanwhile. The new count is owned by the copy made below.
            unsafe { Arc::increment_strong_count(self.0.as_ptr().cast::<Body>()) };
        }
        Repr(self.0)
    }
}

impl Drop for Repr {
    fn drop(&mut self) {
        if self.tag() == SHARED {
            // SAFETY: (tagged) the pointer came from `Arc::into_raw`, and the count that the word owns is given back
            // exactly once: the word itself ends here.
            drop(unsafe { Arc::from_raw(self.0.as_ptr().cast::<Body>()) });
        }
    }
}

// An `Arc<Body>` may be sent and shared if its `Body` may: this is checked here, so that the two impls below cannot
// outlive their reason.
const _: fn() = || {
    fn send_and_sync<T: Send + Sync>() {}
    send_and_sync::<Arc<Body>>();
    send_and_sync::<&'static Location<'static>>();
};

// SAFETY: the word is a number, a `&'static Location` or an `Arc<Body>`, and each of these is `Send`.
unsafe impl Send for Repr {}
// SAFETY: the word is a number, a `&'static Location` or an `Arc<Body>`, and each of these is `Sync`.
unsafe impl Sync for Repr {}

/// A type that *is* an [`Error`], seen from another side: [`Cancelled`] from that of its causes, [`ExceptionGroup`]
/// from that of its members. Whoever holds an `Error` of that kind can have it as such without copying anything.
///
/// # Safety
/// `Self` is `#[repr(transparent)]` over an `Error`. (That the error is of the right kind is a matter of sense and not
/// of safety; the callers of [`view`] check it.)
pub(super) unsafe trait View {}

// SAFETY: declared `#[repr(transparent)]`, with an `Error` as its only field.
unsafe impl View for Cancelled {}
// SAFETY: declared `#[repr(transparent)]`, with an `Error` as its only field.
unsafe impl View for ExceptionGroup {}

/// `error` from another side.
pub(super) fn view<V: View>(error: &Error) -> &V {
    // SAFETY: a `View` has the layout of an `Error`, and the reference lives as long as before.
    unsafe { &*ptr::from_ref(error).cast::<V>() }
}
