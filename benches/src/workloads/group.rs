//! Many children of one task that give way once: spawned, waited for, gone.
//!
//! Moved by: what a spawn costs and what the scope adds to it: entering and leaving the list of children,
//! noticing the last one's end, and, where each child's end is collected one by one, that.

use crate::bare::{element, poll_pinned};
use crate::runtime::{Ability, Runtime, common_yield};
use crate::workload::{Figures, Limit, Metric, Scale, Workload, in_a_task, nanos_each};
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::hint::black_box;
use std::time::Instant;

const CHILDREN: u32 = 100;

fn groups(scale: Scale) -> u32 {
    scale.pick(50, 50, 2)
}

const LIMIT: Limit = Limit {
    about: "futures side by side in memory, polled twice each, dropped",
    round: |scale| {
        let begin = Instant::now();
        for _ in 0..groups(scale) {
            let children: Box<[_]> = (0..CHILDREN).map(|_| common_yield()).collect();
            let mut children = black_box(Box::into_pin(children));
            for done in [false, true] {
                for index in 0..children.len() {
                    assert_eq!(poll_pinned(element(children.as_mut(), index)).is_ready(), done);
                }
            }
        }
        nanos_each(begin.elapsed(), groups(scale) * CHILDREN)
    },
};

/// In the runtime's own idiom.
pub(crate) struct Children;

impl Workload for Children {
    const NAME: &'static str = "group-100";
    const ABOUT: &'static str =
        "100 children that give way once, in the runtime's own idiom: spawned, waited for";
    const METRICS: &'static [Metric] = &[Metric::only("ns/child")];
    const NEEDS: &'static [Ability] = &[Ability::Group];
    const LIMIT: Option<Limit> = Some(LIMIT);

    fn operations(scale: Scale) -> Option<u32> {
        Some(groups(scale) * CHILDREN)
    }

    fn round<R: Runtime>(runtime: &R, scale: Scale) -> Figures {
        let took = in_a_task(runtime, async move |runtime: R| {
            let begin = Instant::now();
            for _ in 0..groups(scale) {
                runtime.group(CHILDREN as usize, common_yield).await;
            }
            begin.elapsed()
        });
        nanos_each(took, groups(scale) * CHILDREN)
    }
}

/// In everybody's idiom: a `FuturesUnordered` of handles.
pub(crate) struct Unordered;

impl Workload for Unordered {
    const NAME: &'static str = "group-100-unordered";
    const ABOUT: &'static str = "the same, with the handles collected in a FuturesUnordered";
    const METRICS: &'static [Metric] = &[Metric::only("ns/child")];
    const LIMIT: Option<Limit> = Some(LIMIT);

    fn operations(scale: Scale) -> Option<u32> {
        Some(groups(scale) * CHILDREN)
    }

    fn round<R: Runtime>(runtime: &R, scale: Scale) -> Figures {
        let took = in_a_task(runtime, async move |runtime: R| {
            let begin = Instant::now();
            for _ in 0..groups(scale) {
                let mut children: FuturesUnordered<_> =
                    (0..CHILDREN).map(|_| R::join(runtime.spawn(common_yield()))).collect();
                while children.next().await.is_some() {}
            }
            begin.elapsed()
        });
        nanos_each(took, groups(scale) * CHILDREN)
    }
}
