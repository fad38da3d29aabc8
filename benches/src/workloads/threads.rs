//! Waking from another thread.
//!
//! Asleep, moved by: the system call that wakes the thread, what the loop does before it polls the task, and,
//! most of all, how long the kernel takes to get a sleeping thread onto a CPU. In a flood, moved by: atomics,
//! queues that threads share, how many wakes one system call stands for.

use crate::arrivals::Arrivals;
use crate::runtime::{Ability, Runtime};
use crate::statistics::percentile;
use crate::workload::{Figures, Limit, Metric, Scale, Workload, in_a_task, nanos_each};
use futures_util::task::AtomicWaker;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Barrier, LazyLock, Mutex};
use std::task::{Poll, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

/// A task and a thread wake each other, and each is asleep when its turn comes.
pub(crate) struct Asleep;

impl Asleep {
    fn trips(scale: Scale) -> u32 {
        scale.pick(400, 200, 3)
    }
}

impl Workload for Asleep {
    const NAME: &'static str = "wake-asleep";
    const ABOUT: &'static str =
        "a task unparks a thread, which wakes the task: there and back, both asleep in between";
    const METRICS: &'static [Metric] = &[Metric::named("p50", "µs/round trip")];
    const NEEDS: &'static [Ability] = &[Ability::Spawn, Ability::Join, Ability::RemoteWake];
    const LIMIT: Option<Limit> = Some(Limit {
        about: "two threads that unpark each other",
        round: |scale| {
            let answered = Arc::new(AtomicBool::new(false));
            let asker = thread::current();
            let answer = {
                let answered = answered.clone();
                move || {
                    answered.store(true, Ordering::Release);
                    asker.unpark();
                }
            };
            let mut trips = Vec::new();
            with_partner(answer, |partner| {
                for _ in 0..Self::trips(scale) {
                    let begin = Instant::now();
                    partner.ask();
                    while !answered.swap(false, Ordering::Acquire) {
                        thread::park();
                    }
                    trips.push(begin.elapsed().as_nanos() as f64 / 1e3);
                }
            });
            vec![percentile(&mut trips, 0.5)]
        },
    });

    fn round<R: Runtime>(runtime: &R, scale: Scale) -> Figures {
        let answered = Arc::new((AtomicBool::new(false), AtomicWaker::new()));
        let answer = {
            let answered = answered.clone();
            move || {
                answered.0.store(true, Ordering::Release);
                answered.1.wake();
            }
        };
        with_partner(answer, |partner| {
            in_a_task(runtime, async move |_: R| {
                let mut trips = Vec::new();
                for _ in 0..Self::trips(scale) {
                    let begin = Instant::now();
                    partner.ask();
                    poll_fn(|cx| {
                        answered.1.register(cx.waker());
                        if answered.0.swap(false, Ordering::Acquire) {
                            Poll::Ready(())
                        } else {
                            Poll::Pending
                        }
                    })
                    .await;
                    trips.push(begin.elapsed().as_nanos() as f64 / 1e3);
                }
                vec![percentile(&mut trips, 0.5)]
            })
        })
    }
}

/// A thread that answers when asked.
#[derive(Clone)]
struct Partner {
    thread: Thread,
    asked: Arc<AtomicU32>,
}

const NOTHING: u32 = 0;
const QUESTION: u32 = 1;
const GOODBYE: u32 = 2;

impl Partner {
    fn ask(&self) {
        self.say(QUESTION);
    }

    fn say(&self, what: u32) {
        self.asked.store(what, Ordering::Release);
        self.thread.unpark();
    }
}

/// Starts the thread, and ends it in the end.
fn with_partner<T>(answer: impl Fn() + Send + 'static, body: impl FnOnce(Partner) -> T) -> T {
    let asked = Arc::new(AtomicU32::new(NOTHING));
    let hears = asked.clone();
    let running = thread::spawn(move || {
        loop {
            match hears.swap(NOTHING, Ordering::Acquire) {
                NOTHING => thread::park(),
                QUESTION => answer(),
                _goodbye => return,
            }
        }
    });
    let partner = Partner { thread: running.thread().clone(), asked };
    let result = body(partner.clone());
    partner.say(GOODBYE);
    running.join().expect("the partner does not panic");
    result
}

/// Other threads wake a thousand tasks, as fast as they can.
pub(crate) struct Flood;

impl Flood {
    /// As many threads as there are CPUs beside the runtime's, two at most. One more than that, and the kernel takes the
    /// runtime off its CPU for a time slice now and then: what is measured then is who was on when.
    fn flooders() -> u32 {
        static FLOODERS: LazyLock<u32> = LazyLock::new(|| {
            let cpus = thread::available_parallelism().map_or(1, usize::from);
            if cpus > 2 { 2 } else { 1 }
        });
        *FLOODERS
    }

    fn tasks(scale: Scale) -> usize {
        scale.pick(1_000, 1_000, 10)
    }

    /// How often each task is woken. A round is to take longer than the kernel lets one thread have a CPU.
    fn wakes(scale: Scale) -> u32 {
        scale.pick(1_000, 1_000, 10)
    }

    /// How often each of the threads wakes it.
    fn laps(scale: Scale) -> u32 {
        Self::wakes(scale) / Self::flooders()
    }
}

impl Workload for Flood {
    const NAME: &'static str = "wake-flood";
    const ABOUT: &'static str = "threads (2, or 1 if there are only 2 CPUs) wake 1,000 tasks, each of them 1,000 times: until all tasks have seen it";
    const METRICS: &'static [Metric] = &[Metric::only("ns/wake")];
    const NEEDS: &'static [Ability] = &[Ability::Spawn, Ability::Join, Ability::RemoteWake];
    const LIMIT: Option<Limit> = Some(Limit {
        about: "a counter for each task, and a thread that looks at all of them until it has seen everything",
        round: |scale| {
            let wakes = Self::wakes(scale);
            let counters: Arc<[AtomicU32]> = (0..Self::tasks(scale)).map(|_| AtomicU32::new(0)).collect();
            let start = Arc::new(Barrier::new(Self::flooders() as usize + 1));
            let flooders: Vec<_> = (0..Self::flooders())
                .map(|_| {
                    let (counters, start) = (counters.clone(), start.clone());
                    thread::spawn(move || {
                        start.wait();
                        for _ in 0..Self::laps(scale) {
                            for counter in counters.iter() {
                                counter.fetch_add(1, Ordering::Release);
                            }
                        }
                    })
                })
                .collect();
            start.wait();
            let begin = Instant::now();
            while counters.iter().any(|counter| counter.load(Ordering::Acquire) < wakes) {
                thread::yield_now();
            }
            let took = begin.elapsed();
            flooders.into_iter().for_each(|flooder| flooder.join().expect("nobody panics"));
            nanos_each(took, wakes * Self::tasks(scale) as u32)
        },
    });

    fn round<R: Runtime>(runtime: &R, scale: Scale) -> Figures {
        let wakes = Self::wakes(scale);
        let took = in_a_task(runtime, async move |runtime: R| {
            let tasks: Arc<[Flooded]> = (0..Self::tasks(scale)).map(|_| Flooded::default()).collect();
            let waiting = Rc::new(Arrivals::default());
            let handles: Vec<R::Handle> = (0..tasks.len())
                .map(|index| runtime.spawn(flooded(tasks.clone(), index, wakes, waiting.clone())))
                .collect();
            waiting.reach(tasks.len()).await;
            let start = Arc::new(Barrier::new(Self::flooders() as usize + 1));
            let flooders: Vec<_> = (0..Self::flooders())
                .map(|_| {
                    let wakers: Vec<Waker> = tasks
                        .iter()
                        .flat_map(|task| task.waker.lock().expect("nobody panics").clone())
                        .collect();
                    let (tasks, start) = (tasks.clone(), start.clone());
                    thread::spawn(move || {
                        start.wait();
                        for _ in 0..Self::laps(scale) {
                            for (task, waker) in tasks.iter().zip(&wakers) {
                                task.seen.fetch_add(1, Ordering::Release);
                                waker.wake_by_ref();
                            }
                        }
                    })
                })
                .collect();
            start.wait();
            let begin = Instant::now();
            for handle in handles {
                R::join(handle).await;
            }
            let took = begin.elapsed();
            flooders.into_iter().for_each(|flooder| flooder.join().expect("nobody panics"));
            took
        });
        nanos_each(took, wakes * Self::tasks(scale) as u32)
    }
}

/// What the threads know of a task.
#[derive(Default)]
struct Flooded {
    seen: AtomicU32,
    waker: Mutex<Option<Waker>>,
}

/// Ends when it has been woken for the last time.
async fn flooded(tasks: Arc<[Flooded]>, index: usize, wakes: u32, waiting: Rc<Arrivals>) {
    let task = &tasks[index];
    let mut given = false;
    poll_fn(|cx| {
        if !given {
            // The threads keep the first waker for good, for a task's wakers are all one here: a lock at each
            // wake would be a part of what is measured.
            given = true;
            *task.waker.lock().expect("nobody panics") = Some(cx.waker().clone());
            waiting.arrive();
        }
        if task.seen.load(Ordering::Acquire) == wakes { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
