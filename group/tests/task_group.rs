//! Every rule on task groups (TG), each as a test that can fail.

mod common;

use common::{
    Alive, Log, Oops, count, forever, group, in_every_mode, in_every_order, ms, nap, oops, run, shown,
    started, tree,
};
use futures_util::future::{FutureExt, join, pending, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use homing::error::Asker;
use homing::{
    GroupCancelled, GroupClosed, Panicked, Result, RuntimeError, Task, TaskGroup, call_soon, current, sleep,
    spawn, task_group, timeout, timeout_scope, yield_now,
};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// A child that holds a guard from before its first poll, and waits for ever.
fn holding(alive: &Alive) -> impl Future<Output = Result<()>> + 'static {
    let guard = alive.guard();
    async move {
        let _guard = guard;
        forever().await
    }
}

/// A child that waits to be cancelled, takes its time to clean up, and then ends as told.
async fn slow_to_end(log: Log, milliseconds: u64, then: Result<()>) -> Result<()> {
    let cancelled = forever::<()>().await.unwrap_err();
    nap(milliseconds).await.expect("not cancelled twice");
    log.push("cleaned up");
    then.and(Err(cancelled))
}

/// Panics with a message.
fn explode(message: &'static str) -> Result<()> {
    std::panic::panic_any(message)
}

mod entering {
    use super::*;

    /// TG-1
    #[test]
    fn outside_of_a_task_a_group_is_refused_and_stays_unentered() {
        in_every_mode(async |_| {
            let tg = TaskGroup::new();
            let refused = Rc::new(Cell::new(false));
            call_soon({
                let (tg, refused) = (tg.clone(), refused.clone());
                move || {
                    let mut run = pin!(tg.run(async |_| Ok(())));
                    let Poll::Ready(Err(error)) = run.as_mut().poll(&mut Context::from_waker(Waker::noop()))
                    else {
                        return;
                    };
                    refused.set(error.downcast_ref() == Some(&RuntimeError::NoTask));
                }
            });
            yield_now().await?;
            assert!(refused.get());
            tg.run(async |_| Ok(())).await
        });
    }

    /// TG-2
    #[test]
    fn a_group_is_entered_once() {
        in_every_mode(async |_| {
            let tg = TaskGroup::new();
            let (nested, after) = (tg.clone(), tg.clone());
            let is_refused = |outcome: Result<()>| {
                let error = outcome.unwrap_err();
                assert_eq!(error.downcast_ref(), Some(&RuntimeError::AlreadyEntered));
            };
            tg.run(async |tg| {
                is_refused(nested.run(async |_| unreachable!("it is not entered")).await);
                // The refusal has not harmed the group that is running.
                tg.spawn(async { Ok(()) }).await
            })
            .await?;
            is_refused(after.run(async |_| unreachable!("it is not entered")).await);
            Ok(())
        });
    }

    /// TG-2: two tasks, one of which comes too late.
    #[test]
    fn a_group_is_entered_by_one_task_only() {
        in_every_mode(async |_| {
            let tg = TaskGroup::new();
            let first = started(tg.clone().run(async |_| nap(10).await)).await;
            let second = spawn(tg.run(async |_| Ok(())));
            assert!(second.await.unwrap_err().is::<RuntimeError>());
            first.await
        });
    }

    /// TG-3, TG-7
    #[test]
    fn before_it_is_entered_a_group_takes_no_children() {
        in_every_mode(async |_| {
            let tg = TaskGroup::new();
            let alive = Alive::default();
            assert_eq!(tg.try_spawn(holding(&alive)).unwrap_err(), GroupClosed::NotEntered);
            assert!(catch_unwind(AssertUnwindSafe(|| drop(tg.spawn(holding(&alive))))).is_err());
            assert_eq!(alive.get(), 0);
            assert!(!tg.is_open());
            // Nor once it is doomed.
            tg.cancel();
            assert_eq!(tg.try_spawn(holding(&alive)).unwrap_err(), GroupClosed::NotEntered);
            Ok(())
        });
    }

    /// TG-4
    #[test]
    fn children_spawn_siblings_to_any_depth_while_the_exit_waits() {
        fn family(tg: &TaskGroup, log: Log, depth: u64) -> impl Future<Output = Result<()>> + 'static {
            let tg = tg.clone();
            async move {
                nap(1).await?;
                if depth > 0 {
                    drop(tg.spawn(family(&tg, log.clone(), depth - 1)));
                }
                log.push(depth.to_string());
                Ok(())
            }
        }
        in_every_order(async |world| {
            let log = Log::new();
            task_group(async |tg| {
                drop(tg.spawn(family(tg, log.clone(), 5)));
                Ok(())
            })
            .await?;
            assert_eq!(log.take(), ["5", "4", "3", "2", "1", "0"]);
            assert_eq!(world.now(), 6);
            Ok(())
        });
    }

    /// TG-4: name and start pass through.
    #[test]
    fn a_child_has_its_options_from_its_first_line_on() {
        in_every_mode(async |world| {
            task_group(async |tg| {
                let seen = Rc::new(RefCell::new(String::new()));
                let child = |seen: &Rc<RefCell<String>>| {
                    let seen = seen.clone();
                    async move {
                        *seen.borrow_mut() = current().unwrap().name().into_owned();
                        Ok(())
                    }
                };
                tg.task(child(&seen)).name("keen").eager().spawn().await?;
                assert_eq!(seen.take(), "keen");
                let eager = tg.task(child(&seen)).name("eager").eager().spawn();
                assert_eq!((seen.take().as_str(), eager.is_finished()), ("eager", true));
                let queued = tg.task(child(&seen)).name("queued").queued().spawn();
                assert_eq!((seen.take().as_str(), queued.is_finished()), ("", false));
                queued.await?;
                assert_eq!(seen.take(), "queued");
                let default = tg.task(child(&seen)).name("default").try_spawn()?;
                assert_eq!(default.is_finished(), world.eager);
                Ok(())
            })
            .await
        });
    }

    /// TG-4: the place of the call, not one within the group.
    #[test]
    fn a_child_shows_where_it_was_spawned() {
        in_every_mode(async |_| {
            task_group(async |tg| {
                let (here, child) = (line!(), tg.spawn(async { Ok(()) }));
                assert_eq!(
                    child.spawned_at().map(|place| (place.file(), place.line())),
                    Some((file!(), here))
                );
                let (here, child) = (line!(), tg.task(async { Ok(()) }).name("x").spawn());
                assert_eq!(
                    child.spawned_at().map(|place| (place.file(), place.line())),
                    Some((file!(), here))
                );
                let (here, child) = (line!(), tg.try_spawn(async { Ok(()) })?);
                assert_eq!(
                    child.spawned_at().map(|place| (place.file(), place.line())),
                    Some((file!(), here))
                );
                Ok(())
            })
            .await
        });
    }

    /// TG-5, step 1
    #[test]
    fn a_callback_of_the_last_child_finds_the_group_finished() {
        in_every_mode(async |_| {
            let found = Rc::new(Cell::new(None));
            let alive = Alive::default();
            task_group(async |tg| {
                let child = tg.spawn(nap(5));
                child.on_done({
                    let (tg, found, alive) = (tg.clone(), found.clone(), alive.clone());
                    move |_| found.set(tg.try_spawn(holding(&alive)).err())
                });
                Ok(())
            })
            .await?;
            yield_now().await?;
            assert_eq!(found.get(), Some(GroupClosed::Finished));
            assert_eq!(alive.get(), 0);
            Ok(())
        });
    }

    /// TG-5, step 1: nor does anybody else get a child in, or has something to cancel, before the block knows.
    #[test]
    fn between_the_end_of_the_last_child_and_that_of_the_block_the_group_is_finished() {
        in_every_mode(async |_| {
            let found = Rc::new(Cell::new(None));
            let seen = found.clone();
            let outcome = task_group(async |tg| {
                let child = tg.task(nap(5)).eager().spawn();
                let handle = tg.clone();
                // Due at the same time, and polled just after the child; the block is polled a turn later.
                let onlooker = homing::task(async move {
                    nap(5).await?;
                    assert!(child.is_finished());
                    seen.set(handle.try_spawn(forever::<()>()).err());
                    handle.cancel();
                    assert_eq!(child.parent().unwrap().cancelling(), 0, "somebody was cancelled");
                    Ok(())
                });
                Ok(onlooker.eager().spawn())
            })
            .await?;
            outcome.await?;
            assert_eq!(found.get(), Some(GroupClosed::Finished));
            Ok(())
        });
    }

    /// TG-5: the body may still spawn when all children have ended, as long as it has not ended itself.
    #[test]
    fn a_body_spawns_after_all_its_children_have_ended() {
        in_every_mode(async |_| {
            task_group(async |tg| {
                tg.spawn(nap(1)).await?;
                assert!(tg.is_empty() && tg.is_open());
                tg.spawn(nap(1)).await
            })
            .await
        });
    }

    /// TG-5, TG-7
    #[test]
    fn after_its_end_a_group_refuses_children_and_spawn_panics() {
        in_every_mode(async |_| {
            let tg = TaskGroup::new();
            tg.clone().run(async |_| Ok(())).await?;
            let alive = Alive::default();
            assert_eq!(tg.try_spawn(holding(&alive)).unwrap_err(), GroupClosed::Finished);
            assert!(catch_unwind(AssertUnwindSafe(|| drop(tg.spawn(holding(&alive))))).is_err());
            assert_eq!(alive.get(), 0);
            assert!(!tg.is_open() && tg.is_empty());
            Ok(())
        });
    }

    /// TG-6, TG-7: a failure, a cancel from outside, and `cancel()`.
    #[test]
    fn a_group_that_is_shutting_down_refuses_children_however_it_came_to_that() {
        async fn check(tg: TaskGroup, alive: Alive, refusals: Rc<Cell<u32>>) -> Result<()> {
            forever::<()>().await.unwrap_err();
            assert_eq!(tg.try_spawn(holding(&alive)).unwrap_err(), GroupClosed::ShuttingDown);
            let born_cancelled = tg.spawn(holding(&alive));
            assert_eq!(alive.get(), 0, "the future was not dropped");
            assert!(born_cancelled.is_finished() && born_cancelled.is_cancelled());
            let error = born_cancelled.await.unwrap_err();
            assert!(error.to_string().contains("shutting down"), "{error}");
            refusals.set(refusals.get() + 1);
            Ok(())
        }
        in_every_order(async |_| {
            let refusals = Rc::new(Cell::new(0));
            let checking = |tg: &TaskGroup| {
                drop(tg.task(check(tg.clone(), Alive::default(), refusals.clone())).eager().spawn());
            };
            let failed = task_group(async |tg| {
                checking(tg);
                drop(tg.spawn(async { oops::<()>("a") }));
                forever::<()>().await
            });
            assert_eq!(shown(&failed.await), "[a]");
            let failed = task_group(async |tg| {
                checking(tg);
                oops::<()>("body")
            });
            assert_eq!(shown(&failed.await), "[body]");
            task_group(async |tg| {
                checking(tg);
                tg.cancel();
                Ok(())
            })
            .await?;
            let cancelled = TaskGroup::new();
            let outer = timeout(
                ms(5),
                cancelled.run(async |tg| {
                    checking(tg);
                    Ok(())
                }),
            );
            assert!(outer.await.unwrap_err().is_timeout());
            assert_eq!(refusals.get(), 4);
            Ok(())
        });
    }

    /// TG-6: what is spawned then is not polled, not even eagerly.
    #[test]
    fn a_child_spawned_too_late_never_runs() {
        in_every_mode(async |_| {
            let outcome = TaskGroup::new()
                .run_until_cancelled(async |tg| {
                    tg.cancel();
                    let late = tg.task(async { explode("it runs") }).name("late").eager().spawn();
                    assert!(late.is_finished());
                    assert!(late.await.unwrap_err().is_cancelled());
                    Ok(())
                })
                .await?;
            assert_eq!(outcome, Some(()));
            Ok(())
        });
    }
}

