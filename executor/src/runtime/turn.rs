//! What a host says to a turn, and what a turn says to its host.
//!
//! ```text
//!   host                                     runtime
//!   Budget: so much of my time ────────────► look, admit, expire, poll …
//!   wait for the descriptor,  ◄───────────── Turn: more is ready, or the next deadline
//!   at most Turn::wait()
//! ```

use super::core::Core;
use crate::clock::Nanos;
use crate::hook::Unhandled;
use crate::reactor::Patience;
use crate::time::Instant;
use std::io;
use std::time::{self, Duration};

/// Nanoseconds between two looks of a host's turns while there is work: a host may do anything between two turns, and
/// sixty polls of its may take a second.
const LOOK_AFTER: Nanos = 100_000;

/// How much a turn may do.
///
/// ```
/// use homing::runtime::Budget;
/// use std::time::Duration;
///
/// let runtime = homing::Runtime::new();
/// let task = runtime.spawn(async {
///     for _ in 0..1000 {
///         homing::yield_now().await?;
///     }
///     Ok(())
/// });
/// runtime.turn(Budget::batch())?; // as far as the first yield
/// runtime.turn(Budget::polls(1))?; // to the second
/// assert!(!task.is_finished());
/// while runtime.turn(Budget::time(Duration::from_millis(2)))?.more_ready {
///     // The rest of the frame.
/// }
/// assert!(task.is_finished());
/// # Ok::<(), homing::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    limit: Limit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    Polls(u32),
    Time(Duration),
}

impl Budget {
    /// One batch: every task that is ready when the turn begins is polled once.
    pub fn batch() -> Budget {
        Budget::polls(u32::MAX)
    }

    /// One batch, but at most so many polls; the rest comes first in the next turn. With 0 the turn only looks.
    pub fn polls(polls: u32) -> Budget {
        Budget { limit: Limit::Polls(polls) }
    }

    /// Batch after batch, until nothing is ready or this time has passed: what a frame of a game, or an event loop that has
    /// to keep a promise, can spare.
    ///
    /// The time is looked at after each poll, and a poll is never interrupted. So a turn overruns by the rest of one poll at
    /// most, and makes some progress even with a budget of zero. It is the real time, whatever clock the runtime has.
    pub fn time(time: Duration) -> Budget {
        Budget { limit: Limit::Time(time) }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Budget::batch()
    }
}

impl Core {
    /// One turn for a host: with work left over from the last one it goes on with that, otherwise it looks for some.
    pub(super) fn turn(&self, budget: Budget) {
        match budget.limit {
            Limit::Polls(polls) => {
                self.begin_turn();
                self.poll_batch(polls);
            }
            Limit::Time(time) => {
                let begin = time::Instant::now();
                self.begin_turn();
                // The clock is asked after each poll, which costs as much as polling a small task. Less often would mean
                // to overrun by several polls, and nobody knows how long those are.
                while self.poll_some() && begin.elapsed() < time {}
            }
        }
    }

    /// After a turn that has left nothing to do, looks for grants that were let go, and for tasks that nobody can wake any
    /// more, if it is to.
    pub(super) fn end_turn(&self) {
        if !self.has_work() {
            self.look_for_futurelocks();
        }
        if let Some(finder) = &self.finder
            && !self.has_work()
        {
            self.look_for_stuck_hosted(finder);
        }
    }

    /// Polls one task, if one is ready, or becomes so by what has happened meanwhile.
    fn poll_some(&self) -> bool {
        if self.poll_batch(1) == 0 {
            self.look();
            return self.poll_batch(1) > 0;
        }
        true
    }

    /// A turn for a host begins: with work left over from the last one it goes on with that, unless the last look was a
    /// while ago; otherwise it looks for some.
    pub(super) fn begin_turn(&self) {
        self.outpost.wake_up();
        // In virtual time no time passes here, and when a look is taken depends on the tasks alone.
        let since_look = self.clock.read().saturating_sub(self.looked_at.get());
        if self.ready.is_empty() || since_look >= LOOK_AFTER {
            self.look();
        }
        self.admit_injected();
        self.expire_timers();
        if self.ready.is_empty() && !self.settling.is_empty() {
            self.settling.settled();
        } else if self.ready.is_empty()
            && let Some(deadline) = self.next_jump()
        {
            self.clock.jump(deadline);
            self.expire_timers();
        }
    }

