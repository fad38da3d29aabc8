//! One of the threads, from its first step to its last.

use super::Pinned;
use super::affinity;
use super::crew::{CalledOff, Crew};
use crate::error::{Asker, Cancelled, Cause, Origin, Panicked, Result};
use crate::task::current;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

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
    let ended = Ended { crew: &crew, index };
    let outcome = catch_unwind(AssertUnwindSafe(|| work(&crew, index, main, ended)));
    let outcome = outcome.unwrap_or_else(|payload| Err(panicked(&crew, index, payload).into()));
    if outcome.as_ref().is_err_and(|error| !error.is_cancelled()) {
        crew.failed(index);
    }
    outcome
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
    let runtime = crew.builder(index).build();
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
        let value = main(Member { index, cpu, crew: crew.clone() }).await?;
        drop(ended);
        // Until then others may want something of this thread.
        crew.all_ended().await?;
        Ok(value)
    })
}

/// Dropped, it says that a main has ended.
struct Ended<'a> {
    crew: &'a Crew,
    index: usize,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.crew.ended(self.index);
    }
}

/// Main has panicked; or whatever builds the runtimes has.
fn panicked(crew: &Crew, index: usize, payload: Box<dyn Any + Send>) -> Panicked {
    let origin = Origin { task: Some(crew.name_of(index).into()), spawned_at: None };
    Panicked::new(payload).with_origin(origin)
}