mod normal_end {
    use super::*;

    /// TG-8
    #[test]
    fn the_block_ends_when_every_child_has() {
        in_every_order(async |world| {
            let log = Log::new();
            let (a, b) = task_group(async |tg| {
                let a = tg.spawn(async { nap(20).await.map(|()| 1) });
                let b = tg.spawn(async { nap(10).await.map(|()| 2) });
                log.push("body done");
                Ok((a, b))
            })
            .await?;
            assert_eq!(world.now(), 20);
            assert!(a.is_finished() && b.is_finished());
            assert_eq!((a.await?, b.await?), (1, 2));
            Ok(())
        });
    }

    /// TG-8
    #[test]
    fn finished_children_leave_at_once() {
        in_every_order(async |_| {
            task_group(async |tg| {
                for _ in 0..100 {
                    tg.spawn(yield_now()).await?;
                    assert_eq!(tg.len(), 0);
                }
                let two = [tg.spawn(nap(10)), tg.spawn(nap(20))];
                assert_eq!(tg.len(), 2);
                nap(15).await?;
                assert_eq!(tg.len(), 1);
                drop(two);
                Ok(())
            })
            .await
        });
    }

    /// TG-8: a handle that was dropped makes no difference.
    #[test]
    fn detached_children_are_awaited_too() {
        in_every_order(async |world| {
            task_group(async |tg| {
                for milliseconds in [30, 10, 20] {
                    drop(tg.spawn(nap(milliseconds)));
                }
                Ok(())
            })
            .await?;
            assert_eq!(world.now(), 30);
            Ok(())
        });
    }

    /// TG-8
    #[test]
    fn an_empty_group_ends_without_giving_way() {
        in_every_mode(async |_| {
            let ended = task_group(async |_| Ok(7)).now_or_never();
            assert_eq!(ended.expect("ready at once")?, 7);
            Ok(())
        });
    }

    /// TG-9: by whomever, or by itself.
    #[test]
    fn a_cancelled_child_is_no_failure() {
        in_every_order(async |world| {
            let outcome = task_group(async |tg| {
                let cancelled = tg.spawn(forever::<()>());
                drop(tg.spawn(async { Err::<(), _>(homing::Cancelled::new().into()) }));
                let sibling = tg.spawn(nap(20));
                nap(10).await?;
                assert!(cancelled.cancel());
                nap(1).await?;
                assert!(cancelled.is_cancelled());
                sibling.await?;
                Ok("value")
            });
            assert_eq!(outcome.await?, "value");
            assert_eq!(world.now(), 20);
            Ok(())
        });
    }

    /// TG-9: aborted counts as cancelled.
    #[test]
    fn an_aborted_child_is_no_failure() {
        in_every_order(async |_| {
            task_group(async |tg| {
                let child = tg.spawn(forever::<()>());
                yield_now().await?;
                child.abort();
                assert!(tg.is_empty());
                Ok(())
            })
            .await
        });
    }

    /// TG-37
    #[test]
    fn after_the_block_nothing_is_held() {
        in_every_mode(async |_| {
            let alive = Alive::default();
            let tg = TaskGroup::new();
            let outcome = tg
                .clone()
                .run(async |tg| {
                    drop(tg.spawn(holding(&alive)));
                    let guard = alive.guard();
                    drop(tg.spawn(async move {
                        let _guard = guard;
                        oops::<()>("a")
                    }));
                    let _guard = alive.guard();
                    forever::<()>().await
                })
                .await;
            assert_eq!(shown(&outcome), "[a]");
            assert_eq!(alive.get(), 0);
            // Nor the errors: this one is ours alone.
            let members = group(outcome);
            let [error] = members.errors() else { panic!("one error") };
            let error = error.clone();
            drop(members);
            yield_now().await?;
            assert_eq!(error.downcast::<Oops>()?, Oops("a"));
            Ok(())
        });
    }
}

mod failure {
    use super::*;

    /// TG-10
    #[test]
    fn the_first_failure_cancels_siblings_and_body() {
        in_every_order(async |world| {
            let log = Log::new();
            let outcome = task_group(async |tg| {
                drop(tg.spawn(slow_to_end(log.clone(), 0, Ok(()))));
                drop(tg.spawn(async {
                    nap(10).await?;
                    oops::<()>("a")
                }));
                let cancelled = forever::<()>().await.unwrap_err();
                assert!(cancelled.is_cancelled());
                log.push("body");
                Err::<(), _>(cancelled)
            })
            .await;
            assert_eq!(shown(&outcome), "[a]");
            assert_eq!(world.now(), 10);
            let mut log = log.take();
            log.sort();
            assert_eq!(log, ["body", "cleaned up"]);
            Ok(())
        });
    }

    /// TG-10: at most once in its life.
    #[test]
    fn however_many_children_fail_the_body_is_asked_once() {
        in_every_order(async |_| {
            let outcome = task_group(async |tg| {
                for name in ["a", "b", "c"] {
                    drop(tg.spawn(async move {
                        nap(10).await?;
                        oops::<()>(name)
                    }));
                }
                drop(tg.spawn(async {
                    let _ = forever::<()>().await;
                    nap(10).await?;
                    oops::<()>("d")
                }));
                forever::<()>().await.unwrap_err();
                assert_eq!(count(), 1);
                // Neither the failures of the same turn nor the later one ask again.
                nap(50).await?;
                assert_eq!(count(), 1);
                Ok(())
            })
            .await;
            let group = group(outcome);
            assert_eq!(group.len(), 4);
            Ok(())
        });
    }

    /// TG-10: a child that has been cancelled before it began never runs.
    #[test]
    fn a_failure_keeps_siblings_that_were_not_yet_polled_from_running() {
        run(false, None, &async |_| {
            let outcome = task_group(async |tg| {
                drop(tg.spawn(async { oops::<()>("a") }));
                yield_now().await?;
                // The failure is known, and the group acts on it in this turn: after us.
                drop(tg.spawn(async { explode("it runs") }));
                Ok(())
            })
            .await;
            assert_eq!(shown(&outcome), "[a]");
            Ok(())
        });
    }

    /// TG-11
    #[test]
    fn errors_raised_while_being_cancelled_join_the_group() {
        in_every_order(async |world| {
            let log = Log::new();
            let outcome = task_group(async |tg| {
                drop(tg.spawn(slow_to_end(log.clone(), 20, oops("b"))));
                drop(tg.spawn(slow_to_end(log.clone(), 10, oops("c"))));
                drop(tg.spawn(async {
                    nap(5).await?;
                    oops::<()>("a")
                }));
                Ok(())
            })
            .await;
            assert_eq!(shown(&outcome), "[a, c, b]");
            assert_eq!(world.now(), 25);
            Ok(())
        });
    }

    /// TG-12: in order of completion, the body's last.
    #[test]
    fn the_bodys_error_comes_last_although_it_came_first() {
        in_every_order(async |_| {
            let log = Log::new();
            let outcome = task_group(async |tg| {
                drop(tg.task(slow_to_end(log.clone(), 20, oops("a"))).eager().spawn());
                drop(tg.task(slow_to_end(log.clone(), 10, oops("b"))).eager().spawn());
                oops::<()>("body")
            })
            .await;
            assert_eq!(shown(&outcome), "[b, a, body]");
            Ok(())
        });
    }

    /// TG-12: also of children that end in one turn, whatever the order in which the next turn polls.
    #[test]
    fn errors_of_one_turn_stand_in_order_of_completion() {
        in_every_order(async |_| {
            let completed = Log::new();
            let outcome = task_group(async |tg| {
                for name in ["a", "b", "c", "d", "e"] {
                    let completed = completed.clone();
                    drop(tg.spawn(async move {
                        completed.push(name);
                        oops::<()>(name)
                    }));
                }
                Ok(())
            })
            .await;
            assert_eq!(shown(&outcome), format!("[{}]", completed.take().join(", ")));
            Ok(())
        });
    }

    /// TG-12
    #[test]
    fn nesting_is_kept() {
        in_every_order(async |_| {
            let outcome = task_group(async |outer| {
                drop(outer.spawn(async {
                    let _ = forever::<()>().await;
                    oops::<()>("sibling")
                }));
                yield_now().await?;
                task_group(async |inner| {
                    drop(inner.spawn(async { oops::<()>("a") }));
                    Ok(())
                })
                .await
            })
            .await;
            assert_eq!(shown(&outcome), "[sibling, [a]]");
            Ok(())
        });
    }

    /// TG-13
    #[test]
    fn the_error_of_a_body_alone_comes_in_a_group_too() {
        in_every_order(async |_| {
            let log = Log::new();
            let outcome = task_group(async |tg| {
                drop(tg.task(slow_to_end(log.clone(), 10, Ok(()))).eager().spawn());
                oops::<()>("body")
            })
            .await;
            assert_eq!(shown(&outcome), "[body]");
            assert_eq!(log.take(), ["cleaned up"]);
            let outcome = task_group(async |_| oops::<()>("lonely")).await;
            assert_eq!(shown(&outcome), "[lonely]");
            Ok(())
        });
    }

    /// TG-14: its later awaits are not cancelled again.
    #[test]
    fn gh_95289_a_body_that_swallows_the_groups_request_does_not_upset_the_count() {
        in_every_order(async |world| {
            let outcome = task_group(async |tg| {
                drop(tg.spawn(async {
                    yield_now().await?;
                    oops::<()>("a")
                }));
                forever::<()>().await.unwrap_err();
                assert_eq!(count(), 1);
                nap(10).await?;
                Ok("value")
            })
            .await;
            assert_eq!(shown(&outcome), "[a]");
            assert_eq!((count(), world.now()), (0, 10));
            Ok(())
        });
    }

    /// TG-14: nor one that replaces it by an error of its own.
    #[test]
    fn gh_95289_a_body_that_replaces_the_groups_request_does_not_upset_the_count() {
        in_every_order(async |_| {
            let outcome = task_group(async |tg| {
                drop(tg.spawn(async { oops::<()>("a") }));
                forever::<()>().await.or(oops::<()>("body"))
            })
            .await;
            assert_eq!(shown(&outcome), "[a, body]");
            assert_eq!(count(), 0);
            Ok(())
        });
    }

    /// TG-15
    #[test]
    fn code_after_a_failure_that_was_handled_runs_undisturbed() {
        in_every_order(async |_| {
            for _ in 0..3 {
                let outcome = task_group(async |tg| {
                    drop(tg.spawn(async { oops::<()>("a") }));
                    Ok(())
                })
                .await;
                assert_eq!((shown(&outcome).as_str(), count()), ("[a]", 0));
                yield_now().await?;
                nap(1).await?;
            }
            Ok(())
        });
    }

    /// TG-15: the failure and the end of the body meet in one turn.
    #[test]
    fn a_failure_in_the_very_turn_of_the_exit_leaves_no_request_behind() {
        in_every_order(async |_| {
            for turns in 0..5 {
                let outcome = task_group(async |tg| {
                    drop(tg.spawn(async {
                        yield_now().await?;
                        yield_now().await?;
                        oops::<()>("a")
                    }));
                    for _ in 0..turns {
                        if yield_now().await.is_err() {
                            break;
                        }
                    }
                    Ok(())
                })
                .await;
                assert_eq!((shown(&outcome).as_str(), count()), ("[a]", 0), "after {turns} turns");
                yield_now().await?;
            }
            Ok(())
        });
    }

