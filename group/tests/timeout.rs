//! Every rule on timeouts (TO), each as a test that can fail.

mod common;

use common::{Alive, Log, count, forever, in_every_mode, in_every_order, ms, nap, oops, shown, started};
use futures_util::future::{FutureExt, join, pending};
use futures_util::stream::{FuturesUnordered, StreamExt};
use homing::error::Asker;
use homing::{
    Error, Instant, Result, RuntimeError, TaskGroup, TimedOut, TimeoutScope, call_soon, current, sleep,
    spawn, task_group, timeout, timeout_at, timeout_scope, yield_now,
};
use homing_group::Reschedule;
use std::cell::{Cell, RefCell};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

fn is_timeout<T>(outcome: &Result<T>) -> bool {
    matches!(outcome, Err(error) if error.is::<TimedOut>())
}

fn reason(error: &Error) -> Option<&str> {
    error.as_cancelled()?.reason()
}

mod deadline {
    use super::*;

    /// TO-1
    #[test]
    fn it_is_counted_from_the_call_and_not_from_the_first_poll() {
        in_every_mode(async |world| {
            let (limit, scope) = (timeout(ms(10), forever::<()>()), TimeoutScope::new(ms(20)));
            nap(5).await?;
            assert!(is_timeout(&limit.await));
            assert_eq!(world.now(), 10);
            assert!(is_timeout(&scope.run(async |_| forever::<()>().await).await));
            assert_eq!(world.now(), 20);
            Ok(())
        });
    }

    /// TO-1
    #[test]
    fn a_point_in_time_is_taken_as_it_is() {
        in_every_mode(async |world| {
            let at = Instant::now() + ms(10);
            nap(5).await?;
            assert!(is_timeout(&timeout_at(at, forever::<()>()).await));
            assert_eq!(world.now(), 10);
            let at = Instant::now() + ms(10);
            let scope = TimeoutScope::at(at);
            assert_eq!(scope.when(), Some(at));
            assert!(is_timeout(&scope.run(async |_| forever::<()>().await).await));
            assert_eq!(world.now(), 20);
            Ok(())
        });
    }

    /// TO-1
    #[test]
    fn none_never_comes() {
        in_every_mode(async |_| {
            timeout(None, nap(1_000_000)).await?;
            timeout_at(None, nap(1_000_000)).await?;
            timeout_scope(None, async |t| {
                assert_eq!(t.when(), None);
                nap(1_000_000).await?;
                assert!(!t.expired());
                Ok(())
            })
            .await
        });
    }

    /// TO-1
    #[test]
    fn one_beyond_the_end_of_the_clock_never_comes() {
        in_every_mode(async |_| {
            timeout(Duration::MAX, nap(1_000_000)).await?;
            timeout_at(Instant::FAR_FUTURE, nap(1_000_000)).await?;
            timeout_scope(Duration::MAX, async |t| {
                t.reschedule(Instant::now() + Duration::MAX)?;
                nap(1_000_000).await
            })
            .await
        });
    }

    /// TO-3: though it be zero, or past.
    #[test]
    fn a_body_that_never_suspends_is_never_interrupted() {
        in_every_mode(async |_| {
            assert_eq!(timeout(Duration::ZERO, async { Ok(1) }).await?, 1);
            nap(5).await?;
            assert_eq!(timeout_at(Instant::now() - ms(5), async { Ok(1) }).await?, 1);
            timeout_scope(Duration::ZERO, async |t| {
                assert!(!t.expired());
                Ok(())
            })
            .await?;
            yield_now().await
        });
    }

    /// TO-3
    #[test]
    fn a_body_that_suspends_once_is_interrupted_by_zero() {
        in_every_order(async |world| {
            assert!(is_timeout(&timeout(Duration::ZERO, yield_now()).await));
            assert!(is_timeout(&timeout(Duration::ZERO, sleep(Duration::ZERO)).await));
            nap(5).await?;
            assert!(is_timeout(&timeout_at(Instant::now() - ms(5), sleep(Duration::ZERO)).await));
            let scope = timeout_scope(Duration::ZERO, async |t| {
                let interrupted = yield_now().await;
                assert!(t.expired());
                interrupted
            });
            assert!(is_timeout(&scope.await));
            assert_eq!((count(), world.now()), (0, 5));
            Ok(())
        });
    }

    /// TO-4: in real time, because virtual time does not pass while a body runs.
    #[test]
    fn a_body_that_blocks_past_it_and_ends_is_not_interrupted() {
        let outcome = homing::run(timeout(ms(1), async {
            std::thread::sleep(ms(3));
            Ok("value")
        }));
        assert_eq!(outcome.unwrap(), "value");
    }

    /// TO-4: but one that then suspends is.
    #[test]
    fn a_body_that_blocks_past_it_and_suspends_is_interrupted() {
        let outcome = homing::run(timeout(ms(1), async {
            std::thread::sleep(ms(3));
            nap(3600 * 1000).await
        }));
        assert!(is_timeout(&outcome));
    }
}

mod entering {
    use super::*;

