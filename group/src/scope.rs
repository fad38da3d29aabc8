//! Scopes: task groups whose children borrow.
//!
//! A child of a task group must be `'static`, for the runtime polls it, and knows nothing of stack frames. A child of a
//! scope is polled by the scope's own future instead, which cannot outlive the frame that it stands in, and so the child
//! may borrow from that frame. It is a task all the same; and what becomes of failures and cancels, the group decides.
//!
//! ```text
//!   frame:  let mut cache; let config;
//!           scope(async |s| …).await
//!             │
//!             ├─ driver    polls the children: they live here           ─ ─► may borrow `cache`, `config`, `s`
//!             └─ group     body and exit, as in any task group               but nothing of the body's
//! ```
//!
//! Two parts, each found elsewhere: the executor's [`Driver`] for where children live, and
//! [`TaskGroup`](crate::TaskGroup) for who waits for whom. What is here joins them.

use crate::builder::GroupBuilder;
use crate::join::AsTask;
use crate::limit::Admission;
use crate::task_group::{GroupClosed, TaskGroup};
use homing_executor::error::{Cancelled, Result};
use homing_executor::locals::Context;
use homing_executor::task::{Driver, Owner, ScopedTask, TaskOptions, TaskRef};
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

/// Runs `body` in a scope: a task group whose children may borrow what lives longer than the call.
///
/// In all else it is [`task_group`](crate::task_group): it ends when the body and everything spawned in it have ended; the
/// first failure cancels the others; all errors come out as one
/// [`ExceptionGroup`](homing_executor::error::ExceptionGroup). Each child is a task, with a name, a cancel handle, an await
/// of its own at which a cancel finds it.
///
/// Children may borrow the locals of the caller, mutably too, each its own part, and the scope itself, to spawn further
/// ones; nothing that the body has made, which would be gone before them. What they share without a lock they share on
/// one thread: all are polled by the task that runs the scope. A child that computes for long without an await keeps that
/// task, and the thread, as any task does.
///
/// A child that is woken is polled one turn later than a task of a group would be: the loop calls the task that runs the
/// scope first. It is the price of borrowing; what can be `'static` is a little faster in a group.
///
/// Dropped midway, the future drops body and children then and there, before anything that they borrow. If it is forgotten
/// instead ([`std::mem::forget`]), the children are never polled again, nor dropped: they are leaked, and count as unfinished
/// until the end of the runtime.
///
/// # Errors
///
/// Those of [`task_group`](crate::task_group).
///
/// # Cancel safety
///
/// That of [`task_group`](crate::task_group): no child outlives the call.
///
/// # asyncio
///
/// There it is `async with asyncio.TaskGroup()` as well: in Python anything can be captured.
///
/// ```
/// use homing::{scope, sleep};
/// use std::time::Duration;
///
/// homing::run(async {
///     let mut pages = vec![String::new(); 3];
///     let base = String::from("https://example.org");
///     scope(async |s| {
///         for (number, page) in pages.iter_mut().enumerate() {
///             let base = &base;
///             s.spawn(async move {
///                 sleep(Duration::from_millis(1)).await?;
///                 *page = format!("{base}/{number}");
///                 Ok(())
///             });
///         }
///         Ok(())
///     })
///     .await?;
///     assert_eq!(pages[2], "https://example.org/2");
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[track_caller]
pub fn scope<'env, T, F>(body: F) -> impl Future<Output = Result<T>>
where
    F: for<'scope> AsyncFnOnce(&'scope Scope<'scope, 'env>) -> Result<T>,
{
    TaskGroup::builder().scope(body)
}

/// Scopes with options.
impl GroupBuilder {
    /// Runs `body` in a scope with these options. See [`scope`].
    ///
    /// # Errors
    ///
    /// Those of [`scope`].
    ///
    /// ```
    /// use homing::{Instant, TaskGroup, sleep};
    /// use std::time::Duration;
    ///
    /// let runtime = homing::Builder::new().virtual_time().build();
    /// runtime.block_on(async {
    ///     let pauses = [3, 2, 1].map(Duration::from_secs);
    ///     let begin = Instant::now();
    ///     TaskGroup::builder()
    ///         .limit(2)
    ///         .scope(async |s| {
    ///             for pause in &pauses {
    ///                 s.spawn(async { sleep(*pause).await });
    ///             }
    ///             Ok(())
    ///         })
    ///         .await?;
    ///     assert_eq!(begin.elapsed(), Duration::from_secs(3));
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    pub async fn scope<'env, T, F>(self, body: F) -> Result<T>
    where
        F: for<'scope> AsyncFnOnce(&'scope Scope<'scope, 'env>) -> Result<T>,
    {
        let group = self.called("scope").build();
        let scope = Scope { driver: Driver::new(), group, _env: PhantomData };
        let (lent, group) = (&scope, scope.group.clone());
        // The group's block is what is driven: when it is left, by whatever way, its children are gone before the driver's
        // own turn to drop them comes.
        scope.driver.drive(group.run(async move |_| body(lent).await)).await
    }
}

