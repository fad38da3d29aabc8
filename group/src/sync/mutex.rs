//! The mutex: one at a time, in the order of asking.
//!
//! ```text
//!            lock                     guard dropped: nobody waits
//!   free ───────────► held  ────────────────────────────────────► free
//!    ▲                 ▲  └─ guard dropped: somebody waits ──► free, and kept for the first in line
//!    └─── it leaves ───│──────────────────────────────────────────────┤
//!      and is the last └───────────── it runs, and takes it ──────────┘
//! ```
//!
//! Invariant (one-owner): the value is borrowed, or moved out into an owned guard, only while `held` is true, and
//! `held` belongs to one guard, or to a wait that is about to make one.

use super::guarded::Guarded;
use super::mutex_guard::{MutexGuard, OwnedMutexGuard};
use super::turn::{At, Claim, Instead, Turn};
use super::wait_list::{Left, WaitList, Who};
use homing_executor::cancel::Awaiting;
use homing_executor::error::Result;
use homing_executor::holders::{Board, Holder, Posted};
use homing_executor::introspect::{Awaitable, Target};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

/// A value that one task at a time may use, also across awaits.
///
/// Fair: the guard goes to who has waited longest, and a newcomer never takes it from under a waiter's nose. Not
/// re-entrant: locking it twice in one task waits for ever. It is not poisoned by a panic; the value is as it was left.
///
/// For what is not held across an `.await`, a [`RefCell`] or a [`Cell`] is all one needs on one thread.
///
/// # asyncio
///
/// `asyncio.Lock`, with the data that it guards in it (LK-1 to LK-7).
///
/// ```
/// use homing::sync::Mutex;
/// use homing::{sleep, task_group};
/// use std::{rc::Rc, time::Duration};
///
/// homing::run(async {
///     let total = Rc::new(Mutex::new(0));
///     task_group(async |tg| {
///         for _ in 0..3 {
///             let total = total.clone();
///             tg.spawn(async move {
///                 let mut total = total.lock().await?;
///                 let seen = *total;
///                 sleep(Duration::from_millis(1)).await?;
///                 *total = seen + 1;
///                 Ok(())
///             });
///         }
///         Ok(())
///     })
///     .await?;
///     assert_eq!(*total.lock().await?, 3);
///     Ok(())
/// })
/// # .unwrap();
/// ```
pub struct Mutex<T> {
    held: Cell<bool>,
    line: WaitList<()>,
    /// Who took it last; `None` if nobody ever has.
    holder: Cell<Option<Holder>>,
    board: Board,
    /// `None` while an owned guard has it.
    pub(super) value: RefCell<Option<T>>,
}

impl<T> Mutex<T> {
    /// A mutex that is free. It may be made anywhere, also outside of a runtime.
    pub const fn new(value: T) -> Mutex<T> {
        Mutex {
            held: Cell::new(false),
            line: WaitList::new(),
            holder: Cell::new(None),
            board: Board::new(),
            value: RefCell::new(Some(value)),
        }
    }

