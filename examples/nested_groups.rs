//! Groups within groups: a page has a head and a body, each fetched by a group of its own.
//!
//! ```text
//! cargo run --example nested_groups
//!
//! user: cancelled
//! unhandled errors in task group 'page' (1 sub-exception)
//! │ through group 'page' at examples/nested_groups.rs:39:16
//! └─ unhandled errors in task group 'body' (1 sub-exception)
//!    │ in task 'body', spawned at examples/nested_groups.rs:43:23
//!    │ through group 'body' at examples/nested_groups.rs:30:17
//!    └─ /orders answered 503 Service Unavailable
//!         in task 'orders', spawned at examples/nested_groups.rs:32:41
//! handled, wherever it was: orders
//! ```

use homing::{Except, Result, TaskGroup};
use support::{HttpError, Web};

// ANCHOR: lesson
async fn fetch(web: Web, name: &'static str, path: &'static str) -> Result<String> {
    let fetched = web.get(path).await;
    if fetched.as_ref().is_err_and(|error| error.is_cancelled()) {
        println!("{name}: cancelled");
    }
    fetched
}

async fn section(web: Web, name: &'static str, parts: [(&'static str, &'static str); 2]) -> Result<String> {
    let group = TaskGroup::builder().name(name).run(async |tg| {
        let [left, right] =
            parts.map(|(name, path)| tg.task(fetch(web.clone(), name, path)).name(name).spawn());
        Ok(left.await? + &right.await?)
    });
    group.await
}

async fn lesson(web: Web) -> Result<()> {
    let page = TaskGroup::builder().name("page").run(async |tg| {
        let head = [("logo", "/logo?ms=10"), ("user", "/user?ms=5000")];
        let body = [("news", "/news?ms=10"), ("orders", "/orders?ms=200&status=503")];
        let head = tg.task(section(web.clone(), "head", head)).name("head").spawn();
        let body = tg.task(section(web.clone(), "body", body)).name("body").spawn();
        Ok(head.await? + &body.await?)
    });
    let page = page.await;
    if let Err(error) = &page {
        println!("{error:#}");
    }
    // A clause reaches through all levels.
    page.except::<HttpError>(|caught| {
        let failed = caught.leaves().filter_map(|error| error.task_name());
        println!("handled, wherever it was: {}", failed.collect::<Vec<_>>().join(", "));
    })
    .end()?;
    Ok(())
}
// ANCHOR_END: lesson

pub(crate) fn main() -> Result<()> {
    homing::run(support::with_web(lesson))
}
