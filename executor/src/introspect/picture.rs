//! The picture: frames and edges, made of records.
//!
//! ```text
//!   waits of a record ──► awaits, each in its scope ──┐
//!   scopes of it ───────► who is within whom ─────────┴──► frames, the innermost first
//!   a wait for tasks, or a place in a group ─────────────► edges: this task ── awaited by ──► that one
//! ```
//!
//! Nothing is believed that need not be so: scopes that are within one another in a circle, waits for tasks that there are
//! not, are no danger to it. Records may come from a process whose memory is in disorder.

use super::frame::{Frame, FrameKind, readable};
use super::record::{RuntimeRecord, ScopeRecord, TaskRecord, WaitRecord, What};
use super::shared_str::SharedStr;
use super::table::{AwaitedBy, TaskEntry, TaskTable, ThreadTasks};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// A timer that never fires.
const NEVER: u64 = u64::MAX;

/// All records, with what can be asked of them.
pub(super) struct Picture<'a> {
    tasks: HashMap<u64, (&'a TaskRecord, &'a RuntimeRecord)>,
    /// Which tasks wait for a task, by its id.
    awaiters: HashMap<u64, Vec<Edge>>,
}

/// A task that waits for another one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Edge {
    pub(super) awaiter: u64,
    from: From,
}

/// What of it does: a leaf, by its place among the waits, or a scope, such as a group.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum From {
    Leaf(usize),
    Scope(u32),
}

impl<'a> Picture<'a> {
    pub(super) fn of(runtimes: &'a [RuntimeRecord]) -> Picture<'a> {
        let records =
            runtimes.iter().flat_map(|runtime| runtime.tasks.iter().map(move |task| (task, runtime)));
        let tasks: HashMap<_, _> =
            records.clone().map(|(task, runtime)| (task.id, (task, runtime))).collect();
        let mut awaiters: HashMap<u64, Vec<Edge>> = HashMap::new();
        for (task, _) in records.clone() {
            if let Some(scope) = task.group
                && tasks.contains_key(&task.parent)
            {
                let edge = Edge { awaiter: task.parent, from: From::Scope(scope) };
                awaiters.entry(task.id).or_default().push(edge);
            }
        }
        for (awaiter, _) in records {
            let mut known = HashSet::new();
            for (at, wait) in awaiter.waits.iter().enumerate() {
                let from = From::Leaf(awaiter.waits.iter().position(|other| other == wait).unwrap_or(at));
                for task in wait.what.tasks().iter().filter(|task| tasks.contains_key(task)) {
                    if known.insert((*task, from)) {
                        awaiters.entry(*task).or_default().push(Edge { awaiter: awaiter.id, from });
                    }
                }
            }
        }
        Picture { tasks, awaiters }
    }

    pub(super) fn task(&self, id: u64) -> Option<&'a TaskRecord> {
        self.tasks.get(&id).map(|(task, _)| *task)
    }

    /// Who waits for this task.
    pub(super) fn awaiters(&self, task: u64) -> &[Edge] {
        self.awaiters.get(&task).map_or(&[], Vec::as_slice)
    }

    /// All frames of a task, the innermost first; none if there is no such task.
    pub(super) fn stack(&self, id: u64) -> Vec<Frame> {
        let Some((task, runtime)) = self.tasks.get(&id) else { return Vec::new() };
        let mut frames = Vec::with_capacity(2);
        if let Some(running) = &task.running {
            let place = running.place.clone();
            frames.push(frame(FrameKind::Running, "running", running.detail.clone(), place));
        }
        let waits = task.waits.iter().map(|wait| (wait.scope, self.await_frame(wait, runtime.now)));
        if task.scopes.is_empty() {
            frames.extend(waits.map(|(_, frame)| frame));
            frames.extend(task.unrecorded().into_iter().map(|(_, frame)| frame));
        } else {
            let mut waits: Vec<(u32, Frame)> = waits.chain(task.unrecorded()).collect();
            let mut scopes: Vec<ScopeFrame> =
                task.scopes.iter().map(|scope| scope.framed(runtime.now)).collect();
            unfold(&mut scopes, &mut waits, &mut frames);
            // Of a leaf that was moved out of a scope which is over.
            frames.extend(waits.into_iter().map(|(_, frame)| frame));
        }
        frames.push(task.future_frame());
        frames
    }

    /// The frames of one task that lead to its waiting for another one.
    fn path(&self, edge: Edge) -> Vec<Frame> {
        let Some((task, runtime)) = self.tasks.get(&edge.awaiter) else { return Vec::new() };
        let mut frames = Vec::new();
        let mut within = match edge.from {
            From::Scope(scope) => scope,
            From::Leaf(at) => {
                frames.push(self.await_frame(&task.waits[at], runtime.now));
                task.waits[at].scope
            }
        };
        // Each at most once, so that this ends whatever the parents may be.
        let mut scopes: Vec<&ScopeRecord> = task.scopes.iter().collect();
        while let Some(index) = scopes.iter().position(|scope| scope.id == within) {
            let scope = scopes.swap_remove(index);
            frames.push(scope.framed(runtime.now).frame);
            within = scope.parent;
        }
        frames.push(task.future_frame());
        frames
    }

    fn await_frame(&self, wait: &WaitRecord, now: u64) -> Frame {
        let detail = match &wait.what {
            What::Plain => String::new(),
            What::Task(task) => self.name_of(*task),
            What::Tasks(tasks) => self.names_of(tasks),
            What::Deadline(deadline) => due(*deadline, now),
            // A source that is not known by a descriptor is recorded as the number -1.
            What::Descriptor(u64::MAX) => "a source".to_owned(),
            What::Descriptor(descriptor) => format!("descriptor {descriptor}"),
            What::Left(left) => format!("({left} left)"),
            What::Number(number) => number.to_string(),
            What::Thing(address) => format!("{address:#x}"),
        };
        frame(FrameKind::Await, wait.name.clone(), detail, wait.place.clone())
    }

