//! One of the threads, from its first step to its last.

use super::Pinned;
use super::affinity;
use super::crew::{CalledOff, Crew};
use crate::error::{Asker, Cancelled, Cause, Origin, Panicked, Result};
use crate::task::current;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

/// One of the threads, as its main is told of it.
#[derive(Clone, Debug)]
pub struct Member {
    index: usize,
    cpu: Option<usize>,
    crew: Crew,
}

impl Member {
    /// Its number, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The core that it is [tied](super::Threads::pin) to, if it is.
    pub fn cpu(&self) -> Option<usize> {
        self.cpu
    }

    /// All of them.
    pub fn crew(&self) -> &Crew {
        &self.crew
    }
}

/// What a thread does.
pub(super) fn serve<M, T>(crew: Crew, index: usize, main: &M) -> Result<T>
where
    M: AsyncFn(Member) -> Result<T>,
{
    let ended = Ended { crew: &crew, index, panicking: thread::panicking() };
    let outcome = catch_unwind(AssertUnwindSafe(|| work(&crew, index, main, ended)));
    let outcome = outcome.unwrap_or_else(|payload| Err(panicked(&crew, index, payload).into()));
    tell_of_failure(&crew, index, &outcome);
    outcome
}

fn tell_of_failure<T>(crew: &Crew, index: usize, outcome: &Result<T>) {
    if outcome.as_ref().is_err_and(|error| !error.is_cancelled()) {
        crew.failed(index);
    }
}

fn work<M, T>(crew: &Crew, index: usize, main: &M, ended: Ended<'_>) -> Result<T>
where
    M: AsyncFn(Member) -> Result<T>,
{
    let cpu = match crew.pinned() {
        // Before anything is allocated, so that it is near.
        Pinned::ToACoreEach => affinity::pin(index),
        Pinned::No => None,
    };
    let runtime = crew.builder(index).try_build()?;
    if let Err(CalledOff) = crew.arrive(index, runtime.handle()) {
        let why = Cause::by(Asker::Foreign).with_reason("not all of the threads could be started");
        return Err(Cancelled::new().because(why).into());
    }
    runtime.run(async {
        let this = current().expect("this is a task");
        this.set_name(crew.name_of(index));
        if let Some(why) = crew.begin(index, this.id()) {
            this.cancel_because(&why);
        }
        let outcome = main(Member { index, cpu, crew: crew.clone() }).await;
        drop(ended);
        // Before the runtime ends: that waits for its jobs, which may wait for another thread, which may wait for this news.
        tell_of_failure(crew, index, &outcome);
        let value = outcome?;
        // Until then others may want something of this thread.
        crew.all_ended().await?;
        Ok(value)
    })
}

/// Dropped, it says that a main has ended; and by a panic of main's, that it has failed, for the reason given above.
struct Ended<'a> {
    crew: &'a Crew,
    index: usize,
    /// Whether the thread was panicking when it came here: a destructor may have started the crew.
    panicking: bool,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.crew.ended(self.index);
        if !self.panicking && thread::panicking() {
            self.crew.failed(self.index);
        }
    }
}

/// Main has panicked; or whatever builds the runtimes has.
fn panicked(crew: &Crew, index: usize, payload: Box<dyn Any + Send>) -> Panicked {
    let origin = Origin { task: Some(crew.name_of(index).into()), spawned_at: None };
    Panicked::new(payload).with_origin(origin)
}
