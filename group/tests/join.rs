//! The rules on gather, wait, as_completed, shield, wait_for and the race (GA, WA, AC, SH, WF, ST) that CPython's own tests,
//! in `tests/asyncio` of the facade, do not assert; and what becomes of each in foreign combinators.

mod common;

use common::{
    Alive, Log, Oops, count, forever, in_every_mode, in_every_order, ms, nap, oops, run, shown, started, tree,
};
use futures_util::future::{Either, FutureExt, join, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use homing::cancel::Cancellable;
use homing::{
    Error, Result, ReturnWhen, Task, TaskRef, as_completed, current, gather, gather_iter, race, shield,
    spawn, task, timeout, wait, wait_for, yield_now,
};
use std::cell::Cell;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;

/// Sleeps until it is cancelled, takes its time to clean up, and then ends as told.
async fn ends_slowly<T>(milliseconds: u64, then: Result<T>) -> Result<T> {
    let cancelled = forever::<()>().await.unwrap_err();
    nap(milliseconds).await?;
    then.map_err(|error| if error.is::<Oops>() { error } else { cancelled })
}

/// For `ends_slowly`: the `Cancelled` that came.
fn with_it<T>() -> Result<T> {
    Err(Error::cancelled())
}

/// Waits for ever, and holds a guard from before its first poll.
fn holding(alive: &Alive) -> impl Future<Output = Result<()>> + 'static {
    let guard = alive.guard();
    async move {
        let _guard = guard;
        forever().await
    }
}

/// What an error that had to make way was.
fn displaced(error: &Error) -> Vec<String> {
    error.displaced().map(tree).collect()
}

mod gathering {
    use super::*;

