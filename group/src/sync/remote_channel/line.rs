//! A line of waiters on several threads: tickets, served in their order.
//!
//! ```text
//!   join ──► waiting ──call──► called ──collect──► gone
//!              └── leave ──► gone  └── leave ──► gone, and what it was called for goes to the next
//! ```

use std::collections::BTreeMap;
use std::task::Waker;

/// See the [module](self). Lives under the channel's lock.
#[derive(Debug, Default)]
pub(super) struct Line {
    waiting: BTreeMap<u64, Waker>,
    next_ticket: u64,
    /// How many have been called and have not come yet: for each of them something is kept.
    called: usize,
}

/// How somebody has left a line.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// Nothing was kept for it.
    Waiting,
    /// Something was, which is free now.
    Called,
}

impl Line {
    /// For how many something is kept.
    pub(super) fn called(&self) -> usize {
        self.called
    }

    pub(super) fn join(&mut self, waker: Waker) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiting.insert(ticket, waker);
        ticket
    }

    /// Still waiting, with another waker. Gives the former one back, to be dropped where no lock is held.
    pub(super) fn renew(&mut self, ticket: u64, waker: Waker) -> Option<Waker> {
        self.waiting.insert(ticket, waker)
    }

    pub(super) fn is_called(&self, ticket: u64) -> bool {
        !self.waiting.contains_key(&ticket)
    }

    /// Keeps something for the first in line.
    pub(super) fn call(&mut self) -> Option<Waker> {
        let (_, waker) = self.waiting.pop_first()?;
        self.called += 1;
        Some(waker)
    }

    /// One that was called has come, and takes what was kept.
    pub(super) fn collect(&mut self) {
        self.called -= 1;
    }

    pub(super) fn leave(&mut self, ticket: u64) -> (Left, Option<Waker>) {
        match self.waiting.remove(&ticket) {
            Some(waker) => (Left::Waiting, Some(waker)),
            None => {
                self.called -= 1;
                (Left::Called, None)
            }
        }
    }

    /// Everybody is to look for themselves; they keep their places.
    pub(super) fn wakers(&self) -> Vec<Waker> {
        self.waiting.values().cloned().collect()
    }
}
