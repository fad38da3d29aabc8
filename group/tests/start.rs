//! Children that say when they have started (`TaskGroup::start`).

mod common;

use common::{Alive, Log, Oops, count, forever, in_every_mode, in_every_order, ms, nap, oops, shown};
use futures_util::future::join;
use homing::{
    GroupClosed, NeverStarted, Panicked, Started, TaskGroup, current, spawn, task_group, timeout, yield_now,
};
use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

mod the_handshake {
    use super::*;

    #[test]
    fn the_starter_gets_the_value_when_the_child_sets_it_and_the_child_goes_on() {
        in_every_order(async |world| {
            let log = Log::new();
            task_group(async |tg| {
                let child = log.clone();
                let value = tg
                    .start(async move |started| {
                        nap(2).await?;
                        started.set("ready");
                        nap(3).await?;
                        child.push("the child ends");
                        Ok(())
                    })
                    .await?;
                assert_eq!((value, world.now(), tg.len()), ("ready", 2, 1));
                log.push("the body ends");
                Ok(())
            })
            .await?;
            assert_eq!(world.now(), 5);
            assert_eq!(log.take(), ["the body ends", "the child ends"]);
            Ok(())
        });
    }

    #[test]
    fn a_child_that_is_started_has_its_options() {
        in_every_mode(async |_| {
            task_group(async |tg| {
                let line = line!() + 1;
                let starting = tg.start(async |started| Ok(started.set(current().unwrap())));
                let child = starting.name("server").await?;
                assert_eq!(child.name(), "server");
                assert_eq!(child.spawned_at().unwrap().line(), line);
                Ok(())
            })
            .await
        });
    }

    #[test]
    fn an_eager_child_that_starts_at_once_makes_nobody_wait() {
        in_every_mode(async |_| {
            task_group(async |tg| {
                let mut starting = pin!(tg.start(async |started| Ok(started.set(7))).eager());
                let polled = poll_fn(|cx| Poll::Ready(starting.as_mut().poll(cx))).await;
                assert!(matches!(polled, Poll::Ready(Ok(7))));
                Ok(())
            })
            .await
        });
    }

    #[test]
    fn a_queued_child_waits_for_its_turn() {
        in_every_mode(async |_| {
            task_group(async |tg| {
                let mut starting = tg.start(async |started| Ok(started.set(7))).queued();
                assert!(poll_fn(|cx| Poll::Ready(pin!(&mut starting).poll(cx).is_pending())).await);
                assert_eq!(starting.await?, 7);
                Ok(())
            })
            .await
        });
    }

    #[test]
    fn nothing_is_spawned_before_the_first_poll() {
        in_every_mode(async |_| {
            task_group(async |tg| {
                let starting = tg.start(async |started| Ok(started.set(())));
                assert_eq!(tg.len(), 0);
                drop(starting);
                Ok(())
            })
            .await
        });
    }

    #[test]
    fn the_handle_is_to_be_had_too() {
        in_every_mode(async |_| {
            task_group(async |tg| {
                let starting = tg.start(async |started| {
                    started.set(1);
                    nap(1).await?;
                    Ok(2)
                });
                let (value, task) = starting.with_task().await?;
                assert_eq!((value, task.await?), (1, 2));
                Ok(())
            })
            .await
        });
    }

    #[test]
    fn several_are_started_at_once_in_one_task() {
        in_every_order(async |world| {
            task_group(async |tg| {
                let one = tg.start(async |started| {
                    nap(3).await?;
                    Ok(started.set(1))
                });
                let two = tg.start(async |started| {
                    nap(2).await?;
                    Ok(started.set(2))
                });
                let (one, two) = join(one, two).await;
                assert_eq!((one?, two?, world.now()), (1, 2, 3));
                Ok(())
            })
            .await
        });
    }

    #[test]
    fn a_token_may_be_set_by_another_task() {
        in_every_order(async |_| {
            task_group(async |tg| {
                let helper = tg.clone();
                let value = tg.start(async move |started: Started<u8>| {
                    helper.spawn(async move {
                        nap(1).await?;
                        Ok(started.set(3))
                    });
                    nap(5).await
                });
                assert_eq!(value.await?, 3);
                Ok(())
            })
            .await
        });
    }

