//! `except*`: rules EG-13 to EG-23.

#[path = "error_support/mod.rs"]
mod support;
#[path = "error_support/tree.rs"]
mod tree;

use homing_executor::error::{Cancelled, Error, Except, ExceptionGroup, Result};
use proptest::prelude::*;
use std::cell::RefCell;
use std::fmt;
use support::*;
use tree::*;

fn raise(error: impl Into<Error>) -> Result<u8> {
    Err(error.into())
}

/// `eg[TypeError(1), ValueError(2), OsError(3)]`
fn three() -> Result<u8> {
    raise(group("eg", [kind(1), value(2), os(3)]))
}

fn again(caught: ExceptionGroup) -> Result<()> {
    Err(caught.into())
}

fn never(caught: ExceptionGroup) {
    panic!("this clause matches nothing, but was given {caught:?}");
}

/// What is left: the value, `handled`, or the shape of the error.
fn left(outcome: Result<Option<u8>>) -> String {
    match outcome {
        Ok(Some(value)) => format!("value {value}"),
        Ok(None) => "handled".into(),
        Err(error) => shape(&error),
    }
}

/// What one clause by type is given, and what is left: CPython's `doSplitTest`.
fn one_clause<E: 'static>(error: impl Into<Error>) -> (String, String) {
    let mut caught = None;
    let left = left(raise(error).except::<E>(|part| caught = Some(part)).end());
    (shape_of(caught.as_ref()), left)
}

fn pair(caught: &str, left: &str) -> (String, String) {
    (caught.into(), left.into())
}

#[test]
fn a_value_passes_all_clauses() {
    let outcome = Ok(7).except::<ValueError>(never).except_if(|_| true, never).end();
    assert_eq!(left(outcome), "value 7");
}

#[test]
fn what_no_clause_matches_is_returned_as_it_was() {
    let eg = group("test1", [value(1), kind(2)]);
    let outcome = raise(eg.clone()).except::<SyntaxError>(never).end();
    assert!(outcome.unwrap_err().ptr_eq(eg.as_error()), "EG-16");
}

#[test]
fn a_clause_that_ends_normally_has_handled_its_part() {
    assert_eq!(
        one_clause::<ValueError>(group("test2", [value(1), value(2)])),
        pair("test2[ValueError(1), ValueError(2)]", "handled"),
        "EG-15"
    );
}

#[test]
fn the_rest_keeps_its_nesting() {
    assert_eq!(
        one_clause::<ValueError>(group("test3", [value(1), os(2), value(3)])),
        pair("test3[ValueError(1), ValueError(3)]", "test3[OsError(2)]"),
        "EG-13"
    );
    assert_eq!(
        one_clause::<ValueError>(group("g1", [value(1), os(2), nested("g2", [os(3), value(4), kind(5)])])),
        pair("g1[ValueError(1), g2[ValueError(4)]]", "g1[OsError(2), g2[OsError(3), TypeError(5)]]")
    );
}

#[test]
fn emptied_groups_vanish_and_singletons_stay() {
    let eg =
        group("eg", [nested("i1", [value(1)]), nested("i2", [value(2), kind(3)]), nested("i3", [kind(4)])]);
    assert_eq!(
        one_clause::<TypeError>(eg),
        pair("eg[i2[TypeError(3)], i3[TypeError(4)]]", "eg[i1[ValueError(1)], i2[ValueError(2)]]")
    );
    let eg = group("j1", [nested("j2", [nested("j3", [value(1)]), nested("j4", [kind(2)])])]);
    assert_eq!(one_clause::<TypeError>(eg), pair("j1[j2[j4[TypeError(2)]]]", "j1[j2[j3[ValueError(1)]]]"));
}

#[test]
fn a_bare_error_is_wrapped_for_its_clause() {
    assert_eq!(one_clause::<ValueError>(value(1)), pair("[ValueError(1)]", "handled"), "EG-17");
}

#[test]
fn a_bare_error_that_no_clause_matches_stays_bare() {
    assert_eq!(one_clause::<TypeError>(value(1)), pair("nothing", "ValueError(1)"), "EG-17");
}

