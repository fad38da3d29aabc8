//! compio, with its default driver: io_uring.

use super::joined::Joined;
use crate::runtime::{Ability, Runtime};
use crate::sockets::compio::CompioSockets;
use ::compio::runtime::JoinHandle;
use futures_util::future::join_all;
use std::time::Duration;

/// compio.
#[derive(Clone)]
pub(crate) struct Compio(::compio::runtime::Runtime);

impl Runtime for Compio {
    const NAME: &'static str = "compio";
    const PACKAGE: &'static str = "compio";
    const LACKS: &'static [Ability] = &[Ability::Eager];

    type Handle = JoinHandle<()>;
    type Sockets = CompioSockets;

    fn new() -> Self {
        Compio(::compio::runtime::Runtime::new().expect("a runtime"))
    }

    fn unavailable() -> Option<String> {
        super::without_io_uring()
    }

    fn block_on<T: 'static>(&self, main: impl Future<Output = T> + 'static) -> T {
        self.0.block_on(main)
    }

    fn spawn(&self, future: impl Future<Output = ()> + 'static) -> Self::Handle {
        ::compio::runtime::spawn(future)
    }

    fn join(handle: Self::Handle) -> impl Future<Output = ()> {
        Joined::new(handle, |outcome| outcome.expect("nothing fails"))
    }

    fn detach(handle: Self::Handle) {
        handle.detach();
    }

    async fn cancel_all(handles: Vec<Self::Handle>) {
        join_all(handles.into_iter().map(JoinHandle::cancel)).await;
    }

    fn sleep(duration: Duration) -> impl Future + 'static {
        ::compio::runtime::time::sleep(duration)
    }

    fn note(workload: &str) -> Option<&'static str> {
        Some(match workload {
            "spawn-eager" => "no eager start: queued",
            "group-100" => "a vector of handles, awaited in order; dropped, it would cancel them",
            "cancel-sleepers" => {
                "join_all of JoinHandle::cancel: the task's future is dropped, it cannot clean up"
            }
            _ => return None,
        })
    }
}
