//! Rows: each read twice, and taken if nothing has happened in between.
//!
//! ```text
//!   [ chunk ] … [ the same, read again ]
//!     row: equal bytes, and an even sequence number?  ──► settled
//!          otherwise ──► once more, by itself; after so many tries it is taken as changing
//! ```
//!
//! Neither test would do alone. One reading may copy a row in any order while it is being written, so that its sequence
//! number says nothing; and two may be equal because the writer was interrupted in the middle, which the number tells.

use crate::budget::{Budget, Budgets};
use crate::layout::{Layout, RowLayout};
use crate::limits;
use crate::memory::{Memory, read_u64};
use homing_executor::introspect::TaskState;
use std::collections::HashSet;

/// What is known of a row that was read, but for its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawRow {
    pub(crate) address: u64,
    /// Its number in the chunk.
    number: usize,
    /// `None`: its task has ended in the meantime.
    pub(crate) state: Option<TaskState>,
    pub(crate) settled: bool,
}

/// The rows of one chunk that have tasks which have not ended.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    rows: Vec<RawRow>,
    /// The chunk. (It may be longer than that.)
    chunk: Vec<u8>,
    /// Of one row.
    size: usize,
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn get(&self, at: usize) -> RawRow {
        self.rows[at]
    }

    pub(crate) fn bytes(&self, at: usize) -> &[u8] {
        &self.chunk[self.rows[at].number * self.size..][..self.size]
    }

    /// Begins anew, with a chunk of so many rows of that size, which is to be filled.
    pub(crate) fn begin(&mut self, size: usize, count: usize) -> &mut [u8] {
        self.rows.clear();
        self.size = size;
        if self.chunk.len() < count * size {
            self.chunk.resize(count * size, 0);
        }
        &mut self.chunk[..count * size]
    }

    /// Finds those that have tasks, of so many rows that were read for the first time.
    pub(crate) fn find(
        &mut self,
        layout: &Layout,
        address: u64,
        count: usize,
        budgets: &mut Budgets,
    ) -> Extent {
        for (number, bytes) in self.chunk.chunks_exact(self.size).take(count).enumerate() {
            let Some(state) = state(layout, bytes) else { continue };
            if !(budgets.tasks.take_all(1) && budgets.rows.take_all(self.size)) {
                return Extent::CutOff;
            }
            let address = address + (number * self.size) as u64;
            self.rows.push(RawRow { address, number, state: Some(state), settled: false });
        }
        Extent::All
    }

    /// Compares them with what was read the second time, and takes that.
    pub(crate) fn compare(&mut self, layout: &Layout, second: &[u8]) {
        for at in 0..self.len() {
            let now = &second[self.rows[at].number * self.size..][..self.size];
            let is_same = self.bytes(at) == now;
            self.rows[at].settled = is_same && is_even(&layout.row, now);
            if !is_same {
                self.replace(layout, at, now);
            }
        }
    }

    /// Those that are to be read again.
    pub(crate) fn unsettled(&self) -> Vec<usize> {
        (0..self.len()).filter(|at| !self.rows[*at].settled).collect()
    }

    /// What it has become.
    fn replace(&mut self, layout: &Layout, at: usize, bytes: &[u8]) {
        self.chunk[self.rows[at].number * self.size..][..self.size].copy_from_slice(bytes);
        self.rows[at].state = state(layout, bytes);
    }

    /// It has changed, or what belongs to it.
    pub(crate) fn mark_as_changing(&mut self, at: usize) {
        self.rows[at].settled = false;
    }
}

/// Whether all rows were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Extent {
    All,
    /// There were more.
    CutOff,
}

/// The addresses of all pages, each once.
pub(crate) fn pages(memory: &dyn Memory, layout: &Layout) -> Vec<u64> {
    let count = read_u64(memory, layout.page_count).unwrap_or_default().min(limits::PAGES) as usize;
    let mut table = vec![0; count * 8];
    if memory.read(layout.pages, &mut table).is_err() {
        return Vec::new();
    }
    let mut known = HashSet::new();
    let addresses =
        table.chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().expect("eight bytes")));
    addresses.filter(|address| *address != 0 && known.insert(*address)).collect()
}

/// What the task in a row is doing. `None`: there is none, or a callback.
pub(crate) fn state(layout: &Layout, row: &[u8]) -> Option<TaskState> {
    if layout.row.word.number(row) == 0 || layout.row.flags.number(row) & layout.callback != 0 {
        return None;
    }
    layout.state(layout.row.state.number(row))
}

fn is_even(row: &RowLayout, bytes: &[u8]) -> bool {
    row.await_sequence.number(bytes).is_multiple_of(2)
}

/// Reads rows again, all of them at once, until they settle, or for so many times, or so many bytes. (Not one after the
/// other: in a table that is out of order, none of very many might ever do.)
pub(crate) fn settle(
    memory: &dyn Memory,
    layout: &Layout,
    rows: &mut Rows,
    mut which: Vec<usize>,
    again: &mut Budget,
) {
    let size = layout.row.size;
    let mut buffer = Vec::new();
    for _ in 0..limits::TRIES {
        if which.is_empty() || !again.take_all(which.len() * size) {
            return;
        }
        std::thread::yield_now();
        let parts: Vec<(u64, usize)> = which.iter().map(|at| (rows.get(*at).address, size)).collect();
        buffer.resize(parts.len() * size, 0);
        let read = memory.read_many(&parts, &mut buffer);
        let mut unsettled = Vec::new();
        for ((at, bytes), is_read) in which.into_iter().zip(buffer.chunks_exact(size)).zip(read) {
            let settled = is_read && rows.bytes(at) == bytes && is_even(&layout.row, bytes);
            rows.rows[at].settled = settled;
            if is_read && !settled {
                rows.replace(layout, at, bytes);
            }
            if !settled && rows.get(at).state.is_some() {
                unsettled.push(at);
            }
        }
        which = unsettled;
    }
}
