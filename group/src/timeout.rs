//! Timeouts: a block that is interrupted when its time is over.
//!
//! When the deadline comes, the block is cancelled, like a task but for itself alone; it may clean up, and for that it is
//! waited for. If it then ends cancelled, and nobody else had asked for that, the outcome is [`TimedOut`].
//!
//! ```text
//!   enter ──────── the block ────────┬──── its clean-up ────┬─► TimedOut
//!   arm            a scope of its own│      waited for      │   or what else it ends with
//!                              deadline: the scope is asked └─ take the request back
//! ```
//!
//! | from     | on                     | to       | then                                                        |
//! |----------|------------------------|----------|-------------------------------------------------------------|
//! | Created  | `run`                  | Active   | the block begins; the timer is armed once it suspends       |
//! | Active   | `reschedule`           | Active   | the timer is set anew                                       |
//! | Active   | the deadline           | Expiring | the block is asked to cancel                                |
//! | Active   | the block ends         | Finished | its outcome is passed on                                    |
//! | Expiring | the block ends         | Expired  | the request is taken back; a `Cancelled` becomes `TimedOut` |
//! | either   | the block is dropped   | as above | the timer is disarmed, the request taken back               |
//!
//! What has no row is an error: a second `run`, and `reschedule` in any state but `Active`.

use crate::body;
use homing_executor::cancel::keep_waker;
use homing_executor::cancel::{Outside, Scope, ScopeId};
use homing_executor::error::{Asker, Cancelled, Cause, Error, Result, RuntimeError, ScopeNote, TimedOut};
use homing_executor::time::{Instant, Timer};
use pin_project_lite::pin_project;
use std::borrow::Borrow;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::Deref;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

/// Gives `future` so much time, counted from this call; `None` gives it all the time in the world.
///
/// When the time is over, the await at which the future stands returns `Err(Cancelled)`. It may clean up, and is waited
/// for; a foreign future, which cannot be told, is dropped. A future that never suspends is never interrupted.
///
/// Zero, or a deadline in the past, interrupts at the first suspension.
///
/// # Errors
///
/// [`TimedOut`], if the time was over and the future ended cancelled for that reason. It is not a cancellation. Anything
/// else that the future ends with, a value or another error, is passed on, also when it came late; and so is `Cancelled`,
/// if somebody else had asked the task to cancel.
///
/// # Cancel safety
///
/// A cancel from outside goes through to the future. Dropped midway, it drops the future.
///
/// # asyncio
///
/// `asyncio.wait_for(future, seconds)`, `async with asyncio.timeout(seconds)` (TO-1 to TO-18).
///
/// ```
/// use homing::{sleep, timeout};
/// use std::time::Duration;
///
/// homing::run(async {
///     let slow = timeout(Duration::from_millis(1), sleep(Duration::from_secs(3600))).await;
///     assert!(slow.unwrap_err().is_timeout());
///     let fast = timeout(Duration::from_secs(3600), async { Ok(42) }).await;
///     assert_eq!(fast.unwrap(), 42);
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[track_caller]
pub fn timeout<F, T>(duration: impl Into<Option<Duration>>, future: F) -> Timeout<F::IntoFuture>
where
    F: IntoFuture<Output = Result<T>>,
{
    Timeout::new(future, Deadline::after(duration.into(), Location::caller()))
}

/// Gives `future` time until `deadline`; `None` gives it all the time in the world. See [`timeout`].
///
/// # Errors
///
/// Those of [`timeout`].
///
/// # Cancel safety
///
/// As [`timeout`].
///
/// # asyncio
///
/// `asyncio.timeout_at(when)`.
///
/// ```
/// use homing::{Instant, sleep, timeout_at};
/// use std::time::Duration;
///
/// homing::run(async {
///     // One deadline for several things in a row.
///     let deadline = Instant::now() + Duration::from_millis(5);
///     timeout_at(deadline, async { Ok(()) }).await?;
///     let slow = timeout_at(deadline, sleep(Duration::from_secs(3600))).await;
///     assert!(slow.unwrap_err().is_timeout());
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[track_caller]
pub fn timeout_at<F, T>(deadline: impl Into<Option<Instant>>, future: F) -> Timeout<F::IntoFuture>
where
    F: IntoFuture<Output = Result<T>>,
{
    Timeout::new(future, Deadline::new(deadline.into(), None, Location::caller()))
}

pin_project! {
    /// The future of [`timeout`] and [`timeout_at`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Timeout<F> {
        #[pin]
        block: Block<F, Deadline>,
    }
}

