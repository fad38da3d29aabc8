//! What the ported tests share.

use homing::{Builder, Result, Runtime};

/// A runtime in virtual time.
pub(crate) fn runtime() -> Runtime {
    Builder::new().virtual_time().build()
}

/// Runs a test's body as the main task of a fresh runtime in virtual time, and then sees to it that no task is left.
#[track_caller]
pub(crate) fn run<T>(body: impl Future<Output = Result<T>>) -> Result<T> {
    runtime().run(body)
}

/// The same twice: with tasks that are queued, and with tasks that are started eagerly.
pub(crate) fn lazy_and_eager<F: Future<Output = Result<()>>>(body: impl Fn() -> F) {
    for eager in [false, true] {
        let runtime = Builder::new().virtual_time().eager_tasks(eager).build();
        if let Err(error) = runtime.run(body()) {
            panic!("{}: {error:#}", if eager { "eager" } else { "lazy" });
        }
    }
}
