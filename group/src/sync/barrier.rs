//! The barrier: tasks wait for one another, and go on together.
//!
//! All stand in one line. Those who are inside have something kept for them (a place in the round, or the news that it is
//! broken), or are the next round in the making.
//!
//! ```text
//!  Filling ──last party arrives──► Draining ──last one has left──► Filling
//!  Filling, Draining ──reset, with parties inside──► Resetting ──last one has left──► Filling
//!  any ──abort──► Broken ──reset──► Filling, or Resetting
//! ```
//!
//! | phase     | who is inside                | a newcomer                  | `n_waiting`      |
//! |-----------|------------------------------|-----------------------------|------------------|
//! | Filling   | all in line                  | joins the round, or ends it | all in line      |
//! | Draining  | the granted: they go on      | waits for the next round    | 0                |
//! | Resetting | the granted: all get errors  | waits for the next round    | 0                |
//! | Broken    | the granted: all get errors  | gets an error               | 0                |
//!
//! Places in a round are dealt when it is full, in the order of arrival: so they are unique, and all are dealt, whoever
//! left in between (KQ-2).

use super::turn::{At, Claim, Turn, number_of};
use super::wait_list::{Left, WaitList};
use homing_executor::cancel::Awaiting;
use homing_executor::error::Result;
use homing_executor::introspect::{Awaitable, Target};
use std::cell::Cell;
use std::fmt;

/// So many tasks wait until all of them have arrived, and then go on: round after round.
///
/// # asyncio
///
/// `asyncio.Barrier` (BA-1 to BA-9).
///
/// ```
/// use homing::sync::Barrier;
/// use std::rc::Rc;
///
/// homing::run(async {
///     let barrier = Rc::new(Barrier::new(2));
///     let other = homing::spawn({
///         let barrier = barrier.clone();
///         async move { barrier.wait().await }
///     });
///     let mut places = [barrier.wait().await?, other.await?];
///     places.sort();
///     assert_eq!(places, [0, 1]);
///     Ok(())
/// })
/// # .unwrap();
/// ```
pub struct Barrier {
    parties: usize,
    broken: Cell<bool>,
    /// The granted, if there are any, get an error.
    spoiled: Cell<bool>,
    /// With each of the granted stands its place in the round.
    line: WaitList<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Filling,
    Draining,
    Resetting,
    Broken,
}

impl Barrier {
    /// A barrier for so many parties.
    ///
    /// # Panics
    ///
    /// If there is none: nobody could ever pass (BA-1).
    #[track_caller]
    pub const fn new(parties: usize) -> Barrier {
        assert!(parties > 0, "a barrier has at least one party");
        Barrier { parties, broken: Cell::new(false), spoiled: Cell::new(false), line: WaitList::new() }
    }

    /// Waits until all parties have arrived. Gives this one's place in the round, from 0 on in the order of arrival: the
    /// last one has the highest, and does not wait.
    ///
    /// Who arrives while those of the last round are still leaving takes part in the next.
    ///
    /// # Errors
    ///
    /// [`BrokenBarrier`], if the barrier is reset or aborted while this party is inside, or is broken;
    /// `Cancelled`, if the task is cancelled while it waits.
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped before the round is full, it leaves, and the round waits for another in its place. After
    /// that, the others go on without it. The barrier is not broken by it.
    ///
    /// # asyncio
    ///
    /// `await barrier.wait()`, `async with barrier as position` (BA-2 to BA-5).
    #[track_caller]
    pub fn wait(&self) -> impl Future<Output = Result<usize>> + Unpin {
        Turn::new(self, Arrival, |_, place| Ok(place?))
    }

    /// Makes a new beginning: all who are inside get an error, and when they have left, the barrier is as it was made.
    ///
    /// It does not wait for them; who arrives in the meantime does.
    ///
    /// # asyncio
    ///
    /// `await barrier.reset()`, which may have to wait for a lock (BA-6, BA-7).
    pub fn reset(&self) {
        self.broken.set(false);
        match self.line.granted() {
            0 => self.expel(),
            _ => self.spoiled.set(true),
        }
    }

