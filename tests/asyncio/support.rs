//! What the ported tests share.

mod driven;
mod promise;

pub(crate) use driven::Loop;
pub(crate) use promise::Promise;

use homing::{Builder, Result, Runtime, Task, sleep, yield_now};
use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

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

/// So many milliseconds.
pub(crate) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// What a task that has ended gave.
#[track_caller]
pub(crate) fn result_of<T>(task: &mut Task<T>) -> Result<T> {
    task.try_result().expect("the task has ended, and its result is there")
}

/// Polls a future once where no task is being polled: in a callback of the loop.
pub(crate) async fn await_without_task<T: 'static>(
    future: impl Future<Output = T> + 'static,
) -> Result<Poll<T>> {
    let polled = Rc::new(Cell::new(None));
    let slot = polled.clone();
    homing::call_soon(move || slot.set(Some(pin!(future).poll(&mut Context::from_waker(Waker::noop())))));
    yield_now().await?;
    Ok(polled.take().expect("the callback was called"))
}

/// Sleeps so many milliseconds.
pub(crate) async fn nap(milliseconds: u64) -> Result<()> {
    sleep(ms(milliseconds)).await
}

/// The reason that a `Cancelled` came with; fails if it is another error, or none.
#[track_caller]
pub(crate) fn reason<T: std::fmt::Debug>(outcome: Result<T>) -> Option<String> {
    let error = outcome.expect_err("it was cancelled");
    let cancelled = error.as_cancelled().unwrap_or_else(|| panic!("no cancellation: {error}"));
    cancelled.reason().map(str::to_owned)
}

/// Whether a call panics, as what needs a runtime does where there is none.
pub(crate) fn panics<T>(call: impl FnOnce() -> T) -> bool {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).is_err()
}

/// What the tests raise: Python's exceptions, each an error type with one argument.
pub(crate) mod exceptions {
    use homing::{Error, ExceptionGroup, Panicked};
    use std::collections::BTreeSet;
    use std::fmt;

    macro_rules! exceptions {
        ($($name:ident)*) => {
            $(
                #[derive(Clone, Copy, Debug, PartialEq, Eq)]
                pub(crate) struct $name(pub(crate) &'static str);

                impl fmt::Display for $name {
                    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        write!(f, concat!(stringify!($name), "({})"), self.0)
                    }
                }

                impl std::error::Error for $name {}
            )*

            /// The type of an error.
            pub(crate) fn type_of(error: &Error) -> &'static str {
                $(if error.is::<$name>() {
                    return stringify!($name);
                })*
                match () {
                    () if error.as_group().is_some() => "ExceptionGroup",
                    () if error.is::<Panicked>() => "Panicked",
                    () if error.is_cancelled() => "CancelledError",
                    () if error.is_timeout() => "TimeoutError",
                    () => "another",
                }
            }
        };
    }

    exceptions! {
        BlockingIOError KeyError KeyboardInterrupt MemoryError MyError OSError RuntimeError SyntaxError TypeError
        ValueError ZeroDivisionError
    }

    /// The types of a group's direct members.
    #[track_caller]
    pub(crate) fn get_error_types(error: &Error) -> BTreeSet<&'static str> {
        let group = error.as_group().unwrap_or_else(|| panic!("no group: {error:#}"));
        group.errors().iter().map(type_of).collect()
    }

    /// The types of a group's direct members, where these are all of one type.
    #[track_caller]
    pub(crate) fn assert_group_of(error: &Error, member: &'static str) {
        assert_eq!(get_error_types(error), BTreeSet::from([member]), "{error:#}");
    }

    /// The only member of a group.
    #[track_caller]
    pub(crate) fn only_member(error: &Error) -> &Error {
        match error.as_group().map(ExceptionGroup::errors) {
            Some([only]) => only,
            _ => panic!("no group of one: {error:#}"),
        }
    }
}

/// An error as the tests of groups write it down: a leaf by its text, a group by its message and members.
pub(crate) fn shape(error: &homing::Error) -> String {
    match error.as_group() {
        Some(group) => {
            let members: Vec<String> = group.errors().iter().map(shape).collect();
            format!("{}[{}]", group.message(), members.join(", "))
        }
        None => error.to_string(),
    }
}
