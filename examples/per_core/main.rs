//! A runtime on each core: what the second one brings, and a server that is spread over all of them.
//!
//! ```text
//!   cargo run --release --example per_core                        measures, with one thread and with as many as there are cores
//!   cargo run --release --example per_core -- serve 127.0.0.1:0   serves on all cores until Ctrl-C
//! ```
//!
//! The threads share nothing, so twice the cores should do twice the work. The first row is the machine's own limit: threads
//! that do nothing but arithmetic. What the others lack of it is lost to what cores share: memory, caches, the kernel.

mod measure;
mod serve;

pub(crate) use measure::measure;
pub(crate) use serve::serve;

use homing::threads::Threads;
use std::time::Duration;

pub(crate) fn main() -> homing::Result<()> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("serve") => {
            let address = arguments.next().unwrap_or_else(|| "127.0.0.1:0".to_owned());
            let ready = |address| println!("serving http://{address}, until Ctrl-C");
            let answered = serve(Threads::per_core().name("web"), &address, ready, async || {
                homing::signal::ctrl_c().await
            })?;
            println!("answered: {answered:?}");
        }
        _ => {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            print!("{}", measure(cores.max(2), Duration::from_millis(400), 7)?);
        }
    }
    Ok(())
}
