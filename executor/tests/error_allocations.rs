//! What an error costs: a plain cancellation allocates nothing.

use homing_executor::error::{Cancelled, Error, Result};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on to `System`, which keeps the contract; counting touches nothing of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
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

fn allocations(of: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.with(Cell::get);
    of();
    ALLOCATIONS.with(Cell::get) - before
}

fn cancelled_at_this_place() -> Result<()> {
    Err(Cancelled::here())?
}

#[test]
fn a_plain_cancellation_allocates_nothing_on_its_way() {
    let count = allocations(|| {
        for error in [Error::cancelled(), Cancelled::new().into(), cancelled_at_this_place().unwrap_err()] {
            let error = black_box(error.clone());
            assert!(error.is_cancelled() && !error.is_timeout());
            assert!(error.as_cancelled().is_some_and(|cancelled| cancelled.reason().is_none()));
            assert!(error.is::<Cancelled>());
            assert!(error.chain().count() == 1);
            drop(Error::from(error.downcast::<Cancelled>().unwrap()));
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn a_clone_of_any_error_allocates_nothing() {
    let error = Error::msg("some").with_note("more");
    assert_eq!(allocations(|| drop(black_box(error.clone()))), 0);
}
