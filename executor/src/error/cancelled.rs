//! [`Cancelled`]: a request to stop, on its way out.

use super::body::Kind;
use super::repr::{Repr, Word};
use super::{Cause, Error, report};
use std::borrow::Cow;
use std::fmt;
use std::panic::Location;

/// The task was asked to stop.
///
/// An await point of homing returns it, as an `Err`, once for each request that is delivered; `?` carries it out. A
/// task that ends in it ends *cancelled*, no matter who made it: `return Err(Cancelled::new().into())` will do (TK-2).
///
/// It keeps a chain of causes, in the order in which they came about: a timeout expired, so a group was cancelled, so
/// one of its tasks was. Causes are added and never replaced (KQ-10).
///
/// A plain one (no cause, or nothing but a place) allocates nothing. Like an [`ExceptionGroup`](super::ExceptionGroup)
/// it *is* an [`Error`] seen from another side, story included: `Error::from` and [`Error::as_cancelled`] are free.
///
/// # asyncio
/// `asyncio.CancelledError`. It is no `Exception` there, so that `except Exception` does not catch it by accident; here
/// the accident is `match` with a blanket `Err(_)`, and [`Error::is_cancelled`] is what to ask first (CX-26).
///
/// ```
/// use homing::error::{Asker, Cause};
/// use homing::{Cancelled, Error};
///
/// let cancelled = Cancelled::new().with_reason("deploying").because(Cause::by(Asker::Group { name: Some("web".into()) }));
/// assert_eq!(cancelled.to_string(), "cancelled: deploying → group 'web'");
/// assert_eq!(cancelled.reason(), Some("deploying"));
///
/// let error = Error::from(cancelled);
/// assert!(error.is_cancelled());
/// ```
// Invariant (is-a-cancellation): the error's word is plain, or its body's kind is `Cancelled`.
#[derive(Clone)]
#[repr(transparent)]
pub struct Cancelled(pub(super) Error);

impl Cancelled {
    /// A plain one. Allocates nothing.
    pub const fn new() -> Self {
        Cancelled(Error::cancelled())
    }

    /// One that knows where it was asked for. Allocates nothing.
    pub fn at(place: &'static Location<'static>) -> Self {
        Cancelled(Error { repr: Repr::at(place) })
    }

    /// One that was asked for right here. Allocates nothing.
    #[track_caller]
    pub fn here() -> Self {
        Cancelled::at(Location::caller())
    }

    /// Adds a reason: to the latest cause, if that has none, else as a cause of its own.
    #[must_use]
    pub fn with_reason(self, reason: impl Into<Cow<'static, str>>) -> Self {
        let reason = reason.into();
        self.edit(|causes| match causes.last_mut() {
            Some(Cause { reason: unset @ None, .. }) => *unset = Some(reason),
            _ => causes.push(Cause::default().with_reason(reason)),
        })
    }

    /// Adds a cause: the next that came about after those it has.
    #[must_use]
    pub fn because(self, cause: Cause) -> Self {
        self.edit(|causes| causes.push(cause))
    }

    /// [`because`](Cancelled::because), in place.
    pub fn push(&mut self, cause: Cause) {
        *self = std::mem::take(self).because(cause);
    }

    /// Adds the causes of a later cancellation. What else is told of that one stays behind.
    ///
    /// Requests that come before the first of them is delivered are delivered as one (CX-15), whose causes are theirs. Where
    /// one continues the other, as when a task is cancelled by somebody and also by its group, which they have cancelled as
    /// well, the longer chain says it all.
    #[must_use]
    pub fn and(self, later: &Cancelled) -> Self {
        match self.0.repr.read() {
            _ if later.continues(&self) => {
                let further = later.stored()[self.stored().len()..].to_vec();
                self.edit(|causes| causes.extend(further))
            }
            _ if self.continues(later) => self,
            Word::Bare if later.0.story().is_none() => later.clone(), // as plain as it was
            _ => later.causes().fold(self, |all, cause| all.because(cause.into_owned())),
        }
    }

    /// Whether its chain begins with the other's, which is not empty, and goes on from there.
    fn continues(&self, other: &Cancelled) -> bool {
        let (own, others) = (self.stored(), other.stored());
        !others.is_empty() && own.len() > others.len() && own.starts_with(others)
    }

    /// What a plain one, which stores nothing, has to tell: its place, if that.
    pub(crate) fn only_a_place(&self) -> Option<Option<&'static Location<'static>>> {
        match self.0.repr.read() {
            Word::Bare => Some(None),
            Word::At(place) => Some(Some(place)),
            Word::Shared(_) => None,
        }
    }

    /// The causes, in the order in which they came about.
    ///
    /// They are borrowed, except that a plain one, which stores no [`Cause`], makes one up for its place.
    pub fn causes(&self) -> impl Iterator<Item = Cow<'_, Cause>> {
        let place = match self.0.repr.read() {
            Word::At(place) => Some(Cow::Owned(Cause::at(place))),
            Word::Bare | Word::Shared(_) => None,
        };
        place.into_iter().chain(self.stored().iter().map(Cow::Borrowed))
    }

    /// The first reason that was given.
    ///
    /// # asyncio
    /// `error.args[0]`, which may be any value there (CX-24), and of which a later request may rob you (CX-16).
    pub fn reason(&self) -> Option<&str> {
        self.stored().iter().find_map(|cause| cause.reason.as_deref())
    }

    /// This cancellation as the error that it is, for its story.
    pub fn as_error(&self) -> &Error {
        &self.0
    }

    fn stored(&self) -> &[Cause] {
        match self.0.body().map(|body| &body.kind) {
            Some(Kind::Cancelled(causes)) => causes,
            _ => &[],
        }
    }

    fn edit(mut self, change: impl FnOnce(&mut Vec<Cause>)) -> Self {
        self.0.edit(|body| match &mut body.kind {
            Kind::Cancelled(causes) => change(causes),
            _ => unreachable!("is-a-cancellation"),
        });
        self
    }
}

impl Default for Cancelled {
    fn default() -> Self {
        Cancelled::new()
    }
}

impl std::error::Error for Cancelled {}

/// One line, such as `cancelled: timeout 2s at a.rs:10:5 → group 'fetch' at b.rs:22:9 → task 'user-7'`: the causes, and the
/// task that it came out of, if it did. With `{:#}`, the whole story.
impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return report::write(f, &self.0);
        }
        write!(f, "{}", WithoutTask(self))?;
        match self.0.task_name() {
            Some(task) => write!(f, " → task '{task}'"),
            None => Ok(()),
        }
    }
}

/// The line without the task, which the report tells in a line of its own.
pub(super) struct WithoutTask<'a>(pub(super) &'a Cancelled);

impl fmt::Display for WithoutTask<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cancelled")?;
        for (index, cause) in self.0.causes().filter(|cause| **cause != Cause::default()).enumerate() {
            let only_a_place = cause.at.is_some() && *cause == Cause { at: cause.at, ..Cause::default() };
            f.write_str(match (index, only_a_place) {
                (0, true) => " ", // "cancelled at a.rs:10:5" reads better without the colon
                (0, false) => ": ",
                _ => " → ",
            })?;
            write!(f, "{cause}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        report::write(f, &self.0)
    }
}
