//! Every rule on locks, events, conditions, semaphores and barriers (LK, EV, CO, SE, BA), each as a test that can fail.

mod common;

use common::{Log, count, in_every_mode, in_every_order, ms, nap, shown, started};
use futures_util::future::{Either, FutureExt, join, join3, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use homing::sync::{
    Barrier, BoundedSemaphore, BrokenBarrier, Condition, Event, Guard, Mutex, OwnedMutexGuard, Semaphore,
};
use homing::{Result, Task, current, spawn, task_group, timeout, yield_now};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Polls once, outside of any task's cancellation or waker.
fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// The message of a panic.
fn panic_message(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("it panics");
    match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => (*payload.downcast::<&str>().expect("a message")).to_owned(),
    }
}

mod mutex {
    use super::*;

    /// Locks, logs, and unlocks at once.
    fn locker(
        lock: &Rc<Mutex<()>>,
        log: &Log,
        name: &'static str,
    ) -> impl Future<Output = Result<()>> + 'static {
        let (lock, log) = (lock.clone(), log.clone());
        async move {
            let _guard = lock.lock().await?;
            log.push(name);
            Ok(())
        }
    }

    /// LK-1
    #[test]
    fn a_free_mutex_is_locked_without_suspending() {
        let lock = Mutex::new(7);
        let Poll::Ready(Ok(guard)) = poll_once(&mut lock.lock()) else { panic!("it suspends") };
        assert_eq!(*guard, 7);
        assert!(lock.is_locked() && lock.try_lock().is_none());
        drop(guard);
        assert!(!lock.is_locked() && lock.try_lock().is_some());
    }

    /// LK-2, LK-3
    #[test]
    fn waiters_are_served_in_the_order_of_asking_one_per_unlock() {
        in_every_order(async |_| {
            let (lock, log) = (Rc::new(Mutex::new(())), Log::new());
            let held = lock.lock().await?;
            let mut tasks = Vec::new();
            for name in ["a", "b", "c"] {
                let (lock, log) = (lock.clone(), log.clone());
                let task = started(async move {
                    let _guard = lock.lock().await?;
                    log.push(name);
                    nap(10).await
                });
                tasks.push(task.await);
            }
            assert_eq!(log.take(), [""; 0]);
            drop(held);
            nap(1).await?;
            for name in ["a", "b", "c"] {
                assert_eq!(log.take(), [name]);
                nap(10).await?;
            }
            assert!(!lock.is_locked());
            Ok(())
        });
    }

    /// LK-3
    #[test]
    fn every_way_out_of_the_block_unlocks() {
        in_every_mode(async |_| {
            let lock = Rc::new(Mutex::new(()));
            let cancelled = started({
                let lock = lock.clone();
                async move {
                    let _guard = lock.lock().await?;
                    nap(10).await
                }
            })
            .await;
            assert!(lock.is_locked());
            cancelled.cancel();
            assert!(cancelled.await.unwrap_err().is_cancelled());
            assert!(!lock.is_locked());
            let message = panic_message(|| {
                let _guard = lock.try_lock().unwrap();
                panic!("in the block");
            });
            assert_eq!(message, "in the block");
            assert!(!lock.is_locked(), "a mutex is not poisoned");
            Ok(())
        });
    }

    /// LK-4
    #[test]
    fn between_the_unlock_and_the_next_ones_turn_it_reads_as_free_and_a_newcomer_queues() {
        in_every_mode(async |_| {
            let (lock, log) = (Rc::new(Mutex::new(())), Log::new());
            let held = lock.lock().await?;
            let first = started(locker(&lock, &log, "first")).await;
            drop(held);
            assert!(!lock.is_locked());
            assert!(lock.try_lock().is_none(), "it is kept for the first in line");
            let newcomer = spawn(locker(&lock, &log, "newcomer"));
            let (first, newcomer) = join(first, newcomer).await;
            assert_eq!((shown(&first), shown(&newcomer)), ("ok".into(), "ok".into()));
            assert_eq!(log.take(), ["first", "newcomer"]);
            Ok(())
        });
    }

    /// LK-5
    #[test]
    fn a_waiter_cancelled_before_its_turn_just_leaves() {
        in_every_order(async |_| {
            let (lock, log) = (Rc::new(Mutex::new(())), Log::new());
            let held = lock.lock().await?;
            let a = started(locker(&lock, &log, "a")).await;
            let b = started(locker(&lock, &log, "b")).await;
            let c = started(locker(&lock, &log, "c")).await;
            b.cancel();
            yield_now().await?;
            drop(held);
            assert_eq!(shown(&a.await), "ok");
            assert_eq!(shown(&b.await), "cancelled");
            assert_eq!(shown(&c.await), "ok");
            assert_eq!(log.take(), ["a", "c"]);
            Ok(())
        });
    }

    /// LK-5, CX-7
    #[test]
    fn a_waiter_cancelled_when_it_was_its_turn_passes_the_mutex_on() {
        in_every_order(async |_| {
            let (lock, log) = (Rc::new(Mutex::new(())), Log::new());
            let held = lock.lock().await?;
            let a = started(locker(&lock, &log, "a")).await;
            let b = started(locker(&lock, &log, "b")).await;
            drop(held);
            a.cancel();
            assert_eq!(shown(&a.await), "cancelled");
            assert_eq!(shown(&b.await), "ok");
            assert_eq!(log.take(), ["b"]);
            assert!(lock.try_lock().is_some());
            Ok(())
        });
    }

    /// LK-5
    #[test]
    fn a_waiter_aborted_when_it_was_its_turn_passes_the_mutex_on() {
        in_every_order(async |_| {
            let (lock, log) = (Rc::new(Mutex::new(())), Log::new());
            let held = lock.lock().await?;
            let a = started(locker(&lock, &log, "a")).await;
            let b = started(locker(&lock, &log, "b")).await;
            drop(held);
            a.abort();
            assert_eq!(shown(&b.await), "ok");
            assert_eq!(log.take(), ["b"]);
            Ok(())
        });
    }

    /// LK-5
    #[test]
    fn if_all_waiters_are_cancelled_the_mutex_is_free() {
        in_every_order(async |_| {
            let (lock, log) = (Rc::new(Mutex::new(())), Log::new());
            let held = lock.lock().await?;
            let a = started(locker(&lock, &log, "a")).await;
            let b = started(locker(&lock, &log, "b")).await;
            a.cancel();
            b.cancel();
            drop(held);
            let (a, b) = join(a, b).await;
            assert_eq!((shown(&a), shown(&b)), ("cancelled".into(), "cancelled".into()));
            assert!(lock.try_lock().is_some());
            assert_eq!(log.take(), [""; 0]);
            Ok(())
        });
    }

    /// LK-6
    #[test]
    fn the_guard_may_be_given_to_another_task() {
        in_every_mode(async |_| {
            let lock = Rc::new(Mutex::new(1));
            let guard: OwnedMutexGuard<i32> = lock.lock_owned().await?;
            let other = spawn(async move {
                let mut guard = guard;
                *guard += 1;
                nap(5).await?;
                Ok(())
            });
            assert_eq!(*lock.lock().await?, 2);
            other.await
        });
    }

    /// LK-7
    #[test]
    fn it_may_be_made_and_used_outside_of_any_runtime() {
        static_assert_not_send();
        let mut lock = Mutex::new(vec![1]);
        lock.try_lock().unwrap().push(2);
        lock.get_mut().push(3);
        let held = lock.try_lock().unwrap();
        let mut waiting = lock.lock();
        assert!(poll_once(&mut waiting).is_pending());
        drop(held);
        assert!(poll_once(&mut waiting).is_ready());
        drop(waiting);
        assert_eq!(lock.into_inner(), [1, 2, 3]);
    }

    fn static_assert_not_send() {
        trait Ambiguous<A> {
            fn check() {}
        }
        impl<T: ?Sized> Ambiguous<()> for T {}
        struct IsSend;
        impl<T: ?Sized + Send> Ambiguous<IsSend> for T {}
        <homing::sync::MutexGuard<'static, ()> as Ambiguous<_>>::check();
        <OwnedMutexGuard<()> as Ambiguous<_>>::check();
    }

    /// CX-11
    #[test]
    fn a_free_mutex_is_no_delivery_point_and_a_held_one_is() {
        in_every_mode(async |_| {
            let lock = Rc::new(Mutex::new(()));
            let task = spawn({
                let lock = lock.clone();
                async move {
                    current().expect("a task").cancel();
                    let _guard = lock.lock().await?;
                    assert_eq!(count(), 1);
                    lock.lock().await.map(|_| ())
                }
            });
            assert_eq!(shown(&task.await), "cancelled");
            assert!(!lock.is_locked());
            Ok(())
        });
    }

    #[test]
    fn the_value_comes_back_from_an_owned_guard() {
        let lock = Rc::new(Mutex::new(String::from("a")));
        lock.try_lock_owned().unwrap().push('b');
        assert_eq!(*lock.try_lock().unwrap(), "ab");
        assert_eq!(Rc::into_inner(lock).unwrap().into_inner(), "ab");
    }

    /// TK-14
    #[test]
    fn its_debug_form_tells_its_state_and_its_waiters() {
        let lock = Mutex::new(());
        assert_eq!(format!("{lock:?}"), "Mutex [unlocked]");
        let guard = lock.try_lock();
        assert_eq!(format!("{lock:?}"), "Mutex [locked]");
        let mut waiting = lock.lock();
        let _ = poll_once(&mut waiting);
        assert_eq!(format!("{lock:?}"), "Mutex [locked, waiters: 1]");
        drop(guard);
        assert_eq!(format!("{lock:?}"), "Mutex [unlocked, waiters: 1]");
    }
}

