//! Locks that were granted to a future which its own task has stopped polling, as the runtime notices it before it sleeps.

mod futurelock_reports;

use futurelock_reports::Reports;
use futures_util::future::select;
use homing::cancel::Awaiting;
use homing::observe::{Futurelock, Grant};
use homing::runtime::{Budget, settle};
use homing::sync::{Mutex, Semaphore};
use homing::{Builder, Result, Task, sleep, spawn, task};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::panic::Location;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// A mutex that is locked for two seconds from now on.
async fn locked() -> Result<Rc<Mutex<()>>> {
    let mutex = Rc::new(Mutex::new(()));
    let held = mutex.lock_owned().await?;
    spawn(async move {
        sleep(2 * SECOND).await?;
        drop(held);
        Ok(())
    });
    Ok(mutex)
}

/// Waits for the mutex for a second, lets go of that, and does something else for so long.
fn lets_go(mutex: &Rc<Mutex<()>>, then: Duration) -> Task<()> {
    let mutex = mutex.clone();
    let body = async move {
        let mut first = mutex.lock();
        let _ = select(&mut first, pin!(sleep(SECOND))).await;
        sleep(then).await
    };
    task(body).name("careless").spawn()
}

#[test]
fn a_grant_that_is_not_collected_is_noticed_before_the_runtime_sleeps_although_nobody_else_waits() {
    let reports = Reports::default();
    let seen = reports.clone();
    reports.run(async {
        let mutex = locked().await?;
        let mut first = mutex.lock();
        let first_line = line!() - 1;
        let _ = select(&mut first, pin!(sleep(SECOND))).await;
        let second_line = line!() + 1;
        sleep(5 * SECOND).await?;
        let found = seen.take();
        assert_eq!(found.len(), 1);
        assert_eq!(&*found[0].name, "main");
        assert_eq!(found[0].let_go_at.line(), first_line);
        assert_eq!(found[0].stands_at.map(|place| place.line()), Some(second_line));
        assert_eq!((&found[0].waiter, found[0].taken_over), (&None, false));
        let text = found[0].to_string();
        for words in ["futurelock: a mutex", "task 'main'", "the task stands at"] {
            assert!(text.contains(words), "'{words}' is missing in: {text}");
        }
        // It was told, and nothing else: it may still come for it.
        drop(first.await?);
        Ok(())
    });
    assert_eq!(reports.take(), []);
}

#[test]
fn it_is_noticed_while_the_task_stands_there_and_not_later() {
    let reports = Reports::default();
    let seen = reports.clone();
    let noticed = async {
        lets_go(&locked().await?, 60 * SECOND);
        sleep(2 * SECOND).await?;
        assert_eq!(seen.take(), []);
        settle().await?;
        assert_eq!(seen.take().len(), 1);
        Ok(())
    };
    reports.run(noticed);
}

#[test]
fn a_grant_is_reported_once_however_often_the_runtime_sleeps_and_whoever_comes_to_wait() {
    let reports = Reports::default();
    let seen = reports.clone();
    reports.run(async {
        let mutex = locked().await?;
        let careless = lets_go(&mutex, 60 * SECOND);
        for _ in 0..10 {
            sleep(SECOND).await?;
        }
        let theirs = mutex.clone();
        let late = spawn(async move { theirs.lock().await.map(drop) });
        sleep(SECOND).await?;
        assert_eq!(seen.take().len(), 1);
        careless.await?;
        late.await
    });
    assert_eq!(reports.take(), []);
}

#[test]
fn one_that_was_noticed_at_rest_and_is_taken_over_afterwards_is_told_with_that() {
    let reports = Reports::default();
    let seen = reports.clone();
    reports.run(async {
        let mutex = locked().await?;
        let mut first = mutex.lock();
        let _ = select(&mut first, pin!(sleep(SECOND))).await;
        sleep(5 * SECOND).await?;
        assert!(!seen.take()[0].taken_over);
        drop(mutex.lock().await?);
        assert!(seen.take()[0].taken_over);
        sleep(SECOND).await
    });
    assert_eq!(reports.take(), []);
}