    #[test]
    fn whoever_is_no_task_of_the_group_may_start_a_child_too() {
        in_every_order(async |_| {
            task_group(async |tg| {
                let handle = tg.clone();
                let stranger = spawn(async move {
                    handle
                        .start(async |started| {
                            nap(2).await?;
                            Ok(started.set(5))
                        })
                        .await
                });
                nap(1).await?; // the body ends before the child has started; the group waits for it
                Ok(stranger)
            })
            .await?
            .await
            .map(|value| assert_eq!(value, 5))
        });
    }

    #[test]
    fn a_token_that_nobody_waits_for_can_be_set() {
        in_every_mode(async |_| {
            let guard = Alive::default();
            Started::ignored().set(guard.guard());
            assert_eq!(guard.get(), 0);
            drop(Started::<()>::ignored());
            Ok(())
        });
    }

    #[test]
    fn under_a_limit_it_waits_in_line() {
        in_every_order(async |world| {
            TaskGroup::builder()
                .limit(1)
                .run(async |tg| {
                    tg.task(nap(3)).eager().spawn();
                    tg.start(async |started| Ok(started.set(()))).await?;
                    assert_eq!(world.now(), 3);
                    Ok(())
                })
                .await
        });
    }
}

mod failure {
    use super::*;

    #[test]
    fn before_it_has_started_it_is_the_starters_alone() {
        in_every_order(async |world| {
            task_group(async |tg| {
                let sibling = tg.spawn(nap(5));
                let starting = tg.start(async |_started: Started<()>| {
                    nap(1).await?;
                    oops::<()>("no socket")
                });
                assert_eq!(shown(&starting.name("server").await), "no socket");
                assert!(tg.is_open());
                sibling.await?; // undisturbed
                assert_eq!(world.now(), 5);
                Ok(())
            })
            .await
        });
    }

    #[test]
    fn it_tells_where_it_comes_from() {
        in_every_mode(async |_| {
            task_group(async |tg| {
                let error =
                    tg.start(async |_started: Started<()>| oops::<()>("no socket")).name("server").await;
                assert_eq!(error.unwrap_err().task_name(), Some("server"));
                Ok(())
            })
            .await
        });
    }

    #[test]
    fn after_it_has_started_it_is_the_groups() {
        in_every_order(async |_| {
            let outcome = task_group(async |tg| {
                tg.start(async |started| {
                    started.set(());
                    nap(1).await?;
                    oops::<()>("later")
                })
                .await?;
                forever::<()>().await
            })
            .await;
            assert_eq!(shown(&outcome), "[later]");
            Ok(())
        });
    }

    #[test]
    fn in_the_step_in_which_it_has_started_it_is_the_groups() {
        in_every_order(async |_| {
            let outcome = task_group(async |tg| {
                let value = tg.start(async |started| {
                    started.set(1);
                    oops::<()>("at once")
                });
                value.await?; // or the group's request, which comes in that same turn
                forever::<()>().await
            })
            .await;
            assert_eq!(shown(&outcome), "[at once]");
            Ok(())
        });
    }

    #[test]
    fn a_panic_is_the_starters() {
        in_every_mode(async |world| {
            task_group(async |tg| {
                let starting = tg.start(async |started: Started<()>| {
                    yield_now().await?;
                    explode("the socket exploded")?;
                    Ok(started.set(()))
                });
                let error = starting.await.unwrap_err();
                assert_eq!(error.downcast_ref::<Panicked>().unwrap().message(), "the socket exploded");
                assert!(tg.is_open());
                Ok(())
            })
            .await?;
            assert_eq!(world.reports(), ["panicked: panic: the socket exploded"]);
            Ok(())
        });
    }

    /// Panics, and might as well not, as far as the compiler knows.
    fn explode(message: &'static str) -> homing::Result<()> {
        panic!("{message}")
    }

    #[test]
    fn a_child_that_ends_without_a_word_has_never_started() {
        in_every_order(async |_| {
            task_group(async |tg| {
                let starting = tg.start(async |_started: Started<()>| nap(1).await).name("shy");
                let error = starting.await.unwrap_err();
                assert_eq!(error.downcast_ref::<NeverStarted>().unwrap().task_name(), "shy");
                assert_eq!(
                    error.to_string(),
                    "task 'shy' never said that it had started: call `Started::set`"
                );
                assert!(tg.is_empty() && tg.is_open());
                Ok(())
            })
            .await
        });
    }

