//! The runtime: running, sweeping, hosting, other threads.

mod support;

use homing::error::RuntimeError;
use homing::runtime::Budget;
use homing::{Builder, Error, Handle, Runtime};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use support::{Drops, Gate, Log, OnDrop, blow_up, failure, forever, millis, panic_text, runtime, yields};

fn is(error: &Error, what: RuntimeError) -> bool {
    error.downcast_ref::<RuntimeError>() == Some(&what)
}

// `run`, and its sweep.

#[test]
fn ru_1_run_gives_the_outcome_of_main() {
    assert_eq!(homing::run(async { Ok(7) }).unwrap(), 7);
    let error = homing::run(async { Err::<(), _>(failure("no luck")) }).unwrap_err();
    assert_eq!(error.to_string(), "no luck");
    let cancelled = homing::run(async {
        homing::current().unwrap().cancel_with("myself");
        forever().await
    })
    .unwrap_err();
    assert_eq!(cancelled.as_cancelled().unwrap().reason(), Some("myself"));
}

#[test]
fn ru_2_a_run_within_a_run_is_refused_and_its_main_dropped_unpolled() {
    homing::run(async {
        let drops = Drops::default();
        let inner = |guard| async move {
            let _guard = guard;
            unreachable!("not to be polled") as homing::Result<()>
        };
        let error = homing::run(inner(drops.guard())).unwrap_err();
        assert!(is(&error, RuntimeError::NestedRuntime));
        assert!(error.to_string().contains("already") && error.to_string().contains("await"), "{error}");
        let other = Runtime::new();
        assert!(is(&other.block_on(inner(drops.guard())).unwrap_err(), RuntimeError::NestedRuntime));
        assert!(is(&other.turn(Budget::batch()).unwrap_err(), RuntimeError::NestedRuntime));
        assert_eq!(drops.count(), 2);
        Ok(())
    })
    .unwrap();
}

#[test]
fn ru_3_tasks_stay_as_they_are_between_two_runs() {
    let (runtime, _) = runtime();
    let log = Log::default();
    let noted = log.clone();
    let task = runtime
        .block_on(async {
            let task = homing::spawn(async move {
                noted.note("begun");
                yields(1).await?;
                noted.note("done");
                Ok(())
            });
            yields(1).await?;
            Ok(task)
        })
        .unwrap();
    assert_eq!(log.take(), ["begun"]);
    assert!(!task.is_finished());
    runtime.block_on(task).unwrap();
    assert_eq!(log.take(), ["done"]);
}

#[test]
fn ru_4_run_cancels_what_is_left_once_and_waits_for_its_cleaning_up() {
    let (runtime, reports) = runtime();
    let log = Log::default();
    let noted = log.clone();
    runtime
        .run(async move {
            for number in 0..3 {
                let log = noted.clone();
                drop(homing::spawn(async move {
                    let error = forever().await.unwrap_err();
                    assert!(format!("{error:#}").contains("runtime"), "{error:#}");
                    homing::sleep(millis(5)).await?;
                    log.note(number);
                    Err::<(), _>(error)
                }));
            }
            yields(1).await
        })
        .unwrap();
    assert_eq!(log.take(), ["0", "1", "2"]);
    assert_eq!(runtime.task_count(), 0);
    reports.assert_none();
}

#[test]
fn ru_5_an_error_in_that_cleaning_up_is_reported_and_changes_no_outcome() {
    let (runtime, reports) = runtime();
    let outcome = runtime.run(async {
        drop(homing::spawn(async {
            let _ = forever().await;
            Err::<(), _>(failure("on the way out"))
        }));
        yields(1).await?;
        Ok(3)
    });
    assert_eq!(outcome.unwrap(), 3);
    reports.assert_one(&["on the way out"]);
}

#[test]
fn ru_6_tasks_that_are_spawned_while_others_are_swept_are_swept_as_well() {
    let (runtime, reports) = runtime();
    let ends = Rc::new(Cell::new(0));
    fn hydra(depth: u32, ends: Rc<Cell<u32>>) -> homing::Task<()> {
        homing::spawn(async move {
            let ended = forever().await;
            ends.set(ends.get() + 1);
            if depth > 0 {
                drop(hydra(depth - 1, ends));
                yields(1).await?;
            }
            ended
        })
    }
    let counted = ends.clone();
    runtime
        .run(async move {
            drop(hydra(5, counted));
            yields(1).await
        })
        .unwrap();
    assert_eq!(ends.get(), 6);
    drop(runtime);
    reports.assert_none();
}