    /// Waits until it is free and everybody who came before has had it, and locks it.
    ///
    /// The guard unlocks it when it is dropped. It may be given to another task of the thread.
    ///
    /// # Errors
    ///
    /// `Cancelled`, if the task is cancelled while it waits. A free mutex is locked without waiting.
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped, it gives up its place in the line, and the mutex, if it was kept for it, to the next.
    ///
    /// # asyncio
    ///
    /// `async with lock`, `await lock.acquire()` (LK-1 to LK-5).
    #[track_caller]
    pub fn lock(&self) -> impl Future<Output = Result<MutexGuard<'_, T>>> + Unpin {
        Turn::new(self, Lock(Guarded::Borrowed), |mutex, ()| Ok(MutexGuard::adopt(mutex)))
    }

    /// As [`lock`](Mutex::lock), with a guard that has no lifetime and keeps the mutex alive.
    ///
    /// The value moves into the guard, and back when that is dropped.
    ///
    /// # Errors
    ///
    /// As [`lock`](Mutex::lock).
    ///
    /// # Cancel safety
    ///
    /// As [`lock`](Mutex::lock).
    #[track_caller]
    pub fn lock_owned(self: &Rc<Self>) -> impl Future<Output = Result<OwnedMutexGuard<T>>> + Unpin + use<T> {
        Turn::new(self.clone(), Lock(Guarded::Owned), |mutex, ()| Ok(OwnedMutexGuard::adopt(mutex.clone())))
    }

    /// Locks it if it is free and nobody waits for it.
    #[track_caller]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.take_now(Guarded::Borrowed).then(|| MutexGuard::adopt(self))
    }

    /// As [`try_lock`](Mutex::try_lock), with a guard that has no lifetime.
    #[track_caller]
    pub fn try_lock_owned(self: &Rc<Self>) -> Option<OwnedMutexGuard<T>> {
        self.take_now(Guarded::Owned).then(|| OwnedMutexGuard::adopt(self.clone()))
    }

    /// Whether somebody has it. Between one guard's end and the moment when the next in line runs, nobody has.
    ///
    /// # asyncio
    ///
    /// `lock.locked()` (LK-4).
    pub fn is_locked(&self) -> bool {
        self.held.get()
    }

    /// The value; that nobody else has the mutex is clear from the types.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut().as_mut().expect("one-owner: a guard would hold a reference")
    }

    /// The value, and the end of the mutex.
    pub fn into_inner(self) -> T {
        self.value.into_inner().expect("one-owner: a guard would hold a reference")
    }

    #[track_caller]
    fn take_now(&self, guarded: Guarded) -> bool {
        let taken = self.take();
        if taken {
            self.note_holder(guarded.holder(Location::caller()));
        }
        taken
    }

    /// Who has it from now on.
    #[inline]
    fn note_holder(&self, holder: Holder) {
        self.holder.set(Some(holder));
        if self.board.is_up() {
            self.post();
        }
    }

    /// Says who has it, if anybody wants to know.
    #[cold]
    fn post(&self) {
        let kept = |who: Who| Posted { kept: true, ..Holder::of(who.task, who.place).into() };
        match self.line.len() {
            0 => {}
            _ if self.held.get() => self.board.post_one(self.holder.get().map(Posted::from)),
            // It is kept for the only one who has waited.
            1 => self.board.post_one(None),
            _ => self.board.post_one(self.line.first_kept().map(kept)),
        }
    }

    fn take(&self) -> bool {
        let free = !self.held.get() && self.line.is_empty();
        if free {
            self.held.set(true);
        }
        free
    }

    pub(super) fn unlock(&self) {
        self.held.set(false);
        if !self.line.is_empty() {
            self.serve();
        }
    }

    /// Keeps it for the first in line, if it is free and kept for nobody.
    fn serve(&self) {
        if !self.held.get() && self.line.granted() == 0 && self.line.grant(()) {
            self.post();
            self.line.ring_with_notice(Awaiting::Mutex(self.board.number()));
        }
    }
}

/// The claim on a mutex. It ends with `held` being true, and the caller owning that.
pub(super) struct Lock(pub(super) Guarded);

impl<T> Claim<Mutex<T>> for Lock {
    type Note = ();
    type Gain = ();

    fn line(mutex: &Mutex<T>) -> &WaitList<()> {
        &mutex.line
    }

    fn awaited(mutex: &Mutex<T>, _: u64) -> Awaiting {
        Awaiting::Mutex(mutex.board.number())
    }

    fn note(&self) {}

    fn take_at_once(&mut self, mutex: &Mutex<T>, at: At) -> Option<()> {
        mutex.take().then(|| mutex.note_holder(self.0.holder(at)))
    }

    fn collect(&mut self, mutex: &Mutex<T>, (): (), at: At) {
        debug_assert!(!mutex.held.get(), "one-owner: it was kept for this waiter");
        mutex.held.set(true);
        mutex.note_holder(self.0.holder(at));
    }

    fn awaited_for(&self, mutex: &Mutex<T>) {
        mutex.post();
    }

    fn instead(&self, _: &Mutex<T>, (): ()) -> Instead<()> {
        Instead::Has(())
    }

    fn left(&mut self, mutex: &Mutex<T>, _: Left<()>) {
        mutex.serve();
    }
}

impl<T> Awaitable for Mutex<T> {
    fn target(&self) -> Target {
        Target::thing("Mutex", [self.board.number()])
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Mutex::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Mutex::new(value)
    }
}

impl<T> fmt::Debug for Mutex<T> {
    /// `Mutex [locked, waiters: 2]` (TK-14).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_locked() { "Mutex [locked" } else { "Mutex [unlocked" })?;
        self.line.write_waiters(f)?;
        f.write_str("]")
    }
}
