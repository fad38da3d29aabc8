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

/// A task's row, as it was read.
#[derive(Clone, Debug)]
pub(crate) struct RawRow {
    pub(crate) address: u64,
    pub(crate) bytes: Box<[u8]>,
    pub(crate) state: TaskState,
    pub(crate) settled: bool,
}

/// All rows with tasks that have not ended.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) rows: Vec<RawRow>,
    /// There were more.
    pub(crate) cut_off: bool,
}

/// Bytes that are read at once: few enough to stay in the cache for the comparison.
const CHUNK: usize = 32 << 10;

/// Reads them all.
pub(crate) fn read_all(memory: &dyn Memory, layout: &Layout, budgets: &mut Budgets) -> Rows {
    let mut rows = Rows::default();
    let size = layout.row.size;
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
                rows.cut_off = true;
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
                    rows.cut_off = true;
                    break 'pages;
                }
                let settled = before == after && is_even(&layout.row, after);
                let address = address + (number * size) as u64;
                rows.rows.push(RawRow { address, bytes: after.into(), state, settled });
            }
            // Rows are used in their order, so after one that never was there are no others.
            if layout.row.word.number(&second[(count - 1) * size..]) == 0 {
                break;
            }
        }
    }
    let unsettled = (0..rows.rows.len()).filter(|at| !rows.rows[*at].settled).collect();
    settle(memory, layout, &mut rows.rows, unsettled, &mut budgets.again);
    // Those whose tasks have ended in the meantime.
    rows.rows.retain(|row| state(layout, &row.bytes).is_some());
    rows
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

/// Reads rows again, all of them at once, until they settle, or for so many times, or so many bytes. (Not one after the other: in a table that
/// is out of order, none of very many might ever do.)
pub(crate) fn settle(
    memory: &dyn Memory,
    layout: &Layout,
    rows: &mut [RawRow],
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
        let parts: Vec<(u64, usize)> = which.iter().map(|at| (rows[*at].address, size)).collect();
        buffer.resize(parts.len() * size, 0);
        let read = memory.read_many(&parts, &mut buffer);
        let mut unsettled = Vec::new();
        for ((at, bytes), is_read) in which.into_iter().zip(buffer.chunks_exact(size)).zip(read) {
            let row = &mut rows[at];
            row.settled = is_read && *row.bytes == *bytes && is_even(&layout.row, bytes);
            if is_read && !row.settled {
                row.bytes.copy_from_slice(bytes);
            }
            match state(layout, &row.bytes) {
                Some(state) => row.state = state,
                // Its task has ended.
                None => continue,
            }
            if !row.settled {
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
            let first = read_all(&memory, &layout, &mut budgets);
            assert!(first.rows.len() == 20 && first.cut_off);
            let second = read_all(&memory, &layout, &mut budgets);
            assert!(second.rows.is_empty() && second.cut_off);
            assert!(read_all(&memory, &layout, &mut Budgets::new()).rows.len() > 30);
            for task in tasks {
                task.cancel();
            }
            Ok(())
        })
        .unwrap();
    }
}
