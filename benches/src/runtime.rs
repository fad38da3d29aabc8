//! The runtime: what an executor has to offer to take part.
//!
//! This trait is the whole of what the harness knows about anybody. Workloads are written against it alone,
//! so that all do the same work; an adapter maps it to the calls that the runtime's own documentation
//! recommends, adds nothing, and saves nothing that its users would have to pay.
//!
//! ```text
//!                 block_on(main)          the thread is the runtime's until `main` is done
//!                    │
//!     spawn ─────────┼──► task ──► join   `cancel_all` ends them early; a dropped handle changes nothing
//!     group ─────────┴──► children        the runtime's own way to have many of them
//!                          │
//!                          yield_now, sleep
//! ```
//!
//! Eight items are needed: a name and a package, `Handle`, `Sockets`, `new`, `block_on`, `spawn`, `join`. What else a
//! runtime cannot do it says in `LACKS`, and the workloads that need it leave it out; where it does a thing
//! differently from the others, it says so in `note`, and the report prints that beside the figure.

use crate::sockets::Sockets;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

/// An executor, built and ready to run. Cloned into the tasks that spawn others: a clone is the same runtime.
pub trait Runtime: Clone + 'static {
    /// As tables and commands call it.
    const NAME: &'static str;

    /// The package it comes from: the report looks its version up in `Cargo.lock`.
    const PACKAGE: &'static str;

    /// What it cannot do. Methods behind these are never called.
    const LACKS: &'static [Ability] = &[];

    /// What a spawn gives: the task is awaited and cancelled through it.
    type Handle: 'static;

    /// Its TCP sockets: an adapter of their own in [`sockets`](crate::sockets), or
    /// [`NoSockets`](crate::sockets::NoSockets).
    type Sockets: Sockets;

    /// Builds the runtime, with timers and I/O if it has them.
    fn new() -> Self;

    /// Why it cannot run on this machine, if so. Asked before anything is built.
    fn unavailable() -> Option<String> {
        None
    }

    /// Runs `main` in the call that blocks: not in a task, where there is a difference.
    fn block_on<T: 'static>(&self, main: impl Future<Output = T> + 'static) -> T;

    /// Spawns a task on this runtime, which is running.
    fn spawn(&self, future: impl Future<Output = ()> + 'static) -> Self::Handle;

    /// Spawns a task whose first poll happens inside the call. A runtime without [`Ability::Eager`] spawns as
    /// ever.
    fn spawn_eager(&self, future: impl Future<Output = ()> + 'static) -> Self::Handle {
        self.spawn(future)
    }

    /// Waits for the end of a task that comes to its end by itself.
    fn join(handle: Self::Handle) -> impl Future<Output = ()>;

    /// Lets a task go on without its handle, for runtimes that cancel when a handle is dropped.
    fn detach(handle: Self::Handle) {
        drop(handle);
    }

    /// Cancels tasks in the usual way, and waits until each is over: its future has been dropped.
    fn cancel_all(handles: Vec<Self::Handle>) -> impl Future<Output = ()> {
        drop(handles);
        lacking::<Self>(Ability::Cancel)
    }

    /// The runtime's own way to give way once, if it has one; else everybody's.
    fn yield_now() -> impl Future + 'static {
        common_yield()
    }

    /// The runtime's own sleep.
    fn sleep(_duration: Duration) -> impl Future + 'static {
        lacking::<Self>(Ability::Sleep)
    }

    /// Spawns `count` children and waits until all are done: the idiom that the runtime's documentation shows
    /// for it.
    fn group<F>(&self, count: usize, child: impl Fn() -> F) -> impl Future<Output = ()>
    where
        F: Future<Output = ()> + 'static,
    {
        let handles: Vec<Self::Handle> = (0..count).map(|_| self.spawn(child())).collect();
        async {
            for handle in handles {
                Self::join(handle).await;
            }
        }
    }

    /// What a reader of this runtime's figure for a workload must know. An equal task with equal semantics
    /// needs no note.
    fn note(_workload: &str) -> Option<&'static str> {
        None
    }
}

/// What not every runtime can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ability {
    /// Tasks: any future, from within a task.
    Spawn,
    /// Handles by which tasks are awaited, so that a task's room is free again after its end.
    Join,
    /// Many children, waited for together.
    Group,
    /// A first poll inside the spawn. Workloads do not need it: without it, the figure carries a note.
    Eager,
    /// To end a task from outside.
    Cancel,
    /// Timers.
    Sleep,
    /// A task's waker may be used on another thread.
    RemoteWake,
    /// To wait in the kernel while there is nothing to do.
    Park,
    /// TCP.
    Sockets,
    /// Something that is kept up and makes its sockets those of hyper.
    Http,
}

impl Ability {
    /// For "it has no …".
    pub fn describe(self) -> &'static str {
        match self {
            Ability::Spawn => "tasks",
            Ability::Join => "handles to await tasks by",
            Ability::Group => "way to wait for many children",
            Ability::Eager => "eager start",
            Ability::Cancel => "way to cancel a task from outside",
            Ability::Sleep => "timers",
            Ability::RemoteWake => "wake from another thread",
            Ability::Park => "wait in the kernel",
            Ability::Sockets => "sockets",
            Ability::Http => "adapter for hyper that is kept up",
        }
    }
}

/// The yield that works anywhere: wakes its own waker, and is pending once.
pub fn common_yield() -> impl Future<Output = ()> + 'static {
    let mut yielded = false;
    poll_fn(move |cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

/// The body of a method that the lineup never lets anybody call.
fn lacking<R: Runtime>(ability: Ability) -> impl Future<Output = ()> + 'static {
    assert!(R::LACKS.contains(&ability), "{} should implement this, or say that it lacks it", R::NAME);
    async move { panic!("{} has no {}: the lineup should have left it out", R::NAME, ability.describe()) }
}
