//! Giving way: a task that is ready goes to the end of the line, and comes to its turn again.
//!
//! Moved by: the ready queue, a turn's fixed work (one task), the size of what a poll touches (a thousand tasks), the
//! waker. Not by: spawning, which happens before or once in twenty yields.

use crate::contender::Contender;
use crate::workload::{Workload, in_a_task};
use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};

const YIELDS: u32 = 20_000;

/// The runtime's own yield, by so many tasks in turn.
pub(crate) struct Own<const TASKS: u32>;

impl<const TASKS: u32> Workload for Own<TASKS> {
    const NAME: &'static str = if TASKS == 1 { "yield-own-1" } else { "yield-own-1000" };
    const OPERATIONS: u32 = YIELDS;

    fn round<C: Contender>(contender: &C) -> Duration {
        in_a_task(contender, side_by_side::<C, _>(TASKS, async || drop(C::yield_now().await)))
    }
}

/// The yield that works anywhere, the same code for all: wakes its own waker and is pending once.
pub(crate) struct Common<const TASKS: u32>;

impl<const TASKS: u32> Workload for Common<TASKS> {
    const NAME: &'static str = if TASKS == 1 { "yield-common-1" } else { "yield-common-1000" };
    const OPERATIONS: u32 = YIELDS;

    fn round<C: Contender>(contender: &C) -> Duration {
        in_a_task(contender, side_by_side::<C, _>(TASKS, common_yield))
    }
}

/// Lets `tasks` tasks share the yields.
async fn side_by_side<C: Contender, Y>(tasks: u32, give_way: Y) -> Duration
where
    Y: AsyncFn() + Clone + 'static,
{
    let spawn = |_| {
        let give_way = give_way.clone();
        C::spawn(async move {
            for _ in 0..YIELDS / tasks {
                give_way().await;
            }
        })
    };
    let handles: Vec<C::Handle> = (0..tasks).map(spawn).collect();
    let begin = Instant::now();
    for handle in handles {
        C::join(handle).await;
    }
    begin.elapsed()
}

async fn common_yield() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
