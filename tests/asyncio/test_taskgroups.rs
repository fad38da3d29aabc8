//! `test_taskgroups.py`: each test runs with tasks that are queued and with tasks that are started eagerly.

mod base_test_task_group {
    use crate::support::exceptions::{
        KeyboardInterrupt, MyError, RuntimeError, TypeError, ValueError, ZeroDivisionError, assert_group_of,
        get_error_types, only_member, type_of,
    };
    use crate::support::{await_without_task, lazy_and_eager, ms, result_of};
    use homing::sync::Event;
    use homing::{
        Builder, Context, Except, GroupCancelled, GroupClosed, Panicked, Result, Task, TaskGroup, TaskLocal,
        Unhandled, current, sleep, spawn, task_group, timeout, yield_now,
    };
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeSet;
    use std::future::poll_fn;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::pin::{Pin, pin};
    use std::rc::Rc;
    use std::task::Poll;

    /// Sleeps, and gives a value.
    async fn after<T>(milliseconds: u64, value: T) -> Result<T> {
        sleep(ms(milliseconds)).await?;
        Ok(value)
    }

    /// Sleeps, and fails.
    async fn crash_after(milliseconds: u64) -> Result<()> {
        sleep(ms(milliseconds)).await?;
        Err(ZeroDivisionError("division by zero").into())
    }

    /// Sleeps, and fails as soon as that is over or cancelled.
    async fn crash_in_cleanup(milliseconds: u64) -> Result<()> {
        let _ = sleep(ms(milliseconds)).await;
        Err(ZeroDivisionError("division by zero").into())
    }

    /// Sleeps, and adds to a count if it is cancelled there.
    async fn note_cancel(noted: Rc<Cell<u32>>, add: u32, milliseconds: u64) -> Result<()> {
        let slept = sleep(ms(milliseconds)).await;
        if slept.as_ref().is_err_and(homing::Error::is_cancelled) {
            noted.set(noted.get() + add);
        }
        slept
    }

