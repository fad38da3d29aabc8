//! Tasks that nobody can wake any more.
//!
//! When a runtime is about to sleep, every task waits for something, and what it has left behind tells for what. From that
//! it follows who can still go on:
//!
//! ```text
//!   somebody outside has its waker: a timer, a descriptor, a thread, another library     ──► it can
//!   it waits for a task that can                                                         ──► it can
//!   it waits for a lock, an event, a queue …, and any task at all can go on              ──► it can, for all one knows
//!   none of these                                                                        ──► it is stuck
//! ```
//!
//! The first line needs to know who has a waker, and the fast ones keep no count. So a runtime that is to find out has its
//! tasks polled with wakers that do (see [`waker`]). homing's own locks and joins, which a single thread shares, keep theirs
//! without being counted: what can be hoped for from those, the records tell.
//!
//! If no task can go on, and nobody outside can make one, the runtime never runs again, and `block_on` says so instead of
//! sleeping for ever. If somebody perhaps can, that is a [`Doubt`].

use super::capture::Snapshot;
use super::cycles::Circle;
use super::picture::Picture;
use super::table::{TaskEntry, TaskTable};
use super::text;
use crate::clock::{Nanos, monotonic};
use crate::context;
use crate::runtime::core::Core;
use crate::task::row::{AwaitKind, Flag, Row, Wait};
use crate::task::state::State;
use crate::task::{life, waits};
use crate::waker;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{Ordering, fence};

/// Tasks that nobody can wake any more. See [`Builder::on_stuck`](crate::runtime::Builder::on_stuck).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stuck {
    /// The tasks, with where each of them stands.
    pub tasks: Vec<TaskEntry>,
    /// Those that wait for one another in a circle, be it for an end, or for a lock that the next one holds.
    pub circles: Vec<Circle>,
    /// Nothing else can run either: the runtime sleeps until the end of time, unless one of the doubts is right.
    pub forever: bool,
    /// Why it is not certain; empty if it is.
    pub doubts: Vec<Doubt>,
}

/// Why it is not certain that tasks are stuck: somebody might help them whom the runtime does not see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Doubt {
    /// A [`Handle`](crate::runtime::Handle) is alive, so another thread might call or spawn something.
    Handle,
    /// There is a [blocking job](crate::blocking) that has not ended.
    Job,
    /// Ctrl-C would cancel the main task, and the program may well be waiting for that.
    CtrlC,
    /// Another thread, or another library, has the waker of a task that waits.
    Waker,
    /// The runtime has a [host](crate::runtime::Runtime::turn), which may spawn a task, or open a lock, between two turns.
    Host,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tasks, them) = match self.tasks.len() {
            1 => ("a task waits".to_owned(), "it"),
            many => (format!("{many} tasks wait"), "them"),
        };
        match (self.forever, self.doubts.is_empty()) {
            (true, true) => write!(f, "deadlock: {tasks}, and nothing can wake {them} any more")?,
            (true, false) => {
                write!(f, "nothing can run: {tasks}, and perhaps nothing will wake {them} any more")?
            }
            (false, _) => write!(f, "{tasks}, and nothing will wake {them} any more, unless it is a cancel")?,
        }
        for task in &self.tasks {
            write!(f, "\n  task '{}'", task.name.as_deref().unwrap_or_default())?;
            for frame in &task.stack {
                write!(f, "\n    {}", text::Line(frame))?;
            }
        }
        for circle in &self.circles {
            write!(f, "\n  in a circle: {circle:#}")?;
        }
        for doubt in &self.doubts {
            write!(f, "\n  not certain, because {doubt}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Doubt::Handle => "a handle of the runtime is alive, by which another thread may call it",
            Doubt::Job => "a blocking job has not ended",
            Doubt::CtrlC => "Ctrl-C would cancel the main task",
            Doubt::Waker => "another thread or library has the waker of a task that waits",
            Doubt::Host => "the program that hosts the runtime may help between two turns",
        })
    }
}

