//! Looking for a book on four shelves at once: as soon as it is found, the search is over.
//!
//! ```text
//! cargo run --example end_early
//!
//! found by the body: <shelf-1>
//! found by a child: <shelf-1>; the body gave None
//! ```

use homing::{Result, TaskGroup, as_completed, sleep, task_group};
use std::{cell::RefCell, rc::Rc, time::Duration};
use support::Web;

// ANCHOR: lesson
const SHELVES: [&str; 4] = ["/shelf-0?ms=5000", "/shelf-1?ms=60", "/shelf-2?ms=5000", "/shelf-3?ms=5000"];

async fn lesson(web: Web) -> Result<()> {
    // The body waits for the first answer, and ends the group: quietly, and with a value.
    let found = task_group(async |tg| {
        let mut searches = as_completed(SHELVES.map(|shelf| tg.spawn(web.get(shelf))));
        let Some(search) = searches.next().await else { return Ok(None) };
        let book = search?.await?;
        tg.cancel();
        Ok(Some(book))
    })
    .await?;
    println!("found by the body: {}", found.as_deref().unwrap_or("nothing"));

    // Or a child does. Then the body may be interrupted before it has a value: `None`, and no error.
    let found = Rc::new(RefCell::new(None));
    let value = TaskGroup::new()
        .run_until_cancelled(async |tg| {
            for shelf in SHELVES {
                let (web, tg2, found) = (web.clone(), tg.clone(), found.clone());
                tg.spawn(async move {
                    let book = web.get(shelf).await?;
                    found.replace(Some(book)); // before the cancel: it reaches this task as well
                    tg2.cancel();
                    Ok(())
                });
            }
            sleep(Duration::from_secs(5)).await // it would show the way to the exit meanwhile
        })
        .await?;
    println!("found by a child: {}; the body gave {value:?}", found.take().as_deref().unwrap_or("nothing"));
    Ok(())
}
// ANCHOR_END: lesson

pub(crate) fn main() -> Result<()> {
    homing::run(support::with_web(lesson))
}
