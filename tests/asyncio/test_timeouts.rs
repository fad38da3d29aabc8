//! `test_timeouts.py`.

mod timeout_tests {
    use crate::support::exceptions::{KeyError, ValueError, ZeroDivisionError, assert_group_of, only_member};
    use crate::support::{await_without_task, ms, run};
    use homing::{
        Error, Instant, Reschedule, Result, Runtime, RuntimeError, TimedOut, TimeoutScope, current, sleep,
        spawn, task_group, timeout, timeout_at, timeout_scope, yield_now,
    };
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;
    use std::task::Poll;

    fn count() -> u32 {
        current().expect("in a task").cancelling()
    }

    /// The scopes that an error has gone through, innermost first.
    fn trail(error: &Error) -> Vec<&'static str> {
        error.trail().map(|scope| scope.kind).collect()
    }

    /// A block that outlasts its time ends in TimeoutError, and is expired (TO-6, TO-8).
    #[test]
    fn test_timeout_basic() {
        run(async {
            let cm = TimeoutScope::new(ms(10));
            let outcome = cm.clone().run(async |_| sleep(ms(10_000)).await).await;
            assert!(outcome.unwrap_err().is::<TimedOut>());
            assert!(cm.expired());
            assert_eq!(count(), 0);
            Ok(())
        })
        .unwrap();
    }

    /// The same with a point in time, which `when()` still tells afterwards (TO-1, TO-6).
    #[test]
    fn test_timeout_at_basic() {
        run(async {
            let deadline = Instant::now() + ms(10);
            let cm = TimeoutScope::at(deadline);
            let outcome = cm.clone().run(async |_| sleep(ms(10_000)).await).await;
            assert!(outcome.unwrap_err().is::<TimedOut>());
            assert!(cm.expired());
            assert_eq!(cm.when(), Some(deadline));
            assert_eq!(Instant::now(), deadline);
            Ok(())
        })
        .unwrap();
    }

    /// Of two nested timeouts with one deadline, only the outer raises TimeoutError; both are expired (TO-15).
    #[test]
    fn test_nested_timeouts() {
        run(async {
            let deadline = Instant::now() + ms(10);
            let (cm1, cm2) = (TimeoutScope::at(deadline), TimeoutScope::at(deadline));
            let (outer, inner) = (cm1.clone(), cm2.clone());
            let cancelled = Cell::new(false);
            let outcome = outer
                .run(async |_| {
                    let outcome = inner.run(async |_| sleep(ms(10_000)).await).await;
                    cancelled.set(outcome.as_ref().is_err_and(Error::is_cancelled));
                    outcome
                })
                .await;
            assert!(outcome.unwrap_err().is::<TimedOut>());
            assert!(cancelled.get());
            assert!(cm1.expired() && cm2.expired());
            assert_eq!(count(), 0);
            Ok(())
        })
        .unwrap();
    }

    /// Inside of the block the timeout is a Cancelled, at the await where it stands (TO-5).
    #[test]
    fn test_waiter_cancelled() {
        run(async {
            let cancelled = Cell::new(false);
            let outcome = timeout(ms(10), async {
                let slept = sleep(ms(10_000)).await;
                cancelled.set(slept.as_ref().is_err_and(Error::is_cancelled));
                slept
            })
            .await;
            assert!(outcome.unwrap_err().is::<TimedOut>());
            assert!(cancelled.get());
            Ok(())
        })
        .unwrap();
    }

    /// A block that ends in time is not expired, and its deadline can still be told (TO-6).
    #[test]
    fn test_timeout_not_called() {
        run(async {
            let cm = TimeoutScope::new(ms(10_000));
            cm.clone().run(async |_| sleep(ms(10)).await).await?;
            assert!(!cm.expired());
            assert!(cm.when().is_some_and(|when| when > Instant::now()));
            Ok(())
        })
        .unwrap();
    }

    /// Without a time the block is never interrupted (TO-1).
    #[test]
    fn test_timeout_disabled() {
        run(async {
            let cm = TimeoutScope::new(None);
            cm.clone().run(async |_| sleep(ms(10)).await).await?;
            assert!(!cm.expired());
            assert_eq!(cm.when(), None);
            Ok(())
        })
        .unwrap();
    }

    /// Without a point in time neither (TO-1).
    #[test]
    fn test_timeout_at_disabled() {
        run(async {
            let cm = TimeoutScope::at(None);
            cm.clone().run(async |_| sleep(ms(10)).await).await?;
            assert!(!cm.expired());
            assert_eq!(cm.when(), None);
            Ok(())
        })
        .unwrap();
    }

    /// No time at all interrupts a block at its first suspension (TO-3).
    #[test]
    fn test_timeout_zero() {
        run(async {
            let t0 = Instant::now();
            let cm = TimeoutScope::new(ms(0));
            let outcome = cm.clone().run(async |_| sleep(ms(10_000)).await).await;
            assert!(outcome.unwrap_err().is::<TimedOut>());
            let t1 = Instant::now();
            assert!(cm.expired());
            assert!(cm.when().is_some_and(|when| t0 <= when && when <= t1));
            assert_eq!(t1, t0, "it was not interrupted at once");
            Ok(())
        })
        .unwrap();
    }

    /// Also if that suspension is over in a turn (TO-3).
    #[test]
    fn test_timeout_zero_sleep_zero() {
        run(async {
            let t0 = Instant::now();
            let cm = TimeoutScope::new(ms(0));
            let outcome = cm.clone().run(async |_| sleep(ms(0)).await).await;
            assert!(outcome.unwrap_err().is::<TimedOut>());
            let t1 = Instant::now();
            assert!(cm.expired());
            assert!(cm.when().is_some_and(|when| t0 <= when && when <= t1));
            Ok(())
        })
        .unwrap();
    }

    /// A deadline in the past does the same (TO-3).
    ///
    /// Stands in: a point in time that is past for a negative delay, which a `Duration` cannot be.
    #[test]
    fn test_timeout_in_the_past_sleep_zero() {
        run(async {
            sleep(ms(20_000)).await?;
            let t0 = Instant::now();
            let cm = TimeoutScope::at(t0 - ms(11_000));
            let outcome = cm.clone().run(async |_| sleep(ms(0)).await).await;
            assert!(outcome.unwrap_err().is::<TimedOut>());
            let t1 = Instant::now();
            assert!(cm.expired());
            assert!(cm.when().is_some_and(|when| t0 >= when && when <= t1));
            Ok(())
        })
        .unwrap();
    }

    /// An error before the time is over passes through, and the timeout is not expired (TO-11).
    #[test]
    fn test_foreign_exception_passed() {
        run(async {
            let cm = TimeoutScope::new(ms(10));
            let outcome: Result<()> = cm.clone().run(async |_| Err(KeyError("foreign").into())).await;
            assert!(outcome.unwrap_err().is::<KeyError>());
            assert!(!cm.expired());
            Ok(())
        })
        .unwrap();
    }

    /// The TimeoutError is caused by the Cancelled that interrupted the block's clean-up (TO-8).
    ///
    /// Stands in: the cause only; an error that is let go in Rust has no context to appear in.
    #[test]
    fn test_timeout_exception_context() {
        run(async {
            let outcome: Result<()> = timeout(ms(10), async {
                let failed: Result<()> = Err(ZeroDivisionError("division by zero").into());
                sleep(ms(1000)).await?;
                failed
            })
            .await;
            let error = outcome.unwrap_err();
            let timed_out = error.downcast_ref::<TimedOut>().expect("a TimedOut");
            let cause = timed_out.cause().expect("a cause");
            assert!(error.source().is_some_and(|source| source.is::<homing::Cancelled>()));
            assert!(cause.as_error().source().is_none());
            Ok(())
        })
        .unwrap();
    }

    /// An error that the block raises in place of the Cancelled comes out as it is, without a cause (TO-9).
    ///
    /// Stands in: the timeout in the error's trail for the TimeoutError in its context.
    #[test]
    fn test_foreign_exception_on_timeout() {
        run(async {
            let outcome: Result<()> = timeout(ms(10), async {
                let cancelled = sleep(ms(1000)).await;
                assert!(cancelled.unwrap_err().is_cancelled());
                Err(ZeroDivisionError("division by zero").into())
            })
            .await;
            let error = outcome.unwrap_err();
            assert!(error.is::<ZeroDivisionError>());
            assert!(error.source().is_none());
            assert_eq!(trail(&error), ["timeout"]);
            assert_eq!(count(), 0);
            Ok(())
        })
        .unwrap();
    }

    /// A cancel that is not the timeout's passes through (TO-12).
    #[test]
    fn test_foreign_cancel_doesnt_timeout_if_not_expired() {
        run(async {
            let task = spawn(async {
                let cm = TimeoutScope::new(ms(10_000));
                let outcome = cm
                    .clone()
                    .run(async |_| {
                        current().expect("in a task").cancel();
                        sleep(ms(10_000)).await
                    })
                    .await;
                assert!(outcome.unwrap_err().is_cancelled());
                assert!(!cm.expired());
                Ok(current().expect("in a task").uncancel())
            });
            assert_eq!(task.await?, 0);
            Ok(())
        })
        .unwrap();
    }

    /// A task that has handled its timeout is not cancelled (TO-8).
    #[test]
    fn test_outer_task_is_not_cancelled() {
        run(async {
            let mut task = spawn(async {
                assert!(timeout(ms(1), sleep(ms(10_000))).await.unwrap_err().is_timeout());
                Ok(())
            });
            (&mut task).await?;
            assert!(!task.is_cancelled());
            assert!(task.is_finished());
            Ok(())
        })
        .unwrap();
    }

    /// The outer timeout expires while the inner block computes: the inner lets the Cancelled pass (TO-16).
    ///
    /// Stands in: a real clock for the virtual one, which computing does not move.
    #[test]
    fn test_nested_timeouts_concurrent() {
        let outcome = Runtime::new().run(async {
            timeout(ms(2), async {
                let inner = timeout(ms(100_000), async {
                    std::thread::sleep(ms(10));
                    sleep(ms(1_000_000)).await
                })
                .await;
                assert!(inner.as_ref().is_err_and(Error::is_cancelled), "{inner:?}");
                inner
            })
            .await
        });
        assert!(outcome.unwrap_err().is::<TimedOut>());
    }

    /// Both expire while the loop is busy: whatever the block waits for next, the outer timeout ends it (TO-16).
    ///
    /// Stands in: a real clock for the virtual one, which a busy loop does not move.
    #[test]
    fn test_nested_timeouts_loop_busy() {
        let begin = std::time::Instant::now();
        let outcome = Runtime::new().run(async {
            timeout(ms(20), async {
                let inner = timeout(ms(2), async {
                    std::thread::sleep(ms(25));
                    sleep(ms(100_000)).await
                })
                .await;
                match inner {
                    Err(error) if error.is_timeout() => sleep(ms(1_000_000)).await,
                    outcome => outcome,
                }
            })
            .await
        });
        assert!(outcome.unwrap_err().is::<TimedOut>());
        assert!(begin.elapsed() < ms(50_000));
    }

    /// Another task moves the deadline, and switches it off; a cancel then passes through (TO-6, TO-7, TO-12).
    #[test]
    fn test_reschedule() {
        run(async {
            let deadline1 = Instant::now() + ms(10_000);
            let deadline2 = deadline1 + ms(20_000);
            let handed_over = Rc::new(RefCell::new(None));
            let slot = handed_over.clone();
            let task = spawn(TimeoutScope::at(deadline1).run(async move |cm| {
                slot.replace(Some(cm.clone()));
                sleep(ms(50_000)).await
            }));
            yield_now().await?;
            let cm = handed_over.take().expect("the block has begun");

            assert_eq!(cm.when(), Some(deadline1));
            cm.reschedule(deadline2)?;
            assert_eq!(cm.when(), Some(deadline2));
            sleep(ms(15_000)).await?;
            assert!(!task.is_finished(), "the first deadline has passed");
            cm.reschedule(None)?;
            assert_eq!(cm.when(), None);
            sleep(ms(20_000)).await?;
            assert!(!task.is_finished(), "the second deadline has passed");

            task.cancel();
            assert!(task.await.unwrap_err().is_cancelled());
            assert!(!cm.expired());
            Ok(())
        })
        .unwrap();
    }

    /// An active timeout shows its deadline (TK-14).
    #[test]
    fn test_repr_active() {
        run(async {
            timeout_scope(ms(10_000), async |cm| {
                let when = cm.when().expect("it has a deadline");
                assert_eq!(
                    format!("{cm:?}"),
                    format!("TimeoutScope {{ state: Active, when: Some({when:?}) }}")
                );
                Ok(())
            })
            .await
        })
        .unwrap();
    }

    /// An expired one does not (TK-14).
    #[test]
    fn test_repr_expired() {
        run(async {
            let cm = TimeoutScope::new(ms(10));
            let outcome = cm.clone().run(async |_| sleep(ms(10_000)).await).await;
            assert!(outcome.is_err());
            assert_eq!(format!("{cm:?}"), "TimeoutScope { state: Expired }");
            Ok(())
        })
        .unwrap();
    }

    /// Nor one that has finished in time (TK-14).
    #[test]
    fn test_repr_finished() {
        run(async {
            let cm = TimeoutScope::new(ms(10_000));
            cm.clone().run(async |_| yield_now().await).await?;
            assert_eq!(format!("{cm:?}"), "TimeoutScope { state: Finished }");
            Ok(())
        })
        .unwrap();
    }

    /// An active one that never expires says so (TK-14).
    #[test]
    fn test_repr_disabled() {
        run(async {
            timeout_scope(None, async |cm| {
                assert_eq!(format!("{cm:?}"), "TimeoutScope { state: Active, when: None }");
                Ok(())
            })
            .await
        })
        .unwrap();
    }

    /// A timeout works in the clean-up of a block that has itself timed out; each raises its own (TO-14, TO-16).
    #[test]
    fn test_nested_timeout_in_finally() {
        run(async {
            let outer: Result<()> = timeout(ms(10), async {
                let cancelled = sleep(ms(1000)).await;
                let inner = timeout(ms(10), sleep(ms(10_000))).await.unwrap_err();
                let cause = inner.downcast_ref::<TimedOut>().and_then(TimedOut::cause).expect("a cause");
                assert!(cause.as_error().source().is_none());
                assert_eq!(count(), 1, "the outer timeout's request is still there");
                cancelled
            })
            .await;
            let outer = outer.unwrap_err();
            let cause = outer.downcast_ref::<TimedOut>().and_then(TimedOut::cause).expect("a cause");
            assert!(cause.as_error().source().is_none());
            assert_eq!(count(), 0);
            Ok(())
        })
        .unwrap();
    }

    /// A timeout works in the clean-up after a cancel that was swallowed (TO-14).
    #[test]
    fn test_timeout_after_cancellation() {
        run(async {
            let task = current().expect("in a task");
            task.cancel();
            assert!(sleep(ms(1000)).await.unwrap_err().is_cancelled());
            let outcome = timeout(ms(0), sleep(ms(1000))).await;
            assert!(outcome.unwrap_err().is::<TimedOut>());
            assert_eq!(task.cancelling(), 1);
            task.uncancel();
            Ok(())
        })
        .unwrap();
    }

    /// A second cancel, within a timeout in the clean-up after a first, passes through (TO-8, CX-23).
    #[test]
    fn test_cancel_in_timeout_after_cancellation() {
        run(async {
            let task = current().expect("in a task");
            task.cancel();
            assert!(sleep(ms(1000)).await.unwrap_err().is_cancelled());
            let outcome = timeout(ms(1000), async {
                task.cancel();
                sleep(ms(2000)).await
            })
            .await;
            assert!(outcome.unwrap_err().is_cancelled());
            assert_eq!((task.uncancel(), task.uncancel()), (1, 0));
            Ok(())
        })
        .unwrap();
    }

    fn already_entered(outcome: Result<()>) {
        let error = outcome.unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&RuntimeError::AlreadyEntered), "{error:#}");
    }

    /// A timeout cannot be entered again inside of itself (TO-2).
    #[test]
    fn test_timeout_already_entered() {
        run(async {
            timeout_scope(ms(10), async |cm| {
                already_entered(cm.clone().run(async |_| Ok(())).await);
                Ok(())
            })
            .await
        })
        .unwrap();
    }

    /// Nor after its end (TO-2).
    #[test]
    fn test_timeout_double_enter() {
        run(async {
            let cm = TimeoutScope::new(ms(10));
            cm.clone().run(async |_| Ok(())).await?;
            already_entered(cm.run(async |_| Ok(())).await);
            Ok(())
        })
        .unwrap();
    }

    /// After the block's end the deadline cannot be moved (TO-7).
    #[test]
    fn test_timeout_finished() {
        run(async {
            let cm = TimeoutScope::new(ms(10));
            cm.clone().run(async |_| Ok(())).await?;
            assert_eq!(cm.reschedule(Instant::now() + ms(20)), Err(Reschedule::Finished));
            Ok(())
        })
        .unwrap();
    }

    /// Nor after it has expired (TO-7).
    #[test]
    fn test_timeout_expired() {
        run(async {
            let cm = TimeoutScope::new(ms(10));
            let outcome = cm.clone().run(async |_| sleep(ms(1000)).await).await;
            assert!(outcome.unwrap_err().is_timeout());
            assert_eq!(cm.reschedule(Instant::now() + ms(20)), Err(Reschedule::Expired));
            Ok(())
        })
        .unwrap();
    }

    /// Nor while the block ends; if the block swallows the Cancelled, there is no TimeoutError (TO-7, TO-10).
    #[test]
    fn test_timeout_expiring() {
        run(async {
            timeout_scope(ms(10), async |cm| {
                assert!(sleep(ms(1000)).await.unwrap_err().is_cancelled());
                assert_eq!(cm.reschedule(Instant::now() + ms(20)), Err(Reschedule::Expiring));
                Ok(())
            })
            .await?;
            assert_eq!(count(), 0);
            Ok(())
        })
        .unwrap();
    }

    /// Nor before the block is entered (TO-7).
    #[test]
    fn test_timeout_not_entered() {
        run(async {
            let cm = TimeoutScope::new(ms(10));
            assert_eq!(cm.reschedule(Instant::now() + ms(20)), Err(Reschedule::NotEntered));
            Ok(())
        })
        .unwrap();
    }

    /// Without a current task a timeout cannot be entered, and stays as if nobody had tried (TO-2).
    #[test]
    fn test_timeout_without_task() {
        run(async {
            let cm = TimeoutScope::new(ms(10));
            let Poll::Ready(outcome) = await_without_task(cm.clone().run(async |_| Ok(()))).await? else {
                panic!("it cannot wait for anything");
            };
            assert_eq!(outcome.unwrap_err().downcast_ref(), Some(&RuntimeError::NoTask));
            assert_eq!(cm.reschedule(Instant::now() + ms(20)), Err(Reschedule::NotEntered));
            Ok(())
        })
        .unwrap();
    }

    /// A child that fails in the clean-up that a timeout has caused gives a group error, and no TimeoutError (TO-9,
    /// TO-18).
    ///
    /// Stands in: the timeout in the group's trail for the TimeoutError in its context.
    #[test]
    fn test_timeout_taskgroup() {
        run(async {
            let outcome: Result<()> = timeout_at(
                Instant::now() + ms(10),
                task_group(async |tg| {
                    drop(tg.spawn(async {
                        let _ = sleep(ms(2000)).await;
                        Err::<(), _>(ZeroDivisionError("in clean-up").into())
                    }));
                    let failed = Err(ValueError("let go").into());
                    sleep(ms(1000)).await?;
                    failed
                }),
            )
            .await;
            let error = outcome.unwrap_err();
            assert_group_of(&error, "ZeroDivisionError");
            assert!(error.source().is_none());
            assert_eq!(trail(&error), ["group", "timeout"]);
            assert!(only_member(&error).source().is_none());
            assert_eq!(count(), 0);
            Ok(())
        })
        .unwrap();
    }
}
