//! Foreign futures that swallow a cancellation: its way out, where they leave none.
//!
//! A library that gets an error from a socket may make nothing of it: a server's connection that idles between two
//! requests is over, whatever its read says, and that is success. Or it makes its own error of it, which does not tell. If
//! it was a cancellation, the task that was asked to end then goes on as if it had not been.
//!
//! ```text
//!   request ─► leaf, deep in the library: Err(Cancelled) ─► the library: "so it is over", Ok, or "broken", Err
//!                                                             └─► here: Err(Cancelled) all the same
//! ```

use super::scope;
use crate::context;
use crate::error::{Cancelled, Error, Result};
use crate::task::row::{Flag, Row};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The same future, which ends cancelled if a cancellation came out of one of its awaits in its last poll, whatever it
/// says itself.
///
/// A request that is meant to be swallowed is taken back with `uncancel()`, as everywhere, and then is not seen here
/// either. What a future says in `Ok` in spite of a cancellation is dropped; an error is kept beside it
/// ([`Error::displaced`]).
///
/// # Errors
///
/// Those of the future; [`Cancelled`].
///
/// # Cancel safety
///
/// That of the future.
///
/// ```
/// use homing::cancel::unswallowed;
///
/// /// Says that all is well, whatever happens.
/// async fn somebody_elses() -> Result<(), std::io::Error> {
///     let _ = homing::sleep(std::time::Duration::from_secs(3600)).await;
///     Ok(())
/// }
///
/// homing::run(async {
///     let task = homing::spawn(unswallowed(somebody_elses()));
///     homing::yield_now().await?;
///     task.cancel();
///     assert!(task.await.unwrap_err().is_cancelled());
///     Ok(())
/// })
/// # .unwrap();
/// ```
pub fn unswallowed<F, T, E>(future: F) -> Unswallowed<F>
where
    F: Future<Output = Result<T, E>>,
    E: Into<Error>,
{
    Unswallowed { watched: Watched::new(future) }
}

/// The future of [`unswallowed`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Unswallowed<F> {
    /// Pinned with the whole.
    watched: Watched<F>,
}

impl<F> Unswallowed<F> {
    /// The future within.
    pub fn get_pin_mut(self: Pin<&mut Self>) -> Pin<&mut F> {
        // SAFETY: `future` is pinned with `watched`, and that with the whole; neither is ever moved out.
        unsafe { self.map_unchecked_mut(|this| &mut this.watched.future) }
    }
}

impl<F, T, E> Future for Unswallowed<F>
where
    F: Future<Output = Result<T, E>>,
    E: Into<Error>,
{
    type Output = Result<T>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        // SAFETY: `watched` is pinned with the whole and never moved out of it: the type has no destructor of its own, and
        // is `Unpin` only if `F` is.
        let watched = unsafe { self.map_unchecked_mut(|this| &mut this.watched) };
        let (output, delivered) = ready!(watched.poll(cx));
        Poll::Ready(match (output.map_err(Into::into), delivered) {
            (output, None) => output,
            (Ok(_), Some(cancelled)) => Err(cancelled.into()),
            (Err(error), Some(_)) if error.is_cancelled() => Err(error),
            (Err(error), Some(cancelled)) => Err(Error::from(cancelled).with_displaced(error)),
        })
    }
}

/// A future, with the cancellation that came out of its last poll and that nobody has taken back.
#[derive(Debug)]
pub(crate) struct Watched<F> {
    /// Pinned with the whole.
    future: F,
    /// Not pinned. The task and its epoch at the end of the last poll: if that has moved, there was a request since.
    seen: Option<(u64, u32)>,
}

impl<F> Watched<F> {
    pub(crate) fn new(future: F) -> Watched<F> {
        Watched { future, seen: None }
    }
}

impl<F: Future> Future for Watched<F> {
    type Output = (F::Output, Option<Cancelled>);

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: as above, for `future`; `seen` is never pinned.
        let (future, seen) = unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut this.future), &mut this.seen)
        };
        let row = context::current_row();
        let now = |row: &Row| (row.id(), row.frame.get().epoch());
        // Moved to another task, it begins anew.
        let before = seen.filter(|seen| row.is_some_and(|row| row.id() == seen.0)).or(row.map(now));
        let polled = future.poll(cx);
        *seen = row.map(now);
        let delivered = row.filter(|row| polled.is_ready() && *seen != before && was_delivered(row));
        polled.map(|output| (output, delivered.map(scope::take)))
    }
}

/// Whether a request has come out of an await, and nobody has taken it back.
fn was_delivered(row: &Row) -> bool {
    row.is(Flag::Delivered) && row.count.get() > 0 && !scope::reaches(row, row.frame.get().scope())
}
