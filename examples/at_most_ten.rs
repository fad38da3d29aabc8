//! Five hundred pages, but never more than ten at a time. On a terminal, with a progress bar.
//!
//! ```text
//! cargo run --example at_most_ten
//!
//! 500 pages fetched, 10 at a time at most
//! ```

use homing::{Result, TaskGroup};
use indicatif::ProgressBar;
use support::Web;

// ANCHOR: lesson
async fn lesson(web: Web) -> Result<()> {
    let bar = ProgressBar::new(500); // on the standard error, and only if that is a terminal
    let pages = TaskGroup::builder().limit(10).run(async |tg| {
        // Spawning does not wait: those beyond the limit stand in line, and begin in their order.
        let tasks: Vec<_> = (0..500).map(|page| tg.spawn(web.get(&format!("/{page}?ms=1")))).collect();
        let mut pages = Vec::new();
        for task in tasks {
            pages.push(task.await?);
            bar.inc(1);
        }
        Ok(pages)
    });
    let fetched = pages.await?.len();
    bar.finish_and_clear();
    println!("{fetched} pages fetched, {} at a time at most", web.busiest());
    Ok(())
}
// ANCHOR_END: lesson

pub(crate) fn main() -> Result<()> {
    homing::run(support::with_web(lesson))
}