    /// gh-133747: what the group asked of its own task leaked into the clean-up after it, and from there through a
    /// timeout as `Cancelled`.
    #[test]
    fn gh_133747_a_handler_after_a_group_that_takes_its_time_is_timed_out_and_not_cancelled() {
        in_every_order(async |world| {
            let outcome = timeout(ms(100), async {
                let outcome = task_group(async |tg| {
                    drop(tg.spawn(async { oops::<()>("a") }));
                    Ok(())
                });
                let error = outcome.await.unwrap_err();
                assert_eq!(count(), 0);
                nap(1000).await?;
                Err::<(), _>(error)
            })
            .await;
            assert!(outcome.unwrap_err().is_timeout());
            assert_eq!((count(), world.now()), (0, 100));
            Ok(())
        });
    }

    /// EG-12
    #[test]
    fn a_group_error_has_no_cancellations_among_its_members() {
        in_every_order(async |_| {
            let outcome = task_group(async |tg| {
                for _ in 0..3 {
                    drop(tg.spawn(forever::<()>()));
                }
                drop(tg.spawn(async {
                    nap(1).await?;
                    oops::<()>("a")
                }));
                forever::<()>().await
            })
            .await;
            assert!(group(outcome).errors().iter().all(|error| !error.is_cancelled()));
            Ok(())
        });
    }

    /// TG-12: message, origin, trail.
    #[test]
    fn a_group_error_tells_where_it_comes_from() {
        in_every_mode(async |_| {
            let failing = async |tg: &TaskGroup| {
                drop(tg.task(async { oops::<()>("a") }).name("fetch").spawn());
                Ok(())
            };
            let error = task_group(failing).await.unwrap_err();
            assert_eq!(error.as_group().unwrap().message(), "unhandled errors in a task group");
            let (here, named) = (line!(), TaskGroup::builder().name("pages").run(failing));
            let error = named.await.unwrap_err();
            assert_eq!(error.as_group().unwrap().message(), "unhandled errors in task group 'pages'");
            let [member] = error.as_group().unwrap().errors() else { panic!("one error") };
            assert_eq!(member.task_name(), Some("fetch"));
            assert_eq!(member.origin().unwrap().spawned_at.unwrap().file(), file!());
            let trail: Vec<_> =
                error.trail().map(|note| (note.kind, note.name.clone(), note.place.line())).collect();
            assert_eq!(trail, [("group", Some("pages".into()), here)]);
            Ok(())
        });
    }

    /// TG-10: `Cancelled` says why: who failed, and which group it was.
    #[test]
    fn a_sibling_is_told_who_failed() {
        in_every_order(async |_| {
            let told = Log::new();
            let outcome = TaskGroup::builder()
                .name("pages")
                .run(async |tg| {
                    let log = told.clone();
                    drop(
                        tg.task(async move {
                            let error = forever::<()>().await.unwrap_err();
                            let causes =
                                error.as_cancelled().unwrap().causes().map(|cause| cause.by.to_string());
                            log.push(causes.collect::<Vec<_>>().join(" → "));
                            Err::<(), _>(error)
                        })
                        .eager()
                        .spawn(),
                    );
                    drop(tg.task(async { oops::<()>("a") }).name("fetch").spawn());
                    Ok(())
                })
                .await;
            assert_eq!(shown(&outcome), "[a]");
            assert_eq!(told.take(), ["task 'fetch' → group 'pages'"]);
            Ok(())
        });
    }
}

mod outside_cancel {
    use super::*;

    /// TG-16, steps 2, 3 and 7: the very one, with its reason.
    #[test]
    fn in_the_body_it_cancels_the_children_and_leaves_when_they_have_ended() {
        in_every_order(async |world| {
            let log = Log::new();
            let inner = log.clone();
            let subject = started(async move {
                task_group(async |tg| {
                    drop(tg.task(slow_to_end(inner.clone(), 20, Ok(()))).eager().spawn());
                    forever::<()>().await
                })
                .await
            })
            .await;
            nap(5).await?;
            subject.cancel_with("enough");
            let watched = subject.task_ref();
            let error = subject.await.unwrap_err();
            assert_eq!(error.as_cancelled().unwrap().reason(), Some("enough"));
            assert_eq!((world.now(), watched.cancelling()), (25, 1));
            assert_eq!(log.take(), ["cleaned up"]);
            Ok(())
        });
    }

    /// TG-17, step 4
    #[test]
    fn in_the_exit_it_cancels_the_children_and_leaves_when_they_have_ended() {
        in_every_order(async |world| {
            let log = Log::new();
            let inner = log.clone();
            let subject = started(async move {
                task_group(async |tg| {
                    drop(tg.task(slow_to_end(inner.clone(), 20, Ok(()))).eager().spawn());
                    Ok(())
                })
                .await
            })
            .await;
            nap(5).await?;
            subject.cancel_with("enough");
            let watched = subject.task_ref();
            let error = subject.await.unwrap_err();
            assert_eq!(error.as_cancelled().unwrap().reason(), Some("enough"));
            assert_eq!((world.now(), watched.cancelling()), (25, 1));
            assert_eq!(log.take(), ["cleaned up"]);
            Ok(())
        });
    }

    /// TG-18
    #[test]
    fn the_wait_is_not_abandoned_by_any_number_of_cancels() {
        in_every_order(async |world| {
            let log = Log::new();
            let inner = log.clone();
            let subject = started(async move {
                task_group(async |tg| {
                    drop(tg.task(slow_to_end(inner.clone(), 20, Ok(()))).eager().spawn());
                    Ok(())
                })
                .await
            })
            .await;
            for reason in ["first", "second", "third"] {
                nap(5).await?;
                subject.cancel_with(reason);
            }
            let watched = subject.task_ref();
            let error = subject.await.unwrap_err();
            assert_eq!(error.as_cancelled().unwrap().reason(), Some("first"));
            assert_eq!((world.now(), watched.cancelling()), (25, 3));
            assert_eq!(log.take(), ["cleaned up"], "the child was not cancelled a second time");
            Ok(())
        });
    }

    /// TG-19: of a child.
    #[test]
    fn an_error_outranks_it() {
        in_every_order(async |_| {
            let log = Log::new();
            let subject = started(async move {
                let outcome = task_group(async |tg| {
                    drop(tg.task(slow_to_end(log.clone(), 20, oops("a"))).eager().spawn());
                    forever::<()>().await
                })
                .await;
                assert_eq!(count(), 1);
                outcome
            })
            .await;
            subject.cancel();
            assert_eq!(shown(&subject.await), "[a]");
            Ok(())
        });
    }

    /// TG-19: of the body, which puts it in the place of the `Cancelled`. Step 8.
    #[test]
    fn a_body_that_replaces_it_by_an_error_fails() {
        in_every_order(async |_| {
            let subject = started(task_group(async |_| forever::<()>().await.or(oops::<()>("body")))).await;
            subject.cancel();
            assert_eq!(shown(&subject.await), "[body]");
            Ok(())
        });
    }

    /// TG-20, TG-21, step 9: the count stays, and the reason is kept.
    #[test]
    fn outranked_by_an_error_it_is_delivered_at_the_next_suspension() {
        in_every_order(async |_| {
            let subject = started(async {
                let outcome = task_group(async |tg| {
                    drop(
                        tg.task(async {
                            let _ = forever::<()>().await;
                            oops::<()>("a")
                        })
                        .eager()
                        .spawn(),
                    );
                    forever::<()>().await
                })
                .await;
                assert_eq!(shown(&outcome), "[a]");
                assert_eq!(count(), 1);
                let cancelled = nap(10).await.unwrap_err();
                assert_eq!(cancelled.as_cancelled().unwrap().reason(), Some("enough"));
                assert_eq!(count(), 1);
                // Once.
                nap(10).await?;
                Ok(current().unwrap().uncancel())
            })
            .await;
            subject.cancel_with("enough");
            assert_eq!(subject.await?, 0);
            Ok(())
        });
    }

    /// TG-20: a task that returns without another suspension ends cancelled, for a request is pending.
    #[test]
    fn outranked_by_an_error_it_is_not_lost_to_a_task_that_just_returns() {
        in_every_order(async |_| {
            let subject = started(async {
                let _handled = task_group(async |_| forever::<()>().await.or(oops::<()>("body"))).await;
                Ok(())
            })
            .await;
            subject.cancel();
            assert!(subject.await.unwrap_err().is_cancelled());
            Ok(())
        });
    }

    /// TG-20: nor if it was pending already when the group was entered.
    #[test]
    fn pending_at_entry_and_outranked_by_an_error_it_is_delivered_at_the_next_suspension() {
        in_every_order(async |_| {
            let subject = spawn(async {
                current().unwrap().cancel_with("self");
                let outcome = task_group(async |tg| {
                    drop(tg.task(async { forever::<()>().await.or(oops("a")) }).eager().spawn());
                    forever::<()>().await
                })
                .await;
                assert_eq!((shown(&outcome).as_str(), count()), ("[a]", 1));
                nap(10).await
            });
            assert_eq!(subject.await.unwrap_err().as_cancelled().unwrap().reason(), Some("self"));
            Ok(())
        });
    }

    /// TG-22: pending when the group is entered, it is not absorbed by a `cancel()`.
    #[test]
    fn pending_at_entry_it_goes_on_from_a_group_that_is_ended_quietly() {
        in_every_order(async |_| {
            for cancel_first in [true, false] {
                let subject = spawn(async move {
                    current().unwrap().cancel_with("self");
                    let outcome = TaskGroup::new()
                        .run_until_cancelled(async |tg| {
                            if cancel_first {
                                tg.cancel();
                            }
                            let interrupted = forever::<()>().await;
                            tg.cancel();
                            interrupted
                        })
                        .await;
                    assert_eq!(count(), 1);
                    outcome
                });
                assert_eq!(subject.await.unwrap_err().as_cancelled().unwrap().reason(), Some("self"));
            }
            Ok(())
        });
    }

    /// TG-22: one `Cancelled`, two requests, and one of them is not the group's.
    #[test]
    fn in_the_turn_of_a_group_cancel_it_goes_on() {
        in_every_order(async |_| {
            for group_first in [true, false] {
                let tg = TaskGroup::new();
                let handle = tg.clone();
                let subject = started(async move {
                    let outcome = tg
                        .run_until_cancelled(async |_| {
                            let cancelled = forever::<()>().await.unwrap_err();
                            assert_eq!(count(), 2);
                            Err::<(), _>(cancelled)
                        })
                        .await;
                    assert_eq!(count(), 1);
                    outcome
                })
                .await;
                if group_first {
                    handle.cancel();
                    subject.cancel();
                } else {
                    subject.cancel();
                    handle.cancel();
                }
                assert!(subject.await.unwrap_err().is_cancelled());
            }
            Ok(())
        });
    }

    /// TG-22, TG-20: with an error, that one outranks it, and it is pending after.
    #[test]
    fn in_the_turn_of_a_failure_it_is_delivered_after_the_errors() {
        in_every_order(async |_| {
            let subject = started(async {
                let outcome = task_group(async |tg| {
                    drop(tg.spawn(async {
                        nap(10).await?;
                        oops::<()>("a")
                    }));
                    forever::<()>().await
                })
                .await;
                assert_eq!((shown(&outcome).as_str(), count()), ("[a]", 1));
                nap(1).await
            })
            .await;
            sleep(ms(10)).await?;
            subject.cancel();
            assert!(subject.await.unwrap_err().is_cancelled());
            Ok(())
        });
    }

