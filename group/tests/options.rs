//! What a group does otherwise when it is asked to: each option, as tests that can fail.

mod common;

use common::{Log, forever, group, in_every_mode, in_every_order, nap, oops, shown, started, tree};
use homing::{Result, TaskGroup, task_group, yield_now};

mod supervise {
    use super::*;

    fn supervisor() -> homing::GroupBuilder {
        TaskGroup::builder().supervise()
    }

    #[test]
    fn a_failure_touches_neither_siblings_nor_the_body() {
        in_every_order(async |_| {
            let log = Log::new();
            let outcome = supervisor()
                .run(async |tg| {
                    tg.spawn(async { oops::<()>("a") });
                    let sibling = log.clone();
                    tg.spawn(async move {
                        nap(10).await?;
                        Ok(sibling.push("the sibling has ended"))
                    });
                    nap(20).await?;
                    tg.spawn(async { Ok(()) });
                    Ok(log.push("the body has ended"))
                })
                .await;
            assert_eq!(log.take(), ["the sibling has ended", "the body has ended"]);
            assert_eq!(shown(&outcome), "[a]");
            Ok(())
        });
    }

    #[test]
    fn all_errors_come_out_in_the_order_of_failing_and_the_bodys_last() {
        in_every_order(async |_| {
            let outcome: Result<()> = supervisor()
                .run(async |tg| {
                    for (at, name) in [(20, "b"), (30, "c"), (10, "a")] {
                        tg.spawn(async move {
                            nap(at).await?;
                            oops::<()>(name)
                        });
                    }
                    nap(40).await?;
                    oops("body")
                })
                .await;
            assert_eq!(shown(&outcome), "[a, b, c, body]");
            Ok(())
        });
    }

    #[test]
    fn the_last_child_to_fail_ends_a_block_that_waits_for_it() {
        in_every_order(async |world| {
            let outcome = supervisor()
                .run(async |tg| {
                    tg.spawn(async { nap(5).await.and_then(|()| oops::<()>("late")) });
                    Ok(())
                })
                .await;
            assert_eq!((shown(&outcome).as_str(), world.now()), ("[late]", 5));
            Ok(())
        });
    }

    #[test]
    fn a_failure_of_the_body_cancels_the_children() {
        in_every_order(async |_| {
            let outcome: Result<()> = supervisor()
                .run(async |tg| {
                    tg.spawn(async { oops::<()>("a") });
                    tg.spawn(forever::<()>());
                    nap(10).await?;
                    oops("body")
                })
                .await;
            assert_eq!(shown(&outcome), "[a, body]");
            Ok(())
        });
    }

    #[test]
    fn a_cancel_from_outside_cancels_the_children_and_goes_on() {
        in_every_mode(async |_| {
            let block = started(supervisor().run(async |tg| {
                tg.spawn(forever::<()>());
                forever::<()>().await
            }))
            .await;
            block.cancel();
            assert_eq!(shown(&block.await), "cancelled");
            Ok(())
        });
    }

    #[test]
    fn errors_outrank_a_cancel_from_outside() {
        in_every_mode(async |_| {
            let block = started(supervisor().run(async |tg| {
                tg.spawn(async { oops::<()>("a") });
                forever::<()>().await
            }))
            .await;
            yield_now().await?;
            block.cancel();
            assert_eq!(shown(&block.await), "[a]");
            Ok(())
        });
    }

    #[test]
    fn a_quiet_end_gives_the_errors_so_far() {
        in_every_order(async |_| {
            let outcome = supervisor()
                .build()
                .run_until_cancelled(async |tg| {
                    tg.spawn(async { oops::<()>("a") });
                    tg.spawn(forever::<()>());
                    nap(1).await?;
                    Ok(tg.cancel())
                })
                .await;
            assert_eq!(shown(&outcome), "[a]");
            Ok(())
        });
    }

    #[test]
    fn a_group_around_it_is_told_at_the_end_only() {
        in_every_order(async |world| {
            let outcome = task_group(async |outer| {
                outer.spawn(supervisor().run(async |tg| {
                    tg.spawn(async { oops::<()>("a") });
                    nap(10).await
                }));
                outer.spawn(forever::<()>());
                Ok(())
            })
            .await;
            assert_eq!(world.now(), 10);
            assert_eq!(group(outcome).errors().iter().map(tree).collect::<Vec<_>>(), ["[a]"]);
            Ok(())
        });
    }
}
