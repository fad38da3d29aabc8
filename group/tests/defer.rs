//! Clean-ups that are sure to run (`TaskGroup::defer`).

mod common;

use common::{Alive, Log, count, forever, group, in_every_mode, in_every_order, ms, nap, oops, shown, tree};
use futures_util::future::{Either, select};
use homing::{
    Builder, Error, GroupClosed, Instant, Result, TaskGroup, Unhandled, all_tasks, current, sleep, spawn,
    task_group, timeout, yield_now,
};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;

/// A clean-up that takes a millisecond and writes itself down.
fn note(tg: &TaskGroup, log: &Log, entry: &'static str) {
    let log = log.clone();
    tg.defer(async move || {
        nap(1).await?;
        Ok(log.push(entry))
    });
}

/// Panics, and might as well not, as far as the compiler knows.
fn explode(message: &'static str) -> Result<()> {
    panic!("{message}")
}

mod normal_end {
    use super::*;

    #[test]
    fn clean_ups_run_one_by_one_the_last_first() {
        in_every_order(async |world| {
            let log = Log::new();
            let value = task_group(async |tg| {
                for entry in ["a", "b", "c"] {
                    note(tg, &log, entry);
                }
                Ok(7)
            })
            .await?;
            assert_eq!(log.take(), ["c", "b", "a"]);
            assert_eq!((value, world.now()), (7, 3));
            Ok(())
        });
    }

    #[test]
    fn they_run_after_the_body_and_after_the_last_child() {
        in_every_order(async |world| {
            let log = Log::new();
            task_group(async |tg| {
                note(tg, &log, "the clean-up");
                let child = log.clone();
                tg.spawn(async move {
                    nap(5).await?;
                    Ok(child.push("the child"))
                });
                log.push("the body");
                Ok(())
            })
            .await?;
            assert_eq!(log.take(), ["the body", "the child", "the clean-up"]);
            assert_eq!(world.now(), 6);
            Ok(())
        });
    }

    #[test]
    fn children_defer_too_and_what_they_defer_joins_the_same_line() {
        in_every_order(async |_| {
            let log = Log::new();
            task_group(async |tg| {
                note(tg, &log, "of the body");
                for (after, entry) in [(1, "of the first child"), (2, "of the second child")] {
                    let (tg2, log) = (tg.clone(), log.clone());
                    tg.spawn(async move {
                        nap(after).await?;
                        Ok(note(&tg2, &log, entry))
                    });
                }
                Ok(())
            })
            .await?;
            assert_eq!(log.take(), ["of the second child", "of the first child", "of the body"]);
            Ok(())
        });
    }

    #[test]
    fn one_that_a_clean_up_defers_runs_next() {
        in_every_order(async |_| {
            let log = Log::new();
            task_group(async |tg| {
                note(tg, &log, "first deferred");
                let (tg2, log2) = (tg.clone(), log.clone());
                tg.defer(async move || {
                    note(&tg2, &log2, "deferred while cleaning up");
                    Ok(log2.push("last deferred"))
                });
                Ok(())
            })
            .await?;
            assert_eq!(log.take(), ["last deferred", "deferred while cleaning up", "first deferred"]);
            Ok(())
        });
    }

    #[test]
    fn a_clean_up_is_a_task_with_the_place_of_its_defer_and_the_name_of_its_group() {
        in_every_mode(async |_| {
            let seen = Rc::new(RefCell::new(Vec::new()));
            let (seen2, line) = (seen.clone(), line!() + 5);
            TaskGroup::builder()
                .name("pages")
                .run(async |tg| {
                    let seen = seen2;
                    tg.defer(async move || Ok(seen.borrow_mut().push(current().unwrap())));
                    Ok(())
                })
                .await?;
            let task = seen.borrow_mut().pop().unwrap();
            assert_eq!(
                (task.name().as_ref(), task.spawned_at().unwrap().line()),
                ("clean-up of 'pages'", line)
            );
            Ok(())
        });
    }

