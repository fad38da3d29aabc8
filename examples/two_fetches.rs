//! Two fetches at once: with a gather, and with a group.
//!
//! ```text
//! cargo run --example two_fetches
//!
//! gather: <user> <orders>
//! group:  <user> <orders>
//! gather: /orders answered 500 Internal Server Error; and the other fetch goes on
//! group:  /orders answered 500 Internal Server Error; and the other fetch has ended
//! ```

use homing::{Result, TaskRef, gather, spawn, task_group};
use support::Web;

// ANCHOR: lesson
async fn lesson(web: Web) -> Result<()> {
    let (user, orders) = gather((web.get("/user?ms=40"), web.get("/orders?ms=20"))).await?;
    println!("gather: {user} {orders}");

    let (user, orders) = task_group(async |tg| {
        let user = tg.spawn(web.get("/user?ms=40"));
        let orders = tg.spawn(web.get("/orders?ms=20"));
        Ok((user.await?, orders.await?))
    })
    .await?;
    println!("group:  {user} {orders}");

    // And when one of them fails?
    let user = spawn(web.get("/user?ms=5000"));
    let other = user.task_ref();
    let error = gather((user, web.get("/orders?status=500"))).await.unwrap_err();
    println!("gather: {error}; and the other fetch {}", state(&other));

    let mut other = None;
    let error = task_group(async |tg| {
        other = Some(tg.spawn(web.get("/user?ms=5000")).task_ref());
        tg.spawn(web.get("/orders?status=500"));
        Ok(())
    })
    .await
    .unwrap_err();
    let first = &error.as_group().unwrap().errors()[0];
    println!("group:  {first}; and the other fetch {}", state(&other.unwrap()));
    Ok(())
}
// ANCHOR_END: lesson

fn state(task: &TaskRef) -> &'static str {
    if task.is_finished() { "has ended" } else { "goes on" }
}

pub(crate) fn main() -> Result<()> {
    homing::run(support::with_web(lesson))
}
