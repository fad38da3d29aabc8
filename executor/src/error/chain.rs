//! What lies behind an error: its sources, and what an error is at heart.
//!
//! A library reports a cancelled read as an `io::Error`, and the next one wraps that in its own type: the `Cancelled`
//! is then two links down, and must still end the task as cancelled. So the questions "is this a cancellation?" and
//! "is this a timeout?" are asked of the whole chain:
//!
//! ```text
//! hyper::Error ──source──> io::Error ──get_ref──> Cancelled        is_cancelled: yes
//! TimedOut ──source──> Cancelled                                   is_cancelled: no, is_timeout: yes
//! └─ stands for itself: the search ends here
//! ```

use super::std_error::StdError;
use super::{Cancelled, Error, ExceptionGroup, Panicked, TimedOut};
use std::io;

/// No honest chain is longer; a dishonest one (`source()` may return `self`) would have no end.
const LINKS_MAX: usize = 128;

/// The error and what lies behind it, outermost first; see [`Error::chain`].
#[derive(Clone, Debug)]
pub struct Chain<'a> {
    next: Option<&'a (dyn std::error::Error + 'static)>,
    links_left: usize,
}

impl<'a> Chain<'a> {
    /// The next link as it is, even if that is a [`StdError`].
    pub(super) fn next_unopened(&mut self) -> Option<&'a (dyn std::error::Error + 'static)> {
        self.links_left = self.links_left.checked_sub(1)?;
        let link = self.next?;
        let error = opened(link);
        self.next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            // `io::Error::source` is the source of the inner error and skips that itself.
            Some(inner) => Some(inner),
            None => error.source(),
        };
        Some(link)
    }
}

impl<'a> Iterator for Chain<'a> {
    type Item = &'a (dyn std::error::Error + 'static);

    fn next(&mut self) -> Option<Self::Item> {
        self.next_unopened().map(opened)
    }
}

/// What the wrapper wraps, if it is ours: it has nothing to say for itself.
fn opened<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    match error.downcast_ref::<StdError>() {
        Some(wrapper) => wrapper.error().as_std(),
        None => error,
    }
}

/// The link of a chain as an [`Error`], if it is one: then it may have a story of its own.
pub(super) fn as_ours<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Error> {
    let wrapped = error.downcast_ref::<StdError>().map(StdError::error);
    let cancelled = || error.downcast_ref::<Cancelled>().map(Cancelled::as_error);
    let group = || error.downcast_ref::<ExceptionGroup>().map(ExceptionGroup::as_error);
    wrapped.or_else(cancelled).or_else(group)
}

impl Error {
    /// The error behind this one, if it tells.
    ///
    /// # asyncio
    /// `__cause__`.
    pub fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.chain().nth(1)
    }

    /// The error itself and everything behind it, outermost first.
    ///
    /// It also yields what an `io::Error` holds inside and does not show as its source, and it ends after a hundred
    /// or so links, since nothing keeps a chain of sources from being a ring.
    pub fn chain(&self) -> Chain<'_> {
        Chain { next: Some(self.as_std()), links_left: LINKS_MAX }
    }

    /// Whether this is a cancellation: a [`Cancelled`], or an error that stems from one, such as the `io::Error` of a
    /// cancelled read in whatever a protocol library wrapped it.
    ///
    /// Precisely: a `Cancelled` is among the [`chain`](Error::chain), and before it there is neither a timeout, nor an
    /// [`ExceptionGroup`], nor a [`Panicked`]. These stand for themselves, whatever they were raised from.
    ///
    /// # asyncio
    /// `isinstance(error, CancelledError)` (CX-26).
    ///
    /// ```
    /// use homing::{Cancelled, Error};
    /// use std::io;
    ///
    /// let read = io::Error::other(Cancelled::new());
    /// assert!(Error::from(read).is_cancelled());
    /// assert!(!Error::from(io::Error::from(io::ErrorKind::BrokenPipe)).is_cancelled());
    /// ```
    pub fn is_cancelled(&self) -> bool {
        self.as_cancelled().is_some()
    }

    /// The cancellation that [`is_cancelled`](Error::is_cancelled) finds.
    pub fn as_cancelled(&self) -> Option<&Cancelled> {
        self.chain().take_while(|error| !stands_for_itself(*error)).find_map(|error| error.downcast_ref())
    }

    /// Whether this is a timeout: a [`TimedOut`], an `io::Error` of the kind `TimedOut`, or an error that stems from
    /// one of these. It is never a cancellation as well.
    ///
    /// # asyncio
    /// `isinstance(error, TimeoutError)`, which is true for `ETIMEDOUT` too.
    pub fn is_timeout(&self) -> bool {
        let heart = self.chain().find(|error| stands_for_itself(*error) || error.is::<Cancelled>());
        heart.is_some_and(is_timeout)
    }
}

fn stands_for_itself(error: &(dyn std::error::Error + 'static)) -> bool {
    is_timeout(error) || error.is::<ExceptionGroup>() || error.is::<Panicked>()
}

fn is_timeout(error: &(dyn std::error::Error + 'static)) -> bool {
    let io = error.downcast_ref::<io::Error>();
    error.is::<TimedOut>() || io.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}
