//! local-runtime: a small executor on one thread, with timers and readiness through `poll`.

use crate::runtime::{Ability, Runtime, common_yield};
use crate::sockets::local_runtime::LocalRuntimeSockets;
use ::local_runtime::{Executor, TaskHandle};
use std::rc::Rc;
use std::time::Duration;

/// local-runtime.
#[derive(Clone)]
pub(crate) struct LocalRuntime(Rc<Executor<'static>>);

impl Runtime for LocalRuntime {
    const NAME: &'static str = "local-runtime";
    const PACKAGE: &'static str = "local-runtime";
    const LACKS: &'static [Ability] = &[Ability::Eager];

    type Handle = TaskHandle<()>;
    type Sockets = LocalRuntimeSockets;

    fn new() -> Self {
        LocalRuntime(Rc::new(Executor::new()))
    }

    fn block_on<T: 'static>(&self, main: impl Future<Output = T> + 'static) -> T {
        self.0.block_on(main)
    }

    fn spawn(&self, future: impl Future<Output = ()> + 'static) -> Self::Handle {
        self.0.spawn(future)
    }

    fn join(handle: Self::Handle) -> impl Future<Output = ()> {
        handle
    }

    async fn cancel_all(handles: Vec<Self::Handle>) {
        handles.iter().for_each(TaskHandle::cancel);
        // There is no way to await a task that has been cancelled. Two turns later its future has been
        // dropped.
        common_yield().await;
        common_yield().await;
    }

    fn sleep(duration: Duration) -> impl Future + 'static {
        ::local_runtime::time::sleep(duration)
    }

    fn note(workload: &str) -> Option<&'static str> {
        Some(match workload {
            "spawn-eager" => "no eager start: queued",
            "group-100" => "a vector of handles, awaited in order",
            "cancel-sleepers" => "cancelled tasks cannot be awaited: given time to go, and not joined",
            _ => return None,
        })
    }
}
