//! The microbenchmark harness: the same work on homing, on its peers, and with no executor at all, in turn.
//!
//! ```text
//!  runtime     what a runtime has to offer           ┐
//!   └ runtimes/  an adapter each                     ├─► lineup ─► rounds ─► statistics
//!  workload    what is measured, and how             │     └─► solo        one of them in its own process
//!   └ workloads/ a part of a runtime each            ┘
//!
//!  results ─► report    Markdown, JSON, a page with plots          setting   where and when
//!       └───► compare   what has become slower                     bars      what homing wants to reach
//!  count                instructions, under valgrind               cli       the commands
//! ```
//!
//! `README.md` says how to use it, and how to add to it.

mod arrivals;
mod bare;
mod clock;
mod proc;
mod scatter;
mod slot;

pub mod bars;
#[cfg(feature = "report")]
pub mod cli;
pub mod compare;
pub mod count;
pub mod lineup;
#[cfg(feature = "peers")]
pub mod python;
#[cfg(feature = "report")]
pub mod report;
pub mod results;
pub mod rounds;
pub mod runtime;
pub mod runtimes;
pub mod setting;
pub mod solo;
pub mod statistics;
pub mod workload;
pub mod workloads;
