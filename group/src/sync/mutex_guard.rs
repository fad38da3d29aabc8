//! The guards of a mutex: who has one, has the mutex.
//!
//! There are two: one borrows the mutex and the value in it; the other owns a reference to the mutex, and the value is
//! moved into it meanwhile (a borrow of what one owns oneself would take `unsafe`).
//!
//! A guard can be *hollow*: a [`Condition`](super::Condition) gives the mutex up while it waits, and takes it back before
//! it returns. Only if that wait is dropped midway does anybody see the guard in this state (CO-10).

use super::guarded::Guarded;
use super::mutex::{Lock, Mutex};
use super::turn::Turn;
use homing_executor::error::Result;
use std::cell::RefMut;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

/// Has a [`Mutex`] until it is dropped, and gives access to the value in it.
#[must_use = "the mutex is unlocked when its guard is dropped"]
pub struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    /// `None` if it is hollow.
    value: Option<RefMut<'a, T>>,
}

/// Has a [`Mutex`] until it is dropped, keeps it alive, and has the value in it.
#[must_use = "the mutex is unlocked when its guard is dropped"]
pub struct OwnedMutexGuard<T> {
    mutex: Rc<Mutex<T>>,
    /// `None` if it is hollow.
    value: Option<T>,
}

/// What the two kinds of guards have in common, for [`Condition`](super::Condition)s.
pub trait Guard: DerefMut<Target = <Self as sealed::Hollow>::Value> + sealed::Hollow {
    /// Takes the mutex again, if this guard has lost it: to a [`wait`](super::Condition::wait) that was dropped midway.
    /// Does nothing otherwise.
    ///
    /// # Errors
    ///
    /// `Cancelled`, if the task is cancelled while it waits for the mutex.
    ///
    /// # Cancel safety
    ///
    /// As [`Mutex::lock`].
    fn relock(guard: &mut Self) -> impl Future<Output = Result<()>> {
        async {
            if guard.is_hollow() {
                Turn::new(guard.mutex(), Lock(Self::GUARDED), |_, ()| Ok(())).await?;
                guard.fill();
            }
            Ok(())
        }
    }
}

/// How a condition gives up the mutex, and takes it back. Sealed by being out of reach.
pub(super) mod sealed {
    use super::{Guarded, Mutex};
    use std::ops::Deref;

    pub trait Hollow: Sized {
        type Value;
        type Mutex: Deref<Target = Mutex<Self::Value>>;

        const GUARDED: Guarded;

        fn mutex(&self) -> Self::Mutex;

        fn is_hollow(&self) -> bool;

        /// Unlocks the mutex.
        fn hollow(&mut self);

        /// Takes over what a finished claim on the mutex has.
        fn fill(&mut self);
    }
}

impl<'a, T> MutexGuard<'a, T> {
    /// The guard for a claim on the mutex that has been met.
    pub(super) fn adopt(mutex: &'a Mutex<T>) -> MutexGuard<'a, T> {
        let mut guard = MutexGuard { mutex, value: None };
        sealed::Hollow::fill(&mut guard);
        guard
    }
}

impl<'a, T> sealed::Hollow for MutexGuard<'a, T> {
    type Value = T;
    type Mutex = &'a Mutex<T>;

    const GUARDED: Guarded = Guarded::Borrowed;

    fn mutex(&self) -> &'a Mutex<T> {
        self.mutex
    }

    fn is_hollow(&self) -> bool {
        self.value.is_none()
    }

    fn hollow(&mut self) {
        if self.value.take().is_some() {
            self.mutex.unlock();
        }
    }

    fn fill(&mut self) {
        let value = RefMut::map(self.mutex.value.borrow_mut(), |value| value.as_mut().expect("one-owner"));
        self.value = Some(value);
    }
}

impl<T> OwnedMutexGuard<T> {
    /// The guard for a claim on the mutex that has been met.
    pub(super) fn adopt(mutex: Rc<Mutex<T>>) -> OwnedMutexGuard<T> {
        let mut guard = OwnedMutexGuard { mutex, value: None };
        sealed::Hollow::fill(&mut guard);
        guard
    }
}

impl<T> sealed::Hollow for OwnedMutexGuard<T> {
    type Value = T;
    type Mutex = Rc<Mutex<T>>;

    const GUARDED: Guarded = Guarded::Owned;

    fn mutex(&self) -> Rc<Mutex<T>> {
        self.mutex.clone()
    }

    fn is_hollow(&self) -> bool {
        self.value.is_none()
    }

    fn hollow(&mut self) {
        if let Some(value) = self.value.take() {
            *self.mutex.value.borrow_mut() = Some(value);
            self.mutex.unlock();
        }
    }

    fn fill(&mut self) {
        self.value = self.mutex.value.borrow_mut().take();
        debug_assert!(self.value.is_some(), "one-owner");
    }
}

impl<T> Guard for MutexGuard<'_, T> {}

impl<T> Guard for OwnedMutexGuard<T> {}

pub(super) const HOLLOW: &str = "the guard has lost its mutex to a `Condition::wait` that was dropped midway; call `Guard::relock` \
                      before using it again";

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    /// # Panics
    ///
    /// If the guard has lost its mutex to a [`wait`](super::Condition::wait) that was dropped midway.
    #[track_caller]
    fn deref(&self) -> &T {
        self.value.as_ref().expect(HOLLOW)
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    #[track_caller]
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect(HOLLOW)
    }
}

impl<T> Deref for OwnedMutexGuard<T> {
    type Target = T;

    /// # Panics
    ///
    /// If the guard has lost its mutex to a [`wait`](super::Condition::wait) that was dropped midway.
    #[track_caller]
    fn deref(&self) -> &T {
        self.value.as_ref().expect(HOLLOW)
    }
}

impl<T> DerefMut for OwnedMutexGuard<T> {
    #[track_caller]
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect(HOLLOW)
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        sealed::Hollow::hollow(self);
    }
}

impl<T> Drop for OwnedMutexGuard<T> {
    fn drop(&mut self) {
        sealed::Hollow::hollow(self);
    }
}

impl<T: fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MutexGuard").field(&self.value.as_deref()).finish()
    }
}

impl<T: fmt::Debug> fmt::Debug for OwnedMutexGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedMutexGuard").field(&self.value.as_ref()).finish()
    }
}
