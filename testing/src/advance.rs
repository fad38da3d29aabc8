//! Letting time pass.

use homing_executor::error::Result;
use homing_executor::runtime::settle;
use homing_executor::time::{Instant, sleep_until};
use std::time::Duration;

/// Lets so much time pass, and everything happen that becomes due in it, down to the last turn: when it returns, nothing
/// can run before more time passes.
///
/// In virtual time that takes none of the real kind.
///
/// # Errors
///
/// `Cancelled`, if the task is cancelled while it stands here.
///
/// # Cancel safety
///
/// Time that has passed has passed.
///
/// # asyncio
///
/// Has none; with Trio's `MockClock` it is `jump`.
///
/// ```
/// use homing::testing::{self, advance};
/// use std::{cell::Cell, rc::Rc, time::Duration};
///
/// testing::run(async || {
///     let beats = Rc::new(Cell::new(0));
///     let heart = homing::spawn({
///         let beats = beats.clone();
///         async move {
///             loop {
///                 homing::sleep(Duration::from_secs(1)).await?;
///                 beats.set(beats.get() + 1);
///             }
///             #[expect(unreachable_code)]
///             Ok(())
///         }
///     });
///     advance(Duration::from_secs(60)).await?;
///     assert_eq!(beats.get(), 60);
///     heart.abort();
///     Ok(())
/// });
/// ```
#[track_caller]
pub fn advance(duration: Duration) -> impl Future<Output = Result<()>> {
    let begin = Instant::now();
    // What is ready now is to begin its own waits first: they count from now, and not from the end of this one.
    let settled = settle();
    async move {
        settled.await?;
        sleep_until(begin + duration).await?;
        settle().await
    }
}