    /// TO-2
    #[test]
    fn outside_of_a_task_a_timeout_is_refused_and_stays_unentered() {
        in_every_mode(async |_| {
            let scope = TimeoutScope::new(ms(10));
            let refused = Rc::new(Cell::new(0));
            let count_refusals = |poll: Poll<Result<()>>, refused: &Cell<u32>| {
                if let Poll::Ready(Err(error)) = poll
                    && error.downcast_ref() == Some(&RuntimeError::NoTask)
                {
                    refused.set(refused.get() + 1);
                }
            };
            call_soon({
                let (scope, refused) = (scope.clone(), refused.clone());
                move || {
                    let mut cx = Context::from_waker(Waker::noop());
                    count_refusals(pin!(scope.run(async |_| Ok(()))).poll(&mut cx), &refused);
                    count_refusals(pin!(timeout(ms(5), async { Ok(()) })).poll(&mut cx), &refused);
                }
            });
            yield_now().await?;
            assert_eq!(refused.get(), 2);
            assert_eq!(scope.reschedule(None), Err(Reschedule::NotEntered));
            scope.run(async |_| Ok(())).await
        });
    }

    /// TO-2
    #[test]
    fn a_timeout_is_entered_once() {
        in_every_mode(async |_| {
            let scope = TimeoutScope::new(ms(10));
            let (nested, after) = (scope.clone(), scope.clone());
            let is_refused = |outcome: Result<()>| {
                assert_eq!(outcome.unwrap_err().downcast_ref(), Some(&RuntimeError::AlreadyEntered));
            };
            let outcome = scope
                .run(async |_| {
                    is_refused(nested.run(async |_| unreachable!("it is not entered")).await);
                    // The refusal has not harmed the one that is running.
                    forever::<()>().await
                })
                .await;
            assert!(is_timeout(&outcome));
            // Not even called.
            let call =
                |_: &TimeoutScope| -> std::future::Ready<Result<()>> { unreachable!("it is not entered") };
            is_refused(after.run(call).await);
            Ok(())
        });
    }
}

mod states {
    use super::*;

    /// TO-6, TO-7: a look at each state.
    #[test]
    fn every_state_shows_itself_and_only_an_active_one_can_be_rescheduled() {
        in_every_mode(async |_| {
            let scope = TimeoutScope::new(ms(10));
            let when = scope.when();
            assert_eq!(format!("{scope:?}"), "TimeoutScope { state: Created }");
            assert_eq!(scope.reschedule(when), Err(Reschedule::NotEntered));
            assert!(!scope.expired());
            let handle = scope.clone();
            let outcome = scope
                .run(async |t| {
                    assert_eq!(format!("{t:?}"), format!("TimeoutScope {{ state: Active, when: {when:?} }}"));
                    t.reschedule(when)?;
                    let interrupted = forever::<()>().await;
                    assert_eq!(format!("{t:?}"), "TimeoutScope { state: Expiring }");
                    assert_eq!(t.reschedule(when), Err(Reschedule::Expiring));
                    assert!(t.expired());
                    interrupted
                })
                .await;
            assert!(is_timeout(&outcome));
            assert_eq!(format!("{handle:?}"), "TimeoutScope { state: Expired }");
            assert_eq!(handle.reschedule(when), Err(Reschedule::Expired));
            assert!(handle.expired());
            assert_eq!(handle.when(), when);

            let scope = TimeoutScope::new(ms(10));
            let handle = scope.clone();
            scope.run(async |_| Ok(())).await?;
            assert_eq!(format!("{handle:?}"), "TimeoutScope { state: Finished }");
            assert_eq!(handle.reschedule(None), Err(Reschedule::Finished));
            nap(20).await?;
            assert!(!handle.expired());
            Ok(())
        });
    }

    /// TO-7
    #[test]
    fn a_refused_reschedule_says_why() {
        let messages =
            [Reschedule::NotEntered, Reschedule::Expiring, Reschedule::Expired, Reschedule::Finished]
                .map(|refused| refused.to_string());
        for (index, message) in messages.iter().enumerate() {
            assert!(message.starts_with("the timeout cannot be rescheduled: "), "{message}");
            assert!(!messages[..index].contains(message));
        }
    }

    /// TO-7
    #[test]
    fn a_deadline_is_moved_on() {
        in_every_order(async |world| {
            let outcome = timeout_scope(ms(10), async |t| {
                for _ in 0..5 {
                    nap(9).await?;
                    t.reschedule(Instant::now() + ms(10))?;
                }
                forever::<()>().await
            })
            .await;
            assert!(is_timeout(&outcome));
            assert_eq!(world.now(), 55);
            Ok(())
        });
    }

    /// TO-7
    #[test]
    fn a_deadline_is_brought_forward_before_the_first_suspension() {
        in_every_order(async |world| {
            let outcome = timeout_scope(ms(1000), async |t| {
                t.reschedule(Instant::now() + ms(10))?;
                forever::<()>().await
            })
            .await;
            assert!(is_timeout(&outcome));
            assert_eq!(world.now(), 10);
            Ok(())
        });
    }

    /// TO-7
    #[test]
    fn a_deadline_is_switched_off_and_on_again() {
        in_every_order(async |world| {
            let outcome = timeout_scope(ms(10), async |t| {
                nap(5).await?;
                t.reschedule(None)?;
                assert_eq!(t.when(), None);
                nap(100).await?;
                t.reschedule(Instant::now() + ms(10))?;
                forever::<()>().await
            })
            .await;
            assert!(is_timeout(&outcome));
            assert_eq!(world.now(), 115);
            Ok(())
        });
    }