mod event {
    use super::*;

    /// EV-1, CX-11
    #[test]
    fn waiting_for_a_set_event_does_not_suspend() {
        let event = Event::new();
        assert!(!event.is_set());
        event.set();
        assert!(poll_once(&mut event.wait()).is_ready());
    }

    /// EV-2
    #[test]
    fn set_wakes_all_in_the_order_of_asking_and_later_ones_pass_before_them() {
        in_every_mode(async |world| {
            let (event, log) = (Rc::new(Event::new()), Log::new());
            let waiter = |name: &'static str| {
                let (event, log) = (event.clone(), log.clone());
                async move {
                    event.wait().await?;
                    log.push(name);
                    Ok(())
                }
            };
            let a = started(waiter("a")).await;
            let b = started(waiter("b")).await;
            event.set();
            event.wait().await?;
            log.push("main");
            let _ = join(a, b).await;
            assert_eq!(log.take(), ["main", "a", "b"], "eager: {}", world.eager);
            Ok(())
        });
    }

    /// EV-3
    #[test]
    fn who_was_woken_goes_on_though_it_is_cleared_before_he_runs() {
        in_every_order(async |_| {
            let event = Rc::new(Event::new());
            let waiter = |event: &Rc<Event>| {
                let event = event.clone();
                started(async move { event.wait().await })
            };
            let early = waiter(&event).await;
            event.set();
            event.set();
            event.clear();
            event.clear();
            let late = waiter(&event).await;
            assert_eq!(shown(&early.await), "ok");
            assert!(!late.is_finished());
            late.cancel();
            assert_eq!(shown(&late.await), "cancelled");
            Ok(())
        });
    }

    /// EV-4, CX-7
    #[test]
    fn a_cancelled_waiter_leaves_also_if_the_event_was_set_meanwhile() {
        in_every_order(async |_| {
            let event = Rc::new(Event::new());
            let mut tasks = Vec::new();
            for _ in 0..2 {
                let event = event.clone();
                tasks.push(started(async move { event.wait().await }).await);
            }
            tasks[0].cancel();
            nap(1).await?;
            assert_eq!(format!("{event:?}"), "Event [unset, waiters: 1]");
            event.set();
            tasks[1].cancel();
            for task in tasks {
                assert_eq!(shown(&task.await), "cancelled");
            }
            assert_eq!(format!("{event:?}"), "Event [set]");
            Ok(())
        });
    }
}

