//! futures' `LocalPool`: a `FuturesUnordered` with a spawner. No timers and no I/O.

use crate::runtime::{Ability, Runtime};
use crate::sockets::NoSockets;
use futures_executor::{LocalPool, LocalSpawner};
use futures_util::future::RemoteHandle;
use futures_util::task::LocalSpawnExt;
use std::cell::RefCell;
use std::rc::Rc;

/// futures, with its `LocalPool`.
#[derive(Clone)]
pub(crate) struct FuturesLocalPool {
    pool: Rc<RefCell<LocalPool>>,
    spawner: LocalSpawner,
}

impl Runtime for FuturesLocalPool {
    const NAME: &'static str = "local-pool";
    const PACKAGE: &'static str = "futures-executor";
    const LACKS: &'static [Ability] =
        &[Ability::Eager, Ability::Sleep, Ability::Cancel, Ability::Sockets, Ability::Http];

    type Handle = RemoteHandle<()>;
    type Sockets = NoSockets;

    fn new() -> Self {
        let pool = LocalPool::new();
        FuturesLocalPool { spawner: pool.spawner(), pool: Rc::new(RefCell::new(pool)) }
    }

    fn block_on<T: 'static>(&self, main: impl Future<Output = T> + 'static) -> T {
        self.pool.borrow_mut().run_until(main)
    }

    fn spawn(&self, future: impl Future<Output = ()> + 'static) -> Self::Handle {
        self.spawner.spawn_local_with_handle(future).expect("the pool is there")
    }

    fn join(handle: Self::Handle) -> impl Future<Output = ()> {
        handle
    }

    fn detach(handle: Self::Handle) {
        handle.forget();
    }

    fn note(workload: &str) -> Option<&'static str> {
        Some(match workload {
            "spawn-eager" => "no eager start: queued",
            "group-100" => "a vector of handles, awaited in order",
            "wake-asleep" => "waits in thread::park: it has no I/O to wait for",
            "start-up" => "has no timers and no I/O to build",
            _ => return None,
        })
    }
}
