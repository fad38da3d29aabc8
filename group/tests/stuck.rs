//! Tasks that nobody can wake any more: what is found, and what is not taken for stuck.

use homing::introspect::{Doubt, Stuck};
use homing::sync::{Event, Mutex, Queue, Semaphore, channel, oneshot};
use homing::{
    Builder, Result, Runtime, RuntimeError, Task, gather, sleep, spawn, task, task_group, yield_now,
};
use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::task::{Poll, Waker};
use std::time::Duration;

/// What was reported.
#[derive(Clone, Default)]
struct Reports(Rc<RefCell<Vec<Stuck>>>);

impl Reports {
    fn builder(&self) -> Builder {
        let reports = self.0.clone();
        Builder::new().on_stuck(move |stuck| reports.borrow_mut().push(stuck.clone()))
    }

    fn take(&self) -> Vec<Stuck> {
        self.0.take()
    }
}

fn names(stuck: &Stuck) -> Vec<&str> {
    let mut names: Vec<&str> = stuck.tasks.iter().filter_map(|task| task.name.as_deref()).collect();
    names.sort_unstable();
    names
}

/// That it fails with a deadlock of these tasks; and what the report says.
#[track_caller]
fn deadlocked<T>(ended: Result<T>, tasks: &[&str]) -> String {
    let error = ended.err().expect("it should not end");
    let Some(RuntimeError::Deadlock(stuck)) = error.downcast_ref::<RuntimeError>() else {
        panic!("{error:?}")
    };
    assert_eq!(names(stuck), tasks, "{stuck}");
    assert!(stuck.forever && stuck.doubts.is_empty());
    stuck.to_string()
}

fn runtime() -> Runtime {
    Builder::new().find_stuck(true).build()
}

#[test]
fn two_tasks_that_lock_two_mutexes_in_opposite_orders_are_a_deadlock_with_their_places() {
    let ended = runtime().block_on(async {
        let (a, b) = (Rc::new(Mutex::new(())), Rc::new(Mutex::new(())));
        let both = |first: &Rc<Mutex<()>>, second: &Rc<Mutex<()>>| {
            let (first, second) = (first.clone(), second.clone());
            async move {
                let _first = first.lock().await?;
                yield_now().await?;
                let _second = second.lock().await?;
                Ok(())
            }
        };
        let one = task(both(&a, &b)).name("one").spawn();
        let two = task(both(&b, &a)).name("two").spawn();
        one.await?;
        two.await
    });
    let report = deadlocked(ended, &["main", "one", "two"]);
    for words in ["deadlock: 3 tasks wait", "awaiting mutex", "awaiting task 'one'", "stuck.rs', line"] {
        assert!(report.contains(words), "'{words}' is missing in: {report}");
    }
}

#[test]
fn tasks_that_await_one_another_are_a_circle() {
    let ended = runtime().block_on(async {
        let slot: Rc<RefCell<Option<Task<()>>>> = Rc::default();
        let first = task({
            let slot = slot.clone();
            async move {
                yield_now().await?;
                let second = slot.borrow_mut().take().unwrap();
                second.await
            }
        });
        let first = first.name("first").spawn();
        let second = task(first).name("second").spawn();
        slot.replace(Some(second));
        pending::<Result<()>>().await
    });
    let report = deadlocked(ended, &["first", "main", "second"]);
    let circle = ["in a circle: first → second → first", "in a circle: second → first → second"];
    assert!(circle.iter().any(|circle| report.contains(circle)), "{report}");
}