mod condition {
    use super::*;

    type Pair = Rc<(Mutex<i32>, Condition)>;

    fn pair() -> Pair {
        Rc::new((Mutex::new(0), Condition::new()))
    }

    /// Waits once under the lock, and logs how that ended.
    async fn waiter(pair: &Pair, log: &Log, name: &'static str) -> Task<()> {
        let (pair, log) = (pair.clone(), log.clone());
        started(async move {
            let (lock, condition) = &*pair;
            let mut guard = lock.lock().await?;
            let outcome = condition.wait(&mut guard).await;
            assert!(lock.is_locked(), "CO-5: the lock is held whenever wait returns");
            *guard += 1;
            log.push(format!("{name} {}", shown(&outcome)));
            outcome
        })
        .await
    }

    /// CO-3, CO-4
    #[test]
    fn notify_wakes_the_first_n_and_they_get_the_lock_in_order() {
        in_every_mode(async |_| {
            let (pair, log) = (pair(), Log::new());
            let mut tasks = Vec::new();
            for name in ["a", "b", "c", "d"] {
                tasks.push(waiter(&pair, &log, name).await);
            }
            let (lock, condition) = &*pair;
            let guard = lock.lock().await?;
            condition.notify(&guard, 1);
            nap(1).await?;
            assert_eq!(log.take(), [""; 0], "notify does not release the lock");
            condition.notify(&guard, 1);
            drop(guard);
            nap(1).await?;
            assert_eq!(log.take(), ["a ok", "b ok"]);
            condition.notify_all(&lock.lock().await?);
            nap(1).await?;
            assert_eq!(log.take(), ["c ok", "d ok"]);
            condition.notify(&lock.lock().await?, 5);
            assert_eq!(*lock.lock().await?, 4);
            for task in tasks {
                task.await?;
            }
            Ok(())
        });
    }

    /// CO-1
    #[test]
    fn several_conditions_may_share_a_lock() {
        in_every_order(async |_| {
            let lock = Rc::new(Mutex::new(0));
            let conditions = Rc::new([Condition::new(), Condition::new()]);
            let task = started({
                let (lock, conditions) = (lock.clone(), conditions.clone());
                async move {
                    let mut guard = lock.lock_owned().await?;
                    conditions[0].wait(&mut guard).await?;
                    *guard += 1;
                    conditions[1].notify(&guard, 1);
                    Ok(())
                }
            })
            .await;
            let mut guard = lock.lock().await?;
            conditions[0].notify(&guard, 1);
            conditions[1].wait_for(&mut guard, |value| *value == 1).await?;
            task.await
        });
    }

    /// CO-2
    #[test]
    fn the_guard_of_another_mutex_is_refused() {
        let (lock, other, condition) = (Mutex::new(0), Mutex::new(0), Condition::new());
        let mut guard = lock.try_lock().unwrap();
        let mut wait = condition.wait(&mut guard).boxed_local();
        assert!(poll_once(&mut wait).is_pending());
        let mut wrong = other.try_lock().unwrap();
        let told =
            "those who wait for the condition have given up another mutex than the one whose guard is shown";
        assert_eq!(panic_message(|| condition.notify_all(&wrong)), told);
        assert_eq!(panic_message(|| drop(poll_once(&mut condition.wait(&mut wrong).boxed_local()))), told);
        drop(wait);
        condition.notify_all(&wrong);
    }

    /// CO-5, CO-7
    #[test]
    fn cancelled_while_asleep_it_takes_the_lock_back_first_and_shows_the_reason() {
        in_every_order(async |world| {
            let (pair, log) = (pair(), Log::new());
            let task = waiter(&pair, &log, "a").await;
            let guard = pair.0.lock().await?;
            task.cancel_with("enough");
            nap(10).await?;
            assert_eq!(log.take(), [""; 0], "it waits for the lock");
            drop(guard);
            let error = task.await.unwrap_err();
            assert_eq!(error.as_cancelled().unwrap().reason(), Some("enough"));
            assert_eq!(log.take(), ["a cancelled"]);
            assert_eq!(world.now(), 10);
            assert!(pair.0.try_lock().is_some());
            Ok(())
        });
    }

    /// CO-5: the guard is good after a timeout
    #[test]
    fn a_timeout_around_a_wait_leaves_the_lock_with_its_holder() {
        in_every_order(async |_| {
            let (lock, condition) = (Mutex::new(0), Condition::new());
            let mut guard = lock.lock().await?;
            let outcome = timeout(ms(5), condition.wait(&mut guard)).await;
            assert!(outcome.unwrap_err().is_timeout());
            assert!(lock.is_locked());
            *guard += 1;
            drop(guard);
            assert_eq!(*lock.try_lock().unwrap(), 1);
            Ok(())
        });
    }

    /// CO-6
    #[test]
    fn cancels_do_not_shorten_the_wait_for_the_lock_and_the_latest_comes_out() {
        in_every_order(async |world| {
            let (pair, log) = (pair(), Log::new());
            let task = waiter(&pair, &log, "a").await;
            let guard = pair.0.lock().await?;
            pair.1.notify(&guard, 1);
            nap(5).await?;
            task.cancel_with("first");
            nap(5).await?;
            task.cancel_with("second");
            nap(5).await?;
            assert!(!task.is_finished());
            drop(guard);
            let error = task.await.unwrap_err();
            assert_eq!(error.as_cancelled().unwrap().reason(), Some("second"));
            assert_eq!((log.take(), world.now()), (vec!["a cancelled".to_owned()], 15));
            Ok(())
        });
    }

