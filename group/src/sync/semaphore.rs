//! Semaphores: so many at a time, in the order of asking.
//!
//! A permit that is released goes to the first in line at once: the value is lowered when it is granted, not when the
//! waiter runs, so nobody can snatch it in between (SE-3).
//!
//! ```text
//!   value 2 ──acquire──► value 1 ──acquire──► value 0 ──acquire──► in line
//!                                                ▲                   │ granted: the value stays 0
//!                  release: value + 1 ───────────┴───────────────────┘
//! ```
//!
//! Invariant (somebody-is-woken): if as many permits are free as the first in line wants, somebody ahead of it has been
//! granted his and has not run yet; when he runs, or leaves, the line is served (SE-5).

use super::guarded::Guarded;
use super::holdings::{Holdings, Place};
use super::permit::{OwnedPermit, Permit};
use super::turn::{At, Claim, Instead, Turn};
use super::wait_list::{Left, WaitList, Who};
use homing_executor::cancel::Awaiting;
use homing_executor::error::Result;
use homing_executor::holders::{Board, Holder, Posted};
use homing_executor::introspect::{Awaitable, Target};
use std::cell::Cell;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

/// So many permits, to be acquired and released.
///
/// Fair: who came first is served first, also if it wants more permits than are free and somebody behind it would be
/// content with fewer.
///
/// # asyncio
///
/// `asyncio.Semaphore` (SE-1 to SE-9).
///
/// ```
/// use homing::sync::Semaphore;
/// use homing::{sleep, task_group};
/// use std::{rc::Rc, time::Duration};
///
/// homing::run(async {
///     let two_at_a_time = Rc::new(Semaphore::new(2));
///     let begin = homing::Instant::now();
///     task_group(async |tg| {
///         for _ in 0..4 {
///             let semaphore = two_at_a_time.clone();
///             tg.spawn(async move {
///                 let _permit = semaphore.acquire().await?;
///                 sleep(Duration::from_millis(2)).await
///             });
///         }
///         Ok(())
///     })
///     .await?;
///     assert!(begin.elapsed() >= Duration::from_millis(4));
///     Ok(())
/// })
/// # .unwrap();
/// ```
pub struct Semaphore {
    value: Cell<usize>,
    /// What the value must not exceed: of interest to [`BoundedSemaphore`](super::BoundedSemaphore).
    pub(super) bound: usize,
    /// With each stands how many permits it wants.
    line: WaitList<usize>,
    /// Who has permits.
    holdings: Holdings,
    board: Board,
}

/// Permits that were taken, and under which place in the holdings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    pub(super) permits: usize,
    pub(super) place: Place,
}

impl Semaphore {
    /// A semaphore with so many free permits. With none it is legal, and locked (SE-1).
    pub const fn new(permits: usize) -> Semaphore {
        Semaphore::with_bound(permits, usize::MAX)
    }

    /// One that never has more of them.
    pub(super) const fn bounded(permits: usize) -> Semaphore {
        Semaphore::with_bound(permits, permits)
    }

    const fn with_bound(permits: usize, bound: usize) -> Semaphore {
        Semaphore {
            value: Cell::new(permits),
            bound,
            line: WaitList::new(),
            holdings: Holdings::new(),
            board: Board::new(),
        }
    }

