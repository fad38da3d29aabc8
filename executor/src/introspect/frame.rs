//! Frames: the places at which a task is known to stand, from the `.await` outwards.
//!
//! ```text
//!   running   src/page.rs:40    only of the task that looks: the place of the call
//!   await     src/page.rs:31    timer, due in 2s
//!   scope     src/page.rs:12    group 'pages', timeout
//!   spawn     src/main.rs:9     app::fetch_page: the task's own, and where it was spawned
//! ```
//!
//! All is plain data, so that it can be filled in from a row as well as from what was read out of another process.

use super::held_by::HeldBy;
use super::shared_str::SharedStr;
use std::fmt;
use std::panic::Location;

/// One entry of a task's call stack.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    /// What kind of entry it is.
    pub kind: FrameKind,
    /// What stands there, in a word: `timer`, `group`, `app::fetch_page`.
    pub name: SharedStr,
    /// What else there is to say: `due in 2s`, `'pages'`. May be empty.
    pub detail: String,
    /// Where, if that is known.
    pub place: Option<Place>,
    /// At a lock, who holds it, as far as that is known. (The detail says so, too.)
    pub held_by: Vec<HeldBy>,
}

/// What a [`Frame`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FrameKind {
    /// The task is being polled, and looks at itself.
    Running,
    /// An await at which it is suspended. There are several if the task does several things at once.
    Await,
    /// A scope around that: a group, a timeout.
    Scope,
    /// The future that the task was spawned with. The place is that of the spawn.
    Spawn,
    /// A function, as other systems have it.
    Function,
}

/// A place in the source.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The file, as the compiler was given it.
    pub file: SharedStr,
    /// Beginning with 1.
    pub line: u32,
    /// Beginning with 1; 0 if it is not known.
    pub column: u32,
}

/// What a task is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskState {
    /// Spawned, and held back until somebody lets it begin: in line for a group's limit.
    Held,
    /// Spawned, and not polled yet.
    Created,
    /// Woken, and waiting for its turn.
    Ready,
    /// Being polled.
    Running,
    /// Waiting.
    #[default]
    Parked,
    /// Over.
    Done,
}

impl Frame {
    /// A function's frame, for data from elsewhere; without a place.
    pub fn function(name: impl Into<SharedStr>) -> Frame {
        let name = name.into();
        Frame { kind: FrameKind::Function, name, detail: String::new(), place: None, held_by: Vec::new() }
    }

    /// The same, in this place.
    pub fn at(mut self, file: impl Into<SharedStr>, line: u32) -> Frame {
        self.place = Some(Place { file: file.into(), line, column: 0 });
        self
    }
}

/// The name, the detail if there is any, and the place: `timer due in 2s src/page.rs:31:9`.
impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if !self.detail.is_empty() {
            write!(f, " {}", self.detail)?;
        }
        match &self.place {
            Some(place) => write!(f, " {place}"),
            None => Ok(()),
        }
    }
}

impl From<&Location<'_>> for Place {
    fn from(location: &Location<'_>) -> Place {
        Place { file: location.file().into(), line: location.line(), column: location.column() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column {
            0 => write!(f, "{}:{}", self.file, self.line),
            column => write!(f, "{}:{}:{column}", self.file, self.line),
        }
    }
}

impl TaskState {
    /// The state in a word: `parked`.
    pub fn as_str(self) -> &'static str {
        match self {
            TaskState::Held => "held",
            TaskState::Created => "created",
            TaskState::Ready => "ready",
            TaskState::Running => "running",
            TaskState::Parked => "parked",
            TaskState::Done => "done",
        }
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
