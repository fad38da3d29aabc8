//! Two tasks wait for one another, and the program for both: who are they, and where do they stand?
//!
//! ```text
//! cargo run --example stuck
//!
//! main: awaiting children at examples/stuck.rs:31
//! to bob: awaiting mutex at examples/stuck.rs:23
//! to alice: awaiting mutex at examples/stuck.rs:23
//! ```

use homing::sync::Mutex;
use homing::{Builder, Result, RuntimeError, task_group, yield_now};
use std::rc::Rc;

// ANCHOR: lesson
type Account = Rc<Mutex<i64>>;

async fn transfer(from: Account, to: Account, amount: i64) -> Result<()> {
    let mut from = from.lock().await?;
    if *from >= amount {
        *from -= amount;
        yield_now().await?; // writes it down
        *to.lock().await? += amount; // the other one has locked it, and waits for `from`
    }
    Ok(())
}

async fn both_ways() -> Result<()> {
    let alice = Account::new(Mutex::new(100));
    let bob = Account::new(Mutex::new(100));
    task_group(async |tg| {
        tg.task(transfer(alice.clone(), bob.clone(), 10)).name("to bob").spawn();
        tg.task(transfer(bob.clone(), alice.clone(), 20)).name("to alice").spawn();
        Ok(())
    })
    .await
}

pub(crate) fn main() -> Result<()> {
    let runtime = Builder::new()
        .on_stuck(|_| {}) // by default, it is also printed
        .build();
    let error = runtime.run(both_ways()).expect_err("it can never end");
    if let Some(RuntimeError::Deadlock(stuck)) = error.downcast_ref() {
        for task in &stuck.tasks {
            let stands = &task.stack[0];
            let place = stands.place.as_ref().map(|place| format!("{}:{}", place.file, place.line));
            let name = task.name.as_deref().unwrap_or_default();
            println!("{name}: awaiting {} at {}", stands.name, place.unwrap_or_default());
        }
    }
    Ok(())
}
// ANCHOR_END: lesson
