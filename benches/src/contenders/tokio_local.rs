//! tokio's current-thread runtime with a `LocalSet`: what its documentation recommends for futures that are not `Send`.
//!
//! With all drivers enabled, as `#[tokio::main(flavor = "current_thread")]` does.

use crate::contender::Contender;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{self, JoinHandle, JoinSet, LocalSet};

pub(crate) struct TokioLocal {
    runtime: Runtime,
    local: LocalSet,
}

impl Contender for TokioLocal {
    const NAME: &'static str = "tokio";

    type Handle = JoinHandle<()>;

    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        TokioLocal { runtime, local: LocalSet::new() }
    }

    fn block_on(&self, main: impl Future<Output = ()>) {
        self.local.block_on(&self.runtime, main);
    }

    fn spawn(future: impl Future<Output = ()> + 'static) -> Self::Handle {
        task::spawn_local(future)
    }

    async fn join(handle: Self::Handle) {
        // Cancelled tasks give an error, as they should.
        let _ = handle.await;
    }

    fn cancel(handle: &Self::Handle) {
        handle.abort();
    }

    fn yield_now() -> impl Future + 'static {
        task::yield_now()
    }

    fn sleep(duration: Duration) -> impl Future + 'static {
        tokio::time::sleep(duration)
    }

    async fn group<F: Future<Output = ()> + 'static>(count: usize, child: fn() -> F) {
        let mut children = JoinSet::new();
        for _ in 0..count {
            children.spawn_local(child());
        }
        while let Some(ended) = children.join_next().await {
            ended.expect("no child fails");
        }
    }
}
