//! Where each timer lies, for pictures and for the curious: the wheel itself knows only the way back, from a timer to its slot.

use crate::bank::Slot;
use crate::digits::SLOTS;
use crate::entry::NIL;
use crate::list::List;
use crate::{Tick, TimerWheel};

/// Where a timer lies.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// Armed, and not filed.
    Tray,
    /// Armed when it was due already, for the next round.
    Held,
    /// In a slot of a level, and, if that was opened, in one of the bank that hangs off it, and so on down:
    /// pairs of a level and a slot.
    Filed(Vec<(usize, usize)>),
}

impl<T> TimerWheel<T> {
    /// Every timer, with its deadline: by level from the lowest, in each level by slot, in each slot in
    /// line; then the tray. It looks at every slot, and is not for programs.
    #[doc(hidden)]
    pub fn whereabouts(&self) -> Vec<(&T, Tick, Whereabouts)> {
        let mut met = Vec::new();
        self.meet(&self.held, &Whereabouts::Held, &mut met);
        for (level, &bank) in self.hierarchy.levels.iter().enumerate() {
            if bank != NIL {
                self.meet_in_bank(bank, level, &mut Vec::new(), &mut met);
            }
        }
        self.meet(&self.tray, &Whereabouts::Tray, &mut met);
        met
    }

    fn meet_in_bank<'a>(
        &'a self,
        bank: u32,
        level: usize,
        way: &mut Vec<(usize, usize)>,
        met: &mut Vec<(&'a T, Tick, Whereabouts)>,
    ) {
        for slot in 0..SLOTS {
            way.push((level, slot));
            match self.hierarchy.banks[bank].slot(slot) {
                Slot::Empty => {}
                Slot::Line(line) => self.meet(&line, &Whereabouts::Filed(way.clone()), met),
                Slot::Opened(child) => self.meet_in_bank(child, level - 1, way, met),
            }
            way.pop();
        }
    }

    fn meet<'a>(&'a self, line: &List, place: &Whereabouts, met: &mut Vec<(&'a T, Tick, Whereabouts)>) {
        let mut index = line.head;
        while index != NIL {
            let entry = &self.entries[index];
            let value = entry.value.as_ref().expect("a timer in a line is armed");
            met.push((value, entry.deadline, place.clone()));
            index = entry.next;
        }
    }
}
