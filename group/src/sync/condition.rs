//! The condition: to wait for a change of what a mutex guards.
//!
//! ```text
//!  wait(&mut guard):  join the line ─► unlock ─► asleep ─┬─ notified ────► lock again ─► Ok
//!                                                       └─ cancelled ───► lock again ─► Err
//! ```
//!
//! The mutex is held whenever a wait returns, with an error too (CO-5). This is why a wait borrows the guard and does not
//! consume it: the guard is as good after the call as it was before, whatever came out of it and whatever the wait was
//! wrapped in (`timeout(d, condition.wait(&mut guard))`). An error that carries the guard would do for a bare `wait`, but
//! no timeout or group lets such an error pass.

use super::condition_wait::Wait;
use super::mutex::Mutex;
use super::mutex_guard::Guard;
use super::turn::number_of;
use super::wait_list::WaitList;
use homing_executor::error::Result;
use homing_executor::introspect::{Awaitable, Target};
use std::cell::Cell;
use std::fmt;

/// Lets tasks wait, with a [`Mutex`] that they hold, until another that holds it has changed something.
///
/// A condition has no mutex of its own: it works with that of the guards it is shown, which has to be the same for all
/// who wait at a time. Several conditions may share one.
///
/// # asyncio
///
/// `asyncio.Condition`, except that it does not contain its lock (CO-1 to CO-10).
///
/// ```
/// use homing::sync::{Condition, Mutex};
/// use std::rc::Rc;
///
/// homing::run(async {
///     let shelf = Rc::new((Mutex::new(Vec::new()), Condition::new()));
///     let baker = homing::spawn({
///         let shelf = shelf.clone();
///         async move {
///             let (bread, baked) = &*shelf;
///             let mut guard = bread.lock().await?;
///             guard.push("rye");
///             baked.notify(&guard, 1);
///             Ok(())
///         }
///     });
///     let (bread, baked) = &*shelf;
///     let mut guard = bread.lock().await?;
///     baked.wait_for(&mut guard, |bread| !bread.is_empty()).await?;
///     assert_eq!(guard.pop(), Some("rye"));
///     baker.await
/// })
/// # .unwrap();
/// ```
pub struct Condition {
    pub(super) line: WaitList<()>,
    /// The address of the mutex that those in line have given up. Compared, and never followed.
    mutex: Cell<*const ()>,
}

impl Condition {
    /// A condition that nobody waits for.
    pub const fn new() -> Condition {
        Condition { line: WaitList::new(), mutex: Cell::new(std::ptr::null()) }
    }

    /// Unlocks the guard's mutex, waits for a notification, and locks the mutex again.
    ///
    /// The mutex is held again when this returns, be it with a value or an error. It may return without what one waits
    /// for having come about, if somebody was faster: look, and wait again, or use [`wait_for`](Condition::wait_for).
    ///
    /// # Errors
    ///
    /// `Cancelled`, if the task is cancelled while it waits. It comes out once the mutex is held again; a cancel does not
    /// shorten the wait for that, and if there are several, the latest comes out.
    ///
    /// # Panics
    ///
    /// If others wait with another mutex, or the guard has lost its own to a wait that was dropped midway.
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped, it hands a notification that it has had on to the next who waits. Dropped midway, it cannot
    /// wait for the mutex: the guard stays behind without it, can be dropped or [locked again](Guard::relock), and
    /// panics if it is used otherwise.
    ///
    /// # asyncio
    ///
    /// `await condition.wait()` (CO-3, CO-5 to CO-8, CO-10). There, one other waiter is notified whenever a wait ends in
    /// an error; here, only if this one had been notified.
    #[track_caller]
    pub fn wait<'a, G: Guard>(&'a self, guard: &'a mut G) -> impl Future<Output = Result<()>> {
        Wait::new(self, guard)
    }

    /// Waits until `predicate` is true of what the mutex guards. If it is at once, does not wait, nor unlock.
    ///
    /// # Errors
    ///
    /// As [`wait`](Condition::wait).
    ///
    /// # Panics
    ///
    /// As [`wait`](Condition::wait).
    ///
    /// # Cancel safety
    ///
    /// As [`wait`](Condition::wait).
    ///
    /// # asyncio
    ///
    /// `await condition.wait_for(predicate)` (CO-9).
    pub async fn wait_for<G: Guard>(
        &self,
        guard: &mut G,
        mut predicate: impl FnMut(&G::Target) -> bool,
    ) -> Result<()> {
        while !predicate(guard) {
            self.wait(guard).await?;
        }
        Ok(())
    }

    /// As [`wait_for`](Condition::wait_for), with a value to bring along: waits until `take` gives one.
    ///
    /// # Errors
    ///
    /// As [`wait`](Condition::wait).
    ///
    /// # Panics
    ///
    /// As [`wait`](Condition::wait).
    ///
    /// # Cancel safety
    ///
    /// As [`wait`](Condition::wait).
    ///
    /// # asyncio
    ///
    /// `await condition.wait_for(predicate)`, which returns the predicate's value (CO-9).
    pub async fn wait_for_value<G: Guard, R>(
        &self,
        guard: &mut G,
        mut take: impl FnMut(&mut G::Target) -> Option<R>,
    ) -> Result<R> {
        loop {
            match take(guard) {
                Some(value) => return Ok(value),
                None => self.wait(guard).await?,
            }
        }
    }

    /// Notifies the first `n` who wait, or all if there are fewer. They go on when they have got the mutex.
    ///
    /// # Panics
    ///
    /// If those who wait have given up another mutex than this guard's.
    ///
    /// # asyncio
    ///
    /// `condition.notify(n)` (CO-2, CO-4).
    #[track_caller]
    pub fn notify<G: Guard>(&self, guard: &G, n: usize) {
        if self.line.waiting() > 0 {
            self.check_mutex(&guard.mutex());
        }
        self.pass_on(n);
    }

    /// Notifies all who wait.
    ///
    /// # Panics
    ///
    /// As [`notify`](Condition::notify).
    ///
    /// # asyncio
    ///
    /// `condition.notify_all()` (CO-4).
    #[track_caller]
    pub fn notify_all<G: Guard>(&self, guard: &G) {
        self.notify(guard, usize::MAX);
    }

    /// Notifies so many, without a look at the mutex.
    pub(super) fn pass_on(&self, n: usize) {
        for _ in 0..n {
            if !self.line.grant(()) {
                break;
            }
        }
        self.line.ring();
    }

    /// One who has locked `mutex` is about to stand in line.
    #[track_caller]
    pub(super) fn admit<T>(&self, mutex: &Mutex<T>) {
        if self.line.is_empty() {
            self.mutex.set(address(mutex));
        }
        self.check_mutex(mutex);
    }

    #[track_caller]
    fn check_mutex<T>(&self, mutex: &Mutex<T>) {
        assert!(
            self.mutex.get() == address(mutex),
            "those who wait for the condition have given up another mutex than the one whose guard is shown"
        );
    }
}

fn address<T>(mutex: &Mutex<T>) -> *const () {
    std::ptr::from_ref(mutex).cast()
}

impl Awaitable for Condition {
    fn target(&self) -> Target {
        Target::thing("Condition", [number_of(&self.line)])
    }
}

impl Default for Condition {
    fn default() -> Self {
        Condition::new()
    }
}

impl fmt::Debug for Condition {
    /// `Condition [waiters: 2]` (TK-14; whether it is locked is the mutex's to say).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Condition [waiters: {}]", self.line.len())
    }
}
