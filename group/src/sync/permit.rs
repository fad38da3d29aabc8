//! Permits: what a semaphore gives, and gets back when they are dropped.

use super::semaphore::Semaphore;
use std::fmt;
use std::rc::Rc;

/// Permits of a [`Semaphore`]. Dropped, they go back to it, and on to the first in line.
#[must_use = "a permit that is dropped goes back at once"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    permits: usize,
}

/// As [`Permit`], without a lifetime: it keeps the semaphore alive.
#[must_use = "a permit that is dropped goes back at once"]
pub struct OwnedPermit {
    semaphore: Rc<Semaphore>,
    permits: usize,
}

impl<'a> Permit<'a> {
    pub(super) fn adopt(semaphore: &'a Semaphore, permits: usize) -> Permit<'a> {
        Permit { semaphore, permits }
    }

    /// How many permits these are.
    pub fn count(&self) -> usize {
        self.permits
    }

    /// Keeps them for good: they do not go back, unless by [`Semaphore::release`].
    pub fn forget(mut self) {
        self.permits = 0;
    }
}

impl OwnedPermit {
    pub(super) fn adopt(semaphore: Rc<Semaphore>, permits: usize) -> OwnedPermit {
        OwnedPermit { semaphore, permits }
    }

    /// How many permits these are.
    pub fn count(&self) -> usize {
        self.permits
    }

    /// Keeps them for good: they do not go back, unless by [`Semaphore::release`].
    pub fn forget(mut self) {
        self.permits = 0;
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.permits > 0 {
            self.semaphore.take_back(self.permits);
        }
    }
}

impl Drop for OwnedPermit {
    fn drop(&mut self) {
        if self.permits > 0 {
            self.semaphore.take_back(self.permits);
        }
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permit").field(&self.permits).finish()
    }
}

impl fmt::Debug for OwnedPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedPermit").field(&self.permits).finish()
    }
}
