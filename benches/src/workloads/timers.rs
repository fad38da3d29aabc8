//! Timers that are armed and given up before they fire, as nearly all timeouts are.
//!
//! Moved by: how a deadline is filed and found again, what a timer takes of memory, the reading of the clock.
//! Not by: how exactly timers fire. The bulk touches a hundred megabytes: it measures the memory as much as
//! the runtime.

use crate::bare::element;
use crate::runtime::{Ability, Runtime};
use crate::scatter::hours_away;
use crate::workload::{Figures, Limit, Metric, Scale, Workload, in_a_task, nanos_each};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::poll_fn;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Instant;

/// Some runtimes make a task that polls a lot without a break wait, by keeping its timers from being armed.
/// So each task gives way once in so many, for all runtimes alike.
const WITHOUT_A_BREAK: u32 = 64;

/// A million timers with deadlines here and there in the next hours are armed, then dropped.
pub(crate) struct Bulk;

impl Bulk {
    fn timers(scale: Scale) -> u32 {
        scale.pick(1_000_000, 100_000, 100)
    }
}

impl Workload for Bulk {
    const NAME: &'static str = "timers-bulk";
    const ABOUT: &'static str = "1,000,000 timers (quick: 100,000) are armed, all of them, then dropped";
    const METRICS: &'static [Metric] = &[Metric::only("ns/timer")];
    const NEEDS: &'static [Ability] = &[Ability::Sleep];
    const LIMIT: Option<Limit> = Some(Limit {
        about: "a clock reading and a push on a BinaryHeap, which is dropped",
        round: |scale| {
            let begin = Instant::now();
            let mut deadlines = BinaryHeap::with_capacity(Self::timers(scale) as usize);
            for number in 0..Self::timers(scale) {
                deadlines.push(Reverse((Instant::now() + hours_away(number), number)));
            }
            drop(black_box(deadlines));
            nanos_each(begin.elapsed(), Self::timers(scale))
        },
    });

    fn operations(scale: Scale) -> Option<u32> {
        Some(Self::timers(scale))
    }

    fn round<R: Runtime>(runtime: &R, scale: Scale) -> Figures {
        let took = in_a_task(runtime, async move |_: R| {
            let begin = Instant::now();
            let mut timers = Vec::with_capacity(Self::timers(scale) as usize);
            for number in 0..Self::timers(scale) {
                timers.push(R::sleep(hours_away(number)));
            }
            let mut timers = Box::into_pin(timers.into_boxed_slice());
            for index in 0..timers.len() {
                poll_once(element(timers.as_mut(), index)).await;
                if (index as u32).is_multiple_of(WITHOUT_A_BREAK) {
                    R::yield_now().await;
                }
            }
            drop(timers);
            begin.elapsed()
        });
        nanos_each(took, Self::timers(scale))
    }
}

/// One timer is armed and dropped, then the next one.
pub(crate) struct Single;

impl Single {
    fn timers(scale: Scale) -> u32 {
        scale.pick(10_000, 10_000, 100)
    }
}

impl Workload for Single {
    const NAME: &'static str = "timers-single";
    const ABOUT: &'static str = "one timer is armed and dropped, then the next one";
    const METRICS: &'static [Metric] = &[Metric::only("ns/timer")];
    const NEEDS: &'static [Ability] = &[Ability::Sleep];
    const LIMIT: Option<Limit> = Some(Limit {
        about: "a clock reading, a push on a BinaryHeap and a pop",
        round: |scale| {
            let mut deadlines = BinaryHeap::new();
            let begin = Instant::now();
            for number in 0..Self::timers(scale) {
                deadlines.push(Reverse((Instant::now() + hours_away(number), number)));
                black_box(deadlines.pop());
            }
            nanos_each(begin.elapsed(), Self::timers(scale))
        },
    });

    fn operations(scale: Scale) -> Option<u32> {
        Some(Self::timers(scale))
    }

    fn round<R: Runtime>(runtime: &R, scale: Scale) -> Figures {
        let took = in_a_task(runtime, async move |_: R| {
            let begin = Instant::now();
            for number in 0..Self::timers(scale) {
                poll_once(pin!(R::sleep(hours_away(number)))).await;
                if number.is_multiple_of(WITHOUT_A_BREAK) {
                    R::yield_now().await;
                }
            }
            begin.elapsed()
        });
        nanos_each(took, Self::timers(scale))
    }
}

async fn poll_once(mut future: Pin<&mut impl Future>) {
    poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
}
