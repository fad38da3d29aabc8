//! A process that is suspended (SIGSTOP, a laptop's lid) and goes on later: what has become due in the meantime.
#![cfg(target_os = "linux")]

use homing::time::{Instant, MissedTicks, interval};
use homing::{sleep, spawn, timeout};
use std::cell::{Cell, RefCell};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

const CHILD: &str = "HOMING_TEST_STOPPED";
const STOPPED: Duration = Duration::from_millis(600);

/// Runs one test of this file once more, in a process that is stopped as soon as it says `ready`, for as long as [`STOPPED`].
fn in_a_process_that_is_stopped(test: &str, in_the_child: impl FnOnce()) {
    if std::env::var_os(CHILD).is_some() {
        return in_the_child();
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let id = child.id() as libc::pid_t;
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(|line| line.unwrap());
    assert!(lines.any(|line| line.ends_with("ready")), "the child has begun");
    // SAFETY: system calls without pointers, on a child that nobody has waited for.
    unsafe {
        assert_eq!(libc::kill(id, libc::SIGSTOP), 0);
        std::thread::sleep(STOPPED);
        assert_eq!(libc::kill(id, libc::SIGCONT), 0);
    }
    let told: Vec<String> = lines.collect();
    assert!(child.wait().unwrap().success(), "{told:#?}");
    assert!(told.iter().any(|line| line.contains("1 passed")), "{told:#?}");
}

/// Says so, and waits until the process has been stopped and goes on: time has made a leap.
async fn until_it_goes_on() -> homing::Result<()> {
    // The others begin to wait first.
    sleep(Duration::from_millis(1)).await?;
    // Before it says so: the signal may come in this very moment.
    let mut before = Instant::now();
    println!("ready");
    let patience = before + Duration::from_secs(60);
    loop {
        assert!(before < patience, "nobody has stopped the process");
        sleep(Duration::from_millis(1)).await?;
        if before.elapsed() > STOPPED / 2 {
            return Ok(());
        }
        before = Instant::now();
    }
}

#[test]
fn overdue_timers_fire_once_each_in_the_order_of_their_deadlines() {
    in_a_process_that_is_stopped("overdue_timers_fire_once_each_in_the_order_of_their_deadlines", || {
        homing::run(async {
            let fired = Rc::new(RefCell::new(Vec::new()));
            // Armed in another order than they become due in. The process is stopped long before the first.
            let tasks: Vec<_> = [5, 1, 4, 2, 3]
                .map(|place| {
                    let fired = fired.clone();
                    spawn(async move {
                        sleep(STOPPED / 2 + Duration::from_millis(20 * place)).await?;
                        fired.borrow_mut().push(place);
                        Ok(())
                    })
                })
                .into();
            until_it_goes_on().await?;
            for task in tasks {
                task.await?;
            }
            assert_eq!(*fired.borrow(), [1, 2, 3, 4, 5]);
            // And later ones go on as if nothing had been.
            let begin = Instant::now();
            sleep(Duration::from_millis(5)).await?;
            assert!(begin.elapsed() >= Duration::from_millis(5));
            Ok(())
        })
        .unwrap();
    });
}

#[test]
fn intervals_do_with_the_ticks_that_were_missed_what_they_were_told_to() {
    in_a_process_that_is_stopped(
        "intervals_do_with_the_ticks_that_were_missed_what_they_were_told_to",
        || {
            homing::run(async {
                const PERIOD: Duration = Duration::from_millis(10);
                let goes_on_at: Rc<Cell<Option<Instant>>> = Rc::default();
                // The longest time between two ticks, by when they were due.
                let longest = |missed: MissedTicks| {
                    let goes_on_at = goes_on_at.clone();
                    spawn(async move {
                        let mut ticks = interval(PERIOD).missed_ticks(missed);
                        let (mut before, mut longest) = (ticks.tick().await?, Duration::ZERO);
                        while goes_on_at.get().is_none_or(|goes_on| before < goes_on) {
                            let due = ticks.tick().await?;
                            longest = longest.max(due - before);
                            before = due;
                        }
                        Ok(longest)
                    })
                };
                let (all, some) = (longest(MissedTicks::Burst), longest(MissedTicks::Skip));
                until_it_goes_on().await?;
                goes_on_at.set(Some(Instant::now()));
                assert_eq!(all.await?, PERIOD, "those that were missed came afterwards");
                assert!(some.await? > STOPPED / 2, "those that were missed were skipped");
                Ok(())
            })
            .unwrap();
        },
    );
}

#[test]
fn a_timeout_and_a_sleep_in_it_that_are_both_overdue_are_a_timeout() {
    in_a_process_that_is_stopped("a_timeout_and_a_sleep_in_it_that_are_both_overdue_are_a_timeout", || {
        homing::run(async {
            let begin = Instant::now();
            let outcome = timeout(STOPPED / 2, until_it_goes_on()).await;
            assert!(outcome.unwrap_err().is_timeout(), "a cancel wins over what was not seen yet (CX-7)");
            assert!(begin.elapsed() >= STOPPED / 2);
            Ok(())
        })
        .unwrap();
    });
}