#[test]
fn run_also_calls_the_callbacks_that_its_sweep_brings_about() {
    let (runtime, _) = runtime();
    let called = Rc::new(Cell::new(0));
    let counted = called.clone();
    runtime
        .run(async move {
            let task = homing::spawn(async { forever().await });
            yields(1).await?;
            let on_main = counted.clone();
            homing::current().unwrap().on_done(move |_| on_main.set(on_main.get() + 1));
            task.on_done(move |_| counted.set(counted.get() + 10));
            Ok(())
        })
        .unwrap();
    assert_eq!(called.get(), 11);
}

#[test]
fn a_panic_in_main_goes_on_after_the_sweep() {
    let (runtime, _) = runtime();
    let drops = Drops::default();
    let guard = drops.guard();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        runtime.run(async move {
            drop(homing::spawn(async move {
                let _guard = guard;
                forever().await
            }));
            yields(1).await?;
            if true { blow_up("main") } else { Ok(()) }
        })
    }));
    assert_eq!(panic_text(caught.unwrap_err()), "main");
    assert_eq!((drops.count(), runtime.task_count()), (1, 0));
}

#[test]
fn block_on_takes_a_future_that_borrows() {
    let (runtime, _) = runtime();
    let mut text = String::from("a");
    let borrowed = runtime
        .block_on(async {
            text.push('b');
            yields(2).await?;
            text.push('c');
            Ok(text.as_str())
        })
        .unwrap();
    assert_eq!(borrowed, "abc");
    let reference = runtime.block_on(async { Ok(homing::current().unwrap()) }).unwrap();
    assert!(reference.is_finished() && !reference.cancel() && !reference.abort());
    assert_eq!(reference.name(), "main");
    assert!(reference.type_name().contains("closure"));
}

#[test]
fn main_may_be_aborted() {
    let (runtime, _) = runtime();
    let drops = Drops::default();
    let error = runtime
        .block_on(async {
            let _guard = drops.guard();
            let main = homing::current().unwrap();
            homing::call_soon(move || assert!(main.abort()));
            forever().await
        })
        .unwrap_err();
    assert!(error.is_cancelled());
    assert_eq!((drops.count(), runtime.task_count()), (1, 0));
}

// Its end.

#[test]
fn a_runtime_may_be_dropped_with_everything_alive() {
    let (runtime, reports) = runtime();
    let drops = Drops::default();
    let gate = Gate::default();
    let handle = runtime.handle();
    let mut kept = Vec::new();
    for number in 0..40 {
        let (guard, gate) = (drops.guard(), gate.clone());
        let task = runtime.spawn(async move {
            let _guard = guard;
            match number % 4 {
                0 => forever().await,
                1 => homing::sleep(millis(number)).await,
                2 => homing::spawn(async { forever().await }).await,
                _ => {
                    gate.await;
                    Ok(())
                }
            }
        });
        kept.push(task.task_ref());
        if number % 3 == 0 {
            drop(task);
        } else {
            std::mem::forget(task);
        }
    }
    runtime.run_until_stalled().unwrap();
    handle.call_soon(|| unreachable!("too late")).unwrap();
    let waiting = handle.spawn_remote(|| async { Ok(()) });
    drop(runtime);
    assert_eq!(drops.count(), 40);
    assert!(kept.iter().all(|task| task.is_finished()));
    assert_eq!(reports.take().len(), 50);
    assert!(is(&waiting.wait().unwrap_err(), RuntimeError::RuntimeGone));
    assert!(handle.call_soon(|| {}).is_err());
    gate.open();
}

#[test]
fn destructors_may_do_anything_while_the_runtime_ends() {
    let (runtime, _reports) = runtime();
    let drops = Drops::default();
    let references: Rc<RefCell<Vec<homing::TaskRef>>> = Rc::default();
    for number in 0..30 {
        let (guard, all) = (drops.guard(), references.clone());
        let nasty = OnDrop(move || {
            for task in all.borrow().iter() {
                match number % 5 {
                    0 => drop(task.abort()),
                    1 => drop(task.cancel()),
                    2 => drop(task.clone()),
                    3 => drop(task.on_done(|_| {})),
                    _ => drop(homing::spawn(async { Ok(()) })),
                }
            }
            if number == 13 {
                blow_up("in the middle");
            }
        });
        let task = runtime.spawn(async move {
            let _both = (guard, nasty);
            match number % 2 {
                0 => forever().await,
                _ => Ok(()),
            }
        });
        references.borrow_mut().push(task.task_ref());
        drop(task);
    }
    runtime.turn(Budget::polls(20)).unwrap();
    drop(runtime);
    assert_eq!(drops.count(), 30);
    assert!(references.borrow().iter().all(|task| task.is_finished()));
    references.borrow_mut().clear();
}