    /// GA-1
    #[test]
    fn futures_become_tasks_in_the_order_of_the_arguments_and_run_without_being_awaited() {
        in_every_mode(async |_| {
            let log = Log::new();
            let note = |entry: &'static str| {
                let log = log.clone();
                async move {
                    log.push(entry);
                    yield_now().await
                }
            };
            let gathering = gather((note("a"), note("b"), note("c")));
            yield_now().await?;
            assert_eq!(log.take(), ["a", "b", "c"]);
            gathering.await.map(drop)
        });
    }

    /// GA-1
    #[test]
    fn values_come_in_the_order_of_the_arguments_in_whatever_order_the_tasks_end() {
        in_every_order(async |world| {
            let late_first = (1..=5).map(|n| async move {
                nap(6 - n).await?;
                Ok(n)
            });
            assert_eq!(gather_iter(late_first).await?, [1, 2, 3, 4, 5]);
            assert_eq!(world.now(), 5);
            Ok(())
        });
    }

    /// GA-2, GA-3, SC-4
    #[test]
    fn what_has_ended_already_is_gathered_without_a_turn() {
        in_every_mode(async |_| {
            let (one, two) = (started(async { Ok(1) }).await, started(async { oops::<i32>("two") }).await);
            let outcomes =
                gather([one, two]).return_exceptions().now_or_never().expect("no turn is needed")?;
            assert_eq!(outcomes.map(|outcome| shown(&outcome)), ["ok", "two"]);
            let (one, two) = (started(oops::<()>("one").into_ready()).await, started(forever::<()>()).await);
            let two_ref = two.task_ref();
            assert_eq!(shown(&gather([one, two]).now_or_never().expect("no turn is needed")), "one");
            two_ref.cancel();
            Ok(())
        });
    }

    trait IntoReady: Sized {
        fn into_ready(self) -> std::future::Ready<Self> {
            std::future::ready(self)
        }
    }

    impl<T> IntoReady for Result<T> {}

    /// GA-5
    #[test]
    fn the_first_failure_decides_and_the_others_run_on_uncancelled() {
        in_every_order(async |world| {
            let slow = spawn(async {
                nap(10).await?;
                Ok(count())
            });
            let slow = slow.share();
            let fails = async {
                nap(5).await?;
                oops::<()>("fails")
            };
            assert_eq!(shown(&gather((slow.clone(), fails)).await), "fails");
            assert_eq!(world.now(), 5);
            assert_eq!(slow.await?, 0);
            Ok(())
        });
    }

    /// GA-9
    #[test]
    fn each_further_cancel_goes_to_the_children_again() {
        in_every_mode(async |_| {
            let stubborn = async {
                let mut interrupted = 0;
                while interrupted < 3 {
                    interrupted += u32::from(forever::<()>().await.is_err());
                }
                Ok(interrupted)
            };
            let child = spawn(stubborn).share();
            let gathering = started(gather([child.clone()])).await;
            for requests in 1..=3 {
                assert!(gathering.cancel());
                assert_eq!(child.cancelling(), requests);
                yield_now().await?;
                yield_now().await?;
            }
            assert_eq!(child.await?, 3);
            assert!(gathering.await.unwrap_err().is_cancelled());
            Ok(())
        });
    }

    /// GA-10
    #[test]
    fn after_a_failure_a_cancel_does_not_reach_the_siblings() {
        in_every_mode(async |_| {
            let sibling = spawn(forever::<()>());
            let sibling_ref = sibling.task_ref();
            let waiting = spawn(async {
                assert_eq!(shown(&gather((sibling, fails_after(1))).await), "fails");
                forever::<()>().await
            });
            nap(5).await?;
            waiting.cancel();
            assert!(waiting.await.unwrap_err().is_cancelled());
            assert_eq!(sibling_ref.cancelling(), 0);
            sibling_ref.cancel();
            Ok(())
        });
    }

    async fn fails_after(milliseconds: u64) -> Result<()> {
        nap(milliseconds).await?;
        oops("fails")
    }

    /// CX-7, GA-10, KQ-13
    #[test]
    fn a_cancel_wins_over_a_failure_that_was_not_seen_and_keeps_it() {
        in_every_mode(async |_| {
            let (failing, sibling) = (spawn(fails_after(1)), spawn(forever::<()>()));
            let (failing_ref, sibling_ref) = (failing.task_ref(), sibling.task_ref());
            let gathering = gather((failing, sibling));
            let waiting = spawn(gathering);
            // Called after what the gather has added.
            let target = waiting.task_ref();
            failing_ref.on_done(move |_| assert!(target.cancel()));
            let error = waiting.await.unwrap_err();
            assert!(error.is_cancelled());
            assert_eq!(displaced(&error), ["fails"]);
            assert_eq!(sibling_ref.cancelling(), 0);
            sibling_ref.cancel();
            Ok(())
        });
    }

    /// CX-20, GA-10
    #[test]
    fn a_request_that_comes_when_all_have_ended_can_be_taken_back() {
        in_every_mode(async |_| {
            let child = spawn(async { nap(1).await.map(|()| 42) });
            let waiter: Rc<Cell<Option<TaskRef>>> = Rc::default();
            child.on_done({
                let waiter = waiter.clone();
                move |_| {
                    let waiter = waiter.take().expect("it is set below");
                    assert!(waiter.cancel());
                    assert_eq!(waiter.uncancel(), 0);
                }
            });
            let waiting = spawn(gather([child]));
            waiter.set(Some(waiting.task_ref()));
            assert_eq!(waiting.await?, [42]);
            Ok(())
        });
    }

    /// GA-11
    #[test]
    fn when_it_is_cancelled_the_first_child_to_end_badly_decides() {
        in_every_mode(async |world| {
            let children = || {
                (ends_slowly::<()>(5, oops("slow")), ends_slowly::<()>(2, with_it()), ends_slowly(9, Ok(())))
            };
            let gathering = started(gather(children())).await;
            gathering.cancel();
            let error = gathering.await.unwrap_err();
            assert_eq!((tree(&error), world.now()), ("cancelled".into(), 2));
            nap(20).await?;
            assert_eq!(world.reports(), ["failed: slow"]);

            let begin = world.now();
            let gathering =
                started(gather((ends_slowly::<()>(1, oops("first")), ends_slowly::<()>(2, with_it())))).await;
            gathering.cancel();
            assert_eq!(shown(&gathering.await), "first");
            assert_eq!(world.now(), begin + 1);
            nap(20).await
        });
    }

    /// GA-12
    #[test]
    fn when_it_is_cancelled_and_returns_errors_it_waits_for_all_and_is_cancelled_all_the_same() {
        in_every_mode(async |world| {
            let children =
                (ends_slowly::<()>(5, oops("kept")), ends_slowly::<()>(2, with_it()), ends_slowly(9, Ok(())));
            let gathering = started(async { gather(children).return_exceptions().await.map(|_| ()) }).await;
            gathering.cancel();
            let error = gathering.await.unwrap_err();
            assert_eq!((tree(&error), world.now()), ("cancelled".into(), 9));
            // Nobody has seen it, and none is silent.
            assert_eq!(world.reports(), ["failed: kept"]);
            Ok(())
        });
    }

    /// GA-13
    #[test]
    fn when_it_is_cancelled_and_all_children_swallow_that_it_is_cancelled_all_the_same() {
        in_every_mode(async |world| {
            let gathering = started(gather((ends_slowly(5, Ok(1)), ends_slowly(2, Ok(2))))).await;
            gathering.cancel();
            assert!(gathering.await.unwrap_err().is_cancelled());
            assert_eq!(world.now(), 5);
            Ok(())
        });
    }

    /// KQ-3
    /// GA-13
    #[test]
    fn when_all_children_swallow_the_requests_the_gather_still_knows_the_reasons() {
        in_every_mode(async |_| {
            let stubborn = async || {
                assert!(forever::<()>().await.is_err());
                assert!(forever::<()>().await.is_err());
                Ok(())
            };
            let waiter = spawn(async move { gather([stubborn(), stubborn()]).await });
            nap(1).await?;
            waiter.cancel_with("one");
            nap(1).await?;
            waiter.cancel_with("two");
            let error = waiter.await.unwrap_err();
            let reasons: Vec<_> =
                error.as_cancelled().unwrap().causes().map(|cause| cause.reason.clone().unwrap()).collect();
            assert_eq!(reasons, ["one", "two"]);
            Ok(())
        });
    }

    /// GA-13
    #[test]
    fn the_reason_is_known_also_if_the_request_was_pending_when_the_gather_began() {
        in_every_mode(async |_| {
            let waiter = spawn(async {
                let stubborn = spawn(async { Ok(assert!(forever::<()>().await.is_err())) });
                yield_now().await?;
                current().unwrap().cancel_with("early");
                gather([stubborn]).await
            });
            let error = waiter.await.unwrap_err();
            assert_eq!(error.as_cancelled().unwrap().reason(), Some("early"));
            Ok(())
        });
    }

    #[test]
    fn the_reason_comes_from_the_first_child_that_was_cancelled() {
        in_every_mode(async |_| {
            let gathering = started(gather((ends_slowly::<()>(1, with_it()), ends_slowly(0, Ok(()))))).await;
            gathering.cancel_with("enough");
            let error = gathering.await.unwrap_err();
            assert_eq!(error.as_cancelled().and_then(|cancelled| cancelled.reason()), Some("enough"));
            Ok(())
        });
    }

    /// GA-6
    #[test]
    fn a_child_that_ends_cancelled_is_a_failure_and_the_waiter_is_not_cancelled() {
        in_every_mode(async |_| {
            let child = started(forever::<()>()).await;
            child.cancel();
            assert!(gather([child]).await.unwrap_err().is_cancelled());
            assert_eq!(count(), 0);
            yield_now().await
        });
    }
}

