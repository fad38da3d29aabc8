//! `test_locks.py`.
//!
//! What Python releases by a call, a guard releases by being dropped; a task that has acquired a lock hands its guard out
//! as its result, so that the test can release it. The number of waiters is read from the debug form.

use crate::support::exceptions::type_of;
use crate::support::{ms, result_of, run};
use homing::sync::{
    Barrier, BoundedSemaphore, BrokenBarrier, Condition, Event, Mutex, OwnedMutexGuard, ReleasedTooOften,
    Semaphore,
};
use homing::{
    Error, Result, Task, call_soon, gather, gather_iter, sleep, spawn, task_group, timeout, wait_for,
    yield_now,
};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// What happened, in order.
struct Log<T>(Rc<RefCell<Vec<T>>>);

impl<T: Clone> Log<T> {
    fn new() -> Log<T> {
        Log(Rc::default())
    }

    fn push(&self, what: T) {
        self.0.borrow_mut().push(what);
    }

    fn seen(&self) -> Vec<T> {
        self.0.borrow().clone()
    }
}

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Log(self.0.clone())
    }
}

/// One poll, which is all there is outside of a runtime.
fn poll_once<T>(future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn panics(call: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(call)).is_err()
}

/// A guard that has lost its mutex to a wait that was dropped midway.
fn hollow(condition: &Condition, mutex: &Rc<Mutex<()>>) -> OwnedMutexGuard<()> {
    let mut guard = mutex.try_lock_owned().expect("the mutex is free");
    assert!(poll_once(condition.wait(&mut guard)).is_pending());
    assert!(!mutex.is_locked());
    guard
}

/// A task that is cancelled in the next turn ends cancelled.
async fn is_cancelled_soon<T: 'static>(task: Task<T>) -> Result<()> {
    let reference = task.task_ref();
    call_soon(move || assert!(reference.cancel()));
    assert!(task.await.err().is_some_and(|error| error.is_cancelled()));
    Ok(())
}

mod lock_tests {
    use super::*;

    /// A lock shows whether it is locked (TK-14).
    #[test]
    fn test_repr() {
        let lock = Mutex::new(());
        assert_eq!(format!("{lock:?}"), "Mutex [unlocked]");
        let _guard = lock.try_lock().expect("it is free");
        assert_eq!(format!("{lock:?}"), "Mutex [locked]");
    }

    /// Those who wait get the lock in the order in which they came, each when the one before has released it (LK-2 to
    /// LK-4).
    #[test]
    fn test_acquire() {
        run(async {
            let lock = Rc::new(Mutex::new(()));
            let result = Log::new();
            let contender = |name| {
                let (lock, result) = (lock.clone(), result.clone());
                async move {
                    let guard = lock.lock_owned().await?;
                    result.push(name);
                    Ok(guard)
                }
            };
            let held = lock.lock_owned().await?;
            let mut t1 = spawn(contender(1));
            let mut t2 = spawn(contender(2));
            yield_now().await?;
            assert_eq!(result.seen(), []);

            drop(held);
            yield_now().await?;
            assert_eq!(result.seen(), [1]);
            yield_now().await?;
            assert_eq!(result.seen(), [1]);

            let mut t3 = spawn(contender(3));
            drop(result_of(&mut t1)?);
            yield_now().await?;
            assert_eq!(result.seen(), [1, 2]);
            drop(result_of(&mut t2)?);
            yield_now().await?;
            assert_eq!(result.seen(), [1, 2, 3]);
            drop(result_of(&mut t3)?);
            assert!(!lock.is_locked());
            Ok(())
        })
        .unwrap();
    }

    /// A waiter that is cancelled leaves the queue (LK-5).
    #[test]
    fn test_acquire_cancel() {
        run(async {
            let lock = Rc::new(Mutex::new(()));
            let _held = lock.lock().await?;
            is_cancelled_soon(spawn(lock.lock_owned())).await?;
            assert_eq!(format!("{lock:?}"), "Mutex [locked]");
            Ok(())
        })
        .unwrap();
    }

    /// The first waiter is cancelled in the turn in which the lock is released: the second one gets it (LK-3, LK-5).
    #[test]
    fn test_cancel_race() {
        run(async {
            let lock = Rc::new(Mutex::new(()));
            let lock_it = |blocker: Option<Rc<Event>>| {
                let lock = lock.clone();
                async move {
                    let _guard = lock.lock().await?;
                    match blocker {
                        Some(blocker) => blocker.wait().await,
                        None => Ok(()),
                    }
                }
            };
            let blocker = Rc::new(Event::new());
            let ta = spawn(lock_it(Some(blocker.clone())));
            yield_now().await?;
            assert!(lock.is_locked());
            let tb = spawn(lock_it(None));
            yield_now().await?;
            assert_eq!(format!("{lock:?}"), "Mutex [locked, waiters: 1]");
            let tc = spawn(lock_it(None));
            yield_now().await?;
            assert_eq!(format!("{lock:?}"), "Mutex [locked, waiters: 2]");

            blocker.set();
            tb.cancel();
            yield_now().await?;
            assert!(!lock.is_locked());
            assert!(ta.is_finished());
            assert!(tb.is_cancelled());
            tc.await
        })
        .unwrap();
    }

    /// A waiter is cancelled, and the lock released, in one step: one of the others gets it, and not both (LK-4, LK-5).
    #[test]
    fn test_cancel_release_race() {
        run(async {
            let lock = Rc::new(Mutex::new(()));
            let locked = Rc::new(Cell::new(0));
            let called = Rc::new(Cell::new(0));
            let lock_it = || {
                let (lock, locked, called) = (lock.clone(), locked.clone(), called.clone());
                async move {
                    called.set(called.get() + 1);
                    let guard = lock.lock_owned().await?;
                    locked.set(locked.get() + 1);
                    Ok(guard)
                }
            };
            let held = lock.lock_owned().await?;
            let (t1, t2, t3) = (spawn(lock_it()), spawn(lock_it()), spawn(lock_it()));
            yield_now().await?;

            let first = t1.task_ref();
            call_soon(move || {
                first.cancel();
                drop(held);
            });
            let first = t1.task_ref();
            assert!(t1.await.err().is_some_and(|error| error.is_cancelled()));
            assert_eq!(locked.get(), 1);
            assert_eq!(called.get(), 3);
            assert!(first.is_cancelled() && t2.is_finished());

            t3.cancel();
            yield_now().await?;
            assert!(t3.is_cancelled());
            Ok(())
        })
        .unwrap();
    }

    /// A waiter that is cancelled before it was woken does not keep the one behind it from the lock (LK-5).
    #[test]
    fn test_finished_waiter_cancelled() {
        run(async {
            let lock = Rc::new(Mutex::new(()));
            let held = lock.lock_owned().await?;
            assert!(lock.is_locked());
            let tb = spawn(lock.lock_owned());
            yield_now().await?;
            assert_eq!(format!("{lock:?}"), "Mutex [locked, waiters: 1]");

            let tc = spawn(lock.lock_owned());
            tb.cancel();
            drop(held);
            yield_now().await?;
            assert!(tb.is_cancelled());
            let _guard = timeout(ms(1000), tc).await?;
            assert!(lock.is_locked());
            Ok(())
        })
        .unwrap();
    }

