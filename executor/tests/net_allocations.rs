//! What a socket costs: once it has been waited for, nothing that is read or written allocates.

mod net_support;

use homing::spawn;
use net_support::{connected_pair, in_runtime};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::Shutdown;

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

#[test]
fn questions_and_answers_over_warm_streams_allocate_nothing() {
    in_runtime(async {
        let (left, right) = connected_pair().await?;
        let echo = spawn(async move {
            let mut buffer = [0; 64];
            loop {
                match right.read(&mut buffer).await? {
                    0 => break Ok(()),
                    length => right.write_all(&buffer[..length]).await?,
                }
            }
        });
        let mut answer = [0; 8];
        let mut before = 0;
        for round in 0..200 {
            if round == 100 {
                before = ALLOCATIONS.with(Cell::get);
            }
            left.write_all(b"question").await?;
            left.read_exact(&mut answer).await?;
        }
        assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0);
        left.shutdown(Shutdown::Write)?;
        echo.await
    });
}