    #[test]
    fn while_they_run_the_group_takes_no_children() {
        in_every_mode(async |_| {
            let refused = Rc::new(RefCell::new(None));
            task_group(async |tg| {
                let (tg2, refused) = (tg.clone(), refused.clone());
                tg.defer(async move || {
                    *refused.borrow_mut() = tg2.try_spawn(async { Ok(()) }).err();
                    Ok(tg2.cancel()) // does nothing: nobody is left to be cancelled
                });
                Ok(())
            })
            .await?;
            assert_eq!(*refused.borrow(), Some(GroupClosed::Finished));
            Ok(())
        });
    }

    #[test]
    fn a_group_that_has_finished_or_was_not_entered_refuses_them() {
        in_every_mode(async |_| {
            let alive = Alive::default();
            let late = |tg: &TaskGroup| {
                let guard = alive.guard();
                tg.try_defer(async move || Ok(drop(guard)))
            };
            let group = TaskGroup::new();
            assert_eq!(late(&group), Err(GroupClosed::NotEntered));
            group.clone().run(async |_| Ok(())).await?;
            assert_eq!(late(&group), Err(GroupClosed::Finished));
            assert_eq!(alive.get(), 0);
            assert!(catch_unwind(AssertUnwindSafe(|| group.defer(async || Ok(())))).is_err());
            Ok(())
        });
    }

    #[test]
    fn what_they_hold_is_gone_when_the_block_ends() {
        in_every_mode(async |_| {
            let alive = Alive::default();
            task_group(async |tg| {
                let (guard, own) = (alive.guard(), tg.clone());
                tg.defer(async move || {
                    let (_guard, _own) = (guard, own);
                    nap(1).await
                });
                Ok(())
            })
            .await?;
            assert_eq!(alive.get(), 0);
            Ok(())
        });
    }
}

mod other_ends {
    use super::*;

    #[test]
    fn after_a_body_that_fails() {
        in_every_order(async |_| {
            let log = Log::new();
            let outcome = task_group(async |tg| {
                note(tg, &log, "clean");
                oops::<()>("body")
            })
            .await;
            assert_eq!((shown(&outcome).as_str(), log.take()), ("[body]", vec!["clean".to_owned()]));
            Ok(())
        });
    }

    #[test]
    fn after_a_child_that_fails_and_siblings_that_clean_up() {
        in_every_order(async |_| {
            let log = Log::new();
            let outcome = task_group(async |tg| {
                note(tg, &log, "the clean-up");
                tg.spawn(async { oops::<()>("child") });
                let sibling = log.clone();
                tg.task(async move {
                    let interrupted = forever::<()>().await;
                    nap(3).await?;
                    sibling.push("the sibling");
                    interrupted
                })
                .eager()
                .spawn();
                forever::<()>().await
            })
            .await;
            assert_eq!(shown(&outcome), "[child]");
            assert_eq!(log.take(), ["the sibling", "the clean-up"]);
            Ok(())
        });
    }

    #[test]
    fn after_a_body_that_panics_and_the_panic_goes_on() {
        in_every_mode(async |world| {
            let log = Log::new();
            let inner = log.clone();
            let task = spawn(task_group(async move |tg| {
                note(tg, &inner, "clean");
                tg.defer(async || oops("while cleaning up"));
                explode("the body")
            }));
            assert_eq!(shown(&task.await), "panic: the body");
            assert_eq!(log.take(), ["clean"]);
            let mut reports = world.reports();
            reports.sort();
            assert_eq!(reports, ["displaced: while cleaning up", "panicked: panic: the body"]);
            Ok(())
        });
    }

    #[test]
    fn in_a_group_that_is_ended_quietly() {
        in_every_order(async |_| {
            let log = Log::new();
            let ended = TaskGroup::new()
                .run_until_cancelled(async |tg| {
                    note(tg, &log, "clean");
                    tg.cancel();
                    forever::<()>().await
                })
                .await?;
            assert_eq!((ended, log.take()), (None, vec!["clean".to_owned()]));
            Ok(())
        });
    }

