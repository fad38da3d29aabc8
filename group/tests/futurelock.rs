//! Locks that were granted to a future which its own task has stopped polling.

mod futurelock_reports;

use futurelock_reports::Reports;
use futures_util::future::{Either, select};
use homing::sync::{Mutex, Semaphore};
use homing::{Result, sleep, spawn, task, yield_now};
use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Spawns a task that has locked the mutex for so long.
async fn lock_for(mutex: &Rc<Mutex<()>>, time: Duration) -> Result<()> {
    let held = mutex.lock_owned().await?;
    spawn(async move {
        sleep(time).await?;
        drop(held);
        Ok(())
    });
    Ok(())
}

#[test]
fn a_live_acquire_of_the_same_task_takes_over_what_an_abandoned_one_was_granted() {
    let reports = Reports::default();
    reports.run(async {
        let mutex = Rc::new(Mutex::new(()));
        lock_for(&mutex, 2 * SECOND).await?;
        let mut first = mutex.lock();
        let first_line = line!() - 1;
        match select(&mut first, pin!(sleep(SECOND))).await {
            Either::Left(_) => unreachable!("it is locked for longer"),
            Either::Right((slept, _)) => slept?,
        }
        let second_line = line!() + 1;
        let held = mutex.lock().await?;
        let found = reports.take();
        assert_eq!(found.len(), 1);
        assert!(found[0].taken_over);
        let waiter = found[0].waiter.as_ref().expect("it waits");
        assert_eq!((&*found[0].name, &*waiter.name), ("main", "main"));
        assert_eq!(waiter.waits_at.line(), second_line);
        // Polled by a combinator of another crate, it is shown where it was made.
        assert_eq!(found[0].let_go_at.line(), first_line);
        let text = found[0].to_string();
        for words in ["futurelock: a mutex", "task 'main'", "was given it instead"] {
            assert!(text.contains(words), "'{words}' is missing in: {text}");
        }
        // The other one has lost its turn, not its use.
        drop(held);
        drop(first.await?);
        assert!(!mutex.is_locked());
        Ok(())
    });
    assert_eq!(reports.take(), []);
}

#[test]
fn one_that_was_passed_over_stands_in_nobodys_way() {
    let reports = Reports::default();
    reports.run(async {
        let mutex = Rc::new(Mutex::new(()));
        lock_for(&mutex, 2 * SECOND).await?;
        let mut first = mutex.lock();
        let _ = select(&mut first, pin!(sleep(SECOND))).await;
        drop(mutex.lock().await?);
        // It sleeps in line; others are served at once, and in their order.
        assert!(!mutex.is_locked());
        let held = mutex.try_lock().expect("nobody has it, and nobody waits");
        let others: Vec<_> = (0..3)
            .map(|_| {
                let mutex = mutex.clone();
                spawn(async move { mutex.lock().await.map(drop) })
            })
            .collect();
        yield_now().await?;
        drop(held);
        for other in others {
            other.await?;
        }
        drop(first);
        assert!(mutex.try_lock().is_some());
        Ok(())
    });
    assert_eq!(reports.take().len(), 1);
}

#[test]
fn another_task_that_comes_to_wait_reports_it_once_and_gets_it_when_the_future_is_dropped() {
    let reports = Reports::default();
    let seen = reports.clone();
    reports.run(async {
        let mutex = Rc::new(Mutex::new(()));
        lock_for(&mutex, 2 * SECOND).await?;
        let mut first = mutex.lock();
        let _ = select(&mut first, pin!(sleep(SECOND))).await;
        // It is granted here, and this task is polled again and again without asking for it. Nobody sleeps meanwhile.
        sleep(SECOND).await?;
        for _ in 0..4 {
            yield_now().await?;
        }
        assert_eq!(seen.take(), []);
        let waiters: Vec<_> = ["one", "two"]
            .map(|name| {
                let mutex = mutex.clone();
                task(async move { mutex.lock().await.map(drop) }).name(name).spawn()
            })
            .into();
        sleep(SECOND).await?;
        let found = seen.take();
        assert_eq!(found.len(), 1);
        assert!(!found[0].taken_over);
        let waiter = found[0].waiter.as_ref().expect("it has come");
        assert_eq!((&*found[0].name, &*waiter.name), ("main", "one"));
        assert!(found[0].to_string().contains("task 'one' waits for it at"), "{}", found[0]);
        assert!(waiters.iter().all(|waiter| !waiter.is_finished()));
        drop(first);
        for waiter in waiters {
            waiter.await?;
        }
        Ok(())
    });
}

