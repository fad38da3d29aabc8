//! What a failure does to siblings, body and outcome (TG-10 to TG-15).

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
                        let causes = error.as_cancelled().unwrap().causes().map(|cause| cause.by.to_string());
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