#[test]
fn a_group_is_not_wrapped_once_more() {
    let mut caught = None;
    let outcome = raise(group("eg", [value(1)])).except_if(|_| true, |part| caught = Some(part)).end();
    assert_eq!((shape_of(caught.as_ref()), left(outcome)), pair("eg[ValueError(1)]", "handled"));
}

#[test]
fn a_condition_may_name_several_types() {
    let mut caught = None;
    let outcome = three()
        .except_if(|error| error.is::<ValueError>() || error.is::<TypeError>(), |part| caught = Some(part))
        .end();
    assert_eq!(
        (shape_of(caught.as_ref()), left(outcome)),
        pair("eg[TypeError(1), ValueError(2)]", "eg[OsError(3)]")
    );
}

#[test]
fn each_clause_sees_what_the_earlier_ones_left() {
    let seen = RefCell::new(Vec::new());
    let see = |part: ExceptionGroup| seen.borrow_mut().push(shape(part.as_error()));
    let outcome = three().except::<ValueError>(see).except::<TypeError>(see).except_if(|_| true, see).end();
    assert_eq!(left(outcome), "handled");
    assert_eq!(*seen.borrow(), ["eg[ValueError(2)]", "eg[TypeError(1)]", "eg[OsError(3)]"], "EG-13");
}

#[test]
fn the_first_match_wins() {
    let outcome = raise(group("fst", [value(1)]))
        .except_if(|_| true, |part| assert_eq!(shape(part.as_error()), "fst[ValueError(1)]"))
        .except::<ValueError>(never)
        .end();
    assert_eq!(left(outcome), "handled");
}

#[test]
fn a_clause_runs_at_most_once() {
    let mut runs = 0;
    let outcome = raise(group("eg", [value(1), nested("inner", [value(2)]), value(3)]))
        .except::<ValueError>(|part| {
            runs += 1;
            assert_eq!(part.leaf_count(), 3);
        })
        .end();
    assert_eq!((left(outcome).as_str(), runs), ("handled", 1), "EG-13");
}

#[test]
fn except_may_be_nested_and_used_in_a_loop() {
    for _ in 0..3 {
        let outcome = three()
            .except::<ValueError>(|part| {
                raise(part).except::<TypeError>(never).except::<ValueError>(|_| ()).end().map(drop)
            })
            .except_if(|_| true, |_| ())
            .end();
        assert_eq!(left(outcome), "handled", "EG-15");
    }
}

#[test]
fn all_parts_raised_again_are_the_group_as_it_was() {
    let eg = group("eg", [kind(1), value(2), os(3), nested("inner", [value(4), kind(5)])]);
    let outcome = raise(eg.clone())
        .except::<TypeError>(again)
        .except::<ValueError>(again)
        .except::<OsError>(again)
        .end();
    assert!(outcome.unwrap_err().ptr_eq(eg.as_error()), "EG-18");
}

#[test]
fn a_part_raised_again_is_merged_with_the_rest_in_the_original_order() {
    let outcome =
        three().except::<TypeError>(again).except::<ValueError>(|_| ()).except::<OsError>(|_| ()).end();
    assert_eq!(left(outcome), "eg[TypeError(1)]");
    let outcome = three().except::<TypeError>(again).except::<ValueError>(|_| ()).end();
    assert_eq!(left(outcome), "eg[TypeError(1), OsError(3)]", "EG-18");
    let outcome = three().except::<OsError>(again).except::<ValueError>(|_| ()).end();
    assert_eq!(left(outcome), "eg[TypeError(1), OsError(3)]", "whichever was raised first");
    let eg = group("a", [value(1), nested("b", [kind(2), os(3), nested("c", [value(4)])]), kind(5)]);
    let outcome = raise(eg).except::<TypeError>(again).except::<OsError>(|_| ()).end();
    assert_eq!(left(outcome), "a[ValueError(1), b[TypeError(2), c[ValueError(4)]], TypeError(5)]");
}

#[test]
fn a_subgroup_of_the_part_is_raised_again_too() {
    let outcome = raise(group("eg", [value(1), os(2), value(3)]))
        .except::<ValueError>(|part| match part.split(|error| error.downcast_ref() == Some(&ValueError(1))) {
            (_, Some(unknown)) => Err(unknown.into()),
            (_, None) => Ok(()),
        })
        .end();
    assert_eq!(left(outcome), "eg[OsError(2), ValueError(3)]", "EG-18");
}

