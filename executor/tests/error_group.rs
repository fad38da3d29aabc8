//! `ExceptionGroup`: rules EG-1 to EG-11.

#[path = "error_support/mod.rs"]
mod support;
#[path = "error_support/tree.rs"]
mod tree;

use homing_executor::error::{Cancelled, EmptyGroup, Error, ExceptionGroup, Origin, ScopeNote};
use proptest::prelude::*;
use std::error::Error as _;
use std::panic::Location;
use support::*;
use tree::*;

/// The group that most of CPython's tests use.
fn simple() -> ExceptionGroup {
    group("simple eg", [value(1), kind(2), value(3)])
}

fn nested_group() -> ExceptionGroup {
    let inner = nested("inner", [os(3), value(4), kind(5)]);
    group("outer", [value(1), os(2), inner])
}

/// Shapes of both halves.
fn halves(parts: (Option<ExceptionGroup>, Option<ExceptionGroup>)) -> (String, String) {
    (shape_of(parts.0.as_ref()), shape_of(parts.1.as_ref()))
}

#[test]
fn a_group_has_at_least_one_error() {
    assert_eq!(ExceptionGroup::new("eg", []).unwrap_err(), EmptyGroup, "EG-1");
    assert_eq!(simple().derive([]).unwrap_err(), EmptyGroup);
    assert_eq!(EmptyGroup.to_string(), "a group of errors needs at least one");
}

#[test]
fn a_group_has_a_message_and_ordered_members() {
    let group = simple();
    assert_eq!(group.message(), "simple eg");
    assert_eq!(group.len(), 3);
    assert_eq!(shape(group.as_error()), "simple eg[ValueError(1), TypeError(2), ValueError(3)]");
    let looped: Vec<String> = (&group).into_iter().map(ToString::to_string).collect();
    assert_eq!(looped, ["ValueError(1)", "TypeError(2)", "ValueError(3)"]);
    assert_eq!(ExceptionGroup::new(String::from("owned"), [value(1)]).unwrap().message(), "owned");
}

#[test]
fn nested_groups_are_not_flattened() {
    assert_eq!(
        shape(nested_group().as_error()),
        "outer[ValueError(1), OsError(2), inner[OsError(3), ValueError(4), TypeError(5)]]"
    );
    assert_eq!((nested_group().len(), nested_group().leaf_count()), (3, 5));
}

#[test]
fn any_error_may_be_a_member() {
    let group = group("any", [Cancelled::new().into(), Error::msg("text"), value(1)]);
    assert_eq!(shape(group.as_error()), "any[cancelled, text, ValueError(1)]", "EG-2: one type, no split");
}

#[test]
fn one_line_counts_the_direct_members() {
    assert_eq!(group("m", [value(1)]).to_string(), "m (1 sub-exception)", "EG-3");
    assert_eq!(nested_group().to_string(), "outer (3 sub-exceptions)");
    assert_eq!(group("", [value(1)]).to_string(), "1 sub-exception");
    assert_eq!(Error::from(nested_group()).to_string(), nested_group().to_string());
}

#[test]
fn the_debug_form_shows_the_whole_tree() {
    let all = format!("{:?}", nested_group());
    for leaf in nested_group().leaves() {
        assert!(all.contains(&leaf.to_string()), "EG-3: {leaf} in\n{all}");
    }
    assert_eq!(all, format!("{:#}", nested_group()));
    assert_eq!(all, format!("{:#?}", Error::from(nested_group())));
}

#[test]
fn a_subgroup_keeps_the_nesting() {
    let values = nested_group().subgroup(|error| error.is::<ValueError>());
    assert_eq!(shape_of(values.as_ref()), "outer[ValueError(1), inner[ValueError(4)]]", "EG-4");
    assert!(nested_group().subgroup(|error| error.is::<SyntaxError>()).is_none());
}

#[test]
fn if_all_match_it_is_the_same_group() {
    let eg = nested_group();
    assert!(eg.subgroup(|_| true).unwrap().as_error().ptr_eq(eg.as_error()), "EG-4");
    let leaf_by_leaf = eg.subgroup(|error| error.as_group().is_none()).unwrap();
    assert!(leaf_by_leaf.as_error().ptr_eq(eg.as_error()), "also if no group was taken whole");
    let (none, all) = eg.split(|_| false);
    assert!(none.is_none() && all.unwrap().as_error().ptr_eq(eg.as_error()), "and if none match");
}

#[test]
fn an_inner_group_that_is_taken_with_all_its_members_is_the_same() {
    let eg = group("outer", [value(1), nested("inner", [kind(2), kind(3)])]);
    let (kinds, _) = eg.split_by::<TypeError>();
    assert!(kinds.unwrap().errors()[0].ptr_eq(&eg.errors()[1]));
}

#[test]
fn a_split_puts_every_leaf_in_exactly_one_part() {
    let parts = nested_group().split_by::<ValueError>();
    assert_eq!(
        halves(parts),
        (
            "outer[ValueError(1), inner[ValueError(4)]]".into(),
            "outer[OsError(2), inner[OsError(3), TypeError(5)]]".into()
        ),
        "EG-5"
    );
}

