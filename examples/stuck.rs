//! Two tasks wait for one another, and the program for both: who are they, and where do they stand?
//!
//! ```text
//! cargo run --example stuck
//!
//! to bob → to alice → to bob
//! to bob waits in line 23 for what to alice took in line 19
//! to alice waits in line 23 for what to bob took in line 19
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
        for circle in &stuck.circles {
            println!("{circle}");
            for step in &circle.steps {
                let stands = step.awaits.as_ref().expect("each awaits the next one");
                let held_by = &stands.held_by[0];
                let [waits, took] =
                    [&stands.place, &held_by.place].map(|it| it.as_ref().map_or(0, |it| it.line));
                let (who, holder) = (&step.name, &held_by.name);
                println!("{who} waits in line {waits} for what {holder} took in line {took}");
            }
        }
    }
    Ok(())
}
// ANCHOR_END: lesson
