//! With which kind of guard a lock is taken, and so whether one may believe that who took it still has it.
//!
//! ```text
//!   lock, acquire              borrows the lock     it stays in the task, as a rule
//!   lock_owned, acquire_owned  owns its share       it goes wherever it is sent
//! ```

use homing_executor::holders::Holder;
use std::panic::Location;

/// How a lock is taken: with a guard that borrows it, or with one that has no lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarded {
    Borrowed,
    Owned,
}

impl Guarded {
    /// The running task, which takes a lock so, at this place.
    #[inline]
    pub(super) fn holder(self, place: &'static Location<'static>) -> Holder {
        let holder = Holder::running(place);
        match self {
            Guarded::Borrowed => holder,
            Guarded::Owned => holder.owned(),
        }
    }
}