#[test]
fn a_panic_in_what_was_sent_and_never_called_does_not_keep_the_runtime_from_ending() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            blow_up("bomb");
        }
    }
    let (runtime, reports) = runtime();
    let drops = Drops::default();
    let guard = drops.guard();
    drop(runtime.spawn(async move {
        let _guard = guard;
        homing::call_soon(|| drop(Bomb));
        let task = homing::spawn(async { forever().await });
        let bomb = Bomb;
        task.on_done(move |_| drop(bomb));
        forever().await
    }));
    runtime.turn(Budget::polls(1)).unwrap();
    let handle = runtime.handle();
    let bomb = Bomb;
    handle.call_soon(move || drop(bomb)).unwrap();
    let waiting = handle.spawn_remote(|| async { Ok(()) });
    drop(runtime);
    assert_eq!(drops.count(), 1);
    assert!(reports.take().iter().filter(|text| text.contains("bomb")).count() >= 2);
    assert!(is(&waiting.wait().unwrap_err(), RuntimeError::RuntimeGone));
}

#[test]
fn a_runtime_may_end_within_a_task_of_another() {
    let (outer, _) = runtime();
    let (inner, reports) = runtime();
    drop(inner.spawn(async { forever().await }));
    inner.run_until_stalled().unwrap();
    outer
        .block_on(async {
            let me = homing::current().unwrap();
            drop(inner);
            assert_eq!(homing::current().unwrap(), me);
            yields(1).await
        })
        .unwrap();
    assert_eq!(reports.take().len(), 1);
}

#[test]
fn two_runtimes_on_one_thread_do_not_get_in_each_others_way() {
    let (first, _) = runtime();
    let (second, _) = runtime();
    let gate = Gate::default();
    let waits = gate.clone();
    let waiter = first.spawn(async move {
        waits.await;
        Ok("woken")
    });
    first.run_until_stalled().unwrap();
    let opens = gate.clone();
    let reference = waiter.task_ref();
    let sleeper = first.spawn(async { forever().await });
    first.run_until_stalled().unwrap();
    let cancelled = sleeper.task_ref();
    second
        .block_on(async move {
            opens.open();
            cancelled.cancel();
            assert!(!reference.is_finished());
            yields(2).await?;
            assert!(!reference.is_finished(), "it is the other one's turn that polls it");
            Ok(())
        })
        .unwrap();
    assert_eq!(first.block_on(waiter).unwrap(), "woken");
    assert!(first.block_on(sleeper).unwrap_err().is_cancelled());
}

#[test]
fn a_task_that_is_aborted_from_another_runtimes_task_is_dropped_in_its_own() {
    let (first, _) = runtime();
    let (second, _) = runtime();
    let spawned = Rc::new(Cell::new(false));
    let flag = spawned.clone();
    let guard = OnDrop(move || {
        let flag = flag.clone();
        drop(homing::spawn(async move {
            flag.set(true);
            Ok(())
        }));
    });
    let task = first.spawn(async move {
        let _guard = guard;
        forever().await
    });
    first.run_until_stalled().unwrap();
    second
        .block_on(async {
            task.abort();
            yields(2).await?;
            assert!(!spawned.get());
            Ok(())
        })
        .unwrap();
    first.run_until_stalled().unwrap();
    assert!(spawned.get());
}

#[test]
fn a_runtime_that_is_never_run_drops_what_it_was_given() {
    let drops = Drops::default();
    let guard = drops.guard();
    let (runtime, reports) = runtime();
    let task = runtime.spawn(async move { Ok(guard) });
    drop(runtime);
    assert_eq!(drops.count(), 1);
    assert_eq!(reports.take().len(), 1);
    drop(task);
}

// The host's side.