mod waiting {
    use super::*;

    /// WA-4
    #[test]
    fn a_task_that_ends_cancelled_has_not_failed() {
        in_every_order(async |world| {
            let tasks = [started(forever()).await, spawn(nap(7))];
            tasks[0].cancel();
            let waited = wait(&tasks, ReturnWhen::FirstException).await?;
            assert_eq!((waited.done.len(), waited.pending.len(), world.now()), (2, 0, 7));
            Ok(())
        });
    }

    /// WA-6
    #[test]
    fn it_suspends_even_if_everything_is_done() {
        in_every_mode(async |_| {
            let done = started(async { Ok(()) }).await;
            for when in [ReturnWhen::AllCompleted, ReturnWhen::FirstCompleted] {
                assert!(wait([&done], when).now_or_never().is_none());
                assert_eq!(wait([&done], when).await?.done.len(), 1);
            }
            Ok(())
        });
    }

    /// WA-6
    #[test]
    fn without_any_time_it_finds_done_what_can_end_at_once() {
        in_every_mode(async |world| {
            let (quick, slow) = (spawn(async { Ok(()) }), spawn(nap(1)));
            let waited = wait([&quick, &slow], ReturnWhen::AllCompleted).timeout(Duration::ZERO).await?;
            assert_eq!((waited.done.len(), waited.pending.len(), world.now()), (1, 1, 0));
            slow.await
        });
    }

