//! `test_except_star.py`.
//!
//! A group is written down with its message and its members: `eg[ValueError(1), nested[TypeError(2)]]`. A clause is a
//! closure, which may name what it is given or not; where CPython has a test for each, one stands for both here.

#![expect(non_snake_case, reason = "the tests have the names that they have in CPython")]

use crate::support::exceptions::{BlockingIOError, KeyError, OSError, SyntaxError, TypeError, ValueError};
use crate::support::shape;
use homing::{Error, Except, ExceptionGroup, Result};
use std::cell::{Cell, RefCell};
use std::fmt;

/// An error that is a group.
fn group(message: &'static str, errors: impl IntoIterator<Item = Error>) -> Error {
    ExceptionGroup::new(message, errors).expect("it has members").into()
}

fn raise(error: impl Into<Error>) -> Result<()> {
    Err(error.into())
}

fn value(argument: &'static str) -> Error {
    ValueError(argument).into()
}

fn type_error(argument: &'static str) -> Error {
    TypeError(argument).into()
}

fn os(argument: &'static str) -> Error {
    OSError(argument).into()
}

fn blocking_io(argument: &'static str) -> Error {
    BlockingIOError(argument).into()
}

/// What a subclass relation says in Python.
fn is_os_error(error: &Error) -> bool {
    error.is::<OSError>() || error.is::<BlockingIOError>()
}

fn is_value_or_type_error(error: &Error) -> bool {
    error.is::<ValueError>() || error.is::<TypeError>()
}

mod test_except_star_split_semantics {
    use super::*;

    /// Raises an error into one clause, and looks at what the clause was given and what is left; also in a clause of
    /// another error.
    #[track_caller]
    fn do_split_test(
        error: Error,
        matches: fn(&Error) -> bool,
        expected_match: Option<&str>,
        expected_rest: Option<&str>,
    ) {
        let check = || {
            let caught = RefCell::new(None);
            let outcome = raise(error.clone())
                .except_if(matches, |group: ExceptionGroup| {
                    let before = caught.replace(Some(shape(group.as_error())));
                    assert_eq!(before, None, "a clause is called at most once");
                })
                .end();
            assert_eq!(caught.take().as_deref(), expected_match);
            assert_eq!(outcome.err().map(|rest| shape(&rest)).as_deref(), expected_rest);
        };
        check();
        let handled =
            raise(group("eg", [type_error("1"), value("2")])).except_if(|_| true, |_| check()).end();
        assert!(matches!(handled, Ok(None)), "{handled:?}");
    }

    /// What no clause matches is raised again as it is (EG-16).
    #[test]
    fn test_no_match_single_type() {
        let error = group("test1", [value("V"), type_error("T")]);
        do_split_test(error, Error::is::<SyntaxError>, None, Some("test1[ValueError(V), TypeError(T)]"));
    }

    /// What a clause matches is handled, and nothing is left (EG-15).
    #[test]
    fn test_match_single_type() {
        let error = group("test2", [value("V1"), value("V2")]);
        do_split_test(error, Error::is::<ValueError>, Some("test2[ValueError(V1), ValueError(V2)]"), None);
    }

    /// What it does not match is raised again, without the rest (EG-13, EG-16).
    #[test]
    fn test_match_single_type_partial_match() {
        do_split_test(
            group("test3", [value("V1"), os("OS"), value("V2")]),
            Error::is::<ValueError>,
            Some("test3[ValueError(V1), ValueError(V2)]"),
            Some("test3[OSError(OS)]"),
        );
    }

    /// The same in nested groups, which keep their nesting on both sides (EG-13, EG-16).
    #[test]
    fn test_match_single_type_nested() {
        let nested = group("g2", [os("OS2"), value("V2"), type_error("T")]);
        do_split_test(
            group("g1", [value("V1"), os("OS1"), nested]),
            Error::is::<ValueError>,
            Some("g1[ValueError(V1), g2[ValueError(V2)]]"),
            Some("g1[OSError(OS1), g2[OSError(OS2), TypeError(T)]]"),
        );
    }

    /// The same with a clause for two types (EG-6, EG-13).
    #[test]
    fn test_match_type_tuple_nested() {
        let nested = group("h2", [os("OS2"), value("V2"), type_error("T")]);
        do_split_test(
            group("h1", [value("V1"), os("OS1"), nested]),
            is_value_or_type_error,
            Some("h1[ValueError(V1), h2[ValueError(V2), TypeError(T)]]"),
            Some("h1[OSError(OS1), h2[OSError(OS2)]]"),
        );
    }