    /// CO-6
    #[test]
    fn a_cancel_during_the_wait_for_the_lock_does_not_cost_its_place_in_line() {
        in_every_order(async |_| {
            let (pair, log) = (pair(), Log::new());
            let task = waiter(&pair, &log, "waiter").await;
            let guard = pair.0.lock().await?;
            pair.1.notify(&guard, 1);
            nap(1).await?;
            let newcomer = started({
                let (pair, log) = (pair.clone(), log.clone());
                async move {
                    let _guard = pair.0.lock().await?;
                    log.push("newcomer");
                    Ok(())
                }
            })
            .await;
            task.cancel();
            nap(1).await?;
            drop(guard);
            let _ = join(task, newcomer).await;
            assert_eq!(log.take(), ["waiter cancelled", "newcomer"]);
            Ok(())
        });
    }

    /// CO-8, in all three places: notified and not seen, waiting for the lock, and aborted
    #[test]
    fn a_notification_that_ends_in_an_error_goes_to_the_next() {
        in_every_order(async |_| {
            for abort in [false, true] {
                for seen in [false, true] {
                    let (pair, log) = (pair(), Log::new());
                    let a = waiter(&pair, &log, "a").await;
                    let b = waiter(&pair, &log, "b").await;
                    let c = waiter(&pair, &log, "c").await;
                    let guard = pair.0.lock().await?;
                    pair.1.notify(&guard, 1);
                    if seen {
                        nap(1).await?;
                    }
                    if abort {
                        a.abort()
                    } else {
                        a.cancel()
                    };
                    nap(1).await?;
                    drop(guard);
                    b.await?;
                    nap(1).await?;
                    assert!(a.is_finished() && !c.is_finished());
                    let expected: &[&str] = if abort { &["b ok"] } else { &["a cancelled", "b ok"] };
                    let mut log = log.take();
                    log.sort();
                    assert_eq!(log, expected, "seen: {seen}");
                    c.abort();
                }
            }
            Ok(())
        });
    }

    /// CO-8, without its price
    #[test]
    fn a_wait_cancelled_without_a_notification_wakes_nobody() {
        in_every_order(async |_| {
            let (pair, log) = (pair(), Log::new());
            let a = waiter(&pair, &log, "a").await;
            let b = waiter(&pair, &log, "b").await;
            a.cancel();
            nap(1).await?;
            assert_eq!(log.take(), ["a cancelled"]);
            assert_eq!(format!("{:?}", pair.1), "Condition [waiters: 1]");
            b.abort();
            Ok(())
        });
    }

    /// CO-9
    #[test]
    fn wait_for_looks_first_and_again_after_each_notification() {
        in_every_order(async |_| {
            let pair = pair();
            let (lock, condition) = &*pair;
            let mut guard = lock.lock().await?;
            let looked = Cell::new(0);
            condition.wait_for(&mut guard, |value| *value == 0).await?;
            let bumper = spawn({
                let pair = pair.clone();
                async move {
                    for _ in 0..3 {
                        let mut guard = pair.0.lock().await?;
                        *guard += 1;
                        pair.1.notify_all(&guard);
                        drop(guard);
                        nap(1).await?;
                    }
                    Ok(())
                }
            });
            condition
                .wait_for(&mut guard, |value| {
                    looked.set(looked.get() + 1);
                    *value == 3
                })
                .await?;
            assert_eq!(looked.get(), 4);
            let taken = condition.wait_for_value(&mut guard, |value| Some(std::mem::take(value))).await?;
            assert_eq!((taken, *guard), (3, 0));
            drop(guard);
            bumper.await
        });
    }

    /// CO-10
    #[test]
    fn a_wait_dropped_midway_leaves_a_guard_without_its_lock() {
        in_every_order(async |_| {
            let pair = pair();
            let (lock, condition) = &*pair;
            let mut guard = lock.lock().await?;
            match select(condition.wait(&mut guard).boxed_local(), nap(5).boxed_local()).await {
                Either::Left(_) => panic!("nobody notifies"),
                Either::Right((slept, _wait)) => slept?,
            }
            assert!(!lock.is_locked());
            let message = panic_message(|| assert_eq!(*guard, 0));
            assert!(message.starts_with("the guard has lost its mutex"), "{message}");
            let other = lock.try_lock().unwrap();
            assert!(Guard::relock(&mut guard).now_or_never().is_none(), "another has it");
            drop(other);
            Guard::relock(&mut guard).await?;
            Guard::relock(&mut guard).await?;
            *guard += 1;
            assert!(lock.is_locked());
            drop(guard);
            assert!(!lock.is_locked());
            Ok(())
        });
    }

    /// CX-10: the lock is not given up for a wait that ends before it begins
    #[test]
    fn a_pending_cancel_comes_out_at_once_and_the_lock_stays() {
        in_every_mode(async |_| {
            let lock = Rc::new(Mutex::new(0));
            let condition = Condition::new();
            let task = spawn({
                let lock = lock.clone();
                async move {
                    let mut guard = lock.lock().await?;
                    current().expect("a task").cancel();
                    let outcome = condition.wait(&mut guard).await;
                    *guard = 1;
                    outcome
                }
            });
            assert_eq!(shown(&task.await), "cancelled");
            assert_eq!(*lock.try_lock().unwrap(), 1);
            Ok(())
        });
    }

    /// No lost wake-up when the lock goes straight to the one who notifies.
    #[test]
    fn who_gets_the_lock_from_a_wait_may_notify_that_very_wait() {
        in_every_order(async |_| {
            let pair = pair();
            let notifier = spawn({
                let pair = pair.clone();
                async move {
                    let mut guard = pair.0.lock().await?;
                    *guard = 1;
                    pair.1.notify(&guard, 1);
                    Ok(())
                }
            });
            let mut guard = pair.0.lock().await?;
            pair.1.wait_for(&mut guard, |value| *value == 1).await?;
            drop(guard);
            notifier.await
        });
    }
}

mod semaphore {
    use super::*;

    /// Acquires for good, and logs.
    async fn taker(semaphore: &Rc<Semaphore>, log: &Log, name: &'static str, permits: usize) -> Task<()> {
        let (semaphore, log) = (semaphore.clone(), log.clone());
        started(async move {
            semaphore.acquire_many(permits).await?.forget();
            log.push(name);
            Ok(())
        })
        .await
    }

