//! Giving way: a task that is ready goes to the end of the line, and comes to its turn again.
//!
//! Moved by: the ready queue, a turn's fixed work (one task), the size of what a poll touches (a thousand
//! tasks), the waker. Not by: spawning, which is done before, nor by joining, since the last task to end
//! reads the clock.

use crate::bare::{self, boxed};
use crate::runtime::{Ability, Runtime, common_yield};
use crate::slot::Slot;
use crate::workload::{Figures, Limit, Metric, Scale, Workload, nanos_each};
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The runtime's own yield, by so many tasks in turn.
pub(crate) struct Own<const TASKS: u32>;

impl<const TASKS: u32> Workload for Own<TASKS> {
    const NAME: &'static str = if TASKS == 1 { "yield-own-1" } else { "yield-own-1000" };
    const ABOUT: &'static str = if TASKS == 1 {
        "one task gives way, the runtime's way"
    } else {
        "1,000 tasks give way, the runtime's way"
    };
    const METRICS: &'static [Metric] = &[Metric::only("ns/yield")];
    const NEEDS: &'static [Ability] = &[Ability::Spawn];
    const LIMIT: Option<Limit> = Some(limit::<TASKS>());

    fn operations(scale: Scale) -> Option<u32> {
        Some(yields(scale))
    }

    fn round<R: Runtime>(runtime: &R, scale: Scale) -> Figures {
        let took = side_by_side(runtime, TASKS, yields(scale), async || drop(R::yield_now().await));
        nanos_each(took, yields(scale))
    }
}

/// The yield that works anywhere, the same code for all: wakes its own waker and is pending once.
pub(crate) struct Common<const TASKS: u32>;

impl<const TASKS: u32> Workload for Common<TASKS> {
    const NAME: &'static str = if TASKS == 1 { "yield-common-1" } else { "yield-common-1000" };
    const ABOUT: &'static str = if TASKS == 1 {
        "one task wakes its own waker and is pending once, again and again"
    } else {
        "1,000 tasks wake their own wakers and are pending once, again and again"
    };
    const METRICS: &'static [Metric] = &[Metric::only("ns/yield")];
    const NEEDS: &'static [Ability] = &[Ability::Spawn];
    const LIMIT: Option<Limit> = Some(limit::<TASKS>());

    fn operations(scale: Scale) -> Option<u32> {
        Some(yields(scale))
    }

    fn round<R: Runtime>(runtime: &R, scale: Scale) -> Figures {
        nanos_each(side_by_side(runtime, TASKS, yields(scale), common_yield), yields(scale))
    }
}

fn yields(scale: Scale) -> u32 {
    scale.pick(20_000, 20_000, 2_000)
}

/// Lets `tasks` tasks share the yields.
fn side_by_side<R: Runtime, Y>(runtime: &R, tasks: u32, yields: u32, give_way: Y) -> Duration
where
    Y: AsyncFn() + Clone + 'static,
{
    let inside = runtime.clone();
    runtime.block_on(async move {
        let done = Rc::new(Slot::default());
        let left = Rc::new(Cell::new(tasks));
        let began = Rc::new(Cell::new(None));
        for _ in 0..tasks {
            let (give_way, done, left, began) = (give_way.clone(), done.clone(), left.clone(), began.clone());
            R::detach(inside.spawn(async move {
                // The first one to be polled: all have been spawned.
                let begin: Instant = began.get().unwrap_or_else(Instant::now);
                began.set(Some(begin));
                for _ in 0..yields / tasks {
                    give_way().await;
                }
                left.set(left.get() - 1);
                if left.get() == 0 {
                    done.send(begin.elapsed().as_nanos() as u32);
                }
            }));
        }
        Duration::from_nanos(u64::from(done.receive().await))
    })
}

const fn limit<const TASKS: u32>() -> Limit {
    Limit {
        about: "boxed futures, polled in turn",
        round: |scale| {
            let give_way = async move |times| {
                for _ in 0..times {
                    common_yield().await;
                }
            };
            let mut futures: Vec<_> = (0..TASKS).map(|_| boxed(give_way(yields(scale) / TASKS))).collect();
            let begin = Instant::now();
            let mut left = TASKS;
            while left > 0 {
                left -= futures.iter_mut().map(|future| u32::from(bare::poll(future))).sum::<u32>();
            }
            nanos_each(begin.elapsed(), yields(scale))
        },
    }
}
