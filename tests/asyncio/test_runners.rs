//! `test_runners.py`. What it asserts of Ctrl-C needs the process's main thread, and so is in `test_runners/interrupts.rs`,
//! which `tests/ctrl_c.rs` runs.

use crate::support::exceptions::{ValueError, ZeroDivisionError};
use crate::support::{nap, run, runtime};
use homing::{
    Builder, Context, Error, Result, Runner, RuntimeError, Task, TaskLocal, Unhandled, spawn, yield_now,
};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Whether this is what a call was refused with.
fn is(error: &Error, refusal: RuntimeError) -> bool {
    error.downcast_ref::<RuntimeError>() == Some(&refusal)
}

/// A runner in virtual time.
fn runner() -> Runner {
    Runner::with(Builder::new().virtual_time())
}

mod run_tests {
    use super::*;

    /// `run` gives what main returns (RU-1).
    #[test]
    fn test_asyncio_run_return() {
        let answer = homing::run(async {
            yield_now().await?;
            Ok(42)
        });
        assert_eq!(answer.unwrap(), 42);
    }

    /// And what it fails with (RU-1).
    #[test]
    fn test_asyncio_run_raises() {
        let outcome: Result<()> = homing::run(async {
            yield_now().await?;
            Err(ValueError("spam").into())
        });
        assert_eq!(outcome.unwrap_err().downcast_ref(), Some(&ValueError("spam")));
    }

    /// Debug mode is as it was asked for, and if it was not, as the program was built (RU-1).
    #[test]
    fn test_asyncio_run_debug() {
        let built_with_it = cfg!(debug_assertions);
        for (asked, expected) in [(Some(false), false), (Some(true), true), (None, built_with_it)] {
            let builder = Builder::new();
            let runtime = asked.into_iter().fold(builder, Builder::debug).build();
            assert_eq!(runtime.run(async { Ok(runtime.is_debug()) }).unwrap(), expected);
        }
    }

    /// In a running loop `run` is refused (RU-2).
    #[test]
    fn test_asyncio_run_from_running_loop() {
        let outcome: Result<()> = run(async { homing::run(async { unreachable!("it is not polled") }) });
        let error = outcome.unwrap_err();
        assert!(is(&error, RuntimeError::NestedRuntime), "{error:#}");
        assert!(error.to_string().contains("running on this thread already"), "{error:#}");
    }

    /// Tasks that main has left are cancelled and waited for (RU-4).
    #[test]
    fn test_asyncio_run_cancels_hanging_tasks() {
        let left: Rc<RefCell<Option<Task<()>>>> = Rc::default();
        let runtime = runtime();
        let outcome = runtime.run(async {
            left.replace(Some(spawn(nap(100))));
            Ok(123)
        });
        assert_eq!(outcome.unwrap(), 123);
        assert!(left.borrow().as_ref().is_some_and(|task| task.is_finished() && task.is_cancelled()));
    }

    /// What they fail with then is reported, and changes nothing for main (RU-5).
    #[test]
    fn test_asyncio_run_reports_hanging_tasks_errors() {
        let reports: Rc<RefCell<Vec<(homing::TaskId, bool)>>> = Rc::default();
        let noted = reports.clone();
        let hook = move |unhandled: &Unhandled| match unhandled {
            Unhandled::TaskFailed { task, error } => {
                noted.borrow_mut().push((task.id(), error.is::<ZeroDivisionError>()));
            }
            other => panic!("nothing else is wrong: {other}"),
        };
        let left: Rc<RefCell<Option<Task<()>>>> = Rc::default();
        let runtime = Builder::new().virtual_time().on_unhandled(hook).build();
        let outcome = runtime.run(async {
            left.replace(Some(spawn(async {
                match nap(100).await {
                    Err(error) if error.is_cancelled() => Err(ZeroDivisionError("1 / 0").into()),
                    other => other,
                }
            })));
            Ok(123)
        });
        assert_eq!(outcome.unwrap(), 123);
        let id = left.borrow().as_ref().map(|task| task.id());
        assert!(left.borrow().as_ref().is_some_and(|task| task.is_finished()));
        // The handle is still there, and nobody has read it by the time that the runtime ends.
        drop(runtime);
        assert_eq!(*reports.borrow(), [(id.unwrap(), true)]);
    }
}

mod runner_tests {
    use super::*;

    /// Without debug mode (RU-1).
    #[test]
    fn test_non_debug() {
        let runner = Runner::with(Builder::new().debug(false));
        assert!(!runner.runtime().unwrap().is_debug());
    }

    /// With it (RU-1).
    #[test]
    fn test_debug() {
        let runner = Runner::with(Builder::new().debug(true));
        assert!(runner.runtime().unwrap().is_debug());
    }

