//! Synchronization among the tasks of a runtime: locks, permits, events, conditions, barriers, queues, channels.
//!
//! Tasks of one thread cannot race for memory, but they can race for anything that is held across an `.await`. All of
//! these are asyncio's, with its fairness and its promises under cancellation, and guards and types in place of its
//! run-time checks.
//!
//! ```text
//!   Mutex        one at a time             lock ──► guard ──► dropped: the next in line
//!   Semaphore    so many at a time         acquire ──► permit ──► dropped: the next in line
//!   Event        a flag to wait for        set: all who wait
//!   Condition    a change under a mutex    notify: so many of those who wait
//!   Barrier      all together              the last to arrive: everybody goes on
//!   Queue        items, each to one        put ──► [ … ] ──► get     (first in, last in, or smallest, first out)
//!   channel      a queue with two ends     an end is closed when its handles are gone
//!   remote_channel   the same, between threads
//!   oneshot      one value, once
//! ```
//!
//! What they have in common:
//!
//! * **First come, first served.** All waiting is done in one kind of line (`wait_list.rs`), and what is released is kept
//!   for the first in line from that moment on; a newcomer cannot overtake it.
//! * **Nothing is lost.** Who is cancelled (the await returns `Err(Cancelled)`, also if what it waited for had come in
//!   the meantime and was not seen) or dropped, at whatever point, hands on what was kept for it.
//! * **What is there is taken at once**: an await that need not wait does not suspend, and is no point at which a
//!   cancel is delivered (CX-11).
//! * They may be made anywhere, are used by the tasks of one thread (but for `remote_channel`), and work in foreign combinators and outside of
//!   homing's tasks, where there is no cancellation.
//!
//! One thing to beware of, here as in every fair lock: who has been granted something and is then not polled any more,
//! such as a future that is kept beside a `select!` loop, keeps it from all others until it is polled or dropped.
//!
//! Everything is held through a shared reference; put it in an [`Rc`](std::rc::Rc) to give it to several tasks.

mod barrier;
mod bounded_semaphore;
pub mod channel;
mod condition;
mod condition_wait;
mod event;
mod guarded;
mod holdings;
mod mutex;
mod mutex_guard;
pub mod oneshot;
mod order;
mod permit;
mod queue;
mod queue_error;
pub mod remote_channel;
mod semaphore;
mod store;
mod turn;
mod wait_list;

pub use barrier::{Barrier, BrokenBarrier};
pub use bounded_semaphore::{BoundedSemaphore, ReleasedTooOften};
pub use condition::Condition;
pub use event::Event;
pub use mutex::Mutex;
pub use mutex_guard::{Guard, MutexGuard, OwnedMutexGuard};
pub use order::{Fifo, Lifo, Order, Smallest};
pub use permit::{OwnedPermit, Permit};
pub use queue::{LifoQueue, PriorityQueue, Queue, QueueIn, Shutdown};
pub use queue_error::{GetRefused, PutRefused, QueueEmpty, QueueFull, QueueShutDown, TaskDoneTooOften};
pub use semaphore::Semaphore;
