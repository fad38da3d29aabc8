//! Defer: a clean-up that is sure to run.
//!
//! A destructor cannot wait, and code at the end of a block is not reached by a `?`, a panic or a drop. So a
//! clean-up that has to await something is handed to the group: it runs when the body and all children have
//! ended, however that came about, and so when nobody uses any more what it takes down.
//!
//! ```text
//!   body ──► defer(a) ──► defer(b) ──► ends, fails, panics, is cancelled
//!   children ────────────────────────────────► the last has ended
//!                                                 └─► b ──► a ──► the block ends, with all errors
//!   the block's future is dropped midway: the children are aborted ─► b ──► a, in the runtime's care
//! ```
//!
//! Each is a task of its own, so that a panic or an abort ends one and not the rest; nobody forwards a cancel
//! to it. The next one is spawned from the end of the one before, and so they run also when the block is
//! gone.
//!
//! | the clean-ups  | on                                   | then                                                   |
//! |----------------|--------------------------------------|--------------------------------------------------------|
//! | wait           | `defer`                              | one more, to be the first to run                       |
//! | wait           | no child is left                     | the first is spawned; the block waits, whatever happens |
//! | wait           | the block is dropped                 | the first is spawned                                   |
//! | one runs       | it ends                              | its error is the block's; the next is spawned          |
//! | one runs       | the same, and the block is gone      | its error goes to the hook; the next is spawned        |
//! | one runs       | the group's grace is over            | it is dropped; its error is a `TimedOut`               |
//! | one runs       | `run`'s final sweep                  | it is waited for, and not cancelled                    |
//! | the last ended |                                      | the block goes on                                      |
//! | wait           | the block is dropped with its runtime, or outside of any | each is dropped, and reported      |

use crate::task_group::{Group, GroupClosed, Phase, TaskGroup};
use homing_executor::Unhandled;
use homing_executor::cancel::ScopeId;
use homing_executor::error::{Error, Result, TimedOut};
use homing_executor::runtime;
use homing_executor::task::{Attention, Outcome, Owner, TaskRef, task};
use homing_executor::time::{Instant, Timer};
use pin_project_lite::pin_project;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

impl TaskGroup {
    /// Defers a clean-up to the end of the group: it runs when the body and all children have ended, in
    /// whatever way. The last one deferred runs first, and each when the one before has ended.
    ///
    /// The block ends only after them, and a cancel from outside does not reach them: it is delivered when
    /// they are done. An error of theirs does not keep the others from running; it comes out of the block in
    /// the exception group, after the children's errors and the body's. One that ends cancelled is no
    /// failure, as with children.
    ///
    /// Each is a task of its own, named after the group, whose place is that of this call. If the group has a
    /// [grace](crate::GroupBuilder::grace), each has so long to run; then it is dropped, and its error is a
    /// [`TimedOut`].
    ///
    /// What holds in which case:
    ///
    /// * The body has a value, fails, panics, or is cancelled; the group is ended by a child's failure or by
    ///   [`cancel`](TaskGroup::cancel): as above.
    /// * The block's future is dropped midway, or its task aborted: the children are aborted there and then, and the
    ///   clean-ups run in tasks that belong to the runtime. Their errors go to the hook for unhandled errors.
    ///   [`run`](homing_executor::runtime::run) waits for them, and for what they spawn meanwhile, before it returns;
    ///   after a `block_on` they are left like all tasks.
    /// * The runtime is dropped: nothing runs any more. Each that has begun is reported as a pending task, each that has
    ///   not as [`NotCleanedUp`](Unhandled::NotCleanedUp). The same if the future is dropped where no runtime runs.
    ///
    /// A clean-up may defer another one, which runs next.
    ///
    /// # Panics
    ///
    /// If the group has finished, or was not entered. [`try_defer`](TaskGroup::try_defer) does not panic.
    ///
    /// # asyncio
    ///
    /// `AsyncExitStack.push_async_callback`, which nothing shields.
    ///
    /// ```
    /// use homing::{Error, sleep, task_group};
    /// use std::{cell::RefCell, rc::Rc, time::Duration};
    ///
    /// /// A connection that says goodbye.
    /// struct Connection { sent: RefCell<Vec<&'static str>> }
    ///
    /// impl Connection {
    ///     async fn send(&self, word: &'static str) -> homing::Result<()> {
    ///         sleep(Duration::from_millis(1)).await?;
    ///         Ok(self.sent.borrow_mut().push(word))
    ///     }
    /// }
    ///
    /// homing::run(async {
    ///     let connection = Rc::new(Connection { sent: RefCell::default() });
    ///     let lent = connection.clone();
    ///     let outcome = task_group(async |tg| {
    ///         let goodbye = lent.clone();
    ///         tg.defer(async move || goodbye.send("goodbye").await);
    ///         lent.send("hello").await?;
    ///         Err::<(), _>(Error::msg("something goes wrong"))
    ///     })
    ///     .await;
    ///     assert!(outcome.is_err());
    ///     assert_eq!(*connection.sent.borrow(), ["hello", "goodbye"]);
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    #[track_caller]
    pub fn defer<F>(&self, clean_up: F)
    where
        F: AsyncFnOnce() -> Result<()> + 'static,
    {
        if let Err(closed) = self.try_defer(clean_up) {
            panic!("{closed}");
        }
    }