    /// TG-23, step 6: remembered, and raised with its reason when the group's own request was taken back.
    #[test]
    fn gh_155433_it_is_not_absorbed_by_a_group_that_was_ended_quietly() {
        in_every_order(async |world| {
            let log = Log::new();
            let subject = started(async move {
                let outcome = TaskGroup::new()
                    .run_until_cancelled(async |tg| {
                        drop(tg.task(slow_to_end(log.clone(), 20, Ok(()))).eager().spawn());
                        nap(5).await?;
                        tg.cancel();
                        forever::<()>().await
                    })
                    .await;
                assert_eq!(count(), 1);
                outcome
            })
            .await;
            nap(10).await?;
            subject.cancel_with("enough");
            let error = subject.await.unwrap_err();
            assert_eq!(error.as_cancelled().unwrap().reason(), Some("enough"));
            assert_eq!(world.now(), 25);
            Ok(())
        });
    }

    /// TG-24
    #[test]
    fn gh_155433_a_timeout_fires_if_the_clean_up_of_a_cancelled_group_outlasts_it() {
        in_every_order(async |world| {
            let log = Log::new();
            let outcome = timeout(
                ms(10),
                TaskGroup::new().run_until_cancelled(async |tg| {
                    drop(tg.task(slow_to_end(log.clone(), 20, Ok(()))).eager().spawn());
                    nap(5).await?;
                    tg.cancel();
                    forever::<()>().await
                }),
            )
            .await;
            assert!(outcome.unwrap_err().is_timeout());
            assert_eq!((count(), world.now()), (0, 25));
            Ok(())
        });
    }

    /// TG-16: before the body has been suspended, the next suspension has it.
    #[test]
    fn before_the_first_suspension_it_is_delivered_there() {
        in_every_order(async |_| {
            let subject = spawn(async {
                current().unwrap().cancel_with("self");
                task_group(async |tg| {
                    let child = tg.spawn(forever::<()>());
                    let error = nap(5).await.unwrap_err();
                    assert!(!child.is_finished());
                    Err::<(), _>(error)
                })
                .await
            });
            let error = subject.await.unwrap_err();
            assert_eq!(error.as_cancelled().unwrap().reason(), Some("self"));
            Ok(())
        });
    }

    /// TG-17: pending when the body ends, it is delivered by the wait.
    #[test]
    fn pending_at_the_end_of_the_body_it_ends_the_children() {
        in_every_order(async |_| {
            let subject = spawn(async {
                task_group(async |tg| {
                    drop(tg.spawn(forever::<()>()));
                    current().unwrap().cancel_with("self");
                    Ok(())
                })
                .await
            });
            let error = subject.await.unwrap_err();
            assert_eq!(error.as_cancelled().unwrap().reason(), Some("self"));
            Ok(())
        });
    }

    /// CX-4, TG-16: a body that awaits a child passes the request on to it.
    #[test]
    fn a_body_that_awaits_a_child_has_the_child_decide() {
        in_every_order(async |_| {
            let subject = started(task_group(async |tg| {
                let swallows = tg.spawn(async {
                    forever::<()>().await.unwrap_err();
                    Ok("swallowed")
                });
                let sibling = tg.spawn(nap(20));
                let got = swallows.await?;
                sibling.await?;
                Ok(got)
            }))
            .await;
            nap(5).await?;
            subject.cancel();
            assert_eq!(subject.await?, "swallowed");
            Ok(())
        });
    }

    /// After a group has ended, it has no part in what happens to its task.
    #[test]
    fn after_the_block_it_is_nobodys_business() {
        in_every_order(async |_| {
            let subject = started(async {
                task_group(async |tg| tg.spawn(nap(1)).await).await?;
                forever::<()>().await
            })
            .await;
            nap(5).await?;
            subject.cancel_with("enough");
            assert_eq!(subject.await.unwrap_err().as_cancelled().unwrap().reason(), Some("enough"));
            Ok(())
        });
    }

    /// A body that ends in somebody else's cancellation (it awaited a task that was cancelled) passes it on, though
    /// nobody asked its own task.
    #[test]
    fn a_cancelled_that_the_body_got_elsewhere_leaves_the_block() {
        in_every_order(async |_| {
            let other = spawn(forever::<()>());
            other.cancel_with("the other");
            let outcome = task_group(async |tg| {
                drop(tg.spawn(forever::<()>()));
                other.await
            })
            .await;
            let error = outcome.unwrap_err();
            assert_eq!(error.as_cancelled().unwrap().reason(), Some("the other"));
            assert_eq!(count(), 0);
            Ok(())
        });
    }
}

mod nesting {
    use super::*;

    /// TG-25
    #[test]
    fn a_failure_in_the_outer_group_ends_the_inner_one_with_nothing_but_cancelled() {
        in_every_order(async |_| {
            let log = Log::new();
            let outcome = task_group(async |outer| {
                drop(outer.spawn(async {
                    nap(5).await?;
                    oops::<()>("a")
                }));
                let inner = task_group(async |inner| {
                    drop(inner.spawn(forever::<()>()));
                    forever::<()>().await
                })
                .await;
                log.push(shown(&inner));
                assert_eq!(count(), 1);
                inner
            })
            .await;
            assert_eq!(shown(&outcome), "[a]");
            assert_eq!(log.take(), ["cancelled"]);
            assert_eq!(count(), 0);
            Ok(())
        });
    }

    /// TG-26
    #[test]
    fn gh_116720_if_both_fail_in_one_turn_the_body_of_the_outer_is_cancelled_after_the_inner_was_handled() {
        in_every_order(async |_| {
            let log = Log::new();
            let outcome = task_group(async |outer| {
                drop(outer.spawn(async {
                    nap(5).await?;
                    oops::<()>("outer")
                }));
                let inner = task_group(async |inner| {
                    drop(inner.spawn(async {
                        nap(5).await?;
                        oops::<()>("inner")
                    }));
                    forever::<()>().await
                })
                .await;
                log.push(shown(&inner));
                let after = nap(10).await;
                log.push(shown(&after));
                after
            })
            .await;
            assert_eq!(shown(&outcome), "[outer]");
            assert_eq!(log.take(), ["[inner]", "cancelled"]);
            assert_eq!(count(), 0);
            Ok(())
        });
    }

    /// gh-116720: an inner group whose children fail while the outer one cancels it swallowed the outer's request.
    #[test]
    fn gh_116720_an_inner_group_that_fails_in_clean_up_does_not_swallow_the_outer_ones_request() {
        in_every_order(async |_| {
            let log = Log::new();
            let outcome = task_group(async |outer| {
                drop(outer.spawn(async {
                    nap(5).await?;
                    oops::<()>("outer")
                }));
                let inner = task_group(async |inner| {
                    drop(inner.spawn(async {
                        let _ = forever::<()>().await;
                        oops::<()>("inner")
                    }));
                    forever::<()>().await
                })
                .await;
                log.push(shown(&inner));
                let after = nap(10).await;
                log.push(shown(&after));
                Ok(())
            })
            .await;
            assert_eq!(shown(&outcome), "[outer]");
            assert_eq!(log.take(), ["[inner]", "cancelled"]);
            Ok(())
        });
    }

    /// TG-22, TG-26: the inner exit was woken by the end of its last child, and was over before the outer group had acted
    /// on a failure of the same turn, whose request came a turn late.
    #[test]
    fn the_exit_sees_what_a_group_around_it_asks_in_the_turn_of_the_last_failure() {
        in_every_mode(async |_| {
            let outcome = task_group(async |outer| {
                let inner = task_group(async |inner| {
                    for (tg, name) in [(inner, "inner"), (outer, "outer")] {
                        drop(tg.spawn(async move {
                            nap(5).await?;
                            oops::<()>(name)
                        }));
                    }
                    Ok(())
                })
                .await;
                assert_eq!((shown(&inner).as_str(), count()), ("[inner]", 1));
                Ok(())
            })
            .await;
            assert_eq!((shown(&outcome).as_str(), count()), ("[outer]", 0));
            Ok(())
        });
    }

    /// TG-26: without another suspension, the request is taken back with the outer block.
    #[test]
    fn a_rearmed_request_of_the_outer_group_does_not_outlive_it() {
        in_every_order(async |_| {
            let outcome = task_group(async |outer| {
                drop(outer.spawn(async {
                    nap(5).await?;
                    oops::<()>("outer")
                }));
                let inner = task_group(async |_| forever::<()>().await.or(oops::<()>("inner"))).await;
                assert_eq!(shown(&inner), "[inner]");
                Ok(())
            })
            .await;
            assert_eq!((shown(&outcome).as_str(), count()), ("[outer]", 0));
            yield_now().await
        });
    }

    /// Three deep, and a cancel from outside goes through all of them.
    #[test]
    fn a_cancel_from_outside_unwinds_all_groups_inside_out() {
        in_every_order(async |_| {
            let log = Log::new();
            let inner = log.clone();
            let subject = started(async move {
                let level = |name: &'static str| inner.at_drop(name);
                task_group(async |_| {
                    let _a = level("outer");
                    task_group(async |_| {
                        let _b = level("middle");
                        task_group(async |tg| {
                            let _c = level("inner");
                            let child = level("child");
                            drop(
                                tg.task(async move {
                                    let _child = child;
                                    forever::<()>().await
                                })
                                .eager()
                                .spawn(),
                            );
                            forever::<()>().await
                        })
                        .await
                    })
                    .await
                })
                .await
            })
            .await;
            subject.cancel_with("enough");
            let watched = subject.task_ref();
            assert_eq!(subject.await.unwrap_err().as_cancelled().unwrap().reason(), Some("enough"));
            assert_eq!(log.take(), ["inner", "child", "middle", "outer"]);
            assert_eq!(watched.cancelling(), 1);
            Ok(())
        });
    }

    /// A child is a task of its own: its group's requests are counted there.
    #[test]
    fn groups_in_children_keep_their_counts_apart() {
        in_every_order(async |_| {
            let outcome = task_group(async |tg| {
                let child = tg.spawn(async {
                    let inner = task_group(async |tg| {
                        drop(tg.spawn(async { oops::<()>("inner") }));
                        forever::<()>().await
                    })
                    .await;
                    assert_eq!(count(), 0);
                    Ok(shown(&inner))
                });
                let seen = child.await?;
                assert_eq!(count(), 0);
                Ok(seen)
            })
            .await;
            assert_eq!(outcome?, "[inner]");
            Ok(())
        });
    }
}

mod group_cancel {
    use super::*;

    /// TG-27, step 10
    #[test]
    fn it_ends_children_and_body_and_the_block_quietly() {
        in_every_order(async |world| {
            let log = Log::new();
            let outcome = TaskGroup::new()
                .run_until_cancelled(async |tg| {
                    drop(tg.task(slow_to_end(log.clone(), 10, Ok(()))).eager().spawn());
                    let stop = tg.clone();
                    drop(tg.spawn(async move {
                        nap(5).await?;
                        stop.cancel();
                        Ok(())
                    }));
                    forever::<()>().await
                })
                .await;
            assert_eq!(outcome?, None);
            assert_eq!((count(), world.now()), (0, 15));
            assert_eq!(log.take(), ["cleaned up"]);
            Ok(())
        });
    }

    /// TG-27: it has to give a value, and there is none.
    #[test]
    fn run_says_that_the_body_was_interrupted() {
        in_every_order(async |_| {
            let outcome = task_group(async |tg| {
                tg.cancel();
                forever::<()>().await
            })
            .await;
            let error = outcome.unwrap_err();
            assert_eq!(error.downcast_ref(), Some(&GroupCancelled));
            assert!(!error.is_cancelled());
            Ok(())
        });
    }

