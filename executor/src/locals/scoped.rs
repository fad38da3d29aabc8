//! A value for a part of a task.
//!
//! A task may poll several futures in turn (`join!`), so a value that is set when a future begins and set
//! back when it ends would be seen by its neighbours. Instead it is exchanged for what is there at each poll,
//! and back after it.
//!
//! ```text
//!            ┌──────── poll ────────┐           ┌─ poll ─┐
//!   context  7 ──► 42  …  42 ──► 7     7        42      7
//!   scope   42 ──► 7   …   7 ──► 42   42        7       42
//! ```

use super::context;
use super::in_force::{self, Entered, Slot};
use super::values::{Key, Value};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The future of [`TaskLocal::scope`](super::TaskLocal::scope).
#[must_use = "futures do nothing unless awaited"]
pub struct Scoped<F> {
    /// Pinned with the whole. Gone when it has ended: it is dropped with the value in force.
    future: Option<F>,
    key: &'static Key,
    /// While the future is not being polled: its value. While it is: what was there before.
    value: Option<Value>,
    /// For when it is polled where no task is running.
    spare: Slot,
}

impl<F> Scoped<F> {
    pub(crate) fn new(key: &'static Key, value: Value, future: F) -> Scoped<F> {
        Scoped { future: Some(future), key, value: Some(value), spare: Slot::default() }
    }

    /// The future, and its scope, which lasts as long as what is given with it.
    fn enter(self: Pin<&mut Self>) -> (Pin<&mut Option<F>>, Swapped<'_>) {
        // SAFETY: `future` is pinned with the whole and never moved out of it (the destructor below leaves it
        // where it is, and `Scoped` is `Unpin` only if `F` is); the other fields are never pinned.
        let (future, key, value, spare) = unsafe {
            let Scoped { future, key, value, spare } = self.get_unchecked_mut();
            (Pin::new_unchecked(future), key, value, spare)
        };
        (future, Swapped::new(key, value, spare))
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let (mut future, _in_scope) = self.enter();
        let running = future.as_mut().as_pin_mut().expect("a scope was polled after it had ended");
        let polled = running.poll(cx);
        if polled.is_ready() {
            future.set(None);
        }
        polled
    }
}

impl<F> Drop for Scoped<F> {
    fn drop(&mut self) {
        if self.future.is_some() {
            // SAFETY: what is being dropped is not moved any more.
            let (mut future, _in_scope) = unsafe { Pin::new_unchecked(self) }.enter();
            future.set(None);
        }
    }
}

impl<F> fmt::Debug for Scoped<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped").field("key", &format_args!("{}", self.key.declared)).finish_non_exhaustive()
    }
}

/// While it lives, `value` and what the context in force has under the key have changed places.
pub(crate) struct Swapped<'a> {
    in_force: context::Context,
    key: &'static Key,
    value: &'a mut Option<Value>,
    /// Where there was no context in force.
    _entered: Option<Entered<'a>>,
}

impl<'a> Swapped<'a> {
    /// `spare` is for where no context is in force, nor any task to have one.
    pub(crate) fn new(key: &'static Key, value: &'a mut Option<Value>, spare: &'a Slot) -> Swapped<'a> {
        let entered = (!in_force::is_anywhere()).then(|| in_force::enter(spare));
        let in_force = in_force::current().expect("the task's, or the one that was just entered");
        let mut swapped = Swapped { in_force, key, value, _entered: entered };
        swapped.swap();
        swapped
    }

    fn swap(&mut self) {
        *self.value = self.in_force.swap(self.key, self.value.take());
    }
}

impl Drop for Swapped<'_> {
    fn drop(&mut self) {
        self.swap();
    }
}
