//! Ctrl-C cancels main. Its own `main`, because interrupts are for the main thread, and that is not where tests run.

#![cfg_attr(not(target_os = "linux"), allow(unused))]

#[cfg(target_os = "linux")]
#[path = "asyncio/test_runners/interrupts.rs"]
mod interrupts;
#[cfg(target_os = "linux")]
#[path = "asyncio/support/promise.rs"]
#[allow(dead_code, reason = "what it is to other tests")]
mod promise;

use homing::introspect::Doubt;
use homing::{Builder, Interrupted, Result, Runner, sleep};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() {
    let tests: [(&str, fn()); 20] = [
        ("an_interrupt_cancels_main_which_cleans_up", an_interrupt_cancels_main_which_cleans_up),
        ("an_interrupt_begins_the_chain_of_causes", an_interrupt_begins_the_chain_of_causes),
        (
            "a_second_interrupt_leaves_deferred_clean_ups_to_the_sweep",
            a_second_interrupt_leaves_deferred_clean_ups_to_the_sweep,
        ),
        ("an_interrupt_wakes_a_sleeping_loop", an_interrupt_wakes_a_sleeping_loop),
        (
            "a_main_that_swallows_the_interrupt_has_its_value",
            a_main_that_swallows_the_interrupt_has_its_value,
        ),
        (
            "a_main_that_somebody_else_cancelled_too_is_cancelled",
            a_main_that_somebody_else_cancelled_too_is_cancelled,
        ),
        ("a_second_interrupt_aborts_main", a_second_interrupt_aborts_main),
        (
            "a_second_interrupt_aborts_a_main_that_has_swallowed_the_first",
            a_second_interrupt_aborts_a_main_that_has_swallowed_the_first,
        ),
        (
            "an_interrupt_that_main_can_no_longer_hear_of_is_the_outcome",
            an_interrupt_that_main_can_no_longer_hear_of_is_the_outcome,
        ),
        (
            "an_interrupt_that_comes_when_main_ends_cancelled_by_others_changes_nothing",
            an_interrupt_that_comes_when_main_ends_cancelled_by_others_changes_nothing,
        ),
        (
            "an_interrupt_that_comes_too_late_displaces_no_error",
            an_interrupt_that_comes_too_late_displaces_no_error,
        ),
        ("each_run_of_a_runner_hears_of_interrupts", each_run_of_a_runner_hears_of_interrupts),
        (
            "the_former_handler_is_put_back_when_main_panics_too",
            the_former_handler_is_put_back_when_main_panics_too,
        ),
        ("one_runtime_after_the_other_hears_of_interrupts", one_runtime_after_the_other_hears_of_interrupts),
        ("the_former_handler_is_put_back", the_former_handler_is_put_back),
        ("who_listens_to_interrupts_has_them_for_himself", who_listens_to_interrupts_has_them_for_himself),
        ("a_listener_that_outlives_the_run_still_hears", a_listener_that_outlives_the_run_still_hears),
        (
            "a_main_that_waits_for_what_will_never_be_may_wait_for_an_interrupt",
            a_main_that_waits_for_what_will_never_be_may_wait_for_an_interrupt,
        ),
        ("who_listens_to_interrupts_is_not_stuck", who_listens_to_interrupts_is_not_stuck),
        (
            "a_handler_over_ours_that_calls_it_after_the_run_does_not_end_the_process",
            a_handler_over_ours_that_calls_it_after_the_run_does_not_end_the_process,
        ),
    ];
    // Whoever started this process may have it ignore interrupts, as shells do with what runs in the background.
    // SAFETY: puts the default in place.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
    std::thread::spawn(|| {
        std::thread::sleep(Duration::from_secs(30));
        eprintln!("an interrupt was not heard within 30 s");
        std::process::exit(1);
    });
    println!("running {} tests", tests.len() + interrupts::PORTED.len());
    for (name, test) in tests.into_iter().chain(interrupts::PORTED) {
        test();
        println!("test {name} ... ok");
    }
    println!("\ntest result: ok. {} passed; 0 failed", tests.len() + interrupts::PORTED.len());
}

