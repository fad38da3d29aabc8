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
use crate::entry::{Entries, NIL};
use crate::list::List;

/// What a slot holds.
pub(crate) enum Slot {
    Empty,
    /// Timers in the order in which they were armed.
    Line(List),
    /// The index of a bank that has the timers sorted one digit finer.
    Opened(u32),
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
    /// The bank whose slot was opened into this one, or [`NIL`] if this is the bank of its level.
    pub(crate) parent: u32,
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
    pub(crate) fn push_back<T>(&mut self, slot: usize, entries: &mut Entries<T>, index: u32) {
        debug_assert!(self.opened & bit(slot) == 0, "an opened slot has no line to stand in");
        self.slots[slot].push_back(entries, index);
        self.occupied |= bit(slot);
    }

    /// Takes a timer out of the line in a slot.
    #[inline]
    pub(crate) fn unlink<T>(&mut self, slot: usize, entries: &mut Entries<T>, index: u32) {
        debug_assert!(self.occupied & !self.opened & bit(slot) != 0, "occupied-iff-nonempty");
        self.slots[slot].unlink(entries, index);
        if self.slots[slot].is_empty() {
            self.occupied &= !bit(slot);
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

    /// Hangs a bank off an empty slot.
    pub(crate) fn open(&mut self, slot: usize, child: u32) {
        debug_assert!(self.occupied & bit(slot) == 0, "what was in the slot is to be taken out first");
        self.slots[slot].head = child;
        self.occupied |= bit(slot);
        self.opened |= bit(slot);
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
/// line of spare ones, linked through `parent`.
pub(crate) struct Banks {
    banks: Vec<Bank>,
    spare: u32,
}

impl Banks {
    pub(crate) const fn new() -> Self {
        Banks { banks: Vec::new(), spare: NIL }
    }

    /// An empty bank for that level.
    pub(crate) fn acquire(&mut self, level: usize, parent: u32) -> u32 {
        let level = level as u32;
        if self.spare == NIL {
            assert!(self.banks.len() < NIL as usize, "more than 2³² - 1 banks in one wheel");
            self.banks.push(Bank { occupied: 0, opened: 0, level, parent, slots: [List::EMPTY; SLOTS] });
            return (self.banks.len() - 1) as u32;
        }
        let index = self.spare;
        let bank = &mut self[index];
        debug_assert!(bank.is_empty(), "a spare bank is empty");
        let next_spare = bank.parent;
        (bank.level, bank.parent) = (level, parent);
        self.spare = next_spare;
        index
    }

    /// Gives back an empty bank.
    pub(crate) fn release(&mut self, index: u32) {
        let spare = self.spare;
        let bank = &mut self[index];
        debug_assert!(bank.is_empty(), "a bank is given back when its last timer has left");
        bank.parent = spare;
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
        let spare = std::iter::successors(after(self.spare), |&index| after(self[index].parent));
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
