//! Watching tasks until they end.

use homing_executor::task::{CallbackKey, SharedTask, Task, TaskRef};
use std::rc::Rc;

/// A handle on a task, of whatever kind, by value or by reference.
pub trait AsTask {
    /// The untyped handle.
    fn as_task(&self) -> &TaskRef;
}

impl AsTask for TaskRef {
    fn as_task(&self) -> &TaskRef {
        self
    }
}

impl<T> AsTask for Task<T> {
    fn as_task(&self) -> &TaskRef {
        self
    }
}

impl<T> AsTask for SharedTask<T> {
    fn as_task(&self) -> &TaskRef {
        self
    }
}

impl<H: AsTask + ?Sized> AsTask for &H {
    fn as_task(&self) -> &TaskRef {
        (**self).as_task()
    }
}

impl<H: AsTask + ?Sized> AsTask for &mut H {
    fn as_task(&self) -> &TaskRef {
        (**self).as_task()
    }
}

/// Callbacks on several tasks, taken back when this is dropped.
#[derive(Default)]
pub(super) struct Watch {
    callbacks: Vec<(TaskRef, CallbackKey)>,
}

impl Watch {
    /// Calls `react` with the index of each task that ends: a turn after its end, or, for one that has ended already, in
    /// the next turn.
    pub(super) fn new<'a>(
        tasks: impl IntoIterator<Item = (usize, &'a TaskRef)>,
        react: impl Fn(usize, &TaskRef) + 'static,
    ) -> Watch {
        let react = Rc::new(react);
        let watch = |(index, task): (usize, &TaskRef)| {
            let react = react.clone();
            (task.clone(), task.on_done(move |task| react(index, task)))
        };
        Watch { callbacks: tasks.into_iter().map(watch).collect() }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for (task, key) in self.callbacks.drain(..) {
            task.remove_on_done(key);
        }
    }
}
