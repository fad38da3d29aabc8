//! Records: what a row and its extras say, as plain data, wherever they were read.
//!
//! ```text
//!   this process: capture ──┐
//!                           ├──► RuntimeRecord ──► TaskTable: frames, and who awaits whom
//!   another one: a reader ──┘     └ TaskRecord
//!                                    ├ WaitRecord   what it awaits, and in which scope
//!                                    │  └ LockRecord   who holds it, if it is a lock
//!                                    └ ScopeRecord  what is around that
//! ```

use super::few::Few;
use super::frame::{Place, TaskState};
use super::shared_str::SharedStr;
use super::write::push_decimal;
use crate::holders::Hold;
use std::fmt;
use std::sync::Arc;

/// One runtime.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuntimeRecord {
    /// The operating system's number for its thread; 0 if that is not known.
    pub thread: u64,
    /// The thread's name; empty if that is not known.
    pub thread_name: String,
    /// What its clock says, in nanoseconds.
    pub now: u64,
    /// Its tasks that have not ended.
    pub tasks: Vec<TaskRecord>,
}

/// One task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskRecord {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: TaskName,
    /// What it is doing.
    pub state: TaskState,
    /// The name of its future's type, [as people call it](SharedStr::of_type); empty if it is not known.
    pub type_name: SharedStr,
    /// Where it was spawned.
    pub spawned_at: Option<Place>,
    /// How often it was polled.
    pub polls: u32,
    /// How many requests to cancel there are that were not taken back.
    pub cancelling: u32,
    /// The task that has spawned it, or in whose group it is; 0 for none.
    pub parent: u64,
    /// The scope of the parent's that waits for it from its spawn to its end, if there is one; 0 for the whole task.
    pub group: Option<u32>,
    /// Being polled, it is here.
    pub running: Option<Box<Running>>,
    /// Where it stands.
    pub waits: Few<WaitRecord>,
    /// How many leaves stand beside those, and are only counted.
    pub more: u32,
    /// Asked to cancel, and waiting for its turn: what it waited for has made room for that.
    pub is_asked: bool,
    /// The scopes that it is in, in any order.
    pub scopes: Vec<ScopeRecord>,
    /// It has changed each time that it was read: what is said here may not belong together.
    pub changing: bool,
}

/// What a task is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskName {
    /// As it was told.
    Given(Box<str>),
    /// By its running number: `Task-7`.
    Number(u32),
}

impl TaskName {
    pub(super) fn push_to(&self, text: &mut String) {
        match self {
            TaskName::Given(name) => text.push_str(name),
            TaskName::Number(number) => {
                text.push_str("Task-");
                push_decimal(text, u64::from(*number));
            }
        }
    }
}

impl Default for TaskName {
    fn default() -> Self {
        TaskName::Given(Box::default())
    }
}

impl From<String> for TaskName {
    fn from(name: String) -> Self {
        TaskName::Given(name.into())
    }
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TaskName::Given(name) => f.pad(name),
            TaskName::Number(number) => write!(f, "Task-{number}"),
        }
    }
}

/// What is known of a task that is being polled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Running {
    /// What there is to say: on which thread, for how long. May be empty.
    pub detail: String,
    /// Where it looks at itself, if it does.
    pub place: Option<Place>,
}

/// A parked leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitRecord {
    /// What is awaited, in a word: `timer`.
    pub name: SharedStr,
    /// What of that.
    pub what: What,
    /// The scope in which it stands; 0 for none.
    pub scope: u32,
    /// Where.
    pub place: Option<Place>,
}

/// What a leaf waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// There is nothing more to say.
    Plain,
    /// The end of a task.
    Task(u64),
    /// The end of several, some of which may have ended.
    Tasks(Box<[u64]>),
    /// A deadline, by the runtime's clock.
    Deadline(u64),
    /// A descriptor.
    Descriptor(u64),
    /// So many to have ended.
    Left(u64),
    /// A number.
    Number(u64),
    /// A thing, by its address.
    Thing(u64),
    /// A lock, or permits of a semaphore, of which it is known who holds them.
    Lock(Arc<LockRecord>),
}

/// A lock, with who holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockRecord {
    /// What tells it from others of its kind.
    pub number: u64,
    /// Some of those who hold it, or for whom it is kept.
    pub holders: Vec<HolderRecord>,
    /// How many permits there are that others hold.
    pub more: u64,
}

/// One of those who hold a lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HolderRecord {
    /// The task that took it; 0, if it was taken outside of tasks.
    pub task: u64,
    /// What is known of a task of which there is no record.
    pub elsewhere: Elsewhere,
    /// Where it was taken; if it is kept, where it is awaited.
    pub place: Option<Place>,
    /// How many permits; 0 where there are none to be counted.
    pub permits: u32,
    /// How it is held.
    pub hold: Hold,
}

/// A task of which there is no record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Elsewhere {
    /// It has ended.
    #[default]
    Ended,
    /// It has ended, but its name is still known.
    EndedAs(String),
    /// It is another runtime's.
    OtherRuntime,
}

/// A scope: a group, a timeout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeRecord {
    /// Its number in the task.
    pub id: u32,
    /// The scope around it; 0 for none.
    pub parent: u32,
    /// What it is: `group`.
    pub kind: SharedStr,
    /// Its name, if it was given one.
    pub name: Option<String>,
    /// Where it was entered.
    pub place: Option<Place>,
    /// When its time is over, by the runtime's clock.
    pub deadline: Option<u64>,
    /// It was not polled when its task was last polled: so perhaps nobody awaits it any more.
    pub was_passed_by: bool,
}