    /// TO-7: another task moves it while the block is suspended.
    #[test]
    fn a_deadline_is_moved_by_another_task() {
        in_every_order(async |world| {
            for (first, then, expected) in [
                (Some(ms(10)), Some(ms(50)), 50),
                (Some(ms(50)), Some(ms(10)), 10),
                (None, Some(ms(10)), 10),
                (Some(Duration::MAX), Some(ms(10)), 10),
            ] {
                let begin = world.now();
                let scope = TimeoutScope::new(first);
                let handle = scope.clone();
                let at = then.map(|then| Instant::now() + then);
                let mover = spawn(async move {
                    nap(5).await?;
                    handle.reschedule(at)?;
                    assert_eq!(handle.when(), at);
                    Ok(())
                });
                assert!(is_timeout(&scope.run(async |_| forever::<()>().await).await));
                mover.await?;
                assert_eq!(world.now() - begin, expected);
            }
            let scope = TimeoutScope::new(ms(10));
            let handle = scope.clone();
            let mover = spawn(async move {
                yield_now().await?;
                yield_now().await?;
                Ok(handle.reschedule(None)?)
            });
            scope.run(async |_| nap(100).await).await?;
            mover.await
        });
    }

    /// TO-7
    #[test]
    fn a_deadline_moved_to_the_past_interrupts_in_the_next_turn() {
        in_every_order(async |world| {
            nap(10).await?;
            let outcome = timeout_scope(ms(1000), async |t| {
                t.reschedule(Instant::now() - ms(5))?;
                assert!(!t.expired());
                forever::<()>().await
            })
            .await;
            assert!(is_timeout(&outcome));
            let scope = TimeoutScope::new(None);
            let handle = scope.clone();
            let mover = spawn(async move {
                yield_now().await?;
                yield_now().await?;
                Ok(handle.reschedule(Instant::now() - ms(5))?)
            });
            assert!(is_timeout(&scope.run(async |_| forever::<()>().await).await));
            mover.await?;
            assert_eq!(world.now(), 10);
            Ok(())
        });
    }

    /// TO-6, TO-7: the timer has fired, and the block has not been polled since.
    #[test]
    fn between_the_deadline_and_the_blocks_next_poll_it_is_expired_and_cannot_be_moved() {
        in_every_mode(async |_| {
            let scope = TimeoutScope::new(ms(10));
            let handle = scope.clone();
            // Due at the same time, and polled before the block.
            let looker = started(async move {
                nap(10).await?;
                assert!(handle.expired());
                assert_eq!(handle.reschedule(None), Err(Reschedule::Expiring));
                Ok(())
            })
            .await;
            assert!(is_timeout(&scope.run(async |_| forever::<()>().await).await));
            looker.await
        });
    }

    /// TO-6: whatever happens afterwards, also if the block is dropped before it could be interrupted.
    #[test]
    fn a_block_that_is_dropped_just_after_its_deadline_has_expired() {
        in_every_mode(async |_| {
            let scope = TimeoutScope::new(ms(10));
            let handle = scope.clone();
            let subject = homing::task(scope.run(async |_| forever::<()>().await)).queued().spawn();
            let watched = handle.clone();
            let victim = subject.task_ref();
            // Polled before the block, because its timer was armed before.
            let killer = started(async move {
                nap(10).await?;
                assert!(watched.expired());
                victim.abort();
                Ok(())
            });
            killer.await.await?;
            assert!(handle.expired());
            assert_eq!(handle.reschedule(None), Err(Reschedule::Expired));
            drop(subject);
            Ok(())
        });
    }

    /// TO-7: however the block is left, nothing fires later.
    #[test]
    fn leaving_the_block_disarms_the_timer() {
        in_every_order(async |world| {
            timeout(ms(10), nap(1)).await?;
            let _ = timeout(ms(10), async { oops::<()>("body") }).await;
            assert!(timeout(ms(10), forever::<()>()).now_or_never().is_none());
            let outcome = AssertUnwindSafe(timeout(ms(10), async {
                nap(1).await?;
                std::panic::panic_any("body") as Result<()>
            }))
            .catch_unwind()
            .await;
            assert!(outcome.is_err());
            assert_eq!(count(), 0);
            assert_eq!(world.now(), 2);
            nap(100).await
        });
    }
}

mod expiry {
    use super::*;

    /// TO-5, TO-8
    #[test]
    fn it_interrupts_the_await_where_the_body_stands_and_becomes_timed_out() {
        in_every_order(async |world| {
            let log = Log::new();
            let (here, limited) = (
                line!() + 1,
                timeout(ms(10), async {
                    let interrupted = forever::<()>().await;
                    assert!(interrupted.as_ref().unwrap_err().is_cancelled());
                    assert_eq!(count(), 1);
                    log.push("interrupted");
                    interrupted
                }),
            );
            let error = limited.await.unwrap_err();
            assert_eq!(log.take(), ["interrupted"]);
            assert!(!error.is_cancelled() && error.is_timeout());
            assert_eq!((count(), world.now()), (0, 10));
            let timed_out = error.downcast_ref::<TimedOut>().unwrap();
            assert_eq!(timed_out.after(), Some(ms(10)));
            assert_eq!(timed_out.place().map(|place| (place.file(), place.line())), Some((file!(), here)));
            let cause = timed_out.cause().unwrap().causes().next().unwrap().into_owned();
            assert_eq!(cause.by, Asker::Timeout { after: Some(ms(10)) });
            assert_eq!(cause.at.map(|place| place.line()), Some(here));
            yield_now().await
        });
    }

    /// TO-8: the task goes on, and ends as it likes.
    #[test]
    fn a_task_that_handles_it_is_not_cancelled() {
        in_every_order(async |_| {
            let subject = spawn(async {
                assert!(is_timeout(&timeout(ms(10), forever::<()>()).await));
                nap(10).await?;
                Ok("value")
            });
            let watched = subject.task_ref();
            assert_eq!(subject.await?, "value");
            assert!(!watched.is_cancelled());
            Ok(())
        });
    }

