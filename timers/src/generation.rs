//! Generations: what tells a key from all that came before it, of this wheel and of every other.
//!
//! They are numbered through the process, not by the wheel: so a key of another wheel is stale like any other, and whoever
//! keeps one need not keep beside it which wheel it is of. A wheel takes them by the block, lest all wheels meet at one
//! counter each time.
//! ```text
//! the process    │ 0 …          │ 1,024 …      │ 2,048 …      │ 3,072 …      │
//! wheel A           1, 2 … 1,023                  2,049 …
//! wheel B                          1,025 …
//! ```
//! The first number of a block is nobody's: a wheel that comes to one is through its block. And so none is zero.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

/// So few that a wheel of a handful of timers wastes little, and so many that the counter of the process is met seldom.
const BLOCK: u32 = 1 << 10;

/// The generation of a key that no wheel has ever given.
pub(crate) const NOBODYS: NonZeroU32 = NonZeroU32::new(BLOCK).unwrap();

/// The generations of one wheel.
pub(crate) struct Generations {
    next: u32,
}

impl Generations {
    pub(crate) const fn new() -> Self {
        Generations { next: 0 }
    }

    /// The generation of the timer that is armed next.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> NonZeroU32 {
        match NonZeroU32::new(self.next) {
            Some(generation) if !generation.get().is_multiple_of(BLOCK) => {
                self.next = self.next.wrapping_add(1);
                generation
            }
            _ => self.begin_block(),
        }
    }

    #[cold]
    fn begin_block(&mut self) -> NonZeroU32 {
        static BLOCKS: AtomicU32 = AtomicU32::new(0);
        let nobodys = BLOCKS.fetch_add(BLOCK, Ordering::Relaxed);
        self.next = nobodys + 2;
        NonZeroU32::MIN | nobodys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_wheels_never_give_the_same_generation() {
        let (mut one, mut other) = (Generations::new(), Generations::new());
        let mut given: Vec<NonZeroU32> = (0..3 * BLOCK).flat_map(|_| [one.next(), other.next()]).collect();
        given.sort_unstable();
        assert!(given.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(!given.contains(&NOBODYS));
    }
}