    /// Who does not have the lock cannot release it (LK-3).
    ///
    /// Stands in: a guard that has lost the lock, whose drop leaves the lock with its owner, for a RuntimeError.
    #[test]
    fn test_release_not_acquired() {
        let lock = Rc::new(Mutex::new(()));
        let condition = Condition::new();
        let lost = hollow(&condition, &lock);
        let guard = lock.try_lock().expect("it is free");
        drop(lost);
        assert!(lock.is_locked());
        drop(guard);
        assert!(!lock.is_locked());
    }

    /// Released, a lock for which nobody waits is free (LK-3).
    #[test]
    fn test_release_no_waiters() {
        run(async {
            let lock = Mutex::new(());
            let guard = lock.lock().await?;
            assert!(lock.is_locked());
            drop(guard);
            assert!(!lock.is_locked());
            Ok(())
        })
        .unwrap();
    }

    /// A free lock is taken without suspending, and free again after the block (LK-1, LK-3).
    #[test]
    fn test_context_manager() {
        let lock = Mutex::new(());
        assert!(!lock.is_locked());
        {
            let Poll::Ready(Ok(_guard)) = poll_once(lock.lock()) else { panic!("it is free") };
            assert!(lock.is_locked());
        }
        assert!(!lock.is_locked());
    }
}

mod event_tests {
    use super::*;

    /// An event shows whether it is set, and how many wait (TK-14).
    #[test]
    fn test_repr() {
        run(async {
            let event = Rc::new(Event::new());
            assert_eq!(format!("{event:?}"), "Event [unset]");
            event.set();
            assert_eq!(format!("{event:?}"), "Event [set]");
            event.clear();
            let waiting = event.clone();
            let waiter = spawn(async move { waiting.wait().await });
            yield_now().await?;
            assert_eq!(format!("{event:?}"), "Event [unset, waiters: 1]");
            event.set();
            waiter.await
        })
        .unwrap();
    }

    /// All who wait are woken in the order in which they came; one that comes in that turn passes before them (EV-2).
    #[test]
    fn test_wait() {
        run(async {
            let event = Rc::new(Event::new());
            assert!(!event.is_set());
            let result = Log::new();
            let waiter = |name| {
                let (event, result) = (event.clone(), result.clone());
                async move {
                    event.wait().await?;
                    result.push(name);
                    Ok(())
                }
            };
            let t1 = spawn(waiter(1));
            let t2 = spawn(waiter(2));
            yield_now().await?;
            assert_eq!(result.seen(), []);

            let t3 = spawn(waiter(3));
            event.set();
            yield_now().await?;
            assert_eq!(result.seen(), [3, 1, 2]);
            for mut task in [t1, t2, t3] {
                result_of(&mut task)?;
            }
            Ok(())
        })
        .unwrap();
    }

    /// On a set event `wait` does not suspend (EV-1).
    #[test]
    fn test_wait_on_set() {
        let event = Event::new();
        event.set();
        assert!(matches!(poll_once(event.wait()), Poll::Ready(Ok(()))));
    }

    /// A waiter that is cancelled leaves the queue (EV-4).
    #[test]
    fn test_wait_cancel() {
        run(async {
            let event = Rc::new(Event::new());
            let waiting = event.clone();
            is_cancelled_soon(spawn(async move { waiting.wait().await })).await?;
            assert_eq!(format!("{event:?}"), "Event [unset]");
            Ok(())
        })
        .unwrap();
    }

    /// A cleared event is not set (EV-3).
    #[test]
    fn test_clear() {
        let event = Event::new();
        assert!(!event.is_set());
        event.set();
        assert!(event.is_set());
        event.clear();
        assert!(!event.is_set());
    }

    /// A waiter that was woken goes on, though the event was cleared before it ran, and set again twice (EV-3).
    #[test]
    fn test_clear_with_waiters() {
        run(async {
            let event = Rc::new(Event::new());
            let result = Log::new();
            let (waiting, log) = (event.clone(), result.clone());
            let mut task = spawn(async move {
                waiting.wait().await?;
                log.push(1);
                Ok(true)
            });
            yield_now().await?;
            assert_eq!(result.seen(), []);

            event.set();
            event.clear();
            assert!(!event.is_set());
            event.set();
            event.set();
            assert_eq!(format!("{event:?}"), "Event [set, waiters: 1]");

            yield_now().await?;
            assert_eq!(result.seen(), [1]);
            assert_eq!(format!("{event:?}"), "Event [set]");
            assert!(result_of(&mut task)?);
            Ok(())
        })
        .unwrap();
    }
}

mod condition_tests {
    use super::*;

    /// A condition, and the lock that goes with it.
    #[derive(Clone)]
    struct Locked<T> {
        lock: Rc<Mutex<T>>,
        condition: Rc<Condition>,
    }

    impl<T: 'static> Locked<T> {
        fn new(value: T) -> Locked<T> {
            Locked { lock: Rc::new(Mutex::new(value)), condition: Rc::default() }
        }

        /// Waits for a notification, notes that, and keeps the lock.
        fn waiter(
            &self,
            name: u32,
            result: &Log<u32>,
        ) -> impl Future<Output = Result<OwnedMutexGuard<T>>> + use<T> {
            let (lock, condition, result) = (self.lock.clone(), self.condition.clone(), result.clone());
            async move {
                let mut guard = lock.lock_owned().await?;
                condition.wait(&mut guard).await?;
                result.push(name);
                Ok(guard)
            }
        }

