//! The runner: several mains on one runtime, and the way home for what they have left.

mod support;

use homing::error::RuntimeError;
use homing::{Builder, Error, Result, Runner, TaskLocal};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use support::{Drops, Log, Reports, blow_up, failure, forever, millis, panic_text, yields};

/// A runner in virtual time whose unhandled errors are remembered.
fn runner() -> (Runner, Reports) {
    let reports = Reports::default();
    (Runner::with(Builder::new().virtual_time().on_unhandled(reports.hook())), reports)
}

fn is(error: &Error, what: RuntimeError) -> bool {
    error.downcast_ref::<RuntimeError>() == Some(&what)
}

/// Lets so much time pass. Made in here: what is made outside of a runtime does not know that its time is virtual.
fn pass(runner: &Runner, milliseconds: u64) {
    runner.run(async { homing::sleep(millis(milliseconds)).await }).unwrap();
}

/// Waits until it is cancelled, takes its time to clean up, and says so.
async fn tidy(log: Log) -> Result<()> {
    let ended = forever().await;
    homing::sleep(millis(5)).await?;
    log.note("tidied up");
    ended
}

#[test]
fn ru_3_what_one_run_leaves_goes_on_in_the_next_and_stands_still_in_between() {
    let (runner, reports) = runner();
    let log = Log::default();
    let noted = log.clone();
    let counter = runner
        .run(async {
            Ok(homing::spawn(async move {
                for number in 1..=5 {
                    noted.note(number);
                    homing::sleep(millis(1)).await?;
                }
                Ok("counted")
            }))
        })
        .unwrap();
    assert_eq!(log.take(), ["1"]);
    assert_eq!(runner.runtime().unwrap().task_count(), 1);
    pass(&runner, 2);
    assert_eq!(log.take(), ["2", "3"]);
    assert_eq!(runner.run(counter).unwrap(), "counted");
    drop(runner);
    reports.assert_none();
}

#[test]
fn ru_4_what_is_ready_when_main_ends_takes_its_turn_before_it_is_swept() {
    let log = Log::default();
    let last = |log: &Log| {
        let log = log.clone();
        homing::spawn(async move {
            log.note("begun");
            tidy(log).await
        })
    };
    homing::run(async { Ok(drop(last(&log))) }).unwrap();
    assert_eq!(log.take(), ["begun", "tidied up"]);
    let (mut runner, _) = runner();
    runner.run(async { Ok(drop(last(&log))) }).unwrap();
    assert_eq!(log.take(), ["begun"]);
    runner.close().unwrap();
    assert_eq!(log.take(), ["tidied up"]);
}

#[test]
fn a_panic_in_main_goes_on_out_of_the_run_and_leaves_the_runner_and_its_tasks_usable() {
    let (runner, reports) = runner();
    let log = Log::default();
    let task = runner.runtime().unwrap().spawn(tidy(log.clone()));
    for _ in 0..3 {
        let caught = catch_unwind(AssertUnwindSafe(|| {
            runner.run(async {
                yields(1).await?;
                if true { blow_up("main") } else { Ok(()) }
            })
        }));
        assert_eq!(panic_text(caught.unwrap_err()), "main");
        assert_eq!(runner.run(async { yields(1).await.map(|()| 7) }).unwrap(), 7);
    }
    assert!(!task.is_finished());
    drop(runner);
    assert_eq!(log.take(), ["tidied up"]);
    reports.assert_none();
}

#[test]
fn dropping_a_runner_closes_it() {
    let (runner, reports) = runner();
    let log = Log::default();
    for _ in 0..3 {
        let task = tidy(log.clone());
        runner.run(async { Ok(drop(homing::spawn(task))) }).unwrap();
    }
    drop(runner);
    assert_eq!(log.take().len(), 3);
    reports.assert_none();
}

#[test]
fn dropped_by_a_panic_a_runner_sees_its_tasks_home_even_if_they_panic_as_well() {
    let (runner, reports) = runner();
    let log = Log::default();
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let runner = runner;
        let (tidy, nasty) = (tidy(log.clone()), async {
            let _ = forever().await;
            blow_up("on the way out")
        });
        runner.run(async { Ok(drop((homing::spawn(tidy), homing::spawn::<_, ()>(nasty)))) }).unwrap();
        blow_up("in between")
    }));
    assert_eq!(panic_text(caught.unwrap_err()), "in between");
    assert_eq!(log.take(), ["tidied up"]);
    reports.assert_one(&["on the way out"]);
}

