//! A task's parked leaves that have no place in its row, each found by a number that stays the same.
//!
//! ```text
//!   [ node 0 │ vacant, next 3 │ node 2 │ vacant, no next ]
//!              ▲
//!   free ──────┘
//! ```
//!
//! What the `slab` crate does, but in memory whose layout can be told to another process; and a node that says nothing any more
//! is taken over, lest a task that begins a thousand awaits by reference, and keeps them, have one for each. It is that of a
//! leaf which is polled whenever its task is, but was not in the last poll. So a leaf that comes back to its node says in which
//! poll it made it: if it is of another one, it is another leaf's.

use super::extras::Node;
use crate::outside::published::Published;
use std::cell::{Cell, Ref};
use std::mem::offset_of;

#[derive(Default)]
pub(crate) struct Nodes {
    list: Published<Node>,
    /// The first vacant node's number, and one; 0 for none. Each has the next one's in its operand.
    free: Cell<u32>,
    /// The next one to be looked at, whether it can be taken over.
    hand: Cell<u32>,
}

impl Nodes {
    /// Where the list is, for who reads it from outside.
    pub(super) const LIST: usize = offset_of!(Nodes, list);

    pub(crate) fn insert(&self, node: Node) -> u32 {
        self.insert_with(node.poll, || node)
    }

    /// Puts in a node that is made in this poll of the task.
    // In line, and the node is made when its place is known, so that it is written where it stays, and not moved there.
    #[inline(always)]
    pub(crate) fn insert_with(&self, poll: u32, node: impl FnOnce() -> Node) -> u32 {
        if self.free.get() == 0 {
            self.make_room(poll);
        }
        let number = self.free.get() - 1;
        let place = &mut self.list.borrow_items()[number as usize];
        debug_assert!(place.is_vacant());
        self.free.set(place.wait.operand as u32);
        // There is nothing in a vacant one that would have to be dropped.
        std::mem::forget(std::mem::replace(place, node()));
        number
    }

    /// Sees to it that one is vacant, where none is.
    #[inline(never)]
    fn make_room(&self, poll: u32) {
        let number = match self.left_behind(poll) {
            Some(number) => {
                let _says_nothing =
                    std::mem::replace(&mut self.list.borrow_items()[number as usize], Node::vacant(0));
                number
            }
            None => {
                let mut list = self.list.borrow_mut();
                list.push(Node::vacant(0));
                list.len() as u32 - 1
            }
        };
        self.free.set(number + 1);
    }

    /// A node that can be taken over in this poll of the task. One is looked at each time: that takes no time, and keeps the
    /// list from growing as soon as a good part of it says nothing.
    fn left_behind(&self, poll: u32) -> Option<u32> {
        let list = self.list.borrow();
        let number = Some(self.hand.get()).filter(|&hand| (hand as usize) < list.len()).unwrap_or(0);
        self.hand.set(number + 1);
        let node = list.get(number as usize)?;
        (node.is_plainly_own() && node.poll != poll).then_some(number)
    }

    /// Puts another node in the place of the one that was made in that poll, and returns that; if it has been taken over,
    /// returns the other one.
    pub(crate) fn replace(&self, number: u32, poll: u32, node: Node) -> Result<Node, Node> {
        match self.list.borrow_items().get_mut(number as usize).filter(|before| before.is_of(poll)) {
            Some(before) => Ok(std::mem::replace(before, node)),
            None => Err(node),
        }
    }

    /// Calls `f` with a node, if it is there.
    pub(super) fn with<R>(&self, number: u32, f: impl FnOnce(&mut Node) -> R) -> Option<R> {
        let mut list = self.list.borrow_items();
        list.get_mut(number as usize).filter(|node| !node.is_vacant()).map(f)
    }

    /// Takes out the node that was made in that poll, if it is there.
    pub(crate) fn remove(&self, number: u32, poll: u32) -> Option<Node> {
        let mut list = self.list.borrow_items();
        let node = list.get_mut(number as usize).filter(|node| node.is_of(poll))?;
        let removed = std::mem::replace(node, Node::vacant(self.free.get()));
        self.free.set(number + 1);
        Some(removed)
    }