    /// TG-27: the body has ended, and had a value.
    #[test]
    fn in_the_exit_it_ends_the_children_and_the_value_stands() {
        in_every_order(async |world| {
            let outcome = task_group(async |tg| {
                let stop = tg.clone();
                drop(tg.spawn(forever::<()>()));
                drop(tg.spawn(async move {
                    nap(5).await?;
                    stop.cancel();
                    Ok(())
                }));
                Ok("value")
            })
            .await;
            assert_eq!(outcome?, "value");
            assert_eq!((count(), world.now()), (0, 5));
            Ok(())
        });
    }

    /// TG-28
    #[test]
    fn from_the_body_it_is_delivered_at_the_next_suspension() {
        in_every_order(async |_| {
            let log = Log::new();
            let outcome = TaskGroup::new()
                .run_until_cancelled(async |tg| {
                    drop(tg.spawn(forever::<()>()));
                    tg.cancel();
                    log.push("goes on");
                    assert_eq!(count(), 1);
                    let interrupted = nap(5).await;
                    log.push(shown(&interrupted));
                    interrupted
                })
                .await;
            assert_eq!(outcome?, None);
            assert_eq!(log.take(), ["goes on", "cancelled"]);
            Ok(())
        });
    }

    /// TG-28, step 6
    #[test]
    fn without_another_suspension_it_is_never_seen() {
        in_every_order(async |_| {
            let outcome = task_group(async |tg| {
                tg.cancel();
                Ok("value")
            })
            .await;
            assert_eq!(outcome?, "value");
            yield_now().await
        });
    }

    /// TG-27: a body that swallows it has a value.
    #[test]
    fn a_body_that_swallows_it_has_its_value() {
        in_every_order(async |_| {
            let outcome = task_group(async |tg| {
                tg.cancel();
                forever::<()>().await.unwrap_err();
                nap(5).await?;
                Ok("value")
            })
            .await;
            assert_eq!(outcome?, "value");
            Ok(())
        });
    }

    /// TG-29
    #[test]
    fn it_is_idempotent_and_harmless_after_the_end() {
        in_every_order(async |_| {
            let tg = TaskGroup::new();
            let handle = tg.clone();
            let outcome = tg
                .run_until_cancelled(async |tg| {
                    drop(
                        tg.task(async {
                            forever::<()>().await.unwrap_err();
                            assert_eq!(count(), 1);
                            nap(10).await
                        })
                        .eager()
                        .spawn(),
                    );
                    tg.cancel();
                    tg.cancel();
                    assert_eq!(count(), 1);
                    forever::<()>().await.unwrap_err();
                    tg.cancel();
                    nap(5).await?;
                    Ok(())
                })
                .await;
            assert_eq!(outcome?, Some(()));
            handle.cancel();
            yield_now().await
        });
    }

    /// TG-5, TG-29: between the end of the last child and the end of the block there is nobody to cancel.
    #[test]
    fn after_the_last_childs_end_it_does_nothing() {
        in_every_mode(async |_| {
            let outcome = task_group(async |tg| {
                let child = tg.spawn(nap(5));
                let handle = tg.clone();
                child.on_done(move |_| handle.cancel());
                Ok("value")
            })
            .await;
            assert_eq!(outcome?, "value");
            Ok(())
        });
    }

    /// TG-30
    #[test]
    fn before_entry_it_is_remembered() {
        in_every_order(async |_| {
            let log = Log::new();
            let tg = TaskGroup::new();
            tg.cancel();
            tg.cancel();
            let outcome = tg
                .run_until_cancelled(async |tg| {
                    log.push("runs to its first suspension");
                    assert_eq!(tg.try_spawn(forever::<()>()).unwrap_err(), GroupClosed::ShuttingDown);
                    nap(5).await?;
                    unreachable!("it is interrupted")
                })
                .await;
            assert_eq!(outcome?, None::<()>);
            assert_eq!(log.take(), ["runs to its first suspension"]);
            assert_eq!(count(), 0);
            yield_now().await
        });
    }

    /// TG-31: of children and body, before and after.
    #[test]
    fn it_hides_no_errors() {
        in_every_order(async |_| {
            let child_before = task_group(async |tg| {
                drop(tg.task(async { oops::<()>("a") }).eager().spawn());
                tg.cancel();
                Ok(())
            });
            assert_eq!(shown(&child_before.await), "[a]");
            let child_after = task_group(async |tg| {
                drop(tg.task(async { forever::<()>().await.or(oops("a")) }).eager().spawn());
                tg.cancel();
                Ok(())
            });
            assert_eq!(shown(&child_after.await), "[a]");
            let body = task_group(async |tg| {
                tg.cancel();
                oops::<()>("body")
            });
            assert_eq!(shown(&body.await), "[body]");
            let body_after = task_group(async |tg| {
                tg.cancel();
                forever::<()>().await.or(oops("body"))
            });
            assert_eq!(shown(&body_after.await), "[body]");
            assert_eq!(count(), 0);
            Ok(())
        });
    }

    /// TG-32, TG-33: one winner, though all were due in the same turn.
    #[test]
    fn a_child_that_calls_it_and_returns_ends_cancelled_and_is_the_only_one_that_got_so_far() {
        in_every_order(async |_| {
            let winners = Rc::new(Cell::new(0));
            let children = Rc::new(RefCell::new(Vec::<Task<()>>::new()));
            let outcome = task_group(async |tg| {
                for _ in 0..5 {
                    let (stop, winners) = (tg.clone(), winners.clone());
                    let child = tg.spawn(async move {
                        nap(5).await?;
                        winners.set(winners.get() + 1);
                        stop.cancel();
                        Ok(())
                    });
                    children.borrow_mut().push(child);
                }
                Ok("value")
            })
            .await;
            assert_eq!(outcome?, "value");
            assert_eq!(winners.get(), 1);
            assert!(children.borrow().iter().all(|child| child.is_cancelled()));
            Ok(())
        });
    }

    /// TG-34
    #[test]
    fn a_child_that_swallows_it_is_waited_for_and_its_result_stands() {
        in_every_order(async |world| {
            let child = TaskGroup::new()
                .run(async |tg| {
                    let child = tg
                        .task(async {
                            forever::<()>().await.unwrap_err();
                            nap(10).await?;
                            Ok("swallowed")
                        })
                        .eager()
                        .spawn();
                    tg.cancel();
                    Ok(child)
                })
                .await?;
            assert_eq!(world.now(), 10);
            assert_eq!(child.await?, "swallowed");
            Ok(())
        });
    }

    /// TG-35
    #[test]
    fn gh_155418_an_eager_child_that_calls_it_before_its_first_suspension_is_cancelled_too() {
        in_every_order(async |world| {
            let outcome = TaskGroup::new()
                .run_until_cancelled(async |tg| {
                    let stop = tg.clone();
                    drop(tg.spawn(async move {
                        stop.cancel();
                        forever::<()>().await
                    }));
                    // Not awaited here: that would pass the body's own interruption on to it.
                    Ok("value")
                })
                .await;
            assert_eq!(outcome?, Some("value"));
            assert_eq!(world.now(), 0);
            Ok(())
        });
    }

    /// TG-35: and one that ends in that step is left alone.
    #[test]
    fn gh_155418_an_eager_child_that_calls_it_and_returns_keeps_its_value() {
        in_every_mode(async |_| {
            let outcome = task_group(async |tg| {
                let stop = tg.clone();
                let child = tg
                    .task(async move {
                        stop.cancel();
                        Ok("value")
                    })
                    .eager()
                    .spawn();
                assert!(child.is_finished());
                child.await
            })
            .await;
            assert_eq!(outcome?, "value");
            Ok(())
        });
    }
}

mod eager {
    use super::*;

    /// TG-36
    #[test]
    fn gh_128588_a_failure_in_the_first_step_aborts_nothing_until_the_next_turn() {
        in_every_mode(async |_| {
            let log = Log::new();
            let outcome = task_group(async |tg| {
                let failed = tg.task(async { oops::<()>("a") }).eager().spawn();
                assert!(failed.is_finished());
                assert!(tg.is_open());
                let inner = log.clone();
                let sibling = tg.try_spawn(async move {
                    inner.push("runs");
                    forever::<()>().await
                });
                assert!(sibling.is_ok());
                assert_eq!(count(), 0);
                Ok(())
            })
            .await;
            assert_eq!(shown(&outcome), "[a]");
            assert_eq!(count(), 0);
            yield_now().await
        });
    }

    /// TG-36
    #[test]
    fn gh_128550_a_child_that_spawns_a_failing_sibling_in_its_first_step_is_cancelled() {
        in_every_order(async |world| {
            let outcome = task_group(async |tg| {
                let inner = tg.clone();
                drop(tg.spawn(async move {
                    drop(inner.spawn(async { oops::<()>("third") }));
                    forever::<()>().await
                }));
                Ok(())
            })
            .await;
            assert_eq!(shown(&outcome), "[third]");
            assert_eq!(world.now(), 0);
            Ok(())
        });
    }

    /// TG-36: CPython's own test of it.
    #[test]
    fn gh_128588_cancellation_does_not_leak_out_of_the_group() {
        in_every_order(async |_| {
            let outcome = task_group(async |tg| {
                drop(tg.spawn(async { oops::<()>("a") }));
                Ok(())
            })
            .await;
            assert_eq!(shown(&outcome), "[a]");
            // If the group's request had leaked, it would be delivered here.
            nap(0).await
        });
    }

    /// EA-11: an eager child may cancel the task that spawns it.
    #[test]
    fn an_eager_child_that_cancels_its_parent_interrupts_it_at_its_next_suspension() {
        in_every_order(async |_| {
            let subject = spawn(async {
                let me = current().unwrap();
                task_group(async |tg| {
                    let child = tg
                        .task(async move {
                            me.cancel_with("by the child");
                            forever::<()>().await
                        })
                        .eager()
                        .spawn();
                    assert!(!child.is_finished());
                    nap(5).await
                })
                .await
            });
            let error = subject.await.unwrap_err();
            assert_eq!(error.as_cancelled().unwrap().reason(), Some("by the child"));
            Ok(())
        });
    }

    /// EA-14: what finishes at once, finishes at once in a group too.
    #[test]
    fn recursion_of_groups_works_the_same() {
        fn sum(depth: u32) -> std::pin::Pin<Box<dyn Future<Output = Result<u32>>>> {
            Box::pin(async move {
                if depth == 0 {
                    return Ok(1);
                }
                task_group(async |tg| {
                    let left = tg.spawn(sum(depth - 1));
                    let right = tg.spawn(sum(depth - 1));
                    Ok(left.await? + right.await?)
                })
                .await
            })
        }
        in_every_order(async |_| {
            assert_eq!(sum(6).await?, 64);
            Ok(())
        });
    }
}

mod panics {
    use super::*;

    /// TG-38, TG-39, step 5: after the children have ended; what it displaces is reported.
    #[test]
    fn a_panic_of_the_body_waits_for_the_children_and_goes_on() {
        in_every_order(async |world| {
            let log = Log::new();
            let outcome = AssertUnwindSafe(task_group(async |tg| -> Result<()> {
                drop(tg.task(slow_to_end(log.clone(), 10, Ok(()))).eager().spawn());
                drop(tg.task(async { forever::<()>().await.or(oops("a")) }).eager().spawn());
                nap(5).await?;
                explode("body")
            }))
            .catch_unwind()
            .await;
            assert_eq!(outcome.unwrap_err().downcast_ref(), Some(&"body"));
            assert_eq!(log.take(), ["cleaned up"]);
            assert_eq!(world.now(), 15);
            assert_eq!(world.reports(), ["displaced: a"]);
            assert_eq!(count(), 0);
            Ok(())
        });
    }