#[test]
fn turns_go_as_far_as_their_budget_and_say_what_is_left() {
    let (runtime, _) = runtime();
    let turn = runtime.turn(Budget::batch()).unwrap();
    assert!(!turn.more_ready && turn.next_deadline.is_none() && turn.wait().is_none());
    drop(runtime.spawn(async { yields(1).await }));
    assert!(runtime.turn(Budget::batch()).unwrap().more_ready);
    assert!(!runtime.turn(Budget::batch()).unwrap().more_ready);
    assert_eq!(runtime.task_count(), 0);
}

#[test]
fn a_turn_says_how_long_the_host_may_wait() {
    let runtime = Runtime::new();
    let task = runtime.spawn(async { homing::sleep(millis(20)).await });
    let turn = runtime.turn(Budget::batch()).unwrap();
    let wait = turn.wait().unwrap();
    assert!(wait > millis(1) && wait <= millis(20), "{wait:?}");
    std::thread::sleep(wait);
    runtime.run_until_stalled().unwrap();
    assert!(task.is_finished());
}

#[test]
fn run_until_stalled_also_sees_timers_that_are_due_and_messages_that_are_there() {
    let runtime = Runtime::new();
    let late = runtime.spawn(async {
        homing::sleep_until(homing::Instant::now() - millis(1)).await?;
        homing::sleep_until(homing::Instant::now() - millis(1)).await
    });
    let handle = runtime.handle();
    let remote = runtime.spawn(async move { handle.spawn_remote(|| async { Ok(1) }).await });
    runtime.run_until_stalled().unwrap();
    assert!(late.is_finished() && remote.is_finished());
}

// With timers in the descriptor, which only Linux has.
#[cfg(all(target_os = "linux", not(homing_portable)))]
mod descriptor {
    use super::*;
    use std::os::fd::{AsFd, AsRawFd};

