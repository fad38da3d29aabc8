//! `TaskGroup::cancel` (TG-27 to TG-35).

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