        /// The same, and releases the lock.
        fn passer_by(&self, name: u32, result: &Log<u32>) -> impl Future<Output = Result<bool>> + use<T> {
            let waiter = self.waiter(name, result);
            async move {
                drop(waiter.await?);
                Ok(true)
            }
        }
    }

    /// A waiter gives the lock up, is woken by a notification, and goes on when it has the lock again (CO-3, CO-4).
    ///
    /// Stands in: the guard that the first waiter hands out, for the lock that anybody may notify under.
    #[test]
    fn test_wait() {
        run(async {
            let cond = Locked::new(());
            let result = Log::new();
            let mut t1 = spawn(cond.waiter(1, &result));
            let mut t2 = spawn(cond.waiter(2, &result));
            let mut t3 = spawn(cond.waiter(3, &result));
            yield_now().await?;
            assert_eq!(result.seen(), []);
            assert!(!cond.lock.is_locked());

            let guard = cond.lock.lock().await?;
            cond.condition.notify(&guard, 1);
            yield_now().await?;
            assert_eq!(result.seen(), []);
            assert!(cond.lock.is_locked());

            drop(guard);
            yield_now().await?;
            assert_eq!(result.seen(), [1]);
            assert!(cond.lock.is_locked());

            let guard = result_of(&mut t1)?;
            cond.condition.notify(&guard, 2);
            yield_now().await?;
            assert_eq!(result.seen(), [1]);
            assert!(cond.lock.is_locked());

            drop(guard);
            yield_now().await?;
            assert_eq!(result.seen(), [1, 2]);
            assert!(cond.lock.is_locked());

            drop(result_of(&mut t2)?);
            yield_now().await?;
            assert_eq!(result.seen(), [1, 2, 3]);
            assert!(cond.lock.is_locked());
            drop(result_of(&mut t3)?);
            Ok(())
        })
        .unwrap();
    }

    /// Waits with a guard that it is given, and gives both the outcome and the guard.
    fn waits_with(
        condition: &Rc<Condition>,
        mut guard: OwnedMutexGuard<()>,
    ) -> Task<(Result<()>, OwnedMutexGuard<()>)> {
        let condition = condition.clone();
        spawn(async move {
            let outcome = condition.wait(&mut guard).await;
            Ok((outcome, guard))
        })
    }

    /// A waiter that is cancelled leaves the queue, and has the lock when it hears of it (CO-5).
    ///
    /// Stands in: a task that is given the guard, for one that waits with a lock that another has acquired.
    #[test]
    fn test_wait_cancel() {
        run(async {
            let cond = Locked::new(());
            let wait = waits_with(&cond.condition, cond.lock.lock_owned().await?);
            let reference = wait.task_ref();
            call_soon(move || assert!(reference.cancel()));
            let (outcome, _guard) = wait.await?;
            assert!(outcome.unwrap_err().is_cancelled());
            assert_eq!(format!("{:?}", cond.condition), "Condition [waiters: 0]");
            assert!(cond.lock.is_locked());
            Ok(())
        })
        .unwrap();
    }

    /// Cancelled while it waits for a lock that is contested, a waiter gets the lock first (CO-6).
    ///
    /// Stands in: a task that is given the guard, for one that waits with a lock that another has acquired.
    #[test]
    fn test_wait_cancel_contested() {
        run(async {
            let cond = Locked::new(());
            let wait = waits_with(&cond.condition, cond.lock.lock_owned().await?);
            yield_now().await?;
            assert!(!cond.lock.is_locked());

            let contested = cond.lock.lock_owned().await?;
            cond.condition.notify(&contested, 1);
            let reference = wait.task_ref();
            call_soon(move || assert!(reference.cancel()));
            call_soon(move || drop(contested));
            let (outcome, _guard) = wait.await?;
            assert!(outcome.unwrap_err().is_cancelled());
            assert!(cond.lock.is_locked());
            Ok(())
        })
        .unwrap();
    }

    /// Cancelled while it waits for the lock after a notification, a waiter ends cancelled when it has had it (CO-6).
    #[test]
    fn test_wait_cancel_after_notify() {
        run(async {
            let cond = Locked::new(());
            let waited = Rc::new(Cell::new(false));
            let waiter = spawn({
                let (cond, waited) = (cond.clone(), waited.clone());
                async move {
                    let mut guard = cond.lock.lock_owned().await?;
                    waited.set(true);
                    cond.condition.wait(&mut guard).await
                }
            });
            yield_now().await?; // it waits

            let guard = cond.lock.lock().await?;
            cond.condition.notify(&guard, 1);
            yield_now().await?; // it waits for the lock
            waiter.cancel();
            yield_now().await?; // it hears of it
            assert!(!waiter.is_finished());
            drop(guard);
            yield_now().await?; // it has the lock
            assert!(waiter.is_cancelled());
            assert!(waited.get());
            Ok(())
        })
        .unwrap();
    }

    /// Without the lock one cannot wait (CO-2).
    ///
    /// Stands in: the panic over a guard that has lost the lock, for a RuntimeError.
    #[test]
    fn test_wait_unacquired() {
        let cond = Locked::new(());
        let mut lost = hollow(&cond.condition, &cond.lock);
        assert!(panics(|| drop(poll_once(cond.condition.wait(&mut lost)))));
    }

    /// `wait_for` looks again at each notification, and returns when the predicate is true (CO-9).
    #[test]
    fn test_wait_for() {
        run(async {
            let cond = Locked::new(false);
            let result = Log::new();
            let mut task = spawn({
                let (cond, result) = (cond.clone(), result.clone());
                async move {
                    let mut guard = cond.lock.lock_owned().await?;
                    cond.condition.wait_for(&mut guard, |presult| *presult).await?;
                    result.push(1);
                    Ok(true)
                }
            });
            yield_now().await?;
            assert_eq!(result.seen(), []);

            let guard = cond.lock.lock().await?;
            cond.condition.notify(&guard, 1);
            drop(guard);
            yield_now().await?;
            assert_eq!(result.seen(), []);

            let mut guard = cond.lock.lock().await?;
            *guard = true;
            cond.condition.notify(&guard, 1);
            drop(guard);
            yield_now().await?;
            assert_eq!(result.seen(), [1]);
            assert!(result_of(&mut task)?);
            Ok(())
        })
        .unwrap();
    }

    /// A predicate that is true at once needs no wait, and its value is given; one that is not needs the lock (CO-2, CO-9).
    ///
    /// Stands in: the panic over a guard that has lost the lock, for a RuntimeError.
    #[test]
    fn test_wait_for_unacquired() {
        let cond = Locked::new(());
        let mut guard = cond.lock.try_lock().expect("it is free");
        let waited = poll_once(cond.condition.wait_for_value(&mut guard, |()| Some([1, 2, 3])));
        assert!(matches!(waited, Poll::Ready(Ok([1, 2, 3]))), "{waited:?}");
        drop(guard);

        let mut lost = hollow(&cond.condition, &cond.lock);
        assert!(panics(|| drop(poll_once(cond.condition.wait_for(&mut lost, |()| false)))));
    }

    /// `notify(n)` wakes the first n, or as many as there are (CO-4).
    #[test]
    fn test_notify() {
        run(async {
            let cond = Locked::new(());
            let result = Log::new();
            let tasks = [1, 2, 3].map(|name| spawn(cond.passer_by(name, &result)));
            yield_now().await?;
            assert_eq!(result.seen(), []);

            let guard = cond.lock.lock().await?;
            cond.condition.notify(&guard, 1);
            drop(guard);
            yield_now().await?;
            assert_eq!(result.seen(), [1]);

            let guard = cond.lock.lock().await?;
            cond.condition.notify(&guard, 1);
            cond.condition.notify(&guard, 2048);
            drop(guard);
            yield_now().await?;
            assert_eq!(result.seen(), [1, 2, 3]);
            for mut task in tasks {
                assert!(result_of(&mut task)?);
            }
            Ok(())
        })
        .unwrap();
    }

    /// `notify_all` wakes all (CO-4).
    #[test]
    fn test_notify_all() {
        run(async {
            let cond = Locked::new(());
            let result = Log::new();
            let tasks = [1, 2].map(|name| spawn(cond.passer_by(name, &result)));
            yield_now().await?;
            assert_eq!(result.seen(), []);

            let guard = cond.lock.lock().await?;
            cond.condition.notify_all(&guard);
            drop(guard);
            yield_now().await?;
            assert_eq!(result.seen(), [1, 2]);
            for mut task in tasks {
                assert!(result_of(&mut task)?);
            }
            Ok(())
        })
        .unwrap();
    }

    /// Notifies those who wait, under another lock than the one that they have given up.
    fn notify_under_another_lock(notify: impl FnOnce(&Condition, &OwnedMutexGuard<()>)) -> bool {
        let other = Rc::new(Mutex::new(())).try_lock_owned().expect("it is free");
        let cond = Locked::new(());
        let mut guard = cond.lock.try_lock().expect("it is free");
        let mut wait = pin!(cond.condition.wait(&mut guard));
        assert!(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        panics(|| notify(&cond.condition, &other))
    }

    /// Without the lock one cannot notify (CO-2).
    ///
    /// Stands in: the panic over the guard of another lock, for a RuntimeError; without any it does not compile.
    #[test]
    fn test_notify_unacquired() {
        assert!(notify_under_another_lock(|condition, guard| condition.notify(guard, 1)));
    }

    /// Nor notify all (CO-2).
    ///
    /// Stands in: the panic over the guard of another lock, for a RuntimeError; without any it does not compile.
    #[test]
    fn test_notify_all_unacquired() {
        assert!(notify_under_another_lock(|condition, guard| condition.notify_all(guard)));
    }

    /// A condition shows how many wait, and its lock whether it is locked (TK-14).
    #[test]
    fn test_repr() {
        run(async {
            let cond = Locked::new(());
            assert_eq!(format!("{:?}", cond.condition), "Condition [waiters: 0]");
            assert_eq!(format!("{:?}", cond.lock), "Mutex [unlocked]");
            let result = Log::new();
            let tasks = [1, 2].map(|name| {
                let task = spawn(cond.passer_by(name, &result));
                (name, task)
            });
            yield_now().await?;
            assert_eq!(format!("{:?}", cond.condition), "Condition [waiters: 2]");
            let guard = cond.lock.lock().await?;
            assert_eq!(format!("{:?}", cond.lock), "Mutex [locked]");
            cond.condition.notify(&guard, 1);
            drop(guard);
            yield_now().await?;
            assert_eq!(format!("{:?}", cond.condition), "Condition [waiters: 1]");
            drop(tasks);
            Ok(())
        })
        .unwrap();
    }

    /// In the block the lock is held, and after it is not (CO-1).
    #[test]
    fn test_context_manager() {
        run(async {
            let cond = Locked::new(());
            assert!(!cond.lock.is_locked());
            {
                let _guard = cond.lock.lock().await?;
                assert!(cond.lock.is_locked());
            }
            assert!(!cond.lock.is_locked());
            Ok(())
        })
        .unwrap();
    }

    /// Conditions work with a lock that was made elsewhere, and may share it (CO-1).
    ///
    /// Stands in: two conditions that are shown guards of one lock, for one that was made with it.
    #[test]
    fn test_explicit_lock() {
        run(async {
            let one = Locked::new(());
            let other = Locked { lock: one.lock.clone(), condition: Rc::default() };
            let result = Log::new();
            let tasks = [spawn(one.passer_by(1, &result)), spawn(other.passer_by(2, &result))];
            yield_now().await?;
            let guard = one.lock.lock().await?;
            assert!(other.lock.is_locked());
            other.condition.notify_all(&guard);
            drop(guard);
            yield_now().await?;
            assert_eq!(result.seen(), [2]);
            let guard = other.lock.lock().await?;
            assert!(one.lock.is_locked());
            one.condition.notify_all(&guard);
            drop(guard);
            yield_now().await?;
            assert_eq!(result.seen(), [2, 1]);
            assert!(!one.lock.is_locked());
            for mut task in tasks {
                assert!(result_of(&mut task)?);
            }
            Ok(())
        })
        .unwrap();
    }

    /// A timeout around a wait raises TimeoutError in the block, which still has the lock (CO-5, WF-1).
    ///
    /// Stands in: `timeout` for `wait_for`, which takes what may also be a task, and no borrowed guard.
    #[test]
    fn test_timeout_in_block() {
        run(async {
            let cond = Locked::new(());
            let mut guard = cond.lock.lock().await?;
            let outcome = timeout(ms(500), cond.condition.wait(&mut guard)).await;
            assert!(outcome.unwrap_err().is_timeout());
            assert!(cond.lock.is_locked());
            drop(guard);
            assert!(!cond.lock.is_locked());
            Ok(())
        })
        .unwrap();
    }

    /// Waits, keeps the error that the wait ends in, and ends in it.
    fn keeps_error(cond: &Locked<bool>, raised: &Rc<RefCell<Option<Error>>>) -> Task<()> {
        let (cond, raised) = (cond.clone(), raised.clone());
        spawn(async move {
            let mut guard = cond.lock.lock_owned().await?;
            let error = cond.condition.wait_for(&mut guard, |wake| *wake).await.unwrap_err();
            raised.replace(Some(error.clone()));
            Err(error)
        })
    }

    /// The Cancelled that a task ended in is the one that came out of the wait, with its reason.
    #[track_caller]
    fn assert_is_raised(outcome: Result<()>, raised: &RefCell<Option<Error>>) {
        let (error, raised) = (outcome.unwrap_err(), raised.take().expect("the wait has ended"));
        assert_eq!(type_of(&error), "CancelledError");
        let causes = |error: &Error| error.as_cancelled().map(ToString::to_string);
        assert_eq!(error.as_cancelled().and_then(|cancelled| cancelled.reason()), Some("foo"));
        let (error, raised) = (causes(&error).unwrap(), causes(&raised).unwrap());
        assert_eq!(error, format!("{raised} → task 'Task-2'"));
    }

    /// A Cancelled that comes while a waiter sleeps comes out as it is (CO-7).
    ///
    /// Stands in: the same causes for the same object; on its way out it is told where it came from.
    #[test]
    fn test_cancelled_error_wakeup() {
        run(async {
            let (cond, raised) = (Locked::new(false), Rc::default());
            let task = keeps_error(&cond, &raised);
            yield_now().await?;
            task.cancel_with("foo");
            assert_is_raised(task.await, &raised);
            Ok(())
        })
        .unwrap();
    }

    /// So does one that comes while a waiter is about to take the lock again (CO-6, CO-7).
    ///
    /// Stands in: the same causes for the same object; on its way out it is told where it came from.
    #[test]
    fn test_cancelled_error_re_aquire() {
        run(async {
            let (cond, raised) = (Locked::new(false), Rc::default());
            let task = keeps_error(&cond, &raised);
            yield_now().await?;
            let mut guard = cond.lock.lock().await?;
            *guard = true;
            cond.condition.notify(&guard, 1);
            yield_now().await?;
            task.cancel_with("foo");
            drop(guard);
            assert_is_raised(task.await, &raised);
            Ok(())
        })
        .unwrap();
    }

    /// Takes one, as soon as there is one, again and again; ends if there are fewer than none.
    async fn consumer(cond: Locked<i32>) -> Result<()> {
        let mut guard = cond.lock.lock_owned().await?;
        loop {
            cond.condition.wait_for(&mut guard, |state| *state != 0).await?;
            if *guard < 0 {
                return Ok(());
            }
            *guard -= 1;
        }
    }

    /// Two consumers wait, one is notified and cancelled, after as many turns: the other one is to take the item.
    fn notified_and_cancelled(turns: usize) {
        run(async {
            let cond = Locked::new(0);
            let [first, second] = [spawn(consumer(cond.clone())), spawn(consumer(cond.clone()))];
            yield_now().await?;
            let mut guard = cond.lock.lock().await?;
            *guard += 1;
            cond.condition.notify(&guard, 1);
            for _ in 0..turns {
                yield_now().await?;
            }
            first.cancel();
            let consumed = timeout(ms(10), cond.condition.wait_for(&mut guard, |state| *state == 0)).await;
            assert!(consumed.is_ok() || consumed.is_err_and(|error| error.is_timeout()));
            assert_eq!(*guard, 0, "the notification was lost");
            *guard = -1;
            cond.condition.notify_all(&guard);
            drop(guard);
            assert!(first.is_cancelled());
            second.await
        })
        .unwrap();
    }

    /// A notification whose waiter is cancelled before it runs goes to another (CO-8).
    #[test]
    fn test_cancelled_wakeup() {
        notified_and_cancelled(0);
    }

    /// So does one whose waiter is cancelled while it waits for the lock (CO-8).
    #[test]
    fn test_cancelled_wakeup_relock() {
        notified_and_cancelled(1);
    }
}

