//! Structured concurrency on the executor of homing: task groups, timeouts, and what tasks wait in and for.
//!
//! Everything here is written on the executor's public API; whoever wants another primitive can write it the same way.
//!
//! ```text
//!   task_group   who waits for whom     children, joined at the end of a block
//!   scope        the same              children that borrow
//!   timeout      how long               a block that is interrupted when its time is over
//!   server       who is let in         connections, from the first accept to the last answer
//!   join         for all, some, one     gather, wait, as_completed, race, shield, wait_for
//!   sync         who is served first    mutex, semaphore, event, condition, barrier, queues, channels
//! ```
#![deny(unsafe_code)]

mod body;
mod builder;
mod child;
mod defer;
mod exit;
mod grace;
mod handshake;
mod join;
mod limit;
mod scope;
mod server;
mod start;
mod task_group;
mod timeout;
mod waiter;

pub mod sync;

pub use builder::GroupBuilder;
pub use child::ChildBuilder;
pub use join::{
    AsCompleted, AsTask, EmptyWait, Gather, GatherChildren, GatherOutcomes, Gatherable, Next, Race,
    RaceOutcome, ReturnWhen, Shield, Wait, Waited, as_completed, gather, gather_iter, race, shield, wait,
    wait_for,
};
pub use scope::{Scope, ScopedBuilder, scope};
pub use server::{Served, Server, Stopping};
pub use start::{NeverStarted, Start, StartWithTask, Started};
pub use task_group::{GroupCancelled, GroupClosed, TaskGroup, task_group};
pub use timeout::{Reschedule, Timeout, TimeoutScope, timeout, timeout_at, timeout_scope};
