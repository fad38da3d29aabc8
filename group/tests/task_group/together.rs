//! Several groups in one task, in foreign combinators, and with timeouts.

use super::*;

/// Two in one task: a request of one is none of the other's business.
#[test]
fn of_two_groups_in_one_task_one_fails_and_the_other_goes_on() {
    in_every_order(async |world| {
        let fails = task_group(async |tg| {
            drop(tg.spawn(async {
                nap(5).await?;
                oops::<()>("a")
            }));
            forever::<()>().await
        });
        let works = task_group(async |tg| {
            let child = tg.spawn(async { nap(20).await.map(|()| "value") });
            nap(10).await?;
            child.await
        });
        let (fails, works) = join(fails, works).await;
        assert_eq!(shown(&fails), "[a]");
        assert_eq!(works?, "value");
        assert_eq!((count(), world.now()), (0, 20));
        Ok(())
    });
}

/// Two in one task, and a cancel from outside is for both.
#[test]
fn of_two_groups_in_one_task_both_are_cancelled_from_outside() {
    in_every_order(async |_| {
        let alive = Alive::default();
        let inner = alive.clone();
        let subject = started(async move {
            let block = || {
                task_group(async |tg| {
                    drop(tg.spawn(holding(&inner)));
                    forever::<()>().await
                })
            };
            let (first, second) = join(block(), block()).await;
            assert!(first.unwrap_err().is_cancelled());
            second
        })
        .await;
        nap(5).await?;
        assert_eq!(alive.get(), 2);
        subject.cancel();
        assert!(subject.await.unwrap_err().is_cancelled());
        assert_eq!(alive.get(), 0);
        Ok(())
    });
}

/// Two that both fail in one turn.
#[test]
fn of_two_groups_in_one_task_both_fail_in_one_turn() {
    in_every_order(async |_| {
        let block = |name| {
            task_group(async move |tg| {
                drop(tg.spawn(async move {
                    nap(5).await?;
                    oops::<()>(name)
                }));
                forever::<()>().await
            })
        };
        let (first, second) = join(block("a"), block("b")).await;
        assert_eq!((shown(&first).as_str(), shown(&second).as_str()), ("[a]", "[b]"));
        assert_eq!(count(), 0);
        Ok(())
    });
}

/// With wakers that are not the task's.
#[test]
fn groups_work_inside_futures_unordered() {
    in_every_order(async |_| {
        let block = |number: u64| {
            task_group(async move |tg| {
                let child = tg.spawn(async move {
                    nap(number).await?;
                    if number.is_multiple_of(2) { Ok(number) } else { oops("odd") }
                });
                if number.is_multiple_of(3) {
                    nap(100).await?;
                }
                // An error of the child's is the group's to tell, lest it be told twice.
                match child.await {
                    Ok(number) => Ok(number),
                    Err(error) if error.is_cancelled() => Err(error),
                    Err(_) => forever().await,
                }
            })
        };
        let mut blocks: FuturesUnordered<_> = (1..=6).map(block).collect();
        let mut outcomes = Vec::new();
        while let Some(outcome) = blocks.next().await {
            outcomes.push(outcome.as_ref().map_or_else(tree, u64::to_string));
        }
        assert_eq!(outcomes, ["[odd]", "2", "[odd]", "4", "[odd]", "6"]);
        assert_eq!(count(), 0);
        Ok(())
    });
}

/// With wakers that are not the task's, and cancelled from outside.
#[test]
fn groups_inside_futures_unordered_are_all_cancelled_from_outside() {
    in_every_order(async |_| {
        let alive = Alive::default();
        let inner = alive.clone();
        let subject = started(async move {
            let block = |number: u32| {
                let alive = inner.clone();
                task_group(async move |tg| {
                    drop(tg.spawn(holding(&alive)));
                    if number.is_multiple_of(2) { forever::<()>().await } else { Ok(()) }
                })
            };
            let mut blocks: FuturesUnordered<_> = (1..=4).map(block).collect();
            let mut cancelled = 0;
            while let Some(outcome) = blocks.next().await {
                assert!(outcome.unwrap_err().is_cancelled());
                cancelled += 1;
            }
            assert_eq!(cancelled, 4);
            current().unwrap().uncancel();
            Ok(())
        })
        .await;
        nap(5).await?;
        subject.cancel();
        subject.await?;
        assert_eq!(alive.get(), 0);
        Ok(())
    });
}

