//! What is printed: golden reports. `{:#}` and `Debug` are one.

#[path = "error_support/mod.rs"]
mod support;

use homing_executor::error::{
    Asker, Cancelled, Cause, Error, Except, ExceptionGroup, Origin, Panicked, ScopeNote, TimedOut,
};
use std::io;
use std::panic::Location;
use std::time::Duration;
use support::*;

fn check(error: &Error, expected: &str) {
    assert_eq!(format!("{error:#}"), expected, "\n{error:#}\n\n{expected}");
    assert_eq!(format!("{error:?}"), expected);
    assert_eq!(format!("{error:#?}"), expected);
}

fn origin(name: &'static str, place: &'static Location<'static>) -> Origin {
    Origin { task: Some(name.into()), spawned_at: Some(place) }
}

fn scope(name: &'static str, place: &'static Location<'static>) -> ScopeNote {
    ScopeNote { kind: "group", name: Some(name.into()), place }
}

#[test]
fn an_error_without_a_story_is_its_message() {
    check(&Error::msg("out of tea"), "out of tea");
    check(&Error::cancelled(), "cancelled");
    assert_eq!(format!("{:?}", Cancelled::new()), "cancelled");
    assert_eq!(format!("{:#}", Cancelled::new().with_reason("r")), "cancelled: r");
}

#[test]
fn an_error_tells_its_whole_story() {
    let here = Location::caller();
    let broken = io::Error::new(io::ErrorKind::InvalidData, value(7));
    let error = Error::from(TimedOut::new().with_after(Duration::from_secs(2)).with_cause(
        Cancelled::new().because(Cause::by(Asker::Timeout { after: Some(Duration::from_secs(2)) })),
    ))
    .with_note("asked twice")
    .with_origin(origin("fetch", here))
    .with_scope(scope("inner", here))
    .with_scope(scope("outer", here))
    .with_displaced(broken.into());
    check(
        &error,
        &format!(
            "\
timed out after 2s
│ note: asked twice
│ caused by: cancelled: timeout 2s
│ in task 'fetch', spawned at {here}
│ through group 'inner' at {here}
│ through group 'outer' at {here}
└─ displaced: ValueError(7)"
        ),
    );
}

#[test]
fn a_group_is_drawn_as_a_tree() {
    let here = Location::caller();
    let missing = Error::msg("user 7 not found").with_origin(origin("user-7", here)).with_note("asked twice");
    let orders = Error::from(group("orders", [Error::msg("no ink"), Error::msg("no\npaper")]))
        .with_origin(origin("orders", here));
    let panicked = Error::from(Panicked::new(Box::new("boom")).with_origin(origin("audit", here)));
    let error = Error::from(group("sync", [missing, orders, panicked])).with_scope(scope("sync", here));
    check(
        &error,
        &format!(
            "\
sync (3 sub-exceptions)
│ through group 'sync' at {here}
├─ user 7 not found
│    note: asked twice
│    in task 'user-7', spawned at {here}
├─ orders (2 sub-exceptions)
│  │ in task 'orders', spawned at {here}
│  ├─ no ink
│  └─ no
│     paper
└─ task 'audit' panicked: boom
     in task 'audit', spawned at {here}"
        ),
    );
}

#[test]
fn what_was_being_handled_is_told_too() {
    let outcome: Result<Option<()>, Error> =
        Err::<(), _>(nested("eg", [value(1), os(2)])).except::<OsError>(|_| Err(kind(3))).end();
    check(
        &outcome.unwrap_err(),
        "\
2 sub-exceptions
├─ TypeError(3)
│  └─ while handling: eg (1 sub-exception)
│     └─ OsError(2)
└─ eg (1 sub-exception)
   └─ ValueError(1)",
    );
}

#[test]
fn the_cause_of_a_group_is_a_branch_of_its_own() {
    let error = Error::from(group("eg", [value(1)]).with_source(os(2).with_note("n")));
    check(&error, "eg (1 sub-exception)\n├─ caused by: OsError(2)\n│    note: n\n└─ ValueError(1)");
}

#[test]
fn a_source_with_a_story_of_its_own_is_a_branch() {
    let cancelled: Cancelled = Error::cancelled().with_displaced(Error::msg("disk full")).downcast().unwrap();
    let late = Error::from(TimedOut::new().with_cause(cancelled));
    check(&late, "timed out\n└─ caused by: cancelled\n   └─ displaced: disk full");

    let inner = Error::msg("bad frame").with_note("byte 7");
    let invalid = Error::from(io::Error::new(io::ErrorKind::InvalidData, inner));
    check(&invalid, "bad frame\n└─ caused by: bad frame\n     note: byte 7");
}

#[test]
fn a_wide_group_is_cut_off() {
    let wide = Error::from(ExceptionGroup::new("wide", (0..20).map(value)).unwrap());
    let shown = format!("{wide:#}");
    assert_eq!(shown.lines().count(), 1 + 15 + 1);
    assert!(shown.ends_with("├─ ValueError(14)\n└─ … and 5 more"), "{shown}");
}

#[test]
fn a_deep_group_is_cut_off() {
    let shown = format!("{:#}", well(100));
    assert!(shown.ends_with("└─ … and 2 more"), "{shown}");
    assert_eq!(shown.matches("level").count(), 11);
}

#[test]
fn a_report_is_bounded_however_the_group_branches() {
    let bush = (0..100).fold(value(0), |inner, _| nested("twice", [inner.clone(), inner]));
    assert!(format!("{bush:#}").lines().count() < 600);
}

#[test]
fn the_main_function_prints_the_report() {
    let returned = nested("eg", [value(1)]);
    assert_eq!(format!("Error: {:?}", returned), "Error: eg (1 sub-exception)\n└─ ValueError(1)");
}
