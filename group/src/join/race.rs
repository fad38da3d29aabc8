//! A race: several attempts at one thing, started together, or each when the one before it is late or has failed.
//!
//! ```text
//!   attempt 0  ├──────────────────────────╳ cancelled, because 1 has won
//!   attempt 1          ├────────────✔       started when the delay was over
//!   attempt 2                  ├────╳       likewise
//!              │◄delay►│◄delay►│
//! ```

use crate::waiter::Waiter;
use homing_executor::cancel::{Awaiting, Leaf, ScopeId};
use homing_executor::error::{Cancelled, Error, ExceptionGroup, Result};
use homing_executor::task::{Attention, Outcome, Owner, Task, TaskRef, task};
use homing_executor::time::{Instant, Timer};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::panic::Location;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Races several attempts, and gives the first success; the others are cancelled, and waited for.
///
/// All begin at once, unless [`stagger`](Race::stagger) says otherwise. Each is a task of its own.
///
/// # Errors
///
/// `Cancelled`, if the racing task is cancelled: then all attempts are, and are waited for. Attempts that fail are no error:
/// see [`RaceOutcome`].
///
/// # Cancel safety
///
/// No attempt outlives the race. Dropped midway, it aborts them.
///
/// # asyncio
///
/// `asyncio.staggered.staggered_race` (ST-1 to ST-5), whose delay is [`stagger`](Race::stagger)'s; with `delay=None`, its default,
/// that one runs its attempts one after the other, which is `stagger(None)` here.
///
/// ```
/// use homing::{race, sleep};
/// use std::time::Duration;
///
/// homing::run(async {
///     let mirror = |ms| async move { sleep(Duration::from_millis(ms)).await?; Ok(ms) };
///     let outcome = race([mirror(500), mirror(3), mirror(800)]).stagger(Duration::from_millis(1)).await?;
///     assert_eq!(outcome.winner, Some((1, 3)));
///     assert!(outcome.errors[0].as_ref().unwrap().is_cancelled());
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[track_caller]
pub fn race<I>(attempts: I) -> Race<I::Item>
where
    I: IntoIterator,
    I::Item: IntoFuture,
{
    Race { attempts: attempts.into_iter().collect(), pace: Pace::Together, place: Location::caller() }
}

/// See [`race`]. It is awaited.
#[must_use = "nothing begins before it is awaited"]
pub struct Race<F> {
    attempts: VecDeque<F>,
    pace: Pace,
    place: &'static Location<'static>,
}

/// When the next attempt begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// With the first.
    Together,
    /// When the one before has failed.
    OneByOne,
    /// The same, or after this time.
    Staggered(Duration),
}

impl<F> Race<F> {
    /// Begins with the first attempt alone, and starts the next one when the one before has failed, or after this time if it
    /// has not ended by then. With `None`, only when it has failed: one after the other.
    pub fn stagger(mut self, delay: impl Into<Option<Duration>>) -> Self {
        self.pace = delay.into().map_or(Pace::OneByOne, Pace::Staggered);
        self
    }
}

impl<F> fmt::Debug for Race<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Race").field("attempts", &self.attempts.len()).field("pace", &self.pace).finish()
    }
}

/// How a [`race`] went.
#[derive(Debug)]
pub struct RaceOutcome<T> {
    /// The attempt that won, and its value; `None` if all have failed, or there was none.
    pub winner: Option<(usize, T)>,
    /// One entry for each attempt that was started, in order: its error, a `Cancelled` if it was cancelled because
    /// another one had won, and `None` for the winner.
    pub errors: Vec<Option<Error>>,
}

impl<T> RaceOutcome<T> {
    /// The winner's value: for races that somebody has to win.
    ///
    /// # Errors
    ///
    /// If nobody has: an [`ExceptionGroup`] of what the attempts ended with, in their order; or
    /// [`EmptyGroup`](homing_executor::error::EmptyGroup), if there was none.
    ///
    /// # asyncio
    ///
    /// Nothing: `staggered_race` returns `None` for the winner, and leaves the rest to the caller.
    ///
    /// ```
    /// use homing::{Error, race};
    ///
    /// homing::run(async {
    ///     let mirror = |works| async move { if works { Ok("page") } else { Err(Error::msg("is down")) } };
    ///     assert_eq!(race([mirror(false), mirror(true)]).await?.into_value()?, "page");
    ///     let error = race([mirror(false), mirror(false)]).await?.into_value().unwrap_err();
    ///     assert_eq!(error.as_group().unwrap().len(), 2);
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn into_value(self) -> Result<T> {
        match self.winner {
            Some((_, value)) => Ok(value),
            None => {
                Err(ExceptionGroup::new("nobody has won the race", self.errors.into_iter().flatten())?.into())
            }
        }
    }
}

impl<F, T> IntoFuture for Race<F>
where
    F: IntoFuture<Output = Result<T>> + 'static,
    F::IntoFuture: 'static,
    T: 'static,
{
    type Output = Result<RaceOutcome<T>>;
    type IntoFuture = std::pin::Pin<Box<dyn Future<Output = Self::Output>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { Course::new(self).run().await })
    }
}

