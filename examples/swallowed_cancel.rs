//! A task was cancelled, and goes on as if nothing had happened: who finds that out?
//!
//! ```text
//! cargo run --example swallowed_cancel
//!
//! audit: 'careless' was asked to stop, and did not
//! careless: <page-2>
//! careful: cancelled
//! ```

use homing::{Builder, Error, Result, Unhandled, sleep, task};
use std::time::Duration;
use support::Web;

// ANCHOR: lesson
const PAGES: [&str; 2] = ["/page-1?ms=5000", "/page-2"];

async fn careless(web: Web) -> Result<String> {
    for path in PAGES {
        if let Ok(page) = web.get(path).await {
            return Ok(page);
        } // whatever went wrong, the next one may do
    }
    Err(Error::msg("none of them"))
}

async fn careful(web: Web) -> Result<String> {
    for path in PAGES {
        match web.get(path).await {
            Err(error) if error.is_cancelled() => return Err(error), // not mine to handle
            Err(_) => continue,
            page => return page,
        }
    }
    Err(Error::msg("none of them"))
}

async fn lesson(web: Web) -> Result<()> {
    let careless = task(careless(web.clone())).name("careless").spawn();
    let careful = task(careful(web)).name("careful").spawn();
    sleep(Duration::from_millis(50)).await?;
    careless.cancel();
    careful.cancel();
    println!("careless: {}", careless.await?);
    println!(
        "careful: {}",
        if careful.await.is_err_and(|error| error.is_cancelled()) { "cancelled" } else { "?" }
    );
    Ok(())
}

pub(crate) fn main() -> Result<()> {
    let runtime = Builder::new()
        .debug(true) // the default, unless the program is built for release
        .on_unhandled(|unhandled| match unhandled {
            Unhandled::SwallowedCancellation { task, .. } => {
                println!("audit: '{}' was asked to stop, and did not", task.name());
            }
            other => eprintln!("{other}"),
        })
        .build();
    runtime.run(support::with_web(lesson))
}
// ANCHOR_END: lesson
