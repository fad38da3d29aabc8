//! [`Panicked`]: a panic, caught and kept.

use super::Origin;
use std::any::Any;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// A task panicked.
///
/// The panic was caught at the task's poll and became an error like any other, except that the loop's hook has seen it
/// already. The payload is kept, so whoever receives the error can let the panic go on: see [`resume`](Panicked::resume)
/// and [`Error::into_panic`](super::Error::into_panic).
///
/// # asyncio
/// No counterpart: there a failed `assert` or a broken invariant is an exception like any other (TK-16).
///
/// ```
/// use homing::error::{Origin, Panicked};
/// use homing::Error;
///
/// let payload = std::panic::catch_unwind(|| panic!("boom")).unwrap_err();
/// let panicked = Panicked::new(payload).with_origin(Origin { task: Some("fetch".into()), spawned_at: None });
/// assert_eq!(panicked.to_string(), "task 'fetch' panicked: boom");
///
/// let payload = Error::from(panicked).into_panic()?;
/// assert_eq!(payload.downcast_ref::<&str>(), Some(&"boom"));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct Panicked {
    /// The lock makes a `Panicked` `Sync`, and lets the payload be handed out though the error may be shared.
    payload: Mutex<Option<Box<dyn Any + Send>>>,
    message: String,
    origin: Option<Origin>,
}

impl Panicked {
    /// What [`catch_unwind`](std::panic::catch_unwind) caught.
    pub fn new(payload: Box<dyn Any + Send>) -> Self {
        let message = message(&*payload);
        Panicked { payload: Mutex::new(Some(payload)), message, origin: None }
    }

    /// Says which task panicked.
    #[must_use]
    pub fn with_origin(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    /// What `panic!` was given to say, if that was text.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The task that panicked, and where it was spawned.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// The payload: whatever `panic!` or `panic_any` was given.
    ///
    /// # Errors
    /// Gives the error back, if the payload was handed out already through a clone of the `Error` that this was.
    pub fn into_payload(self) -> Result<Box<dyn Any + Send>, Panicked> {
        self.take_payload().ok_or(self)
    }

    /// Lets the panic go on where it was caught: unwinds with the payload, without calling the panic hook again. If the
    /// payload is gone, the message takes its place.
    pub fn resume(self) -> ! {
        let payload = self.take_payload().unwrap_or_else(|| Box::new(self.message));
        std::panic::resume_unwind(payload)
    }

    pub(super) fn take_payload(&self) -> Option<Box<dyn Any + Send>> {
        // Nothing in here panics while it holds the lock, so poison would mean nothing.
        self.payload.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// `panic!` gives a `&str` or a `String`; anything else came from `panic_any`, and has no text.
fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("Box<dyn Any>").to_owned() // as the standard panic hook calls it
}

/// Reads `task 'fetch' panicked: boom`.
impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.origin.as_ref().and_then(|origin| origin.task.as_deref()) {
            Some(name) => write!(f, "task '{name}' panicked: {}", self.message),
            None => write!(f, "a task panicked: {}", self.message),
        }
    }
}

impl std::error::Error for Panicked {}
