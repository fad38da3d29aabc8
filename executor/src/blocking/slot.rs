//! The slot: where the outcome of a job and the task that awaits it find each other.
//!
//! | from       | the job ends                | the task lets go  | the task looks   |
//! |------------|-----------------------------|-------------------|------------------|
//! | Awaited    | Done; wake                  | Unattended        | leaves its waker |
//! | Unattended | Over; an error is reported  |                   |                  |
//! | Done       |                             | Over; the same    | Over; takes it   |
//!
//! The lock is held for a few stores. What somebody else has written (a value's destructor, a waker) runs outside of it.

use super::pool::Shared;
use crate::error::{Cancelled, Error, Panicked, Result};
use crate::task::life;
use std::cell::RefCell;
use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;

/// What became of a job.
pub(super) enum Outcome<T> {
    Returned(Result<T>),
    /// With where it was.
    Panicked(Panicked, String),
}

enum State<T> {
    Awaited(Option<Waker>),
    Unattended,
    Done(Outcome<T>),
    Over,
}

/// See the [module](self).
pub(super) struct Slot<T> {
    state: Mutex<State<T>>,
    /// The job may as well stop: nobody wants its value any more.
    asked_to_stop: AtomicBool,
    /// Where the job was given away.
    pub(super) place: &'static Location<'static>,
}

/// An error of a job that nobody awaits.
pub(super) struct Orphan {
    pub(super) place: &'static Location<'static>,
    pub(super) error: Error,
    pub(super) panicked: bool,
}

impl<T> Slot<T> {
    pub(super) fn new(place: &'static Location<'static>) -> Slot<T> {
        Slot { state: Mutex::new(State::Awaited(None)), asked_to_stop: AtomicBool::new(false), place }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The task looks: takes the outcome, or leaves its waker.
    pub(super) fn poll(&self, waker: &Waker) -> Option<Outcome<T>> {
        let waker = waker.clone();
        let mut state = self.lock();
        match mem::replace(&mut *state, State::Over) {
            State::Done(outcome) => Some(outcome),
            State::Awaited(before) => {
                *state = State::Awaited(Some(waker));
                drop(state);
                drop(before);
                None
            }
            State::Unattended | State::Over => unreachable!("the handle looks only while it awaits"),
        }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(*self.lock(), State::Done(_))
    }

    pub(super) fn ask_to_stop(&self) {
        self.asked_to_stop.store(true, Ordering::Relaxed);
    }

    /// The task lets go. What the job has come to already is returned, for the caller to see to.
    pub(super) fn let_go(&self) -> Option<Outcome<T>> {
        let mut state = self.lock();
        let before = match &*state {
            State::Awaited(_) => mem::replace(&mut *state, State::Unattended),
            State::Done(_) => mem::replace(&mut *state, State::Over),
            State::Unattended | State::Over => return None,
        };
        drop(state);
        match before {
            State::Done(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// The job has ended. What nobody awaits is returned.
    fn complete(&self, outcome: Outcome<T>) -> Option<Outcome<T>> {
        let mut state = self.lock();
        match mem::replace(&mut *state, State::Over) {
            State::Awaited(waker) => {
                *state = State::Done(outcome);
                drop(state);
                waker.into_iter().for_each(life::wake_foreign);
                None
            }
            _ => Some(outcome),
        }
    }

    /// Sees to an outcome that nobody takes: a value is dropped, an error reported.
    pub(super) fn discard(&self, outcome: Outcome<T>, pool: &Arc<Shared>) {
        let place = self.place;
        match outcome {
            Outcome::Panicked(panicked, note) => {
                let error = Error::from(panicked).with_note(note);
                pool.report(Orphan { place, error, panicked: true });
            }
            Outcome::Returned(Err(error)) if error.is_cancelled() => {
                for displaced in error.displaced() {
                    pool.report(Orphan { place, error: displaced.clone(), panicked: false });
                }
            }
            Outcome::Returned(Err(error)) => pool.report(Orphan { place, error, panicked: false }),
            Outcome::Returned(Ok(value)) => {
                if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
                    let error = Error::from(Panicked::new(payload));
                    pool.report(Orphan { place, error, panicked: true });
                }
            }
        }
    }
}

impl<T: Send + 'static> Slot<T> {
    /// On a thread of the pool: runs the job.
    pub(super) fn run(self: Arc<Self>, job: impl FnOnce() -> Result<T>, pool: &Arc<Shared>) {
        let before = JOB.replace(Some(self.clone()));
        let outcome = match catch_unwind(AssertUnwindSafe(job)) {
            Ok(result) => Outcome::Returned(result),
            Err(payload) => {
                let thread = std::thread::current();
                let note = format!(
                    "in a blocking job begun at {}, on thread '{}'",
                    self.place,
                    thread.name().unwrap_or("?")
                );
                Outcome::Panicked(Panicked::new(payload), note)
            }
        };
        JOB.set(before);
        pool.note_ended();
        if let Some(outcome) = self.complete(outcome) {
            self.discard(outcome, pool);
        }
    }
}

/// A slot of whatever type, as its job may ask it.
trait Asked {
    fn is_asked_to_stop(&self) -> bool;
}

impl<T> Asked for Slot<T> {
    fn is_asked_to_stop(&self) -> bool {
        self.asked_to_stop.load(Ordering::Relaxed)
    }
}

thread_local! {
    /// The job that this thread is running.
    static JOB: RefCell<Option<Arc<dyn Asked>>> = const { RefCell::new(None) };
}

/// For a [blocking job](super::spawn_blocking), now and then: whether anybody still wants it to go on.
///
/// A job that is running cannot be stopped; but it can stop, if it asks. Outside of jobs the answer is always `Ok`.
///
/// # Errors
///
/// [`Cancelled`], if the task that awaits the job was cancelled, or the handle was dropped. A job that returns it has come
/// to its end as it should: nothing is reported.
///
/// # asyncio
///
/// Has none. It is Trio's `trio.from_thread.check_cancelled`.
///
/// ```
/// use homing::blocking::check_cancelled;
/// use std::time::Duration;
///
/// homing::run(async {
///     let endless = homing::spawn_blocking(|| loop {
///         check_cancelled()?;
///         std::thread::sleep(Duration::from_millis(1));
///     });
///     let limited = homing::timeout(Duration::from_millis(20), async { endless.await as homing::Result<()> });
///     assert!(limited.await.unwrap_err().is_timeout());
///     Ok(())
/// })
/// # .unwrap();
/// ```
pub fn check_cancelled() -> Result<()> {
    let asked = JOB.with_borrow(|job| job.as_ref().is_some_and(|job| job.is_asked_to_stop()));
    if asked { Err(Cancelled::new().into()) } else { Ok(()) }
}