fn interrupt() {
    // SAFETY: sends a signal to this very thread.
    assert_eq!(unsafe { libc::raise(libc::SIGINT) }, 0);
}

const LONG: Duration = Duration::from_secs(3600);

/// RU-9, RU-10.
fn an_interrupt_cancels_main_which_cleans_up() {
    let mut cleaned_up = false;
    let outcome: Result<()> = homing::run(async {
        interrupt();
        let interrupted = sleep(LONG).await;
        sleep(Duration::from_millis(2)).await?; // clean-up may await
        cleaned_up = true;
        interrupted
    });
    let error = outcome.unwrap_err();
    assert!(error.is::<Interrupted>(), "{error:#}");
    assert!(!error.is_cancelled());
    assert!(cleaned_up);
}

fn an_interrupt_begins_the_chain_of_causes() {
    let mut chain = String::new();
    let outcome: Result<()> = homing::run(async {
        let fetch = homing::TaskGroup::builder().name("fetch");
        let mut child = None;
        let outcome = fetch
            .run(async |tg| {
                child = Some(tg.task(async { sleep(LONG).await }).name("user-7").spawn());
                interrupt();
                sleep(LONG).await
            })
            .await;
        chain = child.take().unwrap().await.unwrap_err().to_string();
        outcome
    });
    let error = outcome.unwrap_err();
    let cause = error.downcast_ref::<Interrupted>().unwrap().cause().unwrap();
    assert_eq!(cause.to_string(), "cancelled: interrupt → task 'main'");
    let links: Vec<_> = chain.split(" → ").map(|link| link.split(" at ").next().unwrap()).collect();
    assert_eq!(links, ["cancelled: interrupt", "group 'fetch'", "task 'user-7'"]);
}

fn a_second_interrupt_leaves_deferred_clean_ups_to_the_sweep() {
    let cleaned_up = std::rc::Rc::new(std::cell::Cell::new(false));
    let flag = cleaned_up.clone();
    let outcome: Result<()> = homing::run(homing::task_group(async move |tg| {
        tg.defer(async move || {
            sleep(Duration::from_millis(2)).await?;
            Ok(flag.set(true))
        });
        interrupt();
        let _ignored = sleep(LONG).await;
        interrupt();
        sleep(LONG).await
    }));
    assert!(outcome.is_err());
    assert!(cleaned_up.get());
}

/// RU-9.
fn an_interrupt_wakes_a_sleeping_loop() {
    let outcome = homing::run(async {
        // Begins in here: before that, nobody would have been there to hear it.
        std::thread::spawn(|| {
            std::thread::sleep(Duration::from_millis(20));
            // SAFETY: sends a signal to this process.
            assert_eq!(unsafe { libc::kill(std::process::id() as libc::pid_t, libc::SIGINT) }, 0);
        });
        sleep(LONG).await
    });
    assert!(outcome.unwrap_err().is::<Interrupted>());
}

/// RU-12.
fn a_main_that_swallows_the_interrupt_has_its_value() {
    let outcome = homing::run(async {
        interrupt();
        assert!(sleep(LONG).await.unwrap_err().is_cancelled());
        homing::current().unwrap().uncancel();
        Ok(42)
    });
    assert_eq!(outcome.unwrap(), 42);
}

/// RU-11.
fn a_main_that_somebody_else_cancelled_too_is_cancelled() {
    let outcome: Result<()> = homing::run(async {
        let main = homing::current().unwrap();
        homing::call_soon(move || {
            main.cancel();
            interrupt();
        });
        // Both requests come out as one. `run` takes its own back: the other one stays.
        sleep(LONG).await
    });
    let error = outcome.unwrap_err();
    assert!(error.is_cancelled() && !error.is::<Interrupted>(), "{error:#}");
}

/// RU-13.
fn a_second_interrupt_aborts_main() {
    struct Dropped<'a>(&'a mut bool);
    impl Drop for Dropped<'_> {
        fn drop(&mut self) {
            *self.0 = true;
        }
    }
    let mut dropped = false;
    let outcome: Result<()> = homing::run(async {
        let _guard = Dropped(&mut dropped);
        interrupt();
        loop {
            // Will not be told.
            if sleep(LONG).await.is_err() {
                interrupt();
            }
        }
    });
    let error = outcome.unwrap_err();
    assert!(error.is_cancelled() || error.is::<Interrupted>(), "{error:#}");
    assert!(dropped);
}

