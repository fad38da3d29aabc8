//! What observers are told beside the task.

use crate::cancel::{Awaiting, ScopeId};
use crate::error::{Cancelled, ScopeNote};
use crate::task::TaskRef;
use crate::task::row::{self, Row};
use std::panic::Location;
use std::time::{self, Duration};

/// How a task came to be. (Its name, place, type and parent are the task's own.)
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Spawned {
    /// The scope in which somebody waits for its end, whatever else happens: the group that it is a child of.
    pub group: Option<ScopeId>,
}

/// The end of a poll.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PollEnd {
    /// When it began.
    pub started: time::Instant,
    /// When it ended.
    pub ended: time::Instant,
    /// Whether the task's future has ended with it.
    pub ready: bool,
}

impl PollEnd {
    /// How long it took.
    pub fn took(&self) -> Duration {
        self.ended.saturating_duration_since(self.started)
    }
}

/// One thing that a task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wait {
    /// What it is. Of several tasks that are awaited together, each is a thing of its own.
    pub awaiting: Awaiting,
    /// The scope that the await stands in; `None` for the task as a whole.
    pub scope: Option<ScopeId>,
    /// Where in the source.
    pub place: Option<&'static Location<'static>>,
}

impl Wait {
    pub(super) fn of(row: &Row, wait: row::Wait, awaiting: Awaiting) -> Wait {
        let scope = (wait.scope != 0).then(|| ScopeId { task: row.id(), scope: wait.scope });
        Wait { awaiting, scope, place: wait.place }
    }
}

/// Who has woken a task.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WokenBy {
    /// A task, while it was being polled: perhaps the very same one.
    Task(TaskRef),
    /// A task, by its end.
    EndOf(TaskRef),
    /// A deadline.
    Timer,
    /// A descriptor has become readable or writable.
    Io,
    /// Another thread.
    Thread,
    /// None of these, but something on the runtime's thread: a callback, or the host.
    Elsewhere,
}

/// A request to cancel.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CancelRequest<'a> {
    /// The part of the task that is to end; `None` for the whole.
    pub scope: Option<ScopeId>,
    /// What is known of who asks, and why.
    pub why: &'a Cancelled,
    /// The task that was being polled when the request was made.
    pub by: Option<TaskRef>,
    /// It was made of another task, which is suspended on this one.
    pub forwarded: bool,
}

/// A scope that was entered.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ScopeEntered<'a> {
    /// Which one it is.
    pub scope: ScopeId,
    /// The one around it; `None` for the task as a whole.
    pub parent: Option<ScopeId>,
    /// What it is, and where it was entered, if that is known.
    pub note: Option<&'a ScopeNote>,
    /// When its time is over.
    pub deadline: Option<crate::time::Instant>,
}
