//! Other processes: starting them, talking to them, and seeing them home.
//!
//! ```text
//!   Command ──spawn──► Child ──┬─ wait ───────► the process's descriptor (pidfd) turns readable: it has ended
//!                              ├─ stdin, stdout, stderr: pipes
//!                              ├─ signal, kill, stop(grace)
//!                              └─ dropped ────► killed, unless told otherwise; and reaped
//!
//!   status(), output(), communicate(): to the end, and if cancelled: SIGTERM, grace, SIGKILL, and only then `Cancelled`
//! ```
//!
//! No signal is needed to hear of an end, so nobody's handler for `SIGCHLD` is touched, and nobody else's children are waited
//! for. Where there is no such descriptor (other systems than Linux, kernels before 5.3), a [listener](crate::signal) to
//! `SIGCHLD` takes its place; it, too, asks for its own child only.
//!
//! | file          | what it answers                                                    |
//! |---------------|--------------------------------------------------------------------|
//! | `command.rs`  | what is to be run, and how?                                        |
//! | `child.rs`    | what can be done with it while it runs?                            |
//! | `exit.rs`     | how does a task learn that it has ended?                           |
//! | `pipe.rs`     | how are bytes moved to it, and from it?                            |
//! | `exchange.rs` | how is all said and heard without one side waiting for the other?  |
//! | `orphans.rs`  | who waits for a child that nobody waits for?                       |

mod child;
mod command;
mod exchange;
mod exit;
mod orphans;
mod pipe;

pub use child::{Child, Wait};
pub use command::{Command, OnDrop};
pub use pipe::{PipeReader, PipeWriter};
/// Of the standard library: what a process has ended with, what it has written, and what it is started with.
pub use std::process::{ExitStatus, Output, Stdio};
