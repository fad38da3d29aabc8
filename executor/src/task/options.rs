//! How a task is to be made: all that is said of it but its future.
//!
//! The builders of this crate, and of those who spawn for their callers, each carry one.

use super::extras::Extras;
use super::handle::Task;
use super::owner::Owner;
use super::row::Row;
use crate::context;
use crate::error::Result;
use crate::locals::Context;
use crate::locals::in_force::Slot;
use crate::runtime::core::Core;
use std::borrow::Cow;
use std::panic::Location;

/// Options of a task, for who writes a builder of tasks. Others use [`task`](super::task).
///
/// ```
/// use homing::task::TaskOptions;
///
/// homing::run(async {
///     let task = TaskOptions::new().name("fetch").spawn(async { Ok(42) }, ());
///     assert_eq!(task.name(), "fetch");
///     assert_eq!(task.await?, 42);
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[derive(Debug)]
#[must_use = "options do nothing by themselves"]
pub struct TaskOptions {
    /// The name and the context, if it was given one.
    pub(crate) extras: Option<Box<Extras>>,
    /// `None`: as the runtime was told to.
    pub(crate) start: Option<Start>,
    pub(crate) place: &'static Location<'static>,
}

/// When a task's first poll happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// In its turn.
    Queued,
    /// Inside the spawning call.
    Eager,
    /// Once somebody starts it.
    Held,
}

impl TaskOptions {
    /// No name, the runtime's default start, and the caller's place as that of the spawn.
    #[track_caller]
    #[inline]
    #[expect(clippy::new_without_default, reason = "the place of a default would be nobody's")]
    pub fn new() -> TaskOptions {
        TaskOptions { extras: None, start: None, place: Location::caller() }
    }

    /// Gives the task a name, in place of `Task-7`.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.extras.get_or_insert_default().name.set(name.into());
        self
    }

    /// Makes the first poll happen inside the spawning call. See [`TaskBuilder::eager`](super::TaskBuilder::eager).
    #[inline]
    pub fn eager(mut self) -> Self {
        self.start = Some(Start::Eager);
        self
    }

    /// Makes the first poll wait for its turn, also where the runtime starts tasks eagerly.
    #[inline]
    pub fn queued(mut self) -> Self {
        self.start = Some(Start::Queued);
        self
    }

    /// Holds the task back until somebody starts it. See [`TaskBuilder::held`](super::TaskBuilder::held).
    #[inline]
    pub fn held(mut self) -> Self {
        self.start = Some(Start::Held);
        self
    }

    /// Makes the task run in this context. See [`TaskBuilder::context`](super::TaskBuilder::context).
    pub fn context(mut self, context: &Context) -> Self {
        self.extras.get_or_insert_default().context = Slot::holding(context.clone());
        self
    }

    /// Whether the first poll may happen inside the spawning call: it was told to, or the running runtime does so unless told
    /// otherwise. For owners that have to be ready for that before they spawn.
    ///
    /// ```
    /// use homing::task::TaskOptions;
    ///
    /// assert!(TaskOptions::new().eager().may_start_eagerly());
    /// homing::run(async {
    ///     assert!(!TaskOptions::new().may_start_eagerly());
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    #[inline]
    pub fn may_start_eagerly(&self) -> bool {
        match self.start {
            Some(start) => start == Start::Eager,
            None => context::running().is_some_and(|core| core.default_start == Start::Eager),
        }
    }

    /// Sets the place that is shown as where the task was spawned: for libraries that spawn for their caller.
    #[inline]
    pub fn spawned_at(mut self, place: &'static Location<'static>) -> Self {
        self.place = place;
        self
    }

    /// Spawns a task on the running runtime. `owner` is told of its end; `()` for nobody.
    ///
    /// # Panics
    ///
    /// As [`spawn()`](super::spawn()).
    #[track_caller]
    #[inline(always)]
    pub fn spawn<F, T, O>(self, future: F, owner: O) -> Task<T>
    where
        F: Future<Output = Result<T>> + 'static,
        T: 'static,
        O: Owner,
    {
        let TaskOptions { extras, start, place } = self;
        // Which of them, is known where this is put in line.
        let row = match (extras, start) {
            (Some(extras), start) => spawn_row(future, owner, Some(extras), start, place),
            (None, None) => spawn_plainly::<false, F, T, O>(future, owner, place),
            (None, Some(Start::Eager)) => spawn_plainly::<true, F, T, O>(future, owner, place),
            (None, start) => spawn_row(future, owner, None, start, place),
        };
        Task::adopt(row)
    }
}

/// All of a spawn but the handle. That is six words, most of them zero: written where it is wanted, it need not be copied,
/// which would have to wait for its parts.
#[inline(never)]
fn spawn_row<F, T, O>(
    future: F,
    owner: O,
    extras: Option<Box<Extras>>,
    start: Option<Start>,
    place: &'static Location<'static>,
) -> Option<&'static Row>
where
    F: Future<Output = Result<T>> + 'static,
    T: 'static,
    O: Owner,
{
    running().spawn(future, owner, TaskOptions { extras, start, place })
}

/// The same without options, or with none but that it be eager.
#[inline(never)]
fn spawn_plainly<const EAGER: bool, F, T, O>(
    future: F,
    owner: O,
    place: &'static Location<'static>,
) -> Option<&'static Row>
where
    F: Future<Output = Result<T>> + 'static,
    T: 'static,
    O: Owner,
{
    running().spawn_plainly(future, owner, EAGER.then_some(Start::Eager), place)
}

#[inline(always)]
fn running() -> &'static Core {
    context::running().unwrap_or_else(|| outside_of_a_runtime())
}

#[cold]
#[inline(never)]
fn outside_of_a_runtime() -> ! {
    panic!(
        "spawn outside of a runtime: call it in `homing::run` or in a task, or use `Runtime::spawn`, \
         or `Handle::spawn_remote` from another thread"
    )
}
