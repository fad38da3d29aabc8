//! Grants: what locks have handed to tasks of this runtime, and nobody has collected yet.
//!
//! A lock finds out by itself that what it has granted is not collected, but only when somebody comes to wait for it. If nobody
//! comes, or all who wait are asleep already, nobody looks. So a runtime that [is to tell](super::Futurelock) keeps a list of
//! its own, and looks through it before it sleeps:
//!
//! ```text
//!   a lock calls a waiter ──► Grant::note ──► [ outstanding ] ──► the waiter collects, or goes: the `Grant` is dropped
//!                                                   │
//!                        about to sleep: has its task been polled since? ──► yes: nobody polls the waiter, and that is reported
//!                                                                       └──► no:  it has not had its turn yet
//! ```
//!
//! Here one poll is enough, where a lock that is asked in the middle of one waits for two: this one is over.
//!
//! Invariant (one-entry): an entry is in the list exactly as long as its [`Grant`] lives.

use super::futurelock::{Futurelock, FuturelockHook, polls_of};
use crate::cancel::Awaiting;
use crate::runtime::core::Core;
use crate::task::TaskId;
use crate::task::reference::home;
use crate::task::row::Row;
use slab::Slab;
use std::cell::RefCell;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

/// For who writes locks: something that was granted to a future of a task, and has not been collected. Kept by the lock until it
/// is, or until the future is dropped or passed over.
///
/// As long as it is kept, a runtime that is to tell of futurelocks reports it, once, if it is about to sleep, and the task has
/// been polled since without polling that future. See [`Futurelock`].
///
/// ```
/// use homing::cancel::Awaiting;
/// use homing::observe::Grant;
/// use homing::{Builder, yield_now};
/// use std::{cell::Cell, panic::Location, rc::Rc};
///
/// let reports = Rc::new(Cell::new(0));
/// let seen = reports.clone();
/// Builder::new().virtual_time().on_futurelock(move |_| seen.set(seen.get() + 1)).build().run(async {
///     let me = homing::current().expect("in a task").id();
///     let collected = Grant::note(me, Location::caller(), Awaiting::Other(1));
///     let kept = Grant::note(me, Location::caller(), Awaiting::Other(2));
///     yield_now().await?; // polled, and it takes one of the two
///     drop(collected);
///     homing::sleep(std::time::Duration::from_secs(1)).await?;
///     assert!(kept.is_some());
///     Ok(assert_eq!(reports.get(), 1))
/// })
/// # .unwrap();
/// ```
pub struct Grant {
    list: Rc<List>,
    key: usize,
}

/// There is, or was, a runtime in this process that tells of futurelocks. Where none ever was, a lock that is handed on pays for
/// looking here, and not for looking up the task's runtime. A thread that does not see it yet has no such runtime itself.
static SOMEBODY_TELLS: AtomicBool = AtomicBool::new(false);

/// What is outstanding in one runtime.
type List = RefCell<Slab<Entry>>;

#[derive(Clone, Copy)]
struct Entry {
    awaiting: Awaiting,
    task: TaskId,
    place: &'static Location<'static>,
    /// How often the task had been polled.
    polls: u32,
    reported: bool,
}

impl Grant {
    /// A future of this task, which waits at this place, is granted what it awaits, and is about to be woken. `None` if the
    /// task's runtime does not tell of futurelocks, or if it has ended.
    #[inline]
    pub fn note(task: TaskId, place: &'static Location<'static>, awaiting: Awaiting) -> Option<Grant> {
        if SOMEBODY_TELLS.load(Ordering::Relaxed) { Grant::note_if_told(task, place, awaiting) } else { None }
    }

    #[cold]
    fn note_if_told(task: TaskId, place: &'static Location<'static>, awaiting: Awaiting) -> Option<Grant> {
        let row = Row::current(task.0).filter(|row| row.state.get().is_alive())?;
        let futurelocks = home(row).futurelocks.as_ref()?;
        Some(futurelocks.enter(Entry { awaiting, task, place, polls: row.polls.get(), reported: false }))
    }

    /// That it is not collected is being reported. Says whether it was not before.
    pub fn note_report(&self) -> bool {
        !std::mem::replace(&mut self.list.borrow_mut()[self.key].reported, true)
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        self.list.borrow_mut().remove(self.key); // one-entry
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("awaiting", &self.list.borrow()[self.key].awaiting)
            .finish_non_exhaustive()
    }
}

/// What a runtime has that tells of futurelocks.
pub(crate) struct Futurelocks {
    pub(super) hook: FuturelockHook,
    outstanding: Rc<List>,
}

impl Futurelocks {
    pub(crate) fn new(hook: FuturelockHook) -> Futurelocks {
        SOMEBODY_TELLS.store(true, Ordering::Relaxed);
        Futurelocks { hook, outstanding: Rc::default() }
    }

    fn enter(&self, entry: Entry) -> Grant {
        Grant { key: self.outstanding.borrow_mut().insert(entry), list: self.outstanding.clone() }
    }

    /// Whether there is something to be reported.
    fn has_news(&self) -> bool {
        self.outstanding.borrow().iter().any(|(_, entry)| entry.is_news())
    }

    /// What is to be reported, and is from now on.
    fn take_news(&self) -> Vec<Entry> {
        let mut outstanding = self.outstanding.borrow_mut();
        let news = outstanding.iter_mut().filter(|(_, entry)| entry.is_news());
        news.map(|(_, entry)| {
            entry.reported = true;
            *entry
        })
        .collect()
    }
}

impl Entry {
    /// No task is being polled.
    fn is_news(&self) -> bool {
        !self.reported && polls_of(self.task).is_some_and(|polls| polls != self.polls)
    }
}

impl Core {
    /// Nothing is ready, and the runtime is about to sleep, or to leave that to its host: reports what was granted to futures
    /// that their own tasks have ceased to poll.
    pub(crate) fn look_for_futurelocks(&self) {
        if let Some(futurelocks) = &self.futurelocks
            && futurelocks.has_news()
        {
            self.tell_of_futurelocks(futurelocks);
        }
    }

    #[cold]
    fn tell_of_futurelocks(&self, futurelocks: &Futurelocks) {
        // A timer that has come due since may be what the task waits for before it goes back to the future.
        self.clock.read();
        if !self.is_at_rest() {
            return;
        }
        for entry in futurelocks.take_news() {
            if let Some(found) = Futurelock::at_rest(self, entry.awaiting, entry.task, entry.place) {
                self.contain(|| (futurelocks.hook)(&found));
            }
        }
    }
}
