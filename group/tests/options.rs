//! What a group does otherwise when it is asked to: each option, as tests that can fail.

mod common;

use common::{
    Alive, Log, forever, group, in_every_mode, in_every_order, ms, nap, oops, shown, started, tree,
};
use homing::{Result, TaskGroup, task_group, yield_now};
use std::cell::Cell;
use std::rc::Rc;

mod supervise {
    use super::*;

    fn supervisor() -> homing::GroupBuilder {
        TaskGroup::builder().supervise()
    }

    #[test]
    fn a_failure_touches_neither_siblings_nor_the_body() {
        in_every_order(async |_| {
            let log = Log::new();
            let outcome = supervisor()
                .run(async |tg| {
                    tg.spawn(async { oops::<()>("a") });
                    let sibling = log.clone();
                    tg.spawn(async move {
                        nap(10).await?;
                        Ok(sibling.push("the sibling has ended"))
                    });
                    nap(20).await?;
                    tg.spawn(async { Ok(()) });
                    Ok(log.push("the body has ended"))
                })
                .await;
            assert_eq!(log.take(), ["the sibling has ended", "the body has ended"]);
            assert_eq!(shown(&outcome), "[a]");
            Ok(())
        });
    }

    #[test]
    fn all_errors_come_out_in_the_order_of_failing_and_the_bodys_last() {
        in_every_order(async |_| {
            let outcome: Result<()> = supervisor()
                .run(async |tg| {
                    for (at, name) in [(20, "b"), (30, "c"), (10, "a")] {
                        tg.spawn(async move {
                            nap(at).await?;
                            oops::<()>(name)
                        });
                    }
                    nap(40).await?;
                    oops("body")
                })
                .await;
            assert_eq!(shown(&outcome), "[a, b, c, body]");
            Ok(())
        });
    }

    #[test]
    fn the_last_child_to_fail_ends_a_block_that_waits_for_it() {
        in_every_order(async |world| {
            let outcome = supervisor()
                .run(async |tg| {
                    tg.spawn(async { nap(5).await.and_then(|()| oops::<()>("late")) });
                    Ok(())
                })
                .await;
            assert_eq!((shown(&outcome).as_str(), world.now()), ("[late]", 5));
            Ok(())
        });
    }

    #[test]
    fn a_failure_of_the_body_cancels_the_children() {
        in_every_order(async |_| {
            let outcome: Result<()> = supervisor()
                .run(async |tg| {
                    tg.spawn(async { oops::<()>("a") });
                    tg.spawn(forever::<()>());
                    nap(10).await?;
                    oops("body")
                })
                .await;
            assert_eq!(shown(&outcome), "[a, body]");
            Ok(())
        });
    }

    #[test]
    fn a_cancel_from_outside_cancels_the_children_and_goes_on() {
        in_every_mode(async |_| {
            let block = started(supervisor().run(async |tg| {
                tg.spawn(forever::<()>());
                forever::<()>().await
            }))
            .await;
            block.cancel();
            assert_eq!(shown(&block.await), "cancelled");
            Ok(())
        });
    }

    #[test]
    fn errors_outrank_a_cancel_from_outside() {
        in_every_mode(async |_| {
            let block = started(supervisor().run(async |tg| {
                tg.spawn(async { oops::<()>("a") });
                forever::<()>().await
            }))
            .await;
            yield_now().await?;
            block.cancel();
            assert_eq!(shown(&block.await), "[a]");
            Ok(())
        });
    }

    #[test]
    fn a_quiet_end_gives_the_errors_so_far() {
        in_every_order(async |_| {
            let outcome = supervisor()
                .build()
                .run_until_cancelled(async |tg| {
                    tg.spawn(async { oops::<()>("a") });
                    tg.spawn(forever::<()>());
                    nap(1).await?;
                    Ok(tg.cancel())
                })
                .await;
            assert_eq!(shown(&outcome), "[a]");
            Ok(())
        });
    }

    #[test]
    fn a_group_around_it_is_told_at_the_end_only() {
        in_every_order(async |world| {
            let outcome = task_group(async |outer| {
                outer.spawn(supervisor().run(async |tg| {
                    tg.spawn(async { oops::<()>("a") });
                    nap(10).await
                }));
                outer.spawn(forever::<()>());
                Ok(())
            })
            .await;
            assert_eq!(world.now(), 10);
            assert_eq!(group(outcome).errors().iter().map(tree).collect::<Vec<_>>(), ["[a]"]);
            Ok(())
        });
    }
}

mod limit {
    use super::*;

