//! Who awaits a task, in one word of its row.
//!
//! ```text
//!   0                                   nobody
//!   generation (32) │ index (31) │ 0    the task with this id: woken as by its own waker
//!   node (32)       │ index (31) │ 1    a combinator (`FuturesUnordered`, `join_all`) in the task that has this row:
//!                                       its waker is kept in the node of the leaf that stands there
//! ```
//!
//! A handle that is awaited by several is a [`SharedTask`](super::SharedTask), and keeps them elsewhere.
//!
//! The word may be stale: the await was dropped, and the row and the node are another's by now. A node says for which task it
//! stands, so that is found out when the task ends, and nothing has to be taken back before.

use super::extras::{Node, NodeKind};
use super::life::wake_foreign;
use super::pages::row_of;
use super::row::{AwaitKind, Row};
use super::state::State;
use crate::runtime::core::Core;
use std::task::Waker;

const COMBINATOR: u64 = 1;

/// The word for a node of a task's.
#[inline(always)]
pub(crate) fn word(task: u64, node: u32) -> u64 {
    u64::from(node) << 32 | u64::from(task as u32) | COMBINATOR
}

impl Core {
    /// A task has ended: wakes who awaits it.
    #[inline(always)]
    pub(super) fn wake_joiner(&self, row: &Row) {
        let joiner = row.joiner.replace(0);
        if joiner == 0 {
            return;
        }
        if joiner & COMBINATOR != 0 {
            return wake_combinator(row, joiner);
        }
        self.wake_by_id(joiner);
    }
}

#[cold]
fn wake_combinator(ended: &Row, joiner: u64) {
    let node = (joiner >> 32) as u32;
    // Taken out in a statement of its own: the waker may be anybody's code.
    let waker = row_of(joiner & !COMBINATOR).extras().and_then(|extras| {
        extras.nodes.with(node, |node| node.joins(ended).then(|| node.take_waker()).flatten()).flatten()
    });
    waker.into_iter().for_each(wake_foreign);
}

/// A combinator that is polled in the task `task`, and has a node there, awaits the task in `row`.
#[cold]
pub(super) fn keep_combinator(row: &Row, task: &Row, node: u32, waker: &Waker) {
    let waker = waker.clone();
    let replaced =
        task.extras().and_then(|extras| extras.nodes.with(node, |node| node.keep_waker(waker)).flatten());
    row.joiner.set(word(task.id(), node));
    if row.state.get() == State::Done {
        // The waker may be anybody's code, and has ended the task while it was cloned.
        wake_combinator(row, row.joiner.replace(0));
    }
    // Last: it may be anybody's code.
    drop(replaced);
}

impl Node {
    /// Whether it stands for an await of this one task.
    fn joins(&self, awaited: &Row) -> bool {
        self.wait.kind == AwaitKind::Task && self.wait.operand == awaited.id()
    }

    fn take_waker(&mut self) -> Option<Waker> {
        match &mut self.kind {
            NodeKind::LinkedForwarding(waker) => waker.take(),
            _ => None,
        }
    }

    /// Keeps a waker, and returns the one that it had.
    fn keep_waker(&mut self, waker: Waker) -> Option<Waker> {
        match &mut self.kind {
            NodeKind::LinkedForwarding(kept) => kept.replace(waker),
            _ => Some(waker),
        }
    }
}
