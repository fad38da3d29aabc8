//! `except*`: handling the parts of an error, each by its type (PEP 654).
//!
//! ```text
//! error ──split──┬─ E1 ──> first clause ──> (): handled
//!                └─ rest ──split──┬─ E2 ──> second clause ──> Err: raised again, or something new ──┐
//!                                 └─ rest ──────────────────────────────────────────────────────────┴─> end()
//! ```

use super::{Error, ExceptionGroup, Result};
use std::any::TypeId;
use std::collections::HashMap;
use std::fmt;

/// `except*` on any [`homing::Result`](Result): hands the parts of an error to clauses, each by its type.
///
/// The clauses are tried in order, each on what the earlier ones left (EG-13, EG-14). A clause is called at most once,
/// with the sub-group of everything it matches; a bare error is handed over in a group with an empty message (EG-17).
/// When it returns `()` or `Ok(())`, it has handled its part (EG-15). [`end`](Clauses::end) gives what is left:
///
/// * `Ok(Some(value))`: there was no error.
/// * `Ok(None)`: all of it was handled.
/// * `Err(error)`: what no clause matched, in its original nesting (EG-16), a bare error still bare (EG-17), together
///   with what the clauses raised.
///
/// A clause raises an error by returning it:
///
/// * Its part, or a sub-group of it, goes back to where it came from: merged with the unmatched rest, it is one group in
///   the original shape and order (EG-18). A bare error that was wrapped stays wrapped (EG-19). A part to which a note
///   was added is a new error, or the note would be lost; and so is a single error that a clause picks out of its part.
/// * Anything else is a new error. The later clauses are called all the same; at the end all new errors, and last what
///   is left of the old ones, are put in a new group with an empty message (EG-20). A single new error with nothing
///   beside it is returned bare (EG-21). It remembers the sub-group it was raised for as its
///   [`context_group`](Error::context_group) (EG-22).
///
/// A [`Cancelled`](super::Cancelled) is an error like the others here. It matches no type but its own; a condition that
/// is true of everything takes it too, and then it is handled, that is, swallowed.
///
/// # Panics
/// If a clause names [`ExceptionGroup`] as its type: it would take the group itself, and not what is in it (EG-23).
///
/// # asyncio
/// The `except*` statement; `end()?` is what follows it.
///
/// ```
/// use homing::{Error, Except, ExceptionGroup};
/// use std::num::{ParseFloatError, ParseIntError};
///
/// fn outcome() -> homing::Result<u32> {
///     let int = "x".parse::<u8>().unwrap_err();
///     let float = "y".parse::<f32>().unwrap_err();
///     Err(ExceptionGroup::new("forms", [Error::from(int), Error::from(float), Error::msg("torn")])?.into())
/// }
///
/// let mut seen = Vec::new();
/// let left = outcome()
///     .except::<ParseIntError>(|caught| seen.push(format!("int: {}", caught.errors()[0])))
///     .except::<ParseFloatError>(|caught| {
///         eprintln!("cannot handle {caught}");
///         Err(caught.into())
///     })
///     .end()
///     .unwrap_err();
///
/// assert_eq!(seen, ["int: invalid digit found in string"]);
/// assert_eq!(format!("{left:#}"), "\
/// forms (2 sub-exceptions)
/// ├─ invalid float literal
/// └─ torn");
/// # Ok::<(), Error>(())
/// ```
pub trait Except<T>: Sized {
    /// A clause for the errors that are an `E`.
    fn except<E: 'static>(self, clause: impl Clause) -> Clauses<T>;

    /// A clause for the errors for which `matches` is true: it is asked as in [`ExceptionGroup::split`].
    fn except_if(self, matches: impl FnMut(&Error) -> bool, clause: impl Clause) -> Clauses<T>;
}

impl<T> Except<T> for Result<T> {
    fn except<E: 'static>(self, clause: impl Clause) -> Clauses<T> {
        Clauses::new(self).except::<E>(clause)
    }

    fn except_if(self, matches: impl FnMut(&Error) -> bool, clause: impl Clause) -> Clauses<T> {
        Clauses::new(self).except_if(matches, clause)
    }
}

/// An outcome on its way through the clauses of an `except*`; see [`Except`].
#[must_use = "what no clause caught is only returned by `.end()`"]
pub struct Clauses<T>(State<T>);

enum State<T> {
    Value(T),
    Raised {
        /// The error as it came.
        error: Error,
        /// The part that no clause has matched so far.
        rest: Option<Error>,
        /// New errors, in the order in which they were raised.
        new: Vec<Error>,
        /// Parts of `error` that clauses raised again.
        again: Vec<Error>,
    },
}

impl<T> Clauses<T> {
    fn new(outcome: Result<T>) -> Self {
        Clauses(match outcome {
            Ok(value) => State::Value(value),
            Err(error) => {
                State::Raised { rest: Some(error.clone()), error, new: Vec::new(), again: Vec::new() }
            }
        })
    }

