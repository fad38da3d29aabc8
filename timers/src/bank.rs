//! A bank: 64 slots, and the words that say what is in them.
//!
//! The first occupied slot is the number of zeros at the end of a word, which is one instruction. It never
//! has to be looked for from the cursor round to the start: what is before the cursor is past, and empty.
//! ```text
//! occupied  …0 0 1 0 0 1 1 0      bit n: slot n holds something
//! opened    …0 0 1 0 0 0 0 0      bit n: and that is a bank of the next lower level
//!                │     │ └─ slot 1: a list     [4]─[9]
//!                │     └─── slot 2: a list     [7]
//!                └───────── slot 5: opened     a bank, with slots for the next lower digit
//! ```

use std::ops::{Index, IndexMut};

use crate::digits::SLOTS;
use crate::entry::{Entry, NIL};
use crate::list::List;

/// What a slot holds.
pub(crate) enum Slot {
    Empty,
    /// Timers in the order in which they were armed.
    Line(List),
    /// The index of a bank that has the timers sorted one digit finer.
    Opened(u32),
}

/// A slot of a bank in one number, so that the way from a timer to its slot is one step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place(u32);

impl Place {
    /// In no slot: the timer is held back.
    pub(crate) const HELD: Place = Place(u32::MAX);
    /// In no slot: the timer is not filed yet.
    pub(crate) const TRAY: Place = Place(u32::MAX - 1);
    /// Off no slot: the bank is that of a level.
    pub(crate) const LEVEL: Place = Place(u32::MAX);

    #[inline]
    pub(crate) fn new(bank: u32, slot: usize) -> Self {
        Place(bank * SLOTS as u32 + slot as u32)
    }

    #[inline]
    pub(crate) fn bank(self) -> u32 {
        self.0 / SLOTS as u32
    }

    #[inline]
    pub(crate) fn slot(self) -> usize {
        self.0 as usize % SLOTS
    }
}

/// 64 slots, one for each value of the digit at `level`.
///
/// Invariant (occupied-iff-nonempty): a bit of `occupied` is set exactly when the slot has a timer, in its
/// list or in the bank it was opened into; a bit of `opened` only where that of `occupied` is too.
pub(crate) struct Bank {
    occupied: u64,
    opened: u64,
    /// The digit that chooses among the slots.
    pub(crate) level: u32,
    /// The slot that was opened into this bank, or [`Place::LEVEL`].
    pub(crate) parent: Place,
    /// If the bank is spare, the next that is.
    next_spare: u32,
    /// An opened slot keeps the index of its bank in the place of `head`.
    slots: [List; SLOTS],
}

impl Bank {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.occupied == 0
    }

    /// The first slot that has anything, unless there is none.
    #[inline]
    pub(crate) fn first_occupied(&self) -> Option<usize> {
        (self.occupied != 0).then(|| self.occupied.trailing_zeros() as usize)
    }

    #[inline]
    pub(crate) fn slot(&self, slot: usize) -> Slot {
        match self.opened_into(slot) {
            Some(child) => Slot::Opened(child),
            None if self.occupied & bit(slot) != 0 => Slot::Line(self.slots[slot]),
            None => Slot::Empty,
        }
    }

    /// The bank that the slot was opened into, if it was.
    #[inline]
    pub(crate) fn opened_into(&self, slot: usize) -> Option<u32> {
        (self.opened & bit(slot) != 0).then(|| self.slots[slot].head)
    }

    /// Puts a timer at the end of the line in a slot that is not opened.
    #[inline]
    pub(crate) fn push_back<T>(&mut self, slot: usize, entries: &mut [Entry<T>], index: u32) {
        debug_assert!(self.opened & bit(slot) == 0, "an opened slot has no line to stand in");
        self.slots[slot].push_back(entries, index);
        self.occupied |= bit(slot);
    }

    /// Takes a timer out of the line in a slot.
    #[inline]
    pub(crate) fn unlink<T>(&mut self, slot: usize, entries: &mut [Entry<T>], index: u32) {
        debug_assert!(self.occupied & !self.opened & bit(slot) != 0, "occupied-iff-nonempty");
        let line = &mut self.slots[slot];
        if line.head == line.tail {
            debug_assert_eq!(line.head, index, "linked-both-ways: an entry of another line");
            *line = List::EMPTY;
            self.occupied &= !bit(slot);
        } else {
            line.unlink(entries, index);
        }
    }

    /// Leaves the slot empty and gives what was in it.
    pub(crate) fn take(&mut self, slot: usize) -> Slot {
        let taken = self.slot(slot);
        self.slots[slot] = List::EMPTY;
        self.occupied &= !bit(slot);
        self.opened &= !bit(slot);
        taken
    }

    /// Hangs a bank off a slot in place of its line, which is for the bank to take.
    #[inline]
    pub(crate) fn open(&mut self, slot: usize, child: u32) -> List {
        debug_assert!(self.occupied & !self.opened & bit(slot) != 0, "only a slot with a line is opened");
        self.opened |= bit(slot);
        std::mem::replace(&mut self.slots[slot], List { head: child, tail: NIL })
    }
}