    #[test]
    fn deferred_while_the_group_is_shutting_down() {
        in_every_order(async |_| {
            let log = Log::new();
            let ended = TaskGroup::new()
                .run_until_cancelled(async |tg| {
                    tg.cancel();
                    let interrupted = forever::<()>().await;
                    note(tg, &log, "late");
                    interrupted
                })
                .await?;
            assert_eq!((ended, log.take()), (None, vec!["late".to_owned()]));
            Ok(())
        });
    }

    #[test]
    fn after_a_body_on_a_foreign_await_that_was_given_up() {
        in_every_mode(async |_| {
            let log = Log::new();
            let block = timeout(
                ms(2),
                task_group(async |tg| {
                    note(tg, &log, "clean");
                    futures_util::future::pending::<Result<()>>().await
                }),
            );
            assert_eq!(shown(&block.await), "timeout");
            assert_eq!(log.take(), ["clean"]);
            Ok(())
        });
    }
}

mod errors {
    use super::*;

    #[test]
    fn they_come_last_in_the_order_in_which_the_clean_ups_ran() {
        in_every_order(async |_| {
            let outcome = task_group(async |tg| {
                tg.defer(async || oops("first deferred"));
                tg.defer(async || oops("last deferred"));
                tg.spawn(async { oops::<()>("child") });
                let _interrupted = forever::<()>().await;
                oops::<()>("body")
            })
            .await;
            assert_eq!(shown(&outcome), "[child, body, last deferred, first deferred]");
            Ok(())
        });
    }

    #[test]
    fn one_alone_is_an_error_of_the_block_and_tells_where_it_was_deferred() {
        in_every_mode(async |_| {
            let line = line!() + 2;
            let outcome = task_group(async |tg| {
                tg.defer(async || oops("goodbye"));
                Ok("the value")
            })
            .await;
            let errors = group(outcome);
            let origin = errors.errors()[0].origin().unwrap();
            assert_eq!(origin.task.as_deref(), Some("clean-up"));
            assert_eq!(origin.spawned_at.unwrap().line(), line);
            Ok(())
        });
    }

    #[test]
    fn one_that_panics_keeps_none_from_running() {
        in_every_mode(async |world| {
            let log = Log::new();
            let outcome = task_group(async |tg| {
                note(tg, &log, "the next");
                tg.defer(async || explode("in a clean-up"));
                Ok(())
            })
            .await;
            assert_eq!(shown(&outcome), "[panic: in a clean-up]");
            assert_eq!(log.take(), ["the next"]);
            assert_eq!(world.reports(), ["panicked: panic: in a clean-up"]);
            Ok(())
        });
    }

    #[test]
    fn one_that_ends_cancelled_is_none() {
        in_every_mode(async |_| {
            let log = Log::new();
            task_group(async |tg| {
                note(tg, &log, "the next");
                tg.defer(async || {
                    current().unwrap().cancel(); // by itself, or by whoever has got hold of it
                    forever::<()>().await
                });
                Ok(())
            })
            .await?;
            assert_eq!(log.take(), ["the next"]);
            Ok(())
        });
    }

    #[test]
    fn one_that_is_aborted_keeps_none_from_running() {
        in_every_mode(async |_| {
            let log = Log::new();
            task_group(async |tg| {
                note(tg, &log, "the next");
                tg.defer(forever::<()>);
                spawn(async {
                    nap(2).await?;
                    let cleaning = all_tasks().into_iter().find(|task| task.name() == "clean-up").unwrap();
                    Ok(assert!(cleaning.abort()))
                });
                Ok(())
            })
            .await?;
            assert_eq!(log.take(), ["the next"]);
            Ok(())
        });
    }
}

mod shielded {
    use super::*;

    #[test]
    fn a_cancel_in_the_body_is_delivered_after_them() {
        in_every_order(async |world| {
            let log = Log::new();
            let inner = log.clone();
            let block = spawn(task_group(async move |tg| {
                note(tg, &inner, "clean");
                forever::<()>().await
            }));
            nap(2).await?;
            block.cancel_with("closing time");
            let error = block.await.unwrap_err();
            assert_eq!(error.as_cancelled().unwrap().reason(), Some("closing time"));
            assert_eq!((log.take(), world.now()), (vec!["clean".to_owned()], 3));
            Ok(())
        });
    }

