//! The contender: what a runtime has to offer to take part.
//!
//! Workloads are written against this trait alone, so that all runtimes do the same work. An adapter uses its runtime
//! as that runtime's documentation recommends, adds nothing, and saves nothing that its users would have to pay.

use std::time::Duration;

/// A runtime, built and ready to run.
pub(crate) trait Contender: Sized + 'static {
    /// As it is called in tables.
    const NAME: &'static str;

    /// What a spawn gives: to await the task, or to cancel it. Dropped, it leaves the task alone.
    type Handle: 'static;

    /// Builds the runtime, with timers and I/O.
    fn new() -> Self;

    /// Runs `main` right in the call that blocks.
    fn block_on(&self, main: impl Future<Output = ()>);

    /// Spawns a task on the runtime that is running.
    fn spawn(future: impl Future<Output = ()> + 'static) -> Self::Handle;

    /// Spawns a task whose first poll happens inside the call; a runtime that cannot spawns as ever.
    fn spawn_eager(future: impl Future<Output = ()> + 'static) -> Self::Handle {
        Self::spawn(future)
    }

    /// Waits for a task's end, whichever it is.
    fn join(handle: Self::Handle) -> impl Future<Output = ()>;

    /// Asks a task to end, in the usual way.
    fn cancel(handle: &Self::Handle);

    /// The runtime's own way to give way once. The output does not matter.
    fn yield_now() -> impl Future + 'static;

    /// The runtime's own sleep. The output does not matter.
    fn sleep(duration: Duration) -> impl Future + 'static;

    /// Spawns `count` children of one scope, and waits for them: the runtime's own idiom for that.
    fn group<F: Future<Output = ()> + 'static>(count: usize, child: fn() -> F) -> impl Future<Output = ()>;
}
