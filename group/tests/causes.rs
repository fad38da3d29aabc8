//! The chain of causes of a `Cancelled`: who asked, for what reason, and which way it took.

mod common;

use common::{Log, forever, in_every_mode, in_every_order, ms, nap, oops};
use homing::{
    Cancelled, Error, Result, TaskGroup, TaskRef, TimedOut, gather, shield, spawn, task, task_group, timeout,
    timeout_at, wait_for, yield_now,
};
use std::cell::RefCell;
use std::rc::Rc;

/// The message, with `@` for every place in this file.
fn chain(error: &Error) -> String {
    let cancelled = error.as_cancelled().expect("a cancellation").to_string();
    let mut shown = String::new();
    let mut rest = cancelled.as_str();
    while let Some(at) = rest.find(&format!("at {}:", file!())) {
        let (before, place) = rest.split_at(at);
        let numbers = place.find(file!()).unwrap() + file!().len();
        let end = place[numbers..].find(|c: char| c != ':' && !c.is_ascii_digit());
        // A colon after the column belongs to the message.
        let end = end.map_or(place.len(), |end| numbers + end);
        let end = if place[..end].ends_with(':') { end - 1 } else { end };
        shown.push_str(before);
        shown.push('@');
        rest = &place[end..];
    }
    shown + rest
}

/// Waits to be cancelled, and writes down why.
async fn witness(log: Log) -> Result<()> {
    let error = forever::<()>().await.unwrap_err();
    log.push(chain(&error));
    Err(error)
}

/// Why the timed-out thing was cancelled.
fn behind(error: &Error) -> Error {
    error.downcast_ref::<TimedOut>().expect("a timeout").cause().expect("a cause").clone().into()
}

#[test]
fn a_timeout_around_a_group_around_tasks() {
    in_every_order(async |_| {
        let log = Log::new();
        let inner = log.clone();
        let block = TaskGroup::builder().name("fetch").run(async move |tg| {
            tg.task(witness(inner.clone())).name("user-8").spawn();
            let user = tg.task(witness(inner)).name("user-7").spawn();
            user.await
        });
        let outcome = timeout(ms(2000), block).await;
        // The body awaits `user-7`, and so the request reaches that first, without the group.
        let mut seen = log.take();
        seen.sort();
        assert_eq!(seen, ["cancelled: timeout 2s @", "cancelled: timeout 2s @ → group 'fetch' @"]);
        let cause = behind(&outcome.unwrap_err());
        assert_eq!(chain(&cause), "cancelled: timeout 2s @ → task 'user-7'");
        Ok(())
    });
}

#[test]
fn a_task_of_a_group_within_a_timeout() {
    in_every_order(async |_| {
        let log = Log::new();
        let (inner, kept) = (log.clone(), Rc::new(RefCell::new(None)));
        let keep = kept.clone();
        let block = TaskGroup::builder().name("fetch").run(async move |tg| {
            *keep.borrow_mut() = Some(tg.task(witness(inner)).name("user-7").spawn());
            forever::<()>().await
        });
        let cause = behind(&timeout(ms(2000), block).await.unwrap_err());
        assert_eq!(log.take(), ["cancelled: timeout 2s @ → group 'fetch' @"]);
        assert_eq!(chain(&cause), "cancelled: timeout 2s @");
        let user = kept.take().unwrap();
        let expected = "cancelled: timeout 2s @ → group 'fetch' @ → task 'user-7'";
        assert_eq!(chain(&user.await.unwrap_err()), expected);
        Ok(())
    });
}