/// RU-12, RU-13.
fn a_second_interrupt_aborts_a_main_that_has_swallowed_the_first() {
    let outcome: Result<()> = homing::run(async {
        interrupt();
        assert!(sleep(LONG).await.is_err());
        homing::current().unwrap().uncancel();
        interrupt();
        sleep(LONG).await?;
        unreachable!("it is not asked, but dropped")
    });
    assert!(outcome.unwrap_err().is::<Interrupted>());
}

/// RU-12: it is not forgotten, as if the user had not pressed the keys.
fn an_interrupt_that_main_can_no_longer_hear_of_is_the_outcome() {
    let at_once = homing::run(async { Ok(interrupt()) });
    assert!(at_once.unwrap_err().is::<Interrupted>());
    // The first was handled. The second has nobody.
    let the_second = homing::run(async {
        interrupt();
        assert!(sleep(LONG).await.is_err());
        homing::current().unwrap().uncancel();
        Ok(interrupt())
    });
    assert!(the_second.unwrap_err().is::<Interrupted>());
}

/// RU-11: the same as if it had come sooner.
fn an_interrupt_that_comes_when_main_ends_cancelled_by_others_changes_nothing() {
    let outcome: Result<()> = homing::run(async {
        homing::current().unwrap().cancel_with("somebody else");
        let error = sleep(LONG).await.unwrap_err();
        interrupt();
        Err(error)
    });
    let error = outcome.unwrap_err();
    assert!(error.is_cancelled() && !error.is::<Interrupted>(), "{error:#}");
}

/// RU-12.
fn an_interrupt_that_comes_too_late_displaces_no_error() {
    let outcome: Result<()> = homing::run(async {
        interrupt();
        Err(homing::Error::msg("no space left"))
    });
    assert_eq!(outcome.unwrap_err().to_string(), "no space left");
}

/// RU-3, RU-9: what is left of one run is there in the next, whoever was interrupted.
fn each_run_of_a_runner_hears_of_interrupts() {
    let mut runner = Runner::new();
    let left = runner.runtime().unwrap().spawn(sleep(LONG));
    for _ in 0..3 {
        let outcome: Result<()> = runner.run(async {
            interrupt();
            sleep(LONG).await
        });
        assert!(outcome.unwrap_err().is::<Interrupted>());
        assert_eq!(interrupt_action(), libc::SIG_DFL);
        assert_eq!(runner.run(async { Ok(7) }).unwrap(), 7);
    }
    assert!(!left.is_finished());
    runner.close().unwrap();
    assert!(left.is_finished());
}

/// RU-14.
fn the_former_handler_is_put_back_when_main_panics_too() {
    let runner = Runner::new();
    let caught = catch_unwind(AssertUnwindSafe(|| {
        runner.run(async {
            interrupt();
            if sleep(LONG).await.is_err() {
                std::panic::resume_unwind(Box::new("main"))
            }
            Ok(())
        })
    }));
    assert!(caught.is_err());
    assert_eq!(interrupt_action(), libc::SIG_DFL);
    assert_eq!(runner.run(async { Ok(7) }).unwrap(), 7);
}

/// The pipe that wakes the loop is the process's, and listened to by one runtime after the other, and by one again.
fn one_runtime_after_the_other_hears_of_interrupts() {
    let first = homing::Runtime::new();
    let second = homing::Runtime::new();
    for runtime in [&first, &second, &first] {
        let outcome: Result<()> = runtime.run(async {
            interrupt();
            sleep(LONG).await
        });
        assert!(outcome.unwrap_err().is::<Interrupted>());
    }
}

/// RU-14.
fn the_former_handler_is_put_back() {
    homing::run(async { Ok(()) }).unwrap();
    assert_eq!(interrupt_action(), libc::SIG_DFL);
}

