//! Reading the rows: what each task of a runtime stands at, and which tasks that are.
//!
//! One pass over all rows, from which both the graphs and the table are made.
//!
//! ```text
//!   waits of a row ──► awaits, each in its scope ──┐
//!   scopes of a row ─► who is within whom ─────────┴──► frames, the innermost first
//!   a wait for tasks, or a place in a group ──────────► edges: this task ── awaited by ──► that one
//! ```

use super::frame::{Frame, FrameKind, TaskState, readable};
use super::graph::{CallGraph, Subject};
use crate::cancel::AwaitedTasks;
use crate::runtime::core::Core;
use crate::task::row::{AwaitKind, Flag, Row, Wait};
use crate::task::state::State;
use crate::task::{SharedTask, Task, TaskId, TaskRef, life, waits};
use crate::time::Instant;
use std::collections::HashMap;
use std::panic::Location;
use std::time::Duration;

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
    now: Instant,
    /// The task that looks, and from where.
    current: Option<(u64, &'static Location<'static>)>,
    rows: Vec<&'static Row>,
    /// Which tasks wait for a task, by its id.
    awaiters: HashMap<u64, Vec<Edge>>,
}

/// A task that waits for another one.
#[derive(Clone, Copy)]
pub(super) struct Edge {
    pub(super) awaiter: &'static Row,
    from: From,
}

/// What of it does: a leaf, or a scope, such as a group.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    Leaf(Wait),
    Scope(u32),
}

impl Snapshot {
    pub(super) fn of(core: &Core, here: Option<&'static Location<'static>>) -> Snapshot {
        let rows: Vec<&'static Row> =
            core.rows.all().into_iter().filter(|row| row.state.get().is_alive()).collect();
        let mut awaiters: HashMap<u64, Vec<Edge>> = HashMap::new();
        let mut add = |task: u64, edge: Edge| {
            let edges = awaiters.entry(task).or_default();
            if !edges.iter().any(|known| std::ptr::eq(known.awaiter, edge.awaiter) && known.from == edge.from)
            {
                edges.push(edge);
            }
        };
        for row in &rows {
            if let Some(waiter) = life::waiter(row)
                && let Some(awaiter) = Row::current(waiter.task)
            {
                add(row.id(), Edge { awaiter, from: From::Scope(waiter.scope) });
            }
        }
        for &awaiter in &rows {
            waits::for_each(awaiter, |wait, tasks| {
                let edge = Edge { awaiter, from: From::Leaf(wait) };
                for_each_task(wait, tasks, |task| add(task, edge));
            });
        }
        let current = core.current.get().map(Row::id).zip(here);
        Snapshot { now: Instant::now(), current, rows, awaiters }
    }