    #[test]
    fn any_number_of_cancels_while_they_run_does_not_reach_them() {
        in_every_order(async |world| {
            let log = Log::new();
            let inner = log.clone();
            let block = spawn(task_group(async move |tg| {
                tg.defer(async move || {
                    nap(10).await?;
                    Ok(inner.push("undisturbed"))
                });
                Ok(())
            }));
            for _ in 0..3 {
                nap(2).await?;
                block.cancel();
            }
            assert_eq!(shown(&block.await), "cancelled");
            assert_eq!((log.take(), world.now()), (vec!["undisturbed".to_owned()], 10));
            Ok(())
        });
    }

    #[test]
    fn an_error_of_theirs_outranks_the_cancel_which_is_pending_again_after_the_block() {
        in_every_order(async |_| {
            let task = spawn(async {
                let block = task_group(async |tg| {
                    tg.defer(async || {
                        nap(5).await?;
                        oops("goodbye")
                    });
                    Ok(())
                });
                let outcome = block.await;
                assert_eq!((shown(&outcome).as_str(), count()), ("[goodbye]", 1));
                let next = nap(1).await;
                assert_eq!(next.as_ref().unwrap_err().as_cancelled().unwrap().reason(), Some("why"));
                next
            });
            nap(2).await?;
            task.cancel_with("why");
            assert_eq!(shown(&task.await), "cancelled");
            Ok(())
        });
    }

    #[test]
    fn a_timeout_around_the_block_waits_for_them() {
        in_every_order(async |world| {
            let block = task_group(async |tg| {
                tg.defer(async || nap(10).await);
                Ok(())
            });
            assert_eq!(shown(&timeout(ms(2), block).await), "timeout");
            assert_eq!((world.now(), count()), (10, 0));
            Ok(())
        });
    }

    #[test]
    fn the_groups_grace_gives_each_so_much_time() {
        in_every_order(async |world| {
            let (log, alive) = (Log::new(), Alive::default());
            let outcome = TaskGroup::builder()
                .grace(ms(5))
                .run(async |tg| {
                    note(tg, &log, "first deferred");
                    for _ in 0..2 {
                        let guard = alive.guard();
                        tg.defer(async move || {
                            let _guard = guard;
                            forever().await
                        });
                    }
                    Ok(())
                })
                .await;
            assert_eq!(shown(&outcome), "[timeout, timeout]");
            assert_eq!((world.now(), log.take(), alive.get()), (11, vec!["first deferred".to_owned()], 0));
            Ok(())
        });
    }

    #[test]
    fn they_have_their_grace_although_the_children_have_used_up_theirs() {
        in_every_order(async |world| {
            let log = Log::new();
            let ended = TaskGroup::builder()
                .grace(ms(5))
                .build()
                .run_until_cancelled(async |tg| {
                    let log = log.clone();
                    tg.defer(async move || {
                        nap(4).await?;
                        Ok(log.push("clean"))
                    });
                    tg.task(async {
                        let _stubborn = forever::<()>().await;
                        forever::<()>().await
                    })
                    .eager()
                    .spawn();
                    Ok(tg.cancel())
                })
                .await?;
            assert_eq!((ended, log.take(), world.now()), (Some(()), vec!["clean".to_owned()], 9));
            Ok(())
        });
    }

    #[test]
    fn the_outer_groups_failure_waits_for_the_clean_ups_of_the_inner_one() {
        in_every_order(async |world| {
            let log = Log::new();
            let inner = log.clone();
            let outcome = task_group(async |tg| {
                tg.spawn(task_group(async move |tg| {
                    tg.defer(async move || {
                        nap(5).await?;
                        Ok(inner.push("inner"))
                    });
                    forever::<()>().await
                }));
                nap(1).await?;
                oops::<()>("outer")
            })
            .await;
            assert_eq!(
                (shown(&outcome).as_str(), log.take(), world.now()),
                ("[outer]", vec!["inner".to_owned()], 6)
            );
            Ok(())
        });
    }
}

mod dropped_midway {
    use super::*;

