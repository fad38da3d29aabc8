//! The atomics that the cross-thread protocols are written with.
//!
//! Those ([`remote`](crate::remote), and what a signal's handler looks at) are also compiled into a model check, where this module's place is taken
//! by one that names loom's types. Hence one short list, and no direct use of `std::sync::atomic` over there.

pub(crate) use crossbeam_queue::SegQueue as Queue;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering, fence};
#[cfg(unix)]
pub(crate) use std::sync::atomic::{AtomicI32, AtomicU32, AtomicUsize};
#[cfg(unix)]
pub(crate) use std::thread::yield_now;

/// Stores a value that nobody needs to see at once, over whatever other threads may have made of the last one.
///
/// The model check has a swap in its place: it knows no rule by which a store comes after the read-modify-write of
/// another thread that read what was there before. (There is one: nothing comes between a read-modify-write and the
/// value it has read.) Here a store is enough, and costs no locked instruction for each task that ends.
#[inline(always)]
pub(crate) fn overwrite(word: &AtomicU64, value: u64) {
    word.store(value, Ordering::Relaxed);
}