#[test]
fn whoever_sleeps_in_line_behind_it_is_named() {
    let reports = Reports::default();
    reports.run(async {
        let mutex = locked().await?;
        let careless = lets_go(&mutex, 60 * SECOND);
        let theirs = mutex.clone();
        let behind = task(async move { theirs.lock().await.map(drop) }).name("behind").spawn();
        behind.await?;
        careless.await
    });
    let found = reports.take();
    assert_eq!(found.len(), 1);
    let waiter = found[0].waiter.as_ref().expect("it waits");
    assert_eq!((&*found[0].name, &*waiter.name), ("careless", "behind"));
    assert!(found[0].to_string().contains("task 'behind' waits for it at"), "{}", found[0]);
}

#[test]
fn it_is_noticed_before_a_deadlock_that_comes_of_it_ends_the_runtime() {
    let reports = Reports::default();
    let outcome = reports.builder().find_stuck(true).on_stuck(|_| {}).build().block_on(async {
        let mutex = locked().await?;
        let mut first = mutex.lock();
        let _ = select(&mut first, pin!(sleep(SECOND))).await;
        let theirs = mutex.clone();
        spawn(async move { theirs.lock().await.map(drop) }).await
    });
    assert!(outcome.unwrap_err().to_string().contains("deadlock"));
    assert_eq!(reports.take().len(), 1);
}

#[test]
fn permits_of_a_semaphore_are_noticed_as_well() {
    let reports = Reports::default();
    reports.run(async {
        let semaphore = Rc::new(Semaphore::new(0));
        let mut first = semaphore.acquire_many(2);
        let _ = select(&mut first, pin!(sleep(SECOND))).await;
        semaphore.add_permits(2);
        sleep(SECOND).await
    });
    let found = reports.take();
    assert_eq!(found.len(), 1);
    assert!(found[0].to_string().contains("a permit was granted"), "{}", found[0]);
}

#[test]
fn a_grant_that_is_collected_in_time_is_not_reported() {
    let reports = Reports::default();
    reports.run(async {
        let mutex = locked().await?;
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let mutex = mutex.clone();
                spawn(async move {
                    let _held = mutex.lock().await?;
                    sleep(SECOND).await
                })
            })
            .collect();
        for waiter in waiters {
            waiter.await?;
        }
        Ok(())
    });
    assert_eq!(reports.take(), []);
}

#[test]
fn a_grant_whose_task_has_not_had_its_turn_is_not_reported() {
    let reports = Reports::default();
    let seen = reports.clone();
    let runtime = reports.builder().build();
    let mutex = Rc::new(Mutex::new(()));
    let held = mutex.try_lock_owned();
    let theirs = mutex.clone();
    let waiter = runtime.spawn(async move { theirs.lock().await.map(drop) });
    runtime.turn(Budget::batch()).unwrap();
    drop(held);
    // A turn that polls nobody: the grant is there, and its task is in line.
    runtime.turn(Budget::polls(0)).unwrap();
    assert!(!waiter.is_finished());
    assert_eq!(seen.take(), []);
    runtime.turn(Budget::batch()).unwrap();
    assert!(waiter.is_finished());
    assert_eq!(reports.take(), []);
}

#[test]
fn a_grant_whose_task_has_not_been_polled_since_is_not_reported_before_it_is() {
    let reports = Reports::default();
    let seen = reports.clone();
    reports.run(async {
        let mutex = locked().await?;
        let theirs = mutex.clone();
        let deaf = spawn(async move {
            // Nobody hears it when its turn comes.
            let mut first = theirs.lock();
            assert!(pin!(&mut first).poll(&mut Context::from_waker(Waker::noop())).is_pending());
            sleep(10 * SECOND).await?;
            settle().await
        });
        sleep(9 * SECOND).await?;
        assert!(!mutex.is_locked() && mutex.try_lock().is_none(), "it is kept");
        assert_eq!(seen.take(), []);
        deaf.await
    });
    assert_eq!(reports.take().len(), 1);
}