fn interrupt_action() -> libc::sighandler_t {
    let mut present = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: asks for the present setting, which is written to `present` if the call succeeds.
    unsafe {
        assert_eq!(libc::sigaction(libc::SIGINT, std::ptr::null(), present.as_mut_ptr()), 0);
        present.assume_init().sa_sigaction
    }
}

#[cfg(target_os = "linux")]
/// It is told with that doubt, and not as a deadlock; here, the interrupt comes when it is.
fn a_main_that_waits_for_what_will_never_be_may_wait_for_an_interrupt() {
    let doubts = Rc::new(RefCell::new(Vec::new()));
    let told = doubts.clone();
    let runtime = Builder::new().find_stuck(true).on_stuck(move |stuck| {
        assert!(stuck.forever);
        told.borrow_mut().extend(stuck.doubts.iter().copied());
        interrupt();
    });
    let outcome: Result<()> = runtime.build().run(std::future::pending());
    assert!(outcome.unwrap_err().is::<Interrupted>());
    assert_eq!(*doubts.borrow(), [Doubt::CtrlC]);
}

fn who_listens_to_interrupts_is_not_stuck() {
    let runtime = Builder::new().find_stuck(true).on_stuck(|stuck| panic!("{stuck}"));
    let sends = std::thread::spawn(|| {
        std::thread::sleep(Duration::from_millis(100));
        // SAFETY: sends a signal to this very process.
        assert_eq!(unsafe { libc::kill(libc::getpid(), libc::SIGINT) }, 0);
    });
    let heard: Result<()> = runtime.build().run(async { homing::signal::ctrl_c().await.map(drop) });
    assert!(heard.is_ok(), "{heard:?}");
    sends.join().unwrap();
}

fn who_listens_to_interrupts_has_them_for_himself() {
    let outcome = homing::run(async {
        let mut listening = homing::signal::ctrl_c();
        for _ in 0..4 {
            interrupt();
            (&mut listening).await?;
        }
        drop(listening);
        // From here on they cancel main again, and the first one is the first.
        interrupt();
        let error = sleep(Duration::from_secs(20)).await.unwrap_err();
        assert!(error.is_cancelled());
        Err::<(), _>(error)
    });
    assert!(outcome.unwrap_err().is::<Interrupted>());
}

#[cfg(target_os = "linux")]
fn a_listener_that_outlives_the_run_still_hears() {
    let runner = Runner::new();
    let mut listening = runner.run(async { Ok(homing::signal::ctrl_c()) }).unwrap();
    interrupt();
    runner.run(async { (&mut listening).await }).unwrap();
    drop(listening);
    let outcome = runner.run(async {
        interrupt();
        sleep(Duration::from_secs(20)).await
    });
    assert!(outcome.unwrap_err().is::<Interrupted>());
}

/// Whom the handler of [`chained`] calls.
#[cfg(target_os = "linux")]
static OURS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
#[cfg(target_os = "linux")]
static CHAINED: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

/// As other libraries do: counts, and calls whom it has found there.
#[cfg(target_os = "linux")]
extern "C" fn chained(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    use std::sync::atomic::Ordering::SeqCst;
    CHAINED.fetch_add(1, SeqCst);
    // SAFETY: it was found with `SA_SIGINFO`, which says that it is such a function.
    let former: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
        unsafe { std::mem::transmute(OURS.load(SeqCst)) };
    former(signal, info, context);
}

#[cfg(target_os = "linux")]
fn a_handler_over_ours_that_calls_it_after_the_run_does_not_end_the_process() {
    use std::sync::atomic::Ordering::SeqCst;
    let outcome: Result<()> = homing::run(async {
        OURS.store(interrupt_action(), SeqCst);
        // SAFETY: all zero is a valid setting, and the handler does only what one may do.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = chained as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO;
            assert_eq!(libc::sigaction(libc::SIGINT, &action, std::ptr::null_mut()), 0);
        }
        // While main runs, ours hears of it by way of the other.
        interrupt();
        sleep(LONG).await
    });
    assert!(outcome.unwrap_err().is::<Interrupted>());
    for _ in 0..4 {
        interrupt();
    }
    assert_eq!((CHAINED.load(SeqCst), interrupt_action()), (5, chained as *const () as usize));
    // SAFETY: puts the default in place.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
}