    /// Spawns a task and lets it run for a while.
    async fn running<T: 'static>(
        milliseconds: u64,
        future: impl Future<Output = Result<T>> + 'static,
    ) -> Result<Task<T>> {
        let task = spawn(future);
        sleep(ms(milliseconds)).await?;
        assert!(!task.is_finished());
        Ok(task)
    }

    /// Sees that it is dropped, run or not.
    struct Closed(Rc<Cell<bool>>);

    impl Drop for Closed {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }

    /// A future that must not be run, and what tells that it was dropped.
    fn never_run() -> (impl Future<Output = Result<()>> + 'static, Rc<Cell<bool>>) {
        let closed = Rc::new(Cell::new(false));
        let guard = Closed(closed.clone());
        let future = async move {
            let _guard = guard;
            panic!("a refused child must not run")
        };
        (future, closed)
    }

    /// The block ends when both children have ended, and their results are read from the handles (TG-8).
    #[test]
    fn test_taskgroup_01() {
        lazy_and_eager(|| async {
            let (mut t1, mut t2) =
                task_group(async |tg| Ok((tg.spawn(after(100, 42)), tg.spawn(after(200, 11))))).await?;
            assert_eq!(result_of(&mut t1)?, 42);
            assert_eq!(result_of(&mut t2)?, 11);
            Ok(())
        });
    }

    /// A child may be spawned later in the body, after an await (TG-4, TG-8).
    #[test]
    fn test_taskgroup_02() {
        lazy_and_eager(|| async {
            let (mut t1, mut t2) = task_group(async |tg| {
                let t1 = tg.spawn(after(100, 42));
                sleep(ms(150)).await?;
                Ok((t1, tg.spawn(after(200, 11))))
            })
            .await?;
            assert_eq!(result_of(&mut t1)?, 42);
            assert_eq!(result_of(&mut t2)?, 11);
            Ok(())
        });
    }

    /// A child that is cancelled by hand is no failure, and disturbs nobody (TG-9).
    #[test]
    fn test_taskgroup_03() {
        lazy_and_eager(|| async {
            let (t1, mut t2) = task_group(async |tg| {
                let t1 = tg.spawn(after(1000, 42));
                sleep(ms(150)).await?;
                t1.cancel();
                Ok((t1, tg.spawn(after(200, 11))))
            })
            .await?;
            assert!(t1.is_cancelled());
            assert_eq!(result_of(&mut t2)?, 11);
            Ok(())
        });
    }

    /// A failing child cancels its sibling, and the block raises a group of that one error (TG-10).
    #[test]
    fn test_taskgroup_04() {
        lazy_and_eager(|| async {
            let cancelled = Rc::new(Cell::new(0));
            let went_on = Rc::new(Cell::new(false));
            let t2 = Rc::new(RefCell::new(None));
            let runner = spawn({
                let (cancelled, went_on, t2) = (cancelled.clone(), went_on.clone(), t2.clone());
                async move {
                    task_group(async |tg| {
                        drop(tg.spawn(crash_after(100)));
                        *t2.borrow_mut() = Some(tg.spawn(note_cancel(cancelled, 1, 1000)));
                        Ok(())
                    })
                    .await?;
                    went_on.set(true);
                    Ok(())
                }
            });
            assert_group_of(&runner.await.unwrap_err(), "ZeroDivisionError");
            assert!(!went_on.get());
            assert_eq!(cancelled.get(), 1);
            assert!(t2.borrow().as_ref().is_some_and(|t2| t2.is_cancelled()));
            Ok(())
        });
    }

    /// Several children that fail in the same turn are all in the group; the rest and the body are cancelled (TG-10).
    #[test]
    fn test_cancel_children_on_child_error() {
        lazy_and_eager(|| async {
            let child = Rc::new(Cell::new(0));
            let body = Rc::new(Cell::new(0));
            let went_on = Rc::new(Cell::new(false));
            let runner = spawn({
                let (child, body, went_on) = (child.clone(), body.clone(), went_on.clone());
                async move {
                    task_group(async |tg| {
                        for _ in 0..3 {
                            drop(tg.spawn(crash_after(100)));
                        }
                        drop(tg.spawn(note_cancel(child, 1, 5000)));
                        note_cancel(body, 1, 10_000).await
                    })
                    .await?;
                    went_on.set(true);
                    Ok(())
                }
            });
            let error = runner.await.unwrap_err();
            assert_group_of(&error, "ZeroDivisionError");
            assert_eq!(error.as_group().map(|group| group.len()), Some(3));
            assert!(!went_on.get());
            assert_eq!((child.get(), body.get()), (1, 1));
            Ok(())
        });
    }

    /// A cancel while the exit waits reaches every child, and comes out of the block with its reason (TG-17).
    #[test]
    fn test_cancellation() {
        lazy_and_eager(|| async {
            let cancelled = Rc::new(Cell::new(0));
            let noted = cancelled.clone();
            let runner = running(100, async move {
                task_group(async |tg| {
                    for _ in 0..5 {
                        drop(tg.spawn(note_cancel(noted.clone(), 1, 5000)));
                    }
                    Ok(())
                })
                .await
            })
            .await?;
            runner.cancel_with("test");
            let error = runner.await.unwrap_err();
            assert!(error.is_cancelled());
            assert_eq!(error.as_cancelled().and_then(|cancelled| cancelled.reason()), Some("test"));
            assert_eq!(cancelled.get(), 5);
            Ok(())
        });
    }

    /// A cancel while the body runs reaches the body and every child (TG-16).
    #[test]
    fn test_taskgroup_07() {
        lazy_and_eager(|| async {
            let cancelled = Rc::new(Cell::new(0));
            let noted = cancelled.clone();
            let runner = running(100, async move {
                task_group(async |tg| {
                    for _ in 0..5 {
                        drop(tg.spawn(note_cancel(noted.clone(), 1, 5000)));
                    }
                    note_cancel(noted, 10, 10_000).await
                })
                .await
            })
            .await?;
            runner.cancel();
            assert!(runner.await.unwrap_err().is_cancelled());
            assert_eq!(cancelled.get(), 15);
            Ok(())
        });
    }

    /// Errors that the children raise while they are cancelled outrank the Cancelled (TG-11, TG-19).
    #[test]
    fn test_taskgroup_08() {
        lazy_and_eager(|| async {
            let runner = running(
                100,
                task_group(async |tg| {
                    for _ in 0..5 {
                        drop(tg.spawn(crash_in_cleanup(10_000)));
                    }
                    sleep(ms(10_000)).await
                }),
            )
            .await?;
            runner.cancel();
            let error = runner.await.unwrap_err();
            assert_group_of(&error, "ZeroDivisionError");
            assert_eq!(error.as_group().map(|group| group.len()), Some(5));
            Ok(())
        });
    }

    /// A body that fails after an await cancels the children, and its error comes in a group, alone as it is (TG-13).
    #[test]
    fn test_taskgroup_09() {
        lazy_and_eager(|| async {
            let children = RefCell::new(None);
            let outcome: Result<()> = task_group(async |tg| {
                *children.borrow_mut() = Some((tg.spawn(after(1000, 42)), tg.spawn(after(2000, 11))));
                crash_after(100).await
            })
            .await;
            assert_eq!(type_of(only_member(&outcome.unwrap_err())), "ZeroDivisionError");
            let (t1, t2) = children.take().expect("both were spawned");
            assert!(t1.is_cancelled() && t2.is_cancelled());
            Ok(())
        });
    }

    /// The same without an await: children that have not begun never do (TG-13, CX-8).
    #[test]
    fn test_taskgroup_10() {
        lazy_and_eager(|| async {
            let children = RefCell::new(None);
            let outcome: Result<()> = task_group(async |tg| {
                *children.borrow_mut() = Some((tg.spawn(after(1000, 42)), tg.spawn(after(2000, 11))));
                Err(ZeroDivisionError("division by zero").into())
            })
            .await;
            assert_eq!(type_of(only_member(&outcome.unwrap_err())), "ZeroDivisionError");
            let (t1, t2) = children.take().expect("both were spawned");
            assert!(t1.is_cancelled() && t2.is_cancelled());
            Ok(())
        });
    }

    /// The group error of an inner block is the body's error of the outer one, and is wrapped again (TG-12, TG-19).
    #[test]
    fn test_taskgroup_11() {
        lazy_and_eager(|| async {
            let runner = running(
                100,
                task_group(async |_| {
                    task_group(async |inner| {
                        for _ in 0..5 {
                            drop(inner.spawn(crash_in_cleanup(10_000)));
                        }
                        sleep(ms(10_000)).await
                    })
                    .await
                }),
            )
            .await?;
            runner.cancel();
            let error = runner.await.unwrap_err();
            assert_group_of(&error, "ExceptionGroup");
            assert_group_of(only_member(&error), "ZeroDivisionError");
            Ok(())
        });
    }

    /// The same, with a child of the outer group, which is cancelled and adds nothing (TG-12, TG-19).
    #[test]
    fn test_taskgroup_12() {
        lazy_and_eager(|| async {
            let runner = running(
                100,
                task_group(async |outer| {
                    drop(outer.spawn(sleep(ms(10_000))));
                    task_group(async |inner| {
                        for _ in 0..5 {
                            drop(inner.spawn(crash_in_cleanup(10_000)));
                        }
                        sleep(ms(10_000)).await
                    })
                    .await
                }),
            )
            .await?;
            runner.cancel();
            let error = runner.await.unwrap_err();
            assert_group_of(&error, "ExceptionGroup");
            assert_group_of(only_member(&error), "ZeroDivisionError");
            Ok(())
        });
    }

    /// Sleeps, and fails with a value.
    async fn value_error_after(milliseconds: u64) -> Result<()> {
        sleep(ms(milliseconds)).await?;
        Err(ValueError("too late").into())
    }

    /// A failing child of the outer group ends the inner one quietly, and its error comes out unwrapped (TG-25).
    #[test]
    fn test_taskgroup_13() {
        lazy_and_eager(|| async {
            let runner = spawn(task_group(async |outer| {
                drop(outer.spawn(value_error_after(100)));
                task_group(async |inner| {
                    drop(inner.spawn(value_error_after(10_000)));
                    Ok(())
                })
                .await
            }));
            assert_eq!(type_of(only_member(&runner.await.unwrap_err())), "ValueError");
            Ok(())
        });
    }

    /// A failing child of the inner group fails the outer one's body: a group in a group (TG-12).
    #[test]
    fn test_taskgroup_14() {
        lazy_and_eager(|| async {
            let runner = spawn(task_group(async |outer| {
                drop(outer.spawn(value_error_after(10_000)));
                task_group(async |inner| {
                    drop(inner.spawn(value_error_after(100)));
                    Ok(())
                })
                .await
            }));
            let error = runner.await.unwrap_err();
            assert_group_of(&error, "ExceptionGroup");
            assert_eq!(type_of(only_member(only_member(&error))), "ValueError");
            Ok(())
        });
    }

    /// The body's clean-up after a cancel may take its time; a child's error in the meantime outranks it (CX-14, TG-19).
    #[test]
    fn test_taskgroup_15() {
        lazy_and_eager(|| async {
            let runner = running(100, crash_while_cleaning_up()).await?;
            runner.cancel();
            assert_eq!(type_of(only_member(&runner.await.unwrap_err())), "ZeroDivisionError");
            Ok(())
        });
    }

    /// A child that fails at 300 ms, and a body that, cancelled at 100 ms, cleans up until 600 ms.
    fn crash_while_cleaning_up() -> impl Future<Output = Result<()>> {
        task_group(async |tg| {
            drop(tg.spawn(crash_after(300)));
            let cancelled = sleep(ms(10_000)).await.unwrap_err();
            // The children are not cancelled before the body has ended. The clean-up itself is interrupted by the
            // failure, once more.
            let cleaned_up = sleep(ms(500)).await;
            cleaned_up.and(Err(cancelled))
        })
    }

    /// The same, cancelled through a task that awaits the one with the group (CX-4, TG-19).
    #[test]
    fn test_taskgroup_16() {
        lazy_and_eager(|| async {
            let runner = running(100, async { spawn(crash_while_cleaning_up()).await }).await?;
            runner.cancel();
            assert_eq!(type_of(only_member(&runner.await.unwrap_err())), "ZeroDivisionError");
            Ok(())
        });
    }

    /// A group without children lets the Cancelled of its body through (TG-16).
    #[test]
    fn test_taskgroup_17() {
        lazy_and_eager(|| async {
            let cancelled = Rc::new(Cell::new(0));
            let noted = cancelled.clone();
            let runner =
                running(100, task_group(async move |_| note_cancel(noted, 10, 10_000).await)).await?;
            runner.cancel();
            assert!(runner.await.unwrap_err().is_cancelled());
            assert_eq!(cancelled.get(), 10);
            Ok(())
        });
    }

    /// A body that replaces the Cancelled by another error has that error raised in a group (TG-13, TG-19).
    #[test]
    fn test_taskgroup_18() {
        lazy_and_eager(|| async {
            let cancelled = Rc::new(Cell::new(0));
            let noted = cancelled.clone();
            let runner = running(
                100,
                task_group(async move |_| {
                    let _ = note_cancel(noted, 10, 10_000).await;
                    Err::<(), _>(MyError("weird").into())
                }),
            )
            .await?;
            runner.cancel();
            assert_eq!(type_of(only_member(&runner.await.unwrap_err())), "MyError");
            assert_eq!(cancelled.get(), 10);
            Ok(())
        });
    }

    /// An error of the body's clean-up joins that of the child which had caused it, behind it (TG-11, TG-12).
    #[test]
    fn test_taskgroup_19() {
        lazy_and_eager(|| async {
            let runner = spawn(task_group(async |tg| {
                drop(tg.spawn(crash_after(100)));
                let _ = sleep(ms(10_000)).await;
                Err::<(), _>(MyError("in clean-up").into())
            }));
            let error = runner.await.unwrap_err();
            let group = error.as_group().expect("a group");
            assert_eq!(
                group.errors().iter().map(type_of).collect::<Vec<_>>(),
                ["ZeroDivisionError", "MyError"]
            );
            Ok(())
        });
    }

    /// Runs a group whose body panics, and gives what it panicked with.
    async fn panic_of(group: impl Future<Output = Result<()>>) -> &'static str {
        let mut group = pin!(group);
        let ended = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| group.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(outcome)) => Poll::Ready(Ok(outcome)),
            Err(payload) => Poll::Ready(Err(payload)),
        });
        let payload = ended.await.expect_err("the group's body panics");
        payload.downcast_ref::<&str>().copied().expect("with a message")
    }

    /// A body that ends fatally has its children cancelled and awaited, and is raised bare (TG-38).
    ///
    /// Stands in: a panic of the body for KeyboardInterrupt.
    #[test]
    fn test_taskgroup_20() {
        lazy_and_eager(|| async {
            let ended = Rc::new(Cell::new(false));
            let closed = Closed(ended.clone());
            let group = task_group(async |tg| {
                drop(tg.spawn(crash_after(100)));
                drop(tg.spawn(async move {
                    let _closed = closed;
                    let cancelled = sleep(ms(10_000)).await;
                    sleep(ms(100)).await?;
                    cancelled
                }));
                let _ = sleep(ms(10_000)).await;
                std::panic::panic_any("KeyboardInterrupt")
            });
            assert_eq!(panic_of(group).await, "KeyboardInterrupt");
            assert!(ended.get(), "the panic went on before the children had ended");
            Ok(())
        });
    }

    /// An error of the body that is neither ordinary nor fatal is collected as any other (TG-40).
    ///
    /// Stands in: a KeyboardInterrupt as a value, which is an error like any other here, for a BaseException.
    #[test]
    fn test_taskgroup_20a() {
        lazy_and_eager(|| async {
            let outcome: Result<()> = task_group(async |tg| {
                drop(tg.spawn(crash_after(100)));
                let _ = sleep(ms(10_000)).await;
                Err(KeyboardInterrupt("as a value").into())
            })
            .await;
            let types = get_error_types(&outcome.unwrap_err());
            assert_eq!(types, BTreeSet::from(["KeyboardInterrupt", "ZeroDivisionError"]));
            Ok(())
        });
    }

    /// The errors that a fatal one displaces are each reported (TG-39).
    ///
    /// Stands in: a panic of the body for KeyboardInterrupt, the hook for unhandled errors for the exception handler.
    #[test]
    fn test_taskgroup_20b() {
        for eager in [false, true] {
            let reports = Rc::new(RefCell::new(Vec::new()));
            let hook = {
                let reports = reports.clone();
                move |unhandled: &Unhandled| {
                    reports.borrow_mut().push(match unhandled {
                        Unhandled::Displaced { error } => type_of(error),
                        _ => "something else",
                    });
                }
            };
            let runtime =
                Builder::new().virtual_time().debug(false).eager_tasks(eager).on_unhandled(hook).build();
            let group = task_group(async |tg| {
                drop(tg.spawn(crash_after(100)));
                drop(tg.spawn(value_error_after(100)));
                let _ = sleep(ms(10_000)).await;
                std::panic::panic_any("KeyboardInterrupt")
            });
            let panicked = runtime.run(async { Ok(panic_of(group).await) }).unwrap();
            assert_eq!(panicked, "KeyboardInterrupt");
            assert_eq!(reports.take(), ["ZeroDivisionError", "ValueError"]);
        }
    }

    /// A child that ends in an error of that kind is collected, beside the body's ordinary one (TG-11, TG-40).
    ///
    /// Stands in: a panic of the child, which is an ordinary failure of it, for a BaseException.
    #[test]
    fn test_taskgroup_21a() {
        for eager in [false, true] {
            let reports = Rc::new(Cell::new(0));
            let count = reports.clone();
            let hook = move |unhandled: &Unhandled| {
                assert!(matches!(unhandled, Unhandled::TaskPanicked { .. }), "{unhandled}");
                count.set(count.get() + 1);
            };
            let runtime =
                Builder::new().virtual_time().debug(false).eager_tasks(eager).on_unhandled(hook).build();
            let outcome: Result<()> = runtime.run(task_group(async |tg| {
                drop(tg.spawn::<_, ()>(async {
                    sleep(ms(100)).await?;
                    std::panic::panic_any("MyBaseExc")
                }));
                let _ = sleep(ms(10_000)).await;
                Err(TypeError("in clean-up").into())
            }));
            let error = outcome.unwrap_err();
            assert_eq!(get_error_types(&error), BTreeSet::from(["Panicked", "TypeError"]));
            let panicked = error.as_group().and_then(|group| group.errors()[0].downcast_ref::<Panicked>());
            assert_eq!(panicked.map(Panicked::message), Some("MyBaseExc"));
            assert_eq!(reports.get(), 1, "a panic is reported at once, also in a group");
        }
    }

    /// A cancel while the exit waits gives a plain Cancelled, if no child fails (TG-17).
    #[test]
    fn test_taskgroup_22() {
        lazy_and_eager(|| async {
            let runner = running(
                50,
                task_group(async |tg| {
                    drop(tg.spawn(after(1000, 42)));
                    drop(tg.spawn(after(2000, 11)));
                    Ok(())
                }),
            )
            .await?;
            runner.cancel();
            assert!(runner.await.unwrap_err().is_cancelled());
            Ok(())
        });
    }

    /// Children that have ended leave the group at once, so that one which lives long does not grow (TG-8).
    #[test]
    fn test_taskgroup_23() {
        lazy_and_eager(|| async {
            task_group(async |tg| {
                for count in 0..10 {
                    sleep(ms(100)).await?;
                    drop(tg.spawn(sleep(ms(300))));
                    if count == 5 {
                        assert!(tg.len() < 5, "{tg:?}");
                    }
                }
                sleep(ms(1350)).await?;
                assert!(tg.is_empty());
                Ok(())
            })
            .await
        });
    }

    /// A child may spawn siblings while the exit waits, and they are waited for (TG-4).
    #[test]
    fn test_taskgroup_24() {
        lazy_and_eager(|| async {
            let ended = Rc::new(Cell::new(0));
            let grandchild = |milliseconds, ended: Rc<Cell<u32>>| async move {
                sleep(ms(milliseconds)).await?;
                ended.set(ended.get() + 1);
                Ok(())
            };
            task_group(async |tg| {
                let (group, ended) = (tg.clone(), ended.clone());
                drop(tg.spawn(async move {
                    sleep(ms(100)).await?;
                    drop(group.spawn(grandchild(100, ended.clone())));
                    drop(group.spawn(grandchild(200, ended)));
                    Ok(())
                }));
                Ok(())
            })
            .await?;
            assert_eq!(ended.get(), 2);
            Ok(())
        });
    }

    /// Children that spawn children without end are all cancelled by a failure (TG-4, TG-6, TG-10).
    ///
    /// Stands in: a task that is cancelled already, which `spawn` gives in a group that shuts down, for a RuntimeError.
    #[test]
    fn test_taskgroup_25() {
        fn hydra(tg: &TaskGroup, heads: &Rc<Cell<u32>>) -> impl Future<Output = Result<()>> + 'static {
            let (tg, heads) = (tg.clone(), heads.clone());
            async move {
                heads.set(heads.get() + 1);
                sleep(ms(10)).await?;
                drop(tg.spawn(head(&tg, &heads)));
                drop(tg.spawn(head(&tg, &heads)));
                Ok(())
            }
        }
        fn head(tg: &TaskGroup, heads: &Rc<Cell<u32>>) -> Pin<Box<dyn Future<Output = Result<()>>>> {
            Box::pin(hydra(tg, heads))
        }
        lazy_and_eager(|| async {
            let heads = Rc::new(Cell::new(0));
            let outcome = task_group(async |tg| {
                drop(tg.spawn(hydra(tg, &heads)));
                let heads = heads.clone();
                drop(tg.spawn::<_, ()>(async move {
                    while heads.get() < 10 {
                        sleep(ms(15)).await?;
                    }
                    Err(ZeroDivisionError("hercules").into())
                }));
                Ok(())
            })
            .await;
            assert_eq!(type_of(only_member(&outcome.unwrap_err())), "ZeroDivisionError");
            assert!(heads.get() >= 10);
            Ok(())
        });
    }

    /// A child has the name that it was spawned with (TG-4, TK-8).
    #[test]
    fn test_taskgroup_task_name() {
        lazy_and_eager(|| async {
            task_group(async |tg| {
                let task = tg.task(yield_now()).name("yolo").spawn();
                assert_eq!(task.name(), "yolo");
                Ok(())
            })
            .await
        });
    }

    /// Children that are given a context share it (CV-3).
    #[test]
    fn test_taskgroup_task_context() {
        static CVAR: TaskLocal<u32> = TaskLocal::inherited();
        async fn body(value: u32) -> Result<()> {
            yield_now().await?;
            CVAR.set(value);
            Ok(())
        }
        lazy_and_eager(|| async {
            task_group(async |tg| {
                let context = Context::current().expect("in a task").copy();
                assert_eq!(context.get(&CVAR), None);
                tg.task(body(1)).context(&context).spawn().await?;
                assert_eq!(context.get(&CVAR), Some(1));
                tg.task(body(2)).context(&context).spawn().await?;
                assert_eq!(context.get(&CVAR), Some(2));
                Ok(())
            })
            .await
        });
    }

    /// Spawning in a group that is shutting down is refused, also to a child that cleans up (TG-6).
    ///
    /// Stands in: `try_spawn` for `create_task`, whose error it gives.
    #[test]
    fn test_taskgroup_no_create_task_after_failure() {
        lazy_and_eager(|| async {
            let refused = Rc::new(Cell::new(false));
            let outcome = task_group(async |tg| {
                drop(tg.spawn(crash_after(1)));
                let (group, refused) = (tg.clone(), refused.clone());
                drop(tg.spawn(async move {
                    let cancelled = sleep(ms(1000)).await;
                    let (child, closed) = never_run();
                    assert_eq!(group.try_spawn(child).unwrap_err(), GroupClosed::ShuttingDown);
                    refused.set(closed.get());
                    cancelled
                }));
                Ok(())
            })
            .await;
            assert_eq!(type_of(only_member(&outcome.unwrap_err())), "ZeroDivisionError");
            assert!(refused.get());
            Ok(())
        });
    }

    /// What the body raises in place of the group's own Cancelled joins the children's errors, and the count is as it
    /// was (TG-13, TG-15).
    #[test]
    fn test_taskgroup_context_manager_exit_raises() {
        lazy_and_eager(|| async {
            let main = spawn(async {
                let caught = Cell::new(0);
                task_group(async |tg| {
                    drop(tg.spawn(async { Err::<(), _>(MyError("of the child").into()) }));
                    let _ = sleep(ms(1000)).await;
                    Err::<(), _>(MyError("of the context manager").into())
                })
                .await
                .except::<MyError>(|group: homing::ExceptionGroup| {
                    assert_eq!(current().map(|task| task.cancelling()), Some(0));
                    caught.set(group.len());
                })
                .end()?;
                assert_eq!(caught.get(), 2);
                Ok(())
            });
            main.await
        });
    }

    fn already_entered(outcome: Result<()>) {
        let error = outcome.unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&homing::RuntimeError::AlreadyEntered), "{error:#}");
    }

    /// A group that is being run cannot be entered again, inside itself (TG-2).
    #[test]
    fn test_taskgroup_already_entered() {
        lazy_and_eager(|| async {
            let group = TaskGroup::new();
            let again = group.clone();
            group
                .run(async |_| {
                    already_entered(again.run(async |_| Ok(())).await);
                    Ok(())
                })
                .await
        });
    }

    /// A group that has ended cannot be entered again (TG-2).
    #[test]
    fn test_taskgroup_double_enter() {
        lazy_and_eager(|| async {
            let group = TaskGroup::new();
            let again = group.clone();
            group.run(async |_| Ok(())).await?;
            already_entered(again.run(async |_| Ok(())).await);
            Ok(())
        });
    }

    /// A group that has ended takes no child, and the future handed in is dropped unrun (TG-5, TG-7).
    ///
    /// Stands in: `try_spawn` for `create_task`, whose error it gives.
    #[test]
    fn test_taskgroup_finished() {
        lazy_and_eager(|| async {
            let group = TaskGroup::new();
            group.clone().run(async |_| Ok(())).await?;
            let (child, closed) = never_run();
            assert_eq!(group.try_spawn(child).unwrap_err(), GroupClosed::Finished);
            assert!(closed.get());
            Ok(())
        });
    }

    /// A group that has not been entered takes no child (TG-3, TG-7).
    ///
    /// Stands in: `try_spawn` for `create_task`, whose error it gives.
    #[test]
    fn test_taskgroup_not_entered() {
        lazy_and_eager(|| async {
            let (child, closed) = never_run();
            assert_eq!(TaskGroup::new().try_spawn(child).unwrap_err(), GroupClosed::NotEntered);
            assert!(closed.get());
            Ok(())
        });
    }

    /// Without a current task a group cannot be entered, and stays as if nobody had tried (TG-1, TG-3).
    #[test]
    fn test_taskgroup_without_parent_task() {
        lazy_and_eager(|| async {
            let group = TaskGroup::new();
            let Poll::Ready(outcome) = await_without_task(group.clone().run(async |_| Ok(()))).await? else {
                panic!("it cannot wait for anything");
            };
            assert_eq!(outcome.unwrap_err().downcast_ref(), Some(&homing::RuntimeError::NoTask));
            assert_eq!(group.try_spawn(async { Ok(()) }).unwrap_err(), GroupClosed::NotEntered);
            Ok(())
        });
    }

    /// A future that is handed to a group after its end is dropped unrun, in the block's own task too (TG-5, TG-7).
    ///
    /// Stands in: the panic of `spawn` for the RuntimeError of `create_task`.
    #[test]
    fn test_coro_closed_when_tg_closed() {
        lazy_and_eager(|| async {
            let group = task_group(async |tg| Ok(tg.clone())).await?;
            let (child, closed) = never_run();
            let payload = catch_unwind(AssertUnwindSafe(|| drop(group.spawn(child)))).unwrap_err();
            let message = payload.downcast_ref::<String>().expect("a message");
            assert_eq!(*message, GroupClosed::Finished.to_string());
            assert!(closed.get());
            Ok(())
        });
    }

    /// Raises in the next turn but one.
    async fn raise_after_a_turn(error: impl std::error::Error + Send + Sync + 'static) -> Result<()> {
        yield_now().await?;
        Err(error.into())
    }

    /// After a failure that was handled, the count is what it was before the block (TG-15).
    #[test]
    fn test_cancelling_level_preserved() {
        lazy_and_eager(|| async {
            task_group(async |tg| {
                drop(tg.spawn(raise_after_a_turn(RuntimeError("soon"))));
                Ok(())
            })
            .await
            .except::<RuntimeError>(|_| ())
            .end()?;
            assert_eq!(current().map(|task| task.cancelling()), Some(0));
            Ok(())
        });
    }

    /// Two nested groups fail in the same turn: each raises its own errors, and the count ends at zero (TG-22, TG-26).
    #[test]
    fn test_nested_groups_both_cancelled() {
        lazy_and_eager(|| async {
            let (of_inner, of_outer) = (Cell::new(0), Cell::new(0));
            task_group(async |outer| {
                task_group(async |inner| {
                    drop(inner.spawn(raise_after_a_turn(RuntimeError("inner"))));
                    drop(outer.spawn(raise_after_a_turn(ValueError("outer"))));
                    Ok(())
                })
                .await
                .except::<RuntimeError>(|group: homing::ExceptionGroup| of_inner.set(group.len()))
                .end()?;
                assert_eq!(of_inner.get(), 1);
                assert_eq!(current().map(|task| task.cancelling()), Some(1));
                Ok(())
            })
            .await
            .except::<ValueError>(|group: homing::ExceptionGroup| of_outer.set(group.len()))
            .end()?;
            assert_eq!(of_outer.get(), 1);
            assert_eq!(current().map(|task| task.cancelling()), Some(0));
            Ok(())
        });
    }

    /// A failure and a cancel from outside in one turn: the errors are raised, and the cancel is delivered at the first
    /// suspension after the block (TG-20, TG-22).
    #[test]
    fn test_error_and_cancel() {
        lazy_and_eager(|| async {
            let event = Rc::new(Event::new());
            let handled = Rc::new(Cell::new(false));
            let inner: Task<()> = spawn({
                let (event, handled) = (event.clone(), handled.clone());
                async move {
                    task_group::<(), _>(async |tg| {
                        drop(tg.spawn::<_, ()>(async move {
                            event.set();
                            yield_now().await?;
                            Err(RuntimeError("soon").into())
                        }));
                        sleep(ms(1000)).await?;
                        panic!("the sleep in the group should have been cancelled")
                    })
                    .await
                    .except::<RuntimeError>(|_| handled.set(true))
                    .end()?;
                    assert_eq!(current().map(|task| task.cancelling()), Some(1));
                    sleep(ms(1000)).await?;
                    panic!("the sleep after the group should have been cancelled")
                }
            });
            let task = inner.task_ref();
            event.wait().await?;
            assert_eq!(task.cancelling(), 0);
            task.cancel();
            assert_eq!(task.cancelling(), 1);
            assert!(inner.await.unwrap_err().is_cancelled());
            assert!(task.is_cancelled());
            assert!(handled.get());
            Ok(())
        });
    }

    /// A child finds its name when it runs (TG-4, TK-8).
    #[test]
    fn test_name() {
        lazy_and_eager(|| async {
            let mut name = task_group(async |tg| {
                let task = tg.task(async { Ok(current().map(|task| task.name())) });
                Ok(task.name("example name").spawn())
            })
            .await?;
            assert_eq!(result_of(&mut name)?.as_deref(), Some("example name"));
            Ok(())
        });
    }

    /// A child that spawns a failing sibling is cancelled for it, but not before it suspends (TG-36).
    #[test]
    fn test_cancels_task_if_created_during_creation() {
        lazy_and_eager(|| async {
            let ran = Rc::new(Cell::new(false));
            let outcome = task_group(async |tg| {
                let (group, ran) = (tg.clone(), ran.clone());
                drop(tg.spawn(async move {
                    drop(group.spawn(async { Err::<(), _>(MyError("third task failed").into()) }));
                    let twice = async {
                        yield_now().await?; // where an eager task is cancelled
                        yield_now().await // where a queued one is
                    };
                    assert!(twice.await.unwrap_err().is_cancelled());
                    ran.set(true);
                    Ok(())
                }));
                Ok(())
            })
            .await;
            assert!(ran.get());
            assert_eq!(type_of(only_member(&outcome.unwrap_err())), "MyError");
            Ok(())
        });
    }

    /// The request by which a failing child interrupts the block is taken back: what comes after it runs (TG-15, TG-36).
    #[test]
    fn test_cancellation_does_not_leak_out_of_tg() {
        lazy_and_eager(|| async {
            let outcome = task_group(async |tg| {
                drop(tg.spawn(async { Err::<(), _>(MyError("at once").into()) }));
                Ok(())
            })
            .await;
            assert_eq!(type_of(only_member(&outcome.unwrap_err())), "MyError");
            yield_now().await
        });
    }

    /// `cancel()` ends the children and the block, without a Cancelled, a timeout or an error (TG-27).
    #[test]
    fn test_taskgroup_cancel_children() {
        lazy_and_eager(|| async {
            let children = timeout(
                ms(1000),
                TaskGroup::new().run_until_cancelled(async |tg| {
                    let children = (tg.spawn(sleep(ms(10_000))), tg.spawn(sleep(ms(10_000))));
                    yield_now().await?;
                    tg.cancel();
                    Ok(children)
                }),
            )
            .await?;
            let (one, two) = children.expect("the body had come to its end");
            assert!(one.is_cancelled() && two.is_cancelled());
            assert_eq!(current().map(|task| task.cancelling()), Some(0));
            Ok(())
        });
    }

    /// A body that cancels its group goes on to its next suspension, and no further (TG-27, TG-28).
    ///
    /// Stands in: `run_until_cancelled`, which gives no value then, for a block that has none anyway.
    #[test]
    fn test_taskgroup_cancel_body() {
        lazy_and_eager(|| async {
            let count = Cell::new(0);
            let ended = timeout(
                ms(1000),
                TaskGroup::new().run_until_cancelled(async |tg| {
                    tg.cancel();
                    count.set(count.get() + 1);
                    yield_now().await?;
                    count.set(count.get() + 1);
                    Ok(())
                }),
            )
            .await?;
            assert_eq!(ended, None);
            assert_eq!(count.get(), 1);
            assert_eq!(current().map(|task| task.cancelling()), Some(0));
            Ok(())
        });
    }

    /// Cancelled twice, a group ends as if cancelled once (TG-29).
    ///
    /// Stands in: `run`, which says `GroupCancelled` where it has no value, for a block that has none anyway.
    #[test]
    fn test_taskgroup_cancel_idempotent() {
        lazy_and_eager(|| async {
            let count = Cell::new(0);
            let outcome = timeout(
                ms(1000),
                task_group(async |tg| {
                    tg.cancel();
                    tg.cancel();
                    count.set(count.get() + 1);
                    yield_now().await?;
                    count.set(count.get() + 1);
                    Ok(())
                }),
            )
            .await;
            assert!(outcome.unwrap_err().is::<GroupCancelled>());
            assert_eq!(count.get(), 1);
            assert_eq!(current().map(|task| task.cancelling()), Some(0));
            Ok(())
        });
    }

    /// After the end of the block, `cancel()` does nothing (TG-29).
    #[test]
    fn test_taskgroup_cancel_after_exit() {
        lazy_and_eager(|| async {
            timeout(ms(1000), async {
                let group = task_group(async |tg| {
                    yield_now().await?;
                    Ok(tg.clone())
                })
                .await?;
                group.cancel();
                assert_eq!(current().map(|task| task.cancelling()), Some(0));
                yield_now().await
            })
            .await
        });
    }

    /// Cancelled before it is entered, a group runs its body to the first suspension (TG-30).
    ///
    /// Stands in: `run_until_cancelled`, which gives no value then, for a block that has none anyway.
    #[test]
    fn test_taskgroup_cancel_before_enter() {
        lazy_and_eager(|| async {
            let group = TaskGroup::new();
            group.cancel();
            let count = Cell::new(0);
            let ended = timeout(
                ms(1000),
                group.run_until_cancelled(async |_| {
                    count.set(count.get() + 1);
                    yield_now().await?;
                    count.set(count.get() + 1);
                    Ok(())
                }),
            )
            .await?;
            assert_eq!(ended, None);
            assert_eq!(count.get(), 1);
            Ok(())
        });
    }

    /// Once it was cancelled, a group takes no more children (TG-6, KQ-9).
    ///
    /// Stands in: `try_spawn` for `create_task`, whose error it gives.
    #[test]
    fn test_taskgroup_cancel_before_create_task() {
        lazy_and_eager(|| async {
            task_group(async |tg| {
                tg.cancel();
                let (child, closed) = never_run();
                assert_eq!(tg.try_spawn(child).unwrap_err(), GroupClosed::ShuttingDown);
                assert!(closed.get());
                Ok(())
            })
            .await
        });
    }

    /// Fails in a timeout, in a group, after or before the group is cancelled.
    async fn fails_in_cancelled_group(body: impl AsyncFnOnce(&TaskGroup) -> Result<()>) -> Result<()> {
        let error = timeout(ms(1000), task_group(body)).await.unwrap_err();
        assert_eq!(type_of(only_member(&error)), "RuntimeError");
        assert_eq!(current().map(|task| task.cancelling()), Some(0));
        Ok(())
    }

    /// A child that cancels the group and then fails: its error is raised (TG-31).
    #[test]
    fn test_taskgroup_cancel_before_exception() {
        lazy_and_eager(|| {
            fails_in_cancelled_group(async |tg| {
                let group = tg.clone();
                drop(tg.spawn::<_, ()>(async move {
                    group.cancel();
                    Err(RuntimeError("afterwards").into())
                }));
                sleep(ms(1000)).await
            })
        });
    }

    /// A child that fails, and cancels the group on its way out: its error is raised (TG-31).
    #[test]
    fn test_taskgroup_cancel_after_exception() {
        lazy_and_eager(|| {
            fails_in_cancelled_group(async |tg| {
                let group = tg.clone();
                drop(tg.spawn::<_, ()>(async move {
                    let failed = Err(RuntimeError("before").into());
                    group.cancel();
                    failed
                }));
                sleep(ms(1000)).await
            })
        });
    }

    /// A body that cancels the group and then fails: its error is raised (TG-31).
    #[test]
    fn test_taskgroup_body_cancel_before_exception() {
        lazy_and_eager(|| {
            fails_in_cancelled_group(async |tg| {
                tg.cancel();
                Err(RuntimeError("afterwards").into())
            })
        });
    }

    /// A body that fails, and cancels the group on its way out: its error is raised (TG-31).
    #[test]
    fn test_taskgroup_body_cancel_after_exception() {
        lazy_and_eager(|| {
            fails_in_cancelled_group(async |tg| {
                let failed = Err(RuntimeError("before").into());
                tg.cancel();
                failed
            })
        });
    }

    /// A race: the first to have a result stores it and cancels the group, and another that was woken in the same turn
    /// does not get to run on (TG-32, TG-33).
    #[test]
    fn test_taskgroup_cancel_one_winner() {
        lazy_and_eager(|| async {
            let record = Rc::new(RefCell::new(Vec::new()));
            let event = Rc::new(Event::new());
            let outcome = Rc::new(Cell::new(None));
            let children = task_group(async |tg| {
                let mut children = Vec::new();
                for name in [1, 2, 3] {
                    let (tg, record, event, outcome) =
                        (tg.clone(), record.clone(), event.clone(), outcome.clone());
                    children.push(tg.clone().spawn(async move {
                        record.borrow_mut().push(format!("{name} started"));
                        if name == 3 {
                            sleep(ms(1)).await?;
                            event.set();
                            sleep(ms(10_000)).await?;
                        } else {
                            event.wait().await?;
                        }
                        record.borrow_mut().push(format!("{name} finished"));
                        outcome.set(Some(name));
                        tg.cancel();
                        Ok(())
                    }));
                }
                Ok(children)
            })
            .await?;
            assert_eq!(outcome.get(), Some(1));
            assert_eq!(record.take(), ["1 started", "2 started", "3 started", "1 finished"]);
            // Also the winner, which ended without suspending after it was among the cancelled.
            assert!(children.iter().all(|child| child.is_cancelled()));
            Ok(())
        });
    }

    /// A child that cancels its group in its first step, which may be before it is a member, is cancelled (TG-35).
    #[test]
    fn test_taskgroup_cancel_from_child_before_first_suspension() {
        lazy_and_eager(|| async {
            let steps = Rc::new(RefCell::new(Vec::new()));
            let child = task_group(async |tg| {
                let (group, steps) = (tg.clone(), steps.clone());
                Ok(tg.spawn(async move {
                    group.cancel();
                    steps.borrow_mut().push("cancelled the group");
                    sleep(ms(10_000)).await?;
                    steps.borrow_mut().push("slept");
                    Ok(())
                }))
            })
            .await?;
            assert!(child.is_cancelled());
            assert_eq!(steps.take(), ["cancelled the group"]);
            Ok(())
        });
    }

    /// A cancel from outside that comes while a cancelled group waits for its children is not absorbed: it comes out of
    /// the block, with its reason (TG-23).
    #[test]
    fn test_taskgroup_cancel_keeps_outer_cancellation() {
        lazy_and_eager(|| async {
            let cleaned_up = Rc::new(Cell::new(false));
            let flag = cleaned_up.clone();
            let task = running(
                10,
                task_group(async move |tg| {
                    drop(tg.spawn(async move {
                        let cancelled = sleep(ms(10_000)).await;
                        sleep(ms(100)).await?;
                        flag.set(true);
                        cancelled
                    }));
                    yield_now().await?;
                    tg.cancel();
                    Ok(())
                }),
            )
            .await?;
            task.cancel_with("message");
            let error = task.await.unwrap_err();
            assert!(error.is_cancelled());
            assert!(
                error.as_cancelled().is_some_and(|cancelled| cancelled.reason() == Some("message")),
                "{error}"
            );
            assert!(cleaned_up.get());
            Ok(())
        });
    }
}
