//! Task groups: who waits for whom.
//!
//! A group is a block that ends only when everything that was spawned in it has ended. Whatever fails, fails the block,
//! and the rest is cancelled and waited for; whoever cancels the block, cancels all of it.
//!
//! ```text
//!        task_group(async |tg| {            children
//!  body ─► tg.spawn(a) ───────────────────► a ──────────────► done
//!          tg.spawn(b) ───────────────────► b ──► fails         │
//!          …  ◄── interrupted ──── group ◄───────┘              │
//!        })                          │  cancels a               │
//!  exit ─► waits for all ◄───────────┴──────────────────────────┘
//!          gives the body's value, or all errors in one
//! ```
//!
//! | from                 | on                            | to           | then                                     |
//! |----------------------|-------------------------------|--------------|------------------------------------------|
//! | New                  | `run`                         | Open         | the body begins                          |
//! | New                  | `cancel()`                    | Doomed       | nothing                                  |
//! | Doomed               | `run`                         | ShuttingDown | the body begins, and is interrupted      |
//! | Open                 | a child fails, `cancel()`     | ShuttingDown | cancel the children, interrupt the block |
//! | Open, supervising    | a child fails                 | Open         | nothing: the error is kept for the end   |
//! | Open                 | the body ends without a value | ShuttingDown | cancel the children                      |
//! | Open                 | a cancel comes in the exit    | ShuttingDown | cancel the children                      |
//! | ShuttingDown         | the grace is over             | ShuttingDown | abort the children, if there is a grace  |
//! | Open or ShuttingDown | body and children have ended  | the same     | run the clean-ups that were deferred     |
//! | Open or ShuttingDown | and so have these             | Finished     | the block returns                        |
//! | Open or ShuttingDown | the block is dropped          | Finished     | abort the children; then the clean-ups   |
//!
//! Children are taken in `Open` only, and there until the body and the last child have ended. A child that fails has
//! its effect a turn later. How the block ends is decided step by step in [`exit`](crate::exit).

use crate::body;
use crate::builder::{GroupBuilder, OnFailure, Options};
use crate::child::{ChildBuilder, Membership};
use crate::defer::CleanUps;
use crate::exit::{Block, WithValue};
use crate::grace::Grace;
use crate::limit::{Admission, Limit};
use homing_executor::Unhandled;
use homing_executor::cancel::keep_waker;
use homing_executor::cancel::{Scope, ScopeId};
use homing_executor::error::{Asker, Cancelled, Cause, Error, Result};
use homing_executor::runtime;
use homing_executor::task::{Attention, Task, TaskOptions, TaskRef, WeakTaskRef};
use slab::Slab;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

/// Runs `body` in a task group: it ends when the body and everything spawned in the group have ended.
///
/// If the body or a child fails, the others are cancelled, and awaited; then all errors come out as one
/// [`ExceptionGroup`](homing_executor::error::ExceptionGroup), the children's in the order in which they failed, the
/// body's last. A child that ends cancelled is no failure. If the task that runs the group is cancelled, so are the
/// children; when they have ended, the `Cancelled` goes on, unless there are errors, which outrank it.
///
/// If the future is dropped midway, the children are aborted there and then: their destructors have run when the drop
/// returns. A panic of the body is held until the children have ended.
///
/// # Errors
///
/// An exception group with all errors, also if it is only one; `Cancelled`, if the task was cancelled from outside;
/// [`GroupCancelled`], if somebody called [`TaskGroup::cancel`] before the body had a value;
/// [`RuntimeError::NoTask`](homing_executor::error::RuntimeError::NoTask) outside of a task.
///
/// # Cancel safety
///
/// No child outlives the call, however it ends.
///
/// # asyncio
///
/// `async with asyncio.TaskGroup() as tg` (TG-1 to TG-41).
///
/// ```
/// use homing::{sleep, task_group};
/// use std::time::Duration;
///
/// homing::run(async {
///     let sum = task_group(async |tg| {
///         let one = tg.spawn(async { Ok(1) });
///         let two = tg.spawn(async { sleep(Duration::from_millis(1)).await?; Ok(2) });
///         Ok(one.await? + two.await?)
///     })
///     .await?;
///     assert_eq!(sum, 3);
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[track_caller]
pub fn task_group<T, F>(body: F) -> impl Future<Output = Result<T>>
where
    F: AsyncFnOnce(&TaskGroup) -> Result<T>,
{
    TaskGroup::builder().run(body)
}

