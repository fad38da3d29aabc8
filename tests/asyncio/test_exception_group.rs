//! `test_exception_group.py`.
//!
//! A group is written down with its message and its members: `eg[ValueError(1), nested[TypeError(2)]]`.
#![expect(non_snake_case, reason = "the tests have the names that they have in CPython")]

use crate::support::exceptions::{MemoryError, OSError, SyntaxError, TypeError, ValueError, type_of};
use crate::support::shape;
use homing::{Cancelled, Error, ExceptionGroup};
use std::fmt;

/// A group that has members.
fn group(message: &'static str, errors: impl IntoIterator<Item = Error>) -> ExceptionGroup {
    ExceptionGroup::new(message, errors).expect("it has members")
}

fn shape_of(group: Option<&ExceptionGroup>) -> Option<String> {
    group.map(|group| shape(group.as_error()))
}

/// `raise ValueError(1) from MemoryError(…)`.
#[derive(Debug)]
struct ValueErrorFrom(MemoryError);

impl fmt::Display for ValueErrorFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ValueError(1)")
    }
}

impl std::error::Error for ValueErrorFrom {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

fn create_simple_eg() -> ExceptionGroup {
    group("simple eg", [ValueError("1").into(), TypeError("int").into(), ValueError("2").into()])
}

const SIMPLE: &str = "simple eg[ValueError(1), TypeError(int), ValueError(2)]";
const VALUES: &str = "simple eg[ValueError(1), ValueError(2)]";
const TYPES: &str = "simple eg[TypeError(int)]";

fn is_value_or_type_error(error: &Error) -> bool {
    error.is::<ValueError>() || error.is::<TypeError>()
}

/// A callable that is not a function.
struct Predicate(fn(&Error) -> bool);

impl Predicate {
    fn method(&self, error: &Error) -> bool {
        (self.0)(error)
    }
}

mod test_exception_group_type_hierarchy {
    use super::*;

    /// A group is an error, and the same type whatever is in it (EG-2).
    ///
    /// Stands in: the standard library's trait and `homing::Error` for Exception and BaseException.
    #[test]
    fn test_exception_group_types() {
        fn is_an_error<E: std::error::Error + Into<Error>>() {}
        is_an_error::<ExceptionGroup>();
        assert!(Error::from(create_simple_eg()).is::<ExceptionGroup>());
    }
}

mod bad_constructor_args {
    use super::*;

    /// A group of no errors is refused (EG-1).
    ///
    /// Stands in: nothing for what is no sequence, which does not compile.
    #[test]
    fn test_bad_EG_construction__bad_excs_sequence() {
        let refused = ExceptionGroup::new("eg", []).unwrap_err();
        assert_eq!(refused.to_string(), "a group of errors needs at least one");
    }
}

mod instance_creation {
    use super::*;

    fn ordinary() -> [Error; 2] {
        [ValueError("1").into(), TypeError("2").into()]
    }

    /// What only a BaseException is in Python.
    fn with_base() -> [Error; 2] {
        [ValueError("1").into(), Cancelled::new().into()]
    }

    fn types(group: &ExceptionGroup) -> Vec<&'static str> {
        group.errors().iter().map(type_of).collect()
    }

    /// A group of ordinary errors is a group with these members, in this order (EG-1, EG-2).
    #[test]
    fn test_EG_wraps_Exceptions__creates_EG() {
        let eg = group("eg", ordinary());
        assert_eq!(types(&eg), ["ValueError", "TypeError"]);
        assert!(Error::from(eg).is::<ExceptionGroup>());
    }

    /// There is no other constructor that would have to specialise (EG-2).
    ///
    /// Stands in: a group derived from one with another kind of member for the BaseExceptionGroup.
    #[test]
    fn test_BEG_wraps_Exceptions__creates_EG() {
        let beg = group("beg", with_base()).derive(ordinary()).expect("it has members");
        assert_eq!(types(&beg), ["ValueError", "TypeError"]);
        assert!(Error::from(beg).is::<ExceptionGroup>());
    }

    /// A group takes any error, also one that is not ordinary in Python (EG-2).
    ///
    /// Stands in: a Cancelled, which is accepted, for a KeyboardInterrupt, which is a TypeError there.
    #[test]
    fn test_EG_wraps_BaseException__raises_TypeError() {
        let eg = ExceptionGroup::new("eg", with_base());
        assert_eq!(types(&eg.expect("it has members")), ["ValueError", "CancelledError"]);
    }

