//! Four fetches at once, and each page is shown as it comes in.
//!
//! ```text
//! cargo run --example as_they_arrive
//!
//! 1 of 4: settings <settings>
//! 2 of 4: user <user>
//! 3 of 4: news <news>
//! 4 of 4: orders <orders>
//! ```

use homing::{Result, as_completed, task_group};
use support::Web;

// ANCHOR: lesson
async fn lesson(web: Web) -> Result<()> {
    let services = [("user", 60), ("orders", 180), ("settings", 10), ("news", 120)];
    task_group(async |tg| {
        let fetch = |(name, ms)| tg.task(web.get(&format!("/{name}?ms={ms}"))).name(name).spawn();
        let mut arrivals = as_completed(services.map(fetch));
        while let Some(task) = arrivals.next().await {
            let task = task?;
            let arrived = services.len() - arrivals.len();
            println!("{arrived} of {}: {} {}", services.len(), task.name(), task.await?);
        }
        Ok(())
    })
    .await
}
// ANCHOR_END: lesson

pub(crate) fn main() -> Result<()> {
    homing::run(support::with_web(lesson))
}
