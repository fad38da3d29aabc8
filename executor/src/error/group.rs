//! [`ExceptionGroup`]: several errors that go together.

use super::body::{Body, Kind};
use super::story::Story;
use super::{Error, report};
use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Several unrelated errors, raised as one: a message and a non-empty, ordered tree of [`Error`]s (EG-1).
///
/// A member is a leaf or a group of its own; nested groups are not flattened. A group cannot be changed, only built
/// anew: [`split`](ExceptionGroup::split) and [`subgroup`](ExceptionGroup::subgroup) give parts that keep the nesting,
/// the order, and at every level the message, the source and the story (EG-8).
///
/// It is one word and cheap to clone; it *is* an [`Error`], seen from the side of its members, so that `Error::from`
/// and [`Error::as_group`] are free. However deep the nesting, no method recurses: nor does the destructor (EG-11).
///
/// `Display` is one line, `message (2 sub-exceptions)`, which counts the direct members (EG-3); without a message, the
/// count alone. `{:#}` and `Debug` draw the tree.
///
/// # asyncio
/// `ExceptionGroup` and `BaseExceptionGroup` in one type (EG-2).
///
/// ```
/// use homing::{Error, ExceptionGroup};
///
/// let orders = ExceptionGroup::new("orders", [Error::msg("no ink"), Error::msg("no paper")])?;
/// let group = ExceptionGroup::new("morning", [Error::msg("overslept"), orders.into()])?;
///
/// assert_eq!(group.to_string(), "morning (2 sub-exceptions)");
/// assert_eq!(format!("{group:#}"), "\
/// morning (2 sub-exceptions)
/// ├─ overslept
/// └─ orders (2 sub-exceptions)
///    ├─ no ink
///    └─ no paper");
/// # Ok::<(), Error>(())
/// ```
// Invariant (is-a-group): the error has a body, the body's kind is `Group`, and its `errors` are not empty.
#[derive(Clone)]
#[repr(transparent)]
pub struct ExceptionGroup(pub(super) Error);

/// What a group has besides members and story: every part of the group has the same.
pub(super) struct Head {
    message: Cow<'static, str>,
    payload: Option<Arc<dyn Any + Send + Sync>>,
}

/// There were no errors to make a group of: see [`ExceptionGroup::new`]. If nothing failed, return `Ok`.
///
/// # asyncio
/// `ValueError: second argument (exceptions) must be a non-empty sequence`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmptyGroup;

impl ExceptionGroup {
    /// A group of these errors, in this order.
    ///
    /// # Errors
    /// [`EmptyGroup`] if there are none (EG-1).
    pub fn new(
        message: impl Into<Cow<'static, str>>,
        errors: impl IntoIterator<Item = Error>,
    ) -> Result<Self, EmptyGroup> {
        ExceptionGroup::build(Arc::new(Head { message: message.into(), payload: None }), errors, None)
    }

    /// What the group says of itself, without its members.
    pub fn message(&self) -> &str {
        &self.head().message
    }

    /// The direct members, in order; some may be groups.
    pub fn errors(&self) -> &[Error] {
        self.parts().1
    }

    /// The number of direct members: at least one.
    #[expect(clippy::len_without_is_empty, reason = "a group is never empty")]
    pub fn len(&self) -> usize {
        self.errors().len()
    }

    /// The same group with other members: message, payload, source and story stay (EG-9).
    ///
    /// # Errors
    /// [`EmptyGroup`] if there are none.
    pub fn derive(&self, errors: impl IntoIterator<Item = Error>) -> Result<Self, EmptyGroup> {
        let (head, _) = self.parts();
        let story = self.0.body().and_then(|body| body.story.clone());
        ExceptionGroup::build(head.clone(), errors, story)
    }

