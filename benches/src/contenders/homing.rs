//! homing, with its defaults.

use crate::contender::Contender;
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

pub(crate) struct Homing(homing::Runtime);

impl Contender for Homing {
    const NAME: &'static str = "homing";

    type Handle = homing::Task<()>;

    fn new() -> Self {
        Homing(homing::Runtime::new())
    }

    fn block_on(&self, main: impl Future<Output = ()>) {
        self.0.block_on(Fallible { future: main }).expect("nothing fails");
    }

    fn spawn(future: impl Future<Output = ()> + 'static) -> Self::Handle {
        homing::spawn(Fallible { future })
    }

    fn spawn_eager(future: impl Future<Output = ()> + 'static) -> Self::Handle {
        homing::task(Fallible { future }).eager().spawn()
    }

    async fn join(handle: Self::Handle) {
        // Cancelled tasks give an error, as they should.
        let _ = handle.await;
    }

    fn cancel(handle: &Self::Handle) {
        handle.cancel();
    }

    fn yield_now() -> impl Future + 'static {
        homing::yield_now()
    }

    fn sleep(duration: Duration) -> impl Future + 'static {
        homing::sleep(duration)
    }

    async fn group<F: Future<Output = ()> + 'static>(count: usize, child: fn() -> F) {
        let children = homing::task_group(async |tg| {
            for _ in 0..count {
                drop(tg.spawn(Fallible { future: child() }));
            }
            Ok(())
        });
        children.await.expect("no child fails");
    }
}

pin_project! {
    /// A future for homing, whose tasks give a `Result`. An `async` block around the other one would keep it twice.
    struct Fallible<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future<Output = ()>> Future for Fallible<F> {
    type Output = homing::Result<()>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().future.poll(cx).map(Ok)
    }
}