    #[test]
    fn a_child_that_drops_its_token_is_sent_away_and_waited_for() {
        in_every_order(async |world| {
            task_group(async |tg| {
                let log = Log::new();
                let child = log.clone();
                let starting = tg.start(async move |started: Started<()>| {
                    drop(started);
                    let cancelled = forever::<()>().await.unwrap_err();
                    nap(2).await?;
                    child.push(cancelled.as_cancelled().unwrap().reason().unwrap());
                    Err::<(), _>(cancelled)
                });
                let error = starting.await.unwrap_err();
                assert!(error.is::<NeverStarted>(), "{error}");
                assert_eq!((tg.len(), world.now()), (0, 2));
                assert_eq!(log.take(), ["it dropped its `Started`"]);
                Ok(())
            })
            .await
        });
    }

    #[test]
    fn a_child_that_drops_its_token_and_fails_tells_why() {
        in_every_order(async |_| {
            task_group(async |tg| {
                let starting = tg.start(async |started: Started<()>| {
                    drop(started);
                    forever::<()>().await.or_else(|_| oops::<()>("the reason"))
                });
                assert_eq!(shown(&starting.await), "the reason");
                Ok(())
            })
            .await
        });
    }

    #[test]
    fn an_error_that_the_starter_does_not_live_to_see_is_reported() {
        in_every_mode(async |world| {
            task_group(async |tg| {
                let mut starting = Box::pin(tg.start(async |_started: Started<()>| {
                    yield_now().await?;
                    oops::<()>("unseen")
                }));
                assert!(poll_fn(|cx| Poll::Ready(starting.as_mut().poll(cx).is_pending())).await);
                nap(1).await?;
                drop(starting);
                assert_eq!(world.reports(), ["failed: unseen"]);
                Ok(())
            })
            .await
        });
    }
}

mod cancelled {
    use super::*;

    #[test]
    fn a_cancel_of_the_starter_goes_to_the_child_which_is_waited_for() {
        in_every_order(async |world| {
            let log = Log::new();
            let child = log.clone();
            let main = spawn(task_group(async move |tg| {
                let starting = tg.start(async move |_started: Started<()>| {
                    let cancelled = forever::<()>().await.unwrap_err();
                    nap(2).await?;
                    child.push(cancelled.to_string());
                    Err::<(), _>(cancelled)
                });
                let error = starting.await.unwrap_err();
                assert!(tg.is_empty());
                Err::<(), _>(error)
            }));
            nap(1).await?;
            main.cancel_with("closing time");
            let error = main.await.unwrap_err();
            assert_eq!(error.as_cancelled().unwrap().reason(), Some("closing time"));
            assert_eq!(world.now(), 3);
            assert_eq!(log.take().len(), 1);
            Ok(())
        });
    }

    #[test]
    fn before_the_first_poll_of_the_child_its_body_never_runs() {
        in_every_mode(async |_| {
            let log = Log::new();
            let child = log.clone();
            let main = spawn(task_group(async move |tg| {
                tg.start(async move |started| Ok(started.set(child.push("ran")))).queued().await
            }));
            let target = main.task_ref();
            let outcome = join(main, async { target.cancel() }).await.0;
            assert_eq!(shown(&outcome), "cancelled");
            assert_eq!(log.take(), [""; 0]);
            Ok(())
        });
    }

    #[test]
    fn once_the_child_has_started_it_is_the_starter_who_is_cancelled_and_the_child_goes_on() {
        in_every_mode(async |_| {
            task_group(async |tg| {
                let alive = Alive::default();
                let guard = alive.guard();
                let handle = tg.clone();
                let starter = spawn(async move {
                    let me = current().unwrap();
                    let starting = handle.start(async move |started| {
                        yield_now().await?;
                        started.set(guard);
                        me.cancel(); // the value is on its way
                        nap(5).await?;
                        Ok("undisturbed")
                    });
                    starting.with_task().await.map(drop)
                });
                assert_eq!(shown(&starter.await), "cancelled");
                assert_eq!(alive.get(), 0, "the value is dropped");
                assert_eq!(tg.len(), 1);
                Ok(())
            })
            .await
        });
    }

