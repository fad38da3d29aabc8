//! Reading ahead: one thread reads, while the other makes records of what was read before.
//!
//! ```text
//!   reads    [ block 3 ]  [ block 4 ]   …       system calls, mostly
//!                 │  ▲
//!                 ▼  └── blocks that are done with, to be used again
//!   takes    [ block 1 ]  [ block 2 ]   …       memory that is touched for the first time, mostly
//! ```
//!
//! Blocks come in their order, and all that limits what is read is decided by the thread that reads: so the outcome is the same
//! as with one thread, which does both where there is little to read, or no second thread to be had.

use crate::block::{self, Block};
use crate::budget::Budgets;
use crate::layout::Layout;
use crate::memory::Memory;
use crate::rows::{self, Extent};
use std::panic::resume_unwind;
use std::sync::mpsc::{channel, sync_channel};
use std::{io, thread};

/// How many blocks wait to be taken at most: few, so that they are still in a cache.
const AHEAD: usize = 2;

/// Reads all rows, and hands them out with their details, block by block.
pub(crate) fn read_all(
    memory: &dyn Memory,
    layout: &Layout,
    budgets: &mut Budgets,
    mut take: impl FnMut(&mut Block),
) -> Extent {
    let pages = rows::pages(memory, layout);
    if pages.len() > 1
        && let Ok(extent) = in_two_threads(memory, layout, &pages, budgets, &mut take)
    {
        return extent;
    }
    block::read_all(memory, layout, &pages, budgets, |mut block| {
        take(&mut block);
        Some(block)
    })
}

/// # Errors
///
/// There is no second thread to be had. Nothing was read then.
fn in_two_threads(
    memory: &dyn Memory,
    layout: &Layout,
    pages: &[u64],
    budgets: &mut Budgets,
    mut take: impl FnMut(&mut Block),
) -> io::Result<Extent> {
    thread::scope(|scope| {
        let (hand_over, blocks) = sync_channel::<Block>(AHEAD);
        let (give_back, used) = channel();
        let read = move || {
            block::read_all(memory, layout, pages, budgets, |block| {
                hand_over.send(block).ok()?;
                Some(used.try_recv().unwrap_or_default())
            })
        };
        let reading = thread::Builder::new().name("homing-reader".to_owned()).spawn_scoped(scope, read)?;
        for mut block in blocks {
            take(&mut block);
            // Nobody needs it any more after the last one.
            let _ = give_back.send(block);
        }
        Ok(reading.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::*;
    use crate::Process;
    use homing::{task, yield_now};
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// More tasks than there are in a block.
    async fn with_many_tasks(name: &str, look: impl FnOnce(&Process, &Layout, &[u64])) -> homing::Result<()> {
        let pending = || std::future::pending::<homing::Result<()>>();
        let tasks: Vec<_> =
            (0..2000).map(|number| task(pending()).name(format!("{name} {number}")).spawn()).collect();
        yield_now().await?;
        let memory = Process::open(std::process::id()).unwrap();
        let header = homing_executor::outside::header_address() as u64;
        let layout = Layout::read(&memory, header).unwrap().unwrap();
        let pages = rows::pages(&memory, &layout);
        look(&memory, &layout, &pages);
        for task in tasks {
            task.cancel();
        }
        Ok(())
    }

    #[test]
    fn a_second_thread_reads_the_same_in_the_same_order() {
        homing::run(with_many_tasks("read twice", |memory, layout, pages| {
            let names = |block: &mut Block| -> Vec<String> {
                let details = block.found.details.iter().filter_map(|(_, details)| details.name.as_ref());
                let names = details.map(|name| block.found.names.text(name));
                names.filter(|name| name.starts_with("read twice ")).collect()
            };
            let (mut alone, mut together) = (Vec::new(), Vec::new());
            let extent = block::read_all(memory, layout, pages, &mut Budgets::new(), |mut block| {
                alone.extend(names(&mut block));
                Some(block)
            });
            let take = |block: &mut Block| together.extend(names(block));
            let in_two = in_two_threads(memory, layout, pages, &mut Budgets::new(), take).unwrap();
            assert_eq!((extent, in_two), (Extent::All, Extent::All));
            assert!(alone.len() == 2000 && together == alone, "{} and {}", alone.len(), together.len());
        }))
        .unwrap();
    }

    #[test]
    fn who_panics_over_a_block_is_not_waited_for_by_the_thread_that_reads() {
        homing::run(with_many_tasks("left", |memory: &Process, layout: &Layout, pages: &[u64]| {
            let read = || {
                in_two_threads(memory, layout, pages, &mut Budgets::new(), |_: &mut Block| panic!("enough"))
            };
            let panic = catch_unwind(AssertUnwindSafe(read)).unwrap_err();
            assert_eq!(panic.downcast_ref(), Some(&"enough"));
        }))
        .unwrap();
    }
}
