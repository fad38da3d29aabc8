//! glommio, with its defaults. It needs io_uring, and memory that may be locked for its rings.

use crate::runtime::{Ability, Runtime};
use crate::sockets::glommio::GlommioSockets;
use ::glommio::{LocalExecutor, LocalExecutorBuilder, Task};
use futures_util::future::join_all;
use std::rc::Rc;
use std::time::Duration;

/// glommio.
#[derive(Clone)]
pub(crate) struct Glommio(Rc<LocalExecutor>);

impl Runtime for Glommio {
    const NAME: &'static str = "glommio";
    const PACKAGE: &'static str = "glommio";
    const LACKS: &'static [Ability] = &[Ability::Eager, Ability::Http];

    type Handle = Task<()>;
    type Sockets = GlommioSockets;

    fn new() -> Self {
        Glommio(Rc::new(LocalExecutorBuilder::default().make().expect("an executor")))
    }

    fn unavailable() -> Option<String> {
        super::without_io_uring().or_else(|| {
            let made = LocalExecutorBuilder::default().make();
            made.err().map(|error| format!("it cannot set up its rings: {error}"))
        })
    }

    fn block_on<T: 'static>(&self, main: impl Future<Output = T> + 'static) -> T {
        self.0.run(main)
    }

    fn spawn(&self, future: impl Future<Output = ()> + 'static) -> Self::Handle {
        ::glommio::spawn_local(future)
    }

    fn join(handle: Self::Handle) -> impl Future<Output = ()> {
        handle
    }

    fn detach(handle: Self::Handle) {
        drop(handle.detach());
    }

    async fn cancel_all(handles: Vec<Self::Handle>) {
        join_all(handles.into_iter().map(Task::cancel)).await;
    }

    fn yield_now() -> impl Future + 'static {
        async { ::glommio::executor().yield_now().await }
    }

    fn sleep(duration: Duration) -> impl Future + 'static {
        ::glommio::timer::sleep(duration)
    }

    fn note(workload: &str) -> Option<&'static str> {
        Some(match workload {
            "spawn-eager" => "no eager start: queued",
            "group-100" => "a vector of tasks, awaited in order; dropped, it would cancel them",
            "cancel-sleepers" => "join_all of Task::cancel: the task's future is dropped, it cannot clean up",
            "start-up" => "three rings, and their buffers",
            _ => return None,
        })
    }
}
