//! Waking, on one thread: from one task's `Waker::wake` to the next task's poll.
//!
//! Moved by: the waker's layout, whether cloning and dropping it counts anything, the ready queue, a turn's fixed work;
//! with a thousand tasks, by the cache lines that a wake and a poll touch. Not by: the size of the task.
//!
//! All runtimes use the same channel, which is ours and knows none of them.

use crate::contender::Contender;
use crate::workload::{Workload, in_a_task};
use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

/// Two tasks send a message to and fro.
pub(crate) struct PingPong;

impl Workload for PingPong {
    const NAME: &'static str = "ping-pong";
    const OPERATIONS: u32 = 20_000;

    fn round<C: Contender>(contender: &C) -> Duration {
        in_a_task(contender, async {
            let there = Rc::new(Slot::default());
            let back = Rc::new(Slot::default());
            let other = C::spawn({
                let (there, back) = (there.clone(), back.clone());
                async move {
                    for _ in 0..Self::OPERATIONS / 2 {
                        there.receive().await;
                        back.send();
                    }
                }
            });
            let begin = Instant::now();
            for _ in 0..Self::OPERATIONS / 2 {
                there.send();
                back.receive().await;
            }
            let took = begin.elapsed();
            C::join(other).await;
            took
        })
    }
}

/// A thousand tasks in a ring pass a token on.
pub(crate) struct Ring;

const MEMBERS: usize = 1_000;
const LAPS: u32 = 20;

impl Workload for Ring {
    const NAME: &'static str = "ring-1000";
    const OPERATIONS: u32 = MEMBERS as u32 * LAPS;

    fn round<C: Contender>(contender: &C) -> Duration {
        in_a_task(contender, async {
            let slots: Rc<[Slot]> = (0..MEMBERS).map(|_| Slot::default()).collect();
            let waiting = Rc::new(Cell::new(0));
            let spawn = |place: usize| {
                let (slots, waiting) = (slots.clone(), waiting.clone());
                C::spawn(async move {
                    waiting.set(waiting.get() + 1);
                    for _ in 0..LAPS {
                        slots[place].receive().await;
                        slots[(place + 1) % MEMBERS].send();
                    }
                })
            };
            let handles: Vec<C::Handle> = (0..MEMBERS).map(spawn).collect();
            while waiting.get() < MEMBERS {
                C::yield_now().await;
            }
            let begin = Instant::now();
            slots[0].send();
            for handle in handles {
                C::join(handle).await;
            }
            begin.elapsed()
        })
    }
}

/// Room for one message without content, from one sender to one receiver.
#[derive(Default)]
struct Slot {
    full: Cell<bool>,
    receiver: Cell<Option<Waker>>,
}

impl Slot {
    fn send(&self) {
        self.full.set(true);
        if let Some(receiver) = self.receiver.take() {
            receiver.wake();
        }
    }

    async fn receive(&self) {
        poll_fn(|cx| {
            if self.full.replace(false) {
                return Poll::Ready(());
            }
            self.receiver.set(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}
