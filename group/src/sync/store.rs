//! The store: items on their way from those who put to those who get. What queues and channels are made of.
//!
//! ```text
//!   putters                        store                               getters
//!   [ d ─ c ]      [ slot kept for b | 4 | 3 | 2 | 1 ]       [ x: an item is kept for it ] [ y ─ z ]
//!     └ wait for a slot     reserved 1    items 4                 claimed 1              └ wait for an item
//! ```
//!
//! What is kept for a waiter is not an item but *an* item, or *a* slot: it takes the next there is when it runs. So items
//! come out in their order whoever is cancelled in between, and an item that nobody took has never left its place.
//!
//! Invariants:
//! * (nothing-idle) nobody waits for an item while one is there that is kept for nobody; nor for a slot, likewise.
//! * (kept) `claimed` ≤ items, and items + `reserved` ≤ capacity, unless the store was emptied by `close_now`.
//!
//! | phase | put, newcomer or waiter          | get                                             | leaves by           |
//! |-------|----------------------------------|-------------------------------------------------|---------------------|
//! | Open  | in its turn                      | in its turn                                     | `close`             |
//! | Shut  | refused, also if a slot was kept | in its turn, until the store is empty: refused  |                     |

use super::order::Order;
use super::turn::{At, Claim};
use super::wait_list::{Left, WaitList};
use homing_executor::cancel::Awaiting;
use std::cell::{Cell, RefCell};

pub(super) struct Store<O> {
    items: RefCell<O>,
    capacity: usize,
    /// What a wait for it is called.
    awaited: fn(u64) -> Awaiting,
    shut: Cell<bool>,
    /// Items that are kept for getters whose turn has come.
    claimed: Cell<usize>,
    /// Slots that are kept for putters whose turn has come, or that hold a reservation.
    reserved: Cell<usize>,
    pub(super) getters: WaitList<Kept>,
    pub(super) putters: WaitList<Kept>,
}

/// What a waiter finds when its turn has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// An item, or a slot, is kept for it.
    One,
    /// There is none, and never will be.
    Nothing,
}

/// The store was shut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shut;

/// Why something could not be done at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotNow {
    /// It would have to wait.
    Wait,
    /// It never will be.
    Shut,
}