    #[test]
    fn at_most_so_many_run_and_in_the_end_all_have() {
        in_every_order(async |world| {
            let (running, most, ended) = (Alive::default(), Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
            TaskGroup::builder()
                .limit(3)
                .run(async |tg| {
                    for _ in 0..9 {
                        let (running, most, ended) = (running.clone(), most.clone(), ended.clone());
                        tg.spawn(async move {
                            let _guard = running.guard();
                            most.set(most.get().max(running.get()));
                            nap(10).await?;
                            Ok(ended.set(ended.get() + 1))
                        });
                    }
                    assert_eq!(tg.len(), 9);
                    Ok(())
                })
                .await?;
            assert_eq!((most.get(), ended.get(), world.now()), (3, 9, 30));
            Ok(())
        });
    }

    #[test]
    fn they_begin_in_the_order_in_which_they_were_spawned() {
        in_every_mode(async |_| {
            let log = Log::new();
            TaskGroup::builder()
                .limit(1)
                .run(async |tg| {
                    for (name, long) in [("a", 5), ("b", 1), ("c", 3), ("d", 0)] {
                        let log = log.clone();
                        tg.spawn(async move {
                            log.push(name);
                            nap(long).await
                        });
                    }
                    Ok(())
                })
                .await?;
            assert_eq!(log.take(), ["a", "b", "c", "d"]);
            Ok(())
        });
    }

    #[test]
    fn one_that_is_cancelled_in_line_never_begins_and_holds_nobody_up() {
        in_every_order(async |world| {
            let log = Log::new();
            TaskGroup::builder()
                .limit(1)
                .run(async |tg| {
                    tg.task(nap(10)).eager().spawn();
                    let (begun, dropped) = (log.clone(), log.at_drop("dropped"));
                    let waits = tg.spawn(async move {
                        let _dropped = dropped;
                        Ok(begun.push("begun"))
                    });
                    nap(1).await?;
                    let last = tg.spawn(nap(5));
                    yield_now().await?;
                    waits.cancel();
                    assert!(waits.await.unwrap_err().is_cancelled());
                    assert_eq!((log.take(), world.now()), (vec!["dropped".to_owned()], 1));
                    last.await
                })
                .await?;
            assert_eq!(world.now(), 15);
            Ok(())
        });
    }

    #[test]
    fn one_that_was_let_in_and_is_cancelled_before_it_runs_passes_its_turn_on() {
        in_every_mode(async |_| {
            let log = Log::new();
            TaskGroup::builder()
                .limit(1)
                .run(async |tg| {
                    let first = tg.task(forever::<()>()).eager().spawn();
                    let begun = log.clone();
                    let second = tg.spawn(async move { Ok(begun.push("second")) });
                    let begun = log.clone();
                    tg.spawn(async move { Ok(begun.push("third")) });
                    yield_now().await?;
                    first.abort();
                    second.cancel();
                    Ok(())
                })
                .await?;
            assert_eq!(log.take(), ["third"]);
            Ok(())
        });
    }

    #[test]
    fn a_failure_ends_those_in_line_before_they_begin() {
        in_every_mode(async |_| {
            let outcome = TaskGroup::builder()
                .limit(1)
                .run(async |tg| {
                    tg.task(async { nap(1).await.and_then(|()| oops::<()>("a")) }).eager().spawn();
                    tg.spawn(async { nap(1).await.and_then(|()| oops::<()>("never begun")) });
                    Ok(())
                })
                .await;
            assert_eq!(shown(&outcome), "[a]");
            Ok(())
        });
    }

    #[test]
    fn one_that_fails_panics_or_is_aborted_makes_room() {
        in_every_order(async |world| {
            let log = Log::new();
            let outcome = TaskGroup::builder()
                .limit(1)
                .supervise()
                .run(async |tg| {
                    let aborted = tg.task(forever::<()>()).eager().spawn();
                    tg.spawn(async { oops::<()>("a") });
                    nap(1).await?;
                    tg.spawn(async { if true { panic!("b") } else { Ok(()) } });
                    nap(1).await?;
                    let last = log.clone();
                    tg.spawn(async move { Ok(last.push("last")) });
                    aborted.abort();
                    Ok(())
                })
                .await;
            assert_eq!((shown(&outcome).as_str(), log.take()), ("[a, panic: b]", vec!["last".to_owned()]));
            assert_eq!(world.reports(), ["panicked: panic: b"]);
            Ok(())
        });
    }

    #[test]
    fn the_destructors_of_one_have_run_when_the_next_begins() {
        in_every_order(async |_| {
            let alive = Alive::default();
            TaskGroup::builder()
                .limit(1)
                .run(async |tg| {
                    for _ in 0..3 {
                        let alive = alive.clone();
                        tg.spawn(async move {
                            assert_eq!(alive.get(), 0);
                            let _guard = alive.guard();
                            nap(1).await
                        });
                    }
                    Ok(())
                })
                .await
        });
    }

    #[test]
    fn an_eager_child_begins_in_spawn_only_if_there_is_room() {
        in_every_mode(async |_| {
            let log = Log::new();
            TaskGroup::builder()
                .limit(1)
                .run(async |tg| {
                    for name in ["a", "b"] {
                        let log = log.clone();
                        let child = async move {
                            log.push(name);
                            nap(1).await
                        };
                        tg.task(child).eager().spawn();
                    }
                    assert_eq!(log.take(), ["a"]);
                    Ok(())
                })
                .await?;
            assert_eq!(log.take(), ["b"]);
            Ok(())
        });
    }

    #[test]
    fn a_child_in_line_has_its_name_and_its_place() {
        in_every_mode(async |_| {
            TaskGroup::builder()
                .limit(1)
                .run(async |tg| {
                    tg.spawn(nap(1));
                    let (child, line) = (tg.task(nap(1)).name("patient").spawn(), line!());
                    assert_eq!(child.name(), "patient");
                    assert_eq!(child.spawned_at().map(std::panic::Location::line), Some(line));
                    Ok(())
                })
                .await
        });
    }

    #[test]
    #[should_panic(expected = "a limit of zero")]
    fn a_limit_of_zero_is_refused() {
        let _group = TaskGroup::builder().limit(0);
    }
}

mod grace {
    use super::*;

