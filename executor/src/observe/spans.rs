//! Spans of [`tracing`]: one for each task, entered whenever the task is polled.
//!
//! ```text
//!   spawned ──► new span, within that of the spawner   poll ──► enter … exit   done ──► the span closes
//! ```
//!
//! So whatever is logged in a task, by whatever library, is logged within the task's span.

use super::{Observer, PollEnd, Spawned};
use crate::task::{Outcome, TaskId, TaskRef};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::time::Instant;
use tracing::{Level, Span};

/// An [`Observer`] that gives each task a span of `tracing`, named `task`, on the level `INFO` and with the target
/// `homing::task`. It is entered at the beginning of each poll and exited at its end.
///
/// Its fields are the task's name (as `task.name`, that of the spawn), id, the type of its future, and where it was spawned. How
/// it ended is recorded as `task.outcome`: `value`, `failed` or `cancelled`. The span's parent is that of the task which has
/// spawned it, or the span that is entered where it is spawned from outside.
///
/// The spans go to the subscriber that is current at the spawn.
///
/// ```
/// use homing::observe::Spans;
///
/// let runtime = homing::Builder::new().observe(Spans::new()).build();
/// runtime.block_on(async {
///     let name = || tracing::Span::current().metadata().map(|span| span.name());
///     # let before = name();
///     // With a subscriber that wants to know:
///     tracing::info!("logged within the span of the task 'main'");
///     # assert_eq!(before, None, "there is no subscriber");
///     Ok(())
/// }).unwrap();
/// ```
#[derive(Default)]
pub struct Spans {
    open: RefCell<HashMap<TaskId, Span>>,
}

impl Spans {
    /// Spans for the tasks of one runtime.
    pub fn new() -> Spans {
        Spans::default()
    }

    fn with(&self, task: &TaskRef, f: impl FnOnce(&Span)) {
        // Cloned, because a subscriber may do anything.
        let span = self.open.borrow().get(&task.id()).cloned();
        span.as_ref().map(f);
    }
}

impl Observer for Spans {
    fn spawned(&self, task: &TaskRef, _: &Spawned) {
        let place = task.spawned_at().map(tracing::field::display);
        let span = tracing::span!(
            target: "homing::task",
            Level::INFO,
            "task",
            task.name = %task.name(),
            task.id = %task.id(),
            task.r#type = task.type_name(),
            task.spawned_at = place,
            task.outcome = tracing::field::Empty,
        );
        let replaced = self.open.borrow_mut().insert(task.id(), span);
        drop(replaced);
    }

    fn poll_started(&self, task: &TaskRef, _: Instant) {
        self.with(task, |span| {
            span.with_subscriber(|(id, subscriber)| subscriber.enter(id));
        });
    }

    fn poll_ended(&self, task: &TaskRef, _: &PollEnd) {
        self.with(task, |span| {
            span.with_subscriber(|(id, subscriber)| subscriber.exit(id));
        });
    }

    fn done(&self, task: &TaskRef, outcome: Outcome<'_>) {
        let ended = match outcome {
            Outcome::Value => "value",
            Outcome::Failed(_) => "failed",
            Outcome::Cancelled(_) => "cancelled",
        };
        self.with(task, |span| {
            span.record("task.outcome", ended);
        });
        let closed = self.open.borrow_mut().remove(&task.id());
        drop(closed);
    }
}

impl fmt::Debug for Spans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spans").field("open", &self.open.borrow().len()).finish()
    }
}
