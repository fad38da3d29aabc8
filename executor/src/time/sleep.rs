//! Sleeping.

use super::Instant;
use super::deadlines::Wakes;
use super::timer;
use crate::cancel::{Awaiting, Leaf, place};
use crate::context;
use crate::error::{Cancelled, Result, RuntimeError};
use crate::runtime::core::Core;
use crate::waker;
use homing_timers::TimerKey;
use std::fmt;
use std::mem::ManuallyDrop;
use std::num::NonZeroU64;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Waits for `duration`, from now on: from this call, not from the first poll. Called outside of a runtime it goes by the
/// operating system's clock, of which a virtual one knows nothing. Zero gives way once, and arms no timer.
///
/// Never shorter than asked; longer by what it takes the loop to get to it, and where timers come due thick and fast, by up
/// to 50 µs, so that they are served together ([`timer_grain`](crate::runtime::Builder::timer_grain)). Very long ones end with
/// the clock, in some 584 years.
///
/// # Errors
///
/// [`Cancelled`](crate::error::Cancelled), if the task is cancelled while it stands here, and
/// [`RuntimeError::NoRuntime`](crate::error::RuntimeError::NoRuntime) outside of a runtime.
///
/// # Cancel safety
///
/// Cancelled or dropped, it disarms its timer; nothing else is lost.
///
/// # asyncio
///
/// `asyncio.sleep(seconds)` (SC-5, SC-6).
///
/// ```
/// use std::time::Duration;
///
/// homing::run(async {
///     let begin = homing::Instant::now();
///     homing::sleep(Duration::from_millis(5)).await?;
///     assert!(begin.elapsed() >= Duration::from_millis(5));
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[track_caller]
#[inline]
pub fn sleep(duration: Duration) -> Sleep {
    let state = State::Unarmed(if duration.is_zero() { Unarmed::Yield } else { Unarmed::Timer });
    Sleep { deadline: Instant::in_time(duration), state, leaf: ManuallyDrop::new(Leaf::new()) }
}

/// Waits until `deadline`: completes in the first turn of the loop at or after it. A past one still gives way once.
///
/// # Errors
///
/// As [`sleep`].
///
/// # Cancel safety
///
/// As [`sleep`].
///
/// # asyncio
///
/// `asyncio.sleep(when - loop.time())`.
#[track_caller]
#[inline]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep { deadline, state: State::Unarmed(Unarmed::Timer), leaf: ManuallyDrop::new(Leaf::new()) }
}

/// The future of [`sleep`] and [`sleep_until`].
// The parts of a `Timer` and a leaf side by side, not a timer and a leaf: it is smaller, and who polls or drops it looks once
// for the running runtime, and not once for each of the two.
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep {
    deadline: Instant,
    state: State,
    /// Dropped with the rest, and not by itself.
    leaf: ManuallyDrop<Leaf>,
}

const _: () = assert!(size_of::<Sleep>() == 48, "a sleep has grown: programs have very many");

/// | from    | polled                 | to      |
/// |---------|------------------------|---------|
/// | Yield   | wake at once, pending  | Yielded |
/// | Yielded | ready                  | Over    |
/// | Timer   | arm, pending           | Armed   |
/// | Armed   | pending until it fires | Over    |
/// | Over    | ready                  |         |
// In two, for then it is no larger than the key.
#[derive(Clone, Copy, Debug)]
enum State {
    Unarmed(Unarmed),
    /// Its timer is in the wheel, or has fired since.
    Armed(TimerKey),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unarmed {
    /// Zero: gives way once.
    Yield,
    Yielded,
    Timer,
    Over,
}

impl Sleep {
    /// When it ends.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Sets another end. One that is over begins anew.
    pub fn reset(&mut self, deadline: Instant) {
        self.deadline = deadline;
        self.state = match timer::rearm(self.key(), deadline) {
            Some(key) => State::Armed(key),
            None => State::Unarmed(Unarmed::Timer),
        };
    }

    /// The key under which its timer is armed, or was.
    #[inline(always)]
    fn key(&self) -> Option<TimerKey> {
        match self.state {
            State::Armed(key) => Some(key),
            State::Unarmed(_) => None,
        }
    }

