//! The client has no patience, but what it has sent is to be saved all the same.
//!
//! ```text
//! cargo run --example save_anyway
//!
//! the client has gone; save cancelled: true
//! the client has gone; save cancelled: false
//! saved: <save>
//! ```

use homing::{Result, shield, task_group, timeout};
use std::time::Duration;
use support::Web;

// ANCHOR: lesson
const PATIENCE: Duration = Duration::from_millis(20);

async fn lesson(web: Web) -> Result<()> {
    let saved = task_group(async |tg| {
        // Who awaits a task drags it along: a cancel of the waiting is a cancel of the task.
        let save = tg.spawn(web.get("/save?ms=500")).share();
        match timeout(PATIENCE, save.clone()).await {
            Err(error) if error.is_timeout() => {
                println!("the client has gone; save cancelled: {}", save.is_cancelled())
            }
            outcome => return outcome,
        }

        // Shielded, only the waiting ends; and the group waits for the task.
        let save = tg.spawn(web.get("/save?ms=500")).share();
        match timeout(PATIENCE, shield(save.clone())).await {
            Err(error) if error.is_timeout() => {
                println!("the client has gone; save cancelled: {}", save.is_cancelled())
            }
            outcome => return outcome,
        }
        save.await
    });
    println!("saved: {}", saved.await?);
    Ok(())
}
// ANCHOR_END: lesson

pub(crate) fn main() -> Result<()> {
    homing::run(support::with_web(lesson))
}