    /// SE-1
    #[test]
    fn it_begins_with_one_permit_or_as_many_as_it_is_told() {
        assert_eq!(Semaphore::default().available_permits(), 1);
        let none = Semaphore::new(0);
        assert!(none.is_locked() && none.try_acquire().is_none());
        let three = Semaphore::new(3);
        let permit = three.try_acquire_many(2).unwrap();
        assert_eq!((permit.count(), three.available_permits()), (2, 1));
        assert!(three.try_acquire_many(2).is_none());
        assert!(poll_once(&mut three.acquire()).is_ready(), "without suspending");
        drop(permit);
        assert_eq!(three.available_permits(), 3);
    }

    /// SE-2, SE-5: the lock-step of CPython's `test_acquire_fifo_order_4`
    #[test]
    fn while_somebody_is_in_line_it_is_locked_though_permits_are_free() {
        in_every_mode(async |_| {
            let (semaphore, log) = (Rc::new(Semaphore::new(0)), Log::new());
            let first = taker(&semaphore, &log, "1", 1).await;
            semaphore.add_permits(3);
            assert_eq!(semaphore.available_permits(), 2);
            assert!(semaphore.is_locked() && semaphore.try_acquire().is_none());
            let rest = ["2", "3"].map(|name| {
                let (semaphore, log) = (semaphore.clone(), log.clone());
                homing::task(async move {
                    semaphore.acquire().await?.forget();
                    log.push(name);
                    Ok(())
                })
                .eager()
                .spawn()
            });
            assert_eq!(semaphore.available_permits(), 2, "they queue behind the first");
            first.await?;
            for task in rest {
                task.await?;
            }
            assert_eq!(log.take(), ["1", "2", "3"]);
            assert_eq!(semaphore.available_permits(), 0);
            Ok(())
        });
    }

    /// SE-3
    #[test]
    fn a_released_permit_cannot_be_snatched_from_the_first_in_line() {
        in_every_order(async |_| {
            let (semaphore, log) = (Rc::new(Semaphore::new(0)), Log::new());
            let first = taker(&semaphore, &log, "first", 1).await;
            semaphore.release();
            assert_eq!(semaphore.available_permits(), 0, "lowered at the hand-over");
            assert!(semaphore.try_acquire().is_none());
            first.await
        });
    }

    /// SE-4
    #[test]
    fn several_releases_in_one_step_wake_several_in_order() {
        in_every_mode(async |_| {
            let (semaphore, log) = (Rc::new(Semaphore::new(0)), Log::new());
            let mut tasks = Vec::new();
            for name in ["a", "b", "c"] {
                tasks.push(taker(&semaphore, &log, name, 1).await);
            }
            semaphore.release();
            semaphore.release();
            nap(1).await?;
            assert_eq!(log.take(), ["a", "b"]);
            semaphore.release();
            for task in tasks {
                task.await?;
            }
            Ok(())
        });
    }

    /// SE-6, CX-7
    #[test]
    fn a_permit_handed_to_a_cancelled_waiter_goes_to_the_next() {
        in_every_order(async |_| {
            let (semaphore, log) = (Rc::new(Semaphore::new(0)), Log::new());
            let a = taker(&semaphore, &log, "a", 1).await;
            let b = taker(&semaphore, &log, "b", 1).await;
            let c = taker(&semaphore, &log, "c", 1).await;
            semaphore.add_permits(2);
            a.cancel();
            b.abort();
            assert_eq!(shown(&a.await), "cancelled");
            assert_eq!(shown(&c.await), "ok");
            assert_eq!((log.take(), semaphore.available_permits()), (vec!["c".to_owned()], 1));
            drop(b);
            Ok(())
        });
    }

    /// SE-7
    #[test]
    fn a_waiter_cancelled_before_the_hand_over_just_leaves() {
        in_every_order(async |_| {
            let (semaphore, log) = (Rc::new(Semaphore::new(0)), Log::new());
            let a = taker(&semaphore, &log, "a", 1).await;
            let b = taker(&semaphore, &log, "b", 1).await;
            a.cancel();
            assert_eq!(shown(&a.await), "cancelled");
            semaphore.release();
            b.await
        });
    }

    /// SE-8
    #[test]
    fn who_releases_and_acquires_at_once_goes_to_the_end_of_the_line() {
        in_every_order(async |_| {
            let (semaphore, log) = (Rc::new(Semaphore::new(1)), Log::new());
            let permit = semaphore.acquire().await?;
            let other = taker(&semaphore, &log, "other", 1).await;
            drop(permit);
            let mut again = semaphore.acquire();
            assert!(poll_once(&mut again).is_pending());
            other.await?;
            semaphore.release();
            drop(again);
            assert_eq!(semaphore.available_permits(), 1);
            Ok(())
        });
    }

    /// SE-9
    #[test]
    fn it_may_be_released_from_anywhere_beyond_what_it_began_with() {
        let semaphore = Semaphore::new(1);
        semaphore.release();
        semaphore.add_permits(3);
        assert_eq!(semaphore.available_permits(), 5);
        assert_eq!(
            panic_message(|| semaphore.add_permits(usize::MAX)),
            "there are more permits than can be counted"
        );
    }

    /// SE-10
    #[test]
    fn a_bounded_one_refuses_to_be_released_too_often() {
        in_every_order(async |_| {
            let semaphore = Rc::new(BoundedSemaphore::new(1));
            let told = "the semaphore was released too often: all of its permits (1) are free";
            assert_eq!(semaphore.release().unwrap_err().to_string(), told);
            semaphore.acquire().await?.forget();
            let waiter = started({
                let semaphore = semaphore.clone();
                async move {
                    semaphore.acquire_owned(1).await?.forget();
                    Ok(())
                }
            })
            .await;
            semaphore.release()?;
            // In hand-over it counts as taken.
            assert_eq!(semaphore.available_permits(), 0);
            waiter.await?;
            semaphore.release()?;
            assert!(semaphore.release().is_err());
            // A permit's own release is void if somebody has been there before.
            let permit = semaphore.try_acquire().unwrap();
            semaphore.release()?;
            drop(permit);
            assert_eq!(semaphore.available_permits(), 1);
            let message = panic_message(|| drop(semaphore.acquire_many(2)));
            assert_eq!(message, "2 permits were asked for, of a semaphore that has 1 altogether");
            Ok(())
        });
    }