    /// And is then no other type than before; nor is it itself a cancellation (EG-2).
    ///
    /// Stands in: a Cancelled for a KeyboardInterrupt, ExceptionGroup for BaseExceptionGroup.
    #[test]
    fn test_BEG_wraps_BaseException__creates_BEG() {
        let beg = Error::from(group("beg", with_base()));
        assert!(beg.is::<ExceptionGroup>());
        assert!(!beg.is_cancelled());
    }
}

mod str_and_repr_tests {
    use super::*;

    /// One line counts the direct members, the debug form shows the tree (EG-3).
    ///
    /// Stands in: a drawn tree for the constructor's call.
    #[test]
    fn test_ExceptionGroup() {
        let flat = group("flat", [ValueError("1").into(), TypeError("2").into()]);
        assert_eq!(flat.to_string(), "flat (2 sub-exceptions)");
        assert_eq!(
            format!("{flat:?}"),
            "flat (2 sub-exceptions)\n\
             ├─ ValueError(1)\n\
             └─ TypeError(2)"
        );
        let members = [flat.clone().into(), ValueError("1").into(), flat.into(), TypeError("2").into()];
        let nested = group("nested", members);
        assert_eq!(nested.to_string(), "nested (4 sub-exceptions)");
        assert_eq!(
            format!("{nested:?}"),
            "nested (4 sub-exceptions)\n\
             ├─ flat (2 sub-exceptions)\n\
             │  ├─ ValueError(1)\n\
             │  └─ TypeError(2)\n\
             ├─ ValueError(1)\n\
             ├─ flat (2 sub-exceptions)\n\
             │  ├─ ValueError(1)\n\
             │  └─ TypeError(2)\n\
             └─ TypeError(2)"
        );
    }

    /// The same with a member that is not ordinary in Python (EG-3).
    ///
    /// Stands in: a Cancelled for a KeyboardInterrupt, a drawn tree for the constructor's call.
    #[test]
    fn test_BaseExceptionGroup() {
        let flat = group("flat", [ValueError("1").into(), Cancelled::new().into()]);
        assert_eq!(flat.to_string(), "flat (2 sub-exceptions)");
        assert_eq!(
            format!("{flat:?}"),
            "flat (2 sub-exceptions)\n\
             ├─ ValueError(1)\n\
             └─ cancelled"
        );
        let nested = group("nested", [flat.clone().into(), ValueError("1").into(), flat.into()]);
        assert_eq!(nested.to_string(), "nested (3 sub-exceptions)");
        assert_eq!(
            format!("{nested:?}"),
            "nested (3 sub-exceptions)\n\
             ├─ flat (2 sub-exceptions)\n\
             │  ├─ ValueError(1)\n\
             │  └─ cancelled\n\
             ├─ ValueError(1)\n\
             └─ flat (2 sub-exceptions)\n\
             \x20  ├─ ValueError(1)\n\
             \x20  └─ cancelled"
        );
    }
}

mod exception_group_fields {
    use super::*;

    /// A group has its message and its members, each with its own cause or none (EG-1).
    ///
    /// Stands in: sources; there are no implicit contexts, and no line numbers.
    #[test]
    fn test_basics_ExceptionGroup_fields() {
        let caused = ValueErrorFrom(MemoryError("the cause of ValueError(1)"));
        let eg = group("simple eg", [caused.into(), TypeError("int").into(), ValueError("2").into()]);
        assert_eq!(eg.message(), "simple eg");
        assert!(eg.as_error().source().is_none());
        let [first, second, third] = eg.errors() else { panic!("three members: {eg:?}") };
        assert!(first.is::<ValueErrorFrom>());
        assert!(first.source().is_some_and(|source| source.is::<MemoryError>()));
        assert!(second.is::<TypeError>() && second.source().is_none());
        assert!(third.is::<ValueError>() && third.source().is_none());
    }
}

mod exception_group_subgroup_tests {
    use super::*;

    fn assert_is_itself(eg: &ExceptionGroup, part: Option<ExceptionGroup>) {
        assert!(part.is_some_and(|part| part.as_error().ptr_eq(eg.as_error())));
    }

    /// If everything matches, the part is the group itself (EG-4, EG-6).
    ///
    /// Stands in: a condition that is always true for Exception and BaseException.
    #[test]
    fn test_basics_subgroup_by_type__passthrough() {
        let eg = create_simple_eg();
        assert_is_itself(&eg, eg.subgroup(|_| true));
        assert_is_itself(&eg, eg.subgroup(Error::is::<ExceptionGroup>));
    }

