//! The runtime's outposts: where they come from, and their bell.
//!
//! An [`Outpost`] must never be freed (see [`remote`](crate::remote)), so a runtime that ends gives its own back for
//! the next one. What costs the operating system something, the bell with its descriptor, is closed at that moment.

use crate::outside::{Field, thread_id};
use crate::remote::{Outpost, Ring};
use crate::runtime::core::Core;
use crate::task::pages::HomePage;
use std::mem::offset_of;
use std::ptr;
#[cfg(all(target_os = "linux", not(homing_portable)))]
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

pub(crate) type RuntimeOutpost = Outpost<Bell, Core>;

/// The one that was given back last, for whoever needs one next: where runtimes are built and dropped in turn, nobody locks
/// anything.
static LAST: AtomicPtr<RuntimeOutpost> = AtomicPtr::new(ptr::null_mut());
/// The others that nobody uses.
static SPARE: Mutex<Vec<&'static RuntimeOutpost>> = Mutex::new(Vec::new());

/// What gets a runtime out of the kernel: there once its reactor is.
///
/// Behind a lock, because the runtime may take it away at the moment in which another thread rings. Nobody ever waits
/// for long: ringing is one system call, and happens only while the runtime sleeps.
#[derive(Default)]
pub(crate) struct Bell {
    waker: Mutex<Option<Arc<mio::Waker>>>,
    entry: Entry,
    pub(crate) page: HomePage,
}

/// The outpost's entry in the list of all of them, by which another process finds the runtimes.
#[derive(Default)]
struct Entry {
    /// The thread of the runtime that uses it, or was the last to.
    thread: AtomicU64,
    next: AtomicPtr<RuntimeOutpost>,
}

/// All outposts that there ever were, the latest first.
pub(crate) static FIRST: AtomicPtr<RuntimeOutpost> = AtomicPtr::new(ptr::null_mut());

pub(crate) const FIELDS: [Field; 4] = [
    Field::new("runtime", 0, size_of::<RuntimeOutpost>()),
    // Null while nobody uses it.
    Field::new("runtime.core", RuntimeOutpost::HOME, size_of::<usize>()),
    Field::new("runtime.thread", offset_of!(RuntimeOutpost, bell.entry.thread), 8),
    Field::new("runtime.next", offset_of!(RuntimeOutpost, bell.entry.next), size_of::<usize>()),
];

/// What another process is told of an outpost, as a copy, alone in its list.
#[cfg(all(target_os = "linux", not(homing_portable)))]
pub(crate) struct Image([AtomicUsize; size_of::<RuntimeOutpost>() / size_of::<usize>()]);

#[cfg(all(target_os = "linux", not(homing_portable)))]
impl Image {
    pub(crate) fn tell(&self, outpost: &RuntimeOutpost, core: usize) {
        let words = [
            (RuntimeOutpost::HOME, core),
            (
                offset_of!(RuntimeOutpost, bell.entry.thread),
                outpost.bell.entry.thread.load(Ordering::Relaxed) as usize,
            ),
            (offset_of!(RuntimeOutpost, bell.entry.next), 0),
        ];
        for (offset, word) in words {
            self.0[offset / size_of::<usize>()].store(word, Ordering::Relaxed);
        }
    }
}

impl Bell {
    pub(crate) fn hang(&self, waker: Option<Arc<mio::Waker>>) {
        *self.waker.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = waker;
    }

    fn ring(&self) {
        let waker = self.waker.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
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

    /// There is nothing left that its runtime would have to be got out of. (Without a bell, none falls asleep.)
    pub(crate) fn take_down_bell(&self) {
        self.wake_up();
        self.bell.hang(None);
    }
}

/// An outpost that nobody uses.
pub(crate) fn check_out() -> &'static RuntimeOutpost {
    let outpost = exchange_last(None).unwrap_or_else(spare);
    outpost.bell.entry.thread.store(thread_id(), Ordering::Relaxed);
    outpost
}

/// Puts an outpost in the place of the one that was given back last, which is the caller's then.
fn exchange_last(outpost: Option<&'static RuntimeOutpost>) -> Option<&'static RuntimeOutpost> {
    let own = outpost.map_or(ptr::null(), ptr::from_ref).cast_mut();
    // What its last user did to it comes first.
    let former = LAST.swap(own, Ordering::AcqRel);
    // SAFETY: null, or one that was given to this very function. They are never freed.
    unsafe { former.as_ref() }
}

#[cold]
fn spare() -> &'static RuntimeOutpost {
    let spare = SPARE.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).pop();
    spare.unwrap_or_else(establish)
}

#[cold]
fn make_spare(outpost: &'static RuntimeOutpost) {
    SPARE.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(outpost);
}

/// A new one, in the list.
fn establish() -> &'static RuntimeOutpost {
    let outpost: &'static RuntimeOutpost = Box::leak(Box::new(Outpost::new(Bell::default())));
    let mut first = FIRST.load(Ordering::Relaxed);
    loop {
        outpost.bell.entry.next.store(first, Ordering::Relaxed);
        let own = ptr::from_ref(outpost).cast_mut();
        match FIRST.compare_exchange_weak(first, own, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => return outpost,
            Err(other) => first = other,
        }
    }
}

/// Gives back one whose bell has been taken down, if it had any.
pub(crate) fn check_in(outpost: &'static RuntimeOutpost) {
    outpost.set_home(ptr::null());
    // What is left in the inbox is stale; so is what may still come. The next user finds that out one by one.
    while !outpost.is_empty() && outpost.receive().is_some() {}
    exchange_last(Some(outpost)).into_iter().for_each(make_spare);
}
