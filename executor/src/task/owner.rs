//! Who answers for a task: the hook by which a group learns of its children's ends.

use super::reference::TaskRef;
use super::weak::WeakTaskRef;
use crate::cancel::ScopeId;
use crate::error::Error;

/// How a task ended, as its [`Owner`] and its callbacks see it.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// With a value.
    Value,
    /// With an error: its own, or a [`Panicked`](crate::error::Panicked).
    Failed(&'a Error),
    /// Cancelled: the error says by whom, if it is known.
    Cancelled(&'a Error),
}

impl Outcome<'_> {
    /// Whether it ended with an error that is no cancellation.
    pub fn is_failure(&self) -> bool {
        matches!(self, Outcome::Failed(_))
    }
}

/// What becomes of a task's error if nobody reads it from the handle.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attention {
    /// The owner sees to it.
    Taken,
    /// Nobody has seen it yet: if it stays that way, it is reported through the hook for unhandled errors.
    Unseen,
}

/// Somebody who answers for a task, and is told of its end before anybody else is.
///
/// A task group gives each child an owner that takes it off the group's list. The owner is stored beside the
/// future, so having one costs no allocation; `()` is the owner of a task nobody answers for.
///
/// # asyncio
///
/// What `TaskGroup` does with `task.add_done_callback`, except that `child_done` is called within the step in
/// which the task ends, and not a turn later. Whoever needs the later turn uses
/// [`call_soon`](crate::runtime::call_soon).
pub trait Owner: 'static {
    /// The task is about to be spawned: this is what it will be known by. Called once, inside the spawn.
    ///
    /// It has not begun yet, so it can neither be cancelled nor looked at in here: `upgrade()` gives nothing before it has. A
    /// panic is reported through the hook for unhandled errors.
    ///
    /// # asyncio
    ///
    /// `TaskGroup` puts a child on its list when `create_task` has returned; an eager one has had its first step by then.
    #[inline]
    fn child_made(&self, child: WeakTaskRef) {
        let _ = child;
    }

    /// The task has ended. Called once, inside the runtime, also when the task was aborted or dropped with it.
    ///
    /// The owner is dropped right after it. A panic in here, or in that, is reported through the hook for unhandled errors.
    fn child_done(&self, child: &TaskRef, outcome: Outcome<'_>) -> Attention;

    /// Who waits for the task from its spawn to its end, whatever else he does in between: for people who look at the two.
    ///
    /// Called when the task is spawned, and whenever somebody looks.
    #[inline]
    fn waiter(&self) -> Option<ScopeId> {
        None
    }

    /// Nobody answers for the task, so nobody need be told.
    #[doc(hidden)]
    const IS_NOBODY: bool = false;
}

impl Owner for () {
    const IS_NOBODY: bool = true;

    #[inline(always)]
    fn child_done(&self, _child: &TaskRef, _outcome: Outcome<'_>) -> Attention {
        Attention::Unseen
    }
}
