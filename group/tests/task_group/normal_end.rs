//! A block that ends as it should (TG-8, TG-9, TG-37).

use super::*;

/// TG-8
#[test]
fn the_block_ends_when_every_child_has() {
    in_every_order(async |world| {
        let log = Log::new();
        let (a, b) = task_group(async |tg| {
            let a = tg.spawn(async { nap(20).await.map(|()| 1) });
            let b = tg.spawn(async { nap(10).await.map(|()| 2) });
            log.push("body done");
            Ok((a, b))
        })
        .await?;
        assert_eq!(world.now(), 20);
        assert!(a.is_finished() && b.is_finished());
        assert_eq!((a.await?, b.await?), (1, 2));
        Ok(())
    });
}

/// TG-8
#[test]
fn finished_children_leave_at_once() {
    in_every_order(async |_| {
        task_group(async |tg| {
            for _ in 0..100 {
                tg.spawn(yield_now()).await?;
                assert_eq!(tg.len(), 0);
            }
            let two = [tg.spawn(nap(10)), tg.spawn(nap(20))];
            assert_eq!(tg.len(), 2);
            nap(15).await?;
            assert_eq!(tg.len(), 1);
            drop(two);
            Ok(())
        })
        .await
    });
}

/// TG-8: a handle that was dropped makes no difference.
#[test]
fn detached_children_are_awaited_too() {
    in_every_order(async |world| {
        task_group(async |tg| {
            for milliseconds in [30, 10, 20] {
                drop(tg.spawn(nap(milliseconds)));
            }
            Ok(())
        })
        .await?;
        assert_eq!(world.now(), 30);
        Ok(())
    });
}

/// TG-8
#[test]
fn an_empty_group_ends_without_giving_way() {
    in_every_mode(async |_| {
        let ended = task_group(async |_| Ok(7)).now_or_never();
        assert_eq!(ended.expect("ready at once")?, 7);
        Ok(())
    });
}

/// TG-9: by whomever, or by itself.
#[test]
fn a_cancelled_child_is_no_failure() {
    in_every_order(async |world| {
        let outcome = task_group(async |tg| {
            let cancelled = tg.spawn(forever::<()>());
            drop(tg.spawn(async { Err::<(), _>(homing::Cancelled::new().into()) }));
            let sibling = tg.spawn(nap(20));
            nap(10).await?;
            assert!(cancelled.cancel());
            nap(1).await?;
            assert!(cancelled.is_cancelled());
            sibling.await?;
            Ok("value")
        });
        assert_eq!(outcome.await?, "value");
        assert_eq!(world.now(), 20);
        Ok(())
    });
}

/// TG-9: aborted counts as cancelled.
#[test]
fn an_aborted_child_is_no_failure() {
    in_every_order(async |_| {
        task_group(async |tg| {
            let child = tg.spawn(forever::<()>());
            yield_now().await?;
            child.abort();
            assert!(tg.is_empty());
            Ok(())
        })
        .await
    });
}

/// TG-37
#[test]
fn after_the_block_nothing_is_held() {
    in_every_mode(async |_| {
        let alive = Alive::default();
        let tg = TaskGroup::new();
        let outcome = tg
            .clone()
            .run(async |tg| {
                drop(tg.spawn(holding(&alive)));
                let guard = alive.guard();
                drop(tg.spawn(async move {
                    let _guard = guard;
                    oops::<()>("a")
                }));
                let _guard = alive.guard();
                forever::<()>().await
            })
            .await;
        assert_eq!(shown(&outcome), "[a]");
        assert_eq!(alive.get(), 0);
        // Nor the errors: this one is ours alone.
        let members = group(outcome);
        let [error] = members.errors() else { panic!("one error") };
        let error = error.clone();
        drop(members);
        yield_now().await?;
        assert_eq!(error.downcast::<Oops>()?, Oops("a"));
        Ok(())
    });
}
