//! Inside a tokio program: some of its code wants homing's groups and cancellation, and the program stays as it is.
//!
//! ```sh
//! cargo run -p homing-examples-hosts --bin tokio
//! ```
//!
//! tokio waits for the runtime's descriptor in an `AsyncFd`. That is edge-triggered: it tells of what is new. So turns are
//! taken until nothing is left, and only then it is waited for again.

use homing::Runtime;
use homing::runtime::Budget;
use std::convert::Infallible;
use std::os::fd::AsRawFd;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;

#[tokio::main(flavor = "current_thread")]
async fn main() -> homing::Result<()> {
    let runtime = Runtime::new();
    // From over there to here: any channel whose futures do not care who polls them.
    let (sender, answer) = oneshot::channel();
    let guest = runtime.spawn(async move {
        let _ = sender.send(hosts::guest().await?); // nobody waits any more: the program ends
        Ok(())
    });

    let mut turns = 0;
    let (answer, ticks) = tokio::select! {
        both = async { tokio::join!(answer, tick()) } => both,
        error = drive(&runtime, &mut turns) => return error.map(|never| match never {}),
    };

    println!("guest: {}", answer.map_err(homing::Error::new)?);
    println!("host: {ticks} ticks of its own");
    eprintln!("{turns} turns");
    runtime.block_on(guest)
}

/// Gives the runtime its turns, for as long as this is polled. (`Runtime` is not `Send`: on tokio's multi-threaded
/// runtime this goes into a `LocalSet`.)
async fn drive(runtime: &Runtime, turns: &mut u32) -> homing::Result<Infallible> {
    let descriptor = runtime.descriptor()?.as_raw_fd();
    // SAFETY: the runtime, which is borrowed here, keeps it open, and the same, as long as it lives.
    let descriptor = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE)? };
    loop {
        let mut readable = descriptor.readable().await?;
        *turns += 1;
        while runtime.turn(Budget::time(Duration::from_millis(1)))?.more_ready {
            *turns += 1;
            tokio::task::yield_now().await;
        }
        // What has come since the last turn has looked is a new edge, of which tokio does not know yet: this does not
        // forget it.
        readable.clear_ready();
    }
}

async fn tick() -> u32 {
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
    3
}
