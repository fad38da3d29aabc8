//! The picture: frames and edges, made of records.
//!
//! ```text
//!   waits of a record ──► awaits, each in its scope ──┐
//!   scopes of it ───────► who is within whom ─────────┴──► sketches of frames, the innermost first
//!   a wait for tasks, or a place in a group ─────────────► edges: this task ── awaited by ──► that one
//! ```
//!
//! Tasks are known by their places, and edges lie in one list, sorted by the awaited task's: a hundred thousand take no memory
//! of their own each.
//!
//! Nothing is believed that need not be so: scopes that are within one another in a circle, waits for tasks that there are
//! not, are no danger to it. Records may come from a process whose memory is in disorder.

use super::drawn::{Awaiter, Drawn, Name, Shown, Sketch};
use super::frame::{Frame, FrameKind, TaskState};
use super::framed;
use super::held_by::{HeldBy, Taker};
use super::ids::IdMap;
use super::record::{
    Elsewhere, HolderRecord, LockRecord, RuntimeRecord, ScopeRecord, TaskRecord, WaitRecord, What,
};
use super::shared_str::SharedStr;
use super::table::{AwaitedBy, TaskEntry, TaskTable, ThreadTasks};
use super::write::{push_decimal, push_due, push_hex};
use crate::holders::Hold;
use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::sync::Arc;

/// All records, with what can be asked of them.
pub(super) struct Picture<'a> {
    tasks: Vec<(&'a TaskRecord, &'a RuntimeRecord)>,
    /// Where a task is, by its id.
    places: IdMap<u32>,
    /// Who waits for a task: the edges from the task's entry of `first_edges` to the next one.
    edges: Vec<Edge>,
    first_edges: Vec<u32>,
    words: Words,
}

/// A task that waits for another one.
#[derive(Clone, Copy)]
struct Edge {
    /// Its place.
    awaiter: u32,
    from: From,
}

/// What of it does: a leaf, by its place among the waits, or a scope, such as a group.
#[derive(Clone, Copy)]
enum From {
    Leaf(u32),
    Scope(u32),
}

impl From {
    /// As a number.
    fn way(self) -> u64 {
        match self {
            From::Leaf(at) => u64::from(at) << 1,
            From::Scope(scope) => u64::from(scope) << 1 | 1,
        }
    }
}

/// The names of frames that no record has.
struct Words {
    running: SharedStr,
    foreign: SharedStr,
    more: SharedStr,
    scope: SharedStr,
}

impl Default for Words {
    fn default() -> Self {
        let [running, foreign, more, scope] = ["running", "foreign", "more", "scope"].map(SharedStr::from);
        Words { running, foreign, more, scope }
    }
}

impl<'a> Picture<'a> {
    pub(super) fn of(runtimes: &'a [RuntimeRecord]) -> Picture<'a> {
        let mut tasks = Vec::with_capacity(runtimes.iter().map(|runtime| runtime.tasks.len()).sum());
        let records =
            runtimes.iter().flat_map(|runtime| runtime.tasks.iter().map(move |task| (task, runtime)));
        tasks.extend(records);
        assert!(u32::try_from(tasks.len()).is_ok(), "places are numbers of 32 bits");
        let places: IdMap<u32> = tasks.iter().zip(0..).map(|((task, _), at)| (task.id, at)).collect();
        let found = edges(&tasks, &places);
        let (edges, first_edges) = sorted(&found, tasks.len());
        Picture { tasks, places, edges, first_edges, words: Words::default() }
    }

    /// The ids of those who wait for this task.
    pub(super) fn awaiters(&self, task: u64) -> impl Iterator<Item = u64> {
        let edges = self.find(task).map_or(&[][..], |at| self.edges_of(at));
        edges.iter().map(|edge| self.awaiting(*edge).0.id)
    }

    /// All frames of a task, the innermost first; none if there is no such task.
    pub(super) fn frames(&self, id: u64) -> Vec<Frame> {
        let mut sketches = Vec::new();
        if let Some(at) = self.find(id) {
            self.stack(at, &mut sketches);
        }
        sketches.into_iter().map(Sketch::to_frame).collect()
    }

    fn edges_of(&self, at: usize) -> &[Edge] {
        &self.edges[self.first_edges[at] as usize..self.first_edges[at + 1] as usize]
    }

    fn awaiting(&self, edge: Edge) -> (&'a TaskRecord, &'a RuntimeRecord) {
        self.tasks[edge.awaiter as usize]
    }

    fn await_sketch<'s>(&'s self, wait: &'s WaitRecord, awaiter: u64, now: u64) -> Sketch<'s> {
        let detail = Detail::Wait { what: &wait.what, awaiter, now, picture: self };
        Sketch { kind: FrameKind::Await, name: &wait.name, detail, place: wait.place.as_ref() }
    }

    fn scope_sketch<'s>(&'s self, scope: &'s ScopeRecord, now: u64) -> Sketch<'s> {
        let name = if scope.kind.is_empty() { &self.words.scope } else { &scope.kind };
        let detail = Detail::Scope { name: scope.name.as_deref(), deadline: scope.deadline, now };
        Sketch { kind: FrameKind::Scope, name, detail, place: scope.place.as_ref() }
    }

    /// Of what a task waits for, that of which there is no record.
    fn unrecorded(&self, task: &TaskRecord) -> Option<Sketch<'_>> {
        let is_parked = task.state == TaskState::Parked;
        let unknown = task.waits.is_empty() && is_parked && !task.is_asked;
        let (name, detail) = match task.more {
            0 if unknown => (&self.words.foreign, Detail::Text("")),
            0 => return None,
            more => (&self.words.more, Detail::Count(more)),
        };
        Some(Sketch { kind: FrameKind::Await, name, detail, place: None })
    }
}