impl<O: Order> Store<O> {
    pub(super) fn new(capacity: usize, awaited: fn(u64) -> Awaiting) -> Store<O> {
        Store {
            items: RefCell::default(),
            capacity,
            awaited,
            shut: Cell::new(false),
            claimed: Cell::new(0),
            reserved: Cell::new(0),
            getters: WaitList::new(),
            putters: WaitList::new(),
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(super) fn len(&self) -> usize {
        self.items.borrow().count()
    }

    pub(super) fn is_shut(&self) -> bool {
        self.shut.get()
    }

    /// A newcomer takes an item that is kept for nobody.
    pub(super) fn try_get(&self) -> Result<O::Item, NotNow> {
        if self.len() > self.claimed.get() {
            return Ok(self.pop().expect("there are more items than are claimed"));
        }
        // As long as there is an item that somebody may yet give up, a shut store is not empty.
        Err(if self.is_shut() && self.len() == 0 { NotNow::Shut } else { NotNow::Wait })
    }

    /// A newcomer reserves a slot that is kept for nobody.
    pub(super) fn try_reserve(&self) -> Result<(), NotNow> {
        if self.is_shut() {
            Err(NotNow::Shut)
        } else if self.has_free_slot() {
            self.reserved.set(self.reserved.get() + 1);
            Ok(())
        } else {
            Err(NotNow::Wait)
        }
    }

    fn has_free_slot(&self) -> bool {
        self.len() + self.reserved.get() < self.capacity
    }

    /// Puts an item into a slot that was reserved.
    pub(super) fn fill(&self, item: O::Item) {
        self.reserved.set(self.reserved.get() - 1);
        self.items.borrow_mut().push(item);
        self.serve();
    }

    /// Gives up a slot that was reserved.
    pub(super) fn give_up_slot(&self) {
        self.reserved.set(self.reserved.get() - 1);
        self.serve();
    }

    fn pop(&self) -> Option<O::Item> {
        let item = self.items.borrow_mut().pop();
        self.serve();
        item
    }

    /// No more puts. Gets go on until the store is empty.
    pub(super) fn close(&self) {
        self.shut.set(true);
        self.serve();
    }

    /// No more puts, and no more gets: returns what was left.
    pub(super) fn close_now(&self) -> O {
        self.shut.set(true);
        self.claimed.set(0);
        let items = self.items.take();
        self.serve();
        items
    }

    /// Upholds nothing-idle.
    fn serve(&self) {
        loop {
            let kept = match self.len() {
                items if items > self.claimed.get() => Kept::One,
                0 if self.is_shut() => Kept::Nothing,
                _ => break,
            };
            if !self.getters.grant(kept) {
                break;
            }
            if kept == Kept::One {
                self.claimed.set(self.claimed.get() + 1);
            }
        }
        if self.is_shut() {
            while self.putters.grant(Kept::Nothing) {}
        } else {
            while self.has_free_slot() && self.putters.grant(Kept::One) {
                self.reserved.set(self.reserved.get() + 1);
            }
        }
        self.getters.ring();
        self.putters.ring();
    }

    fn unclaim(&self) {
        // It is zero already if the store has been emptied since the claim.
        self.claimed.set(self.claimed.get().saturating_sub(1));
    }
}

/// The claim on an item.
pub(super) struct AnItem;

impl<O: Order> Claim<Store<O>> for AnItem {
    type Note = Kept;
    type Gain = Result<O::Item, Shut>;

    fn line(store: &Store<O>) -> &WaitList<Kept> {
        &store.getters
    }

    fn awaited(store: &Store<O>, line: u64) -> Awaiting {
        (store.awaited)(line)
    }

    fn note(&self) -> Kept {
        Kept::Nothing
    }

    fn take_at_once(&mut self, store: &Store<O>, _: At) -> Option<Result<O::Item, Shut>> {
        match store.try_get() {
            Ok(item) => Some(Ok(item)),
            Err(NotNow::Shut) => Some(Err(Shut)),
            Err(NotNow::Wait) => None,
        }
    }

    fn collect(&mut self, store: &Store<O>, kept: Kept, _: At) -> Result<O::Item, Shut> {
        match kept {
            Kept::One => {
                store.unclaim();
                store.pop().ok_or(Shut)
            }
            Kept::Nothing => Err(Shut),
        }
    }

    fn left(&mut self, store: &Store<O>, left: Left<Kept>) {
        if left == Left::Granted(Kept::One) {
            store.unclaim();
            store.serve();
        }
    }
}

/// The claim on a slot. Who gains it has reserved it.
pub(super) struct ASlot;

impl<O: Order> Claim<Store<O>> for ASlot {
    type Note = Kept;
    type Gain = Result<(), Shut>;

    fn line(store: &Store<O>) -> &WaitList<Kept> {
        &store.putters
    }

    fn awaited(store: &Store<O>, line: u64) -> Awaiting {
        (store.awaited)(line)
    }

    fn note(&self) -> Kept {
        Kept::Nothing
    }

    fn take_at_once(&mut self, store: &Store<O>, _: At) -> Option<Result<(), Shut>> {
        match store.try_reserve() {
            Ok(()) => Some(Ok(())),
            Err(NotNow::Shut) => Some(Err(Shut)),
            Err(NotNow::Wait) => None,
        }
    }

    fn collect(&mut self, store: &Store<O>, kept: Kept, _: At) -> Result<(), Shut> {
        match kept {
            Kept::One if !store.is_shut() => Ok(()),
            // A slot that was kept is void when the store is shut in the meantime (QU-12).
            Kept::One => {
                store.give_up_slot();
                Err(Shut)
            }
            Kept::Nothing => Err(Shut),
        }
    }

    fn left(&mut self, store: &Store<O>, left: Left<Kept>) {
        if left == Left::Granted(Kept::One) {
            store.give_up_slot();
        }
    }
}
