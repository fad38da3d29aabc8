//! Futurelocks: what was granted to a future that its own task has stopped polling.
//!
//! ```text
//!   select! { _ = &mut first => …, _ = timer => … }     first stands in line, the timer is quicker
//!   second = mutex.lock(); second.await                  second stands behind first, in the same task
//!   the mutex is unlocked ──► kept for first, the task is woken: it polls second, and nobody polls first
//! ```
//!
//! The lock is nobody's, and whoever waits for it does so for ever: a deadlock in which no task holds what another waits
//! for. (Oxide's RFD 609 has named it.) Whoever grants something finds out by the number of polls: a future that its task
//! still awaits is polled in the first poll after it was woken; if there have been two, it was not.

use crate::cancel::Awaiting;
use crate::context;
use crate::task::TaskId;
use crate::task::life;
use crate::task::row::Row;
use std::borrow::Cow;
use std::fmt;
use std::panic::Location;

/// A lock, or permits of a semaphore, that was granted to a future which its own task has stopped polling.
///
/// See [`Builder::on_futurelock`](crate::runtime::Builder::on_futurelock).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Futurelock {
    /// What was granted.
    pub awaiting: Awaiting,
    /// The task whose future it was granted to.
    pub task: TaskId,
    /// Its name.
    pub name: Cow<'static, str>,
    /// The await that was let go.
    pub let_go_at: &'static Location<'static>,
    /// The task that waits for the same.
    pub waiter: TaskId,
    /// Its name.
    pub waiter_name: Cow<'static, str>,
    /// Where it waits.
    pub waits_at: &'static Location<'static>,
    /// It is the same task, and has been given what the other future did not take.
    pub taken_over: bool,
}

impl Futurelock {
    /// For who writes locks: the running task waits behind a future of `task`. `None` if one of the two has no record any more.
    pub fn found(
        awaiting: Awaiting,
        task: TaskId,
        let_go_at: &'static Location<'static>,
        waits_at: &'static Location<'static>,
        taken_over: bool,
    ) -> Option<Futurelock> {
        let waiting = context::current_row()?;
        let name = life::name(Row::current(task.0)?);
        let waiter = TaskId(waiting.id());
        let waiter_name = life::name(waiting);
        Some(Futurelock { awaiting, task, name, let_go_at, waiter, waiter_name, waits_at, taken_over })
    }

    /// Gives it to the hook of the running runtime.
    pub fn report(&self) {
        context::with(|core| {
            if let Some(hook) = core.and_then(|core| core.on_futurelock.as_ref()) {
                life::contain(|| hook(self));
            }
        });
    }
}

impl fmt::Display for Futurelock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.awaiting {
            Awaiting::Mutex(_) => "a mutex",
            Awaiting::Semaphore(_) => "a permit",
            _ => "something",
        };
        write!(
            f,
            "futurelock: {what} was granted to a future of task '{}' that is not polled any more, awaited at {}; ",
            self.name, self.let_go_at
        )?;
        match self.taken_over {
            true => {
                write!(f, "the same task, which awaits it at {} as well, was given it instead", self.waits_at)
            }
            false => write!(f, "task '{}' waits for it at {}", self.waiter_name, self.waits_at),
        }
    }
}

/// What is called with futurelocks.
pub(crate) type FuturelockHook = Box<dyn Fn(&Futurelock)>;

/// What the default hook does.
pub(crate) fn print(futurelock: &Futurelock) {
    eprintln!("homing: {futurelock}");
}

/// How often a task has been polled, the present poll included. From four billion on it begins anew. `None` if it has ended.
///
/// For who writes locks and wants to know whether a task has been polled since.
pub fn polls_of(task: TaskId) -> Option<u32> {
    Row::current(task.0).filter(|row| row.state.get().is_alive()).map(|row| row.polls.get())
}