    /// TO-8: a task that lets it out fails.
    #[test]
    fn a_task_that_lets_it_out_fails_and_is_not_cancelled() {
        in_every_order(async |_| {
            let subject = spawn(timeout(ms(10), forever::<()>()));
            let watched = subject.task_ref();
            assert!(is_timeout(&subject.await));
            assert!(!watched.is_cancelled());
            Ok(())
        });
    }

    /// TO-5, CX-4: a body that awaits a task passes the request on, and waits for how that one ends.
    #[test]
    fn a_body_that_awaits_a_task_has_the_task_cancelled() {
        in_every_order(async |world| {
            let task = spawn(async {
                let cancelled = forever::<()>().await;
                nap(20).await?;
                cancelled
            });
            let watched = task.task_ref();
            assert!(is_timeout(&timeout(ms(10), task).await));
            assert!(watched.is_cancelled());
            assert_eq!(world.now(), 30);

            let swallows = spawn(async {
                forever::<()>().await.unwrap_err();
                Ok("swallowed")
            });
            assert_eq!(timeout(ms(10), swallows).await?, "swallowed");
            assert_eq!(count(), 0);
            yield_now().await
        });
    }

    /// TO-9
    #[test]
    fn a_body_that_fails_in_clean_up_fails_with_that() {
        in_every_order(async |world| {
            let failing = timeout(ms(10), async {
                forever::<()>().await.unwrap_err();
                nap(5).await?;
                oops::<()>("clean-up")
            });
            let error = failing.await.unwrap_err();
            assert_eq!(shown::<()>(&Err(error.clone())), "clean-up");
            let trail: Vec<_> = error.trail().map(|note| note.kind).collect();
            assert_eq!(trail, ["timeout"]);
            assert_eq!((count(), world.now()), (0, 15));
            yield_now().await
        });
    }

    /// TO-10
    #[test]
    fn a_body_that_swallows_it_has_its_value_and_is_not_interrupted_again() {
        in_every_order(async |world| {
            let outcome = timeout_scope(ms(10), async |t| {
                forever::<()>().await.unwrap_err();
                nap(100).await?;
                assert!(t.expired());
                assert_eq!(count(), 1);
                Ok("value")
            })
            .await;
            assert_eq!(outcome?, "value");
            assert_eq!((count(), world.now()), (0, 110));
            yield_now().await
        });
    }

    /// TO-11
    #[test]
    fn an_error_before_it_passes_untouched() {
        in_every_order(async |_| {
            let error = timeout(ms(10), async {
                nap(5).await?;
                oops::<()>("body")
            })
            .await
            .unwrap_err();
            assert_eq!(error.trail().count(), 0);
            assert_eq!(shown::<()>(&Err(error)), "body");
            Ok(())
        });
    }

    /// TO-8: a `Cancelled` that the body makes up in time is nobody's timeout.
    #[test]
    fn a_cancelled_of_the_bodys_own_passes() {
        in_every_order(async |_| {
            let outcome =
                timeout(ms(10), async { Err::<(), _>(homing::Cancelled::new().with_reason("own").into()) });
            assert_eq!(reason(&outcome.await.unwrap_err()), Some("own"));
            Ok(())
        });
    }

    /// TO-17: whichever was first, the body has not seen it yet.
    #[test]
    fn over_a_result_that_came_in_the_same_turn_it_wins() {
        in_every_order(async |world| {
            assert!(is_timeout(&timeout(ms(10), nap(10)).await));
            let task = started(nap(20)).await;
            assert!(is_timeout(&timeout_at(Instant::now() + ms(10), task).await));
            assert_eq!(world.now(), 20);
            Ok(())
        });
    }

    /// KQ-13: nor is an error lost that it wins over.
    #[test]
    fn an_error_that_it_wins_over_is_kept_with_it() {
        in_every_mode(async |_| {
            let task = started(async {
                nap(10).await?;
                oops::<()>("displaced")
            })
            .await;
            let limited = timeout_at(Instant::now() + ms(10), task).await;
            let error = limited.unwrap_err();
            assert!(error.is::<TimedOut>());
            let cause = error.downcast_ref::<TimedOut>().unwrap().cause().unwrap().as_error();
            assert_eq!(
                cause.displaced().map(|error| shown::<()>(&Err(error.clone()))).collect::<Vec<_>>(),
                ["displaced"]
            );
            Ok(())
        });
    }

    /// NC-3
    #[test]
    fn a_foreign_future_is_dropped() {
        in_every_order(async |world| {
            let alive = Alive::default();
            let guard = alive.guard();
            let outcome = timeout(ms(10), async move {
                let _guard = guard;
                pending::<()>().await;
                Ok(())
            })
            .await;
            assert!(is_timeout(&outcome));
            assert_eq!((alive.get(), count(), world.now()), (0, 0, 10));
            Ok(())
        });
    }

    /// NC-3: gone before the code after the timeout runs.
    #[test]
    fn a_foreign_future_is_gone_when_the_timeout_is_known() {
        in_every_order(async |_| {
            let log = Log::new();
            let dropped = log.at_drop("dropped");
            let limited = timeout(ms(10), async move {
                let _dropped = dropped;
                pending::<()>().await;
                Ok(())
            });
            let limited = async {
                let outcome = limited.await;
                log.push("known");
                outcome
            };
            assert!(is_timeout(&limited.await));
            assert_eq!(log.take(), ["dropped", "known"]);
            Ok(())
        });
    }