/// What the body of a [`scope`] is given: to spawn children in it, and to cancel it. Children may borrow it in turn.
///
/// `'scope` is the time that the scope runs, `'env` what lives longer.
pub struct Scope<'scope, 'env: 'scope> {
    driver: Driver<'scope>,
    group: TaskGroup,
    /// As with the threads of `std::thread::scope`: neither longer nor shorter.
    _env: PhantomData<Cell<&'env ()>>,
}

impl<'scope, 'env> Scope<'scope, 'env> {
    /// Spawns a child.
    ///
    /// In a scope that is shutting down, or whose last child has ended with the body, the future is dropped, and the task is
    /// one that has been cancelled; so nothing need be feared of a destructor that spawns. While the scope itself is being
    /// dropped there is no task either: the handle is dead, and gives
    /// [`RuntimeError::RuntimeGone`](homing_executor::error::RuntimeError::RuntimeGone).
    ///
    /// # asyncio
    ///
    /// `TaskGroup.create_task` (TG-4 to TG-7).
    #[track_caller]
    #[inline]
    pub fn spawn<F, T>(&'scope self, future: F) -> ScopedTask<'scope, T>
    where
        F: IntoFuture<Output = Result<T>>,
        F::IntoFuture: 'scope,
        T: 'scope,
    {
        self.task(future).spawn()
    }

    /// Spawns a child, if the scope takes any.
    ///
    /// # Errors
    ///
    /// [`GroupClosed`]; the future is dropped.
    #[track_caller]
    pub fn try_spawn<F, T>(&'scope self, future: F) -> Result<ScopedTask<'scope, T>, GroupClosed>
    where
        F: IntoFuture<Output = Result<T>>,
        F::IntoFuture: 'scope,
        T: 'scope,
    {
        self.task(future).try_spawn()
    }

    /// A child to be, with options: `s.task(future).name("fetch").spawn()`.
    ///
    /// ```
    /// homing::run(homing::scope(async |s| {
    ///     let child = s.task(async { Ok(homing::current().unwrap().name()) }).name("fetch").spawn();
    ///     assert_eq!(child.await?, "fetch");
    ///     Ok(())
    /// }))
    /// # .unwrap();
    /// ```
    #[track_caller]
    #[inline]
    pub fn task<F, T>(&'scope self, future: F) -> ScopedBuilder<'scope, 'env, F::IntoFuture>
    where
        F: IntoFuture<Output = Result<T>>,
        F::IntoFuture: 'scope,
        T: 'scope,
    {
        ScopedBuilder { scope: self, future: future.into_future(), options: TaskOptions::new() }
    }

    /// Ends the scope quietly: cancels all children, and the body if it has not ended. See [`TaskGroup::cancel`].
    pub fn cancel(&self) {
        self.group.cancel();
    }

    /// The group behind it, whose handles may leave the scope: to cancel it from elsewhere, or to spawn children in it that
    /// borrow nothing.
    ///
    /// ```
    /// use homing::{GroupCancelled, scope, sleep};
    /// use std::time::Duration;
    ///
    /// let runtime = homing::Builder::new().virtual_time().build();
    /// let outcome: homing::Result<()> = runtime.block_on(scope(async |s| {
    ///     let group = s.group().clone();
    ///     let _elsewhere = homing::spawn(async move {
    ///         sleep(Duration::from_secs(1)).await?;
    ///         Ok(group.cancel())
    ///     });
    ///     sleep(Duration::from_secs(3600)).await
    /// }));
    /// assert!(outcome.unwrap_err().is::<GroupCancelled>());
    /// ```
    pub fn group(&self) -> &TaskGroup {
        &self.group
    }

    /// How many children have not ended, with those that wait in line for a [limit](GroupBuilder::limit).
    pub fn len(&self) -> usize {
        self.group.len()
    }

    /// Whether there is no child that has not ended.
    pub fn is_empty(&self) -> bool {
        self.group.is_empty()
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("group", &self.group).finish_non_exhaustive()
    }
}

/// A child to be. See [`Scope::task`].
#[must_use = "nothing is spawned before `.spawn()`"]
pub struct ScopedBuilder<'scope, 'env, F> {
    scope: &'scope Scope<'scope, 'env>,
    future: F,
    options: TaskOptions,
}

impl<'scope, F> ScopedBuilder<'scope, '_, F> {
    /// Gives the task a name, in place of `Task-7`.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.options = self.options.name(name);
        self
    }

    /// Makes the first poll happen inside [`spawn`](ScopedBuilder::spawn). See
    /// [`TaskBuilder::eager`](homing_executor::task::TaskBuilder::eager).
    pub fn eager(mut self) -> Self {
        self.options = self.options.eager();
        self
    }

    /// Makes the first poll wait for its turn, also where the runtime starts tasks eagerly.
    pub fn queued(mut self) -> Self {
        self.options = self.options.queued();
        self
    }

    /// Makes the child run in this context, instead of a copy of its spawner's. See
    /// [`TaskBuilder::context`](homing_executor::task::TaskBuilder::context).
    pub fn context(mut self, context: &Context) -> Self {
        self.options = self.options.context(context);
        self
    }

    /// Spawns the child. See [`Scope::spawn`].
    #[track_caller]
    pub fn spawn<T>(self) -> ScopedTask<'scope, T>
    where
        F: Future<Output = Result<T>> + 'scope,
        T: 'scope,
    {
        match self.scope.group.group.check_open() {
            Ok(()) => self.spawn_in_open_scope(),
            Err(closed) => {
                let task = ScopedBuilder { options: self.options.held(), ..self }.spawn_as(());
                task.abort_because(&Cancelled::new().with_reason(closed.to_string()));
                task
            }
        }
    }

    /// Spawns the child, if the scope takes any.
    ///
    /// # Errors
    ///
    /// [`GroupClosed`]; the future is dropped.
    #[track_caller]
    pub fn try_spawn<T>(self) -> Result<ScopedTask<'scope, T>, GroupClosed>
    where
        F: Future<Output = Result<T>> + 'scope,
        T: 'scope,
    {
        self.scope.group.group.check_open()?;
        Ok(self.spawn_in_open_scope())
    }

    #[track_caller]
    fn spawn_in_open_scope<T>(mut self) -> ScopedTask<'scope, T>
    where
        F: Future<Output = Result<T>> + 'scope,
        T: 'scope,
    {
        let group = &self.scope.group.group;
        let membership = group.admit(self.options.may_start_eagerly());
        if membership.admission() == Admission::InLine {
            self.options = self.options.held();
        }
        let reserved = membership.place();
        let task = self.spawn_as(membership);
        if let Some(place) = reserved
            && !task.is_finished()
        {
            group.recognise(place, &task);
        }
        task
    }

    #[track_caller]
    fn spawn_as<T>(self, owner: impl Owner) -> ScopedTask<'scope, T>
    where
        F: Future<Output = Result<T>> + 'scope,
        T: 'scope,
    {
        self.scope.driver.task(self.future).options(self.options).owner(owner).spawn()
    }
}

impl<F> fmt::Debug for ScopedBuilder<'_, '_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedBuilder").finish_non_exhaustive()
    }
}

impl<T> AsTask for ScopedTask<'_, T> {
    fn as_task(&self) -> &TaskRef {
        self
    }
}

/// What must not compile. `tests/scope_rejected.rs` also reads the reasons, those of one compiler.
#[cfg(doctest)]
mod rejected {
    macro_rules! rejected {
        ($($name:ident)*) => {$(
            #[doc = concat!("```compile_fail\n", include_str!(concat!("../tests/scope_rejected/", stringify!($name), ".rs")), "```")]
            mod $name {}
        )*};
    }

    rejected! {
        borrowed_mutably_twice
        handle_escapes
        handle_is_put_outside
        local_dies_before_the_scope
        local_of_the_body
        moved_while_borrowed
        scope_escapes
        sent_to_a_thread
        smuggled_into_a_task
        used_while_borrowed
    }
}
