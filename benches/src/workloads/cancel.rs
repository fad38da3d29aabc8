//! Cancelling: ten thousand tasks fall asleep and are told to end.
//!
//! Moved by: what a cancel does to find the task's await, whether the task is polled once more or its future
//! dropped where it lies, the disarming of its timer, the join. The spawn and the arming are in the figure
//! too.

use crate::arrivals::Arrivals;
use crate::bare::{self, boxed};
use crate::runtime::{Ability, Runtime};
use crate::scatter::hours_away;
use crate::workload::{Figures, Limit, Metric, Scale, Workload, in_a_task, nanos_each};
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::pending;
use std::hint::black_box;
use std::rc::Rc;
use std::time::Instant;

/// Ten thousand tasks are spawned, fall asleep, are cancelled, and are awaited.
pub(crate) struct Sleepers;

fn sleepers(scale: Scale) -> u32 {
    scale.pick(10_000, 10_000, 10)
}

impl Workload for Sleepers {
    const NAME: &'static str = "cancel-sleepers";
    const ABOUT: &'static str = "10,000 tasks are spawned, fall asleep, are cancelled, and are awaited";
    const METRICS: &'static [Metric] = &[Metric::only("ns/task")];
    const NEEDS: &'static [Ability] = &[Ability::Spawn, Ability::Join, Ability::Cancel, Ability::Sleep];
    const LIMIT: Option<Limit> = Some(Limit {
        about: "boxed futures, polled once, that push on a BinaryHeap of deadlines; all of it dropped",
        round: |scale| {
            let begin = Instant::now();
            let deadlines = Rc::new(RefCell::new(BinaryHeap::new()));
            let mut futures: Vec<_> =
                (0..sleepers(scale)).map(|number| boxed(filed(deadlines.clone(), number))).collect();
            futures.iter_mut().for_each(|future| assert!(!bare::poll(future)));
            drop(futures);
            drop(black_box(deadlines));
            nanos_each(begin.elapsed(), sleepers(scale))
        },
    });

    fn operations(scale: Scale) -> Option<u32> {
        Some(sleepers(scale))
    }

    fn round<R: Runtime>(runtime: &R, scale: Scale) -> Figures {
        let took = in_a_task(runtime, async move |runtime: R| {
            let asleep = Rc::new(Arrivals::default());
            let mut handles = Vec::with_capacity(sleepers(scale) as usize);
            let begin = Instant::now();
            for number in 0..sleepers(scale) {
                let asleep = asleep.clone();
                handles.push(runtime.spawn(async move {
                    asleep.arrive();
                    // Where a cancel is a value, this is it; elsewhere the future is dropped here.
                    drop(R::sleep(hours_away(number)).await);
                }));
            }
            asleep.reach(sleepers(scale) as usize).await;
            R::cancel_all(handles).await;
            begin.elapsed()
        });
        nanos_each(took, sleepers(scale))
    }
}

type Deadlines = BinaryHeap<Reverse<(Instant, u32)>>;

/// A sleep that nobody wakes.
async fn filed(deadlines: Rc<RefCell<Deadlines>>, number: u32) {
    deadlines.borrow_mut().push(Reverse((Instant::now() + hours_away(number), number)));
    pending::<()>().await;
}