    /// TG-38, KQ-7: the group's own request is taken back all the same.
    #[test]
    fn a_panic_of_a_body_that_the_group_has_interrupted_leaves_no_count_behind() {
        in_every_order(async |world| {
            let outcome = AssertUnwindSafe(task_group(async |tg| -> Result<()> {
                drop(tg.spawn(async { oops::<()>("a") }));
                forever::<()>().await.unwrap_err();
                assert_eq!(count(), 1);
                panic!("body")
            }))
            .catch_unwind()
            .await;
            assert!(outcome.is_err());
            assert_eq!(world.reports(), ["displaced: a"]);
            assert_eq!(count(), 0);
            yield_now().await
        });
    }

    /// TG-38, TG-20: nor is a cancel from outside forgotten that came while the panic was held.
    #[test]
    fn a_cancel_from_outside_during_the_wait_of_a_panic_is_delivered_after_it() {
        in_every_order(async |_| {
            let log = Log::new();
            let subject = started(async move {
                let outcome = AssertUnwindSafe(task_group(async |tg| -> Result<()> {
                    drop(tg.task(slow_to_end(log.clone(), 20, Ok(()))).eager().spawn());
                    nap(5).await?;
                    panic!("body")
                }))
                .catch_unwind()
                .await;
                assert!(outcome.is_err());
                assert_eq!(count(), 1);
                nap(5).await
            })
            .await;
            nap(10).await?;
            subject.cancel_with("enough");
            let error = subject.await.unwrap_err();
            assert_eq!(error.as_cancelled().unwrap().reason(), Some("enough"));
            Ok(())
        });
    }

    /// TG-38: also before the body's first suspension, and in the call that makes its future.
    #[test]
    fn a_panic_in_the_call_of_the_body_waits_for_the_children_too() {
        in_every_order(async |_| {
            let log = Log::new();
            let inner = log.clone();
            let body = move |tg: &TaskGroup| -> std::future::Ready<Result<()>> {
                drop(tg.task(slow_to_end(inner, 10, Ok(()))).eager().spawn());
                panic!("body")
            };
            let outcome = AssertUnwindSafe(task_group(body)).catch_unwind().await;
            assert!(outcome.is_err());
            assert_eq!(log.take(), ["cleaned up"]);
            Ok(())
        });
    }

    /// TG-38, TG-40: the runtime reports it at once, and the group treats it as any failure.
    #[test]
    fn a_panic_of_a_child_is_a_failure() {
        in_every_order(async |world| {
            let outcome = task_group(async |tg| {
                drop(tg.spawn(forever::<()>()));
                drop(tg.task(async { explode("child") }).name("bad").spawn());
                forever::<()>().await
            })
            .await;
            assert_eq!(world.reports(), ["panicked: panic: child"]);
            let group = group(outcome);
            assert_eq!(tree(group.as_error()), "[panic: child]");
            assert_eq!(group.errors()[0].task_name(), Some("bad"));
            assert!(group.errors()[0].is::<Panicked>());
            Ok(())
        });
    }

    /// TG-38: an uncaught one ends the task that ran the group, after its children.
    #[test]
    fn a_task_whose_groups_body_panics_ends_after_its_children() {
        in_every_order(async |world| {
            let alive = Alive::default();
            let inner = alive.clone();
            let subject = spawn(async move {
                task_group(async |tg| -> Result<()> {
                    drop(tg.spawn(holding(&inner)));
                    panic!("body")
                })
                .await
            });
            assert!(subject.await.unwrap_err().is::<Panicked>());
            assert_eq!(alive.get(), 0);
            assert_eq!(world.reports(), ["panicked: panic: body"]);
            Ok(())
        });
    }

    /// A child's destructor that panics while the group cancels is reported, and stops nothing.
    #[test]
    fn a_destructor_that_panics_stops_nothing() {
        struct Grenade;
        impl Drop for Grenade {
            fn drop(&mut self) {
                panic!("in a destructor")
            }
        }
        in_every_mode(async |world| {
            let alive = Alive::default();
            {
                let block = task_group(async |tg| {
                    let grenade = Grenade;
                    drop(
                        tg.task(async move {
                            let _grenade = grenade;
                            forever::<()>().await
                        })
                        .eager()
                        .spawn(),
                    );
                    drop(tg.spawn(holding(&alive)));
                    forever::<()>().await
                });
                let mut block = pin!(block);
                assert!(futures_util::poll!(block.as_mut()).is_pending());
                assert_eq!(alive.get(), 1);
            }
            assert_eq!(alive.get(), 0);
            assert_eq!(world.reports(), ["callback panicked: panic: in a destructor"]);
            Ok(())
        });
    }
}

mod dropped_midway {
    use super::*;

    /// TG-41: the destructors have run when the drop returns.
    #[test]
    fn in_the_body_the_children_are_gone_when_the_drop_returns() {
        in_every_order(async |_| {
            let alive = Alive::default();
            {
                let block = task_group(async |tg| {
                    let _body = alive.guard();
                    for _ in 0..3 {
                        drop(tg.spawn(holding(&alive)));
                    }
                    forever::<()>().await
                });
                let mut block = pin!(block);
                assert!(futures_util::poll!(block.as_mut()).is_pending());
                assert_eq!(alive.get(), 4);
            }
            assert_eq!(alive.get(), 0);
            assert_eq!(count(), 0);
            yield_now().await
        });
    }

    /// TG-41: and in the exit.
    #[test]
    fn in_the_exit_the_children_are_gone_when_the_drop_returns() {
        in_every_order(async |_| {
            let alive = Alive::default();
            let block = Box::pin(task_group(async |tg| {
                drop(tg.spawn(holding(&alive)));
                Ok(())
            }));
            let (_, block) = select(block, Box::pin(nap(5))).await.factor_first();
            drop(block);
            assert_eq!(alive.get(), 0);
            Ok(())
        });
    }

    /// TG-41: by an abort of the task that runs it, inside nested groups.
    #[test]
    fn by_an_abort_everything_below_is_gone_at_once() {
        in_every_order(async |_| {
            let alive = Alive::default();
            let inner = alive.clone();
            let subject = started(task_group(async move |outer| {
                let alive = inner.clone();
                drop(outer.spawn(task_group(async move |tg| {
                    drop(tg.spawn(holding(&alive)));
                    drop(tg.spawn(holding(&alive)));
                    forever::<()>().await
                })));
                drop(outer.spawn(holding(&inner)));
                task_group(async |tg| {
                    drop(tg.spawn(holding(&inner)));
                    forever::<()>().await
                })
                .await
            }))
            .await;
            nap(5).await?;
            assert_eq!(alive.get(), 4);
            subject.abort();
            assert_eq!(alive.get(), 0);
            Ok(())
        });
    }

    /// TG-41: the request that the group has made goes with it.
    #[test]
    fn after_it_has_asked_its_own_task_the_request_is_taken_back() {
        in_every_order(async |_| {
            let log = Log::new();
            {
                let block = task_group(async |tg| {
                    drop(tg.task(slow_to_end(log.clone(), 20, Ok(()))).eager().spawn());
                    tg.cancel();
                    assert_eq!(count(), 1);
                    Ok(())
                });
                let mut block = pin!(block);
                assert!(futures_util::poll!(block.as_mut()).is_pending());
                assert_eq!(count(), 1);
            }
            assert_eq!(count(), 0);
            yield_now().await
        });
    }

    /// TG-39, TG-41: errors that nobody is left to take are reported.
    #[test]
    fn errors_that_it_had_collected_are_reported() {
        in_every_order(async |world| {
            let log = Log::new();
            {
                let block = task_group(async |tg| {
                    drop(tg.task(slow_to_end(log.clone(), 20, Ok(()))).eager().spawn());
                    drop(tg.task(async { oops::<()>("a") }).eager().spawn());
                    Ok(())
                });
                let mut block = pin!(block);
                assert!(futures_util::poll!(block.as_mut()).is_pending());
                yield_now().await?;
                yield_now().await?;
            }
            assert_eq!(world.reports(), ["displaced: a"]);
            Ok(())
        });
    }

    /// TG-39, TG-41: the body's own, which had ended and waited for the children.
    #[test]
    fn what_the_body_had_ended_with_is_reported() {
        in_every_order(async |world| {
            let block = |body: fn() -> Result<()>| {
                task_group(async move |tg| {
                    drop(tg.task(slow_to_end(Log::new(), 20, Ok(()))).eager().spawn());
                    body()
                })
            };
            assert!(block(|| oops("body")).now_or_never().is_none());
            assert_eq!(world.reports(), ["displaced: body"]);
            assert!(block(|| explode("body")).now_or_never().is_none());
            assert_eq!(world.reports(), ["displaced: panic: body"]);
            assert!(block(|| Ok(())).now_or_never().is_none());
            Ok(())
        });
    }

    /// TG-36, TG-41: also one that has failed in this very turn, of which the group has not taken notice.
    #[test]
    fn a_failure_on_its_way_is_reported() {
        in_every_order(async |world| {
            {
                let block = task_group(async |tg| {
                    drop(tg.spawn(forever::<()>()));
                    drop(tg.task(async { oops::<()>("a") }).eager().spawn());
                    forever::<()>().await
                });
                let mut block = pin!(block);
                assert!(futures_util::poll!(block.as_mut()).is_pending());
            }
            yield_now().await?;
            yield_now().await?;
            assert_eq!(world.reports(), ["displaced: a"]);
            Ok(())
        });
    }

    /// TG-5, TG-41: its handle is one on a group that has finished.
    #[test]
    fn its_handle_takes_no_more_children() {
        in_every_mode(async |_| {
            let tg = TaskGroup::new();
            let handle = tg.clone();
            let block = tg.run(async |_| forever::<()>().await);
            assert!(block.now_or_never().is_none());
            assert_eq!(handle.try_spawn(nap(1)).unwrap_err(), GroupClosed::Finished);
            handle.cancel();
            Ok(())
        });
    }

    /// TG-41: never polled, it never began.
    #[test]
    fn before_its_first_poll_it_has_not_begun() {
        in_every_mode(async |_| {
            let tg = TaskGroup::new();
            drop(tg.clone().run(async |_| Ok(())));
            tg.run(async |_| Ok(())).await
        });
    }

    /// TG-41: a child that is being started eagerly just then ends, too.
    #[test]
    fn a_child_that_ends_its_groups_task_in_its_first_step_ends_with_it() {
        in_every_mode(async |_| {
            let alive = Alive::default();
            let tg = TaskGroup::new();
            let handle = tg.clone();
            let parent = started(tg.run(async |_| forever::<()>().await)).await;
            let guard = alive.guard();
            let ends = parent.task_ref();
            let child = handle
                .task(async move {
                    let _guard = guard;
                    ends.abort();
                    forever::<()>().await
                })
                .eager()
                .spawn();
            assert!(parent.is_finished());
            assert_eq!(alive.get(), 0, "the child outlives its group");
            assert!(child.is_finished());
            assert!(parent.await.unwrap_err().is_cancelled());
            Ok(())
        });
    }

    /// TG-41: a child that drops the block from its own poll ends with that poll.
    #[test]
    fn a_child_that_aborts_its_parent_ends_when_its_poll_returns() {
        in_every_order(async |_| {
            let alive = Alive::default();
            let inner = alive.clone();
            let parent = spawn(async move {
                let me = current().unwrap();
                task_group(async |tg| {
                    drop(tg.spawn(holding(&inner)));
                    let guard = inner.guard();
                    drop(tg.spawn(async move {
                        let _guard = guard;
                        nap(5).await?;
                        me.abort();
                        forever::<()>().await
                    }));
                    forever::<()>().await
                })
                .await
            });
            nap(10).await?;
            assert!(parent.is_finished());
            assert_eq!(alive.get(), 0);
            Ok(())
        });
    }

