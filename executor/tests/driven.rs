//! Tasks that borrow, and are polled by their driver.
#![allow(clippy::let_underscore_future, reason = "a handle that is dropped detaches its task")]

mod support;

use futures_util::stream::{FuturesUnordered, StreamExt};
use homing::task::{Driver, ScopedTask};
use homing::{Builder, Panicked, Result, Runtime, RuntimeError, TaskRef, current, sleep, yield_now};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use support::{
    Drops, Gate, Log, OnDrop, blow_up, failure, forever, in_virtual_time, millis, panic_text, poll_once,
    runtime, yields,
};

#[test]
fn driven_tasks_borrow_what_is_around_their_driver() {
    in_virtual_time(async {
        let mut numbers = [1, 2, 3, 4];
        let factor = 10;
        let (left, right) = numbers.split_at_mut(2);
        let driver = Driver::new();
        let sum = driver
            .drive(async {
                let both = [left, right].map(|half| {
                    driver.spawn(async {
                        sleep(millis(1)).await?;
                        half.iter_mut().for_each(|number| *number *= factor);
                        Ok(half.iter().sum::<i32>())
                    })
                });
                let mut sum = 0;
                for half in both {
                    sum += half.await?;
                }
                Ok::<_, homing::Error>(sum)
            })
            .await?;
        assert_eq!((sum, numbers), (100, [10, 20, 30, 40]));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_driven_task_is_a_task_of_its_own() {
    in_virtual_time(async {
        let main = current().unwrap();
        let driver = Driver::new();
        driver
            .drive(async {
                let task = driver
                    .task(async {
                        let own = current().unwrap();
                        assert_eq!((own.name().as_ref(), own.parent()), ("lodger", Some(main.clone())));
                        assert_eq!(own.spawned_at().unwrap().file(), file!());
                        assert!(own.type_name().contains("a_driven_task_is_a_task_of_its_own"));
                        yield_now().await?;
                        assert_eq!(current().unwrap(), own);
                        Ok(own.id())
                    })
                    .name("lodger")
                    .spawn();
                assert_eq!(driver.task_count(), 1);
                assert!(homing::all_tasks().contains(&task));
                assert_eq!(current().unwrap(), main);
                let id = task.id();
                assert_eq!(task.await?, id);
                assert_eq!(current().unwrap(), main);
                assert_eq!(driver.task_count(), 0);
                Ok(())
            })
            .await
    })
    .unwrap();
}

#[test]
fn they_begin_in_the_order_of_their_spawning_a_turn_later() {
    in_virtual_time(async {
        let log = Log::default();
        let driver = Driver::new();
        driver
            .drive(async {
                let tasks = ["a", "b", "c"].map(|name| {
                    let log = &log;
                    driver.spawn(async move { Ok(log.note(name)) })
                });
                log.note("body");
                for task in tasks {
                    task.await?;
                }
                Ok::<_, homing::Error>(())
            })
            .await?;
        assert_eq!(log.take(), ["body", "a", "b", "c"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn one_that_is_started_eagerly_runs_in_the_call() {
    for by_default in [false, true] {
        let runtime = Builder::new().virtual_time().eager_tasks(by_default).build();
        let outcome = runtime.block_on(async {
            let log = RefCell::new(Vec::new());
            let driver = Driver::new();
            driver
                .drive(async {
                    let eager = driver.task(async { Ok(log.borrow_mut().push("eager")) }).eager().spawn();
                    assert!(eager.is_finished());
                    let queued = driver.task(async { Ok(log.borrow_mut().push("queued")) }).queued().spawn();
                    let by_default = driver.spawn(async { Ok(log.borrow_mut().push("by default")) });
                    log.borrow_mut().push("body");
                    eager.await?;
                    queued.await?;
                    by_default.await
                })
                .await?;
            Ok(log.into_inner())
        });
        let expected = if by_default {
            ["eager", "by default", "body", "queued"]
        } else {
            ["eager", "body", "queued", "by default"]
        };
        assert_eq!(outcome.unwrap(), expected);
    }
}

#[test]
fn driven_tasks_spawn_others() {
    async fn tree<'scope>(
        driver: &'scope Driver<'scope>,
        depth: u32,
        count: &'scope Cell<u32>,
    ) -> Result<()> {
        count.set(count.get() + 1);
        if depth > 0 {
            let children =
                [(); 2].map(|()| driver.spawn(Box::pin(tree(driver, depth - 1, count)) as Boxed<'_>));
            for child in children {
                child.await?;
            }
        }
        Ok(())
    }
    type Boxed<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

    in_virtual_time(async {
        let count = Cell::new(0);
        let driver = Driver::new();
        driver.drive(tree(&driver, 4, &count)).await?;
        assert_eq!(count.get(), 31);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_cancel_reaches_one_driven_task_and_not_its_siblings_or_its_driver() {
    in_virtual_time(async {
        let cleaned = Cell::new(false);
        let driver = Driver::new();
        driver
            .drive(async {
                let cancelled = driver.spawn(async {
                    let outcome: Result<()> = forever().await;
                    sleep(millis(5)).await?;
                    cleaned.set(true);
                    outcome
                });
                let other = driver.spawn(async {
                    sleep(millis(10)).await?;
                    Ok(current().unwrap().cancelling())
                });
                yields(2).await?;
                assert!(cancelled.cancel());
                assert_eq!(cancelled.cancelling(), 1);
                assert!(cancelled.await.unwrap_err().is_cancelled());
                assert!(cleaned.get());
                assert_eq!(other.await?, 0);
                assert_eq!(current().unwrap().cancelling(), 0);
                Ok(())
            })
            .await
    })
    .unwrap();
}

#[test]
fn one_that_is_cancelled_before_its_first_poll_never_runs() {
    in_virtual_time(async {
        let ran = Cell::new(false);
        let drops = Drops::default();
        let driver = Driver::new();
        driver
            .drive(async {
                let guard = drops.guard();
                let task = driver.spawn(async {
                    let _guard = guard;
                    Ok(ran.set(true))
                });
                task.cancel();
                assert!(task.await.unwrap_err().is_cancelled());
                assert_eq!((ran.get(), drops.count()), (false, 1));
                Ok(())
            })
            .await
    })
    .unwrap();
}

#[test]
fn one_at_a_foreign_await_is_cancelled_by_dropping_its_future() {
    in_virtual_time(async {
        let drops = Drops::default();
        let driver = Driver::new();
        driver
            .drive(async {
                let guard = drops.guard();
                let task = driver.spawn(async {
                    let _guard = guard;
                    Ok(Gate::default().await)
                });
                yields(2).await?;
                task.cancel();
                assert!(task.await.unwrap_err().is_cancelled());
                assert_eq!(drops.count(), 1);
                Ok(())
            })
            .await
    })
    .unwrap();
}

#[test]
fn a_cancel_of_who_awaits_one_goes_on_to_it() {
    in_virtual_time(async {
        let seen = Rc::new(Cell::new(false));
        let note = seen.clone();
        let outer = homing::spawn(async move {
            let driver = Driver::new();
            driver
                .drive(async {
                    let inner = driver.spawn(async {
                        let outcome: Result<()> = forever().await;
                        note.set(outcome.is_err());
                        // Swallowed: who awaits it is not cancelled.
                        Ok("swallowed")
                    });
                    inner.await
                })
                .await
        });
        yields(3).await?;
        outer.cancel();
        assert_eq!(outer.await?, "swallowed");
        assert!(seen.get());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_value_that_comes_with_a_request_pending_is_not_given() {
    in_virtual_time(async {
        let drops = Drops::default();
        let driver = Driver::new();
        driver
            .drive(async {
                let task = driver.spawn(async {
                    current().unwrap().cancel();
                    Ok(drops.guard())
                });
                assert!(task.await.unwrap_err().is_cancelled());
                assert_eq!(drops.count(), 1);
                Ok(())
            })
            .await
    })
    .unwrap();
}

#[test]
fn a_panic_is_the_error_of_the_task_that_panicked() {
    let (runtime, reports) = runtime();
    runtime
        .block_on(async {
            let driver = Driver::new();
            driver
                .drive(async {
                    let panics = driver.task(async { blow_up("at once") }).name("clumsy").spawn::<()>();
                    let runs_on = driver.spawn(async { sleep(millis(1)).await });
                    let error = panics.await.unwrap_err();
                    let panicked = error.downcast_ref::<Panicked>().unwrap();
                    assert_eq!((panicked.message(), error.task_name()), ("at once", Some("clumsy")));
                    runs_on.await
                })
                .await
        })
        .unwrap();
    reports.assert_one(&["clumsy", "at once"]);
}

#[test]
fn a_destructor_that_panics_is_the_affair_of_its_task() {
    let (runtime, reports) = runtime();
    runtime
        .block_on(async {
            let driver = Driver::new();
            driver
                .drive(async {
                    let at_its_end = driver.spawn(async {
                        let bomb = OnDrop(|| blow_up("when done"));
                        poll_fn(|_| Poll::Ready(&bomb)).await;
                        Ok(())
                    });
                    let error = at_its_end.await.unwrap_err();
                    assert!(error.is::<Panicked>());
                    reports.assert_one(&["when done"]);
                    let aborted = driver.spawn(async {
                        let _bomb = OnDrop(|| blow_up("when dropped"));
                        forever().await
                    });
                    yields(2).await?;
                    aborted.abort();
                    assert!(aborted.await.unwrap_err().is_cancelled());
                    reports.assert_one(&["when dropped"]);
                    let _ = driver.spawn(async { Ok(OnDrop(|| blow_up("unread"))) });
                    yields(3).await?;
                    reports.assert_one(&["unread"]);
                    Ok(())
                })
                .await
        })
        .unwrap();
}

#[test]
fn an_error_that_nobody_reads_is_reported() {
    let (runtime, reports) = runtime();
    runtime
        .block_on(async {
            let driver = Driver::new();
            driver
                .drive(async {
                    let _ = driver.spawn(async { Err::<(), _>(failure("unread")) });
                    yields(3).await
                })
                .await
        })
        .unwrap();
    reports.assert_one(&["unread"]);
}

#[test]
fn what_is_left_when_the_body_ends_is_aborted_before_the_value_is_given() {
    in_virtual_time(async {
        let drops = Drops::default();
        let driver = Driver::new();
        let left = driver
            .drive(async {
                let guards = [drops.guard(), drops.guard()];
                let tasks = guards.map(|guard| {
                    driver.spawn(async {
                        let _guard = guard;
                        forever().await
                    })
                });
                yields(2).await?;
                let guard = drops.guard();
                let not_begun = driver.spawn(async {
                    let _guard = guard;
                    Ok(())
                });
                let [one, two] = tasks.map(|task| task.task_ref());
                Ok::<_, homing::Error>([one, two, not_begun.task_ref()])
            })
            .await?;
        assert_eq!(drops.count(), 3);
        assert!(left.iter().all(|task| task.is_finished() && task.is_cancelled()));
        Ok(())
    })
    .unwrap();
}

#[test]
fn dropped_midway_the_body_goes_first_and_then_the_tasks_while_what_they_borrow_is_still_there() {
    in_virtual_time(async {
        let log = Log::default();
        let outer = homing::spawn({
            let log = log.clone();
            async move {
                let borrowed = Cell::new(0);
                let _frame = OnDrop({
                    let log = log.clone();
                    move || log.note("frame")
                });
                let driver = Driver::new();
                driver
                    .drive(async {
                        let _body = OnDrop(|| log.note("body"));
                        for name in ["a", "b"] {
                            let (log, borrowed) = (&log, &borrowed);
                            let _ = driver.spawn(async move {
                                let _end = OnDrop(|| {
                                    borrowed.set(borrowed.get() + 1);
                                    log.note(format_args!("{name} {}", borrowed.get()));
                                });
                                forever().await
                            });
                        }
                        forever().await
                    })
                    .await
            }
        });
        yields(3).await?;
        outer.abort();
        assert_eq!(log.take(), ["body", "a 1", "b 2", "frame"]);
        assert_eq!(homing::all_tasks().len(), 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_abort_from_within_the_drive_drops_the_future_at_once() {
    in_virtual_time(async {
        let drops = Drops::default();
        let driver = Driver::new();
        driver
            .drive(async {
                for parked in [false, true] {
                    let guard = drops.guard();
                    let victim = driver.spawn(async {
                        let _guard = guard;
                        forever().await
                    });
                    if parked {
                        yields(2).await?;
                    }
                    let before = drops.count();
                    let target = victim.task_ref();
                    let drops = &drops;
                    let by_a_sibling = driver.spawn(async move {
                        assert!(target.abort());
                        Ok((target.is_finished(), drops.count()))
                    });
                    assert_eq!(by_a_sibling.await?, (true, before + 1));
                    assert!(victim.await.unwrap_err().is_cancelled());
                }
                Ok(())
            })
            .await
    })
    .unwrap();
}

#[test]
fn an_abort_from_elsewhere_waits_for_the_driver() {
    in_virtual_time(async {
        let drops = Drops::default();
        let victim: Rc<RefCell<Option<TaskRef>>> = Rc::default();
        let outer = homing::spawn({
            let (drops, victim) = (drops.clone(), victim.clone());
            async move {
                let driver = Driver::new();
                driver
                    .drive(async {
                        let guard = drops.guard();
                        let task = driver.spawn(async {
                            let _guard = guard;
                            forever().await
                        });
                        *victim.borrow_mut() = Some(task.task_ref());
                        task.await
                    })
                    .await
            }
        });
        yields(3).await?;
        let victim = victim.take().unwrap();
        assert!(victim.abort());
        assert!(!victim.is_finished());
        assert_eq!(drops.count(), 0);
        yields(2).await?;
        assert!(victim.is_finished() && victim.is_cancelled());
        assert_eq!(drops.count(), 1);
        assert!(!victim.abort());
        let error = outer.await.unwrap_err();
        assert!(error.is_cancelled() && error.to_string().contains("aborted"), "{error}");
        Ok(())
    })
    .unwrap();
}

/// Polls a drive with a task that borrows, forgets it, and lets go of what the task borrows.
fn forget_a_drive(touched: Rc<Cell<u32>>) -> TaskRef {
    let borrowed = Box::new([1u8; 64]);
    let count = &*touched;
    let driver = Driver::new();
    let task = RefCell::new(None);
    let mut drive = Box::pin(driver.drive(async {
        let forgotten = async {
            let _end = OnDrop(|| count.set(count.get() + borrowed.len() as u32));
            loop {
                count.set(count.get() + borrowed.iter().map(|one| u32::from(*one)).sum::<u32>());
                yield_now().await?;
            }
            #[expect(unreachable_code, reason = "it says what the task's result would be")]
            Ok(())
        };
        let child = driver.task(forgotten).name("forgotten").spawn();
        *task.borrow_mut() = Some(child.task_ref());
        child.await
    }));
    for _ in 0..2 {
        assert!(poll_once(drive.as_mut()).is_pending());
    }
    // Kept within reach of who looks for leaks: this one is meant.
    static FORGOTTEN: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    FORGOTTEN.lock().unwrap().push(std::ptr::from_ref(&*drive).addr());
    std::mem::forget(drive);
    task.into_inner().unwrap()
}

#[test]
fn a_drive_that_is_forgotten_takes_its_tasks_with_it() {
    let (runtime, reports) = runtime();
    let touched = Rc::new(Cell::new(0));
    runtime
        .block_on(async {
            let task = forget_a_drive(touched.clone());
            assert_eq!(touched.get(), 64);
            yields(5).await?;
            // It is not polled any more, nor dropped, whatever is done to it.
            assert!(task.cancel());
            yields(5).await?;
            assert!(task.abort());
            yields(5).await?;
            assert!(!task.is_finished());
            assert_eq!(touched.get(), 64);
            Ok(())
        })
        .unwrap();
    assert_eq!(runtime.task_count(), 1);
    drop(runtime);
    assert_eq!(touched.get(), 64);
    reports.assert_one(&["forgotten", "pending"]);
}

#[test]
fn a_run_does_not_wait_for_the_tasks_of_a_forgotten_drive() {
    let (runtime, reports) = runtime();
    let touched = Rc::new(Cell::new(0));
    let task = runtime.run(async { Ok(forget_a_drive(touched.clone())) }).unwrap();
    assert!(!task.is_finished());
    drop(runtime);
    assert!(task.is_finished());
    assert_eq!(touched.get(), 64);
    reports.assert_one(&["forgotten", "pending"]);
}

#[test]
fn a_run_cancels_and_waits_for_a_driver_whose_task_was_left_behind() {
    let (runtime, reports) = runtime();
    let log = Log::default();
    let noted = log.clone();
    runtime
        .run(async {
            let _ = homing::spawn(async move {
                let driver = Driver::new();
                driver
                    .drive(async {
                        let child = driver.spawn(async {
                            let outcome: Result<()> = forever().await;
                            sleep(millis(1)).await?;
                            noted.note("cleaned up");
                            outcome
                        });
                        child.await
                    })
                    .await
            });
            yields(3).await
        })
        .unwrap();
    assert_eq!(log.take(), ["cleaned up"]);
    assert_eq!(runtime.task_count(), 0);
    reports.assert_none();
}

#[test]
fn a_runtime_that_is_dropped_drops_driver_and_tasks() {
    let drops = Drops::default();
    let (runtime, reports) = runtime();
    let task = runtime.spawn({
        let drops = drops.clone();
        async move {
            let borrowed = drops.clone();
            let driver = Driver::new();
            driver
                .drive(async {
                    let tasks = [(); 3].map(|()| {
                        let guard = borrowed.guard();
                        driver.spawn(async {
                            let _guard = guard;
                            let _borrowed = &borrowed;
                            forever().await
                        })
                    });
                    for task in tasks {
                        task.await?;
                    }
                    Ok(())
                })
                .await
        }
    });
    runtime.run_until_stalled().unwrap();
    assert_eq!((runtime.task_count(), drops.count()), (4, 0));
    drop(runtime);
    assert_eq!(drops.count(), 3);
    assert!(task.is_finished());
    assert_eq!(reports.take().len(), 1, "of the driver's own task; the others went with it");
}

#[test]
fn a_drive_outlives_its_runtime_harmlessly() {
    let drops = Drops::default();
    let driver = Driver::new();
    let guard = drops.guard();
    let mut drive = Box::pin(driver.drive(async {
        let task = driver.spawn(async {
            let _guard = guard;
            forever().await
        });
        task.await
    }));
    let (runtime, reports) = runtime();
    let mut borrowed = drive.as_mut();
    runtime
        .block_on(poll_fn(|cx| {
            assert!(borrowed.as_mut().poll(cx).is_pending());
            assert!(borrowed.as_mut().poll(cx).is_pending());
            Poll::Ready(Ok(()))
        }))
        .unwrap();
    drop(runtime);
    // The task has ended, but its future is where it was.
    assert_eq!(reports.take().len(), 1);
    assert_eq!(drops.count(), 0);
    match poll_once(drive.as_mut()) {
        Poll::Ready(Err(error)) => assert!(error.downcast_ref::<RuntimeError>().is_some(), "{error:?}"),
        other => panic!("the task is gone, and its driver is told: {other:?}"),
    }
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_drive_that_is_moved_to_another_task_goes_on_there() {
    in_virtual_time(async {
        // All in one box, so that it can be handed from task to task.
        let mut whole: Pin<Box<dyn Future<Output = Result<u32>>>> = Box::pin(async move {
            let counter = Cell::new(0);
            let driver = Driver::new();
            driver
                .drive(async {
                    let task = driver.spawn(async {
                        for _ in 0..4 {
                            sleep(millis(1)).await?;
                            counter.set(counter.get() + 1);
                        }
                        Ok(counter.get())
                    });
                    task.await
                })
                .await
        });
        for _ in 0..2 {
            let part = homing::spawn(async move {
                for _ in 0..3 {
                    assert!(poll_fn(|cx| Poll::Ready(whole.as_mut().poll(cx))).await.is_pending());
                    yield_now().await?;
                }
                Ok(whole)
            });
            whole = part.await?;
        }
        assert_eq!(whole.await?, 4);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_driver_polls_a_share_at_a_time() {
    in_virtual_time(async {
        let polled = Cell::new(0);
        let most_at_once = Rc::new(Cell::new(0));
        let turns = Rc::new(Cell::new(0));
        let other = homing::spawn({
            let turns = turns.clone();
            async move {
                loop {
                    turns.set(turns.get() + 1);
                    yield_now().await?;
                }
                #[expect(unreachable_code, reason = "it says what the task's result would be")]
                Ok(())
            }
        });
        let driver = Driver::new();
        driver
            .drive(async {
                let tasks: Vec<_> = (0..10_000)
                    .map(|_| {
                        driver.spawn(async {
                            polled.set(polled.get() + 1);
                            Ok(())
                        })
                    })
                    .collect();
                let mut before = 0;
                while polled.get() < tasks.len() {
                    yield_now().await?;
                    most_at_once.set(most_at_once.get().max(polled.get() - before));
                    before = polled.get();
                }
                for task in tasks {
                    task.await?;
                }
                Ok::<_, homing::Error>(())
            })
            .await?;
        assert!((32..=256).contains(&most_at_once.get()), "{} in one poll", most_at_once.get());
        assert!(turns.get() > 10_000 / 256, "the other task had its turns: {}", turns.get());
        other.abort();
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_task_that_spawns_without_end_leaves_the_body_its_turn() {
    in_virtual_time(async {
        let stop = Cell::new(false);
        let driver = Driver::new();
        fn spawner<'scope>(
            driver: &'scope Driver<'scope>,
            stop: &'scope Cell<bool>,
        ) -> Pin<Box<dyn Future<Output = Result<()>> + 'scope>> {
            Box::pin(async {
                if !stop.get() {
                    let _ = driver.spawn(spawner(driver, stop));
                }
                Ok(())
            })
        }
        driver
            .drive(async {
                let _ = driver.spawn(spawner(&driver, &stop));
                yields(100).await?;
                stop.set(true);
                Ok(())
            })
            .await
    })
    .unwrap();
}

#[test]
fn a_wake_from_another_thread_finds_its_way() {
    let runtime = Runtime::new();
    let outcome = runtime.block_on(async {
        let opened = Arc::new(AtomicBool::new(false));
        let driver = Driver::new();
        driver
            .drive(async {
                let child = driver.spawn(async {
                    let mut thread = None;
                    poll_fn(|cx| {
                        if opened.load(Ordering::Acquire) {
                            return Poll::Ready(());
                        }
                        thread.get_or_insert_with(|| {
                            let (waker, opened) = (cx.waker().clone(), opened.clone());
                            std::thread::spawn(move || {
                                std::thread::sleep(millis(5));
                                opened.store(true, Ordering::Release);
                                waker.wake();
                            })
                        });
                        Poll::Pending
                    })
                    .await;
                    thread.expect("it was polled twice").join().unwrap();
                    Ok("woken")
                });
                child.await
            })
            .await
    });
    assert_eq!(outcome.unwrap(), "woken");
}

#[test]
fn it_can_be_driven_by_a_combinator_with_wakers_of_its_own() {
    in_virtual_time(async {
        let numbers = [1, 2, 3];
        let mut all: FuturesUnordered<_> = numbers
            .iter()
            .map(|number| async move {
                let driver = Driver::new();
                driver
                    .drive(async {
                        let child = driver.spawn(async {
                            sleep(millis(*number)).await?;
                            Ok(*number)
                        });
                        child.await
                    })
                    .await
            })
            .collect();
        let mut sum = 0;
        while let Some(outcome) = all.next().await {
            sum += outcome?;
        }
        assert_eq!(sum, 6);
        Ok(())
    })
    .unwrap();
}

#[test]
fn spawned_while_it_is_being_left_a_task_is_refused_and_its_handle_dead() {
    in_virtual_time(async {
        let refused = Rc::new(Cell::new(false));
        let seen = refused.clone();
        let outer = homing::spawn(async move {
            let driver = Driver::new();
            driver
                .drive(async {
                    let spawn_again = OnDrop(|| {
                        let mut task: ScopedTask<'_, ()> = driver.spawn(async { Ok(()) });
                        assert!(task.is_finished() && task.try_result().is_none());
                        match poll_once(pin!(task)) {
                            Poll::Ready(Err(error)) => {
                                seen.set(matches!(error.downcast_ref(), Some(RuntimeError::RuntimeGone)));
                            }
                            other => panic!("{other:?}"),
                        }
                    });
                    let _ = driver.spawn(async {
                        let _again = spawn_again;
                        forever().await
                    });
                    forever().await
                })
                .await
        });
        yields(3).await?;
        outer.abort();
        assert!(refused.get());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_panic_of_the_body_aborts_the_tasks_and_goes_on() {
    let (runtime, reports) = runtime();
    let drops = Drops::default();
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        runtime.block_on(async {
            let driver = Driver::new();
            driver
                .drive(async {
                    let guard = drops.guard();
                    let _ = driver.spawn(async {
                        let _guard = guard;
                        forever().await
                    });
                    yields(2).await?;
                    blow_up("the body");
                    #[expect(unreachable_code, reason = "it says what the result would be")]
                    Ok(())
                })
                .await
        })
    }));
    assert_eq!(panic_text(panic.unwrap_err()), "the body");
    assert_eq!((drops.count(), runtime.task_count()), (1, 0));
    reports.assert_none();
}

#[test]
#[should_panic(expected = "spawn before `drive`")]
fn spawning_before_anybody_drives_is_a_mistake() {
    let driver = Driver::new();
    let _ = driver.spawn(async { Ok(()) });
}

#[test]
#[should_panic(expected = "a driver drives one body, once")]
fn driving_twice_is_a_mistake() {
    let driver = Driver::new();
    let _first = driver.drive(async {});
    let _second = driver.drive(async {});
}

#[test]
#[should_panic(expected = "spawn outside of a runtime")]
fn spawning_outside_of_a_runtime_is_a_mistake() {
    let driver = Driver::new();
    let _ = poll_once(pin!(driver.drive(async { driver.spawn(async { Ok(()) }).await })));
}

#[test]
fn a_handle_that_is_polled_in_vain_keeps_the_value() {
    in_virtual_time(async {
        let driver = Driver::new();
        driver
            .drive(async {
                let mut task = driver.spawn(async {
                    yields(1).await?;
                    Ok("kept")
                });
                let _ = poll_once(Pin::new(&mut task));
                yields(4).await?;
                assert_eq!(task.try_result().unwrap()?, "kept");
                assert!(matches!(task.await.unwrap_err().downcast_ref(), Some(RuntimeError::AlreadyTaken)));
                Ok(())
            })
            .await
    })
    .unwrap();
}
