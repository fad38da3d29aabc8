//! A job, as the task sees it that awaits it.
//!
//! | from    | on                                        | to      | the await gives                       |
//! |---------|-------------------------------------------|---------|---------------------------------------|
//! | Begun   | the job has ended                         | Over    | its result                            |
//! | Begun   | a cancel; it was in line, and is taken out | Failed  | `Cancelled`                           |
//! | Begun   | a cancel; it runs, and may be abandoned   | Failed  | `Cancelled`                           |
//! | Begun   | a cancel; it runs, or must                | Begun   | nothing yet; it may be asked to stop  |
//! | Begun   | the same, and now it has ended            | Kept    | `Cancelled`, the value is kept        |
//! | Kept    | awaited again                             | Over    | the value                             |
//! | Failed  | awaited again                             | Failed  | the same once more                    |
//!
//! In line or running: that is decided in one place, by whoever takes the job out of the queue, under its lock.

use super::pool::Shared;
use super::slot::{Outcome, Slot};
use crate::cancel::{Awaiting, Leaf};
use crate::context;
use crate::error::{Cancelled, Error, Origin, Panicked, Result, RuntimeError};
use crate::hook::Unhandled;
use crate::task::{self, life};
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Runs something that blocks on a thread of its own, so that the runtime's thread can go on; awaited, gives its result.
///
/// The job is put in line at once, and begins when one of the runtime's [threads](super::BlockingOptions) is free: several
/// can be begun and then awaited one after the other. It gives a [`Result`]; return `Ok(value)` where nothing can fail.
///
/// It belongs to whoever awaits it:
///
/// * **Cancelled while it is in line**, it is taken out: it never runs, and what it has captured is dropped.
/// * **Cancelled while it runs**, it cannot be stopped, so the await waits for its end and gives `Cancelled` then. It may
///   [ask](super::check_cancelled) whether to go on. Nothing is lost: a value is kept, and awaiting the handle once more (by
///   `&mut`) gives it; an error is kept beside the `Cancelled`.
/// * **Unless it may be [abandoned](Blocking::abandon_on_cancel)**: then the await gives `Cancelled` at once. The job runs to
///   its end alone; its value is dropped, its error goes to the hook for unhandled errors.
/// * **If it must take place** ([`in_any_case`](Blocking::in_any_case)), it also stays in line, and runs.
/// * **The handle dropped**, as in a `select!`, is the same: in line, it is taken out; running, it is abandoned.
///   [`detach`](Blocking::detach) lets it run in any case.
///
/// A panic is reported through the hook, as a task's is, and becomes the error [`Panicked`]. The end of the runtime waits for
/// jobs that are running. A [virtual clock](crate::runtime::Builder::virtual_time) does not jump while a job is awaited.
///
/// Task-locals are not seen in a job: they stay on their runtime's thread.
///
/// # Errors
///
/// What the job returned; `Cancelled`, as above; [`Panicked`]; an [`std::io::Error`] if no thread can be started for it, and
/// there is none that could run it later; [`RuntimeError::NoRuntime`] outside of a runtime, [`RuntimeError::RuntimeGone`] in
/// one that is being dropped.
///
/// # Cancel safety
///
/// See above. Where the job has side effects, `Cancelled` does not say that they have not taken place, unless the job was
/// still in line.
///
/// # asyncio
///
/// `asyncio.to_thread`, and `loop.run_in_executor`. There a cancelled await ends at once, whatever the thread does, and its
/// result or error is lost; `asyncio.shield` and a second await are what one writes to have it. Trio's `to_thread.run_sync`
/// waits as this does, but gives the value instead of `Cancelled`.
///
/// ```
/// homing::run(async {
///     let digits = homing::spawn_blocking(|| Ok(std::fs::read_to_string("Cargo.toml")?.len()));
///     let sum = homing::spawn_blocking(|| Ok((1..=1000).sum::<u64>()));
///     assert_eq!(sum.await?, 500_500);
///     assert!(digits.await? > 0);
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[track_caller]
pub fn spawn_blocking<F, T>(job: F) -> Blocking<T>
where
    F: FnOnce() -> Result<T> + Send + 'static,
    T: Send + 'static,
{
    let stage = begin(job, Location::caller()).map_or_else(Stage::Failed, Stage::Begun);
    Blocking { stage, on_cancel: OnCancel::Wait, cancelled: None, leaf: Leaf::new() }
}

