//! A lock is free, and nobody gets it: which future was it granted to, and who does not poll that?
//!
//! ```text
//! cargo run --example futurelock
//!
//! a lock went to the await of line 21, which is not polled
//! line 27 waits for it
//! taken over: true
//! entries: 1
//! ```

use futures_util::future::{Either, select};
use homing::sync::Mutex;
use homing::{Builder, Result, sleep, spawn};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

// ANCHOR: lesson
async fn journal(log: Rc<Mutex<Vec<&'static str>>>) -> Result<usize> {
    let mut entry = log.lock();
    match select(&mut entry, pin!(sleep(Duration::from_millis(20)))).await {
        Either::Left((log, _)) => log?.push("in time"),
        Either::Right((slept, _)) => {
            slept?;
            // `entry` still stands in line, in front of this one. It is granted the lock, and nobody polls it.
            log.lock().await?.push("late");
        }
    }
    drop(entry); // if it had been dropped before the second `lock`, all would be well
    Ok(log.lock().await?.len())
}

async fn lesson() -> Result<()> {
    let log = Rc::new(Mutex::new(Vec::new()));
    let held = log.lock_owned().await?;
    spawn(async move {
        sleep(Duration::from_millis(50)).await?; // longer than the journal waits
        drop(held);
        Ok(())
    });
    println!("entries: {}", journal(log).await?);
    Ok(())
}

pub(crate) fn main() -> Result<()> {
    let runtime = Builder::new()
        .on_futurelock(|found| {
            let let_go = found.let_go_at.line();
            println!("a lock went to the await of line {let_go}, which is not polled");
            if let Some(waiter) = &found.waiter {
                println!("line {} waits for it", waiter.waits_at.line());
            }
            println!("taken over: {}", found.taken_over);
        })
        .build();
    runtime.run(lesson())
}
// ANCHOR_END: lesson