#[test]
fn plain_cancellations_raised_again_are_counted_though_they_have_no_identity() {
    let mut first = true;
    let outcome = raise(group("eg", [Error::cancelled(), value(1), Error::cancelled()]))
        .except_if(|error| error.is_cancelled() && std::mem::take(&mut first), again)
        .except::<Cancelled>(|part| assert_eq!(part.leaf_count(), 1))
        .end();
    assert_eq!(left(outcome), "eg[cancelled, ValueError(1)]");
}

#[test]
fn a_bare_error_raised_again_stays_wrapped() {
    assert_eq!(left(raise(value(1)).except::<ValueError>(again).end()), "[ValueError(1)]", "EG-19");
}

#[test]
fn a_part_with_a_new_note_is_a_new_error() {
    let noted = |part: ExceptionGroup| Err(part.with_note("could not repair these").into());
    let outcome = three().except::<ValueError>(noted).end().unwrap_err();
    assert_eq!(
        shape(&outcome),
        "[eg[ValueError(2)], eg[TypeError(1), OsError(3)]]",
        "or the note would be lost"
    );
    let noted = &outcome.as_group().unwrap().errors()[0];
    assert_eq!(noted.notes().count(), 1);
    assert!(noted.context_group().is_none(), "it did not arise from itself");
}

#[test]
fn one_error_of_the_part_may_be_raised_bare() {
    let one = value(1);
    let pick = |part: ExceptionGroup| Err(part.errors()[0].clone());
    let outcome = raise(group("eg", [one.clone(), value(2)])).except::<ValueError>(pick).end().unwrap_err();
    assert!(outcome.ptr_eq(&one), "without a context: it did not arise from itself");
}

#[test]
fn new_errors_come_first_and_the_rest_last() {
    let outcome = raise(group("eg", [value(1), os(2)])).except::<OsError>(|_| Err(kind(3))).end();
    assert_eq!(left(outcome), "[TypeError(3), eg[ValueError(1)]]", "EG-20");
}

#[test]
fn a_new_error_does_not_stop_the_later_clauses() {
    let outcome = three()
        .except::<TypeError>(|_| Err(syntax(4)))
        .except::<ValueError>(|_| Err(syntax(5)))
        .except::<OsError>(again)
        .end();
    assert_eq!(left(outcome), "[SyntaxError(4), SyntaxError(5), eg[OsError(3)]]", "EG-20");
}

#[test]
fn two_new_errors_are_a_group_without_a_message() {
    let outcome = raise(group("eg", [kind(1), value(2)]))
        .except::<TypeError>(|_| Err(syntax(3)))
        .except::<ValueError>(|_| Err(syntax(4)))
        .end()
        .unwrap_err();
    assert_eq!(shape(&outcome), "[SyntaxError(3), SyntaxError(4)]");
    let context = |index: usize| shape_of(outcome.as_group().unwrap().errors()[index].context_group());
    assert_eq!((context(0), context(1)), pair("eg[TypeError(1)]", "eg[ValueError(2)]"), "EG-22");
}

#[test]
fn one_new_error_alone_is_bare() {
    let outcome =
        raise(group("eg", [kind(1), value(2)])).except_if(|_| true, |_| Err(syntax(3))).end().unwrap_err();
    assert_eq!(shape(&outcome), "SyntaxError(3)", "EG-21");
    assert_eq!(shape_of(outcome.context_group()), "eg[TypeError(1), ValueError(2)]", "EG-22");
}

#[test]
fn a_new_error_for_a_bare_one_is_bare() {
    let outcome = raise(value(1)).except::<ValueError>(|_| Err(syntax(2))).end().unwrap_err();
    assert_eq!(shape(&outcome), "SyntaxError(2)");
    assert_eq!(shape_of(outcome.context_group()), "[ValueError(1)]");
}

/// A new error with an explicit cause.
#[derive(Debug)]
struct Because(ExceptionGroup);

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("could not go on")
    }
}