    /// CX-11: it always suspends, so it is always a delivery point.
    #[test]
    fn a_pending_request_comes_out_of_it_even_if_everything_is_done() {
        in_every_mode(async |_| {
            let done = started(async { Ok(()) }).await.share();
            let waiting = task(async move {
                current().expect("a task").cancel();
                wait([done], ReturnWhen::AllCompleted).await.map(drop)
            });
            assert!(waiting.spawn().await.unwrap_err().is_cancelled());
            Ok(())
        });
    }
}

mod completing {
    use super::*;

    /// AC-5
    #[test]
    fn after_the_time_each_task_that_is_left_is_a_timeout_and_then_it_ends() {
        in_every_mode(async |world| {
            let tasks = [spawn(nap(1)), spawn(nap(50)), spawn(nap(60))];
            let mut completed = as_completed(&tasks).timeout(ms(10));
            let mut seen = Vec::new();
            while let Some(task) = completed.next().await {
                seen.push(shown(&task));
            }
            assert_eq!(seen, ["ok", "timeout", "timeout"]);
            assert!(completed.is_empty());
            assert_eq!(world.now(), 10);
            nap(60).await
        });
    }

    /// AC-5
    #[test]
    fn what_ends_after_its_timeout_was_given_is_not_given_as_well() {
        in_every_mode(async |_| {
            let mut completed = as_completed([spawn(nap(20)), spawn(nap(30))]).timeout(ms(10));
            assert_eq!(shown(&completed.next().await.expect("one")), "timeout");
            nap(25).await?;
            assert_eq!(shown(&completed.next().await.expect("two")), "timeout");
            nap(25).await?;
            assert!(completed.next().await.is_none());
            assert_eq!(completed.len(), 0);
            Ok(())
        });
    }

    /// AC-5
    #[test]
    fn what_ended_in_time_is_given_although_the_time_is_over_when_it_is_asked_for() {
        in_every_mode(async |_| {
            let mut completed = as_completed([spawn(nap(5)), spawn(nap(30))]).timeout(ms(10));
            nap(20).await?;
            assert_eq!(shown(&completed.next().await.expect("one")), "ok");
            assert_eq!(shown(&completed.next().await.expect("two")), "timeout");
            nap(20).await
        });
    }

    /// AC-6
    #[test]
    fn neither_its_timeout_nor_a_cancel_nor_its_end_cancels_the_tasks() {
        in_every_mode(async |_| {
            let slow = spawn(nap(50)).share();
            let mut completed = as_completed([slow.clone()]).timeout(ms(1));
            assert!(completed.next().await.expect("one").is_err());
            drop(completed);
            let consumer = started({
                let slow = slow.clone();
                async move { as_completed([slow]).next().await.expect("one").map(drop) }
            });
            let consumer = consumer.await;
            consumer.cancel();
            assert!(consumer.await.unwrap_err().is_cancelled());
            assert_eq!(slow.cancelling(), 0);
            slow.await
        });
    }

    /// AC-4: nothing is lost.
    #[test]
    fn a_consumer_that_is_cancelled_finds_later_what_has_ended() {
        in_every_mode(async |_| {
            let consumer = spawn(async {
                let mut completed = as_completed([spawn(nap(1)), spawn(nap(2))]);
                assert!(completed.next().await.expect("one").unwrap_err().is_cancelled());
                assert_eq!(completed.len(), 2);
                nap(5).await?;
                completed.next().await.expect("one")?.await?;
                completed.next().await.expect("two")?.await
            });
            yield_now().await?;
            consumer.cancel();
            consumer.await
        });
    }
}

mod shielding {
    use super::*;

