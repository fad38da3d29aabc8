//! The cell: where a task's future lives, then its output, both without their type.
//!
//! A row is the same for every task; what differs from type to type is behind a pointer to this memory and a table of
//! functions that know the type.
//!
//! ```text
//!           row                         cell
//!  vtable ──┼──► poll, drop, …        ┌───────────────────────┬───────┐
//!  cell ────┼────────────────────────►│ future, later output  │ owner │
//!  stage ───┘  says which of the two  └───────────────────────┴───────┘
//! ```
//!
//! The output is at offset zero whatever the future's type, so that a `Task<T>` can read it without knowing `F`.

use super::life;
use super::owner::{Attention, Outcome, Owner};
use super::reference::TaskRef;
use super::row::Stage;
use crate::cancel::ScopeId;
use crate::error::{Error, Result};
use crate::memory::Source;
use std::alloc::Layout;
use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::task::{Context, Poll};

#[repr(C)]
union Content<F, T> {
    future: ManuallyDrop<F>,
    output: ManuallyDrop<Result<T>>,
}

#[repr(C)]
pub(crate) struct TaskCell<F, T, O> {
    content: Content<F, T>,
    owner: ManuallyDrop<O>,
}

impl<F, T, O> TaskCell<F, T, O> {
    pub(crate) fn new(future: F, owner: O) -> Self {
        TaskCell { content: Content { future: ManuallyDrop::new(future) }, owner: ManuallyDrop::new(owner) }
    }

    /// The owner in a cell.
    ///
    /// # Safety
    ///
    /// The cell is one of this type, of a task that has not ended, and does not end while the reference is there.
    #[inline(always)]
    pub(crate) unsafe fn owner<'a>(cell: *const ()) -> &'a O {
        // SAFETY: by the caller; the owner is apart from the future, which may be being polled.
        unsafe { &*ptr::addr_of!((*cell.cast::<Self>()).owner).cast::<O>() }
    }

    /// Makes a cell of fresh memory. (Part by part: put together first, it would be moved once more.)
    ///
    /// # Safety
    ///
    /// The memory is nobody else's, and has the layout of such a cell.
    #[inline(always)]
    pub(crate) unsafe fn fill(cell: *mut (), future: F, owner: O) {
        let cell = cell.cast::<Self>();
        // SAFETY: by the caller; both places are within it.
        unsafe {
            (&raw mut (*cell).content).cast::<F>().write(future);
            (&raw mut (*cell).owner).cast::<O>().write(owner);
        }
    }
}

/// What a finished poll left in the cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Value,
    Error,
}

/// The functions that know a cell's type. All of them take a pointer to a cell of that type, and may be called only
/// while nothing else works with it.
pub(crate) struct VTable {
    /// Polls the future. When it is ready, drops it and puts its output in its place; `stage` tells at every moment
    /// which is there, also when one of the two panics. For a cell at stage `Future`.
    pub(crate) poll: unsafe fn(*mut (), &Cell<Stage>, &mut Context<'_>) -> Poll<Ended>,
    /// Drops the future, which is there. The caller has set the stage to `Empty`: a destructor may panic.
    pub(crate) drop_future: unsafe fn(*mut ()),
    /// Drops the output, which is there. As above.
    pub(crate) drop_output: unsafe fn(*mut ()),
    /// Whether that does anything, if the output is a value.
    pub(crate) value_needs_drop: bool,
    /// Writes `Err(error)` into an empty cell.
    pub(crate) put_error: unsafe fn(*mut (), Error),
    /// Where in a cell at stage `Output` its error is, if it holds one.
    pub(crate) error: unsafe fn(*mut ()) -> Option<NonNull<Error>>,
    /// `None` if nobody answers for the task.
    pub(crate) owner: Option<OwnerTable>,
    /// Where the cell came from, and goes back to.
    pub(crate) source: Source,
    /// The name of the future's type.
    pub(crate) type_name: fn() -> &'static str,
    /// Asks the owner who waits for the task. For a task that has not ended.
    pub(crate) waiter: unsafe fn(*const ()) -> Option<ScopeId>,
}

/// The same for its owner.
pub(crate) struct OwnerTable {
    /// Tells the owner, which was there until then, and drops it. Only its destructor may panic, if it has not
    /// taken the error.
    pub(crate) conclude: unsafe fn(*mut (), &TaskRef, Outcome<'_>) -> Attention,
}

/// The tables, one for each type of cell.
struct Tables<F, T, O>(std::marker::PhantomData<(F, T, O)>);

impl<F: Future<Output = Result<T>>, T, O: Owner> Tables<F, T, O> {
    const POOLED: VTable = Self::table(Source::of(Layout::new::<TaskCell<F, T, O>>()));
    const ON_STACK: VTable = Self::table(Source::Elsewhere);

    const OWNER: OwnerTable = OwnerTable { conclude: conclude::<F, T, O> };