    /// The same for one that [has nothing in it](Node::is_spent) which would have to be dropped. Says whether it was that.
    #[inline]
    pub(crate) fn remove_spent(&self, number: u32, poll: u32) -> bool {
        let mut list = self.list.borrow_items();
        let node = list.get_mut(number as usize).filter(|node| node.poll == poll && node.is_spent());
        let Some(node) = node else { return false };
        node.vacate(self.free.get());
        self.free.set(number + 1);
        true
    }

    /// Whether the node that was made in that poll is there, and like that.
    pub(crate) fn has(&self, number: u32, poll: u32, question: impl FnOnce(&Node) -> bool) -> bool {
        self.borrow().get(number as usize).is_some_and(|node| node.is_of(poll) && question(node))
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
    use std::task::Waker;

    fn node(operand: u64) -> Node {
        made_in(0, operand)
    }

    fn made_in(poll: u32, operand: u64) -> Node {
        let wait = Wait { kind: AwaitKind::Other, scope: 0, operand, place: None };
        Node::new(wait, poll, NodeKind::Own, None)
    }

    fn operands(nodes: &Nodes) -> Vec<u64> {
        let mut operands = Vec::new();
        nodes.for_each(|node| operands.push(node.wait.operand));
        operands
    }

    #[test]
    fn a_number_is_used_again_after_its_node_was_taken_out_and_not_before() {
        let nodes = Nodes::default();
        let [a, b, c] = [1, 2, 3].map(|operand| nodes.insert(node(operand)));
        assert_eq!(nodes.remove(b, 0).map(|node| node.wait.operand), Some(2));
        assert!(nodes.remove(b, 0).is_none());
        assert_eq!(nodes.remove(a, 0).map(|node| node.wait.operand), Some(1));
        assert_eq!([4, 5, 6].map(|operand| nodes.insert(node(operand))), [a, b, c + 1]);
        assert_eq!(nodes.replace(c, 0, node(7)).map(|node| node.wait.operand).ok(), Some(3));
        assert_eq!(operands(&nodes), [4, 5, 7, 6]);
    }

    #[test]
    fn a_node_that_has_given_its_waker_away_is_taken_out_without_a_look_at_the_rest_and_no_other_is() {
        let nodes = Nodes::default();
        let linked = |waker| Node::new(node(1).wait, 1, NodeKind::LinkedForwarding(waker), None);
        let (waits, woken) = (nodes.insert(linked(Some(Waker::noop().clone()))), nodes.insert(linked(None)));
        let own = nodes.insert(made_in(1, 2));
        for (number, poll) in [(waits, 1), (own, 1), (woken, 2), (own + 1, 1), (u32::MAX - 1, 1)] {
            assert!(!nodes.remove_spent(number, poll));
        }
        assert!(nodes.remove_spent(woken, 1));
        assert!(!nodes.remove_spent(woken, 1));
        assert_eq!(operands(&nodes), [1, 2]);
        assert_eq!([3, 4].map(|operand| nodes.insert(made_in(1, operand))), [woken, own + 1]);
    }

    #[test]
    fn a_node_of_another_poll_is_taken_over_and_its_leaf_does_not_take_it_for_its_own() {
        let nodes = Nodes::default();
        let mut numbers: Vec<u32> = (1..100).map(|poll| nodes.insert(made_in(poll, poll.into()))).collect();
        numbers.sort();
        numbers.dedup();
        assert!(numbers.len() < 4, "{numbers:?}");
        assert!(operands(&nodes).contains(&99));
        for number in numbers {
            assert!(!nodes.has(number, 1, |_| true));
            assert!(nodes.replace(number, 1, made_in(100, 0)).is_err());
            assert!(nodes.remove(number, 1).is_none());
        }
        assert!(operands(&nodes).contains(&99));
    }

    #[test]
    fn a_node_is_not_taken_over_in_its_own_poll_nor_one_that_a_combinator_polls() {
        let nodes = Nodes::default();
        let linked = NodeKind::Linked(Waker::noop().clone());
        let first = nodes.insert(Node::new(made_in(1, 1).wait, 1, linked, None));
        let others: Vec<u32> = (0..50).map(|operand| nodes.insert(made_in(2, operand))).collect();
        assert_eq!(operands(&nodes).len(), 51);
        (0..200).for_each(|operand| assert_ne!(nodes.insert(made_in(3, operand)), first));
        assert!(others.iter().any(|&number| !nodes.has(number, 2, |_| true)));
        assert!(nodes.has(first, 1, Node::is_linked));
    }
}