    /// SH-3
    #[test]
    fn a_cancel_of_the_waiter_leaves_the_task_uncounted() {
        in_every_mode(async |_| {
            let task = spawn(nap(5)).share();
            let waiter = started(shield(task.clone())).await;
            waiter.cancel();
            assert!(waiter.await.unwrap_err().is_cancelled());
            assert_eq!(task.cancelling(), 0);
            task.await
        });
    }

    /// CX-7, KQ-13
    #[test]
    fn a_failure_that_was_not_seen_is_kept_beside_the_cancelled() {
        in_every_mode(async |_| {
            let task = spawn(async {
                nap(1).await?;
                oops::<()>("unseen")
            });
            let waiter: Rc<Cell<Option<TaskRef>>> = Rc::default();
            task.on_done({
                let waiter = waiter.clone();
                move |_| assert!(waiter.take().expect("it is set below").cancel())
            });
            let waiting = started(shield(task)).await;
            waiter.set(Some(waiting.task_ref()));
            let error = waiting.await.unwrap_err();
            assert!(error.is_cancelled());
            assert_eq!(displaced(&error), ["unseen"]);
            Ok(())
        });
    }

    /// CX-11, SH-2
    #[test]
    fn a_task_that_is_done_is_seen_although_a_request_is_pending() {
        in_every_mode(async |_| {
            let done = started(async { Ok(7) }).await.share();
            let waiting = spawn(async move {
                let own = current().expect("a task");
                own.cancel();
                let value = shield(done).await?;
                own.uncancel();
                Ok(value)
            });
            assert_eq!(waiting.await?, 7);
            Ok(())
        });
    }
}

mod waiting_for_one {
    use super::*;

    /// WF-1
    #[test]
    fn a_future_is_polled_in_place() {
        in_every_mode(async |_| {
            let own = current().expect("a task").id();
            let inside = wait_for(async { Ok(current().expect("a task").id()) }, ms(10)).await?;
            assert_eq!(inside, own);
            Ok(())
        });
    }

    /// CX-11, WF-7
    #[test]
    fn a_task_that_is_done_is_seen_although_a_request_is_pending() {
        in_every_mode(async |_| {
            for limit in [None, Some(ms(10)), Some(Duration::ZERO)] {
                let done = started(async { Ok(7) }).await.share();
                let waiting = spawn(async move {
                    let own = current().expect("a task");
                    own.cancel();
                    let value = wait_for(done, limit).await?;
                    own.uncancel();
                    Ok(value)
                });
                assert_eq!(waiting.await?, 7);
            }
            Ok(())
        });
    }

    /// WF-10
    #[test]
    fn without_any_time_a_task_that_produces_something_nevertheless_is_heard() {
        in_every_order(async |world| {
            let task = started(ends_slowly(3, Ok("late"))).await;
            assert_eq!(wait_for(task, Duration::ZERO).await?, "late");
            let task = started(ends_slowly::<()>(3, oops("late"))).await;
            assert_eq!(shown(&wait_for(task, Duration::ZERO).await), "late");
            assert_eq!(world.now(), 6);
            Ok(())
        });
    }

    /// WF-11
    #[test]
    fn without_any_time_a_waiter_that_is_cancelled_leaves_the_task_to_end_alone() {
        in_every_order(async |world| {
            let task = started(ends_slowly(5, Ok(()))).await.share();
            let waiter = started(wait_for(task.clone(), Duration::ZERO)).await;
            assert_eq!(task.cancelling(), 1);
            waiter.cancel();
            assert!(waiter.await.unwrap_err().is_cancelled());
            assert_eq!((task.cancelling(), world.now()), (1, 0));
            task.await?;
            assert_eq!(world.now(), 5);
            Ok(())
        });
    }

    /// WF-2
    #[test]
    fn the_caller_is_not_cancelled_by_a_time_limit() {
        in_every_mode(async |_| {
            for limit in [ms(1), Duration::ZERO] {
                let outcome = wait_for(started(forever::<()>()).await, limit).await;
                assert_eq!(shown(&outcome), "timeout");
                assert_eq!(count(), 0);
            }
            yield_now().await
        });
    }
}

mod racing {
    use super::*;

    type Attempt<T> = Pin<Box<dyn Future<Output = Result<T>>>>;