#[test]
fn it_shows_where() {
    in_every_mode(async |_| {
        let log = Log::new();
        let group_line = line!() + 1;
        let block = task_group(async |tg| {
            let log = log.clone();
            tg.spawn(async move {
                let error = forever::<()>().await.unwrap_err();
                log.push(error.to_string());
                Err::<(), _>(error)
            });
            forever::<()>().await
        });
        let timeout_line = line!() + 1;
        let outcome = timeout(ms(1), block).await;
        assert!(outcome.unwrap_err().is_timeout());
        let (seen, file) = (log.take().remove(0), file!());
        assert!(seen.starts_with(&format!("cancelled: timeout 1ms at {file}:{timeout_line}:")), "{seen}");
        assert!(seen.contains(&format!(" → group at {file}:{group_line}:")), "{seen}");
        Ok(())
    });
}

#[test]
fn a_deadline_has_no_length() {
    in_every_mode(async |_| {
        let outcome = timeout_at(homing::Instant::now() + ms(1), forever::<()>()).await;
        assert_eq!(chain(&behind(&outcome.unwrap_err())), "cancelled: timeout @");
        Ok(())
    });
}

#[test]
fn nested_groups_from_the_failure_to_the_innermost_task() {
    in_every_order(async |_| {
        let log = Log::new();
        let inner = log.clone();
        let outcome = TaskGroup::builder()
            .name("outer")
            .run(async move |tg| {
                tg.task(TaskGroup::builder().name("inner").run(async move |tg| {
                    tg.spawn(witness(inner));
                    forever::<()>().await
                }))
                .name("nested")
                .spawn();
                tg.task(async {
                    nap(1).await?;
                    oops::<()>("bad luck")
                })
                .name("bad")
                .spawn();
                forever::<()>().await
            })
            .await;
        assert_eq!(outcome.unwrap_err().as_group().unwrap().len(), 1);
        assert_eq!(log.take(), ["cancelled: task 'bad': it failed → group 'outer' @ → group 'inner' @"]);
        Ok(())
    });
}

#[test]
fn a_group_that_is_ended_quietly_tells_where() {
    in_every_order(async |_| {
        let log = Log::new();
        let inner = log.clone();
        TaskGroup::builder()
            .name("quiet")
            .build()
            .run_until_cancelled(async move |tg| {
                tg.spawn(witness(inner));
                nap(1).await?;
                tg.cancel();
                forever::<()>().await
            })
            .await?;
        assert_eq!(log.take(), ["cancelled @ → group 'quiet' @"]);
        Ok(())
    });
}

#[test]
fn a_body_that_fails() {
    in_every_order(async |_| {
        let log = Log::new();
        let inner = log.clone();
        let outcome = task_group(async move |tg| {
            tg.spawn(witness(inner));
            nap(1).await?;
            oops::<()>("the body")
        });
        assert!(outcome.await.is_err());
        assert_eq!(log.take(), ["cancelled: the body failed → group @"]);
        Ok(())
    });
}

#[test]
fn a_reason_goes_from_task_to_task_and_comes_back() {
    in_every_order(async |_| {
        let log = Log::new();
        let inner = task(witness(log.clone())).name("inner").spawn();
        let middle = task(inner).name("middle").spawn();
        nap(1).await?;
        middle.cancel_with("closing time");
        let error = middle.await.unwrap_err();
        assert_eq!(log.take(), ["cancelled: @: closing time"]);
        assert_eq!(chain(&error), "cancelled: @: closing time → task 'inner'");
        assert_eq!(error.as_cancelled().unwrap().reason(), Some("closing time"));
        Ok(())
    });
}

#[test]
fn a_plain_request_stays_as_small_as_it_was() {
    in_every_mode(async |_| {
        let plain = task(forever::<()>()).name("plain").spawn();
        nap(1).await?;
        plain.cancel();
        let error = plain.await.unwrap_err();
        assert_eq!((chain(&error).as_str(), error.origin()), ("cancelled @", None));
        Ok(())
    });
}