    /// An inner group of which nothing is left in a part is left out of it (EG-7).
    #[test]
    fn test_empty_groups_removed() {
        let inner = [
            group("i1", [value("V1")]),
            group("i2", [value("V2"), type_error("T1")]),
            group("i3", [type_error("T2")]),
        ];
        do_split_test(
            group("eg", inner),
            Error::is::<TypeError>,
            Some("eg[i2[TypeError(T1)], i3[TypeError(T2)]]"),
            Some("eg[i1[ValueError(V1)], i2[ValueError(V2)]]"),
        );
    }

    /// An inner group of which one member is left stays a group (EG-7).
    #[test]
    fn test_singleton_groups_are_kept() {
        let inner = [group("j3", [value("V1")]), group("j4", [type_error("T")])];
        do_split_test(
            group("j1", [group("j2", inner)]),
            Error::is::<TypeError>,
            Some("j1[j2[j4[TypeError(T)]]]"),
            Some("j1[j2[j3[ValueError(V1)]]]"),
        );
    }

    /// A bare error is handed to its clause in a group without a message (EG-17).
    #[test]
    fn test_naked_exception_matched_wrapped1() {
        do_split_test(value("V"), Error::is::<ValueError>, Some("[ValueError(V)]"), None);
    }

    /// Also to a clause that matches everything (EG-17).
    ///
    /// Stands in: a condition that is always true for Exception.
    #[test]
    fn test_naked_exception_matched_wrapped2() {
        do_split_test(value("V"), |_| true, Some("[ValueError(V)]"), None);
    }

    /// A group that such a clause takes whole is not wrapped once more (EG-17).
    ///
    /// Stands in: a condition that is always true for Exception.
    #[test]
    fn test_exception_group_except_star_Exception_not_wrapped() {
        do_split_test(group("eg", [value("V")]), |_| true, Some("eg[ValueError(V)]"), None);
    }

    /// A bare error that no clause matches stays bare (EG-17).
    #[test]
    fn test_plain_exception_not_matched() {
        do_split_test(value("V"), Error::is::<TypeError>, None, Some("ValueError(V)"));
    }

    /// A clause for a supertype matches its subtypes (EG-6).
    ///
    /// Stands in: a condition for the subtype relation.
    #[test]
    fn test_match__supertype() {
        do_split_test(
            group("st", [blocking_io("io"), type_error("T")]),
            is_os_error,
            Some("st[BlockingIOError(io)]"),
            Some("st[TypeError(T)]"),
        );
    }

    /// Each of two clauses is given its part, the second of what the first has left (EG-13).
    ///
    /// Also: test_multiple_matches_unnamed
    #[test]
    fn test_multiple_matches_named() {
        let calls = RefCell::new(Vec::new());
        let note = |group: ExceptionGroup| calls.borrow_mut().push(shape(group.as_error()));
        let outcome = raise(group("mmn", [os("os"), blocking_io("io")]))
            .except::<BlockingIOError>(note)
            .except_if(is_os_error, note)
            .end();
        assert!(matches!(outcome, Ok(None)));
        assert_eq!(calls.take(), ["mmn[BlockingIOError(io)]", "mmn[OSError(os)]"]);
    }

    /// What an earlier clause has taken, a later one does not see (EG-14).
    ///
    /// Also: test_first_match_wins_unnamed
    #[test]
    fn test_first_match_wins_named() {
        let caught = RefCell::new(None);
        let unmatched = Cell::new(true);
        let outcome = raise(group("fst", [blocking_io("io")]))
            .except_if(is_os_error, |group: ExceptionGroup| {
                drop(caught.replace(Some(shape(group.as_error()))))
            })
            .except::<BlockingIOError>(|_| unmatched.set(false))
            .end();
        assert!(matches!(outcome, Ok(None)));
        assert_eq!(caught.take().as_deref(), Some("fst[BlockingIOError(io)]"));
        assert!(unmatched.get(), "it should have been matched as an OSError");
    }

    /// A clause may handle errors of its own in clauses, and still has its own part afterwards (EG-15).
    #[test]
    fn test_nested_except_stars() {
        let handled = Cell::new(false);
        let outcome = raise(group("n", [blocking_io("io")]))
            .except::<BlockingIOError>(|caught: ExceptionGroup| {
                let inner =
                    raise(group("n", [value("io")])).except::<ValueError>(|_| handled.set(true)).end();
                assert!(matches!(inner, Ok(None)));
                assert_eq!(shape(caught.as_error()), "n[BlockingIOError(io)]");
            })
            .end();
        assert!(matches!(outcome, Ok(None)));
        assert!(handled.get());
    }

