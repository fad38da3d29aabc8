//! Lent futures: how a task's row gets along with a future that borrows, and may be gone before it.
//!
//! A row outlives any stack frame, so it must not hold a future that borrows from one. It holds a stand-in, and the
//! future stays with its driver. What the two share is the *seat*:
//!
//! ```text
//!   executor                             │ seat                    │ the driver's frame
//!   row ─► cell: stand-in ───────────────┼─► lent: [ ● │ ● │ … ] ──┼─► future ─ ─ ─► what it borrows
//!    its turn: "you are called" ─────────┼─► called: row, row, … ──┼─► is polled, now that it is called
//!                                        │ waker ◄─────────────────┼── whoever polls the driver
//! ```
//!
//! Invariant (only-when-driven): the seat touches what was lent only while it is *taken*, that is, while a poll or the
//! drop of the driver's future is further up on this stack. That future's type has the lifetime of all that is lent, so
//! the frame is there. A driver that is forgotten is never polled again: its seat is never taken again, and what was lent
//! is leaked, with the row as a task that never ends.
//!
//! | from    | on                          | to      | then                                           |
//! |---------|-----------------------------|---------|------------------------------------------------|
//! | Free    | `drive`                     | Away    | tasks can be spawned                           |
//! | Away    | the drive is polled         | Driving | poll the body, then the tasks that were called |
//! | Driving | that poll returns           | Away    | nothing                                        |
//! | Driving | the body has ended          | Leaving | drop the body, abort the tasks that are left   |
//! | Away    | the drive is dropped        | Leaving | the same                                       |
//! | Leaving | all of them are gone        | Closed  | nothing is spawned any more                    |
//!
//! The seat is taken in `Driving` and `Leaving`.

use super::life;
use super::reference::home;
use super::row::{Flag, Row, Stage};
use crate::context;
use crate::error::{Cancelled, Result};
use slab::Slab;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

/// Where a driver stands. See the [table](self).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Free,
    Away,
    Driving,
    Leaving,
    Closed,
}

/// A future that borrows, and what came of it, in memory of their own.
pub(super) struct Lent<F, T> {
    /// Pinned: never moved, and dropped in place.
    future: RefCell<Option<F>>,
    value: Cell<Option<T>>,
}

impl<F, T> Lent<F, T> {
    pub(super) fn new(future: F) -> Rc<Self> {
        Rc::new(Lent { future: RefCell::new(Some(future)), value: Cell::new(None) })
    }
}

/// A lent future, without its type.
trait Borrower {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<()>>;
    fn drop_future(&self);
}

impl<F: Future<Output = Result<T>>, T> Borrower for Lent<F, T> {
    /// Leaves the value here: only the error is the row's.
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let mut future = self.future.borrow_mut();
        // SAFETY: a `Lent` is in an `Rc` from the beginning, never moved out of it, and the future in it only ever
        // dropped where it is.
        let mut future = unsafe { Pin::new_unchecked(&mut *future) };
        let output = ready!(future.as_mut().as_pin_mut().expect("a row without a future is done").poll(cx));
        future.set(None);
        Poll::Ready(output.map(|value| self.value.set(Some(value))))
    }

    fn drop_future(&self) {
        // In place, also if the destructor panics.
        *self.future.borrow_mut() = None;
    }
}

/// The value of a lent future that has ended, without the future's type.
pub(super) trait Value<T> {
    fn take(&self) -> Option<T>;
}

impl<F, T> Value<T> for Lent<F, T> {
    fn take(&self) -> Option<T> {
        self.value.take()
    }
}

/// A place among the lent: whose future it is, and the future, its lifetime forgotten.
struct Place {
    row: u64,
    /// Not dropped with the seat: should the driver have been forgotten, it must not be touched any more.
    future: ManuallyDrop<Rc<dyn Borrower>>,
}

/// See the [module](self).
pub(super) struct Seat {
    phase: Cell<Phase>,
    lent: RefCell<Slab<Place>>,
    /// The tasks whose turn has come.
    called: RefCell<VecDeque<u64>>,
    /// What polls the driver.
    waker: RefCell<Option<Waker>>,
}

impl Seat {
    pub(super) fn new() -> Rc<Seat> {
        Rc::new(Seat {
            phase: Cell::new(Phase::Free),
            lent: RefCell::default(),
            called: RefCell::default(),
            waker: RefCell::new(None),
        })
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase.get()
    }

    pub(super) fn set_phase(&self, phase: Phase) {
        self.phase.set(phase);
    }

    /// Whether what is lent may be touched (only-when-driven).
    pub(super) fn is_taken(&self) -> bool {
        matches!(self.phase.get(), Phase::Driving | Phase::Leaving)
    }

    /// How many tasks have not ended.
    pub(super) fn len(&self) -> usize {
        self.lent.borrow().len()
    }

