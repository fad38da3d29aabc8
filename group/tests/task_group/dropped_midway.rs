//! A block whose future is dropped (TG-41).

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
