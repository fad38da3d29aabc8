//! What is told about an error beside the error itself.

use homing_executor::error::{Cancelled, Error, ExceptionGroup, Origin, Panicked, ScopeNote};
use std::panic::Location;

fn origin(task: &'static str) -> Origin {
    Origin { task: Some(task.into()), spawned_at: Some(Location::caller()) }
}

fn scope(name: &'static str) -> ScopeNote {
    ScopeNote { kind: "group", name: Some(name.into()), place: Location::caller() }
}

#[test]
fn the_first_origin_wins() {
    let error = Error::msg("m").with_origin(origin("inner")).with_origin(origin("outer"));
    assert_eq!(error.task_name(), Some("inner"));
    assert!(error.origin().unwrap().spawned_at.is_some());
    assert!(Error::msg("m").origin().is_none());
    assert_eq!(Error::msg("m").task_name(), None);
}

#[test]
fn a_panic_knows_its_task_from_the_start() {
    let error = Error::from(Panicked::new(Box::new("boom")).with_origin(origin("inner")));
    assert_eq!(error.task_name(), Some("inner"));
    assert_eq!(error.with_origin(origin("outer")).task_name(), Some("inner"));
}

#[test]
fn the_trail_is_innermost_first() {
    let error = Error::msg("m").with_scope(scope("inner")).with_scope(scope("outer"));
    let names: Vec<&str> = error.trail().filter_map(|scope| scope.name.as_deref()).collect();
    assert_eq!(names, ["inner", "outer"]);
}

#[test]
fn notes_are_kept_in_order() {
    let error = Error::msg("m").with_note("first").with_note(String::from("second"));
    assert_eq!(error.notes().collect::<Vec<_>>(), ["first", "second"]);
    assert_eq!(error.to_string(), "m", "and do not change the message");
}

#[test]
fn what_a_cancellation_displaces_is_kept_beside_it() {
    let lost = Error::msg("disk full");
    let error = Error::cancelled().with_displaced(lost.clone()).with_displaced(Error::msg("and another"));
    assert!(error.is_cancelled());
    let mut displaced = error.displaced();
    assert!(displaced.next().unwrap().ptr_eq(&lost), "KQ-13");
    assert_eq!(displaced.next().unwrap().to_string(), "and another");
    assert!(displaced.next().is_none());
}

#[test]
fn what_is_told_of_a_clone_is_told_of_the_clone_only() {
    let error = Error::msg("m").with_note("common");
    let other = error.clone().with_note("own").with_origin(origin("t")).with_scope(scope("s"));
    assert_eq!(error.notes().collect::<Vec<_>>(), ["common"]);
    assert_eq!(other.notes().collect::<Vec<_>>(), ["common", "own"]);
    assert!(error.origin().is_none() && error.trail().next().is_none());
    assert!(!error.ptr_eq(&other));
    assert!(std::ptr::eq(error.downcast_ref::<&str>().unwrap(), other.downcast_ref::<&str>().unwrap()));
}

#[test]
fn a_sole_owner_adds_in_place() {
    let error = Error::msg("m").with_note("a");
    let before = std::ptr::from_ref(error.downcast_ref::<&str>().unwrap());
    let error = error.with_note("b").with_origin(origin("t"));
    assert!(std::ptr::eq(before, error.downcast_ref::<&str>().unwrap()));
}

#[test]
fn a_plain_cancellation_keeps_its_place_when_a_story_is_added() {
    let here = Location::caller();
    let error = Error::from(Cancelled::at(here)).with_note("told");
    let cancelled = error.as_cancelled().unwrap();
    assert_eq!(cancelled.causes().map(|cause| cause.at).collect::<Vec<_>>(), [Some(here)]);
    assert_eq!(error.to_string(), Cancelled::at(here).to_string());
}

#[test]
fn a_group_has_a_story_like_any_error() {
    let group = ExceptionGroup::new("g", [Error::msg("a")]).unwrap().with_note("on the group");
    let error = Error::from(group).with_origin(origin("t"));
    assert_eq!(error.task_name(), Some("t"));
    assert_eq!(error.as_group().unwrap().notes().collect::<Vec<_>>(), ["on the group"]);
}

#[test]
fn origins_and_scopes_read_as_they_are_spoken() {
    let here = Location::caller();
    let origin = Origin { task: Some("fetch".into()), spawned_at: Some(here) };
    assert_eq!(origin.to_string(), format!("task 'fetch', spawned at {here}"));
    assert_eq!(Origin::default().to_string(), "a task");
    let scope = ScopeNote { kind: "timeout", name: None, place: here };
    assert_eq!(scope.to_string(), format!("timeout at {here}"));
    assert_eq!(
        ScopeNote { kind: "group", name: Some("g".into()), ..scope }.to_string(),
        format!("group 'g' at {here}")
    );
}
