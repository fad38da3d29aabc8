//! What task-locals cost: nothing those who have none, and a spawn the same however many are inherited.
//!
//! Counted with the pool of blocks: without it every task's memory is an allocation of its own.
#![cfg(not(homing_unpooled))]

use homing::{Builder, Result, TaskLocal, spawn, yield_now};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on to `System`, which keeps the contract; counting touches nothing of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // While a thread ends its counter may be gone, and nobody is left to ask for it.
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is the one that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is the one that `System` asks for.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

static INHERITED: TaskLocal<u64> = TaskLocal::inherited();
static OWN: TaskLocal<u64> = TaskLocal::own();

/// The allocations of a hundred tasks that are spawned and awaited one by one, when all is warm.
async fn allocations_of_a_hundred_tasks(body: fn() -> u64) -> Result<usize> {
    let mut before = 0;
    for round in 0..200 {
        if round == 100 {
            before = ALLOCATIONS.with(Cell::get);
        }
        let task = spawn(async move {
            let value = body();
            yield_now().await?;
            Ok(value)
        });
        task.await?;
    }
    Ok(ALLOCATIONS.with(Cell::get) - before)
}

fn in_runtime<T>(main: impl Future<Output = Result<T>>) -> T {
    Builder::new().virtual_time().build().block_on(main).unwrap()
}

#[test]
fn a_task_without_values_allocates_nothing_even_if_its_spawner_has_some_of_its_own() {
    in_runtime(async {
        assert_eq!(allocations_of_a_hundred_tasks(|| INHERITED.try_get().unwrap_or(0)).await?, 0);
        OWN.set(1);
        assert_eq!(allocations_of_a_hundred_tasks(|| OWN.try_get().unwrap_or(0)).await?, 0);
        Ok(())
    });
}

#[test]
fn a_value_is_read_without_allocating() {
    in_runtime(async {
        INHERITED.set(1);
        OWN.set(2);
        let before = ALLOCATIONS.with(Cell::get);
        for _ in 0..100 {
            assert_eq!(INHERITED.get() + OWN.with(|own| *own), 3);
        }
        assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0);
        Ok(())
    });
}

#[test]
fn a_spawn_costs_the_same_however_many_values_are_inherited() {
    static KEYS: [TaskLocal<u64>; 50] = [const { TaskLocal::inherited() }; 50];
    let counts = [1, 50].map(|number| {
        in_runtime(async {
            KEYS[..number].iter().for_each(|key| key.set(7));
            allocations_of_a_hundred_tasks(|| 0).await
        })
    });
    assert_eq!(counts[0], counts[1]);
    assert!(counts[0] <= 200, "the extras and the context: {}", counts[0]);
}