    /// A future that is awaited by reference is not consumed: another attempt goes on where it stands.
    #[test]
    fn a_future_by_reference_is_given_another_chance() {
        in_every_order(async |world| {
            let task = spawn(async {
                let mut interruptions = 0;
                while nap(35).await.is_err() {
                    interruptions += 1;
                }
                Ok(interruptions)
            });
            let mut task = pin!(task);
            let outcome = timeout(ms(10), task.as_mut()).await;
            // Awaiting it forwards the request, and it swallowed that: the timeout waits for it.
            assert_eq!(outcome?, 1);
            assert_eq!(world.now(), 45);
            Ok(())
        });
    }

    /// The usual loop: poll the same foreign future for a while, then do something else, and again.
    #[test]
    fn a_foreign_future_by_reference_survives_a_loop_of_timeouts() {
        in_every_order(async |world| {
            let (sender, receiver) = futures_channel();
            let sending = spawn(async move {
                nap(35).await?;
                sender.send("sent");
                Ok(())
            });
            let mut receiver = pin!(receiver);
            let mut rounds = 0;
            let got = loop {
                match timeout(ms(10), receiver.as_mut()).await {
                    Ok(got) => break got,
                    Err(error) if error.is_timeout() => rounds += 1,
                    Err(error) => return Err(error),
                }
            };
            assert_eq!((got, rounds, world.now()), ("sent", 3, 35));
            sending.await
        });
    }

    /// And the same with a leaf of homing's, which is begun anew after each interruption.
    #[test]
    fn a_sleep_by_reference_goes_on_after_a_timeout() {
        in_every_order(async |world| {
            let mut slept = pin!(sleep(ms(35)));
            let mut rounds = 0;
            while is_timeout(&timeout(ms(10), slept.as_mut()).await) {
                rounds += 1;
            }
            assert_eq!((rounds, world.now()), (3, 35));
            Ok(())
        });
    }