    /// If nothing matches, there is no part (EG-4).
    #[test]
    fn test_basics_subgroup_by_type__no_match() {
        assert!(create_simple_eg().subgroup(Error::is::<OSError>).is_none());
    }

    /// The part has the leaves of the type, or of one of several, and the group's message (EG-4, EG-6).
    #[test]
    fn test_basics_subgroup_by_type__match() {
        let eg = create_simple_eg();
        assert_eq!(shape_of(eg.subgroup(Error::is::<ValueError>).as_ref()).as_deref(), Some(VALUES));
        assert_eq!(shape_of(eg.subgroup(Error::is::<TypeError>).as_ref()).as_deref(), Some(TYPES));
        assert_eq!(shape_of(eg.subgroup(is_value_or_type_error).as_ref()).as_deref(), Some(SIMPLE));
    }

    /// The same as by type, by a condition that is a closure, an object or a method (EG-4).
    #[test]
    fn test_basics_subgroup_by_predicate__passthrough() {
        let eg = create_simple_eg();
        let object = Predicate(|_| true);
        assert_is_itself(&eg, eg.subgroup(|_| true));
        assert_is_itself(&eg, eg.subgroup(object.0));
        assert_is_itself(&eg, eg.subgroup(|error| object.method(error)));
    }

    /// The same if nothing matches (EG-4).
    #[test]
    fn test_basics_subgroup_by_predicate__no_match() {
        let eg = create_simple_eg();
        let object = Predicate(|_| false);
        assert!(eg.subgroup(|_| false).is_none());
        assert!(eg.subgroup(object.0).is_none());
        assert!(eg.subgroup(|error| object.method(error)).is_none());
    }

    /// The same if some leaves match (EG-4).
    #[test]
    fn test_basics_subgroup_by_predicate__match() {
        let eg = create_simple_eg();
        for (matches, expected) in [
            (Error::is::<ValueError> as fn(&Error) -> bool, VALUES),
            (Error::is::<TypeError>, TYPES),
            (is_value_or_type_error, SIMPLE),
        ] {
            let object = Predicate(matches);
            for part in
                [eg.subgroup(matches), eg.subgroup(object.0), eg.subgroup(|error| object.method(error))]
            {
                assert_eq!(shape_of(part.as_ref()).as_deref(), Some(expected));
            }
        }
    }
}

mod exception_group_split_tests {
    use super::*;

    /// The two parts of a group.
    fn split(matches: impl FnMut(&Error) -> bool) -> (Option<String>, Option<String>) {
        let (matching, rest) = create_simple_eg().split(matches);
        (shape_of(matching.as_ref()), shape_of(rest.as_ref()))
    }

    fn parts(matching: Option<&str>, rest: Option<&str>) -> (Option<String>, Option<String>) {
        (matching.map(str::to_owned), rest.map(str::to_owned))
    }

    /// If everything matches, nothing is left (EG-5).
    ///
    /// Stands in: a condition that is always true for Exception and BaseException.
    #[test]
    fn test_basics_split_by_type__passthrough() {
        assert_eq!(split(|_| true), parts(Some(SIMPLE), None));
        assert_eq!(split(Error::is::<ExceptionGroup>), parts(Some(SIMPLE), None));
    }

    /// If nothing matches, everything is left (EG-5).
    #[test]
    fn test_basics_split_by_type__no_match() {
        assert_eq!(split(Error::is::<OSError>), parts(None, Some(SIMPLE)));
        let (matching, rest) = create_simple_eg().split_by::<OSError>();
        assert!(matching.is_none());
        assert_eq!(shape_of(rest.as_ref()).as_deref(), Some(SIMPLE));
    }

    /// Each leaf is in one of the parts, and both have the group's message (EG-5, EG-6).
    #[test]
    fn test_basics_split_by_type__match() {
        assert_eq!(split(Error::is::<ValueError>), parts(Some(VALUES), Some(TYPES)));
        assert_eq!(split(Error::is::<TypeError>), parts(Some(TYPES), Some(VALUES)));
        assert_eq!(split(is_value_or_type_error), parts(Some(SIMPLE), None));
        let os_or_value = |error: &Error| error.is::<OSError>() || error.is::<ValueError>();
        assert_eq!(split(os_or_value), parts(Some(VALUES), Some(TYPES)));
    }

