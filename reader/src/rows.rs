//! Rows: each read twice, and taken if nothing has happened in between.
//!
//! ```text
//!   page ──► [ chunk, read ] [ the same, read again ]
//!              row: equal bytes, and an even sequence number?  ──► settled
//!                   otherwise ──► once more, by itself; after so many tries it is taken as changing
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
    /// `None`: its task has ended in the meantime.
    pub(crate) state: Option<TaskState>,
    pub(crate) settled: bool,
}

/// Some rows with tasks that have not ended.
#[derive(Debug)]
pub(crate) struct Rows {
    rows: Vec<RawRow>,
    /// Those of all rows, one after the other.
    bytes: Vec<u8>,
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
        &self.bytes[at * self.size..][..self.size]
    }

    fn clear(&mut self) {
        self.rows.clear();
        self.bytes.clear();
    }

    fn push(&mut self, row: RawRow, bytes: &[u8]) {
        self.rows.push(row);
        self.bytes.extend_from_slice(bytes);
    }

    /// What it has become.
    fn replace(&mut self, layout: &Layout, at: usize, bytes: &[u8]) {
        self.bytes[at * self.size..][..self.size].copy_from_slice(bytes);
        self.rows[at].state = state(layout, bytes);
    }

    /// It has changed each time that it was read.
    pub(crate) fn mark_as_changing(&mut self, at: usize) {
        self.rows[at].settled = false;
    }
}

/// Bytes that are read at once: few enough to stay in the cache for the comparison.
const CHUNK: usize = 16 << 10;

/// Rows that are looked at together: few enough that they, and what is read beside them, are still in the cache when records
/// are made of them; and that the memory for it is kept by the allocator from one block to the next.
const BLOCK: usize = 128;

/// Whether all rows were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Extent {
    All,
    /// There were more.
    CutOff,
}

/// Reads them all, and hands them out in blocks, each settled.
pub(crate) fn read_all(
    memory: &dyn Memory,
    layout: &Layout,
    budgets: &mut Budgets,
    mut take: impl FnMut(&mut Rows, &mut Budgets),
) -> Extent {
    let size = layout.row.size;
    let mut extent = Extent::All;
    let mut rows = Rows { rows: Vec::new(), bytes: Vec::new(), size };
    let mut finish = |rows: &mut Rows, budgets: &mut Budgets| {
        let unsettled = (0..rows.len()).filter(|at| !rows.get(*at).settled).collect();
        settle(memory, layout, rows, unsettled, &mut budgets.again);
        take(rows, budgets);
        rows.clear();
    };
    let in_chunk = (CHUNK / size).clamp(1, layout.page_rows);
    let mut buffers = [vec![0; in_chunk * size], vec![0; in_chunk * size]];
    'pages: for page in pages(memory, layout) {
        let mut done = 0;
        while done < layout.page_rows {
            let count = in_chunk.min(layout.page_rows - done);
            let Some(address) = page.checked_add((done * size) as u64) else { break };
            done += count;
            // Very small rows are charged for what it takes to look at them.
            if !budgets.reads.take_all(count * size.max(64)) {
                extent = Extent::CutOff;
                break 'pages;
            }
            let [first, second] = &mut buffers;
            let (first, second) = (&mut first[..count * size], &mut second[..count * size]);
            if memory.read(address, first).is_err() || memory.read(address, second).is_err() {
                break;
            }
            let pairs = first.chunks_exact(size).zip(second.chunks_exact(size));
            for (number, (before, after)) in pairs.enumerate() {
                let Some(state) = state(layout, after) else { continue };
                if !(budgets.tasks.take_all(1) && budgets.rows.take_all(size)) {
                    extent = Extent::CutOff;
                    break 'pages;
                }
                let settled = before == after && is_even(&layout.row, after);
                let address = address + (number * size) as u64;
                rows.push(RawRow { address, state: Some(state), settled }, after);
            }
            if rows.len() >= BLOCK {
                finish(&mut rows, budgets);
            }
            // Rows are used in their order, so after one that never was there are no others.
            if layout.row.word.number(&second[(count - 1) * size..]) == 0 {
                break;
            }
        }
    }
    finish(&mut rows, budgets);
    extent
}

/// The addresses of all pages, each once.
fn pages(memory: &dyn Memory, layout: &Layout) -> Vec<u64> {
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

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::*;
    use crate::Process;
    use homing::{spawn, yield_now};

    #[test]
    fn parts_share_the_number_of_tasks_that_are_read() {
        homing::run(async {
            let tasks: Vec<_> =
                (0..30).map(|_| spawn(std::future::pending::<homing::Result<()>>())).collect();
            yield_now().await?;
            let memory = Process::open(std::process::id()).unwrap();
            let header = homing_executor::outside::header_address() as u64;
            let layout = Layout::read(&memory, header).unwrap().unwrap();
            let mut budgets = Budgets { tasks: Budget::new(20), ..Budgets::new() };
            let read = |budgets: &mut Budgets| {
                let mut count = 0;
                let extent = read_all(&memory, &layout, budgets, |rows, _| count += rows.len());
                (count, extent)
            };
            assert_eq!(read(&mut budgets), (20, Extent::CutOff));
            assert_eq!(read(&mut budgets), (0, Extent::CutOff));
            assert!(read(&mut Budgets::new()).0 > 30);
            for task in tasks {
                task.cancel();
            }
            Ok(())
        })
        .unwrap();
    }
}