mod semaphore_tests {
    use super::*;

    /// Acquires a permit for good, and notes that.
    fn acquirer(
        semaphore: &Rc<Semaphore>,
        name: u32,
        result: &Log<u32>,
    ) -> impl Future<Output = Result<bool>> + use<> {
        let (semaphore, result) = (semaphore.clone(), result.clone());
        async move {
            semaphore.acquire().await?.forget();
            result.push(name);
            Ok(true)
        }
    }

    /// A semaphore without permits is locked (SE-1).
    #[test]
    fn test_initial_value_zero() {
        assert!(Semaphore::new(0).is_locked());
    }

    /// A semaphore shows its value or that it is locked, and how many wait (TK-14).
    #[test]
    fn test_repr() {
        run(async {
            let semaphore = Rc::new(Semaphore::default());
            assert_eq!(format!("{semaphore:?}"), "Semaphore [unlocked, value: 1]");
            semaphore.acquire().await?.forget();
            assert_eq!(format!("{semaphore:?}"), "Semaphore [locked]");
            let result = Log::new();
            let first = spawn(acquirer(&semaphore, 1, &result));
            yield_now().await?;
            assert_eq!(format!("{semaphore:?}"), "Semaphore [locked, waiters: 1]");
            let second = spawn(acquirer(&semaphore, 2, &result));
            yield_now().await?;
            assert_eq!(format!("{semaphore:?}"), "Semaphore [locked, waiters: 2]");
            drop((first, second));
            Ok(())
        })
        .unwrap();
    }