#[test]
fn a_split_by_several_types_is_a_predicate() {
    let parts = nested_group().split(|error| error.is::<ValueError>() || error.is::<TypeError>());
    assert_eq!(
        halves(parts),
        (
            "outer[ValueError(1), inner[ValueError(4), TypeError(5)]]".into(),
            "outer[OsError(2), inner[OsError(3)]]".into()
        ),
        "EG-6"
    );
}

#[test]
fn groups_are_asked_before_their_members() {
    let mut asked = Vec::new();
    let parts = nested_group().split(|error| {
        asked.push(error.to_string());
        error.as_group().is_some_and(|group| group.message() == "inner")
    });
    assert_eq!(
        asked,
        ["outer (3 sub-exceptions)", "ValueError(1)", "OsError(2)", "inner (3 sub-exceptions)"],
        "EG-6"
    );
    let (inner, rest) = halves(parts);
    assert_eq!(inner, "outer[inner[OsError(3), ValueError(4), TypeError(5)]]");
    assert_eq!(rest, "outer[ValueError(1), OsError(2)]");
}

#[test]
fn split_by_the_group_type_takes_the_group_whole() {
    let eg = simple();
    let (all, rest) = eg.split_by::<ExceptionGroup>();
    assert!(all.unwrap().as_error().ptr_eq(eg.as_error()) && rest.is_none());
}

#[test]
fn inner_groups_left_empty_disappear() {
    let eg =
        group("eg", [nested("i1", [value(1)]), nested("i2", [value(2), kind(3)]), nested("i3", [kind(4)])]);
    assert_eq!(
        halves(eg.split_by::<TypeError>()),
        ("eg[i2[TypeError(3)], i3[TypeError(4)]]".into(), "eg[i1[ValueError(1)], i2[ValueError(2)]]".into()),
        "EG-7"
    );
}

#[test]
fn groups_left_with_one_member_stay_groups() {
    let eg = group("j1", [nested("j2", [nested("j3", [value(1)]), nested("j4", [kind(2)])])]);
    assert_eq!(
        halves(eg.split_by::<TypeError>()),
        ("j1[j2[j4[TypeError(2)]]]".into(), "j1[j2[j3[ValueError(1)]]]".into()),
        "EG-7"
    );
}

/// A group with everything told about it that can be told, on both levels.
fn told() -> ExceptionGroup {
    let tell = |group: ExceptionGroup, name: &'static str| {
        Error::from(group.with_note(name).with_source(os(9)).with_payload(name))
            .with_origin(Origin { task: Some(name.into()), spawned_at: None })
            .with_scope(ScopeNote { kind: "group", name: Some(name.into()), place: Location::caller() })
            .with_displaced(syntax(8))
    };
    let inner = tell(group("inner", [value(1), kind(2)]), "inner");
    tell(group("outer", [value(3), kind(4), inner]), "outer").downcast().unwrap()
}

fn check_told(error: &Error, name: &str) {
    let group = error.as_group().unwrap();
    assert_eq!(group.message(), name);
    assert_eq!(group.notes().collect::<Vec<_>>(), [name]);
    assert_eq!(group.source().unwrap().to_string(), "OsError(9)");
    assert_eq!(group.payload_ref::<&str>(), Some(&name));
    assert_eq!(error.task_name(), Some(name));
    assert_eq!(error.trail().next().unwrap().name.as_deref(), Some(name));
    assert_eq!(error.displaced().next().unwrap().to_string(), "SyntaxError(8)");
}

#[test]
fn both_parts_keep_all_that_was_told_at_every_level() {
    let (values, kinds) = told().split_by::<ValueError>();
    for part in [values.unwrap(), kinds.unwrap()] {
        check_told(part.as_error(), "outer");
        check_told(&part.errors()[1], "inner");
    }
}

#[test]
fn each_part_has_its_own_notes() {
    let (values, kinds) = told().split_by::<ValueError>();
    let values = values.unwrap().with_note("on the values");
    assert_eq!(values.notes().collect::<Vec<_>>(), ["outer", "on the values"], "EG-8");
    assert_eq!(kinds.unwrap().notes().collect::<Vec<_>>(), ["outer"]);
}

#[test]
fn a_derived_group_has_other_members_and_the_rest_in_common() {
    let derived = told().derive([syntax(1)]).unwrap();
    check_told(derived.as_error(), "outer");
    assert_eq!(shape(derived.as_error()), "outer[SyntaxError(1)]", "EG-9");
}

#[test]
fn a_payload_is_found_by_its_type() {
    struct Code(i32);
    let eg = group("eg", [value(1)]).with_payload(Code(42));
    assert_eq!(eg.payload_ref::<Code>().unwrap().0, 42);
    assert!(eg.payload_ref::<i32>().is_none());
    assert!(simple().payload_ref::<Code>().is_none());
}

