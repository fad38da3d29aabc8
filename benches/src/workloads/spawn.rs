//! Spawning: from the call to the moment when the spawner has the end of the task in hand, for tasks that do nothing.
//!
//! Moved by: the allocation and initialisation of a task, the ready queue, what is done at a task's end, how a handle
//! looks at it. With ten thousand at once the cache misses count; with one at a time, what the loop does in each turn.

use crate::contender::Contender;
use crate::workload::{Workload, in_a_task};
use std::time::{Duration, Instant};

/// Ten thousand tasks are spawned, then awaited in that order.
pub(crate) struct Join;

impl Workload for Join {
    const NAME: &'static str = "spawn-join";
    const OPERATIONS: u32 = 10_000;

    fn round<C: Contender>(contender: &C) -> Duration {
        in_a_task(contender, async {
            let mut handles = Vec::with_capacity(Self::OPERATIONS as usize);
            let begin = Instant::now();
            for _ in 0..Self::OPERATIONS {
                handles.push(C::spawn(async {}));
            }
            for handle in handles {
                C::join(handle).await;
            }
            begin.elapsed()
        })
    }
}

/// One task is spawned and awaited, then the next one.
pub(crate) struct One;

impl Workload for One {
    const NAME: &'static str = "spawn-one";
    const OPERATIONS: u32 = 10_000;

    fn round<C: Contender>(contender: &C) -> Duration {
        in_a_task(contender, async {
            let begin = Instant::now();
            for _ in 0..Self::OPERATIONS {
                C::join(C::spawn(async {})).await;
            }
            begin.elapsed()
        })
    }
}

/// The same with an eager start: the task is over before its handle is there. Runtimes without eager start queue it.
pub(crate) struct Eager;

impl Workload for Eager {
    const NAME: &'static str = "spawn-eager";
    const OPERATIONS: u32 = 10_000;

    fn round<C: Contender>(contender: &C) -> Duration {
        in_a_task(contender, async {
            let begin = Instant::now();
            for _ in 0..Self::OPERATIONS {
                C::join(C::spawn_eager(async {})).await;
            }
            begin.elapsed()
        })
    }
}
