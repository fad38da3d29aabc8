//! `test_waitfor.py`.

use crate::support::exceptions::ValueError;
use crate::support::{Loop, Promise, ms, nap, run};
use homing::{
    Error, Instant, Result, ReturnWhen, TimedOut, call_soon, shield, sleep, sleep_until, spawn, wait,
    wait_for, yield_now,
};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// Goes on for 200 milliseconds, whoever asks it to cancel.
async fn slow(exited: Rc<Cell<bool>>) -> Result<()> {
    let end = Instant::now() + ms(200);
    while Instant::now() < end {
        let _ignored = sleep_until(end).await;
    }
    exited.set(true);
    Ok(())
}

/// Sleeps for ten seconds, and keeps track of whether it does.
async fn foo(running: Rc<Cell<bool>>) -> Result<&'static str> {
    running.set(true);
    let slept = nap(10_000).await;
    running.set(false);
    slept?;
    Ok("done")
}

/// What `wait_for` gives when the time is over.
#[track_caller]
fn timed_out<T: std::fmt::Debug>(outcome: Result<T>) -> TimedOut {
    let error = outcome.expect_err("its time was over");
    error.downcast_ref::<TimedOut>().unwrap_or_else(|| panic!("no timeout: {error}")).clone()
}

mod asyncio_wait_for_test {
    use super::*;

    /// Cancelling who waits does not hide from it that the future goes on: it is waited for (CX-17, WF-5).
    #[test]
    fn test_asyncio_wait_for_cancelled() {
        let l = Loop::new();
        let exited = Rc::new(Cell::new(false));
        l.block_on(async {
            let task = spawn(wait_for(slow(exited.clone()), ms(400)));
            yield_now().await?;
            task.cancel();
            let waited = wait([&task], ReturnWhen::AllCompleted).await?;
            assert_eq!(waited.done.len(), 1);
            Ok(())
        })
        .unwrap();
        assert!(exited.get());
        assert_eq!(l.time(), 200);
    }

    /// When the time is over, a future that ignores it is waited for nevertheless (WF-2).
    #[test]
    fn test_asyncio_wait_for_timeout() {
        let l = Loop::new();
        let exited = Rc::new(Cell::new(false));
        l.block_on(wait_for(slow(exited.clone()), ms(100))).unwrap();
        assert!(exited.get());
        assert_eq!(l.time(), 200);
    }

    /// With no time at all, a task that is done gives its outcome (WF-8).
    #[test]
    fn test_wait_for_timeout_less_then_0_or_0_future_done() {
        let l = Loop::new();
        let task = l.spawn(async { Ok("done") });
        l.run_briefly();
        assert!(task.is_finished());
        assert_eq!(l.block_on(wait_for(task, Duration::ZERO)).unwrap(), "done");
        assert_eq!(l.time(), 0);
    }

    /// With no time at all, a future is not even begun (CX-8, WF-9).
    #[test]
    fn test_wait_for_timeout_less_then_0_or_0_coroutine_do_not_started() {
        let l = Loop::new();
        let started = Rc::new(Cell::new(false));
        let outcome = l.block_on(wait_for(foo(started.clone()), Duration::ZERO));
        timed_out(outcome);
        assert!(!started.get());
        assert_eq!(l.time(), 0);
    }

    /// With no time at all, a task that runs is cancelled, and has ended when the timeout comes out (WF-10).
    /// Stands in: zero, for zero and less: a `Duration` is not negative.
    #[test]
    fn test_wait_for_timeout_less_then_0_or_0() {
        let l = Loop::new();
        let running = Rc::new(Cell::new(false));
        let task = l.spawn(foo(running.clone()));
        l.run_briefly();
        assert!(running.get());
        let task_ref = task.task_ref();
        timed_out(l.block_on(wait_for(task, Duration::ZERO)));
        assert!(task_ref.is_finished() && task_ref.is_cancelled());
        assert!(!running.get());
        assert_eq!(l.time(), 0);
    }