    /// TG-41: a destructor of a child that spawns in the group that is being dropped.
    #[test]
    fn a_destructor_cannot_spawn_into_it() {
        struct Spawns(TaskGroup, Rc<Cell<Option<GroupClosed>>>);
        impl Drop for Spawns {
            fn drop(&mut self) {
                self.1.set(self.0.try_spawn(forever::<()>()).err());
            }
        }
        in_every_mode(async |_| {
            let found = Rc::new(Cell::new(None));
            let block = task_group(async |tg| {
                let spawns = Spawns(tg.clone(), found.clone());
                drop(
                    tg.task(async move {
                        let _spawns = spawns;
                        forever::<()>().await
                    })
                    .eager()
                    .spawn(),
                );
                forever::<()>().await
            });
            assert!(block.now_or_never().is_none());
            assert_eq!(found.get(), Some(GroupClosed::Finished));
            Ok(())
        });
    }
}

mod foreign_awaits {
    use super::*;

    /// DESIGN, foreign awaits: a failure drops the body where it stands.
    #[test]
    fn a_body_on_a_foreign_await_is_dropped() {
        in_every_order(async |_| {
            let log = Log::new();
            let outcome = task_group(async |tg| {
                drop(tg.spawn(async {
                    nap(5).await?;
                    oops::<()>("a")
                }));
                let _dropped = log.at_drop("dropped");
                pending::<()>().await;
                Ok(())
            })
            .await;
            assert_eq!(shown(&outcome), "[a]");
            assert_eq!(log.take(), ["dropped"]);
            assert_eq!(count(), 0);
            Ok(())
        });
    }

    /// DESIGN, foreign awaits: and so it is before the children are waited for.
    #[test]
    fn a_body_on_a_foreign_await_is_dropped_before_the_children_are_awaited() {
        in_every_order(async |_| {
            let log = Log::new();
            let outcome = TaskGroup::new()
                .run_until_cancelled(async |tg| {
                    let _dropped = log.at_drop("body dropped");
                    drop(tg.task(slow_to_end(log.clone(), 10, Ok(()))).eager().spawn());
                    tg.cancel();
                    pending::<()>().await;
                    Ok(())
                })
                .await;
            assert_eq!(outcome?, None);
            assert_eq!(log.take(), ["body dropped", "cleaned up"]);
            Ok(())
        });
    }

    /// DESIGN, foreign awaits
    #[test]
    fn a_child_on_a_foreign_await_cannot_hold_up_the_group() {
        in_every_order(async |_| {
            let alive = Alive::default();
            let outcome = task_group(async |tg| {
                for _ in 0..3 {
                    let guard = alive.guard();
                    drop(tg.spawn(async move {
                        let _guard = guard;
                        pending::<()>().await;
                        Ok(())
                    }));
                }
                let (sender, receiver) = futures_util::future::abortable(pending::<()>());
                drop(tg.spawn(async move {
                    let _receiver = receiver;
                    sender.await.ok();
                    Ok(())
                }));
                nap(5).await?;
                oops::<()>("body")
            })
            .await;
            assert_eq!(shown(&outcome), "[body]");
            assert_eq!(alive.get(), 0);
            Ok(())
        });
    }

    /// DESIGN, foreign awaits: a cancel from outside.
    #[test]
    fn a_cancel_from_outside_gets_through_a_foreign_await() {
        in_every_order(async |_| {
            let log = Log::new();
            let inner = log.clone();
            let subject = started(task_group(async move |tg| {
                drop(tg.task(slow_to_end(inner.clone(), 10, Ok(()))).eager().spawn());
                pending::<()>().await;
                Ok(())
            }))
            .await;
            subject.cancel_with("enough");
            let error = subject.await.unwrap_err();
            assert_eq!(error.as_cancelled().unwrap().reason(), Some("enough"));
            assert_eq!(log.take(), ["cleaned up"]);
            Ok(())
        });
    }

    /// DESIGN, foreign awaits: the innermost scope around it gives it up, and the outer body goes on.
    #[test]
    fn only_the_innermost_block_is_given_up() {
        in_every_order(async |_| {
            let outer = TaskGroup::new()
                .run(async |_| {
                    let inner = TaskGroup::new()
                        .run_until_cancelled(async |tg| {
                            let stop = tg.clone();
                            drop(tg.spawn(async move {
                                nap(5).await?;
                                stop.cancel();
                                Ok(())
                            }));
                            pending::<()>().await;
                            Ok(())
                        })
                        .await?;
                    nap(5).await?;
                    Ok(inner)
                })
                .await?;
            assert_eq!(outer, None);
            Ok(())
        });
    }
}

mod together {
    use super::*;

    /// Two in one task: a request of one is none of the other's business.
    #[test]
    fn of_two_groups_in_one_task_one_fails_and_the_other_goes_on() {
        in_every_order(async |world| {
            let fails = task_group(async |tg| {
                drop(tg.spawn(async {
                    nap(5).await?;
                    oops::<()>("a")
                }));
                forever::<()>().await
            });
            let works = task_group(async |tg| {
                let child = tg.spawn(async { nap(20).await.map(|()| "value") });
                nap(10).await?;
                child.await
            });
            let (fails, works) = join(fails, works).await;
            assert_eq!(shown(&fails), "[a]");
            assert_eq!(works?, "value");
            assert_eq!((count(), world.now()), (0, 20));
            Ok(())
        });
    }

    /// Two in one task, and a cancel from outside is for both.
    #[test]
    fn of_two_groups_in_one_task_both_are_cancelled_from_outside() {
        in_every_order(async |_| {
            let alive = Alive::default();
            let inner = alive.clone();
            let subject = started(async move {
                let block = || {
                    task_group(async |tg| {
                        drop(tg.spawn(holding(&inner)));
                        forever::<()>().await
                    })
                };
                let (first, second) = join(block(), block()).await;
                assert!(first.unwrap_err().is_cancelled());
                second
            })
            .await;
            nap(5).await?;
            assert_eq!(alive.get(), 2);
            subject.cancel();
            assert!(subject.await.unwrap_err().is_cancelled());
            assert_eq!(alive.get(), 0);
            Ok(())
        });
    }

    /// Two that both fail in one turn.
    #[test]
    fn of_two_groups_in_one_task_both_fail_in_one_turn() {
        in_every_order(async |_| {
            let block = |name| {
                task_group(async move |tg| {
                    drop(tg.spawn(async move {
                        nap(5).await?;
                        oops::<()>(name)
                    }));
                    forever::<()>().await
                })
            };
            let (first, second) = join(block("a"), block("b")).await;
            assert_eq!((shown(&first).as_str(), shown(&second).as_str()), ("[a]", "[b]"));
            assert_eq!(count(), 0);
            Ok(())
        });
    }

    /// With wakers that are not the task's.
    #[test]
    fn groups_work_inside_futures_unordered() {
        in_every_order(async |_| {
            let block = |number: u64| {
                task_group(async move |tg| {
                    let child = tg.spawn(async move {
                        nap(number).await?;
                        if number.is_multiple_of(2) { Ok(number) } else { oops("odd") }
                    });
                    if number.is_multiple_of(3) {
                        nap(100).await?;
                    }
                    // An error of the child's is the group's to tell, lest it be told twice.
                    match child.await {
                        Ok(number) => Ok(number),
                        Err(error) if error.is_cancelled() => Err(error),
                        Err(_) => forever().await,
                    }
                })
            };
            let mut blocks: FuturesUnordered<_> = (1..=6).map(block).collect();
            let mut outcomes = Vec::new();
            while let Some(outcome) = blocks.next().await {
                outcomes.push(outcome.as_ref().map_or_else(tree, u64::to_string));
            }
            assert_eq!(outcomes, ["[odd]", "2", "[odd]", "4", "[odd]", "6"]);
            assert_eq!(count(), 0);
            Ok(())
        });
    }

    /// With wakers that are not the task's, and cancelled from outside.
    #[test]
    fn groups_inside_futures_unordered_are_all_cancelled_from_outside() {
        in_every_order(async |_| {
            let alive = Alive::default();
            let inner = alive.clone();
            let subject = started(async move {
                let block = |number: u32| {
                    let alive = inner.clone();
                    task_group(async move |tg| {
                        drop(tg.spawn(holding(&alive)));
                        if number.is_multiple_of(2) { forever::<()>().await } else { Ok(()) }
                    })
                };
                let mut blocks: FuturesUnordered<_> = (1..=4).map(block).collect();
                let mut cancelled = 0;
                while let Some(outcome) = blocks.next().await {
                    assert!(outcome.unwrap_err().is_cancelled());
                    cancelled += 1;
                }
                assert_eq!(cancelled, 4);
                current().unwrap().uncancel();
                Ok(())
            })
            .await;
            nap(5).await?;
            subject.cancel();
            subject.await?;
            assert_eq!(alive.get(), 0);
            Ok(())
        });
    }

    /// Dropped by a `select!` that something else has won.
    #[test]
    fn the_loser_of_a_select_leaves_nothing_behind() {
        in_every_order(async |_| {
            let alive = Alive::default();
            let block = task_group(async |tg| {
                drop(tg.spawn(holding(&alive)));
                forever::<()>().await
            });
            {
                let mut block = pin!(block.fuse());
                let mut winner = pin!(nap(5).fuse());
                futures_util::select! {
                    _ = block => unreachable!("it waits for ever"),
                    outcome = winner => outcome?,
                }
                assert_eq!(alive.get(), 1);
            }
            assert_eq!(alive.get(), 0);
            yield_now().await
        });
    }

    /// TO-18: a timeout around a group.
    #[test]
    fn a_timeout_around_a_group_cancels_all_of_it() {
        in_every_order(async |world| {
            let log = Log::new();
            let outcome = timeout(
                ms(10),
                task_group(async |tg| {
                    drop(tg.task(slow_to_end(log.clone(), 5, Ok(()))).eager().spawn());
                    forever::<()>().await
                }),
            )
            .await;
            assert!(outcome.unwrap_err().is_timeout());
            assert_eq!((count(), world.now()), (0, 15));
            assert_eq!(log.take(), ["cleaned up"]);
            Ok(())
        });
    }

    /// A timeout in a body, and one in a child, are no failures of the group unless they get out.
    #[test]
    fn a_group_around_timeouts_sees_what_gets_out_of_them() {
        in_every_order(async |_| {
            let handled = task_group(async |tg| {
                let child = tg.spawn(async {
                    let inner = timeout(ms(5), forever::<()>()).await;
                    Ok(shown(&inner))
                });
                let body = timeout(ms(5), forever::<()>()).await;
                assert_eq!(count(), 0);
                Ok((shown(&body), child.await?))
            })
            .await?;
            assert_eq!(handled, ("timeout".to_owned(), "timeout".to_owned()));
            let outcome = task_group(async |tg| {
                drop(tg.spawn(timeout(ms(5), forever::<()>())));
                forever::<()>().await
            })
            .await;
            assert_eq!(shown(&outcome), "[timeout]");
            Ok(())
        });
    }

    /// The failure of a child and a timeout in the body fall in one turn.
    #[test]
    fn a_failure_and_a_timeout_within_the_body_in_one_turn() {
        in_every_order(async |_| {
            let outcome = task_group(async |tg| {
                drop(tg.spawn(async {
                    nap(5).await?;
                    oops::<()>("a")
                }));
                timeout(ms(5), forever::<()>()).await
            })
            .await;
            // In whichever order the two were: whoever was first cancels the other, unless that was under way already.
            assert!(
                ["[a]", "[a, timeout]", "[timeout]"].contains(&shown(&outcome).as_str()),
                "{}",
                shown(&outcome)
            );
            assert_eq!(count(), 0);
            Ok(())
        });
    }

