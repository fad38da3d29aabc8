//! What the threads know of one another.
//!
//! ```text
//!   assembling ── the last has arrived ──► at work        the handles are there; the mains begin
//!       └──────── one could not start ───► called off     nobody begins
//! ```
//!
//! All of it is used when threads start, stop and fail, and by whoever asks. While they work nobody does.

use super::stopping::{Signal, Stopping};
use super::{Pinned, Threads};
use crate::cancel::request;
use crate::error::{Asker, Cancelled, Cause};
use crate::runtime::{Builder, Handle};
use crate::task::TaskId;
use crate::task::row::Row;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

/// All the threads of a [`Threads`], as each of them, and whoever started them, may use them: from any thread.
#[derive(Clone)]
pub struct Crew(Arc<Shared>);

struct Shared {
    count: usize,
    name: String,
    pub(super) pinned: Pinned,
    runtimes: Arc<dyn Fn(usize) -> Builder + Send + Sync>,
    /// There once all have arrived.
    handles: OnceLock<Vec<Handle>>,
    muster: Mutex<Muster>,
    assembled: Condvar,
    stop: Signal,
    /// Every main has ended.
    all_ended: Signal,
}

struct Muster {
    phase: Phase,
    handles: Vec<Option<Handle>>,
    /// Those that run.
    mains: Vec<Option<TaskId>>,
    /// How many have not ended, begun or not.
    left: usize,
    /// All mains are cancelled, also one that has not begun.
    cancelled: Option<Cancelled>,
    has_failed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Assembling,
    AtWork,
    CalledOff,
}

/// Not all of the threads could be started, so that none is to begin.
pub(super) struct CalledOff;

impl Crew {
    pub(super) fn new(threads: &Threads) -> Crew {
        let count = threads.count;
        Crew(Arc::new(Shared {
            count,
            name: threads.name.clone(),
            pinned: threads.pinned,
            runtimes: threads.runtimes.clone(),
            handles: OnceLock::new(),
            muster: Mutex::new(Muster {
                phase: Phase::Assembling,
                handles: vec![None; count],
                mains: vec![None; count],
                left: count,
                cancelled: None,
                has_failed: false,
            }),
            assembled: Condvar::new(),
            stop: Signal::default(),
            all_ended: Signal::default(),
        }))
    }

    /// How many they are.
    #[allow(clippy::len_without_is_empty, reason = "there is at least one")]
    pub fn len(&self) -> usize {
        self.0.count
    }

    /// The runtime of one of them: to spawn something there.
    ///
    /// # Panics
    ///
    /// If there is no thread of that number. From outside, right after [`Threads::start`], it waits until all are there;
    /// and panics, if one of them could not build its runtime, so that they will never be.
    ///
    /// ```
    /// use homing::threads::Threads;
    ///
    /// let from_next_door = Threads::new(2).run(async |member| {
    ///     let neighbour = member.crew().handle((member.index() + 1) % 2);
    ///     neighbour.spawn_remote(|| async { Ok(std::thread::current().id()) }).await
    /// })?;
    /// assert_eq!(from_next_door[1], std::thread::current().id());
    /// # Ok::<(), homing::Error>(())
    /// ```
    #[track_caller]
    pub fn handle(&self, index: usize) -> &Handle {
        if self.0.handles.get().is_none() {
            drop(self.wait_for_all());
        }
        &self.0.handles.get().expect("not all of the threads have started")[index]
    }

    /// Asks all to come to an end: whoever waits for [`stopping`](Crew::stopping) goes on. Nobody is cancelled.
    pub fn stop(&self) {
        self.0.stop.give();
    }

    /// Whether [`stop`](Crew::stop) has been called.
    pub fn is_stopping(&self) -> bool {
        self.0.stop.is_given()
    }

