//! Counters: what a runtime has done so far.
//!
//! What happens seldom, or costs a system call anyway, is always counted: sleeps, events, messages of other threads. What
//! happens in nanoseconds, a poll or a wake, is counted where that was asked for.

use crate::runtime::core::Core;
use crate::runtime::{Handle, RemoteTask, Runtime};
use std::cell::Cell;
use std::time::Duration;

/// What a runtime has done since it was built. See [`Runtime::metrics`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Tasks that were spawned, with those that `block_on` has made of the futures it was given.
    pub spawned: u64,
    /// Tasks that have not ended.
    pub alive: usize,
    /// Timers that are armed.
    pub timers: usize,
    /// Timers that have fired.
    pub timers_fired: u64,
    /// Descriptors that it listens to.
    pub descriptors: usize,
    /// How many waiting tasks events of descriptors have woken.
    pub io_wakes: u64,
    /// Messages of other threads: wakes, and notes that there are calls to make.
    pub injected: u64,
    /// Looks at the clock and the events in the middle of work.
    pub looks: u64,
    /// How often there was nothing to do, and it has slept in the kernel.
    pub sleeps: u64,
    /// How long it has slept.
    pub slept: Duration,
    /// Polls and wakes, if they are [counted](crate::runtime::Builder::count_polls).
    pub polls: Option<PollMetrics>,
}

/// Polls and wakes. See [`Metrics::polls`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PollMetrics {
    /// Turns of the loop in which something was ready.
    pub turns: u64,
    /// Polls of tasks and calls of callbacks.
    pub polls: u64,
    /// How long they took together. Polls within others, of tasks that are started eagerly or driven, count twice.
    pub busy: Duration,
    /// How long the longest took.
    pub longest: Duration,
    /// How often a task was put back in line, or woken while it was being polled.
    pub wakes: u64,
    /// How many of these came from other threads.
    pub remote_wakes: u64,
}

/// What is always counted.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) timers_fired: Cell<u64>,
    pub(crate) io_wakes: Cell<u64>,
    pub(crate) injected: Cell<u64>,
    pub(crate) looks: Cell<u64>,
    pub(crate) sleeps: Cell<u64>,
    /// In nanoseconds.
    pub(crate) slept: Cell<u64>,
}

/// What is counted where polls are watched.
#[derive(Default)]
pub(crate) struct Counters {
    turns: Cell<u64>,
    polls: Cell<u64>,
    busy: Cell<Duration>,
    longest: Cell<Duration>,
    wakes: Cell<u64>,
    remote_wakes: Cell<u64>,
}

/// One more, or so many.
pub(crate) fn add(counter: &Cell<u64>, more: u64) {
    counter.set(counter.get().wrapping_add(more));
}

impl Counters {
    pub(crate) fn note_turn(&self) {
        add(&self.turns, 1);
    }

    pub(super) fn note_poll(&self, took: Duration) {
        add(&self.polls, 1);
        self.busy.set(self.busy.get().saturating_add(took));
        self.longest.set(self.longest.get().max(took));
    }

    pub(super) fn note_wake(&self, remote: bool) {
        add(&self.wakes, 1);
        add(&self.remote_wakes, u64::from(remote));
    }

    fn read(&self) -> PollMetrics {
        PollMetrics {
            turns: self.turns.get(),
            polls: self.polls.get(),
            busy: self.busy.get(),
            longest: self.longest.get(),
            wakes: self.wakes.get(),
            remote_wakes: self.remote_wakes.get(),
        }
    }
}

impl Core {
    pub(crate) fn metrics(&self) -> Metrics {
        Metrics {
            spawned: self.spawned(),
            alive: self.alive.get(),
            timers: self.deadlines.len(),
            timers_fired: self.counts.timers_fired.get(),
            descriptors: self.source_count(),
            io_wakes: self.counts.io_wakes.get(),
            injected: self.counts.injected.get(),
            looks: self.counts.looks.get(),
            sleeps: self.counts.sleeps.get(),
            slept: Duration::from_nanos(self.counts.slept.get()),
            polls: self.watch.as_ref().filter(|watch| watch.counts_polls).map(|watch| watch.counters.read()),
        }
    }
}

impl Runtime {
    /// What it has done so far.
    ///
    /// # asyncio
    ///
    /// Has none.
    ///
    /// ```
    /// let runtime = homing::Builder::new().count_polls(true).build();
    /// runtime.block_on(async {
    ///     let task = homing::spawn(homing::sleep(std::time::Duration::from_millis(1)));
    ///     task.await
    /// }).unwrap();
    /// let metrics = runtime.metrics();
    /// assert_eq!((metrics.spawned, metrics.alive, metrics.timers_fired), (2, 0, 1));
    /// // Each of the two tasks twice: until it waits, and to its end.
    /// assert_eq!(metrics.polls.unwrap().polls, 4);
    /// ```
    pub fn metrics(&self) -> Metrics {
        self.core.metrics()
    }
}

impl Handle {
    /// Asks the runtime, from any thread, what it has done so far. The answer comes when it next takes a turn.
    ///
    /// # Errors
    ///
    /// Those of [`RemoteTask`].
    #[track_caller]
    pub fn metrics(&self) -> RemoteTask<Metrics> {
        self.spawn_remote(|| async { metrics().ok_or_else(|| crate::error::RuntimeError::NoRuntime.into()) })
    }
}

/// What the running runtime has done so far. `None` outside of one.
pub fn metrics() -> Option<Metrics> {
    crate::context::with(|core| core.map(Core::metrics))
}