    /// Permits that are released go to the first who wait, before they run (SE-2 to SE-4).
    #[test]
    fn test_acquire() {
        run(async {
            let semaphore = Rc::new(Semaphore::new(3));
            let result = Log::new();
            semaphore.acquire().await?.forget();
            semaphore.acquire().await?.forget();
            assert!(!semaphore.is_locked());

            let mut t1 = spawn(acquirer(&semaphore, 1, &result));
            let t2 = spawn(acquirer(&semaphore, 2, &result));
            let t3 = spawn(acquirer(&semaphore, 3, &result));
            yield_now().await?;
            assert_eq!(result.seen(), [1]);
            assert_eq!(format!("{semaphore:?}"), "Semaphore [locked, waiters: 2]");
            assert_eq!(semaphore.available_permits(), 0);

            let t4 = spawn(acquirer(&semaphore, 4, &result));
            semaphore.release();
            semaphore.release();
            assert_eq!(semaphore.available_permits(), 0);

            yield_now().await?;
            assert_eq!(semaphore.available_permits(), 0);
            assert_eq!(result.seen().len(), 3);
            assert_eq!(format!("{semaphore:?}"), "Semaphore [locked, waiters: 1]");
            assert!(result_of(&mut t1)?);
            let race = [t2, t3, t4];
            assert_eq!(race.iter().filter(|task| task.is_finished()).count(), 2);

            semaphore.release();
            gather_iter(race).await?;
            Ok(())
        })
        .unwrap();
    }

    /// A waiter that is cancelled leaves the queue (SE-7).
    #[test]
    fn test_acquire_cancel() {
        run(async {
            let semaphore = Rc::new(Semaphore::default());
            semaphore.acquire().await?.forget();
            is_cancelled_soon(spawn(semaphore.acquire_owned(1))).await?;
            assert_eq!(format!("{semaphore:?}"), "Semaphore [locked]");
            Ok(())
        })
        .unwrap();
    }

    /// A permit does not go to waiters that were cancelled before, but to the first that was not (SE-6, SE-7).
    #[test]
    fn test_acquire_cancel_before_awoken() {
        run(async {
            let semaphore = Rc::new(Semaphore::new(0));
            let result = Log::new();
            let [t1, t2, t3, t4] = [1, 2, 3, 4].map(|name| spawn(acquirer(&semaphore, name, &result)));
            yield_now().await?;
            t1.cancel();
            t2.cancel();
            semaphore.release();
            yield_now().await?;
            yield_now().await?;
            assert!(t1.is_cancelled() && t2.is_cancelled());
            assert_eq!(result.seen(), [3]);
            assert!(t3.is_finished());
            assert!(!t4.is_finished());
            t4.cancel();
            yield_now().await?;
            assert!(t4.is_cancelled());
            Ok(())
        })
        .unwrap();
    }

    /// A permit whose waiter is cancelled in that turn goes to the next (SE-6).
    #[test]
    fn test_acquire_hang() {
        run(async {
            let semaphore = Rc::new(Semaphore::new(0));
            let result = Log::new();
            let [t1, t2] = [1, 2].map(|name| spawn(acquirer(&semaphore, name, &result)));
            yield_now().await?;
            t1.cancel();
            semaphore.release();
            yield_now().await?;
            yield_now().await?;
            assert!(semaphore.is_locked());
            assert!(t2.is_finished());
            assert_eq!(result.seen(), [2]);
            Ok(())
        })
        .unwrap();
    }

    /// A waiter that is cancelled right after the permit was handed to it gives it back (SE-6, GA-8).
    #[test]
    fn test_acquire_no_hang() {
        run(async {
            let semaphore = Rc::new(Semaphore::new(1));
            let second = Rc::new(RefCell::new(None::<homing::TaskRef>));
            let t1 = spawn({
                let (semaphore, second) = (semaphore.clone(), second.clone());
                async move {
                    let permit = semaphore.acquire().await?;
                    yield_now().await?;
                    drop(permit);
                    assert!(second.take().is_some_and(|second| second.cancel()));
                    Ok(())
                }
            });
            let t2 = spawn({
                let semaphore = semaphore.clone();
                async move {
                    let _permit = semaphore.acquire().await?;
                    panic!("it was cancelled before it could run")
                }
            });
            second.replace(Some(t2.task_ref()));
            let (r1, r2): (Result<()>, Result<()>) = gather((t1, t2)).return_exceptions().await?;
            assert!(r1.is_ok());
            assert!(r2.unwrap_err().is_cancelled());
            let _permit = wait_for(semaphore.acquire_owned(1), ms(1000)).await?;
            Ok(())
        })
        .unwrap();
    }

    /// A bounded semaphore of which nothing was acquired refuses a release (SE-10).
    #[test]
    fn test_release_not_acquired() {
        let refused: ReleasedTooOften = BoundedSemaphore::new(1).release().unwrap_err();
        assert!(refused.to_string().contains("too often"));
    }

    /// Released, a semaphore for which nobody waits is unlocked (SE-9).
    #[test]
    fn test_release_no_waiters() {
        run(async {
            let semaphore = Semaphore::default();
            semaphore.acquire().await?.forget();
            assert!(semaphore.is_locked());
            semaphore.release();
            assert!(!semaphore.is_locked());
            Ok(())
        })
        .unwrap();
    }

    /// Tasks that acquire, release and acquire again take turns (SE-4, SE-8).
    #[test]
    fn test_acquire_fifo_order() {
        run(async {
            let semaphore = Rc::new(Semaphore::new(1));
            let result = Log::new();
            task_group(async |tg| {
                for tag in ["c1", "c2", "c3"] {
                    let (semaphore, result) = (semaphore.clone(), result.clone());
                    drop(tg.spawn(async move {
                        for round in [1, 2] {
                            let _permit = semaphore.acquire().await?;
                            result.push(format!("{tag}_{round}"));
                            sleep(ms(10)).await?;
                        }
                        Ok(())
                    }));
                }
                Ok(())
            })
            .await?;
            assert_eq!(result.seen(), ["c1_1", "c2_1", "c3_1", "c1_2", "c2_2", "c3_2"]);
            Ok(())
        })
        .unwrap();
    }

