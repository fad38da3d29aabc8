//! A budget: how much of something may still be taken, of all that asks for it together.
//!
//! ```text
//!   limits::NOTES_IN_ALL ──► Budget ──► take(length) ──► as much of it as there is left
//!                                  └──► take_all(n) ──► yes, or no and nothing is left
//! ```
//!
//! A limit of each thing does not help against any number of things: so what adds up shares a budget.

use crate::limits;

/// What all parts of one reading share.
#[derive(Debug)]
pub(crate) struct Budgets {
    pub(crate) tasks: Budget,
    /// Bytes of their rows.
    pub(crate) rows: Budget,
    pub(crate) runtimes: Budget,
    /// Bytes of names, scopes, leaves and lists.
    pub(crate) details: Budget,
    /// Bytes that are read to find out what there is, whether it is kept or not.
    pub(crate) reads: Budget,
    /// Bytes that are read again, because something has changed.
    pub(crate) again: Budget,
}

impl Budgets {
    pub(crate) fn new() -> Budgets {
        Budgets {
            tasks: Budget::new(limits::TASKS),
            rows: Budget::new(limits::ROWS),
            runtimes: Budget::new(limits::RUNTIMES),
            details: Budget::new(limits::DETAILS),
            reads: Budget::new(limits::READS),
            again: Budget::new(limits::READS),
        }
    }
}

/// How much may still be taken.
#[derive(Debug)]
pub(crate) struct Budget(usize);

impl Budget {
    pub(crate) fn new(limit: usize) -> Budget {
        Budget(limit)
    }

    /// As much of what is asked for as there is left.
    pub(crate) fn take(&mut self, amount: usize) -> usize {
        let taken = amount.min(self.0);
        self.0 -= taken;
        taken
    }

    /// Whether all of it is to be had. If not, the rest is gone too: after the first thing that is left out, all are.
    #[must_use]
    pub(crate) fn take_all(&mut self, amount: usize) -> bool {
        self.take(amount) == amount
    }

    /// Whether nothing is left, so that something may have been left out.
    pub(crate) fn is_used_up(&self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_takes_the_rest_with_it() {
        let mut budget = Budget::new(10);
        assert!(budget.take_all(4));
        assert_eq!((budget.take(3), budget.0), (3, 3));
        assert!(!budget.take_all(4) && budget.is_used_up() && !budget.take_all(1));
    }
}
