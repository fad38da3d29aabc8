//! What is in a channel between threads, and who may take it.
//!
//! Everything is under one lock, which is held for a few instructions: no waker is called, and nothing of the program's
//! is dropped, while it is.

use super::line::{Left, Line};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// The channel, as its ends hold it.
#[derive(Debug)]
pub(super) struct Shared<T> {
    state: Mutex<State<T>>,
}

/// Invariant (kept): there are at least as many items as receivers that were called, and at least as much room as senders
/// that were called. Nobody else takes what is kept.
#[derive(Debug)]
pub(super) struct State<T> {
    pub(super) items: VecDeque<T>,
    capacity: usize,
    pub(super) senders: usize,
    pub(super) receivers: usize,
    /// Who waits for an item.
    pub(super) getters: Line,
    /// Who waits for room.
    pub(super) putters: Line,
}

/// Who is to be woken once the lock is released.
#[must_use]
#[derive(Debug, Default)]
pub(super) struct Woken {
    first: Option<Waker>,
    others: Vec<Waker>,
}

impl Woken {
    pub(super) fn wake(self) {
        self.first.into_iter().chain(self.others).for_each(Waker::wake);
    }

    fn all(others: Vec<Waker>) -> Woken {
        Woken { first: None, others }
    }
}

impl From<Option<Waker>> for Woken {
    fn from(first: Option<Waker>) -> Woken {
        Woken { first, others: Vec::new() }
    }
}

impl<T> Shared<T> {
    pub(super) fn new(capacity: usize) -> Shared<T> {
        Shared {
            state: Mutex::new(State {
                items: VecDeque::new(),
                capacity,
                senders: 1,
                receivers: 1,
                getters: Line::default(),
                putters: Line::default(),
            }),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing in here panics half way, so poison would mean nothing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    /// Whether there is an item that is kept for nobody.
    pub(super) fn has_free_item(&self) -> bool {
        self.items.len() > self.getters.called()
    }

    /// Whether there is room that is kept for nobody.
    pub(super) fn has_free_room(&self) -> bool {
        self.capacity - self.items.len() > self.putters.called()
    }

    /// Whether nothing is left, and nothing will come. An item that is kept for somebody is left: should he not take it, it
    /// goes to another.
    pub(super) fn is_exhausted(&self) -> bool {
        self.senders == 0 && self.items.is_empty()
    }

    /// Puts an item in, for whoever waits first.
    pub(super) fn push(&mut self, item: T) -> Woken {
        debug_assert!(self.items.len() < self.capacity, "kept: there is room for whoever pushes");
        self.items.push_back(item);
        self.getters.call().into()
    }

    /// Takes an item out; the room goes to whoever waits first. With the last one that there will be, the others hear of
    /// the end.
    pub(super) fn pop(&mut self) -> (T, Woken) {
        let item = self.items.pop_front().expect("kept: there is an item for whoever pops");
        // Without senders nobody waits for room.
        let woken = if self.senders == 0 { self.end_if_exhausted() } else { self.putters.call().into() };
        (item, woken)
    }

    fn end_if_exhausted(&self) -> Woken {
        if self.is_exhausted() { Woken::all(self.getters.wakers()) } else { Woken::default() }
    }

    /// Somebody has left the line of those who wait for an item.
    pub(super) fn getter_left(&mut self, left: Left) -> Woken {
        // With the receivers the items are gone, too, and nothing is left to be handed on.
        match left {
            Left::Called if self.has_free_item() => self.getters.call().into(),
            _ => Woken::default(),
        }
    }

    /// Somebody has left the line of those who wait for room.
    pub(super) fn putter_left(&mut self, left: Left) -> Woken {
        match left {
            Left::Called if self.has_free_room() => self.putters.call().into(),
            _ => Woken::default(),
        }
    }

    pub(super) fn sender_gone(&mut self) -> Woken {
        self.senders -= 1;
        self.end_if_exhausted()
    }

    /// With the last of them go the items that nobody has received.
    pub(super) fn receiver_gone(&mut self) -> (VecDeque<T>, Woken) {
        self.receivers -= 1;
        if self.receivers > 0 {
            return (VecDeque::new(), Woken::default());
        }
        (std::mem::take(&mut self.items), Woken::all(self.putters.wakers()))
    }
}
