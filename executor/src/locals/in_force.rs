//! Which context is in force.
//!
//! A running task is in its own context without anybody entering it: the way to that leads from the runtime's
//! current task over its extras, so a poll pays nothing. What else runs code of the program's enters a
//! context by hand, for as long as that code is on the stack:
//!
//! ```text
//!   a callback                      the copy that was made when it was queued, or added to a task
//!   the destructors of a future     that task's, whoever has dropped it
//!   Context::run                    the context in question
//! ```
//!
//! Entering is for one place, which is a runtime and its current task. Should that code start or abort a
//! task, another task is current for the time being, or another context entered, and afterwards the first one
//! is in force again.
//!
//! Invariant (looked-for): a task has [`Flag::Locals`] if it has a context, or one was entered while it was
//! current. So one bit tells most spawns that there is nothing to be inherited.

use super::context::Context;
use crate::context;
use crate::runtime::core::Core;
use crate::task::row::{Flag, Row};
use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::ptr;
use std::task::Context as PollContext;

/// Where a context is kept: made when something is set for the first time.
#[derive(Default)]
pub(crate) struct Slot(RefCell<Option<Context>>);

impl Slot {
    pub(crate) fn holding(context: Context) -> Slot {
        Slot(RefCell::new(Some(context)))
    }

    pub(crate) fn get(&self) -> Option<Context> {
        self.0.borrow().clone()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_none()
    }

    fn get_or_new(&self) -> Context {
        self.0.borrow_mut().get_or_insert_default().clone()
    }

    /// Takes the context out, to be dropped by the caller.
    pub(crate) fn take(&self) -> Option<Context> {
        self.0.take()
    }
}

/// What a context is entered for.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    core: *const Core,
    current: *const Row,
}

impl Place {
    const NOWHERE: Place = Place { core: ptr::null(), current: ptr::null() };

    fn of(core: &Core) -> Place {
        Place { core, current: core.current.get().map_or(ptr::null(), ptr::from_ref) }
    }

    fn here() -> Place {
        context::with(|core| core.map_or(Place::NOWHERE, Place::of))
    }
}

/// The context that was entered last, and not left.
#[derive(Clone, Copy)]
struct Top {
    place: Place,
    slot: *const Slot,
}

thread_local! {
    static TOP: Cell<Top> = const { Cell::new(Top { place: Place::NOWHERE, slot: ptr::null() }) };
}

/// Puts the context in `slot` into force, here, until the guard is dropped.
pub(crate) fn enter(slot: &Slot) -> Entered<'_> {
    if let Some(row) = context::current_row() {
        row.set(Flag::Locals);
    }
    Entered { before: TOP.replace(Top { place: Place::here(), slot }), _slot: PhantomData }
}

/// See [`enter`].
pub(crate) struct Entered<'a> {
    before: Top,
    _slot: PhantomData<&'a Slot>,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        TOP.set(self.before);
    }
}

/// The slot that was entered for this place, if that is what is in force.
fn with_entered<R>(place: Place, f: impl FnOnce(Option<&Slot>) -> R) -> R {
    let top = TOP.get();
    let slot = if top.place == place { top.slot } else { ptr::null() };
    // SAFETY: null, or set by `enter`, whose guard borrows the slot, and resets it.
    f(unsafe { slot.as_ref() })
}

/// Calls `f` with the context in force, if there is one by now. `f` runs no code of the program's.
pub(crate) fn look<R>(f: impl FnOnce(&Context) -> R) -> Option<R> {
    let in_slot = |slot: &Slot| slot.0.borrow().as_ref().map(f);
    with_entered(Place::here(), |entered| match entered {
        Some(slot) => in_slot(slot),
        None => in_slot(&context::current_row()?.extras()?.context),
    })
}

/// The context in force, made if there is none yet. `None` where there is nothing to have one.
pub(crate) fn current() -> Option<Context> {
    with_entered(Place::here(), |entered| match entered {
        Some(slot) => Some(slot.get_or_new()),
        None => context::current_row().map(of_task),
    })
}

/// Whether there is a task, or an entered context, that could have values.
pub(crate) fn is_anywhere() -> bool {
    with_entered(Place::here(), |entered| entered.is_some()) || context::current_row().is_some()
}

/// What a callback gets that is added here: a copy of the context in force, or nothing, if there is nothing
/// to copy.
pub(crate) fn to_inherit() -> Option<Context> {
    look(Context::to_inherit).flatten()
}

/// The context of a task that has not ended, made if there is none yet.
pub(crate) fn of_task(row: &Row) -> Context {
    row.set(Flag::Locals);
    row.extras_or_new().context.get_or_new()
}

/// Gives a task that was just made its context.
pub(crate) fn give(row: &Row, context: Context) {
    row.set(Flag::Locals);
    let before = row.extras_or_new().context.0.replace(Some(context));
    debug_assert!(before.is_none(), "a task that was just made has no context");
}

/// Gives a task that was just made a copy of the context in force where `core` is spawning it (CV-1), unless
/// it was given another one.
#[cold]
pub(crate) fn pass_on(core: &Core, row: &Row) {
    if row.extras().is_some_and(|extras| !extras.context.is_empty()) {
        return;
    }
    let copy = |slot: &Slot| slot.0.borrow().as_ref().and_then(Context::to_inherit);
    let inherited = with_entered(Place::of(core), |entered| match entered {
        Some(slot) => copy(slot),
        None => copy(&core.current.get()?.extras()?.context),
    });
    if let Some(context) = inherited {
        give(row, context);
    }
}

/// Calls a callback whose turn it is, in the context that it was queued with, and as nobody's current task: it has a row,
/// but is none.
pub(crate) fn in_own_context(cx: &PollContext<'_>, call: impl FnOnce()) {
    context::with(|core| core.map(|core| core.current.take()));
    let row = crate::waker::task_of(cx.waker()).and_then(Row::current);
    let empty = Slot::default();
    let slot = row.and_then(Row::extras).map_or(&empty, |extras| &extras.context);
    let _entered = enter(slot);
    call();
}
