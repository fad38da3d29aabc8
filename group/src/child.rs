//! Becoming a child of a group, and ceasing to be one.

use crate::limit::Admission;
use crate::task_group::{Group, GroupClosed};
use homing_executor::cancel::ScopeId;
use homing_executor::error::{Cancelled, Result};
use homing_executor::locals::Context;
use homing_executor::task::{Attention, Outcome, Owner, Task, TaskOptions, TaskRef, WeakTaskRef};
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

/// A child to be. See [`TaskGroup::task`](crate::TaskGroup::task).
#[must_use = "nothing is spawned before `.spawn()`"]
pub struct ChildBuilder<'a, F> {
    group: &'a Rc<Group>,
    future: F,
    options: TaskOptions,
}

impl<'a, F> ChildBuilder<'a, F> {
    #[track_caller]
    #[inline]
    pub(crate) fn new(group: &'a Rc<Group>, future: F) -> Self {
        ChildBuilder { group, future, options: TaskOptions::new() }
    }

    /// Gives the task a name, in place of `Task-7`.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.options = self.options.name(name);
        self
    }

    /// Makes the first poll happen inside [`spawn`](ChildBuilder::spawn). See
    /// [`TaskBuilder::eager`](homing_executor::task::TaskBuilder::eager).
    #[inline]
    pub fn eager(mut self) -> Self {
        self.options = self.options.eager();
        self
    }

    /// Makes the first poll wait for its turn, also where the runtime starts tasks eagerly.
    #[inline]
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

    /// Spawns the child.
    ///
    /// # Panics
    ///
    /// As [`TaskGroup::spawn`](crate::TaskGroup::spawn).
    #[inline]
    pub fn spawn<T>(self) -> Task<T>
    where
        F: Future<Output = Result<T>> + 'static,
        T: 'static,
    {
        spawn(self.group, self.future, self.options)
    }

    /// Spawns the child, if the group takes any.
    ///
    /// # Errors
    ///
    /// [`GroupClosed`]; the future is dropped.
    pub fn try_spawn<T>(self) -> Result<Task<T>, GroupClosed>
    where
        F: Future<Output = Result<T>> + 'static,
        T: 'static,
    {
        self.group.check_open()?;
        Ok(spawn_in_open_group(self.group, self.future, self.options, |membership| membership))
    }
}

/// Spawns a child in any case, for the caller wants a handle; but in a group that is shutting down it ends there and then.
///
/// # Panics
///
/// If the group has finished, or was not entered.
#[inline]
pub(crate) fn spawn<F, T>(group: &Rc<Group>, future: F, options: TaskOptions) -> Task<T>
where
    F: Future<Output = Result<T>> + 'static,
    T: 'static,
{
    match group.check_open() {
        Ok(()) => spawn_in_open_group(group, future, options, |membership| membership),
        Err(GroupClosed::ShuttingDown) => spawn_in_vain(future, options),
        Err(closed) => panic!("{closed}"),
    }
}

#[cold]
fn spawn_in_vain<F, T>(future: F, options: TaskOptions) -> Task<T>
where
    F: Future<Output = Result<T>> + 'static,
    T: 'static,
{
    let task = options.held().spawn(future, ());
    task.abort_because(&Cancelled::new().with_reason(GroupClosed::ShuttingDown.to_string()));
    task
}

/// Spawns a child in a group that takes children: whoever calls it has seen to that.
///
/// `owner` makes of its membership who answers for it.
#[inline]
pub(crate) fn spawn_in_open_group<F, T, O>(
    group: &Rc<Group>,
    future: F,
    mut options: TaskOptions,
    owner: impl FnOnce(Membership) -> O,
) -> Task<T>
where
    F: Future<Output = Result<T>> + 'static,
    T: 'static,
    O: Owner,
{
    let membership = group.admit(options.may_start_eagerly());
    if let Some(place) = membership.place() {
        let task = options.spawn(future, owner(membership));
        if !task.is_finished() {
            group.recognise(place, &task);
        }
        return task;
    }
    // Returned as it is made, and looked at nowhere: so whoever lets go of the handle at once never has one.
    if membership.admission() == Admission::InLine {
        options = options.held();
    }
    options.spawn(future, owner(membership))
}

impl<F> fmt::Debug for ChildBuilder<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildBuilder").finish_non_exhaustive()
    }
}

/// A child's place in its group. Dropping it, when the child has ended or was never spawned, gives it back.
///
/// (Two words, so that it travels in registers.)
pub(crate) struct Membership {
    group: Rc<Group>,
    /// Where in the group's list, or, before it has taken its place, how it is admitted.
    place: Cell<usize>,
}

const TO_BEGIN: usize = usize::MAX;
const TO_STAND_IN_LINE: usize = usize::MAX - 1;

impl Membership {
    #[inline]
    pub(crate) fn new(group: Rc<Group>, admission: Admission) -> Membership {
        let place = match admission {
            Admission::Begins => TO_BEGIN,
            Admission::InLine => TO_STAND_IN_LINE,
        };
        Membership { group, place: Cell::new(place) }
    }

    /// Where in the group's list it is, if it has taken its place.
    #[inline]
    pub(crate) fn place(&self) -> Option<usize> {
        Some(self.place.get()).filter(|place| *place < TO_STAND_IN_LINE)
    }

    /// How it is admitted. For one that has not taken its place.
    #[inline]
    pub(crate) fn admission(&self) -> Admission {
        if self.place.get() == TO_STAND_IN_LINE { Admission::InLine } else { Admission::Begins }
    }

    #[inline]
    pub(crate) fn take_place(&self, child: WeakTaskRef) {
        self.place.set(self.group.take_in(child, self.admission()));
    }
}

impl Owner for Membership {
    #[inline]
    fn child_made(&self, child: WeakTaskRef) {
        if self.place().is_none() {
            self.take_place(child);
        }
    }

    #[inline]
    fn child_done(&self, _child: &TaskRef, outcome: Outcome<'_>) -> Attention {
        match outcome {
            Outcome::Failed(error) => {
                self.group.note_failure(error);
                Attention::Taken
            }
            Outcome::Value | Outcome::Cancelled(_) => Attention::Unseen,
        }
    }

    #[inline]
    fn waiter(&self) -> Option<ScopeId> {
        self.group.waiter()
    }
}

impl Drop for Membership {
    #[inline]
    fn drop(&mut self) {
        self.group.leave(self.place.get());
    }
}
