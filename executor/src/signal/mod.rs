//! Signals of the operating system, as a task awaits them.
//!
//! A handler may run in the middle of anything, so it does next to nothing: it counts, and writes a byte into the pipe of
//! each listener. The pipe is a source like any other, and its edge wakes the task.
//!
//! ```text
//!   the kernel ──► handler, on any thread                       listeners, in any number of runtimes
//!                    for each ear that listens to this signal:
//!                      count + 1, a byte into its pipe ────────► edge ──► recv(): has the count moved?
//!                    nobody, and it is Ctrl-C: run's main is cancelled
//!                    then: whoever had a handler here before us
//! ```
//!
//! The handler is there from the first listener to the last, and what was there before is put back then.
//!
//! | file         | what it answers                                             |
//! |--------------|-------------------------------------------------------------|
//! | `kind.rs`    | which signal?                                               |
//! | `listen.rs`  | how does a task wait for one?                               |
//! | `handler.rs` | what happens when it comes, and who has the handler?        |
//! | `ears.rs`    | how do the two get out of each other's way?                 |

mod ears;
pub(crate) mod handler;
mod kind;
mod listen;

use crate::sync;
pub use kind::SignalKind;
pub use listen::{CtrlC, Recv, Signal, ctrl_c, unix};