#[test]
fn two_runners_on_one_thread_take_turns_and_end_apart() {
    let ((mut first, _), (second, _)) = (runner(), runner());
    let log = Log::default();
    let spawn_in = |runner: &Runner| {
        let task = tidy(log.clone());
        runner.run(async { Ok(homing::spawn(task)) }).unwrap()
    };
    let (of_first, of_second) = (spawn_in(&first), spawn_in(&second));
    for _ in 0..3 {
        pass(&first, 1);
        pass(&second, 1);
    }
    first.close().unwrap();
    assert!(of_first.is_finished() && !of_second.is_finished());
    assert_eq!(log.take(), ["tidied up"]);
    assert_eq!(second.run(async { Ok(homing::all_tasks().len()) }).unwrap(), 2);
    drop(second);
    assert_eq!(log.take(), ["tidied up"]);
}

#[test]
fn ru_2_a_run_inside_of_a_run_is_refused_and_makes_no_runtime() {
    let ((outer, _), (inner, _)) = (runner(), runner());
    let drops = Drops::default();
    outer
        .run(async {
            for runner in [&outer, &inner] {
                let guard = drops.guard();
                let main = async move {
                    let _guard = guard;
                    unreachable!("not to be polled") as Result<()>
                };
                assert!(is(&runner.run(main).unwrap_err(), RuntimeError::NestedRuntime));
            }
            yields(1).await
        })
        .unwrap();
    assert_eq!(drops.count(), 2);
    assert_eq!(format!("{inner:?}"), "Runner(lazy)");
    assert_eq!(inner.run(async { Ok(7) }).unwrap(), 7);
}

#[test]
fn where_nobody_can_wait_a_close_is_refused_and_a_drop_reports_what_it_leaves() {
    let ((outer, _), (mut inner, reports)) = (runner(), runner());
    let drops = Drops::default();
    let guard = drops.guard();
    let stuck = async move {
        let _guard = guard;
        forever().await
    };
    inner.run(async { Ok(drop(homing::task(stuck).name("stuck").spawn())) }).unwrap();
    outer
        .run(async {
            assert!(is(&inner.close().unwrap_err(), RuntimeError::NestedRuntime));
            assert_eq!(inner.runtime().unwrap().task_count(), 1);
            reports.assert_none();
            drop(inner);
            yields(1).await
        })
        .unwrap();
    assert_eq!(drops.count(), 1);
    reports.assert_one(&["stuck", "pending"]);
}

#[test]
fn ru_7_a_closed_runner_says_so_and_can_be_closed_again() {
    let (used, _) = runner();
    used.run(async { Ok(()) }).unwrap();
    let (unused, _) = runner();
    for mut runner in [used, unused] {
        for _ in 0..2 {
            runner.close().unwrap();
            let drops = Drops::default();
            let guard = drops.guard();
            let error = runner.run(async move { Ok(drop(guard)) }).unwrap_err();
            assert!(is(&error, RuntimeError::RunnerClosed) && error.to_string().contains("make another one"));
            assert_eq!(runner.runtime().unwrap_err(), RuntimeError::RunnerClosed);
            assert_eq!(drops.count(), 1);
            assert_eq!(format!("{runner:?}"), "Runner(closed)");
        }
    }
}

#[test]
fn ru_5_errors_of_what_was_left_are_reported_by_close_and_by_drop() {
    for explicitly in [true, false] {
        let (mut runner, reports) = runner();
        let held = Rc::new(RefCell::new(None));
        runner
            .run(async {
                held.replace(Some(homing::spawn(async {
                    let _ = forever().await;
                    Err::<(), _>(failure("on the way out"))
                })));
                Ok(())
            })
            .unwrap();
        reports.assert_none();
        if explicitly {
            runner.close().unwrap();
        } else {
            drop(runner);
        }
        reports.assert_one(&["on the way out"]);
    }
}

