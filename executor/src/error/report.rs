//! The full report: what `{:#}` and `Debug` print of an error.
//!
//! It reads as a Python traceback of an exception group does: the message, what is told about it, then the members
//! below, each with its own.
//!
//! ```text
//! sync (3 sub-exceptions)
//! │ in task 'nightly', spawned at src/main.rs:3:9
//! │ through group 'sync' at src/main.rs:12:5
//! ├─ user 7 not found
//! │    note: asked twice
//! │    caused by: connection reset by peer
//! │    in task 'user-7', spawned at src/main.rs:14:9
//! ├─ orders (2 sub-exceptions)
//! │  ├─ timed out after 2s (src/orders.rs:10:5)
//! │  └─ no paper
//! └─ cancelled: shutting down
//!    └─ displaced: disk full
//! ```

use super::cancelled::WithoutTask;
use super::chain::as_ours;
use super::{Cancelled, Error, ExceptionGroup};
use std::fmt;

/// How many branches of one node are drawn, and how many levels; both as in Python's `traceback`.
const BRANCHES_MAX: usize = 15;
const LEVELS_MAX: usize = 10;
/// How many errors are drawn in all: fifteen to the power of ten would still be too many.
const ERRORS_MAX: usize = 250;

/// Writes the report, without a line feed at its end.
pub(super) fn write(f: &mut fmt::Formatter<'_>, error: &Error) -> fmt::Result {
    Report { f, margin: String::new(), errors_left: ERRORS_MAX - 1 }.error("", error, 0)
}

struct Report<'f, 'a> {
    f: &'f mut fmt::Formatter<'a>,
    /// What stands to the left of the next line: the branches of the errors around it.
    margin: String,
    errors_left: usize,
}

/// An error below another one, and what it is to that one; nothing if it is a member of the group.
type Branch<'a> = (&'static str, &'a Error);

impl Report<'_, '_> {
    /// One error, from where its message begins. Calls itself for the errors below, `LEVELS_MAX` deep at most.
    fn error(&mut self, label: &str, error: &Error, level: usize) -> fmt::Result {
        let (sources, cause) = sources(error);
        let branches = branches(error, cause);
        let margin = self.margin.len();
        // What belongs to a node is written beside the line that leads to its branches, if it has any.
        self.margin.push_str(if branches.is_empty() { "" } else { "│ " });
        self.lines(&format!("{label}{}", headline(error)))?;
        self.margin.push_str(if branches.is_empty() { "  " } else { "" });
        self.story(error, &sources)?;
        self.margin.truncate(margin);

        let drawn =
            if level < LEVELS_MAX { branches.len().min(BRANCHES_MAX).min(self.errors_left) } else { 0 };
        self.errors_left -= drawn;
        let hidden = branches.len() - drawn;
        for (index, (label, error)) in branches.into_iter().take(drawn).enumerate() {
            let last = index + 1 == drawn && hidden == 0;
            self.line_feed()?;
            self.f.write_str(if last { "└─ " } else { "├─ " })?;
            self.margin.push_str(if last { "   " } else { "│  " });
            self.error(label, error, level + 1)?;
            self.margin.truncate(margin);
        }
        if hidden > 0 {
            self.line_feed()?;
            write!(self.f, "└─ … and {hidden} more")?;
        }
        Ok(())
    }

    /// What is told about the error beside its message, a line each.
    fn story(&mut self, error: &Error, sources: &[String]) -> fmt::Result {
        for note in error.notes() {
            self.item(&format!("note: {note}"))?;
        }
        for source in sources {
            self.item(&format!("caused by: {source}"))?;
        }
        if let Some(origin) = error.origin() {
            self.item(&format!("in {origin}"))?;
        }
        for scope in error.trail() {
            self.item(&format!("through {scope}"))?;
        }
        Ok(())
    }

    fn item(&mut self, text: &str) -> fmt::Result {
        self.line_feed()?;
        let margin = self.margin.len();
        self.margin.push_str("  ");
        self.lines(text)?;
        self.margin.truncate(margin);
        Ok(())
    }

    /// Text of several lines stays inside the margin.
    fn lines(&mut self, text: &str) -> fmt::Result {
        for (index, line) in text.split('\n').enumerate() {
            if index > 0 {
                self.line_feed()?;
            }
            self.f.write_str(line)?;
        }
        Ok(())
    }

    fn line_feed(&mut self) -> fmt::Result {
        write!(self.f, "\n{}", self.margin)
    }
}

/// The error's message, in one line.
fn headline(error: &Error) -> String {
    match error.downcast_ref::<Cancelled>() {
        Some(cancelled) => WithoutTask(cancelled).to_string(),
        None => error.as_std().to_string(),
    }
}

/// What lies behind the error: the messages, up to the first error with a story of its own, and that one.
fn sources(error: &Error) -> (Vec<String>, Option<&Error>) {
    let mut messages = Vec::new();
    if let Some(cause) = error.story().and_then(|story| story.cause.as_ref()) {
        return (messages, Some(cause));
    }
    let mut chain = error.chain();
    let mut before = chain.next().map(ToString::to_string);
    while let Some(link) = chain.next_unopened() {
        if let Some(ours) =
            as_ours(link).filter(|error| error.as_group().is_some() || error.story().is_some())
        {
            return (messages, Some(ours));
        }
        // Errors that pass on the message of their source would have it repeated, `io::Error` above all.
        let message = link.to_string();
        if before.as_ref() != Some(&message) {
            messages.push(message.clone());
        }
        before = Some(message);
    }
    (messages, None)
}

/// The errors to draw below this one. The members come last: a wide group is cut off, and the others must not be lost.
fn branches<'a>(error: &'a Error, cause: Option<&'a Error>) -> Vec<Branch<'a>> {
    let members = error.as_group().map_or(&[][..], ExceptionGroup::errors);
    let cause = cause.map(|cause| ("caused by: ", cause));
    let context = error.context_group().map(|group| ("while handling: ", group.as_error()));
    let displaced = error.displaced().map(|displaced| ("displaced: ", displaced));
    let members = members.iter().map(|member| ("", member));
    cause.into_iter().chain(context).chain(displaced).chain(members).collect()
}
