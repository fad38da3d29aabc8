//! [`LocalError`]: there is no value, or no place for one.

use std::fmt;
use std::panic::Location;

/// A [`TaskLocal`](super::TaskLocal) has no value here.
///
/// # asyncio
///
/// The `LookupError` of `ContextVar.get()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalError {
    /// It is not set in this task, and has no default.
    Unset {
        /// Where the key is declared.
        declared: &'static Location<'static>,
    },
    /// No task is running here, so there is nothing that it could be set in.
    OutsideOfTask {
        /// Where the key is declared.
        declared: &'static Location<'static>,
    },
}

impl fmt::Display for LocalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LocalError::Unset { declared } => write!(
                f,
                "the task-local declared at {declared} is not set in this task, and has no default; set it, or run \
                 this in its `scope`"
            ),
            LocalError::OutsideOfTask { declared } => write!(
                f,
                "the task-local declared at {declared} was used where no task is running; use it in a task, or in \
                 `Context::run`"
            ),
        }
    }
}

impl std::error::Error for LocalError {}
