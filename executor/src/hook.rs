//! What nobody else has seen: the hook for unhandled errors.
//!
//! Whatever goes wrong with nobody there to be told (a task fails whose handle was dropped, a callback or a destructor
//! panics) comes here. By default it is printed to the standard error; [`Builder::on_unhandled`] takes it elsewhere.
//!
//! [`Builder::on_unhandled`]: crate::runtime::Builder::on_unhandled

use crate::error::{Cancelled, Error};
use crate::task::TaskRef;
use std::fmt;
use std::panic::Location;

/// Something that would have gone unseen.
///
/// # asyncio
///
/// The context that the loop's exception handler is called with (TK-11, TK-13, TK-16).
#[derive(Debug)]
#[non_exhaustive]
pub enum Unhandled {
    /// A task ended in an error that nobody has read.
    TaskFailed {
        /// The task.
        task: TaskRef,
        /// Its error.
        error: Error,
    },
    /// A task panicked. Reported at once; after that it is treated as any failure.
    TaskPanicked {
        /// The task.
        task: TaskRef,
        /// Its [`Panicked`](crate::error::Panicked).
        error: Error,
    },
    /// A callback, a blocking job, a foreign waker or a destructor panicked.
    CallbackPanicked {
        /// The [`Panicked`](crate::error::Panicked).
        error: Error,
    },
    /// The runtime was dropped while the task was pending; so its future was.
    PendingAtDrop {
        /// The task.
        task: TaskRef,
    },
    /// An error had to make way for another, and has nobody left to go to.
    Displaced {
        /// The error.
        error: Error,
    },
    /// A clean-up that was put off to the end of something was never run, because its runtime ended first.
    NotCleanedUp {
        /// Where it was put off.
        place: &'static Location<'static>,
    },
    /// A blocking job ended in an error, and nobody awaits it any more.
    JobFailed {
        /// Where it was begun.
        place: &'static Location<'static>,
        /// Its error.
        error: Error,
    },
    /// In debug mode: the task was asked to cancel, and ended with a value all the same, without an `uncancel`.
    SwallowedCancellation {
        /// The task.
        task: TaskRef,
        /// What came out of its await, the last if there were several: who has asked, and where.
        cancelled: Cancelled,
    },
    /// The operating system refused something that the runtime goes on without.
    System {
        /// What failed, and how.
        error: Error,
    },
}

impl fmt::Display for Unhandled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spawned = |task: &TaskRef| match task.spawned_at() {
            Some(place) => format!(", spawned at {place}"),
            None => String::new(),
        };
        match self {
            Unhandled::TaskFailed { task, error } => {
                write!(
                    f,
                    "task '{}'{} failed, and nobody has read its error: {error:#}",
                    task.name(),
                    spawned(task)
                )
            }
            Unhandled::TaskPanicked { error, .. } | Unhandled::CallbackPanicked { error } => {
                write!(f, "{error:#}")
            }
            Unhandled::PendingAtDrop { task } => {
                write!(f, "task '{}'{} was pending when its runtime was dropped", task.name(), spawned(task))
            }
            Unhandled::Displaced { error } => write!(f, "an error made way for another one: {error:#}"),
            Unhandled::NotCleanedUp { place } => {
                write!(f, "the clean-up deferred at {place} was not run: there is no runtime for it any more")
            }
            Unhandled::JobFailed { place, error } => {
                write!(f, "the blocking job begun at {place} failed, and nobody awaits it: {error:#}")
            }
            Unhandled::SwallowedCancellation { task, cancelled } => write!(
                f,
                "task '{}'{} was cancelled and returned a value: pass the error on, or call `uncancel()` ({cancelled})",
                task.name(),
                spawned(task)
            ),
            Unhandled::System { error } => write!(f, "{error:#}"),
        }
    }
}

/// A hook for unhandled errors.
pub(crate) type Hook = Box<dyn Fn(&Unhandled)>;

/// What the default hook does.
pub(crate) fn print(unhandled: &Unhandled) {
    eprintln!("homing: {unhandled}");
}
