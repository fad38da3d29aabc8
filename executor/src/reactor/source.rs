//! A source: one descriptor that the reactor listens to, and who waits for it.
//!
//! Readiness is edge-triggered: the kernel reports a change once, and the source remembers it until somebody finds out
//! that it is no longer true (`WouldBlock`). So the way to use one is: try first; on `WouldBlock` clear the direction,
//! stand in line, and be woken by the next edge.
//!
//! ```text
//!            edge from the kernel                  WouldBlock
//!   waiting ──────────────────────► ready (assumed) ──────────► waiting
//!              wakes all in line                     clear()
//! ```

use slab::Slab;
use std::cell::{Cell, RefCell};
use std::task::Waker;

/// See the [module](self).
pub(crate) struct Source {
    key: usize,
    pub(crate) read: Direction,
    pub(crate) write: Direction,
}

/// One direction of a source.
pub(crate) struct Direction {
    /// Whether trying may be worth it. True at first: nobody has tried yet.
    ready: Cell<bool>,
    waiters: RefCell<Slab<Waker>>,
}

impl Source {
    pub(super) fn new(key: usize) -> Source {
        Source { key, read: Direction::new(), write: Direction::new() }
    }

    pub(super) fn key(&self) -> usize {
        self.key
    }

    /// The kernel has reported a change. Errors and hang-ups concern both directions: the next try tells.
    pub(super) fn notice(&self, event: &mio::event::Event, woken: &mut Vec<Waker>) {
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.read.set_ready(woken);
        }
        if event.is_writable() || event.is_write_closed() || event.is_error() {
            self.write.set_ready(woken);
        }
    }
}

impl Direction {
    fn new() -> Direction {
        Direction { ready: Cell::new(true), waiters: RefCell::new(Slab::new()) }
    }

    fn set_ready(&self, woken: &mut Vec<Waker>) {
        self.ready.set(true);
        // They stay in line until they have looked: who was woken may be cancelled before, or lose the race.
        woken.extend(self.waiters.borrow().iter().map(|(_, waker)| waker.clone()));
    }

    #[inline]
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.get()
    }

    /// A try has found that there is nothing to be had.
    #[inline]
    pub(crate) fn clear(&self) {
        self.ready.set(false);
    }

    /// Stands in line, or, with the place from the last time, stays there.
    pub(crate) fn wait(&self, place: &mut Option<usize>, waker: &Waker) {
        let mut waiters = self.waiters.borrow_mut();
        let replaced = match place.and_then(|place| waiters.get_mut(place)) {
            Some(standing) if standing.will_wake(waker) => None,
            Some(standing) => Some(std::mem::replace(standing, waker.clone())),
            None => {
                *place = Some(waiters.insert(waker.clone()));
                None
            }
        };
        drop(waiters);
        drop(replaced);
    }

    /// Leaves the line.
    pub(crate) fn leave(&self, place: &mut Option<usize>) {
        if let Some(place) = place.take() {
            let left = self.waiters.borrow_mut().try_remove(place);
            drop(left);
        }
    }
}
