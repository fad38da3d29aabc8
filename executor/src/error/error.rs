//! [`Error`]: any error, in one word.

use super::body::{Kind, Payload};
use super::repr::{Repr, Word, view};
use super::std_error::Boxed;
use super::{Cancelled, ExceptionGroup, Panicked, report};
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// What every fallible thing of homing returns; [`Error`] unless told otherwise.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any error: what a task may end with, and what `?` makes of every other error in a function that returns
/// [`homing::Result`](Result).
///
/// It is one word wide, `Send` and `Sync`, and a clone shares what it was cloned from. Two kinds of error are more to
/// it than a value that somebody passed in: a [`Cancelled`] and an [`ExceptionGroup`] *are* `Error`s, seen from the
/// side of their causes or members, and turn into one and back without copying. A plain `Cancelled` allocates nothing,
/// not even if it carries the place of who asked.
///
/// Beside the error itself it tells a story: the task it [came from](Error::origin), the scopes it
/// [went through](Error::trail), [notes](Error::with_note), and errors that it [displaced](Error::displaced).
///
/// `Display` is the error's own message, in one line. `{:#}` and `Debug` tell everything, on several lines, as a
/// Python traceback does; so `fn main() -> homing::Result<()>` prints well.
///
/// It does not implement [`std::error::Error`]: if it did, `?` could not accept every error that does. Use
/// [`as_std`](Error::as_std) and [`into_std`](Error::into_std) where that trait is asked for.
///
/// # asyncio
/// An exception in flight, with its traceback. `Exception` and `BaseException` are one here: what must not be caught
/// by accident is told apart by [`is_cancelled`](Error::is_cancelled) (CX-26).
///
/// ```
/// use homing::{Error, Result};
///
/// fn port(text: &str) -> Result<u16> {
///     let port = text.parse::<u16>()?;
///     if port == 0 {
///         return Err(Error::msg("port 0 is for the kernel to replace"));
///     }
///     Ok(port)
/// }
///
/// assert_eq!(port("80")?, 80);
/// assert!(port("eighty").unwrap_err().is::<std::num::ParseIntError>());
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct Error {
    pub(super) repr: Repr,
}