    /// Whether the runtime's descriptor turns readable within that time.
    fn is_readable(runtime: &Runtime, within: Duration) -> bool {
        let mut poll = libc::pollfd { fd: runtime.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry, which lives as long as the call.
        let ready = unsafe { libc::poll(&mut poll, 1, within.as_millis() as i32) };
        assert!(ready >= 0);
        ready == 1
    }

    const AT_ONCE: Duration = Duration::ZERO;
    const LONG: Duration = Duration::from_secs(10);

    #[test]
    fn it_is_not_readable_when_there_is_nothing_to_do() {
        let runtime = Runtime::new();
        assert!(!is_readable(&runtime, AT_ONCE));
        let task = runtime.spawn(async { forever().await });
        runtime.run_until_stalled().unwrap();
        assert!(!is_readable(&runtime, millis(5)));
        task.abort();
        runtime.run_until_stalled().unwrap();
        assert!(!is_readable(&runtime, AT_ONCE));
    }

    #[test]
    fn it_turns_readable_for_a_timer_and_not_before() {
        let runtime = Runtime::new();
        let begin = std::time::Instant::now();
        let task = runtime.spawn(async { homing::sleep(millis(30)).await });
        runtime.run_until_stalled().unwrap();
        assert!(!is_readable(&runtime, millis(5)));
        assert!(is_readable(&runtime, LONG));
        assert!(begin.elapsed() >= millis(30));
        runtime.turn(Budget::batch()).unwrap();
        assert!(task.is_finished());
        assert!(!is_readable(&runtime, AT_ONCE));
    }

    #[test]
    fn it_turns_readable_for_an_earlier_timer_and_no_more_for_one_that_was_dropped() {
        let runtime = Runtime::new();
        let late = runtime.spawn(async { homing::sleep(Duration::from_secs(3600)).await });
        runtime.run_until_stalled().unwrap();
        assert!(!is_readable(&runtime, AT_ONCE));
        let early = runtime.spawn(async { homing::sleep(millis(5)).await });
        runtime.run_until_stalled().unwrap();
        assert!(is_readable(&runtime, LONG));
        runtime.run_until_stalled().unwrap();
        assert!(early.is_finished());
        let dropped = runtime.spawn(async { homing::sleep(millis(20)).await });
        runtime.run_until_stalled().unwrap();
        dropped.abort();
        runtime.run_until_stalled().unwrap();
        assert!(!is_readable(&runtime, millis(40)));
        late.abort();
    }

    #[test]
    fn it_turns_readable_for_a_wake_and_a_call_from_another_thread() {
        let runtime = Runtime::new();
        let handle = runtime.handle();
        let (sender, receiver) = std::sync::mpsc::channel();
        let task = runtime.spawn(std::future::poll_fn(move |cx| {
            sender.send(cx.waker().clone()).unwrap();
            std::task::Poll::<homing::Result<()>>::Pending
        }));
        runtime.run_until_stalled().unwrap();
        let waker = receiver.recv().unwrap();
        assert!(!is_readable(&runtime, AT_ONCE));
        std::thread::spawn(move || waker.wake()).join().unwrap();
        assert!(is_readable(&runtime, AT_ONCE));
        runtime.turn(Budget::batch()).unwrap();
        assert!(receiver.try_recv().is_ok(), "it was polled");
        assert!(!is_readable(&runtime, AT_ONCE));
        std::thread::spawn(move || handle.call_soon(|| {}).unwrap()).join().unwrap();
        assert!(is_readable(&runtime, AT_ONCE));
        runtime.run_until_stalled().unwrap();
        assert!(!is_readable(&runtime, AT_ONCE));
        task.abort();
    }

    #[test]
    fn it_is_readable_as_long_as_tasks_are_ready() {
        let runtime = Runtime::new();
        let task = runtime.spawn(async { yields(10).await });
        assert!(is_readable(&runtime, AT_ONCE));
        while !task.is_finished() {
            assert!(is_readable(&runtime, AT_ONCE));
            runtime.turn(Budget::polls(1)).unwrap();
        }
        assert!(!is_readable(&runtime, AT_ONCE));
    }

    #[test]
    fn it_turns_readable_for_what_the_host_itself_does_between_two_turns() {
        let runtime = Runtime::new();
        assert!(!is_readable(&runtime, AT_ONCE));
        // As a host would: the descriptor was taken once, and is not prepared anew before each wait.
        let descriptor = runtime.as_fd().as_raw_fd();
        let readable = || {
            let mut poll = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
            // SAFETY: one entry, which lives as long as the call.
            unsafe { libc::poll(&mut poll, 1, 0) == 1 }
        };
        let gate = Gate::default();
        let waits = gate.clone();
        let task = runtime.spawn(async move {
            waits.await;
            Ok(())
        });
        assert!(readable(), "a spawn");
        runtime.run_until_stalled().unwrap();
        assert!(!readable());
        task.on_done(|_| {});
        gate.open();
        assert!(readable(), "a wake");
        runtime.run_until_stalled().unwrap();
        assert!(!readable());
        task.on_done(|_| {});
        assert!(readable(), "a callback");
        runtime.run_until_stalled().unwrap();
        let waited_for = runtime.spawn(async { forever().await }).share();
        let awaits = waited_for.clone();
        let awaiter = runtime.spawn(awaits);
        runtime.run_until_stalled().unwrap();
        assert!(!readable());
        waited_for.abort();
        assert!(readable(), "an abort, which wakes who waits");
        runtime.run_until_stalled().unwrap();
        assert!(awaiter.is_finished() && !readable());
        let cancelled = runtime.spawn(async { forever().await });
        runtime.run_until_stalled().unwrap();
        cancelled.cancel();
        assert!(readable(), "a cancel");
        runtime.run_until_stalled().unwrap();
        assert!(cancelled.is_finished() && !readable());
    }

    #[test]
    fn it_is_readable_while_a_virtual_clock_can_go_on() {
        let (runtime, _) = runtime();
        assert!(!is_readable(&runtime, AT_ONCE));
        let task = runtime.spawn(async { homing::sleep(Duration::from_secs(3600)).await });
        while !task.is_finished() {
            assert!(is_readable(&runtime, AT_ONCE));
            runtime.turn(Budget::batch()).unwrap();
        }
        assert!(!is_readable(&runtime, AT_ONCE));
    }

    #[test]
    fn it_still_works_after_the_runtime_has_blocked_in_between() {
        let runtime = Runtime::new();
        assert!(!is_readable(&runtime, AT_ONCE));
        runtime.block_on(homing::sleep(millis(2))).unwrap();
        let task = runtime.spawn(async { homing::sleep(millis(2)).await });
        runtime.run_until_stalled().unwrap();
        assert!(is_readable(&runtime, LONG));
        runtime.block_on(task).unwrap();
        assert!(!is_readable(&runtime, AT_ONCE));
    }
}

// Other threads.

fn in_a_thread<T: Send + 'static>(runtime: &Runtime, work: impl FnOnce(Handle) -> T + Send + 'static) -> T {
    let handle = runtime.handle();
    let (sender, receiver) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let done = handle.clone();
        let result = work(handle);
        drop(done.call_soon(move || sender.send(()).unwrap()));
        result
    });
    while receiver.try_recv().is_err() {
        runtime.block_on(homing::sleep(Duration::from_micros(200))).unwrap();
    }
    thread.join().unwrap()
}