#[test]
fn a_grant_whose_future_was_dropped_goes_on_and_is_not_reported() {
    let reports = Reports::default();
    reports.run(async {
        let mutex = locked().await?;
        let theirs = mutex.clone();
        let careful = spawn(async move {
            {
                let mut first = theirs.lock();
                let _ = select(&mut first, pin!(sleep(SECOND))).await;
            }
            sleep(60 * SECOND).await
        });
        // Its turn comes while the task sleeps, and it is dropped when the task is woken for that.
        let theirs = mutex.clone();
        let late = spawn(async move {
            let mut first = Some(Box::pin(async move { theirs.lock().await.map(drop) }));
            let polls = Cell::new(0);
            poll_fn(|cx| {
                polls.set(polls.get() + 1);
                match (polls.get(), &mut first) {
                    (1, Some(first)) => first.as_mut().poll(cx).map(drop),
                    _ => Poll::Ready(drop(first.take())),
                }
            })
            .await;
            sleep(60 * SECOND).await
        });
        mutex.lock().await.map(drop)?;
        careful.await?;
        late.await
    });
    assert_eq!(reports.take(), []);
}

#[test]
fn a_runtime_that_a_host_gives_turns_notices_it_after_the_turn_that_leaves_nothing_to_do() {
    let reports = Reports::default();
    let seen = reports.clone();
    let runtime = reports.builder().build();
    let mutex = Rc::new(Mutex::new(()));
    let held = mutex.try_lock_owned();
    let careless = runtime.spawn({
        let mutex = mutex.clone();
        async move {
            let mut first = mutex.lock();
            let _ = select(&mut first, pin!(sleep(SECOND))).await;
            poll_fn(|_| Poll::<Result<()>>::Pending).await
        }
    });
    while runtime.turn(Budget::batch()).unwrap().next_deadline.is_some() {}
    // The host unlocks it, between two turns.
    drop(held);
    assert_eq!(seen.take(), []);
    runtime.turn(Budget::batch()).unwrap();
    let found = seen.take();
    assert_eq!(found.len(), 1);
    // It stands at a future that tells nobody.
    assert_eq!((found[0].stands_at, &found[0].waiter), (None, &None));
    runtime.turn(Budget::batch()).unwrap();
    assert_eq!(seen.take(), []);
    drop(careless);
}

#[test]
fn a_hook_may_cancel_the_task_and_the_runtime_does_not_sleep_over_that() {
    let tasks = Rc::new(RefCell::new(None::<Task<()>>));
    let named = tasks.clone();
    let cancel = move |_: &Futurelock| {
        if let Some(task) = named.take() {
            task.cancel();
        }
    };
    Builder::new()
        .on_futurelock(cancel)
        .build()
        .block_on(async {
            let mutex = Rc::new(Mutex::new(()));
            let held = mutex.lock_owned().await?;
            let theirs = mutex.clone();
            *tasks.borrow_mut() = Some(spawn(async move {
                let mut first = theirs.lock();
                let _ = select(&mut first, pin!(sleep(Duration::from_millis(1)))).await;
                homing::sync::Event::new().wait().await
            }));
            sleep(Duration::from_millis(20)).await?;
            drop(held);
            // Nothing but the cancel lets this go on.
            mutex.lock().await.map(drop)
        })
        .unwrap();
}

#[test]
fn a_runtime_that_tells_nobody_notes_nothing() {
    let runtime = Builder::new().virtual_time().debug(false).build();
    let outcome = runtime.block_on(async {
        let me = homing::current().expect("in a task").id();
        assert!(Grant::note(me, Location::caller(), Awaiting::Mutex(1)).is_none());
        let mutex = locked().await?;
        lets_go(&mutex, 5 * SECOND);
        mutex.lock().await.map(drop)
    });
    outcome.unwrap();
}
