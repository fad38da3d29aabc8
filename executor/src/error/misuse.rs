//! [`RuntimeError`]: wrong use of the runtime, reported as a value.

use crate::introspect::Stuck;
use std::fmt;

/// Something was asked of the runtime that it cannot do. Nothing was changed by asking.
///
/// Where a mistake can be found by reading the code that made it, homing panics instead.
///
/// # asyncio
/// `RuntimeError`, and `asyncio.InvalidStateError`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RuntimeError {
    /// A task awaits itself, which would never end (TK-6).
    AwaitsItself {
        /// The name of the task.
        task: String,
    },
    /// The task belongs to another runtime (TK-7).
    OtherRuntime,
    /// A runtime is running on this thread already.
    NestedRuntime,
    /// No runtime is running on this thread.
    NoRuntime,
    /// No task is being polled on this thread.
    NoTask,
    /// A group or a timeout is entered only once (TG-2, TO-2).
    AlreadyEntered,
    /// The runtime has been dropped, and its tasks with it.
    RuntimeGone,
    /// The result has been taken already.
    AlreadyTaken,
    /// The runner has been closed (RU-7).
    RunnerClosed,
    /// Every task waits for something that can never happen. Found only by a runtime that
    /// [looks for that](crate::runtime::Builder::find_stuck).
    Deadlock(Box<Stuck>),
}

impl fmt::Display for RuntimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RuntimeError::AwaitsItself { task } => {
                write!(f, "task '{task}' awaits itself; await it from another task")
            }
            RuntimeError::OtherRuntime => {
                f.write_str("the task belongs to another runtime; await it there, or send its result over")
            }
            RuntimeError::NestedRuntime => f.write_str(
                "a runtime is running on this thread already; await the future instead of blocking on it",
            ),
            RuntimeError::NoRuntime => f.write_str(
                "no runtime is running on this thread; call this from inside `homing::run` or `block_on`",
            ),
            RuntimeError::NoTask => f.write_str(
                "no task is running here; call this from inside a task, not from a callback or from outside",
            ),
            RuntimeError::AlreadyEntered => {
                f.write_str("a group or timeout can be entered only once; make another one")
            }
            RuntimeError::RuntimeGone => f.write_str(
                "the runtime has been dropped, and its tasks with it; nothing can be awaited any more",
            ),
            RuntimeError::AlreadyTaken => {
                f.write_str("the result has been taken already; `share()` the task if several are to have it")
            }
            RuntimeError::RunnerClosed => {
                f.write_str("the runner is closed, and its tasks have come home; make another one")
            }
            RuntimeError::Deadlock(stuck) => stuck.fmt(f),
        }
    }
}

impl std::error::Error for RuntimeError {}
