//! Why a task was cancelled: one request, and who made it.

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;
use std::time::Duration;

/// One link in the chain of causes of a [`Cancelled`](super::Cancelled): somebody asked, perhaps with a reason, somewhere.
///
/// # asyncio
/// The `msg` argument of `cancel()`; who asked and where is not recorded there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cause {
    /// The reason that was given.
    pub reason: Option<Cow<'static, str>>,
    /// Who asked.
    pub by: Asker,
    /// Where the program asked, or where it entered the scope that asked.
    pub at: Option<&'static Location<'static>>,
}

/// Who asked for a cancellation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Asker {
    /// Nobody said.
    #[default]
    Unknown,
    /// Another task, or the task itself.
    Task {
        /// Its name.
        name: Cow<'static, str>,
    },
    /// A group that is shutting down.
    Group {
        /// Its name, if it was given one.
        name: Option<Cow<'static, str>>,
    },
    /// A timeout that expired.
    Timeout {
        /// How long it had waited; `None` if it was set to a point in time.
        after: Option<Duration>,
    },
    /// The runtime, which is shutting down.
    Runtime,
    /// The user, with Ctrl-C.
    Interrupt,
    /// Code that is no task of this runtime: its host, a callback, another thread.
    Foreign,
}

impl Cause {
    /// Somebody asked, without saying more.
    pub fn by(asker: Asker) -> Self {
        Cause { by: asker, ..Cause::default() }
    }

    /// Somebody asked at `place`, without saying more.
    pub fn at(place: &'static Location<'static>) -> Self {
        Cause { at: Some(place), ..Cause::default() }
    }

    /// The same with a reason. One that it has already stays and this one is let go; use a second cause.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<Cow<'static, str>>) -> Self {
        self.reason.get_or_insert_with(|| reason.into());
        self
    }

    /// The same with a place. One that it has already stays.
    #[must_use]
    pub fn with_place(mut self, place: &'static Location<'static>) -> Self {
        self.at.get_or_insert(place);
        self
    }
}

/// Reads `timeout 2s at src/main.rs:10:5`, `task 'main': shutting down`, or just `shutting down`.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.by != Asker::Unknown;
        if known {
            write!(f, "{}", self.by)?;
        }
        if let Some(place) = self.at {
            write!(f, "{}at {place}", if known { " " } else { "" })?;
        }
        if let Some(reason) = &self.reason {
            write!(f, "{}{reason}", if known || self.at.is_some() { ": " } else { "" })?;
        }
        Ok(())
    }
}

/// Reads `task 'main'`, `group 'fetch'`, `timeout 2s`, …
impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Asker::Unknown => f.write_str("somebody"),
            Asker::Task { name } => write!(f, "task '{name}'"),
            Asker::Group { name: Some(name) } => write!(f, "group '{name}'"),
            Asker::Group { name: None } => f.write_str("group"),
            Asker::Timeout { after: Some(after) } => write!(f, "timeout {after:?}"),
            Asker::Timeout { after: None } => f.write_str("timeout"),
            Asker::Runtime => f.write_str("runtime"),
            Asker::Interrupt => f.write_str("interrupt"),
            Asker::Foreign => f.write_str("foreign code"),
        }
    }
}
