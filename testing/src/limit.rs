//! The limit of a trial's time: a future that shows where everybody stands when it has had enough.

use homing_executor::introspect;
use homing_executor::time::{Instant, Timer};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// A test's body, for so long and no longer. It is dropped where it stands when its time is over.
pub(super) struct Limited<F> {
    body: Pin<Box<F>>,
    timer: Timer,
}

/// It took too long. This is where every task stood then.
pub(super) struct Overdue(pub(super) String);

impl<F> Limited<F> {
    pub(super) fn new(body: F, limit: Duration) -> Limited<F> {
        Limited { body: Box::pin(body), timer: Timer::new(Instant::now() + limit) }
    }
}

impl<F: Future> Future for Limited<F> {
    type Output = Result<F::Output, Overdue>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(output) = self.body.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        match self.timer.poll(cx.waker()) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(_) => Poll::Ready(Err(Overdue(introspect::capture_tasks().to_string()))),
        }
    }
}
