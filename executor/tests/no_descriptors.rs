//! The operating system has no descriptor left, and so the runtime cannot sleep. Its own process, for it is all of it that
//! has none.
#![cfg(target_os = "linux")]

mod support;

use homing::{Builder, Error, Result, Runner};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use support::{Reports, failure, forever, millis, panic_text};

/// The limit is the process's: one test at a time lowers it, or needs it as it was.
static ALONE: Mutex<()> = Mutex::new(());

/// Calls `f` while everybody can open what they want.
fn with_descriptors<R>(f: impl FnOnce() -> R) -> R {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    f()
}

/// Calls `f` while nobody can open anything.
fn without_descriptors<R>(f: impl FnOnce() -> R) -> R {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut before = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `before` is written to; both live as long as the calls.
    unsafe { assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut before), 0) };
    let none = libc::rlimit { rlim_cur: 0, ..before };
    // SAFETY: as before.
    unsafe { assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &none), 0) };
    let result = catch_unwind(AssertUnwindSafe(f));
    // SAFETY: as before.
    unsafe { assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &before), 0) };
    result.unwrap_or_else(|payload| resume_unwind(payload))
}

fn is_lack_of_descriptors(error: &Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.and_then(std::io::Error::raw_os_error) == Some(libc::EMFILE)
}

/// In real time: a virtual clock jumps, and needs nothing for it.
fn builder() -> (Builder, Reports) {
    let reports = Reports::default();
    (Builder::new().on_unhandled(reports.hook()), reports)
}

/// Long enough not to be over by the time that somebody thinks of sleeping.
const LONG: Duration = Duration::from_secs(20);

/// Leaves a task behind that has to sleep before it is done.
async fn leave_a_task<T>(outcome: Result<T>) -> Result<T> {
    drop(homing::task(async { forever().await.or(homing::sleep(LONG).await) }).name("left").spawn());
    outcome
}

#[test]
fn a_main_that_has_to_sleep_ends_with_the_error() {
    let (builder, reports) = builder();
    let runtime = builder.build();
    let outcome = without_descriptors(|| runtime.block_on(homing::sleep(LONG)));
    assert!(is_lack_of_descriptors(&outcome.unwrap_err()));
    reports.assert_none();
    with_descriptors(|| runtime.block_on(homing::sleep(millis(1)))).unwrap();
}

#[test]
fn a_run_whose_sweep_has_to_sleep_says_so_and_what_is_left_is_reported() {
    let (builder, reports) = builder();
    let outcome = without_descriptors(|| builder.build().run(leave_a_task(Ok(7))));
    assert!(is_lack_of_descriptors(&outcome.unwrap_err()));
    reports.assert_one(&["left", "pending"]);
}

#[test]
fn if_main_has_failed_or_panicked_as_well_the_error_of_the_sweep_is_reported() {
    let (first, reports) = builder();
    let runtime = first.build();
    let outcome = without_descriptors(|| runtime.run(leave_a_task(Err::<(), _>(failure("no luck")))));
    assert_eq!(outcome.unwrap_err().to_string(), "no luck");
    reports.assert_one(&["os error 24"]);

    let (second, reports) = builder();
    let runtime = second.build();
    let panics = async {
        leave_a_task(Ok(())).await?;
        support::blow_up("main") as Result<()>
    };
    let caught = catch_unwind(AssertUnwindSafe(|| without_descriptors(|| runtime.run(panics))));
    assert_eq!(panic_text(caught.unwrap_err()), "main");
    reports.assert_one(&["os error 24"]);
}

#[test]
fn a_runner_is_closed_all_the_same() {
    let (builder, reports) = builder();
    let mut runner = Runner::with(builder);
    let closed = without_descriptors(|| {
        runner.run(leave_a_task(Ok(()))).unwrap();
        runner.close()
    });
    assert!(is_lack_of_descriptors(&closed.unwrap_err()));
    assert_eq!(format!("{runner:?}"), "Runner(closed)");
    reports.assert_one(&["left", "pending"]);
}

#[test]
fn dropped_it_reports_the_error_and_what_is_left() {
    let (builder, reports) = builder();
    without_descriptors(|| {
        let runner = Runner::with(builder);
        runner.run(leave_a_task(Ok(()))).unwrap();
    });
    let reports = reports.take();
    assert_eq!(reports.len(), 2, "{reports:?}");
    assert!(reports[0].contains("os error 24") && reports[1].contains("pending"), "{reports:?}");
}

#[test]
fn a_child_that_cannot_be_listened_to_is_waited_for_when_it_can() {
    let (builder, reports) = builder();
    let runtime = builder.build();
    let mut child = with_descriptors(|| homing::process::Command::new("sleep").arg("0.05").spawn()).unwrap();
    let outcome = without_descriptors(|| runtime.block_on(child.wait()));
    assert!(is_lack_of_descriptors(&outcome.unwrap_err()));
    assert!(with_descriptors(|| runtime.block_on(child.wait())).unwrap().success());
    reports.assert_none();
}

#[test]
fn a_signal_that_cannot_be_listened_to_says_so() {
    let outcome = without_descriptors(|| homing::signal::unix(homing::signal::SignalKind::USER_1));
    let error = outcome.unwrap_err();
    assert!(is_lack_of_descriptors(&error));
    assert!(error.notes().any(|note| note.contains("SIGUSR1")), "{error:#}");
}
