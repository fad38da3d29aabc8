//! homing's elementary operations, to be counted: no clock is read by what counts them, and time is virtual.

use crate::arrivals::Arrivals;
use crate::slot::Slot;
use homing::sync::{Mutex, Semaphore};
use homing::{Result, Runtime, Task, sleep, spawn, task, task_group, yield_now};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

/// Something that can be done so many times.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// As the committed table calls it.
    pub name: &'static str,
    /// What is done each time.
    pub about: &'static str,
    run: fn(u32),
}

/// All of them.
pub const OPERATIONS: &[Operation] = &[
    Operation { name: "spawn", about: "a task is spawned, one of a hundred, and joined", run: spawns },
    Operation { name: "spawn-one", about: "a task is spawned and awaited at once", run: spawns_of_one },
    Operation {
        name: "spawn-eager",
        about: "a task is spawned that is over when the spawn returns",
        run: eager_spawns,
    },
    Operation { name: "wake", about: "a task wakes another one and waits, through a slot", run: wakes },
    Operation { name: "yield", about: "a task gives way to another one", run: yields },
    Operation { name: "timer-cancel", about: "a timer is armed and disarmed", run: timers_given_up },
    Operation {
        name: "timer-fire",
        about: "a timer is armed and fires, one of a hundred",
        run: timers_that_fire,
    },
    Operation { name: "group-10", about: "a group of ten children that give way once", run: groups },
    Operation { name: "cancel", about: "a task is spawned, sleeps, is cancelled and joined", run: cancels },
    Operation { name: "lock", about: "a free mutex is locked and unlocked", run: locks },
    Operation { name: "permit", about: "a free permit is acquired and released", run: permits },
    Operation { name: "lock-handed-on", about: "a mutex goes from a task to one that waits", run: handed_on },
];

impl Operation {
    /// Does it so many times, and nothing else.
    pub fn run(&self, times: u32) {
        (self.run)(times);
    }
}

fn in_a_task(body: impl Future<Output = Result<()>> + 'static) {
    let runtime = Runtime::builder().virtual_time().build();
    runtime.block_on(async { spawn(body).await }).expect("nothing fails");
}

fn spawns(times: u32) {
    in_a_task(async move {
        for _ in 0..times / 100 {
            let tasks: Vec<Task<()>> = (0..100).map(|_| spawn(async { Ok(()) })).collect();
            for task in tasks {
                task.await?;
            }
        }
        Ok(())
    });
}

fn spawns_of_one(times: u32) {
    in_a_task(async move {
        for _ in 0..times {
            spawn(async { Ok(()) }).await?;
        }
        Ok(())
    });
}

fn eager_spawns(times: u32) {
    in_a_task(async move {
        for _ in 0..times {
            task(async { Ok(()) }).eager().spawn().await?;
        }
        Ok(())
    });
}

fn wakes(times: u32) {
    in_a_task(async move {
        let (there, back) = (Rc::new(Slot::default()), Rc::new(Slot::default()));
        let other = spawn({
            let (there, back) = (there.clone(), back.clone());
            async move {
                for _ in 0..times / 2 {
                    back.send(there.receive().await);
                }
                Ok(())
            }
        });
        for number in 0..times / 2 {
            there.send(number);
            back.receive().await;
        }
        other.await
    });
}

fn yields(times: u32) {
    in_a_task(async move {
        async fn give_way(times: u32) -> Result<()> {
            for _ in 0..times / 2 {
                yield_now().await?;
            }
            Ok(())
        }
        let other = spawn(give_way(times));
        give_way(times).await?;
        other.await
    });
}

fn timers_given_up(times: u32) {
    in_a_task(async move {
        for number in 0..times {
            poll_once(pin!(sleep(Duration::from_micros(u64::from(number) * 977 + 1_000_000)))).await;
        }
        Ok(())
    });
}

fn timers_that_fire(times: u32) {
    in_a_task(async move {
        for _ in 0..times / 100 {
            let mut timers: Vec<_> =
                (0..100).map(|number| Box::pin(sleep(Duration::from_micros(number * 977 + 1_000)))).collect();
            for timer in &mut timers {
                poll_once(timer.as_mut()).await;
            }
            for timer in timers {
                timer.await?;
            }
        }
        Ok(())
    });
}

fn groups(times: u32) {
    in_a_task(async move {
        for _ in 0..times {
            task_group(async |tg| {
                for _ in 0..10 {
                    drop(tg.spawn(yield_now()));
                }
                Ok(())
            })
            .await?;
        }
        Ok(())
    });
}

fn cancels(times: u32) {
    in_a_task(async move {
        for _ in 0..times / 100 {
            let asleep = Rc::new(Arrivals::default());
            let sleeper = |_| {
                let asleep = asleep.clone();
                spawn(async move {
                    asleep.arrive();
                    sleep(Duration::from_secs(3_600)).await
                })
            };
            let tasks: Vec<Task<()>> = (0..100).map(sleeper).collect();
            asleep.reach(100).await;
            for task in &tasks {
                task.cancel();
            }
            for task in tasks {
                assert!(task.await.is_err_and(|error| error.is_cancelled()));
            }
        }
        Ok(())
    });
}

fn locks(times: u32) {
    in_a_task(async move {
        let mutex = Mutex::new(0);
        for number in 0..times {
            *mutex.lock().await? = number;
        }
        Ok(())
    });
}

fn permits(times: u32) {
    in_a_task(async move {
        let semaphore = Semaphore::new(2);
        for _ in 0..times {
            drop(semaphore.acquire().await?);
        }
        Ok(())
    });
}

fn handed_on(times: u32) {
    in_a_task(async move {
        async fn take_turns(mutex: Rc<Mutex<u32>>, times: u32) -> Result<()> {
            for _ in 0..times / 2 {
                let mut held = mutex.lock().await?;
                *held += 1;
                yield_now().await?;
            }
            Ok(())
        }
        let mutex = Rc::new(Mutex::new(0));
        let other = spawn(take_turns(mutex.clone(), times));
        take_turns(mutex, times).await?;
        other.await
    });
}

async fn poll_once(mut future: Pin<&mut impl Future>) {
    poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_can_be_done_some_times() {
        OPERATIONS.iter().for_each(|operation| operation.run(200));
    }
}
