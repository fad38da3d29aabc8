//! The tally: what a server has answered, and what it has spent on that.
//!
//! The first messages, one a connection, are those by which the client makes sure that it has been accepted.
//! Then begins what is measured, and the CPU's clock is read; it is read again when the last one has been
//! answered. Client and server count alike, so that both know which message that is, and nobody has to tell
//! the other.
//!
//! ```text
//!  accept, accept, …  one message each │ the messages that are measured          │ end, end, …
//!                                 begin┘                                      end┘
//! ```

use crate::clock::cpu_time;
use crate::traced;
use std::cell::{Cell, RefCell};
use std::time::Duration;

/// What a server has done for its clients.
#[derive(Debug)]
pub struct Tally {
    answered: Cell<u64>,
    begin: u64,
    end: u64,
    began: Cell<Duration>,
    spent: Cell<Option<Duration>>,
    complaint: RefCell<Option<String>>,
}

impl Tally {
    /// Of a server that is measured from its answer number `begin` to its answer number `end`.
    pub(crate) fn new(begin: u64, end: u64) -> Tally {
        Tally {
            answered: Cell::new(0),
            begin,
            end,
            began: Cell::default(),
            spent: Cell::default(),
            complaint: RefCell::default(),
        }
    }

    /// So much has been answered: bytes of messages that were sent back, or requests.
    pub fn answered(&self, now: usize) {
        let before = self.answered.get();
        let after = before + now as u64;
        self.answered.set(after);
        if before < self.begin && after >= self.begin {
            traced::begin();
            self.began.set(cpu_time());
        }
        if before < self.end && after >= self.end {
            self.spent.set(Some(cpu_time() - self.began.get()));
            traced::end();
        }
    }

    /// A connection did not end as it should have: the first one's reason is kept.
    pub(crate) fn complain(&self, reason: &dyn std::fmt::Display) {
        self.complaint.borrow_mut().get_or_insert_with(|| reason.to_string());
    }

    /// What has been complained of.
    pub(crate) fn complaint(&self) -> Option<String> {
        self.complaint.borrow().clone()
    }

    /// The CPU time between the two marks; `None` before the second one.
    pub(crate) fn spent(&self) -> Option<Duration> {
        self.spent.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_taken_from_the_first_mark_to_the_second_however_answers_fall() {
        let tally = Tally::new(64, 64 * 3);
        for part in [10, 54, 100] {
            tally.answered(part);
            assert_eq!(tally.spent(), None);
        }
        tally.answered(28);
        let spent = tally.spent().expect("the last one has been answered");
        tally.answered(64);
        assert_eq!(tally.spent(), Some(spent), "what comes later does not count");
    }

    #[test]
    fn the_first_complaint_is_kept() {
        let tally = Tally::new(1, 2);
        tally.complain(&"reset");
        tally.complain(&"closed");
        assert_eq!(tally.complaint().as_deref(), Some("reset"));
    }
}
