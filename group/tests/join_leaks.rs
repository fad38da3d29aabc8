//! Waiting for one long-lived task again and again, in whatever way, and being let go in whatever way, leaves nothing behind
//! with it (WA-8, SH-7): the memory in use is what it was before.

mod common;

use common::{forever, ms, nap};
use futures_util::future::{Either, FutureExt, join, select};
use homing::{
    Builder, Result, ReturnWhen, SharedTask, as_completed, gather, race, shield, spawn, timeout, wait,
    wait_for,
};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::pin::{Pin, pin};
use std::time::Duration;

thread_local! {
    static IN_USE: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

fn count(bytes: isize) {
    // Not while the thread ends, and the counter with it.
    let _ = IN_USE.try_with(|in_use| in_use.set(in_use.get() + bytes));
}

// SAFETY: every call is passed on to `System`, which keeps the contract; counting touches nothing of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promise is the one that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's promise is the one that `System` asks for.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

type Waiting = Pin<Box<dyn Future<Output = Result<()>>>>;

type Way = (&'static str, fn(SharedTask<()>) -> Waiting);

/// The ways to wait for a task without owning it.
const WAYS: &[Way] = &[
    ("gather", |task| Box::pin(gather([task]).map(|outcome| outcome.map(|_| ())))),
    ("gather all", |task| Box::pin(gather([task]).return_exceptions().map(|outcome| outcome.map(|_| ())))),
    ("wait", |task| Box::pin(wait([task], ReturnWhen::AllCompleted).map(|outcome| outcome.map(|_| ())))),
    ("as completed", as_completed_in_time),
    ("shield", |task| Box::pin(shield(task))),
    ("wait for", |task| Box::pin(wait_for(task, YEARS))),
    ("race", |task| Box::pin(async { race([shield(task)]).stagger(YEARS).await.map(drop) })),
];

/// Those that keep a cancel away from the task, by themselves or by a shield.
const SHIELDED: &[Way] = &[
    ("gather", |task| Box::pin(gather([shield(task)]).map(|outcome| outcome.map(|_| ())))),
    ("gather all", |task| {
        Box::pin(gather([shield(task)]).return_exceptions().map(|outcome| outcome.map(|_| ())))
    }),
    ("wait", |task| Box::pin(wait([task], ReturnWhen::AllCompleted).map(|outcome| outcome.map(|_| ())))),
    ("as completed", as_completed_in_time),
    ("shield", |task| Box::pin(shield(task))),
    ("wait for", |task| Box::pin(wait_for(shield(task), YEARS))),
    ("race", |task| Box::pin(async { race([shield(task)]).stagger(YEARS).await.map(drop) })),
];

const YEARS: Duration = Duration::from_secs(1 << 28);

fn as_completed_in_time(task: SharedTask<()>) -> Waiting {
    let mut completed = as_completed([task]).timeout(YEARS);
    Box::pin(async move { completed.next().await.expect("one").map(drop) })
}

/// Lets each of them wait and go, many times, and looks at the memory in use after each time.
fn leave_nothing_behind(ways: &[Way], let_go: impl AsyncFn(Waiting) -> Result<()>) {
    const TIMES: usize = 64;
    for (name, way) in ways {
        let runtime = Builder::new().virtual_time().debug(false).build();
        let outcome = runtime.run(async {
            let task = spawn(forever::<()>()).share();
            nap(1).await?;
            let mut in_use = Vec::with_capacity(2 * TIMES);
            for _ in 0..2 * TIMES {
                let_go(way(task.clone())).await?;
                nap(1).await?;
                in_use.push(IN_USE.get());
            }
            assert_eq!((task.cancelling(), runtime.task_count()), (0, 2), "{name}");
            // What is kept for the next time, such as room in tables, has been made by half-time.
            assert_eq!(in_use[TIMES - 1], in_use[2 * TIMES - 1], "{name}: {in_use:?}");
            Ok(())
        });
        outcome.unwrap();
    }
}

#[test]
fn dropped_unpolled() {
    leave_nothing_behind(WAYS, async |waiting| {
        drop(waiting);
        Ok(())
    });
}

#[test]
fn let_go_by_a_select() {
    leave_nothing_behind(WAYS, async |waiting| {
        let napped = matches!(select(waiting, pin!(nap(1))).await, Either::Right(_));
        assert!(napped);
        Ok(())
    });
}

#[test]
fn let_go_by_an_abort_of_the_waiter() {
    leave_nothing_behind(WAYS, async |waiting| {
        let waiter = spawn(waiting);
        nap(1).await?;
        waiter.abort();
        assert!(waiter.await.unwrap_err().is_cancelled());
        Ok(())
    });
}

#[test]
fn let_go_by_a_cancel_of_the_waiter() {
    leave_nothing_behind(SHIELDED, async |waiting| {
        let waiter = spawn(waiting);
        nap(1).await?;
        waiter.cancel();
        assert!(waiter.await.unwrap_err().is_cancelled());
        Ok(())
    });
}

#[test]
fn let_go_by_a_timeout_beside_other_work() {
    leave_nothing_behind(SHIELDED, async |waiting| {
        let (first, second) = join(timeout(ms(1), waiting), nap(2)).await;
        assert!(first.unwrap_err().is_timeout());
        second
    });
}
