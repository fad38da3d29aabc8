//! A limit: how many children of a group run at the same time.
//!
//! Each child is spawned at once, but held back if there is no room: so whoever spawns never waits, and a child in line is
//! a task like any other, which can be awaited and cancelled.
//!
//! ```text
//!   spawn ──► room? ──yes──► begins ──ends──► the first in line begins, or there is room
//!               └no──► in line
//!                         └ cancelled: it never begins, and is passed over
//! ```

use homing_executor::task::WeakTaskRef;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

/// So many at a time.
#[derive(Debug)]
pub(crate) struct Limit {
    room: Cell<usize>,
    /// Who waits for room, and where in the group's list. Some may have been cancelled since.
    ///
    /// Invariant (nobody-waits-for-nothing): while there is room, nobody is in line.
    line: RefCell<VecDeque<(usize, WeakTaskRef)>>,
}

/// Whether a child begins at once.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Begins,
    InLine,
}

impl Limit {
    #[track_caller]
    pub(crate) fn new(children: usize) -> Limit {
        assert!(children > 0, "a limit of zero would never let a child run");
        Limit { room: Cell::new(children), line: RefCell::default() }
    }

    /// A child is about to be spawned. If it begins, it has taken its room.
    pub(crate) fn admit(&self) -> Admission {
        match self.room.get() {
            0 => Admission::InLine,
            room => {
                self.room.set(room - 1);
                Admission::Begins
            }
        }
    }

    /// A child that is held back takes its place in line.
    pub(crate) fn line_up(&self, key: usize, child: WeakTaskRef) {
        self.line.borrow_mut().push_back((key, child));
    }

    /// One that had begun has ended. Gives the key of the one that begins now, if somebody was in line.
    pub(crate) fn let_next_in(&self) -> Option<usize> {
        loop {
            // In a statement of its own: the line is let go before the child is started.
            let first = self.line.borrow_mut().pop_front();
            match first {
                Some((key, child)) if child.upgrade().is_some_and(|child| child.start()) => return Some(key),
                Some(_cancelled) => {}
                None => {
                    self.room.set(self.room.get() + 1);
                    return None;
                }
            }
        }
    }
}
