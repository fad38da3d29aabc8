//! Who has permits of a semaphore: the first few, by name.
//!
//! ```text
//!   taken ──► [ 'user' 1 │ 'orders' 2 │ vacant ]     each permit knows its place here, and vacates it when it goes back
//!        └──► and 5 permits more                      who found no place is counted
//! ```
//!
//! It is for people who look at who waits for a permit. So it must cost next to nothing where nobody does: a place is found
//! in a byte of bits, and of those who find none nothing is known but how much they have.

use homing_executor::holders::{Holder, Posted};
use std::cell::Cell;

/// How many holders are known.
const PLACES: usize = 3;

/// Who has permits.
pub(super) struct Holdings {
    /// A bit for each place that is taken.
    taken: Cell<u8>,
    places: [Cell<Option<(Holder, u32)>>; PLACES],
    /// Permits of those who found no place.
    beside: Cell<usize>,
}

/// Which place a permit has. (An enum, and so has values to spare: an `Option` of it is no larger.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Place {
    First = 0b001,
    Second = 0b010,
    Third = 0b100,
    /// It is one of those who are counted only.
    Beside = 0,
}

impl Holdings {
    pub(super) const fn new() -> Holdings {
        Holdings { taken: Cell::new(0), places: [const { Cell::new(None) }; PLACES], beside: Cell::new(0) }
    }

    /// The running task has taken so many permits, at this place in the source.
    #[inline]
    pub(super) fn enter(&self, holder: Holder, permits: usize) -> Place {
        let taken = self.taken.get();
        let (at, place) = match taken {
            0b000 | 0b010 | 0b100 | 0b110 => (0, Place::First),
            0b001 | 0b101 => (1, Place::Second),
            0b011 => (2, Place::Third),
            _ => {
                self.beside.set(self.beside.get().saturating_add(permits));
                return Place::Beside;
            }
        };
        self.taken.set(taken | place as u8);
        self.places[at].set(Some((holder, u32::try_from(permits).unwrap_or(u32::MAX))));
        place
    }

    /// They have gone back, or are kept for good.
    #[inline]
    pub(super) fn leave(&self, place: Place, permits: usize) {
        self.taken.set(self.taken.get() & !(place as u8));
        if place == Place::Beside {
            self.beside.set(self.beside.get().saturating_sub(permits));
        }
    }

    /// Those who are known.
    pub(super) fn known(&self) -> impl Iterator<Item = Posted> {
        let taken = self.taken.get();
        let known = self.places.iter().enumerate().filter(move |(at, _)| taken & 1 << at != 0);
        known
            .filter_map(|(_, place)| place.get())
            .map(|(holder, permits)| Posted { permits, ..Posted::from(holder) })
    }

    /// How many permits the others have.
    pub(super) fn beside(&self) -> usize {
        self.beside.get()
    }
}
