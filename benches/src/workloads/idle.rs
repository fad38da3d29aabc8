//! Idleness: how often a runtime wakes up that has nothing to do.
//!
//! Its thread waits in `block_on`, with a thousand parked tasks and a timer that is hours away. A watcher
//! looks, by what the kernel has noted down, how often any thread of the process went to sleep anew, and how
//! long it was on a CPU. A runtime that ticks or polls shows here; one that waits in the kernel shows zero,
//! and zero.

use crate::proc::Noted;
use crate::runtime::{Ability, Runtime};
use crate::slot::Slot;
use crate::workload::{Figures, Limit, Metric, Place, Scale, Workload};
use futures_util::task::AtomicWaker;
use std::future::poll_fn;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A runtime with nothing to do.
pub(crate) struct Idle;

/// Until then the runtime has gone to sleep.
const SETTLED: Duration = Duration::from_millis(100);

fn watched(scale: Scale) -> Duration {
    Duration::from_millis(scale.pick(2_000, 300, 5))
}

impl Workload for Idle {
    const NAME: &'static str = "idle";
    const ABOUT: &'static str =
        "1,000 parked tasks and a timer that is hours away: what the process does meanwhile";
    const METRICS: &'static [Metric] =
        &[Metric::named("wake-ups", "per second"), Metric::named("cpu", "µs per second")];
    const NEEDS: &'static [Ability] = &[Ability::Spawn, Ability::Sleep, Ability::RemoteWake, Ability::Park];
    const PLACE: Place = Place::Apart;

    const LIMIT: Option<Limit> = Some(Limit {
        about: "a thread that is parked",
        round: |scale| {
            let idle = thread::current();
            let (over, watcher) = watch(scale, move || idle.unpark());
            while !over.load(Ordering::Acquire) {
                thread::park();
            }
            watcher.join().expect("the watcher saw everything")
        },
    });

    fn round<R: Runtime>(runtime: &R, scale: Scale) -> Figures {
        let main = Arc::new(AtomicWaker::new());
        let (over, watcher) = watch(scale, {
            let main = main.clone();
            move || main.wake()
        });
        let inside = runtime.clone();
        runtime.block_on(async move {
            for _ in 0..1_000 {
                // A channel's receiver: something that keeps the task's waker.
                let slot = Slot::default();
                R::detach(inside.spawn(async move {
                    let _ = slot.receive().await;
                }));
            }
            R::detach(inside.spawn(async { drop(R::sleep(Duration::from_secs(7_200)).await) }));
            poll_fn(|cx| {
                main.register(cx.waker());
                if over.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        });
        // A thousand tasks that are still there are of no interest.
        mem::forget(runtime.clone());
        watcher.join().expect("the watcher saw everything")
    }
}

/// Watches what the other threads do for a while; then says that it is over, and wakes them.
fn watch(scale: Scale, wake: impl FnOnce() + Send + 'static) -> (Arc<AtomicBool>, JoinHandle<Figures>) {
    let over = Arc::new(AtomicBool::new(false));
    let say = over.clone();
    let watcher = thread::spawn(move || {
        thread::sleep(SETTLED);
        let before = Noted::about_the_others();
        thread::sleep(watched(scale));
        let after = Noted::about_the_others();
        say.store(true, Ordering::Release);
        wake();
        let seconds = watched(scale).as_secs_f64();
        let cpu = (after.cpu - before.cpu).as_nanos() as f64 / 1e3;
        vec![(after.sleeps - before.sleeps) as f64 / seconds, cpu / seconds]
    });
    (over, watcher)
}