    /// When the time is over, the task is cancelled and waited for, and a timeout comes out (WF-1, WF-2).
    #[test]
    fn test_wait_for() {
        let l = Loop::new();
        let running = Rc::new(Cell::new(false));
        let task = l.spawn(foo(running.clone()));
        let task_ref = task.task_ref();
        timed_out(l.block_on(async { wait_for(task, ms(100)).await }));
        assert!(task_ref.is_finished() && task_ref.is_cancelled());
        assert!(!running.get());
        assert_eq!(l.time(), 100);
    }

    /// Without a limit it waits as long as it takes (WF-1).
    #[test]
    fn test_wait_for_blocking() {
        let l = Loop::new();
        let outcome = l.block_on(async {
            let slow = async {
                nap(1_000_000).await?;
                Ok("done")
            };
            wait_for(slow, None).await
        });
        assert_eq!(outcome.unwrap(), "done");
        assert_eq!(l.time(), 1_000_000);
    }

    /// What ends in time gives its result, then (WF-1).
    #[test]
    fn test_wait_for_race_condition() {
        let l = Loop::new();
        let outcome = l.block_on(async {
            let promise = Promise::new();
            let waiting = wait_for(promise.clone().wait(), ms(200));
            let _later = spawn(async move {
                nap(100).await?;
                promise.set("ok");
                Ok(())
            });
            waiting.await
        });
        assert_eq!(outcome.unwrap(), "ok");
        assert_eq!(l.time(), 100);
    }

    /// A future that swallows the cancel of the timeout and returns a value has not timed out (TO-10, WF-3).
    #[test]
    fn test_wait_for_cancellation_race_condition() {
        let l = Loop::new();
        let outcome = l.block_on(async {
            let inner = async {
                assert!(sleep(ms(1000)).await.unwrap_err().is_cancelled());
                Ok(1)
            };
            wait_for(inner, ms(10)).await
        });
        assert_eq!(outcome.unwrap(), 1);
        assert_eq!(l.time(), 10);
    }

    /// The same for a future that returns its value from the handler (TO-10, WF-3, and CX-4 for a task).
    #[test]
    fn test_wait_for_cancel_suppressed() {
        async fn return_42() -> Result<i32> {
            match nap(10_000).await {
                Err(error) if error.is_cancelled() => Ok(42),
                other => other.map(|()| 0),
            }
        }
        let l = Loop::new();
        assert_eq!(l.block_on(async { wait_for(return_42(), ms(100)).await }).unwrap(), 42);
        assert_eq!(l.block_on(async { wait_for(spawn(return_42()), ms(100)).await }).unwrap(), 42);
        assert_eq!(l.time(), 200);
    }

    /// A cancel that comes in the turn in which the task ends is not hidden by its result, and does it no harm (CX-7,
    /// WF-6).
    #[test]
    fn test_wait_for_issue86296() {
        let l = Loop::new();
        let reached_end = Rc::new(Cell::new(false));
        let inner = l.spawn(async { Ok("done") }).share();
        let task = l.spawn({
            let (inner, reached_end) = (inner.clone(), reached_end.clone());
            async move {
                wait_for(inner, ms(100_000)).await?;
                nap(1000).await?;
                reached_end.set(true);
                Ok(())
            }
        });
        // `inner` ends in the turn in which `task` begins to wait for it, before that: so it begins a turn earlier.
        let early = l.spawn({
            let pending = Promise::new();
            let inner = l.spawn(pending.clone().wait()).share();
            let task = l.spawn(wait_for(inner.clone(), ms(100_000)));
            async move {
                yield_now().await?;
                pending.set("done");
                yield_now().await?;
                assert!(inner.is_finished() && !task.is_finished());
                assert!(task.cancel());
                assert!(task.await.unwrap_err().is_cancelled());
                assert_eq!(inner.await?, "done");
                Ok(())
            }
        });
        l.block_on(async {
            yield_now().await?;
            assert!(!task.is_finished());
            task.cancel();
            assert!(task.await.unwrap_err().is_cancelled());
            assert!(inner.is_finished());
            assert_eq!(inner.clone().await?, "done");
            early.await
        })
        .unwrap();
        assert!(!reached_end.get());
        assert_eq!(l.time(), 0);
    }

