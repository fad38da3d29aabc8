//! Servers: who is let in, and how it ends.

use homing::sync::{Event, Queue};
use homing::{Builder, Error, Instant, Result, Served, Server, Stopping, sleep, spawn, yield_now};
use std::cell::{Cell, RefCell};
use std::future::pending;
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// Runs a test in virtual time: connections here are numbers, and an hour takes no time.
fn in_virtual_time(test: impl Future<Output = Result<()>> + 'static) {
    Builder::new().virtual_time().build().block_on(test).unwrap();
}

const SECOND: Duration = Duration::from_secs(1);

/// `EBADF`, `ENFILE` and `EMFILE`, which have these numbers on every Unix.
const BAD_DESCRIPTOR: i32 = 9;
const TOO_MANY_IN_ALL: i32 = 23;
const TOO_MANY: i32 = 24;

#[test]
fn no_more_are_accepted_than_may_be_handled_at_a_time() {
    in_virtual_time(async {
        let line = Rc::new(Queue::unbounded());
        for number in 0..6 {
            line.put_nowait(number)?;
        }
        let (busy, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (lined, counted, peak) = (line.clone(), busy.clone(), most.clone());
        let handler = move |_number, _stopping| {
            let (busy, most) = (counted.clone(), peak.clone());
            async move {
                busy.set(busy.get() + 1);
                most.set(most.get().max(busy.get()));
                sleep(SECOND).await?;
                busy.set(busy.get() - 1);
                Ok(())
            }
        };
        let begin = Instant::now();
        let server = spawn(async move {
            Server::new().limit(2).run(sleep(SECOND * 10), async || lined.get().await, handler).await
        });
        sleep(SECOND / 2).await?;
        assert_eq!(line.len(), 4, "who is not let in waits outside");
        assert_eq!(server.await?, Served::ToTheEnd);
        assert_eq!(most.get(), 2);
        assert_eq!(begin.elapsed(), SECOND * 10);
        Ok(())
    });
}

#[test]
fn who_is_told_to_stop_accepts_nobody_and_finishes_what_is_in_hand() {
    in_virtual_time(async {
        let line = Rc::new(Queue::unbounded());
        let told = Rc::new(RefCell::new(Vec::new()));
        let (lined, notes) = (line.clone(), told.clone());
        let server = spawn(async move {
            let handler = move |number: u32, stopping: Stopping| {
                let notes = notes.clone();
                async move {
                    assert!(!stopping.is_stopping());
                    stopping.clone().await;
                    sleep(SECOND * number).await?;
                    assert!(stopping.is_stopping());
                    stopping.await;
                    Ok(notes.borrow_mut().push(number))
                }
            };
            Server::new().run(sleep(SECOND), async || lined.get().await, handler).await
        });
        line.put_nowait(3)?;
        line.put_nowait(1)?;
        sleep(SECOND * 3 / 2).await?;
        line.put_nowait(2)?;
        assert_eq!(server.await?, Served::ToTheEnd);
        assert_eq!((&told.borrow()[..], line.len()), (&[1, 3][..], 1));
        Ok(())
    });
}

#[test]
fn who_is_still_there_when_the_time_is_over_is_cancelled_and_cleans_up() {
    in_virtual_time(async {
        let begin = Instant::now();
        let cleaned = Rc::new(Cell::new(None));
        let noted = cleaned.clone();
        let handler = move |(), _| {
            let noted = noted.clone();
            async move {
                let error = sleep(SECOND * 3600).await.unwrap_err();
                assert!(error.is_cancelled());
                sleep(SECOND * 2).await?;
                noted.set(Some(begin.elapsed()));
                Err(error)
            }
        };
        let accepted = Cell::new(false);
        let accept = async || match accepted.replace(true) {
            false => Ok(()),
            true => pending().await,
        };
        let served = Server::new().grace(SECOND * 5).run(sleep(SECOND), accept, handler).await?;
        assert_eq!(served, Served::Cancelled);
        assert_eq!(cleaned.get(), Some(SECOND * 8));
        assert_eq!(begin.elapsed(), SECOND * 8);
        Ok(())
    });
}

#[test]
fn a_handler_that_fails_ends_the_others_and_the_server() {
    in_virtual_time(async {
        let next = Cell::new(0);
        let accept = async || {
            next.set(next.get() + 1);
            sleep(SECOND).await?;
            Ok(next.get())
        };
        let ended = Rc::new(Cell::new(0));
        let count = ended.clone();
        let handler = move |number, _| {
            let count = count.clone();
            async move {
                if number == 3 {
                    return Err(Error::msg("the third one"));
                }
                let waited = sleep(SECOND * 3600).await;
                count.set(count.get() + 1);
                waited
            }
        };
        let error = Server::new().run(pending(), accept, handler).await.unwrap_err();
        let group = error.as_group().unwrap();
        assert_eq!(group.leaves().map(ToString::to_string).collect::<Vec<_>>(), ["the third one"]);
        assert_eq!(ended.get(), 2);
        Ok(())
    });
}

#[test]
fn a_cancel_is_no_polite_request() {
    in_virtual_time(async {
        let begin = Instant::now();
        let event = Rc::new(Event::new());
        let waited = event.clone();
        let server = spawn(async move {
            let accept = async || sleep(SECOND).await;
            let handler = move |(), stopping: Stopping| {
                let waited = waited.clone();
                async move {
                    let result = waited.wait().await;
                    assert!(!stopping.is_stopping());
                    result
                }
            };
            Server::new().grace(SECOND * 60).run(pending(), accept, handler).await
        });
        sleep(SECOND * 5 / 2).await?;
        server.cancel();
        assert!(server.await.unwrap_err().is_cancelled());
        assert_eq!(begin.elapsed(), SECOND * 5 / 2);
        Ok(())
    });
}

#[test]
fn a_server_without_descriptors_goes_on_and_other_errors_end_it() {
    in_virtual_time(async {
        let errors = RefCell::new(vec![BAD_DESCRIPTOR, TOO_MANY_IN_ALL, TOO_MANY]);
        let accept = async || {
            yield_now().await?;
            let number = errors.borrow_mut().pop().expect("the last one ends the server");
            Err::<(), _>(Error::from(io::Error::from_raw_os_error(number)))
        };
        let error = Server::new().run(pending(), accept, |(), _| async { Ok(()) }).await.unwrap_err();
        let group = error.as_group().unwrap();
        assert_eq!(group.leaves().count(), 1);
        assert!(errors.borrow().is_empty());
        Ok(())
    });
}

#[test]
#[should_panic(expected = "would wait for ever")]
fn a_server_without_room_is_a_mistake() {
    let _ = Server::new().limit(0);
}