impl<F> Timeout<F> {
    fn new(future: impl IntoFuture<IntoFuture = F>, deadline: Deadline) -> Timeout<F>
    where
        F: Future,
    {
        Timeout { block: Block::new(future.into_future(), deadline) }
    }
}

impl<F: Future<Output = Result<T>>, T> Future for Timeout<F> {
    type Output = Result<T>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        self.project().block.poll(cx)
    }
}

impl<F> fmt::Debug for Timeout<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout").field("state", &self.block.state()).finish_non_exhaustive()
    }
}

pin_project! {
    /// A future with a deadline, its own or one that it shares.
    ///
    /// Written by hand, since an `async` block would keep room for the limited future twice: once for what it captures,
    /// once for what it pins; and timeouts within timeouts would double that again.
    struct Block<F, D: AsDeadline> {
        // Gone when it has ended, or was given up. The first field, for it is to be dropped before its scope.
        #[pin]
        future: Option<F>,
        limit: Limit<D>,
    }
}

/// How far a limited future has come.
enum Limit<D: AsDeadline> {
    NotPolled(D),
    Running(Running<D>),
    Over,
}

impl<F, D: AsDeadline> Block<F, D> {
    fn new(future: F, deadline: D) -> Block<F, D> {
        Block { future: Some(future), limit: Limit::NotPolled(deadline) }
    }

    fn state(&self) -> State {
        match &self.limit {
            Limit::NotPolled(_) => State::Created,
            Limit::Running(running) => running.deadline.borrow().state.get(),
            Limit::Over => State::Finished,
        }
    }
}

impl<F: Future<Output = Result<T>>, T, D: AsDeadline> Future for Block<F, D> {
    type Output = Result<T>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let mut this = self.project();
        if let Limit::NotPolled(_) = this.limit
            && let Limit::NotPolled(deadline) = std::mem::replace(this.limit, Limit::Over)
        {
            *this.limit = Limit::Running(Running::enter(deadline)?);
        }
        let (Limit::Running(running), Some(future)) = (&*this.limit, this.future.as_mut().as_pin_mut())
        else {
            panic!("a timeout was polled after it had ended");
        };
        let outcome = ready!(running.poll(cx, future));
        this.future.set(None);
        Poll::Ready(match std::mem::replace(this.limit, Limit::Over) {
            Limit::Running(running) => running.finish(outcome),
            Limit::NotPolled(_) | Limit::Over => outcome,
        })
    }
}

/// As [`timeout`], with a handle by which the body, or any other task, can look at the deadline and move it.
///
/// # Errors
///
/// Those of [`timeout`].
///
/// # Cancel safety
///
/// As [`timeout`].
///
/// # asyncio
///
/// `async with asyncio.timeout(seconds) as t`.
///
/// ```
/// use homing::{sleep, timeout_scope};
/// use std::time::Duration;
///
/// homing::run(async {
///     timeout_scope(Duration::from_millis(5), async |t| {
///         t.reschedule(homing::Instant::now() + Duration::from_secs(3600))?;
///         sleep(Duration::from_millis(10)).await?;
///         assert!(!t.expired());
///         Ok(())
///     })
///     .await
/// })
/// # .unwrap();
/// ```
#[track_caller]
pub fn timeout_scope<T, F>(duration: impl Into<Option<Duration>>, body: F) -> impl Future<Output = Result<T>>
where
    F: AsyncFnOnce(&TimeoutScope) -> Result<T>,
{
    TimeoutScope::new(duration).run(body)
}

/// A timeout's handle: to look at the deadline, and to move it, from any task.
#[derive(Clone)]
pub struct TimeoutScope {
    deadline: Rc<Handled>,
}

impl TimeoutScope {
    /// A timeout that is not entered yet. Its time is counted from here.
    #[track_caller]
    pub fn new(duration: impl Into<Option<Duration>>) -> TimeoutScope {
        TimeoutScope { deadline: Rc::new(Handled::new(Deadline::after(duration.into(), Location::caller()))) }
    }

    /// The same, until a point in time.
    #[track_caller]
    pub fn at(deadline: impl Into<Option<Instant>>) -> TimeoutScope {
        TimeoutScope {
            deadline: Rc::new(Handled::new(Deadline::new(deadline.into(), None, Location::caller()))),
        }
    }

    /// Runs a body under the timeout.
    ///
    /// # Errors
    ///
    /// Those of [`timeout`], and [`RuntimeError::AlreadyEntered`] the second time (TO-2).
    pub fn run<T, F>(self, body: F) -> impl Future<Output = Result<T>>
    where
        F: AsyncFnOnce(&TimeoutScope) -> Result<T>,
    {
        let deadline = self.deadline.clone();
        Block::new(body::call(self, body), deadline)
    }

