//! Threads that work while whoever has started them does something else.

use super::{Crew, outcome_of_all, panicked};
use crate::error::{Panicked, Result};
use crate::hook::Unhandled;
use std::fmt;
use std::thread::JoinHandle;

/// Threads that have been [started](super::Threads::start), and are to be joined.
///
/// Dropped, it cancels their mains and waits for them, which blocks the thread. An error that then has nobody to go to is
/// reported.
///
/// ```
/// use homing::threads::Threads;
///
/// let running = Threads::new(2).start(async |member| {
///     member.crew().stopping().await?;
///     Ok(member.index())
/// })?;
/// let sum = running.crew().handle(1).spawn_remote(|| async { Ok(1 + 1) }).wait()?;
/// assert_eq!(sum, 2);
/// running.crew().stop();
/// assert_eq!(running.join()?, [0, 1]);
/// # Ok::<(), homing::Error>(())
/// ```
#[must_use = "dropped, it cancels the threads and waits for them"]
pub struct Running<T> {
    crew: Crew,
    threads: Vec<JoinHandle<Result<T>>>,
}

impl<T> Running<T> {
    pub(super) fn new(crew: Crew) -> Running<T> {
        Running { crew, threads: Vec::new() }
    }

    pub(super) fn add(&mut self, thread: JoinHandle<Result<T>>) {
        self.threads.push(thread);
    }

    /// All of the threads.
    pub fn crew(&self) -> &Crew {
        &self.crew
    }

    /// Whether all have come home, so that [`join`](Running::join) does not wait.
    pub fn is_finished(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    /// Waits until all have come home, which blocks the thread.
    ///
    /// # Errors
    ///
    /// As [`Threads::run`](super::Threads::run).
    pub fn join(mut self) -> Result<Vec<T>> {
        outcome_of_all(self.join_all())
    }

    fn join_all(&mut self) -> Vec<Result<T>> {
        self.threads.drain(..).map(|thread| thread.join().unwrap_or_else(panicked)).collect()
    }
}

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        if self.threads.is_empty() {
            return;
        }
        self.crew.cancel("the handle on the threads was dropped");
        for error in self.join_all().into_iter().filter_map(Result::err) {
            // A panic has been printed when it happened.
            if !error.is_cancelled() && !error.is::<Panicked>() {
                crate::runtime::report_unhandled(Unhandled::Displaced { error });
            }
        }
    }
}

impl<T> fmt::Debug for Running<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("crew", &self.crew).field("finished", &self.is_finished()).finish()
    }
}