    /// The same as by type, by a condition that is a closure, an object or a method (EG-5).
    #[test]
    fn test_basics_split_by_predicate__passthrough() {
        let object = Predicate(|_| true);
        for parted in [split(|_| true), split(object.0), split(|error| object.method(error))] {
            assert_eq!(parted, parts(Some(SIMPLE), None));
        }
    }

    /// The same if nothing matches (EG-5).
    #[test]
    fn test_basics_split_by_predicate__no_match() {
        let object = Predicate(|_| false);
        for parted in [split(|_| false), split(object.0), split(|error| object.method(error))] {
            assert_eq!(parted, parts(None, Some(SIMPLE)));
        }
    }

    /// The same if some leaves match (EG-5).
    #[test]
    fn test_basics_split_by_predicate__match() {
        for (matches, matching, rest) in [
            (Error::is::<ValueError> as fn(&Error) -> bool, VALUES, Some(TYPES)),
            (Error::is::<TypeError>, TYPES, Some(VALUES)),
            (is_value_or_type_error, SIMPLE, None),
        ] {
            let object = Predicate(matches);
            let parted = [split(matches), split(object.0), split(|error| object.method(error))];
            for parted in parted {
                assert_eq!(parted, parts(Some(matching), rest));
            }
        }
    }
}

mod deep_recursion_in_split_and_subgroup {
    use super::*;

    const DEPTH: usize = 200_000;

    fn make_deep_eg() -> ExceptionGroup {
        let innermost = group("eg", [TypeError("1").into()]);
        (0..DEPTH).fold(innermost, |inside, _| group("eg", [inside.into()]))
    }

    /// Splitting a group of any depth neither fails nor overflows the stack, and nor does dropping its parts (EG-11).
    ///
    /// Stands in: the answer for a RecursionError.
    #[test]
    fn test_deep_split() {
        let deep = make_deep_eg();
        let (matching, rest) = deep.split(Error::is::<TypeError>);
        assert!(rest.is_none());
        let matching = matching.expect("it matches");
        assert!(matching.as_error().ptr_eq(deep.as_error()));
        let (matching, rest) = deep.split_by::<ValueError>();
        assert!(matching.is_none());
        assert_eq!(rest.map(|rest| rest.leaf_count()), Some(1));
    }

    /// The same for a subgroup (EG-11).
    ///
    /// Stands in: the answer for a RecursionError.
    #[test]
    fn test_deep_subgroup() {
        let deep = make_deep_eg();
        assert_eq!(deep.subgroup(Error::is::<TypeError>).map(|part| part.leaf_count()), Some(1));
        assert!(deep.subgroup(Error::is::<ValueError>).is_none());
    }
}

mod leaf_generator_test {
    use super::*;

    /// The leaves are the members that are no groups, in order, and each of them itself (EG-10).
    ///
    /// Stands in: the leaves alone; there are no tracebacks along the way.
    #[test]
    fn test_leaf_generator() {
        let eg = create_simple_eg();
        let leaves: Vec<&Error> = eg.leaves().collect();
        assert_eq!(leaves.len(), eg.len());
        assert!(leaves.iter().zip(eg.errors()).all(|(leaf, member)| leaf.ptr_eq(member)));
    }
}

fn create_nested_eg() -> ExceptionGroup {
    let cause = TypeError("bytes");
    let nested = group("nested", [cause.into()]).with_source(cause);
    let caused = ValueErrorFrom(MemoryError("out of memory"));
    group("root", [nested.into(), caused.into()])
}

mod nested_exception_group_basics_test {
    use super::*;

    /// A group in a group stays one (EG-1).
    #[test]
    fn test_nested_group_matches_template() {
        let eg = create_nested_eg();
        assert_eq!(shape(eg.as_error()), "root[nested[TypeError(bytes)], ValueError(1)]");
    }

    /// Members of a group, groups as well as leaves, keep their causes (EG-1).
    ///
    /// Stands in: a source for the context of the nested group.
    #[test]
    fn test_nested_group_chaining() {
        let eg = create_nested_eg();
        assert!(eg.errors()[1].source().is_some_and(|source| source.is::<MemoryError>()));
        assert!(eg.errors()[0].source().is_some_and(|source| source.is::<TypeError>()));
    }
}

