//! Three mirrors have the same page. The first that gives it will do; the others need not go on.
//!
//! ```text
//! cargo run --example first_answer
//!
//! race: mirror 0 failed
//! race: mirror 1 cancelled
//! race: <page>
//! wait: <page>; cancelled by hand: 1
//! ```

use homing::{Result, ReturnWhen, Task, gather, race, spawn, wait};
use std::time::Duration;
use support::Web;

// ANCHOR: lesson
const MIRRORS: [&str; 3] = ["/page?ms=10&status=503", "/page?ms=5000", "/page?ms=60"];

async fn lesson(web: Web) -> Result<()> {
    // All at once: no attempt waits for the one before it. The losers have ended when this returns.
    let outcome = race(MIRRORS.map(|path| web.get(path))).stagger(Duration::ZERO).await?;
    for (mirror, error) in outcome.errors.iter().enumerate() {
        match error {
            Some(error) if error.is_cancelled() => println!("race: mirror {mirror} cancelled"),
            Some(_) => println!("race: mirror {mirror} failed"),
            None => {}
        }
    }
    println!("race: {}", outcome.into_value()?);

    // The same by hand, as it is mostly done over there.
    let mut pending: Vec<Task<String>> = MIRRORS.map(|path| spawn(web.get(path))).into();
    let page = 'answered: loop {
        let waited = wait(pending, ReturnWhen::FirstCompleted).await?;
        pending = waited.pending;
        for task in waited.done {
            if let Ok(page) = task.await {
                break 'answered page;
            }
        }
    };
    for task in &pending {
        task.cancel();
    }
    let losers = gather(pending).return_exceptions().await?; // until they have ended
    println!("wait: {page}; cancelled by hand: {}", losers.len());
    Ok(())
}
// ANCHOR_END: lesson

pub(crate) fn main() -> Result<()> {
    homing::run(support::with_web(lesson))
}