    /// A task that releases and at once acquires again goes to the end of the queue (SE-4, SE-8).
    #[test]
    fn test_acquire_fifo_order_2() {
        run(async {
            let semaphore = Rc::new(Semaphore::new(1));
            let result = Log::new();
            let t1 = spawn(acquirer(&semaphore, 1, &result));
            let t2 = spawn({
                let (semaphore, result) = (semaphore.clone(), result.clone());
                async move {
                    semaphore.acquire().await?.forget();
                    result.push(2);
                    semaphore.release();
                    semaphore.acquire().await?.forget();
                    result.push(4);
                    Ok(true)
                }
            });
            let t3 = spawn(acquirer(&semaphore, 3, &result));
            yield_now().await?;
            semaphore.release();
            semaphore.release();
            gather((t1, t2, t3)).await?;
            assert_eq!(result.seen(), [1, 2, 3, 4]);
            Ok(())
        })
        .unwrap();
    }

    /// A waiter that was cancelled is out of the way of those behind it (SE-6).
    #[test]
    fn test_acquire_fifo_order_3() {
        run(async {
            let semaphore = Rc::new(Semaphore::new(0));
            let result = Log::new();
            let [t1, t2, t3] = [1, 2, 3].map(|name| spawn(acquirer(&semaphore, name, &result)));
            yield_now().await?;
            t1.cancel();
            yield_now().await?;
            semaphore.release();
            semaphore.release();
            let (r1, r2, r3) = gather((t1, t2, t3)).return_exceptions().await?;
            assert!(r1.is_err() && r2.is_ok() && r3.is_ok());
            assert_eq!(result.seen(), [2, 3]);
            Ok(())
        })
        .unwrap();
    }

    /// A waiter that resumes hands on all permits that there are to those who have queued behind it (SE-2, SE-3, SE-5).
    #[test]
    fn test_acquire_fifo_order_4() {
        run(async {
            let semaphore = Rc::new(Semaphore::new(0));
            let result = Log::new();
            let t4 = Rc::new(RefCell::new(None));
            let t1 = spawn({
                let (semaphore, result, t4) = (semaphore.clone(), result.clone(), t4.clone());
                async move {
                    assert_eq!(semaphore.available_permits(), 0);
                    semaphore.acquire().await?.forget();
                    assert_eq!(semaphore.available_permits(), 0, "all who wait have been woken");
                    let log = result.clone();
                    t4.replace(Some(spawn(async move {
                        log.push(4);
                        Ok(true)
                    })));
                    result.push(1);
                    Ok(true)
                }
            });
            let t2 = spawn({
                let (semaphore, result) = (semaphore.clone(), result.clone());
                async move {
                    for _ in 0..3 {
                        semaphore.release();
                    }
                    assert_eq!(semaphore.available_permits(), 2);
                    assert!(semaphore.is_locked(), "the first has not woken up");
                    semaphore.acquire().await?.forget();
                    result.push(2);
                    Ok(true)
                }
            });
            let t3 = spawn({
                let (semaphore, result) = (semaphore.clone(), result.clone());
                async move {
                    semaphore.acquire().await?.forget();
                    assert!(semaphore.is_locked());
                    result.push(3);
                    Ok(true)
                }
            });
            yield_now().await?;
            assert_eq!(semaphore.available_permits(), 2);
            assert_eq!(format!("{semaphore:?}"), "Semaphore [locked, waiters: 3]");
            yield_now().await?;
            let t4: Task<bool> = t4.take().expect("the first has run");
            gather((t1, t2, t3, t4)).await?;
            assert_eq!(result.seen(), [1, 2, 3, 4]);
            Ok(())
        })
        .unwrap();
    }
}

mod barrier_tests {
    use super::*;

    const N: usize = 5;

    fn make_tasks<T: 'static, F>(n: usize, party: impl Fn() -> F) -> Vec<Task<T>>
    where
        F: Future<Output = Result<T>> + 'static,
    {
        (0..n).map(|_| spawn(party())).collect()
    }

    /// Lets so many parties run to their end, of which none must wait for ever.
    async fn gather_tasks<T: 'static, F>(n: usize, party: impl Fn() -> F) -> Result<Vec<T>>
    where
        F: Future<Output = Result<T>> + 'static,
    {
        timeout(ms(1000), gather_iter(make_tasks(n, party))).await
    }

    fn is_broken<T>(outcome: &Result<T>) -> bool {
        outcome.as_ref().is_err_and(Error::is::<BrokenBarrier>)
    }

    fn waiter(barrier: &Rc<Barrier>) -> impl Future<Output = Result<usize>> + use<> {
        let barrier = barrier.clone();
        async move { barrier.wait().await }
    }

    fn add(count: &Cell<usize>) -> usize {
        count.set(count.get() + 1);
        count.get()
    }

    #[track_caller]
    fn assert_empty(barrier: &Barrier) {
        assert_eq!(barrier.n_waiting(), 0);
        assert!(!barrier.is_broken());
        assert!(!format!("{barrier:?}").contains("resetting"));
    }

    /// A barrier shows its state, and how many have arrived (TK-14, BA-9).
    ///
    /// Stands in: no number of parties inside, but in the state in which it counts.
    #[test]
    fn test_repr() {
        run(async {
            let barrier = Rc::new(Barrier::new(N));
            assert_eq!(format!("{barrier:?}"), "Barrier [filling, waiters: 0/5]");
            let mut waiters = make_tasks(2, || waiter(&barrier));
            yield_now().await?;
            assert_eq!(format!("{barrier:?}"), "Barrier [filling, waiters: 2/5]");

            waiters.extend(make_tasks(barrier.parties() - barrier.n_waiting(), || waiter(&barrier)));
            yield_now().await?;
            assert!(format!("{barrier:?}").starts_with("Barrier [draining"), "{barrier:?}");

            waiters.extend(make_tasks(2, || waiter(&barrier)));
            yield_now().await?;
            barrier.reset();
            assert!(format!("{barrier:?}").starts_with("Barrier [resetting"), "{barrier:?}");

            waiters.extend(make_tasks(2, || waiter(&barrier)));
            yield_now().await?;
            barrier.abort();
            assert!(format!("{barrier:?}").starts_with("Barrier [broken"), "{barrier:?}");
            assert!(barrier.is_broken());
            gather_iter(waiters).return_exceptions().await?;
            Ok(())
        })
        .unwrap();
    }

    /// A barrier has at least one party (BA-1).
    ///
    /// Stands in: a panic for a ValueError; a negative number does not compile.
    #[test]
    fn test_barrier_parties() {
        assert!(panics(|| drop(Barrier::new(0))));
        assert_eq!(Barrier::new(N).parties(), N);
    }

    /// All parties pass together, and each has a place of its own (BA-2, BA-9).
    ///
    /// Stands in: what `wait` gives for the block form.
    #[test]
    fn test_context_manager() {
        run(async {
            let barrier = Rc::new(Barrier::new(3));
            let mut places = gather_tasks(3, || waiter(&barrier)).await?;
            places.sort();
            assert_eq!(places, [0, 1, 2]);
            assert_empty(&barrier);
            Ok(())
        })
        .unwrap();
    }