#[test]
fn through_a_shield_only_the_waiter_is_told() {
    in_every_order(async |_| {
        let log = Log::new();
        let saving = task(witness(log.clone())).name("save").spawn().share();
        let waiter = task(shield(saving.clone())).name("waiter").spawn();
        nap(1).await?;
        waiter.cancel_with("in a hurry");
        assert_eq!(chain(&waiter.await.unwrap_err()), "cancelled: @: in a hurry → task 'waiter'");
        assert!(!saving.is_finished());
        saving.cancel_with("in earnest");
        let error = shield(saving).await.unwrap_err();
        assert_eq!(chain(&error), "cancelled: @: in earnest → task 'save'");
        assert_eq!(log.take(), ["cancelled: @: in earnest"]);
        Ok(())
    });
}

#[test]
fn through_a_gather_to_each_child_and_back_from_the_first() {
    in_every_order(async |_| {
        let log = Log::new();
        let children = ["one", "two"].map(|name| task(witness(log.clone())).name(name).spawn());
        let waiter = spawn(async { gather(children).await });
        nap(1).await?;
        waiter.cancel_with("enough");
        let error = waiter.await.unwrap_err();
        assert_eq!(log.take(), ["cancelled: @: enough", "cancelled: @: enough"]);
        let expected = ["one", "two"].map(|name| format!("cancelled: @: enough → task '{name}'"));
        assert!(expected.contains(&chain(&error)), "{}", chain(&error));
        Ok(())
    });
}

#[test]
fn through_a_gather_whose_children_swallow_it() {
    in_every_order(async |_| {
        let stubborn = async || Ok(assert!(forever::<()>().await.is_err()));
        let gathering = timeout(ms(2000), async move { gather([stubborn(), stubborn()]).await });
        assert_eq!(chain(&behind(&gathering.await.unwrap_err())), "cancelled: timeout 2s @");
        Ok(())
    });
}

#[test]
fn a_wait_for_that_runs_out() {
    in_every_order(async |_| {
        let log = Log::new();
        let slow = task(witness(log.clone())).name("slow").spawn();
        let outcome = wait_for(slow, ms(2000)).await;
        assert!(outcome.unwrap_err().is_timeout());
        assert_eq!(log.take(), ["cancelled: timeout 2s @"]);
        Ok(())
    });
}

mod two_at_once {
    use super::*;

    #[test]
    fn both_requests_of_one_turn_are_in_the_chain_in_their_order() {
        in_every_mode(async |_| {
            let log = Log::new();
            let victim = spawn(witness(log.clone()));
            nap(1).await?;
            victim.cancel_with("the first");
            victim.cancel_with("the second");
            assert!(victim.await.unwrap_err().is_cancelled());
            assert_eq!(log.take(), ["cancelled: @: the first → @: the second"]);
            Ok(())
        });
    }

    #[test]
    fn a_timeout_and_somebody_outside() {
        in_every_mode(async |_| {
            let log = Log::new();
            let target = Rc::new(RefCell::new(None::<TaskRef>));
            let victim = target.clone();
            let asker = spawn(async move {
                nap(2).await?; // at the very moment of the deadline, and first
                victim.take().unwrap().cancel_with("from outside");
                Ok(())
            });
            yield_now().await?;
            let limited = task(timeout(ms(2), witness(log.clone()))).name("limited").spawn();
            *target.borrow_mut() = Some(limited.task_ref());
            let error = chain(&limited.await.unwrap_err());
            assert_eq!(log.take(), ["cancelled: @: from outside → timeout 2ms @"]);
            assert_eq!(error, "cancelled: @: from outside → timeout 2ms @ → task 'limited'");
            asker.await
        });
    }

