//! A cancel of the task that runs the group (TG-16 to TG-24).

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
