//! tokio's `LocalRuntime`: the newer way to futures that are not `Send`, without the `LocalSet`'s second
//! queue. With all drivers enabled.

use super::joined::Joined;
use super::tokio_local_set::{cancel_all, group, note};
use crate::runtime::Runtime;
use crate::sockets::tokio::TokioSockets;
use std::rc::Rc;
use std::time::Duration;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::task::{self, JoinHandle};

/// tokio, with its `LocalRuntime`.
#[derive(Clone)]
pub(crate) struct TokioLocalRuntime(Rc<LocalRuntime>);

impl Runtime for TokioLocalRuntime {
    const NAME: &'static str = "tokio-local";
    const PACKAGE: &'static str = "tokio";

    type Handle = JoinHandle<()>;
    type Sockets = TokioSockets;

    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
        TokioLocalRuntime(Rc::new(runtime.expect("a runtime")))
    }

    fn block_on<T: 'static>(&self, main: impl Future<Output = T> + 'static) -> T {
        self.0.block_on(main)
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
