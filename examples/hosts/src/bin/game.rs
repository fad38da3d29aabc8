//! Inside a game: 60 frames a second, and what a frame can spare for the runtime.
//!
//! ```sh
//! cargo run --release -p homing-examples-hosts --bin game            # two seconds
//! cargo run --release -p homing-examples-hosts --bin game -- 600     # frames
//! ```
//!
//! There is more to do than there is time for: 300 characters think, 50 µs at a time, without ever having done. Each
//! frame gives them 4 ms, by `Budget::time`. What is measured is by how much a turn takes longer than that; it should be no
//! more than one thought, for a poll is never interrupted.
//!
//! ```text
//!   frame │ input, physics, drawing: 6 ms │ turn: 4 ms ┊ overrun │ wait ───────► │ 16.7 ms
//! ```

use homing::runtime::Budget;
use homing::{Runtime, sleep, yield_now};
use std::cell::Cell;
use std::env;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

const FRAME: Duration = Duration::from_nanos(1_000_000_000 / 60);
const OWN_WORK: Duration = Duration::from_millis(6);
const BUDGET: Duration = Duration::from_millis(4);
const CHARACTERS: u32 = 300;
const THOUGHT: Duration = Duration::from_micros(50);

fn main() -> homing::Result<()> {
    let frames = env::args().nth(1).map_or(Ok(120), |frames| frames.parse())?;
    let runtime = Runtime::new();
    let thoughts = Rc::new(Cell::new(0_u64));
    let characters: Vec<_> = (0..CHARACTERS)
        .map(|_| {
            let thoughts = thoughts.clone();
            runtime.spawn(async move {
                loop {
                    work(THOUGHT);
                    thoughts.set(thoughts.get() + 1);
                    yield_now().await?;
                }
                #[allow(unreachable_code, reason = "it says what the future returns")]
                homing::Result::Ok(())
            })
        })
        .collect();
    // Who wakes among them stands in line behind them: a round of all takes about four frames.
    let timer = runtime.spawn(async {
        let begin = Instant::now();
        sleep(Duration::from_millis(100)).await?;
        Ok(begin.elapsed())
    });

    let (mut overruns, mut overruns_in_cpu_time, mut missed) = (Vec::new(), Vec::new(), 0);
    let mut next = Instant::now();
    for _ in 0..frames {
        work(OWN_WORK);
        let (begin, begin_in_cpu_time) = (Instant::now(), cpu_time());
        runtime.turn(Budget::time(BUDGET))?;
        overruns.push(begin.elapsed().saturating_sub(BUDGET));
        overruns_in_cpu_time.push((cpu_time() - begin_in_cpu_time).saturating_sub(BUDGET));

        next += FRAME;
        match next.checked_duration_since(Instant::now()) {
            Some(left) => thread::sleep(left),
            None => {
                missed += 1;
                next = Instant::now();
            }
        }
    }

    println!("{frames} frames, {missed} missed");
    println!("{} thoughts of {} µs", thoughts.get(), THOUGHT.as_micros());
    report("overrun", overruns);
    report("overrun, without what other processes took", overruns_in_cpu_time);
    if timer.is_finished() {
        println!("a sleep of 100 ms took {} ms", runtime.block_on(timer)?.as_millis());
    }
    for character in characters {
        character.cancel();
    }
    runtime.run_until_stalled()
}

fn report(what: &str, mut samples: Vec<Duration>) {
    samples.sort_unstable();
    let at = |percent: usize| samples[(samples.len() - 1) * percent / 100].as_micros();
    println!("{what}: p50 {} µs, p99 {} µs, max {} µs", at(50), at(99), at(100));
}

/// Keeps the processor busy for so long. By the thread's own time, so that on a busy machine it is no less work.
fn work(duration: Duration) {
    let begin = cpu_time();
    while cpu_time() - begin < duration {}
}

/// How long this thread has run.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call fills it in.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(result, 0, "every thread has such a clock");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
