//! An armed timer, and the table of them all.
//!
//! An entry stays where it is for as long as it is armed; what moves it from slot to slot is only its
//! links. So a key can name it by its index, and disarming needs no search.
//! ```text
//! TimerKey { index: 2, generation: 907 }
//!                 │             └────────────────────┐ equal, or the key is stale
//! entries  [ 0 ][ 1 ][ 2 ][ 3 ]…                     │
//!                      └ deadline, prev, next, bank, generation, value
//! ```

use std::ops::{Index, IndexMut};

use slab::Slab;

use crate::{Tick, TimerKey};

/// No entry, or no bank, where an index is expected. Half the size of an `Option<u32>`, which is what
/// keeps the links of an entry and all the slots of a bank small.
pub(crate) const NIL: u32 = u32::MAX;

/// One armed timer: 24 bytes and its value.
pub(crate) struct Entry<T> {
    /// When it is due. Never before the tick at which it was armed.
    pub(crate) deadline: Tick,
    /// The neighbours in the list it stands in, or [`NIL`] at either end.
    pub(crate) prev: u32,
    pub(crate) next: u32,
    /// The bank it is in, which with the deadline gives the slot; [`NIL`] if it is held back.
    pub(crate) bank: u32,
    /// The low bits of the count of timers armed before this one.
    pub(crate) generation: u32,
    pub(crate) value: T,
}

/// Every armed timer, by index.
///
/// A slab forgets all about an entry once it is removed, so a generation counted place by place would be
/// lost with it. It is counted over the whole wheel instead: no two armings share a number, in the same
/// place or not, until 2³² of them later.
pub(crate) struct Entries<T> {
    slab: Slab<Entry<T>>,
    armed_count: u32,
}

impl<T> Entries<T> {
    pub(crate) const fn new() -> Self {
        Entries { slab: Slab::new(), armed_count: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    /// Adds a timer, which is not yet in any list.
    #[inline]
    pub(crate) fn insert(&mut self, deadline: Tick, value: T) -> TimerKey {
        let generation = self.armed_count;
        self.armed_count = generation.wrapping_add(1);
        let index = self.slab.vacant_key();
        assert!(index < NIL as usize, "more than 2³² - 1 timers in one wheel");
        self.slab.insert(Entry { deadline, prev: NIL, next: NIL, bank: NIL, generation, value });
        TimerKey { index: index as u32, generation }
    }

    /// Removes a timer, which is no longer in any list.
    #[inline]
    pub(crate) fn remove(&mut self, index: u32) -> T {
        self.slab.remove(index as usize).value
    }

    /// The timer of that name, unless the name is stale.
    #[inline]
    pub(crate) fn get(&self, key: TimerKey) -> Option<&Entry<T>> {
        self.slab.get(key.index as usize).filter(|entry| entry.generation == key.generation)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: TimerKey) -> Option<&mut Entry<T>> {
        self.slab.get_mut(key.index as usize).filter(|entry| entry.generation == key.generation)
    }

    /// Removes them all. They are gone at once, even if the iterator is dropped early or leaked.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = T> {
        self.slab.drain().map(|entry| entry.value)
    }
}

impl<T> Index<u32> for Entries<T> {
    type Output = Entry<T>;

    #[inline]
    fn index(&self, index: u32) -> &Entry<T> {
        &self.slab[index as usize]
    }
}

impl<T> IndexMut<u32> for Entries<T> {
    #[inline]
    fn index_mut(&mut self, index: u32) -> &mut Entry<T> {
        &mut self.slab[index as usize]
    }
}