    fn attempt<T>(attempt: impl Future<Output = Result<T>> + 'static) -> Attempt<T> {
        Box::pin(attempt)
    }

    /// ST-1
    #[test]
    fn a_failure_starts_the_next_attempt_before_the_delay_is_over() {
        in_every_order(async |world| {
            let fails = async {
                nap(2).await?;
                oops("fails")
            };
            let attempts = [attempt(fails), attempt(async { nap(1).await.map(|()| "second") })];
            let outcome = race(attempts).stagger(ms(100)).await?;
            assert_eq!(outcome.winner, Some((1, "second")));
            assert_eq!(outcome.errors.iter().flatten().map(tree).collect::<Vec<_>>(), ["fails"]);
            assert_eq!(world.now(), 3);
            Ok(())
        });
    }

    /// ST-1
    #[test]
    fn without_a_delay_one_attempt_runs_at_a_time() {
        in_every_order(async |_| {
            let running = Rc::new(Cell::new(0));
            let attempts = (0..4).map(|n| {
                let running = running.clone();
                attempt(async move {
                    running.set(running.get() + 1);
                    assert_eq!(running.get(), 1);
                    nap(1).await?;
                    running.set(running.get() - 1);
                    if n < 3 { oops("fails") } else { Ok(n) }
                })
            });
            let outcome = race(attempts).stagger(None).await?;
            assert_eq!(outcome.winner, Some((3, 3)));
            assert_eq!(outcome.errors.len(), 4);
            Ok(())
        });
    }

    #[test]
    fn all_attempts_begin_together_unless_they_are_staggered() {
        in_every_order(async |world| {
            let attempts = [3, 1, 2].map(|ms| attempt(async move { nap(ms).await.map(|()| ms) }));
            let outcome = race(attempts).await?;
            assert_eq!(outcome.winner, Some((1, 1)));
            assert_eq!(outcome.errors.len(), 3);
            assert_eq!(world.now(), 1);
            Ok(())
        });
    }

    /// ST-2
    #[test]
    fn a_race_that_nobody_has_won_has_no_value_but_the_errors_of_all() {
        in_every_order(async |_| {
            let attempts = [attempt(async { oops::<()>("first") }), attempt(async { oops("second") })];
            let error = race(attempts).await?.into_value().unwrap_err();
            let errors = error.as_group().expect("a group").errors();
            assert_eq!(errors.iter().map(Error::to_string).collect::<Vec<_>>(), ["first", "second"]);

            let nobody: [Task<()>; 0] = [];
            let error = race(nobody).await?.into_value().unwrap_err();
            assert!(error.is::<homing::error::EmptyGroup>(), "{error:#}");
            Ok(())
        });
    }

    /// ST-3
    #[test]
    fn the_losers_are_waited_for_and_their_clean_up_is_not_cut_short() {
        in_every_order(async |world| {
            let attempts = [attempt(ends_slowly(7, Ok("late"))), attempt(async { Ok("wins") })];
            let outcome = race(attempts).stagger(ms(1)).await?;
            assert_eq!(outcome.winner, Some((1, "wins")));
            assert!(outcome.errors[0].as_ref().expect("it has lost").is_cancelled());
            assert_eq!(world.now(), 8);
            Ok(())
        });
    }

    /// ST-4
    #[test]
    fn a_cancel_goes_to_every_attempt_and_comes_out_when_all_have_ended_even_if_one_has_won() {
        in_every_order(async |world| {
            let attempts =
                [attempt(ends_slowly(5, Ok(()))), attempt(ends_slowly(3, with_it())), attempt(forever())];
            let racing = spawn(async { race(attempts).stagger(ms(1)).await.map(drop) });
            nap(3).await?;
            racing.cancel();
            assert!(racing.await.unwrap_err().is_cancelled());
            assert_eq!(world.now(), 8);
            Ok(())
        });
    }