    /// Waits for a permit, until everybody who came before has been served.
    ///
    /// # Errors
    ///
    /// `Cancelled`, if the task is cancelled while it waits. There is no wait if a permit is free and nobody is in line.
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped, it gives up its place in the line, and a permit that was kept for it goes to the next.
    ///
    /// # asyncio
    ///
    /// `async with semaphore`; for `await semaphore.acquire()` without a block, [`forget`](Permit::forget) the permit
    /// (SE-2 to SE-8).
    #[track_caller]
    pub fn acquire(&self) -> impl Future<Output = Result<Permit<'_>>> + Unpin {
        self.acquire_many(1)
    }

    /// Waits for so many permits at once.
    ///
    /// It waits for as long as they are not there, be it for ever; and who comes later waits behind it.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Semaphore::acquire).
    ///
    /// # Cancel safety
    ///
    /// As [`acquire`](Semaphore::acquire).
    #[track_caller]
    pub fn acquire_many(&self, permits: usize) -> impl Future<Output = Result<Permit<'_>>> + Unpin {
        let claim = Permits { wanted: permits, guarded: Guarded::Borrowed };
        Turn::new(self, claim, |semaphore, taken| Ok(Permit::adopt(semaphore, taken)))
    }

    /// As [`acquire_many`](Semaphore::acquire_many), with a permit that has no lifetime and keeps the semaphore alive.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Semaphore::acquire).
    ///
    /// # Cancel safety
    ///
    /// As [`acquire`](Semaphore::acquire).
    #[track_caller]
    pub fn acquire_owned(
        self: &Rc<Self>,
        permits: usize,
    ) -> impl Future<Output = Result<OwnedPermit>> + Unpin + use<> {
        let claim = Permits { wanted: permits, guarded: Guarded::Owned };
        Turn::new(self.clone(), claim, |semaphore, taken| Ok(OwnedPermit::adopt(semaphore.clone(), taken)))
    }

    /// A permit, if one is free and nobody waits.
    #[track_caller]
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        self.try_acquire_many(1)
    }

    /// So many permits, if they are free and nobody waits.
    #[track_caller]
    pub fn try_acquire_many(&self, permits: usize) -> Option<Permit<'_>> {
        self.take_now(permits, Guarded::Borrowed).map(|taken| Permit::adopt(self, taken))
    }

    /// As [`try_acquire_many`](Semaphore::try_acquire_many), with a permit that has no lifetime.
    #[track_caller]
    pub fn try_acquire_owned(self: &Rc<Self>, permits: usize) -> Option<OwnedPermit> {
        self.take_now(permits, Guarded::Owned).map(|taken| OwnedPermit::adopt(self.clone(), taken))
    }

    /// Adds a permit: one that was [forgotten](Permit::forget) comes back, or there is one more from now on.
    ///
    /// A plain call: it does not suspend, and is allowed from anywhere. The first in line has the permit when it returns.
    ///
    /// # asyncio
    ///
    /// `semaphore.release()` (SE-3, SE-4, SE-9).
    pub fn release(&self) {
        self.add_permits(1);
    }

    /// Adds so many permits.
    ///
    /// # Panics
    ///
    /// If there were more of them than a `usize` can count.
    pub fn add_permits(&self, permits: usize) {
        let value = self.value.get().checked_add(permits);
        self.value.set(value.expect("there are more permits than can be counted"));
        self.serve();
    }

    /// How many permits are free. What is kept for somebody in line is not.
    pub fn available_permits(&self) -> usize {
        self.value.get()
    }

    /// Whether `acquire` would have to wait: no permit is free, or somebody is in line.
    ///
    /// # asyncio
    ///
    /// `semaphore.locked()` (SE-2).
    pub fn is_locked(&self) -> bool {
        self.value.get() == 0 || !self.line.is_empty()
    }

    #[track_caller]
    fn take_now(&self, permits: usize, guarded: Guarded) -> Option<Taken> {
        let here = Location::caller();
        self.take(permits).then(|| self.note_holder(guarded.holder(here), permits))
    }

    /// Who has these permits from now on.
    #[inline]
    fn note_holder(&self, holder: Holder, permits: usize) -> Taken {
        let place = self.holdings.enter(holder, permits);
        if self.board.is_up() {
            self.post();
        }
        Taken { permits, place }
    }

    /// Says who has permits, if anybody wants to know.
    #[cold]
    fn post(&self) {
        if self.line.is_empty() {
            return;
        }
        let kept = |(who, permits): (Who, usize)| Posted {
            holder: Holder::of(who.task, who.place),
            permits: u32::try_from(permits).unwrap_or(u32::MAX),
            kept: true,
        };
        self.line.with_kept(|those| {
            self.board.post(self.holdings.known().chain(those.map(kept)), self.holdings.beside());
        });
    }

    fn take(&self, permits: usize) -> bool {
        let free = self.line.is_empty() && self.value.get() >= permits;
        if free {
            self.value.set(self.value.get() - permits);
        }
        free
    }

    /// Takes back the permits of a dropped guard.
    pub(super) fn take_back(&self, taken: Taken) {
        self.holdings.leave(taken.place, taken.permits);
        // Nothing at all helps nobody.
        if taken.permits > 0 {
            self.give_back(taken.permits);
        }
    }

    /// The permits of a guard are kept for good.
    pub(super) fn forget(&self, taken: Taken) {
        self.holdings.leave(taken.place, taken.permits);
        if self.board.is_up() {
            self.post();
        }
    }

    /// Those beyond the bound, which somebody has released already, are void.
    fn give_back(&self, permits: usize) {
        self.value.set(self.value.get().saturating_add(permits).min(self.bound));
        self.serve();
    }

    /// Grants those in line what they want, for as long as it is there.
    fn serve(&self) {
        if self.line.is_empty() {
            return;
        }
        while let Some(wanted) = self.line.first().filter(|wanted| *wanted <= self.value.get()) {
            self.value.set(self.value.get() - wanted);
            self.line.grant(wanted);
        }
        self.post();
        self.line.ring_with_notice(Awaiting::Semaphore(self.board.number()));
    }
}

