//! Blocks: rows that are read together, with what else there is to say of their tasks.
//!
//! ```text
//!   page ──► [ rows ] [ extras ] [ names, scopes, nodes ]   [ rows ] [ extras ]     a few calls for some hundred tasks
//!              └────────┴── equal, with an even sequence number? ┴──────┘
//!                           what is not is read again, until it settles
//! ```
//!
//! What lies between two equal readings belongs to what was read twice.

use crate::budget::Budgets;
use crate::details::{self, Desk, Found};
use crate::layout::Layout;
use crate::memory::{Memory, Unreadable};
use crate::rows::{Extent, Rows, settle};

/// Bytes that are read at once: much for a system call, and few enough that two readings of them, and what is read beside
/// them, are still in the cache when they are compared and records are made of them.
const CHUNK: usize = 64 << 10;

/// The same where not all of a chunk is there, as in a core file that is cut off: then less is lost with what is not.
const SMALL_CHUNK: usize = 4 << 10;

/// Some rows, each settled or marked as changing, and their details.
#[derive(Debug, Default)]
pub(crate) struct Block {
    pub(crate) rows: Rows,
    pub(crate) found: Found,
}

/// Reads all rows, and hands them out block by block. `take` returns a block that may be written over, or `None`, if there is
/// nobody who wants more.
pub(crate) fn read_all(
    memory: &dyn Memory,
    layout: &Layout,
    pages: &[u64],
    budgets: &mut Budgets,
    mut take: impl FnMut(Block) -> Option<Block>,
) -> Extent {
    let size = layout.row.size;
    let rows_in = |bytes: usize| (bytes / size).clamp(1, layout.page_rows);
    let mut in_chunk = rows_in(CHUNK);
    let mut hand = Hand { memory, layout, desk: Desk::default(), second: Vec::new() };
    let mut block = Block::default();
    for page in pages {
        let mut done = 0;
        while done < layout.page_rows {
            let count = in_chunk.min(layout.page_rows - done);
            let Some(address) = page.checked_add((done * size) as u64) else { break };
            // Very small rows are charged for what it takes to look at them.
            if !budgets.reads.take_all(count * size.max(64)) {
                return Extent::CutOff;
            }
            let Ok((extent, end)) = hand.read(&mut block, address, count, budgets) else {
                if in_chunk == rows_in(SMALL_CHUNK) {
                    break;
                }
                in_chunk = rows_in(SMALL_CHUNK);
                continue;
            };
            done += count;
            let Some(next) = take(block) else { return extent };
            block = next;
            if extent == Extent::CutOff {
                return extent;
            }
            if end == End::OfPage {
                break;
            }
        }
    }
    Extent::All
}

/// Where a block ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// There may be more in the page.
    Within,
    OfPage,
}

/// Who reads.
struct Hand<'a> {
    memory: &'a dyn Memory,
    layout: &'a Layout,
    desk: Desk,
    /// What is read the second time.
    second: Vec<u8>,
}

impl Hand<'_> {
    /// Reads so many rows, with their details.
    fn read(
        &mut self,
        block: &mut Block,
        address: u64,
        count: usize,
        budgets: &mut Budgets,
    ) -> Result<(Extent, End), Unreadable> {
        let Hand { memory, layout, desk, second } = self;
        let (memory, layout, size) = (*memory, *layout, layout.row.size);
        let Block { rows, found } = block;
        found.clear();
        let first = rows.begin(size, count);
        memory.read(address, first)?;
        // Rows are used in their order, so after one that never was there are no others.
        let is_last = layout.row.word.number(&first[(count - 1) * size..]) == 0;
        let extent = rows.find(layout, address, count, budgets);
        let which: Vec<usize> = (0..rows.len()).filter(|at| details::are_there(layout, rows, *at)).collect();
        desk.read(memory, layout, rows, &which, &mut budgets.details, found);
        second.resize(count * size, 0);
        memory.read(address, second)?;
        rows.compare(layout, second);
        for at in desk.changed(memory, &which) {
            rows.mark_as_changing(at);
        }
        let unsettled = rows.unsettled();
        if !unsettled.is_empty() {
            settle(memory, layout, rows, unsettled.clone(), &mut budgets.again);
            desk.read_again(memory, layout, rows, unsettled, budgets, found);
        }
        Ok((extent, if is_last { End::OfPage } else { End::Within }))
    }
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::*;
    use crate::budget::Budget;
    use crate::{Process, rows};
    use homing::{spawn, yield_now};

    /// This process, while it has thirty tasks.
    fn with_tasks(look: impl FnOnce(Process, &Layout, &[u64])) {
        homing::run(async {
            let tasks: Vec<_> =
                (0..30).map(|_| spawn(std::future::pending::<homing::Result<()>>())).collect();
            yield_now().await?;
            let memory = Process::open(std::process::id()).unwrap();
            let header = homing_executor::outside::header_address() as u64;
            let layout = Layout::read(&memory, header).unwrap().unwrap();
            let pages = rows::pages(&memory, &layout);
            look(memory, &layout, &pages);
            for task in tasks {
                task.cancel();
            }
            Ok(())
        })
        .unwrap();
    }

    fn count(memory: &dyn Memory, layout: &Layout, pages: &[u64], budgets: &mut Budgets) -> (usize, Extent) {
        let mut count = 0;
        let extent = read_all(memory, layout, pages, budgets, |block| {
            count += block.rows.len();
            Some(block)
        });
        (count, extent)
    }

    #[test]
    fn parts_share_the_number_of_tasks_that_are_read() {
        with_tasks(|memory, layout, pages| {
            let mut budgets = Budgets { tasks: Budget::new(20), ..Budgets::new() };
            assert_eq!(count(&memory, layout, pages, &mut budgets), (20, Extent::CutOff));
            assert_eq!(count(&memory, layout, pages, &mut budgets), (0, Extent::CutOff));
            assert!(count(&memory, layout, pages, &mut Budgets::new()).0 > 30);
        });
    }

    /// A process of whose pages the ends cannot be read.
    struct CutShort(Process, Vec<u64>);

    impl CutShort {
        /// More than a chunk of 64 KiB lacks only a little.
        const THERE: u64 = (64 << 10) - 1024;
    }

    impl Memory for CutShort {
        fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), Unreadable> {
            let end = address + buffer.len() as u64;
            let lacks = |page: &&u64| end > **page + Self::THERE && address < **page + (128 << 10);
            if self.1.iter().any(|page| lacks(&page)) {
                Err(Unreadable)
            } else {
                self.0.read(address, buffer)
            }
        }

        fn regions(&self) -> &[crate::Region] {
            self.0.regions()
        }

        fn describe(&self) -> String {
            "a process of which a part is missing".to_owned()
        }
    }

    #[test]
    fn of_a_page_that_is_not_all_there_what_is_there_is_read() {
        with_tasks(|process, layout, pages| {
            let memory = CutShort(process, pages.to_owned());
            let (count, extent) = count(&memory, layout, pages, &mut Budgets::new());
            assert!(extent == Extent::All && count > 30, "{count}");
        });
    }
}
