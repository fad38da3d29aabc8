//! `TaskRef`: a handle on a task that does not know its type.

use super::extras::Callback;
use super::life;
use super::row::{AWAITED, AwaitKind, Flag, Row};
use super::state::State;
use super::waits;
use super::weak::WeakTaskRef;
use crate::cancel::request;
use crate::error::{Cancelled, Cause};
use crate::locals::{Context, in_force};
use crate::runtime::core::Core;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};

/// What tells one task from another, in all runtimes of the process.
///
/// Shown as a number; it is the task's address in the runtime's tables, not its running number.
///
/// No two tasks that are alive have the same, nor has one for which there still is a handle. Once they are gone, an id is
/// given out again after 2^32 further tasks in the same place, which is some minutes of doing nothing else: to tell tasks
/// apart for longer than that, keep a [`TaskRef`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(pub(crate) u64);

impl TaskId {
    /// The number behind it.
    pub fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({:#x})", self.0)
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// An untyped handle on a task: to look at it, name it and cancel it, not to await it.
///
/// Any number of them may exist. They keep the task's record, not its output, and stay valid after its end. After the
/// end of its runtime a handle shows a task that is finished and was cancelled, without name or place.
///
/// # asyncio
///
/// An `asyncio.Task` object, without `await`, `result()` and `exception()`: those need the type, and are on
/// [`Task`](crate::task::Task).
pub struct TaskRef {
    /// Where the task's row is, or was: rows are never freed. `None` if there never was one.
    place: Option<&'static Row>,
    id: u64,
    _not_send: PhantomData<*const ()>,
}

impl TaskRef {
    #[inline]
    pub(crate) fn of(row: &'static Row) -> TaskRef {
        row.refs.set(row.refs.get() + 1);
        TaskRef::adopt(row)
    }

    /// A handle that is counted already, as `found_row` does.
    #[inline(always)]
    pub(crate) fn adopt(row: &'static Row) -> TaskRef {
        debug_assert!(row.refs.get() > 0, "counted when the row was filled in");
        TaskRef { place: Some(row), id: row.id(), _not_send: PhantomData }
    }

    /// A handle that is not counted, and so must not be dropped.
    #[inline]
    pub(crate) fn borrowed(row: &'static Row) -> ManuallyDrop<TaskRef> {
        ManuallyDrop::new(TaskRef { place: Some(row), id: row.id(), _not_send: PhantomData })
    }

    /// A handle on nothing: what a spawn that was refused gives.
    pub(crate) fn dead() -> TaskRef {
        TaskRef { place: None, id: 0, _not_send: PhantomData }
    }

    /// The task's row, unless its runtime is gone: then the row may be another task's.
    #[inline(always)]
    pub(crate) fn row(&self) -> Option<&'static Row> {
        self.place.filter(|row| row.id() == self.id)
    }

    /// Counts the handle out, in place of its drop, when the row was just found current.
    #[inline(always)]
    pub(crate) fn let_go(row: &'static Row) {
        let refs = row.refs.get() - 1;
        row.refs.set(refs);
        if refs == 0 && !row.state.get().is_alive() {
            home(row).release(row);
        }
    }

    /// The same for the last handle of a task that is over, and whose output is gone. (A call, so that the drop of a handle is
    /// small enough to be part of its caller, where most of it is known.)
    #[inline(never)]
    pub(crate) fn let_go_last(row: &'static Row) {
        debug_assert!(row.is_spent());
        row.refs.set(0);
        home(row).release(row);
    }

    /// The same, without keeping the task's record.
    #[inline]
    pub fn downgrade(&self) -> WeakTaskRef {
        WeakTaskRef::new(self.place, self.id)
    }

    /// The task's id: unique in this process.
    pub fn id(&self) -> TaskId {
        TaskId(self.id)
    }

    /// The task's name: the one it was given, or `Task-7` by its running number. Empty after the end of its runtime.
    ///
    /// # asyncio
    ///
    /// `Task.get_name()` (TK-8).
    pub fn name(&self) -> Cow<'static, str> {
        self.row().map(life::name).unwrap_or_default()
    }

    /// Gives the task another name.
    ///
    /// # asyncio
    ///
    /// `Task.set_name()` (TK-8).
    pub fn set_name(&self, name: impl Into<Cow<'static, str>>) {
        if let Some(row) = self.row() {
            row.extras_or_new().name.set(name.into());
        }
    }

    /// Where the task was spawned.
    pub fn spawned_at(&self) -> Option<&'static Location<'static>> {
        self.row()?.spawned_at.get()
    }

    /// The task that spawned this one, or the one in whose group it is. `None` if there was none, or it has no record any
    /// more.
    pub fn parent(&self) -> Option<TaskRef> {
        Row::current(self.row()?.parent.get() & !AWAITED).map(TaskRef::of)
    }

    /// The task that this one is suspended on, and forwards a cancel to.
    pub fn awaited(&self) -> Option<TaskRef> {
        let mut awaited = None;
        waits::for_each(self.row()?, |wait, _| {
            if wait.kind == AwaitKind::Task && awaited.is_none() {
                awaited = Row::current(wait.operand).map(TaskRef::of);
            }
        });
        awaited
    }

    /// The name of the type of the task's future, such as `my_app::fetch_user::{{closure}}`.
    pub fn type_name(&self) -> &'static str {
        self.row().and_then(|row| row.vtable.get()).map_or("", |vtable| (vtable.type_name)())
    }