    #[test]
    fn in_the_body_the_children_are_gone_at_once_and_the_clean_ups_run() {
        in_every_order(async |_| {
            let log = Log::new();
            let notes = log.clone();
            let block = spawn(task_group(async move |tg| {
                let guard = notes.at_drop("the child is gone");
                note(tg, &notes, "first deferred");
                note(tg, &notes, "last deferred");
                tg.spawn(async move {
                    let _guard = guard;
                    forever::<()>().await
                });
                forever::<()>().await
            }));
            nap(1).await?;
            block.abort();
            assert_eq!(log.take(), ["the child is gone"]);
            nap(5).await?;
            assert_eq!(log.take(), ["last deferred", "first deferred"]);
            Ok(())
        });
    }

    #[test]
    fn while_they_run_they_run_on() {
        in_every_order(async |_| {
            let log = Log::new();
            let notes = log.clone();
            let mut block = Box::pin(task_group(async move |tg| {
                note(tg, &notes, "first deferred");
                note(tg, &notes, "last deferred");
                tg.defer(async || nap(5).await);
                Ok(())
            }));
            let gave_up = match select(&mut block, pin!(nap(2))).await {
                Either::Left(_) => false,
                Either::Right(_) => true,
            };
            drop(block);
            assert!(gave_up && log.take().is_empty());
            nap(10).await?;
            assert_eq!(log.take(), ["last deferred", "first deferred"]);
            Ok(())
        });
    }

    #[test]
    fn their_errors_and_panics_are_reported() {
        in_every_mode(async |world| {
            let block = spawn(task_group(async move |tg| {
                tg.defer(async || oops("goodbye"));
                tg.defer(async || explode("farewell"));
                forever::<()>().await
            }));
            nap(1).await?;
            block.abort();
            nap(1).await?;
            assert_eq!(world.reports(), ["panicked: panic: farewell", "failed: goodbye"]);
            Ok(())
        });
    }

    #[test]
    fn what_had_failed_before_the_drop_is_reported() {
        in_every_mode(async |world| {
            let block = spawn(task_group(async move |tg| {
                tg.defer(async || nap(5).await);
                tg.defer(async || oops("of the last clean-up"));
                oops::<()>("of the body")
            }));
            nap(2).await?;
            block.abort();
            assert_eq!(world.reports(), ["displaced: of the body", "displaced: of the last clean-up"]);
            nap(10).await
        });
    }

    #[test]
    fn by_a_child_in_its_own_poll_they_run_when_that_child_is_gone() {
        in_every_mode(async |_| {
            let log = Log::new();
            let notes = log.clone();
            let slot = Rc::new(RefCell::new(None::<homing::TaskRef>));
            let parent = slot.clone();
            let block = spawn(task_group(async move |tg| {
                note(tg, &notes, "the clean-up");
                tg.spawn(async move {
                    let _guard = notes.at_drop("the child is gone");
                    nap(1).await?;
                    let parent = parent.take().unwrap();
                    parent.abort();
                    notes.push("the child goes on");
                    forever::<()>().await
                });
                forever::<()>().await
            }));
            *slot.borrow_mut() = Some(block.task_ref());
            nap(5).await?;
            assert_eq!(log.take(), ["the child goes on", "the child is gone", "the clean-up"]);
            Ok(())
        });
    }

    #[test]
    fn a_clean_up_may_still_defer_another() {
        in_every_mode(async |_| {
            let log = Log::new();
            let notes = log.clone();
            let block = spawn(task_group(async move |tg| {
                let own = tg.clone();
                tg.defer(async move || {
                    note(&own, &notes, "deferred after the drop");
                    nap(1).await
                });
                forever::<()>().await
            }));
            nap(1).await?;
            block.abort();
            nap(5).await?;
            assert_eq!(log.take(), ["deferred after the drop"]);
            Ok(())
        });
    }

