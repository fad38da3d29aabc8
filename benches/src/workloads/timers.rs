//! Timers that are armed and given up before they fire, as nearly all timeouts are.
//!
//! Moved by: how a deadline is filed and found again, what a timer takes of memory, the reading of the clock; for tasks
//! that are cancelled in their sleep, by all that a cancel does too. Not by: how exactly timers fire.

use crate::contender::Contender;
use crate::workload::{Workload, in_a_task};
use std::cell::Cell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

/// Some runtimes make a task that polls a lot without a break wait, by keeping its timers from being armed. So each task
/// gives way once in so many, for all runtimes alike.
const WITHOUT_A_BREAK: u32 = 64;

/// A million timers with deadlines here and there in the next hours are armed, then dropped.
pub(crate) struct Bulk;

impl Workload for Bulk {
    const NAME: &'static str = "timers-bulk";
    const OPERATIONS: u32 = 1_000_000;
    const ROUNDS: usize = 11;

    fn round<C: Contender>(contender: &C) -> Duration {
        in_a_task(contender, async {
            let begin = Instant::now();
            let mut timers = Vec::with_capacity(Self::OPERATIONS as usize);
            for number in 0..Self::OPERATIONS {
                timers.push(C::sleep(here_and_there(number)));
            }
            let mut timers = Box::into_pin(timers.into_boxed_slice());
            for index in 0..timers.len() {
                poll_once(element(timers.as_mut(), index)).await;
                if (index as u32).is_multiple_of(WITHOUT_A_BREAK) {
                    C::yield_now().await;
                }
            }
            drop(timers);
            begin.elapsed()
        })
    }
}

/// One timer is armed and dropped, then the next one.
pub(crate) struct Single;

impl Workload for Single {
    const NAME: &'static str = "timer-single";
    const OPERATIONS: u32 = 10_000;

    fn round<C: Contender>(contender: &C) -> Duration {
        in_a_task(contender, async {
            let begin = Instant::now();
            for number in 0..Self::OPERATIONS {
                poll_once(pin!(C::sleep(here_and_there(number)))).await;
                if number.is_multiple_of(WITHOUT_A_BREAK) {
                    C::yield_now().await;
                }
            }
            begin.elapsed()
        })
    }
}

/// Ten thousand tasks are spawned, fall asleep, are cancelled, and are awaited.
pub(crate) struct Cancel;

impl Workload for Cancel {
    const NAME: &'static str = "cancel-sleepers";
    const OPERATIONS: u32 = 10_000;

    fn round<C: Contender>(contender: &C) -> Duration {
        in_a_task(contender, async {
            let asleep = Rc::new(Cell::new(0));
            let mut handles = Vec::with_capacity(Self::OPERATIONS as usize);
            let begin = Instant::now();
            for number in 0..Self::OPERATIONS {
                let asleep = asleep.clone();
                handles.push(C::spawn(async move {
                    asleep.set(asleep.get() + 1);
                    C::sleep(here_and_there(number)).await;
                }));
            }
            while asleep.get() < Self::OPERATIONS {
                C::yield_now().await;
            }
            handles.iter().for_each(C::cancel);
            for handle in handles {
                C::join(handle).await;
            }
            begin.elapsed()
        })
    }
}

/// Between an hour and some ten hours, the same for each runtime, in no order (multiples of the golden ratio). Far
/// enough for a round under a profiler, which may take minutes.
fn here_and_there(number: u32) -> Duration {
    let scattered = number.wrapping_mul(0x9E37_79B9);
    Duration::from_secs(3_600) + Duration::from_micros(u64::from(scattered) * 8)
}

async fn poll_once(mut future: Pin<&mut impl Future>) {
    poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
}

/// One future of many that are pinned together.
fn element<F>(futures: Pin<&mut [F]>, index: usize) -> Pin<&mut F> {
    // SAFETY: the elements of a pinned slice are never moved: nothing here does, and the box drops them in place.
    unsafe { futures.map_unchecked_mut(|futures| &mut futures[index]) }
}
