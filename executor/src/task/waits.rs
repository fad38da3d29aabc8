//! All that a task waits for: what its row records, and what its nodes do.
//!
//! ```text
//!   row.awaiting ──► the first leaf that parked in the last poll
//!   extras.nodes ──► further ones (`join!`, `select!`); those of combinators with wakers of their own; lists of tasks
//! ```
//!
//! None of it is stale. A leaf's record goes when the leaf ends or is dropped, and what is polled with the task's own waker
//! is recorded anew in every poll. So the one thing that may be shown without being waited for is a leaf that was let go by
//! reference (`select!` on `&mut nap`), and kept; and that until the task is polled again.

use super::row::{AwaitKind, Row, Wait};
use crate::cancel::AwaitedTasks;

/// How many leaves are parked that are only counted: too many had parked in one poll.
pub(crate) fn unseen(row: &Row) -> usize {
    let mut seen = 0;
    if let Some(extras) = row.extras() {
        let recorded = row.awaiting.get();
        extras.nodes.for_each(|node| {
            let beside = node.poll == row.polls.get() && (node.tasks.is_none() || node.wait != recorded);
            seen += usize::from(beside);
        });
    }
    usize::from(row.awaiting.more()).saturating_sub(seen)
}

/// Calls `f` with everything that a task waits for, in the order of parking as far as it is known; several tasks come with
/// their list.
pub(crate) fn for_each(row: &Row, mut f: impl FnMut(Wait, Option<&AwaitedTasks>)) {
    if !row.state.get().is_alive() {
        return;
    }
    let recorded = row.awaiting.get();
    match recorded.kind {
        // What has a list has a node.
        AwaitKind::Nothing | AwaitKind::Request | AwaitKind::Tasks => {}
        _ => f(recorded, None),
    }
    if let Some(extras) = row.extras() {
        extras.nodes.for_each(|node| {
            if node.stands(row) {
                f(node.wait, node.tasks.as_ref());
            }
        });
    }
}
