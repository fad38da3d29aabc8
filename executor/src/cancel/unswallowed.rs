//! Foreign futures that swallow a cancellation: its way out, where they leave none.
//!
//! A library that gets an error from a socket may well make nothing of it. A server's connection that idles between two
//! requests, for one: whatever its read says, it is over, and that is success. If the error was a cancellation, the task
//! that was asked to end then goes on as if it had not been.
//!
//! ```text
//!   request ─► leaf, deep in the library: Err(Cancelled) ─► the library: "so it is over", Ok
//!                                                             └─► here: Err(Cancelled) all the same
//! ```

use super::scope;
use crate::context;
use crate::error::{Error, Result};
use crate::task::row::{Flag, Row};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The same future, which ends cancelled if a cancellation came out of one of its awaits in its last poll and it says
/// `Ok` all the same.
///
/// One that is meant is taken back with `uncancel()`, as everywhere, and then is not seen here either. What a future says
/// in `Ok` in spite of a cancellation is dropped.
///
/// # Errors
///
/// Those of the future; [`Cancelled`](crate::error::Cancelled).
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
    Unswallowed { future, seen: None }
}

/// The future of [`unswallowed`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Unswallowed<F> {
    /// Pinned with the whole.
    future: F,
    /// Not pinned. The task and its epoch at the end of the last poll: if that has moved, there was a request since.
    seen: Option<(u64, u32)>,
}

impl<F> Unswallowed<F> {
    /// The future within.
    pub fn get_pin_mut(self: Pin<&mut Self>) -> Pin<&mut F> {
        // SAFETY: `future` is pinned with the whole (see `poll`).
        unsafe { self.map_unchecked_mut(|this| &mut this.future) }
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
        // SAFETY: `future` is pinned with the whole and never moved out of it (the type has no destructor of its own, and
        // is `Unpin` only if `F` is); `seen` is never pinned.
        let (future, seen) = unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut this.future), &mut this.seen)
        };
        let row = context::current_row();
        let now = |row: &Row| (row.id(), row.epoch.get());
        // Moved to another task, it begins anew.
        let before = seen.filter(|seen| row.is_some_and(|row| row.id() == seen.0)).or(row.map(now));
        let polled = future.poll(cx).map_err(Into::into);
        *seen = row.map(now);
        if *seen != before
            && let Poll::Ready(Ok(_)) = &polled
            && let Some(row) = row.filter(|row| was_delivered(row))
        {
            return Poll::Ready(Err(scope::take(row).into()));
        }
        polled
    }
}

/// Whether a request has come out of an await, and nobody has taken it back.
fn was_delivered(row: &Row) -> bool {
    row.is(Flag::Delivered) && row.count.get() > 0 && !scope::reaches(row, row.scope.get())
}
