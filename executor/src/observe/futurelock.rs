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
//! still awaits is polled in the first poll after it was woken; if there have been two, it was not. And before a runtime
//! sleeps, it looks through what is [outstanding](super::grants).

use crate::cancel::Awaiting;
use crate::context;
use crate::runtime::core::Core;
use crate::task::TaskId;
use crate::task::row::{Flag, Row};
use crate::task::{life, waits};
use std::borrow::Cow;
use std::fmt;
use std::panic::Location;

/// A lock, or permits of a semaphore, that was granted to a future which its own task has stopped polling.
///
/// It is noticed when somebody comes to wait for the same, or is polled while he waits; and when the runtime is about to sleep,
/// whoever waits. See [`Builder::on_futurelock`](crate::runtime::Builder::on_futurelock).
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
    /// The await at which the task stands instead, as far as that is known: nothing is of futures of other libraries.
    pub stands_at: Option<&'static Location<'static>>,
    /// Who waits for the same, if anybody does; one of them, if there are several.
    pub waiter: Option<FuturelockWaiter>,
    /// It is the same task that waits, and it has been given what the other future did not take.
    pub taken_over: bool,
}

/// Who waits for what is granted already, and not collected.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FuturelockWaiter {
    /// The task.
    pub task: TaskId,
    /// Its name.
    pub name: Cow<'static, str>,
    /// Where it waits.
    pub waits_at: &'static Location<'static>,
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
        let row = Row::current(task.0)?;
        let waiter = FuturelockWaiter { task: TaskId(waiting.id()), name: life::name(waiting), waits_at };
        let stands_at =
            if waiter.task == task { Some(waits_at) } else { stands_at(row, awaiting, let_go_at) };
        let name = life::name(row);
        Some(Futurelock { awaiting, task, name, let_go_at, stands_at, waiter: Some(waiter), taken_over })
    }

    /// The runtime found it as it was about to sleep. `None` if the task has no record any more.
    pub(super) fn at_rest(
        core: &Core,
        awaiting: Awaiting,
        task: TaskId,
        let_go_at: &'static Location<'static>,
    ) -> Option<Futurelock> {
        let row = Row::current(task.0)?;
        let stands_at = stands_at(row, awaiting, let_go_at);
        let mut others = core.rows.all().filter(|other| other.id() != task.0 && !other.is(Flag::Callback));
        let waiter = others.find_map(|other| FuturelockWaiter::for_the_same(other, awaiting));
        Some(Futurelock {
            awaiting,
            task,
            name: life::name(row),
            let_go_at,
            stands_at,
            waiter,
            taken_over: false,
        })
    }

    /// Gives it to the hook of the running runtime.
    pub fn report(&self) {
        context::with(|core| {
            if let Some(futurelocks) = core.and_then(|core| core.futurelocks.as_ref()) {
                life::contain(|| (futurelocks.hook)(self));
            }
        });
    }
}

impl FuturelockWaiter {
    fn for_the_same(row: &'static Row, awaiting: Awaiting) -> Option<FuturelockWaiter> {
        let mut waits_at = None;
        waits::for_each(row, |wait, _| {
            if Awaiting::of(wait) == Some(awaiting) {
                waits_at = waits_at.or(wait.place);
            }
        });
        Some(FuturelockWaiter { task: TaskId(row.id()), name: life::name(row), waits_at: waits_at? })
    }
}

/// Where a task stands that has let go of an await.
fn stands_at(
    row: &Row,
    let_go: Awaiting,
    let_go_at: &'static Location<'static>,
) -> Option<&'static Location<'static>> {
    let mut stands_at = None;
    waits::for_each(row, |wait, _| {
        // A combinator that was let go along with it has left its waits behind.
        if Awaiting::of(wait) != Some(let_go) || wait.place != Some(let_go_at) {
            stands_at = stands_at.or(wait.place);
        }
    });
    stands_at
}

impl fmt::Display for Futurelock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.awaiting {
            Awaiting::Mutex(_) => "a mutex",
            Awaiting::Semaphore(_) => "a permit",
            _ => "something",
        };
        let (name, let_go_at) = (&self.name, self.let_go_at);
        write!(
            f,
            "futurelock: {what} was granted to a future of task '{name}' that is not polled any more, awaited at {let_go_at}; "
        )?;
        if self.taken_over {
            f.write_str("the same task, which awaits it")?;
            if let Some(waiter) = &self.waiter {
                write!(f, " at {}", waiter.waits_at)?;
            }
            return f.write_str(" as well, was given it instead");
        }
        match self.stands_at {
            Some(place) => write!(f, "the task stands at {place}")?,
            None => f.write_str("where the task stands is not known")?,
        }
        match &self.waiter {
            Some(waiter) => write!(f, "; task '{}' waits for it at {}", waiter.name, waiter.waits_at),
            None => Ok(()),
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