    /// Takes a future, and gives a stand-in for it. [`Seat::name_row`] then says whose it is.
    ///
    /// # Safety
    ///
    /// All that the future and its value borrow must be alive whenever the seat is taken.
    pub(super) unsafe fn lend<'a, F, T>(self: &Rc<Self>, future: Rc<Lent<F, T>>) -> StandIn
    where
        F: Future<Output = Result<T>> + 'a,
        T: 'a,
    {
        let future: Rc<dyn Borrower + 'a> = future;
        // SAFETY: the two types differ in the lifetime only, which the invariant (only-when-driven) stands in for; the
        // caller sees to its other half.
        let future = unsafe { std::mem::transmute::<Rc<dyn Borrower + 'a>, Rc<dyn Borrower>>(future) };
        let place = Place { row: 0, future: ManuallyDrop::new(future.clone()) };
        let key = self.lent.borrow_mut().insert(place);
        StandIn { future: ManuallyDrop::new(future), seat: self.clone(), key }
    }

    /// Says whose future it is that was lent under this key.
    pub(super) fn name_row(&self, key: usize, row: &Row) {
        if let Some(place) = self.lent.borrow_mut().get_mut(key) {
            place.row = row.id();
        }
    }

    /// A task's turn has come. Gives what the caller has to wake for that.
    #[must_use]
    pub(super) fn call(&self, row: &Row) -> Option<Waker> {
        let mut called = self.called.borrow_mut();
        called.push_back(row.id());
        // While it is being polled, the driver looks for itself.
        if called.len() == 1 && !self.is_taken() { self.waker.borrow().clone() } else { None }
    }

    /// How many tasks wait to be polled.
    pub(super) fn called(&self) -> usize {
        self.called.borrow().len()
    }

    /// Who is to be woken when a task's turn has come.
    pub(super) fn watch(&self, waker: &Waker) {
        if !self.waker.borrow().as_ref().is_some_and(|known| known.will_wake(waker)) {
            let waker = waker.clone();
            let replaced = self.waker.replace(Some(waker));
            drop(replaced);
        }
    }

    /// Polls so many of the tasks that were called, or as many as are due to one driver; the rest stays in line.
    pub(super) fn poll_called(&self, batch: usize) {
        let share = context::with(|core| core.map_or(u32::MAX, |core| core.driven_share()));
        for _ in 0..batch.min(share as usize) {
            let Some(row) = self.next_called() else { break };
            // Usually the running runtime; but a future can be moved to where another one runs, or none.
            let core = home(row);
            core.inside(|| core.poll_driven(row));
        }
    }

    fn next_called(&self) -> Option<&'static Row> {
        let mut called = self.called.borrow_mut();
        // Those of a runtime that is gone are passed over.
        std::iter::from_fn(|| called.pop_front()).find_map(Row::current)
    }

    /// Drops a future in its place, if it may be touched; otherwise that is left to the driver.
    fn give_back(&self, key: usize) {
        if !self.is_taken() {
            return;
        }
        if let Some(place) = self.lent.borrow_mut().try_remove(key) {
            let future = ManuallyDrop::into_inner(place.future);
            life::contain(|| future.drop_future());
            life::contain(|| drop(future));
        }
    }

    /// Ends every task that is left. The seat is taken.
    pub(super) fn abort_all(&self, why: &Cancelled) {
        debug_assert_eq!(self.phase(), Phase::Leaving);
        let left: Vec<_> = self.lent.borrow().iter().map(|(key, place)| (key, place.row)).collect();
        for (key, row) in left {
            if let Some(row) = Row::current(row) {
                home(row).abort(row, why);
            }
            // Still there if its task ended before, with its runtime.
            self.give_back(key);
        }
        while let Some(row) = self.next_called() {
            home(row).leave_line(row);
        }
        let waker = self.waker.take();
        drop(waker);
    }
}

impl std::fmt::Debug for Seat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seat")
            .field("phase", &self.phase())
            .field("tasks", &self.len())
            .finish_non_exhaustive()
    }
}

/// What a driven task's cell has in the place of its future.
pub(super) struct StandIn {
    /// The seat has it, too, and goes on having it if it must not be touched when the stand-in goes.
    future: ManuallyDrop<Rc<dyn Borrower>>,
    seat: Rc<Seat>,
    key: usize,
}

impl StandIn {
    pub(super) fn key(&self) -> usize {
        self.key
    }

    /// Calls `f` with the seat of a driven task's driver. `f` must not end the task.
    pub(super) fn with_seat<R>(row: &Row, f: impl FnOnce(&Seat) -> R) -> R {
        debug_assert!(row.is(Flag::Driven) && row.stage.get() == Stage::Future);
        // SAFETY: a driven task's cell is one for a `StandIn`, with the content at offset zero; its stage is `Future`, for
        // the callers have seen that it has not ended; and it does not change as long as the reference is there.
        f(unsafe { &(*row.cell.get().cast::<StandIn>()).seat })
    }
}

impl Future for StandIn {
    type Output = Result<()>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        assert!(self.seat.is_taken(), "only-when-driven: a driven task is polled by its driver alone");
        self.future.poll(cx)
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        // SAFETY: it is not used again. And it is not the last: nobody but `give_back` takes the seat's away.
        unsafe { ManuallyDrop::drop(&mut self.future) };
        self.seat.give_back(self.key);
    }
}
