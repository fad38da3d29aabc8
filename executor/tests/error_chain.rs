//! What lies behind an error: sources, and what it is at heart.

use homing_executor::error::{Cancelled, Error, ExceptionGroup, Panicked, TimedOut};
use std::error::Error as StdErrorTrait;
use std::{fmt, io};

/// An error of some library, around another one.
#[derive(Debug)]
struct Wrapped(Box<dyn StdErrorTrait + Send + Sync>);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wrapped")
    }
}

impl StdErrorTrait for Wrapped {
    fn source(&self) -> Option<&(dyn StdErrorTrait + 'static)> {
        Some(&*self.0)
    }
}

fn wrapped(inner: impl Into<Box<dyn StdErrorTrait + Send + Sync>>) -> Error {
    Wrapped(inner.into()).into()
}

/// An error that is its own source.
#[derive(Debug)]
struct Ring;

impl fmt::Display for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ring")
    }
}

impl StdErrorTrait for Ring {
    fn source(&self) -> Option<&(dyn StdErrorTrait + 'static)> {
        Some(self)
    }
}

#[test]
fn a_cancellation_is_found_wherever_it_is_buried() {
    let plain: Error = Cancelled::new().into();
    assert!(plain.is_cancelled());
    assert!(Error::from(Cancelled::here()).is_cancelled());
    assert!(Error::from(Cancelled::new().with_reason("r")).is_cancelled());
    assert!(wrapped(Cancelled::new()).is_cancelled(), "behind a source");
    assert!(wrapped(Error::cancelled()).is_cancelled(), "behind a source, as an Error");
    let invalid = |inner: Error| io::Error::new(io::ErrorKind::InvalidData, inner);
    assert!(
        Error::from(invalid(plain.clone())).is_cancelled(),
        "inside an io::Error, whose source() skips it"
    );
    assert!(wrapped(invalid(plain.clone())).is_cancelled(), "inside an io::Error behind a source");
    assert!(wrapped(invalid(wrapped(io::Error::other(plain)))).is_cancelled(), "deeper still");
}

#[test]
fn other_errors_are_no_cancellations() {
    assert!(!Error::msg("cancelled").is_cancelled());
    assert!(!Error::from(io::Error::from(io::ErrorKind::Interrupted)).is_cancelled());
    assert!(!wrapped("text").is_cancelled());
}

#[test]
fn the_cancellation_itself_can_be_had() {
    let error = wrapped(io::Error::other(Cancelled::new().with_reason("deploying")));
    assert_eq!(error.as_cancelled().unwrap().reason(), Some("deploying"));
    assert!(Error::msg("m").as_cancelled().is_none());
}

#[test]
fn a_timeout_is_never_a_cancellation_though_it_grew_from_one() {
    let late = TimedOut::new().with_cause(Cancelled::new());
    assert!(late.source().is_some_and(|source| source.is::<Cancelled>()));
    let late = Error::from(late);
    assert!(late.is_timeout() && !late.is_cancelled());
    let outer = wrapped(late.into_std());
    assert!(outer.is_timeout() && !outer.is_cancelled());
    let kind = Error::from(io::Error::new(io::ErrorKind::TimedOut, Cancelled::new()));
    assert!(kind.is_timeout() && !kind.is_cancelled(), "by the kind of an io::Error too");
}

#[test]
fn an_io_error_may_be_a_timeout() {
    assert!(Error::from(io::Error::from(io::ErrorKind::TimedOut)).is_timeout());
    assert!(wrapped(io::Error::from(io::ErrorKind::TimedOut)).is_timeout());
    assert!(!Error::from(io::Error::from(io::ErrorKind::NotFound)).is_timeout());
}

#[test]
fn a_cancellation_is_no_timeout_whatever_lies_behind() {
    assert!(!Error::cancelled().is_timeout());
    assert!(!Error::cancelled().with_displaced(TimedOut::new().into()).is_timeout());
}

#[test]
fn groups_and_panics_stand_for_themselves() {
    let group = ExceptionGroup::new("g", [Error::cancelled()]).unwrap();
    assert!(!Error::from(group.clone()).is_cancelled(), "whatever is in it");
    assert!(
        !Error::from(group.clone().with_source(Cancelled::new())).is_cancelled(),
        "whatever it was raised from"
    );
    assert!(!Error::from(group.with_source(TimedOut::new())).is_timeout());
    assert!(!Error::from(Panicked::new(Box::new("boom"))).is_cancelled());
}

#[test]
fn a_ring_of_sources_ends_the_search() {
    let ring = Error::from(Ring);
    assert!(!ring.is_cancelled() && !ring.is_timeout());
    assert!(ring.chain().count() > 10);
    assert_eq!(format!("{ring:#}"), "ring", "what repeats itself is said once");
}

#[test]
fn the_chain_begins_with_the_error_and_opens_what_is_ours() {
    let error = wrapped(Error::from(io::Error::new(io::ErrorKind::InvalidData, "inner")).into_std());
    let messages: Vec<String> = error.chain().map(ToString::to_string).collect();
    assert_eq!(messages, ["wrapped", "inner", "inner"]);
    assert!(error.chain().nth(1).unwrap().is::<io::Error>(), "not the wrapper that it travels in");
    assert!(error.source().unwrap().is::<io::Error>());
    assert!(Error::msg("m").source().is_none());
}
