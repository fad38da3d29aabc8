//! The watch: the runtime's side of the observers, and the long ways round.
//!
//! ```text
//!   a spawn     outfit: the spawner has task-locals, or pretends to ─► tell_spawned
//!   a turn      the batch is polled with `poll_watched`             ─► poll_started, poll_ended, parked
//!   a wake      of a task that is `Watched`, and not `Parked`       ─► woken
//!   an end      a test in `finish`                                  ─► done
//! ```

use super::slow::OnPost;
use super::{CancelRequest, Counters, Observer, PollEnd, Post, ScopeEntered, Spawned, Wait, WokenBy};
use crate::cancel::{Awaiting, ScopeId};
use crate::clock::monotonic;
use crate::context;
use crate::error::Cancelled;
use crate::runtime::core::Core;
use crate::task::extras::Extras;
use crate::task::reference::home;
use crate::task::row::{AwaitKind, Flag, Row};
use crate::task::state::State;
use crate::task::{TaskRef, life, waits};
use crate::waker;
use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a runtime has that is watched in any way.
pub(crate) struct Watch {
    observers: Vec<Box<dyn Observer>>,
    /// An observer is being called: what it does itself is not told.
    telling: Cell<bool>,
    /// Why tasks are being woken, where it is not a task that does it.
    cause: Cell<Option<Cause>>,
    /// The tasks that have just ended, and whose ends are being told. More than one, if one's end ends the other.
    ending: RefCell<Vec<u64>>,
    pub(crate) counters: Counters,
    /// What the tasks are polled with.
    wakers: waker::Kind,
    /// Somebody wants to know them.
    pub(super) counts_polls: bool,
    /// Where slow polls are watched from.
    pub(crate) post: Option<Arc<Post>>,
    /// What is being polled; with eager starts and drivers, the innermost.
    polled: Cell<Option<OnPost>>,
}

/// What the loop is doing while it wakes tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Timer,
    Io,
    Thread,
}

impl Watch {
    pub(crate) fn new(
        observers: Vec<Box<dyn Observer>>,
        post: Option<Arc<Post>>,
        counts_polls: bool,
        wakers: waker::Kind,
    ) -> Watch {
        Watch {
            wakers,
            counts_polls,
            observers,
            telling: Cell::new(false),
            cause: Cell::new(None),
            ending: RefCell::default(),
            counters: Counters::default(),
            post,
            polled: Cell::new(None),
        }
    }

    /// Calls all observers, one after the other.
    fn tell(&self, call: impl Fn(&dyn Observer)) {
        if self.observers.is_empty() || self.telling.replace(true) {
            return;
        }
        for observer in &self.observers {
            life::contain(|| call(&**observer));
        }
        self.telling.set(false);
    }

    /// The runtime begins to poll tasks, after it has not for a while.
    pub(crate) fn come_on_duty(&self) {
        self.post.iter().for_each(|post| post.come_on_duty());
    }

    /// It ceases to, for a while that begins now.
    pub(crate) fn go_off_duty(&self) -> Instant {
        self.post.iter().for_each(|post| post.go_off_duty());
        Instant::now()
    }

    fn who_wakes(&self, core: &Core) -> WokenBy {
        if let Some(ended) = self.ending.borrow().last().copied().and_then(Row::current) {
            return WokenBy::EndOf(TaskRef::of(ended));
        }
        match (core.current.get(), self.cause.get()) {
            (Some(row), _) => WokenBy::Task(TaskRef::of(row)),
            (None, Some(Cause::Timer)) => WokenBy::Timer,
            (None, Some(Cause::Io)) => WokenBy::Io,
            (None, Some(Cause::Thread)) => WokenBy::Thread,
            (None, None) => WokenBy::Elsewhere,
        }
    }
}

/// Whether what happens to a task is told: its spawn was.
fn is_told(row: &Row) -> bool {
    row.extras().is_some_and(|extras| extras.told.get())
}

