//! A task's beginning: from a future to a row that is in line.
//!
//! ```text
//!   future ──► a cell, from the pool ──► a row, filled in ──► what it was given ──► in line, polled at once, or held
//!              found_task                found_row            outfit                start
//! ```
//!
//! The usual spawn has a way of its own ([`Core::spawn_plainly`]): it asks first whether all that a task is made of is at hand, and
//! if it is, the rest is storing.

use super::cell::{self, TaskCell, VTable};
use super::extras::Extras;
use super::options::{Start, TaskOptions};
use super::owner::Owner;
use super::record;
use super::reference::TaskRef;
use super::row::{Flag, Row};
use super::state::State;
use crate::cancel::ScopeId;
use crate::error::Result;
use crate::locals::in_force;
use crate::memory::Source;
use crate::runtime::core::Core;
use crate::waker;
use std::alloc::Layout;
use std::panic::Location;
use std::ptr;
use std::sync::atomic::{Ordering, compiler_fence};

/// Eager spawns within eager spawns, at most: each one's poll is on the stack of the one before (EA-15).
const EAGER_DEPTH: u32 = 64;

impl Core {
    /// Makes a task. Its row has one handle, the caller's.
    ///
    /// `None` if the runtime is being dropped and takes no more; the future is dropped.
    #[inline]
    pub(crate) fn spawn<F, T, O>(&self, future: F, owner: O, options: TaskOptions) -> Option<&'static Row>
    where
        F: Future<Output = Result<T>> + 'static,
        T: 'static,
        O: Owner,
    {
        self.spawn_in_full(cell::pooled::<F, T, O>(), future, owner, options)
    }

    /// The same with all that it may take. (A call, which comes last where something is not at hand: so the usual way calls nothing
    /// that it would have to save anything for. And with the caller's table, by which the row will be known: the compiler may make
    /// several of the same content.)
    #[cold]
    #[inline(never)]
    fn spawn_in_full<F, T, O>(
        &self,
        vtable: &'static VTable,
        future: F,
        owner: O,
        options: TaskOptions,
    ) -> Option<&'static Row>
    where
        F: Future<Output = Result<T>> + 'static,
        T: 'static,
        O: Owner,
    {
        let row = self.make_as(vtable, future, owner, options.place)?;
        self.outfit(row, options.extras);
        self.start(row, options.start);
        Some(row)
    }

    /// A spawn without a name or a context, and as the runtime was told to, or eager.
    #[inline(always)]
    pub(crate) fn spawn_plainly<F, T, O>(
        &self,
        future: F,
        owner: O,
        start: Option<Start>,
        place: &'static Location<'static>,
    ) -> Option<&'static Row>
    where
        F: Future<Output = Result<T>> + 'static,
        T: 'static,
        O: Owner,
    {
        let vtable = cell::pooled::<F, T, O>();
        // First, as it may be anybody's code.
        let waiter = owner.waiter();
        if let Some(spawner) = self.usual_spawner(start)
            && let Some((row, cell)) = self.at_hand(vtable)
        {
            // SAFETY: a free block of the size that the table is for.
            unsafe { TaskCell::<F, T, O>::fill(cell, future, owner) };
            row.cell.set(cell);
            self.fill_in(row, waiter, Some(spawner), place);
            self.introduce::<F, T, O>(row);
            self.begin(row);
            match start {
                Some(Start::Eager) => self.start_eager::<F, T>(row, vtable),
                _ => self.ready.push(row),
            }
            return Some(row);
        }
        self.spawn_in_full(vtable, future, owner, TaskOptions { extras: None, start, place })
    }