    #[test]
    fn a_failure_in_the_group_and_somebody_outside() {
        in_every_order(async |_| {
            let log = Log::new();
            let inner = log.clone();
            let block = spawn(TaskGroup::builder().name("both").run(async move |tg| {
                tg.task(async {
                    nap(2).await?;
                    oops::<()>("bad luck")
                })
                .name("bad")
                .spawn();
                witness(inner).await
            }));
            nap(2).await?;
            yield_now().await?;
            block.cancel_with("from outside");
            assert!(block.await.is_err());
            let seen = log.take().remove(0);
            let (failure, outside) = ("task 'bad': it failed → group 'both' @", "@: from outside");
            let orders = [
                format!("cancelled: {failure} → {outside}"),
                format!("cancelled: {outside} → {failure}"),
                format!("cancelled: {failure}"),
                format!("cancelled: {outside}"),
            ];
            assert!(orders.contains(&seen), "{seen}");
            Ok(())
        });
    }

    #[test]
    fn one_that_comes_later_is_there_in_the_outcome_of_the_block() {
        in_every_order(async |_| {
            let block = task(task_group(async |tg| {
                tg.task(async {
                    let interrupted = forever::<()>().await;
                    nap(5).await?;
                    interrupted
                })
                .eager()
                .spawn();
                forever::<()>().await
            }));
            let block = block.name("block").spawn();
            nap(1).await?;
            block.cancel_with("the first");
            nap(1).await?;
            block.cancel_with("the second");
            let expected = "cancelled: @: the first → @: the second → task 'block'";
            assert_eq!(chain(&block.await.unwrap_err()), expected);
            Ok(())
        });
    }

    #[test]
    fn the_reasons_of_one_that_was_outranked_come_with_the_next_await() {
        in_every_order(async |_| {
            let victim = task(async {
                let outcome = task_group(async |tg| {
                    tg.defer(async || {
                        nap(5).await?;
                        oops("goodbye")
                    });
                    forever::<()>().await
                });
                assert!(outcome.await.unwrap_err().as_group().is_some());
                forever::<()>().await
            });
            let victim = victim.name("victim").spawn();
            nap(1).await?;
            victim.cancel_with("the first");
            nap(1).await?;
            victim.cancel_with("the second");
            let expected = "cancelled: @: the first → @: the second → task 'victim'";
            assert_eq!(chain(&victim.await.unwrap_err()), expected);
            Ok(())
        });
    }
}

#[test]
fn the_final_sweep_names_the_runtime() {
    let log = Log::new();
    let inner = log.clone();
    let runtime = homing::Builder::new().virtual_time().build();
    runtime
        .run(async move {
            spawn(TaskGroup::builder().name("left").run(async move |tg| {
                tg.spawn(witness(inner));
                forever::<()>().await
            }));
            nap(1).await
        })
        .unwrap();
    assert_eq!(log.take(), ["cancelled: runtime → group 'left' @"]);
}

#[test]
fn a_child_of_a_block_that_is_dropped_is_told_so() {
    in_every_mode(async |_| {
        let kept = Rc::new(RefCell::new(None));
        let keep = kept.clone();
        let block = spawn(TaskGroup::builder().name("gone").run(async move |tg| {
            *keep.borrow_mut() = Some(tg.task(forever::<()>()).name("child").spawn());
            forever::<()>().await
        }));
        nap(1).await?;
        block.abort();
        let child = kept.take().unwrap();
        let expected = "cancelled: group 'gone' @: its block was dropped → task 'child'";
        assert_eq!(chain(&child.await.unwrap_err()), expected);
        Ok(())
    });
}

#[test]
fn the_report_says_it_once_with_the_place_of_the_spawn() {
    in_every_mode(async |_| {
        let line = line!() + 1;
        let victim = task(forever::<()>()).name("user-7").spawn();
        nap(1).await?;
        victim.cancel_because(&Cancelled::new().with_reason("closing"));
        let error = victim.await.unwrap_err();
        assert_eq!(error.to_string(), "cancelled: closing → task 'user-7'");
        let report = format!("{error:#}");
        let (file, column) = (file!(), &report[report.rfind(':').unwrap() + 1..]);
        assert_eq!(
            report,
            format!("cancelled: closing\n  in task 'user-7', spawned at {file}:{line}:{column}")
        );
        Ok(())
    });
}