    #[test]
    fn who_wants_many_is_not_overtaken_by_who_wants_few() {
        in_every_order(async |_| {
            let (semaphore, log) = (Rc::new(Semaphore::new(2)), Log::new());
            let many = taker(&semaphore, &log, "many", 3).await;
            let few = taker(&semaphore, &log, "few", 1).await;
            nap(1).await?;
            assert_eq!((log.take(), semaphore.available_permits()), (vec![], 2));
            semaphore.release();
            many.await?;
            assert!(!few.is_finished());
            semaphore.release();
            few.await
        });
    }

    #[test]
    fn when_who_wants_many_goes_away_those_behind_are_served() {
        in_every_order(async |_| {
            for abort in [false, true] {
                let (semaphore, log) = (Rc::new(Semaphore::new(2)), Log::new());
                let many = taker(&semaphore, &log, "many", 3).await;
                let few = taker(&semaphore, &log, "few", 1).await;
                if abort {
                    many.abort()
                } else {
                    many.cancel()
                };
                few.await?;
                assert_eq!(semaphore.available_permits(), 1);
                drop(many);
            }
            Ok(())
        });
    }

    #[test]
    fn an_owned_permit_keeps_the_semaphore_alive_and_goes_back() {
        in_every_mode(async |_| {
            let semaphore = Rc::new(Semaphore::new(2));
            let permit = semaphore.acquire_owned(2).await?;
            assert_eq!(permit.count(), 2);
            spawn(async move {
                let _permit = permit;
                nap(1).await
            })
            .await?;
            assert_eq!(semaphore.available_permits(), 2);
            semaphore.try_acquire_owned(1).unwrap().forget();
            assert_eq!(semaphore.available_permits(), 1);
            Ok(())
        });
    }

    /// TK-14
    #[test]
    fn its_debug_form_tells_its_value_or_its_waiters() {
        let semaphore = BoundedSemaphore::new(1);
        assert_eq!(format!("{semaphore:?}"), "BoundedSemaphore [unlocked, value: 1]");
        let permit = semaphore.try_acquire();
        let mut waiting = semaphore.acquire();
        let _ = poll_once(&mut waiting);
        assert_eq!(format!("{semaphore:?}"), "BoundedSemaphore [locked, waiters: 1]");
        drop(permit);
        assert_eq!(format!("{:?}", Semaphore::new(3)), "Semaphore [unlocked, value: 3]");
    }
}

mod barrier {
    use super::*;

    type Outcomes = Rc<RefCell<Vec<String>>>;

    fn short(outcome: &Result<usize>) -> String {
        match outcome {
            Ok(place) => place.to_string(),
            Err(error) if error.is::<BrokenBarrier>() => "broken".to_owned(),
            Err(error) => shown::<()>(&Err(error.clone())),
        }
    }

    async fn party(barrier: &Rc<Barrier>, outcomes: &Outcomes) -> Task<usize> {
        let (barrier, outcomes) = (barrier.clone(), outcomes.clone());
        started(async move {
            let outcome = barrier.wait().await;
            outcomes.borrow_mut().push(short(&outcome));
            Ok(outcome.unwrap_or(99))
        })
        .await
    }

    /// BA-1
    #[test]
    fn there_is_at_least_one_party_and_one_never_waits() {
        assert_eq!(panic_message(|| drop(Barrier::new(0))), "a barrier has at least one party");
        let barrier = Barrier::new(1);
        for _ in 0..3 {
            let Poll::Ready(Ok(0)) = poll_once(&mut barrier.wait()) else { panic!("it waits") };
        }
        assert_eq!(barrier.parties(), 1);
    }

    /// BA-2, BA-9
    #[test]
    fn places_are_dealt_in_the_order_of_arrival_and_the_last_does_not_wait() {
        in_every_mode(async |_| {
            let (barrier, outcomes) = (Rc::new(Barrier::new(3)), Outcomes::default());
            let a = party(&barrier, &outcomes).await;
            assert_eq!(format!("{barrier:?}"), "Barrier [filling, waiters: 1/3]");
            let b = party(&barrier, &outcomes).await;
            assert_eq!(barrier.n_waiting(), 2);
            let Poll::Ready(Ok(2)) = poll_once(&mut barrier.wait()) else { panic!("it waits") };
            assert_eq!(format!("{barrier:?}"), "Barrier [draining, waiters: 0/3]");
            assert_eq!((a.await?, b.await?), (0, 1));
            assert_eq!(format!("{barrier:?}"), "Barrier [filling, waiters: 0/3]");
            Ok(())
        });
    }

    /// BA-3
    #[test]
    fn who_arrives_while_the_round_drains_takes_part_in_the_next() {
        in_every_order(async |_| {
            let (barrier, outcomes) = (Rc::new(Barrier::new(2)), Outcomes::default());
            let first = party(&barrier, &outcomes).await;
            assert_eq!(barrier.wait().await?, 1);
            // `first` has not run yet. Three come: two are a round, and one is left over.
            let mut waits = [barrier.wait(), barrier.wait(), barrier.wait()];
            for wait in &mut waits {
                assert!(poll_once(wait).is_pending());
            }
            assert_eq!(barrier.n_waiting(), 0);
            first.await?;
            let [a, b, mut c] = waits;
            let (a, b) = join(a, b).await;
            assert_eq!((a?, b?), (0, 1));
            assert!(poll_once(&mut c).is_pending());
            assert_eq!(barrier.n_waiting(), 1);
            Ok(())
        });
    }

