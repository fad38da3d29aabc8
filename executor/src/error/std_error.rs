//! To and from the errors of the standard library, without losing who one is.
//!
//! ```text
//!              From (`?`)                          into_std
//! any error ─────────────> Error (one word) ──────────────> Box<dyn std::error::Error>  (a StdError)
//!                            ▲   │ ▲                                  │
//!                            │   │ └──────────── from_std ────────────┘
//!                            │   ▼ From
//!                     `?`    └── io::Error
//! ```
//!
//! Whatever comes back this way is the very error that went out: same type, same story, same identity.

use super::body::Kind;
use super::chain::as_ours;
use super::error::retype;
use super::{Cancelled, Error, ExceptionGroup};
use std::fmt;
use std::io;
use std::sync::Arc;

/// An [`Error`] that implements [`std::error::Error`], and in return cannot be made by `?` from any other.
///
/// [`Error::into_std`] makes it. It shows what it wraps, has the sources of what it wraps, and through `?` becomes
/// the error that it was.
#[derive(Clone)]
pub struct StdError(Error);

impl StdError {
    /// The error.
    pub fn error(&self) -> &Error {
        &self.0
    }
}

impl std::error::Error for StdError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.as_std().source()
    }
}

impl fmt::Display for StdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for StdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Error {
    /// This error for whoever asks for a boxed [`std::error::Error`], with its story and its identity.
    ///
    /// In the box is a [`StdError`], so `downcast_ref` on the box finds that, and in it the [`Error`] to ask further.
    /// [`from_std`](Error::from_std) gives the error back; `?` does it where the box was put in an `io::Error`.
    ///
    /// ```
    /// use homing::Error;
    ///
    /// let error = Error::msg("out of tea").with_note("again");
    /// let back = Error::from_std(error.clone().into_std());
    /// assert!(back.ptr_eq(&error));
    /// ```
    pub fn into_std(self) -> Box<dyn std::error::Error + Send + Sync> {
        Box::new(StdError(self))
    }

    /// An error made of a boxed one.
    ///
    /// It has to be called by name: `?` cannot do it, since a `Box<dyn Error>` is no `Error` itself. The type of an error
    /// that is not homing's stays hidden in the box: [`is`](Error::is) and the downcasts do not find it, but
    /// [`chain`](Error::chain) does, since its items are asked by the standard library's `downcast_ref`.
    pub fn from_std(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        // Our own types go through `From`, which knows them.
        let error = match error.downcast::<StdError>() {
            Ok(wrapper) => return wrapper.0,
            Err(error) => error,
        };
        let error = match error.downcast::<Cancelled>() {
            Ok(cancelled) => return cancelled.0,
            Err(error) => error,
        };
        let error = match error.downcast::<ExceptionGroup>() {
            Ok(group) => return group.0,
            Err(error) => error,
        };
        match error.downcast::<io::Error>() {
            Ok(error) => Error::from(*error),
            Err(error) => Error::from(Boxed(error)),
        }
    }
}

/// Makes an [`Error`] of any other error; `?` calls it.
///
/// What belongs to homing is recognised: a [`Cancelled`], an [`ExceptionGroup`] and a [`StdError`] become the error
/// that they are, and so does what an `io::Error` carries, if the `io::Error` adds nothing to it.
impl<E: std::error::Error + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        // Resolved when the program is compiled: each instance of this function keeps one arm.
        let error = match retype::<E, Cancelled>(error) {
            Ok(cancelled) => return cancelled.0,
            Err(error) => error,
        };
        let error = match retype::<E, ExceptionGroup>(error) {
            Ok(group) => return group.0,
            Err(error) => error,
        };
        let error = match retype::<E, StdError>(error) {
            Ok(wrapper) => return wrapper.0,
            Err(error) => error,
        };
        match retype::<E, io::Error>(error) {
            Ok(error) => from_io(error),
            Err(error) => Error::from_kind(Kind::Other(Arc::new(error))),
        }
    }
}

impl From<Error> for Box<dyn std::error::Error + Send + Sync> {
    fn from(error: Error) -> Self {
        error.into_std()
    }
}

impl From<Error> for Box<dyn std::error::Error> {
    fn from(error: Error) -> Self {
        error.into_std()
    }
}

/// For implementors of reading and writing: carries the error, story and all, through a trait that speaks `io::Error`.
/// `?` takes it out again on the other side.
///
/// The kind is that of the `io::Error` within, `TimedOut` for a timeout, else `Other`. It is never `Interrupted`, not
/// even for a cancellation: loops in the standard library and elsewhere take that as "try again". An `io::Error` that
/// was made into an `Error`, and of which nobody has a clone and nothing is told, leaves as itself.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let error = match error.story() {
            None => match error.downcast::<io::Error>() {
                Ok(itself) => return itself,
                Err(error) => error,
            },
            Some(_) => error,
        };
        io::Error::new(io_kind(&error), error.into_std())
    }
}

/// As for [`Error`].
impl From<Cancelled> for io::Error {
    fn from(cancelled: Cancelled) -> Self {
        io::Error::from(cancelled.0)
    }
}

fn io_kind(error: &Error) -> io::ErrorKind {
    match error.downcast_ref::<io::Error>() {
        Some(error) => error.kind(),
        None if error.is_timeout() => io::ErrorKind::TimedOut,
        None => io::ErrorKind::Other,
    }
}

fn from_io(error: io::Error) -> Error {
    match error.get_ref().and_then(|inner| as_ours(inner)) {
        // A kind of somebody else's choosing says something that we would lose.
        Some(carried) if error.kind() == io_kind(carried) => carried.clone(),
        _ => Error::from_kind(Kind::Other(Arc::new(error))),
    }
}

/// A boxed error that is not ours, as a payload.
pub(super) struct Boxed(pub(super) Box<dyn std::error::Error + Send + Sync>);

impl std::error::Error for Boxed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl fmt::Display for Boxed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Boxed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
