//! The runtime that is running on this thread.
//!
//! One thread-local pointer, set while a runtime takes a turn. It is constant-initialised and has no destructor, so it
//! can be read at any time, also while the thread's other thread-locals are being destroyed.

use crate::runtime::core::Core;
use crate::task::row::Row;
use std::cell::Cell;
use std::ptr;

thread_local! {
    static CURRENT: Cell<*const Core> = const { Cell::new(ptr::null()) };
}

/// Makes `core` this thread's running runtime until the guard is dropped; then the former one, if any, is it again.
pub(crate) fn enter(core: &Core) -> Entered<'_> {
    Entered { before: CURRENT.replace(core), _core: core }
}

/// See [`enter`].
pub(crate) struct Entered<'a> {
    before: *const Core,
    _core: &'a Core,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        CURRENT.set(self.before);
    }
}

/// Calls `f` with the running runtime.
#[inline(always)]
pub(crate) fn with<R>(f: impl FnOnce(Option<&Core>) -> R) -> R {
    f(running())
}

/// The running runtime. The lifetime is a white lie that stays in this crate: callers use the core within the call in
/// which they got it, and the guard of `enter` is further up on this same stack.
#[inline(always)]
pub(crate) fn running() -> Option<&'static Core> {
    // SAFETY: the pointer is null, or was set by `enter`, whose guard borrows the core and resets it.
    unsafe { CURRENT.get().as_ref() }
}

/// Whether it is this runtime that is running.
#[inline]
pub(crate) fn is_running(core: &Core) -> bool {
    ptr::eq(CURRENT.get(), core)
}

/// The running runtime, if it is the one that owns this row.
#[inline(always)]
pub(crate) fn core_that_owns(row: &Row) -> Option<&'static Core> {
    running().filter(|core| core.owns(row))
}

/// The row of the task that is being polled.
#[inline(always)]
pub(crate) fn current_row() -> Option<&'static Row> {
    with(|core| core.and_then(|core| core.current.get()))
}