/// What a runtime has that looks for stuck tasks.
pub(crate) struct Finder {
    hook: StuckHook,
    /// Who was reported, and has not ended since.
    reported: RefCell<HashSet<u64>>,
    /// It was reported that perhaps nothing can run any more.
    has_doubted: Cell<bool>,
    next_look: Cell<Nanos>,
}

/// What is called with stuck tasks.
pub(crate) type StuckHook = Box<dyn Fn(&Stuck)>;

/// What the default hook does: what is doubtful may well be as it should. But that tasks hold what they want of one another in
/// a circle, is not made better by a host.
pub(crate) fn print(stuck: &Stuck) {
    let only_the_host = stuck.doubts.iter().all(|doubt| *doubt == Doubt::Host);
    if stuck.doubts.is_empty() || only_the_host && !stuck.circles.is_empty() {
        eprintln!("homing: {stuck}");
    }
}

/// While something will wake the runtime anyway, it looks this seldom, in nanoseconds; and the more seldom, the longer a look
/// takes.
const LOOK_APART: Nanos = 100_000_000;
const LOOK_SHARE: Nanos = 100;

impl Finder {
    pub(crate) fn new(hook: StuckHook) -> Finder {
        Finder { hook, reported: RefCell::default(), has_doubted: Cell::new(false), next_look: Cell::new(0) }
    }

    fn tell(&self, stuck: &Stuck) {
        life::contain(|| (self.hook)(stuck));
    }

    /// Whether some of these were not reported before. Those that are stuck no more are forgotten.
    fn is_news(&self, stuck: &[u64]) -> bool {
        let mut reported = self.reported.borrow_mut();
        reported.retain(|id| stuck.contains(id));
        let known = reported.len();
        reported.extend(stuck);
        reported.len() > known
    }
}

impl fmt::Debug for Finder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finder").finish_non_exhaustive()
    }
}

/// Whether the runtime may go to sleep.
#[must_use]
#[derive(Debug)]
pub(crate) enum Verdict {
    Sleep,
    Deadlock(Box<Stuck>),
}

/// Whether anything that the runtime knows of will end its sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alarm {
    Set,
    None,
}

impl Core {
    /// Nothing is ready, and the runtime is about to sleep: looks for tasks that nobody can wake any more, and reports those
    /// that are new.
    #[cold]
    pub(crate) fn look_for_stuck(&self, finder: &Finder, alarm: Alarm) -> Verdict {
        let begin = monotonic();
        if alarm == Alarm::Set && begin < finder.next_look.get() {
            return Verdict::Sleep;
        }
        let verdict = self.judge(finder, alarm);
        let end = monotonic();
        finder.next_look.set(end + ((end - begin) * LOOK_SHARE).max(LOOK_APART));
        verdict
    }

    fn judge(&self, finder: &Finder, alarm: Alarm) -> Verdict {
        let rows = self.hopes();
        let has_wakers_out = rows.iter().any(|(_, hope)| *hope == Hope::Certain);
        let expects_events = self.source_count() > 0 || rows.iter().any(|(row, _)| waits_for_event(row));
        if alarm == Alarm::Set || has_wakers_out && expects_events {
            let stuck = stuck_beside_others(self, &rows);
            if !self.has_mail() && finder.is_news(&stuck) {
                finder.tell(&report(self, &stuck, false, Vec::new()));
            }
            return Verdict::Sleep;
        }
        let mut doubts = self.doubts(&rows);
        if has_wakers_out {
            doubts.push(Doubt::Waker);
        }
        if self.has_mail() {
            return Verdict::Sleep;
        }
        let all: Vec<u64> = rows.iter().map(|(row, _)| row.id()).collect();
        let is_certain = doubts.is_empty();
        if is_certain || !finder.has_doubted.replace(true) {
            let stuck = report(self, &all, true, doubts);
            finder.tell(&stuck);
            if is_certain {
                return Verdict::Deadlock(Box::new(stuck));
            }
        }
        Verdict::Sleep
    }

