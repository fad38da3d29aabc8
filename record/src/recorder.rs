//! The recorder: an observer that notes down what it is told.
//!
//! Each task has the stretch that it is in, open at its end. What it is told next closes that one and opens another:
//!
//! | told            | ends               | begins                 |
//! |-----------------|--------------------|------------------------|
//! | spawned         |                    | in line                |
//! | poll started    | whatever it was    | poll                   |
//! | poll ended      | poll               | in line, if it has not ended |
//! | parked          |                    | … which turns out to be a wait |
//! | woken           | wait               | in line                |
//! | done            | whatever it was    |                        |

use crate::layout;
use crate::strings::Text;
use crate::timeline::{Arrow, Block, Doing, Ended, Lane, Reason, Segment, TimeLine, Unit};
use crate::{chrome, drawing, page};
use homing_executor::cancel::{Awaiting, ScopeId};
use homing_executor::error::Asker;
use homing_executor::observe::{CancelRequest, Observer, PollEnd, ScopeEntered, Spawned, Wait, WokenBy};
use homing_executor::runtime::Builder;
use homing_executor::task::{Outcome, TaskId, TaskRef};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Recording, for a runtime that is being built.
pub trait Record {
    /// Records what the tasks of the runtime do, and writes it to this file when the runtime is dropped: a page, a drawing, or a
    /// trace for Perfetto, as the file's name ends in `.html`, `.svg`, or anything else (such as `.json`).
    ///
    /// What cannot be written is printed to the standard error, with the reason: the program itself has not failed.
    ///
    /// ```no_run
    /// use homing::record::Record;
    ///
    /// let runtime = homing::Builder::new().record("trace.html").build();
    /// ```
    fn record(self, path: impl Into<PathBuf>) -> Self;
}

impl Record for Builder {
    fn record(self, path: impl Into<PathBuf>) -> Builder {
        self.observe(Recorder::new(path))
    }
}

/// An [`Observer`] that records what the tasks of one runtime do. [`Record::record`] makes one; by itself it has options:
///
/// ```no_run
/// use homing::record::{Format, Recorder};
///
/// let recorder = Recorder::new("trace").format(Format::Page).limit(10_000_000);
/// let runtime = homing::Builder::new().observe(recorder).build();
/// ```
pub struct Recorder {
    path: PathBuf,
    format: Format,
    limit: u64,
    began: Instant,
    notes: RefCell<Notes>,
}

/// What a recording is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// Chrome's trace format: opens in <https://ui.perfetto.dev> and `chrome://tracing`.
    Perfetto,
    /// One HTML page that needs nothing else.
    Page,
    /// An SVG drawing of everything at once: for small programs.
    Drawing,
}

impl Format {
    /// As the name of a file says.
    fn of(path: &Path) -> Format {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("html" | "htm") => Format::Page,
            Some("svg") => Format::Drawing,
            _ => Format::Perfetto,
        }
    }
}

/// Events that are recorded if it is not told otherwise: some hundred megabytes.
const LIMIT: u64 = 1_000_000;

/// What has been noted down so far.
#[derive(Default)]
struct Notes {
    line: TimeLine,
    /// Events so far, also those that were left out; in [steps](Recorder::steps), the time.
    events: u64,
    lanes: HashMap<TaskId, usize>,
    /// For each lane.
    open: Vec<Open>,
    blocks: HashMap<ScopeId, usize>,
}

/// What a task is at.
#[derive(Clone, Copy, Default)]
struct Open {
    /// `None` once it is clear that there is nothing to come.
    stretch: Option<Stretch>,
    /// Who has brought about its next poll, and when.
    arrow: Option<(Reason, usize, u64)>,
}

/// Something that it is doing.
#[derive(Clone, Copy)]
struct Stretch {
    kind: Doing,
    from: u64,
    what: Option<Text>,
    place: Option<Text>,
}

