//! The errors of homing's own: cancellations, timeouts, panics, misuse.

use homing_executor::error::{Asker, Cancelled, Cause, Error, Origin, Panicked, RuntimeError, TimedOut};
use std::error::Error as _;
use std::panic::{self, AssertUnwindSafe, Location};
use std::time::Duration;

fn task(name: &'static str) -> Asker {
    Asker::Task { name: name.into() }
}

#[test]
fn a_plain_cancellation_has_no_cause() {
    let cancelled = Cancelled::new();
    assert_eq!(cancelled.to_string(), "cancelled");
    assert_eq!(cancelled.causes().count(), 0);
    assert_eq!(cancelled.reason(), None);
    assert_eq!(Cancelled::default().to_string(), "cancelled");
    assert!(cancelled.source().is_none());
}

#[test]
fn a_cancellation_knows_where_it_was_asked_for() {
    let (cancelled, line) = (Cancelled::here(), line!());
    let place = cancelled.causes().next().unwrap().at.unwrap();
    assert_eq!((place.file(), place.line()), (file!(), line));
    assert_eq!(cancelled.to_string(), format!("cancelled at {place}"));
}

#[test]
fn a_reason_goes_to_the_latest_cause_or_becomes_one() {
    let here = Location::caller();
    let cancelled = Cancelled::new().with_reason("shutting down");
    assert_eq!(cancelled.to_string(), "cancelled: shutting down");
    assert_eq!(cancelled.reason(), Some("shutting down"));

    let placed = Cancelled::at(here).with_reason("shutting down");
    assert_eq!(placed.causes().count(), 1);
    assert_eq!(placed.to_string(), format!("cancelled: at {here}: shutting down"));

    let asked = Cancelled::new().because(Cause::by(task("main"))).with_reason(String::from("done"));
    assert_eq!(asked.to_string(), "cancelled: task 'main': done");
}

#[test]
fn two_causes_never_overwrite_each_other() {
    let cancelled = Cancelled::new().with_reason("first").with_reason("second");
    let reasons: Vec<_> = cancelled.causes().map(|cause| cause.reason.clone().unwrap()).collect();
    assert_eq!(reasons, ["first", "second"], "KQ-10");
    assert_eq!(cancelled.reason(), Some("first"));
    assert_eq!(cancelled.to_string(), "cancelled: first → second");
}

#[test]
fn the_chain_of_causes_reads_in_order() {
    let here = Location::caller();
    let mut cancelled = Cancelled::new()
        .because(Cause::by(Asker::Timeout { after: Some(Duration::from_secs(2)) }).with_place(here))
        .because(Cause::by(Asker::Group { name: Some("fetch".into()) }).with_place(here));
    cancelled.push(Cause::by(task("user-7")));
    assert_eq!(
        cancelled.to_string(),
        format!("cancelled: timeout 2s at {here} → group 'fetch' at {here} → task 'user-7'")
    );
}

#[test]
fn two_cancellations_become_one_with_the_causes_of_both() {
    let here = Location::caller();
    let both = Cancelled::at(here).and(&Cancelled::new().with_reason("a").with_reason("b"));
    assert_eq!(both.to_string(), format!("cancelled at {here} → a → b"));
    let plain = Cancelled::new().and(&Cancelled::at(here));
    assert!(plain.as_error().ptr_eq(Cancelled::at(here).as_error()), "nothing was allocated for it");
    let kept = Cancelled::at(here).and(&Cancelled::new());
    assert!(kept.as_error().ptr_eq(Cancelled::at(here).as_error()));
    let told: Cancelled = Error::cancelled().with_displaced(Error::msg("kept apart")).downcast().unwrap();
    assert_eq!(Cancelled::new().and(&told).as_error().displaced().count(), 0);
}

#[test]
fn adding_to_a_clone_leaves_the_others_alone() {
    let first = Cancelled::new().with_reason("a");
    let second = first.clone().with_reason("b");
    assert_eq!((first.causes().count(), second.causes().count()), (1, 2));
}

