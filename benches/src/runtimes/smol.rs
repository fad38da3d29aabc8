//! smol: async-executor's `LocalExecutor`, and async-io's reactor and timers through `smol::block_on`.

use crate::runtime::Runtime;
use crate::sockets::smol::SmolSockets;
use futures_util::future::join_all;
use smol::{LocalExecutor, Task, Timer};
use std::rc::Rc;
use std::time::Duration;

/// smol.
#[derive(Clone)]
pub(crate) struct Smol(Rc<LocalExecutor<'static>>);

impl Runtime for Smol {
    const NAME: &'static str = "smol";
    const PACKAGE: &'static str = "async-executor";

    type Handle = Task<()>;
    type Sockets = SmolSockets;

    fn new() -> Self {
        Smol(Rc::new(LocalExecutor::new()))
    }

    fn block_on<T: 'static>(&self, main: impl Future<Output = T> + 'static) -> T {
        smol::block_on(self.0.run(main))
    }

    fn spawn(&self, future: impl Future<Output = ()> + 'static) -> Self::Handle {
        self.0.spawn(future)
    }

    fn join(handle: Self::Handle) -> impl Future<Output = ()> {
        handle
    }

    fn detach(handle: Self::Handle) {
        handle.detach();
    }

    async fn cancel_all(handles: Vec<Self::Handle>) {
        // All together: one by one, each waits for a turn of the executor.
        join_all(handles.into_iter().map(Task::cancel)).await;
    }

    fn yield_now() -> impl Future + 'static {
        smol::future::yield_now()
    }

    fn sleep(duration: Duration) -> impl Future + 'static {
        Timer::after(duration)
    }

    fn note(workload: &str) -> Option<&'static str> {
        Some(match workload {
            "spawn-eager" => "no eager start: queued",
            "group-100" => "a vector of tasks, awaited in order; dropped, it would cancel them",
            "cancel-sleepers" => "join_all of Task::cancel: the task's future is dropped, it cannot clean up",
            "start-up" => "the reactor is the process's, with a thread of its own, and not built here",
            _ => return None,
        })
    }
}
