//! tokio's current-thread runtime with a `LocalSet`: long what its documentation has recommended for futures
//! that are not `Send`. With all drivers enabled, as `#[tokio::main(flavor = "current_thread")]` does.

use super::joined::Joined;
use crate::runtime::Runtime;
use crate::sockets::tokio::TokioSockets;
use std::rc::Rc;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::task::{self, JoinHandle, JoinSet, LocalSet};

/// tokio, with a `LocalSet`.
#[derive(Clone)]
pub(crate) struct TokioLocalSet(Rc<(LocalSet, tokio::runtime::Runtime)>);

impl Runtime for TokioLocalSet {
    const NAME: &'static str = "tokio";
    const PACKAGE: &'static str = "tokio";

    type Handle = JoinHandle<()>;
    type Sockets = TokioSockets;

    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        TokioLocalSet(Rc::new((LocalSet::new(), runtime)))
    }

    fn block_on<T: 'static>(&self, main: impl Future<Output = T> + 'static) -> T {
        let (local_set, runtime) = &*self.0;
        local_set.block_on(runtime, main)
    }

    fn spawn(&self, future: impl Future<Output = ()> + 'static) -> Self::Handle {
        task::spawn_local(future)
    }

    fn join(handle: Self::Handle) -> impl Future<Output = ()> {
        Joined::new(handle, |outcome| outcome.expect("nothing fails"))
    }

    async fn cancel_all(handles: Vec<Self::Handle>) {
        cancel_all(handles).await;
    }

    fn yield_now() -> impl Future + 'static {
        task::yield_now()
    }

    fn sleep(duration: Duration) -> impl Future + 'static {
        tokio::time::sleep(duration)
    }

    async fn group<F: Future<Output = ()> + 'static>(&self, count: usize, child: impl Fn() -> F) {
        group(count, child).await;
    }

    fn note(workload: &str) -> Option<&'static str> {
        note(workload)
    }
}

/// Aborts, and waits until that has been done.
pub(super) async fn cancel_all(handles: Vec<JoinHandle<()>>) {
    for handle in &handles {
        handle.abort();
    }
    for handle in handles {
        // Cancelled tasks give an error, as they should.
        let _ = handle.await;
    }
}

/// A `JoinSet`, tokio's group.
pub(super) async fn group<F: Future<Output = ()> + 'static>(count: usize, child: impl Fn() -> F) {
    let mut children = JoinSet::new();
    for _ in 0..count {
        children.spawn_local(child());
    }
    while let Some(ended) = children.join_next().await {
        ended.expect("no child fails");
    }
}

pub(super) fn note(workload: &str) -> Option<&'static str> {
    Some(match workload {
        "spawn-eager" => "no eager start: queued",
        "yield-own-1" | "yield-own-1000" => "wakes only after a look at the kernel's events, once a turn",
        "group-100" => "JoinSet: ends are collected one by one; no failure cancels siblings by itself",
        "cancel-sleepers" => "abort: the task's future is dropped, it cannot clean up with further awaits",
        "timers-fire" | "sleep-1ms" | "sleep-100us" => "timers have a grain of 1 ms, rounded up",
        _ => return None,
    })
}
