//! An armed timer, and the table of them all.
//!
//! An entry stays where it is for as long as it is armed; what moves it from slot to slot is only its
//! links. So a key can name it by its index, and disarming needs no search. A vacant entry is the next to
//! be used again, and says which one comes after it.
//! ```text
//! TimerKey { index: 2, generation: 907 }
//!                   │              └───────────────────┐ equal, or the key is stale
//! table  [ 0 ][ 1 ][ 2 ][ 3 ][ 4 ]                     │
//!                    └ deadline, prev, next, place, generation, value
//! vacant ───> 3 ──> 1 ──> NIL
//! ```

use std::num::NonZeroU32;

use crate::bank::Place;
use crate::generation::Generations;
use crate::list::{List, Neighbours};
use crate::{Tick, TimerKey};

/// No entry, or no bank, where an index is expected. Half the size of an `Option<u32>`, which is what
/// keeps the links of an entry and all the slots of a bank small.
pub(crate) const NIL: u32 = u32::MAX;

/// One timer: 24 bytes and its value.
pub(crate) struct Entry<T> {
    /// When it is due. Never before the tick at which it was armed.
    pub(crate) deadline: Tick,
    /// The neighbours in the line it stands in, or [`NIL`] at either end. The next vacant one in `next`.
    pub(crate) prev: u32,
    pub(crate) next: u32,
    pub(crate) place: Place,
    pub(crate) generation: NonZeroU32,
    /// `None` if the entry is vacant.
    pub(crate) value: Option<T>,
}

// The value of this check has room for `None`; another may take more for its `Option`.
const _: () = assert!(size_of::<Entry<std::num::NonZeroU64>>() == 24 + 8, "an entry has grown");

/// Every timer, by index.
///
/// This is a slab, but not of the `slab` crate: that one checks at each step from link to link whether the
/// entry is vacant, and does not give out its entries as one slice. To arm and disarm took a fifth longer
/// with it.
///
/// The generation is not counted place by place: so it outlives the entries, and the table may forget them
/// all in `drain`.
pub(crate) struct Entries<T> {
    table: Vec<Entry<T>>,
    /// The first of those that were vacated, or [`NIL`].
    vacant: u32,
    /// From here on all are vacant, and in none of them is `next` to be believed.
    unused: u32,
    len: usize,
    generations: Generations,
}

impl<T> Entries<T> {
    pub(crate) const fn new() -> Self {
        Entries { table: Vec::new(), vacant: NIL, unused: 0, len: 0, generations: Generations::new() }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// All entries, to go from link to link.
    #[inline]
    pub(crate) fn links(&mut self) -> &mut [Entry<T>] {
        &mut self.table
    }

    /// Adds a timer that is in this place, and is going to be the last of that line, which is for the caller to tell.
    pub(crate) fn insert(&mut self, deadline: Tick, value: T, place: Place, line: &List) -> TimerKey {
        match self.reuse(deadline, value, place, line) {
            Ok(key) => key,
            Err(value) => self.push(deadline, value, place, line),
        }
    }

    /// The same, if there is no vacant entry.
    pub(crate) fn push(&mut self, deadline: Tick, value: T, place: Place, line: &List) -> TimerKey {
        let index = self.unused;
        assert!(index != NIL, "more than 2³² - 1 timers in one wheel");
        let generation = self.generations.next();
        self.table.push(Entry {
            deadline,
            prev: line.tail,
            next: NIL,
            place,
            generation,
            value: Some(value),
        });
        self.unused += 1;
        self.len += 1;
        TimerKey { index, generation }
    }

    /// The same, if there is a vacant entry for it; else the value is given back.
    #[inline(always)]
    pub(crate) fn reuse(
        &mut self,
        deadline: Tick,
        value: T,
        place: Place,
        line: &List,
    ) -> Result<TimerKey, T> {
        let index = if self.vacant != NIL { self.vacant } else { self.unused };
        if index as usize >= self.table.len() {
            return Err(value);
        }
        let generation = self.generations.next();
        let entry = &mut self.table[index as usize];
        debug_assert!(entry.value.is_none(), "a vacant entry has no value");
        if self.vacant != NIL {
            self.vacant = entry.next;
        } else {
            self.unused += 1;
        }
        *entry = Entry { deadline, prev: line.tail, next: NIL, place, generation, value: Some(value) };
        self.len += 1;
        Ok(TimerKey { index, generation })
    }

    /// Removes a timer, which is no longer in any line.
    #[inline]
    pub(crate) fn remove(&mut self, index: u32) -> T {
        let entry = &mut self.table[index as usize];
        let value = entry.value.take().expect("only an armed timer is removed");
        entry.next = self.vacant;
        self.has_vacated(index);
        value
    }

    /// Removes a timer if it is in this place: from a line that is for the caller to close up behind it.
    #[inline]
    pub(crate) fn remove_from(&mut self, place: Place, key: TimerKey) -> Option<(T, Neighbours)> {
        let entry = self.table.get_mut(key.index as usize)?;
        if entry.generation != key.generation || entry.place != place {
            return None;
        }
        let value = entry.value.take()?;
        let neighbours = Neighbours { prev: entry.prev, next: entry.next };
        entry.next = self.vacant;
        self.has_vacated(key.index);
        Some((value, neighbours))
    }

    #[inline]
    fn has_vacated(&mut self, index: u32) {
        self.vacant = index;
        self.len -= 1;
        if self.len == 0 {
            // The table starts over. The vacated ones are linked in the order in which timers fired, which
            // is none at all for the memory; the next thousand timers had better be neighbours again.
            (self.vacant, self.unused) = (NIL, 0);
        }
    }

    /// The timer of that name, unless the name is stale.
    #[inline]
    pub(crate) fn get(&self, key: TimerKey) -> Option<(&Entry<T>, &T)> {
        let entry = self.table.get(key.index as usize).filter(|entry| entry.generation == key.generation)?;
        entry.value.as_ref().map(|value| (entry, value))
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: TimerKey) -> Option<&mut T> {
        let entry = self.table.get_mut(key.index as usize)?;
        entry.value.as_mut().filter(|_| entry.generation == key.generation)
    }

    /// The values of all timers.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.table.iter().filter_map(|entry| entry.value.as_ref())
    }

    /// Removes them all. They are gone at once, even if the iterator is dropped early or leaked.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = T> {
        (self.vacant, self.unused, self.len) = (NIL, 0, 0);
        self.table.drain(..).filter_map(|entry| entry.value)
    }
}

impl<T> std::ops::Index<u32> for Entries<T> {
    type Output = Entry<T>;

    #[inline]
    fn index(&self, index: u32) -> &Entry<T> {
        &self.table[index as usize]
    }
}
