//! What a queue refuses, and why.
//!
//! ```text
//!   put, get                QueueShutDown                   as the `Error` of the await
//!   put_nowait(item)        PutRefused::{Full, ShutDown}    with the item in it   ──?──► QueueFull, QueueShutDown
//!   get_nowait()            GetRefused::{Empty, ShutDown}                         ──?──► QueueEmpty, QueueShutDown
//!   task_done()             TaskDoneTooOften
//! ```
//!
//! The refusals are no `std::error::Error`s, so that they can have a way of their own into an [`Error`]: without the item,
//! which need be neither `Send` nor `'static`.

use homing_executor::error::Error;
use std::fmt;

/// The queue is full: `put` would have to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueFull;

/// There is no item in the queue, or none that is not kept for somebody: `get` would have to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueEmpty;

/// The queue was shut down: it takes no more items, and gives none when it is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueShutDown;

/// More items were said to be done than were put. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskDoneTooOften;

/// An item that could not be put at once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PutRefused<T> {
    /// The queue is full, or its free slots are kept for those who have waited.
    Full(T),
    /// The queue was shut down.
    ShutDown(T),
}

impl<T> PutRefused<T> {
    /// The item.
    pub fn into_item(self) -> T {
        match self {
            PutRefused::Full(item) | PutRefused::ShutDown(item) => item,
        }
    }

    /// Whether the queue is full, and not shut down.
    pub fn is_full(&self) -> bool {
        matches!(self, PutRefused::Full(_))
    }
}

/// Why no item could be had at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GetRefused {
    /// The queue is empty, or its items are kept for those who have waited.
    Empty,
    /// The queue was shut down, and is empty.
    ShutDown,
}

impl<T> From<PutRefused<T>> for Error {
    /// A [`QueueFull`] or [`QueueShutDown`]. The item is dropped.
    fn from(refused: PutRefused<T>) -> Error {
        match refused {
            PutRefused::Full(_) => QueueFull.into(),
            PutRefused::ShutDown(_) => QueueShutDown.into(),
        }
    }
}

impl From<GetRefused> for Error {
    /// A [`QueueEmpty`] or [`QueueShutDown`].
    fn from(refused: GetRefused) -> Error {
        match refused {
            GetRefused::Empty => QueueEmpty.into(),
            GetRefused::ShutDown => QueueShutDown.into(),
        }
    }
}

impl fmt::Display for QueueFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue is full; wait for a slot with `put`")
    }
}

impl fmt::Display for QueueEmpty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue is empty; wait for an item with `get`")
    }
}

impl fmt::Display for QueueShutDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue was shut down")
    }
}

impl fmt::Display for TaskDoneTooOften {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`task_done` was called more often than items were put")
    }
}

impl<T> fmt::Display for PutRefused<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PutRefused::Full(_) => QueueFull.fmt(f),
            PutRefused::ShutDown(_) => QueueShutDown.fmt(f),
        }
    }
}

impl fmt::Display for GetRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GetRefused::Empty => QueueEmpty.fmt(f),
            GetRefused::ShutDown => QueueShutDown.fmt(f),
        }
    }
}

impl<T> fmt::Debug for PutRefused<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_full() { "Full(..)" } else { "ShutDown(..)" })
    }
}

impl std::error::Error for QueueFull {}

impl std::error::Error for QueueEmpty {}

impl std::error::Error for QueueShutDown {}

impl std::error::Error for TaskDoneTooOften {}
