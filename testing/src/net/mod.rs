//! A network in memory: as slow, as lossy and as broken as a test wants it.
//!
//! ```text
//!   Network   names ──► who listens           latency and capacity of new wires
//!     listen(name) ──► Listener ──► accept ─┐
//!     connect(name) ────────────────────────┴──► Duplex ═══ Link ═══ Duplex
//!
//!   Duplex    a stream of bytes each way      reads and writes as a socket does
//!   Link      the wire between two of them    latency, hold, cut, reset, reset_after(n bytes)
//!   Pipe      one direction of it             chunks on their way, each with the time of its arrival
//! ```
//!
//! A [`Duplex`] implements futures-io's traits as a socket does, so code that is generic over these runs on it; hyper's are
//! had with `homing::hyper::Io`.
//!
//! What can go wrong on a wire:
//!
//! | call                      | what is on its way | reads                    | writes                     |
//! |---------------------------|--------------------|--------------------------|----------------------------|
//! | [`Link::hold`]            | waits              | wait                     | go on until the wire is full |
//! | [`Link::cut`]             | is lost            | wait, for ever           | vanish; nobody hears of it |
//! | [`Link::reset`]           | is lost            | `ConnectionReset`        | `ConnectionReset`          |
//! | [`Link::reset_after`] n   | arrives            | n bytes, then the same   | n bytes, then the same     |
//! | the other end closes      | arrives            | what is left, then 0     | go on                      |
//! | the other end is dropped  | arrives            | what is left, then 0     | `BrokenPipe`               |

mod duplex;
mod link;
mod listener;
mod network;
mod pipe;
mod transfer;

pub use duplex::{Duplex, duplex};
pub use link::Link;
pub use listener::Listener;
pub use network::Network;
pub use transfer::{Reading, Writing};

/// How many bytes a direction of a wire holds if it is not told otherwise: as much as a small socket's buffers.
pub const CAPACITY: usize = 64 * 1024;