    /// When it expires; `None`, if never.
    ///
    /// # asyncio
    ///
    /// `Timeout.when()` (TO-6).
    pub fn when(&self) -> Option<Instant> {
        self.deadline.when.get()
    }

    /// Whether the deadline has come while the block was running, whatever became of that.
    ///
    /// # asyncio
    ///
    /// `Timeout.expired()` (TO-6).
    pub fn expired(&self) -> bool {
        self.deadline.has_expired()
    }

    /// Moves the deadline; `None` switches it off. A past one interrupts the block in the next turn.
    ///
    /// # Errors
    ///
    /// [`Reschedule`], unless the block is running and its time is not over.
    ///
    /// # asyncio
    ///
    /// `Timeout.reschedule(when)` (TO-7).
    pub fn reschedule(&self, deadline: impl Into<Option<Instant>>) -> Result<(), Reschedule> {
        match self.deadline.state.get() {
            State::Active if !self.deadline.has_fired() => {
                let when = deadline.into();
                self.deadline.move_to(when);
                if let Some(scope) = self.deadline.scope.get() {
                    scope.set_deadline(when);
                }
                Ok(())
            }
            State::Created => Err(Reschedule::NotEntered),
            State::Active | State::Expiring => Err(Reschedule::Expiring),
            State::Expired => Err(Reschedule::Expired),
            State::Finished => Err(Reschedule::Finished),
        }
    }
}

impl fmt::Debug for TimeoutScope {
    /// The state, and the deadline while it matters (TK-14).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("TimeoutScope");
        shown.field("state", &self.deadline.state.get());
        if self.deadline.state.get() == State::Active {
            shown.field("when", &self.when());
        }
        shown.finish()
    }
}

/// A deadline that cannot be moved any more, or not yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reschedule {
    /// The block has not been entered.
    NotEntered,
    /// The time is over, and the block is ending.
    Expiring,
    /// The block has ended, by the timeout.
    Expired,
    /// The block has ended in time.
    Finished,
}

impl fmt::Display for Reschedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reschedule::NotEntered => "the timeout cannot be rescheduled: its block has not been entered",
            Reschedule::Expiring => {
                "the timeout cannot be rescheduled: its time is over, and its block is ending"
            }
            Reschedule::Expired => "the timeout cannot be rescheduled: it has expired",
            Reschedule::Finished => "the timeout cannot be rescheduled: its block has ended",
        })
    }
}

impl std::error::Error for Reschedule {}

/// See the [table](self).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Created,
    Active,
    Expiring,
    Expired,
    Finished,
}

/// The deadline of one block.
struct Deadline {
    when: Cell<Option<Instant>>,
    after: Option<Duration>,
    place: &'static Location<'static>,
    state: Cell<State>,
    timer: RefCell<Option<Timer>>,
    /// What polls the block: so that a deadline that is set later can wake it.
    waker: RefCell<Option<Waker>>,
}

/// A deadline that has handles, by which it can be moved.
struct Handled {
    deadline: Deadline,
    /// The block, from when it is entered, for people who look at the task.
    scope: Cell<Option<ScopeId>>,
}

impl Handled {
    fn new(deadline: Deadline) -> Handled {
        Handled { deadline, scope: Cell::new(None) }
    }
}

impl Deref for Handled {
    type Target = Deadline;

    fn deref(&self) -> &Deadline {
        &self.deadline
    }
}

impl Borrow<Deadline> for Rc<Handled> {
    fn borrow(&self) -> &Deadline {
        &self.deadline
    }
}

/// What a block has of its deadline: itself, or its share of it.
trait AsDeadline: Borrow<Deadline> {
    /// The block has been entered.
    fn entered(&self, _scope: ScopeId) {}
}

impl AsDeadline for Deadline {}

impl AsDeadline for Rc<Handled> {
    fn entered(&self, scope: ScopeId) {
        self.scope.set(Some(scope));
    }
}

impl Deadline {
    fn new(when: Option<Instant>, after: Option<Duration>, place: &'static Location<'static>) -> Deadline {
        Deadline {
            when: Cell::new(when),
            after,
            place,
            state: Cell::new(State::Created),
            timer: RefCell::new(when.map(Timer::new)),
            waker: RefCell::new(None),
        }
    }

    fn after(duration: Option<Duration>, place: &'static Location<'static>) -> Deadline {
        Deadline::new(duration.map(|duration| Instant::now() + duration), duration, place)
    }

