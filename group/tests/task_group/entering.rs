//! Who enters a group, who is spawned in it, and when that is refused (TG-1 to TG-7).

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
            assert_eq!(child.spawned_at().map(|place| (place.file(), place.line())), Some((file!(), here)));
            let (here, child) = (line!(), tg.task(async { Ok(()) }).name("x").spawn());
            assert_eq!(child.spawned_at().map(|place| (place.file(), place.line())), Some((file!(), here)));
            let (here, child) = (line!(), tg.try_spawn(async { Ok(()) })?);
            assert_eq!(child.spawned_at().map(|place| (place.file(), place.line())), Some((file!(), here)));
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
