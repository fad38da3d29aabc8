//! `test_runners.py`, what it asserts of Ctrl-C. Interrupts are for the process's main thread, on which tests do not run:
//! `tests/ctrl_c.rs`, which has a `main` of its own, calls these.

use crate::{interrupt, promise::Promise};
use homing::{Error, Interrupted, Result, Runner, current, sleep, spawn, yield_now};
use std::time::Duration;

pub(crate) const PORTED: [(&str, fn()); 3] = [
    ("test_interrupt_call_soon", test_interrupt_call_soon),
    ("test_interrupt_wait", test_interrupt_wait),
    ("test_interrupt_cancelled_task", test_interrupt_cancelled_task),
];

/// `loop.call_later(0.1, interrupt_self)`, only sooner.
fn interrupt_later(runner: &Runner) {
    let runtime = runner.runtime().unwrap();
    drop(runtime.spawn(async { sleep(Duration::from_millis(2)).await.map(|()| interrupt()) }));
}

/// What a body ends with that saw its cancellation, and passes it on.
#[track_caller]
fn cancelled<T: std::fmt::Debug>(outcome: Result<T>) -> Error {
    let error = outcome.unwrap_err();
    assert!(error.is_cancelled(), "{error:#}");
    error
}

/// Main is cancelled where it only gives way, and the run says that it was interrupted (RU-9, RU-10).
fn test_interrupt_call_soon() {
    async fn for_ever() -> Result<()> {
        loop {
            yield_now().await?;
        }
    }
    let runner = Runner::new();
    interrupt_later(&runner);
    let outcome: Result<()> = runner.run(async { Err(cancelled(for_ever().await)) });
    assert!(outcome.unwrap_err().is::<Interrupted>());
}

/// Main is cancelled where it waits for a future, and so is that one (RU-9, RU-10).
fn test_interrupt_wait() {
    let runner = Runner::new();
    let future = Promise::<()>::new();
    interrupt_later(&runner);
    let outcome: Result<()> = runner.run(async { Err(cancelled(future.clone().wait().await)) });
    assert!(outcome.unwrap_err().is::<Interrupted>());
    assert!(future.is_cancelled());
}

/// A main that somebody else has cancelled as well is only cancelled (RU-11).
fn test_interrupt_cancelled_task() {
    let runner = Runner::new();
    let outcome = runner.run(async {
        let main = current().unwrap();
        drop(spawn(async move {
            yield_now().await?;
            main.cancel();
            Ok(interrupt())
        }));
        sleep(Duration::from_secs(10)).await
    });
    let error = cancelled(outcome);
    assert!(!error.is::<Interrupted>());
}