    /// A value that goes with the group, and with every part of it that is split off or derived (EG-9).
    ///
    /// # asyncio
    /// A subclass of `ExceptionGroup` with fields, which overrides `derive` to pass them on.
    ///
    /// ```
    /// use homing::{Error, ExceptionGroup};
    ///
    /// struct ExitCode(i32);
    ///
    /// let group = ExceptionGroup::new("build", [Error::msg("a"), Error::msg("b")])?.with_payload(ExitCode(2));
    /// let part = group.subgroup(|error| error.to_string() == "b").unwrap();
    /// assert_eq!(part.payload_ref::<ExitCode>().unwrap().0, 2);
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn with_payload(mut self, payload: impl Any + Send + Sync) -> Self {
        self.0.edit(|body| match &mut body.kind {
            Kind::Group { head, .. } => {
                *head = Arc::new(Head { message: head.message.clone(), payload: Some(Arc::new(payload)) });
            }
            _ => unreachable!("is-a-group"),
        });
        self
    }

    /// The value that goes with the group, if it is a `P`.
    pub fn payload_ref<P: 'static>(&self) -> Option<&P> {
        self.head().payload.as_deref()?.downcast_ref()
    }

    /// Says from which error the group was raised: it becomes the [`source`](Error::source).
    ///
    /// # asyncio
    /// `raise ExceptionGroup(…) from cause`.
    #[must_use]
    pub fn with_source(mut self, cause: impl Into<Error>) -> Self {
        self.0.edit_story(|story| story.cause = Some(cause.into()));
        self
    }

    /// Adds a note: see [`Error::with_note`].
    #[must_use]
    pub fn with_note(self, note: impl Into<Cow<'static, str>>) -> Self {
        ExceptionGroup(self.0.with_note(note))
    }

    /// The notes, in the order in which they were added.
    pub fn notes(&self) -> impl Iterator<Item = &str> {
        self.0.notes()
    }

    /// The group as the error that it is, for the rest of its story.
    pub fn as_error(&self) -> &Error {
        &self.0
    }

    pub(super) fn into_error(self) -> Error {
        self.0
    }

    /// Whether two groups have everything in common but their members: one is a part of the other, or both are parts
    /// of a third, and nothing was added since (EG-18).
    pub(super) fn is_part_like(&self, other: &ExceptionGroup) -> bool {
        let story = |group: &ExceptionGroup| group.0.story().map(std::ptr::from_ref::<Story>);
        Arc::ptr_eq(self.head(), other.head()) && story(self) == story(other)
    }

    fn build(
        head: Arc<Head>,
        errors: impl IntoIterator<Item = Error>,
        story: Option<Arc<Story>>,
    ) -> Result<Self, EmptyGroup> {
        let errors: Vec<Error> = errors.into_iter().collect();
        if errors.is_empty() {
            return Err(EmptyGroup);
        }
        let body = Body { kind: Kind::Group { head, errors }, story };
        Ok(ExceptionGroup(Error::from_body(Arc::new(body))))
    }

    fn head(&self) -> &Arc<Head> {
        self.parts().0
    }

    fn parts(&self) -> (&Arc<Head>, &[Error]) {
        match self.0.body().map(|body| &body.kind) {
            Some(Kind::Group { head, errors }) => (head, errors),
            _ => unreachable!("is-a-group"),
        }
    }
}

impl<'a> IntoIterator for &'a ExceptionGroup {
    type Item = &'a Error;
    type IntoIter = std::slice::Iter<'a, Error>;

    fn into_iter(self) -> Self::IntoIter {
        self.errors().iter()
    }
}

impl std::error::Error for ExceptionGroup {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.story()?.cause.as_ref().map(|cause| cause.as_std() as _)
    }
}

/// One line; with `{:#}`, the tree.
impl fmt::Display for ExceptionGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return report::write(f, &self.0);
        }
        let count = self.len();
        let plural = if count == 1 { "" } else { "s" };
        match self.message() {
            "" => write!(f, "{count} sub-exception{plural}"),
            message => write!(f, "{message} ({count} sub-exception{plural})"),
        }
    }
}

impl fmt::Debug for ExceptionGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        report::write(f, &self.0)
    }
}

impl fmt::Display for EmptyGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a group of errors needs at least one")
    }
}

impl std::error::Error for EmptyGroup {}
