//! The invariants, checked one by one.
//!
//! The tests call this after every step of a random walk. It goes through the whole wheel and believes
//! nothing: not a count, not a bit, not a link.

use crate::bank::{Place, Slot};
use crate::digits::{LEVELS, SLOTS, digit, highest_difference};
use crate::entry::NIL;
use crate::list::List;
use crate::{Tick, TimerWheel};

/// What one walk through the wheel has met.
#[derive(Default)]
struct Tally {
    entries: usize,
    banks: usize,
    earliest: Option<(Tick, u32)>,
}

impl<T> TimerWheel<T> {
    /// Panics with the name of an invariant if it does not hold. For tests: it looks at every timer.
    #[doc(hidden)]
    pub fn check_invariants(&self) {
        let hierarchy = &self.hierarchy;
        assert!(hierarchy.cursor <= self.now(), "the cursor is ahead of the clock");
        let mut tally = Tally::default();
        for level in 0..LEVELS {
            let bank = hierarchy.levels[level];
            let occupied = bank != NIL && !hierarchy.banks[bank].is_empty();
            assert_eq!(hierarchy.occupied_levels >> level & 1 != 0, occupied, "occupied-iff-nonempty");
            if bank != NIL {
                assert_eq!(
                    hierarchy.banks[bank].parent,
                    Place::LEVEL,
                    "the bank of a level hangs off a slot"
                );
                self.check_bank(bank, level, &mut tally);
            }
        }
        let filed = tally.earliest;
        self.check_line(&self.tray, &mut tally, |deadline, place| {
            assert_eq!(place, Place::TRAY, "an entry that believes to be elsewhere");
            assert!(deadline >= hierarchy.cursor, "never-behind: {deadline}");
        });
        // A filed one comes before an equal one in the tray.
        let first = tally.earliest;
        self.check_line(&self.held, &mut tally, |deadline, place| {
            assert_eq!((deadline, place), (self.now(), Place::HELD), "held-at-now");
        });
        assert_eq!(tally.entries, self.len(), "an entry is in no line");
        let (banks, spare) = hierarchy.banks.census();
        assert_eq!(tally.banks + spare, banks, "a bank is neither in use nor spare");
        match first {
            Some(first) => {
                assert!(self.next.bound <= first.0, "bound-holds: {first:?} is before it");
                let known = self.next.entry != NIL;
                assert!(!known || (self.next.bound, self.next.entry) == first, "bound-holds: {first:?}");
                assert!(!known || filed == Some(first), "bound-holds: {first:?} is not filed");
            }
            None => assert_eq!(self.next.entry, NIL, "bound-holds: there is no first of none"),
        }
    }

    /// How often a timer was moved from one slot to another, since the wheel was made. For tests of the
    /// claim that this is at most once a level.
    #[doc(hidden)]
    pub fn moves(&self) -> u64 {
        self.hierarchy.moves
    }

    /// How many timers lie in the tray. For tests of the claim that they are not filed too early.
    #[doc(hidden)]
    pub fn unfiled(&self) -> usize {
        let after = |index: u32| (index != NIL).then_some(index);
        std::iter::successors(after(self.tray.head), |&index| after(self.entries[index].next)).count()
    }

    fn check_bank(&self, index: u32, level: usize, tally: &mut Tally) {
        let bank = &self.hierarchy.banks[index];
        assert_eq!(bank.level as usize, level, "a bank of another level");
        tally.banks += 1;
        for slot in 0..SLOTS {
            match bank.slot(slot) {
                Slot::Empty => {}
                Slot::Opened(child) => {
                    assert!(!self.hierarchy.banks[child].is_empty(), "occupied-iff-nonempty: opened {slot}");
                    assert_eq!(
                        self.hierarchy.banks[child].parent,
                        Place::new(index, slot),
                        "a child of another parent"
                    );
                    self.check_bank(child, level - 1, tally);
                }
                Slot::Line(line) => {
                    assert!(!line.is_empty(), "occupied-iff-nonempty: {slot} of level {level}");
                    self.check_line(&line, tally, |deadline, place| {
                        assert_eq!(place, Place::new(index, slot), "an entry that believes to be elsewhere");
                        assert_eq!(self.place(deadline), place, "placed-by-cursor: {deadline}");
                    });
                }
            }
        }
    }

    /// Where a timer with that deadline belongs.
    fn place(&self, deadline: Tick) -> Place {
        let hierarchy = &self.hierarchy;
        assert!(deadline >= hierarchy.cursor, "never-behind: {deadline}");
        let mut level = highest_difference(hierarchy.cursor, deadline);
        let mut bank = hierarchy.levels[level];
        while let Slot::Opened(child) = hierarchy.banks[bank].slot(digit(deadline, level)) {
            (bank, level) = (child, level - 1);
        }
        Place::new(bank, digit(deadline, level))
    }

    fn check_line(&self, line: &List, tally: &mut Tally, check: impl Fn(Tick, Place)) {
        let (mut prev, mut index) = (NIL, line.head);
        while index != NIL {
            let entry = &self.entries[index];
            assert_eq!(entry.prev, prev, "linked-both-ways");
            check(entry.deadline, entry.place);
            tally.entries += 1;
            // Equals are in one line, so the first one met is the first to fire.
            if tally.earliest.is_none_or(|(earliest, _)| entry.deadline < earliest) {
                tally.earliest = Some((entry.deadline, index));
            }
            (prev, index) = (index, entry.next);
        }
        assert_eq!(line.tail, prev, "linked-both-ways");
    }
}
