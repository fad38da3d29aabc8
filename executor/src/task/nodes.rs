//! A task's parked leaves that have no place in its row, each found by a number that stays the same.
//!
//! ```text
//!   [ node 0 │ vacant, next 3 │ node 2 │ vacant, no next ]
//!              ▲
//!   free ──────┘
//! ```
//!
//! What the `slab` crate does, but in memory whose layout can be told to another process.

use super::extras::Node;
use crate::outside::published::Published;
use std::cell::{Cell, Ref};
use std::mem::offset_of;

#[derive(Default)]
pub(crate) struct Nodes {
    list: Published<Node>,
    /// The first vacant node's number, and one; 0 for none. Each has the next one's in its operand.
    free: Cell<u32>,
}

impl Nodes {
    /// Where the list is, for who reads it from outside.
    pub(super) const LIST: usize = offset_of!(Nodes, list);

    pub(crate) fn insert(&self, node: Node) -> u32 {
        match self.free.get().checked_sub(1) {
            Some(number) => {
                let vacant = std::mem::replace(&mut self.list.borrow_items()[number as usize], node);
                debug_assert!(vacant.is_vacant());
                self.free.set(vacant.wait.operand as u32);
                number
            }
            None => {
                let mut list = self.list.borrow_mut();
                list.push(node);
                list.len() as u32 - 1
            }
        }
    }

    /// Puts another node in the place of one that is there, and returns that.
    pub(crate) fn replace(&self, number: u32, node: Node) -> Node {
        std::mem::replace(&mut self.list.borrow_items()[number as usize], node)
    }

    /// Takes a node out, if it is there.
    pub(crate) fn remove(&self, number: u32) -> Option<Node> {
        let mut list = self.list.borrow_items();
        let node = list.get_mut(number as usize).filter(|node| !node.is_vacant())?;
        let removed = std::mem::replace(node, Node::vacant(self.free.get()));
        self.free.set(number + 1);
        Some(removed)
    }

    /// All of them, in no particular order, and between them vacant ones.
    pub(crate) fn borrow(&self) -> Ref<'_, [Node]> {
        self.list.borrow()
    }

    pub(crate) fn for_each(&self, f: impl FnMut(&Node)) {
        self.borrow().iter().filter(|node| !node.is_vacant()).for_each(f);
    }

    pub(crate) fn any(&self, f: impl FnMut(&Node) -> bool) -> bool {
        self.borrow().iter().filter(|node| !node.is_vacant()).any(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::extras::NodeKind;
    use crate::task::row::{AwaitKind, Wait};

    fn node(operand: u64) -> Node {
        let wait = Wait { kind: AwaitKind::Other, scope: 0, operand, place: None };
        Node::new(wait, 0, NodeKind::Own, None)
    }

    #[test]
    fn a_number_is_used_again_after_its_node_was_taken_out_and_not_before() {
        let nodes = Nodes::default();
        let [a, b, c] = [1, 2, 3].map(|operand| nodes.insert(node(operand)));
        assert_eq!(nodes.remove(b).map(|node| node.wait.operand), Some(2));
        assert!(nodes.remove(b).is_none());
        assert_eq!(nodes.remove(a).map(|node| node.wait.operand), Some(1));
        assert_eq!([4, 5, 6].map(|operand| nodes.insert(node(operand))), [a, b, c + 1]);
        assert_eq!(nodes.replace(c, node(7)).wait.operand, 3);
        let mut left = Vec::new();
        nodes.for_each(|node| left.push(node.wait.operand));
        assert_eq!(left, [4, 5, 7, 6]);
    }
}
