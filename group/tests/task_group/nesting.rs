//! Groups in groups (TG-25, TG-26).

use super::*;

/// TG-25
#[test]
fn a_failure_in_the_outer_group_ends_the_inner_one_with_nothing_but_cancelled() {
    in_every_order(async |_| {
        let log = Log::new();
        let outcome = task_group(async |outer| {
            drop(outer.spawn(async {
                nap(5).await?;
                oops::<()>("a")
            }));
            let inner = task_group(async |inner| {
                drop(inner.spawn(forever::<()>()));
                forever::<()>().await
            })
            .await;
            log.push(shown(&inner));
            assert_eq!(count(), 1);
            inner
        })
        .await;
        assert_eq!(shown(&outcome), "[a]");
        assert_eq!(log.take(), ["cancelled"]);
        assert_eq!(count(), 0);
        Ok(())
    });
}

/// TG-26
#[test]
fn gh_116720_if_both_fail_in_one_turn_the_body_of_the_outer_is_cancelled_after_the_inner_was_handled() {
    in_every_order(async |_| {
        let log = Log::new();
        let outcome = task_group(async |outer| {
            drop(outer.spawn(async {
                nap(5).await?;
                oops::<()>("outer")
            }));
            let inner = task_group(async |inner| {
                drop(inner.spawn(async {
                    nap(5).await?;
                    oops::<()>("inner")
                }));
                forever::<()>().await
            })
            .await;
            log.push(shown(&inner));
            let after = nap(10).await;
            log.push(shown(&after));
            after
        })
        .await;
        assert_eq!(shown(&outcome), "[outer]");
        assert_eq!(log.take(), ["[inner]", "cancelled"]);
        assert_eq!(count(), 0);
        Ok(())
    });
}

/// gh-116720: an inner group whose children fail while the outer one cancels it swallowed the outer's request.
#[test]
fn gh_116720_an_inner_group_that_fails_in_clean_up_does_not_swallow_the_outer_ones_request() {
    in_every_order(async |_| {
        let log = Log::new();
        let outcome = task_group(async |outer| {
            drop(outer.spawn(async {
                nap(5).await?;
                oops::<()>("outer")
            }));
            let inner = task_group(async |inner| {
                drop(inner.spawn(async {
                    let _ = forever::<()>().await;
                    oops::<()>("inner")
                }));
                forever::<()>().await
            })
            .await;
            log.push(shown(&inner));
            let after = nap(10).await;
            log.push(shown(&after));
            Ok(())
        })
        .await;
        assert_eq!(shown(&outcome), "[outer]");
        assert_eq!(log.take(), ["[inner]", "cancelled"]);
        Ok(())
    });
}

/// TG-22, TG-26: the inner exit was woken by the end of its last child, and was over before the outer group had acted
/// on a failure of the same turn, whose request came a turn late.
#[test]
fn the_exit_sees_what_a_group_around_it_asks_in_the_turn_of_the_last_failure() {
    in_every_mode(async |_| {
        let outcome = task_group(async |outer| {
            let inner = task_group(async |inner| {
                for (tg, name) in [(inner, "inner"), (outer, "outer")] {
                    drop(tg.spawn(async move {
                        nap(5).await?;
                        oops::<()>(name)
                    }));
                }
                Ok(())
            })
            .await;
            assert_eq!((shown(&inner).as_str(), count()), ("[inner]", 1));
            Ok(())
        })
        .await;
        assert_eq!((shown(&outcome).as_str(), count()), ("[outer]", 0));
        Ok(())
    });
}

/// TG-26: without another suspension, the request is taken back with the outer block.
#[test]
fn a_rearmed_request_of_the_outer_group_does_not_outlive_it() {
    in_every_order(async |_| {
        let outcome = task_group(async |outer| {
            drop(outer.spawn(async {
                nap(5).await?;
                oops::<()>("outer")
            }));
            let inner = task_group(async |_| forever::<()>().await.or(oops::<()>("inner"))).await;
            assert_eq!(shown(&inner), "[inner]");
            Ok(())
        })
        .await;
        assert_eq!((shown(&outcome).as_str(), count()), ("[outer]", 0));
        yield_now().await
    });
}

/// Three deep, and a cancel from outside goes through all of them.
#[test]
fn a_cancel_from_outside_unwinds_all_groups_inside_out() {
    in_every_order(async |_| {
        let log = Log::new();
        let inner = log.clone();
        let subject = started(async move {
            let level = |name: &'static str| inner.at_drop(name);
            task_group(async |_| {
                let _a = level("outer");
                task_group(async |_| {
                    let _b = level("middle");
                    task_group(async |tg| {
                        let _c = level("inner");
                        let child = level("child");
                        drop(
                            tg.task(async move {
                                let _child = child;
                                forever::<()>().await
                            })
                            .eager()
                            .spawn(),
                        );
                        forever::<()>().await
                    })
                    .await
                })
                .await
            })
            .await
        })
        .await;
        subject.cancel_with("enough");
        let watched = subject.task_ref();
        assert_eq!(subject.await.unwrap_err().as_cancelled().unwrap().reason(), Some("enough"));
        assert_eq!(log.take(), ["inner", "child", "middle", "outer"]);
        assert_eq!(watched.cancelling(), 1);
        Ok(())
    });
}

/// A child is a task of its own: its group's requests are counted there.
#[test]
fn groups_in_children_keep_their_counts_apart() {
    in_every_order(async |_| {
        let outcome = task_group(async |tg| {
            let child = tg.spawn(async {
                let inner = task_group(async |tg| {
                    drop(tg.spawn(async { oops::<()>("inner") }));
                    forever::<()>().await
                })
                .await;
                assert_eq!(count(), 0);
                Ok(shown(&inner))
            });
            let seen = child.await?;
            assert_eq!(count(), 0);
            Ok(seen)
        })
        .await;
        assert_eq!(outcome?, "[inner]");
        Ok(())
    });
}