    /// A host takes over the waiting: the descriptor is to turn readable as soon as a turn would make progress.
    pub(crate) fn hand_over(&self) -> io::Result<()> {
        if self.reactor.borrow().is_none() {
            return Ok(());
        }
        if self.rung.get() && self.ready.is_empty() {
            // It was rung for work that has been done since: what made it readable is taken out again.
            self.listen(Patience::Look)?;
        }
        self.outpost.fall_asleep();
        let deadline = self.next_real_deadline();
        // A virtual clock need not be waited for: the next turn makes it jump.
        let jumps = self.next_jump().is_some();
        if self.ready.is_empty() && self.outpost.is_empty() && self.settling.is_empty() && !jumps {
            let deadline = deadline.map(|deadline| (self.crowd.alarm(deadline), self.clock.read()));
            return self.with_reactor(|reactor| reactor.set_alarm(deadline));
        }
        // Once is enough: it stays readable until the next look.
        if !self.rung.replace(true) {
            self.outpost.ring(self.outpost.ring_if_asleep());
        }
        Ok(())
    }

    /// Something was made ready from outside of any turn: a host that waits on the descriptor has to hear of it.
    #[cold]
    pub(super) fn tell_host(&self) {
        if let Err(error) = self.hand_over() {
            self.report(Unhandled::System { error: error.into() });
        }
    }
}

/// What a turn leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// There is something to do: take another turn as soon as the host has time.
    ///
    /// Tasks are ready, or a deadline has come, or another thread has sent something, since the turn has looked.
    pub more_ready: bool,
    /// When the earliest timer is due, by the runtime's clock.
    pub next_deadline: Option<Instant>,
    clock: NextClock,
}

/// What the clock does until the next turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NextClock {
    Runs,
    /// It is virtual, and the next turn makes it jump to the deadline.
    Jumps,
    /// It is virtual, and a blocking job is awaited, if anything.
    StandsStill,
}

impl Turn {
    /// As things stand.
    pub(super) fn of(core: &Core) -> Turn {
        Turn {
            more_ready: core.has_work(),
            clock: match core.next_jump() {
                Some(_) => NextClock::Jumps,
                None if core.clock.is_virtual() => NextClock::StandsStill,
                None => NextClock::Runs,
            },
            next_deadline: core.next_deadline().map(Instant::from_nanos),
        }
    }

    /// How long the host may wait before the next turn, unless the descriptor turns readable: zero if there is something
    /// to do, `None` if there is nothing to wait for but the descriptor.
    ///
    /// By the clock as it is when this is called, so it may also be called later on, right before the host waits. A host
    /// whose wait takes whole milliseconds rounds up: see [`wait_millis`](Turn::wait_millis).
    pub fn wait(&self) -> Option<Duration> {
        if self.more_ready {
            return Some(Duration::ZERO);
        }
        let until = |deadline: Instant| deadline.saturating_duration_since(Instant::now());
        match self.clock {
            NextClock::Runs => self.next_deadline.map(until),
            NextClock::Jumps => Some(Duration::ZERO),
            NextClock::StandsStill => None,
        }
    }

    /// The same as the last argument of `poll(2)` and `epoll_wait(2)`: -1 for "as long as you like".
    ///
    /// Rounded up, for a host that woke too early would find nothing to do, and come back at once; again and again, until
    /// the time has come. On Linux the descriptor turns readable at the very deadline, so -1 may be passed in its place
    /// if it is not 0.
    ///
    /// ```
    /// use homing::{Runtime, runtime::Budget, sleep};
    /// use std::time::Duration;
    ///
    /// let runtime = Runtime::new();
    /// assert_eq!(runtime.turn(Budget::batch())?.wait_millis(), -1);
    /// let nap = runtime.spawn(sleep(Duration::from_micros(100)));
    /// assert!((0..=1).contains(&runtime.turn(Budget::batch())?.wait_millis()));
    /// # drop(nap);
    /// # runtime.block_on(async { sleep(Duration::from_millis(1)).await })?;
    /// # Ok::<(), homing::Error>(())
    /// ```
    pub fn wait_millis(&self) -> i32 {
        let Some(wait) = self.wait() else { return -1 };
        wait.as_nanos().div_ceil(1_000_000).try_into().unwrap_or(i32::MAX)
    }
}