/// Each with the place of the awaited task: first those of groups.
fn edges(tasks: &[(&TaskRecord, &RuntimeRecord)], places: &IdMap<u32>) -> Vec<(u32, Edge)> {
    let (mut of_groups, mut of_leaves) = (Vec::with_capacity(tasks.len()), Vec::new());
    // Children of one parent come together.
    let mut latest = (0, None);
    for ((task, _), at) in tasks.iter().zip(0..) {
        if let Some(scope) = task.group {
            if latest.0 != task.parent {
                latest = (task.parent, places.get(&task.parent).copied());
            }
            of_groups.extend(latest.1.map(|awaiter| (at, Edge { awaiter, from: From::Scope(scope) })));
        }
        let mut known = HashSet::new();
        for (number, wait) in task.waits.iter().enumerate() {
            let mut awaited = wait.what.tasks(task.id).peekable();
            if awaited.peek().is_none() {
                continue;
            }
            let first = task.waits.iter().position(|other| other == wait).unwrap_or(number);
            let edge = Edge { awaiter: at, from: From::Leaf(first as u32) };
            let new = awaited.filter_map(|id| places.get(&id)).filter(|place| known.insert((**place, first)));
            of_leaves.extend(new.map(|place| (*place, edge)));
        }
    }
    of_groups.extend(of_leaves);
    of_groups
}

/// The edges by the places of the awaited tasks, otherwise in their order, and where those of each begin.
fn sorted(edges: &[(u32, Edge)], tasks: usize) -> (Vec<Edge>, Vec<u32>) {
    // The ends of each, of which one after the other is taken from behind: then they are the beginnings.
    let mut firsts = vec![0; tasks + 1];
    edges.iter().for_each(|(at, _)| firsts[*at as usize] += 1);
    let mut end = 0;
    for first in &mut firsts {
        end += *first;
        *first = end;
    }
    let mut all = vec![Edge { awaiter: 0, from: From::Leaf(0) }; edges.len()];
    for (at, edge) in edges.iter().rev() {
        let first = &mut firsts[*at as usize];
        *first -= 1;
        all[*first as usize] = *edge;
    }
    (all, firsts)
}