impl Core {
    /// A task was made, and has all that it was given.
    #[cold]
    pub(crate) fn tell_spawned(&self, row: &'static Row) {
        let Some(watch) = &self.watch else { return };
        if watch.observers.is_empty() {
            return;
        }
        // Whoever it spawns takes the long way, too.
        row.set(Flag::Locals);
        if watch.telling.get() {
            return;
        }
        row.extras_or_new().told.set(true);
        let spawned = Spawned { group: life::waiter(row) };
        watch.tell(|observer| observer.spawned(&TaskRef::borrowed(row), &spawned));
    }

    /// Polls a task in a runtime that is watched, in place of the usual way.
    #[cold]
    pub(crate) fn poll_watched(&self, row: &'static Row, requested: bool) {
        let Some(watch) = &self.watch else { return };
        // Its record is needed afterwards, when it may have ended.
        let task = TaskRef::of(row);
        let told = is_told(row);
        let before = row.awaiting.get();
        let resumed_at =
            before.place.filter(|_| Awaiting::of(before).is_some() || before.kind == AwaitKind::Tasks);
        self.poll_future_within(row, requested, watch.wakers, |poll| {
            let polling = Polling::begin(watch, row, told, resumed_at);
            let polled = poll();
            polling.ready.set(polled.is_ready());
            polled
        });
        if task.row().is_some() && row.state.get() == State::Parked {
            self.leave_parked(watch, row, told);
        }
    }

    /// A poll has left a task waiting.
    fn leave_parked(&self, watch: &Watch, row: &'static Row, told: bool) {
        row.state.set(State::Watched);
        if told {
            let mut found = Vec::new();
            waits::for_each(row, |wait, tasks| match tasks {
                Some(tasks) => {
                    let alive = tasks.ids().filter(|id| Row::current(*id).is_some());
                    let task = |id| Awaiting::Task(crate::task::TaskId(id));
                    found.extend(alive.map(|id| Wait::of(row, wait, task(id))));
                }
                None => {
                    found.extend(Awaiting::of(wait).map(|awaiting| Wait::of(row, wait, awaiting)));
                }
            });
            watch.tell(|observer| observer.parked(&TaskRef::borrowed(row), &found));
        }
    }

    /// A task was woken that is watched, or is being polled.
    #[cold]
    pub(crate) fn tell_woken(&self, row: &'static Row) {
        let Some(watch) = &self.watch else { return };
        watch.counters.note_wake(watch.cause.get() == Some(Cause::Thread));
        if is_told(row) {
            let by = watch.who_wakes(self);
            watch.tell(|observer| observer.woken(&TaskRef::borrowed(row), &by));
        }
    }

    /// A task has ended, and its output is in the cell. What it wakes until [`told_end`](Core::told_end), it wakes by that.
    #[cold]
    pub(crate) fn tell_done(&self, row: &'static Row) {
        let Some(watch) = self.watch.as_ref().filter(|_| is_told(row)) else { return };
        watch.ending.borrow_mut().push(row.id());
        life::with_outcome(row, |outcome| {
            watch.tell(|observer| observer.done(&TaskRef::borrowed(row), outcome));
        });
    }

    /// Everybody knows.
    pub(crate) fn told_end(&self, row: &Row) {
        if let Some(watch) = self.watch.as_ref().filter(|_| is_told(row)) {
            watch.ending.borrow_mut().retain(|ending| *ending != row.id());
        }
    }

    /// The loop wakes tasks for this reason, as long as `wake` runs.
    pub(crate) fn because<R>(&self, cause: Cause, wake: impl FnOnce() -> R) -> R {
        let Some(watch) = &self.watch else { return wake() };
        let before = watch.cause.replace(Some(cause));
        let result = wake();
        watch.cause.set(before);
        result
    }

    pub(crate) fn tell_slept(&self, from: Instant) {
        if let Some(watch) = &self.watch {
            watch.come_on_duty();
            let until = Instant::now();
            watch.tell(|observer| observer.slept(from, until));
        }
    }
}

/// Whether a request was first made of another task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forwarded {
    No,
    Yes,
}

/// A task was asked to cancel, as a whole or in one of its scopes.
#[inline]
pub(crate) fn tell_request(row: &'static Row, scope: u32, why: &Cancelled, forwarded: Forwarded) {
    if is_told(row) {
        tell_request_of(row, scope, why, forwarded);
    }
}

