//! Waiting until nothing else can run.

use homing::runtime::{Budget, Resources, settle};
use homing::{Builder, Instant, Result, Runtime, sleep, spawn, yield_now};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

fn in_virtual_time<T>(main: impl Future<Output = Result<T>>) -> T {
    Builder::new().virtual_time().build().run(main).unwrap()
}

/// A task that takes so many turns, then sleeps for an hour, and then takes one more.
fn busy(turns: u32, seen: &Rc<Cell<u32>>) -> impl Future<Output = Result<()>> + 'static {
    let seen = seen.clone();
    async move {
        for turn in 1..=turns {
            seen.set(turn);
            yield_now().await?;
        }
        sleep(HOUR).await?;
        seen.set(turns + 1);
        Ok(())
    }
}

#[test]
fn who_settles_goes_on_when_all_others_wait_for_a_later_time() {
    in_virtual_time(async {
        let seen = Rc::new(Cell::new(0));
        let task = spawn(busy(100, &seen));
        let begin = Instant::now();
        settle().await?;
        assert_eq!(seen.get(), 100);
        assert_eq!(Instant::now(), begin, "the clock stands still");
        task.await?;
        assert_eq!(seen.get(), 101);
        Ok(())
    });
}

#[test]
fn what_is_due_at_this_very_moment_comes_first() {
    in_virtual_time(async {
        let seen = Rc::new(RefCell::new(Vec::new()));
        sleep(HOUR).await?;
        for name in ["one", "two"] {
            let seen = seen.clone();
            spawn(async move {
                homing::sleep_until(Instant::now()).await?;
                seen.borrow_mut().push(name);
                Ok(())
            });
        }
        settle().await?;
        assert_eq!(*seen.borrow(), ["one", "two"]);
        Ok(())
    });
}

#[test]
fn several_that_settle_go_on_in_the_same_turn() {
    in_virtual_time(async {
        let settled = Rc::new(Cell::new(0));
        let tasks: Vec<_> = (0..3)
            .map(|_| {
                let settled = settled.clone();
                spawn(async move {
                    settle().await?;
                    settled.set(settled.get() + 1);
                    Ok(())
                })
            })
            .collect();
        settle().await?;
        assert_eq!(settled.get(), 0, "main is the first to go on, for it was the first to wait");
        yield_now().await?;
        assert_eq!(settled.get(), 3);
        for task in tasks {
            task.await?;
        }
        Ok(())
    });
}

#[test]
fn one_that_was_cancelled_or_dropped_holds_up_nobody() {
    in_virtual_time(async {
        let cancelled = spawn(settle());
        let mut dropped = Box::pin(settle());
        // Polled once, and let go.
        std::future::poll_fn(|cx| {
            assert!(dropped.as_mut().poll(cx).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
        drop(dropped);
        yield_now().await?;
        cancelled.cancel();
        settle().await?;
        assert!(cancelled.await.unwrap_err().is_cancelled());
        Ok(())
    });
}

#[test]
fn in_real_time_it_does_not_wait_for_a_deadline_either() {
    let begin = std::time::Instant::now();
    Runtime::new()
        .run(async {
            spawn(sleep(HOUR));
            settle().await
        })
        .unwrap();
    assert!(begin.elapsed() < HOUR);
}

#[test]
fn a_host_that_takes_turns_settles_too() {
    let runtime = Builder::new().virtual_time().build();
    let seen = Rc::new(Cell::new(0));
    let busy = runtime.spawn(busy(10, &seen));
    let mut settled = runtime.spawn({
        let seen = seen.clone();
        async move {
            settle().await?;
            Ok(seen.get())
        }
    });
    while runtime.turn(Budget::polls(1)).unwrap().more_ready {
        if settled.is_finished() {
            break;
        }
    }
    assert_eq!(settled.try_result().unwrap().unwrap(), 10);
    assert!(!busy.is_finished());
    busy.abort();
}

#[test]
fn outside_of_a_runtime_it_is_an_error() {
    let waker = std::task::Waker::noop();
    let mut future = std::pin::pin!(settle());
    let polled = future.as_mut().poll(&mut std::task::Context::from_waker(waker));
    let std::task::Poll::Ready(Err(error)) = polled else { panic!("{polled:?}") };
    assert!(error.is::<homing::RuntimeError>());
}

#[test]
fn resources_are_counted_while_they_are_held() {
    let runtime = Builder::new().virtual_time().build();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let accepting = runtime.spawn(async move {
        let listener = homing::net::TcpListener::from_std(listener)?;
        listener.accept().await?;
        Ok(())
    });
    let sleeping = runtime.spawn(sleep(HOUR));
    runtime.block_on(settle()).unwrap();
    let held = runtime.resources();
    assert_eq!((held.tasks, held.timers, held.descriptors), (2, 1, 1));
    accepting.abort();
    sleeping.abort();
    assert_eq!(runtime.resources(), Resources::default());
}