    /// A runner runs, and when it is closed its loop is closed (RU-3, RU-7).
    #[test]
    fn test_run() {
        let mut runner = Runner::new();
        let outcome = runner.run(async {
            yield_now().await?;
            Ok("done")
        });
        assert_eq!(outcome.unwrap(), "done");
        let handle = runner.runtime().unwrap().handle();
        runner.close().unwrap();
        assert_eq!(runner.runtime().unwrap_err(), RuntimeError::RunnerClosed);
        assert_eq!(handle.call_soon(|| {}), Err(RuntimeError::RuntimeGone));
    }

    /// It also runs a future that is no coroutine: one that has its result already, and a task (RU-8).
    #[test]
    fn test_run_future() {
        let runner = Runner::new();
        assert_eq!(runner.run(std::future::ready(Ok("done"))).unwrap(), "done");
        let task = runner.runtime().unwrap().spawn(async { Ok("done as well") });
        assert_eq!(runner.run(task).unwrap(), "done as well");
    }

    /// And whatever can be awaited (RU-8).
    #[test]
    fn test_run_awaitable() {
        struct MyAwaitable;
        impl IntoFuture for MyAwaitable {
            type Output = Result<&'static str>;
            type IntoFuture = std::future::Ready<Self::Output>;
            fn into_future(self) -> Self::IntoFuture {
                std::future::ready(Ok("done"))
            }
        }
        assert_eq!(Runner::new().run(MyAwaitable).unwrap(), "done");
    }

    /// A runner that was closed has no loop any more (RU-7).
    #[test]
    fn test_explicit_close() {
        let mut runner = Runner::new();
        let handle = runner.runtime().unwrap().handle();
        runner.close().unwrap();
        let error = runner.runtime().unwrap_err();
        assert!(error.to_string().contains("runner is closed"), "{error}");
        assert_eq!(handle.call_soon(|| {}), Err(RuntimeError::RuntimeGone));
    }

    /// To close it twice is to close it once (RU-7).
    #[test]
    fn test_double_close() {
        let mut runner = Runner::new();
        let handle = runner.runtime().unwrap().handle();
        for _ in 0..2 {
            runner.close().unwrap();
            assert_eq!(handle.call_soon(|| {}), Err(RuntimeError::RuntimeGone));
        }
    }

    /// A closed runner runs nothing (RU-7).
    /// Stands in: `close` for the end of the first `with` block, a call after it for the second.
    #[test]
    fn test_second_with_block_raises() {
        let seen = RefCell::new(Vec::new());
        let f = async |argument| {
            seen.borrow_mut().push(argument);
            Ok(())
        };
        let mut runner = Runner::new();
        runner.run(f(1)).unwrap();
        runner.close().unwrap();
        let error = runner.run(f(2)).unwrap_err();
        assert!(is(&error, RuntimeError::RunnerClosed), "{error:#}");
        assert_eq!(*seen.borrow(), [1]);
    }

    /// What one main sets in its context, the next one finds (CV-5).
    #[test]
    fn test_run_keeps_context() {
        static CVAR: TaskLocal<i32> = TaskLocal::inherited().with_default(|| -1);
        let f = async |value| {
            let old = CVAR.get();
            yield_now().await?;
            CVAR.set(value);
            Ok(old)
        };
        let get_context = async || Ok(Context::current().expect("a task has one").copy());
        let runner = runner();
        assert_eq!(runner.run(f(1)).unwrap(), -1);
        assert_eq!(runner.run(f(2)).unwrap(), 1);
        assert_eq!(runner.run(get_context()).unwrap().get(&CVAR), Some(2));
    }

    /// Within one of its own runs it is refused, and that main dropped unpolled (RU-2).
    /// Stands in: its drop for the warning that it was never awaited.
    #[test]
    fn test_recursive_run() {
        let runner = runner();
        let is_dropped = Cell::new(false);
        let outcome: Result<()> = runner.run(async {
            let on_drop = OnDrop(&is_dropped);
            let g = async {
                let _on_drop = on_drop;
                unreachable!("it is not polled")
            };
            runner.run(g)
        });
        let error = outcome.unwrap_err();
        assert!(is(&error, RuntimeError::NestedRuntime), "{error:#}");
        assert!(is_dropped.get());
    }

    struct OnDrop<'a>(&'a Cell<bool>);
    impl Drop for OnDrop<'_> {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }

    /// Where no signal handler can be installed, it runs without (RU-14).
    /// Stands in: a thread that is not the process's main one for a `signal.signal` that refuses.
    #[cfg(unix)]
    #[test]
    fn test_signal_install_not_supported_ok() {
        let before = interrupt_action();
        let during = Runner::new().run(async { Ok(interrupt_action()) });
        assert_eq!(during.unwrap(), before);
    }

    /// What an interrupt does at present.
    #[cfg(unix)]
    fn interrupt_action() -> libc::sighandler_t {
        let mut present = std::mem::MaybeUninit::<libc::sigaction>::uninit();
        // SAFETY: asks for the present setting, which is written to `present` if the call succeeds.
        unsafe {
            assert_eq!(libc::sigaction(libc::SIGINT, std::ptr::null(), present.as_mut_ptr()), 0);
            present.assume_init().sa_sigaction
        }
    }
}
