//! Idleness: how often a runtime wakes up that has nothing to do.
//!
//! Its thread waits in `block_on`, with a thousand parked tasks and a timer that is hours away. Another thread looks, by
//! what the kernel has noted down, how often the first one went to sleep anew in two seconds, and how long it was on a
//! CPU. A runtime that ticks or polls shows here; one that waits in the kernel shows zero, and zero.

use crate::contender::Contender;
use crate::contenders::{Homing, Visitor, visit_all};
use std::cell::Cell;
use std::fs;
use std::future::{pending, poll_fn};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

const WATCHED: Duration = Duration::from_secs(2);
/// Until then the runtime has gone to sleep.
const SETTLED: Duration = Duration::from_millis(200);

/// Watches each contender. Fails if homing woke up.
pub(crate) fn watch_all() -> ExitCode {
    let mut watch = Watch { homing_slept_through: true };
    visit_all(&mut watch);
    if watch.homing_slept_through { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Watch {
    homing_slept_through: bool,
}

impl Visitor for Watch {
    fn visit<C: Contender>(&mut self) {
        let seen = watch::<C>();
        println!("{:<8} {} wake-ups, {} ns of CPU in {WATCHED:?}", C::NAME, seen.sleeps, seen.cpu_nanos);
        if C::NAME == Homing::NAME {
            self.homing_slept_through = seen.sleeps == 0;
        }
    }
}

fn watch<C: Contender>() -> Noted {
    let contender = C::new();
    let me = Path::new("/proc")
        .join(fs::read_link("/proc/thread-self").expect("wake-ups are read from Linux' /proc"));
    let over = Arc::new(AtomicBool::new(false));
    let mut watcher = None;
    contender.block_on(async {
        for _ in 0..1_000 {
            drop(C::spawn(pending()));
        }
        drop(C::spawn(async { drop(C::sleep(Duration::from_secs(7200)).await) }));
        let started = Cell::new(false);
        poll_fn(|cx| {
            if !started.replace(true) {
                let (me, over, waker) = (me.clone(), over.clone(), cx.waker().clone());
                watcher = Some(thread::spawn(move || look_twice(&me, &over, waker)));
            }
            if over.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    });
    // A thousand tasks that are still there are of no interest.
    std::mem::forget(contender);
    watcher.expect("started in the first poll").join().expect("the watcher saw everything")
}

/// On the other thread.
fn look_twice(thread: &Path, over: &AtomicBool, waker: Waker) -> Noted {
    thread::sleep(SETTLED);
    let before = Noted::about(thread);
    thread::sleep(WATCHED);
    let after = Noted::about(thread);
    over.store(true, Ordering::Release);
    waker.wake();
    Noted { sleeps: after.sleeps - before.sleeps, cpu_nanos: after.cpu_nanos - before.cpu_nanos }
}

/// What the kernel has noted down about a thread.
struct Noted {
    /// How often it has given up the CPU to wait for something.
    sleeps: u64,
    cpu_nanos: u64,
}

impl Noted {
    fn about(thread: &Path) -> Noted {
        let read = |file: &str| fs::read_to_string(thread.join(file)).expect("the thread is there");
        let (status, schedule) = (read("status"), read("schedstat"));
        let sleeps = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")?.trim().parse().ok());
        let cpu = schedule.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
        Noted {
            sleeps: sleeps.expect("a number of switches"),
            cpu_nanos: cpu.expect("a number of nanoseconds"),
        }
    }
}