    fn poll_at(&mut self, cx: &mut Context<'_>, place: &'static Location<'static>) -> Poll<Result<()>> {
        let running = context::running();
        let awaiting = Awaiting::Timer(self.deadline.nanos());
        // The usual case: it begins, within a task, and is polled with that one's own waker.
        if let Some(core) = running
            && let Some(row) = core.current.get()
            && let Some(task) = NonZeroU64::new(row.id())
            && waker::task_of(cx.waker()) == Some(task.get())
            && matches!(self.state, State::Unarmed(Unarmed::Timer))
            && self.leaf.parks_plainly(row, awaiting, place)
        {
            self.state = State::Armed(core.deadlines.arm(self.deadline.nanos(), Wakes::Task(task)));
            return Poll::Pending;
        }
        self.poll_otherwise(cx, awaiting, place, running)
    }

    #[inline(never)]
    fn poll_otherwise(
        &mut self,
        cx: &mut Context<'_>,
        awaiting: Awaiting,
        place: &'static Location<'static>,
        running: Option<&Core>,
    ) -> Poll<Result<()>> {
        if let Err(cancelled) = self.leaf.resume() {
            return self.cancelled(cancelled, running);
        }
        self.state = match self.state {
            State::Armed(_) | State::Unarmed(Unarmed::Timer) => {
                let Some(core) = running else { return Poll::Ready(Err(RuntimeError::NoRuntime.into())) };
                match timer::poll(core, self.key(), self.deadline, cx.waker()) {
                    Some(key) => State::Armed(key),
                    None => State::Unarmed(Unarmed::Over),
                }
            }
            State::Unarmed(Unarmed::Yield) => {
                cx.waker().wake_by_ref();
                State::Unarmed(Unarmed::Yielded)
            }
            State::Unarmed(Unarmed::Yielded | Unarmed::Over) => State::Unarmed(Unarmed::Over),
        };
        if matches!(self.state, State::Unarmed(Unarmed::Over)) {
            self.leaf.unpark();
            return Poll::Ready(Ok(()));
        }
        match self.leaf.park_at(cx, awaiting, place) {
            Ok(()) => Poll::Pending,
            Err(cancelled) => self.cancelled(cancelled, running),
        }
    }

    /// It is dropped where it is armed or parked.
    fn let_go(&mut self) {
        let running = context::running();
        match running.and_then(|core| core.current.get()) {
            // The usual case: within a poll of its task.
            Some(row) if self.leaf.is_plain_in(row) => self.leaf.leave(row),
            _ => return self.let_go_elsewhere(running),
        }
        drop(self.disarm(running));
    }

    #[cold]
    fn let_go_elsewhere(&mut self, running: Option<&Core>) {
        let _waker = self.disarm(running);
        self.leaf.abandon();
    }

    /// Its timer is armed no more, if it was, and if the runtime that is running is the one to tell. A foreign waker is for
    /// the caller to drop.
    #[inline(always)]
    fn disarm(&self, running: Option<&Core>) -> Option<Waker> {
        // By reference: copied, the key would be read as one word, which waits for the two stores that wrote its halves.
        let State::Armed(ref key) = self.state else { return None };
        running.and_then(|core| core.deadlines.disarm(*key))
    }

    /// A cancel has come: the deadline is of no interest any more.
    #[cold]
    fn cancelled(&mut self, cancelled: Cancelled, running: Option<&Core>) -> Poll<Result<()>> {
        let _waker = self.disarm(running);
        if self.key().is_some() {
            self.state = State::Unarmed(Unarmed::Timer);
        }
        Poll::Ready(Err(cancelled.into()))
    }
}

impl Future for Sleep {
    type Output = Result<()>;

    // In line is what is a constant there: the place.
    #[track_caller]
    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let place = place::of_await(Location::caller(), self.leaf.place());
        self.poll_at(cx, place)
    }
}

impl Drop for Sleep {
    #[inline]
    fn drop(&mut self) {
        if self.key().is_some() || self.leaf.is_parked() {
            self.let_go();
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sleep { deadline, state, leaf } = self;
        f.debug_struct("Sleep")
            .field("deadline", deadline)
            .field("state", state)
            .field("leaf", &**leaf)
            .finish()
    }
}
