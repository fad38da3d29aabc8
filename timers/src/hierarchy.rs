//! Where a timer is: the banks, the cascade, and opening ahead.
//!
//! Each level has a bank, and a timer is in the bank of the highest digit in which it differs from the
//! cursor. So everything on a level is due before anything on the level above it, and on one level the
//! slots are in order: the earliest timer is in the first occupied slot of the lowest occupied level.
//!
//! In a slot of level 0 all deadlines are equal, and the first in line is the earliest. A slot higher up is
//! not sorted. A few timers are looked through; where there are more, the slot is *opened*: they are
//! distributed by the next lower digit into a bank of their own, which hangs off the slot, and the search
//! goes on in there.
//! ```text
//! level 2   [ . . . . o . . . x . . ]     o: opened, since it is the nearest
//!                     │
//!             bank  [ . . o . x . . . x ]     64 slots for digit 1
//!                         │
//!                 bank  [ . x . . x x . . ]     64 slots for digit 0: the first is the earliest of all
//! ```
//! When the cursor comes to the opened slot, its bank *becomes* the bank of the next lower level, which is
//! empty by then: what an ordinary wheel does in its cascade is already done. A timer armed later goes down
//! through opened slots to where the others are. One that is disarmed may leave its bank empty; then the
//! slot it hung off closes.
//!
//! Each time a timer is moved, early or not, it comes to a lower level. So it moves ten times at the very
//! most, mostly not even once, and finding the earliest costs a step a level: however many timers have one
//! slot in common, and whatever is armed and disarmed among them, no search goes through them all twice.

use crate::Tick;
use crate::bank::{Banks, Place, Slot};
use crate::digits::{LEVELS, digit, highest_difference};
use crate::entry::{Entry, NIL};
use crate::list::List;

/// As many timers in one slot are looked through for the earliest; if there are more, it is opened. Small
/// enough to be quicker than a bank is to fill, and large enough that a wheel with a handful of timers far
/// apart never opens anything.
const FEW: usize = 4;

/// The place of every timer that is filed.
///
/// Invariant (placed-by-cursor): a timer is on the level of the highest digit in which its deadline differs
/// from the cursor, in the slot of that digit; if that slot is opened, in there in the slot of the next
/// digit, and so on. So its place follows from its deadline, and equal deadlines are in one line.
///
/// Invariant (never-behind): no deadline is before the cursor.
pub(crate) struct Hierarchy {
    /// The tick from which levels are counted. It follows the wheel's clock as soon as nothing due is left.
    pub(crate) cursor: Tick,
    /// The bank of each level, or [`NIL`] as long as none was needed.
    pub(crate) levels: [u32; LEVELS],
    /// Bit n: the bank of level n has a timer.
    pub(crate) occupied_levels: u32,
    pub(crate) banks: Banks,
    /// How many times a timer was moved from one slot to another since the beginning.
    pub(crate) moves: u64,
}

