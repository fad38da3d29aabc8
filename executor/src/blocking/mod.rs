//! What blocks a thread: jobs, and the threads that they are run on.
//!
//! Some things can only be waited for by a thread: a file, the look-up of a name, a long computation, a library that knows
//! nothing of futures. They go to a pool of threads that each runtime has for itself, and the task awaits the end.
//!
//! ```text
//!   the runtime's thread                          its pool: at most so many threads, none before the first job
//!   spawn_blocking(job) ──► [ queue ] ──────────► a thread: run it
//!     .await                   │                         │
//!        │ cancelled:          │                         ▼
//!        ├─ not begun: ◄───────┘ taken out         [ slot ] value, error or panic ──► wake
//!        └─ running: asked to stop (check_cancelled), and waited for; or, by choice, abandoned
//! ```
//!
//! A job belongs to whoever awaits it, and comes home like a task: what it returns reaches the await, or stays with the
//! handle, or, if there is nobody any more, its error reaches the hook for unhandled errors. No job outlives its runtime.
//!
//! | file         | what it answers                                                      |
//! |--------------|----------------------------------------------------------------------|
//! | `job.rs`     | what does the task see of a job, and what if it is cancelled?        |
//! | `slot.rs`    | where does the outcome wait for the task, or the task for the outcome? |
//! | `pool.rs`    | which thread runs it, when is there another, and when one less?      |
//! | `options.rs` | how many, how long, and what are they called?                        |

mod job;
mod options;
mod pool;
mod slot;

pub use job::{Blocking, spawn_blocking};
pub use options::BlockingOptions;
pub(crate) use pool::Pool;
pub use slot::check_cancelled;