    /// BA-4, KQ-2
    #[test]
    fn a_party_cancelled_while_filling_leaves_and_places_stay_unique() {
        in_every_order(async |_| {
            let (barrier, outcomes) = (Rc::new(Barrier::new(3)), Outcomes::default());
            let a = party(&barrier, &outcomes).await;
            let b = party(&barrier, &outcomes).await;
            a.cancel();
            nap(1).await?;
            assert!(!barrier.is_broken());
            assert_eq!(barrier.n_waiting(), 1);
            let c = party(&barrier, &outcomes).await;
            let d = party(&barrier, &outcomes).await;
            let mut places = [b.await?, c.await?, d.await?];
            places.sort();
            assert_eq!(places, [0, 1, 2]);
            assert_eq!(a.await?, 99);
            Ok(())
        });
    }

    /// BA-5
    #[test]
    fn a_party_cancelled_while_draining_lets_the_others_pass() {
        in_every_order(async |_| {
            for abort in [false, true] {
                let (barrier, outcomes) = (Rc::new(Barrier::new(3)), Outcomes::default());
                let a = party(&barrier, &outcomes).await;
                let b = party(&barrier, &outcomes).await;
                barrier.wait().await?;
                if abort {
                    a.abort()
                } else {
                    a.cancel()
                };
                assert_eq!(b.await?, 1);
                nap(1).await?;
                assert_eq!(format!("{barrier:?}"), "Barrier [filling, waiters: 0/3]");
                let mut outcomes = outcomes.take();
                outcomes.sort();
                let expected: &[&str] = if abort { &["1"] } else { &["1", "cancelled"] };
                assert_eq!(outcomes, expected);
                drop(a);
            }
            Ok(())
        });
    }

    /// BA-6
    #[test]
    fn reset_sends_away_who_is_inside_and_newcomers_wait_for_that() {
        in_every_order(async |_| {
            let (barrier, outcomes) = (Rc::new(Barrier::new(2)), Outcomes::default());
            barrier.reset();
            let inside = party(&barrier, &outcomes).await;
            barrier.reset();
            assert_eq!(format!("{barrier:?}"), "Barrier [resetting, waiters: 0/2]");
            let mut newcomer = barrier.wait();
            assert!(poll_once(&mut newcomer).is_pending());
            inside.await?;
            assert_eq!(outcomes.take(), ["broken"]);
            assert_eq!(barrier.n_waiting(), 1);
            let (a, b) = join(newcomer, barrier.wait()).await;
            assert_eq!((a?, b?), (0, 1));
            Ok(())
        });
    }

    /// BA-7
    #[test]
    fn reset_also_breaks_those_who_were_released_and_have_not_run() {
        in_every_order(async |_| {
            let (barrier, outcomes) = (Rc::new(Barrier::new(2)), Outcomes::default());
            let released = party(&barrier, &outcomes).await;
            assert_eq!(barrier.wait().await?, 1);
            let blocked = party(&barrier, &outcomes).await;
            if !released.is_finished() {
                barrier.reset();
            }
            nap(1).await?;
            // In the next round are the one who was blocked, and this one.
            barrier.wait().await?;
            blocked.await?;
            released.await?;
            Ok(())
        });
    }

    /// BA-7, step by step
    #[test]
    fn reset_while_draining_spares_who_is_not_inside() {
        let barrier = Barrier::new(2);
        let mut released = barrier.wait();
        assert!(poll_once(&mut released).is_pending());
        assert!(poll_once(&mut barrier.wait()).is_ready());
        let mut blocked = barrier.wait();
        assert!(poll_once(&mut blocked).is_pending());
        barrier.reset();
        let Poll::Ready(outcome) = poll_once(&mut released) else { panic!("it waits") };
        assert_eq!(short(&outcome), "broken");
        assert_eq!(barrier.n_waiting(), 1);
        assert!(poll_once(&mut barrier.wait()).is_ready());
        let Poll::Ready(outcome) = poll_once(&mut blocked) else { panic!("it waits") };
        assert_eq!(short(&outcome), "0");
    }

    /// BA-8
    #[test]
    fn abort_breaks_it_for_all_until_it_is_reset() {
        in_every_order(async |_| {
            let (barrier, outcomes) = (Rc::new(Barrier::new(3)), Outcomes::default());
            let a = party(&barrier, &outcomes).await;
            barrier.abort();
            assert!(barrier.is_broken());
            assert!(barrier.wait().await.unwrap_err().is::<BrokenBarrier>());
            assert_eq!(format!("{barrier:?}"), "Barrier [broken, waiters: 0/3]");
            // Reset before the one inside has left: he is still told.
            barrier.reset();
            assert!(!barrier.is_broken());
            a.await?;
            assert_eq!(outcomes.take(), ["broken"]);
            let (a, b, c) = join3(barrier.wait(), barrier.wait(), barrier.wait()).await;
            assert_eq!((a?, b?, c?), (0, 1, 2));
            Ok(())
        });
    }

    /// BA-8
    #[test]
    fn abort_while_draining_breaks_who_is_inside_and_who_is_blocked() {
        let barrier = Barrier::new(2);
        let mut released = barrier.wait();
        assert!(poll_once(&mut released).is_pending());
        assert!(poll_once(&mut barrier.wait()).is_ready());
        let mut blocked = barrier.wait();
        assert!(poll_once(&mut blocked).is_pending());
        barrier.abort();
        for wait in [&mut released, &mut blocked] {
            let Poll::Ready(outcome) = poll_once(wait) else { panic!("it waits") };
            assert_eq!(short(&outcome), "broken");
        }
        barrier.reset();
        assert_eq!(format!("{barrier:?}"), "Barrier [filling, waiters: 0/2]");
    }
}

/// What holds for all of them, since all wait in the same kind of line.
mod everywhere {
    use super::*;

