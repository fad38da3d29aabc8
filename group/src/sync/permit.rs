//! Permits: what a semaphore gives, and gets back when they are dropped.

use super::semaphore::{Semaphore, Taken};
use std::fmt;
use std::rc::Rc;

/// Permits of a [`Semaphore`]. Dropped, they go back to it, and on to the first in line.
#[must_use = "a permit that is dropped goes back at once"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    /// `None` once they were forgotten.
    taken: Option<Taken>,
}

/// As [`Permit`], without a lifetime: it keeps the semaphore alive.
#[must_use = "a permit that is dropped goes back at once"]
pub struct OwnedPermit {
    semaphore: Rc<Semaphore>,
    /// `None` once they were forgotten.
    taken: Option<Taken>,
}

impl<'a> Permit<'a> {
    pub(super) fn adopt(semaphore: &'a Semaphore, taken: Taken) -> Permit<'a> {
        Permit { semaphore, taken: Some(taken) }
    }

    /// How many permits these are.
    pub fn count(&self) -> usize {
        self.taken.map_or(0, |taken| taken.permits)
    }

    /// Keeps them for good: they do not go back, unless by [`Semaphore::release`].
    pub fn forget(mut self) {
        if let Some(taken) = self.taken.take() {
            self.semaphore.forget(taken);
        }
    }
}

impl OwnedPermit {
    pub(super) fn adopt(semaphore: Rc<Semaphore>, taken: Taken) -> OwnedPermit {
        OwnedPermit { semaphore, taken: Some(taken) }
    }

    /// How many permits these are.
    pub fn count(&self) -> usize {
        self.taken.map_or(0, |taken| taken.permits)
    }

    /// Keeps them for good: they do not go back, unless by [`Semaphore::release`].
    pub fn forget(mut self) {
        if let Some(taken) = self.taken.take() {
            self.semaphore.forget(taken);
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if let Some(taken) = self.taken {
            self.semaphore.take_back(taken);
        }
    }
}

impl Drop for OwnedPermit {
    fn drop(&mut self) {
        if let Some(taken) = self.taken {
            self.semaphore.take_back(taken);
        }
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permit").field(&self.count()).finish()
    }
}

impl fmt::Debug for OwnedPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedPermit").field(&self.count()).finish()
    }
}