#[cold]
fn tell_request_of(row: &'static Row, scope: u32, why: &Cancelled, forwarded: Forwarded) {
    let Some(watch) = &home(row).watch else { return };
    let request = CancelRequest {
        scope: (scope != 0).then(|| ScopeId { task: row.id(), scope }),
        why,
        by: context::current_row().map(TaskRef::of),
        forwarded: forwarded == Forwarded::Yes,
    };
    watch.tell(|observer| observer.cancel_requested(&TaskRef::borrowed(row), &request));
}

/// A task whose extras these are has entered a scope, its latest.
#[inline]
pub(crate) fn tell_scope_entered(row: &'static Row, extras: &Extras) {
    if extras.told.get() {
        tell_scope_entered_by(row, extras);
    }
}

#[cold]
fn tell_scope_entered_by(row: &'static Row, extras: &Extras) {
    let Some(watch) = &home(row).watch else { return };
    // Copied: an observer may look at the scopes.
    let Some((id, parent, note, deadline)) = extras
        .scopes
        .borrow()
        .last()
        .map(|entry| (entry.id(), entry.parent(), entry.note.clone(), entry.deadline()))
    else {
        return;
    };
    let of = |scope| ScopeId { task: row.id(), scope };
    let parent = (parent != 0).then(|| of(parent));
    let entered = ScopeEntered { scope: of(id), parent, note: note.as_ref(), deadline };
    watch.tell(|observer| observer.scope_entered(&TaskRef::borrowed(row), &entered));
}

/// A task whose extras these are has left a scope.
#[inline]
pub(crate) fn tell_scope_left(row: &'static Row, extras: &Extras, scope: u32) {
    if extras.told.get() {
        tell_scope_left_by(row, scope);
    }
}

#[cold]
fn tell_scope_left_by(row: &'static Row, scope: u32) {
    if let Some(watch) = &home(row).watch {
        let left = ScopeId { task: row.id(), scope };
        watch.tell(|observer| observer.scope_left(&TaskRef::borrowed(row), left));
    }
}

/// One poll, from its begin to its end, however it ends.
struct Polling<'a> {
    watch: &'a Watch,
    row: &'static Row,
    told: bool,
    started: Instant,
    ready: Cell<bool>,
    /// What is being polled.
    this: OnPost,
    /// The poll that this one is within.
    around: Option<OnPost>,
}

impl<'a> Polling<'a> {
    fn begin(
        watch: &'a Watch,
        row: &'static Row,
        told: bool,
        resumed_at: Option<&'static Location<'static>>,
    ) -> Polling<'a> {
        let started = Instant::now();
        let this = OnPost { row, resumed_at, started: if watch.post.is_some() { monotonic() } else { 0 } };
        let around = watch.polled.replace(Some(this));
        if let Some(post) = &watch.post {
            post.write(Some(this));
        }
        if told {
            watch.tell(|observer| observer.poll_started(&TaskRef::borrowed(row), started));
        }
        Polling { watch, row, told, started, ready: Cell::new(false), this, around }
    }

    /// What is left of the poll around this one, if this one has been reported: that much of its time is explained.
    fn around_after(&self, reported: bool, took: Duration) -> Option<OnPost> {
        let explained = if reported { took.as_nanos() as u64 } else { 0 };
        self.around.map(|around| OnPost { started: around.started.saturating_add(explained), ..around })
    }
}

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        let poll = PollEnd { started: self.started, ended: Instant::now(), ready: self.ready.get() };
        self.watch.counters.note_poll(poll.took());
        if let Some(post) = &self.watch.post {
            let this = self.watch.polled.get().unwrap_or(self.this);
            let took = Duration::from_nanos(monotonic().saturating_sub(this.started));
            let reported = post.judge(this, took);
            let around = self.around_after(reported, took);
            self.watch.polled.set(around);
            post.write(around);
        }
        if self.told {
            self.watch.tell(|observer| observer.poll_ended(&TaskRef::borrowed(self.row), &poll));
        }
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("observers", &self.observers.len()).finish_non_exhaustive()
    }
}
