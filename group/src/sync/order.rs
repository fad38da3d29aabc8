//! Orders: which of the items in a queue comes out next.

use std::collections::{BinaryHeap, VecDeque};
use std::fmt;

/// Keeps the items of a queue, and says which is next.
pub trait Order: Default + sealed::Sealed {
    /// What is in it.
    type Item;

    /// The name of the queue that keeps this order, for its debug form.
    #[doc(hidden)]
    const QUEUE: &'static str;

    #[doc(hidden)]
    fn push(&mut self, item: Self::Item);

    #[doc(hidden)]
    fn pop(&mut self) -> Option<Self::Item>;

    #[doc(hidden)]
    fn count(&self) -> usize;
}

mod sealed {
    pub trait Sealed {}
}

/// First in, first out.
pub struct Fifo<T>(VecDeque<T>);

/// Last in, first out.
pub struct Lifo<T>(Vec<T>);

/// The smallest first; among equals the first in.
pub struct Smallest<T> {
    heap: BinaryHeap<Ranked<T>>,
    arrived: u64,
}

/// An item as the heap sees it, which has the greatest on top.
struct Ranked<T> {
    item: T,
    arrival: u64,
}

impl<T> Order for Fifo<T> {
    type Item = T;
    const QUEUE: &'static str = "Queue";

    fn push(&mut self, item: T) {
        self.0.push_back(item);
    }

    fn pop(&mut self) -> Option<T> {
        self.0.pop_front()
    }

    fn count(&self) -> usize {
        self.0.len()
    }
}

impl<T> Order for Lifo<T> {
    type Item = T;
    const QUEUE: &'static str = "LifoQueue";

    fn push(&mut self, item: T) {
        self.0.push(item);
    }

    fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    fn count(&self) -> usize {
        self.0.len()
    }
}

impl<T: Ord> Order for Smallest<T> {
    type Item = T;
    const QUEUE: &'static str = "PriorityQueue";

    fn push(&mut self, item: T) {
        self.arrived += 1;
        self.heap.push(Ranked { item, arrival: self.arrived });
    }

    fn pop(&mut self) -> Option<T> {
        self.heap.pop().map(|ranked| ranked.item)
    }

    fn count(&self) -> usize {
        self.heap.len()
    }
}

impl<T: Ord> Ord for Ranked<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.item.cmp(&self.item).then(other.arrival.cmp(&self.arrival))
    }
}

impl<T: Ord> PartialOrd for Ranked<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Ord> PartialEq for Ranked<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T: Ord> Eq for Ranked<T> {}

impl<T> sealed::Sealed for Fifo<T> {}

impl<T> sealed::Sealed for Lifo<T> {}

impl<T> sealed::Sealed for Smallest<T> {}

impl<T> Default for Fifo<T> {
    fn default() -> Self {
        Fifo(VecDeque::new())
    }
}

impl<T> Default for Lifo<T> {
    fn default() -> Self {
        Lifo(Vec::new())
    }
}

impl<T: Ord> Default for Smallest<T> {
    fn default() -> Self {
        Smallest { heap: BinaryHeap::new(), arrived: 0 }
    }
}

impl<T> fmt::Debug for Fifo<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fifo({} items)", self.0.len())
    }
}

impl<T> fmt::Debug for Lifo<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lifo({} items)", self.0.len())
    }
}

impl<T> fmt::Debug for Smallest<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Smallest({} items)", self.heap.len())
    }
}
