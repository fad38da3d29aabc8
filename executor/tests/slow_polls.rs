//! Polls that take too long: reported while they last, and when they have ended.
//!
//! No test waits for a time: what blocks waits for the report.

use homing::observe::SlowPoll;
use homing::{Builder, sleep, task, yield_now};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(100);

/// Reports polls of so many milliseconds.
fn watched(ms: u64) -> (Builder, Receiver<SlowPoll>) {
    let (send, reports) = channel();
    let send = Mutex::new(send);
    let hook = move |slow: &SlowPoll| drop(send.lock().unwrap().send(slow.clone()));
    (Builder::new().slow_poll(Duration::from_millis(ms)).on_slow_poll(hook), reports)
}

#[test]
fn a_poll_that_does_not_return_is_reported_while_it_lasts() {
    let (builder, reports) = watched(20);
    builder
        .build()
        .block_on(async {
            let work = async move {
                sleep(Duration::from_millis(1)).await?;
                let await_line = line!() - 1;
                let slow = reports.recv_timeout(LONG).unwrap();
                assert!(slow.still_running && slow.took >= Duration::from_millis(20));
                assert_eq!(slow.name, "worker");
                assert_eq!(slow.resumed_at.unwrap().line(), await_line);
                assert!(slow.type_name.contains("slow_polls"), "{}", slow.type_name);
                let text = slow.to_string();
                for words in
                    ["task 'worker', spawned at", "slow_polls.rs", "does not give way", "the await at"]
                {
                    assert!(text.contains(words), "'{words}' is missing in: {text}");
                }
                Ok(reports)
            };
            let reports = task(work).name("worker").spawn().await?;
            let slow = reports.recv_timeout(LONG).unwrap();
            assert!(!slow.still_running && slow.took >= Duration::from_millis(20));
            assert_eq!(slow.name, "worker");
            assert!(slow.to_string().contains("without giving way"), "{slow}");
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_poll_is_reported_once_while_it_lasts() {
    let (builder, reports) = watched(5);
    let runtime = builder.build();
    let reports = runtime
        .block_on(async {
            reports.recv_timeout(LONG).unwrap();
            assert_eq!(
                reports.recv_timeout(Duration::from_millis(50)).unwrap_err(),
                RecvTimeoutError::Timeout
            );
            Ok(reports)
        })
        .unwrap();
    assert!(!reports.recv_timeout(LONG).unwrap().still_running);
    assert!(reports.try_recv().is_err());
}

#[test]
fn a_name_is_shown_as_far_as_there_is_room_and_a_nameless_task_by_its_number() {
    for (given, shown) in [(None, "Task-2"), (Some("ä".repeat(50)), &*"ä".repeat(32))] {
        let (builder, reports) = watched(5);
        let work = async move { Ok(reports.recv_timeout(LONG).unwrap().name) };
        let name = builder.build().block_on(async {
            match given {
                Some(given) => task(work).name(given).spawn().await,
                None => task(work).spawn().await,
            }
        });
        assert_eq!(name.unwrap(), shown);
    }
}

#[test]
fn of_nested_polls_the_innermost_is_reported_and_its_time_is_not_held_against_the_others() {
    let (builder, reports) = watched(50);
    let reports = builder
        .build()
        .block_on(async {
            let child = task(async move {
                let slow = reports.recv_timeout(LONG).unwrap();
                assert_eq!(slow.name, "child");
                Ok(reports)
            });
            child.name("child").eager().spawn().await
        })
        .unwrap();
    // The runtime is gone, and with it the hook.
    let rest: Vec<SlowPoll> = reports.iter().collect();
    let rest: Vec<_> = rest.iter().map(|slow| (&*slow.name, slow.still_running)).collect();
    assert_eq!(rest, [("child", false)]);
}

#[test]
fn a_runtime_that_sleeps_is_not_slow() {
    let (builder, reports) = watched(5);
    builder.build().block_on(sleep(Duration::from_millis(300))).unwrap();
    let slow: Vec<SlowPoll> = reports.iter().collect();
    // On a machine that is busy a poll may have been interrupted; but nothing took so long as the nap.
    assert!(slow.iter().all(|slow| slow.took < Duration::from_millis(300)), "{slow:?}");
}

#[test]
fn it_can_be_turned_off() {
    let (builder, reports) = watched(1);
    builder
        .slow_poll(None)
        .build()
        .block_on(async {
            std::thread::sleep(Duration::from_millis(20));
            yield_now().await
        })
        .unwrap();
    assert!(reports.recv().is_err(), "the hook is gone, and was never called");
}

#[test]
fn a_hook_that_panics_does_not_take_the_watchdog_with_it() {
    let (builder, _) = watched(1);
    let (called, panicked) = channel();
    let called = Mutex::new(called);
    let clumsy = builder
        .on_slow_poll(move |_| {
            called.lock().unwrap().send(()).unwrap_or_default();
            panic!("of no consequence");
        })
        .on_unhandled(|_| {})
        .build();
    clumsy.block_on(async { Ok(panicked.recv_timeout(LONG).unwrap()) }).unwrap();
    let (builder, reports) = watched(1);
    let report = builder.build().block_on(async move { Ok(reports.recv_timeout(LONG).unwrap()) });
    assert!(report.unwrap().still_running);
}

#[test]
fn runtimes_of_several_threads_are_watched_by_the_same_thread() {
    let threads: Vec<_> = (0..4)
        .map(|number| {
            std::thread::spawn(move || {
                let (builder, reports) = watched(5);
                let work = async move { Ok(reports.recv_timeout(LONG).unwrap().name) };
                let name = format!("worker {number}");
                let seen =
                    builder.build().block_on(async { task(work).name(name.clone()).spawn().await }).unwrap();
                assert_eq!(seen, name);
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}