fn begin<F, T>(job: F, place: &'static Location<'static>) -> Result<Ticket<T>>
where
    F: FnOnce() -> Result<T> + Send + 'static,
    T: Send + 'static,
{
    let pool = context::with(|core| match core {
        Some(core) if core.is_closing() => Err(RuntimeError::RuntimeGone),
        Some(core) => Ok(core.blocking().shared()),
        None => Err(RuntimeError::NoRuntime),
    })?;
    let slot = Arc::new(Slot::new(place));
    let work = {
        let (slot, pool) = (slot.clone(), pool.clone());
        Box::new(move || slot.run(job, &pool))
    };
    let number = pool.submit(work)?;
    pool.note_awaited();
    Ok(Ticket { slot, pool, number })
}

/// A job that was given away with [`spawn_blocking`]: await it for its result.
#[must_use = "a job that nobody awaits is taken out of line, or abandoned: await it, or `detach()` it"]
pub struct Blocking<T> {
    stage: Stage<T>,
    on_cancel: OnCancel,
    /// What has been delivered while the job was running, and is given when it has ended.
    cancelled: Option<Cancelled>,
    leaf: Leaf,
}

/// See the [module](self).
enum Stage<T> {
    Begun(Ticket<T>),
    /// The await has given `Cancelled` in its place.
    Kept(T),
    /// There is nothing to wait for, nor will there be.
    Failed(Error),
    Over,
}

/// What an await does that is cancelled while its job runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnCancel {
    Wait,
    Abandon,
    /// As `Wait`, and it is not taken out of line either.
    Insist,
}

/// The hold on a job that is in line, running, or has ended unseen.
struct Ticket<T> {
    slot: Arc<Slot<T>>,
    pool: Arc<Shared>,
    number: u64,
}

impl<T> Ticket<T> {
    /// If the job is still in line, takes it out and drops it. Says whether it was.
    fn withdraw(&self) -> bool {
        let Some(work) = self.pool.withdraw(self.number) else { return false };
        // What it has captured may be anything.
        life::contain(|| drop(work));
        true
    }

    /// Nobody awaits it any more. It is still to be run.
    fn detach(self) {
        if let Some(outcome) = self.slot.let_go() {
            self.slot.discard(outcome, &self.pool);
        }
    }
}

impl<T> Drop for Ticket<T> {
    fn drop(&mut self) {
        self.pool.note_unawaited();
    }
}

impl<T> Blocking<T> {
    /// Gives up waiting when the task is cancelled: the await ends at once, and the job, if it is running, goes on alone.
    ///
    /// For jobs whose outcome is of no use to anybody else and whose end may be far away, such as a name's look-up.
    pub fn abandon_on_cancel(mut self) -> Self {
        self.on_cancel = OnCancel::Abandon;
        self
    }

    /// Lets the job run in any case: cancelled while it is in line, it stays there, and the await waits for its end. The handle
    /// dropped, it is [detached](Blocking::detach).
    ///
    /// For what has been promised to somebody, and must take place although its caller is cancelled.
    pub fn in_any_case(mut self) -> Self {
        self.on_cancel = OnCancel::Insist;
        self
    }

    /// Whether the await has given `Cancelled`, and has the value all the same.
    pub(crate) fn has_kept(&self) -> bool {
        matches!(self.stage, Stage::Kept(_))
    }

