//! What is reported, and what is shown.

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
        let runtime = homing::Builder::new().virtual_time().eager_tasks(eager).on_unhandled(|_| {}).build();
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
        assert_eq!(format!("{handle:?}"), r#"TaskGroup { name: Some("pages"), phase: New, children: 0 }"#);
        tg.run(async |tg| {
            drop(tg.spawn(nap(5)));
            assert_eq!(format!("{tg:?}"), r#"TaskGroup { name: Some("pages"), phase: Open, children: 1 }"#);
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
                    inner.borrow_mut().extend(causes.map(|cause| (cause.by.clone(), cause.reason.clone())));
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
            [(Asker::Unknown, Some("enough".into())), (Asker::Group { name: Some("inner".into()) }, None)]
        );
        Ok(())
    });
}