impl Drawn for Picture<'_> {
    fn len(&self) -> usize {
        self.tasks.len()
    }

    fn task(&self, at: usize) -> Shown<'_> {
        let (task, runtime) = self.tasks[at];
        Shown { thread: runtime.thread, id: task.id, name: Name::Recorded(&task.name) }
    }

    fn find(&self, id: u64) -> Option<usize> {
        self.places.get(&id).map(|at| *at as usize)
    }

    fn await_count(&self, at: usize) -> usize {
        self.edges_of(at).len()
    }

    fn awaiter(&self, at: usize, number: usize) -> Awaiter {
        let edge = self.edges_of(at)[number];
        let awaiter = self.awaiting(edge).0;
        let one_of_several = match edge.from {
            From::Leaf(at) => awaiter.waits[at as usize].what.is_of_several(),
            From::Scope(_) => false,
        };
        Awaiter { id: awaiter.id, way: edge.from.way(), one_of_several }
    }

    fn path<'s>(&'s self, at: usize, number: usize, frames: &mut Vec<Sketch<'s>>) {
        let edge = self.edges_of(at)[number];
        let (task, runtime) = self.awaiting(edge);
        let mut within = match edge.from {
            From::Scope(scope) => scope,
            From::Leaf(at) => {
                let wait = &task.waits[at as usize];
                frames.push(self.await_sketch(wait, task.id, runtime.now));
                wait.scope
            }
        };
        // Each at most once, so that this ends whatever the parents may be.
        let mut scopes: Vec<&ScopeRecord> = task.scopes.iter().collect();
        while let Some(index) = scopes.iter().position(|scope| scope.id == within) {
            let scope = scopes.swap_remove(index);
            frames.push(self.scope_sketch(scope, runtime.now));
            within = scope.parent;
        }
        frames.push(task.future_sketch());
    }

    fn stack<'s>(&'s self, at: usize, frames: &mut Vec<Sketch<'s>>) {
        let (task, runtime) = self.tasks[at];
        if let Some(running) = &task.running {
            let (name, detail) = (&self.words.running, Detail::Text(&running.detail));
            frames.push(Sketch { kind: FrameKind::Running, name, detail, place: running.place.as_ref() });
        }
        let waits = task.waits.iter().map(|wait| (wait.scope, self.await_sketch(wait, task.id, runtime.now)));
        let unrecorded = self.unrecorded(task).map(|sketch| (task.innermost_frame(), sketch));
        let waits = waits.chain(unrecorded);
        if task.scopes.is_empty() {
            frames.extend(waits.map(|(_, sketch)| sketch));
        } else {
            let scopes = task.scopes.iter().filter(|scope| task.stands_in(scope)).map(|scope| Scope {
                id: scope.id,
                parent: scope.parent,
                sketch: self.scope_sketch(scope, runtime.now),
            });
            unfold(scopes.collect(), waits.collect(), frames);
        }
        frames.push(task.future_sketch());
    }
}

impl TaskTable {
    /// The table of what was read out of rows, be it this process's or another's.
    pub fn of_records(runtimes: &[RuntimeRecord]) -> TaskTable {
        let picture = Picture::of(runtimes);
        // Children of a group are awaited by the same frames.
        let mut paths: HashMap<Awaiter, Arc<[Frame]>> = HashMap::new();
        let mut awaited_by = |at: usize| {
            let awaits = (0..picture.await_count(at)).map(|number| {
                let awaiter = picture.awaiter(at, number);
                let stack = paths.entry(awaiter).or_insert_with(|| {
                    let mut sketches = Vec::new();
                    picture.path(at, number, &mut sketches);
                    sketches.into_iter().map(Sketch::to_frame).collect()
                });
                let Awaiter { id, one_of_several, .. } = awaiter;
                AwaitedBy { awaiter: id, stack: stack.clone(), one_of_several }
            });
            awaits.collect()
        };
        let mut sketches = Vec::new();
        let mut stack = |at: usize| {
            sketches.clear();
            picture.stack(at, &mut sketches);
            sketches.iter().map(|sketch| sketch.to_frame()).collect()
        };
        let mut places = 0..;
        let threads = runtimes.iter().map(|runtime| {
            let tasks = runtime.tasks.iter().zip(&mut places).map(|(task, at)| TaskEntry {
                id: task.id,
                name: Some(task.name.to_string()),
                state: task.state,
                type_name: task.type_name.clone(),
                spawned_at: task.spawned_at.clone(),
                polls: task.polls,
                cancelling: task.cancelling,
                parent: task.parent,
                changing: task.changing,
                stack: stack(at),
                awaited_by: awaited_by(at),
            });
            let tasks = tasks.collect();
            ThreadTasks { thread: runtime.thread, name: runtime.thread_name.clone(), tasks }
        });
        TaskTable { threads: threads.collect() }
    }
}

impl TaskRecord {
    /// Whether a scope is to be shown. A frame that was let go is not, although it is still there.
    fn stands_in(&self, scope: &ScopeRecord) -> bool {
        let is_let_go = scope.was_passed_by && scope.kind.as_str() == framed::KIND;
        !is_let_go || self.waits.iter().any(|wait| self.is_within(wait.scope, scope.id))
    }

