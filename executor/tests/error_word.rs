//! `Error`: one word that holds any error, and how to get at what is in it.

use homing_executor::error::{
    Cancelled, Clauses, EmptyGroup, Error, ExceptionGroup, Origin, Panicked, Result, RuntimeError, StdError,
    TimedOut,
};
use std::io;
use std::num::ParseIntError;
use std::panic::Location;
use std::sync::Arc;

fn parse_error() -> ParseIntError {
    "x".parse::<u8>().unwrap_err()
}

#[test]
fn an_error_and_a_result_without_value_are_one_word() {
    let word = size_of::<usize>();
    assert_eq!(size_of::<Error>(), word);
    assert_eq!(size_of::<Option<Error>>(), word);
    assert_eq!(size_of::<Result<()>>(), word);
    assert_eq!(size_of::<Cancelled>(), word);
    assert_eq!(size_of::<Result<(), Cancelled>>(), word);
    assert_eq!(size_of::<ExceptionGroup>(), word);
    assert_eq!(size_of::<Option<ExceptionGroup>>(), word);
}

#[test]
fn every_error_type_may_be_sent_and_shared_between_threads() {
    fn send_and_sync<T: Send + Sync + 'static>() {}
    send_and_sync::<Error>();
    send_and_sync::<Cancelled>();
    send_and_sync::<TimedOut>();
    send_and_sync::<Panicked>();
    send_and_sync::<ExceptionGroup>();
    send_and_sync::<RuntimeError>();
    send_and_sync::<StdError>();
    send_and_sync::<EmptyGroup>();
    send_and_sync::<Clauses<()>>();
}

#[test]
fn the_question_mark_makes_an_error_of_any_other() {
    fn parse(text: &str) -> Result<u8> {
        Ok(text.parse()?)
    }
    assert_eq!(parse("7").unwrap(), 7);
    let error = parse("x").unwrap_err();
    assert_eq!(error.to_string(), parse_error().to_string());
    assert!(error.is::<ParseIntError>());
    assert!(!error.is::<io::Error>());
    assert_eq!(error.downcast_ref::<ParseIntError>(), Some(&parse_error()));
}

#[test]
fn new_is_what_the_question_mark_does() {
    assert!(Error::new(parse_error()).is::<ParseIntError>());
    assert!(Error::new(Cancelled::new()).ptr_eq(&Error::cancelled()));
}

#[test]
fn a_message_is_found_by_its_own_type() {
    let error = Error::msg("out of tea");
    assert_eq!(error.to_string(), "out of tea");
    assert_eq!(format!("{error:>12}"), "  out of tea");
    assert!(error.is::<&str>());
    assert_eq!(error.downcast::<&str>().unwrap(), "out of tea");
    assert_eq!(Error::msg(String::from("owned")).downcast::<String>().unwrap(), "owned");
    assert!(Error::msg("text").downcast::<String>().is_err());
}

#[test]
fn a_clone_shares_what_it_was_cloned_from() {
    let error = Error::from(parse_error());
    let clone = error.clone();
    assert!(clone.ptr_eq(&error));
    assert!(std::ptr::eq(clone.downcast_ref::<ParseIntError>().unwrap(), error.downcast_ref().unwrap()));
    assert!(!Error::from(parse_error()).ptr_eq(&error));
}

#[test]
fn a_value_comes_out_unless_another_clone_is_alive() {
    let error = Error::from(parse_error());
    let clone = error.clone();
    let error = error.downcast::<ParseIntError>().unwrap_err();
    assert!(error.ptr_eq(&clone), "the error came back as it was");
    drop(clone);
    assert_eq!(error.downcast::<ParseIntError>().unwrap(), parse_error());
}

#[test]
fn a_value_stays_in_if_a_clone_with_another_story_has_it_too() {
    let error = Error::from(parse_error());
    let noted = error.clone().with_note("a body of its own, but the same error inside");
    let error = error.downcast::<ParseIntError>().unwrap_err();
    assert_eq!(error.to_string(), parse_error().to_string());
    drop(noted);
    assert!(error.downcast::<ParseIntError>().is_ok());
}

#[test]
fn downcast_to_a_wrong_type_gives_the_error_back() {
    let error = Error::from(parse_error()).with_note("kept");
    let back = error.clone().downcast::<io::Error>().unwrap_err();
    assert!(back.ptr_eq(&error));
}