impl Hierarchy {
    pub(crate) const fn new(cursor: Tick) -> Self {
        Hierarchy { cursor, levels: [NIL; LEVELS], occupied_levels: 0, banks: Banks::new(), moves: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.occupied_levels == 0
    }

    /// Puts a timer where it belongs, behind all with the same deadline.
    #[inline]
    pub(crate) fn link<T>(&mut self, entries: &mut [Entry<T>], index: u32) {
        let deadline = entries[index as usize].deadline;
        debug_assert!(deadline >= self.cursor, "never-behind: {deadline} is before {}", self.cursor);
        let mut level = highest_difference(self.cursor, deadline);
        let mut bank = self.levels[level];
        if bank == NIL {
            bank = self.furnish(level);
        }
        self.occupied_levels |= 1 << level;
        let mut slot = digit(deadline, level);
        while let Some(child) = self.banks[bank].opened_into(slot) {
            (bank, level) = (child, level - 1);
            slot = digit(deadline, level);
        }
        entries[index as usize].place = Place::new(bank, slot);
        self.banks[bank].push_back(slot, entries, index);
    }

    /// Takes a timer out of its place.
    #[inline]
    pub(crate) fn unlink<T>(&mut self, entries: &mut [Entry<T>], index: u32) {
        let place = entries[index as usize].place;
        let bank = &mut self.banks[place.bank()];
        bank.unlink(place.slot(), entries, index);
        if bank.is_empty() {
            self.close(place.bank());
        }
    }

    /// The timer that is due first: the earliest deadline, and of equals the one armed first.
    ///
    /// Opens what has to be opened to tell.
    pub(crate) fn earliest<T>(&mut self, entries: &mut [Entry<T>]) -> Option<u32> {
        if self.occupied_levels == 0 {
            return None;
        }
        let mut level = self.occupied_levels.trailing_zeros() as usize;
        let mut bank = self.levels[level];
        loop {
            let slot = self.banks[bank].first_occupied()?;
            bank = match self.banks[bank].slot(slot) {
                Slot::Opened(child) => child,
                Slot::Line(line) if level == 0 => return Some(line.head),
                Slot::Line(line) => match line.earliest_of_few(entries, FEW) {
                    Some(earliest) => return Some(earliest),
                    None => self.open(bank, slot, entries),
                },
                Slot::Empty => unreachable!("occupied-iff-nonempty: slot {slot} of level {level} is empty"),
            };
            level -= 1;
        }
    }

    /// The timer with the same deadline that comes after this one. [`NIL`] if there is none, and above level
    /// 0 as well, where it would have to be looked for.
    #[inline]
    pub(crate) fn equal_after<T>(&self, entries: &[Entry<T>], index: u32) -> u32 {
        let Entry { place, next, .. } = entries[index as usize];
        if self.banks[place.bank()].level == 0 { next } else { NIL }
    }

    /// Moves the cursor, and down with it what is in the slots that it comes to.
    ///
    /// Nothing before `cursor` may be left. So all levels below the highest digit that changes are empty,
    /// and of that level everything before the slot that the cursor comes to.
    #[inline]
    pub(crate) fn move_cursor<T>(&mut self, cursor: Tick, entries: &mut [Entry<T>]) {
        debug_assert!(cursor >= self.cursor, "the cursor never goes back");
        let level = highest_difference(self.cursor, cursor);
        self.cursor = cursor;
        if level > 0 && self.occupied_levels >> level & 1 != 0 {
            self.cascade(level, entries);
        }
    }

    /// Empties the slot of that level which the cursor has come to into the levels below, one after another.
    fn cascade<T>(&mut self, level: usize, entries: &mut [Entry<T>]) {
        debug_assert_eq!(self.occupied_levels & ((1 << level) - 1), 0, "what is past has fired");
        for level in (1..=level).rev() {
            let bank = self.levels[level];
            let taken = self.banks[bank].take(digit(self.cursor, level));
            if self.banks[bank].is_empty() {
                self.occupied_levels &= !(1 << level);
            }
            match taken {
                Slot::Empty => return,
                Slot::Line(line) => return self.distribute(line, entries),
                Slot::Opened(child) => self.adopt(child, level - 1),
            }
        }
    }

    /// Links every timer of a line that was taken out of its slot again, in order.
    fn distribute<T>(&mut self, mut line: List, entries: &mut [Entry<T>]) {
        while let Some(index) = line.next(entries) {
            self.link(entries, index);
            self.moves += 1;
        }
    }

    /// Makes a bank that hung off a slot the bank of its level.
    fn adopt(&mut self, child: u32, level: usize) {
        debug_assert_eq!(self.banks[child].level as usize, level);
        let retired = std::mem::replace(&mut self.levels[level], child);
        if retired != NIL {
            self.banks.release(retired);
        }
        self.banks[child].parent = Place::LEVEL;
        self.occupied_levels |= 1 << level;
    }

    /// Sorts what is in a slot by the next lower digit, into a bank that hangs off it.
    fn open<T>(&mut self, parent: u32, slot: usize, entries: &mut [Entry<T>]) -> u32 {
        let level = self.banks[parent].level as usize - 1;
        let child = self.banks.acquire(level, Place::new(parent, slot));
        let mut line = self.banks[parent].open(slot, child);
        let bank = &mut self.banks[child];
        let mut moves = 0;
        while let Some(index) = line.next(entries) {
            let entry = &mut entries[index as usize];
            let slot = digit(entry.deadline, level);
            entry.place = Place::new(child, slot);
            bank.push_back(slot, entries, index);
            moves += 1;
        }
        self.moves += moves;
        child
    }

    /// Closes the slot that an emptied bank hangs off, and so on up.
    #[inline]
    fn close(&mut self, mut emptied: u32) {
        loop {
            let parent = self.banks[emptied].parent;
            if parent == Place::LEVEL {
                // The bank of a level stays: the next timer would only ask for it again.
                self.occupied_levels &= !(1 << self.banks[emptied].level);
                return;
            }
            self.banks.release(emptied);
            emptied = parent.bank();
            self.banks[emptied].take(parent.slot());
            if !self.banks[emptied].is_empty() {
                return;
            }
        }
    }

    /// The first bank of a level that had none.
    #[cold]
    fn furnish(&mut self, level: usize) -> u32 {
        let bank = self.banks.acquire(level, Place::LEVEL);
        self.levels[level] = bank;
        bank
    }

    /// Forgets every timer, but not the cursor.
    pub(crate) fn reset(&mut self) {
        self.levels = [NIL; LEVELS];
        self.occupied_levels = 0;
        self.banks.reset();
    }
}