#[test]
fn ru_6_a_task_that_always_leaves_another_is_reported_in_the_end() {
    fn hydra(heads: Rc<Cell<u32>>) {
        drop(homing::spawn(async move {
            heads.set(heads.get() + 1);
            let ended = forever().await;
            hydra(heads);
            yields(1).await?;
            ended
        }));
    }
    let (mut runner, reports) = runner();
    let heads = Rc::new(Cell::new(0));
    let counted = heads.clone();
    runner.run(async { Ok(hydra(counted)) }).unwrap();
    runner.close().unwrap();
    assert!(heads.get() > 1000, "{}", heads.get());
    reports.assert_one(&["pending"]);
}

#[test]
fn a_runner_has_one_runtime_that_other_threads_reach_from_run_to_run() {
    let (mut runner, _) = runner();
    let handle = runner.runtime().unwrap().handle();
    let left = runner.runtime().unwrap().spawn(async { Ok("spawned before the first run") });
    assert_eq!(runner.run(left).unwrap(), "spawned before the first run");
    for number in 0..3 {
        let remote = handle.spawn_remote(move || async move { Ok(number) });
        assert_eq!(runner.run(remote).unwrap(), number);
    }
    let waiting = handle.spawn_remote(|| async { forever().await });
    let waiter = std::thread::spawn(move || waiting.wait());
    runner.run(yields(2)).unwrap();
    runner.close().unwrap();
    assert!(waiter.join().unwrap().unwrap_err().is_cancelled());
    assert!(handle.call_soon(|| {}).is_err());
}

#[test]
fn a_runner_that_its_thread_keeps_is_closed_when_the_thread_ends() {
    use std::sync::atomic::{AtomicBool, Ordering};
    static TIDIED_UP: AtomicBool = AtomicBool::new(false);
    thread_local! {
        static RUNNER: Runner = Runner::with(Builder::new().virtual_time());
    }
    let thread = std::thread::spawn(|| {
        let left = async {
            let ended = forever().await;
            homing::sleep(millis(5)).await?;
            TIDIED_UP.store(true, Ordering::Relaxed);
            ended
        };
        RUNNER.with(|runner| runner.run(async { Ok(drop(homing::spawn(left))) })).unwrap();
    });
    thread.join().unwrap();
    assert!(TIDIED_UP.load(Ordering::Relaxed));
}

#[test]
fn cv_5_each_runner_has_a_context_for_its_mains_whatever_became_of_them() {
    static SEEN: TaskLocal<u32> = TaskLocal::inherited().with_default(|| 0);
    let ((first, _), (second, _)) = (runner(), runner());
    let count = |runner: &Runner| {
        runner.run(async {
            SEEN.set(SEEN.get() + 1);
            Ok(SEEN.get())
        })
    };
    assert_eq!((count(&first).unwrap(), count(&first).unwrap(), count(&second).unwrap()), (1, 2, 1));
    let caught = catch_unwind(AssertUnwindSafe(|| {
        first.run(async {
            SEEN.set(10);
            if true { blow_up("main") } else { Ok(()) }
        })
    }));
    assert!(caught.is_err());
    let child = first.run(async { Ok(homing::spawn(async { Ok(SEEN.replace(20)) })) }).unwrap();
    assert_eq!(first.run(child).unwrap(), Some(10), "a task gets a copy of what main has");
    assert_eq!(count(&first).unwrap(), 11, "in which it does what it likes");
    assert_eq!(first.runtime().unwrap().block_on(async { Ok(SEEN.get()) }).unwrap(), 0, "nobody else has it");
    assert_eq!(count(&second).unwrap(), 2);
}

#[test]
fn the_values_in_its_context_go_with_the_runner() {
    static KEPT: TaskLocal<Rc<support::DropGuard>> = TaskLocal::inherited();
    let (mut runner, reports) = runner();
    let drops = Drops::default();
    let guard = Rc::new(drops.guard());
    runner.run(async { Ok(KEPT.set(guard)) }).unwrap();
    assert_eq!(drops.count(), 0);
    runner.close().unwrap();
    drop(runner);
    assert_eq!(drops.count(), 1);
    reports.assert_none();
}
