//! Panics of bodies, children and destructors (TG-38 to TG-40).

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