    /// The values of the task's [task-locals](crate::locals), to look at, or to run something else with. `None`
    /// once the task has ended: it lets go of them.
    ///
    /// # asyncio
    ///
    /// `Task.get_context()` (CV-6), which still has it after the end.
    pub fn context(&self) -> Option<Context> {
        let row = self.row()?;
        if row.state.get().is_alive() {
            return Some(in_force::of_task(row));
        }
        // Still there while its owner is being told.
        row.extras()?.context.get()
    }

    /// Lets a task begin that was [held](crate::task::TaskBuilder::held) back: its first poll is in the next turn. `false` if
    /// there was nothing to start: it has begun, was cancelled, or has ended.
    ///
    /// ```
    /// homing::run(async {
    ///     let task = homing::task(async { Ok("begun") }).held().spawn();
    ///     homing::yield_now().await?;
    ///     assert!(!task.is_finished());
    ///     assert!(task.start());
    ///     assert_eq!(task.await?, "begun");
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn start(&self) -> bool {
        let held = self.row().filter(|row| row.state.get() == State::Held);
        if let Some(row) = held {
            home(row).wake(row);
        }
        held.is_some()
    }

    /// Asks the task to cancel: the await at which it stands returns `Err(Cancelled)`.
    ///
    /// It only asks. The task sees the request when it is polled, may clean up, and may even go on (see
    /// [`cancelling`](TaskRef::cancelling)). If it is suspended on another task, that one is asked in its place, and
    /// this one sees how that one ends. If it has not been polled yet, it never will be.
    ///
    /// Returns `false`, and does nothing, if the task has ended.
    ///
    /// # asyncio
    ///
    /// `Task.cancel()` (CX-1 to CX-17).
    #[track_caller]
    pub fn cancel(&self) -> bool {
        self.cancel_because(&Cancelled::here())
    }

    /// As [`cancel`](TaskRef::cancel), with a reason that the `Cancelled` will show.
    ///
    /// # asyncio
    ///
    /// `Task.cancel(msg)`, except that several reasons are kept side by side (CX-16, KQ-10).
    #[track_caller]
    pub fn cancel_with(&self, reason: impl Into<Cow<'static, str>>) -> bool {
        let cause = Cause { reason: Some(reason.into()), ..Cause::at(Location::caller()) };
        self.cancel_because(&Cancelled::new().because(cause))
    }

    /// As [`cancel`](TaskRef::cancel), with all that can be said about who asks, and why.
    pub fn cancel_because(&self, why: &Cancelled) -> bool {
        self.row().is_some_and(|row| request::cancel(row, why))
    }

    /// How many times the task has been asked to cancel, less the [`uncancel`](TaskRef::uncancel)s.
    ///
    /// # asyncio
    ///
    /// `Task.cancelling()` (CX-18).
    pub fn cancelling(&self) -> u32 {
        self.row().map_or(0, |row| row.count.get())
    }

    /// Takes one request back, and returns how many remain. At zero, a request that is pending is forgotten; one that
    /// an await is bound to return is not.
    ///
    /// # asyncio
    ///
    /// `Task.uncancel()` (CX-19 to CX-21).
    pub fn uncancel(&self) -> u32 {
        self.row().map_or(0, request::uncancel)
    }

    /// Drops the task's future at once, or, if it is being polled, right after that poll. The task ends cancelled.
    ///
    /// There is no chance to clean up but the destructors'. For emergencies; use [`cancel`](TaskRef::cancel) otherwise.
    /// A [driven](crate::task::Driver) task, whose future borrows, is ended by its driver: at once if the call comes from
    /// within the driver's poll, otherwise when the driver is polled next.
    ///
    /// Returns `false`, and does nothing, if the task has ended.
    pub fn abort(&self) -> bool {
        self.abort_because(&Cancelled::new().with_reason("aborted"))
    }

    /// As [`abort`](TaskRef::abort); the task ends with this cancellation.
    pub fn abort_because(&self, why: &Cancelled) -> bool {
        self.row().is_some_and(|row| home(row).abort(row, why))
    }

    pub(crate) fn is_driven(&self) -> bool {
        self.row().is_some_and(|row| row.is(Flag::Driven))
    }

    /// Has the final sweep of [`run`](crate::runtime::run) wait for the task in place of cancelling it, and leave alone
    /// what it spawns for as long as it lives: for one that cleans up after others. Anybody else may cancel it as ever.
    pub fn spare_in_sweep(&self) {
        if let Some(row) = self.row() {
            row.extras_or_new().spared.set(true);
        }
    }

    /// What the final sweep does with the task.
    pub(crate) fn in_sweep(&self) -> InSweep {
        if self.is_spared() {
            return InSweep::Await;
        }
        let mut ancestors = std::iter::successors(self.parent(), TaskRef::parent);
        if ancestors.any(|task| task.is_spared()) { InSweep::Leave } else { InSweep::Cancel }
    }