#[test]
fn leaves_come_depth_first_and_in_order() {
    let eg = group("a", [value(1), nested("b", [value(2), nested("c", [value(3)]), value(4)]), value(5)]);
    let leaves: Vec<u32> = eg.leaves().map(|leaf| leaf.downcast_ref::<ValueError>().unwrap().0).collect();
    assert_eq!(leaves, [1, 2, 3, 4, 5], "EG-10");
}

#[test]
fn a_group_may_hold_one_error_several_times() {
    let twice = value(1);
    let inner = nested("flat", [value(2), twice.clone()]);
    let eg = group("nested", [inner.clone(), twice, inner]);
    assert_eq!(eg.leaf_count(), 5);
    let (ones, twos) = eg.split(|error| error.downcast_ref() == Some(&ValueError(1)));
    assert_eq!(shape_of(ones.as_ref()), "nested[flat[ValueError(1)], ValueError(1), flat[ValueError(1)]]");
    assert_eq!(shape_of(twos.as_ref()), "nested[flat[ValueError(2)], flat[ValueError(2)]]");
}

#[test]
fn a_group_goes_in_and_out_of_a_std_error() {
    let eg = simple();
    let back = Error::from_std(Error::from(eg.clone()).into_std());
    assert!(back.as_group().unwrap().as_error().ptr_eq(eg.as_error()));
    let read = std::io::Error::other(eg.clone());
    assert!(Error::from(read).ptr_eq(eg.as_error()));
}

// EG-11. A test's thread has a stack of two megabytes: whatever recurses here does not survive a hundred thousand levels.
const DEEP: u32 = 100_000;

#[test]
fn a_deep_group_is_built_cloned_and_dropped() {
    let deep = well(DEEP);
    let clone = deep.clone();
    drop(deep);
    drop(clone);
}

#[test]
fn a_deep_group_is_walked() {
    let deep = well(DEEP);
    assert_eq!(deep.leaf_count(), DEEP as usize);
    assert!(deep.leaves().zip(1..).all(|(leaf, level)| leaf.downcast_ref() == Some(&ValueError(level))));
}

#[test]
fn a_deep_group_is_split() {
    let deep = well(DEEP);
    let even = |error: &Error| error.downcast_ref::<ValueError>().is_some_and(|error| error.0 % 2 == 0);
    let (even, odd) = deep.split(even);
    assert_eq!(
        (even.unwrap().leaf_count(), odd.unwrap().leaf_count()),
        (DEEP as usize / 2, DEEP as usize / 2)
    );
    let last = deep.subgroup(|error| error.downcast_ref() == Some(&ValueError(DEEP))).unwrap();
    assert_eq!(last.leaf_count(), 1);
}

#[test]
fn a_deep_group_is_shown() {
    let deep = well(DEEP);
    assert_eq!(deep.to_string(), "level (2 sub-exceptions)");
    assert!(format!("{deep:#}").lines().count() < 100);
    assert!(format!("{deep:?} {:?}", Error::from(deep.clone())).len() < 10_000);
}

#[test]
fn long_chains_of_other_links_are_dropped_too() {
    let displaced = (0..DEEP).fold(value(0), |inner, _| Error::cancelled().with_displaced(inner));
    let caused = (0..DEEP).fold(value(0), |inner, _| group("g", [value(1)]).with_source(inner).into());
    let noted = (0..DEEP).fold(value(0), |inner, _| nested("g", [inner]).with_note("n"));
    let clone = caused.clone();
    drop((displaced, caused, noted));
    assert!(clone.chain().count() > 10 && !format!("{clone:#}").is_empty());
}

#[test]
fn a_wide_group_is_split_and_dropped() {
    let wide = ExceptionGroup::new("wide", (0..DEEP).map(value)).unwrap();
    let (even, odd) =
        wide.split(|error| error.downcast_ref::<ValueError>().is_some_and(|error| error.0 % 2 == 0));
    assert_eq!((even.unwrap().len(), odd.unwrap().len()), (DEEP as usize / 2, DEEP as usize / 2));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_split_agrees_with_the_model(trees in prop::collection::vec(trees(), 1..5), modulus in 1..7_u32) {
        let tree = Tree::Group(trees);
        let error = tree.build();
        let eg = error.as_group().unwrap();
        let matches = |number: u32| number.is_multiple_of(modulus);
        let (matching, rest) =
            eg.split(|error| error.downcast_ref::<ValueError>().is_some_and(|error| matches(error.0)));

        prop_assert_eq!(shape_of(matching.as_ref()), tree.shape_if(matches));
        prop_assert_eq!(shape_of(rest.as_ref()), tree.shape_if(|number| !matches(number)));

        // Every leaf is in exactly one part, itself and not a copy, and in order.
        let mut matching = matching.iter().flat_map(ExceptionGroup::leaves);
        let mut rest = rest.iter().flat_map(ExceptionGroup::leaves);
        for leaf in eg.leaves() {
            let part: &mut dyn Iterator<Item = &Error> =
                if matches(leaf.downcast_ref::<ValueError>().unwrap().0) { &mut matching } else { &mut rest };
            prop_assert!(part.next().unwrap().ptr_eq(leaf));
        }
        prop_assert!(matching.next().is_none() && rest.next().is_none());
    }
}