    /// Breaks the barrier: all who are inside, and all who arrive from now on, get an error, until it is reset.
    ///
    /// # asyncio
    ///
    /// `await barrier.abort()`, which may have to wait for a lock (BA-8).
    pub fn abort(&self) {
        self.broken.set(true);
        self.expel();
    }

    /// How many parties a round takes.
    pub fn parties(&self) -> usize {
        self.parties
    }

    /// How many have arrived and wait for the rest; 0 in any other phase than filling.
    ///
    /// # asyncio
    ///
    /// `barrier.n_waiting` (BA-9).
    pub fn n_waiting(&self) -> usize {
        if self.phase() == Phase::Filling { self.line.waiting() } else { 0 }
    }

    /// Whether it was aborted, and not reset since.
    ///
    /// # asyncio
    ///
    /// `barrier.broken` (BA-9).
    pub fn is_broken(&self) -> bool {
        self.broken.get()
    }

    fn phase(&self) -> Phase {
        match () {
            () if self.broken.get() => Phase::Broken,
            () if self.line.granted() == 0 => Phase::Filling,
            () if self.spoiled.get() => Phase::Resetting,
            () => Phase::Draining,
        }
    }

    /// Sends away all who are inside.
    fn expel(&self) {
        self.spoiled.set(true);
        while self.line.grant(0) {}
        self.line.ring();
    }

    /// Lets the first `parties` in line go on.
    fn open(&self, parties: usize) {
        self.spoiled.set(false);
        for place in 0..parties {
            let granted = self.line.grant(place);
            debug_assert!(granted, "a round is opened when it is full");
        }
        self.line.ring();
    }

    /// One who was inside has left. After the last one, those who came in the meantime are the next round.
    fn leave(&self) {
        if self.phase() == Phase::Filling && self.line.waiting() >= self.parties {
            self.open(self.parties);
        }
    }
}

struct Arrival;

impl Claim<Barrier> for Arrival {
    type Note = usize;
    type Gain = Result<usize, BrokenBarrier>;

    fn line(barrier: &Barrier) -> &WaitList<usize> {
        &barrier.line
    }

    fn awaited(_: &Barrier, line: u64) -> Awaiting {
        Awaiting::Barrier(line)
    }

    fn note(&self) -> usize {
        0
    }

    fn take_at_once(&mut self, barrier: &Barrier, _: At) -> Option<Self::Gain> {
        let others = barrier.parties - 1;
        match barrier.phase() {
            Phase::Broken => Some(Err(BrokenBarrier)),
            Phase::Filling if barrier.line.waiting() == others => {
                barrier.open(others);
                Some(Ok(others))
            }
            Phase::Filling | Phase::Draining | Phase::Resetting => None,
        }
    }

    fn collect(&mut self, barrier: &Barrier, place: usize, _: At) -> Self::Gain {
        let spoiled = barrier.spoiled.get();
        barrier.leave();
        if spoiled { Err(BrokenBarrier) } else { Ok(place) }
    }

    fn left(&mut self, barrier: &Barrier, _: Left<usize>) {
        barrier.leave();
    }
}

impl Awaitable for Barrier {
    fn target(&self) -> Target {
        Target::thing("Barrier", [number_of(&self.line)])
    }
}

impl fmt::Debug for Barrier {
    /// `Barrier [filling, waiters: 1/3]` (TK-14).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = match self.phase() {
            Phase::Filling => "filling",
            Phase::Draining => "draining",
            Phase::Resetting => "resetting",
            Phase::Broken => "broken",
        };
        write!(f, "Barrier [{phase}, waiters: {}/{}]", self.n_waiting(), self.parties)
    }
}

/// The barrier was reset or aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenBarrier;

impl fmt::Display for BrokenBarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the barrier is broken: it was reset or aborted")
    }
}

impl std::error::Error for BrokenBarrier {}