    /// Defers a clean-up, if the group takes any: also while it is shutting down, and until the last clean-up
    /// has ended.
    ///
    /// # Errors
    ///
    /// [`GroupClosed`]; the closure is dropped.
    #[track_caller]
    pub fn try_defer<F>(&self, clean_up: F) -> Result<(), GroupClosed>
    where
        F: AsyncFnOnce() -> Result<()> + 'static,
    {
        self.group.check_clean_ups()?;
        self.group.clean_ups.stack.borrow_mut().push(CleanUp::new(clean_up, Location::caller()));
        Ok(())
    }
}

/// A group's clean-ups.
#[derive(Default)]
pub(crate) struct CleanUps {
    /// Those that wait.
    stack: RefCell<Vec<CleanUp>>,
    /// One has been spawned, and has not ended.
    running: Cell<bool>,
}

impl CleanUps {
    /// Spawns the next one, if none is running. Says whether there is one now.
    pub(crate) fn go_on(&self, group: &Rc<Group>) -> bool {
        while !self.running.get()
            && let Some(next) = self.pop()
        {
            if runtime::takes_tasks() {
                self.running.set(true);
                (next.spawn)(Tidier { group: group.clone() }).spare_in_sweep();
            } else {
                runtime::report_unhandled(Unhandled::NotCleanedUp { place: next.place });
            }
        }
        self.running.get()
    }

    /// How many have not ended.
    pub(crate) fn left(&self) -> usize {
        self.stack.borrow().len() + usize::from(self.running.get())
    }

    fn pop(&self) -> Option<CleanUp> {
        self.stack.borrow_mut().pop()
    }
}

impl Group {
    fn check_clean_ups(&self) -> Result<(), GroupClosed> {
        match self.phase() {
            Phase::Open | Phase::ShuttingDown => Ok(()),
            // The block was dropped, and its clean-ups are under way.
            Phase::Finished if self.clean_ups.running.get() => Ok(()),
            Phase::Finished => Err(GroupClosed::Finished),
            Phase::New | Phase::Doomed => Err(GroupClosed::NotEntered),
        }
    }
}

/// One clean-up, and how it becomes a task.
struct CleanUp {
    spawn: Box<dyn FnOnce(Tidier) -> TaskRef>,
    place: &'static Location<'static>,
}

impl CleanUp {
    fn new<F>(clean_up: F, place: &'static Location<'static>) -> CleanUp
    where
        F: AsyncFnOnce() -> Result<()> + 'static,
    {
        let spawn = move |owner: Tidier| {
            let name = match owner.group.name() {
                Some(name) => Cow::Owned(format!("clean-up of '{name}'")),
                None => Cow::Borrowed("clean-up"),
            };
            let future = InTime::new(async move { clean_up().await }, &owner.group);
            task(future).name(name).spawned_at(place).queued().owner(owner).spawn().task_ref()
        };
        CleanUp { spawn: Box::new(spawn), place }
    }
}

/// Who answers for a clean-up, and sees to the next one.
struct Tidier {
    group: Rc<Group>,
}

impl Owner for Tidier {
    fn child_done(&self, _child: &TaskRef, outcome: Outcome<'_>) -> Attention {
        let attention = match outcome {
            Outcome::Failed(error) => self.group.keep_error(error),
            Outcome::Value | Outcome::Cancelled(_) => Attention::Unseen,
        };
        self.group.clean_ups.running.set(false);
        if !self.group.clean_ups.go_on(&self.group) {
            self.group.wake_exit();
        }
        attention
    }

    fn waiter(&self) -> Option<ScopeId> {
        self.group.waiter()
    }
}

pin_project! {
    /// A clean-up, which has so much time as the group's grace, counted from its first poll.
    struct InTime<F> {
        // Gone when the time is over.
        #[pin]
        future: Option<F>,
        grace: Option<Duration>,
        timer: Option<Timer>,
        place: &'static Location<'static>,
    }
}

impl<F> InTime<F> {
    fn new(future: F, group: &Group) -> InTime<F> {
        InTime { future: Some(future), grace: group.grace(), timer: None, place: group.place() }
    }
}

impl<F: Future<Output = Result<()>>> Future for InTime<F> {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            panic!("a clean-up was polled after its time was over");
        };
        if let Poll::Ready(outcome) = future.poll(cx) {
            return Poll::Ready(outcome);
        }
        let Some(grace) = *this.grace else { return Poll::Pending };
        let timer = this.timer.get_or_insert_with(|| Timer::new(Instant::now() + grace));
        match timer.poll(cx.waker()) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(_) => {
                this.future.set(None);
                let late = Error::from(TimedOut::new().with_after(grace).with_place(this.place));
                Poll::Ready(Err(late.with_note("the group's grace was over, and its clean-up was dropped")))
            }
        }
    }
}
