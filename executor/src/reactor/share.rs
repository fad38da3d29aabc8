//! The share: how much I/O a task may do in one poll.
//!
//! A socket whose peer is fast enough is ready whenever it is asked. The task that reads it would never suspend, and
//! nobody else would have a turn; nor could it be cancelled. So after a number of operations in one poll the next one
//! suspends the task although it is ready, and the task goes on in the next turn.

use crate::runtime::core::Core;
use std::cell::Cell;

/// Operations of one task in one poll. About as long as other tasks wait for theirs: with large buffers each takes some
/// ten microseconds, with small ones less than one.
const OPERATIONS: u32 = 64;

/// Whose poll it is, and what it has had of its share.
#[derive(Debug, Default)]
pub(crate) struct IoShare {
    task: Cell<u64>,
    poll: Cell<u32>,
    operations: Cell<u32>,
}

/// Whether the task may go on.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    Left,
    UsedUp,
}

impl IoShare {
    /// The task that is being polled is about to do an operation. Outside of tasks everybody may do as he likes.
    #[inline]
    pub(crate) fn draw(core: &Core) -> Share {
        let Some(row) = core.current.get() else { return Share::Left };
        let share = &core.io_share;
        if share.task.get() != row.id() || share.poll.get() != row.polls.get() {
            share.task.set(row.id());
            share.poll.set(row.polls.get());
            share.operations.set(0);
        }
        if share.operations.get() == OPERATIONS {
            core.look_soon();
            return Share::UsedUp;
        }
        share.operations.set(share.operations.get() + 1);
        Share::Left
    }
}