    fn has_fired(&self) -> bool {
        self.timer.borrow().as_ref().is_some_and(Timer::has_fired)
    }

    fn has_expired(&self) -> bool {
        match self.state.get() {
            State::Expiring | State::Expired => true,
            // The timer has fired, and the block has not been polled since.
            State::Active => self.has_fired(),
            State::Created | State::Finished => false,
        }
    }

    fn move_to(&self, when: Option<Instant>) {
        self.when.set(when);

        let replaced = self.timer.replace(when.map(Timer::new));
        // Outside of the borrow: a waker goes with it, which may be a foreign one.
        drop(replaced);
        // The block may be suspended, and then it does not get to arming the timer by itself.
        let waker = self.waker.borrow().clone();
        if let Some(waker) = waker {
            self.arm(&waker);
        }
    }

    fn arm(&self, waker: &Waker) {
        if let Some(timer) = self.timer.borrow_mut().as_mut() {
            // It is in a runtime, and has not fired: there is nothing else to learn here.
            let _ = timer.poll(waker);
        }
        if !self.waker.borrow().as_ref().is_some_and(|kept| kept.will_wake(waker)) {
            let replaced = self.waker.replace(Some(keep_waker(waker)));
            drop(replaced);
        }
    }

    fn expiry(&self) -> Cancelled {
        Cancelled::new().because(Cause::by(Asker::Timeout { after: self.after }).with_place(self.place))
    }

    /// What becomes of the block's error.
    fn conclude(&self, error: Error, expired: bool, outside: Outside) -> Error {
        if expired && outside == Outside::Quiet && error.is_cancelled() {
            let mut timed_out = TimedOut::new().with_place(self.place);
            if let Some(after) = self.after {
                timed_out = timed_out.with_after(after);
            }
            if let Some(cause) = error.as_cancelled() {
                timed_out = timed_out.with_cause(cause.clone());
            }
            return timed_out.into();
        }
        if expired && !error.is_cancelled() {
            // Its own error, raised after the time was over: the way it took tells so (TO-9).
            return error.with_scope(ScopeNote { kind: "timeout", name: None, place: self.place });
        }
        error
    }
}

/// A block while it is running. Dropped midway, it takes the timeout's own request back.
///
/// It has its deadline, or shares it with the handles of a [`TimeoutScope`].
struct Running<D: AsDeadline> {
    deadline: D,
    scope: Scope,
}

impl<D: AsDeadline> Running<D> {
    /// The block begins.
    fn enter(deadline: D) -> Result<Running<D>, RuntimeError> {
        let state = &deadline.borrow().state;
        if state.get() != State::Created {
            return Err(RuntimeError::AlreadyEntered);
        }
        let note = ScopeNote { kind: "timeout", name: None, place: deadline.borrow().place };
        let scope = Scope::enter_as(note, deadline.borrow().when.get())?;
        deadline.entered(scope.id());
        state.set(State::Active);
        Ok(Running { deadline, scope })
    }

    #[track_caller]
    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        block: Pin<&mut impl Future<Output = Result<T>>>,
    ) -> Poll<Result<T>> {
        let deadline = self.deadline.borrow();
        if deadline.state.get() == State::Active && deadline.has_fired() {
            deadline.state.set(State::Expiring);
            self.scope.cancel(&deadline.expiry());
        }
        match self.scope.poll(cx, block) {
            Poll::Ready(Ok(outcome)) => Poll::Ready(outcome),
            Poll::Ready(Err(given_up)) => Poll::Ready(Err(given_up.into())),
            Poll::Pending => {
                // Only now: a block that does not suspend needs no timer, and is not interrupted (TO-3, TO-4).
                if deadline.state.get() == State::Active {
                    deadline.arm(cx.waker());
                }
                Poll::Pending
            }
        }
    }

    /// The block has ended, and is gone.
    fn finish<T>(self, outcome: Result<T>) -> Result<T> {
        let deadline = self.deadline.borrow();
        let expired = deadline.state.get() == State::Expiring;
        let outside = self.scope.take_back();
        outcome.map_err(|error| deadline.conclude(error, expired, outside))
    }
}

impl<D: AsDeadline> Drop for Running<D> {
    fn drop(&mut self) {
        let deadline = self.deadline.borrow();
        deadline.state.set(if deadline.has_expired() { State::Expired } else { State::Finished });
        let timer = deadline.timer.take();
        let waker = deadline.waker.take();
        drop((timer, waker));
    }
}