    /// The tasks, without the runtime's own callbacks.
    pub(super) fn tasks(&self) -> impl Iterator<Item = &'static Row> {
        self.rows.iter().copied().filter(|row| !row.is(Flag::Callback))
    }

    /// Who waits for this task.
    pub(super) fn awaiters(&self, task: u64) -> &[Edge] {
        self.awaiters.get(&task).map_or(&[], Vec::as_slice)
    }

    pub(super) fn graph_of_task(&self, row: &'static Row) -> CallGraph {
        self.graph_of(Target(Kind::Task(TaskId(row.id()))))
    }

    /// The target, those who wait for it, and so on; each once, however many ways lead there.
    pub(super) fn graph_of(&self, target: Target) -> CallGraph {
        let mut graph = CallGraph::default();
        let mut known: HashMap<u64, usize> = HashMap::new();
        let mut unseen: Vec<(usize, Vec<&'static Row>)> = Vec::new();
        match target.0 {
            Kind::Task(TaskId(id)) => match Row::current(id) {
                Some(row) => {
                    known.insert(id, 0);
                    graph.push(self.subject(row), self.stack(row));
                    unseen.push((0, self.awaiter_rows(id)));
                }
                None => return CallGraph::alone(Target(Kind::Task(TaskId(id)))),
            },
            Kind::Thing { name, numbers } => {
                let waiting = self.rows.iter().copied().filter(|row| waits_for(row, &numbers)).collect();
                let number = numbers.first().copied().unwrap_or_default();
                graph.push(Subject::Thing { name, number }, Vec::new());
                unseen.push((0, waiting));
            }
        }
        while let Some((node, awaiters)) = unseen.pop() {
            for awaiter in awaiters {
                let index = *known.entry(awaiter.id()).or_insert_with(|| {
                    let index = graph.push(self.subject(awaiter), self.stack(awaiter));
                    unseen.push((index, self.awaiter_rows(awaiter.id())));
                    index
                });
                graph.add_awaiter(node, index);
            }
        }
        graph
    }

    fn awaiter_rows(&self, task: u64) -> Vec<&'static Row> {
        self.awaiters(task).iter().map(|edge| edge.awaiter).collect()
    }

    fn subject(&self, row: &'static Row) -> Subject {
        Subject::Task(TaskRef::of(row))
    }

    /// All frames of a task, the innermost first.
    pub(super) fn stack(&self, row: &Row) -> Vec<Frame> {
        let mut frames = Vec::new();
        if let Some((id, here)) = self.current
            && id == row.id()
        {
            frames.push(Frame::new(FrameKind::Running, "running", "", Some(here)));
        }
        let mut waits = Vec::new();
        waits::for_each(row, |wait, tasks| waits.push((wait.scope, self.await_frame(wait, tasks))));
        if waits.is_empty() && row.state.get().is_parked() && !is_asked(row) {
            waits.push((0, Frame::new(FrameKind::Await, "foreign", "", None)));
        }
        match waits::unseen(row) {
            0 => {}
            unseen => waits.push((0, Frame::new(FrameKind::Await, "more", format!("({unseen})"), None))),
        }
        let mut scopes = self.scopes(row);
        unfold(0, &mut scopes, &mut waits, &mut frames);
        // Of a leaf that was moved out of a scope which is over.
        frames.extend(waits.into_iter().map(|(_, frame)| frame));
        frames.push(future_frame(row));
        frames
    }

    /// The frames of one task that lead to its waiting for another one.
    pub(super) fn path(&self, edge: Edge) -> Vec<Frame> {
        let mut frames = Vec::new();
        let mut within = match edge.from {
            From::Scope(scope) => scope,
            From::Leaf(wait) => {
                let mut tasks = None;
                waits::for_each(edge.awaiter, |other, list| {
                    if other == wait {
                        tasks = list.cloned();
                    }
                });
                frames.push(self.await_frame(wait, tasks.as_ref()));
                wait.scope
            }
        };
        let scopes = self.scopes(edge.awaiter);
        while let Some(scope) = scopes.iter().find(|scope| scope.id == within) {
            frames.push(scope.frame.clone());
            within = scope.parent;
        }
        frames.push(future_frame(edge.awaiter));
        frames
    }

    fn await_frame(&self, wait: Wait, tasks: Option<&AwaitedTasks>) -> Frame {
        let thing = || format!("{:#x}", wait.operand);
        let (name, detail) = match wait.kind {
            AwaitKind::Nothing | AwaitKind::Request => ("nothing", String::new()),
            AwaitKind::Task => ("task", name_of(wait.operand)),
            AwaitKind::Shielded => ("shield", name_of(wait.operand)),
            AwaitKind::Tasks => ("tasks", names_of(tasks)),
            AwaitKind::Children => ("children", format!("({} left)", wait.operand)),
            AwaitKind::Timer => ("timer", self.due(Instant::from_nanos(wait.operand))),
            AwaitKind::Readable => ("readable", descriptor(wait.operand)),
            AwaitKind::Writable => ("writable", descriptor(wait.operand)),
            AwaitKind::Turn => ("turn", String::new()),
            AwaitKind::Foreign => ("foreign", String::new()),
            AwaitKind::Mutex => ("mutex", thing()),
            AwaitKind::Semaphore => ("semaphore", thing()),
            AwaitKind::Event => ("event", thing()),
            AwaitKind::Condition => ("condition", thing()),
            AwaitKind::Barrier => ("barrier", thing()),
            AwaitKind::Queue => ("queue", thing()),
            AwaitKind::Channel => ("channel", thing()),
            AwaitKind::Oneshot => ("oneshot", thing()),
            AwaitKind::Job => ("job", wait.operand.to_string()),
            AwaitKind::Signal => ("signal", wait.operand.to_string()),
            AwaitKind::Process => ("process", wait.operand.to_string()),
            AwaitKind::Other => ("other", thing()),
        };
        Frame::new(FrameKind::Await, name, detail, wait.place)
    }

    fn scopes(&self, row: &Row) -> Vec<ScopeFrame> {
        let Some(extras) = row.extras() else { return Vec::new() };
        let scopes = extras.scopes.borrow();
        let frames = scopes.iter().map(|scope| {
            let mut detail: Vec<String> = Vec::new();
            if let Some(name) = scope.note.as_ref().and_then(|note| note.name.as_ref()) {
                detail.push(format!("'{name}'"));
            }
            if let Some(deadline) = scope.deadline() {
                detail.push(self.due(deadline));
            }
            let (kind, place) = match &scope.note {
                Some(note) => (note.kind, Some(note.place)),
                None => ("scope", None),
            };
            let frame = Frame::new(FrameKind::Scope, kind, detail.join(" "), place);
            ScopeFrame { id: scope.id(), parent: scope.parent(), frame }
        });
        frames.collect()
    }

    /// Rounded to milliseconds.
    fn due(&self, deadline: Instant) -> String {
        match deadline {
            Instant::FAR_FUTURE => "never due".to_owned(),
            deadline if deadline <= self.now => "due now".to_owned(),
            deadline => {
                let left = (deadline - self.now).as_nanos().div_ceil(1_000_000);
                format!("due in {:?}", Duration::from_millis(u64::try_from(left).unwrap_or(u64::MAX)))
            }
        }
    }
}

