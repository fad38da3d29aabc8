//! Something to wait for: a handle as it is, or a future that becomes a task.

use homing_executor::error::Result;
use homing_executor::task::{SharedTask, Task, TaskRef, task};
use std::any::Any;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// A task that is waited for, and how to get at its outcome.
pub(super) enum Child<T> {
    Task(Task<T>),
    /// A shared handle. Its output is had by polling it, which takes no turn once the task has ended.
    Shared(TaskRef, Pin<Box<dyn Future<Output = Result<T>>>>),
}

impl<T: 'static> Child<T> {
    /// A handle stays what it is; any other future is spawned, so that it goes on by itself (GA-1).
    pub(super) fn new<F>(future: F, place: &'static Location<'static>) -> Child<T>
    where
        F: Future<Output = Result<T>> + 'static,
    {
        // A choice by type, made by the compiler once it knows the type.
        let mut slot = Some(future);
        if let Some(handle) = (&mut slot as &mut dyn Any).downcast_mut::<Option<Task<T>>>() {
            return Child::Task(handle.take().expect("just put there"));
        }
        let shared = (&slot as &dyn Any).downcast_ref::<Option<SharedTask<T>>>();
        let shared = shared.and_then(Option::as_ref).map(|handle| TaskRef::clone(handle));
        let future = slot.expect("not taken");
        match shared {
            Some(task) => Child::Shared(task, Box::pin(future)),
            None => Child::Task(task(future).spawned_at(place).spawn()),
        }
    }

    pub(super) fn task(&self) -> &TaskRef {
        match self {
            Child::Task(task) => task,
            Child::Shared(task, _) => task,
        }
    }

    /// The outcome of a task that has ended.
    pub(super) fn outcome(&mut self) -> Result<T> {
        let polled = match self {
            Child::Task(task) => Pin::new(task).poll(&mut Context::from_waker(Waker::noop())),
            Child::Shared(_, handle) => handle.as_mut().poll(&mut Context::from_waker(Waker::noop())),
        };
        match polled {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => unreachable!("the task has ended"),
        }
    }
}