impl std::error::Error for Because {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn an_explicit_cause_is_kept_beside_the_context() {
    let outcome =
        raise(group("eg", [value(1), os(2)])).except::<OsError>(|part| Err(Because(part).into())).end();
    let outcome = outcome.unwrap_err();
    assert_eq!(shape(&outcome), "[could not go on, eg[ValueError(1)]]");
    let new = &outcome.as_group().unwrap().errors()[0];
    let source = new.source().unwrap().downcast_ref::<ExceptionGroup>();
    assert_eq!(shape_of(source), "eg[OsError(2)]", "EG-22");
    assert!(source.unwrap().as_error().ptr_eq(new.context_group().unwrap().as_error()));
}

#[test]
fn the_innermost_context_is_the_true_one() {
    let inner = || raise(value(1)).except::<ValueError>(|_| Err(syntax(2))).end().map(drop);
    let outcome = raise(kind(3)).except::<TypeError>(|_| inner()).end().unwrap_err();
    assert_eq!(shape_of(outcome.context_group()), "[ValueError(1)]");
}

#[test]
fn a_clause_may_use_the_question_mark() {
    let outcome = three()
        .except::<ValueError>(|caught| {
            for _ in caught.errors() {
                "x".parse::<u8>()?;
            }
            Ok(())
        })
        .except_if(|_| true, |_| {})
        .end();
    assert!(outcome.unwrap_err().is::<std::num::ParseIntError>());
}

#[test]
fn a_cancellation_is_caught_by_its_own_name_only() {
    let cancelled = || raise(Cancelled::new().with_reason("r"));
    assert_eq!(left(cancelled().except::<ValueError>(never).end()), "cancelled: r");
    assert_eq!(left(cancelled().except::<Cancelled>(|_| ()).end()), "handled");
    assert!(
        cancelled().except::<ValueError>(|_| ()).end().unwrap_err().is_cancelled(),
        "and stays bare: TK-2"
    );
}

#[test]
fn a_payload_stays_with_every_part() {
    let eg = group("eg", [value(1), nested("nested", [kind(2)])]).with_payload(42);
    let mut code = None;
    let rest =
        raise(eg).except::<ValueError>(|part| code = part.payload_ref::<i32>().copied()).end().unwrap_err();
    assert_eq!((code, rest.as_group().unwrap().payload_ref::<i32>()), (Some(42), Some(&42)));
}

#[test]
#[should_panic(expected = "a clause cannot name a group type")]
fn a_clause_cannot_name_a_group_type() {
    let _ = Ok(7).except::<ExceptionGroup>(|_| ());
}

#[test]
fn a_deep_group_goes_through_clauses() {
    let deep = well(100_000);
    let even = |error: &Error| error.downcast_ref::<ValueError>().is_some_and(|error| error.0 % 2 == 0);
    let outcome = raise(deep).except_if(even, again).except_if(|_| false, |_| ()).end().unwrap_err();
    assert_eq!(outcome.as_group().unwrap().leaf_count(), 100_000);
}

#[test]
fn handling_in_a_loop_leaves_a_chain_that_can_be_dropped() {
    let mut last = value(0);
    for number in 1..100_000 {
        last = raise(last).except_if(|_| true, |_| Err(value(number))).end().unwrap_err();
    }
    assert_eq!(last.to_string(), "ValueError(99999)");
    assert!(format!("{last:#}").lines().count() < 100);
}

#[test]
fn clauses_can_be_shown_on_their_way() {
    assert_eq!(format!("{:?}", Ok(7).except::<ValueError>(|_| ())), "Value(7)");
    assert!(format!("{:?}", three().except::<ValueError>(again)).starts_with("Raised {"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// EG-13 to EG-18: some leaves are handled, some raised again by one of two clauses, and some matched by none.
    #[test]
    fn whatever_was_not_handled_is_left_in_its_place(trees in prop::collection::vec(trees(), 1..5)) {
        let tree = Tree::Group(trees);
        let of = |class: u32| move |error: &Error| {
            error.downcast_ref::<ValueError>().is_some_and(|error| error.0 % 4 == class)
        };
        let outcome = raise(tree.build()).except_if(of(0), again).except_if(of(1), |_| ()).except_if(of(2), again).end();
        let left = outcome.map_or_else(|error| shape(&error), |_| "nothing".to_owned());
        prop_assert_eq!(left, tree.shape_if(|number| number % 4 != 1));
    }
}