    /// With one party, nobody waits (BA-1).
    #[test]
    fn test_filling_one_task() {
        let barrier = Barrier::new(1);
        assert!(matches!(poll_once(barrier.wait()), Poll::Ready(Ok(0))));
        assert_empty(&barrier);
    }

    /// Nor the second time (BA-1).
    #[test]
    fn test_filling_one_task_twice() {
        run(async {
            let barrier = Rc::new(Barrier::new(1));
            let mut t1 = spawn(waiter(&barrier));
            yield_now().await?;
            assert_eq!(barrier.n_waiting(), 0);
            let mut t2 = spawn(waiter(&barrier));
            yield_now().await?;
            assert_eq!(result_of(&mut t1)?, result_of(&mut t2)?);
            assert_empty(&barrier);
            Ok(())
        })
        .unwrap();
    }

    /// While it fills, a barrier counts those who wait (BA-9).
    #[test]
    fn test_filling_task_by_task() {
        run(async {
            let barrier = Rc::new(Barrier::new(3));
            let t1 = spawn(waiter(&barrier));
            yield_now().await?;
            assert_eq!(barrier.n_waiting(), 1);
            assert!(format!("{barrier:?}").contains("filling"));
            let t2 = spawn(waiter(&barrier));
            yield_now().await?;
            assert_eq!(barrier.n_waiting(), 2);
            assert!(format!("{barrier:?}").contains("filling"));
            let t3 = spawn(waiter(&barrier));
            yield_now().await?;
            timeout(ms(1000), gather((t1, t2, t3))).await?;
            assert_empty(&barrier);
            Ok(())
        })
        .unwrap();
    }

    /// Parties that come back at once, while others are still leaving, make up the next round (BA-3).
    #[test]
    fn test_filling_tasks_wait_twice() {
        run(async {
            let barrier = Rc::new(Barrier::new(N));
            let results = Log::new();
            gather_tasks(N, || {
                let (barrier, results) = (barrier.clone(), results.clone());
                async move {
                    barrier.wait().await?;
                    results.push(true);
                    barrier.wait().await?;
                    results.push(false);
                    Ok(())
                }
            })
            .await?;
            assert_eq!(results.seen(), [[true; N], [false; N]].concat());
            assert_empty(&barrier);
            Ok(())
        })
        .unwrap();
    }

    /// In every round each party has a place of its own (BA-2).
    #[test]
    fn test_filling_tasks_check_return_value() {
        run(async {
            let barrier = Rc::new(Barrier::new(N));
            let (passed_once, passed_twice) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
            let mut places = gather_tasks(N, || {
                let (barrier, once, twice) = (barrier.clone(), passed_once.clone(), passed_twice.clone());
                async move {
                    barrier.wait().await?;
                    add(&once);
                    let place = barrier.wait().await?;
                    add(&twice);
                    Ok(place)
                }
            })
            .await?;
            assert_eq!((passed_once.get(), passed_twice.get()), (N, N));
            places.sort();
            assert_eq!(places, [0, 1, 2, 3, 4]);
            assert_empty(&barrier);
            Ok(())
        })
        .unwrap();
    }

    /// A barrier drains until the last has left (BA-3).
    #[test]
    fn test_draining_state() {
        run(async {
            let barrier = Rc::new(Barrier::new(N));
            let results = Log::new();
            gather_tasks(N, || {
                let (barrier, results) = (barrier.clone(), results.clone());
                async move {
                    barrier.wait().await?;
                    results.push(format!("{barrier:?}").contains("draining"));
                    Ok(())
                }
            })
            .await?;
            assert_eq!(results.seen(), [true, true, true, true, false]);
            assert_empty(&barrier);
            Ok(())
        })
        .unwrap();
    }

    /// Who waits again while the others are kept back elsewhere is joined by them in the next round (BA-3).
    #[test]
    fn test_blocking_tasks_while_draining() {
        run(async {
            let rewait = 2;
            let barrier = Rc::new(Barrier::new(N));
            let barrier_nowaiting = Rc::new(Barrier::new(N - rewait));
            let rewait_n = Rc::new(Cell::new(rewait));
            gather_tasks(N, || {
                let (barrier, nowaiting) = (barrier.clone(), barrier_nowaiting.clone());
                let rewait_n = rewait_n.clone();
                async move {
                    barrier.wait().await?;
                    if rewait_n.get() > 0 {
                        rewait_n.set(rewait_n.get() - 1);
                    } else {
                        nowaiting.wait().await?;
                    }
                    barrier.wait().await
                }
            })
            .await?;
            assert_eq!(rewait_n.get(), 0);
            assert_empty(&barrier);
            Ok(())
        })
        .unwrap();
    }

    /// A party that is cancelled while the barrier fills leaves, and another takes its place (BA-4).
    #[test]
    fn test_filling_tasks_cancel_one() {
        run(async {
            let barrier = Rc::new(Barrier::new(3));
            let t1 = spawn(waiter(&barrier));
            yield_now().await?;
            assert_eq!(barrier.n_waiting(), 1);
            let t2 = spawn(waiter(&barrier));
            yield_now().await?;
            assert_eq!(barrier.n_waiting(), 2);

            t1.cancel();
            yield_now().await?;
            assert_eq!(barrier.n_waiting(), 1);
            assert!(t1.is_cancelled());
            assert!(t1.await.unwrap_err().is_cancelled());

            let t3 = spawn(waiter(&barrier));
            yield_now().await?;
            assert_eq!(barrier.n_waiting(), 2);
            let t4 = spawn(waiter(&barrier));
            timeout(ms(1000), gather((t2, t3, t4))).await?;
            assert_empty(&barrier);
            Ok(())
        })
        .unwrap();
    }

    /// The reset of an empty barrier just clears it (BA-6).
    #[test]
    fn test_reset_barrier() {
        let barrier = Barrier::new(1);
        barrier.reset();
        assert_empty(&barrier);
        assert!(matches!(poll_once(barrier.wait()), Poll::Ready(Ok(0))));
    }

    /// A reset breaks the barrier for those who wait, and for nobody else (BA-6).
    #[test]
    fn test_reset_barrier_while_tasks_waiting() {
        run(async {
            let barrier = Rc::new(Barrier::new(N));
            let tasks = make_tasks(N - 1, || waiter(&barrier));
            yield_now().await?;
            let resetting = barrier.clone();
            call_soon(move || resetting.reset());
            let outcomes = timeout(ms(1000), gather_iter(tasks).return_exceptions()).await?;
            assert_eq!(outcomes.iter().filter(|outcome| is_broken(outcome)).count(), N - 1);
            assert_empty(&barrier);
            Ok(())
        })
        .unwrap();
    }

    /// A reset while half of a round has passed breaks it for the other half, which was released and has not run (BA-6,
    /// BA-7).
    ///
    /// Stands in: counting those who have passed, for the barrier's own count of those who have not.
    #[test]
    fn test_reset_barrier_when_tasks_half_draining() {
        run(async {
            let barrier = Rc::new(Barrier::new(N));
            let rest_of_tasks = N / 2;
            let (passed, broken) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
            gather_tasks(N, || {
                let (barrier, passed, broken) = (barrier.clone(), passed.clone(), broken.clone());
                async move {
                    if is_broken(&barrier.wait().await) {
                        add(&broken);
                    } else if N - add(&passed) == rest_of_tasks {
                        barrier.reset();
                    }
                    Ok(())
                }
            })
            .await?;
            assert_eq!(broken.get(), rest_of_tasks);
            assert_empty(&barrier);
            Ok(())
        })
        .unwrap();
    }