    const fn table(source: Source) -> VTable {
        VTable {
            poll: poll::<F, T>,
            drop_future: drop_future::<F, T>,
            drop_output: drop_output::<F, T>,
            value_needs_drop: std::mem::needs_drop::<T>(),
            put_error: put_error::<F, T>,
            error: error::<F, T>,
            owner: if O::IS_NOBODY { None } else { Some(Self::OWNER) },
            source,
            type_name: std::any::type_name::<F>,
            waiter: waiter::<F, T, O>,
        }
    }
}

/// The table for a cell in memory of the pool.
pub(crate) fn pooled<F: Future<Output = Result<T>>, T, O: Owner>() -> &'static VTable {
    &const { Tables::<F, T, O>::POOLED }
}

/// The same, but it gives the name of another type, `N`: that of the future which the one in the cell stands for.
pub(crate) fn pooled_for<N, F: Future<Output = Result<T>>, T, O: Owner>() -> &'static VTable {
    struct Named<N, F, T, O>(std::marker::PhantomData<(N, F, T, O)>);
    impl<N, F: Future<Output = Result<T>>, T, O: Owner> Named<N, F, T, O> {
        const TABLE: VTable = VTable { type_name: std::any::type_name::<N>, ..Tables::<F, T, O>::POOLED };
    }
    &const { Named::<N, F, T, O>::TABLE }
}

/// The table for a cell on the stack of `block_on`.
pub(crate) fn on_stack<F: Future<Output = Result<T>>, T, O: Owner>() -> &'static VTable {
    &const { Tables::<F, T, O>::ON_STACK }
}

// SAFETY, for the blocks below: the callers keep the table's contract, so `cell` points to a `TaskCell<F, T, O>`
// whose content is at the stage that the function is for, and nobody else has a reference into it.

/// As the table's `poll`, for who knows the type.
///
/// # Safety
///
/// As for all functions of the table.
#[inline]
pub(crate) unsafe fn poll<F: Future<Output = Result<T>>, T>(
    cell: *mut (),
    stage: &Cell<Stage>,
    cx: &mut Context<'_>,
) -> Poll<Ended> {
    debug_assert_eq!(stage.get(), Stage::Future);
    let content = cell.cast::<Content<F, T>>();
    // SAFETY: see above; a cell never moves before its future is dropped, hence the pin.
    let future = unsafe { Pin::new_unchecked(&mut *ptr::from_mut(&mut (*content).future).cast::<F>()) };
    match future.poll(cx) {
        Poll::Pending => Poll::Pending,
        Poll::Ready(output) => {
            let ended = if output.is_ok() { Ended::Value } else { Ended::Error };
            // From here on the future counts as dropped, also if its destructor panics.
            stage.set(Stage::Empty);
            // SAFETY: the future was there, and is not touched again.
            unsafe { ManuallyDrop::drop(&mut (*content).future) };
            // SAFETY: the content is empty.
            unsafe { (*content).output = ManuallyDrop::new(output) };
            stage.set(Stage::Output);
            Poll::Ready(ended)
        }
    }
}

unsafe fn drop_future<F, T>(cell: *mut ()) {
    // SAFETY: see above.
    unsafe { ManuallyDrop::drop(&mut (*cell.cast::<Content<F, T>>()).future) }
}

unsafe fn drop_output<F, T>(cell: *mut ()) {
    // SAFETY: see above.
    unsafe { ManuallyDrop::drop(&mut (*cell.cast::<Content<F, T>>()).output) }
}

unsafe fn put_error<F, T>(cell: *mut (), error: Error) {
    // SAFETY: see above.
    unsafe { (*cell.cast::<Content<F, T>>()).output = ManuallyDrop::new(Err(error)) }
}

unsafe fn error<F, T>(cell: *mut ()) -> Option<NonNull<Error>> {
    // SAFETY: see above.
    let output =
        unsafe { &mut *ptr::from_mut(&mut (*cell.cast::<Content<F, T>>()).output).cast::<Result<T>>() };
    output.as_mut().err().map(NonNull::from)
}

unsafe fn conclude<F, T, O: Owner>(cell: *mut (), child: &TaskRef, outcome: Outcome<'_>) -> Attention {
    // SAFETY: see above; nobody asks for the owner of a task that has ended.
    let owner = unsafe { &mut (*cell.cast::<TaskCell<F, T, O>>()).owner };
    let attention = life::contain(|| owner.child_done(child, outcome));
    // SAFETY: it was there until now, and is not touched again.
    let mut drop = || unsafe { ManuallyDrop::drop(owner) };
    if attention == Some(Attention::Taken) {
        // A panic of its destructor does not unsay that.
        life::contain(drop);
        return Attention::Taken;
    }
    drop();
    Attention::Unseen
}

unsafe fn waiter<F, T, O: Owner>(cell: *const ()) -> Option<ScopeId> {
    // SAFETY: see above, and the task has not ended.
    unsafe { TaskCell::<F, T, O>::owner(cell) }.waiter()
}

/// Moves the output out of a cell.
///
/// # Safety
///
/// The cell is one whose future has the output `Result<T>`, at stage `Output`; the caller sets it to `Empty`.
pub(crate) unsafe fn take_output<T>(cell: *mut ()) -> Result<T> {
    // SAFETY: by the caller; `output` is at offset zero of every cell for this `T` (all are `repr(C)`).
    unsafe { cell.cast::<Result<T>>().read() }
}