    /// A clause for the errors that are an `E`; see [`Except`].
    ///
    /// # Panics
    /// If `E` is [`ExceptionGroup`] (EG-23), also when there is no error.
    pub fn except<E: 'static>(self, clause: impl Clause) -> Self {
        assert!(
            TypeId::of::<E>() != TypeId::of::<ExceptionGroup>(),
            "a clause cannot name a group type: it is given the errors inside of groups"
        );
        self.except_if(Error::is::<E>, clause)
    }

    /// A clause for the errors for which `matches` is true; see [`Except`].
    pub fn except_if(mut self, matches: impl FnMut(&Error) -> bool, clause: impl Clause) -> Self {
        if let State::Raised { rest, new, again, .. } = &mut self.0
            && let Some(unmatched) = rest.take()
        {
            let (caught, left) = split_or_wrap(unmatched, matches);
            *rest = left;
            if let Some(caught) = caught
                && let Err(raised) = clause(caught.clone()).into_result()
            {
                match Raised::by_clause(&raised, &caught) {
                    Raised::Again => again.push(raised),
                    Raised::Picked => new.push(raised),
                    Raised::New => new.push(raised.with_context(caught)),
                }
            }
        }
        self
    }

    /// What is left: see [`Except`].
    ///
    /// # Errors
    /// What no clause matched, and what the clauses raised.
    pub fn end(self) -> Result<Option<T>> {
        match self.0 {
            State::Value(value) => Ok(Some(value)),
            State::Raised { error, rest, mut new, again } => {
                new.extend(if again.is_empty() { rest } else { merged(&error, rest, again) });
                match new.len() {
                    0 => Ok(None),
                    1 => Err(new.remove(0)),
                    _ => Err(ExceptionGroup::new("", new).expect("several").into()),
                }
            }
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Clauses<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            State::Value(value) => f.debug_tuple("Value").field(value).finish(),
            State::Raised { rest, new, again, .. } => {
                f.debug_struct("Raised").field("rest", rest).field("new", new).field("again", again).finish()
            }
        }
    }
}

/// What a clause may be: a closure that is given its part of the error, and returns `()`, or a `Result<()>` to raise one.
///
/// Implemented for such closures, and not meant to be implemented for anything else.
pub trait Clause: FnOnce(ExceptionGroup) -> <Self as Clause>::Outcome {
    /// What the closure returns.
    type Outcome: ClauseOutcome;
}

impl<F: FnOnce(ExceptionGroup) -> O, O: ClauseOutcome> Clause for F {
    type Outcome = O;
}

/// What a [`Clause`] may return: `()` or `Result<()>`.
pub trait ClauseOutcome {
    /// The error that was raised, if one was.
    ///
    /// # Errors
    /// That one.
    fn into_result(self) -> Result<()>;
}

impl ClauseOutcome for () {
    fn into_result(self) -> Result<()> {
        Ok(())
    }
}

impl ClauseOutcome for Result<()> {
    fn into_result(self) -> Result<()> {
        self
    }
}

/// The part of `error` that matches, as a group, and what remains.
fn split_or_wrap(
    error: Error,
    mut matches: impl FnMut(&Error) -> bool,
) -> (Option<ExceptionGroup>, Option<Error>) {
    match error.as_group() {
        Some(group) => {
            let (matching, rest) = group.split(matches);
            (matching, rest.map(Error::from))
        }
        None if matches(&error) => (ExceptionGroup::new("", [error]).ok(), None),
        None => (None, Some(error)),
    }
}

/// What a clause raised.
enum Raised {
    /// What it was given, or a part of that: it goes back to where it came from.
    Again,
    /// Errors that it was given, but taken out of the group, or with something told of the group that was not told
    /// before. They are raised as they are; what they were picked from is not what they arose from.
    Picked,
    /// Something else.
    New,
}

impl Raised {
    fn by_clause(raised: &Error, caught: &ExceptionGroup) -> Raised {
        let group = raised.as_group();
        let leaves = match group {
            Some(group) => census(group.leaves()),
            None => census([raised].into_iter()),
        };
        let available = census(caught.leaves());
        if !leaves.iter().all(|(leaf, count)| available.get(leaf).is_some_and(|there| count <= there)) {
            Raised::New
        } else if group.is_some_and(|group| group.is_part_like(caught)) {
            Raised::Again
        } else {
            Raised::Picked
        }
    }
}

/// What is left of `error`, in one group and in its original shape and order.
fn merged(error: &Error, rest: Option<Error>, mut again: Vec<Error>) -> Option<Error> {
    let Some(original) = error.as_group() else {
        return again.pop(); // it was bare, so one clause took all of it, and raised it again in its wrapping (EG-19)
    };
    let kept = rest.iter().chain(&again).filter_map(Error::as_group);
    let mut kept = census(kept.flat_map(ExceptionGroup::leaves));
    let keep = |error: &Error| match kept.get_mut(&error.repr.address()) {
        Some(count) if *count > 0 && error.as_group().is_none() => {
            *count -= 1;
            true
        }
        _ => false,
    };
    original.subgroup(keep).map(Error::from)
}

/// How often each leaf occurs. One error may be in a group several times, and plain `Cancelled`s have no identity.
fn census<'a>(leaves: impl Iterator<Item = &'a Error>) -> HashMap<usize, usize> {
    let mut counts = HashMap::new();
    for leaf in leaves {
        *counts.entry(leaf.repr.address()).or_insert(0) += 1;
    }
    counts
}