impl Stretch {
    fn new(kind: Doing, from: u64) -> Stretch {
        Stretch { kind, from, what: None, place: None }
    }
}

impl Recorder {
    /// One that writes to this file, in the format that its name ends in: see [`Record::record`].
    pub fn new(path: impl Into<PathBuf>) -> Recorder {
        let path = path.into();
        let format = Format::of(&path);
        Recorder { path, format, limit: LIMIT, began: Instant::now(), notes: RefCell::default() }
    }

    /// Writes this format, whatever the file's name.
    pub fn format(mut self, format: Format) -> Recorder {
        self.format = format;
        self
    }

    /// How many events are recorded at most. Later ones are counted, and their number is told.
    pub fn limit(mut self, events: u64) -> Recorder {
        self.limit = events;
        self
    }

    /// Counts events in place of time: each lasts one step. For drawings that explain, and of programs in virtual time, in
    /// which nothing takes any.
    pub fn steps(self) -> Recorder {
        self.notes.borrow_mut().line.unit = Unit::Steps;
        self
    }

    /// Notes down one event, unless there have been too many.
    fn note(&self, at: Option<Instant>, note: impl FnOnce(&mut Notes, u64)) {
        let mut notes = self.notes.borrow_mut();
        notes.events += 1;
        if notes.events > self.limit {
            notes.line.left_out += 1;
            return;
        }
        let at = match notes.line.unit {
            Unit::Steps => notes.events,
            Unit::Nanoseconds => {
                at.unwrap_or_else(Instant::now).saturating_duration_since(self.began).as_nanos() as u64
            }
        };
        notes.line.end = notes.line.end.max(at);
        note(&mut notes, at);
    }

    fn write(&self) -> io::Result<()> {
        let notes = self.notes.take();
        let line = layout::arrange(notes.finished());
        let text = match self.format {
            Format::Perfetto => chrome::write(&line),
            Format::Page => page::write(&line),
            Format::Drawing => drawing::write(&line),
        };
        std::fs::write(&self.path, text)
    }
}

impl Notes {
    fn lane(&self, task: &TaskRef) -> Option<usize> {
        self.lanes.get(&task.id()).copied()
    }

    fn place(&mut self, place: Option<&'static Location<'static>>) -> Option<Text> {
        place.map(|place| self.line.strings.number(&place.to_string()))
    }

    /// Ends what a task was doing, and begins something else.
    fn turn_to(&mut self, lane: usize, at: u64, kind: Doing) {
        self.end_stretch(lane, at);
        self.open[lane].stretch = Some(Stretch::new(kind, at));
    }

    fn end_stretch(&mut self, lane: usize, at: u64) {
        if let Some(Stretch { kind, from, what, place }) = self.open[lane].stretch.take()
            && at > from
        {
            self.line.lanes[lane].segments.push(Segment { kind, from, to: at, what, place });
        }
    }

    fn arrow(&mut self, kind: Reason, lane: usize, at: u64, to_lane: usize, to: u64) {
        self.line.arrows.push(Arrow { kind, lane, at, to_lane, to });
    }

    /// What the task stands at, and where, in words.
    fn describe(&mut self, waits: &[Wait]) -> (Option<Text>, Option<Text>) {
        let names: Vec<String> = waits.iter().map(|wait| self.name(wait.awaiting)).collect();
        let what = if names.is_empty() { "a future of another library".to_owned() } else { names.join(", ") };
        let place = waits.first().and_then(|wait| wait.place);
        (Some(self.line.strings.number(&what)), self.place(place))
    }

