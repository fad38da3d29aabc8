//! Spawning: from the call to the moment when the spawner has the end of the task in hand, for tasks that do
//! nothing.
//!
//! Moved by: the allocation and initialisation of a task, the ready queue, what is done at a task's end, how
//! a handle looks at it. With ten thousand at once the cache misses count; with one at a time, what the loop
//! does in each turn, and, from the root, what it takes to get from the future that is blocked on to a task
//! and back.

use crate::bare::{self, boxed};
use crate::runtime::Runtime;
use crate::workload::{Figures, Limit, Metric, Scale, Workload, in_a_task, nanos_each};
use std::time::{Duration, Instant};

/// Ten thousand tasks are spawned, then awaited in that order.
pub(crate) struct Join;

fn many(scale: Scale) -> u32 {
    scale.pick(10_000, 10_000, 10)
}

impl Workload for Join {
    const NAME: &'static str = "spawn-join";
    const ABOUT: &'static str = "10,000 tasks are spawned, then awaited in that order";
    const METRICS: &'static [Metric] = &[Metric::only("ns/task")];
    const LIMIT: Option<Limit> = Some(Limit {
        about: "a vector of boxed futures, polled once each, dropped",
        round: |scale| {
            let begin = Instant::now();
            let futures: Vec<_> = (0..many(scale)).map(|_| boxed(async {})).collect();
            for mut future in futures {
                assert!(bare::poll(&mut future));
            }
            nanos_each(begin.elapsed(), many(scale))
        },
    });

    fn operations(scale: Scale) -> Option<u32> {
        Some(many(scale))
    }

    fn round<R: Runtime>(runtime: &R, scale: Scale) -> Figures {
        let took = in_a_task(runtime, async move |runtime: R| {
            let mut handles = Vec::with_capacity(many(scale) as usize);
            let begin = Instant::now();
            for _ in 0..many(scale) {
                handles.push(runtime.spawn(async {}));
            }
            for handle in handles {
                R::join(handle).await;
            }
            begin.elapsed()
        });
        nanos_each(took, many(scale))
    }
}

/// One task is spawned and awaited, then the next one, by a task.
pub(crate) struct OneFromTask;

impl Workload for OneFromTask {
    const NAME: &'static str = "spawn-one-task";
    const ABOUT: &'static str = "a task spawns one task and awaits it, again and again";
    const METRICS: &'static [Metric] = &[Metric::only("ns/task")];
    const LIMIT: Option<Limit> = Some(ONE_LIMIT);

    fn operations(scale: Scale) -> Option<u32> {
        Some(many(scale))
    }

    fn round<R: Runtime>(runtime: &R, scale: Scale) -> Figures {
        let took = in_a_task(runtime, async move |runtime| one_by_one(&runtime, scale).await);
        nanos_each(took, many(scale))
    }
}

/// The same by the future that the runtime blocks on.
pub(crate) struct OneFromRoot;

impl Workload for OneFromRoot {
    const NAME: &'static str = "spawn-one-root";
    const ABOUT: &'static str =
        "the future that is blocked on spawns one task and awaits it, again and again";
    const METRICS: &'static [Metric] = &[Metric::only("ns/task")];
    const LIMIT: Option<Limit> = Some(ONE_LIMIT);

    fn operations(scale: Scale) -> Option<u32> {
        Some(many(scale))
    }

    fn round<R: Runtime>(runtime: &R, scale: Scale) -> Figures {
        let inside = runtime.clone();
        let took = runtime.block_on(async move { one_by_one(&inside, scale).await });
        nanos_each(took, many(scale))
    }
}

async fn one_by_one<R: Runtime>(runtime: &R, scale: Scale) -> Duration {
    let begin = Instant::now();
    for _ in 0..many(scale) {
        R::join(runtime.spawn(async {})).await;
    }
    begin.elapsed()
}

const ONE_LIMIT: Limit = Limit {
    about: "a boxed future, polled once, dropped",
    round: |scale| {
        let begin = Instant::now();
        for _ in 0..many(scale) {
            assert!(bare::poll(&mut boxed(async {})));
        }
        nanos_each(begin.elapsed(), many(scale))
    },
};

/// One task with an eager start: it is over before its handle is there. Runtimes without eager start queue
/// it.
pub(crate) struct Eager;

impl Workload for Eager {
    const NAME: &'static str = "spawn-eager";
    const ABOUT: &'static str =
        "a task spawns one task that is over at its first poll, inside the spawn, and awaits it";
    const METRICS: &'static [Metric] = &[Metric::only("ns/task")];
    const LIMIT: Option<Limit> = Some(ONE_LIMIT);

    fn operations(scale: Scale) -> Option<u32> {
        Some(many(scale))
    }

    fn round<R: Runtime>(runtime: &R, scale: Scale) -> Figures {
        let took = in_a_task(runtime, async move |runtime: R| {
            let begin = Instant::now();
            for _ in 0..many(scale) {
                R::join(runtime.spawn_eager(async {})).await;
            }
            begin.elapsed()
        });
        nanos_each(took, many(scale))
    }
}
