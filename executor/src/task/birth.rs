//! A task's beginning: from a future to a row that is in line.
//!
//! ```text
//!   future ──► a cell, from the pool ──► a row, filled in ──► what it was given ──► in line, polled at once, or held
//!              found_task                found_row            outfit                start
//! ```

use super::cell::{self, TaskCell, VTable};
use super::extras::Extras;
use super::options::{Start, TaskOptions};
use super::owner::Owner;
use super::record;
use super::row::{Flag, Row, Stage};
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
        let row = self.make(future, owner, options.place)?;
        self.outfit(row, options.extras);
        match options.start {
            Some(Start::Eager) => self.start_eager::<F, T>(row, cell::pooled::<F, T, O>()),
            start => self.start(row, start),
        }
        Some(row)
    }

    /// The first step of a spawn: a task without a name of its own or any task-locals, and not in line.
    #[inline]
    pub(crate) fn make<F, T, O>(
        &self,
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
        Some(self.found_task::<F, T, O>(future, owner, cell::pooled::<F, T, O>(), place))
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
        let source = const { Source::of(Layout::new::<TaskCell<F, T, O>>()) };
        let cell = self.blocks.allocate(source);
        let waiter = owner.waiter();
        // SAFETY: fresh memory of that layout.
        unsafe { TaskCell::<F, T, O>::fill(cell, future, owner) };
        self.found_row(cell, vtable, waiter, place)
    }

    /// Takes a row and fills it in for the future in `cell`.
    #[inline]
    pub(crate) fn found_row(
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
        row.stage.set(Stage::Future);
        row.reset_flags();
        row.set(Flag::Handle);
        row.count.set(0);
        row.epoch.set(0);
        row.scope.set(0);
        row.joiner.set(0);
        record::spawned(self, row, waiter, place);
        row.awaiting.clear();
        row.polls.set(0);
        row.refs.set(1);
        // Last: who reads this from outside takes the rest for that of the row's former task before.
        compiler_fence(Ordering::Release);
        row.state.set(State::Created);
        self.alive.set(self.alive.get() + 1);
        row
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
            self.start_eagerly(row);
        } else if self.starts_eagerly(Some(Start::Eager)) {
            self.one_deeper(|| {
                // SAFETY: as in `poll_future`; the cell was made for this type.
                self.poll_with(row, vtable, false, waker::Kind::Plain, |cx| unsafe {
                    cell::poll::<F, T>(row.cell.get(), &row.stage, cx)
                });
            });
        } else {
            self.ready.push(row);
        }
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