    /// Lets the job run in any case, and nobody await it. Its value is dropped; its error, or panic, goes to the hook for
    /// unhandled errors.
    pub fn detach(mut self) {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Begun(ticket) => ticket.detach(),
            Stage::Failed(error) if !error.is_cancelled() => {
                crate::runtime::report_unhandled(Unhandled::Displaced { error });
            }
            Stage::Kept(_) | Stage::Failed(_) | Stage::Over => {}
        }
    }

    /// Whether it would be given at once if it were awaited.
    pub fn is_finished(&self) -> bool {
        match &self.stage {
            Stage::Begun(ticket) => ticket.slot.is_done(),
            Stage::Kept(_) | Stage::Failed(_) | Stage::Over => true,
        }
    }

    /// The task was cancelled. Returns what the await gives now; `None` if the job's end is to be waited for.
    fn give_up(&mut self, cancelled: Cancelled) -> Option<Error> {
        let Stage::Begun(ticket) = &self.stage else { return Some(cancelled.into()) };
        let gives_up = match self.on_cancel {
            OnCancel::Insist => false,
            OnCancel::Wait => {
                ticket.slot.ask_to_stop();
                ticket.withdraw()
            }
            OnCancel::Abandon => {
                ticket.slot.ask_to_stop();
                ticket.withdraw() || !ticket.slot.is_done()
            }
        };
        if gives_up {
            self.leaf.unpark();
            let error = Error::from(cancelled);
            let failed = Stage::Failed(error.clone());
            if let Stage::Begun(ticket) = std::mem::replace(&mut self.stage, failed) {
                ticket.detach();
            }
            return Some(error);
        }
        self.cancelled = Some(match self.cancelled.take() {
            Some(before) => before.and(&cancelled),
            None => cancelled,
        });
        None
    }

    /// The job has ended.
    fn finish(&mut self, outcome: Outcome<T>) -> Result<T> {
        self.leaf.unpark();
        self.stage = Stage::Over;
        let result = match outcome {
            Outcome::Returned(result) => result,
            Outcome::Panicked(panicked, note) => Err(report_panic(panicked, note)),
        };
        let Some(cancelled) = self.cancelled.take() else { return result };
        Err(match result {
            Ok(value) => {
                self.stage = Stage::Kept(value);
                cancelled.into()
            }
            Err(error) if error.is_cancelled() => cancelled.into(),
            Err(error) => Error::from(cancelled).with_displaced(error),
        })
    }
}

/// As a task's panic: reported at once, then an error like any other.
fn report_panic(panicked: Panicked, note: String) -> Error {
    let panicked = match task::current() {
        Some(task) => panicked.with_origin(Origin { task: Some(task.name()), spawned_at: task.spawned_at() }),
        None => panicked,
    };
    let error = Error::from(panicked).with_note(note);
    crate::runtime::report_unhandled(Unhandled::CallbackPanicked { error: error.clone() });
    error
}

// The value is only ever moved.
impl<T> Unpin for Blocking<T> {}

impl<T> Future for Blocking<T> {
    type Output = Result<T>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let this = &mut *self;
        if let Err(cancelled) = this.leaf.resume()
            && let Some(error) = this.give_up(cancelled)
        {
            return Poll::Ready(Err(error));
        }
        loop {
            let ticket = match &this.stage {
                Stage::Begun(ticket) => ticket,
                Stage::Failed(error) => return Poll::Ready(Err(error.clone())),
                Stage::Kept(_) | Stage::Over => {
                    return Poll::Ready(match std::mem::replace(&mut this.stage, Stage::Over) {
                        Stage::Kept(value) => Ok(value),
                        _ => Err(RuntimeError::AlreadyTaken.into()),
                    });
                }
            };
            if let Some(outcome) = ticket.slot.poll(cx.waker()) {
                return Poll::Ready(this.finish(outcome));
            }
            match this.leaf.park(cx, Awaiting::Job(ticket.number)) {
                Ok(()) => return Poll::Pending,
                // If it is to be waited for all the same, the leaf parks in the next round: the request has been taken.
                Err(cancelled) => {
                    if let Some(error) = this.give_up(cancelled) {
                        return Poll::Ready(Err(error));
                    }
                }
            }
        }
    }
}

impl<T> Drop for Blocking<T> {
    fn drop(&mut self) {
        if let Stage::Begun(ticket) = std::mem::replace(&mut self.stage, Stage::Over) {
            if self.on_cancel != OnCancel::Insist {
                ticket.slot.ask_to_stop();
                if ticket.withdraw() {
                    return;
                }
            }
            ticket.detach();
        }
    }
}

impl<T> fmt::Debug for Blocking<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match &self.stage {
            Stage::Begun(_) => "begun",
            Stage::Kept(_) => "kept",
            Stage::Failed(_) => "failed",
            Stage::Over => "over",
        };
        f.debug_struct("Blocking").field("stage", &stage).finish_non_exhaustive()
    }
}
