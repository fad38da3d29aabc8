//! Taking a group apart: its leaves, and the two halves of a question.
//!
//! A group is a tree of unknown depth, so nothing here calls itself. A walk keeps its place in a stack of its own, one
//! entry for each group between the root and where it stands:
//!
//! ```text
//!   morning                      split(|e| e is about ink)
//!   ├─ overslept                 ┌────────────┴─────────────┐
//!   └─ orders          morning                     morning
//!      ├─ no ink       └─ orders                   ├─ overslept
//!      └─ no paper        └─ no ink                └─ orders
//!                                                     └─ no paper
//! ```

use super::{Error, ExceptionGroup};
use std::slice;

/// The leaves of a group, depth first and in order; see [`ExceptionGroup::leaves`].
#[derive(Clone, Debug)]
pub struct Leaves<'a> {
    /// What is left of each group on the way down to the next leaf, outermost first.
    groups: Vec<slice::Iter<'a, Error>>,
}

impl<'a> Iterator for Leaves<'a> {
    type Item = &'a Error;

    fn next(&mut self) -> Option<&'a Error> {
        loop {
            match self.groups.last_mut()?.next() {
                None => drop(self.groups.pop()),
                Some(error) => match error.as_group() {
                    Some(group) => self.groups.push(group.errors().iter()),
                    None => return Some(error),
                },
            }
        }
    }
}

/// What a condition made of a group: the part that matches and the part that does not. At least one is there.
type Parts = (Option<ExceptionGroup>, Option<ExceptionGroup>);

impl ExceptionGroup {
    /// The errors that are no groups, depth first and in order (EG-10).
    pub fn leaves(&self) -> Leaves<'_> {
        Leaves { groups: vec![self.errors().iter()] }
    }

    /// The number of leaves.
    pub fn leaf_count(&self) -> usize {
        self.leaves().count()
    }

    /// The part of the group for which `matches` is true, in the same nesting; `None` if there is none (EG-4).
    /// For the details see [`split`](ExceptionGroup::split).
    ///
    /// # asyncio
    /// `ExceptionGroup.subgroup`.
    pub fn subgroup(&self, matches: impl FnMut(&Error) -> bool) -> Option<ExceptionGroup> {
        self.split(matches).0
    }

    /// The part for which `matches` is true, and the rest: every leaf is in exactly one of the two (EG-5).
    ///
    /// Precisely: each group is asked about before its members are, the whole group first of all, and one that matches is
    /// taken whole, its members unasked (EG-6). Both parts keep the order and the nesting, and at every level the
    /// message, the payload, the source and the story (EG-8). An inner group of which nothing is left in a part is left
    /// out of it; one of which a single member is left stays a group (EG-7). A group that is in one part with all its
    /// members is not copied: it is the same one (EG-4).
    ///
    /// # asyncio
    /// `ExceptionGroup.split` with a predicate.
    ///
    /// ```
    /// use homing::{Error, ExceptionGroup};
    ///
    /// let orders = ExceptionGroup::new("orders", [Error::msg("no ink"), Error::msg("no paper")])?;
    /// let group = ExceptionGroup::new("morning", [Error::msg("overslept"), orders.into()])?;
    /// let (ink, rest) = group.split(|error| error.to_string().contains("ink"));
    ///
    /// assert_eq!(format!("{:#}", ink.unwrap()), "\
    /// morning (1 sub-exception)
    /// └─ orders (1 sub-exception)
    ///    └─ no ink");
    /// assert_eq!(rest.unwrap().leaf_count(), 2);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn split(&self, mut matches: impl FnMut(&Error) -> bool) -> Parts {
        if matches(self.as_error()) {
            return (Some(self.clone()), None);
        }
        let mut outer: Vec<Halves<'_>> = Vec::new();
        let mut here = Halves::of(self);
        loop {
            if let Some(error) = here.unasked.next() {
                if matches(error) {
                    here.matching.push(error.clone());
                } else if let Some(group) = error.as_group() {
                    outer.push(std::mem::replace(&mut here, Halves::of(group)));
                } else {
                    here.rest.push(error.clone());
                }
            } else {
                let (matching, rest) = here.finish();
                let Some(around) = outer.pop() else { return (matching, rest) };
                here = around;
                here.matching.extend(matching.map(ExceptionGroup::into_error));
                here.rest.extend(rest.map(ExceptionGroup::into_error));
            }
        }
    }

    /// The leaves that are an `E`, and the rest: [`split`](ExceptionGroup::split) by [`Error::is`].
    ///
    /// # asyncio
    /// `ExceptionGroup.split(E)`. Rust has no subclasses: for several types, write the condition out (EG-6).
    pub fn split_by<E: 'static>(&self) -> Parts {
        self.split(Error::is::<E>)
    }
}

/// A group in the middle of being split.
struct Halves<'a> {
    group: &'a ExceptionGroup,
    unasked: slice::Iter<'a, Error>,
    matching: Vec<Error>,
    rest: Vec<Error>,
}

impl<'a> Halves<'a> {
    fn of(group: &'a ExceptionGroup) -> Self {
        Halves { group, unasked: group.errors().iter(), matching: Vec::new(), rest: Vec::new() }
    }

    /// Every member was asked. If one half is empty then the other is the group as it was, since by the same argument
    /// each inner group went into it as it was.
    fn finish(self) -> Parts {
        match (self.matching.is_empty(), self.rest.is_empty()) {
            (true, _) => (None, Some(self.group.clone())),
            (_, true) => (Some(self.group.clone()), None),
            (false, false) => (self.group.derive(self.matching).ok(), self.group.derive(self.rest).ok()),
        }
    }
}