    #[test]
    fn it_works_in_a_join_where_each_leaf_sees_the_cancel() {
        in_every_mode(async |_| {
            let semaphore = Rc::new(Semaphore::new(0));
            let task = started({
                let semaphore = semaphore.clone();
                async move {
                    let (a, b) = join(semaphore.acquire(), semaphore.acquire()).await;
                    let outcomes = [a.map(|permit| permit.forget()), b.map(|permit| permit.forget())];
                    Ok(outcomes.map(|outcome| shown(&outcome)))
                }
            })
            .await;
            semaphore.release();
            task.cancel();
            assert_eq!(task.await?, ["cancelled", "cancelled"]);
            assert_eq!(semaphore.available_permits(), 1);
            Ok(())
        });
    }

    #[test]
    fn the_loser_of_a_select_leaves_the_line() {
        in_every_mode(async |_| {
            let semaphore = Semaphore::new(0);
            for _ in 0..3 {
                match select(semaphore.acquire(), nap(1).boxed_local()).await {
                    Either::Left(_) => panic!("nobody releases"),
                    Either::Right((slept, _)) => slept?,
                }
            }
            assert_eq!(format!("{semaphore:?}"), "Semaphore [locked]");
            semaphore.release();
            assert!(semaphore.try_acquire().is_some());
            Ok(())
        });
    }

    #[test]
    fn it_works_under_wakers_of_a_combinator() {
        in_every_order(async |_| {
            let semaphore = Semaphore::new(0);
            let mut waits: FuturesUnordered<_> = (0..5).map(|_| semaphore.acquire()).collect();
            assert!(waits.next().now_or_never().is_none());
            for left in (0..5).rev() {
                semaphore.release();
                waits.next().await.expect("one is left")?.forget();
                assert_eq!(waits.len(), left);
            }
            Ok(())
        });
    }

    #[test]
    fn a_combinator_with_a_thousand_waits_sees_a_cancel_at_each() {
        in_every_mode(async |_| {
            let event = Rc::new(Event::new());
            let task = started({
                let event = event.clone();
                async move {
                    let waits: FuturesUnordered<_> = (0..1000).map(|_| event.wait()).collect();
                    Ok(waits.filter(|outcome| std::future::ready(outcome.is_err())).count().await)
                }
            })
            .await;
            task.cancel();
            assert_eq!(task.await?, 1000);
            assert_eq!(format!("{event:?}"), "Event [unset]");
            Ok(())
        });
    }

    #[test]
    fn a_wait_may_move_to_another_task() {
        in_every_order(async |_| {
            let semaphore = Rc::new(Semaphore::new(0));
            let mut wait = semaphore.acquire_owned(1);
            assert!((&mut wait).now_or_never().is_none());
            let first = started(async move {
                let outcome = timeout(ms(1), async { (&mut wait).await.map(drop) }).await;
                assert!(outcome.unwrap_err().is_timeout());
                Ok(())
            })
            .await;
            first.await?;
            // Polled in one task, and then in another, which is the one to be woken.
            let mut wait = semaphore.acquire_owned(1);
            assert!((&mut wait).now_or_never().is_none());
            let second = started(async move {
                wait.await?.forget();
                Ok(())
            })
            .await;
            semaphore.release();
            second.await
        });
    }

    #[test]
    fn a_wait_that_was_granted_and_is_forgotten_about_is_handed_on_when_it_is_dropped() {
        in_every_order(async |_| {
            let semaphore = Rc::new(Semaphore::new(0));
            let mut kept = semaphore.acquire_owned(1);
            assert!((&mut kept).now_or_never().is_none());
            let behind = started({
                let semaphore = semaphore.clone();
                async move { semaphore.acquire().await.map(|permit| permit.forget()) }
            })
            .await;
            semaphore.release();
            nap(5).await?;
            assert!(!behind.is_finished(), "the permit is kept for who was first");
            drop(kept);
            behind.await
        });
    }

    #[test]
    fn a_waker_that_drops_other_waits_while_it_is_woken_does_no_harm() {
        struct Dropper(RefCell<Vec<Box<dyn std::any::Any>>>);
        // A waker has to be Send: this one is, by way of a thread-local store.
        thread_local!(static HELD: Dropper = const { Dropper(RefCell::new(Vec::new())) });
        struct DropAll;
        impl std::task::Wake for DropAll {
            fn wake(self: std::sync::Arc<Self>) {
                let all = HELD.with(|held| held.0.take());
                drop(all);
            }
        }
        let event = Rc::new(Event::new());
        let waker = Waker::from(std::sync::Arc::new(DropAll));
        struct Wait(#[expect(dead_code, reason = "kept to be dropped")] Box<dyn std::any::Any>);
        for _ in 0..3 {
            let event = event.clone();
            let mut wait = Box::pin(async move { event.wait().await });
            assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            HELD.with(|held| held.0.borrow_mut().push(Box::new(Wait(Box::new(wait)))));
        }
        event.set();
        assert_eq!(format!("{event:?}"), "Event [set]");
        assert_eq!(Rc::strong_count(&event), 1);
    }

    #[test]
    fn a_group_that_is_cancelled_leaves_no_trace_in_the_lines() {
        in_every_order(async |_| {
            let (lock, event, semaphore) = (Mutex::new(()), Event::new(), Semaphore::new(0));
            let things = Rc::new((lock, event, semaphore));
            let held = things.0.lock().await?;
            let outcome = timeout(
                ms(5),
                task_group(async |tg| {
                    for _ in 0..10 {
                        let one = things.clone();
                        tg.spawn(async move { one.0.lock().await.map(drop) });
                        let one = things.clone();
                        tg.spawn(async move { one.1.wait().await });
                        let one = things.clone();
                        tg.spawn(async move { one.2.acquire().await.map(drop) });
                    }
                    Ok(())
                }),
            );
            assert!(outcome.await.unwrap_err().is_timeout());
            drop(held);
            assert_eq!(format!("{things:?}"), "(Mutex [unlocked], Event [unset], Semaphore [locked])");
            assert_eq!(Rc::strong_count(&things), 1);
            Ok(())
        });
    }
}