/// Dropped by a `select!` that something else has won.
#[test]
fn the_loser_of_a_select_leaves_nothing_behind() {
    in_every_order(async |_| {
        let alive = Alive::default();
        let block = task_group(async |tg| {
            drop(tg.spawn(holding(&alive)));
            forever::<()>().await
        });
        {
            let mut block = pin!(block.fuse());
            let mut winner = pin!(nap(5).fuse());
            futures_util::select! {
                _ = block => unreachable!("it waits for ever"),
                outcome = winner => outcome?,
            }
            assert_eq!(alive.get(), 1);
        }
        assert_eq!(alive.get(), 0);
        yield_now().await
    });
}

/// TO-18: a timeout around a group.
#[test]
fn a_timeout_around_a_group_cancels_all_of_it() {
    in_every_order(async |world| {
        let log = Log::new();
        let outcome = timeout(
            ms(10),
            task_group(async |tg| {
                drop(tg.task(slow_to_end(log.clone(), 5, Ok(()))).eager().spawn());
                forever::<()>().await
            }),
        )
        .await;
        assert!(outcome.unwrap_err().is_timeout());
        assert_eq!((count(), world.now()), (0, 15));
        assert_eq!(log.take(), ["cleaned up"]);
        Ok(())
    });
}

/// A timeout in a body, and one in a child, are no failures of the group unless they get out.
#[test]
fn a_group_around_timeouts_sees_what_gets_out_of_them() {
    in_every_order(async |_| {
        let handled = task_group(async |tg| {
            let child = tg.spawn(async {
                let inner = timeout(ms(5), forever::<()>()).await;
                Ok(shown(&inner))
            });
            let body = timeout(ms(5), forever::<()>()).await;
            assert_eq!(count(), 0);
            Ok((shown(&body), child.await?))
        })
        .await?;
        assert_eq!(handled, ("timeout".to_owned(), "timeout".to_owned()));
        let outcome = task_group(async |tg| {
            drop(tg.spawn(timeout(ms(5), forever::<()>())));
            forever::<()>().await
        })
        .await;
        assert_eq!(shown(&outcome), "[timeout]");
        Ok(())
    });
}

/// The failure of a child and a timeout in the body fall in one turn.
#[test]
fn a_failure_and_a_timeout_within_the_body_in_one_turn() {
    in_every_order(async |_| {
        let outcome = task_group(async |tg| {
            drop(tg.spawn(async {
                nap(5).await?;
                oops::<()>("a")
            }));
            timeout(ms(5), forever::<()>()).await
        })
        .await;
        // In whichever order the two were: whoever was first cancels the other, unless that was under way already.
        assert!(
            ["[a]", "[a, timeout]", "[timeout]"].contains(&shown(&outcome).as_str()),
            "{}",
            shown(&outcome)
        );
        assert_eq!(count(), 0);
        Ok(())
    });
}

/// The timeout's own request is not the group's to absorb, though the group was ended quietly just before.
#[test]
fn a_timeout_scope_inside_of_a_cancelled_group_is_cancelled_and_not_expired() {
    in_every_order(async |_| {
        let outcome = TaskGroup::new()
            .run_until_cancelled(async |tg| {
                timeout_scope(ms(10), async |t| {
                    tg.cancel();
                    let interrupted = forever::<()>().await;
                    assert!(!t.expired());
                    interrupted
                })
                .await
            })
            .await;
        assert_eq!(outcome?, None);
        Ok(())
    });
}