    /// Whether it is to be spared, and has not ended.
    fn is_spared(&self) -> bool {
        let extras = self.row().filter(|row| row.state.get().is_alive()).and_then(Row::extras);
        extras.is_some_and(|extras| extras.spared.get())
    }

    /// Whether the task has ended.
    ///
    /// # asyncio
    ///
    /// `Task.done()`.
    #[inline]
    pub fn is_finished(&self) -> bool {
        self.row().is_none_or(|row| !row.state.get().is_alive())
    }

    /// Whether the task has ended, and ended cancelled.
    ///
    /// # asyncio
    ///
    /// `Task.cancelled()` (TK-2, TK-3).
    pub fn is_cancelled(&self) -> bool {
        self.row().is_none_or(|row| row.is(Flag::Cancelled))
    }

    /// Whether the task has ended in an error that is no cancellation.
    ///
    /// # asyncio
    ///
    /// `Task.exception() is not None`, on a task that was not cancelled.
    pub fn has_failed(&self) -> bool {
        self.row().is_some_and(|row| row.is(Flag::Failed) && !row.is(Flag::Cancelled))
    }

    /// Calls `callback` once the task has ended: in the turn after, in the order in which callbacks were added. On a
    /// task that has ended, in the next turn. Returns a key to take it back with.
    ///
    /// A panic in it goes to the hook for unhandled errors. If the runtime ends first, it is dropped uncalled.
    ///
    /// # asyncio
    ///
    /// `Task.add_done_callback` (SC-3, TK-17). It is called in a copy of the [context](crate::locals) in which it
    /// was added (CV-4).
    pub fn on_done(&self, callback: impl FnOnce(&TaskRef) + 'static) -> CallbackKey {
        let Some(row) = self.row() else { return CallbackKey(0) };
        let context = in_force::to_inherit();
        if !row.state.get().is_alive() {
            let task = self.clone();
            home(row).call_soon_in(context, move || callback(&task));
            return CallbackKey(0);
        }
        let extras = row.extras_or_new();
        let key = extras.callbacks_made.get() + 1;
        extras.callbacks_made.set(key);
        extras.callbacks.borrow_mut().push(Callback { key, call: Box::new(callback), context });
        CallbackKey(key)
    }

    /// Takes a callback back. Returns whether it was still there, uncalled.
    ///
    /// # asyncio
    ///
    /// `Task.remove_done_callback` (TK-17).
    pub fn remove_on_done(&self, key: CallbackKey) -> bool {
        let Some(extras) = self.row().and_then(Row::extras) else { return false };
        let mut callbacks = extras.callbacks.borrow_mut();
        let Some(index) = callbacks.iter().position(|callback| callback.key == key.0) else { return false };
        let callback = callbacks.remove(index);
        // Released first: the closure's destructor may add a callback.
        drop(callbacks);
        drop(callback);
        true
    }
}

/// See [`TaskRef::spare_in_sweep`].
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InSweep {
    /// Cancel it, and wait for it.
    Cancel,
    /// Wait for it: it cleans up.
    Await,
    /// A task that cleans up has spawned it, and sees to it.
    Leave,
}

/// What [`TaskRef::on_done`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallbackKey(u64);

/// The runtime of a row that a handle has found current.
#[inline(always)]
pub(crate) fn home(row: &Row) -> &'static Core {
    debug_assert!(
        row.owner().is_some_and(|outpost| !outpost.home().is_null()),
        "nobody's, yet current: {row:?}"
    );
    // SAFETY: the row's generation is current, so it has an owner, and the runtime that this one is the outpost of lives, on this
    // thread (one-thread): a runtime ends all generations before its outpost lets go of it. As in `context::core_that_owns`,
    // callers let go of it within the call.
    unsafe { &*row.owner().unwrap_unchecked().home() }
}

// A task's panic ends with that task: whatever is seen through a handle is whole.
impl UnwindSafe for TaskRef {}
impl RefUnwindSafe for TaskRef {}

impl Clone for TaskRef {
    fn clone(&self) -> Self {
        self.row().map_or_else(TaskRef::dead, TaskRef::of)
    }
}

impl Drop for TaskRef {
    #[inline]
    fn drop(&mut self) {
        if let Some(row) = self.row() {
            TaskRef::let_go(row);
        }
    }
}

impl PartialEq for TaskRef {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for TaskRef {}

impl std::hash::Hash for TaskRef {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl fmt::Debug for TaskRef {
    /// `Task(fetch, pending)`: the name, and the state as asyncio shows it (TK-14).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.row() {
            None => "gone",
            Some(row) if row.is(Flag::Cancelled) => "cancelled",
            Some(row) if !row.state.get().is_alive() => "finished",
            Some(row) if row.count.get() > 0 => "cancelling",
            Some(_) => "pending",
        };
        write!(f, "Task({}, {state}", self.name())?;
        if let Some(awaited) = self.awaited() {
            write!(f, ", awaits {}", awaited.name())?;
        }
        f.write_str(")")
    }
}
