//! `test_staggered.py`.

use crate::support::exceptions::ValueError;
use crate::support::{Loop, ms, nap, run};
use homing::sync::Event;
use homing::{Error, Instant, RaceOutcome, Result, race, timeout_scope, yield_now};
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;

/// The errors in short: `-` for the winner.
fn errors<T>(outcome: &RaceOutcome<T>) -> Vec<String> {
    let shown = |error: &Option<Error>| match error {
        None => "-".into(),
        Some(error) if error.is_cancelled() => "cancelled".into(),
        Some(error) => error.to_string(),
    };
    outcome.errors.iter().map(shown).collect()
}

mod staggered_tests {
    use super::*;

    /// A race without attempts has no winner and no errors (ST-2).
    #[test]
    fn test_empty() {
        let outcome =
            run(async { race(Vec::<std::future::Ready<Result<()>>>::new()).stagger(None).await }).unwrap();
        assert_eq!(outcome.winner, None);
        assert!(outcome.errors.is_empty());
    }

    /// The first attempt to succeed wins, and those after it are not started (ST-1).
    #[test]
    fn test_one_successful() {
        let attempt = |index| async move { Ok(format!("Res: {index}")) };
        let outcome = run(async { race((0..2).map(attempt)).stagger(None).await }).unwrap();
        assert_eq!(outcome.winner, Some((0, "Res: 0".into())));
        assert_eq!(errors(&outcome), ["-"]);
    }

    /// When an attempt fails, the next one is started (ST-1).
    #[test]
    fn test_first_error_second_successful() {
        let attempt = |index| async move {
            if index == 0 {
                return Err(ValueError("0").into());
            }
            Ok(format!("Res: {index}"))
        };
        let outcome = run(async { race((0..2).map(attempt)).stagger(None).await }).unwrap();
        assert_eq!(outcome.winner, Some((1, "Res: 1".into())));
        assert_eq!(errors(&outcome), ["ValueError(0)", "-"]);
    }

    /// When an attempt takes longer than the delay, the next one is started; when that wins, the first is cancelled (ST-1).
    #[test]
    fn test_first_timeout_second_successful() {
        let l = Loop::new();
        let attempt = |index| async move {
            if index == 0 {
                nap(10_000).await?;
            }
            Ok(format!("Res: {index}"))
        };
        let outcome = l.block_on(async { race((0..2).map(attempt)).stagger(ms(100)).await }).unwrap();
        assert_eq!(outcome.winner, Some((1, "Res: 1".into())));
        assert_eq!(errors(&outcome), ["cancelled", "-"]);
        assert_eq!(l.time(), 100);
    }

    /// If all attempts fail, there is no winner, and all errors (ST-2).
    #[test]
    fn test_none_successful() {
        let attempt = |name| async move { Err::<(), _>(Error::from(ValueError(name))) };
        let outcome = run(async { race(["0", "1"].map(attempt)).stagger(None).await }).unwrap();
        assert_eq!(outcome.winner, None);
        assert_eq!(errors(&outcome), ["ValueError(0)", "ValueError(1)"]);
    }

    /// If several attempts could succeed in one turn, one wins, and the others count as cancelled (ST-3).
    #[test]
    fn test_multiple_winners() {
        let l = Loop::new();
        let event = Rc::new(Event::new());
        let attempt = |index| -> Pin<Box<dyn Future<Output = Result<i32>>>> {
            let event = event.clone();
            if index < 2 {
                return Box::pin(async move {
                    event.wait().await?;
                    Ok(index)
                });
            }
            Box::pin(async move {
                event.set();
                Event::new().wait().await?;
                Ok(index)
            })
        };
        let outcome = l.block_on(async { race((0..3).map(attempt)).stagger(ms(100)).await }).unwrap();
        assert_eq!(outcome.winner, Some((0, 0)));
        assert_eq!(errors(&outcome), ["-", "cancelled", "cancelled"]);
        assert_eq!(l.time(), 200);
    }

    /// A cancel of who races goes to the attempt, once each time; when that has ended, the `Cancelled` comes out, and the
    /// outermost timeout claims it (CX-17, ST-4, TO-16).
    #[test]
    fn test_cancelled() {
        let log = Rc::new(RefCell::new(Vec::new()));
        let outcome = run(async {
            timeout_scope(None, async |outer| {
                timeout_scope(None, async |inner| {
                    let attempt = {
                        let (outer, inner, log) = (outer.clone(), inner.clone(), log.clone());
                        async move {
                            for (scope, entry) in [(inner, "cancelled 1"), (outer, "cancelled 2")] {
                                scope.reschedule(Instant::now())?;
                                yield_now().await?;
                                if yield_now().await.is_err_and(|error| error.is_cancelled()) {
                                    log.borrow_mut().push(entry);
                                }
                            }
                            Ok(())
                        }
                    };
                    let raced = race([attempt]).stagger(None).await;
                    if raced.as_ref().is_err_and(Error::is_cancelled) {
                        log.borrow_mut().push("cancelled 3");
                    }
                    raced.map(drop)
                })
                .await
            })
            .await
        });
        assert!(outcome.unwrap_err().is_timeout());
        assert_eq!(log.take(), ["cancelled 1", "cancelled 2", "cancelled 3"]);
    }
}