#[inline]
fn bit(slot: usize) -> u64 {
    1 << slot
}

/// All banks, those in use and those put by for the next need.
///
/// Not a `Slab`: that moves what is put in and what is taken out, half a kilobyte each way, while a bank
/// given back is empty, which is just as the next one wants it. So it stays where it is and only joins the
/// line of spare ones.
pub(crate) struct Banks {
    banks: Vec<Bank>,
    spare: u32,
}

impl Banks {
    /// As many as leave room for the slot in a [`Place`], whose last numbers are taken.
    const MAX: usize = u32::MAX as usize / SLOTS;

    pub(crate) const fn new() -> Self {
        Banks { banks: Vec::new(), spare: NIL }
    }

    /// An empty bank for that level.
    pub(crate) fn acquire(&mut self, level: usize, parent: Place) -> u32 {
        let level = level as u32;
        let index = self.spare;
        if let Some(bank) = self.banks.get_mut(index as usize) {
            debug_assert!(bank.is_empty(), "a spare bank is empty");
            self.spare = bank.next_spare;
            (bank.level, bank.parent) = (level, parent);
            return index;
        }
        let index = self.banks.len();
        assert!(index < Self::MAX, "more banks than a place can name: 36 gigabytes of them");
        let slots = [List::EMPTY; SLOTS];
        self.banks.push(Bank { occupied: 0, opened: 0, level, parent, next_spare: NIL, slots });
        index as u32
    }

    /// Gives back an empty bank.
    pub(crate) fn release(&mut self, index: u32) {
        let spare = self.spare;
        let bank = &mut self[index];
        debug_assert!(bank.is_empty(), "a bank is given back when its last timer has left");
        bank.next_spare = spare;
        self.spare = index;
    }

    /// Empties every bank and makes it spare.
    pub(crate) fn reset(&mut self) {
        self.spare = NIL;
        for index in 0..self.banks.len() as u32 {
            let bank = &mut self[index];
            (bank.occupied, bank.opened) = (0, 0);
            bank.slots = [List::EMPTY; SLOTS];
            self.release(index);
        }
    }

    /// How many there are, and how many of them are spare.
    pub(crate) fn census(&self) -> (usize, usize) {
        let after = |index: u32| (index != NIL).then_some(index);
        let spare = std::iter::successors(after(self.spare), |&index| after(self[index].next_spare));
        (self.banks.len(), spare.count())
    }
}

impl Index<u32> for Banks {
    type Output = Bank;

    #[inline]
    fn index(&self, index: u32) -> &Bank {
        &self.banks[index as usize]
    }
}

impl IndexMut<u32> for Banks {
    #[inline]
    fn index_mut(&mut self, index: u32) -> &mut Bank {
        &mut self.banks[index as usize]
    }
}
