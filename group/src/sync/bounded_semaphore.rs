//! The bounded semaphore: a semaphore that notices when it is released more often than it was acquired.
//!
//! ```text
//!   value = bound ──release──► refused            value < bound ──release──► value + 1, or the first in line has it
//! ```
//!
//! A permit that was granted and not collected counts as taken: the value is lowered when it is granted (SE-10).

use super::permit::{OwnedPermit, Permit};
use super::semaphore::Semaphore;
use homing_executor::error::Result;
use homing_executor::introspect::{Awaitable, Target};
use std::fmt;
use std::rc::Rc;

/// A [`Semaphore`] that notices when it is released more often than it was acquired.
///
/// # asyncio
///
/// `asyncio.BoundedSemaphore` (SE-10).
///
/// ```
/// use homing::sync::BoundedSemaphore;
///
/// let semaphore = BoundedSemaphore::new(1);
/// let permit = semaphore.try_acquire().unwrap();
/// permit.forget();
/// assert!(semaphore.release().is_ok());
/// assert!(semaphore.release().is_err());
/// ```
pub struct BoundedSemaphore {
    inner: Rc<Semaphore>,
}

impl BoundedSemaphore {
    /// A semaphore with so many permits, and never more.
    pub fn new(permits: usize) -> BoundedSemaphore {
        BoundedSemaphore { inner: Rc::new(Semaphore::bounded(permits)) }
    }

    /// As [`Semaphore::acquire`].
    ///
    /// # Errors
    ///
    /// As [`Semaphore::acquire`].
    ///
    /// # Cancel safety
    ///
    /// As [`Semaphore::acquire`].
    #[track_caller]
    pub fn acquire(&self) -> impl Future<Output = Result<Permit<'_>>> + Unpin {
        self.inner.acquire()
    }

    /// As [`Semaphore::acquire_many`].
    ///
    /// # Errors
    ///
    /// As [`Semaphore::acquire`].
    ///
    /// # Panics
    ///
    /// If there are not so many permits altogether: it would wait for ever.
    ///
    /// # Cancel safety
    ///
    /// As [`Semaphore::acquire`].
    #[track_caller]
    pub fn acquire_many(&self, permits: usize) -> impl Future<Output = Result<Permit<'_>>> + Unpin {
        self.check_bound(permits);
        self.inner.acquire_many(permits)
    }

    /// As [`Semaphore::acquire_owned`].
    ///
    /// # Errors
    ///
    /// As [`Semaphore::acquire`].
    ///
    /// # Panics
    ///
    /// If there are not so many permits altogether.
    ///
    /// # Cancel safety
    ///
    /// As [`Semaphore::acquire`].
    #[track_caller]
    pub fn acquire_owned(&self, permits: usize) -> impl Future<Output = Result<OwnedPermit>> + Unpin + use<> {
        self.check_bound(permits);
        self.inner.acquire_owned(permits)
    }

    /// A permit, if one is free and nobody waits.
    #[track_caller]
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        self.inner.try_acquire()
    }

    /// So many permits, if they are free and nobody waits.
    pub fn try_acquire_many(&self, permits: usize) -> Option<Permit<'_>> {
        self.inner.try_acquire_many(permits)
    }

    /// Adds a permit that was [forgotten](Permit::forget).
    ///
    /// # Errors
    ///
    /// [`ReleasedTooOften`], if all permits are free already. Those kept for somebody in line count as taken.
    ///
    /// # asyncio
    ///
    /// `semaphore.release()`, which raises `ValueError` (SE-10).
    pub fn release(&self) -> Result<(), ReleasedTooOften> {
        if self.inner.available_permits() >= self.inner.bound {
            return Err(ReleasedTooOften { bound: self.inner.bound });
        }
        self.inner.release();
        Ok(())
    }

    /// As [`Semaphore::available_permits`].
    pub fn available_permits(&self) -> usize {
        self.inner.available_permits()
    }

    /// As [`Semaphore::is_locked`].
    pub fn is_locked(&self) -> bool {
        self.inner.is_locked()
    }

    #[track_caller]
    fn check_bound(&self, permits: usize) {
        let bound = self.inner.bound;
        assert!(
            permits <= bound,
            "{permits} permits were asked for, of a semaphore that has {bound} altogether"
        );
    }
}

impl Awaitable for BoundedSemaphore {
    fn target(&self) -> Target {
        self.inner.target()
    }
}

impl fmt::Debug for BoundedSemaphore {
    /// As that of [`Semaphore`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoundedSemaphore [")?;
        self.inner.write_state(f)
    }
}

/// A [`BoundedSemaphore`] was released more often than acquired. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReleasedTooOften {
    bound: usize,
}

impl fmt::Display for ReleasedTooOften {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the semaphore was released too often: all of its permits ({}) are free", self.bound)
    }
}

impl std::error::Error for ReleasedTooOften {}
