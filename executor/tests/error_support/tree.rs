//! Trees of errors at random, and what the rules make of them, by plain recursion.

use super::support::{shape, value};
use homing_executor::error::{Error, ExceptionGroup};
use proptest::prelude::*;

#[derive(Clone, Debug)]
pub(crate) enum Tree {
    Leaf(u32),
    Group(Vec<Tree>),
}

pub(crate) fn trees() -> impl Strategy<Value = Tree> {
    let leaf = (0..1000_u32).prop_map(Tree::Leaf);
    leaf.prop_recursive(6, 60, 6, |inner| prop::collection::vec(inner, 1..6).prop_map(Tree::Group))
}

impl Tree {
    pub(crate) fn build(&self) -> Error {
        match self {
            Tree::Leaf(number) => value(*number),
            Tree::Group(members) => ExceptionGroup::new("g", members.iter().map(Tree::build)).unwrap().into(),
        }
    }

    /// What is left of the tree with these leaves, written as `shape_of` does.
    pub(crate) fn shape_if(&self, keep: impl Fn(u32) -> bool) -> String {
        self.only(&keep).map_or_else(|| "nothing".to_owned(), |tree| shape(&tree.build()))
    }

    fn only(&self, keep: &impl Fn(u32) -> bool) -> Option<Tree> {
        match self {
            Tree::Leaf(number) => keep(*number).then(|| self.clone()),
            Tree::Group(members) => {
                let kept: Vec<Tree> = members.iter().filter_map(|member| member.only(keep)).collect();
                (!kept.is_empty()).then_some(Tree::Group(kept))
            }
        }
    }
}