    /// Takes so many milliseconds to clean up.
    async fn cleans_up(for_ms: u64, log: Log) -> Result<()> {
        let _dropped = log.at_drop("dropped");
        let cancelled = forever::<()>().await;
        nap(for_ms).await?;
        log.push("clean");
        cancelled
    }

    fn graceful() -> TaskGroup {
        TaskGroup::builder().grace(ms(10)).build()
    }

    #[test]
    fn who_cleans_up_in_time_is_waited_for_and_no_longer() {
        in_every_order(async |world| {
            let log = Log::new();
            let body = async |tg: &TaskGroup| {
                tg.spawn(cleans_up(4, log.clone()));
                nap(1).await?;
                Ok(tg.cancel())
            };
            graceful().run_until_cancelled(body).await?;
            assert_eq!((log.take(), world.now()), (vec!["clean".to_owned(), "dropped".to_owned()], 5));
            Ok(())
        });
    }

    #[test]
    fn who_is_late_is_aborted_and_ends_cancelled() {
        in_every_order(async |world| {
            let log = Log::new();
            let late = Cell::new(None);
            let body = async |tg: &TaskGroup| {
                late.set(Some(tg.spawn(cleans_up(99, log.clone()))));
                nap(1).await?;
                Ok(tg.cancel())
            };
            graceful().run_until_cancelled(body).await?;
            assert_eq!((log.take(), world.now()), (vec!["dropped".to_owned()], 11));
            assert!(late.take().expect("spawned").await.unwrap_err().is_cancelled());
            Ok(())
        });
    }

    #[test]
    fn it_also_counts_after_a_failure_and_while_the_body_cleans_up() {
        in_every_order(async |world| {
            let log = Log::new();
            let outcome: Result<()> = graceful()
                .run(async |tg| {
                    tg.spawn(cleans_up(99, log.clone()));
                    tg.spawn(async { nap(1).await.and_then(|()| oops::<()>("a")) });
                    let cancelled = forever().await;
                    nap(20).await?;
                    assert_eq!(log.take(), ["dropped"]);
                    cancelled
                })
                .await;
            assert_eq!((shown(&outcome).as_str(), world.now()), ("[a]", 21));
            Ok(())
        });
    }

    #[test]
    fn it_also_counts_after_a_cancel_from_outside() {
        in_every_mode(async |world| {
            let log = Log::new();
            let its = log.clone();
            let block = started(graceful().run(async move |tg| {
                tg.spawn(cleans_up(99, its));
                Ok(())
            }))
            .await;
            nap(1).await?;
            block.cancel();
            assert_eq!(shown(&block.await), "cancelled");
            assert_eq!((log.take(), world.now()), (vec!["dropped".to_owned()], 11));
            Ok(())
        });
    }

    #[test]
    fn without_any_grace_nobody_cleans_up_and_no_time_passes() {
        in_every_order(async |world| {
            let log = Log::new();
            let body = async |tg: &TaskGroup| {
                tg.spawn(cleans_up(4, log.clone()));
                nap(1).await?;
                Ok(tg.cancel())
            };
            TaskGroup::builder().grace(ms(0)).build().run_until_cancelled(body).await?;
            assert_eq!((log.take(), world.now()), (vec!["dropped".to_owned()], 1));
            Ok(())
        });
    }
}
