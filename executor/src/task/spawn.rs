//! Spawning: the ways in.

use super::handle::Task;
use super::options::TaskOptions;
use super::owner::Owner;
use super::reference::TaskRef;
use crate::context;
use crate::error::Result;
use crate::locals::Context;
use std::borrow::Cow;
use std::panic::Location;

/// Spawns a task on the running runtime. Its first poll is in the next turn, in the order of spawning.
///
/// The future gives a [`Result`]; spawn another kind as `async { Ok(future.await) }`. It need not be `Send`.
///
/// # Panics
///
/// Outside of a runtime. A runtime that is being dropped takes no more tasks: the future is dropped, and the handle
/// gives [`RuntimeError::RuntimeGone`](crate::error::RuntimeError::RuntimeGone).
///
/// # asyncio
///
/// `asyncio.create_task` (SC-2, TK-1). The runtime owns the task, so nobody has to keep the handle.
///
/// ```
/// homing::run(async {
///     let answer = homing::spawn(async { Ok(6 * 7) });
///     assert_eq!(answer.await?, 42);
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[track_caller]
#[inline]
pub fn spawn<F, T>(future: F) -> Task<T>
where
    F: IntoFuture<Output = Result<T>>,
    F::IntoFuture: 'static,
    T: 'static,
{
    TaskOptions::new().spawn(future.into_future(), ())
}

/// A task to be, with options: `homing::task(future).name("fetch").eager().spawn()`.
///
/// # asyncio
///
/// The keyword arguments of `asyncio.create_task`.
///
/// ```
/// homing::run(async {
///     let task = homing::task(async { Ok(homing::current().unwrap().name()) }).name("fetch").spawn();
///     assert_eq!(task.await?, "fetch");
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[track_caller]
#[inline]
pub fn task<F, T>(future: F) -> TaskBuilder<F::IntoFuture>
where
    F: IntoFuture<Output = Result<T>>,
    F::IntoFuture: 'static,
    T: 'static,
{
    TaskBuilder { future: future.into_future(), owner: (), options: TaskOptions::new() }
}

/// See [`task`].
#[derive(Debug)]
#[must_use = "nothing is spawned before `.spawn()`"]
pub struct TaskBuilder<F, O = ()> {
    future: F,
    owner: O,
    options: TaskOptions,
}

impl<F, O> TaskBuilder<F, O> {
    /// Gives the task a name, in place of `Task-7`.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.options = self.options.name(name);
        self
    }

    /// Makes the first poll happen inside [`spawn`](TaskBuilder::spawn), on the caller's stack: if the future finishes
    /// there, the task is done on return and was never queued. Within many nested eager spawns it falls back to the
    /// queue.
    ///
    /// # asyncio
    ///
    /// `eager_start=True` (EA-1 to EA-15).
    pub fn eager(mut self) -> Self {
        self.options = self.options.eager();
        self
    }

    /// Makes the first poll wait for its turn, also where the runtime starts tasks eagerly.
    ///
    /// # asyncio
    ///
    /// `eager_start=False` (EA-5).
    pub fn queued(mut self) -> Self {
        self.options = self.options.queued();
        self
    }

    /// Makes the task run in this context, instead of a copy of its spawner's: it shares it with whoever else has it.
    ///
    /// # asyncio
    ///
    /// `create_task(…, context=…)` (CV-3). See [`Context`].
    pub fn context(mut self, context: &Context) -> Self {
        self.options = self.options.context(context);
        self
    }

    /// Holds the task back: it is there, with its handle, and can be cancelled; but it is not polled before somebody calls
    /// [`TaskRef::start`]. For those who let tasks in one by one.
    ///
    /// # asyncio
    ///
    /// Has none.
    pub fn held(mut self) -> Self {
        self.options = self.options.held();
        self
    }

    /// Sets the place that is shown as where the task was spawned: for libraries that spawn for their caller.
    pub fn spawned_at(mut self, place: &'static Location<'static>) -> Self {
        self.options = self.options.spawned_at(place);
        self
    }

    /// Sets who answers for the task, and is told of its end.
    #[inline]
    pub fn owner<P: Owner>(self, owner: P) -> TaskBuilder<F, P> {
        TaskBuilder { future: self.future, owner, options: self.options }
    }

    /// Spawns the task on the running runtime.
    ///
    /// # Panics
    ///
    /// As [`spawn()`].
    #[track_caller]
    #[inline]
    pub fn spawn<T>(self) -> Task<T>
    where
        F: Future<Output = Result<T>> + 'static,
        T: 'static,
        O: Owner,
    {
        self.options.spawn(self.future, self.owner)
    }
}

/// The task that is being polled; `None` in a callback and outside of a runtime.
///
/// # asyncio
///
/// `asyncio.current_task()` (TK-9), which is an error outside of a loop.
pub fn current() -> Option<TaskRef> {
    context::current_row().map(TaskRef::of)
}

/// How many times the running task has been asked to cancel, less the [`uncancel`]s: short for
/// [`TaskRef::cancelling`] on [`current`]. Zero outside of tasks.
///
/// # asyncio
///
/// `asyncio.current_task().cancelling()` (CX-18).
pub fn cancelling() -> u32 {
    context::current_row().map_or(0, |row| row.count.get())
}

/// Takes one request to cancel the running task back, and returns how many remain: short for [`TaskRef::uncancel`] on
/// [`current`]. For a task that was cancelled and goes on all the same. Zero outside of tasks.
///
/// # asyncio
///
/// `asyncio.current_task().uncancel()` (CX-19 to CX-21).
///
/// ```
/// homing::run(async {
///     let stubborn = homing::spawn(async {
///         if homing::sleep(std::time::Duration::from_secs(60)).await.is_err() {
///             assert_eq!(homing::cancelling(), 1);
///             assert_eq!(homing::uncancel(), 0);
///         }
///         Ok("went on")
///     });
///     homing::yield_now().await?;
///     stubborn.cancel();
///     assert_eq!(stubborn.await?, "went on");
///     Ok(())
/// })
/// # .unwrap();
/// ```
pub fn uncancel() -> u32 {
    context::current_row().map_or(0, crate::cancel::request::uncancel)
}

/// Every task of the running runtime that has not ended, in no particular order; none outside of a runtime.
///
/// Looks through all rows, so it is not for hot paths.
///
/// # asyncio
///
/// `asyncio.all_tasks()` (TK-10).
pub fn all_tasks() -> Vec<TaskRef> {
    context::with(|core| core.map(|core| core.all_tasks()).unwrap_or_default())
}
