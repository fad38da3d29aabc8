//! Several fetches fail, each in its own way: handle each kind by itself, as `except*` does.
//!
//! ```text
//! cargo run --example catch_by_type
//!
//! the server said no: /news answered 404 Not Found
//! the server said no: /orders answered 503 Service Unavailable
//! could not even be asked: 1
//! nothing is left over
//! ```

use homing::{Except, Result, TaskGroup};
use std::io;
use support::{HttpError, Web};

// ANCHOR: lesson
async fn lesson(web: Web) -> Result<()> {
    // A plain group stops at the first failure. This one lets every child have its own.
    let outcome = TaskGroup::builder().supervise().run(async |tg| {
        tg.spawn(web.get("/user"));
        tg.spawn(web.get("/news?ms=20&status=404"));
        tg.spawn(web.get("/orders?ms=40&status=503"));
        tg.spawn(Web::nowhere().get("/settings"));
        Ok(())
    });
    outcome
        .await
        .except::<HttpError>(|caught| {
            for error in caught.leaves() {
                println!("the server said no: {error}");
            }
        })
        .except::<io::Error>(|caught| println!("could not even be asked: {}", caught.len()))
        .end()?;
    println!("nothing is left over");
    Ok(())
}
// ANCHOR_END: lesson

pub(crate) fn main() -> Result<()> {
    homing::run(support::with_web(lesson))
}