/// Splits a group, and checks what holds for the parts of every group.
fn split_exception_group(
    eg: &ExceptionGroup,
    matches: fn(&Error) -> bool,
) -> (Option<ExceptionGroup>, Option<ExceptionGroup>) {
    let (matching, rest) = eg.split(matches);
    let subgroup = eg.subgroup(matches);
    let leaves = |part: &Option<ExceptionGroup>| -> Vec<Error> {
        part.iter().flat_map(ExceptionGroup::leaves).cloned().collect()
    };
    let same = |one: &[Error], other: &[Error]| {
        one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.ptr_eq(other))
    };
    assert!(same(&leaves(&matching), &leaves(&subgroup)), "match and subgroup have the same leaves");

    let (of_match, of_rest) = (leaves(&matching), leaves(&rest));
    assert_eq!(eg.leaf_count(), of_match.len() + of_rest.len());
    for leaf in eg.leaves() {
        let is_in = |part: &[Error]| part.iter().any(|error| error.ptr_eq(leaf));
        assert_ne!(is_in(&of_match), is_in(&of_rest), "{leaf} is in exactly one of the parts");
    }
    for part in [&matching, &rest, &subgroup].into_iter().flatten() {
        assert_eq!(part.message(), eg.message());
        assert_eq!(part.notes().collect::<Vec<_>>(), eg.notes().collect::<Vec<_>>());
        let source = |group: &ExceptionGroup| group.as_error().source().map(ToString::to_string);
        assert_eq!(source(part), source(eg));
    }
    (matching, rest)
}

#[track_caller]
fn assert_parts(
    (matching, rest): (Option<ExceptionGroup>, Option<ExceptionGroup>),
    expected_matching: Option<&str>,
    expected_rest: Option<&str>,
) {
    assert_eq!(shape_of(matching.as_ref()).as_deref(), expected_matching);
    assert_eq!(shape_of(rest.as_ref()).as_deref(), expected_rest);
}

mod nested_exception_group_split_test {
    use super::*;

    /// What a subclass of ExceptionGroup is here: a payload.
    struct MyExceptionGroup;

    fn is_my_exception_group(error: &Error) -> bool {
        error.as_group().is_some_and(|group| group.payload_ref::<MyExceptionGroup>().is_some())
    }

    fn nested_group() -> ExceptionGroup {
        let level1 = |first, last| {
            group("msg1", [ValueError(first).into(), TypeError("int").into(), ValueError(last).into()])
        };
        let members = [level1("6", "7").into(), level1("7", "8").into(), ValueError("8").into()];
        let level2 = group("msg2", members).with_payload(MyExceptionGroup);
        group("msg3", [level2.into(), ValueError("7").into()])
            .with_source(OSError("the cause"))
            .with_note("the note")
    }

    /// A nested group is split leaf by leaf; what is a group itself is asked first, and taken whole (EG-5, EG-6, EG-8).
    ///
    /// Stands in: a group with a payload for a subclass.
    #[test]
    fn test_split_by_type() {
        let all = "msg3[msg2[msg1[ValueError(6), TypeError(int), ValueError(7)], \
                   msg1[ValueError(7), TypeError(int), ValueError(8)], ValueError(8)], ValueError(7)]";
        let values = "msg3[msg2[msg1[ValueError(6), ValueError(7)], msg1[ValueError(7), ValueError(8)], \
                      ValueError(8)], ValueError(7)]";
        let types = "msg3[msg2[msg1[TypeError(int)], msg1[TypeError(int)]]]";
        let eg = nested_group();
        assert_eq!(shape(eg.as_error()), all);

        assert_parts(split_exception_group(&eg, Error::is::<SyntaxError>), None, Some(all));
        assert_parts(split_exception_group(&eg, |_| true), Some(all), None);
        assert_parts(split_exception_group(&eg, is_value_or_type_error), Some(all), None);
        assert_parts(split_exception_group(&eg, Error::is::<ValueError>), Some(values), Some(types));
        let types_or_syntax = |error: &Error| error.is::<TypeError>() || error.is::<SyntaxError>();
        assert_parts(split_exception_group(&eg, types_or_syntax), Some(types), Some(values));

        let (matching, rest) = eg.split_by::<ExceptionGroup>();
        assert!(matching.is_some_and(|matching| matching.as_error().ptr_eq(eg.as_error())));
        assert!(rest.is_none());

        let (mine, rest) = eg.split(is_my_exception_group);
        let whole = "msg3[msg2[msg1[ValueError(6), TypeError(int), ValueError(7)], \
                     msg1[ValueError(7), TypeError(int), ValueError(8)], ValueError(8)]]";
        assert_parts((mine, rest), Some(whole), Some("msg3[ValueError(7)]"));
    }

