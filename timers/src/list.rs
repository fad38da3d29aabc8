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

use crate::entry::{Entry, NIL};

/// A line of entries, each in no other.
///
/// Invariant (linked-both-ways): from `head` along `next` and from `tail` along `prev` one meets the same
/// entries; at the ends is [`NIL`]. An empty list has it for both.
#[derive(Clone, Copy)]
pub(crate) struct List {
    pub(crate) head: u32,
    pub(crate) tail: u32,
}

/// Who stand before and after an entry, or [`NIL`].
#[derive(Clone, Copy)]
pub(crate) struct Neighbours {
    pub(crate) prev: u32,
    pub(crate) next: u32,
}

impl List {
    pub(crate) const EMPTY: List = List { head: NIL, tail: NIL };

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.head == NIL
    }

    /// Puts an entry at the end of the line.
    #[inline]
    pub(crate) fn push_back<T>(&mut self, entries: &mut [Entry<T>], index: u32) {
        let entry = &mut entries[index as usize];
        entry.prev = self.tail;
        entry.next = NIL;
        self.admit(entries, index);
    }

    /// Lets an entry in at the end of the line that has the links already which it needs there.
    #[inline]
    pub(crate) fn admit<T>(&mut self, entries: &mut [Entry<T>], index: u32) {
        if self.tail == NIL {
            self.head = index;
        } else {
            let last = &mut entries[self.tail as usize];
            debug_assert_eq!(last.next, NIL, "linked-both-ways: the tail is the last");
            last.next = index;
        }
        self.tail = index;
    }

    /// Takes an entry of this list out of it.
    #[inline]
    pub(crate) fn unlink<T>(&mut self, entries: &mut [Entry<T>], index: u32) {
        let Entry { prev, next, .. } = entries[index as usize];
        debug_assert!(
            prev != NIL || self.head == index,
            "linked-both-ways: what has none before it is the head"
        );
        debug_assert!(
            next != NIL || self.tail == index,
            "linked-both-ways: what has none after it is the tail"
        );
        self.close_up(entries, Neighbours { prev, next });
    }

    /// Has those stand together who were the neighbours of an entry that has left.
    #[inline]
    pub(crate) fn close_up<T>(&mut self, entries: &mut [Entry<T>], left: Neighbours) {
        let Neighbours { prev, next } = left;
        if prev == NIL {
            self.head = next;
        } else {
            entries[prev as usize].next = next;
        }
        if next == NIL {
            self.tail = prev;
        } else {
            entries[next as usize].prev = prev;
        }
    }

    /// The first of a line that is being broken up, whose next is first from now on.
    ///
    /// The links of both are left as they were: all are to be put into other lines, one after another.
    #[inline]
    pub(crate) fn next<T>(&mut self, entries: &[Entry<T>]) -> Option<u32> {
        let first = self.head;
        if first == NIL {
            return None;
        }
        self.head = entries[first as usize].next;
        // A long line is slow because only the entry tells where the next one is: each waits for memory in
        // turn. So the tail goes to meet the head, and only looks. Memory answers both at once, and from the
        // middle on the head finds everything in the cache: a fifth of all the time that firing takes. What
        // the tail meets after that was put elsewhere already, and its links lead anywhere; no matter.
        if self.tail != NIL {
            self.tail = entries[self.tail as usize].prev;
        }
        Some(first)
    }

    /// The entry with the earliest deadline, the first of its equals; `None` if the list is empty or has
    /// more than `limit` entries, for then it is too long to be looked through.
    pub(crate) fn earliest_of_few<T>(&self, entries: &[Entry<T>], limit: usize) -> Option<u32> {
        let mut earliest = None;
        let mut earliest_deadline = 0;
        let mut index = self.head;
        for _ in 0..limit {
            if index == NIL {
                break;
            }
            let entry = &entries[index as usize];
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