    /// ST-5: and the order of the poll does not matter.
    #[test]
    fn there_is_one_winner_although_all_succeed_in_one_turn() {
        in_every_order(async |_| {
            let attempts = (0..5_u64).map(|n| async move {
                nap(10 - n).await?;
                Ok(n)
            });
            let outcome = race(attempts).stagger(ms(1)).await?;
            let (index, value) = outcome.winner.expect("one");
            assert_eq!(index as u64, value);
            assert!(outcome.errors[index].is_none());
            assert_eq!(outcome.errors.iter().filter(|error| error.is_none()).count(), 1);
            Ok(())
        });
    }

    /// NC-7
    #[test]
    fn dropped_midway_it_aborts_its_attempts_then_and_there() {
        in_every_mode(async |_| {
            let alive = Alive::default();
            let attempts = [attempt(holding(&alive)), attempt(holding(&alive)), attempt(holding(&alive))];
            {
                let racing = pin!(async { race(attempts).stagger(ms(1)).await });
                let _timed = select(racing, pin!(nap(1))).await;
                yield_now().await?;
                assert_eq!(alive.get(), 3);
            }
            assert_eq!(alive.get(), 0);
            Ok(())
        });
    }
}

/// Each of them, on one task: how it waits, and how it is let go.
mod in_foreign_combinators {
    use super::*;

    type Waiting = Pin<Box<dyn Future<Output = Result<()>>>>;

    /// All ways to wait for a task that do not own it.
    fn ways(task: &homing::SharedTask<()>) -> Vec<(&'static str, Waiting)> {
        let own = |_: &str| task.clone();
        vec![
            ("gather", Box::pin(gather([own("gather")]).map(|outcome| outcome.map(|_| ())))),
            ("gather all", {
                let gathering = gather([own("gather")]).return_exceptions();
                Box::pin(gathering.map(|outcome| outcome.map(|_| ())))
            }),
            (
                "wait",
                Box::pin(wait([own("wait")], ReturnWhen::AllCompleted).map(|outcome| outcome.map(|_| ()))),
            ),
            ("as completed", {
                let mut completed = as_completed([own("as completed")]);
                Box::pin(async move { completed.next().await.expect("one").map(drop) })
            }),
            ("shield", Box::pin(shield(own("shield")))),
            ("wait for", Box::pin(wait_for(own("wait for"), ms(1000)))),
            ("wait for, at once", Box::pin(async { wait_for(forever(), ms(0)).await })),
        ]
    }

    /// How many ways there are to wait for the very task.
    const WAYS: usize = 6;

    /// The request that comes after that is for the rest of the task alone.
    #[test]
    fn let_go_by_a_select_they_forward_no_request_any_more() {
        in_every_mode(async |_| {
            for way in 0..WAYS {
                let task = spawn(forever::<()>()).share();
                let waiter = spawn({
                    let task = task.clone();
                    async move {
                        let (name, waiting) = ways(&task).swap_remove(way);
                        let _let_go = select(waiting, pin!(nap(1))).await;
                        let interrupted = forever::<()>().await;
                        assert!(interrupted.unwrap_err().is_cancelled(), "{name}");
                        Ok(name)
                    }
                });
                nap(2).await?;
                waiter.cancel();
                let name = waiter.await?;
                assert_eq!(task.cancelling(), 0, "{name}");
                task.cancel();
            }
            Ok(())
        });
    }

    #[test]
    fn kept_beside_a_select_and_polled_again_they_see_the_end_of_the_task() {
        in_every_mode(async |world| {
            for way in 0..WAYS {
                let begin = world.now();
                let task = spawn(nap(10)).share();
                let (name, mut waiting) = ways(&task).swap_remove(way);
                for _ in 0..3 {
                    let napped = matches!(select(&mut waiting, pin!(nap(2))).await, Either::Right(_));
                    assert!(napped, "{name}");
                }
                waiting.await?;
                assert_eq!(world.now(), begin + 10, "{name}");
            }
            Ok(())
        });
    }

    #[test]
    fn under_wakers_of_their_own_they_see_the_end_of_the_task() {
        in_every_order(async |world| {
            let task = spawn(nap(10)).share();
            let all = ways(&task)
                .into_iter()
                .take(WAYS)
                .map(|(name, waiting)| async move { (name, waiting.await) });
            let ended: Vec<_> = all.collect::<FuturesUnordered<_>>().collect().await;
            for (name, outcome) in &ended {
                assert_eq!(shown(outcome), "ok", "{name}");
            }
            assert_eq!((ended.len(), world.now()), (WAYS, 10));
            Ok(())
        });
    }

