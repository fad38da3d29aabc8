//! Reading the rows of this process: what each task of a runtime stands at, and which tasks that are.
//!
//! One pass over all rows. What it finds are [records](super::record), from which both the graphs and the table are made.

use super::few::Few;
use super::frame::{Place, TaskState};
use super::graph::{CallGraph, Subject};
use super::picture::Picture;
use super::record::{
    Elsewhere, HolderRecord, LockRecord, Running, RuntimeRecord, ScopeRecord, TaskRecord, WaitRecord, What,
};
use super::shared_str::SharedStr;
use crate::cancel::AwaitedTasks;
use crate::context;
use crate::holders::{self, Hold, Posted};
use crate::outside::{Meaning, thread_id};
use crate::runtime::core::Core;
use crate::task::row::{AWAITED, AwaitKind, Flag, Row, Wait};
use crate::task::state::State;
use crate::task::{SharedTask, Task, TaskId, TaskRef, life, waits};
use std::collections::HashMap;
use std::panic::Location;
use std::sync::Arc;

/// Something that tasks wait for: a task, a lock, a queue.
pub trait Awaitable {
    /// What it is, as those who wait for it have left word.
    fn target(&self) -> Target;
}

/// See [`Awaitable`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target(pub(super) Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Task(TaskId),
    Thing { name: &'static str, numbers: Vec<u64> },
}

impl Target {
    /// A task.
    pub fn task(task: &TaskRef) -> Target {
        Target(Kind::Task(task.id()))
    }

    /// Anything else: its type's name, and the numbers with which leaves [wait](crate::cancel::Awaiting) for it, of which the
    /// first is shown as its own.
    pub fn thing(name: &'static str, numbers: impl Into<Vec<u64>>) -> Target {
        Target(Kind::Thing { name, numbers: numbers.into() })
    }
}

impl Awaitable for TaskRef {
    fn target(&self) -> Target {
        Target::task(self)
    }
}

impl<T> Awaitable for Task<T> {
    fn target(&self) -> Target {
        Target::task(self)
    }
}

impl<T> Awaitable for SharedTask<T> {
    fn target(&self) -> Target {
        Target::task(self)
    }
}

/// All tasks of a runtime, at one moment.
pub(super) struct Snapshot {
    runtime: [RuntimeRecord; 1],
}

impl Snapshot {
    /// `here`: from where the current task looks.
    pub(super) fn of(core: &Core, here: Option<&'static Location<'static>>) -> Snapshot {
        let current = core.current.get().map(Row::id);
        let mut locks = Locks::default();
        let rows = core.rows.all();
        let tasks = rows.filter(|row| row.state.get().is_alive() && !row.is(Flag::Callback)).map(|row| {
            let place = here.filter(|_| current == Some(row.id())).map(Place::from);
            let running = place.map(|place| Box::new(Running { detail: String::new(), place: Some(place) }));
            TaskRecord { running, ..record(row, &mut locks) }
        });
        let tasks = tasks.collect();
        let thread_name = std::thread::current().name().unwrap_or_default().to_owned();
        let runtime = RuntimeRecord { thread: thread_id(), thread_name, now: core.clock.read(), tasks };
        Snapshot { runtime: [runtime] }
    }

    pub(super) fn runtime(&self) -> &[RuntimeRecord] {
        &self.runtime
    }

    pub(super) fn graph_of_task(&self, row: &'static Row) -> CallGraph {
        self.graph_of(Target(Kind::Task(TaskId(row.id()))))
    }

    /// The target, those who wait for it, and so on; each once, however many ways lead there.
    pub(super) fn graph_of(&self, target: Target) -> CallGraph {
        let picture = Picture::of_all(&self.runtime);
        let awaiters = |task: u64| -> Vec<u64> { picture.awaiters(task).collect() };
        let mut graph = CallGraph::default();
        let mut known: HashMap<u64, usize> = HashMap::new();
        let mut unseen: Vec<(usize, Vec<u64>)> = Vec::new();
        match target.0 {
            Kind::Task(TaskId(id)) => match Row::current(id) {
                Some(row) => {
                    known.insert(id, 0);
                    graph.push(Subject::Task(TaskRef::of(row)), picture.frames(id));
                    unseen.push((0, awaiters(id)));
                }
                None => return CallGraph::alone(Target(Kind::Task(TaskId(id)))),
            },
            Kind::Thing { name, numbers } => {
                let tasks = self.runtime.iter().flat_map(|runtime| &runtime.tasks);
                let waiting = tasks.filter(|task| waits_for(task, &numbers)).map(|task| task.id).collect();
                let number = numbers.first().copied().unwrap_or_default();
                graph.push(Subject::Thing { name, number }, Vec::new());
                unseen.push((0, waiting));
            }
        }
        while let Some((node, awaiters_of_node)) = unseen.pop() {
            for awaiter in awaiters_of_node {
                let Some(row) = Row::current(awaiter) else { continue };
                let index = *known.entry(awaiter).or_insert_with(|| {
                    let index = graph.push(Subject::Task(TaskRef::of(row)), picture.frames(awaiter));
                    unseen.push((index, awaiters(awaiter)));
                    index
                });
                graph.add_awaiter(node, index);
            }
        }
        graph
    }
}

