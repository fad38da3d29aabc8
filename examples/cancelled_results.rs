//! Four tasks have ended, each in its own way: which have a result, which failed, which were cancelled?
//!
//! ```text
//! cargo run --example cancelled_results
//!
//! user    gave <user>
//! news    failed: /news answered 404 Not Found
//! report  was cancelled
//! backup  gave half a backup
//! ```

use homing::{Result, ReturnWhen, task, wait};
use std::time::Duration;
use support::Web;

// ANCHOR: lesson
async fn backup(web: Web) -> Result<String> {
    match web.get("/backup?ms=5000").await {
        Err(error) if error.is_cancelled() => {
            // Half is better than nothing: its own decision, so the request is off the table.
            homing::current().expect("this is a task").uncancel();
            Ok("half a backup".to_owned())
        }
        whole => whole,
    }
}

async fn lesson(web: Web) -> Result<()> {
    let mut tasks = [
        task(web.get("/user?ms=10")).name("user").spawn(),
        task(web.get("/news?ms=10&status=404")).name("news").spawn(),
        task(web.get("/report?ms=5000")).name("report").spawn(),
        task(backup(web.clone())).name("backup").spawn(),
    ];
    let waited = wait(&tasks, ReturnWhen::AllCompleted).timeout(Duration::from_millis(300)).await?;
    for late in waited.pending {
        late.cancel();
    }
    wait(&tasks, ReturnWhen::AllCompleted).await?; // a cancel only asks: they end when they have cleaned up

    for task in &mut tasks {
        let how = match task.try_result().expect("it has ended") {
            Ok(page) => format!("gave {page}"),
            Err(error) if error.is_cancelled() => "was cancelled".to_owned(),
            Err(error) => format!("failed: {error}"),
        };
        println!("{:<7} {how}", task.name());
    }
    Ok(())
}
// ANCHOR_END: lesson

pub(crate) fn main() -> Result<()> {
    homing::run(support::with_web(lesson))
}
