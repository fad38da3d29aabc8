//! Becoming a child of a group, and ceasing to be one.

use crate::task_group::{Group, GroupClosed};
use homing_executor::error::{Cancelled, Result};
use homing_executor::locals::Context;
use homing_executor::task::{Attention, Outcome, Owner, Task, TaskBuilder, TaskRef, task};
use std::borrow::Cow;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

/// A child to be. See [`TaskGroup::task`](crate::TaskGroup::task).
#[must_use = "nothing is spawned before `.spawn()`"]
pub struct ChildBuilder<'a, F> {
    group: &'a Rc<Group>,
    future: F,
    options: Options,
}

/// What the task is to be made with. It is made last, when it is known whether the future has to wait for its turn.
pub(crate) struct Options {
    pub(crate) name: Option<Cow<'static, str>>,
    pub(crate) start: Start,
    pub(crate) place: &'static Location<'static>,
    pub(crate) context: Option<Context>,
}

pub(crate) enum Start {
    AsTheRuntimeDoes,
    Eager,
    Queued,
}

impl Options {
    #[track_caller]
    pub(crate) fn new() -> Options {
        let place = Location::caller();
        Options { name: None, start: Start::AsTheRuntimeDoes, place, context: None }
    }

    /// Spawns a child. The group takes children: whoever calls it has seen to that.
    ///
    /// `owner` makes of its membership who answers for it.
    pub(crate) fn spawn_in<F, T, O>(
        self,
        group: &Rc<Group>,
        future: F,
        owner: impl FnOnce(Membership) -> O,
    ) -> Task<T>
    where
        F: Future<Output = Result<T>> + 'static,
        T: 'static,
        O: Owner,
    {
        match group.limit() {
            None => admit(group, self.task(future), owner),
            Some(limit) => admit(group, self.task(limit.in_turn(future)), owner),
        }
    }

    fn task<F, T>(self, future: F) -> TaskBuilder<F>
    where
        F: Future<Output = Result<T>> + 'static,
        T: 'static,
    {
        let mut task = task(future).spawned_at(self.place);
        if let Some(name) = self.name {
            task = task.name(name);
        }
        if let Some(context) = &self.context {
            task = task.context(context);
        }
        match self.start {
            Start::AsTheRuntimeDoes => task,
            Start::Eager => task.eager(),
            Start::Queued => task.queued(),
        }
    }
}

impl<'a, F> ChildBuilder<'a, F> {
    #[track_caller]
    pub(crate) fn new(group: &'a Rc<Group>, future: F) -> Self {
        ChildBuilder { group, future, options: Options::new() }
    }

    /// Gives the task a name, in place of `Task-7`.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.options.name = Some(name.into());
        self
    }

    /// Makes the first poll happen inside [`spawn`](ChildBuilder::spawn). See
    /// [`TaskBuilder::eager`](homing_executor::task::TaskBuilder::eager).
    pub fn eager(mut self) -> Self {
        self.options.start = Start::Eager;
        self
    }

    /// Makes the first poll wait for its turn, also where the runtime starts tasks eagerly.
    pub fn queued(mut self) -> Self {
        self.options.start = Start::Queued;
        self
    }

    /// Makes the child run in this context, instead of a copy of its spawner's. See
    /// [`TaskBuilder::context`](homing_executor::task::TaskBuilder::context).
    pub fn context(mut self, context: &Context) -> Self {
        self.options.context = Some(context.clone());
        self
    }

    /// Spawns the child.
    ///
    /// # Panics
    ///
    /// As [`TaskGroup::spawn`](crate::TaskGroup::spawn).
    #[track_caller]
    pub fn spawn<T>(self) -> Task<T>
    where
        F: Future<Output = Result<T>> + 'static,
        T: 'static,
    {
        match self.group.check_open() {
            Ok(()) => self.options.spawn_in(self.group, self.future, |membership| membership),
            Err(GroupClosed::ShuttingDown) => {
                let task = self.options.task(self.future).queued().spawn();
                task.abort_because(&Cancelled::new().with_reason(GroupClosed::ShuttingDown.to_string()));
                task
            }
            Err(closed) => panic!("{closed}"),
        }
    }

    /// Spawns the child, if the group takes any.
    ///
    /// # Errors
    ///
    /// [`GroupClosed`]; the future is dropped.
    #[track_caller]
    pub fn try_spawn<T>(self) -> Result<Task<T>, GroupClosed>
    where
        F: Future<Output = Result<T>> + 'static,
        T: 'static,
    {
        self.group.check_open()?;
        Ok(self.options.spawn_in(self.group, self.future, |membership| membership))
    }
}

fn admit<F, T, O>(group: &Rc<Group>, task: TaskBuilder<F>, owner: impl FnOnce(Membership) -> O) -> Task<T>
where
    F: Future<Output = Result<T>> + 'static,
    T: 'static,
    O: Owner,
{
    let membership = group.reserve();
    let key = membership.key;
    let task = task.owner(owner(membership)).spawn();
    if !task.is_finished() {
        group.fill(key, task.task_ref());
    }
    task
}

impl<F> fmt::Debug for ChildBuilder<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildBuilder").finish_non_exhaustive()
    }
}

/// A child's place in its group. Dropping it, when the child has ended or was never spawned, gives it back.
pub(crate) struct Membership {
    group: Rc<Group>,
    pub(crate) key: usize,
}

impl Membership {
    pub(crate) fn new(group: Rc<Group>, key: usize) -> Membership {
        Membership { group, key }
    }
}

impl Owner for Membership {
    fn child_done(&self, _child: &TaskRef, outcome: Outcome<'_>) -> Attention {
        match outcome {
            Outcome::Failed(error) => {
                self.group.note_failure(error);
                Attention::Taken
            }
            Outcome::Value | Outcome::Cancelled(_) => Attention::Unseen,
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.group.leave(self.key);
    }
}