    #[test]
    fn under_grace_one_that_hangs_is_dropped_and_reported() {
        in_every_mode(async |world| {
            let log = Log::new();
            let notes = log.clone();
            let block = spawn(TaskGroup::builder().grace(ms(5)).run(async move |tg| {
                note(tg, &notes, "the next");
                tg.defer(forever::<()>);
                forever::<()>().await
            }));
            nap(1).await?;
            block.abort();
            nap(10).await?;
            assert_eq!(
                (log.take(), world.reports()),
                (vec!["the next".to_owned()], vec!["failed: timeout".to_owned()])
            );
            Ok(())
        });
    }
}

mod end_of_the_runtime {
    use super::*;

    /// Collects what is reported.
    fn reporting() -> (Builder, Rc<RefCell<Vec<String>>>) {
        let reports = Rc::new(RefCell::new(Vec::new()));
        let hook = reports.clone();
        let builder = Builder::new().virtual_time().on_unhandled(move |unhandled| {
            hook.borrow_mut().push(match unhandled {
                Unhandled::TaskFailed { error, .. } => format!("failed: {}", tree(error)),
                Unhandled::PendingAtDrop { task } => format!("pending: {}", task.name()),
                Unhandled::NotCleanedUp { place } => format!("not cleaned up: {}", place.file()),
                other => other.to_string(),
            });
        });
        (builder, reports)
    }

    #[test]
    fn run_waits_for_clean_ups_that_the_sweep_has_brought_about() {
        let (builder, reports) = reporting();
        let log = Log::new();
        let notes = log.clone();
        let runtime = builder.build();
        runtime
            .run(async move {
                spawn(task_group(async move |tg| {
                    note(tg, &notes, "first deferred");
                    note(tg, &notes, "last deferred");
                    forever::<()>().await
                }));
                nap(1).await
            })
            .unwrap();
        assert_eq!(
            (log.take(), runtime.task_count()),
            (vec!["last deferred".to_owned(), "first deferred".to_owned()], 0)
        );
        assert!(reports.borrow().is_empty());
    }

    #[test]
    fn run_waits_for_clean_ups_in_its_care_and_does_not_cancel_what_they_use() {
        let (builder, reports) = reporting();
        let log = Log::new();
        let notes = log.clone();
        let runtime = builder.build();
        runtime
            .run(async move {
                let block = spawn(task_group(async move |tg| {
                    tg.defer(async move || {
                        let words = task_group(async |tg| {
                            let word = tg.spawn(async {
                                nap(5).await?;
                                Ok("goodbye")
                            });
                            word.await
                        });
                        Ok(notes.push(words.await?))
                    });
                    forever::<()>().await
                }));
                nap(1).await?;
                Ok(assert!(block.abort()))
            })
            .unwrap();
        assert_eq!((log.take(), runtime.task_count()), (vec!["goodbye".to_owned()], 0));
        assert!(reports.borrow().is_empty());
    }

    #[test]
    fn what_a_clean_up_leaves_behind_is_swept_after_it() {
        let (builder, reports) = reporting();
        let log = Log::new();
        let notes = log.clone();
        let runtime = builder.build();
        runtime
            .run(async move {
                let block = spawn(task_group(async move |tg| {
                    tg.defer(async move || {
                        spawn(async move {
                            let interrupted = forever::<()>().await;
                            notes.push("swept");
                            interrupted
                        });
                        nap(1).await
                    });
                    forever::<()>().await
                }));
                yield_now().await?;
                yield_now().await?;
                Ok(assert!(block.abort()))
            })
            .unwrap();
        assert_eq!((log.take(), runtime.task_count()), (vec!["swept".to_owned()], 0));
        assert!(reports.borrow().is_empty());
    }

    #[test]
    fn dropped_with_a_group_in_it_each_clean_up_is_reported_and_dropped() {
        let (builder, reports) = reporting();
        let alive = Alive::default();
        let runtime = builder.build();
        runtime
            .block_on(async {
                let guards = [alive.guard(), alive.guard()];
                spawn(task_group(async move |tg| {
                    for guard in guards {
                        tg.defer(async move || Ok(drop(guard)));
                    }
                    forever::<()>().await
                }));
                nap(1).await
            })
            .unwrap();
        drop(runtime);
        assert_eq!(alive.get(), 0);
        let file = file!();
        let lost = format!("not cleaned up: {file}");
        let mut reports = reports.take();
        assert!(reports.remove(0).starts_with("pending: "));
        assert_eq!(reports, [lost.clone(), lost]);
    }

