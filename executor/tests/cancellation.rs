//! Cancelling: where a request goes, and where it comes out (the rules CX).

mod support;

use futures_util::future::{LocalBoxFuture, pending, select, try_join_all};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use homing::cancel::{Outside, Scope};
use homing::{Cancelled, Result, Task, TaskRef};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use support::{
    Drops, Gate, Log, OnDrop, Reports, failure, forever, in_virtual_time, millis, runtime, yields,
};

/// A task that is parked for ever, by the time this returns.
async fn sleeper() -> Result<Task<()>> {
    let task = homing::spawn(async { forever().await });
    yields(1).await?;
    Ok(task)
}

/// A task that swallows one cancellation, and then returns this.
fn swallower<T: 'static>(value: T) -> Task<T> {
    homing::spawn(async move {
        assert!(forever().await.unwrap_err().is_cancelled());
        homing::current().unwrap().uncancel();
        Ok(value)
    })
}

fn current() -> TaskRef {
    homing::current().unwrap()
}

// The count, and the states in which a request may come.

#[test]
fn a_task_that_a_combinator_awaits_no_more_does_not_wake_what_stands_in_its_place() {
    in_virtual_time(async {
        let mut first = homing::spawn(homing::sleep(millis(1)));
        let mut second = homing::spawn(homing::sleep(millis(2)));
        let mut given_up = FuturesUnordered::from_iter([&mut first]);
        poll_fn(|cx| Poll::Ready(assert!(given_up.poll_next_unpin(cx).is_pending()))).await;
        drop(given_up);
        let first = first.share();
        let mut polled = Vec::new();
        let began = homing::Instant::now();
        let mut awaited = FuturesUnordered::from_iter([&mut second]);
        poll_fn(|cx| {
            polled.push(homing::Instant::now() - began);
            awaited.poll_next_unpin(cx)
        })
        .await
        .expect("it is there")?;
        drop(awaited);
        assert!(first.is_finished());
        assert!(!polled.contains(&millis(1)), "{polled:?}");
        assert!(polled.contains(&millis(2)), "{polled:?}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_task_that_a_combinator_s_waker_ends_while_it_is_cloned_is_seen_to_have_ended() {
    use std::task::{Context, RawWaker, RawWakerVTable, Waker};
    thread_local! {
        static TO_ABORT: RefCell<Option<TaskRef>> = const { RefCell::new(None) };
        static WAKES: Cell<u32> = const { Cell::new(0) };
    }
    fn clone(_: *const ()) -> RawWaker {
        if let Some(task) = TO_ABORT.take() {
            task.abort();
        }
        RawWaker::new(std::ptr::null(), &VTABLE)
    }
    fn wake(_: *const ()) {
        WAKES.set(WAKES.get() + 1);
    }
    static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, |_| ());
    in_virtual_time(async {
        for polls_before in [0, 1] {
            let mut task = homing::spawn(forever());
            poll_fn(|_| {
                // SAFETY: there is nothing behind the pointer, and the functions may be called by any thread.
                let waker = unsafe { Waker::new(std::ptr::null(), &VTABLE) };
                let cx = &mut Context::from_waker(&waker);
                (0..polls_before).for_each(|_| assert!(task.poll_unpin(cx).is_pending()));
                TO_ABORT.set(Some(task.task_ref()));
                let before = WAKES.get();
                let mut polled = task.poll_unpin(cx);
                if polled.is_pending() {
                    assert_eq!(WAKES.get(), before + 1, "it is polled again");
                    polled = task.poll_unpin(cx);
                }
                polled.map(|ended| assert!(ended.unwrap_err().is_cancelled()))
            })
            .await;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn cx_1_to_cancel_a_finished_task_is_refused_and_changes_nothing() {
    in_virtual_time(async {
        let task = homing::spawn(async { Ok(1) });
        yields(1).await?;
        assert!(!task.cancel());
        assert_eq!(task.cancelling(), 0);
        assert_eq!(task.await?, 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn cx_2_each_request_counts_and_only_asks() {
    in_virtual_time(async {
        let task = sleeper().await?;
        for count in 1..=3 {
            assert!(task.cancel());
            assert_eq!(task.cancelling(), count);
        }
        assert!(!task.is_cancelled() && !task.is_finished());
        assert!(task.await.unwrap_err().is_cancelled());
        Ok(())
    })
    .unwrap();
}

#[test]
fn cx_3_a_parked_task_is_interrupted_at_exactly_its_await_in_the_next_turn() {
    in_virtual_time(async {
        let log = Log::default();
        let noted = log.clone();
        let task = homing::spawn(async move {
            noted.note("before");
            let ended = homing::sleep(millis(1000)).await;
            noted.note(format!("interrupted: {}", ended.is_err()));
            ended
        });
        yields(1).await?;
        assert_eq!(log.take(), ["before"]);
        let begin = homing::Instant::now();
        task.cancel_with("a reason");
        yields(1).await?;
        assert_eq!(log.take(), ["interrupted: true"]);
        let error = task.await.unwrap_err();
        assert_eq!(error.as_cancelled().unwrap().reason(), Some("a reason"));
        assert_eq!(begin.elapsed(), millis(0));
        Ok(())
    })
    .unwrap();
}

#[test]
fn cx_4_a_request_goes_on_to_the_awaited_task_and_its_outcome_is_what_the_awaiter_sees() {
    in_virtual_time(async {
        let inner = sleeper().await?;
        let inner_ref = inner.task_ref();
        let outer = homing::spawn(inner);
        yields(1).await?;
        outer.cancel_with("from outside");
        assert_eq!((outer.cancelling(), inner_ref.cancelling()), (1, 1));
        let error = outer.await.unwrap_err();
        assert!(inner_ref.is_cancelled());
        assert_eq!(error.as_cancelled().unwrap().reason(), Some("from outside"));

        let inner = homing::spawn(async {
            let _ = forever().await;
            Err::<(), _>(failure("instead"))
        });
        let outer = homing::spawn(inner);
        yields(2).await?;
        outer.cancel();
        assert_eq!(outer.await.unwrap_err().to_string(), "instead");
        Ok(())
    })
    .unwrap();
}

#[test]
fn cx_4_an_awaiter_is_not_interrupted_if_the_awaited_task_swallows_the_request() {
    in_virtual_time(async {
        let log = Log::default();
        let noted = log.clone();
        let outer = homing::spawn(async move {
            let value = swallower(7).await?;
            noted.note("has the value");
            homing::sleep(millis(5)).await?;
            noted.note("sleeps undisturbed");
            Ok(value)
        });
        yields(3).await?;
        outer.cancel();
        yields(4).await?;
        assert_eq!(log.take(), ["has the value"]);
        assert_eq!(outer.cancelling(), 1);
        assert_eq!(outer.await?, 7);
        assert_eq!(log.take(), ["sleeps undisturbed"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn cx_5_a_second_request_goes_on_as_well_and_interrupts_the_cleaning_up() {
    in_virtual_time(async {
        let log = Log::default();
        let noted = log.clone();
        let inner = homing::spawn(async move {
            let _ = forever().await;
            noted.note("cleans up");
            let interrupted = homing::sleep(millis(10)).await;
            noted.note(format!("interrupted: {}", interrupted.is_err()));
            interrupted
        });
        let outer = homing::spawn(inner);
        yields(2).await?;
        outer.cancel();
        yields(2).await?;
        assert_eq!(log.take(), ["cleans up"]);
        outer.cancel();
        yields(1).await?;
        assert_eq!(log.take(), ["interrupted: true"]);
        assert!(outer.await.unwrap_err().is_cancelled());
        Ok(())
    })
    .unwrap();
}

#[test]
fn cx_7_a_request_wins_over_a_result_that_has_not_been_seen() {
    in_virtual_time(async {
        let child = homing::spawn(async { yields(1).await.map(|()| 1) });
        let kept = Rc::new(RefCell::new(Some(child)));
        let slot = kept.clone();
        let waiter = homing::spawn(async move {
            let mut child = slot.borrow_mut().take().unwrap();
            let ended = (&mut child).await;
            *slot.borrow_mut() = Some(child);
            ended
        });
        // The child ends in the second turn, and has its awaiter woken for the third.
        yields(2).await?;
        assert!(!waiter.is_finished());
        waiter.cancel();
        assert!(waiter.await.unwrap_err().is_cancelled());
        let child = kept.take().unwrap();
        assert_eq!(child.await?, 1, "the value is not lost");
        Ok(())
    })
    .unwrap();
}

#[test]
fn kq_13_an_error_that_makes_way_for_a_cancellation_is_kept_beside_it() {
    let (runtime, reports) = runtime();
    runtime
        .block_on(async {
            let child = homing::spawn(async {
                yields(1).await?;
                Err::<(), _>(failure("not to be lost"))
            });
            let waiter = homing::spawn(child);
            yields(2).await?;
            waiter.cancel();
            let error = waiter.await.unwrap_err();
            assert!(error.is_cancelled());
            assert!(format!("{error:#}").contains("not to be lost"), "{error:#}");
            Ok(())
        })
        .unwrap();
    drop(runtime);
    reports.assert_none();
}

#[test]
fn cx_8_a_task_cancelled_before_its_first_poll_never_runs_and_its_future_is_dropped() {
    in_virtual_time(async {
        let (log, drops) = (Log::default(), Drops::default());
        let (noted, guard) = (log.clone(), drops.guard());
        let task = homing::spawn(async move {
            let _guard = guard;
            noted.note("ran");
            Ok(())
        });
        assert!(task.cancel_with("too early"));
        assert!(!task.is_finished(), "in the next turn, not at once");
        yields(1).await?;
        assert!(task.is_cancelled());
        assert_eq!((log.take().len(), drops.count()), (0, 1));
        assert_eq!(task.await.unwrap_err().as_cancelled().unwrap().reason(), Some("too early"));
        Ok(())
    })
    .unwrap();
}

#[test]
fn cx_9_and_10_a_task_that_cancels_itself_is_interrupted_where_it_next_suspends() {
    in_virtual_time(async {
        let log = Log::default();
        let noted = log.clone();
        let task = homing::spawn(async move {
            current().cancel();
            noted.note("goes on");
            let slept = homing::sleep(millis(1000)).await;
            noted.note(format!("interrupted: {}", slept.is_err()));
            slept
        });
        let begin = homing::Instant::now();
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(begin.elapsed(), millis(0), "a sleep never sleeps");
        assert_eq!(log.take(), ["goes on", "interrupted: true"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn cx_10_a_pending_request_goes_on_to_the_task_that_is_awaited_next() {
    in_virtual_time(async {
        let inner = swallower("consumed");
        yields(1).await?;
        let outer = homing::spawn(async move {
            current().cancel();
            let value = inner.await?;
            homing::sleep(millis(1)).await?;
            Ok(value)
        });
        assert_eq!(outer.await?, "consumed");
        Ok(())
    })
    .unwrap();
}

#[test]
fn cx_11_awaits_that_do_not_suspend_deliver_nothing() {
    in_virtual_time(async {
        let ended = homing::spawn(async { Ok(2) });
        yields(1).await?;
        let task = homing::spawn(async move {
            current().cancel();
            assert_eq!(ended.await?, 2);
            let mut interval = homing::time::interval(millis(1));
            interval.tick().await?;
            assert_eq!(homing::spawn(async { Ok(1) }).try_result().map(|result| result.unwrap()), None);
            Ok(forever().await.unwrap_err().is_cancelled())
        });
        assert!(task.await?);
        Ok(())
    })
    .unwrap();
}

#[test]
fn cx_12_a_task_that_returns_a_value_with_a_request_pending_is_cancelled_and_the_value_dropped() {
    in_virtual_time(async {
        let drops = Drops::default();
        let guard = drops.guard();
        let task = homing::spawn(async move {
            current().cancel_with("late");
            Ok(guard)
        });
        let error = task.await.unwrap_err();
        assert_eq!(error.as_cancelled().unwrap().reason(), Some("late"));
        assert_eq!(drops.count(), 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn cx_13_an_error_of_its_own_wins_over_a_pending_request() {
    in_virtual_time(async {
        let task = homing::spawn(async {
            current().cancel();
            Err::<(), _>(failure("its own"))
        });
        yields(1).await?;
        assert!(task.is_finished() && !task.is_cancelled());
        assert_eq!(task.await.unwrap_err().to_string(), "its own");
        Ok(())
    })
    .unwrap();
}

#[test]
fn cx_14_after_its_delivery_awaits_work_although_the_count_stays_up() {
    in_virtual_time(async {
        let task = homing::spawn(async {
            let error = forever().await.unwrap_err();
            homing::sleep(millis(3)).await?;
            yields(3).await?;
            assert_eq!(current().cancelling(), 1);
            Err::<(), _>(error)
        });
        yields(1).await?;
        task.cancel();
        assert!(task.await.unwrap_err().is_cancelled());
        Ok(())
    })
    .unwrap();
}

#[test]
fn cx_15_several_requests_before_the_delivery_are_delivered_as_one() {
    in_virtual_time(async {
        let task = homing::spawn(async {
            assert!(forever().await.unwrap_err().is_cancelled());
            assert_eq!(current().cancelling(), 3);
            homing::sleep(millis(1)).await?;
            Ok("one only")
        });
        yields(1).await?;
        (0..3).for_each(|_| assert!(task.cancel()));
        assert_eq!(task.await?, "one only");
        Ok(())
    })
    .unwrap();
}

#[test]
fn cx_16_the_reasons_of_all_requests_are_kept() {
    in_virtual_time(async {
        let task = sleeper().await?;
        task.cancel_with("first");
        task.cancel();
        task.cancel_with("second");
        let error = task.await.unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("first") && text.contains("second"), "{text}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn cx_17_a_request_after_the_delivery_is_a_new_one() {
    in_virtual_time(async {
        let log = Log::default();
        let noted = log.clone();
        let task = homing::spawn(async move {
            for round in 0..3 {
                let error = forever().await.unwrap_err();
                noted.note(format!("{round}: {}", error.is_cancelled()));
            }
            Ok(())
        });
        yields(1).await?;
        for _ in 0..3 {
            task.cancel();
            yields(1).await?;
        }
        assert_eq!(log.take(), ["0: true", "1: true", "2: true"]);
        assert_eq!(task.cancelling(), 3);
        task.await
    })
    .unwrap();
}

#[test]
fn cx_18_neither_delivery_nor_the_end_resets_the_count() {
    in_virtual_time(async {
        let task = sleeper().await?;
        task.cancel();
        task.cancel();
        yields(1).await?;
        assert!(task.is_finished());
        assert_eq!(task.cancelling(), 2);
        Ok(())
    })
    .unwrap();
}

#[test]
fn cx_19_uncancel_lowers_the_count_and_never_below_zero() {
    in_virtual_time(async {
        let task = sleeper().await?;
        assert_eq!(task.uncancel(), 0);
        task.cancel();
        task.cancel();
        assert_eq!((task.uncancel(), task.uncancel(), task.uncancel()), (1, 0, 0));
        task.abort();
        assert_eq!(task.uncancel(), 0);
        assert!(task.is_cancelled());
        Ok(())
    })
    .unwrap();
}

#[test]
fn cx_20_uncancel_down_to_zero_takes_a_pending_request_back_also_before_the_first_poll() {
    in_virtual_time(async {
        let unpolled = homing::spawn(async { homing::sleep(millis(1)).await.map(|()| "ran") });
        unpolled.cancel();
        assert_eq!(unpolled.uncancel(), 0);
        let running = homing::spawn(async {
            current().cancel();
            current().cancel();
            assert_eq!(current().uncancel(), 1);
            assert_eq!(current().uncancel(), 0);
            homing::sleep(millis(1)).await.map(|()| "went on")
        });
        assert_eq!(unpolled.await?, "ran");
        assert_eq!(running.await?, "went on");
        Ok(())
    })
    .unwrap();
}

#[test]
fn cx_21_uncancel_takes_nothing_back_while_the_count_stays_above_zero() {
    in_virtual_time(async {
        let task = homing::spawn(async {
            current().cancel();
            current().cancel();
            assert_eq!(current().uncancel(), 1);
            homing::sleep(millis(1)).await
        });
        assert!(task.await.unwrap_err().is_cancelled());
        Ok(())
    })
    .unwrap();
}

#[test]
fn cx_21_a_request_that_an_await_is_bound_to_return_arrives_though_it_was_taken_back() {
    in_virtual_time(async {
        let task = homing::spawn(async {
            let error = forever().await.unwrap_err();
            assert_eq!(current().cancelling(), 0);
            assert_eq!(error.as_cancelled().unwrap().reason(), Some("bound"));
            homing::sleep(millis(1)).await?;
            Err::<(), _>(error)
        });
        yields(1).await?;
        task.cancel_with("bound");
        assert_eq!(task.uncancel(), 0);
        assert!(task.await.unwrap_err().is_cancelled());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_reason_that_was_taken_back_does_not_show_up_in_a_later_request() {
    in_virtual_time(async {
        let task = homing::spawn(async {
            current().cancel_with("old");
            current().uncancel();
            yields(1).await?;
            forever().await
        });
        yields(2).await?;
        task.cancel_with("new");
        let error = task.await.unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("new") && !text.contains("old"), "{text}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn cx_24_a_request_without_a_reason_gives_a_cancelled_that_says_where_it_was_made() {
    in_virtual_time(async {
        let task = sleeper().await?;
        task.cancel();
        let line = line!() - 1;
        let error = task.await.unwrap_err();
        assert_eq!(error.as_cancelled().unwrap().reason(), None);
        assert!(error.to_string().contains(&format!("{}:{line}", file!())), "{error}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn cx_28_a_child_that_cancels_its_awaiter_cancels_itself() {
    in_virtual_time(async {
        let outer = homing::spawn(async {
            let outer = current();
            homing::spawn(async move {
                yields(1).await?;
                outer.cancel();
                forever().await
            })
            .await
        });
        assert!(outer.await.unwrap_err().is_cancelled());
        Ok(())
    })
    .unwrap();
}

#[test]
fn cx_29_dropping_a_handle_cancels_nothing() {
    in_virtual_time(async {
        let task = homing::spawn(async { homing::sleep(millis(2)).await });
        let reference = task.task_ref();
        drop(task);
        homing::sleep(millis(3)).await?;
        assert!(reference.is_finished() && !reference.is_cancelled());
        assert_eq!(reference.cancelling(), 0);
        Ok(())
    })
    .unwrap();
}

// Chains and circles.

#[test]
fn a_request_runs_down_a_chain_of_ten_thousand_tasks_and_their_ends_climb_up_again() {
    in_virtual_time(async {
        let mut task = homing::spawn(async { forever().await });
        let innermost = task.task_ref();
        for _ in 0..10_000 {
            task = homing::spawn(task);
        }
        yields(2).await?;
        task.cancel_with("all the way");
        assert_eq!(innermost.cancelling(), 1);
        let error = task.await.unwrap_err();
        assert_eq!(error.as_cancelled().unwrap().reason(), Some("all the way"));
        assert!(innermost.is_cancelled());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_chain_of_ten_thousand_tasks_can_be_aborted_and_dropped() {
    let (runtime, _reports) = runtime();
    runtime
        .block_on(async {
            for abort in [true, false] {
                let mut task = homing::spawn(async { forever().await });
                for _ in 0..10_000 {
                    task = homing::spawn(task);
                }
                yields(2).await?;
                if abort {
                    task.abort();
                }
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_message_of_a_request_goes_down_the_chain_and_comes_back() {
    in_virtual_time(async {
        let inner = homing::spawn(async {
            let error = forever().await.unwrap_err();
            assert_eq!(error.as_cancelled().unwrap().reason(), Some("message"));
            Err::<(), _>(error)
        });
        let outer = homing::spawn(homing::spawn(inner));
        yields(3).await?;
        outer.cancel_with("message");
        let error = outer.await.unwrap_err();
        assert_eq!(error.as_cancelled().unwrap().reason(), Some("message"));
        Ok(())
    })
    .unwrap();
}

#[test]
fn tasks_that_await_one_another_in_a_circle_can_be_cancelled() {
    in_virtual_time(async {
        let slots: Vec<Rc<RefCell<Option<homing::SharedTask<()>>>>> = (0..3).map(|_| Rc::default()).collect();
        let tasks: Vec<_> = (0..3)
            .map(|number| {
                let next = slots[(number + 1) % 3].clone();
                homing::spawn(async move {
                    let next = next.borrow_mut().take().unwrap();
                    next.await
                })
                .share()
            })
            .collect();
        for (slot, task) in slots.iter().zip(&tasks) {
            *slot.borrow_mut() = Some(task.clone());
        }
        yields(2).await?;
        assert!(tasks.iter().all(|task| !task.is_finished()));
        tasks[0].cancel_with("out of the circle");
        yields(8).await?;
        assert!(tasks.iter().all(|task| task.is_cancelled()));
        Ok(())
    })
    .unwrap();
}

#[test]
fn two_who_share_a_task_forward_to_it_each() {
    in_virtual_time(async {
        let shared = homing::spawn(async { forever().await }).share();
        let first = homing::spawn(shared.clone());
        let second = homing::spawn(shared.clone());
        yields(2).await?;
        first.cancel();
        assert_eq!(shared.cancelling(), 1);
        yields(3).await?;
        assert!(shared.is_cancelled() && first.is_cancelled() && second.is_cancelled());
        assert_eq!(second.cancelling(), 0);
        Ok(())
    })
    .unwrap();
}

// Several leaves in one task.

#[test]
fn each_branch_of_a_join_that_is_parked_at_the_moment_of_the_request_is_interrupted_once() {
    in_virtual_time(async {
        let log = Log::default();
        let noted = log.clone();
        let task = homing::spawn(async move {
            let branch = |name: &'static str| {
                let noted = noted.clone();
                async move {
                    let error = forever().await.unwrap_err();
                    assert_eq!(error.as_cancelled().unwrap().reason(), Some("why"), "{name}");
                    noted.note(name);
                    // Cleaning up is not interrupted by what was delivered already.
                    homing::sleep(millis(2)).await.unwrap();
                    yields(2).await.unwrap();
                    noted.note(format!("{name} cleaned up"));
                }
            };
            futures_util::join!(branch("a"), branch("b"), branch("c"));
            Ok(())
        });
        yields(1).await?;
        task.cancel_with("why");
        yields(1).await?;
        assert_eq!(log.take(), ["a", "b", "c"]);
        task.await?;
        assert_eq!(log.take(), ["a cleaned up", "b cleaned up", "c cleaned up"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_branch_that_parked_earlier_in_the_poll_in_which_the_task_cancels_itself_is_interrupted_as_well() {
    in_virtual_time(async {
        let task = homing::spawn(async {
            let first = async { forever().await.unwrap_err().is_cancelled() };
            let second = async {
                current().cancel();
                forever().await.unwrap_err().is_cancelled()
            };
            Ok(futures_util::join!(first, second))
        });
        for _ in 0..5 {
            yields(1).await?;
        }
        assert!(task.is_finished(), "the first branch would be waiting for ever");
        assert_eq!(task.await?, (true, true));
        Ok(())
    })
    .unwrap();
}

#[test]
fn leaves_behind_the_wakers_of_a_combinator_are_woken_and_interrupted() {
    in_virtual_time(async {
        let task = homing::spawn(async {
            let mut all: FuturesUnordered<_> = (0..50).map(|_| forever()).collect();
            let mut interrupted = 0;
            while let Some(ended) = all.next().await {
                interrupted += u32::from(ended.is_err_and(|error| error.is_cancelled()));
            }
            Ok(interrupted)
        });
        let joined = homing::spawn(async { try_join_all((0..40).map(|_| forever())).await });
        yields(1).await?;
        task.cancel();
        joined.cancel();
        assert_eq!(task.await?, 50);
        assert!(joined.await.unwrap_err().is_cancelled());
        Ok(())
    })
    .unwrap();
}

#[test]
fn leaves_behind_a_combinator_are_interrupted_too_when_the_request_comes_while_the_task_runs() {
    in_virtual_time(async {
        let task = homing::spawn(async {
            let mut all: FuturesUnordered<_> = (0..3).map(|_| forever()).collect();
            let stays = async {
                let mut interrupted = 0;
                while let Some(ended) = all.next().await {
                    interrupted += u32::from(ended.is_err());
                }
                interrupted
            };
            let cancels = async {
                current().cancel();
                homing::sleep(millis(1)).await.is_err()
            };
            Ok(futures_util::join!(stays, cancels))
        });
        assert_eq!(task.await?, (3, true));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_combinator_that_was_let_go_does_not_keep_a_request_from_a_foreign_await() {
    in_virtual_time(async {
        let drops = Drops::default();
        let guard = drops.guard();
        let task = homing::spawn(async move {
            let mut all: FuturesUnordered<_> = (0..3).map(|_| forever()).collect();
            // Polled once, kept, and not awaited any more.
            assert!(poll_fn(|cx| Poll::Ready(all.poll_next_unpin(cx).is_pending())).await);
            let _guard = guard;
            pending::<()>().await;
            Ok(all.len())
        });
        yields(2).await?;
        task.cancel();
        yields(4).await?;
        assert!(task.is_cancelled());
        assert_eq!(drops.count(), 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_join_of_tasks_passes_the_request_on_to_each_and_waits_for_all() {
    in_virtual_time(async {
        let children: Vec<_> = (0..3).map(swallower).collect();
        let references: Vec<_> = children.iter().map(|child| child.task_ref()).collect();
        let outer = homing::spawn(async move {
            let values = futures_util::future::join_all(children).await;
            Ok(values.into_iter().map(|value| value.unwrap()).sum::<u32>())
        });
        yields(2).await?;
        outer.cancel_with("to all");
        yields(3).await?;
        assert!(references.iter().all(TaskRef::is_finished));
        assert_eq!(outer.await?, 3);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_join_of_a_task_and_a_sleep_passes_on_the_one_and_interrupts_the_other_each_once() {
    for task_first in [true, false] {
        in_virtual_time(async {
            let inner = homing::spawn(async {
                assert!(forever().await.unwrap_err().is_cancelled());
                let count = current().cancelling();
                homing::sleep(millis(2)).await?;
                Ok(count)
            });
            let outer = homing::spawn(async move {
                let sleeps = async { forever().await.is_err() };
                let both = match task_first {
                    true => futures_util::join!(inner, sleeps),
                    false => {
                        let (slept, inner) = futures_util::join!(sleeps, inner);
                        (inner, slept)
                    }
                };
                homing::sleep(millis(1)).await?;
                Ok((both.0?, both.1))
            });
            yields(2).await?;
            outer.cancel();
            assert_eq!(outer.await?, (1, true));
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn tasks_behind_the_wakers_of_a_combinator_are_passed_the_request() {
    in_virtual_time(async {
        let children: Vec<_> = (0..40).map(|_| swallower(1)).collect();
        let references: Vec<_> = children.iter().map(|child| child.task_ref()).collect();
        let outer = homing::spawn(async move {
            let values = try_join_all(children).await?;
            Ok(values.into_iter().sum::<u32>())
        });
        yields(2).await?;
        outer.cancel();
        assert!(references.iter().all(|child| child.cancelling() == 1));
        assert_eq!(outer.await?, 40);
        Ok(())
    })
    .unwrap();
}

// Awaits that were let go.

#[test]
fn a_task_whose_await_was_let_go_by_a_select_gets_no_request_of_its_former_awaiter() {
    in_virtual_time(async {
        let mut worker = homing::spawn(async { forever().await });
        let witness = worker.task_ref();
        let drops = Drops::default();
        let guard = drops.guard();
        let awaiter = homing::spawn(async move {
            // The task is polled first, and is still registered when the sleep ends.
            let first = select(&mut worker, homing::sleep(millis(1))).await;
            assert!(matches!(first, futures_util::future::Either::Right(_)));
            drop(first);
            let _guard = guard;
            let ended = forever().await;
            assert!(ended.is_err());
            worker.abort();
            ended
        });
        homing::sleep(millis(2)).await?;
        awaiter.cancel();
        assert_eq!(witness.cancelling(), 0, "nobody awaits it any more");
        assert!(awaiter.await.unwrap_err().is_cancelled());
        assert_eq!((witness.cancelling(), drops.count()), (0, 1));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_task_that_was_awaited_and_then_detached_gets_no_request_of_its_former_awaiter() {
    in_virtual_time(async {
        let worker = homing::spawn(async { forever().await });
        let witness = worker.task_ref();
        let awaiter = homing::spawn(async move {
            let _ = select(worker, homing::sleep(millis(1))).await;
            pending::<Result<()>>().await
        });
        homing::sleep(millis(2)).await?;
        awaiter.cancel();
        assert_eq!(witness.cancelling(), 0);
        assert!(awaiter.await.unwrap_err().is_cancelled());
        witness.abort();
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_leaf_that_is_moved_to_another_task_hears_nothing_of_the_first_ones_requests() {
    in_virtual_time(async {
        let slot = Rc::new(RefCell::new(Some(homing::sleep(millis(5)))));
        let own = slot.clone();
        let first = homing::spawn(async move {
            let mut sleep = own.borrow_mut().take().unwrap();
            poll_fn(|cx| Poll::Ready(assert!(sleep.poll_unpin(cx).is_pending()))).await;
            *own.borrow_mut() = Some(sleep);
            forever().await
        });
        yields(1).await?;
        first.cancel();
        let moved = slot.borrow_mut().take().unwrap();
        let second = homing::spawn(moved);
        second.await?;
        assert!(first.await.unwrap_err().is_cancelled());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_request_whose_leaf_was_dropped_undelivered_is_taken_by_the_next() {
    in_virtual_time(async {
        let gate = Gate::default();
        let opens = gate.clone();
        let task = homing::spawn(async move {
            // The gate is asked first; when it opens, the sleep is dropped without having been polled again.
            let _ = select(gate, forever()).await;
            homing::sleep(millis(1)).await
        });
        yields(1).await?;
        task.cancel();
        opens.open();
        assert!(task.await.unwrap_err().is_cancelled());
        Ok(())
    })
    .unwrap();
}

// Foreign awaits.

#[test]
fn a_task_at_a_foreign_await_is_dropped_there() {
    in_virtual_time(async {
        let drops = Drops::default();
        let tasks: Vec<_> = (0..2)
            .map(|number| {
                let guard = drops.guard();
                homing::spawn(async move {
                    let _guard = guard;
                    match number {
                        0 => pending::<Result<()>>().await,
                        _ => {
                            Gate::default().await;
                            Ok(())
                        }
                    }
                })
            })
            .collect();
        yields(1).await?;
        tasks.iter().for_each(|task| assert!(task.cancel_with("foreign")));
        for task in tasks {
            let error = task.await.unwrap_err();
            assert_eq!(error.as_cancelled().unwrap().reason(), Some("foreign"));
        }
        assert_eq!(drops.count(), 2);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_task_that_cancels_itself_before_a_foreign_await_is_dropped_there() {
    in_virtual_time(async {
        let task = homing::spawn(async {
            current().cancel();
            pending::<Result<()>>().await
        });
        assert!(task.await.unwrap_err().is_cancelled());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_foreign_future_that_wakes_itself_for_ever_is_dropped_all_the_same() {
    in_virtual_time(async {
        let task = homing::spawn(async {
            poll_fn::<Result<()>, _>(|cx| {
                cx.waker().wake_by_ref();
                Poll::Pending
            })
            .await
        });
        yields(3).await?;
        task.cancel();
        yields(4).await?;
        assert!(task.is_cancelled());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_scope_drops_a_foreign_await_inside_and_lets_the_task_go_on() {
    in_virtual_time(async {
        let drops = Drops::default();
        let guard = drops.guard();
        let task = homing::spawn(async move {
            let scope = Scope::enter()?;
            let inside = {
                let mut body = Box::pin(async move {
                    let _guard = guard;
                    pending::<()>().await;
                });
                poll_fn(|cx| scope.poll(cx, body.as_mut())).await
            };
            assert!(inside.is_err());
            let outside = scope.leave();
            homing::sleep(millis(1)).await?;
            Ok(outside)
        });
        yields(1).await?;
        task.cancel();
        assert_eq!(task.await?, Outside::Asked);
        assert_eq!(drops.count(), 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_scope_that_cancels_interrupts_its_own_body_and_nothing_else() {
    in_virtual_time(async {
        let task = homing::spawn(async {
            let scope = Scope::enter()?;
            let mut body = Box::pin(async { forever().await });
            let inside = poll_fn(|cx| scope.poll(cx, body.as_mut()));
            let beside = homing::sleep(millis(3));
            let asks = async {
                homing::sleep(millis(1)).await.unwrap();
                assert!(scope.cancel(&Cancelled::new().with_reason("own")));
                assert!(!scope.cancel(&Cancelled::new()), "once asked, asking again adds nothing");
                assert_eq!(current().cancelling(), 1);
            };
            let (inside, beside, ()) = futures_util::join!(inside, beside, asks);
            beside?;
            let error = inside.unwrap().unwrap_err();
            assert_eq!(error.as_cancelled().unwrap().reason(), Some("own"));
            assert_eq!(scope.leave(), Outside::Quiet);
            assert_eq!(current().cancelling(), 0);
            homing::sleep(millis(1)).await
        });
        task.await
    })
    .unwrap();
}

#[test]
fn a_scope_that_is_dropped_takes_its_request_back() {
    in_virtual_time(async {
        homing::spawn(async {
            let scope = Scope::enter()?;
            assert!(scope.cancel(&Cancelled::new()));
            drop(scope);
            assert_eq!(current().cancelling(), 0);
            homing::sleep(millis(1)).await
        })
        .await
    })
    .unwrap();
}

#[test]
fn a_request_on_the_task_reaches_the_leaves_in_all_its_scopes() {
    in_virtual_time(async {
        let task = homing::spawn(async {
            let outer = Scope::enter()?;
            let inner = Scope::enter()?;
            let mut leaf = Box::pin(async { forever().await });
            let mut in_inner = Box::pin(poll_fn(move |cx| inner.poll(cx, leaf.as_mut())));
            let ended = poll_fn(|cx| outer.poll(cx, in_inner.as_mut())).await.unwrap().unwrap();
            assert!(ended.is_err());
            homing::sleep(millis(1)).await?;
            ended
        });
        yields(1).await?;
        task.cancel();
        assert!(task.await.unwrap_err().is_cancelled());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_scope_passes_its_request_on_to_the_task_that_is_awaited_inside() {
    in_virtual_time(async {
        let inner = homing::spawn(async { forever().await });
        let witness = inner.task_ref();
        let outer = homing::spawn(async move {
            let scope = Scope::enter()?;
            let mut body = pin!(inner);
            let asks = async {
                homing::sleep(millis(1)).await.unwrap();
                scope.cancel(&Cancelled::new());
            };
            let (ended, ()) = futures_util::join!(poll_fn(|cx| scope.poll(cx, body.as_mut())), asks);
            assert!(ended.unwrap().is_err());
            assert_eq!(scope.leave(), Outside::Quiet);
            Ok(())
        });
        outer.await?;
        assert!(witness.is_cancelled());
        assert_eq!(witness.cancelling(), 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_scope_that_is_moved_out_of_another_hears_nothing_of_that_ones_former_requests() {
    in_virtual_time(async {
        homing::spawn(async {
            let inner = Scope::enter()?;
            let mut leaf = Box::pin(homing::sleep(millis(5)));
            let mut in_inner = Box::pin(poll_fn(move |cx| inner.poll(cx, leaf.as_mut())));
            let outer = Scope::enter()?;
            outer.cancel(&Cancelled::new());
            let within = async {
                assert!(homing::yield_now().await.is_err(), "the outer scope's own request");
                poll_fn(|cx| Poll::Ready(assert!(in_inner.as_mut().poll(cx).is_pending()))).await;
            };
            let mut within = Box::pin(within);
            poll_fn(|cx| outer.poll(cx, within.as_mut())).await?;
            drop(within);
            drop(outer);
            in_inner.as_mut().await??;
            Ok(())
        })
        .await
    })
    .unwrap();
}

// Abort.

#[test]
fn an_abort_drops_a_parked_or_queued_future_at_once() {
    in_virtual_time(async {
        let drops = Drops::default();
        let spawn = || {
            let guard = drops.guard();
            homing::spawn(async move {
                let _guard = guard;
                forever().await
            })
        };
        let parked = spawn();
        yields(1).await?;
        let created = spawn();
        let ready = sleeper().await?;
        ready.cancel();
        assert!(parked.abort() && created.abort() && ready.abort());
        assert_eq!(drops.count(), 2);
        assert!(parked.is_cancelled() && created.is_cancelled() && ready.is_cancelled());
        assert!(!parked.abort(), "it has ended");
        for task in [parked, created, ready] {
            assert!(task.await.unwrap_err().is_cancelled());
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_task_that_aborts_itself_ends_after_its_poll() {
    in_virtual_time(async {
        let log = Log::default();
        let noted = log.clone();
        let task = homing::spawn(async move {
            assert!(current().abort());
            noted.note("still running");
            let _ = forever().await;
            noted.note("never");
            Ok(())
        });
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(log.take(), ["still running"]);
        let returns = homing::spawn(async {
            current().abort();
            Ok(())
        });
        assert!(returns.await.unwrap_err().is_cancelled());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_row_is_not_used_again_while_an_aborted_task_is_still_in_line() {
    let (runtime, _) = runtime();
    runtime
        .block_on(async {
            let log = Log::default();
            for round in 0..50 {
                let aborted = homing::spawn(async { Ok(()) });
                aborted.abort();
                drop(aborted);
                let tasks: Vec<_> = (0..5)
                    .map(|number| {
                        let log = log.clone();
                        homing::spawn(async move {
                            log.note(number);
                            Ok(())
                        })
                    })
                    .collect();
                if round % 2 == 0 {
                    tasks[2].abort();
                }
                yields(1).await?;
                let expected: &[&str] =
                    if round % 2 == 0 { &["0", "1", "3", "4"] } else { &["0", "1", "2", "3", "4"] };
                assert_eq!(log.take(), expected);
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(runtime.task_count(), 0);
}

#[test]
fn a_destructor_may_abort_cancel_and_wake_the_task_that_is_being_aborted() {
    for queued in [false, true] {
        let (runtime, reports) = runtime();
        let drops = Drops::default();
        runtime
            .block_on(async {
                let gate = Gate::default();
                let guard = drops.guard();
                let opens = gate.clone();
                let own = Rc::new(RefCell::new(None::<TaskRef>));
                let me = own.clone();
                let nasty = OnDrop(move || {
                    let me = me.borrow_mut().take().unwrap();
                    me.abort();
                    me.cancel();
                    opens.open();
                    me.uncancel();
                });
                let task = homing::spawn(async move {
                    let _both = (guard, nasty);
                    gate.await;
                    Ok(())
                });
                *own.borrow_mut() = Some(task.task_ref());
                if !queued {
                    yields(1).await?;
                }
                assert!(task.abort());
                assert!(task.is_cancelled());
                drop(task);
                let after: Vec<_> = (0..4).map(|number| homing::spawn(async move { Ok(number) })).collect();
                yields(2).await?;
                for (number, task) in after.into_iter().enumerate() {
                    assert_eq!(task.await?, number);
                }
                Ok(())
            })
            .unwrap();
        assert_eq!(drops.count(), 1);
        assert_eq!(runtime.task_count(), 0);
        reports.assert_none();
    }
}

#[test]
fn a_destructor_may_end_the_task_that_was_cancelled_before_its_first_poll_again() {
    let (runtime, _) = runtime();
    let drops = Drops::default();
    runtime
        .block_on(async {
            let guard = drops.guard();
            let own = Rc::new(RefCell::new(None::<TaskRef>));
            let me = own.clone();
            let nasty = OnDrop(move || {
                let me = me.borrow_mut().take().unwrap();
                me.abort();
            });
            let task = homing::spawn(async move {
                let _both = (guard, nasty);
                Ok(())
            });
            *own.borrow_mut() = Some(task.task_ref());
            task.cancel();
            yields(2).await?;
            assert!(task.is_cancelled());
            Ok(())
        })
        .unwrap();
    assert_eq!(drops.count(), 1);
    assert_eq!(runtime.task_count(), 0);
}

// Requests from unusual places.

#[test]
fn a_callback_and_a_destructor_may_cancel() {
    in_virtual_time(async {
        let first = sleeper().await?;
        let second = sleeper().await?;
        let (a, b) = (first.task_ref(), second.task_ref());
        homing::call_soon(move || assert!(a.cancel_with("callback")));
        let cancels = OnDrop(move || assert!(b.cancel_with("destructor")));
        let dropped = homing::spawn(async move {
            let _cancels = cancels;
            forever().await
        });
        yields(1).await?;
        dropped.abort();
        assert_eq!(first.await.unwrap_err().as_cancelled().unwrap().reason(), Some("callback"));
        assert_eq!(second.await.unwrap_err().as_cancelled().unwrap().reason(), Some("destructor"));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_task_cancelled_from_outside_of_a_turn_ends_in_the_next() {
    let (runtime, _) = runtime();
    let parked = runtime.spawn(async { forever().await });
    runtime.run_until_stalled().unwrap();
    assert!(parked.cancel());
    let aborted = runtime.spawn(async { forever().await });
    runtime.run_until_stalled().unwrap();
    assert!(aborted.abort() && aborted.is_cancelled());
    runtime.run_until_stalled().unwrap();
    assert!(parked.is_cancelled());
    assert_eq!(runtime.task_count(), 0);
}

#[test]
fn main_can_be_cancelled_by_its_children() {
    let error = in_virtual_time(async {
        let main = current();
        drop(homing::spawn(async move {
            main.cancel_with("by a child");
            Ok(())
        }));
        forever().await
    })
    .unwrap_err();
    assert_eq!(error.as_cancelled().unwrap().reason(), Some("by a child"));
}

#[test]
fn a_cancelled_interval_loses_no_tick() {
    in_virtual_time(async {
        let ticks = Rc::new(Cell::new(0));
        let counted = ticks.clone();
        let task = homing::spawn(async move {
            let begin = homing::Instant::now();
            let mut interval = homing::time::interval(millis(10));
            interval.tick().await?;
            assert!(interval.tick().await.is_err());
            let at = interval.tick().await?;
            counted.set((at - begin).as_millis());
            Ok(())
        });
        yields(1).await?;
        homing::sleep(millis(3)).await?;
        task.cancel();
        task.await?;
        assert_eq!(ticks.get(), 10);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_leaf_beside_a_join_in_futures_unordered_hears_of_a_request_too() {
    let (runtime, _reports) = runtime();
    runtime
        .block_on(async {
            let task = homing::spawn(async {
                let child = homing::spawn(async { forever().await });
                let mut both: FuturesUnordered<LocalBoxFuture<'_, homing::Result<()>>> =
                    FuturesUnordered::from_iter([
                        child.boxed_local(),
                        async { forever().await }.boxed_local(),
                    ]);
                let mut cancelled = 0;
                while let Some(outcome) = both.next().await {
                    assert!(outcome.unwrap_err().is_cancelled());
                    cancelled += 1;
                }
                Ok(cancelled)
            });
            yields(2).await?;
            task.cancel();
            yields(5).await?;
            assert!(task.is_finished());
            assert_eq!(task.await?, 2);
            Ok(())
        })
        .unwrap();
}

/// How a task that does not want to hear is reported, after this was done to it.
fn reported(cancel: impl FnOnce(&TaskRef) -> bool) -> Reports {
    let (runtime, reports) = runtime();
    runtime
        .block_on(async {
            let deaf = homing::task(async {
                let _deaf = forever().await;
                Ok(())
            })
            .name("deaf")
            .spawn();
            yields(1).await?;
            assert!(cancel(&deaf));
            deaf.await
        })
        .unwrap();
    reports
}

#[test]
fn a_cancellation_that_was_swallowed_is_reported_with_its_place_and_reason() {
    let reports = reported(|deaf| deaf.cancel_with("the user is gone"));
    let words = [
        "'deaf'",
        "was cancelled and returned a value",
        "the user is gone",
        "at executor/tests/cancellation.rs",
    ];
    reports.assert_one(&words);
}

#[test]
fn a_cancellation_without_a_reason_that_was_swallowed_is_reported_with_its_place() {
    let reports = reported(|deaf| deaf.cancel());
    reports
        .assert_one(&["was cancelled and returned a value", "(cancelled at executor/tests/cancellation.rs"]);
}
