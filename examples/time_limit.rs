//! A page of two parts gets 500 ms. One part is in time; the other is asked to stop, and cleans up.
//!
//! ```text
//! cargo run --example time_limit
//!
//! user: <user>
//! report: told to stop; cleaned up
//! timed out after 500ms (examples/time_limit.rs:29:16)
//! ```

use homing::{Result, TimedOut, task_group, timeout};
use std::time::Duration;
use support::Web;

// ANCHOR: lesson
async fn report(web: Web) -> Result<()> {
    match web.get("/report?ms=5000").await {
        Ok(page) => Ok(println!("report: {page}")),
        Err(error) if error.is_cancelled() => {
            web.get("/tidy-up?ms=20").await?;
            println!("report: told to stop; cleaned up");
            Err(error)
        }
        Err(error) => Err(error),
    }
}

async fn lesson(web: Web) -> Result<()> {
    let page = timeout(
        Duration::from_millis(500),
        task_group(async |tg| {
            tg.spawn(report(web.clone()));
            println!("user: {}", web.get("/user?ms=10").await?);
            Ok(())
        }),
    );
    match page.await {
        Ok(()) => println!("all in time"),
        // The group has ended before: the report's clean-up is behind us.
        Err(error) if error.is::<TimedOut>() => println!("{error}"),
        Err(error) => return Err(error),
    }
    Ok(())
}
// ANCHOR_END: lesson

pub(crate) fn main() -> Result<()> {
    homing::run(support::with_web(lesson))
}