    /// After the statement the program goes on, again and again (EG-15).
    #[test]
    fn test_nested_in_loop() {
        let calls = Cell::new(0);
        for _ in 0..2 {
            let outcome = raise(group("nl", [blocking_io("io")]))
                .except::<BlockingIOError>(|_| calls.set(calls.get() + 1))
                .end();
            assert!(matches!(outcome, Ok(None)));
        }
        assert_eq!(calls.get(), 2);
    }
}

mod test_except_star_reraise {
    use super::*;

    /// A clause that raises its part again.
    fn reraise(caught: ExceptionGroup) -> Result<()> {
        Err(caught.into())
    }

    fn three() -> Result<()> {
        raise(group("eg", [type_error("1"), value("2"), os("3")]))
    }

    /// What several clauses raise again and what none has matched is one group, in the original order (EG-18).
    ///
    /// Also: test_reraise_all_unnamed
    #[test]
    fn test_reraise_all_named() {
        let outcome = three().except::<TypeError>(reraise).except::<ValueError>(reraise).end();
        assert_eq!(shape(&outcome.unwrap_err()), "eg[TypeError(1), ValueError(2), OSError(3)]");
    }

    /// What one clause raises again and none has matched is one group, without what another has handled (EG-18).
    #[test]
    fn test_reraise_some_handle_all_named() {
        let outcome = three().except::<TypeError>(reraise).except::<ValueError>(|_| ()).end();
        assert_eq!(shape(&outcome.unwrap_err()), "eg[TypeError(1), OSError(3)]");
    }

    /// The same if every error is matched by some clause (EG-18).
    #[test]
    fn test_reraise_partial_handle_all_unnamed() {
        let outcome = raise(group("eg", [type_error("1"), value("2")]))
            .except::<TypeError>(reraise)
            .except::<ValueError>(|_| ())
            .end();
        assert_eq!(shape(&outcome.unwrap_err()), "eg[TypeError(1)]");
    }

    /// The same whichever of the clauses comes first (EG-18).
    ///
    /// Also: test_reraise_partial_handle_some_unnamed
    #[test]
    fn test_reraise_partial_handle_some_named() {
        let outcome = three().except::<TypeError>(reraise).except::<ValueError>(|_| ()).end();
        assert_eq!(shape(&outcome.unwrap_err()), "eg[TypeError(1), OSError(3)]");
        let outcome = three().except::<ValueError>(|_| ()).except::<TypeError>(reraise).end();
        assert_eq!(shape(&outcome.unwrap_err()), "eg[TypeError(1), OSError(3)]");
    }

    /// A bare error that is raised again stays in the group in which it was handed over (EG-19).
    ///
    /// Also: test_reraise_plain_exception_unnamed
    #[test]
    fn test_reraise_plain_exception_named() {
        let outcome = raise(value("42")).except::<ValueError>(reraise).end();
        assert_eq!(shape(&outcome.unwrap_err()), "[ValueError(42)]");
    }
}

/// A group with a cause of its own, by which its parts are told.
fn orig(errors: impl IntoIterator<Item = Error>) -> Result<()> {
    let group = ExceptionGroup::new("eg", errors).expect("it has members");
    raise(group.with_source(KeyError("the cause")))
}

/// The group for which an error was raised: a part of the original, with the cause that had.
#[track_caller]
fn assert_context(error: &Error, expected: &str) {
    let context = error.context_group().expect("it was raised for a group");
    assert_eq!(shape(context.as_error()), expected);
    assert!(context.as_error().source().is_some_and(|source| source.is::<KeyError>()));
}

mod test_except_star_raise {
    use super::*;

    /// A new error and what is left are in a new group without a message, the new error first (EG-20, EG-22).
    ///
    /// Also: test_raise_unnamed
    #[test]
    fn test_raise_named() {
        let exc = orig([value("1"), os("2")]).except::<OSError>(|_| raise(TypeError("3"))).end().unwrap_err();
        assert_eq!(shape(&exc), "[TypeError(3), eg[ValueError(1)]]");
        assert!(exc.source().is_none(), "the new group is not the original");
        assert_context(&exc.as_group().expect("a group").errors()[0], "eg[OSError(2)]");
    }

