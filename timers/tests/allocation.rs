//! Once warm, the wheel allocates nothing: a counting allocator, and a workload done twice.
//!
//! In a file of its own, as an allocator is there for the whole program. The count is kept by thread, so
//! that the test harness does not disturb it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use homing_timers::{Tick, TimerKey, TimerWheel};

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

fn allocations_in<R>(work: impl FnOnce() -> R) -> (usize, R) {
    let before = ALLOCATIONS.get();
    let result = work();
    (ALLOCATIONS.get() - before, result)
}

/// Arms at every distance, puts off, disarms, opens ahead and fires, all from `start` on.
fn workload(wheel: &mut TimerWheel<u64>, start: Tick, keys: &mut Vec<TimerKey>) -> u64 {
    keys.clear();
    wheel.advance(start, |_| unreachable!("the workload before left nothing"));
    for nth in 0..2_000_u64 {
        let distance = nth.wrapping_mul(0x9E37_79B9) % (1 << (nth % 40));
        keys.push(wheel.arm(start + distance, nth));
    }
    let mut sum = wheel.next_deadline().unwrap_or(0);
    for (nth, &key) in keys.iter().enumerate() {
        match nth % 3 {
            0 => sum += wheel.disarm(key).unwrap(),
            1 => assert!(wheel.rearm(key, start + nth as u64 * 1_000)),
            _ => {}
        }
        sum += wheel.next_deadline().unwrap_or(0);
    }
    for step in 0..100 {
        wheel.advance(start + step * (1 << 33), |value| sum += value);
        sum += wheel.next_deadline().unwrap_or(0);
    }
    assert!(wheel.is_empty());
    sum
}

#[test]
fn nothing_is_allocated_before_the_first_timer_is_armed() {
    let (allocations, wheel) = allocations_in(|| {
        let mut wheel = TimerWheel::<String>::new(7);
        wheel.advance(1 << 50, |_| {});
        assert_eq!(wheel.next_deadline(), None);
        wheel
    });
    assert_eq!(allocations, 0);
    drop(wheel);
}

#[test]
fn near_timers_pay_for_one_level_only() {
    let (allocations, _) = allocations_in(|| {
        let mut wheel = TimerWheel::new(0);
        wheel.arm(7, ());
        wheel.advance(7, drop);
        wheel.arm(50, ());
        wheel
    });
    assert_eq!(allocations, 2, "one table of timers and one of banks");
}

#[test]
fn nothing_is_allocated_once_the_wheel_is_warm() {
    let mut wheel = TimerWheel::new(0);
    let mut keys = Vec::with_capacity(2_000);
    let stride = 1 << 42;
    workload(&mut wheel, 0, &mut keys);
    for again in 1..5 {
        let (allocations, _) = allocations_in(|| workload(&mut wheel, again * stride, &mut keys));
        assert_eq!(allocations, 0, "in round {again}");
    }
    wheel.check_invariants();
}
