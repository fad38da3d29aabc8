//! Locks: who holds what tasks wait for.
//!
//! ```text
//!   row.await.operand ──┐
//!                       ├──► board ──► [ task │ place │ permits │ hold ] × 3        one for each lock, however many wait
//!   node.operand ───────┘      address: its own, or it is no board
//!                              sequence: even, and both readings the same, or it is being written
//! ```
//!
//! A program of an earlier release has no boards, and one of whoever writes locks may wait with any number. Then it is shown
//! as what it is: something with a number. So is a lock that changes whenever it is looked at.

use crate::budget::Budget;
use crate::layout::{BoardsLayout, Layout};
use crate::limits;
use crate::memory::Memory;
use crate::texts::Texts;
use homing_executor::introspect::{Elsewhere, HolderRecord, LockRecord};
use std::collections::HashMap;
use std::sync::Arc;

/// What it takes to keep a lock, of which a record is made, at least.
const KEPT: usize = 256;

/// The locks that were found in one reading, by their numbers; `None` for what is no board.
#[derive(Debug, Default)]
pub(crate) struct Locks(HashMap<u64, Option<Arc<LockRecord>>>);

impl Locks {
    /// The lock with this number, read once.
    pub(crate) fn lock(
        &mut self,
        memory: &dyn Memory,
        layout: &Layout,
        texts: &mut Texts,
        number: u64,
        budget: &mut Budget,
    ) -> Option<Arc<LockRecord>> {
        let boards = layout.boards.as_ref()?;
        let read = || {
            let board = read(memory, boards, number, budget)?;
            Some(Arc::new(record(memory, layout, boards, texts, number, &board)))
        };
        self.0.entry(number).or_insert_with(read).clone()
    }
}

/// What is on a board, if it is one.
fn read(memory: &dyn Memory, boards: &BoardsLayout, number: u64, budget: &mut Budget) -> Option<Vec<u8>> {
    let size = boards.board.size;
    let mut buffers = [vec![0; size], vec![0; size]];
    for _ in 0..limits::TRIES {
        if !budget.take_all(size.max(KEPT)) {
            return None;
        }
        let [first, second] = &mut buffers;
        memory.read(number, first).ok()?;
        memory.read(number, second).ok()?;
        if boards.board.address.number(second) != number {
            return None;
        }
        if first == second && boards.board.sequence.number(second).is_multiple_of(2) {
            let [board, _] = buffers;
            return Some(board);
        }
    }
    None
}

fn record(
    memory: &dyn Memory,
    layout: &Layout,
    boards: &BoardsLayout,
    texts: &mut Texts,
    number: u64,
    board: &[u8],
) -> LockRecord {
    let count = usize::try_from(boards.board.count.number(board)).unwrap_or(usize::MAX);
    let entries = board[boards.board.first.offset()..].chunks_exact(boards.holder.size);
    let holders = entries.take(count).map(|entry| HolderRecord {
        task: boards.holder.task.number(entry),
        // If there is no task with that id.
        elsewhere: Elsewhere::Ended,
        place: texts.place(memory, boards.holder.place.number(entry)),
        permits: boards.holder.permits.number(entry) as u32,
        hold: layout.hold(boards.holder.hold.number(entry)),
    });
    LockRecord { number, holders: holders.collect(), more: boards.board.more.number(board) }
}
