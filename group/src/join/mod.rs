//! Waiting for tasks in other ways than a group does: for all, for some, for one after the other.
//!
//! Except for `race`, none of them owns what it waits for: the tasks go on whatever happens to the waiter, unless it says otherwise.
//!
//! | | gives | one fails | the waiter is cancelled |
//! |---|---|---|---|
//! | [`gather`] | all values, in order | its error, at once; the others go on | all are cancelled |
//! | [`wait`] | which are done, and which not | nothing | nothing |
//! | [`as_completed`] | each as it ends | nothing | nothing |
//! | [`race`] | the first success | the next one begins | all are cancelled, and waited for |
//! | [`shield`] | the task's outcome | its error | the waiting ends, the task goes on |
//! | [`wait_for`] | the task's outcome | its error | the task is cancelled |
//!
//! All of them learn of a task's end through [`TaskRef::on_done`](homing_executor::task::TaskRef::on_done), and take
//! their callbacks back on every way out, so that waiting often on one long-lived task leaves nothing behind.

mod as_completed;
mod child;
mod gather;
mod race;
mod shield;
mod wait;
mod wait_for;
mod watch;

pub use as_completed::{AsCompleted, Next, as_completed};
pub use gather::{Gather, GatherChildren, GatherOutcomes, Gatherable, gather, gather_iter};
pub use race::{Race, RaceOutcome, race};
pub use shield::{Shield, shield};
pub use wait::{EmptyWait, ReturnWhen, Wait, Waited, wait};
pub use wait_for::wait_for;
pub use watch::AsTask;