#[test]
fn a_cause_keeps_what_it_was_told_first() {
    let here = Location::caller();
    let cause = Cause::at(here).with_reason("a").with_reason("b").with_place(Location::caller());
    assert_eq!((cause.reason.as_deref(), cause.at), (Some("a"), Some(here)));
}

#[test]
fn every_asker_has_a_name() {
    let names = [
        Asker::Unknown,
        task("t"),
        Asker::Group { name: None },
        Asker::Group { name: Some("g".into()) },
        Asker::Timeout { after: None },
        Asker::Timeout { after: Some(Duration::from_millis(1500)) },
        Asker::Runtime,
        Asker::Interrupt,
        Asker::Foreign,
    ]
    .map(|asker| asker.to_string());
    let expected = [
        "somebody",
        "task 't'",
        "group",
        "group 'g'",
        "timeout",
        "timeout 1.5s",
        "runtime",
        "interrupt",
        "foreign code",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_timeout_says_how_long_and_where() {
    let here = Location::caller();
    let late =
        TimedOut::new().with_after(Duration::from_secs(2)).with_place(here).with_cause(Cancelled::new());
    assert_eq!(late.to_string(), format!("timed out after 2s ({here})"));
    assert_eq!((late.after(), late.place()), (Some(Duration::from_secs(2)), Some(here)));
    assert!(late.cause().is_some());
    assert_eq!(TimedOut::new().to_string(), "timed out");
    assert!(TimedOut::new().source().is_none());
}

#[test]
fn a_panic_keeps_message_task_and_payload() {
    let origin = Origin { task: Some("fetch".into()), spawned_at: Some(Location::caller()) };
    let panicked = Panicked::new(Box::new("boom")).with_origin(origin.clone());
    assert_eq!(panicked.to_string(), "task 'fetch' panicked: boom");
    assert_eq!(panicked.message(), "boom");
    assert_eq!(panicked.origin(), Some(&origin));
    assert_eq!(Panicked::new(Box::new(String::from("owned"))).to_string(), "a task panicked: owned");
    assert_eq!(Panicked::new(Box::new(7)).message(), "Box<dyn Any>");
    assert_eq!(Panicked::new(Box::new(7)).into_payload().unwrap().downcast_ref::<i32>(), Some(&7));
}

#[test]
fn a_panic_can_go_on() {
    let panicked: Panicked = Error::from(Panicked::new(Box::new(7))).downcast().unwrap();
    let payload = panic::catch_unwind(AssertUnwindSafe(|| panicked.resume())).unwrap_err();
    assert_eq!(payload.downcast_ref::<i32>(), Some(&7));
}

#[test]
fn a_panic_whose_payload_is_gone_goes_on_with_its_message() {
    let error = Error::from(Panicked::new(Box::new("boom")));
    let payload = error.clone().into_panic().unwrap();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"boom"));
    let panicked: Panicked = error.downcast().unwrap();
    let panicked = panicked.into_payload().unwrap_err();
    let payload = panic::catch_unwind(AssertUnwindSafe(|| panicked.resume())).unwrap_err();
    assert_eq!(payload.downcast_ref::<String>().map(String::as_str), Some("boom"));
}

#[test]
fn misuse_says_what_to_do_instead() {
    let errors = [
        RuntimeError::AwaitsItself { task: "t".into() },
        RuntimeError::OtherRuntime,
        RuntimeError::NestedRuntime,
        RuntimeError::NoRuntime,
        RuntimeError::RuntimeGone,
        RuntimeError::AlreadyTaken,
    ];
    for error in errors {
        let line = error.to_string();
        assert!(line.contains("; ") && !line.contains('\n'), "{line}");
        assert_eq!(Error::from(error.clone()).downcast_ref(), Some(&error));
    }
}