struct ScopeFrame {
    id: u32,
    parent: u32,
    frame: Frame,
}

/// Moves what stands within a scope to the frames, the innermost first: the scopes in it with what is in them, and then
/// its own awaits.
fn unfold(within: u32, scopes: &mut Vec<ScopeFrame>, waits: &mut Vec<(u32, Frame)>, frames: &mut Vec<Frame>) {
    while let Some(index) = scopes.iter().position(|scope| scope.parent == within) {
        // Taken out first, so that this ends whatever the parents may be.
        let scope = scopes.remove(index);
        unfold(scope.id, scopes, waits, frames);
        frames.push(scope.frame);
    }
    let (here, elsewhere) = std::mem::take(waits).into_iter().partition(|(scope, _)| *scope == within);
    *waits = elsewhere;
    let here: Vec<(u32, Frame)> = here;
    frames.extend(here.into_iter().map(|(_, frame)| frame));
}

/// Asked to cancel, and waiting for its turn: what it waited for has made room for that.
fn is_asked(row: &Row) -> bool {
    row.awaiting.kind() == AwaitKind::Request
}

fn future_frame(row: &Row) -> Frame {
    let type_name = row.vtable.get().map_or("", |vtable| (vtable.type_name)());
    Frame::new(FrameKind::Spawn, readable(type_name), "", row.spawned_at.get())
}

fn for_each_task(wait: Wait, tasks: Option<&AwaitedTasks>, mut f: impl FnMut(u64)) {
    let alive = |id: &u64| Row::current(*id).is_some_and(|row| row.state.get().is_alive());
    match (tasks, wait.kind) {
        (Some(tasks), _) => tasks.ids().filter(alive).for_each(f),
        (None, AwaitKind::Task | AwaitKind::Shielded) if alive(&wait.operand) => f(wait.operand),
        (None, _) => {}
    }
}

/// A descriptor as people know it. A source that is not known by one is recorded as the number -1.
fn descriptor(operand: u64) -> String {
    match operand {
        u64::MAX => "a source".to_owned(),
        operand => format!("descriptor {operand}"),
    }
}

fn waits_for(row: &Row, numbers: &[u64]) -> bool {
    let mut found = false;
    waits::for_each(row, |wait, _| {
        found |= wait.kind.is_thing() && numbers.contains(&wait.operand);
    });
    found
}

fn name_of(task: u64) -> String {
    Row::current(task).map_or_else(|| format!("{task:#x}"), |row| format!("'{}'", life::name(row)))
}

/// The names of the first few that have not ended.
fn names_of(tasks: Option<&AwaitedTasks>) -> String {
    const SHOWN: usize = 3;
    let alive = |id: &u64| Row::current(*id).is_some_and(|row| row.state.get().is_alive());
    let left: Vec<u64> = tasks.into_iter().flat_map(AwaitedTasks::ids).filter(alive).collect();
    let names: Vec<String> = left.iter().take(SHOWN).copied().map(name_of).collect();
    match left.len().saturating_sub(SHOWN) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
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
