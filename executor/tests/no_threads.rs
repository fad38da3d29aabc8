//! The operating system starts no more threads. Its own process, for it is all of it that has no room for them.
//!
//! (Not under AddressSanitizer, which needs more address space than there is memory.)
#![cfg(all(target_os = "linux", not(homing_unpooled)))]

mod support;

use homing::blocking::BlockingOptions;
use homing::{Builder, spawn_blocking, timeout};
use std::sync::mpsc::channel;
use std::time::Duration;
use support::Reports;

const MIB: u64 = 1024 * 1024;
const STACK: u64 = 256 * MIB;

fn limit_address_space(limit: libc::rlim_t) -> libc::rlim_t {
    let mut before = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `before` is written to; both live as long as the calls.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_AS, &mut before), 0);
        let limited = libc::rlimit { rlim_cur: limit, ..before };
        assert_eq!(libc::setrlimit(libc::RLIMIT_AS, &limited), 0);
    }
    before.rlim_cur
}

/// How much of it is in use.
fn address_space() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').next().unwrap().parse::<u64>().unwrap() * 4096
}

#[test]
fn with_room_for_one_thread_all_jobs_are_run_by_that_one_and_the_refusal_is_reported_once() {
    let reports = Reports::default();
    let options = BlockingOptions::new().threads(8).stack_size(STACK as usize).keep_alive(Duration::ZERO);
    let runtime = Builder::new().blocking(options).on_unhandled(reports.hook()).build();
    runtime
        .run(timeout(Duration::from_secs(20), async {
            let (begin, began) = channel();
            let (end, ends) = channel::<()>();
            // Room for one stack, and not for two.
            let before = limit_address_space(address_space() + STACK + STACK / 2);
            let first = spawn_blocking(move || {
                let _ = begin.send(());
                Ok(ends.recv()?)
            });
            began.recv()?;
            let others: Vec<_> = (0..100).map(|number| spawn_blocking(move || Ok(number))).collect();
            homing::yield_now().await?;
            assert!(others.iter().all(|other| !other.is_finished()), "there is one thread, and it is busy");
            end.send(())?;
            first.await?;
            for (number, other) in others.into_iter().enumerate() {
                assert_eq!(other.await?, number);
            }
            reports.assert_one(&["os error 11", "thread for blocking jobs could not be started"]);

            // And if there is no room for any, each job says so.
            while runtime_has_threads() {
                homing::sleep(Duration::from_millis(1)).await?;
            }
            limit_address_space(address_space() + STACK / 2);
            assert!(spawn_blocking(|| Ok(())).await.is_err());

            limit_address_space(before);
            let (begin, began) = channel();
            let both: Vec<_> = (0..2)
                .map(|_| {
                    let begin = begin.clone();
                    spawn_blocking(move || Ok(begin.send(std::thread::current().id())?))
                })
                .collect();
            for job in both {
                job.await?;
            }
            assert_eq!(began.try_iter().count(), 2);
            Ok(())
        }))
        .unwrap();
    reports.assert_none();
}

/// Whether any thread of the pool is there.
fn runtime_has_threads() -> bool {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let mut names =
        threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok());
    names.any(|name| name.starts_with("homing-job"))
}