    /// A new error that is all there is comes out bare (EG-21, EG-22).
    ///
    /// Also: test_raise_handle_all_raise_one_unnamed
    #[test]
    fn test_raise_handle_all_raise_one_named() {
        let exc = orig([type_error("1"), value("2")])
            .except_if(is_value_or_type_error, |_| raise(SyntaxError("3")))
            .end()
            .unwrap_err();
        assert_eq!(shape(&exc), "SyntaxError(3)");
        assert!(exc.source().is_none());
        assert_context(&exc, "eg[TypeError(1), ValueError(2)]");
    }

    /// Two new errors are in a group without a message, each with the part that it was raised for (EG-20, EG-22).
    ///
    /// Also: test_raise_handle_all_raise_two_unnamed
    #[test]
    fn test_raise_handle_all_raise_two_named() {
        let exc = orig([type_error("1"), value("2")])
            .except::<TypeError>(|_| raise(SyntaxError("3")))
            .except::<ValueError>(|_| raise(SyntaxError("4")))
            .end()
            .unwrap_err();
        assert_eq!(shape(&exc), "[SyntaxError(3), SyntaxError(4)]");
        assert!(exc.source().is_none());
        let errors = exc.as_group().expect("a group").errors();
        assert_context(&errors[0], "eg[TypeError(1)]");
        assert_context(&errors[1], "eg[ValueError(2)]");
    }
}

mod test_except_star_raise_from {
    use super::*;

    /// An error that was raised from a group.
    #[derive(Debug)]
    struct RaisedFrom {
        error: &'static str,
        cause: ExceptionGroup,
    }

    impl fmt::Display for RaisedFrom {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.error)
        }
    }

    impl std::error::Error for RaisedFrom {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.cause)
        }
    }

    /// A clause that raises an error from its part.
    fn raise_from(error: &'static str) -> impl FnOnce(ExceptionGroup) -> Result<()> {
        move |cause| raise(RaisedFrom { error, cause })
    }

    /// The error's cause and its context are the same part of the original.
    #[track_caller]
    fn assert_cause_and_context(error: &Error, expected: &str) {
        assert_context(error, expected);
        let cause =
            error.source().and_then(|source| source.downcast_ref::<ExceptionGroup>()).expect("a cause");
        assert_eq!(shape(cause.as_error()), expected);
        assert!(cause.as_error().source().is_some_and(|source| source.is::<KeyError>()));
    }

    /// A new error keeps the cause that it was given (EG-20, EG-22).
    ///
    /// Also: test_raise_unnamed
    #[test]
    fn test_raise_named() {
        let exc =
            orig([value("1"), os("2")]).except::<OSError>(raise_from("TypeError(3)")).end().unwrap_err();
        assert_eq!(shape(&exc), "[TypeError(3), eg[ValueError(1)]]");
        assert!(exc.source().is_none());
        let errors = exc.as_group().expect("a group").errors();
        assert_cause_and_context(&errors[0], "eg[OSError(2)]");
        assert!(errors[1].context_group().is_none());
        assert!(
            errors[1].source().is_some_and(|source| source.is::<KeyError>()),
            "it is a part of the original"
        );
    }

    /// Also if it is all there is, and comes out bare (EG-21, EG-22).
    ///
    /// Also: test_raise_handle_all_raise_one_unnamed
    #[test]
    fn test_raise_handle_all_raise_one_named() {
        let exc = orig([type_error("1"), value("2")])
            .except_if(is_value_or_type_error, raise_from("SyntaxError(3)"))
            .end()
            .unwrap_err();
        assert_eq!(shape(&exc), "SyntaxError(3)");
        assert_cause_and_context(&exc, "eg[TypeError(1), ValueError(2)]");
    }

    /// Also if there are two (EG-20, EG-22).
    ///
    /// Also: test_raise_handle_all_raise_two_unnamed
    #[test]
    fn test_raise_handle_all_raise_two_named() {
        let exc = orig([type_error("1"), value("2")])
            .except::<TypeError>(raise_from("SyntaxError(3)"))
            .except::<ValueError>(raise_from("SyntaxError(4)"))
            .end()
            .unwrap_err();
        assert_eq!(shape(&exc), "[SyntaxError(3), SyntaxError(4)]");
        assert!(exc.source().is_none());
        let errors = exc.as_group().expect("a group").errors();
        assert_cause_and_context(&errors[0], "eg[TypeError(1)]");
        assert_cause_and_context(&errors[1], "eg[ValueError(2)]");
    }
}
