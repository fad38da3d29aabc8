//! Memory: what the process grows by for a task that waits and does nothing, its future included.
//!
//! Moved by: the size of a task's header, the allocator's share, lists that grow with the number of tasks.
//! Resident memory (RSS) after a million spawns, minus that before, in a fresh process for each runtime.

use crate::arrivals::Arrivals;
use crate::bare::{self, boxed};
use crate::proc::resident_bytes;
use crate::runtime::{Ability, Runtime};
use crate::workload::{Figures, Limit, Metric, Place, Scale, Workload};
use std::mem;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// So many are spawned at once, lest the queues through which new tasks go count for more than the tasks.
const AT_ONCE: usize = 1_000;

/// A million tasks that wait.
pub(crate) struct IdleTasks;

fn tasks(scale: Scale) -> usize {
    scale.pick(1_000_000, 200_000, AT_ONCE)
}

impl Workload for IdleTasks {
    const NAME: &'static str = "memory";
    const ABOUT: &'static str =
        "1,000,000 tasks (quick: 200,000) that wait, each with a future of 64 bytes: growth of RSS";
    const METRICS: &'static [Metric] = &[Metric::only("bytes/task")];
    const NEEDS: &'static [Ability] = &[Ability::Spawn];
    const PLACE: Place = Place::Apart;
    const LIMIT: Option<Limit> = Some(Limit {
        about: "a boxed future, and its place in a vector",
        round: |scale| {
            let parked = Rc::new(Arrivals::default());
            let before = resident_bytes();
            let mut futures: Vec<_> = (0..tasks(scale)).map(|_| boxed(Idle::new(&parked))).collect();
            futures.iter_mut().for_each(|future| assert!(!bare::poll(future)));
            let grown = resident_bytes() - before;
            mem::forget(futures);
            vec![grown as f64 / tasks(scale) as f64]
        },
    });

    fn round<R: Runtime>(runtime: &R, scale: Scale) -> Figures {
        let parked = Rc::new(Arrivals::default());
        // A first batch, so that what is made once is there.
        spawn_idle(runtime, 0..AT_ONCE, &parked);
        let before = resident_bytes();
        spawn_idle(runtime, AT_ONCE..AT_ONCE + tasks(scale), &parked);
        let grown = resident_bytes() - before;
        // A million destructors are of no interest.
        mem::forget(runtime.clone());
        vec![grown as f64 / tasks(scale) as f64]
    }
}

/// Spawns these of all tasks, and sees each of them polled once.
fn spawn_idle<R: Runtime>(runtime: &R, tasks: Range<usize>, parked: &Rc<Arrivals>) {
    let (inside, parked) = (runtime.clone(), parked.clone());
    runtime.block_on(async move {
        for already in tasks.step_by(AT_ONCE) {
            for _ in 0..AT_ONCE {
                R::detach(inside.spawn(Idle::new(&parked)));
            }
            parked.reach(already + AT_ONCE).await;
        }
    });
}

/// A future of 64 bytes that never ends. It keeps its waker, as whoever waits for something does: a task that
/// nothing can wake any more may be gone at once.
struct Idle {
    parked: Rc<Arrivals>,
    waker: Option<Waker>,
    _ballast: [u64; 5],
}

impl Idle {
    fn new(parked: &Rc<Arrivals>) -> Idle {
        Idle { parked: parked.clone(), waker: None, _ballast: [0; 5] }
    }
}

const _: () = assert!(size_of::<Idle>() == 64);

impl Future for Idle {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.waker = Some(cx.waker().clone());
        self.parked.arrive();
        Poll::Pending
    }
}
