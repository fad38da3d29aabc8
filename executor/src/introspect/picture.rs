//! The picture: frames and edges, made of records.
//!
//! ```text
//!   waits of a record ──► awaits, each in its scope ──┐
//!   scopes of it ───────► who is within whom ─────────┴──► sketches of frames, the innermost first
//!   a wait for tasks, or a place in a group ─────────────► edges: this task ── awaited by ──► that one
//! ```
//!
//! Tasks are known by their places. An edge to a task from the group that it is in is one number for each task; the others, of
//! which there are few, lie in one list, sorted by the awaited task's place. So of a hundred thousand tasks none takes memory of
//! its own, and all together take little: memory that is touched for the first time costs more than what is done with it.
//!
//! Nothing is believed that need not be so: scopes that are within one another in a circle, waits for tasks that there are
//! not, are no danger to it. Records may come from a process whose memory is in disorder.

use super::drawn::{Awaiter, Drawn, Name, Shown, Sketch};
use super::frame::{Frame, FrameKind, TaskState};
use super::framed;
use super::held_by::{HeldBy, Taker};
use super::places::{NOWHERE, Places};
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
    runtimes: &'a [RuntimeRecord],
    /// The place after the last one of each runtime.
    ends: Vec<usize>,
    places: Places,
    /// In whose group a task is, or [`NOWHERE`].
    parents: Vec<u32>,
    /// Which leaves wait for a task: the edges from the task's entry of `first_edges` to the next one.
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
    /// For drawings: knows the ids that records mention, and no others.
    pub(super) fn of(runtimes: &'a [RuntimeRecord]) -> Picture<'a> {
        Picture::with(runtimes, Places::of_mentioned(runtimes))
    }

    /// To be asked for any task.
    pub(super) fn of_all(runtimes: &'a [RuntimeRecord]) -> Picture<'a> {
        Picture::with(runtimes, Places::of_all(runtimes))
    }

    fn with(runtimes: &'a [RuntimeRecord], places: Places) -> Picture<'a> {
        let mut end = 0;
        let ends = runtimes.iter().map(|runtime| {
            end += runtime.tasks.len();
            end
        });
        let ends = ends.collect();
        assert!(end < NOWHERE as usize, "places are numbers of 32 bits");
        let parents = parents(runtimes, &places);
        let (edges, first_edges) = sorted(&edges(runtimes, &places), end);
        Picture { runtimes, ends, places, parents, edges, first_edges, words: Words::default() }
    }

    /// The ids of those who wait for this task.
    pub(super) fn awaiters(&self, task: u64) -> impl Iterator<Item = u64> {
        let at = self.find(task);
        let numbers = at.map_or(0..0, |at| 0..self.await_count(at));
        numbers.map(move |number| self.awaiter(at.expect("it has awaiters"), number).id)
    }

    /// All frames of a task, the innermost first; none if there is no such task.
    pub(super) fn frames(&self, id: u64) -> Vec<Frame> {
        let mut frames = Vec::new();
        if let Some(at) = self.find(id) {
            self.stack(at, |sketch| frames.push(sketch.to_frame()));
        }
        frames
    }

    fn record(&self, at: usize) -> (&'a TaskRecord, &'a RuntimeRecord) {
        // Most programs have one runtime.
        let number = if at < self.ends[0] { 0 } else { self.ends.partition_point(|end| *end <= at) };
        let runtime = &self.runtimes[number];
        (&runtime.tasks[at + runtime.tasks.len() - self.ends[number]], runtime)
    }

    fn leaves(&self, at: usize) -> &[Edge] {
        &self.edges[self.first_edges[at] as usize..self.first_edges[at + 1] as usize]
    }

    /// Who waits for a task: first the group that it is in.
    fn edge(&self, at: usize, number: usize) -> Edge {
        match (self.parents[at], number) {
            (NOWHERE, number) => self.leaves(at)[number],
            (awaiter, 0) => {
                let scope = self.record(at).0.group.expect("who has a parent is in a group");
                Edge { awaiter, from: From::Scope(scope) }
            }
            (_, number) => self.leaves(at)[number - 1],
        }
    }

    fn awaiting(&self, edge: Edge) -> (&'a TaskRecord, &'a RuntimeRecord) {
        self.record(edge.awaiter as usize)
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

/// In whose group each task is.
fn parents(runtimes: &[RuntimeRecord], places: &Places) -> Vec<u32> {
    // Children of one parent come together.
    let mut latest = (0, None);
    let parent = |task: &TaskRecord| {
        task.group?;
        if latest.0 != task.parent {
            latest = (task.parent, places.get(task.parent));
        }
        latest.1
    };
    let tasks = runtimes.iter().flat_map(|runtime| &runtime.tasks);
    tasks.map(parent).map(|parent| parent.unwrap_or(NOWHERE)).collect()
}

/// Those of leaves, each with the place of the awaited task.
fn edges(runtimes: &[RuntimeRecord], places: &Places) -> Vec<(u32, Edge)> {
    let mut edges = Vec::new();
    for (task, at) in runtimes.iter().flat_map(|runtime| &runtime.tasks).zip(0..) {
        let mut known = HashSet::new();
        for (number, wait) in task.waits.iter().enumerate() {
            let mut awaited = wait.what.tasks(task.id).peekable();
            if awaited.peek().is_none() {
                continue;
            }
            let first = task.waits.iter().position(|other| other == wait).unwrap_or(number);
            let edge = Edge { awaiter: at, from: From::Leaf(first as u32) };
            let new = awaited.filter_map(|id| places.get(id)).filter(|place| known.insert((*place, first)));
            edges.extend(new.map(|place| (place, edge)));
        }
    }
    edges
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
        self.parents.len()
    }

    fn task(&self, at: usize) -> Shown<'_> {
        let (task, runtime) = self.record(at);
        Shown { thread: runtime.thread, id: task.id, name: Name::Recorded(&task.name) }
    }

    fn is_like_before(&self, at: usize) -> bool {
        let Some(before) = at.checked_sub(1) else { return false };
        let ((task, runtime), (other, of_other)) = (self.record(at), self.record(before));
        // Siblings, or in no group, and no leaf waits for either.
        self.parents[at] == self.parents[before]
            && task.group == other.group
            && self.first_edges[before] == self.first_edges[at + 1]
            && std::ptr::eq(runtime, of_other)
            && task.stands_like(other)
    }

    fn find(&self, id: u64) -> Option<usize> {
        self.places.get(id).map(|at| at as usize)
    }

    fn await_count(&self, at: usize) -> usize {
        self.leaves(at).len() + usize::from(self.parents[at] != NOWHERE)
    }

    fn awaiter(&self, at: usize, number: usize) -> Awaiter {
        let edge = self.edge(at, number);
        let awaiter = self.awaiting(edge).0;
        let one_of_several = match edge.from {
            From::Leaf(at) => awaiter.waits[at as usize].what.is_of_several(),
            From::Scope(_) => false,
        };
        Awaiter { id: awaiter.id, way: edge.from.way(), one_of_several }
    }

    fn path<'s>(&'s self, at: usize, number: usize, frames: &mut Vec<Sketch<'s>>) {
        let edge = self.edge(at, number);
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

    fn stack<'s>(&'s self, at: usize, mut take: impl FnMut(Sketch<'s>)) {
        let (task, runtime) = self.record(at);
        if let Some(running) = &task.running {
            let (name, detail) = (&self.words.running, Detail::Text(&running.detail));
            take(Sketch { kind: FrameKind::Running, name, detail, place: running.place.as_ref() });
        }
        let waits = task.waits.iter().map(|wait| (wait.scope, self.await_sketch(wait, task.id, runtime.now)));
        let unrecorded = self.unrecorded(task).map(|sketch| (task.innermost_frame(), sketch));
        let waits = waits.chain(unrecorded);
        if task.scopes.is_empty() {
            waits.for_each(|(_, sketch)| take(sketch));
        } else {
            let scopes = task.scopes.iter().filter(|scope| task.stands_in(scope)).map(|scope| Scope {
                id: scope.id,
                parent: scope.parent,
                sketch: self.scope_sketch(scope, runtime.now),
            });
            unfold(scopes.collect(), waits.collect(), &mut take);
        }
        take(task.future_sketch());
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
        let stack = |at: usize| {
            let mut frames = Vec::new();
            picture.stack(at, |sketch| frames.push(sketch.to_frame()));
            frames
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

    /// Whether it has frames with the same names as another task, for which all is compared that [`stack`](Drawn::stack) looks
    /// at. (If one is running, or they differ in something that does not show, the answer is no.)
    fn stands_like(&self, other: &TaskRecord) -> bool {
        let (waits, others) = (self.waits.iter(), other.waits.iter());
        let scopes = self.scopes.iter().zip(&other.scopes);
        self.running.is_none()
            && other.running.is_none()
            && (self.state, self.more, self.is_asked) == (other.state, other.more, other.is_asked)
            && self.type_name == other.type_name
            && waits.map(|wait| (wait.scope, &wait.name)).eq(others.map(|wait| (wait.scope, &wait.name)))
            && self.scopes.len() == other.scopes.len()
            && scopes.into_iter().all(|(scope, other)| scope.stands_like(other))
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

impl ScopeRecord {
    /// The same of scopes.
    fn stands_like(&self, other: &ScopeRecord) -> bool {
        (self.id, self.parent, self.was_passed_by) == (other.id, other.parent, other.was_passed_by)
            && self.kind == other.kind
    }
}

impl What {
    /// The tasks that can end the wait of this one, or hold what it awaits. (What is kept for it, it has only to take.)
    fn tasks(&self, awaiter: u64) -> impl Iterator<Item = u64> {
        let (tasks, holders) = self.ids();
        let others = holders.iter().filter(move |holder| holder.hold != Hold::Kept || holder.task != awaiter);
        tasks.iter().copied().chain(others.map(|holder| holder.task))
    }

    /// The ids that are mentioned, once or more often.
    pub(super) fn mentions(&self) -> impl Iterator<Item = u64> {
        let (tasks, holders) = self.ids();
        tasks.iter().copied().chain(holders.iter().map(|holder| holder.task))
    }

    /// Whether it may be for tasks, and those that can end it be found.
    pub(super) fn is_for_tasks(&self) -> bool {
        matches!(self, What::Task(_) | What::Tasks(_) | What::Lock(_))
    }

    fn ids(&self) -> (&[u64], &[HolderRecord]) {
        match self {
            What::Task(task) => (std::slice::from_ref(task), &[]),
            What::Tasks(tasks) => (tasks, &[]),
            What::Lock(lock) => (&[], &lock.holders),
            _ => (&[], &[]),
        }
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
                (self.record(at).0.name.to_string(), taker)
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
            Some(at) => push_quoted(text, Name::Recorded(&self.record(at).0.name)),
            None => push_hex(text, task),
        }
    }

    /// The names of the first few that have not ended.
    fn push_names(&self, text: &mut String, tasks: &[u64]) {
        const SHOWN: usize = 3;
        let mut alive = tasks.iter().copied().filter(|task| self.places.get(*task).is_some());
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

/// Hands out what stands within a scope, the innermost first: the scopes in it with what is in them, and then
/// its own awaits; beginning with the whole task.
fn unfold<'a>(
    mut scopes: Vec<Scope<'a>>,
    mut waits: Vec<(u32, Sketch<'a>)>,
    mut take: impl FnMut(Sketch<'a>),
) {
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
                here.for_each(|(_, sketch)| take(sketch));
                if let Some(scope) = within.pop().flatten() {
                    take(scope.sketch);
                }
            }
        }
    }
    // Of a leaf that was moved out of a scope which is over.
    waits.into_iter().for_each(|(_, sketch)| take(sketch));
}