/// The claim on so many permits.
struct Permits {
    wanted: usize,
    guarded: Guarded,
}

impl Claim<Semaphore> for Permits {
    type Note = usize;
    type Gain = Taken;

    fn line(semaphore: &Semaphore) -> &WaitList<usize> {
        &semaphore.line
    }

    fn awaited(semaphore: &Semaphore, _: u64) -> Awaiting {
        Awaiting::Semaphore(semaphore.board.number())
    }

    fn note(&self) -> usize {
        self.wanted
    }

    fn take_at_once(&mut self, semaphore: &Semaphore, at: At) -> Option<Taken> {
        let wanted = self.wanted;
        semaphore.take(wanted).then(|| semaphore.note_holder(self.guarded.holder(at), wanted))
    }

    fn collect(&mut self, semaphore: &Semaphore, kept: usize, at: At) -> Taken {
        // somebody-is-woken: this was he, perhaps.
        semaphore.serve();
        semaphore.note_holder(self.guarded.holder(at), kept)
    }

    fn awaited_for(&self, semaphore: &Semaphore) {
        semaphore.post();
    }

    /// If it wants more than there is with that, what is missing has to be waited for.
    fn instead(&self, semaphore: &Semaphore, kept: usize) -> Instead<usize> {
        let there = semaphore.value.get() + kept;
        match there.checked_sub(self.wanted) {
            Some(rest) => {
                semaphore.value.set(rest);
                Instead::Has(self.wanted)
            }
            None => {
                semaphore.value.set(there);
                Instead::First
            }
        }
    }

    fn left(&mut self, semaphore: &Semaphore, left: Left<usize>) {
        match left {
            Left::Granted(kept) => semaphore.give_back(kept),
            // It may have wanted more than is free, and those behind it less.
            Left::Waiting => semaphore.serve(),
        }
    }
}

impl Awaitable for Semaphore {
    fn target(&self) -> Target {
        Target::thing("Semaphore", [self.board.number()])
    }
}

impl Default for Semaphore {
    /// With one permit, as in asyncio.
    fn default() -> Self {
        Semaphore::new(1)
    }
}

impl fmt::Debug for Semaphore {
    /// `Semaphore [unlocked, value: 3]`, `Semaphore [locked, waiters: 2]` (TK-14).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Semaphore [")?;
        self.write_state(f)
    }
}

impl Semaphore {
    pub(super) fn write_state(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_locked() {
            true => f.write_str("locked")?,
            false => write!(f, "unlocked, value: {}", self.value.get())?,
        }
        self.line.write_waiters(f)?;
        f.write_str("]")
    }
}