    #[test]
    fn dropped_while_one_runs_that_is_a_pending_task_and_the_rest_is_reported() {
        let (builder, reports) = reporting();
        let alive = Alive::default();
        let runtime = builder.build();
        runtime
            .block_on(async {
                let (next, running) = (alive.guard(), alive.guard());
                let block = spawn(task_group(async move |tg| {
                    tg.defer(async move || Ok(drop(next)));
                    tg.defer(async move || {
                        let _guard = running;
                        forever::<()>().await
                    });
                    forever::<()>().await
                }));
                nap(1).await?;
                block.abort();
                nap(1).await
            })
            .unwrap();
        assert_eq!(runtime.task_count(), 1);
        drop(runtime);
        assert_eq!(alive.get(), 0);
        assert_eq!(
            *reports.borrow(),
            ["pending: clean-up".to_owned(), format!("not cleaned up: {}", file!())]
        );
    }

    /// It goes on when the runtime does.
    #[test]
    fn after_block_on_they_are_left_as_all_tasks_are() {
        let (builder, _reports) = reporting();
        let log = Log::new();
        let notes = log.clone();
        let runtime = builder.build();
        runtime
            .block_on(async {
                let block = spawn(task_group(async move |tg| {
                    note(tg, &notes, "clean");
                    forever::<()>().await
                }));
                nap(1).await?;
                Ok(assert!(block.abort()))
            })
            .unwrap();
        assert_eq!(log.take(), [""; 0]);
        runtime.block_on(nap(2)).unwrap();
        assert_eq!(log.take(), ["clean"]);
    }

    #[test]
    fn a_block_that_a_host_aborts_between_two_turns_cleans_up_in_the_next() {
        let (builder, _reports) = reporting();
        let log = Log::new();
        let notes = log.clone();
        let runtime = builder.build();
        let block = runtime.spawn(task_group(async move |tg| {
            note(tg, &notes, "clean");
            forever::<()>().await
        }));
        runtime.block_on(nap(1)).unwrap();
        block.abort();
        runtime.block_on(nap(2)).unwrap();
        assert_eq!(log.take(), ["clean"]);
    }

    #[test]
    fn a_block_that_is_dropped_where_no_runtime_runs_cannot_clean_up_and_drops_what_it_holds() {
        let (builder, _reports) = reporting();
        let alive = Alive::default();
        let guard = alive.guard();
        let mut block = Box::pin(task_group(async move |tg| {
            tg.defer(async move || Ok(drop(guard)));
            forever::<()>().await
        }));
        let runtime = builder.build();
        runtime
            .block_on(async {
                let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(block.as_mut().poll(cx))).await;
                Ok(assert!(polled.is_pending()))
            })
            .unwrap();
        drop(block); // tells so on the standard error
        assert_eq!(alive.get(), 0);
    }

    #[test]
    fn however_many_clean_ups_there_are_their_end_takes_no_stack() {
        let many = 20_000;
        let counted = Rc::new(std::cell::Cell::new(0));
        let deferring = |counted: Rc<std::cell::Cell<u32>>, value: Result<()>| {
            task_group(async move |tg| {
                for _ in 0..many {
                    let counted = counted.clone();
                    tg.defer(async move || Ok(counted.set(counted.get() + 1)));
                }
                value?;
                forever::<()>().await
            })
        };
        let (builder, reports) = reporting();
        let runtime = builder.build();
        let failed = runtime.block_on(deferring(counted.clone(), Err(Error::msg("enough")))).unwrap_err();
        assert_eq!((failed.as_group().unwrap().len(), counted.take()), (1, many));
        runtime
            .block_on(async {
                let begin = Instant::now();
                spawn(deferring(counted.clone(), Ok(())));
                sleep(ms(1)).await?;
                Ok(assert_eq!(begin.elapsed(), ms(1)))
            })
            .unwrap();
        drop(runtime);
        assert_eq!((counted.get(), reports.borrow().len() as u32), (0, many + 1));
    }
}
