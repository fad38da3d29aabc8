//! One wait for a condition: out of the mutex, asleep, and back into it.
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

use super::condition::Condition;
use super::mutex::Lock;
use super::mutex_guard::{Guard, HOLLOW};
use super::turn::{At, Claim, Turn};
use super::wait_list::{Left, WaitList};
use homing_executor::cancel::Awaiting;
use homing_executor::error::{Cancelled, Result};
use std::pin::Pin;
use std::task::{Context, Poll};

/// One wait. See the [table](self).
pub(super) struct Wait<'a, G: Guard> {
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

impl<'a, G: Guard> Wait<'a, G> {
    #[track_caller]
    pub(super) fn new(condition: &'a Condition, guard: &'a mut G) -> Wait<'a, G> {
        let asleep = Turn::new(condition, Notification, |_, ()| Ok(()));
        let relock = Turn::new(guard.mutex(), Lock(G::GUARDED), |_, ()| Ok(()));
        Wait { condition, guard, stage: Stage::Arriving, asleep, relock, cancelled: None, notified: false }
    }

    fn arrive(&mut self) {
        assert!(!self.guard.is_hollow(), "{}", HOLLOW);
        self.condition.admit(&self.guard.mutex());
    }

    fn keep(&mut self, cancelled: Cancelled) {
        self.cancelled = Some(cancelled);
        if std::mem::take(&mut self.notified) {
            self.condition.pass_on(1);
        }
    }

    #[track_caller]
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

    #[track_caller]
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

/// The claim on a notification.
struct Notification;

impl Claim<Condition> for Notification {
    type Note = ();
    type Gain = ();

    fn line(condition: &Condition) -> &WaitList<()> {
        &condition.line
    }

    fn awaited(_: &Condition, line: u64) -> Awaiting {
        Awaiting::Condition(line)
    }

    fn note(&self) {}

    fn take_at_once(&mut self, _: &Condition, _: At) -> Option<()> {
        None
    }

    fn collect(&mut self, _: &Condition, (): (), _: At) {}

    fn left(&mut self, condition: &Condition, left: Left<()>) {
        match left {
            Left::Granted(()) => condition.pass_on(1),
            Left::Waiting => {}
        }
    }
}