#[test]
fn futures_that_are_polled_get_their_turns_in_order_and_nothing_is_reported() {
    let reports = Reports::default();
    reports.run(async {
        let mutex = Rc::new(Mutex::new(()));
        lock_for(&mutex, SECOND).await?;
        let order = RefCell::new(Vec::new());
        let lock = |name: &'static str| {
            let (mutex, order) = (&mutex, &order);
            async move {
                let _held = mutex.lock().await?;
                order.borrow_mut().push(name);
                yield_now().await
            }
        };
        // The one that came first is polled last.
        let mut first = Box::pin(lock("first"));
        let _ = select(&mut first, pin!(sleep(SECOND / 2))).await;
        let (second, first) = futures_util::join!(lock("second"), first);
        second.and(first)?;
        assert_eq!(*order.borrow(), ["first", "second"]);
        Ok(())
    });
    assert_eq!(reports.take(), []);
}

#[test]
fn permits_are_taken_over_as_far_as_they_go_and_the_rest_goes_back() {
    let reports = Reports::default();
    reports.run(async {
        let semaphore = Rc::new(Semaphore::new(3));
        let held = semaphore.acquire_owned(3).await?;
        spawn(async move {
            sleep(2 * SECOND).await?;
            drop(held);
            Ok(())
        });
        let mut first = semaphore.acquire_many(3);
        let _ = select(&mut first, pin!(sleep(SECOND))).await;
        let one = semaphore.acquire().await?;
        assert_eq!(semaphore.available_permits(), 2);
        let found = reports.take();
        assert_eq!(found.len(), 1);
        assert!(found[0].taken_over && found[0].to_string().contains("a permit was granted"), "{}", found[0]);
        drop(one);
        assert_eq!(first.await?.count(), 3);
        assert_eq!(semaphore.available_permits(), 3);
        Ok(())
    });
}

#[test]
fn who_wants_more_permits_than_were_kept_takes_them_over_and_waits_for_the_rest_in_front() {
    let reports = Reports::default();
    reports.run(async {
        let semaphore = Rc::new(Semaphore::new(2));
        let release_after = |time: Duration, permit| {
            spawn(async move {
                sleep(time).await?;
                drop(permit);
                Ok(())
            })
        };
        release_after(2 * SECOND, semaphore.acquire_owned(1).await?);
        release_after(4 * SECOND, semaphore.acquire_owned(1).await?);
        let mut first = semaphore.acquire();
        let _ = select(&mut first, pin!(sleep(SECOND))).await;
        // Stands between the one that was let go and the one that is awaited.
        let theirs = semaphore.clone();
        let other = task(async move { theirs.acquire().await.map(drop) }).name("other").spawn();
        yield_now().await?;
        let both = semaphore.acquire_many(2).await?;
        let found = reports.take();
        assert_eq!(found.len(), 1);
        assert!(found[0].taken_over);
        assert!(!other.is_finished());
        drop(both);
        other.await?;
        assert_eq!(first.await?.count(), 1);
        assert_eq!(semaphore.available_permits(), 2);
        Ok(())
    });
}

#[test]
fn who_has_taken_over_too_few_permits_and_is_cancelled_leaves_them_to_the_next() {
    let reports = Reports::default();
    reports.run(async {
        let semaphore = Rc::new(Semaphore::new(2));
        let _held = semaphore.acquire().await?;
        let permit = semaphore.acquire_owned(1).await?;
        let theirs = semaphore.clone();
        let greedy = task(async move {
            let mut first = theirs.acquire();
            let _ = select(&mut first, pin!(sleep(SECOND))).await;
            theirs.acquire_many(2).await.map(drop)
        });
        let greedy = greedy.name("greedy").spawn();
        sleep(2 * SECOND).await?;
        drop(permit);
        sleep(SECOND).await?;
        assert!(reports.take().iter().all(|found| found.taken_over));
        let theirs = semaphore.clone();
        let next = spawn(async move { theirs.acquire().await.map(drop) });
        yield_now().await?;
        assert!(!next.is_finished());
        greedy.cancel();
        assert!(greedy.await.unwrap_err().is_cancelled());
        next.await
    });
}
