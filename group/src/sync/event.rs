//! The event: a flag that tasks wait for.
//!
//! ```text
//!   clear ◄────────────► set         set: all who wait now go on, even if it is cleared before they run
//!   wait: stands in line  wait: goes on at once
//! ```

use super::turn::{At, Claim, Turn, number_of};
use super::wait_list::{Left, WaitList};
use homing_executor::cancel::Awaiting;
use homing_executor::error::Result;
use homing_executor::introspect::{Awaitable, Target};
use std::cell::Cell;
use std::fmt;

/// A flag that any number of tasks can wait for.
///
/// # asyncio
///
/// `asyncio.Event` (EV-1 to EV-4).
///
/// ```
/// use homing::sync::Event;
/// use std::rc::Rc;
///
/// homing::run(async {
///     let ready = Rc::new(Event::new());
///     let waiter = homing::spawn({
///         let ready = ready.clone();
///         async move {
///             ready.wait().await?;
///             Ok("go")
///         }
///     });
///     homing::yield_now().await?;
///     ready.set();
///     assert_eq!(waiter.await?, "go");
///     Ok(())
/// })
/// # .unwrap();
/// ```
pub struct Event {
    set: Cell<bool>,
    line: WaitList<()>,
}

impl Event {
    /// An event that is not set.
    pub const fn new() -> Event {
        Event { set: Cell::new(false), line: WaitList::new() }
    }

    /// Whether it is set.
    pub fn is_set(&self) -> bool {
        self.set.get()
    }

    /// Sets it: all who wait go on, in the order in which they came; who comes later does not wait.
    ///
    /// # asyncio
    ///
    /// `event.set()` (EV-2, EV-3).
    pub fn set(&self) {
        self.set.set(true);
        while self.line.grant(()) {}
        self.line.ring();
    }

    /// Clears it: who comes from now on waits. Who had waited when it was set goes on all the same.
    ///
    /// # asyncio
    ///
    /// `event.clear()` (EV-3).
    pub fn clear(&self) {
        self.set.set(false);
    }

    /// Waits until it is set.
    ///
    /// # Errors
    ///
    /// `Cancelled`, if the task is cancelled while it waits. If the event is set, there is no wait.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    ///
    /// # asyncio
    ///
    /// `await event.wait()`, which returns `True` (EV-1 to EV-4).
    #[track_caller]
    pub fn wait(&self) -> impl Future<Output = Result<()>> + Unpin {
        Turn::new(self, Set, |_, ()| Ok(()))
    }
}

struct Set;

impl Claim<Event> for Set {
    type Note = ();
    type Gain = ();

    fn line(event: &Event) -> &WaitList<()> {
        &event.line
    }

    fn awaited(_: &Event, line: u64) -> Awaiting {
        Awaiting::Event(line)
    }

    fn note(&self) {}

    fn take_at_once(&mut self, event: &Event, _: At) -> Option<()> {
        event.is_set().then_some(())
    }

    fn collect(&mut self, _: &Event, (): (), _: At) {}

    fn left(&mut self, _: &Event, _: Left<()>) {}
}

impl Awaitable for Event {
    fn target(&self) -> Target {
        Target::thing("Event", [number_of(&self.line)])
    }
}

impl Default for Event {
    fn default() -> Self {
        Event::new()
    }
}

impl fmt::Debug for Event {
    /// `Event [unset, waiters: 2]` (TK-14).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_set() { "Event [set" } else { "Event [unset" })?;
        self.line.write_waiters(f)?;
        f.write_str("]")
    }
}
