//! A runtime with nothing to do costs nothing.
#![cfg(target_os = "linux")]

mod support;

use homing::Runtime;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::thread;
use std::time::Duration;
use support::{forever, yields};

/// They count what the whole process has, so one at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How often the calling thread has gone to sleep of its own accord.
fn times_slept() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The processor time that the calling thread has used.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is written to, and lives as long as the call.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Sees to it that a thread with nothing to do but to sleep for a while does nothing else.
async fn sleep_and_watch() -> homing::Result<()> {
    let before = (times_slept(), cpu_time());
    homing::sleep(Duration::from_millis(300)).await?;
    let (slept, used) = (times_slept() - before.0, cpu_time() - before.1);
    // Once for the sleep, and a few for reading the file.
    assert!(slept <= 5, "it has slept {slept} times in 300 ms");
    assert!(used < Duration::from_millis(30), "it has used {used:?} in 300 ms");
    Ok(())
}

#[test]
fn an_idle_runtime_sleeps_and_does_not_tick() {
    let _alone = alone();
    let runtime = Runtime::new();
    runtime
        .block_on(async {
            for _ in 0..100 {
                drop(homing::spawn(async { forever().await }));
                drop(homing::spawn(async { homing::sleep(Duration::from_secs(3600)).await }));
            }
            yields(3).await?;
            sleep_and_watch().await
        })
        .unwrap();
    drop(runtime.run(async { Ok(()) }));
}

#[test]
fn after_a_flood_of_wakes_from_another_thread_it_sleeps_again() {
    let _alone = alone();
    Runtime::new()
        .block_on(async {
            let over = Arc::new(AtomicBool::new(false));
            let mut flood = None;
            poll_fn(|cx| {
                flood.get_or_insert_with(|| {
                    let (waker, over) = (cx.waker().clone(), over.clone());
                    thread::spawn(move || {
                        (0..20_000).for_each(|_| waker.wake_by_ref());
                        over.store(true, Ordering::Relaxed);
                        waker.wake();
                    })
                });
                if over.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            homing::sleep(Duration::from_millis(10)).await?;
            sleep_and_watch().await
        })
        .unwrap();
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn a_runtime_that_never_sleeps_opens_no_descriptor() {
    let _alone = alone();
    let before = descriptors();
    let runtime = Runtime::new();
    runtime
        .block_on(async {
            let task = homing::spawn(async { yields(200).await });
            task.await?;
            assert_eq!(descriptors(), before);
            Ok(())
        })
        .unwrap();
}

#[test]
fn runtimes_give_their_descriptors_back() {
    let _alone = alone();
    let before = descriptors();
    for _ in 0..100 {
        Runtime::new().block_on(homing::sleep(Duration::from_micros(10))).unwrap();
    }
    assert_eq!(descriptors(), before);
}
