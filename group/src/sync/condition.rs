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
//!
//! | from     | polled, and                             | to      | then                                              |
//! |----------|-----------------------------------------|---------|---------------------------------------------------|
//! | Arriving | no cancel is pending                    | Asleep  | in line first, then the mutex is given up         |
//! | Arriving | one is                                  | Over    | `Err`; the mutex was not given up                 |
//! | Asleep   | notified                                | Relock  |                                                   |
//! | Asleep   | cancelled                               | Relock  | the cancel is kept, a notification handed on      |
//! | Relock   | cancelled                               | Relock  | the latest is kept; a notification, handed on     |
//! | Relock   | the mutex is its own                    | Over    | `Ok`, or the cancel that was kept                 |
//! | any      | dropped                                 |         | a notification is handed on; the guard is hollow  |

use super::mutex::{Lock, Mutex};
use super::mutex_guard::Guard;
use super::turn::{Claim, Turn};
use super::wait_list::{Left, WaitList};
use homing_executor::error::{Cancelled, Result};
use std::cell::Cell;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

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
    line: WaitList<()>,
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
        let asleep = Turn::new(self, Notification, |_, ()| Ok(()));
        let relock = Turn::new(guard.mutex(), Lock, |_, ()| Ok(()));
        Wait {
            condition: self,
            guard,
            stage: Stage::Arriving,
            asleep,
            relock,
            cancelled: None,
            notified: false,
        }
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

    fn pass_on(&self, n: usize) {
        for _ in 0..n {
            if !self.line.grant(()) {
                break;
            }
        }
        self.line.ring();
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

struct Notification;

impl Claim<Condition> for Notification {
    type Note = ();
    type Gain = ();

    fn line(condition: &Condition) -> &WaitList<()> {
        &condition.line
    }

    fn note(&self) {}

    fn take_at_once(&mut self, _: &Condition) -> Option<()> {
        None
    }

    fn collect(&mut self, _: &Condition, (): ()) {}

    fn left(&mut self, condition: &Condition, left: Left<()>) {
        match left {
            Left::Granted(()) => condition.pass_on(1),
            Left::Waiting => {}
        }
    }
}

/// One wait. See the [table](self).
struct Wait<'a, G: Guard> {
    condition: &'a Condition,
    guard: &'a mut G,
    stage: Stage,
    asleep: Turn<&'a Condition, Notification, ()>,
    relock: Turn<G::Mutex, Lock, ()>,
    /// The latest cancel.
    cancelled: Option<Cancelled>,
    /// It has had a notification, and owes it to another if it ends in an error.
    notified: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Arriving,
    Asleep,
    Relock,
    Over,
}

impl<G: Guard> Wait<'_, G> {
    fn arrive(&mut self) {
        assert!(!self.guard.is_hollow(), "{}", super::mutex_guard::HOLLOW);
        let mutex = self.guard.mutex();
        if self.condition.line.is_empty() {
            self.condition.mutex.set(address(&mutex));
        }
        self.condition.check_mutex(&mutex);
    }

    fn keep(&mut self, cancelled: Cancelled) {
        self.cancelled = Some(cancelled);
        if std::mem::take(&mut self.notified) {
            self.condition.pass_on(1);
        }
    }

    fn poll_relock(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let mut cancelled = None;
        let polled = self.relock.poll_stubbornly(cx, |again| cancelled = Some(again));
        if let Some(cancelled) = cancelled {
            self.keep(cancelled);
        }
        if polled.is_pending() {
            return Poll::Pending;
        }
        self.guard.fill();
        self.stage = Stage::Over;
        self.notified = false;
        Poll::Ready(self.cancelled.take().map_or(Ok(()), |cancelled| Err(cancelled.into())))
    }
}

impl<G: Guard> Future for Wait<'_, G> {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        match this.stage {
            Stage::Arriving => this.arrive(),
            Stage::Asleep | Stage::Relock => {}
            Stage::Over => panic!("a wait was polled again after it had ended"),
        }
        if matches!(this.stage, Stage::Arriving | Stage::Asleep) {
            match this.asleep.poll_claim(cx) {
                Poll::Pending if this.stage == Stage::Asleep => return Poll::Pending,
                Poll::Pending => {
                    // In line before the mutex is given up: whoever gets it next may notify us.
                    this.stage = Stage::Asleep;
                    this.guard.hollow();
                    return Poll::Pending;
                }
                Poll::Ready(Err(cancelled)) if this.stage == Stage::Arriving => {
                    this.stage = Stage::Over;
                    return Poll::Ready(Err(cancelled.into()));
                }
                Poll::Ready(Err(cancelled)) => this.cancelled = Some(cancelled),
                Poll::Ready(Ok(())) => this.notified = true,
            }
            this.stage = Stage::Relock;
        }
        this.poll_relock(cx)
    }
}

// Nothing in it is ever pinned: the guard is borrowed, and the rest stands in lines by keys.
impl<G: Guard> Unpin for Wait<'_, G> {}

impl<G: Guard> Drop for Wait<'_, G> {
    fn drop(&mut self) {
        // A notification that has not been seen is handed on by `asleep`.
        if std::mem::take(&mut self.notified) {
            self.condition.pass_on(1);
        }
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
