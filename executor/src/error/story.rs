//! The story: what is told about an error beside the error itself.
//!
//! A Python exception carries its traceback. An error of homing carries what takes its place: the task it came from
//! and where that was spawned, and the scopes it passed on its way out, innermost first. Beside these it keeps notes,
//! and other errors that would otherwise be lost.
//!
//! ```text
//! origin      task 'fetch', spawned at src/main.rs:12:9
//! trail       timeout at src/main.rs:30:5, then group 'pages' at src/main.rs:10:1
//! notes       "third attempt"
//! displaced   errors that were ready when a cancellation took their place (KQ-13)
//! cause       of a group: the error it was raised from (for other errors that is their own `source()`)
//! context     the group that was being handled when this error arose (EG-22)
//! ```

use super::{Error, ExceptionGroup};
use std::borrow::Cow;
use std::fmt;
use std::panic::Location;

/// The task that an error came from.
///
/// The runtime attaches it when a task ends in an error; see [`Error::with_origin`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The name the task had when it ended.
    pub task: Option<Cow<'static, str>>,
    /// Where it was spawned.
    pub spawned_at: Option<&'static Location<'static>>,
}

/// Reads `task 'fetch', spawned at src/main.rs:12:9`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.task {
            Some(name) => write!(f, "task '{name}'")?,
            None => f.write_str("a task")?,
        }
        match self.spawned_at {
            Some(place) => write!(f, ", spawned at {place}"),
            None => Ok(()),
        }
    }
}

/// One scope that an error went through: a group, a timeout, whatever waits for others and passes their errors on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeNote {
    /// What kind of scope: `"group"`, `"timeout"`, …
    pub kind: &'static str,
    /// Its name, if it was given one.
    pub name: Option<Cow<'static, str>>,
    /// Where the program entered it.
    pub place: &'static Location<'static>,
}

/// Reads `group 'pages' at src/main.rs:10:1`.
impl fmt::Display for ScopeNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{} '{name}' at {}", self.kind, self.place),
            None => write!(f, "{} at {}", self.kind, self.place),
        }
    }
}

/// See the [module](self).
#[derive(Clone, Default)]
pub(super) struct Story {
    pub(super) origin: Option<Origin>,
    pub(super) trail: Vec<ScopeNote>,
    pub(super) notes: Vec<Cow<'static, str>>,
    pub(super) displaced: Vec<Error>,
    pub(super) cause: Option<Error>,
    pub(super) context: Option<ExceptionGroup>,
}

impl Story {
    /// Every error in here, moved out; see [`Body`](super::body::Body)'s destructor.
    pub(super) fn release_errors(&mut self, orphans: &mut Vec<Error>) {
        orphans.append(&mut self.displaced);
        orphans.extend(self.cause.take());
        orphans.extend(self.context.take().map(ExceptionGroup::into_error));
    }
}

/// The story. Whatever is added is added for this holder only: other clones of the error do not change.
impl Error {
    /// The task it came from, if it came out of one.
    ///
    /// # asyncio
    /// No counterpart: a traceback names functions, not tasks.
    pub fn origin(&self) -> Option<&Origin> {
        let told = self.story().and_then(|story| story.origin.as_ref());
        // A panic knows its task from the start.
        told.or_else(|| self.downcast_ref::<super::Panicked>()?.origin())
    }

    /// The name of the task it came from.
    pub fn task_name(&self) -> Option<&str> {
        self.origin()?.task.as_deref()
    }

    /// Says which task it came from, unless that is known already: the first origin is the true one, since whoever
    /// awaits the task only passes its error on.
    #[must_use]
    pub fn with_origin(mut self, origin: Origin) -> Self {
        if self.origin().is_none() {
            self.edit_story(|story| story.origin = Some(origin));
        }
        self
    }

    /// The scopes it went through, innermost first.
    pub fn trail(&self) -> impl Iterator<Item = &ScopeNote> {
        self.story().into_iter().flat_map(|story| &story.trail)
    }

    /// Adds the scope that it goes through now.
    #[must_use]
    pub fn with_scope(mut self, scope: ScopeNote) -> Self {
        self.edit_story(|story| story.trail.push(scope));
        self
    }

    /// The notes, in the order in which they were added.
    pub fn notes(&self) -> impl Iterator<Item = &str> {
        self.story().into_iter().flat_map(|story| &story.notes).map(Cow::as_ref)
    }

    /// Adds a note, to be shown with the full report.
    ///
    /// # asyncio
    /// `BaseException.add_note` (PEP 678).
    ///
    /// ```
    /// use homing::Error;
    ///
    /// let error = Error::msg("connection refused").with_note("the third attempt");
    /// assert_eq!(error.to_string(), "connection refused");
    /// assert_eq!(format!("{error:#}"), "connection refused\n  note: the third attempt");
    /// ```
    #[must_use]
    pub fn with_note(mut self, note: impl Into<Cow<'static, str>>) -> Self {
        self.edit_story(|story| story.notes.push(note.into()));
        self
    }

    /// The errors whose place this one took.
    pub fn displaced(&self) -> impl Iterator<Item = &Error> {
        self.story().into_iter().flat_map(|story| &story.displaced)
    }

    /// Keeps beside this error, mostly a cancellation, another one that was ready to be raised when this one came in
    /// its place (KQ-13).
    ///
    /// # asyncio
    /// The displaced error is silently lost.
    #[must_use]
    pub fn with_displaced(mut self, displaced: Error) -> Self {
        self.edit_story(|story| story.displaced.push(displaced));
        self
    }

    /// The group that was being handled when this error arose: what an [`except`](crate::error::Except) clause had
    /// been given when it failed (EG-22).
    ///
    /// # asyncio
    /// `__context__`, of which homing keeps this part only. An explicit cause (`raise … from …`) is the
    /// [`source`](Error::source).
    pub fn context_group(&self) -> Option<&ExceptionGroup> {
        self.story()?.context.as_ref()
    }

    /// Says what was being handled, unless that is known already: the innermost is the true one.
    pub(super) fn with_context(mut self, handled: ExceptionGroup) -> Self {
        if self.context_group().is_none() {
            self.edit_story(|story| story.context = Some(handled));
        }
        self
    }
}
