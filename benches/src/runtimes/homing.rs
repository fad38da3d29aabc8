//! homing, with its defaults.

use super::joined::Joined;
use crate::runtime::Runtime;
use crate::sockets::homing::HomingSockets;
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// homing.
#[derive(Clone)]
pub(crate) struct Homing(Rc<homing::Runtime>);

impl Runtime for Homing {
    const NAME: &'static str = "homing";
    const PACKAGE: &'static str = "homing";

    type Handle = homing::Task<()>;
    type Sockets = HomingSockets;

    fn new() -> Self {
        Homing(Rc::new(homing::Runtime::new()))
    }

    fn block_on<T: 'static>(&self, main: impl Future<Output = T> + 'static) -> T {
        self.0.block_on(Fallible { future: main }).expect("nothing fails")
    }

    fn spawn(&self, future: impl Future<Output = ()> + 'static) -> Self::Handle {
        homing::spawn(Fallible { future })
    }

    fn spawn_eager(&self, future: impl Future<Output = ()> + 'static) -> Self::Handle {
        homing::task(Fallible { future }).eager().spawn()
    }

    fn join(handle: Self::Handle) -> impl Future<Output = ()> {
        Joined::new(handle, |outcome| outcome.expect("nothing fails"))
    }

    async fn cancel_all(handles: Vec<Self::Handle>) {
        for handle in &handles {
            handle.cancel();
        }
        for handle in handles {
            // Cancelled tasks give an error, as they should.
            let _ = handle.await;
        }
    }

    fn yield_now() -> impl Future + 'static {
        homing::yield_now()
    }

    fn sleep(duration: Duration) -> impl Future + 'static {
        homing::sleep(duration)
    }

    async fn group<F: Future<Output = ()> + 'static>(&self, count: usize, child: impl Fn() -> F) {
        let children = homing::task_group(async |tg| {
            for _ in 0..count {
                drop(tg.spawn(Fallible { future: child() }));
            }
            Ok(())
        });
        children.await.expect("no child fails");
    }

    fn note(workload: &str) -> Option<&'static str> {
        Some(match workload {
            "group-100" => "task_group: a failure would cancel the siblings, a dropped scope its children",
            "cancel-sleepers" => "the sleep returns Err(Cancelled), and the task ends by itself",
            _ => return None,
        })
    }
}

pin_project! {
    /// A future for homing, whose tasks give a `Result`. An `async` block around the other one would keep it
    /// twice.
    struct Fallible<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Fallible<F> {
    type Output = homing::Result<F::Output>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().future.poll(cx).map(Ok)
    }
}