    /// Whether the scope `outer` is `inner`, or around it.
    fn is_within(&self, inner: u32, outer: u32) -> bool {
        let mut within = inner;
        // Each at most once, so that this ends whatever the parents may be.
        for _ in 0..=self.scopes.len() {
            if within == outer {
                return true;
            }
            match self.scopes.iter().find(|scope| scope.id == within) {
                Some(scope) => within = scope.parent,
                None => return false,
            }
        }
        false
    }

    /// If the last thing that the task has entered is a frame, and it does one thing at a time: then what it awaits
    /// without saying so, it awaits there.
    fn innermost_frame(&self) -> u32 {
        let polled = || self.scopes.iter().filter(|scope| !scope.was_passed_by);
        let mut innermost = polled().filter(|scope| !polled().any(|inner| inner.parent == scope.id));
        match (innermost.next(), innermost.next()) {
            (Some(frame), None) if frame.kind.as_str() == framed::KIND => frame.id,
            _ => 0,
        }
    }

    fn future_sketch(&self) -> Sketch<'_> {
        let (name, place) = (&self.type_name, self.spawned_at.as_ref());
        Sketch { kind: FrameKind::Spawn, name, detail: Detail::Text(""), place }
    }
}

impl What {
    /// The tasks that can end the wait of this one, or hold what it awaits. (What is kept for it, it has only to take.)
    fn tasks(&self, awaiter: u64) -> impl Iterator<Item = u64> {
        let (tasks, holders): (&[u64], &[HolderRecord]) = match self {
            What::Task(task) => (std::slice::from_ref(task), &[]),
            What::Tasks(tasks) => (tasks, &[]),
            What::Lock(lock) => (&[], &lock.holders),
            _ => (&[], &[]),
        };
        let others = holders.iter().filter(move |holder| holder.hold != Hold::Kept || holder.task != awaiter);
        tasks.iter().copied().chain(others.map(|holder| holder.task))
    }

    /// Whether any of several may end the wait.
    fn is_of_several(&self) -> bool {
        let What::Lock(lock) = self else { return false };
        let first = lock.holders.first().map(|holder| holder.task);
        lock.more > 0 || lock.holders.iter().any(|holder| Some(holder.task) != first)
    }

    /// What tells the thing that is awaited from others of its kind.
    pub(super) fn thing(&self) -> Option<u64> {
        match self {
            What::Thing(number) => Some(*number),
            What::Lock(lock) => Some(lock.number),
            _ => None,
        }
    }
}

/// What else there is to say in a frame, to be written when it is drawn.
#[derive(Clone, Copy)]
pub(super) enum Detail<'a> {
    Text(&'a str),
    /// That of a frame that was made before.
    Made(&'a Frame),
    /// So many leaves that are not recorded.
    Count(u32),
    Wait {
        what: &'a What,
        awaiter: u64,
        now: u64,
        picture: &'a Picture<'a>,
    },
    Scope {
        name: Option<&'a str>,
        deadline: Option<u64>,
        now: u64,
    },
}

impl Detail<'_> {
    pub(super) fn push_to(&self, text: &mut String) {
        match *self {
            Detail::Text(told) => text.push_str(told),
            Detail::Made(frame) => text.push_str(&frame.detail),
            Detail::Count(count) => {
                text.push('(');
                push_decimal(text, count.into());
                text.push(')');
            }
            Detail::Wait { what, awaiter, now, picture } => picture.push_what(text, what, awaiter, now),
            Detail::Scope { name, deadline, now } => {
                if let Some(name) = name {
                    push_quoted(text, Name::Text(name));
                }
                if let Some(deadline) = deadline {
                    text.push_str(if name.is_some() { " " } else { "" });
                    push_due(text, deadline, now);
                }
            }
        }
    }
}

