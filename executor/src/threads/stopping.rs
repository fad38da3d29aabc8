//! The signal by which all hear that the end has come: given once, for good.

use crate::cancel::{Awaiting, Leaf};
use crate::error::Result;
use crate::task::life;
use slab::Slab;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

#[derive(Default)]
pub(super) struct Signal {
    given: AtomicBool,
    /// Who waits, on whatever thread; without a waker, if it has been woken and not come back.
    waiting: Mutex<Slab<Option<Waker>>>,
}

impl Signal {
    pub(super) fn give(&self) {
        let woken: Vec<Waker> = {
            let mut waiting = self.waiting();
            // Under the lock: who looks before this stands in line already, who looks after it sees it.
            self.given.store(true, Ordering::Release);
            waiting.iter_mut().filter_map(|(_, waker)| waker.take()).collect()
        };
        woken.into_iter().for_each(life::wake_foreign);
    }

    pub(super) fn is_given(&self) -> bool {
        self.given.load(Ordering::Acquire)
    }

    #[track_caller]
    pub(super) fn wait(&self) -> Stopping<'_> {
        Stopping { signal: self, place: None, leaf: Leaf::new() }
    }

    fn waiting(&self) -> MutexGuard<'_, Slab<Option<Waker>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Crew::stopping`](super::Crew::stopping).
#[must_use = "futures do nothing unless awaited"]
pub struct Stopping<'a> {
    signal: &'a Signal,
    place: Option<usize>,
    leaf: Leaf,
}

impl Stopping<'_> {
    /// Stands in line, unless the signal has been given in the meantime.
    fn stand(&mut self, waker: Waker) -> Poll<()> {
        let mut waiting = self.signal.waiting();
        if self.signal.is_given() {
            return Poll::Ready(());
        }
        let former = match self.place.and_then(|place| waiting.get_mut(place)) {
            Some(waiter) => waiter.replace(waker),
            None => {
                self.place = Some(waiting.insert(Some(waker)));
                None
            }
        };
        drop(waiting);
        drop(former);
        Poll::Pending
    }

    fn leave(&mut self) {
        if let Some(place) = self.place.take() {
            let left = self.signal.waiting().try_remove(place);
            drop(left);
        }
    }
}

impl Future for Stopping<'_> {
    type Output = Result<()>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        if let Err(cancelled) = this.leaf.resume() {
            this.leave();
            return Poll::Ready(Err(cancelled.into()));
        }
        if this.signal.is_given() {
            this.leaf.unpark();
            return Poll::Ready(Ok(()));
        }
        if let Err(cancelled) =
            this.leaf.park(cx, Awaiting::Event(std::ptr::from_ref(this.signal).addr() as u64))
        {
            this.leave();
            return Poll::Ready(Err(cancelled.into()));
        }
        this.stand(cx.waker().clone()).map(|()| {
            this.leaf.unpark();
            Ok(())
        })
    }
}

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl fmt::Debug for Stopping<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopping").field("given", &self.signal.is_given()).finish()
    }
}