/// A race that is under way.
struct Course<F, T> {
    race: Race<F>,
    /// The attempts that were started.
    started: Vec<Task<T>>,
    outcome: RaceOutcome<T>,
    running: usize,
    /// Until the next attempt begins; `None` if only a failure will do.
    timer: Option<Timer>,
    ends: Rc<Ends>,
    /// Who waits for the attempts.
    racing: Option<ScopeId>,
    /// The first cancel of the racing task.
    interrupted: Option<Error>,
}

/// Attempts that have ended, and who wants to know.
#[derive(Default)]
struct Ends {
    queue: RefCell<VecDeque<usize>>,
    waiter: Waiter,
}

impl<F, T> Course<F, T>
where
    F: IntoFuture<Output = Result<T>>,
    F::IntoFuture: 'static,
    T: 'static,
{
    fn new(race: Race<F>) -> Self {
        Course {
            race,
            started: Vec::new(),
            outcome: RaceOutcome { winner: None, errors: Vec::new() },
            running: 0,
            timer: None,
            ends: Rc::default(),
            racing: ScopeId::current(),
            interrupted: None,
        }
    }

    async fn run(mut self) -> Result<RaceOutcome<T>> {
        self.start_next();
        while self.race.pace == Pace::Together && self.may_start() {
            self.start_next();
        }
        let mut leaf = Leaf::new();
        poll_fn(|cx| self.poll_end(cx, &mut leaf)).await;
        match self.interrupted.take() {
            // Even if an attempt has swallowed the cancel, and won (ST-4).
            Some(cancelled) => Err(cancelled),
            None => {
                let empty = RaceOutcome { winner: None, errors: Vec::new() };
                Ok(std::mem::replace(&mut self.outcome, empty))
            }
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>, leaf: &mut Leaf) -> Poll<()> {
        if let Err(cancelled) = leaf.resume() {
            self.interrupt(cancelled);
        }
        loop {
            self.take_ends();
            self.start_if_late(cx.waker());
            if self.running == 0 && !self.may_start() {
                leaf.unpark();
                return Poll::Ready(());
            }
            match leaf.park_at(cx, Awaiting::Children(self.running as u64), self.race.place) {
                Ok(()) => break,
                Err(cancelled) => self.interrupt(cancelled),
            }
        }
        self.ends.waiter.register(cx.waker());
        Poll::Pending
    }

    fn may_start(&self) -> bool {
        self.outcome.winner.is_none() && self.interrupted.is_none() && !self.race.attempts.is_empty()
    }

    /// Cancels all attempts that run; again with each cancel of the racing task.
    fn interrupt(&mut self, cancelled: Cancelled) {
        for attempt in &self.started {
            attempt.cancel_because(&cancelled);
        }
        self.interrupted.get_or_insert(cancelled.into());
    }

    /// Looks at every attempt that has ended since the last time.
    fn take_ends(&mut self) {
        loop {
            let ended = self.ends.queue.borrow_mut().pop_front();
            let Some(index) = ended else { break };
            self.running -= 1;
            match self.started[index].try_result() {
                Some(Ok(value)) if self.outcome.winner.is_none() => {
                    self.outcome.winner = Some((index, value));
                    self.outcome.errors[index] = None;
                    for (other, attempt) in
                        self.started.iter().enumerate().filter(|(other, _)| *other != index)
                    {
                        attempt.cancel_with(format!("attempt {index} won before attempt {other}"));
                    }
                }
                // There is one winner, even if several succeed in one turn (ST-3).
                Some(Ok(_)) | None => {}
                Some(Err(error)) => {
                    self.outcome.errors[index] = Some(error);
                    if index + 1 == self.started.len() && self.may_start() {
                        self.start_next();
                    }
                }
            }
        }
    }

    fn start_if_late(&mut self, waker: &Waker) {
        while self.may_start() {
            let Some(timer) = &mut self.timer else { break };
            match timer.poll(waker) {
                Poll::Ready(Ok(())) => self.start_next(),
                Poll::Ready(Err(_)) | Poll::Pending => break,
            }
        }
    }

    fn start_next(&mut self) {
        let Some(attempt) = self.race.attempts.pop_front() else { return };
        let index = self.started.len();
        // Until it ends in another way.
        self.outcome.errors.push(Some(Cancelled::new().into()));
        self.running += 1;
        // Not eagerly: an attempt must not end before it is known (ST-5).
        let attempt = task(attempt).owner(Racer(self.racing)).spawned_at(self.race.place).queued().spawn();
        let ends = self.ends.clone();
        attempt.on_done(move |_: &TaskRef| {
            ends.queue.borrow_mut().push_back(index);
            ends.waiter.wake();
        });
        self.started.push(attempt);
        self.timer = match self.race.pace {
            Pace::Staggered(delay) => Some(Timer::new(Instant::now() + delay)),
            Pace::Together | Pace::OneByOne => None,
        };
    }
}

/// What an attempt tells of itself: who waits for it. How it ends is seen by the race.
struct Racer(Option<ScopeId>);

impl Owner for Racer {
    fn child_done(&self, _attempt: &TaskRef, _outcome: Outcome<'_>) -> Attention {
        Attention::Unseen
    }

    fn waiter(&self) -> Option<ScopeId> {
        self.0
    }
}

impl<F, T> Drop for Course<F, T> {
    fn drop(&mut self) {
        for attempt in &self.started {
            attempt.abort();
        }
    }
}