    /// The task that spawns, if there is nothing special about that: it is clear how the new one starts, and there are no
    /// task-locals to inherit, and no observers.
    #[inline(always)]
    fn usual_spawner(&self, start: Option<Start>) -> Option<&'static Row> {
        let spawner = self.current.get()?;
        debug_assert!(!self.is_closing(), "nothing is polled any more");
        debug_assert_ne!(start, Some(Start::Held), "who holds a task back takes the long way");
        let usual = !spawner.is(Flag::Locals) && (start.is_some() || self.default_start == Start::Queued);
        usual.then_some(spawner)
    }

    /// A row that a task of this kind has left, and a free block for its cell.
    #[inline(always)]
    fn at_hand(&self, vtable: &'static VTable) -> Option<(&'static Row, *mut ())> {
        let row = self.rows.next_free()?;
        if !row.vtable.get().is_some_and(|former| ptr::eq(former, vtable)) {
            return None;
        }
        let cell = self.blocks.take_free(vtable.source.class()?)?;
        self.rows.take_free(row);
        Some((row, cell))
    }

    /// The first step of a spawn: a task without a name of its own or any task-locals, and not in line.
    #[inline]
    pub(crate) fn make<F, T>(&self, future: F, place: &'static Location<'static>) -> Option<&'static Row>
    where
        F: Future<Output = Result<T>> + 'static,
        T: 'static,
    {
        self.make_as(cell::pooled::<F, T, ()>(), future, (), place)
    }

    #[inline]
    fn make_as<F, T, O>(
        &self,
        vtable: &'static VTable,
        future: F,
        owner: O,
        place: &'static Location<'static>,
    ) -> Option<&'static Row>
    where
        F: Future<Output = Result<T>> + 'static,
        T: 'static,
        O: Owner,
    {
        if self.is_closing() {
            self.contain(|| drop((future, owner)));
            return None;
        }
        Some(self.found_task::<F, T, O>(future, owner, vtable, place))
    }

    /// The second step: what it was given, and the task-locals of its spawner, if there may be any and it was not given
    /// others.
    #[inline(always)]
    pub(super) fn outfit(&self, row: &'static Row, extras: Option<Box<Extras>>) {
        if let Some(extras) = extras {
            row.adopt_extras(extras);
        }
        if self.current.get().is_none_or(|spawner| spawner.is(Flag::Locals)) {
            in_force::pass_on(self, row);
            if self.watch.is_some() {
                self.tell_spawned(row);
            }
        }
    }

    /// Makes a cell and a row for a task with this table, which is one for cells of this type.
    #[inline]
    pub(crate) fn found_task<F, T, O: Owner>(
        &self,
        future: F,
        owner: O,
        vtable: &'static VTable,
        place: &'static Location<'static>,
    ) -> &'static Row {
        let waiter = owner.waiter();
        let source = const { Source::of(Layout::new::<TaskCell<F, T, O>>()) };
        let cell = self.blocks.allocate(source);
        // SAFETY: fresh memory of that layout.
        unsafe { TaskCell::<F, T, O>::fill(cell, future, owner) };
        let row = self.take_row(cell, vtable, waiter, place);
        self.introduce::<F, T, O>(row);
        self.begin(row);
        row
    }

    /// Takes a row for the future in `cell`, which nobody answers for.
    pub(crate) fn found_row(
        &self,
        cell: *mut (),
        vtable: &'static VTable,
        place: &'static Location<'static>,
    ) -> &'static Row {
        let row = self.take_row(cell, vtable, None, place);
        self.begin(row);
        row
    }

    /// Takes a row and fills it in for the future in `cell`.
    #[inline]
    fn take_row(
        &self,
        cell: *mut (),
        vtable: &'static VTable,
        waiter: Option<ScopeId>,
        place: &'static Location<'static>,
    ) -> &'static Row {
        let row = self.rows.take(self.outpost);
        debug_assert_eq!(row.state.get(), State::Free);
        row.cell.set(cell);
        if !row.vtable.get().is_some_and(|former| ptr::eq(former, vtable)) {
            record::has_type(self, vtable);
            row.vtable.set(Some(vtable));
        }
        self.fill_in(row, waiter, self.current.get(), place);
        row
    }

    /// Fills in what a row tells of its task, and what the task begins with; but there is none before `begin`.
    #[inline(always)]
    fn fill_in(
        &self,
        row: &'static Row,
        waiter: Option<ScopeId>,
        spawner: Option<&Row>,
        place: &'static Location<'static>,
    ) {
        row.joiner.set(0);
        record::spawned(self, row, waiter, spawner, place);
        row.awaiting.clear();
        row.polls.set(0);
        row.refs.set(1);
    }

    /// Makes the task known to its owner, who is in the row's cell of this type.
    #[inline(always)]
    fn introduce<F, T, O: Owner>(&self, row: &'static Row) {
        debug_assert_eq!(row.state.get(), State::Free);
        if !O::IS_NOBODY {
            // SAFETY: the owner is there until the task has ended, and one that has not begun cannot end, whatever the owner does.
            let owner = unsafe { TaskCell::<F, T, O>::owner(row.cell.get()) };
            self.contain(|| owner.child_made(TaskRef::borrowed(row).downgrade()));
        }
    }

    #[inline(always)]
    fn begin(&self, row: &Row) {
        // Last: who reads this from outside takes the rest for that of the row's former task before.
        compiler_fence(Ordering::Release);
        row.begin();
        self.alive.set(self.alive.get() + 1);
    }

    #[inline]
    pub(crate) fn start(&self, row: &'static Row, start: Option<Start>) {
        match start.unwrap_or(self.default_start) {
            Start::Queued => self.ready.push(row),
            Start::Eager => self.start_eagerly(row),
            Start::Held if may_be_held(row) => row.state.set(State::Held),
            Start::Held => self.ready.push(row),
        }
    }

    /// As `start_eager`, where the type is not known.
    #[inline(never)]
    fn start_eagerly(&self, row: &'static Row) {
        if self.starts_eagerly(Some(Start::Eager)) {
            self.one_deeper(|| self.poll_for(row));
        } else {
            self.ready.push(row);
        }
    }

    /// An eager start where the type is known: the compiler sees through the poll, and what ends in it costs little more
    /// than a call.
    #[inline(always)]
    fn start_eager<F: Future<Output = Result<T>>, T>(&self, row: &'static Row, vtable: &'static VTable) {
        if self.watch.is_some() {
            return self.start_eagerly(row);
        }
        if !self.starts_eagerly(Some(Start::Eager)) {
            return self.ready.push(row);
        }
        self.one_deeper(|| {
            // SAFETY: as in `poll_future`; the cell was made for this type.
            self.poll_with(row, vtable, false, waker::Kind::Plain, |cx| unsafe {
                cell::poll::<F, T>(row.cell.get(), &row.stage, cx)
            });
        });
    }

    #[inline]
    pub(super) fn starts_eagerly(&self, start: Option<Start>) -> bool {
        start.unwrap_or(self.default_start) == Start::Eager && self.eager_depth.get() < EAGER_DEPTH
    }

    #[inline]
    pub(super) fn one_deeper(&self, poll: impl FnOnce()) {
        let depth = self.eager_depth.get();
        self.eager_depth.set(depth + 1);
        poll();
        self.eager_depth.set(depth);
    }
}

/// Whether a task that was just made can be held back: not, if an observer has cancelled or ended it before it began.
pub(super) fn may_be_held(row: &Row) -> bool {
    row.state.get() == State::Created && !row.is(Flag::Must)
}
