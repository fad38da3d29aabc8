//! Signals: who hears them, what is put back, and that none is lost.
#![cfg(unix)]

mod support;

use futures_util::StreamExt;
use homing::signal::{self, SignalKind};
use homing::{Result, RuntimeError, timeout};
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use support::{millis, poll_once};

/// Handlers are the process's: one test at a time has them.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
    homing::run(timeout(Duration::from_secs(20), main))
}

/// Sends a signal to this very thread: the handlers have run when this returns.
fn send(kind: SignalKind) {
    // SAFETY: sends a signal that somebody listens to.
    assert_eq!(unsafe { libc::raise(kind.as_raw()) }, 0);
}

fn present_handler(kind: SignalKind) -> libc::sighandler_t {
    let mut present = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: asks only, and the answer is written to `present`.
    unsafe {
        assert_eq!(libc::sigaction(kind.as_raw(), std::ptr::null(), present.as_mut_ptr()), 0);
        present.assume_init().sa_sigaction
    }
}

#[test]
fn a_signal_wakes_a_sleeping_loop() {
    let _alone = alone();
    run(async {
        let mut user = signal::unix(SignalKind::USER_1)?;
        let sender = thread::spawn(|| {
            thread::sleep(millis(5));
            send(SignalKind::USER_1);
        });
        user.recv().await?;
        sender.join().unwrap();
        Ok(())
    })
    .unwrap();
}