/// A handle on a group: to spawn in it, and to cancel it. Children may hold clones, and spawn siblings.
#[derive(Clone)]
pub struct TaskGroup {
    pub(crate) group: Rc<Group>,
}

/// Where a group stands. See the [table](self).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    New,
    Doomed,
    Open,
    ShuttingDown,
    Finished,
}

/// What all handles of a group share.
pub(crate) struct Group {
    options: Options,
    phase: Cell<Phase>,
    /// The body has ended, and the exit waits for the children.
    exiting: Cell<bool>,
    /// The block, as a part of the parent task that can be cancelled by itself. There while the block is.
    pub(crate) scope: RefCell<Option<Scope>>,
    /// Which one that is, or was.
    block: Cell<Option<ScopeId>>,
    /// The children that have not ended. One that is being spawned has its place already.
    children: RefCell<Slab<Child>>,
    /// What children have failed with, in order of completion.
    errors: RefCell<Vec<Error>>,
    /// A child has failed, and the group will act on that in the next turn.
    failing: Cell<bool>,
    /// Wakes the exit when the last child has ended, or the last clean-up.
    exit: RefCell<Option<Waker>>,
    pub(crate) clean_ups: CleanUps,
}

/// A child's entry in its group.
struct Child {
    /// Nobody yet, while it is being spawned.
    task: WeakTaskRef,
    /// Whether it has begun, or is still in line for the group's limit.
    admission: Admission,
}

/// The group takes no more children. Nothing was polled: spawn elsewhere, or let it go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupClosed {
    /// Nobody runs it yet (TG-3).
    NotEntered,
    /// A failure or a cancel is ending it, and it waits for the children it has (TG-6).
    ShuttingDown,
    /// It has returned, or is about to: its last child has ended (TG-5).
    Finished,
}

impl fmt::Display for GroupClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GroupClosed::NotEntered => "the task group has not been entered: spawn in its body",
            GroupClosed::ShuttingDown => "the task group is shutting down and takes no more children",
            GroupClosed::Finished => "the task group has finished and takes no more children",
        })
    }
}

impl std::error::Error for GroupClosed {}

/// Somebody ended the group with [`TaskGroup::cancel`] before its body had a value.
///
/// It is not a [`Cancelled`]: the task that runs the group was not cancelled, and goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupCancelled;

impl fmt::Display for GroupCancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task group was cancelled before its body had a value")
    }
}

impl std::error::Error for GroupCancelled {}

impl TaskGroup {
    /// A group that is not run yet, so that its handle can be given away before: it may be cancelled, but not spawned in.
    #[track_caller]
    pub fn new() -> TaskGroup {
        TaskGroup::builder().build()
    }

    /// A group with options.
    #[track_caller]
    pub fn builder() -> GroupBuilder {
        GroupBuilder::new(Location::caller())
    }

    /// Runs `body` in this group. See [`task_group`].
    ///
    /// # Errors
    ///
    /// Those of [`task_group`], and
    /// [`RuntimeError::AlreadyEntered`](homing_executor::error::RuntimeError::AlreadyEntered) the second time (TG-2).
    pub fn run<T, F>(self, body: F) -> impl Future<Output = Result<T>>
    where
        F: AsyncFnOnce(&TaskGroup) -> Result<T>,
    {
        WithValue::new(self.block(body))
    }

    /// Runs `body` in this group, which somebody may end with [`cancel`](TaskGroup::cancel): `None`, if the body was
    /// interrupted by that and so has no value.
    ///
    /// # Errors
    ///
    /// Those of [`run`](TaskGroup::run), but for `GroupCancelled`.
    ///
    /// # asyncio
    ///
    /// `async with TaskGroup()`, which gives no value anyway (TG-27).
    ///
    /// ```
    /// use homing::{TaskGroup, sleep};
    /// use std::time::Duration;
    ///
    /// homing::run(async {
    ///     let group = TaskGroup::new();
    ///     let ended = group
    ///         .run_until_cancelled(async |tg| {
    ///             let stop = tg.clone();
    ///             tg.spawn(async move { Ok(stop.cancel()) });
    ///             sleep(Duration::from_secs(3600)).await
    ///         })
    ///         .await?;
    ///     assert_eq!(ended, None);
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn run_until_cancelled<T, F>(self, body: F) -> impl Future<Output = Result<Option<T>>>
    where
        F: AsyncFnOnce(&TaskGroup) -> Result<T>,
    {
        self.block(body)
    }