/// What a row says, but for whether it is being polled.
fn record(row: &Row, locks: &mut Locks) -> TaskRecord {
    let mut waits = Few::default();
    waits::for_each(row, |wait, tasks| waits.extend(wait_record(wait, tasks, locks)));
    let waiter = life::waiter(row);
    let spawner = row.parent.get() & !AWAITED;
    TaskRecord {
        id: row.id(),
        name: life::name(row).into_owned().into(),
        state: state_of(row),
        type_name: SharedStr::of_type(row.vtable.get().map_or("", |vtable| (vtable.type_name)())),
        spawned_at: row.spawned_at.get().map(Place::from),
        polls: row.polls.get(),
        cancelling: row.count.get(),
        parent: waiter.map_or(spawner, |waiter| waiter.task),
        group: waiter.map(|waiter| waiter.scope),
        running: None,
        waits,
        more: waits::unseen(row) as u32,
        is_asked: row.awaiting.kind() == AwaitKind::Request,
        scopes: scopes(row),
        changing: false,
    }
}

fn wait_record(wait: Wait, tasks: Option<&AwaitedTasks>, locks: &mut Locks) -> Option<WaitRecord> {
    let (name, meaning) = wait.kind.told();
    let what = match meaning {
        Meaning::Nothing | Meaning::Request => return None,
        Meaning::Plain => What::Plain,
        Meaning::Task => What::Task(wait.operand),
        Meaning::Tasks => What::Tasks(tasks.map(|tasks| tasks.ids().collect()).unwrap_or_default()),
        Meaning::Deadline => What::Deadline(wait.operand),
        Meaning::Descriptor => What::Descriptor(wait.operand),
        Meaning::Left => What::Left(wait.operand),
        Meaning::Thing => What::Thing(wait.operand),
        Meaning::Number => What::Number(wait.operand),
        Meaning::Lock => locks.lock(wait.operand).map_or(What::Thing(wait.operand), What::Lock),
    };
    Some(WaitRecord { name: name.into(), what, scope: wait.scope, place: wait.place.map(Place::from) })
}

/// What the boards say, each read once, however many wait there.
#[derive(Default)]
struct Locks(HashMap<u64, Option<Arc<LockRecord>>>);

impl Locks {
    fn lock(&mut self, number: u64) -> Option<Arc<LockRecord>> {
        let read = || {
            let (posted, more) = holders::read(number)?;
            let holders = posted.into_iter().map(holder_record).collect();
            Some(Arc::new(LockRecord { number, holders, more }))
        };
        self.0.entry(number).or_insert_with(read).clone()
    }
}

fn holder_record(posted: Posted) -> HolderRecord {
    let Posted { holder, permits, kept } = posted;
    let task = holder.task().map_or(0, TaskId::as_u64);
    let elsewhere = match Row::current(task) {
        None => Elsewhere::Ended,
        // Its row is kept by somebody who has its handle. (If it has not ended, there is a record.)
        Some(row) if context::core_that_owns(row).is_some() => {
            Elsewhere::EndedAs(life::name(row).into_owned())
        }
        Some(_) => Elsewhere::OtherRuntime,
    };
    let hold = if kept { Hold::Kept } else { holder.hold() };
    HolderRecord { task, elsewhere, place: Some(Place::from(holder.place())), permits, hold }
}

fn scopes(row: &Row) -> Vec<ScopeRecord> {
    let Some(extras) = row.extras() else { return Vec::new() };
    let scopes = extras.scopes.borrow();
    let records = scopes.iter().map(|scope| {
        let note = scope.note.as_ref();
        ScopeRecord {
            id: scope.id(),
            parent: scope.parent(),
            kind: note.map_or("", |note| note.kind).into(),
            name: note.and_then(|note| note.name.as_deref()).map(str::to_owned),
            place: note.map(|note| Place::from(note.place)),
            deadline: scope.deadline().map(|deadline| deadline.nanos()),
            was_passed_by: scope.polled() != row.polls.get(),
        }
    });
    records.collect()
}

fn waits_for(task: &TaskRecord, numbers: &[u64]) -> bool {
    task.waits.iter().any(|wait| wait.what.thing().is_some_and(|number| numbers.contains(&number)))
}

/// What a row says of its task's state.
pub(super) fn state_of(row: &Row) -> TaskState {
    match row.state.get() {
        State::Held => TaskState::Held,
        State::Created => TaskState::Created,
        State::Ready => TaskState::Ready,
        State::Running | State::Rewoken => TaskState::Running,
        State::Parked | State::Watched => TaskState::Parked,
        State::Done | State::Free => TaskState::Done,
    }
}
