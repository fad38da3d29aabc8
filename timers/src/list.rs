//! Timers standing in line.
//!
//! First in, first out, which is what lets timers with one deadline fire in the order in which they were
//! armed; linked both ways, so that one can step out of the middle. The links are in the entries
//! themselves: a list is two indices, and joining one allocates nothing.
//! ```text
//! List { head, tail }
//!          │     └───────────────────────┐
//!          v                             v
//! NIL <─ [ 4 ] <──> [ 9 ] <──> [ 2 ] ─> NIL       joins at the tail, leaves from anywhere
//! ```

use crate::entry::{Entries, NIL};

/// A line of entries, each in no other.
///
/// Invariant (linked-both-ways): from `head` along `next` and from `tail` along `prev` one meets the same
/// entries; at the ends is [`NIL`]. An empty list has it for both.
#[derive(Clone, Copy)]
pub(crate) struct List {
    pub(crate) head: u32,
    pub(crate) tail: u32,
}

impl List {
    pub(crate) const EMPTY: List = List { head: NIL, tail: NIL };

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.head == NIL
    }

    /// Puts an entry at the end of the line.
    #[inline]
    pub(crate) fn push_back<T>(&mut self, entries: &mut Entries<T>, index: u32) {
        let entry = &mut entries[index];
        entry.prev = self.tail;
        entry.next = NIL;
        if self.tail == NIL {
            self.head = index;
        } else {
            debug_assert_eq!(entries[self.tail].next, NIL, "linked-both-ways: the tail is the last");
            entries[self.tail].next = index;
        }
        self.tail = index;
    }

    /// Takes an entry of this list out of it.
    #[inline]
    pub(crate) fn unlink<T>(&mut self, entries: &mut Entries<T>, index: u32) {
        let (prev, next) = (entries[index].prev, entries[index].next);
        if prev == NIL {
            debug_assert_eq!(self.head, index, "linked-both-ways: what has none before it is the head");
            self.head = next;
        } else {
            entries[prev].next = next;
        }
        if next == NIL {
            debug_assert_eq!(self.tail, index, "linked-both-ways: what has none after it is the tail");
            self.tail = prev;
        } else {
            entries[next].prev = prev;
        }
    }

    /// Takes the first out of the line.
    #[inline]
    pub(crate) fn pop_front<T>(&mut self, entries: &mut Entries<T>) -> Option<u32> {
        let first = self.head;
        if first == NIL {
            return None;
        }
        self.unlink(entries, first);
        Some(first)
    }

    /// The entry with the earliest deadline, the first of its equals; `None` if the list is empty or has
    /// more than `limit` entries, for then it is too long to be looked through.
    pub(crate) fn earliest_of_few<T>(&self, entries: &Entries<T>, limit: usize) -> Option<u32> {
        let mut earliest = None;
        let mut earliest_deadline = 0;
        let mut index = self.head;
        for _ in 0..limit {
            if index == NIL {
                break;
            }
            let entry = &entries[index];
            // Strictly: of equals, the first in line stays.
            if earliest.is_none() || entry.deadline < earliest_deadline {
                earliest = Some(index);
                earliest_deadline = entry.deadline;
            }
            index = entry.next;
        }
        if index == NIL { earliest } else { None }
    }
}
