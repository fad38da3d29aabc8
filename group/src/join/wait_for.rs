//! Wait for: a task, but not for ever.

use super::shield::{Seen, shield};
use crate::timeout::timeout;
use homing_executor::error::{Result, TimedOut};
use homing_executor::task::{SharedTask, Task, TaskRef};
use homing_executor::time::yield_now;
use std::any::Any;
use std::future::poll_fn;
use std::panic::Location;
use std::time::Duration;

/// Gives a task or a future so much time; then cancels it, waits for it, and gives [`TimedOut`].
///
/// With time to spare it is [`timeout`]. With none (zero) it differs: a task that has ended gives its outcome at once;
/// one that has not is cancelled and waited for; a plain future is dropped without being polled. Spawn nothing for its
/// sake: a future is polled in place.
///
/// # Errors
///
/// [`TimedOut`], if the time was over and the task ended cancelled for that reason. If it produced a value or another
/// error nevertheless, that is what comes out. `Cancelled`, if the waiter is cancelled; so is the task then.
///
/// # Cancel safety
///
/// A cancel is forwarded to the task, and waited for; except that with a time of zero the task has been asked already, and
/// is left to end by itself (WF-11).
///
/// # asyncio
///
/// `asyncio.wait_for` (WF-1 to WF-12).
///
/// ```
/// use homing::{sleep, spawn, wait_for};
/// use std::time::Duration;
///
/// homing::run(async {
///     let nap = spawn(sleep(Duration::from_secs(3600)));
///     let waited = wait_for(nap, Duration::from_millis(1)).await;
///     assert!(waited.unwrap_err().is_timeout());
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[track_caller]
pub fn wait_for<F, T>(task: F, duration: impl Into<Option<Duration>>) -> impl Future<Output = Result<T>>
where
    F: IntoFuture<Output = Result<T>>,
    F::IntoFuture: 'static,
    T: 'static,
{
    let place = Location::caller();
    let duration = duration.into();
    let future = task.into_future();
    // The time is counted from here, not from the first poll.
    let begun = match duration {
        Some(Duration::ZERO) => Err(future),
        duration => Ok(timeout(duration, future)),
    };
    async move {
        match begun {
            Ok(in_time) => in_time.await,
            Err(future) => without_time(future, place).await,
        }
    }
}

/// With a time of zero.
async fn without_time<F, T>(future: F, place: &'static Location<'static>) -> Result<T>
where
    F: Future<Output = Result<T>> + 'static,
    T: 'static,
{
    let timed_out = || TimedOut::new().with_place(place).with_after(Duration::ZERO);
    let Some(task) = handle_of::<F, T>(&future) else {
        // Never polled (WF-9). The caller gives way all the same, as it does for a task.
        drop(future);
        yield_now().await?;
        return Err(timed_out().into());
    };
    if task.is_finished() {
        return future.await;
    }
    task.cancel_with("its time was over");
    let mut waiting = shield(future);
    match poll_fn(|cx| waiting.poll_seen(cx)).await {
        Seen::Interrupted(error) => Err(error),
        Seen::Outcome(Err(error)) if task.is_cancelled() => Err(match error.as_cancelled() {
            Some(cause) => timed_out().with_cause(cause.clone()).into(),
            None => timed_out().into(),
        }),
        Seen::Outcome(outcome) => outcome,
    }
}

/// The task behind a handle, if the future is one.
fn handle_of<F: 'static, T: 'static>(future: &F) -> Option<TaskRef> {
    let future = future as &dyn Any;
    let owned = future.downcast_ref::<Task<T>>().map(|task| TaskRef::clone(task));
    owned.or_else(|| future.downcast_ref::<SharedTask<T>>().map(|task| TaskRef::clone(task)))
}