impl Error {
    /// An error made of any other, as `?` makes it.
    ///
    /// What belongs to homing is recognised and not wrapped once more: see the [`From`] impl.
    pub fn new<E: std::error::Error + Send + Sync + 'static>(error: E) -> Self {
        Error::from(error)
    }

    /// An error that is only a message: a string, or anything that can be shown.
    ///
    /// [`is`](Error::is) and the downcasts find the message by its own type.
    ///
    /// ```
    /// use homing::Error;
    ///
    /// let error = Error::msg("out of tea");
    /// assert_eq!(error.to_string(), "out of tea");
    /// assert_eq!(error.downcast_ref::<&str>(), Some(&"out of tea"));
    /// ```
    pub fn msg<M: fmt::Display + fmt::Debug + Send + Sync + 'static>(message: M) -> Self {
        Error::from_kind(Kind::Other(Arc::new(Message(message))))
    }

    /// A plain cancellation, without cause or place: `Cancelled::new()` as an `Error`. Allocates nothing.
    pub const fn cancelled() -> Self {
        Error { repr: Repr::bare() }
    }

    /// Whether the error itself is an `E`. Its sources are not asked; for those, see [`chain`](Error::chain).
    pub fn is<E: 'static>(&self) -> bool {
        self.downcast_ref::<E>().is_some()
    }

    /// The error itself as an `E`, if it is one.
    pub fn downcast_ref<E: 'static>(&self) -> Option<&E> {
        let any = self.as_any();
        any.downcast_ref::<E>().or_else(|| any.downcast_ref::<Message<E>>().map(|message| &message.0))
    }

    /// The error itself as an `E`, by value. Its story is let go.
    ///
    /// # Errors
    /// Gives the error back if it is no `E`, or if other clones of it are alive: then the value is not ours to give
    /// away, and [`downcast_ref`](Error::downcast_ref) is what remains. A [`Cancelled`] or an [`ExceptionGroup`] is
    /// shared by nature and always comes out, with its story.
    ///
    /// ```
    /// use homing::Error;
    ///
    /// let error = Error::from("x".parse::<u8>().unwrap_err());
    /// let held = error.clone();
    /// let error = error.downcast::<std::num::ParseIntError>().unwrap_err(); // it is one, but `held` has it too
    /// drop(held);
    /// let parse: std::num::ParseIntError = error.downcast()?;
    /// # assert_eq!(parse.to_string(), "invalid digit found in string");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn downcast<E: Send + Sync + 'static>(self) -> Result<E, Error> {
        if !self.is::<E>() {
            return Err(self);
        }
        match self.seen() {
            Seen::Cancelled(_) => return retype(Cancelled(self)).map_err(Error::from),
            Seen::Group(_) => return retype(ExceptionGroup(self)).map_err(Error::from),
            Seen::Other(_) => {}
        }
        let body = self.repr.into_shared().map_err(|repr| Error { repr })?;
        let mut body = Arc::try_unwrap(body).map_err(Error::from_body)?;
        let taken = match body.take_kind() {
            Kind::Other(payload) => take_payload(payload).map_err(Kind::Other),
            kind => Err(kind),
        };
        taken.map_err(|kind| {
            body.kind = kind;
            Error::from_body(Arc::new(body))
        })
    }

    /// The group that this error is, if it is one.
    pub fn as_group(&self) -> Option<&ExceptionGroup> {
        match self.seen() {
            Seen::Group(group) => Some(group),
            Seen::Cancelled(_) | Seen::Other(_) => None,
        }
    }

    /// The payload of a panic, to be passed to [`std::panic::resume_unwind`]. It is handed out once, even if the error
    /// was cloned.
    ///
    /// # Errors
    /// Gives the error back if it is no [`Panicked`], or if its payload has been handed out already.
    pub fn into_panic(self) -> Result<Box<dyn Any + Send>, Error> {
        self.downcast_ref::<Panicked>().and_then(Panicked::take_payload).ok_or(self)
    }

    /// Whether both are one error: clones of each other, to neither of which anything was added since. Two plain
    /// `Cancelled`s that say the same are the same.
    ///
    /// # asyncio
    /// `a is b`.
    pub fn ptr_eq(&self, other: &Error) -> bool {
        self.repr.ptr_eq(&other.repr)
    }

    /// The error itself, for whoever asks for the trait of the standard library. Its story stays behind; see
    /// [`into_std`](Error::into_std) for the way to take it along.
    pub fn as_std(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        match self.seen() {
            Seen::Cancelled(cancelled) => cancelled,
            Seen::Group(group) => group,
            Seen::Other(payload) => match (payload as &dyn Any).downcast_ref::<Boxed>() {
                Some(boxed) => &*boxed.0,
                None => payload,
            },
        }
    }

    fn as_any(&self) -> &dyn Any {
        match self.seen() {
            Seen::Cancelled(cancelled) => cancelled,
            Seen::Group(group) => group,
            Seen::Other(payload) => payload,
        }
    }

    /// The error from its own side.
    pub(super) fn seen(&self) -> Seen<'_> {
        match self.repr.read() {
            Word::Bare | Word::At(_) => Seen::Cancelled(view(self)),
            Word::Shared(body) => match &body.kind {
                Kind::Cancelled(_) => Seen::Cancelled(view(self)),
                Kind::Group { .. } => Seen::Group(view(self)),
                Kind::Other(payload) => Seen::Other(&**payload),
            },
        }
    }
}

/// What an error is: see [`Kind`], of which this is the public face.
pub(super) enum Seen<'a> {
    Cancelled(&'a Cancelled),
    Group(&'a ExceptionGroup),
    Other(&'a dyn Payload),
}

/// One line; with `{:#}`, the whole story.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() { report::write(f, self) } else { fmt::Display::fmt(self.as_std(), f) }
    }
}

/// The whole story, as `{:#}` tells it: it is what `fn main() -> homing::Result<()>` and `unwrap` print.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        report::write(f, self)
    }
}

impl AsRef<dyn std::error::Error + Send + Sync> for Error {
    fn as_ref(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self.as_std()
    }
}

/// What [`Error::msg`] makes of a message.
struct Message<M>(M);

impl<M: fmt::Display + fmt::Debug> std::error::Error for Message<M> {}

impl<M: fmt::Display> fmt::Display for Message<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<M: fmt::Debug> fmt::Debug for Message<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `value`, if its type happens to be `B`.
pub(super) fn retype<A: 'static, B: 'static>(value: A) -> Result<B, A> {
    let mut slot = Some(value);
    match (&mut slot as &mut dyn Any).downcast_mut::<Option<B>>() {
        Some(slot) => Ok(slot.take().expect("filled above")),
        None => Err(slot.expect("filled above")),
    }
}

/// The value behind the payload, if it is an `E` (or a message that is one) and nobody else holds it.
fn take_payload<E: Send + Sync + 'static>(mut payload: Arc<dyn Payload>) -> Result<E, Arc<dyn Payload>> {
    // Asked beforehand, since there is no way back from `dyn Any`.
    if Arc::get_mut(&mut payload).is_none() {
        return Err(payload);
    }
    let any: Arc<dyn Any + Send + Sync> = payload;
    let found = match any.downcast::<E>() {
        Ok(value) => Arc::into_inner(value),
        Err(any) => any.downcast::<Message<E>>().ok().and_then(Arc::into_inner).map(|message| message.0),
    };
    Ok(found.expect("the caller knows the type, and `get_mut` that there is one owner"))
}