    #[test]
    fn a_request_that_the_child_has_not_seen_when_it_starts_reaches_the_starter_all_the_same() {
        in_every_mode(async |_| {
            let outcome = task_group(async |tg| {
                let handle = tg.clone();
                let starter = spawn(async move {
                    let me = current().unwrap();
                    let starting = handle.start(async move |started| {
                        yield_now().await?;
                        me.cancel_with("in one breath"); // comes to this very task
                        started.set(());
                        nap(5).await
                    });
                    starting.await
                });
                let error = starter.await.unwrap_err();
                assert_eq!(error.as_cancelled().unwrap().reason(), Some("in one breath"));
                Ok(())
            })
            .await;
            assert_eq!(shown(&outcome), "ok"); // the child has ended cancelled, which is no failure
            Ok(())
        });
    }

    #[test]
    fn a_child_that_takes_the_request_back_and_starts_has_its_way() {
        in_every_order(async |_| {
            task_group(async |tg| {
                let handle = tg.clone();
                let starter = spawn(async move {
                    handle
                        .start(async |started| {
                            assert!(forever::<()>().await.is_err());
                            current().unwrap().uncancel();
                            Ok(started.set("all the same"))
                        })
                        .await
                });
                nap(1).await?;
                starter.cancel();
                assert_eq!(starter.await?, "all the same");
                Ok(())
            })
            .await
        });
    }

    #[test]
    fn a_child_that_swallows_the_request_and_ends_leaves_the_starter_cancelled() {
        in_every_order(async |_| {
            task_group(async |tg| {
                let handle = tg.clone();
                let starter = spawn(async move {
                    let tidy = async |_started: Started<()>| Ok(assert!(forever::<()>().await.is_err()));
                    handle.start(tidy).await
                });
                nap(1).await?;
                starter.cancel_with("enough");
                let error = starter.await.unwrap_err();
                assert_eq!(error.as_cancelled().expect("not `NeverStarted`").reason(), Some("enough"));
                Ok(())
            })
            .await
        });
    }

    #[test]
    fn a_cancel_that_finds_the_child_failed_keeps_the_error() {
        in_every_mode(async |_| {
            task_group(async |tg| {
                let handle = tg.clone();
                let starter = spawn(async move {
                    let me = current().unwrap();
                    handle
                        .start(async move |_started: Started<()>| {
                            yield_now().await?;
                            homing::call_soon(move || {
                                me.cancel();
                            });
                            oops::<()>("just before")
                        })
                        .queued()
                        .await
                });
                let error = starter.await.unwrap_err();
                // The callback is in line before the starter, or not: either way, the error is seen.
                match error.downcast_ref::<Oops>() {
                    Some(oops) => assert_eq!(oops.0, "just before"),
                    None => assert_eq!(error.displaced().next().unwrap().to_string(), "just before"),
                }
                Ok(())
            })
            .await
        });
    }

    #[test]
    fn a_timeout_around_a_start_waits_for_the_child() {
        in_every_order(async |world| {
            task_group(async |tg| {
                let slow = tg.start(async |_started: Started<()>| {
                    let interrupted = forever::<()>().await;
                    nap(3).await?;
                    interrupted
                });
                let outcome = timeout(ms(2), slow).await;
                assert_eq!((shown(&outcome).as_str(), world.now(), tg.len()), ("timeout", 5, 0));
                assert_eq!(count(), 0);
                Ok(())
            })
            .await
        });
    }

    #[test]
    fn the_end_of_the_group_ends_a_child_that_is_starting() {
        in_every_order(async |_| {
            let starter = RefCell::new(None);
            let outcome = task_group(async |tg| {
                let handle = tg.clone();
                *starter.borrow_mut() = Some(spawn(async move {
                    handle.start(async |_started: Started<()>| forever::<()>().await).await
                }));
                nap(1).await?;
                oops::<()>("the body")
            })
            .await;
            assert_eq!(shown(&outcome), "[the body]");
            let starter = starter.take().unwrap();
            assert_eq!(shown(&starter.await), "cancelled");
            Ok(())
        });
    }
}

mod closed_groups {
    use super::*;

