//! Where in a task's scopes a poll is, in one word, so that a leaf notes it, and later compares it, at once.
//!
//! ```text
//!   epoch (32) │ scope (32)
//! ```

/// The innermost [scope](super::scope) that is being polled, 0 for none, and its epoch: which of the requests that reach there
/// have been delivered, or are bound to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct FrameMark(u64);

impl FrameMark {
    /// That of a new task.
    pub(crate) const START: FrameMark = FrameMark(0);

    pub(crate) fn new(scope: u32, epoch: u32) -> FrameMark {
        FrameMark(u64::from(epoch) << 32 | u64::from(scope))
    }

    #[inline(always)]
    pub(crate) fn scope(self) -> u32 {
        self.0 as u32
    }

    #[inline(always)]
    pub(crate) fn epoch(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The same scope, so many requests on.
    pub(crate) fn after(self, requests: u32) -> FrameMark {
        FrameMark::new(self.scope(), self.epoch().wrapping_add(requests))
    }
}

#[cfg(test)]
mod tests {
    use super::FrameMark;

    #[test]
    fn the_epoch_turns_over_without_a_change_of_the_scope() {
        let mark = FrameMark::new(7, u32::MAX);
        assert_eq!((mark.scope(), mark.epoch()), (7, u32::MAX));
        assert_eq!(mark.after(1), FrameMark::new(7, 0));
        assert_eq!(FrameMark::new(0, 0), FrameMark::START);
    }
}
