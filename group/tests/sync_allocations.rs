//! Once warm, waiting allocates nothing: a counting allocator, and a workload done twice.
//!
//! In a file of its own, as an allocator is there for the whole program. The count is kept by thread, so that the test
//! harness does not disturb it.

use homing::sync::{Barrier, Condition, Event, Mutex, Queue, Semaphore};
use homing::{Result, sleep, spawn, yield_now};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to `System` as it came, and `System` keeps the promises.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // While a thread ends its counter may be gone, and nobody is left to ask for it.
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller promised what `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` above, and so from `System`, with that layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

struct Shared {
    lock: Mutex<u64>,
    changed: Condition,
    semaphore: Semaphore,
    event: Event,
    barrier: Barrier,
    queue: Queue<u64>,
}

const WORKERS: u64 = 8;

/// Every kind of wait, many times, by a crowd of tasks that are always in each other's way.
async fn worker(shared: Rc<Shared>, number: u64) -> Result<()> {
    for round in 0.. {
        {
            let _permit = shared.semaphore.acquire().await?;
            yield_now().await?;
        }
        shared.barrier.wait().await?;
        match number % 2 {
            0 => shared.queue.put(round).await?,
            _ => drop(shared.queue.get().await?),
        }
        {
            let mut guard = shared.lock.lock().await?;
            *guard += 1;
            match number {
                0 => shared.changed.wait_for(&mut guard, |count| count.is_multiple_of(WORKERS)).await?,
                _ => shared.changed.notify_all(&guard),
            }
        }
        shared.event.wait().await?;
    }
    Ok(())
}

#[test]
fn a_crowd_that_has_waited_once_waits_again_without_allocating() {
    let shared = Rc::new(Shared {
        lock: Mutex::new(0),
        changed: Condition::new(),
        semaphore: Semaphore::new(2),
        event: Event::new(),
        barrier: Barrier::new(WORKERS as usize),
        queue: Queue::new(1),
    });
    // Looking for stuck tasks allocates; that is not what is counted here.
    let runtime = homing::Builder::new().virtual_time().find_stuck(false).build();
    let allocations = runtime.block_on(async {
        let workers: Vec<_> = (0..WORKERS).map(|number| spawn(worker(shared.clone(), number))).collect();
        let rounds = async |rounds: u64| {
            for _ in 0..rounds {
                sleep(Duration::from_millis(1)).await?;
                shared.event.set();
                shared.event.clear();
            }
            Ok::<(), homing::Error>(())
        };
        rounds(10).await?;
        let before = (*shared.lock.try_lock().expect("nobody holds it across a sleep"), ALLOCATIONS.get());
        rounds(1000).await?;
        let after = (*shared.lock.try_lock().expect("nobody holds it across a sleep"), ALLOCATIONS.get());
        assert_eq!(after.0 - before.0, 1000 * WORKERS, "all have done their rounds");
        for worker in workers {
            worker.abort();
        }
        Ok(after.1 - before.1)
    });
    assert_eq!(allocations.unwrap(), 0);
}
