//! The microbenchmark harness: the same work on homing and on its peers, in turn.
//!
//! ```text
//!  contenders/   a runtime's adapter each       ┐
//!  workloads/    what is measured, once for all ┘─► lineup ─► rounds ─► report   criterion, and one table
//!                                                     └─────► count             instructions, under valgrind
//!  memory        bytes of an idle task                 idle   wake-ups of an idle runtime
//! ```
//!
//! | `cargo bench -p homing-benches --features peers …` | does |
//! |----------------------------------------------------|------|
//! | `[-- FILTER] [criterion's options]` | measures the workloads, or those whose name contains the filter |
//! | `-- memory` | bytes of resident memory for one of a million idle tasks |
//! | `-- idle` | wake-ups of a runtime that has nothing to do |
//! | `-- count [FILTER]` | instructions per operation (needs valgrind) |
//! | `-- solo WORKLOAD CONTENDER ROUNDS` | one workload on one contender, and nothing else: for a profiler |

mod contender;
mod contenders;
mod count;
mod idle;
mod lineup;
mod memory;
mod report;
mod rounds;
mod workload;
mod workloads;

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    // `cargo bench` appends an option of its own, which only criterion wants to see.
    let words: Vec<String> = env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["memory"] => memory::measure_all(),
        ["memory", contender] => memory::measure(contender),
        ["idle"] => idle::watch_all(),
        ["count"] => count::count_all(""),
        ["count", filter] => count::count_all(filter),
        ["solo", workload, contender, rounds] => count::solo(workload, contender, rounds),
        _ => report::run(),
    }
}
