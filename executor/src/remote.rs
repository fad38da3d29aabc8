//! What other threads may touch: how a wake crosses from one thread to another.
//!
//! A runtime belongs to one thread, but its wakers may be anywhere, and may outlive it. All that a foreign thread
//! ever sees of a runtime are the two types of this file: a [`RowWord`], one in each row, and the [`Outpost`] of the
//! runtime that owns the row. Neither is ever freed (rows and outposts are recycled, never given back), so a waker
//! that is kept for too long finds memory that is stale, but never memory that is gone.
//!
//! ```text
//!   another thread                                     the runtime's thread
//!   wake(id)
//!     outpost = row's owner
//!     word: id ──CAS──► id|1     already id|1: done
//!           other id: stale, done
//!     outpost.inbox ◄── push id                        drain: pop id
//!     fence                                              word &= !1   (a read-modify-write)
//!     outpost.asleep? ring the bell ─────────────────►   id current, and so the row mine: wake it here
//! ```
//!
//! The word holds the row's *generation* beside the queued bit, and that is the heart of it: with a bare bit, a stale
//! waker could set the bit of a row that has been recycled into another runtime. Its message would go to the wrong
//! inbox, and the bit would swallow every later wake. Here such a waker's compare-and-swap fails.
//!
//! The whole file is model-checked with loom (`executor/tests/loom_remote.rs`), which includes it as it stands.

use super::sync::{AtomicBool, AtomicPtr, AtomicU64, Ordering, Queue, fence, overwrite};

/// The bit of a [`RowWord`] that says: this row is in its owner's inbox.
const QUEUED: u64 = 1;

/// The row's identity, as other threads see it: its id (generation and index, bit 0 clear) and the queued bit.
///
/// Invariant (queued-means-sent): the bit is set exactly from a remote wake until its message is drained, or until
/// the generation ends, whichever comes first.
#[derive(Debug)]
pub(crate) struct RowWord(AtomicU64);

impl RowWord {
    // Rows are born zeroed, in whole pages: only the model check makes words one by one.
    #[cfg_attr(not(loom), expect(dead_code))]
    pub(crate) fn new(id: u64) -> Self {
        debug_assert_eq!(id & QUEUED, 0);
        RowWord(AtomicU64::new(id))
    }

    /// The current id. On the owner's thread it is exact: nobody else changes it.
    #[inline(always)]
    pub(crate) fn id(&self) -> u64 {
        self.0.load(Ordering::Relaxed) & !QUEUED
    }

    /// Ends one generation and begins the next. Owner's thread only.
    ///
    /// A plain store, though other threads compare-and-swap this word: whichever comes first in the word's
    /// modification order, nothing is lost. A swap before the store marks a generation that ends here (its message
    /// will be found stale), one after it fails. Nobody needs to *read* what the store overwrites.
    #[inline(always)]
    pub(crate) fn renew(&self, id: u64) {
        debug_assert_eq!(id & QUEUED, 0);
        overwrite(&self.0, id);
    }

    /// Another thread wakes generation `id`.
    pub(crate) fn mark(&self, id: u64) -> Mark {
        let mut expected = id;
        loop {
            // Also when the bit is already set this must be a read-modify-write that releases: the drain, which
            // clears the bit, then synchronises with this thread too, and the poll sees what was written before the wake.
            match self.0.compare_exchange_weak(expected, id | QUEUED, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(word) if word & QUEUED == 0 => return Mark::Send,
                Ok(_) => return Mark::AlreadySent,
                Err(word) if word & !QUEUED != id => return Mark::Stale,
                Err(word) => expected = word,
            }
        }
    }

    /// The owner takes the message for `id` out of its inbox. Says whether the generation is still current.
    #[must_use]
    pub(crate) fn unmark(&self, id: u64) -> bool {
        // A read-modify-write and not a store: it must acquire from *every* wake that found the bit set.
        // For a generation that is over there is no bit to clear: `renew` did.
        self.id() == id && self.0.fetch_and(!QUEUED, Ordering::AcqRel) & !QUEUED == id
    }
}

/// What came of a remote wake's try to mark the row.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The bit was clear: the caller sends the message.
    Send,
    /// An earlier wake's message is still on its way, and stands for this one too.
    AlreadySent,
    /// The task is over.
    Stale,
}

/// The face that a runtime shows to other threads: an inbox for wakes, and a bell for when it sleeps.
///
/// Outposts are made once, never freed, and used by one runtime after the other. A late message or ring for a former
/// user costs the present one a look, no more.
pub(crate) struct Outpost<Bell, Home> {
    inbox: Queue<u64>,
    asleep: AtomicBool,
    /// What rings, once the runtime has something to be woken from. See [`Outpost::ring_if_asleep`].
    pub(crate) bell: Bell,
    /// The runtime itself, for its own thread; null while nobody uses the outpost.
    home: AtomicPtr<Home>,
}

impl<Bell, Home> Outpost<Bell, Home> {
    pub(crate) fn new(bell: Bell) -> Self {
        Outpost {
            inbox: Queue::new(),
            asleep: AtomicBool::new(false),
            bell,
            home: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    /// Where in it the runtime is told, for who reads it from outside.
    #[cfg_attr(loom, expect(dead_code))]
    pub(crate) const HOME: usize = std::mem::offset_of!(Self, home);

    pub(crate) fn home(&self) -> *const Home {
        self.home.load(Ordering::Relaxed)
    }

    pub(crate) fn set_home(&self, home: *const Home) {
        self.home.store(home.cast_mut(), Ordering::Relaxed);
    }

    /// Another thread sends a wake, after [`RowWord::mark`] said so. The caller rings the bell if told to.
    pub(crate) fn send(&self, id: u64) -> Ring {
        self.inbox.push(id);
        self.ring_if_asleep()
    }

    /// For any message that was just made visible to the runtime: does it have to be rung for?
    pub(crate) fn ring_if_asleep(&self) -> Ring {
        // Pairs with the fence in `fall_asleep`. Either that thread sees the message after its fence, or this one
        // sees `asleep` after its own.
        fence(Ordering::SeqCst);
        // The swap lets one of many concurrent wakers ring: one system call however many messages.
        if self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::AcqRel) {
            Ring::Now
        } else {
            Ring::NotNeeded
        }
    }

    /// The owner is about to block in the kernel. It must look at its inbox once more after this.
    pub(crate) fn fall_asleep(&self) {
        // A swap where a store would do, here and in `wake_up`: the model check does not put a store behind another
        // thread's swap in the flag's modification order. It costs nothing next to the system call that follows.
        self.asleep.swap(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// The owner is awake again.
    pub(crate) fn wake_up(&self) {
        self.asleep.swap(false, Ordering::Relaxed);
    }

    /// Owner's thread only.
    pub(crate) fn receive(&self) -> Option<u64> {
        self.inbox.pop()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.inbox.is_empty()
    }
}

/// Whether a sender has to ring the bell.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ring {
    Now,
    NotNeeded,
}