    fn name(&self, awaiting: Awaiting) -> String {
        let word = match awaiting {
            Awaiting::Task(task) => {
                let lane = self.lanes.get(&task).map(|lane| &self.line.lanes[*lane]);
                return lane.map_or_else(|| "a task".to_owned(), |lane| format!("task '{}'", lane.name));
            }
            // Of a source without a descriptor, which has the number -1.
            Awaiting::Readable(u64::MAX) => "a source to be readable",
            Awaiting::Writable(u64::MAX) => "a source to be writable",
            Awaiting::Readable(descriptor) => return format!("descriptor {descriptor} to be readable"),
            Awaiting::Writable(descriptor) => return format!("descriptor {descriptor} to be writable"),
            Awaiting::Children(1) => return "1 child".to_owned(),
            Awaiting::Children(left) => return format!("{left} children"),
            Awaiting::Timer(_) => "a timer",
            Awaiting::Turn => "its next turn",
            Awaiting::Foreign => "a future of another library",
            Awaiting::Mutex(_) => "a mutex",
            Awaiting::Semaphore(_) => "a semaphore",
            Awaiting::Event(_) => "an event",
            Awaiting::Condition(_) => "a condition",
            Awaiting::Barrier(_) => "a barrier",
            Awaiting::Queue(_) => "a queue",
            Awaiting::Channel(_) => "a channel",
            Awaiting::Oneshot(_) => "a oneshot",
            Awaiting::Job(_) => "a job on a thread",
            Awaiting::Signal(_) => "a signal",
            Awaiting::Process(_) => "a process",
            _ => "something",
        };
        word.to_owned()
    }

    /// What was going on when the recording ended is drawn up to there.
    fn finished(mut self) -> TimeLine {
        let end = self.line.end;
        for lane in 0..self.open.len() {
            if self.line.lanes[lane].to.is_none() {
                self.end_stretch(lane, end);
            }
        }
        for block in &mut self.line.blocks {
            block.to = block.to.min(end);
        }
        self.line
    }
}

impl Observer for Recorder {
    fn spawned(&self, task: &TaskRef, spawned: &Spawned) {
        self.note(None, |notes, at| {
            let index = notes.line.lanes.len();
            let spawner = task.parent().and_then(|parent| notes.lane(&parent));
            let group = spawned.group.and_then(|group| notes.blocks.get(&group).copied());
            let type_name = notes.line.strings.number(task.type_name());
            let place = notes.place(task.spawned_at());
            notes.line.lanes.push(Lane {
                id: task.id().to_string(),
                name: task.name().into_owned(),
                type_name,
                place,
                parent: group.map(|block| notes.line.blocks[block].lane).or(spawner),
                group,
                depth: 0,
                from: at,
                to: None,
                outcome: Ended::NotYet,
                error: None,
                segments: Vec::new(),
                requests: Vec::new(),
            });
            let arrow = homing_executor::task::current()
                .and_then(|spawner| notes.lane(&spawner))
                .map(|spawner| (Reason::Spawn, spawner, at));
            notes.open.push(Open { stretch: Some(Stretch::new(Doing::Ready, at)), arrow });
            notes.lanes.insert(task.id(), index);
        });
    }

    fn poll_started(&self, task: &TaskRef, at: Instant) {
        self.note(Some(at), |notes, at| {
            let Some(lane) = notes.lane(task) else { return };
            notes.turn_to(lane, at, Doing::Poll);
            if let Some((kind, from, since)) = notes.open[lane].arrow.take() {
                notes.arrow(kind, from, since, lane, at);
            }
        });
    }

    fn poll_ended(&self, task: &TaskRef, poll: &PollEnd) {
        self.note(Some(poll.ended), |notes, at| {
            let Some(lane) = notes.lane(task) else { return };
            if poll.ready {
                notes.end_stretch(lane, at);
            } else {
                // Unless it is told what it waits for.
                notes.turn_to(lane, at, Doing::Ready);
            }
        });
    }

    fn parked(&self, task: &TaskRef, waits: &[Wait]) {
        self.note(None, |notes, _| {
            let Some(lane) = notes.lane(task) else { return };
            let (what, place) = notes.describe(waits);
            // From the end of the poll on.
            if let Some(stretch) = &mut notes.open[lane].stretch {
                *stretch = Stretch { kind: Doing::Wait, what, place, ..*stretch };
            }
        });
    }