    /// The clean-up of a task whose time is over is waited for, and the timeout is caused by its `Cancelled` (CX-14, WF-2).
    /// Stands in: the timeout's cause, for `__context__`.
    #[test]
    fn test_wait_for_waits_for_task_cancellation() {
        let l = Loop::new();
        let task_done = Rc::new(Cell::new(false));
        let outcome = l.block_on({
            let task_done = task_done.clone();
            async move { wait_for(spawn(cleaning_up(task_done)), ms(1)).await }
        });
        assert!(timed_out(outcome).cause().is_some());
        assert!(task_done.get());
        assert_eq!(l.time(), 2);
    }

    /// The same with no time at all (CX-14, WF-10).
    /// Stands in: the timeout's cause, for `__context__`.
    #[test]
    fn test_wait_for_waits_for_task_cancellation_w_timeout_0() {
        let l = Loop::new();
        let task_done = Rc::new(Cell::new(false));
        let outcome = l.block_on({
            let task_done = task_done.clone();
            async move {
                let inner = spawn(cleaning_up(task_done));
                nap(1).await?;
                wait_for(inner, Duration::ZERO).await
            }
        });
        assert!(timed_out(outcome).cause().is_some());
        assert!(task_done.get());
        assert_eq!(l.time(), 2);
    }

    /// Takes a millisecond to clean up when it is cancelled.
    async fn cleaning_up(done: Rc<Cell<bool>>) -> Result<()> {
        let slept = nap(10_000).await;
        if slept.as_ref().is_err_and(Error::is_cancelled) {
            nap(1).await?;
        }
        done.set(true);
        slept
    }

    /// An error that a task raises in its clean-up is what comes out, and no timeout (WF-4).
    #[test]
    fn test_wait_for_reraises_exception_during_cancellation() {
        let l = Loop::new();
        let outcome: Result<()> = l.block_on(async {
            let inner = spawn(async {
                let _ended = nap(200).await;
                Err(ValueError("foo").into())
            });
            wait_for(inner, ms(1)).await
        });
        assert_eq!(outcome.unwrap_err().downcast_ref(), Some(&ValueError("foo")));
        assert_eq!(l.time(), 1);
    }

    fn cancelled_while_waiting(limit: Option<Duration>) {
        run(async {
            let task = spawn(Promise::<()>::new().wait());
            let task_ref = task.task_ref();
            let waiting = spawn(wait_for(task, limit));
            let target = waiting.task_ref();
            call_soon(move || assert!(target.cancel()));
            assert!(waiting.await.unwrap_err().is_cancelled());
            assert!(task_ref.is_cancelled());
            Ok(())
        })
        .unwrap();
    }

    /// Cancelling who waits without a limit cancels the task (WF-5).
    #[test]
    fn test_cancel_blocking_wait_for() {
        cancelled_while_waiting(None);
    }

    /// Cancelling who waits with a limit cancels the task (WF-5).
    #[test]
    fn test_cancel_wait_for() {
        cancelled_while_waiting(Some(ms(60_000)));
    }
}

mod wait_for_shield_tests {
    use super::*;

    /// With no time at all, a shielded task runs on (WF-12).
    #[test]
    fn test_zero_timeout() {
        shielded(Some(Duration::ZERO), 0);
    }

    /// Without a limit, a shielded task gives its result (WF-12).
    #[test]
    fn test_none_timeout() {
        let l = Loop::new();
        let outcome = l.block_on(async {
            let task = spawn(done_after(100)).share();
            let outcome = wait_for(shield(task.clone()), None).await;
            assert!(task.is_finished());
            outcome
        });
        assert_eq!(outcome.unwrap(), "done");
        assert_eq!(l.time(), 100);
    }

    /// When the time is over, a shielded task runs on (WF-12).
    #[test]
    fn test_shielded_timeout() {
        shielded(Some(ms(10)), 10);
    }

    async fn done_after(milliseconds: u64) -> Result<&'static str> {
        nap(milliseconds).await?;
        Ok("done")
    }

    fn shielded(limit: Option<Duration>, until: u128) {
        let l = Loop::new();
        let task = l.spawn(done_after(100)).share();
        timed_out(l.block_on(async { wait_for(shield(task.clone()), limit).await }));
        assert_eq!(l.time(), until);
        assert_eq!((task.is_finished(), task.cancelling()), (false, 0));
        assert_eq!(l.block_on(task).unwrap(), "done");
        assert_eq!(l.time(), 100);
    }
}