#[test]
fn a_handle_works_from_many_threads() {
    let runtime = Runtime::new();
    let calls = Arc::new(AtomicU32::new(0));
    let counted = calls.clone();
    let sum = in_a_thread(&runtime, move |handle| {
        let threads: Vec<_> = (0..4)
            .map(|number| {
                let (handle, counted) = (handle.clone(), counted.clone());
                std::thread::spawn(move || {
                    let mut sum = 0;
                    for round in 0..50 {
                        let counted = counted.clone();
                        handle.call_soon(move || _ = counted.fetch_add(1, Ordering::Relaxed)).unwrap();
                        let task = handle.spawn_remote(move || async move {
                            homing::yield_now().await?;
                            Ok(number * round)
                        });
                        sum += task.wait().unwrap();
                    }
                    sum
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum::<u32>()
    });
    assert_eq!(sum, 6 * 49 * 25);
    assert_eq!(calls.load(Ordering::Relaxed), 200);
    assert_eq!(runtime.task_count(), 0);
}

#[test]
fn a_remote_task_gives_its_error_its_panic_and_its_cancellation() {
    let (runtime, reports) = {
        let reports = support::Reports::default();
        (Builder::new().on_unhandled(reports.hook()).build(), reports)
    };
    in_a_thread(&runtime, |handle| {
        let failed = handle.spawn_remote(|| async { Err::<(), _>(failure("remote")) });
        assert_eq!(failed.wait().unwrap_err().to_string(), "remote");
        let panicked = handle.spawn_remote(|| async { if true { blow_up("remote panic") } else { Ok(()) } });
        let error = panicked.wait().unwrap_err();
        assert!(error.is::<homing::Panicked>() && error.to_string().contains("remote panic"), "{error}");
        let in_the_making = handle.spawn_remote(|| {
            if true {
                blow_up("in the making");
            }
            async { Ok(()) }
        });
        let error = in_the_making.wait().unwrap_err();
        assert!(error.is::<homing::Panicked>() && error.to_string().contains("in the making"), "{error}");
        let cancelled = handle.spawn_remote(|| async { forever().await });
        cancelled.cancel();
        assert!(cancelled.wait().unwrap_err().is_cancelled());
        let later = handle.spawn_remote(|| async { forever().await });
        std::thread::sleep(millis(3));
        assert!(!later.is_finished());
        later.cancel();
        assert!(later.wait().unwrap_err().is_cancelled());
    });
    assert_eq!(reports.take().len(), 2, "the two panics, and nothing else");
}

#[test]
fn the_error_of_a_remote_task_that_nobody_waits_for_is_reported() {
    let (runtime, reports) = runtime();
    let handle = runtime.handle();
    drop(handle.spawn_remote(|| async { Err::<(), _>(failure("remote and lost")) }));
    drop(handle.spawn_remote(|| async { Ok(()) }));
    runtime.run_until_stalled().unwrap();
    reports.assert_one(&["remote and lost"]);
}

#[test]
fn the_error_of_a_remote_task_that_is_dropped_unread_after_its_end_is_reported() {
    let (runtime, reports) = runtime();
    let task = runtime.handle().spawn_remote(|| async { Err::<(), _>(failure("read by nobody")) });
    runtime.run_until_stalled().unwrap();
    assert!(task.is_finished());
    std::thread::spawn(move || drop(task)).join().unwrap();
    runtime.run_until_stalled().unwrap();
    reports.assert_one(&["read by nobody"]);
}

#[test]
fn the_same_if_the_runtime_ends_before_it_has_heard_of_it() {
    let (runtime, reports) = runtime();
    let task = runtime.handle().spawn_remote(|| async { Err::<(), _>(failure("heard at the end")) });
    runtime.run_until_stalled().unwrap();
    drop(task);
    drop(runtime);
    reports.assert_one(&["heard at the end"]);
}

#[test]
fn a_remote_task_can_be_awaited_in_the_same_runtime_and_in_another() {
    let runtime = Runtime::new();
    let handle = runtime.handle();
    assert_eq!(runtime.block_on(async { handle.spawn_remote(|| async { Ok(4) }).await }).unwrap(), 4);
    let other = in_a_thread(&runtime, |handle| {
        homing::run(async move {
            handle.spawn_remote(|| async { homing::sleep(millis(1)).await.map(|()| 5) }).await
        })
    });
    assert_eq!(other.unwrap(), 5);
}

#[test]
fn to_wait_for_a_remote_task_where_it_cannot_go_on_is_refused() {
    let runtime = Runtime::new();
    let handle = runtime.handle();
    let inside = handle.clone();
    runtime
        .block_on(async move {
            let error = inside.spawn_remote(|| async { Ok(()) }).wait().unwrap_err();
            assert!(is(&error, RuntimeError::NestedRuntime));
            Ok(())
        })
        .unwrap();
    let error = handle.spawn_remote(|| async { Ok(()) }).wait().unwrap_err();
    assert!(is(&error, RuntimeError::NestedRuntime), "nobody runs it: this is its own thread");
}

#[test]
fn whoever_waits_for_a_remote_task_hears_that_the_runtime_is_gone() {
    let runtime = Runtime::new();
    let handle = runtime.handle();
    // Before: never taken in. While: suspended. After: refused.
    let suspended = handle.spawn_remote(|| async { forever().await });
    runtime.run_until_stalled().unwrap();
    let before = handle.spawn_remote(|| async { Ok(()) });
    let threads: Vec<_> = [suspended, before].map(|task| std::thread::spawn(move || task.wait())).into();
    std::thread::sleep(millis(2));
    drop(runtime);
    for thread in threads {
        assert!(is(&thread.join().unwrap().unwrap_err(), RuntimeError::RuntimeGone));
    }
    let after = handle.spawn_remote(|| async { Ok(()) });
    assert!(after.is_finished());
    assert!(is(&after.wait().unwrap_err(), RuntimeError::RuntimeGone));
    assert!(handle.call_soon(|| {}).is_err());
}

#[test]
fn a_runtime_that_ends_while_others_spawn_on_it_leaves_nobody_waiting() {
    for _ in 0..30 {
        let runtime = Runtime::new();
        let handle = runtime.handle();
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let handle = handle.clone();
                std::thread::spawn(move || {
                    let mut answered = 0;
                    loop {
                        match handle.spawn_remote(|| async { Ok(1) }).wait() {
                            Ok(one) => answered += one,
                            Err(error) => {
                                assert!(is(&error, RuntimeError::RuntimeGone), "{error}");
                                return answered;
                            }
                        }
                    }
                })
            })
            .collect();
        runtime.block_on(homing::sleep(Duration::from_micros(300))).unwrap();
        drop(runtime);
        threads.into_iter().for_each(|thread| _ = thread.join().unwrap());
    }
}

#[test]
fn run_cancels_remote_tasks_and_whoever_waits_hears_that() {
    let runtime = Runtime::new();
    let reports = support::Reports::default();
    let debugging = Builder::new().debug(true).on_unhandled(reports.hook()).build();
    for runtime in [runtime, debugging] {
        let waiting = runtime.handle().spawn_remote(|| async { forever().await });
        runtime.run(async { yields(3).await }).unwrap();
        assert!(waiting.is_finished());
        assert!(std::thread::spawn(move || waiting.wait()).join().unwrap().unwrap_err().is_cancelled());
    }
    reports.assert_none();
}

#[test]
fn handles_and_remote_tasks_may_go_anywhere_and_runtimes_may_not() {
    fn anywhere<T: Send + Sync>() {}
    anywhere::<Handle>();
    anywhere::<homing::runtime::RemoteTask<Vec<u8>>>();

    /// Ambiguous, and so no candidate for inference, for a type that is `Send`.
    trait NotSend<A> {
        fn check() {}
    }
    impl<T: ?Sized> NotSend<()> for T {}
    impl<T: ?Sized + Send> NotSend<u8> for T {}
    <Runtime as NotSend<_>>::check();
    <homing::Task<()> as NotSend<_>>::check();
    <homing::TaskRef as NotSend<_>>::check();
    <homing::SharedTask<()> as NotSend<_>>::check();
    <homing::cancel::Scope as NotSend<_>>::check();
}