    /// The same after a turn for a host that has left nothing to do. The host never hears of it but by the hook: to take
    /// another turn is always right.
    #[cold]
    pub(crate) fn look_for_stuck_hosted(&self, finder: &Finder) {
        let is_alarm_set = self.next_deadline().is_some();
        let begin = monotonic();
        if is_alarm_set && begin < finder.next_look.get() {
            return;
        }
        let rows = self.hopes();
        let goes_on = is_alarm_set || rows.iter().any(|(_, hope)| *hope == Hope::Certain);
        let lost = stuck_beside_others(self, &rows);
        let (stuck, forever, doubts) = if goes_on || lost.len() == rows.len() {
            (lost, false, Vec::new())
        } else {
            // Those that wait for locks and the like wait for one another, or for the host.
            let mut doubts = self.doubts(&rows);
            doubts.push(Doubt::Host);
            (rows.iter().map(|(row, _)| row.id()).collect(), true, doubts)
        };
        if !self.has_mail() && finder.is_news(&stuck) {
            finder.tell(&report(self, &stuck, forever, doubts));
        }
        let end = monotonic();
        finder.next_look.set(end + ((end - begin) * LOOK_SHARE).max(LOOK_APART));
    }

    /// Whether other threads have sent something. To be asked after who might: a waker that is not there any more may just have
    /// been woken, and a handle may just have been used for the last time.
    fn has_mail(&self) -> bool {
        fence(Ordering::Acquire);
        !self.outpost.is_empty()
    }

    /// What each task may hope for.
    fn hopes(&self) -> Vec<(&'static Row, Hope)> {
        let timed: HashSet<u64> = self.deadlines.tasks();
        let hope = |row: &'static Row| if timed.contains(&row.id()) { Hope::Certain } else { Hope::of(row) };
        let rows = self.rows.all();
        let tasks = rows.filter(|row| row.state.get().is_alive() && !row.is(Flag::Callback));
        tasks.map(|row| (row, hope(row))).collect()
    }

