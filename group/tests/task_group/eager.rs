//! Children that start eagerly (TG-36).

use super::*;

/// TG-36
#[test]
fn gh_128588_a_failure_in_the_first_step_aborts_nothing_until_the_next_turn() {
    in_every_mode(async |_| {
        let log = Log::new();
        let outcome = task_group(async |tg| {
            let failed = tg.task(async { oops::<()>("a") }).eager().spawn();
            assert!(failed.is_finished());
            assert!(tg.is_open());
            let inner = log.clone();
            let sibling = tg.try_spawn(async move {
                inner.push("runs");
                forever::<()>().await
            });
            assert!(sibling.is_ok());
            assert_eq!(count(), 0);
            Ok(())
        })
        .await;
        assert_eq!(shown(&outcome), "[a]");
        assert_eq!(count(), 0);
        yield_now().await
    });
}

/// TG-36
#[test]
fn gh_128550_a_child_that_spawns_a_failing_sibling_in_its_first_step_is_cancelled() {
    in_every_order(async |world| {
        let outcome = task_group(async |tg| {
            let inner = tg.clone();
            drop(tg.spawn(async move {
                drop(inner.spawn(async { oops::<()>("third") }));
                forever::<()>().await
            }));
            Ok(())
        })
        .await;
        assert_eq!(shown(&outcome), "[third]");
        assert_eq!(world.now(), 0);
        Ok(())
    });
}

/// TG-36: CPython's own test of it.
#[test]
fn gh_128588_cancellation_does_not_leak_out_of_the_group() {
    in_every_order(async |_| {
        let outcome = task_group(async |tg| {
            drop(tg.spawn(async { oops::<()>("a") }));
            Ok(())
        })
        .await;
        assert_eq!(shown(&outcome), "[a]");
        // If the group's request had leaked, it would be delivered here.
        nap(0).await
    });
}

/// EA-11: an eager child may cancel the task that spawns it.
#[test]
fn an_eager_child_that_cancels_its_parent_interrupts_it_at_its_next_suspension() {
    in_every_order(async |_| {
        let subject = spawn(async {
            let me = current().unwrap();
            task_group(async |tg| {
                let child = tg
                    .task(async move {
                        me.cancel_with("by the child");
                        forever::<()>().await
                    })
                    .eager()
                    .spawn();
                assert!(!child.is_finished());
                nap(5).await
            })
            .await
        });
        let error = subject.await.unwrap_err();
        assert_eq!(error.as_cancelled().unwrap().reason(), Some("by the child"));
        Ok(())
    });
}

/// EA-14: what finishes at once, finishes at once in a group too.
#[test]
fn recursion_of_groups_works_the_same() {
    fn sum(depth: u32) -> std::pin::Pin<Box<dyn Future<Output = Result<u32>>>> {
        Box::pin(async move {
            if depth == 0 {
                return Ok(1);
            }
            task_group(async |tg| {
                let left = tg.spawn(sum(depth - 1));
                let right = tg.spawn(sum(depth - 1));
                Ok(left.await? + right.await?)
            })
            .await
        })
    }
    in_every_order(async |_| {
        assert_eq!(sum(6).await?, 64);
        Ok(())
    });
}