#[test]
fn what_waits_for_queues_events_channels_groups_and_gathers_alone_is_a_deadlock() {
    type Wait = fn() -> std::pin::Pin<Box<dyn Future<Output = Result<()>>>>;
    let waits: [Wait; 6] = [
        || Box::pin(async { Queue::<()>::new(0).get().await }),
        || Box::pin(async { Event::new().wait().await.map(drop) }),
        || {
            Box::pin(async {
                let (_send, receive) = channel::bounded::<()>(1);
                receive.recv().await.map(drop)
            })
        },
        || {
            Box::pin(async {
                let (_send, receive) = oneshot::channel::<()>();
                receive.await
            })
        },
        || {
            Box::pin(task_group(async |tg| {
                tg.spawn(async { Event::new().wait().await.map(drop) });
                Ok(())
            }))
        },
        || {
            Box::pin(async {
                let nobody = || async { Event::new().wait().await.map(drop) };
                gather((nobody(), nobody())).await.map(drop)
            })
        },
    ];
    for (number, wait) in waits.into_iter().enumerate() {
        let error = runtime().block_on(wait()).expect_err("it should not end");
        let found = error.downcast_ref::<RuntimeError>();
        assert!(matches!(found, Some(RuntimeError::Deadlock(_))), "wait {number}: {error:?}");
    }
}

#[test]
fn a_future_that_keeps_no_waker_is_lost() {
    deadlocked(runtime().block_on(pending::<Result<()>>()), &["main"]);
}

#[test]
fn run_cleans_up_after_a_deadlock() {
    let cleaned = Rc::new(RefCell::new(false));
    let seen = cleaned.clone();
    let ended = runtime().run(async move {
        spawn(async move {
            let ended = Queue::<()>::new(0).get().await;
            seen.replace(true);
            ended
        });
        Queue::<()>::new(0).get().await
    });
    deadlocked(ended, &["Task-2", "main"]);
    assert!(*cleaned.borrow(), "the task was cancelled and waited for");
}

#[test]
fn a_task_that_is_lost_among_others_is_reported_once() {
    let reports = Reports::default();
    let runtime = reports.builder().virtual_time().build();
    runtime
        .block_on(async {
            let lost = task(pending::<Result<()>>()).name("lost").spawn();
            let waits = task(lost).name("waits for it").spawn();
            for _ in 0..3 {
                sleep(Duration::from_secs(1)).await?;
                // The next look is due some real time after the last.
                std::thread::sleep(Duration::from_millis(110));
            }
            waits.abort();
            Ok(())
        })
        .unwrap();
    let reports = reports.take();
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert_eq!(names(&reports[0]), ["lost", "waits for it"]);
    assert!(!reports[0].forever && reports[0].doubts.is_empty());
    let text = reports[0].to_string();
    assert!(text.contains("unless it is a cancel") && text.contains("spawned async"), "{text}");
}

#[test]
fn who_waits_for_a_lock_while_others_run_is_not_stuck() {
    let reports = Reports::default();
    let runtime = reports.builder().virtual_time().build();
    runtime
        .block_on(async {
            let mutex = Rc::new(Mutex::new(()));
            let held = mutex.clone().lock_owned().await?;
            let waiter = spawn({
                let mutex = mutex.clone();
                async move { mutex.lock().await.map(drop) }
            });
            sleep(Duration::from_secs(3600)).await?;
            drop(held);
            waiter.await
        })
        .unwrap();
    assert_eq!(reports.take(), []);
}

#[test]
fn a_handle_makes_it_doubtful_and_may_help_after_all() {
    let reports = Reports::default();
    let runtime = reports.builder().build();
    let handle = runtime.handle();
    let event = Rc::new(Event::new());
    thread_local!(static EVENT: RefCell<Option<Rc<Event>>> = const { RefCell::new(None) });
    EVENT.set(Some(event.clone()));
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        handle.call_soon(|| EVENT.with_borrow(|event| event.as_ref().unwrap().set())).unwrap();
    });
    runtime.block_on(async { event.wait().await.map(drop) }).unwrap();
    thread.join().unwrap();
    let reports = reports.take();
    assert_eq!(reports.len(), 1, "once, and it goes on sleeping");
    assert_eq!(reports[0].doubts, [Doubt::Handle]);
    assert!(reports[0].to_string().contains("not certain, because a handle"), "{}", reports[0]);
}

