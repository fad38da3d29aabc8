//! The atomics that the cross-thread protocol is written with.
//!
//! The protocol ([`remote`](crate::remote)) is also compiled into a model check, where this module's place is taken
//! by one that names loom's types. Hence one short list, and no direct use of `std::sync::atomic` over there.

pub(crate) use crossbeam_queue::SegQueue as Queue;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering, fence};
