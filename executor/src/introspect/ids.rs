//! Maps by task: a hundred thousand are looked up for each picture.
//!
//! ```text
//!   id ──► (id ^ key) × odd key ──► high half ^ low half ──► place
//! ```
//!
//! Far cheaper than the standard library's hash, and still not to be guessed: ids may come out of a memory that somebody
//! has prepared so that all of them meet in one place.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

/// A map whose keys are numbers, such as the ids of tasks.
pub(super) type IdMap<V> = HashMap<u64, V, Keyed>;

/// Makes the hashes of one map, with keys that no other has.
#[derive(Clone, Copy)]
pub(super) struct Keyed {
    mask: u64,
    factor: u64,
}

impl Default for Keyed {
    fn default() -> Self {
        let random = RandomState::new();
        Keyed { mask: random.hash_one(0_u8), factor: random.hash_one(1_u8) | 1 }
    }
}

impl BuildHasher for Keyed {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded { keys: *self, hash: 0 }
    }
}

/// The hash of one number.
pub(super) struct Folded {
    keys: Keyed,
    hash: u64,
}

impl Hasher for Folded {
    fn write_u64(&mut self, number: u64) {
        let product = u128::from(self.hash ^ number ^ self.keys.mask) * u128::from(self.keys.factor);
        self.hash = (product >> 64) as u64 ^ product as u64;
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn finish(&self) -> u64 {
        self.hash
    }
}
