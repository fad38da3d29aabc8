//! What lists and trees are drawn of: tasks by their places, whoever has collected them.
//!
//! ```text
//!   RuntimeRecord ──► Picture ───┐             ┌──► columns   a line for each task and awaiter
//!                                ├──► Drawn ───┤
//!   TaskTable ──────► Entries ───┘             └──► tree      who awaits whom
//! ```
//!
//! Of a picture nothing is copied: its frames are made while they are drawn, and lent. With a hundred thousand tasks, to make
//! a table first takes several times as long as all the drawing.

use super::frame::{Frame, FrameKind, Place};
use super::held_by::HeldBy;
use super::ids::IdMap;
use super::picture::Detail;
use super::record::TaskName;
use super::shared_str::SharedStr;
use super::table::{AwaitedBy, TaskEntry, TaskTable};
use super::write::push_place;
use std::fmt;
use std::sync::Arc;

/// Tasks, each by its place among them.
pub(super) trait Drawn {
    /// How many there are.
    fn len(&self) -> usize;

    /// Who one is.
    fn task(&self, at: usize) -> Shown<'_>;

    /// Whether it shows at a glance that a task has the same thread, names of frames, and awaiters, of which there is at most
    /// one, as the one before it.
    fn is_like_before(&self, _at: usize) -> bool {
        false
    }

    /// Where a task is, by its id.
    fn find(&self, id: u64) -> Option<usize>;

    /// How many awaits of others there are for a task.
    fn await_count(&self, at: usize) -> usize;

    /// Whose one of them is.
    fn awaiter(&self, at: usize, number: usize) -> Awaiter;

    /// Adds the frames that lead there, the innermost first.
    fn path<'a>(&'a self, at: usize, number: usize, frames: &mut Vec<Sketch<'a>>);

    /// Hands out all frames of a task, the innermost first.
    fn stack<'a>(&'a self, at: usize, take: impl FnMut(Sketch<'a>));
}

/// A task.
#[derive(Clone, Copy)]
pub(super) struct Shown<'a> {
    pub(super) thread: u64,
    pub(super) id: u64,
    pub(super) name: Name<'a>,
}

/// What it is called.
#[derive(Clone, Copy)]
pub(super) enum Name<'a> {
    Text(&'a str),
    Recorded(&'a TaskName),
}

impl Name<'_> {
    pub(super) fn push_to(self, text: &mut String) {
        match self {
            Name::Text(name) => text.push_str(name),
            Name::Recorded(name) => name.push_to(text),
        }
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::Text(name) => name.fmt(f),
            Name::Recorded(name) => name.fmt(f),
        }
    }
}

/// A task that awaits another one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Awaiter {
    pub(super) id: u64,
    /// The same for two awaits of one awaiter only if the same frames lead there.
    pub(super) way: u64,
    /// Others can end the await as well as the awaited task.
    pub(super) one_of_several: bool,
}

/// A [`Frame`] that nobody has made yet.
#[derive(Clone, Copy)]
pub(super) struct Sketch<'a> {
    pub(super) kind: FrameKind,
    pub(super) name: &'a SharedStr,
    pub(super) detail: Detail<'a>,
    pub(super) place: Option<&'a Place>,
}

impl Sketch<'_> {
    /// Writes what the frame's `Display` does.
    pub(super) fn push_to(&self, text: &mut String) {
        self.push_all_but_place(text);
        if let Some(place) = self.place {
            text.push(' ');
            push_place(text, place);
        }
    }

    pub(super) fn push_all_but_place(&self, text: &mut String) {
        text.push_str(self.name);
        let before = text.len();
        text.push(' ');
        self.detail.push_to(text);
        if text.len() == before + 1 {
            text.truncate(before);
        }
    }

    pub(super) fn to_frame(self) -> Frame {
        let mut detail = String::new();
        self.detail.push_to(&mut detail);
        let held_by: Vec<HeldBy> = self.detail.held_by();
        Frame { kind: self.kind, name: self.name.clone(), detail, place: self.place.cloned(), held_by }
    }
}

impl<'a> From<&'a Frame> for Sketch<'a> {
    fn from(frame: &'a Frame) -> Sketch<'a> {
        let Frame { kind, name, place, .. } = frame;
        Sketch { kind: *kind, name, detail: Detail::Made(frame), place: place.as_ref() }
    }
}

/// The tasks of a table.
pub(super) struct Entries<'a> {
    tasks: Vec<(&'a TaskEntry, u64)>,
    places: IdMap<usize>,
}

impl<'a> Entries<'a> {
    pub(super) fn of(table: &'a TaskTable) -> Entries<'a> {
        let threads = table.threads.iter();
        let tasks: Vec<(&TaskEntry, u64)> =
            threads.flat_map(|thread| thread.tasks.iter().map(|task| (task, thread.thread))).collect();
        let places = tasks.iter().enumerate().map(|(at, (task, _))| (task.id, at)).collect();
        Entries { tasks, places }
    }

    fn by(&self, at: usize, number: usize) -> &'a AwaitedBy {
        &self.tasks[at].0.awaited_by[number]
    }
}

impl Drawn for Entries<'_> {
    fn len(&self) -> usize {
        self.tasks.len()
    }

    fn task(&self, at: usize) -> Shown<'_> {
        let (task, thread) = self.tasks[at];
        Shown { thread, id: task.id, name: Name::Text(task.shown_name()) }
    }

    fn find(&self, id: u64) -> Option<usize> {
        self.places.get(&id).copied()
    }

    fn await_count(&self, at: usize) -> usize {
        self.tasks[at].0.awaited_by.len()
    }

    fn awaiter(&self, at: usize, number: usize) -> Awaiter {
        let by = self.by(at, number);
        let (id, one_of_several) = (by.awaiter, by.one_of_several);
        Awaiter { id, way: Arc::as_ptr(&by.stack).addr() as u64, one_of_several }
    }

    fn path<'a>(&'a self, at: usize, number: usize, frames: &mut Vec<Sketch<'a>>) {
        frames.extend(self.by(at, number).stack.iter().map(Sketch::from));
    }

    fn stack<'a>(&'a self, at: usize, take: impl FnMut(Sketch<'a>)) {
        self.tasks[at].0.stack.iter().map(Sketch::from).for_each(take);
    }
}