    fn block<T, F>(self, body: F) -> Block<impl Future<Output = Result<T>>, T>
    where
        F: AsyncFnOnce(&TaskGroup) -> Result<T>,
    {
        Block::new(self.clone(), body::call(self, body))
    }

    /// Spawns a child.
    ///
    /// In a group that is shutting down, the future is dropped, and the task is one that has been cancelled.
    ///
    /// # Panics
    ///
    /// If the group has finished, or was not entered. [`try_spawn`](TaskGroup::try_spawn) does not panic.
    ///
    /// # asyncio
    ///
    /// `TaskGroup.create_task`, which raises in a group that is shutting down (TG-4 to TG-7).
    #[track_caller]
    #[inline]
    pub fn spawn<F, T>(&self, future: F) -> Task<T>
    where
        F: IntoFuture<Output = Result<T>>,
        F::IntoFuture: 'static,
        T: 'static,
    {
        crate::child::spawn(&self.group, future.into_future(), TaskOptions::new())
    }

    /// Spawns a child, if the group takes any.
    ///
    /// # Errors
    ///
    /// [`GroupClosed`]; the future is dropped.
    #[track_caller]
    pub fn try_spawn<F, T>(&self, future: F) -> Result<Task<T>, GroupClosed>
    where
        F: IntoFuture<Output = Result<T>>,
        F::IntoFuture: 'static,
        T: 'static,
    {
        self.task(future).try_spawn()
    }

    /// A child to be, with options: `tg.task(future).name("fetch").eager().spawn()`.
    #[track_caller]
    #[inline]
    pub fn task<F, T>(&self, future: F) -> ChildBuilder<'_, F::IntoFuture>
    where
        F: IntoFuture<Output = Result<T>>,
        F::IntoFuture: 'static,
        T: 'static,
    {
        ChildBuilder::new(&self.group, future.into_future())
    }

    /// Ends the group quietly: cancels all children, and the body if it has not ended. The block waits for them and then
    /// ends normally, unless there are errors, which it gives as usual.
    ///
    /// A body that is interrupted by it has no value: [`run_until_cancelled`](TaskGroup::run_until_cancelled) gives
    /// `None` then, and [`run`](TaskGroup::run), which has to give a value, the error [`GroupCancelled`].
    ///
    /// Before the group is run, it is remembered, and carried out on entry. On a group that is shutting down, or has
    /// finished, it does nothing.
    ///
    /// # asyncio
    ///
    /// `TaskGroup.cancel()` (TG-27 to TG-35).
    #[track_caller]
    pub fn cancel(&self) {
        self.group.cancel(&Cancelled::here());
    }

    /// The group's name, if it was given one.
    pub fn name(&self) -> Option<&str> {
        self.group.options.name.as_deref()
    }

    /// How many children have not ended, with those that wait in line for a [limit](GroupBuilder::limit).
    pub fn len(&self) -> usize {
        self.group.children.borrow().len()
    }

    /// Whether there is no child that has not ended.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the group takes children.
    pub fn is_open(&self) -> bool {
        self.group.check_open().is_ok()
    }
}

impl Default for TaskGroup {
    #[track_caller]
    fn default() -> Self {
        TaskGroup::new()
    }
}

impl fmt::Debug for TaskGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskGroup")
            .field("name", &self.group.options.name)
            .field("phase", &self.group.phase.get())
            .field("children", &self.len())
            .finish()
    }
}

impl Group {
    pub(crate) fn new(options: Options) -> Group {
        Group {
            options,
            phase: Cell::new(Phase::New),
            exiting: Cell::new(false),
            scope: RefCell::new(None),
            block: Cell::new(None),
            children: RefCell::new(Slab::new()),
            errors: RefCell::new(Vec::new()),
            failing: Cell::new(false),
            exit: RefCell::new(None),
            clean_ups: CleanUps::default(),
        }
    }