    #[test]
    fn a_group_that_is_shutting_down_cancels_it_at_once() {
        in_every_mode(async |_| {
            TaskGroup::new()
                .run_until_cancelled(async |tg| {
                    tg.cancel();
                    let error = tg.start(async |started| Ok(started.set(()))).await.unwrap_err();
                    let reason = error.as_cancelled().unwrap().reason().unwrap().to_owned();
                    assert_eq!(reason, GroupClosed::ShuttingDown.to_string());
                    assert!(tg.is_empty());
                    Ok(())
                })
                .await
                .map(drop)
        });
    }

    #[test]
    fn a_group_that_has_finished_or_was_not_entered_says_so() {
        in_every_mode(async |_| {
            let group = TaskGroup::new();
            let error = group.start(async |started| Ok(started.set(()))).await.unwrap_err();
            assert_eq!(error.downcast_ref(), Some(&GroupClosed::NotEntered));
            group.clone().run(async |_| Ok(())).await?;
            let error = group.start(async |started| Ok(started.set(()))).await.unwrap_err();
            assert_eq!(error.downcast_ref(), Some(&GroupClosed::Finished));
            Ok(())
        });
    }
}

mod dropped_midway {
    use super::*;

    type Boxed = Pin<Box<dyn Future<Output = homing::Result<()>>>>;

    #[test]
    fn the_child_is_gone_when_the_drop_returns() {
        in_every_mode(async |_| {
            task_group(async |tg| {
                let alive = Alive::default();
                let guard = alive.guard();
                let mut starting = Box::pin(tg.start(async move |_started: Started<()>| {
                    let _guard = guard;
                    forever::<()>().await
                }));
                assert!(poll_fn(|cx| Poll::Ready(starting.as_mut().poll(cx).is_pending())).await);
                yield_now().await?;
                drop(starting);
                assert_eq!((alive.get(), tg.len()), (0, 0));
                assert!(tg.is_open());
                Ok(())
            })
            .await
        });
    }

    #[test]
    fn a_child_that_has_started_by_then_goes_on() {
        in_every_mode(async |_| {
            let outcome = task_group(async |tg| {
                let mut starting = Box::pin(tg.start(async |started| {
                    yield_now().await?;
                    started.set(());
                    nap(1).await?;
                    oops::<()>("the group's")
                }));
                assert!(poll_fn(|cx| Poll::Ready(starting.as_mut().poll(cx).is_pending())).await);
                yield_now().await?;
                yield_now().await?;
                drop(starting); // the value was never seen
                assert_eq!(tg.len(), 1);
                nap(5).await
            })
            .await;
            assert_eq!(shown(&outcome), "[the group's]");
            Ok(())
        });
    }

    #[test]
    fn by_the_child_itself_it_ends_the_child_with_its_poll() {
        in_every_mode(async |_| {
            task_group(async |tg| {
                let alive = Alive::default();
                let guard = alive.guard();
                let slot = Rc::new(RefCell::new(None::<Boxed>));
                let own = slot.clone();
                let mut starting: Boxed = Box::pin(tg.start(async move |started: Started<()>| {
                    let _guard = guard;
                    yield_now().await?;
                    drop(own.take());
                    started.set(()); // to nobody
                    forever::<()>().await
                }));
                assert!(poll_fn(|cx| Poll::Ready(starting.as_mut().poll(cx).is_pending())).await);
                *slot.borrow_mut() = Some(starting);
                nap(1).await?;
                assert_eq!((alive.get(), tg.len()), (0, 0));
                Ok(())
            })
            .await
        });
    }

    #[test]
    fn with_its_group_the_child_is_gone_too() {
        in_every_mode(async |_| {
            let alive = Alive::default();
            let guard = alive.guard();
            let block = spawn(task_group(async move |tg| {
                tg.start(async move |_started: Started<()>| {
                    let _guard = guard;
                    forever::<()>().await
                })
                .await
            }));
            nap(1).await?;
            block.abort();
            assert_eq!(alive.get(), 0);
            Ok(())
        });
    }
}

#[test]
fn two_attempts_in_a_row_are_two_children() {
    in_every_order(async |_| {
        let outcome = task_group(async |tg| {
            for port in [80, 8080] {
                let starting = tg.start(async move |started| {
                    if port < 1024 {
                        return oops("forbidden");
                    }
                    started.set(port);
                    nap(1).await
                });
                if let Ok(port) = starting.await {
                    return Ok(port);
                }
            }
            oops("no port")
        })
        .await?;
        assert_eq!(outcome, 8080);
        Ok(())
    });
}
