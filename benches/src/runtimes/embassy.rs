//! embassy-executor, on std: made for microcontrollers, where all tasks are static.
//!
//! A task's storage is found by the linker and there for ever; nothing can be awaited but what the task
//! itself signals. So only workloads take part that spawn a number of tasks and let them be, and here that
//! storage is leaked.

use crate::runtime::{Ability, Runtime};
use crate::sockets::NoSockets;
use embassy_executor::raw::TaskStorage;
use embassy_executor::{Executor, Spawner};
use std::cell::{Cell, OnceCell};
use std::ptr::NonNull;
use std::rc::Rc;

/// embassy.
#[derive(Clone)]
pub(crate) struct Embassy {
    executor: NonNull<Executor>,
    spawner: Rc<OnceCell<Spawner>>,
}

impl Runtime for Embassy {
    const NAME: &'static str = "embassy";
    const PACKAGE: &'static str = "embassy-executor";
    const LACKS: &'static [Ability] = &[
        Ability::Join,
        Ability::Group,
        Ability::Eager,
        Ability::Cancel,
        Ability::Sleep,
        Ability::Sockets,
        Ability::Http,
    ];

    type Handle = ();
    type Sockets = NoSockets;

    fn new() -> Self {
        let executor = Box::leak(Box::new(Executor::new()));
        Embassy { executor: NonNull::from(executor), spawner: Rc::default() }
    }

    fn block_on<T: 'static>(&self, main: impl Future<Output = T> + 'static) -> T {
        let result = Rc::new(Cell::new(None));
        let (written, done) = (result.clone(), Rc::new(Cell::new(false)));
        let over = done.clone();
        let init = |spawner: Spawner| {
            let _ = self.spawner.set(spawner);
            self.spawn(async move {
                written.set(Some(main.await));
                done.set(true);
            });
        };
        let mut executor = self.executor;
        // SAFETY: the executor was leaked, so it is there for ever; nobody else refers to it while it runs,
        // for it is not run from within its own tasks, and they know its spawner only.
        let executor: &'static mut Executor = unsafe { executor.as_mut() };
        executor.run_until(init, move || over.get());
        result.take().expect("the main task is over")
    }

    fn spawn(&self, future: impl Future<Output = ()> + 'static) -> Self::Handle {
        let storage = Box::leak(Box::new(TaskStorage::new()));
        let token = storage.spawn(|| future).expect("new storage is free");
        self.spawner.get().expect("it is running").spawn(token);
    }

    async fn join((): Self::Handle) {
        unreachable!("it lacks handles");
    }

    fn note(workload: &str) -> Option<&'static str> {
        Some(match workload {
            "memory" => "its tasks are static; here their storage is leaked",
            "start-up" => "is never dropped: made to run for ever",
            "yield-common-1" | "yield-common-1000" | "yield-own-1" | "yield-own-1000" => {
                "static tasks: no reference is counted, nothing is freed"
            }
            _ => return None,
        })
    }
}
