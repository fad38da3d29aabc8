//! The share: how much I/O a task may do in one poll.
//!
//! A socket whose peer is fast enough is ready whenever it is asked. The task that reads it would never suspend, and
//! nobody else would have a turn; nor could it be cancelled. So after a number of operations in one poll the next one
//! suspends the task although it is ready, and the task goes on in the next turn.

use std::cell::Cell;

/// Operations in one poll. It is about as long as other tasks wait for theirs: with large buffers each operation takes
/// some ten microseconds, with small ones less than one.
const OPERATIONS: u32 = 64;

/// What is left for the poll that is under way. Tasks that are started eagerly within it draw on the same share.
#[derive(Debug, Default)]
pub(crate) struct IoShare {
    left: Cell<u32>,
}

/// Whether the task may go on.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    Left,
    UsedUp,
}

impl IoShare {
    /// A poll begins.
    #[inline(always)]
    pub(crate) fn renew(&self) {
        self.left.set(OPERATIONS);
    }

    /// The task is about to do an operation.
    #[inline]
    pub(crate) fn draw(&self) -> Share {
        match self.left.get() {
            0 => Share::UsedUp,
            left => {
                self.left.set(left - 1);
                Share::Left
            }
        }
    }
}