impl Detail<'_> {
    /// Who holds what is awaited there.
    pub(super) fn held_by(&self) -> Vec<HeldBy> {
        match *self {
            Detail::Made(frame) => frame.held_by.clone(),
            Detail::Wait { what: What::Lock(lock), awaiter, picture, .. } => {
                lock.holders.iter().map(|holder| picture.held_by(holder, awaiter)).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Picture<'_> {
    fn held_by(&self, holder: &HolderRecord, awaiter: u64) -> HeldBy {
        let HolderRecord { task, ref elsewhere, ref place, permits, hold } = *holder;
        let (name, taker) = match (self.find(task), elsewhere) {
            _ if task == 0 => (String::new(), Taker::Outside),
            (Some(at), _) => {
                let taker = if task == awaiter { Taker::Itself } else { Taker::Alive };
                (self.tasks[at].0.name.to_string(), taker)
            }
            (None, Elsewhere::Ended) => (String::new(), Taker::Done),
            (None, Elsewhere::EndedAs(name)) => (name.clone(), Taker::Done),
            (None, Elsewhere::OtherRuntime) => (String::new(), Taker::Foreign),
        };
        HeldBy { task, name, taker, hold, permits, place: place.clone() }
    }

    /// `0x7f3c5a20, held by task 'orders' since src/page.rs:31:20; and 2 permits more`.
    fn push_lock(&self, text: &mut String, lock: &LockRecord, awaiter: u64) {
        push_hex(text, lock.number);
        let mut separator = ", ";
        for holder in &lock.holders {
            // Writing to a string cannot fail.
            let _ = write!(text, "{separator}{}", self.held_by(holder, awaiter));
            separator = "; ";
        }
        if lock.more > 0 {
            let _ = write!(text, "{separator}and {} permit", lock.more);
            text.push_str(if lock.more == 1 { " more" } else { "s more" });
        }
    }

    fn push_what(&self, text: &mut String, what: &What, awaiter: u64, now: u64) {
        match what {
            What::Plain => {}
            What::Task(task) => self.push_name(text, *task),
            What::Tasks(tasks) => self.push_names(text, tasks),
            What::Deadline(deadline) => push_due(text, *deadline, now),
            // A source that is not known by a descriptor is recorded as the number -1.
            What::Descriptor(u64::MAX) => text.push_str("a source"),
            What::Descriptor(descriptor) => {
                text.push_str("descriptor ");
                push_decimal(text, *descriptor);
            }
            What::Left(left) => {
                text.push('(');
                push_decimal(text, *left);
                text.push_str(" left)");
            }
            What::Number(number) => push_decimal(text, *number),
            What::Thing(address) => push_hex(text, *address),
            What::Lock(lock) => self.push_lock(text, lock, awaiter),
        }
    }

    fn push_name(&self, text: &mut String, task: u64) {
        match self.find(task) {
            Some(at) => push_quoted(text, Name::Recorded(&self.tasks[at].0.name)),
            None => push_hex(text, task),
        }
    }

    /// The names of the first few that have not ended.
    fn push_names(&self, text: &mut String, tasks: &[u64]) {
        const SHOWN: usize = 3;
        let mut alive = tasks.iter().copied().filter(|task| self.places.contains_key(task));
        for (number, task) in alive.by_ref().take(SHOWN).enumerate() {
            text.push_str(if number > 0 { ", " } else { "" });
            self.push_name(text, task);
        }
        let more = alive.count();
        if more > 0 {
            text.push_str(" and ");
            push_decimal(text, more as u64);
            text.push_str(" more");
        }
    }
}

fn push_quoted(text: &mut String, name: Name<'_>) {
    text.push('\'');
    name.push_to(text);
    text.push('\'');
}

struct Scope<'a> {
    id: u32,
    parent: u32,
    sketch: Sketch<'a>,
}

/// Moves what stands within a scope to the frames, the innermost first: the scopes in it with what is in them, and then
/// its own awaits; beginning with the whole task.
fn unfold<'a>(mut scopes: Vec<Scope<'a>>, mut waits: Vec<(u32, Sketch<'a>)>, frames: &mut Vec<Sketch<'a>>) {
    // Without recursion: scopes may be deeper in one another than the stack is. Those that are being unfolded, the
    // outermost first; it begins with the task itself.
    let mut within: Vec<Option<Scope<'a>>> = vec![None];
    while let Some(outer) = within.last() {
        let outer = outer.as_ref().map_or(0, |scope| scope.id);
        // Taken out first, so that this ends whatever the parents may be.
        match scopes.iter().position(|scope| scope.parent == outer) {
            Some(index) => within.push(Some(scopes.remove(index))),
            None => {
                let here = waits.extract_if(.., |(scope, _)| *scope == outer);
                frames.extend(here.map(|(_, sketch)| sketch));
                frames.extend(within.pop().flatten().map(|scope| scope.sketch));
            }
        }
    }
    // Of a leaf that was moved out of a scope which is over.
    frames.extend(waits.into_iter().map(|(_, sketch)| sketch));
}
