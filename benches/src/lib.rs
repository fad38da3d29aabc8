//! The microbenchmark harness: the same work on homing, on its peers, and with no executor at all, in turn.
//!
//! ```text
//!  runtime     what a runtime has to offer           ┐
//!   ├ runtimes/  an adapter each                     │
//!   └ sockets/   one more, if it has sockets         ├─► lineup ─► rounds ─► statistics
//!  workload    what is measured, and how             │     └─► solo        one of them in its own process
//!   └ workloads/ a part of a runtime each            ┘           └ traced  … and its system calls counted
//!       └─► load        a client of its own for servers          tally     what a server did for it
//!
//!  results ─► report    Markdown, JSON, a page with plots          setting   where and when
//!       └───► compare   what has become slower                     bars      what homing wants to reach
//!  count                instructions, under valgrind               cli       the commands
//! ```
//!
//! `README.md` says how to use it, and how to add to it.

mod arrivals;
mod bare;
mod bare_server;
mod clock;
mod descriptors;
mod proc;
mod scatter;
mod slot;
mod traced;

pub mod bars;
#[cfg(feature = "report")]
pub mod cli;
pub mod compare;
pub mod count;
pub mod lineup;
pub mod load;
#[cfg(feature = "peers")]
pub mod python;
#[cfg(feature = "report")]
pub mod report;
pub mod results;
pub mod rounds;
pub mod runtime;
pub mod runtimes;
pub mod setting;
pub mod sockets;
pub mod solo;
#[cfg(feature = "report")]
mod standing;
pub mod statistics;
pub mod tally;
pub mod workload;
pub mod workloads;
