//! Errors to group, and how to write down the shape of a group.
#![allow(dead_code, reason = "each test file uses a part")]

use homing_executor::error::{Error, ExceptionGroup};
use std::fmt;

macro_rules! errors {
    ($($function:ident => $Type:ident),*) => { $(
        #[derive(Debug, PartialEq, Eq)]
        pub(crate) struct $Type(pub(crate) u32);

        impl fmt::Display for $Type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($Type), self.0)
            }
        }

        impl std::error::Error for $Type {}

        pub(crate) fn $function(number: u32) -> Error {
            Error::from($Type(number))
        }
    )* };
}

errors!(value => ValueError, kind => TypeError, os => OsError, syntax => SyntaxError);

pub(crate) fn group<const N: usize>(message: &'static str, errors: [Error; N]) -> ExceptionGroup {
    ExceptionGroup::new(message, errors).unwrap()
}

/// As `group`, for the use as a member.
pub(crate) fn nested<const N: usize>(message: &'static str, errors: [Error; N]) -> Error {
    group(message, errors).into()
}

/// Writes down messages and nesting: `eg[ValueError(1), inner[TypeError(2)]]`.
pub(crate) fn shape(error: &Error) -> String {
    match error.as_group() {
        None => error.to_string(),
        Some(group) => {
            let members: Vec<String> = group.errors().iter().map(shape).collect();
            format!("{}[{}]", group.message(), members.join(", "))
        }
    }
}

pub(crate) fn shape_of(group: Option<&ExceptionGroup>) -> String {
    group.map_or_else(|| "nothing".to_owned(), |group| shape(group.as_error()))
}

/// `depth` groups around each other, with one leaf on every level: each group is `[ValueError(level), the next group]`.
pub(crate) fn well(depth: u32) -> ExceptionGroup {
    let mut inner = group("level", [value(depth)]);
    for level in (1..depth).rev() {
        inner = group("level", [value(level), inner.into()]);
    }
    inner
}