    /// Who might help that the runtime does not see.
    fn doubts(&self, rows: &[(&'static Row, Hope)]) -> Vec<Doubt> {
        let mut doubts = Vec::new();
        if self.has_handles() {
            doubts.push(Doubt::Handle);
        }
        if self.blocking_jobs() > 0 {
            doubts.push(Doubt::Job);
        }
        // A task that waits for something which will never be, or for an event that nobody sets, may do so until Ctrl-C.
        let mut may_wait_for_ever = rows.iter().filter(|(row, hope)| *hope == Hope::None || is_at_event(row));
        if self.is_interruptible() && may_wait_for_ever.next().is_some() {
            doubts.push(Doubt::CtrlC);
        }
        doubts
    }
}

/// The tasks that are stuck although others are not.
fn stuck_beside_others(core: &Core, rows: &[(&'static Row, Hope)]) -> Vec<u64> {
    let with_hope = rows.iter().filter(|(_, hope)| matches!(hope, Hope::Certain | Hope::InOthers));
    let mut hopeful: HashSet<u64> = with_hope.map(|(row, _)| row.id()).collect();
    if hopeful.len() == rows.len() {
        return Vec::new();
    }
    let snapshot = Snapshot::of(core, None);
    let picture = Picture::of_all(snapshot.runtime());
    // Who awaits a task that has hope, has it as well.
    let mut rest: Vec<u64> = hopeful.iter().copied().collect();
    while let Some(task) = rest.pop() {
        rest.extend(picture.awaiters(task).filter(|awaiter| hopeful.insert(*awaiter)));
    }
    rows.iter().map(|(row, _)| row.id()).filter(|id| !hopeful.contains(id)).collect()
}

/// What a task that waits may hope for by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hope {
    /// Its waker is with somebody, or it is about to run.
    Certain,
    /// It waits for what other tasks may do: for a lock, an event, its start.
    InOthers,
    /// It waits for tasks, and for nothing else.
    InTasks,
    /// Nobody knows of it.
    None,
}

impl Hope {
    fn of(row: &Row) -> Hope {
        match row.state.get() {
            State::Held => return Hope::InOthers,
            State::Parked | State::Watched => {}
            _ => return Hope::Certain,
        }
        if waker::is_out(row.id()) {
            return Hope::Certain;
        }
        let mut hope = if waits::unseen(row) > 0 { Hope::InOthers } else { Hope::None };
        waits::for_each(row, |wait, _| hope = hope.or(Hope::in_wait(wait)));
        hope
    }

    fn in_wait(wait: Wait) -> Hope {
        match wait.kind {
            AwaitKind::Nothing | AwaitKind::Foreign | AwaitKind::Other => Hope::None,
            AwaitKind::Task | AwaitKind::Shielded | AwaitKind::Tasks => Hope::InTasks,
            AwaitKind::Mutex
            | AwaitKind::Semaphore
            | AwaitKind::Event
            | AwaitKind::Condition
            | AwaitKind::Barrier
            | AwaitKind::Queue
            | AwaitKind::Channel
            // Usually its tasks say that they are awaited from there; but not every group's need to.
            | AwaitKind::Children
            | AwaitKind::Oneshot => Hope::InOthers,
            AwaitKind::Request
            | AwaitKind::Timer
            | AwaitKind::Readable
            | AwaitKind::Writable
            | AwaitKind::Turn
            | AwaitKind::Job
            | AwaitKind::Signal
            | AwaitKind::Process => Hope::Certain,
        }
    }

    /// The better of two.
    fn or(self, other: Hope) -> Hope {
        let order = [Hope::Certain, Hope::InOthers, Hope::InTasks, Hope::None];
        order.into_iter().find(|hope| [self, other].contains(hope)).unwrap_or(Hope::None)
    }
}

/// A task that waits for nothing but an event may mean to wait for ever.
fn is_at_event(row: &Row) -> bool {
    matches!(row.awaiting.kind(), AwaitKind::Event | AwaitKind::Condition)
}

/// Whether it waits for what comes from outside of the process's tasks, for all that is recorded.
fn waits_for_event(row: &Row) -> bool {
    let mut found = false;
    waits::for_each(row, |wait, _| found |= Hope::in_wait(wait) == Hope::Certain);
    found
}

fn report(core: &Core, stuck: &[u64], forever: bool, doubts: Vec<Doubt>) -> Stuck {
    let mut table = TaskTable::of_records(Snapshot::of(core, None).runtime());
    table.threads.iter_mut().for_each(|thread| thread.tasks.retain(|task| stuck.contains(&task.id)));
    // None of these goes on, so of several that hold permits none gives them back either.
    let circles = table.circles();
    let tasks = table.threads.into_iter().flat_map(|thread| thread.tasks).collect();
    Stuck { tasks, circles, forever, doubts }
}

/// The tasks of the running runtime that nobody can wake any more, as far as can be known: if it was not built to
/// [look for them](crate::runtime::Builder::find_stuck), none are. `None` outside of a runtime.
///
/// ```
/// let runtime = homing::Builder::new().find_stuck(true).build();
/// runtime.block_on(async {
///     let stuck = homing::task(std::future::pending::<homing::Result<()>>()).name("lost").spawn();
///     homing::yield_now().await?;
///     let found = homing::introspect::find_stuck().unwrap();
///     assert_eq!(found.tasks.len(), 1);
///     assert_eq!(found.tasks[0].name.as_deref(), Some("lost"));
///     stuck.abort();
///     Ok(())
/// }).unwrap();
/// ```
pub fn find_stuck() -> Option<Stuck> {
    context::with(|core| {
        let core = core?;
        let none = Stuck { tasks: Vec::new(), circles: Vec::new(), forever: false, doubts: Vec::new() };
        if core.finder.is_none() {
            return Some(none);
        }
        let rows = core.hopes();
        // The task that asks is running, so it is none of them.
        let stuck = stuck_beside_others(core, &rows);
        Some(report(core, &stuck, false, Vec::new()))
    })
}
