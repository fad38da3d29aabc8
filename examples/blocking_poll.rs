//! A task does not give way, and everything else waits: who is it, and since where?
//!
//! ```text
//! cargo run --example blocking_poll
//!
//! running: 'report', spawned at examples/blocking_poll.rs:39, since the await at examples/blocking_poll.rs:20
//! over: 'report', spawned at examples/blocking_poll.rs:39, since the await at examples/blocking_poll.rs:20
//! the report has 3 lines
//! ```

use homing::observe::SlowPoll;
use homing::{Builder, Result, sleep, task};
use std::panic::Location;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

// ANCHOR: lesson
async fn report(noticed: Receiver<()>) -> Result<u32> {
    sleep(Duration::from_millis(10)).await?; // fetches the data, and gives way
    noticed.recv().expect("somebody notices"); // computes, and does not, for as long as it takes to be noticed
    Ok(3)
}

fn main_with(noticed: Receiver<()>, tell: impl Fn() + Send + Sync + 'static) -> Result<()> {
    let shown = |place: Option<&Location<'_>>| place.map(|it| format!("{}:{}", it.file(), it.line()));
    let hook = move |slow: &SlowPoll| {
        if slow.name == "report" {
            let state = if slow.still_running { "running" } else { "over" };
            let [spawned, resumed] =
                [slow.spawned_at, slow.resumed_at].map(|it| shown(it).unwrap_or_default());
            println!("{state}: '{}', spawned at {spawned}, since the await at {resumed}", slow.name);
            tell();
        }
    };
    // Without a hook, and without a limit if the program is built with debug assertions, it is printed.
    let runtime = Builder::new().slow_poll(Duration::from_millis(100)).on_slow_poll(hook).build();
    runtime.run(async {
        let report = task(report(noticed)).name("report").spawn();
        println!("the report has {} lines", report.await?);
        Ok(())
    })
}
// ANCHOR_END: lesson

pub(crate) fn main() -> Result<()> {
    let (tell, noticed) = channel();
    let tell = Mutex::new(tell);
    main_with(noticed, move || tell.lock().unwrap().send(()).unwrap_or_default())
}
