//! Waking: whom a look at the events wakes at once, and whom later.
//!
//! A task of homing's is put in line, which is a few stores, and can be done while the reactor is in use. A foreign waker may be
//! anybody's code, and so may be who observes a wake; those have to wait until the look is over. And so do all who come after
//! them, for who stood in line first is woken first.

use crate::runtime::core::Core;
use std::task::Waker;

/// Who is to be woken.
#[derive(Debug)]
pub(crate) enum Woken {
    /// One of homing's tasks, by its id.
    Task(u64),
    Foreign(Waker),
}

/// See the [module](self).
pub(crate) struct Waking<'a> {
    /// The runtime that looks, if nobody observes it.
    core: Option<&'a Core>,
    later: Vec<Woken>,
    count: u64,
}

impl<'a> Waking<'a> {
    /// Wakes at once, as far as that can be. `later` is an empty list with room for the others.
    pub(crate) fn at_once(core: &'a Core, later: Vec<Woken>) -> Waking<'a> {
        Waking { core: Some(core), later, count: 0 }
    }

    /// Wakes everybody later.
    pub(crate) fn later(later: Vec<Woken>) -> Waking<'a> {
        Waking { core: None, later, count: 0 }
    }

    #[inline(always)]
    pub(super) fn wake_task(&mut self, task: u64) {
        self.count += 1;
        match self.core {
            Some(core) if self.later.is_empty() => core.wake_by_id(task),
            _ => self.later.push(Woken::Task(task)),
        }
    }

    #[cold]
    pub(super) fn wake_foreign(&mut self, waker: Waker) {
        self.count += 1;
        self.later.push(Woken::Foreign(waker));
    }

    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Those who are still to be woken, in order.
    pub(crate) fn into_later(self) -> Vec<Woken> {
        self.later
    }
}