    /// The same with a member that is not ordinary in Python (EG-5).
    ///
    /// Stands in: a Cancelled for a KeyboardInterrupt.
    #[test]
    fn test_split_BaseExceptionGroup() {
        let both = "beg[ValueError(1), cancelled]";
        let beg = group("beg", [ValueError("1").into(), Cancelled::new().into()]);
        assert_parts(split_exception_group(&beg, Error::is::<TypeError>), None, Some(both));
        let value_or_cancelled = |error: &Error| error.is::<ValueError>() || error.is::<Cancelled>();
        assert_parts(split_exception_group(&beg, value_or_cancelled), Some(both), None);
        let (value, cancelled) = ("beg[ValueError(1)]", "beg[cancelled]");
        assert_parts(split_exception_group(&beg, Error::is::<ValueError>), Some(value), Some(cancelled));
        assert_parts(split_exception_group(&beg, Error::is::<Cancelled>), Some(cancelled), Some(value));
    }

    /// Both parts have the group's notes, and each a list of its own from then on (EG-8).
    #[test]
    fn test_split_copies_notes() {
        let notes = |group: &ExceptionGroup| group.notes().map(str::to_owned).collect::<Vec<_>>();
        let eg = group("eg", [ValueError("1").into(), TypeError("2").into()]);
        let eg = eg.with_note("note1").with_note("note2");
        let (matching, rest) = eg.split_by::<TypeError>();
        let (matching, rest) = (matching.expect("one matches"), rest.expect("one does not"));
        for part in [&eg, &matching, &rest] {
            assert_eq!(notes(part), ["note1", "note2"]);
        }
        let (eg, matching, rest) = (eg.with_note("eg"), matching.with_note("match"), rest.with_note("rest"));
        assert_eq!(notes(&eg), ["note1", "note2", "eg"]);
        assert_eq!(notes(&matching), ["note1", "note2", "match"]);
        assert_eq!(notes(&rest), ["note1", "note2", "rest"]);
    }
}

mod nested_exception_group_subclass_split_test {
    use super::*;

    /// What a subclass of ExceptionGroup that has a code, and derives groups with the same, is here: a payload.
    struct Code(i32);

    #[track_caller]
    fn code(error: &Error) -> i32 {
        let group = error.as_group().expect("a group");
        group.payload_ref::<Code>().expect("it has a code").0
    }

    /// Both parts carry, at every level, what the group there carried (EG-8, EG-9).
    ///
    /// Stands in: a payload for the fields of a subclass with `derive`.
    #[test]
    fn test_split_ExceptionGroup_subclass_derive_and_new_overrides() {
        let nested = group("nested", [TypeError("2").into()]).with_payload(Code(101));
        let eg = group("eg", [ValueError("1").into(), nested.into()]).with_payload(Code(42));
        let all = "eg[ValueError(1), nested[TypeError(2)]]";
        let (value, types) = ("eg[ValueError(1)]", "eg[nested[TypeError(2)]]");
        assert_eq!(shape(eg.as_error()), all);

        let (matching, rest) = split_exception_group(&eg, Error::is::<OSError>);
        assert_parts((matching, rest.clone()), None, Some(all));
        let rest = rest.expect("all is left");
        assert_eq!((code(rest.as_error()), code(&rest.errors()[1])), (42, 101));

        let (matching, rest) = split_exception_group(&eg, is_value_or_type_error);
        assert_parts((matching.clone(), rest), Some(all), None);
        let matching = matching.expect("all matches");
        assert_eq!((code(matching.as_error()), code(&matching.errors()[1])), (42, 101));

        let parted = split_exception_group(&eg, Error::is::<ValueError>);
        assert_parts(parted.clone(), Some(value), Some(types));
        let (matching, rest) = (parted.0.expect("one matches"), parted.1.expect("one does not"));
        assert_eq!(code(matching.as_error()), 42);
        assert_eq!((code(rest.as_error()), code(&rest.errors()[0])), (42, 101));

        let parted = split_exception_group(&eg, Error::is::<TypeError>);
        assert_parts(parted.clone(), Some(types), Some(value));
        let (matching, rest) = (parted.0.expect("one matches"), parted.1.expect("one does not"));
        assert_eq!((code(matching.as_error()), code(&matching.errors()[0])), (42, 101));
        assert_eq!(code(rest.as_error()), 42);
    }
}