#[test]
fn cancellations_and_groups_come_out_even_if_shared() {
    let cancelled = Error::from(Cancelled::new().with_reason("why")).with_note("told");
    let held = cancelled.clone();
    let out: Cancelled = cancelled.downcast().unwrap();
    assert!(out.as_error().ptr_eq(&held));

    let group = Error::from(ExceptionGroup::new("g", [Error::msg("a")]).unwrap());
    let out: ExceptionGroup = group.clone().downcast().unwrap();
    assert!(out.as_error().ptr_eq(&group));
    assert!(group.is::<ExceptionGroup>());
    assert!(group.as_group().is_some());
    assert!(Error::msg("a").as_group().is_none());
    assert!(Error::cancelled().as_group().is_none());
}

#[test]
fn plain_cancellations_are_the_same_if_they_say_the_same() {
    let here = Location::caller();
    assert!(Error::cancelled().ptr_eq(&Cancelled::new().into()));
    assert!(Error::from(Cancelled::at(here)).ptr_eq(&Cancelled::at(here).into()));
    assert!(!Error::from(Cancelled::at(here)).ptr_eq(&Error::cancelled()));
    assert!(Error::cancelled().is::<Cancelled>());
    assert!(Error::from(Cancelled::at(here)).downcast_ref::<Cancelled>().is_some());
}

#[test]
fn as_std_shows_the_error_itself() {
    assert!(Error::from(parse_error()).as_std().is::<ParseIntError>());
    assert!(Error::cancelled().as_std().is::<Cancelled>());
    assert!(Error::from(Cancelled::here()).as_std().is::<Cancelled>());
    assert!(Error::from(Cancelled::new().with_reason("r")).as_std().is::<Cancelled>());
    let group = Error::from(ExceptionGroup::new("g", [Error::msg("a")]).unwrap());
    assert!(group.as_std().is::<ExceptionGroup>());
    let as_ref: &(dyn std::error::Error + Send + Sync) = group.as_ref();
    assert_eq!(as_ref.to_string(), "g (1 sub-exception)");
}

#[test]
fn an_error_that_leaves_as_a_std_error_comes_back_as_itself() {
    let here = Location::caller();
    let group = ExceptionGroup::new("g", [Error::msg("a")]).unwrap();
    let originals = [
        Error::cancelled(),
        Cancelled::at(here).into(),
        Cancelled::new().with_reason("r").into(),
        group.into(),
        parse_error().into(),
        Error::msg("m").with_note("told"),
    ];
    for error in originals {
        let boxed: Box<dyn std::error::Error + Send + Sync> = error.clone().into_std();
        assert_eq!(boxed.to_string(), error.to_string());
        assert_eq!(format!("{boxed:?}"), format!("{error:?}"));
        assert!(boxed.downcast_ref::<StdError>().unwrap().error().ptr_eq(&error));
        assert!(Error::from_std(boxed).ptr_eq(&error));

        let wrapper = *error.clone().into_std().downcast::<StdError>().unwrap();
        assert!(Error::from(wrapper).ptr_eq(&error), "through `?`");

        let read = io::Error::other(error.clone());
        assert!(Error::from(read).ptr_eq(&error), "through `?` from an io::Error");

        let read = io::Error::from(error.clone());
        assert!(Error::from(read).ptr_eq(&error), "through `?` from an io::Error of our making");

        let boxed: Box<dyn std::error::Error> = error.clone().into();
        assert_eq!(boxed.to_string(), error.to_string());
    }
}

#[test]
fn a_function_with_boxed_errors_takes_ours_by_question_mark() {
    fn boxed() -> std::result::Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Err(Error::msg("ours"))?
    }
    assert!(boxed().unwrap_err().is::<StdError>());
}

#[test]
fn from_std_knows_our_own_types() {
    assert!(Error::from_std(Box::new(Cancelled::new())).ptr_eq(&Error::cancelled()));
    let group = ExceptionGroup::new("g", [Error::msg("a")]).unwrap();
    assert!(Error::from_std(Box::new(group.clone())).ptr_eq(group.as_error()));
    let read = io::Error::other(Cancelled::new());
    assert!(Error::from_std(Box::new(read)).ptr_eq(&Error::cancelled()));
}

