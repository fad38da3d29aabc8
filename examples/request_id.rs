//! Two requests are answered at once, and each line of the log says for which it is: without passing that along.
//!
//! ```text
//! cargo run --example request_id
//!
//! request 1: got <user>
//! request 2: got <user>
//! request 1: got <orders>
//! request 1: answered
//! request 2: got <news>
//! request 2: answered
//! ```

use homing::{Result, TaskLocal, task_group};
use support::Web;

// ANCHOR: lesson
/// Tasks that are spawned to help with a request do it for the same.
static REQUEST_ID: TaskLocal<u32> = TaskLocal::inherited();

fn log(what: &str) {
    println!("request {}: {what}", REQUEST_ID.get());
}

async fn fetch(web: Web, path: &'static str) -> Result<()> {
    let page = web.get(path).await?;
    log(&format!("got {page}"));
    Ok(())
}

async fn answer(web: Web, id: u32, paths: [&'static str; 2]) -> Result<()> {
    REQUEST_ID.set(id);
    task_group(async |tg| {
        for path in paths {
            tg.spawn(fetch(web.clone(), path));
        }
        Ok(())
    })
    .await?;
    log("answered");
    Ok(())
}

async fn lesson(web: Web) -> Result<()> {
    task_group(async |tg| {
        tg.spawn(answer(web.clone(), 1, ["/user?ms=20", "/orders?ms=140"]));
        tg.spawn(answer(web.clone(), 2, ["/user?ms=80", "/news?ms=200"]));
        Ok(())
    })
    .await
}
// ANCHOR_END: lesson

pub(crate) fn main() -> Result<()> {
    homing::run(support::with_web(lesson))
}