    /// The timeout's own request is not the group's to absorb, though the group was ended quietly just before.
    #[test]
    fn a_timeout_scope_inside_of_a_cancelled_group_is_cancelled_and_not_expired() {
        in_every_order(async |_| {
            let outcome = TaskGroup::new()
                .run_until_cancelled(async |tg| {
                    timeout_scope(ms(10), async |t| {
                        tg.cancel();
                        let interrupted = forever::<()>().await;
                        assert!(!t.expired());
                        interrupted
                    })
                    .await
                })
                .await;
            assert_eq!(outcome?, None);
            Ok(())
        });
    }
}

mod counts {
    use super::*;

    /// A task that has swallowed a cancel without taking it back, and so runs the rest with a count of one.
    async fn with_a_count_of_one<T: 'static>(rest: impl Future<Output = Result<T>> + 'static) -> Result<T> {
        let subject = started(async {
            forever::<()>().await.unwrap_err();
            assert_eq!(count(), 1);
            let outcome = rest.await;
            assert_eq!(count(), 1);
            nap(1).await.expect("nothing is pending");
            outcome
        })
        .await;
        subject.cancel();
        subject.await
    }

    /// KQ-6
    #[test]
    fn with_a_count_at_entry_a_failure_leaves_no_request_behind() {
        in_every_order(async |_| {
            let outcome = with_a_count_of_one(task_group(async |tg| {
                drop(tg.spawn(async { oops::<()>("a") }));
                forever::<()>().await
            }))
            .await;
            assert_eq!(shown(&outcome), "[a]");
            Ok(())
        });
    }

    /// KQ-6
    #[test]
    fn with_a_count_at_entry_a_group_is_cancelled_quietly() {
        in_every_order(async |_| {
            let outcome = with_a_count_of_one(TaskGroup::new().run_until_cancelled(async |tg| {
                tg.cancel();
                forever::<()>().await
            }))
            .await;
            assert_eq!(outcome?, None);
            Ok(())
        });
    }

    /// KQ-6: a timeout around the group, whose children fail when it expires.
    #[test]
    fn with_a_count_at_entry_a_timeout_around_a_failing_group_leaves_no_request_behind() {
        in_every_order(async |_| {
            let outcome = with_a_count_of_one(timeout(
                ms(5),
                task_group(async |tg| {
                    drop(tg.spawn(async { forever::<()>().await.or(oops("a")) }));
                    forever::<()>().await
                }),
            ))
            .await;
            assert_eq!(shown(&outcome), "[a]");
            Ok(())
        });
    }

    /// KQ-7
    #[test]
    fn with_a_count_at_entry_a_panic_leaves_it_at_that() {
        in_every_order(async |world| {
            let outcome = with_a_count_of_one(async {
                let block = AssertUnwindSafe(task_group(async |tg| -> Result<()> {
                    drop(tg.spawn(async { oops::<()>("a") }));
                    forever::<()>().await.unwrap_err();
                    assert_eq!(count(), 2);
                    panic!("body")
                }));
                Ok(block.catch_unwind().await.is_err())
            })
            .await;
            assert!(outcome?);
            assert_eq!(world.reports(), ["displaced: a"]);
            Ok(())
        });
    }

    /// Every way out of a block, with a count of zero and of one at entry.
    #[test]
    fn every_way_out_brings_the_count_back_to_its_value_at_entry() {
        async fn all_ways_out() -> Result<()> {
            let entry = count();
            let back = || assert_eq!(count(), entry);
            task_group(async |tg| tg.spawn(nap(1)).await).await?;
            back();
            let _ = task_group(async |_| oops::<()>("body")).await;
            back();
            let _ = task_group(async |tg| tg.spawn(async { oops::<()>("child") }).await).await;
            back();
            let _ = task_group(async |tg| {
                drop(tg.spawn(async { oops::<()>("child") }));
                Ok(())
            })
            .await;
            back();
            let _ = task_group(async |tg| {
                drop(tg.spawn(async { oops::<()>("child") }));
                forever::<()>().await.unwrap_err();
                Ok(())
            })
            .await;
            back();
            let _ = task_group(async |tg| {
                tg.cancel();
                nap(1).await
            })
            .await;
            back();
            let _ = task_group(async |tg| {
                tg.cancel();
                Ok(())
            })
            .await;
            back();
            let _ = AssertUnwindSafe(task_group(async |tg| -> Result<()> {
                tg.cancel();
                panic!("body")
            }))
            .catch_unwind()
            .await;
            back();
            let _ = task_group(async |tg| {
                tg.cancel();
                drop(tg.spawn(nap(1)));
                nap(1).await
            })
            .now_or_never();
            back();
            let _ = timeout(
                ms(1),
                task_group(async |tg| {
                    drop(tg.spawn(async { forever::<()>().await.or(oops("child")) }));
                    forever::<()>().await
                }),
            )
            .await;
            back();
            let _ = task_group(async |tg| {
                tg.cancel();
                pending::<()>().await;
                Ok(())
            })
            .await;
            back();
            Ok(())
        }
        in_every_order(async |_| {
            all_ways_out().await?;
            with_a_count_of_one(all_ways_out()).await
        });
    }
}

mod accounting {
    use super::*;

    /// What the group returns is not reported as well: neither the handles that were dropped nor those that are kept.
    #[test]
    fn the_hook_gets_nothing_that_was_returned() {
        in_every_order(async |world| {
            let kept = Rc::new(RefCell::new(None));
            let outcome = task_group(async |tg| {
                drop(tg.spawn(async { oops::<()>("dropped") }));
                *kept.borrow_mut() = Some(tg.spawn(async { oops::<()>("kept") }));
                forever::<()>().await
            })
            .await;
            let group = group(outcome);
            assert_eq!(group.leaves().count(), 2);
            drop(kept.take());
            yield_now().await?;
            assert_eq!(world.reports(), [""; 0]);
            Ok(())
        });
    }

    /// KQ-13: a task that is no child has failed just when the group interrupts the body that awaits it. Its error
    /// rides on the `Cancelled`, and the group absorbs that.
    #[test]
    fn an_error_beside_an_absorbed_cancelled_is_reported() {
        in_every_mode(async |world| {
            let outcome = TaskGroup::new()
                .run_until_cancelled(async |tg| {
                    let stop = tg.clone();
                    let stranger = spawn(async {
                        nap(5).await?;
                        oops::<()>("stranger")
                    });
                    drop(tg.spawn(async move {
                        nap(5).await?;
                        stop.cancel();
                        Ok(())
                    }));
                    // Both in one turn, the error first: it is there when the cancel comes, and not yet seen.
                    stranger.await
                })
                .await;
            assert_eq!(outcome?, None);
            assert_eq!(world.reports(), ["displaced: stranger"]);
            Ok(())
        });
    }

    /// KQ-13: the same where errors outrank it.
    #[test]
    fn an_error_beside_an_outranked_cancelled_is_reported() {
        in_every_mode(async |world| {
            let outcome = task_group(async |tg| {
                let stop = tg.clone();
                drop(tg.spawn(async { forever::<()>().await.or(oops("child")) }));
                let stranger = spawn(async {
                    nap(5).await?;
                    oops::<()>("stranger")
                });
                drop(tg.spawn(async move {
                    nap(5).await?;
                    stop.cancel();
                    Ok(())
                }));
                stranger.await
            })
            .await;
            assert_eq!(shown(&outcome), "[child]");
            assert_eq!(world.reports(), ["displaced: stranger"]);
            Ok(())
        });
    }

    /// KQ-13: but not if it is a member of the group error anyway.
    #[test]
    fn an_error_of_a_child_beside_the_bodys_cancelled_is_not_counted_twice() {
        in_every_order(async |_| {
            let outcome = task_group(async |tg| {
                let child = tg.spawn(async {
                    nap(5).await?;
                    oops::<()>("child")
                });
                child.await
            })
            .await;
            assert!(["[child]", "[child, child]"].contains(&shown(&outcome).as_str()));
            Ok(())
        });
    }

    /// A child that fails after its block was dropped, at the end of the poll in which it did that.
    #[test]
    fn a_child_that_drops_its_block_and_fails_is_reported() {
        in_every_mode(async |world| {
            let tg = TaskGroup::new();
            let handle = tg.clone();
            let parent = started(tg.run(async |_| forever::<()>().await)).await;
            let ends = parent.task_ref();
            drop(handle.spawn(async move {
                nap(5).await?;
                ends.abort();
                oops::<()>("late")
            }));
            nap(10).await?;
            assert!(parent.is_finished());
            let reports = world.reports();
            assert_eq!(reports, ["displaced: late"]);
            Ok(())
        });
    }

    /// A runtime that is dropped with groups in it.
    #[test]
    fn a_runtime_dropped_with_a_group_in_it_drops_the_children() {
        for eager in [false, true] {
            let alive = Alive::default();
            let runtime =
                homing::Builder::new().virtual_time().eager_tasks(eager).on_unhandled(|_| {}).build();
            let inner = alive.clone();
            let block = runtime.spawn(task_group(async move |tg| {
                drop(tg.spawn(holding(&inner)));
                drop(tg.spawn(holding(&inner)));
                forever::<()>().await
            }));
            runtime.block_on(nap(5)).unwrap();
            assert_eq!(alive.get(), 2);
            drop(runtime);
            assert_eq!(alive.get(), 0);
            assert!(block.is_finished());
        }
    }

    /// What people see of it.
    #[test]
    fn a_group_shows_its_phase_and_its_children() {
        in_every_mode(async |_| {
            let tg = TaskGroup::builder().name("pages").build();
            assert_eq!(tg.name(), Some("pages"));
            let handle = tg.clone();
            assert_eq!(
                format!("{handle:?}"),
                r#"TaskGroup { name: Some("pages"), phase: New, children: 0 }"#
            );
            tg.run(async |tg| {
                drop(tg.spawn(nap(5)));
                assert_eq!(
                    format!("{tg:?}"),
                    r#"TaskGroup { name: Some("pages"), phase: Open, children: 1 }"#
                );
                Ok(())
            })
            .await?;
            assert_eq!(
                format!("{handle:?}"),
                r#"TaskGroup { name: Some("pages"), phase: Finished, children: 0 }"#
            );
            assert!(TaskGroup::default().name().is_none());
            Ok(())
        });
    }

    /// The asker of a `cancel()` and of an outside cancel are told apart by the children.
    #[test]
    fn a_child_sees_the_chain_of_causes() {
        in_every_order(async |_| {
            let askers = Rc::new(RefCell::new(Vec::new()));
            let inner = askers.clone();
            let subject = started(TaskGroup::builder().name("inner").run(async move |tg| {
                drop(
                    tg.task(async move {
                        let error = forever::<()>().await.unwrap_err();
                        let causes = error.as_cancelled().unwrap().causes();
                        inner
                            .borrow_mut()
                            .extend(causes.map(|cause| (cause.by.clone(), cause.reason.clone())));
                        Err::<(), _>(error)
                    })
                    .eager()
                    .spawn(),
                );
                forever::<()>().await
            }))
            .await;
            subject.cancel_with("enough");
            let _ = subject.await;
            assert_eq!(
                askers.take(),
                [
                    (Asker::Unknown, Some("enough".into())),
                    (Asker::Group { name: Some("inner".into()) }, None)
                ]
            );
            Ok(())
        });
    }
}
