//! What goes wrong in programs, and what they are told.

mod support;

use homing::error::RuntimeError;
use homing::{Builder, Runtime};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Wake, Waker};
use support::{Drops, Log, OnDrop, blow_up, forever, millis, poll_once, runtime, yields};

#[test]
fn a_runtime_inside_a_poll_is_refused_with_advice_and_the_outer_one_goes_on() {
    let (runtime, reports) = runtime();
    runtime
        .block_on(async {
            let text = homing::run(async { Ok(()) }).unwrap_err().to_string();
            assert!(text.contains("already") && text.contains("await the future instead"), "{text}");
            homing::spawn(async { Ok(()) }).await
        })
        .unwrap();
    reports.assert_none();
}

#[test]
fn a_handle_used_on_another_runtime_is_refused_with_advice() {
    let (other, _) = runtime();
    let task = other.spawn(async { Ok(1) });
    let shared = other.spawn(async { Ok(1) }).share();
    let (runtime, _) = runtime();
    runtime
        .block_on(async {
            for text in [task.await.unwrap_err().to_string(), shared.clone().await.unwrap_err().to_string()] {
                assert!(text.contains("another runtime") && text.contains("await it there"), "{text}");
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(other.block_on(shared).unwrap(), 1);
}

#[test]
fn a_spawn_outside_of_a_runtime_is_a_panic_with_advice() {
    let caught = std::panic::catch_unwind(|| drop(homing::task(async { Ok(()) }).eager().spawn()));
    let text = support::panic_text(caught.unwrap_err());
    assert!(text.contains("Runtime::spawn") && text.contains("Handle::spawn_remote"), "{text}");
}

#[test]
fn awaits_of_homing_do_no_harm_under_another_executor() {
    let (runtime, _) = runtime();
    let mut task = Box::pin(runtime.spawn(async { yields(2).await.map(|()| 5) }));
    assert!(poll_once(task.as_mut()).is_pending());
    assert!(poll_once(std::pin::pin!(homing::yield_now())).is_pending());
    runtime.run_until_stalled().unwrap();
    let Poll::Ready(Ok(5)) = poll_once(task.as_mut()) else { panic!("it has ended") };
    let again = poll_once(task.as_mut());
    assert!(matches!(again, Poll::Ready(Err(error)) if error.is::<RuntimeError>()));
}

/// A waker of somebody else's that panics in whatever it was told to.
struct Explosive {
    on_wake: bool,
    on_drop: bool,
}

impl Wake for Explosive {
    fn wake(self: Arc<Self>) {
        if self.on_wake {
            blow_up("in wake");
        }
    }
}

impl Drop for Explosive {
    fn drop(&mut self) {
        if self.on_drop {
            blow_up("in the drop of a waker");
        }
    }
}

fn explosive(on_wake: bool, on_drop: bool) -> Waker {
    Waker::from(Arc::new(Explosive { on_wake, on_drop }))
}

#[test]
fn a_panic_in_a_foreign_waker_is_reported_and_goes_no_further() {
    for (on_wake, on_drop, word) in [(true, false, "in wake"), (false, true, "in the drop of a waker")] {
        let (runtime, reports) = runtime();
        let waker = RefCell::new(Some(explosive(on_wake, on_drop)));
        runtime
            .block_on(async {
                // As a task's joiner, as a timer's waker, and as that of a shared task.
                let mut task = homing::spawn(async { yields(1).await });
                let shared = homing::spawn(async { yields(1).await }).share();
                let mut other = shared.clone();
                let mut timer = homing::time::Timer::new(homing::Instant::now() + millis(1));
                let waker = waker.borrow_mut().take().unwrap();
                let mut cx = std::task::Context::from_waker(&waker);
                assert!(std::pin::Pin::new(&mut task).poll(&mut cx).is_pending());
                assert!(std::pin::Pin::new(&mut other).poll(&mut cx).is_pending());
                assert!(timer.poll(&waker).is_pending());
                // The last one to be dropped is the runtime's.
                drop(waker);
                homing::sleep(millis(2)).await?;
                assert!(task.is_finished() && shared.is_finished());
                Ok(())
            })
            .unwrap();
        let told = reports.take();
        assert!(!told.is_empty() && told.iter().all(|text| text.contains(word)), "{told:?}");
        assert_eq!(runtime.task_count(), 0);
    }
}

#[test]
fn panics_everywhere_at_once_leave_the_runtime_usable() {
    let (runtime, reports) = runtime();
    let drops = Drops::default();
    runtime
        .block_on(async {
            for number in 0..40 {
                let guard = drops.guard();
                let task = homing::spawn(async move {
                    let _guard = guard;
                    let _bomb = OnDrop(move || {
                        if number % 4 == 0 {
                            blow_up("destructor");
                        }
                    });
                    yields(number % 3).await?;
                    if number % 4 == 1 {
                        blow_up("poll");
                    }
                    forever().await
                });
                task.on_done(|_| blow_up("callback"));
                homing::call_soon(|| blow_up("call"));
                if number % 2 == 0 {
                    yields(1).await?;
                    task.abort();
                }
            }
            yields(5).await
        })
        .unwrap();
    assert!(reports.take().len() > 80);
    drop(runtime);
    assert_eq!(drops.count(), 40);
}

#[test]
fn a_panic_names_the_task_and_where_it_was_spawned() {
    let (runtime, reports) = runtime();
    runtime
        .block_on(async {
            let bad = async { if true { blow_up("no such page") } else { Ok(()) } };
            let line = line!() + 1;
            let task = homing::task(bad).name("fetch").spawn();
            let error = task.await.unwrap_err();
            let told = format!("{error:#}");
            assert!(told.contains("task 'fetch' panicked: no such page"), "{told}");
            reports.assert_one(&["fetch", &format!("{}:{line}", file!())]);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_payload_that_panics_when_it_is_dropped_does_no_harm() {
    struct Nasty(Arc<AtomicBool>);
    impl Drop for Nasty {
        fn drop(&mut self) {
            if !self.0.swap(true, Ordering::Relaxed) {
                blow_up("payload");
            }
        }
    }
    let armed = Arc::new(AtomicBool::new(false));
    let (runtime, _reports) = runtime();
    let payload = armed.clone();
    runtime
        .block_on(async move {
            drop(homing::spawn(async move {
                std::panic::resume_unwind(Box::new(Nasty(payload)));
                #[allow(unreachable_code)]
                Ok(())
            }));
            yields(3).await
        })
        .unwrap();
    assert!(armed.load(Ordering::Relaxed));
    assert_eq!(runtime.task_count(), 0);
}

#[test]
fn a_future_that_wakes_itself_for_ever_stops_neither_others_nor_the_host() {
    let runtime = Runtime::new();
    let spins = Rc::new(Cell::new(0u64));
    let counted = spins.clone();
    drop(runtime.spawn(poll_fn(move |cx| {
        counted.set(counted.get() + 1);
        cx.waker().wake_by_ref();
        Poll::<homing::Result<()>>::Pending
    })));
    let nap = runtime.spawn(async { homing::sleep(millis(2)).await });
    let begin = std::time::Instant::now();
    while !nap.is_finished() {
        assert!(runtime.turn(homing::runtime::Budget::polls(10)).unwrap().more_ready);
        assert!(begin.elapsed().as_secs() < 20, "the timer was starved");
    }
    assert!(spins.get() > 1);
}

#[test]
fn a_million_tasks_live_at_once_and_all_come_home() {
    let tasks: u32 = if cfg!(debug_assertions) { 200_000 } else { 1_000_000 };
    let (runtime, reports) = runtime();
    let ended = Rc::new(Cell::new(0));
    runtime
        .block_on(async {
            let mut handles = Vec::with_capacity(tasks as usize);
            for _ in 0..tasks {
                let ended = ended.clone();
                handles.push(homing::spawn(async move {
                    homing::sleep(millis(10)).await?;
                    ended.set(ended.get() + 1);
                    Ok(())
                }));
            }
            assert_eq!(homing::all_tasks().len(), tasks as usize + 1);
            for handle in handles {
                handle.await?;
            }
            Ok(())
        })
        .unwrap();
    assert_eq!((ended.get(), runtime.task_count()), (tasks, 0));
    reports.assert_none();
}

#[test]
fn what_is_left_behind_is_told_with_name_and_place() {
    let log = Log::default();
    let noted = log.clone();
    let runtime = Builder::new().on_unhandled(move |unhandled| noted.note(unhandled)).build();
    let line = line!() + 1;
    let _task = runtime.spawn(async {
        homing::current().unwrap().set_name("stuck");
        forever().await
    });
    runtime.run_until_stalled().unwrap();
    drop(runtime);
    let place = format!("task 'stuck', spawned at {}:{line}", file!());
    let told = log.take();
    assert!(told[0].contains(&place) && told[0].contains("pending"), "{told:?}");
}

#[test]
fn a_runtime_may_be_dropped_by_what_its_own_tasks_leave_behind() {
    // The output of a task holds the last handle on the runtime, and goes with the task's handle.
    let runtime = Rc::new(homing::Runtime::new());
    let held = runtime.clone();
    let task = runtime.spawn(async move { Ok(held) });
    runtime.run_until_stalled().unwrap();
    drop(runtime);
    drop(task);
    // The future does, and goes with an abort.
    let runtime = Rc::new(homing::Runtime::new());
    let held = runtime.clone();
    let task = runtime.spawn(async move {
        let _held = held;
        std::future::pending::<homing::Result<()>>().await
    });
    runtime.run_until_stalled().unwrap();
    drop(runtime);
    assert!(task.abort());
    assert!(task.is_finished());
}
