//! The microbenchmark harness: the same work on homing, on its peers, and with no executor at all, in turn.
//!
//! ```text
//!  runtime     what a runtime has to offer           ┐
//!   └ runtimes/  an adapter each                     ├─► lineup ─► rounds ─► statistics
//!  workload    what is measured, and how             │     └─► solo           one of them in a process of its own
//!   └ workloads/ a part of a runtime each            ┘
//! ```
//!
//! `README.md` says how to use it, and how to add to it.

mod bare;
mod clock;
mod proc;
mod scatter;
mod slot;

#[cfg(feature = "report")]
pub mod cli;
pub mod count;
pub mod lineup;
pub mod rounds;
pub mod runtime;
pub mod runtimes;
pub mod solo;
pub mod statistics;
pub mod workload;
pub mod workloads;