    /// Waits until somebody calls [`stop`](Crew::stop), on whatever thread.
    ///
    /// # Errors
    ///
    /// `Cancelled`, if the task is cancelled while it waits.
    ///
    /// # Cancel safety
    ///
    /// Nothing to lose.
    ///
    /// ```
    /// use homing::{sleep, task_group, threads::Threads};
    /// use std::time::Duration;
    ///
    /// let served = Threads::new(2).run(async |member| {
    ///     task_group(async |requests| {
    ///         requests.spawn(sleep(Duration::from_millis(5))); // one that takes a while
    ///         if member.index() == 0 {
    ///             member.crew().stop(); // whoever knows that it is time
    ///         }
    ///         member.crew().stopping().await?; // a server would accept meanwhile
    ///         Ok("served")
    ///     })
    ///     .await // what has been begun is finished
    /// })?;
    /// assert_eq!(served, ["served"; 2]);
    /// # Ok::<(), homing::Error>(())
    /// ```
    #[track_caller]
    pub fn stopping(&self) -> Stopping<'_> {
        self.0.stop.wait()
    }

    /// Cancels the mains of all threads, also of those that have not begun.
    #[track_caller]
    pub fn cancel(&self, reason: impl Into<std::borrow::Cow<'static, str>>) {
        let why = Cancelled::new().because(Cause::by(Asker::Foreign).with_reason(reason));
        self.cancel_because(self.muster(), &why);
    }

    fn cancel_because(&self, mut muster: MutexGuard<'_, Muster>, why: &Cancelled) {
        // One that begins later finds it here.
        muster.cancelled.get_or_insert_with(|| why.clone());
        let mains = muster.mains.clone();
        // What is sent to a runtime that is just ending is dropped here, with whatever else was: destructors of anybody's.
        drop(muster);
        for (handle, main) in self.0.handles.get().into_iter().flatten().zip(mains) {
            if let Some(main) = main {
                let why = why.clone();
                // A runtime that is gone has no main to cancel.
                let _ = handle.call_soon(move || {
                    if let Some(row) = Row::current(main.as_u64()) {
                        request::cancel(row, &why);
                    }
                });
            }
        }
    }

    /// A main has ended, or never will begin.
    pub(super) fn ended(&self, index: usize) {
        let mut muster = self.muster();
        muster.mains[index] = None;
        muster.left -= 1;
        if muster.left == 0 {
            drop(muster);
            self.0.all_ended.give();
        }
    }

    /// Waits until every main has ended.
    pub(super) fn all_ended(&self) -> Stopping<'_> {
        self.0.all_ended.wait()
    }

    /// One of them has failed: the others are cancelled, once.
    pub(super) fn failed(&self, index: usize) {
        let mut muster = self.muster();
        if muster.phase == Phase::Assembling {
            self.call_off_now(&mut muster);
        }
        if !std::mem::replace(&mut muster.has_failed, true) {
            let reason = format!("thread '{}' has failed", self.name_of(index));
            let why = Cancelled::new().because(Cause::by(Asker::Foreign).with_reason(reason));
            self.cancel_because(muster, &why);
        }
    }

    pub(super) fn name_of(&self, index: usize) -> String {
        format!("{}-{index}", self.0.name)
    }

    pub(super) fn builder(&self, index: usize) -> Builder {
        (self.0.runtimes)(index)
    }

    pub(super) fn pinned(&self) -> Pinned {
        self.0.pinned
    }

    /// A thread has its runtime. Waits until all have theirs.
    pub(super) fn arrive(&self, index: usize, handle: Handle) -> Result<(), CalledOff> {
        {
            let mut muster = self.muster();
            muster.handles[index] = Some(handle);
            if muster.phase == Phase::Assembling && muster.handles.iter().all(Option::is_some) {
                let handles = muster.handles.iter_mut().filter_map(Option::take).collect();
                assert!(self.0.handles.set(handles).is_ok(), "the last to arrive is one");
                muster.phase = Phase::AtWork;
                self.0.assembled.notify_all();
            }
        }
        let phase = self.wait_for_all().phase;
        if phase == Phase::AtWork { Ok(()) } else { Err(CalledOff) }
    }

    fn wait_for_all(&self) -> MutexGuard<'_, Muster> {
        let mut muster = self.muster();
        while muster.phase == Phase::Assembling {
            muster = self.0.assembled.wait(muster).unwrap_or_else(PoisonError::into_inner);
        }
        muster
    }

    /// A thread could not be started.
    pub(super) fn call_off(&self) {
        self.call_off_now(&mut self.muster());
    }

    fn call_off_now(&self, muster: &mut Muster) {
        muster.phase = Phase::CalledOff;
        self.0.assembled.notify_all();
    }

    /// A main begins. Says whether it has been cancelled already.
    pub(super) fn begin(&self, index: usize, main: TaskId) -> Option<Cancelled> {
        let mut muster = self.muster();
        muster.mains[index] = Some(main);
        muster.cancelled.clone()
    }

    fn muster(&self) -> MutexGuard<'_, Muster> {
        self.0.muster.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Crew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crew")
            .field("name", &self.0.name)
            .field("len", &self.len())
            .field("stopping", &self.is_stopping())
            .finish()
    }
}
