//! Time: sleeping, intervals, timers, and the virtual clock.

mod support;

use homing::time::{MissedTicks, Timer, interval, interval_at};
use homing::{Builder, Instant, Runtime, sleep, sleep_until};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Poll, Wake, Waker};
use std::time::Duration;
use support::{Log, forever, in_virtual_time, millis, poll_once, runtime, yields};

#[test]
fn in_virtual_time_a_sleep_lasts_exactly_as_long_as_asked_and_no_time_at_all() {
    let begin = std::time::Instant::now();
    in_virtual_time(async {
        for nanos in [1, 999, 1_000_000, 1_000_000_007, 86_400_000_000_000] {
            let begin = Instant::now();
            sleep(Duration::from_nanos(nanos)).await?;
            assert_eq!(begin.elapsed(), Duration::from_nanos(nanos));
        }
        Ok(())
    })
    .unwrap();
    assert!(begin.elapsed() < Duration::from_secs(60));
}

#[test]
fn in_real_time_a_sleep_is_never_shorter_than_asked() {
    Runtime::new()
        .block_on(async {
            for micros in [1, 50, 333, 1000, 2718] {
                let (begin, asked) = (std::time::Instant::now(), Duration::from_micros(micros));
                sleep(asked).await?;
                assert!(begin.elapsed() >= asked, "{:?} < {asked:?}", begin.elapsed());
                let deadline = Instant::now() + asked;
                sleep_until(deadline).await?;
                assert!(Instant::now() >= deadline);
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_point_in_time_that_has_passed_still_gives_way_once() {
    in_virtual_time(async {
        let log = Log::default();
        let noted = log.clone();
        sleep(millis(10)).await?;
        drop(homing::spawn(async move {
            noted.note("others");
            Ok(())
        }));
        let begin = Instant::now();
        sleep_until(begin - millis(5)).await?;
        assert_eq!(log.take(), ["others"]);
        assert_eq!(begin.elapsed(), millis(0));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_sleep_without_an_end_never_ends_and_moves_no_clock() {
    in_virtual_time(async {
        let huge = homing::spawn(sleep(Duration::MAX));
        let endless = homing::spawn(forever());
        let begin = Instant::now();
        yields(3).await?;
        sleep(Duration::from_secs(1_000_000)).await?;
        assert_eq!(begin.elapsed(), Duration::from_secs(1_000_000));
        assert!(!huge.is_finished() && !endless.is_finished());
        huge.abort();
        endless.abort();
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_sleep_outside_of_a_runtime_says_so() {
    let mut outside = Box::pin(sleep(millis(1)));
    let Poll::Ready(Err(error)) = poll_once(outside.as_mut()) else { panic!("it cannot wait") };
    assert_eq!(error.downcast_ref(), Some(&homing::error::RuntimeError::NoRuntime));
}

#[test]
fn a_sleep_may_be_reset_before_while_and_after_it_sleeps() {
    in_virtual_time(async {
        let begin = Instant::now();
        let mut nap = Box::pin(sleep(millis(10)));
        nap.reset(begin + millis(5));
        nap.as_mut().await?;
        assert_eq!(begin.elapsed(), millis(5));
        nap.reset(begin + millis(7));
        assert_eq!(nap.deadline(), begin + millis(7));
        nap.as_mut().await?;
        assert_eq!(begin.elapsed(), millis(7));
        nap.reset(begin + millis(100));
        poll_fn(|cx| Poll::Ready(assert!(nap.as_mut().poll(cx).is_pending()))).await;
        nap.reset(begin + millis(20));
        nap.as_mut().await?;
        assert_eq!(begin.elapsed(), millis(20));
        nap.reset(Instant::FAR_FUTURE);
        poll_fn(|cx| Poll::Ready(assert!(nap.as_mut().poll(cx).is_pending()))).await;
        nap.reset(begin + millis(30));
        nap.as_mut().await?;
        assert_eq!(begin.elapsed(), millis(30));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_sleep_that_has_fired_unseen_and_is_reset_does_not_end_early() {
    in_virtual_time(async {
        let begin = Instant::now();
        let mut nap = Box::pin(sleep(millis(10)));
        poll_fn(|cx| Poll::Ready(assert!(nap.as_mut().poll(cx).is_pending()))).await;
        // Fires at the same time, and is seen by nobody.
        sleep(millis(10)).await?;
        nap.reset(begin + millis(25));
        nap.as_mut().await?;
        assert_eq!(begin.elapsed(), millis(25));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_sleep_that_is_reset_outside_of_the_runtime_ends_when_it_was_told() {
    let (runtime, _) = runtime();
    let begin = runtime.block_on(async { Ok(Instant::now()) }).unwrap();
    let mut nap = Box::pin(sleep_until(begin + millis(10)));
    runtime.block_on(poll_fn(|cx| Poll::Ready(Ok(assert!(nap.as_mut().poll(cx).is_pending()))))).unwrap();
    nap.reset(begin + millis(50));
    runtime.block_on(nap.as_mut()).unwrap();
    assert_eq!(runtime.block_on(async { Ok(begin.elapsed()) }).unwrap(), millis(50));
}

#[test]
fn a_sleep_polled_by_two_tasks_wakes_the_one_that_polled_last() {
    in_virtual_time(async {
        let nap = Rc::new(RefCell::new(sleep(millis(10))));
        let waits = |nap: Rc<RefCell<homing::time::Sleep>>| {
            poll_fn(move |cx| Pin::new(&mut *nap.borrow_mut()).poll(cx))
        };
        let first = homing::spawn(waits(nap.clone()));
        yields(1).await?;
        let second = homing::spawn(waits(nap.clone()));
        let begin = Instant::now();
        second.await?;
        assert_eq!(begin.elapsed(), millis(10));
        assert!(!first.is_finished());
        first.abort();
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_timer_wakes_whoever_polled_it_last_be_it_a_task_or_anybody_else() {
    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    in_virtual_time(async {
        let (first, second) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let mut timer = Timer::new(Instant::now() + millis(1));
        poll_fn(|cx| {
            assert!(timer.poll(&Waker::from(first.clone())).is_pending());
            assert!(timer.poll(&Waker::from(second.clone())).is_pending());
            assert!(timer.poll(cx.waker()).is_pending());
            assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (1, 1));
            assert!(timer.poll(&Waker::from(first.clone())).is_pending());
            Poll::Ready(())
        })
        .await;
        let mut forgotten = Timer::new(Instant::now() + millis(1));
        assert!(forgotten.poll(&Waker::from(second.clone())).is_pending());
        drop(forgotten);
        sleep(millis(2)).await?;
        assert_eq!((first.0.load(Ordering::Relaxed), second.0.load(Ordering::Relaxed)), (1, 0));
        assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (1, 1));
        Ok(())
    })
    .unwrap();
}

#[test]
fn timers_that_come_due_in_a_crowd_are_never_early() {
    Runtime::new()
        .block_on(async {
            let sleepers: Vec<_> = (1..=2_000)
                .map(|number| {
                    homing::spawn(async move {
                        let deadline = Instant::now() + Duration::from_micros(number * 7 % 5_000);
                        sleep_until(deadline).await?;
                        assert!(Instant::now() >= deadline);
                        Ok(())
                    })
                })
                .collect();
            for sleeper in sleepers {
                sleeper.await?;
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_timer_can_be_sent_to_another_thread_and_dropped_there() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let (runtime, _) = runtime();
    runtime
        .block_on(async {
            let mut timer = is_send(Timer::new(Instant::now() + millis(5)));
            assert!(timer.poll(Waker::noop()).is_pending());
            std::thread::spawn(move || drop(timer)).join().unwrap();
            let mut nap = is_send(Box::pin(sleep(millis(5))));
            poll_fn(|cx| Poll::Ready(assert!(nap.as_mut().poll(cx).is_pending()))).await;
            std::thread::spawn(move || drop(nap)).join().unwrap();
            sleep(millis(10)).await
        })
        .unwrap();
}

#[test]
fn a_leaf_that_a_combinator_has_polled_can_be_dropped_on_another_thread() {
    use futures_util::{StreamExt, stream::FuturesUnordered};
    in_virtual_time(async {
        let mut naps: FuturesUnordered<_> = (0..3).map(|_| Box::pin(sleep(millis(5)))).collect();
        poll_fn(|cx| Poll::Ready(assert!(naps.poll_next_unpin(cx).is_pending()))).await;
        std::thread::spawn(move || drop(naps)).join().unwrap();
        sleep(millis(10)).await
    })
    .unwrap();
}

#[test]
fn a_timer_of_a_runtime_that_is_gone_disarms_nobody_elses() {
    let mut old = Box::pin(sleep(Duration::from_secs(3600)));
    let first = Builder::new().virtual_time().build();
    first.block_on(poll_fn(|cx| Poll::Ready(Ok(assert!(old.as_mut().poll(cx).is_pending()))))).unwrap();
    drop(first);
    // It may well use what the first one has left behind.
    in_virtual_time(async {
        let sleeper = homing::spawn(async { sleep(millis(10)).await });
        yields(1).await?;
        drop(old);
        sleeper.await
    })
    .unwrap();
}

#[test]
fn a_sleep_that_is_polled_in_another_runtime_sleeps_there() {
    let mut nap = Box::pin(sleep_until(Instant::FAR_FUTURE - Duration::from_secs(1)));
    let first = Builder::new().virtual_time().build();
    first.block_on(poll_fn(|cx| Poll::Ready(Ok(assert!(nap.as_mut().poll(cx).is_pending()))))).unwrap();
    in_virtual_time(nap.as_mut()).unwrap();
}

#[test]
fn a_timer_that_was_armed_in_another_runtime_has_not_fired_before_its_deadline() {
    let mut timer = Timer::new(Instant::FAR_FUTURE - Duration::from_secs(1));
    let first = Builder::new().virtual_time().build();
    first.block_on(async { Ok(assert!(timer.poll(Waker::noop()).is_pending())) }).unwrap();
    in_virtual_time(async {
        assert!(!timer.has_fired());
        poll_fn(|cx| timer.poll(cx.waker())).await?;
        assert!(Instant::now() >= timer.deadline());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_dropped_sleep_leaves_no_deadline_behind() {
    let runtime = Runtime::new();
    let task = runtime.spawn(async { sleep(Duration::from_secs(100)).await });
    assert!(runtime.turn(homing::runtime::Budget::batch()).unwrap().next_deadline.is_some());
    // From outside of a turn.
    task.abort();
    assert_eq!(runtime.turn(homing::runtime::Budget::batch()).unwrap().next_deadline, None);
}

#[test]
fn virtual_time_stands_still_while_anything_can_run() {
    in_virtual_time(async {
        let begin = Instant::now();
        let nap = homing::spawn(sleep(Duration::from_nanos(1)));
        yields(1000).await?;
        assert_eq!(begin.elapsed(), Duration::ZERO);
        assert!(!nap.is_finished());
        nap.await?;
        assert_eq!(begin.elapsed(), Duration::from_nanos(1));
        Ok(())
    })
    .unwrap();
}

#[test]
fn virtual_time_goes_on_under_a_host_that_takes_turns() {
    let (runtime, _) = runtime();
    let task = runtime.spawn(async {
        sleep(Duration::from_secs(3600)).await?;
        sleep(Duration::from_secs(3600)).await
    });
    for _ in 0..10 {
        let turn = runtime.turn(homing::runtime::Budget::batch()).unwrap();
        if task.is_finished() {
            return;
        }
        assert_eq!(turn.wait(), Some(Duration::ZERO), "there is nothing to wait for");
    }
    panic!("two hours should have passed");
}

fn ticks(missed: MissedTicks, late: Duration) -> Vec<u128> {
    in_virtual_time(async move {
        let begin = Instant::now();
        let mut interval = interval(millis(10)).missed_ticks(missed);
        let mut at = Vec::new();
        for number in 0..6 {
            interval.tick().await?;
            at.push(begin.elapsed().as_millis());
            if number == 0 {
                sleep(late).await?;
            }
        }
        Ok(at)
    })
    .unwrap()
}

#[test]
fn an_interval_does_about_missed_ticks_as_it_was_told() {
    assert_eq!(ticks(MissedTicks::Burst, millis(35)), [0, 35, 35, 35, 40, 50]);
    assert_eq!(ticks(MissedTicks::Delay, millis(35)), [0, 35, 45, 55, 65, 75]);
    assert_eq!(ticks(MissedTicks::Skip, millis(35)), [0, 35, 40, 50, 60, 70]);
    for missed in [MissedTicks::Burst, MissedTicks::Delay, MissedTicks::Skip] {
        assert_eq!(ticks(missed, millis(3)), [0, 10, 20, 30, 40, 50], "{missed:?}");
        assert_eq!(ticks(missed, millis(10)), [0, 10, 20, 30, 40, 50], "{missed:?}");
    }
}

#[test]
fn an_interval_begins_when_told_and_can_be_reset() {
    in_virtual_time(async {
        let begin = Instant::now();
        let mut interval = interval_at(begin + millis(7), millis(10));
        assert_eq!(interval.tick().await? - begin, millis(7));
        assert_eq!(interval.tick().await? - begin, millis(17));
        sleep(millis(3)).await?;
        interval.reset();
        assert_eq!(interval.tick().await? - begin, millis(30));
        assert_eq!(interval.period(), millis(10));
        Ok(())
    })
    .unwrap();
}

#[test]
#[should_panic(expected = "period must not be zero")]
fn an_interval_without_a_period_is_refused() {
    drop(interval(Duration::ZERO));
}

#[test]
fn sleepers_wake_in_the_order_of_their_deadlines() {
    in_virtual_time(async {
        let log = Rc::new(RefCell::new(Vec::new()));
        let begin = Instant::now();
        let mut state = 7u64;
        let tasks: Vec<_> = (0..300)
            .map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let (log, length) = (log.clone(), Duration::from_nanos(state >> 24));
                homing::spawn(async move {
                    sleep_until(begin + length).await?;
                    assert_eq!(begin.elapsed(), length);
                    log.borrow_mut().push(length);
                    Ok(())
                })
            })
            .collect();
        for task in tasks {
            task.await?;
        }
        assert!(log.borrow().is_sorted());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_foreign_waker_may_use_timers_while_it_is_cloned_woken_and_dropped() {
    use std::task::{RawWaker, RawWakerVTable};
    thread_local! {
        static NAPS: Cell<u32> = const { Cell::new(0) };
    }
    fn nap() {
        NAPS.set(NAPS.get() + 1);
        let mut nap = Box::pin(sleep(millis(1)));
        let _ = poll_once(nap.as_mut());
    }
    fn clone(_: *const ()) -> RawWaker {
        nap();
        RawWaker::new(std::ptr::null(), &VTABLE)
    }
    fn act(_: *const ()) {
        nap();
    }
    static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, act, act, act);
    // SAFETY: the functions of the table are thread-safe, and own nothing.
    let waker = unsafe { Waker::new(std::ptr::null(), &VTABLE) };
    in_virtual_time(async {
        let mut timer = Timer::new(Instant::now() + millis(2));
        assert!(timer.poll(&waker).is_pending());
        assert!(timer.poll(Waker::noop()).is_pending());
        assert!(timer.poll(&waker).is_pending());
        sleep(millis(3)).await?;
        assert!(timer.poll(&waker).is_ready());
        let mut left_behind = Timer::new(Instant::now() + millis(1000));
        assert!(left_behind.poll(&waker).is_pending());
        std::mem::forget(left_behind);
        Ok(())
    })
    .unwrap();
    assert!(NAPS.get() > 4);
}
