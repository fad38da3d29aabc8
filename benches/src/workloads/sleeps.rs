//! Timers that fire: what one costs, and how late it is.
//!
//! Moved by: the grain of the clock, how the wait in the kernel is rounded, how many deadlines one wake-up
//! serves; where many fire, by the tasks that stand before one in the line. Lateness is of the moment when
//! the task is polled, counted from the duration it asked for: never negative, or the round fails.

use crate::clock::{cpu_time, with_exact_sleeps};
use crate::runtime::{Ability, Runtime};
use crate::scatter::{scattered, within};
use crate::statistics::percentile;
use crate::workload::{Figures, Limit, Metric, Scale, Workload, in_a_task};
use std::cell::RefCell;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

/// A hundred thousand tasks sleep until deadlines here and there in one second.
pub(crate) struct Fire;

impl Fire {
    fn sleepers(scale: Scale) -> u32 {
        scale.pick(100_000, 10_000, 100)
    }

    /// As many deadlines a millisecond at any scale.
    fn span(scale: Scale) -> Duration {
        Duration::from_micros(10) * Self::sleepers(scale)
    }

    /// The first deadlines come when all tasks are there.
    fn duration(scale: Scale, number: u32) -> Duration {
        Self::span(scale) / 4 + within(Self::span(scale), number)
    }
}

impl Workload for Fire {
    const NAME: &'static str = "timers-fire";
    const ABOUT: &'static str =
        "100,000 tasks (quick: 10,000) sleep until deadlines spread over 1 s (0.1 s), and are joined";
    const METRICS: &'static [Metric] =
        &[Metric::named("cpu", "ns/timer"), Metric::named("late-p50", "µs"), Metric::named("late-p99", "µs")];
    const NEEDS: &'static [Ability] = &[Ability::Spawn, Ability::Join, Ability::Sleep];
    const LIMIT: Option<Limit> = Some(Limit {
        about: "the sorted deadlines, and an exact thread::sleep until the next one",
        round: |scale| {
            let cpu_before = cpu_time();
            let begin = Instant::now();
            let mut durations: Vec<Duration> =
                (0..Self::sleepers(scale)).map(|number| Self::duration(scale, number)).collect();
            durations.sort();
            let late = durations.into_iter().map(|duration| {
                let passed = begin.elapsed();
                if duration > passed {
                    thread::sleep(duration - passed);
                }
                lateness(begin, duration)
            });
            let late = with_exact_sleeps(|| late.collect());
            fired(cpu_before, late)
        },
    });

    fn round<R: Runtime>(runtime: &R, scale: Scale) -> Figures {
        in_a_task(runtime, async move |runtime: R| {
            let count = Self::sleepers(scale) as usize;
            let late = Rc::new(RefCell::new(Vec::with_capacity(count)));
            let mut handles = Vec::with_capacity(count);
            let cpu_before = cpu_time();
            for number in 0..Self::sleepers(scale) {
                let late = late.clone();
                handles.push(runtime.spawn(async move {
                    let duration = Self::duration(scale, number);
                    let begin = Instant::now();
                    R::sleep(duration).await;
                    late.borrow_mut().push(lateness(begin, duration));
                }));
            }
            for handle in handles {
                R::join(handle).await;
            }
            fired(cpu_before, late.take())
        })
    }
}

fn fired(cpu_before: Duration, mut late: Vec<f64>) -> Figures {
    let cpu = (cpu_time() - cpu_before).as_nanos() as f64 / late.len() as f64;
    vec![cpu, percentile(&mut late, 0.5), percentile(&mut late, 0.99)]
}

/// One task sleeps, again and again, and nothing else happens.
pub(crate) struct Sequential<const MICROS: u64>;

impl<const MICROS: u64> Sequential<MICROS> {
    fn sleeps(scale: Scale) -> u32 {
        scale.pick(200, 30, 2)
    }

    /// None of them a multiple of a runtime's grain, lest one be exact by chance.
    fn duration(number: u32) -> Duration {
        Duration::from_micros(MICROS) + Duration::from_nanos(u64::from(scattered(number) >> 20))
    }
}

impl<const MICROS: u64> Workload for Sequential<MICROS> {
    const NAME: &'static str = if MICROS == 1_000 { "sleep-1ms" } else { "sleep-100us" };
    const ABOUT: &'static str = if MICROS == 1_000 {
        "one task sleeps for 1 ms, again and again: how late it is"
    } else {
        "one task sleeps for 100 µs, again and again: how late it is"
    };
    const METRICS: &'static [Metric] = &[Metric::named("late-p50", "µs")];
    const NEEDS: &'static [Ability] = &[Ability::Sleep];
    const LIMIT: Option<Limit> = Some(Limit {
        about: "an exact thread::sleep",
        round: |scale| {
            let late = (0..Self::sleeps(scale)).map(|number| {
                let begin = Instant::now();
                thread::sleep(Self::duration(number));
                lateness(begin, Self::duration(number))
            });
            let mut late: Vec<f64> = with_exact_sleeps(|| late.collect());
            vec![percentile(&mut late, 0.5)]
        },
    });

    fn round<R: Runtime>(runtime: &R, scale: Scale) -> Figures {
        in_a_task(runtime, async move |_: R| {
            let mut late = Vec::new();
            for number in 0..Self::sleeps(scale) {
                let begin = Instant::now();
                R::sleep(Self::duration(number)).await;
                late.push(lateness(begin, Self::duration(number)));
            }
            vec![percentile(&mut late, 0.5)]
        })
    }
}

/// In microseconds.
fn lateness(begin: Instant, asked: Duration) -> f64 {
    let slept = begin.elapsed();
    assert!(slept >= asked, "slept for {slept:?} instead of {asked:?}: too short");
    (slept - asked).as_nanos() as f64 / 1e3
}
