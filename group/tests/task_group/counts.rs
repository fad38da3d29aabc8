//! The count, if it was not zero at the beginning.

use super::*;

/// A task that has swallowed a cancel without taking it back, and so runs the rest with a count of one.
async fn with_a_count_of_one<T: 'static>(rest: impl Future<Output = Result<T>> + 'static) -> Result<T> {
    let subject = started(async {
        forever::<()>().await.unwrap_err();
        assert_eq!(count(), 1);
        let outcome = rest.await;
        assert_eq!(count(), 1);
        nap(1).await.expect("nothing is pending");
        outcome
    })
    .await;
    subject.cancel();
    subject.await
}

/// KQ-6
#[test]
fn with_a_count_at_entry_a_failure_leaves_no_request_behind() {
    in_every_order(async |_| {
        let outcome = with_a_count_of_one(task_group(async |tg| {
            drop(tg.spawn(async { oops::<()>("a") }));
            forever::<()>().await
        }))
        .await;
        assert_eq!(shown(&outcome), "[a]");
        Ok(())
    });
}

/// KQ-6
#[test]
fn with_a_count_at_entry_a_group_is_cancelled_quietly() {
    in_every_order(async |_| {
        let outcome = with_a_count_of_one(TaskGroup::new().run_until_cancelled(async |tg| {
            tg.cancel();
            forever::<()>().await
        }))
        .await;
        assert_eq!(outcome?, None);
        Ok(())
    });
}

/// KQ-6: a timeout around the group, whose children fail when it expires.
#[test]
fn with_a_count_at_entry_a_timeout_around_a_failing_group_leaves_no_request_behind() {
    in_every_order(async |_| {
        let outcome = with_a_count_of_one(timeout(
            ms(5),
            task_group(async |tg| {
                drop(tg.spawn(async { forever::<()>().await.or(oops("a")) }));
                forever::<()>().await
            }),
        ))
        .await;
        assert_eq!(shown(&outcome), "[a]");
        Ok(())
    });
}

/// KQ-7
#[test]
fn with_a_count_at_entry_a_panic_leaves_it_at_that() {
    in_every_order(async |world| {
        let outcome = with_a_count_of_one(async {
            let block = AssertUnwindSafe(task_group(async |tg| -> Result<()> {
                drop(tg.spawn(async { oops::<()>("a") }));
                forever::<()>().await.unwrap_err();
                assert_eq!(count(), 2);
                panic!("body")
            }));
            Ok(block.catch_unwind().await.is_err())
        })
        .await;
        assert!(outcome?);
        assert_eq!(world.reports(), ["displaced: a"]);
        Ok(())
    });
}

/// Every way out of a block, with a count of zero and of one at entry.
#[test]
fn every_way_out_brings_the_count_back_to_its_value_at_entry() {
    async fn all_ways_out() -> Result<()> {
        let entry = count();
        let back = || assert_eq!(count(), entry);
        task_group(async |tg| tg.spawn(nap(1)).await).await?;
        back();
        let _ = task_group(async |_| oops::<()>("body")).await;
        back();
        let _ = task_group(async |tg| tg.spawn(async { oops::<()>("child") }).await).await;
        back();
        let _ = task_group(async |tg| {
            drop(tg.spawn(async { oops::<()>("child") }));
            Ok(())
        })
        .await;
        back();
        let _ = task_group(async |tg| {
            drop(tg.spawn(async { oops::<()>("child") }));
            forever::<()>().await.unwrap_err();
            Ok(())
        })
        .await;
        back();
        let _ = task_group(async |tg| {
            tg.cancel();
            nap(1).await
        })
        .await;
        back();
        let _ = task_group(async |tg| {
            tg.cancel();
            Ok(())
        })
        .await;
        back();
        let _ = AssertUnwindSafe(task_group(async |tg| -> Result<()> {
            tg.cancel();
            panic!("body")
        }))
        .catch_unwind()
        .await;
        back();
        let _ = task_group(async |tg| {
            tg.cancel();
            drop(tg.spawn(nap(1)));
            nap(1).await
        })
        .now_or_never();
        back();
        let _ = timeout(
            ms(1),
            task_group(async |tg| {
                drop(tg.spawn(async { forever::<()>().await.or(oops("child")) }));
                forever::<()>().await
            }),
        )
        .await;
        back();
        let _ = task_group(async |tg| {
            tg.cancel();
            pending::<()>().await;
            Ok(())
        })
        .await;
        back();
        Ok(())
    }
    in_every_order(async |_| {
        all_ways_out().await?;
        with_a_count_of_one(all_ways_out()).await
    });
}
