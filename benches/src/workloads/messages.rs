//! Waking, on one thread: from one task's `Waker::wake` to the next task's poll.
//!
//! Moved by: the waker's layout, whether cloning and dropping it counts anything, the ready queue, a turn's
//! fixed work; with a thousand tasks, by the cache lines that a wake and a poll touch. Not by: the size of
//! the task.

use crate::arrivals::Arrivals;
use crate::bare::{self, Boxed, boxed};
use crate::runtime::Runtime;
use crate::slot::Slot;
use crate::workload::{Figures, Limit, Metric, Scale, Workload, in_a_task, nanos_each};
use std::rc::Rc;
use std::time::Instant;

/// Two tasks send a message to and fro.
pub(crate) struct PingPong;

impl PingPong {
    fn messages(scale: Scale) -> u32 {
        scale.pick(20_000, 20_000, 20)
    }

    async fn answer(there: Rc<Slot>, back: Rc<Slot>, times: u32) {
        for _ in 0..times {
            back.send(there.receive().await + 1);
        }
    }

    async fn ask(there: Rc<Slot>, back: Rc<Slot>, times: u32) {
        let mut message = 0;
        for _ in 0..times {
            there.send(message);
            message = back.receive().await;
        }
        assert_eq!(message, times);
    }
}

impl Workload for PingPong {
    const NAME: &'static str = "ping-pong";
    const ABOUT: &'static str =
        "two tasks send a number to and fro, through the same channel for all runtimes";
    const METRICS: &'static [Metric] = &[Metric::only("ns/message")];
    const LIMIT: Option<Limit> = Some(Limit {
        about: "the two futures, boxed, polled in turn",
        round: |scale| {
            let (there, back) = (Rc::new(Slot::default()), Rc::new(Slot::default()));
            let times = Self::messages(scale) / 2;
            let mut ask = boxed(Self::ask(there.clone(), back.clone(), times));
            let mut answer = boxed(Self::answer(there, back, times));
            let begin = Instant::now();
            while !bare::poll(&mut ask) {
                bare::poll(&mut answer);
            }
            nanos_each(begin.elapsed(), Self::messages(scale))
        },
    });

    fn operations(scale: Scale) -> Option<u32> {
        Some(Self::messages(scale))
    }

    fn round<R: Runtime>(runtime: &R, scale: Scale) -> Figures {
        let took = in_a_task(runtime, async move |runtime: R| {
            let (there, back) = (Rc::new(Slot::default()), Rc::new(Slot::default()));
            let times = Self::messages(scale) / 2;
            let answer = runtime.spawn(Self::answer(there.clone(), back.clone(), times));
            let begin = Instant::now();
            Self::ask(there, back, times).await;
            let took = begin.elapsed();
            R::join(answer).await;
            took
        });
        nanos_each(took, Self::messages(scale))
    }
}

/// A thousand tasks in a ring pass a token on.
pub(crate) struct Ring;

impl Ring {
    fn members(scale: Scale) -> usize {
        scale.pick(1_000, 1_000, 10)
    }

    const LAPS: u32 = 20;

    async fn pass_on(slots: Rc<[Slot]>, place: usize) {
        let next = (place + 1) % slots.len();
        for _ in 0..Self::LAPS {
            let token = slots[place].receive().await;
            slots[next].send(token + 1);
        }
    }

    fn slots(scale: Scale) -> Rc<[Slot]> {
        (0..Self::members(scale)).map(|_| Slot::default()).collect()
    }
}

impl Workload for Ring {
    const NAME: &'static str = "ring-1000";
    const ABOUT: &'static str = "1,000 tasks in a ring pass a token on, 20 laps";
    const METRICS: &'static [Metric] = &[Metric::only("ns/hop")];
    const LIMIT: Option<Limit> = Some(Limit {
        about: "1,000 boxed futures, polled in the order of the ring",
        round: |scale| {
            let slots = Self::slots(scale);
            let mut tasks: Vec<Boxed> =
                (0..slots.len()).map(|place| boxed(Self::pass_on(slots.clone(), place))).collect();
            tasks.iter_mut().for_each(|task| assert!(!bare::poll(task)));
            let begin = Instant::now();
            slots[0].send(0);
            for lap in 1..=Self::LAPS {
                tasks.iter_mut().for_each(|task| assert_eq!(bare::poll(task), lap == Self::LAPS));
            }
            nanos_each(begin.elapsed(), Self::LAPS * slots.len() as u32)
        },
    });

    fn operations(scale: Scale) -> Option<u32> {
        Some(Self::LAPS * Self::members(scale) as u32)
    }

    fn round<R: Runtime>(runtime: &R, scale: Scale) -> Figures {
        let took = in_a_task(runtime, async move |runtime: R| {
            let slots = Self::slots(scale);
            let waiting = Rc::new(Arrivals::default());
            let handles: Vec<R::Handle> = (0..slots.len())
                .map(|place| {
                    let (slots, waiting) = (slots.clone(), waiting.clone());
                    runtime.spawn(async move {
                        waiting.arrive();
                        Self::pass_on(slots, place).await;
                    })
                })
                .collect();
            waiting.reach(slots.len()).await;
            let begin = Instant::now();
            slots[0].send(0);
            for handle in handles {
                R::join(handle).await;
            }
            begin.elapsed()
        });
        nanos_each(took, Self::LAPS * Self::members(scale) as u32)
    }
}