    /// Those who have passed and come back before the reset are not concerned by it: all meet in the next round (BA-6).
    #[test]
    fn test_reset_barrier_when_tasks_half_draining_half_blocking() {
        run(async {
            let barrier = Rc::new(Barrier::new(N));
            let blocking_tasks = N / 2;
            let [count, results1, results2] = [(); 3].map(|()| Rc::new(Cell::new(0)));
            gather_tasks(N, || {
                let (barrier, count) = (barrier.clone(), count.clone());
                let (results1, results2) = (results1.clone(), results2.clone());
                async move {
                    if is_broken(&barrier.wait().await) {
                        add(&results1);
                        barrier.wait().await?;
                    } else if add(&count) > blocking_tasks {
                        barrier.reset();
                        barrier.wait().await?;
                    } else if is_broken(&barrier.wait().await) {
                        add(&results2);
                    }
                    Ok(())
                }
            })
            .await?;
            assert_eq!((results1.get(), results2.get()), (blocking_tasks, 0));
            assert_empty(&barrier);
            Ok(())
        })
        .unwrap();
    }

    /// Those whom a reset has sent away wait again, and pass with the one that was missing (BA-6).
    #[test]
    fn test_reset_barrier_while_tasks_waiting_and_waiting_again() {
        run(async {
            let barrier = Rc::new(Barrier::new(N));
            let [results1, results2] = [(); 2].map(|()| Rc::new(Cell::new(0)));
            let tasks = make_tasks(N - 1, || {
                let (barrier, results1, results2) = (barrier.clone(), results1.clone(), results2.clone());
                async move {
                    if is_broken(&barrier.wait().await) {
                        add(&results1);
                    }
                    barrier.wait().await?;
                    add(&results2);
                    Ok(())
                }
            });
            let resetting = barrier.clone();
            call_soon(move || resetting.reset());
            yield_now().await?;
            let missing = spawn({
                let (barrier, results2) = (barrier.clone(), results2.clone());
                async move {
                    barrier.wait().await?;
                    add(&results2);
                    Ok(())
                }
            });
            timeout(ms(1000), gather((gather_iter(tasks), missing))).await?;
            assert_eq!((results1.get(), results2.get()), (N - 1, N));
            assert_empty(&barrier);
            Ok(())
        })
        .unwrap();
    }

    /// A reset by the last one to leave a round, when nobody is inside, breaks nothing (BA-6).
    ///
    /// Stands in: a turn before the others come back, in which CPython keeps them outside of the barrier by itself.
    #[test]
    fn test_reset_barrier_while_tasks_draining() {
        run(async {
            let barrier = Rc::new(Barrier::new(N));
            let [count, results1, results2, results3] = [(); 4].map(|()| Rc::new(Cell::new(0)));
            gather_tasks(N, || {
                let (barrier, count) = (barrier.clone(), count.clone());
                let (results1, results2, results3) = (results1.clone(), results2.clone(), results3.clone());
                async move {
                    barrier.wait().await?;
                    if add(&count) == N {
                        barrier.reset();
                        barrier.wait().await?;
                    } else {
                        yield_now().await?;
                        add(if barrier.wait().await.is_ok() { &results1 } else { &results2 });
                    }
                    barrier.wait().await?;
                    add(&results3);
                    Ok(())
                }
            })
            .await?;
            assert_eq!((results1.get(), results2.get(), results3.get()), (N - 1, 0, N));
            assert_empty(&barrier);
            Ok(())
        })
        .unwrap();
    }

    /// An aborted barrier is broken, for all who arrive later too (BA-8).
    #[test]
    fn test_abort_barrier() {
        let barrier = Barrier::new(1);
        barrier.abort();
        assert_eq!(barrier.n_waiting(), 0);
        assert!(barrier.is_broken());
        let Poll::Ready(outcome) = poll_once(barrier.wait()) else { panic!("it does not wait") };
        assert!(is_broken(&outcome));
    }

    /// An abort breaks the barrier for those who were released and have not run, and for those who wait again (BA-8).
    #[test]
    fn test_abort_barrier_when_tasks_half_draining_half_blocking() {
        run(async {
            let barrier = Rc::new(Barrier::new(N));
            let blocking_tasks = N / 2;
            let [count, results1, results2] = [(); 3].map(|()| Rc::new(Cell::new(0)));
            gather_tasks(N, || {
                let (barrier, count) = (barrier.clone(), count.clone());
                let (results1, results2) = (results1.clone(), results2.clone());
                async move {
                    if is_broken(&barrier.wait().await) {
                        add(&results1);
                    } else if add(&count) > blocking_tasks {
                        barrier.abort();
                    } else if is_broken(&barrier.wait().await) {
                        add(&results2);
                    }
                    Ok(())
                }
            })
            .await?;
            assert!(barrier.is_broken());
            assert_eq!((results1.get(), results2.get()), (blocking_tasks, N - blocking_tasks - 1));
            assert_eq!(barrier.n_waiting(), 0);
            assert!(!format!("{barrier:?}").contains("resetting"));
            Ok(())
        })
        .unwrap();
    }

    /// A party that fails and aborts the barrier keeps no other from hearing of it (BA-8).
    #[test]
    fn test_abort_barrier_when_exception() {
        run(async {
            let barrier = Rc::new(Barrier::new(N));
            let [results1, results2] = [(); 2].map(|()| Rc::new(Cell::new(0)));
            gather_tasks(N, || {
                let (barrier, results1, results2) = (barrier.clone(), results1.clone(), results2.clone());
                async move {
                    match barrier.wait().await {
                        Ok(place) if place == N / 2 => barrier.abort(),
                        Ok(_) if barrier.wait().await.is_ok() => drop(add(&results1)),
                        _ => drop(add(&results2)),
                    }
                    Ok(())
                }
            })
            .await?;
            assert!(barrier.is_broken());
            assert_eq!((results1.get(), results2.get()), (0, N - 1));
            assert_eq!(barrier.n_waiting(), 0);
            Ok(())
        })
        .unwrap();
    }

    /// A barrier that was aborted and then reset works as before (BA-8).
    #[test]
    fn test_abort_barrier_when_exception_then_resetting() {
        run(async {
            let (barrier1, barrier2) = (Rc::new(Barrier::new(N)), Rc::new(Barrier::new(N)));
            let [results1, results2, results3] = [(); 3].map(|()| Rc::new(Cell::new(0)));
            gather_tasks(N, || {
                let (barrier1, barrier2) = (barrier1.clone(), barrier2.clone());
                let (results1, results2, results3) = (results1.clone(), results2.clone(), results3.clone());
                async move {
                    match barrier1.wait().await {
                        Ok(place) if place == N / 2 => barrier1.abort(),
                        Ok(_) if barrier1.wait().await.is_ok() => drop(add(&results1)),
                        _ => drop(add(&results2)),
                    }
                    // All have left it when it is reset, and nobody comes back before that.
                    if barrier2.wait().await? == N / 2 {
                        barrier1.reset();
                    }
                    barrier2.wait().await?;
                    barrier1.wait().await?;
                    add(&results3);
                    Ok(())
                }
            })
            .await?;
            assert_eq!((results1.get(), results2.get(), results3.get()), (0, N - 1, N));
            assert_empty(&barrier1);
            Ok(())
        })
        .unwrap();
    }
}
