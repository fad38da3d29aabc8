//! Bodies and children that stand at futures which homing did not write.

use super::*;

/// NC-3: a failure drops the body where it stands.
#[test]
fn a_body_on_a_foreign_await_is_dropped() {
    in_every_order(async |_| {
        let log = Log::new();
        let outcome = task_group(async |tg| {
            drop(tg.spawn(async {
                nap(5).await?;
                oops::<()>("a")
            }));
            let _dropped = log.at_drop("dropped");
            pending::<()>().await;
            Ok(())
        })
        .await;
        assert_eq!(shown(&outcome), "[a]");
        assert_eq!(log.take(), ["dropped"]);
        assert_eq!(count(), 0);
        Ok(())
    });
}

/// NC-3: and so it is before the children are waited for.
#[test]
fn a_body_on_a_foreign_await_is_dropped_before_the_children_are_awaited() {
    in_every_order(async |_| {
        let log = Log::new();
        let outcome = TaskGroup::new()
            .run_until_cancelled(async |tg| {
                let _dropped = log.at_drop("body dropped");
                drop(tg.task(slow_to_end(log.clone(), 10, Ok(()))).eager().spawn());
                tg.cancel();
                pending::<()>().await;
                Ok(())
            })
            .await;
        assert_eq!(outcome?, None);
        assert_eq!(log.take(), ["body dropped", "cleaned up"]);
        Ok(())
    });
}

/// NC-3
#[test]
fn a_child_on_a_foreign_await_cannot_hold_up_the_group() {
    in_every_order(async |_| {
        let alive = Alive::default();
        let outcome = task_group(async |tg| {
            for _ in 0..3 {
                let guard = alive.guard();
                drop(tg.spawn(async move {
                    let _guard = guard;
                    pending::<()>().await;
                    Ok(())
                }));
            }
            let (sender, receiver) = futures_util::future::abortable(pending::<()>());
            drop(tg.spawn(async move {
                let _receiver = receiver;
                sender.await.ok();
                Ok(())
            }));
            nap(5).await?;
            oops::<()>("body")
        })
        .await;
        assert_eq!(shown(&outcome), "[body]");
        assert_eq!(alive.get(), 0);
        Ok(())
    });
}

/// NC-3: a cancel from outside.
#[test]
fn a_cancel_from_outside_gets_through_a_foreign_await() {
    in_every_order(async |_| {
        let log = Log::new();
        let inner = log.clone();
        let subject = started(task_group(async move |tg| {
            drop(tg.task(slow_to_end(inner.clone(), 10, Ok(()))).eager().spawn());
            pending::<()>().await;
            Ok(())
        }))
        .await;
        subject.cancel_with("enough");
        let error = subject.await.unwrap_err();
        assert_eq!(error.as_cancelled().unwrap().reason(), Some("enough"));
        assert_eq!(log.take(), ["cleaned up"]);
        Ok(())
    });
}

/// NC-3: the innermost scope around it gives it up, and the outer body goes on.
#[test]
fn only_the_innermost_block_is_given_up() {
    in_every_order(async |_| {
        let outer = TaskGroup::new()
            .run(async |_| {
                let inner = TaskGroup::new()
                    .run_until_cancelled(async |tg| {
                        let stop = tg.clone();
                        drop(tg.spawn(async move {
                            nap(5).await?;
                            stop.cancel();
                            Ok(())
                        }));
                        pending::<()>().await;
                        Ok(())
                    })
                    .await?;
                nap(5).await?;
                Ok(inner)
            })
            .await?;
        assert_eq!(outer, None);
        Ok(())
    });
}