    /// What people call it.
    pub(crate) fn kind(&self) -> &'static str {
        self.options.kind
    }

    pub(crate) fn name(&self) -> Option<Cow<'static, str>> {
        self.options.name.clone()
    }

    pub(crate) fn place(&self) -> &'static Location<'static> {
        self.options.place
    }

    pub(crate) fn grace(&self) -> Option<Duration> {
        self.options.grace.as_ref().map(Grace::duration)
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase.get()
    }

    pub(crate) fn is_shutting_down(&self) -> bool {
        self.phase.get() == Phase::ShuttingDown
    }

    /// Whether a child may be spawned.
    #[inline]
    pub(crate) fn check_open(&self) -> Result<(), GroupClosed> {
        match self.phase.get() {
            Phase::Open if self.is_over() => Err(GroupClosed::Finished),
            Phase::Open => Ok(()),
            Phase::ShuttingDown => Err(GroupClosed::ShuttingDown),
            Phase::New | Phase::Doomed => Err(GroupClosed::NotEntered),
            Phase::Finished => Err(GroupClosed::Finished),
        }
    }

    /// The block begins.
    pub(crate) fn enter(&self, scope: Scope) {
        let doomed = self.phase.replace(Phase::Open) == Phase::Doomed;
        self.block.set(Some(scope.id()));
        *self.scope.borrow_mut() = Some(scope);
        if doomed {
            self.cancel(&Cancelled::new());
        }
    }

    /// The block, as what waits for each child from its spawn to its end.
    #[inline]
    pub(crate) fn waiter(&self) -> Option<ScopeId> {
        self.block.get()
    }

    /// The body has ended.
    pub(crate) fn begin_exit(&self) {
        self.exiting.set(true);
    }

    pub(crate) fn finish(&self) {
        self.phase.set(Phase::Finished);
        if let Some(grace) = &self.options.grace {
            grace.end();
        }
    }

    /// Aborts what is left of the children if the time that they had to clean up is over.
    pub(crate) fn watch_the_clock(&self, waker: &Waker) {
        if let Some(grace) = &self.options.grace
            && grace.runs_out(waker)
        {
            self.abort_children("its time to clean up was over");
        }
    }

    /// How many children have not ended.
    #[inline]
    pub(crate) fn unfinished(&self) -> usize {
        self.children.borrow().len()
    }

    /// Whether the exit still has somebody to wait for.
    #[inline]
    pub(crate) fn has_children(&self) -> bool {
        self.unfinished() > 0
    }

    /// The body and all children have ended, and only the block itself does not know yet.
    #[inline]
    fn is_over(&self) -> bool {
        self.exiting.get() && !self.has_children()
    }

    /// The exit waits.
    pub(crate) fn wake_at_end(&self, waker: &Waker) {
        let replaced = self.exit.replace(Some(keep_waker(waker)));
        drop(replaced);
    }

    pub(crate) fn take_errors(&self) -> Vec<Error> {
        self.errors.take()
    }

    /// Takes no more children, and cancels those there are. Once.
    pub(crate) fn shut_down(&self, why: &Cancelled) {
        if self.phase.replace(Phase::ShuttingDown) != Phase::ShuttingDown {
            if let Some(grace) = &self.options.grace {
                grace.begin();
            }
            for child in self.children() {
                child.cancel_because(why);
            }
        }
    }

    /// Aborts every child there and then: for a block that is dropped midway, or whose grace is over. One that is being polled right now,
    /// further up on the stack, ends when that poll returns.
    pub(crate) fn abort_children(&self, reason: &'static str) {
        if self.has_children() {
            let why = self.because(Cancelled::new()).with_reason(reason);
            for child in self.children() {
                child.abort_because(&why);
            }
        }
    }

    /// A list of its own: what a cancel wakes may be anything, also something that ends a child.
    fn children(&self) -> Vec<TaskRef> {
        self.children.borrow().iter().filter_map(|(_, child)| child.task.upgrade()).collect()
    }

    /// Shuts down, and interrupts the block itself, be it the body or the exit's wait. Once in its life (TG-10), and not
    /// if there is nobody left to be cancelled.
    fn end(&self, why: &Cancelled) {
        if self.phase.get() != Phase::Open || self.is_over() {
            return;
        }
        let why = self.because(why.clone());
        self.shut_down(&why);
        if let Some(scope) = self.scope.borrow().as_ref() {
            scope.cancel(&why);
        }
    }

    fn cancel(&self, why: &Cancelled) {
        match self.phase.get() {
            Phase::New => self.phase.set(Phase::Doomed),
            Phase::Open => self.end(why),
            Phase::Doomed | Phase::ShuttingDown | Phase::Finished => {}
        }
    }

    /// A cancellation that has come as far as this group.
    pub(crate) fn because(&self, why: Cancelled) -> Cancelled {
        why.because(Cause::by(Asker::Group { name: self.name() }).with_place(self.place()))
    }

    /// The membership of a child that is about to be spawned. One that may begin inside the spawn is given its place now, but is
    /// not known by it before it has had its first step: [`recognise`](Group::recognise). Others take it when they are made.
    #[inline(always)]
    pub(crate) fn admit(self: &Rc<Self>, may_start_eagerly: bool) -> Membership {
        let admission = self.options.limit.as_ref().map_or(Admission::Begins, Limit::admit);
        let membership = Membership::new(self.clone(), admission);
        if may_start_eagerly && admission == Admission::Begins {
            membership.take_place(WeakTaskRef::default());
        }
        membership
    }

    /// A child takes its place among the others. Returns where that is.
    #[inline]
    pub(crate) fn take_in(&self, task: WeakTaskRef, admission: Admission) -> usize {
        let key = self.children.borrow_mut().insert(Child { task, admission });
        if let Some(limit) = &self.options.limit
            && admission == Admission::InLine
        {
            limit.line_up(key, task);
        }
        key
    }

    /// A child that has taken its place before it was made has been spawned, and has not ended within that.
    pub(crate) fn recognise(&self, key: usize, child: &TaskRef) {
        if self.phase.get() != Phase::Open && !self.takes_after_all(child) {
            return;
        }
        if let Some(entry) = self.children.borrow_mut().get_mut(key) {
            entry.task = child.downgrade();
        }
    }

    #[cold]
    fn takes_after_all(&self, child: &TaskRef) -> bool {
        match self.phase.get() {
            // It was started eagerly, and in that step something has come over the group, which did not find the child
            // in its place: a failure or `cancel()` (TG-35), or the end of the block (TG-41).
            Phase::ShuttingDown => {
                child.cancel_because(&self.because(Cancelled::new()));
                true
            }
            Phase::Finished => {
                child.abort_because(&self.because(Cancelled::new()));
                false
            }
            Phase::New | Phase::Doomed | Phase::Open => true,
        }
    }

    /// A child leaves the group.
    #[inline]
    pub(crate) fn leave(&self, key: usize) {
        let left = self.children.borrow_mut().try_remove(key);
        if let Some(limit) = &self.options.limit
            && left.is_some_and(|child| child.admission == Admission::Begins)
            && let Some(next) = limit.let_next_in()
            && let Some(child) = self.children.borrow_mut().get_mut(next)
        {
            child.admission = Admission::Begins;
        }
        if !self.acts_next_turn() {
            self.wake_exit_if_over();
        }
    }

    /// A child has failed, and the group has not acted on that yet. The exit is woken after that, and not before: so it
    /// sees all that was asked for in that turn, also by groups around this one whose children have failed at the same
    /// time (TG-26).
    fn acts_next_turn(&self) -> bool {
        self.failing.get() && self.phase.get() == Phase::Open
    }

    #[inline]
    fn wake_exit_if_over(&self) {
        if !self.has_children() {
            self.wake_exit();
        }
    }

    pub(crate) fn wake_exit(&self) {
        if let Some(waker) = self.exit.take() {
            waker.wake();
        }
    }

    /// Keeps an error for the end of the block, if that is still to come.
    pub(crate) fn keep_error(&self, error: &Error) -> Attention {
        if self.phase.get() == Phase::Finished {
            return Attention::Unseen;
        }
        self.errors.borrow_mut().push(error.clone());
        Attention::Taken
    }

    /// A child has failed. The error is kept at once, but as with asyncio the group acts on it in the next turn: until
    /// then siblings run on, and more may be spawned (TG-36).
    pub(crate) fn note_failure(self: &Rc<Self>, error: &Error) {
        if self.keep_error(error) == Attention::Unseen {
            // The block was dropped in the meantime: nobody is left to take it.
            return runtime::report_unhandled(Unhandled::Displaced { error: error.clone() });
        }
        if self.options.on_failure == OnFailure::LetTheOthersRun {
            return;
        }
        if self.phase.get() == Phase::Open && !self.failing.replace(true) {
            let group = self.clone();
            let task = error.task_name().map(str::to_owned);
            // In a runtime that is being dropped there is no next turn, and nobody to be cancelled.
            let _ = runtime::call_soon(move || {
                group.end(&a_sibling_failed(task));
                group.wake_exit_if_over();
            });
        }
    }
}

fn a_sibling_failed(task: Option<String>) -> Cancelled {
    let by = task.map_or(Asker::Unknown, |name| Asker::Task { name: name.into() });
    Cancelled::new().because(Cause::by(by).with_reason("it failed"))
}
