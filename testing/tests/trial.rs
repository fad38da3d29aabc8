//! What a trial does, and what it finds.

use homing::sync::Event;
use homing::testing::{self, Finding, Trial, advance, settle};
use homing::{Error, Instant, Result, sleep, spawn, task, yield_now};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// The message with which a trial fails.
fn failure<T>(trial: impl FnOnce() -> T) -> String {
    let payload = match catch_unwind(AssertUnwindSafe(trial)) {
        Ok(_) => panic!("the trial has not failed"),
        Err(payload) => payload,
    };
    match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => (*payload.downcast::<&str>().expect("a message")).to_owned(),
    }
}

#[test]
fn an_hour_takes_no_time_and_the_value_comes_out() {
    let begin = std::time::Instant::now();
    let passed = testing::run(async || {
        let begin = Instant::now();
        sleep(10 * HOUR).await?;
        Ok(begin.elapsed())
    });
    assert_eq!(passed, 10 * HOUR);
    assert!(begin.elapsed() < HOUR);
}

#[test]
fn an_error_fails_it_with_all_of_its_story() {
    let message = failure(|| {
        testing::run(async || {
            task(async { Err::<(), _>(Error::msg("the database is gone")) }).name("orders").spawn().await
        })
    });
    assert!(message.contains("the database is gone") && message.contains("in task 'orders'"), "{message}");
}

#[test]
fn a_panic_goes_on_as_it_is() {
    let message = failure(|| testing::run(async || -> Result<()> { panic!("one is not two") }));
    assert_eq!(message, "one is not two");
}

#[test]
fn a_task_that_is_left_fails_it_with_its_place() {
    let message = failure(|| {
        testing::run(async || {
            task(sleep(HOUR)).name("forgotten").spawn();
            Ok(())
        })
    });
    assert!(message.contains("a task was left when the test was over"), "{message}");
    assert!(message.contains("name='forgotten'") && message.contains("trial.rs"), "{message}");
    assert!(message.contains("awaiting timer due in 3600s"), "{message}");
}

#[test]
fn a_task_that_is_only_late_is_not_left() {
    testing::run(async || {
        spawn(async {
            for _ in 0..100 {
                yield_now().await?;
            }
            Ok(())
        });
        Ok(())
    });
}

#[test]
fn an_error_that_nobody_has_read_fails_it() {
    let message = failure(|| {
        testing::run(async || {
            drop(spawn(async { Err::<(), _>(Error::msg("unheard")) }));
            settle().await
        })
    });
    assert!(message.contains("unheard") && message.contains("nobody has read its error"), "{message}");
}

#[test]
fn a_cancellation_that_was_swallowed_fails_it() {
    let message = failure(|| {
        testing::run(async || {
            let deaf = spawn(async {
                let _deaf = sleep(HOUR).await;
                Ok(())
            });
            settle().await?;
            deaf.cancel();
            deaf.await
        })
    });
    assert!(message.contains("was cancelled and returned a value"), "{message}");
}

#[test]
fn a_timer_that_was_forgotten_fails_it() {
    let message = failure(|| {
        testing::run(async || {
            let mut nap = Box::pin(sleep(HOUR));
            let polled = futures_util::poll!(&mut nap);
            assert!(polled.is_pending());
            std::mem::forget(nap);
            Ok(())
        })
    });
    assert!(message.contains("a timer was left armed"), "{message}");
}

#[test]
fn a_descriptor_that_was_forgotten_fails_it() {
    let message = failure(|| {
        Trial::new().real_time().run(async || {
            let listener = Rc::new(homing::net::TcpListener::bind("127.0.0.1:0")?);
            let accepting = spawn({
                let listener = listener.clone();
                async move { listener.accept().await.map(drop) }
            });
            settle().await?;
            accepting.abort();
            std::mem::forget(listener);
            Ok(())
        })
    });
    assert!(message.contains("a descriptor was left open"), "{message}");
}

#[test]
fn what_is_tolerated_does_not_fail_it() {
    let trial = Trial::new()
        .tolerate(|finding| matches!(finding, Finding::Task(task) if task.name() == "logger"))
        .tolerate(|finding| finding.to_string().contains("unheard"));
    trial.run(async || {
        task(sleep(HOUR)).name("logger").spawn();
        drop(spawn(async { Err::<(), _>(Error::msg("unheard")) }));
        settle().await
    });
}

#[test]
fn one_that_waits_for_ever_fails_at_once_and_shows_where() {
    let begin = std::time::Instant::now();
    let message = failure(|| {
        testing::run(async || {
            let never = Rc::new(Event::new());
            let waiter = task({
                let never = never.clone();
                async move { never.wait().await }
            })
            .name("waiter")
            .spawn();
            waiter.await
        })
    });
    assert!(begin.elapsed() < HOUR);
    assert!(message.contains("it took longer than 86400s"), "{message}");
    assert!(message.contains("waiter") && message.contains("event"), "{message}");
}

#[test]
fn one_that_takes_longer_than_its_limit_fails() {
    let message = failure(|| Trial::new().limit(HOUR).run(async || sleep(2 * HOUR).await));
    assert!(message.contains("it took longer than 3600s"), "{message}");
    Trial::new().limit(2 * HOUR).run(async || sleep(HOUR).await);
}

#[test]
fn seeds_give_different_orders_and_each_seed_always_the_same() {
    let orders = || {
        let seen = Rc::new(RefCell::new(Vec::new()));
        Trial::new().seeds(0..50).run(async || {
            let order = Rc::new(RefCell::new(String::new()));
            for name in ["a", "b", "c"] {
                let order = order.clone();
                spawn(async move {
                    *order.borrow_mut() += name;
                    Ok(())
                });
            }
            settle().await?;
            seen.borrow_mut().push(order.take());
            Ok(())
        });
        seen.take()
    };
    let first = orders();
    if std::env::var("HOMING_TEST_SEED").is_ok() {
        return;
    }
    assert_eq!(first.len(), 50);
    assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), 6, "all orders of three: {first:?}");
    assert_eq!(first, orders());
}

#[test]
fn the_failing_seed_is_told() {
    if std::env::var("HOMING_TEST_SEED").is_ok() {
        return;
    }
    let runs = Cell::new(0);
    let message = failure(|| {
        Trial::new().seeds(0..10).run(async || {
            runs.set(runs.get() + 1);
            if runs.get() == 4 { Err(Error::msg("the fourth")) } else { Ok(()) }
        })
    });
    assert!(message.contains("with seed 3 (HOMING_TEST_SEED=3 repeats it)"), "{message}");
    assert_eq!(runs.get(), 4);
}

#[test]
#[should_panic(expected = "no seed would test nothing")]
fn a_trial_without_any_seed_is_refused() {
    #[expect(clippy::reversed_empty_ranges)]
    let _trial = Trial::new().seeds(3..3).seeds(5..2);
}

#[test]
fn advancing_lets_everything_happen_that_becomes_due_on_the_way() {
    testing::run(async || {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let begin = Instant::now();
        for minutes in [30, 60, 90] {
            let seen = seen.clone();
            spawn(async move {
                sleep(Duration::from_secs(60 * minutes)).await?;
                yield_now().await?;
                seen.borrow_mut().push(minutes);
                Ok(())
            });
        }
        advance(HOUR).await?;
        assert_eq!((&*seen.borrow(), begin.elapsed()), (&vec![30, 60], HOUR));
        advance(HOUR).await?;
        assert_eq!((&*seen.borrow(), begin.elapsed()), (&vec![30, 60, 90], 2 * HOUR));
        Ok(())
    });
}