    /// NC-2: each leaf that is parked at the moment of the request gets it once.
    #[test]
    fn in_a_join_a_cancel_ends_all_of_them_and_the_task_is_cancelled_by_those_that_forward() {
        in_every_mode(async |_| {
            for way in 0..WAYS {
                let task = spawn(forever::<()>()).share();
                let waiter = started({
                    let task = task.clone();
                    async move {
                        let (name, waiting) = ways(&task).swap_remove(way);
                        let (first, second) = join(waiting, nap(1000)).await;
                        assert!(first.unwrap_err().is_cancelled(), "{name}");
                        assert!(second.unwrap_err().is_cancelled(), "{name}");
                        Ok(name)
                    }
                });
                let waiter = waiter.await;
                waiter.cancel();
                let name = waiter.await?;
                let forwards = ["gather", "gather all", "wait for"].contains(&name);
                assert_eq!(task.is_cancelled(), forwards, "{name}");
                assert_eq!(task.cancelling(), u32::from(forwards), "{name}");
                task.cancel();
            }
            Ok(())
        });
    }

    #[test]
    fn under_wakers_of_their_own_a_cancel_ends_all_of_them() {
        in_every_mode(async |_| {
            let task = spawn(forever::<()>()).share();
            let waiter = started({
                let task = task.clone();
                async move {
                    let all =
                        ways(&task).into_iter().map(|(name, waiting)| async move { (name, waiting.await) });
                    let ended: Vec<_> = all.collect::<FuturesUnordered<_>>().collect().await;
                    for (name, outcome) in &ended {
                        let expected = if *name == "wait for, at once" { "timeout" } else { "cancelled" };
                        assert_eq!(shown(outcome), expected, "{name}");
                    }
                    Ok(ended.len())
                }
            });
            let waiter = waiter.await;
            yield_now().await?;
            waiter.cancel();
            assert_eq!(waiter.await?, WAYS + 1);
            assert!(task.is_cancelled());
            Ok(())
        });
    }

    /// A timeout is a request for its own block alone.
    #[test]
    fn in_a_timeout_beside_other_work_only_they_are_interrupted() {
        in_every_mode(async |world| {
            for way in 0..WAYS {
                let begin = world.now();
                let task = spawn(forever::<()>()).share();
                let (name, waiting) = ways(&task).swap_remove(way);
                let (first, second) = join(timeout(ms(5), waiting), nap(20)).await;
                assert_eq!(shown(&first), "timeout", "{name}");
                assert_eq!(shown(&second), "ok", "{name}");
                assert_eq!(world.now(), begin + 20, "{name}");
                task.cancel();
            }
            Ok(())
        });
    }

    #[test]
    fn dropped_before_they_are_polled_they_do_nothing() {
        in_every_mode(async |_| {
            let task = spawn(nap(1)).share();
            drop(ways(&task));
            assert_eq!(task.cancelling(), 0);
            task.await
        });
    }

    /// They need no task around them to be waited for: nothing then is cancelled.
    #[test]
    fn made_cancellable_once_more_they_are_no_worse() {
        run(false, None, &async |_: &common::World| {
            let task = spawn(nap(3)).share();
            for (name, waiting) in ways(&task).into_iter().take(WAYS) {
                assert_eq!(shown(&waiting.cancellable().await?), "ok", "{name}");
            }
            Ok(())
        });
    }

    /// A stream of its own, in the hands of foreign combinators.
    #[test]
    fn as_completed_is_a_stream() {
        in_every_order(async |_| {
            let tasks = (1..=4_u64).map(|n| {
                spawn(async move {
                    nap(n).await?;
                    Ok(n)
                })
            });
            let completed = as_completed(tasks);
            assert_eq!(completed.len(), 4);
            let values = completed.then(|task: Result<Task<u64>>| async { task?.await });
            let values: Vec<Result<u64>> = values.collect().await;
            assert_eq!(values.into_iter().collect::<Result<Vec<_>>>()?, [1, 2, 3, 4]);
            Ok(())
        });
    }
}