    fn woken(&self, task: &TaskRef, by: &WokenBy) {
        self.note(None, |notes, at| {
            let Some(lane) = notes.lane(task) else { return };
            if notes.open[lane].stretch.is_some_and(|stretch| stretch.kind == Doing::Wait) {
                notes.turn_to(lane, at, Doing::Ready);
            }
            if let WokenBy::Task(waker) | WokenBy::EndOf(waker) = by
                && let Some(waker) = notes.lane(waker).filter(|waker| *waker != lane)
            {
                notes.open[lane].arrow = Some((Reason::Wake, waker, at));
            }
        });
    }

    fn cancel_requested(&self, task: &TaskRef, request: &CancelRequest<'_>) {
        self.note(None, |notes, at| {
            let Some(lane) = notes.lane(task) else { return };
            let why = notes.line.strings.number(&request.why.to_string());
            notes.line.lanes[lane].requests.push((at, why));
            // A group asks from within a callback of its own, and for the task that it belongs to.
            let of_group = || request.why.causes().any(|cause| matches!(cause.by, Asker::Group { .. }));
            let by = match &request.by {
                Some(task) => notes.lane(task),
                None if of_group() => notes.line.lanes[lane].group.map(|block| notes.line.blocks[block].lane),
                None => None,
            };
            if let Some(by) = by.filter(|by| *by != lane) {
                notes.arrow(Reason::Cancel, by, at, lane, at);
            }
        });
    }

    fn scope_entered(&self, task: &TaskRef, scope: &ScopeEntered<'_>) {
        self.note(None, |notes, at| {
            let Some(lane) = notes.lane(task) else { return };
            let (kind, name) = match scope.note {
                Some(note) => (note.kind, note.name.as_deref()),
                None => ("scope", None),
            };
            let parent = scope.parent.and_then(|parent| notes.blocks.get(&parent).copied());
            let block = Block {
                lane,
                last: lane,
                parent,
                kind: notes.line.strings.number(kind),
                name: name.map(|name| notes.line.strings.number(name)),
                place: notes.place(scope.note.map(|note| note.place)),
                from: at,
                to: u64::MAX,
            };
            notes.blocks.insert(scope.scope, notes.line.blocks.len());
            notes.line.blocks.push(block);
        });
    }

    fn scope_left(&self, _: &TaskRef, scope: ScopeId) {
        self.note(None, |notes, at| {
            if let Some(block) = notes.blocks.remove(&scope) {
                notes.line.blocks[block].to = at;
            }
        });
    }

    fn done(&self, task: &TaskRef, outcome: Outcome<'_>) {
        self.note(None, |notes, at| {
            let Some(lane) = notes.lane(task) else { return };
            notes.end_stretch(lane, at);
            let (outcome, error) = match outcome {
                Outcome::Value => (Ended::Value, None),
                Outcome::Failed(error) => (Ended::Failed, Some(error)),
                Outcome::Cancelled(error) => (Ended::Cancelled, Some(error)),
            };
            let error = error.map(|error| notes.line.strings.number(&error.to_string()));
            let name = task.name().into_owned();
            let ended = &mut notes.line.lanes[lane];
            (ended.to, ended.outcome, ended.error, ended.name) = (Some(at), outcome, error, name);
        });
    }

    fn slept(&self, from: Instant, until: Instant) {
        let began = from.saturating_duration_since(self.began).as_nanos() as u64;
        self.note(Some(until), |notes, at| {
            if notes.line.unit == Unit::Nanoseconds {
                notes.line.sleeps.push((began, at));
            }
        });
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if let Err(error) = self.write() {
            eprintln!("homing: the recording could not be written to {}: {error}", self.path.display());
        }
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events = self.notes.borrow().events;
        f.debug_struct("Recorder").field("path", &self.path).field("events", &events).finish_non_exhaustive()
    }
}
