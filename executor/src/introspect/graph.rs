//! The call graph: a task, those that wait for it, those that wait for them.
//!
//! ```text
//!   root ◄── awaited by ── sub 1 ◄──┐
//!     ▲───────────────────────────── main        each is in it once, however many ways lead there,
//!     └── awaited by ── sub 2 ◄──────┘           so a shared waiter, or a circle, costs nothing
//! ```

use super::capture::{Kind, Target, state_of};
use super::frame::{Frame, Place, TaskState};
use super::shared_str::SharedStr;
use super::text;
use crate::task::{TaskId, TaskRef};
use std::borrow::Cow;
use std::fmt;

/// Who waits for a task, or another thing, directly and through others. See
/// [`capture_call_graph`](super::capture_call_graph).
///
/// Its [`Display`](fmt::Display) is what [`format_call_graph`](super::format_call_graph) gives.
#[derive(Clone, Default)]
pub struct CallGraph {
    /// The first is the root.
    nodes: Vec<Node>,
}

#[derive(Clone)]
struct Node {
    subject: Subject,
    call_stack: Vec<Frame>,
    /// Indices of nodes.
    awaited_by: Vec<usize>,
}

/// What is awaited, or awaits.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A task.
    Task(TaskRef),
    /// A task of which there is no record any more.
    Gone(TaskId),
    /// Anything else that tasks wait for: only a root is such.
    Thing {
        /// What it is: `Mutex`, `Queue`.
        name: &'static str,
        /// What tells it from others of its kind: its address.
        number: u64,
    },
}

/// One task of a [`CallGraph`], or its root: with where it stands, and who awaits it.
#[derive(Clone, Copy)]
pub struct FutureCallGraph<'a> {
    graph: &'a CallGraph,
    index: usize,
}

impl CallGraph {
    /// The task that the graph was captured for.
    pub fn root(&self) -> FutureCallGraph<'_> {
        FutureCallGraph { graph: self, index: 0 }
    }

    /// All that is in it, the root first.
    pub fn iter(&self) -> impl Iterator<Item = FutureCallGraph<'_>> {
        (0..self.nodes.len()).map(|index| FutureCallGraph { graph: self, index })
    }

    /// Of each call stack, keeps so many frames: with a positive limit the outermost, with a negative one the innermost, with
    /// zero none.
    ///
    /// # asyncio
    ///
    /// The argument `limit` (CG-7).
    pub fn limited(mut self, limit: isize) -> CallGraph {
        for node in &mut self.nodes {
            let stack = &mut node.call_stack;
            let excess = stack.len().saturating_sub(limit.unsigned_abs());
            if limit < 0 {
                stack.truncate(stack.len() - excess);
            } else {
                stack.drain(..excess);
            }
        }
        self
    }

    /// Nothing is known of it.
    pub(super) fn alone(target: Target) -> CallGraph {
        let mut graph = CallGraph::default();
        let subject = match target.0 {
            Kind::Task(id) => Subject::Gone(id),
            Kind::Thing { name, numbers } => {
                Subject::Thing { name, number: numbers.first().copied().unwrap_or_default() }
            }
        };
        graph.push(subject, Vec::new());
        graph
    }

    pub(super) fn push(&mut self, subject: Subject, call_stack: Vec<Frame>) -> usize {
        self.nodes.push(Node { subject, call_stack, awaited_by: Vec::new() });
        self.nodes.len() - 1
    }

    pub(super) fn add_awaiter(&mut self, node: usize, awaiter: usize) {
        let awaited_by = &mut self.nodes[node].awaited_by;
        if !awaited_by.contains(&awaiter) {
            awaited_by.push(awaiter);
        }
    }
}

impl<'a> FutureCallGraph<'a> {
    fn node(self) -> &'a Node {
        &self.graph.nodes[self.index]
    }

    /// Its place in the graph: equal for two that are the same.
    pub fn index(self) -> usize {
        self.index
    }

    /// What it is.
    pub fn subject(self) -> &'a Subject {
        &self.node().subject
    }

    /// The task, if it is one that has a record.
    pub fn task(self) -> Option<&'a TaskRef> {
        match self.subject() {
            Subject::Task(task) => Some(task),
            Subject::Gone(_) | Subject::Thing { .. } => None,
        }
    }

    /// The task's name, or the name of the thing's type; empty for a task of which there is no record any more.
    pub fn name(self) -> Cow<'a, str> {
        match self.subject() {
            Subject::Task(task) => task.name(),
            Subject::Gone(_) => Cow::Borrowed(""),
            Subject::Thing { name, .. } => Cow::Borrowed(name),
        }
    }

    /// The name of the type of the task's future, without what the compiler adds; empty if it is no task.
    pub fn type_name(self) -> String {
        self.task().map(|task| SharedStr::of_type(task.type_name()).into()).unwrap_or_default()
    }

    /// Where the task was spawned.
    pub fn spawned_at(self) -> Option<Place> {
        self.task()?.spawned_at().map(Place::from)
    }

    /// What the task is doing now, that is, when this is asked.
    pub fn state(self) -> Option<TaskState> {
        self.task().map(|task| task.row().map_or(TaskState::Done, state_of))
    }

    /// Where it stands, the innermost first.
    ///
    /// For a task that does one thing at a time: the await, the scopes around it from the inside outwards, and the future
    /// that was spawned. If it does several things at once there are several awaits, each before the scopes that it is in.
    pub fn call_stack(self) -> &'a [Frame] {
        &self.node().call_stack
    }

    /// Who awaits it.
    pub fn awaited_by(self) -> impl Iterator<Item = FutureCallGraph<'a>> {
        self.node().awaited_by.iter().map(move |index| FutureCallGraph { graph: self.graph, index: *index })
    }
}

impl fmt::Display for CallGraph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::write(self, f)
    }
}

impl fmt::Debug for CallGraph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for FutureCallGraph<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FutureCallGraph")
            .field("index", &self.index)
            .field("subject", self.subject())
            .field("call_stack", &self.call_stack())
            .field("awaited_by", &self.node().awaited_by)
            .finish()
    }
}
