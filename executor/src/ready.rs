//! The ready queue: which task is polled next.
//!
//! First woken, first polled. A turn polls only the batch that was ready when it began, so a task that wakes itself
//! cannot keep the others, or the reactor, from their share of the thread.
//!
//! ```text
//! wake ──► [ later ] ──a turn begins──► [ batch ] ──next──► poll
//! ```
//!
//! Both are lists threaded through the rows: a wake stores two pointers and allocates nothing.

use crate::task::row::Row;
use std::cell::Cell;

/// The line that a wake joins: first in, first out.
#[derive(Default, Debug)]
struct Line {
    first: Cell<Option<&'static Row>>,
    last: Cell<Option<&'static Row>>,
}

impl Line {
    #[inline(always)]
    fn push(&self, row: &'static Row) {
        row.next.set(None);
        match self.last.replace(Some(row)) {
            Some(last) => last.next.set(Some(row)),
            None => self.first.set(Some(row)),
        }
    }

    fn is_empty(&self) -> bool {
        self.first.get().is_none()
    }

    /// All that is in it, linked one to the next. It is empty afterwards.
    #[inline(always)]
    fn take_all(&self) -> Option<&'static Row> {
        self.last.set(None);
        self.first.take()
    }
}

/// See the [module](self).
///
/// Invariant (queued-once): a row is in one of the two lists exactly when its task is `Created` or `Ready`, or is
/// `Done` and flagged `Linked` (it was aborted while in line). A driven task may stand in its driver's line instead.
#[derive(Default, Debug)]
pub(crate) struct ReadyQueue {
    /// The next task of the batch, which the others follow. Nobody joins it, so where it ends is of no interest. (To move
    /// both ends, which a wake has just written one by one, the processor would have to wait for them as a pair.)
    batch: Cell<Option<&'static Row>>,
    later: Line,
    /// With a seed, each batch is shuffled: the state of the generator.
    shuffle: Option<Cell<u64>>,
}

impl ReadyQueue {
    pub(crate) fn new(seed: Option<u64>) -> Self {
        ReadyQueue { shuffle: seed.map(Cell::new), ..ReadyQueue::default() }
    }

    /// The end of the line: polled in the next turn.
    #[inline(always)]
    pub(crate) fn push(&self, row: &'static Row) {
        self.later.push(row);
    }

    /// Makes what is ready now the batch of this turn, unless the last turn left some of its own.
    pub(crate) fn begin_batch(&self) {
        if !self.has_rest() {
            self.batch.set(self.later.take_all());
            if self.is_shuffled() {
                self.shuffle_batch();
            }
        }
    }

    /// The same where batches are not shuffled, and the last one is through: makes what is ready now the batch, and gives the
    /// first of it.
    #[inline(always)]
    pub(crate) fn begin_next_batch(&self) -> Option<&'static Row> {
        debug_assert!(!self.has_rest() && !self.is_shuffled());
        let first = self.later.take_all()?;
        self.batch.set(first.next.get());
        Some(first)
    }

    /// Whether there is something left of a batch.
    pub(crate) fn has_rest(&self) -> bool {
        self.batch.get().is_some()
    }

    /// Whether the order in a batch is drawn.
    pub(crate) fn is_shuffled(&self) -> bool {
        self.shuffle.is_some()
    }

    /// The next task of the batch.
    #[inline(always)]
    pub(crate) fn next(&self) -> Option<&'static Row> {
        let row = self.batch.get()?;
        self.batch.set(row.next.get());
        Some(row)
    }

    /// Whether no task is ready.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.later.is_empty() && !self.has_rest()
    }

    /// A permutation that depends on the seed alone (Fisher and Yates' shuffle, drawn from SplitMix64).
    #[cold]
    fn shuffle_batch(&self) {
        let Some(state) = &self.shuffle else { return };
        let mut rows: Vec<&'static Row> = std::iter::from_fn(|| self.next()).collect();
        for index in (1..rows.len()).rev() {
            state.set(state.get().wrapping_add(0x9E37_79B9_7F4A_7C15));
            let mut random = state.get();
            random = (random ^ (random >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            random = (random ^ (random >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            random ^= random >> 31;
            rows.swap(index, (random % (index as u64 + 1)) as usize);
        }
        let shuffled = Line::default();
        rows.into_iter().for_each(|row| shuffled.push(row));
        self.batch.set(shuffled.take_all());
    }
}