    fn name_of(&self, task: u64) -> String {
        self.task(task).map_or_else(|| format!("{task:#x}"), |task| format!("'{}'", task.name))
    }

    /// The names of the first few that have not ended.
    fn names_of(&self, tasks: &[u64]) -> String {
        const SHOWN: usize = 3;
        let mut alive = tasks.iter().copied().filter(|task| self.tasks.contains_key(task));
        let names: Vec<String> = alive.by_ref().take(SHOWN).map(|task| self.name_of(task)).collect();
        match alive.count() {
            0 => names.join(", "),
            more => format!("{} and {more} more", names.join(", ")),
        }
    }
}

impl TaskTable {
    /// The table of what was read out of rows, be it this process's or another's.
    pub fn of_records(runtimes: &[RuntimeRecord]) -> TaskTable {
        let picture = Picture::of(runtimes);
        // Children of a group are awaited by the same frames.
        let mut paths: HashMap<Edge, Arc<[Frame]>> = HashMap::new();
        let mut awaited_by = |task: u64| {
            let edges = picture.awaiters(task).iter();
            let awaiters = edges.map(|edge| {
                let stack = paths.entry(*edge).or_insert_with(|| picture.path(*edge).into());
                AwaitedBy { awaiter: edge.awaiter, stack: stack.clone() }
            });
            awaiters.collect()
        };
        let threads = runtimes.iter().map(|runtime| {
            let tasks = runtime.tasks.iter().map(|task| TaskEntry {
                id: task.id,
                name: Some(task.name.clone()),
                state: task.state,
                type_name: readable(&task.type_name),
                spawned_at: task.spawned_at.clone(),
                polls: task.polls,
                cancelling: task.cancelling,
                parent: task.parent,
                changing: task.changing,
                stack: picture.stack(task.id),
                awaited_by: awaited_by(task.id),
            });
            let tasks = tasks.collect();
            ThreadTasks { thread: runtime.thread, name: runtime.thread_name.clone(), tasks }
        });
        TaskTable { threads: threads.collect() }
    }
}

impl TaskRecord {
    fn future_frame(&self) -> Frame {
        frame(FrameKind::Spawn, readable(&self.type_name), String::new(), self.spawned_at.clone())
    }

    /// Of what it waits for, that of which there is no record.
    fn unrecorded(&self) -> Option<(u32, Frame)> {
        let is_parked = self.state == super::TaskState::Parked;
        let unknown = self.waits.is_empty() && is_parked && !self.is_asked;
        match self.more {
            0 if unknown => Some((0, frame(FrameKind::Await, "foreign", String::new(), None))),
            0 => None,
            more => Some((0, frame(FrameKind::Await, "more", format!("({more})"), None))),
        }
    }
}

impl What {
    fn tasks(&self) -> &[u64] {
        match self {
            What::Task(task) => std::slice::from_ref(task),
            What::Tasks(tasks) => tasks,
            _ => &[],
        }
    }
}

struct ScopeFrame {
    id: u32,
    parent: u32,
    frame: Frame,
}

impl ScopeRecord {
    fn framed(&self, now: u64) -> ScopeFrame {
        let mut detail: Vec<String> = self.name.iter().map(|name| format!("'{name}'")).collect();
        detail.extend(self.deadline.map(|deadline| due(deadline, now)));
        let kind = if self.kind.is_empty() { "scope".into() } else { self.kind.clone() };
        let frame = frame(FrameKind::Scope, kind, detail.join(" "), self.place.clone());
        ScopeFrame { id: self.id, parent: self.parent, frame }
    }
}

fn frame(kind: FrameKind, name: impl Into<SharedStr>, detail: String, place: Option<super::Place>) -> Frame {
    Frame { kind, name: name.into(), detail, place }
}

/// Moves what stands within a scope to the frames, the innermost first: the scopes in it with what is in them, and then
/// its own awaits; beginning with the whole task.
fn unfold(scopes: &mut Vec<ScopeFrame>, waits: &mut Vec<(u32, Frame)>, frames: &mut Vec<Frame>) {
    // Without recursion: scopes may be deeper in one another than the stack is. Those that are being unfolded, the
    // outermost first; it begins with the task itself.
    let mut within: Vec<Option<ScopeFrame>> = vec![None];
    while let Some(outer) = within.last() {
        let outer = outer.as_ref().map_or(0, |scope| scope.id);
        // Taken out first, so that this ends whatever the parents may be.
        match scopes.iter().position(|scope| scope.parent == outer) {
            Some(index) => within.push(Some(scopes.remove(index))),
            None => {
                let (here, elsewhere): (Vec<_>, Vec<_>) =
                    std::mem::take(waits).into_iter().partition(|(scope, _)| *scope == outer);
                *waits = elsewhere;
                frames.extend(here.into_iter().map(|(_, frame)| frame));
                frames.extend(within.pop().flatten().map(|scope| scope.frame));
            }
        }
    }
}

/// Rounded to milliseconds.
fn due(deadline: u64, now: u64) -> String {
    match deadline {
        NEVER => "never due".to_owned(),
        deadline if deadline <= now => "due now".to_owned(),
        deadline => {
            let left = (deadline - now).div_ceil(1_000_000);
            format!("due in {:?}", Duration::from_millis(left))
        }
    }
}