#[test]
fn the_type_of_a_foreign_boxed_error_is_found_in_its_chain() {
    let error = Error::from_std(Box::new(parse_error()));
    assert_eq!(error.to_string(), parse_error().to_string());
    assert_eq!(format!("{:?}", error.as_std()), format!("{:?}", parse_error()));
    assert!(error.as_std().is::<ParseIntError>());
    assert!(error.chain().any(|error| error.is::<ParseIntError>()));
    assert!(!error.is::<ParseIntError>(), "as documented");
    let late = Error::from_std(Box::new(TimedOut::new()));
    assert!(late.is_timeout());
}

#[test]
fn an_io_error_with_a_kind_of_its_own_is_kept() {
    let error = Error::from(io::Error::new(io::ErrorKind::InvalidData, Error::msg("bad frame")));
    assert_eq!(error.downcast_ref::<io::Error>().unwrap().kind(), io::ErrorKind::InvalidData);
    assert_eq!(error.to_string(), "bad frame");
}

#[test]
fn an_io_error_passes_through_with_its_kind() {
    let reset = || Error::from(io::Error::from_raw_os_error(32));
    let out = io::Error::from(reset());
    assert_eq!(out.raw_os_error(), Some(32), "nobody else has it, so it leaves as itself");

    let noted = reset().with_note("while reading the header");
    let out = io::Error::from(noted.clone());
    assert_eq!(out.kind(), io::ErrorKind::BrokenPipe);
    assert!(Error::from(out).ptr_eq(&noted), "and what is told of it travels along");

    assert_eq!(io::Error::from(Error::from(TimedOut::new())).kind(), io::ErrorKind::TimedOut);
    assert_eq!(io::Error::from(Error::msg("m")).kind(), io::ErrorKind::Other);
    assert_eq!(
        io::Error::from(Cancelled::new()).kind(),
        io::ErrorKind::Other,
        "Interrupted would be retried"
    );
}

#[test]
fn the_payload_of_a_panic_is_handed_out_once() {
    let caught = std::panic::catch_unwind(|| std::panic::panic_any(7_u8)).unwrap_err();
    let error = Error::from(Panicked::new(caught));
    let clone = error.clone();
    let payload = error.into_panic().unwrap();
    assert_eq!(payload.downcast_ref::<u8>(), Some(&7));
    let clone = clone.into_panic().unwrap_err();
    assert!(clone.is::<Panicked>());
    assert!(Error::msg("no panic").into_panic().is_err());
}

#[test]
fn a_group_that_is_held_by_its_own_name_is_the_error() {
    let group = ExceptionGroup::new("g", [Error::msg("a")]).unwrap();
    let error = Error::from(group.clone());
    assert!(error.ptr_eq(group.as_error()));
    assert!(std::ptr::eq(error.as_group().unwrap().errors(), group.errors()));
}

#[test]
fn a_value_is_dropped_once_when_the_last_clone_goes() {
    #[derive(Debug)]
    struct Counted(Arc<()>);
    impl std::fmt::Display for Counted {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "counted {} times", Arc::strong_count(&self.0))
        }
    }
    impl std::error::Error for Counted {}

    let count = Arc::new(());
    let error = Error::from(Counted(count.clone()));
    let noted = error.clone().with_note("n").with_origin(Origin::default());
    let group = ExceptionGroup::new("g", [error.clone(), noted.clone()]).unwrap();
    let displaced = Error::cancelled().with_displaced(error.clone());
    let boxed = noted.clone().into_std();
    drop((error, noted, group, displaced));
    assert_eq!(Arc::strong_count(&count), 2, "the box has it still");
    drop(boxed);
    assert_eq!(Arc::strong_count(&count), 1);

    let taken: Counted = Error::from(Counted(count.clone())).downcast().unwrap();
    assert_eq!(Arc::strong_count(&count), 2);
    drop(taken);
    assert_eq!(Arc::strong_count(&count), 1);
}

#[test]
fn clones_may_end_on_many_threads_at_once() {
    let deep = (0..200).fold(Error::from(parse_error()), |inner, _| {
        let displaced = Error::cancelled().with_displaced(inner.clone());
        ExceptionGroup::new("level", [inner, displaced]).unwrap().into()
    });
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let mine = deep.clone();
            scope.spawn(move || {
                let noted = mine.clone().with_note("mine");
                assert_eq!(noted.notes().count(), 1);
                drop(mine);
            });
        }
        drop(deep);
    });
}