    struct Sender(Rc<RefCell<(Option<&'static str>, Option<Waker>)>>);

    impl Sender {
        fn send(self, message: &'static str) {
            let (slot, waker) = &mut *self.0.borrow_mut();
            *slot = Some(message);
            waker.take().into_iter().for_each(Waker::wake);
        }
    }

    /// A foreign one-shot channel.
    fn futures_channel() -> (Sender, impl Future<Output = Result<&'static str>>) {
        let shared = Rc::new(RefCell::new((None, None)));
        let receiver = {
            let shared = shared.clone();
            std::future::poll_fn(move |cx| {
                let (slot, waker) = &mut *shared.borrow_mut();
                match slot.take() {
                    Some(message) => Poll::Ready(Ok(message)),
                    None => {
                        *waker = Some(cx.waker().clone());
                        Poll::Pending
                    }
                }
            })
        };
        (Sender(shared), receiver)
    }
}

mod outside {
    use super::*;

    /// TO-12
    #[test]
    fn a_cancel_before_the_deadline_passes_through() {
        in_every_order(async |world| {
            let scope = TimeoutScope::new(ms(50));
            let handle = scope.clone();
            let subject = started(scope.run(async |_| forever::<()>().await)).await;
            nap(10).await?;
            subject.cancel_with("enough");
            let watched = subject.task_ref();
            assert_eq!(reason(&subject.await.unwrap_err()), Some("enough"));
            assert!(!handle.expired());
            assert_eq!((watched.cancelling(), world.now()), (1, 10));
            Ok(())
        });
    }

    /// TO-13: first the deadline, then the cancel, and only then the block's turn.
    #[test]
    fn a_cancel_just_after_the_deadline_passes_through() {
        in_every_mode(async |_| {
            let scope = TimeoutScope::new(ms(10));
            let handle = scope.clone();
            let target = Rc::new(RefCell::new(None::<homing::TaskRef>));
            let aimed = target.clone();
            // Its timer is armed first, so it is polled first in the turn in which both are due.
            let canceller = started(async move {
                nap(10).await?;
                assert!(handle.expired());
                aimed.borrow().as_ref().unwrap().cancel_with("enough");
                Ok(())
            })
            .await;
            let subject = started(scope.run(async |_| forever::<()>().await)).await;
            *target.borrow_mut() = Some(subject.task_ref());
            canceller.await?;
            let watched = subject.task_ref();
            assert_eq!(reason(&subject.await.unwrap_err()), Some("enough"));
            assert_eq!(watched.cancelling(), 1);
            Ok(())
        });
    }

    /// TO-13: first the cancel, then the deadline, and only then the block's turn.
    #[test]
    fn a_cancel_just_before_the_deadline_passes_through() {
        in_every_order(async |_| {
            let scope = TimeoutScope::new(None);
            let handle = scope.clone();
            let subject = started(scope.run(async |_| forever::<()>().await)).await;
            subject.cancel_with("enough");
            handle.reschedule(Instant::now())?;
            let watched = subject.task_ref();
            assert_eq!(reason(&subject.await.unwrap_err()), Some("enough"));
            assert!(handle.expired());
            assert_eq!(watched.cancelling(), 1);
            Ok(())
        });
    }

    /// TO-8: somebody else asks while the block is cleaning up.
    #[test]
    fn a_cancel_while_the_block_cleans_up_passes_through() {
        in_every_order(async |_| {
            let scope = TimeoutScope::new(ms(10));
            let handle = scope.clone();
            let subject = started(scope.run(async |_| {
                forever::<()>().await.unwrap_err();
                nap(20).await
            }))
            .await;
            nap(15).await?;
            subject.cancel_with("enough");
            let watched = subject.task_ref();
            assert_eq!(reason(&subject.await.unwrap_err()), Some("enough"));
            assert!(handle.expired());
            assert_eq!(watched.cancelling(), 1);
            Ok(())
        });
    }

    /// TO-14, gh-102780
    #[test]
    fn a_timeout_works_in_the_clean_up_after_a_cancel() {
        in_every_order(async |_| {
            let subject = started(async {
                let cancelled = forever::<()>().await;
                assert!(is_timeout(&timeout(ms(10), forever::<()>()).await));
                assert_eq!(count(), 1);
                nap(10).await?;
                cancelled
            })
            .await;
            subject.cancel();
            assert!(subject.await.unwrap_err().is_cancelled());
            Ok(())
        });
    }

    /// TO-12, CX-11: pending at the end of a block that never suspended, it stays so.
    #[test]
    fn a_cancel_pending_at_the_end_of_the_block_is_delivered_after_it() {
        in_every_order(async |_| {
            let subject = spawn(async {
                timeout(ms(10), async {
                    current().unwrap().cancel_with("self");
                    Ok(())
                })
                .await?;
                nap(10).await
            });
            assert_eq!(reason(&subject.await.unwrap_err()), Some("self"));
            Ok(())
        });
    }

    /// KQ-1: a request that was pending at entry is not the timeout's, whatever the timeout.
    #[test]
    fn a_cancel_pending_at_entry_is_not_taken_for_the_timeouts() {
        in_every_order(async |_| {
            for limit in [Some(Duration::ZERO), Some(ms(10)), None] {
                let on_a_sleep = spawn(async move {
                    current().unwrap().cancel_with("self");
                    let outcome = timeout(limit, nap(20)).await;
                    assert_eq!(count(), 1);
                    outcome
                });
                assert_eq!(reason(&on_a_sleep.await.unwrap_err()), Some("self"));
                let on_a_foreign_future = spawn(async move {
                    current().unwrap().cancel_with("self");
                    let outcome = timeout(limit, async {
                        pending::<()>().await;
                        Ok(())
                    })
                    .await;
                    assert_eq!(count(), 1);
                    outcome
                });
                assert_eq!(reason(&on_a_foreign_future.await.unwrap_err()), Some("self"));
            }
            Ok(())
        });
    }

    /// KQ-1, CX-10: nor if it is passed on to a task, which then ends in time.
    #[test]
    fn a_cancel_pending_at_entry_is_passed_on_to_the_task_that_the_block_awaits() {
        in_every_order(async |_| {
            for limit in [Some(ms(20)), None] {
                let subject = spawn(async move {
                    let task = spawn(async {
                        let cancelled = forever::<()>().await;
                        nap(10).await?;
                        cancelled
                    });
                    yield_now().await?;
                    current().unwrap().cancel_with("self");
                    let outcome = timeout(limit, task).await;
                    assert_eq!(count(), 1);
                    outcome
                });
                assert_eq!(reason(&subject.await.unwrap_err()), Some("self"));
            }
            Ok(())
        });
    }

    /// TO-8: a body that swallows somebody else's cancel without taking it back is later cancelled, not timed out.
    #[test]
    fn a_cancel_swallowed_within_the_block_still_outranks_the_timeout() {
        in_every_order(async |_| {
            let subject = started(timeout(ms(10), async {
                forever::<()>().await.unwrap_err();
                forever::<()>().await
            }))
            .await;
            subject.cancel();
            assert!(subject.await.unwrap_err().is_cancelled());
            let takes_back = started(timeout(ms(10), async {
                forever::<()>().await.unwrap_err();
                assert_eq!(current().unwrap().uncancel(), 0);
                forever::<()>().await
            }))
            .await;
            takes_back.cancel();
            assert!(is_timeout(&takes_back.await));
            Ok(())
        });
    }

    /// TO-8, KQ-6: a count at entry is nobody's business.
    #[test]
    fn every_way_out_brings_the_count_back_to_its_value_at_entry() {
        async fn all_ways_out() {
            let entry = count();
            let back = || assert_eq!(count(), entry);
            assert!(is_timeout(&timeout(ms(1), forever::<()>()).await));
            back();
            assert!(is_timeout(&timeout(Duration::ZERO, nap(1)).await));
            back();
            assert!(timeout(ms(1), async { Ok(()) }).await.is_ok());
            back();
            let swallowed = timeout(ms(1), async {
                forever::<()>().await.unwrap_err();
                Ok(())
            });
            assert!(swallowed.await.is_ok());
            back();
            assert!(!is_timeout(&timeout(ms(1), async { forever::<()>().await.or(oops("clean-up")) }).await));
            back();
            let foreign = timeout(ms(1), async {
                pending::<()>().await;
                Ok(())
            });
            assert!(is_timeout(&foreign.await));
            back();
            {
                let mut dropped = pin!(timeout(ms(1), async {
                    forever::<()>().await.unwrap_err();
                    forever::<()>().await
                }));
                let mut naps = 0;
                while count() == entry {
                    let both = futures_util::future::select(dropped.as_mut(), Box::pin(nap(2))).await;
                    assert!(matches!(both, futures_util::future::Either::Right(_)));
                    naps += 1;
                    assert!(naps < 3);
                }
            }
            back();
            let panics = AssertUnwindSafe(timeout(ms(1), async {
                forever::<()>().await.unwrap_err();
                std::panic::panic_any("body") as Result<()>
            }));
            assert!(panics.catch_unwind().await.is_err());
            back();
            nap(1).await.expect("nothing is pending");
        }
        in_every_order(async |_| {
            all_ways_out().await;
            let subject = started(async {
                forever::<()>().await.unwrap_err();
                all_ways_out().await;
                Ok(count())
            })
            .await;
            subject.cancel();
            assert_eq!(subject.await?, 1);
            Ok(())
        });
    }
}

mod nested {
    use super::*;

    /// TO-15
    #[test]
    fn with_one_deadline_for_both_only_the_outermost_is_timed_out() {
        in_every_order(async |_| {
            let (outer, inner) = (TimeoutScope::new(ms(10)), TimeoutScope::new(ms(10)));
            let (outer_handle, inner_handle) = (outer.clone(), inner.clone());
            let log = Log::new();
            let outcome = outer
                .run(async |_| {
                    let outcome = inner.run(async |_| forever::<()>().await).await;
                    log.push(shown(&outcome));
                    outcome
                })
                .await;
            assert!(is_timeout(&outcome));
            assert_eq!(log.take(), ["cancelled"]);
            assert!(outer_handle.expired() && inner_handle.expired());
            assert_eq!(count(), 0);
            yield_now().await
        });
    }

    /// TO-16
    #[test]
    fn if_the_outer_one_is_first_the_inner_one_lets_it_pass() {
        in_every_order(async |world| {
            let log = Log::new();
            let outcome = timeout(ms(10), async {
                let inner = timeout_scope(ms(20), async |t| {
                    let interrupted = forever::<()>().await;
                    assert!(!t.expired());
                    interrupted
                })
                .await;
                log.push(shown(&inner));
                inner
            })
            .await;
            assert!(is_timeout(&outcome));
            assert_eq!((count(), world.now()), (0, 10));
            assert_eq!(log.take(), ["cancelled"]);
            Ok(())
        });
    }

    /// TO-16
    #[test]
    fn if_the_outer_one_comes_while_the_inner_one_cleans_up_only_the_outer_is_timed_out() {
        in_every_order(async |world| {
            let log = Log::new();
            let outcome = timeout(ms(20), async {
                let inner = timeout(ms(10), async {
                    forever::<()>().await.unwrap_err();
                    nap(100).await
                })
                .await;
                log.push(shown(&inner));
                inner
            })
            .await;
            assert!(is_timeout(&outcome));
            assert_eq!((count(), world.now()), (0, 20));
            assert_eq!(log.take(), ["cancelled"]);
            Ok(())
        });
    }

    /// TO-16
    #[test]
    fn handled_inside_and_then_expired_outside_there_are_two_timeouts() {
        in_every_order(async |world| {
            let outcome = timeout(ms(20), async {
                assert!(is_timeout(&timeout(ms(10), forever::<()>()).await));
                assert_eq!(count(), 0);
                forever::<()>().await
            })
            .await;
            assert!(is_timeout(&outcome));
            assert_eq!((count(), world.now()), (0, 20));
            Ok(())
        });
    }

    /// TO-14, TO-16: in the clean-up after the outer one's request.
    #[test]
    fn a_timeout_in_the_clean_up_after_another_is_its_own() {
        in_every_order(async |world| {
            let log = Log::new();
            let outcome = timeout(ms(10), async {
                let interrupted = forever::<()>().await;
                let inner = timeout(ms(10), forever::<()>()).await;
                assert_eq!(count(), 1);
                log.push(shown(&inner));
                interrupted
            })
            .await;
            assert!(is_timeout(&outcome));
            assert_eq!(log.take(), ["timeout"]);
            assert_eq!((count(), world.now()), (0, 20));
            Ok(())
        });
    }

    /// NC-3: the innermost block around it gives it up, and with one deadline both are expired.
    #[test]
    fn around_a_foreign_future_the_outermost_is_timed_out() {
        in_every_order(async |_| {
            let foreign = async {
                pending::<()>().await;
                Ok(())
            };
            let outcome = timeout(ms(10), timeout(ms(10), foreign)).await;
            let error = outcome.unwrap_err();
            assert!(error.is::<TimedOut>());
            assert_eq!(count(), 0);
            yield_now().await
        });
    }
}

mod together {
    use super::*;

    /// Each its own, in one task.
    #[test]
    fn of_two_in_one_task_one_expires_and_the_other_goes_on() {
        in_every_order(async |world| {
            let (slow, fast) = join(timeout(ms(10), forever::<()>()), timeout(ms(50), nap(20))).await;
            assert!(is_timeout(&slow));
            fast?;
            assert_eq!((count(), world.now()), (0, 20));
            yield_now().await
        });
    }

    /// Each its own, in either place.
    #[test]
    fn of_two_in_one_task_both_expire_each_in_its_time() {
        in_every_order(async |world| {
            let log = Log::new();
            let limited = async |milliseconds| {
                let outcome = timeout(ms(milliseconds), forever::<()>()).await;
                log.push(format!("{} at {}", shown(&outcome), world.now()));
            };
            join(limited(20), limited(10)).await;
            join(limited(10), limited(10)).await;
            let expected = ["timeout at 10", "timeout at 20", "timeout at 30", "timeout at 30"];
            assert_eq!(log.take(), expected);
            assert_eq!(count(), 0);
            Ok(())
        });
    }

    /// A sibling without a timeout is nobody's business either.
    #[test]
    fn what_stands_beside_a_timeout_is_not_interrupted() {
        in_every_order(async |world| {
            let (limited, beside) = join(timeout(ms(10), forever::<()>()), nap(20)).await;
            assert!(is_timeout(&limited));
            beside?;
            let (beside, limited) = join(nap(20), timeout(ms(10), forever::<()>())).await;
            assert!(is_timeout(&limited));
            beside?;
            assert_eq!(world.now(), 40);
            Ok(())
        });
    }

    /// One in the clean-up of which the other expires: a request of a block beside is not one from outside.
    #[test]
    fn the_request_of_a_timeout_beside_is_not_taken_for_one_from_outside() {
        in_every_order(async |_| {
            let cleaning_up = async {
                let interrupted = forever::<()>().await;
                nap(20).await?;
                interrupted
            };
            let (first, second) = join(timeout(ms(10), cleaning_up), timeout(ms(20), forever::<()>())).await;
            assert!(is_timeout(&first));
            assert!(is_timeout(&second));
            assert_eq!(count(), 0);
            Ok(())
        });
    }

    /// Both are interrupted from outside.
    #[test]
    fn of_two_in_one_task_both_are_cancelled_from_outside() {
        in_every_order(async |_| {
            let subject = started(async {
                let (first, second) =
                    join(timeout(ms(50), forever::<()>()), timeout(ms(60), forever::<()>())).await;
                assert!(first.unwrap_err().is_cancelled());
                second
            })
            .await;
            subject.cancel_with("enough");
            assert!(subject.await.unwrap_err().is_cancelled());
            Ok(())
        });
    }

    /// With wakers that are not the task's.
    #[test]
    fn timeouts_work_inside_futures_unordered() {
        in_every_order(async |world| {
            let limited =
                |number: u64| timeout(ms(35), async move { nap(number * 10).await.map(|()| number) });
            let mut all: FuturesUnordered<_> = (1..=6).rev().map(limited).collect();
            let mut outcomes = Vec::new();
            while let Some(outcome) = all.next().await {
                outcomes.push(outcome.as_ref().map_or_else(common::tree, u64::to_string));
            }
            assert_eq!(outcomes, ["1", "2", "3", "timeout", "timeout", "timeout"]);
            assert_eq!((count(), world.now()), (0, 35));
            Ok(())
        });
    }

    /// With wakers that are not the task's, around foreign futures.
    #[test]
    fn timeouts_around_foreign_futures_work_inside_futures_unordered() {
        in_every_order(async |world| {
            let limited = |number: u64| {
                timeout(ms(number * 10), async {
                    pending::<()>().await;
                    Ok(())
                })
            };
            let mut all: FuturesUnordered<_> = (1..=4).rev().map(limited).collect();
            while let Some(outcome) = all.next().await {
                assert!(is_timeout(&outcome));
            }
            assert_eq!((count(), world.now()), (0, 40));
            Ok(())
        });
    }

    /// TO-18
    #[test]
    fn around_a_group_whose_children_fail_in_clean_up_the_group_error_comes_out() {
        in_every_order(async |_| {
            let outcome = timeout(
                ms(10),
                task_group(async |tg| {
                    drop(tg.spawn(async { forever::<()>().await.or(oops("child")) }));
                    forever::<()>().await
                }),
            )
            .await;
            let error = outcome.unwrap_err();
            assert_eq!(common::tree(&error), "[child]");
            let trail: Vec<_> = error.trail().map(|note| note.kind).collect();
            assert_eq!(trail, ["group", "timeout"]);
            assert_eq!(count(), 0);
            yield_now().await
        });
    }

    /// TO-18: and a block within goes on to be interrupted after the group, as TG-20 has it.
    #[test]
    fn after_a_group_that_failed_in_clean_up_the_rest_of_the_block_is_interrupted() {
        in_every_order(async |_| {
            let outcome = timeout(ms(10), async {
                let inner = task_group(async |_| forever::<()>().await.or(oops::<()>("body"))).await;
                assert_eq!(shown(&inner), "[body]");
                nap(10).await
            })
            .await;
            assert!(is_timeout(&outcome));
            assert_eq!(count(), 0);
            Ok(())
        });
    }

    /// In a child, and around the group: each its own.
    #[test]
    fn timeouts_at_every_level_keep_to_their_blocks() {
        in_every_order(async |world| {
            let outcome = timeout(
                ms(100),
                TaskGroup::new().run(async |tg| {
                    let child = tg.spawn(timeout(ms(10), async {
                        assert!(is_timeout(&timeout(ms(5), forever::<()>()).await));
                        Ok("child")
                    }));
                    assert!(is_timeout(&timeout(ms(20), forever::<()>()).await));
                    child.await
                }),
            )
            .await;
            assert_eq!(outcome?, "child");
            assert_eq!((count(), world.now()), (0, 20));
            Ok(())
        });
    }
}

/// An `async` block keeps what it captures and what it pins apart: each timeout around another doubled its size.
#[test]
fn timeouts_within_timeouts_do_not_double_in_size() {
    let second = std::time::Duration::from_secs(1);
    let sleep = || homing::sleep(second);
    let one = size_of_val(&homing::timeout(second, sleep()));
    let two = size_of_val(&homing::timeout(second, homing::timeout(second, sleep())));
    let three =
        size_of_val(&homing::timeout(second, homing::timeout(second, homing::timeout(second, sleep()))));
    assert_eq!(three - two, two - one, "each level adds what it needs itself: {one}, {two}, {three}");
}