#[test]
fn a_waker_on_another_thread_makes_it_doubtful_and_may_help_after_all() {
    let reports = Reports::default();
    let runtime = reports.builder().build();
    runtime
        .block_on(async {
            let mut woken = false;
            let waker = poll_fn(move |cx| {
                if std::mem::replace(&mut woken, true) {
                    return Poll::Ready(Ok(()));
                }
                let waker: Waker = cx.waker().clone();
                std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_millis(50));
                    waker.wake();
                });
                Poll::Pending
            });
            waker.await
        })
        .unwrap();
    let reports = reports.take();
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].doubts, [Doubt::Waker]);
    // The waker is gone, and nobody else has one.
    deadlocked(runtime.block_on(pending::<Result<()>>()), &["main"]);
}

#[test]
fn a_waker_that_a_foreign_combinator_keeps_is_a_hope() {
    use futures_util::stream::{FuturesUnordered, StreamExt};
    let reports = Reports::default();
    reports
        .builder()
        .virtual_time()
        .build()
        .block_on(async {
            let mut naps: FuturesUnordered<_> = (1..4).map(|s| sleep(Duration::from_secs(s))).collect();
            while let Some(nap) = naps.next().await {
                nap?;
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(reports.take(), []);
}

#[test]
fn blocking_jobs_sockets_and_time_limits_are_hopes() {
    let reports = Reports::default();
    reports
        .builder()
        .build()
        .block_on(async {
            homing::blocking::spawn_blocking(|| Ok(std::thread::sleep(Duration::from_millis(20)))).await?;
            let limited = homing::timeout(Duration::from_millis(20), Event::new().wait()).await;
            assert!(limited.is_err());
            let limited: Result<()> = homing::timeout(Duration::from_millis(20), pending()).await;
            assert!(limited.is_err());
            #[cfg(unix)]
            {
                let listener = homing::net::TcpListener::bind("127.0.0.1:0")?;
                let place = listener.local_addr()?;
                std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_millis(20));
                    std::net::TcpStream::connect(place)
                });
                listener.accept().await?;
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(reports.take(), []);
}

#[test]
fn a_runtime_that_does_not_look_says_nothing() {
    let runtime = Builder::new().find_stuck(false).virtual_time().build();
    runtime
        .block_on(async {
            spawn(pending::<Result<()>>());
            sleep(Duration::from_secs(1)).await?;
            assert_eq!(homing::introspect::find_stuck().unwrap().tasks, []);
            Ok(())
        })
        .unwrap();
}

/// Both tasks hold what the other one wants: the report says who holds what, since where, and who waits where.
#[test]
fn a_deadlock_through_locks_names_the_circle_with_both_places_of_each() {
    let lines = Rc::new(RefCell::new((0, 0)));
    let noted = lines.clone();
    let ended = runtime().block_on(async move {
        let (a, b) = (Rc::new(Mutex::new(())), Rc::new(Mutex::new(())));
        let both = |first: &Rc<Mutex<()>>, second: &Rc<Mutex<()>>| {
            let (first, second) = (first.clone(), second.clone());
            let noted = noted.clone();
            async move {
                let _first = first.lock().await?;
                let took_at = line!() - 1;
                yield_now().await?;
                noted.replace((took_at, line!() + 1));
                let _second = second.lock().await?;
                Ok(())
            }
        };
        let one = task(both(&a, &b)).name("one").spawn();
        let two = task(both(&b, &a)).name("two").spawn();
        gather((one, two)).await.map(drop)
    });
    let error = ended.unwrap_err();
    let Some(RuntimeError::Deadlock(stuck)) = error.downcast_ref() else { panic!("{error:?}") };
    let [circle] = &stuck.circles[..] else { panic!("{stuck}") };
    let (took_at, waits_at) = *lines.borrow();
    for (step, other) in circle.steps.iter().zip(circle.steps.iter().cycle().skip(1)) {
        let awaits = step.awaits.as_ref().unwrap();
        assert_eq!((&*awaits.name, awaits.place.as_ref().unwrap().line), ("mutex", waits_at));
        let [held] = &awaits.held_by[..] else { panic!("{stuck}") };
        assert_eq!((held.task, held.place.as_ref().unwrap().line), (other.task, took_at));
    }
    let report = stuck.to_string();
    assert!(
        report.contains("in a circle: one → two → one") || report.contains("in a circle: two → one → two"),
        "{report}"
    );
    assert!(
        report.contains(&format!("held by task 'two' since group/tests/stuck.rs:{took_at}:")),
        "{report}"
    );
}

#[test]
fn a_task_that_locks_the_same_mutex_twice_is_a_circle_of_one() {
    let ended = runtime().block_on(async {
        let mutex = Mutex::new(());
        let _once = mutex.lock().await?;
        mutex.lock().await.map(drop)
    });
    let report = deadlocked(ended, &["main"]);
    assert!(report.contains("in a circle: main → main"), "{report}");
    assert!(report.contains("held by itself since group/tests/stuck.rs:"), "{report}");
}

#[test]
fn a_circle_may_go_through_a_lock_a_join_a_gather_and_a_group() {
    let ended = runtime().block_on(async {
        let mutex = Rc::new(Mutex::new(()));
        let held = mutex.lock().await?;
        let wants = mutex.clone();
        let wants = task(async move { wants.lock().await.map(drop) }).name("wants").spawn();
        let joins = task(wants).name("joins").spawn();
        let gathers = task(async move { gather((joins,)).await.map(drop) }).name("gathers").spawn();
        task_group(async |tg| {
            tg.task(gathers).name("child").spawn();
            Ok(())
        })
        .await?;
        drop(held);
        Ok(())
    });
    let report = deadlocked(ended, &["child", "gathers", "joins", "main", "wants"]);
    let steps = ["main", "child", "gathers", "joins", "wants"];
    let circles = (0..steps.len()).map(|first| {
        let around: Vec<&str> = steps.iter().cycle().skip(first).take(steps.len() + 1).copied().collect();
        format!("in a circle: {}", around.join(" → "))
    });
    assert!(circles.into_iter().any(|circle| report.contains(&circle)), "{report}");
}

#[test]
fn two_tasks_with_a_permit_each_that_want_a_second_one_are_a_circle() {
    let ended = runtime().block_on(async {
        let semaphore = Rc::new(Semaphore::new(2));
        let twice = || {
            let semaphore = semaphore.clone();
            async move {
                let _first = semaphore.acquire().await?;
                yield_now().await?;
                semaphore.acquire().await.map(drop)
            }
        };
        let one = task(twice()).name("one").spawn();
        let two = task(twice()).name("two").spawn();
        gather((one, two)).await.map(drop)
    });
    let report = deadlocked(ended, &["main", "one", "two"]);
    assert!(report.contains("in a circle: "), "{report}");
    for words in ["held by task 'one' (1 permit) since ", "held by task 'two' (1 permit) since "] {
        assert!(report.contains(words), "'{words}' is missing in: {report}");
    }
}

#[test]
fn a_lock_whose_guard_was_forgotten_is_no_circle_and_says_who_took_it() {
    /// What is forgotten on purpose is still known, as leak checkers understand it.
    static FORGOTTEN: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());
    let ended = runtime().block_on(async {
        let mutex = Rc::new(Mutex::new(()));
        FORGOTTEN.store(Rc::as_ptr(&mutex).cast_mut().cast(), Ordering::Relaxed);
        let theirs = mutex.clone();
        let forgets = task(async move {
            std::mem::forget(theirs.lock_owned().await?);
            Ok(())
        });
        let forgets = forgets.name("forgets").spawn();
        yield_now().await?;
        drop(mutex.lock().await?);
        forgets.await
    });
    let report = deadlocked(ended, &["main"]);
    assert!(report.contains("held by task 'forgets' (done), which took it at "), "{report}");
    assert!(!report.contains("in a circle"), "{report}");
}

/// One that a host gives turns.
fn hosted(reports: &Reports) -> Runtime {
    reports.builder().find_stuck(true).build()
}

#[test]
fn a_hosts_turns_tell_of_each_task_that_nobody_can_wake_once_and_do_not_fail() {
    let reports = Reports::default();
    let runtime = hosted(&reports);
    let lost = runtime.spawn(async { task(pending::<Result<()>>()).name("lost").spawn().await });
    runtime.run_until_stalled().unwrap();
    let found = reports.take();
    let [stuck] = &found[..] else { panic!("{found:?}") };
    assert_eq!(stuck.tasks.len(), 2);
    assert!(stuck.doubts.is_empty() && !stuck.forever);
    for _ in 0..3 {
        runtime.turn(homing::runtime::Budget::batch()).unwrap();
    }
    assert!(reports.take().is_empty());
    lost.abort();
}

#[test]
fn in_a_hosts_turns_what_waits_for_an_event_may_wait_for_the_host() {
    let reports = Reports::default();
    let runtime = hosted(&reports);
    let event = Rc::new(Event::new());
    let theirs = event.clone();
    let waits = runtime.spawn(async move { theirs.wait().await });
    runtime.run_until_stalled().unwrap();
    let found = reports.take();
    let [stuck] = &found[..] else { panic!("{found:?}") };
    assert_eq!((stuck.forever, &stuck.doubts[..]), (true, &[Doubt::Host][..]));
    assert!(stuck.to_string().contains("because the program that hosts the runtime may help"), "{stuck}");
    event.set();
    runtime.run_until_stalled().unwrap();
    assert!(waits.is_finished() && reports.take().is_empty());
}

#[test]
fn in_a_hosts_turns_a_circle_of_locks_is_told_although_it_may_not_be_certain() {
    let reports = Reports::default();
    let runtime = hosted(&reports);
    let (one, two) = (Rc::new(Mutex::new(())), Rc::new(Mutex::new(())));
    let both = |first: &Rc<Mutex<()>>, second: &Rc<Mutex<()>>| {
        let (first, second) = (first.clone(), second.clone());
        async move {
            let _first = first.lock().await?;
            yield_now().await?;
            second.lock().await.map(drop)
        }
    };
    let tasks = [runtime.spawn(both(&one, &two)), runtime.spawn(both(&two, &one))];
    runtime.run_until_stalled().unwrap();
    let found = reports.take();
    let [stuck] = &found[..] else { panic!("{found:?}") };
    assert_eq!((stuck.circles.len(), &stuck.doubts[..]), (1, &[Doubt::Host][..]));
    tasks.iter().for_each(|task| assert!(task.abort()));
}

#[test]
fn in_a_hosts_turns_what_waits_for_time_or_for_who_does_is_not_stuck() {
    let reports = Reports::default();
    let runtime = hosted(&reports);
    let mutex = Rc::new(Mutex::new(()));
    let theirs = mutex.clone();
    let holds = runtime.spawn(async move {
        let _held = theirs.lock().await?;
        sleep(Duration::from_secs(3600)).await
    });
    let waits = runtime.spawn(async move { mutex.lock().await.map(drop) });
    runtime.run_until_stalled().unwrap();
    assert!(reports.take().is_empty());
    assert!(holds.abort() && waits.abort());
}

#[test]
fn who_is_cancelled_by_the_hook_is_not_slept_over() {
    let stuck = Rc::new(RefCell::new(None::<Task<()>>));
    let named = stuck.clone();
    let cancel = move |_: &Stuck| {
        named.borrow().iter().for_each(|task| assert!(task.cancel()));
    };
    let runtime = Builder::new().on_stuck(cancel).build();
    let _doubt = runtime.handle();
    let over = Rc::new(Event::new());
    let ends = over.clone();
    *stuck.borrow_mut() = Some(runtime.spawn(async move {
        let ended = Event::new().wait().await;
        ends.set();
        ended
    }));
    // Nothing but the cancel lets this go on.
    runtime.block_on(async move { over.wait().await }).unwrap();
}