#[test]
fn one_that_came_before_the_wait_is_heard_and_those_that_came_together_come_as_one() {
    let _alone = alone();
    run(async {
        let mut user = signal::unix(SignalKind::USER_1)?;
        for _ in 0..3 {
            for _ in 0..5 {
                send(SignalKind::USER_1);
            }
            user.recv().await?;
            assert!(timeout(millis(5), async { user.recv().await }).await.unwrap_err().is_timeout());
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn every_listener_hears_it_in_every_runtime() {
    let _alone = alone();
    let (ready, heard) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (ready, heard) = (ready.clone(), heard.clone());
            thread::spawn(move || {
                run(async {
                    homing::task_group(async |tg| {
                        for _ in 0..3 {
                            let mut user = signal::unix(SignalKind::USER_2)?;
                            let heard = heard.clone();
                            tg.spawn(async move {
                                user.recv().await?;
                                heard.fetch_add(1, SeqCst);
                                Ok(())
                            });
                        }
                        ready.fetch_add(1, SeqCst);
                        Ok(())
                    })
                    .await
                })
                .unwrap();
            })
        })
        .collect();
    while ready.load(SeqCst) < 4 {
        thread::yield_now();
    }
    send(SignalKind::USER_2);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(heard.load(SeqCst), 12);
}

#[test]
fn only_who_listens_to_it_is_woken() {
    let _alone = alone();
    run(async {
        let mut one = signal::unix(SignalKind::USER_1)?;
        let mut two = signal::unix(SignalKind::USER_2)?;
        send(SignalKind::USER_1);
        one.recv().await?;
        assert!(timeout(millis(5), async { two.recv().await }).await.unwrap_err().is_timeout());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_cancelled_wait_loses_no_signal() {
    let _alone = alone();
    run(async {
        let user = signal::unix(SignalKind::USER_1)?;
        let task = homing::spawn(async move {
            let mut user = user;
            let error = user.recv().await.unwrap_err();
            assert!(error.is_cancelled());
            homing::current().unwrap().uncancel();
            user.recv().await
        });
        homing::sleep(millis(1)).await?;
        send(SignalKind::USER_1);
        task.cancel();
        task.await
    })
    .unwrap();
}

#[test]
fn it_is_a_stream_that_never_ends() {
    let _alone = alone();
    run(async {
        let mut user = signal::unix(SignalKind::USER_1)?;
        for _ in 0..3 {
            send(SignalKind::USER_1);
            user.next().await.unwrap()?;
        }
        Ok(())
    })
    .unwrap();
}

static CALLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn somebody_elses(_signal: libc::c_int) {
    CALLED.fetch_add(1, SeqCst);
}

#[test]
fn a_former_handler_is_still_called_and_put_back_in_the_end() {
    let _alone = alone();
    let handler: extern "C" fn(libc::c_int) = somebody_elses;
    // SAFETY: the handler only counts.
    let before = unsafe { libc::signal(libc::SIGUSR1, handler as libc::sighandler_t) };
    run(async {
        let mut first = signal::unix(SignalKind::USER_1)?;
        let second = signal::unix(SignalKind::USER_1)?;
        assert_ne!(present_handler(SignalKind::USER_1), handler as libc::sighandler_t);
        send(SignalKind::USER_1);
        first.recv().await?;
        assert_eq!(CALLED.load(SeqCst), 1);
        drop(first);
        assert_ne!(present_handler(SignalKind::USER_1), handler as libc::sighandler_t);
        drop(second);
        assert_eq!(present_handler(SignalKind::USER_1), handler as libc::sighandler_t);
        Ok(())
    })
    .unwrap();
    send(SignalKind::USER_1);
    while CALLED.load(SeqCst) < 2 {
        thread::yield_now();
    }
    // SAFETY: puts back what was there.
    unsafe { libc::signal(libc::SIGUSR1, before) };
}

#[test]
fn a_handler_that_was_put_over_ours_stays() {
    let _alone = alone();
    let listener = signal::unix(SignalKind::USER_1).unwrap();
    let handler: extern "C" fn(libc::c_int) = somebody_elses;
    // SAFETY: the handler only counts.
    unsafe { libc::signal(libc::SIGUSR1, handler as libc::sighandler_t) };
    drop(listener);
    assert_eq!(present_handler(SignalKind::USER_1), handler as libc::sighandler_t);
    // SAFETY: as it was at the beginning of the process.
    unsafe { libc::signal(libc::SIGUSR1, libc::SIG_DFL) };
}

#[test]
fn our_handler_put_back_by_somebody_else_does_not_call_itself() {
    let _alone = alone();
    let mut found = MaybeUninit::<libc::sigaction>::uninit();
    let first = signal::unix(SignalKind::USER_1).unwrap();
    // SAFETY: asks only, and the answer is written to `found`.
    unsafe { assert_eq!(libc::sigaction(libc::SIGUSR1, std::ptr::null(), found.as_mut_ptr()), 0) };
    drop(first);
    // SAFETY: it was set before, and the handler is there for as long as the process lives.
    unsafe { assert_eq!(libc::sigaction(libc::SIGUSR1, found.as_ptr(), std::ptr::null_mut()), 0) };
    send(SignalKind::USER_1);
    run(async {
        let mut second = signal::unix(SignalKind::USER_1)?;
        send(SignalKind::USER_1);
        second.recv().await
    })
    .unwrap();
    assert_eq!(present_handler(SignalKind::USER_1), libc::SIG_DFL);
}

#[test]
fn what_is_no_signal_or_cannot_be_listened_to_is_a_clear_error() {
    let _alone = alone();
    for number in [0, -1, 4000, libc::SIGKILL, libc::SIGSTOP, libc::SIGSEGV] {
        let error = signal::unix(SignalKind::from_raw(number)).unwrap_err();
        assert_eq!(error.downcast_ref::<io::Error>().unwrap().kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains(&format!("signal {number}")), "{error}");
    }
}

#[test]
fn outside_of_a_runtime_nobody_can_wait() {
    let _alone = alone();
    let mut user = signal::unix(SignalKind::USER_1).unwrap();
    let polled = poll_once(Pin::new(&mut user.recv()));
    let std::task::Poll::Ready(Err(error)) = polled else { panic!() };
    assert_eq!(error.downcast_ref(), Some(&RuntimeError::NoRuntime));
}

#[test]
fn who_looks_at_the_task_sees_which_signal_it_waits_for() {
    let _alone = alone();
    run(async {
        let mut user = signal::unix(SignalKind::USER_1)?;
        let task = homing::spawn(async move { user.recv().await });
        homing::yield_now().await?;
        let graph = homing::introspect::format_call_graph_of(&task);
        assert!(graph.contains(&format!("signal {}", libc::SIGUSR1)), "{graph}");
        task.abort();
        Ok(())
    })
    .unwrap();
}

/// Listeners come and go while signals come in from another thread: no descriptor stays behind, none is written to that
/// belongs to somebody else by then, and who stays hears them.
#[test]
fn under_a_storm_of_signals_listeners_come_and_go() {
    let _alone = alone();
    let over = Arc::new(AtomicBool::new(false));
    let keeper = signal::unix(SignalKind::USER_2).unwrap();
    // As long as the storm lasts: what nobody listens to ends the process.
    let until_the_end = signal::unix(SignalKind::USER_2).unwrap();
    let storm = thread::spawn({
        let over = over.clone();
        move || {
            while !over.load(SeqCst) {
                send(SignalKind::USER_2);
                thread::yield_now();
            }
        }
    });
    let open = || std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    let before = open();
    run(async {
        let mut keeper = keeper;
        for _ in 0..300 {
            let mut first = signal::unix(SignalKind::USER_2)?;
            let second = signal::unix(SignalKind::USER_2)?;
            first.recv().await?;
            drop(second);
            keeper.recv().await?;
        }
        Ok(())
    })
    .unwrap();
    over.store(true, SeqCst);
    storm.join().unwrap();
    drop(until_the_end);
    // Their pairs are gone as well.
    assert!(open() <= before, "{before} descriptors before, {} after", open());
}
