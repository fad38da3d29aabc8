//! From spawn to recycling: the steps of a task's life that the runtime takes.
//!
//! ```text
//!  spawn ──► ready queue ──► poll ──► finish ──► release
//!    └─ eager: poll at once ──┘  ▲       │          when it is done, and the last handle is gone
//!                                wake    owner, joiners, callbacks; an unseen error to the hook
//! ```
//!
//! Whatever runs code of the program's (a poll, a destructor, an owner) runs under `catch_unwind`: a panic there
//! ends the task it belongs to, never the loop.

use super::cell::{self, Ended, OwnerTable, TaskCell, VTable};
use super::driven;
use super::extras::Extras;
use super::options::{Start, TaskOptions};
use super::owner::{Attention, Outcome, Owner};
use super::pages::{self, row_of};
use super::record;
use super::reference::TaskRef;
use super::row::{Flag, Row, Stage};
use super::state::{State, Wake};
use crate::cancel::{ScopeId, request, scope};
use crate::error::{Asker, Cancelled, Cause, Error, Origin, Panicked, Result};
use crate::hook::Unhandled;
use crate::locals::in_force::{self, Slot};
use crate::memory::Source;
use crate::runtime::core::Core;
use crate::waker;
use std::alloc::Layout;
use std::any::Any;
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::ptr;
use std::sync::atomic::{Ordering, compiler_fence};
use std::task::{Context, Poll, Waker};

/// Eager spawns within eager spawns, at most: each one's poll is on the stack of the one before (EA-15).
const EAGER_DEPTH: u32 = 64;

type PanicPayload = Box<dyn Any + Send>;

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

    /// Somebody on this thread wakes the task.
    #[inline(always)]
    pub(crate) fn wake(&self, row: &'static Row) {
        // The usual cases by themselves: among all states they would be found by a jump that is hard to predict.
        let state = row.state.get();
        if state == State::Parked {
            row.state.set(State::Ready);
            return self.ready.push(row);
        }
        if state == State::Running && self.watch.is_none() {
            return row.state.set(State::Rewoken);
        }
        self.wake_unparked(row);
    }

    #[inline(never)]
    fn wake_unparked(&self, row: &'static Row) {
        let before = row.state.get();
        let (state, wake) = before.wake();
        row.state.set(state);
        if wake == Wake::Enqueue {
            self.ready.push(row);
        }
        if self.watch.is_some() && state != before {
            self.tell_woken(row);
        }
    }

    /// Gives a task its turn.
    #[inline(always)]
    pub(crate) fn poll(&self, row: &'static Row) {
        if row.is_special() {
            return self.poll_special(row);
        }
        debug_assert!(row.state.get().is_in_line(), "queued-once: {row:?} came to its turn");
        self.poll_future(row, false);
    }

    /// As `poll`, or in the way of a runtime that is watched.
    fn poll_for(&self, row: &'static Row) {
        if self.watch.is_none() { self.poll(row) } else { self.poll_special(row) }
    }

    #[cold]
    pub(crate) fn poll_special(&self, row: &'static Row) {
        match row.state.get() {
            State::Done => self.leave_line(row),
            State::Created | State::Ready if row.is(Flag::Driven) => driven::call(row),
            State::Created | State::Ready => self.poll_requested(row),
            state => unreachable!("queued-once: {row:?} came to its turn in state {state:?}"),
        }
    }

    /// Gives a driven task its turn with its driver.
    #[inline]
    pub(super) fn poll_driven(&self, row: &'static Row) {
        self.begin_driven_poll();
        match row.state.get() {
            State::Done => self.leave_line(row),
            State::Created | State::Ready if row.is(Flag::Abort) => {
                self.end_early(row, request::take_causes(row).into());
            }
            State::Created | State::Ready => self.poll_requested(row),
            state => unreachable!("queued-once: {row:?} came to its driver's turn in state {state:?}"),
        }
    }

    /// Polls a task that may have been asked to cancel, or is watched.
    #[inline(never)]
    fn poll_requested(&self, row: &'static Row) {
        let requested = row.is(Flag::Must);
        if requested && row.state.get() == State::Created {
            // Cancelled before its first poll: the body never runs (CX-8).
            return self.end_early(row, scope::take(row).into());
        }
        if self.watch.is_some() {
            self.poll_watched(row, requested)
        } else {
            self.poll_future(row, requested)
        }
    }

    /// Polls the future. `requested`: a cancel request has been pending since before.
    #[inline(always)]
    fn poll_future(&self, row: &'static Row, requested: bool) {
        let vtable = vtable(row);
        // SAFETY: the stage of a task that is not done is `Future`, and only this function, the next one and `start_eager`
        // poll it; its state says that it is not being polled further up on the stack.
        self.poll_with(row, vtable, requested, waker::Kind::Plain, |cx| unsafe {
            (vtable.poll)(row.cell.get(), &row.stage, cx)
        });
    }

    /// The same, with something before and after the poll.
    #[cold]
    pub(crate) fn poll_future_within(
        &self,
        row: &'static Row,
        requested: bool,
        kind: waker::Kind,
        around: impl FnOnce(&mut dyn FnMut() -> Poll<Ended>) -> Poll<Ended>,
    ) {
        let vtable = vtable(row);
        self.poll_with(row, vtable, requested, kind, |cx| {
            // SAFETY: as in `poll_future`.
            around(&mut || unsafe { (vtable.poll)(row.cell.get(), &row.stage, cx) })
        });
    }

    #[inline(always)]
    fn poll_with(
        &self,
        row: &'static Row,
        vtable: &'static VTable,
        requested: bool,
        kind: waker::Kind,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<Ended>,
    ) {
        row.state.set(State::Running);
        row.polls.set(row.polls.get().wrapping_add(1));
        row.awaiting.begin_poll();
        let before = self.current.replace(Some(row));
        let waker = waker::waker_of(kind, row.id());
        let mut cx = Context::from_waker(&waker);
        let polled = catch_unwind(AssertUnwindSafe(|| poll(&mut cx)));
        self.current.set(before);
        match polled {
            Ok(Poll::Pending) if row.has_request() || row.is(Flag::Abort) => {
                self.suspend_requested(row, requested)
            }
            Ok(Poll::Pending) => self.suspend(row),
            Ok(Poll::Ready(ended)) => self.finish_polled(row, vtable, ended),
            Err(payload) => self.finish_panicked(row, payload),
        }
    }

    #[inline(always)]
    fn suspend(&self, row: &'static Row) {
        let (state, wake) = row.state.get().suspend();
        row.state.set(state);
        if wake == Wake::Enqueue {
            self.ready.push(row);
        }
    }

    /// The poll returned pending although a cancel request, or an abort, was waiting to be taken.
    #[cold]
    fn suspend_requested(&self, row: &'static Row, before_the_poll: bool) {
        if row.is(Flag::Abort) {
            return self.end_early(row, request::take_causes(row).into());
        }
        if !row.is(Flag::Must) {
            // It is one of the scopes' requests. They see to it themselves.
            return self.suspend(row);
        }
        if request::forward_pending(row, request::WHOLE_TASK) {
            return self.suspend(row);
        }
        if before_the_poll && !scope::is_coming_to_a_leaf(row, request::WHOLE_TASK) {
            // The request was there, the whole task was polled, and no leaf of ours took it: the task stands at a
            // foreign await. The task itself is the last scope around it.
            return self.end_early(row, scope::take(row).into());
        }
        // The request came in the middle of the poll, and has had the task polled again: leaves that had parked by then
        // get their chance.
        self.suspend(row);
    }

    /// Ends a task whose future is still there: drops it, and puts an error in its place.
    fn end_early(&self, row: &'static Row, error: Error) {
        // As if it were being polled: whatever its destructors do to the task itself, be it a wake, a cancel or an
        // abort, comes too late, and must not put it in line.
        row.state.set(State::Running);
        self.drop_future(row);
        self.put_error(row, error);
        self.finish(row, vtable(row), Ended::Error);
    }

    /// Drops the future at once, or right after its running poll. Says whether the task was still there.
    pub(crate) fn abort(&self, row: &'static Row, why: &Cancelled) -> bool {
        match row.state.get() {
            State::Free | State::Done => return false,
            State::Running | State::Rewoken => {
                row.set(Flag::Abort);
                request::note_cause(row, why);
                return true;
            }
            // Whether what its future borrows is still there, only its driver knows: so the driver ends it.
            _ if row.is(Flag::Driven) && !driven::is_reachable(row) => {
                row.set(Flag::Abort);
                request::note_cause(row, why);
                waker::waker(row.id()).wake_by_ref();
                return true;
            }
            State::Created | State::Ready => row.set(Flag::Linked),
            State::Parked | State::Watched | State::Held => {}
        }
        // Called from outside, the destructors must find the runtime all the same: their timers are in it.
        self.inside(|| self.end_early(row, why.clone().into()));
        true
    }

    /// Ends a task at once, whatever it is doing: for `block_on`, whose frame holds the future and is being left.
    #[cold]
    pub(crate) fn evict(&self, row: &'static Row) {
        if self.abort(row, &Cancelled::new()) && row.state.get().is_alive() {
            // It counts as running, but its poll was further up this stack, and has been unwound.
            self.end_early(row, request::take_causes(row).into());
        }
    }

    #[inline(always)]
    fn finish_polled(&self, row: &'static Row, vtable: &'static VTable, ended: Ended) {
        if row.has_request() || row.is(Flag::Abort) {
            return self.finish_requested(row, ended);
        }
        self.finish(row, vtable, ended);
    }

    /// The poll returned ready, with a request still pending: the task ends cancelled, and its value is dropped (CX-12).
    #[cold]
    fn finish_requested(&self, row: &'static Row, ended: Ended) {
        if ended == Ended::Value {
            let cancelled = scope::take(row);
            self.drop_output(row);
            self.put_error(row, cancelled.into());
        }
        self.finish_in_full(row, Ended::Error);
    }

    #[cold]
    fn finish_panicked(&self, row: &'static Row, payload: PanicPayload) {
        if row.stage.get() == Stage::Future {
            self.drop_future(row);
        }
        let error = Error::from(Panicked::new(payload).with_origin(origin(row)));
        row.set(Flag::Panicked);
        if row.is(Flag::Callback) {
            self.report(Unhandled::CallbackPanicked { error: error.clone() });
        } else if !row.is(Flag::Main) {
            self.report(Unhandled::TaskPanicked { task: TaskRef::of(row), error: error.clone() });
        }
        self.put_error(row, error);
        self.finish_in_full(row, Ended::Error);
    }

    /// The task is over, its output in the cell: tells everybody whom it concerns. In the usual cases, a value and nothing
    /// to remark on it, that is who awaits it, or who answers for it.
    #[inline(always)]
    fn finish(&self, row: &'static Row, vtable: &'static VTable, ended: Ended) {
        if ended == Ended::Value && row.count.get() == 0 && row.extras().is_none() {
            if vtable.owner.is_some() {
                self.note_end(row);
                return self.tell_all(row);
            }
            if row.is(Flag::Handle) {
                self.note_end(row);
                return self.wake_joiner(row);
            }
        }
        self.finish_in_full(row, ended);
    }

    #[inline(always)]
    fn note_end(&self, row: &Row) {
        debug_assert_eq!(row.stage.get(), Stage::Output);
        debug_assert!(!row.is(Flag::Callback), "nobody has a handle on a callback, or answers for it");
        row.state.set(State::Done);
        self.alive.set(self.alive.get() - 1);
    }

    #[inline(never)]
    fn finish_in_full(&self, row: &'static Row, ended: Ended) {
        if row.is(Flag::Callback) {
            row.state.set(State::Done);
        } else {
            self.note_end(row);
        }
        // Held meanwhile: observers, and whoever hears of what is remarkable, may drop the last handle.
        row.refs.set(row.refs.get() + 1);
        if ended == Ended::Error {
            self.note_failure(row);
        } else if row.count.get() > 0 {
            self.note_swallowed(row);
        }
        if self.watch.is_some() {
            self.tell_done(row);
        }
        row.refs.set(row.refs.get() - 1);
        self.tell_all(row);
    }

    /// Tells who answers for the task, who awaits it, and whoever else is in the extras, that it is done. If nobody will look at
    /// its output, that goes, and with the last handle the row.
    #[inline(never)]
    fn tell_all(&self, row: &'static Row) {
        // Held until the end: those who are told may drop the last handle, and with it the row and its cell.
        row.refs.set(row.refs.get() + 1);
        if let Some(owner) = &vtable(row).owner {
            self.tell_owner(row, owner);
        }
        self.wake_joiner(row);
        if let Some(extras) = row.extras() {
            self.settle(row, extras);
        }
        if !row.is(Flag::Handle) && row.stage.get() == Stage::Output {
            self.drop_unread(row);
        }
        let refs = row.refs.get() - 1;
        row.refs.set(refs);
        if refs == 0 {
            self.release(row);
        }
    }

    #[inline(always)]
    fn wake_joiner(&self, row: &Row) {
        let joiner = row.joiner.replace(0);
        if joiner != 0 {
            self.wake_by_id(joiner);
        }
    }

    /// The owning handle is gone, so nobody will read the output.
    #[inline]
    pub(crate) fn drop_unread(&self, row: &'static Row) {
        if row.is(Flag::Failed) {
            self.report_unseen(row);
        }
        self.drop_output(row);
    }

    /// Files an error under what it is, and writes on it whose it was.
    #[cold]
    fn note_failure(&self, row: &'static Row) {
        // SAFETY: the stage is `Output`, and nobody else looks at the cell.
        let Some(error) = (unsafe { (vtable(row).error)(row.cell.get()).map(|mut error| error.as_mut()) })
        else {
            return;
        };
        row.set(Flag::Failed);
        if error.is_cancelled() {
            row.set(Flag::Cancelled);
        } else {
            let bare = std::mem::replace(error, Error::from(Cancelled::new()));
            *error = bare.with_origin(origin(row));
        }
    }

    #[cold]
    fn note_swallowed(&self, row: &'static Row) {
        // One whose requests all went on to other tasks has swallowed nothing.
        if self.debug && row.is(Flag::Delivered) {
            let cancelled = scope::last_delivered(row);
            self.report(Unhandled::SwallowedCancellation { task: TaskRef::of(row), cancelled });
        }
    }

    /// Wakes a task that is usually, but not always, one of this runtime: who has awaited another, or armed a timer.
    #[inline]
    pub(crate) fn wake_by_id(&self, task: u64) {
        let row = row_of(task);
        if row.id() == task && self.owns(row) {
            self.wake(row);
        } else {
            waker::waker(task).wake_by_ref();
        }
    }

    #[inline]
    fn tell_owner(&self, row: &'static Row, owner: &OwnerTable) {
        let child = TaskRef::borrowed(row);
        // SAFETY: the owner is there, and is told once.
        let tell = |outcome: Outcome<'_>| unsafe { (owner.conclude)(row.cell.get(), &child, outcome) };
        if !row.is(Flag::Failed) {
            self.contain(|| tell(Outcome::Value));
            return;
        }
        // It is the owner who decides about a report; so not even if the owner drops the handle is there one before.
        let observed = row.is(Flag::Observed);
        row.set(Flag::Observed);
        if self.contain(|| with_outcome(row, tell)) != Some(Attention::Taken) && !observed {
            row.clear(Flag::Observed);
        }
    }

    /// What is in the extras: the task's own values go, others are told.
    #[cold]
    fn settle(&self, row: &'static Row, extras: &Extras) {
        drop(extras.context.take());
        for joiner in extras.joiners.take() {
            wake_foreign(joiner.waker);
        }
        for callback in extras.callbacks.take() {
            let task = TaskRef::of(row);
            self.call_soon_in(callback.context, move || (callback.call)(&task));
        }
        self.told_end(row);
    }

    /// Reports the task's error, if it is one and nobody has seen it. The stage is `Output`.
    #[cold]
    pub(crate) fn report_unseen(&self, row: &'static Row) {
        if row.is(Flag::Observed) {
            return;
        }
        row.set(Flag::Observed);
        let Some(error) = error_of(row) else { return };
        if row.is(Flag::Cancelled) {
            // To have been cancelled is nothing to report; an error that had to make way for it is (KQ-13).
            for displaced in error.displaced() {
                self.report(Unhandled::Displaced { error: displaced.clone() });
            }
        } else if !error.is::<Panicked>() {
            // A panic was reported when it happened.
            self.report(Unhandled::TaskFailed { task: TaskRef::of(row), error });
        }
    }

    /// An aborted task has come to its turn.
    #[cold]
    pub(super) fn leave_line(&self, row: &'static Row) {
        row.clear(Flag::Linked);
        if row.refs.get() == 0 {
            self.release(row);
        }
    }

    /// Recycles the row of a task that is done and has no handle left.
    #[inline]
    pub(crate) fn release(&self, row: &'static Row) {
        debug_assert!(
            row.state.get() == State::Done && row.refs.get() == 0 && row.stage.get() == Stage::Empty
        );
        if row.extras().is_some() || row.is(Flag::Linked) {
            return self.release_in_full(row);
        }
        self.recycle(row);
    }

    #[cold]
    #[inline(never)]
    fn release_in_full(&self, row: &'static Row) {
        if row.is(Flag::Linked) {
            return;
        }
        let extras = row.take_extras();
        self.recycle(row);
        // Last, so that their destructors find the row gone already.
        self.inside(|| self.contain(|| drop(extras)));
    }

    #[inline(always)]
    fn recycle(&self, row: &'static Row) {
        // SAFETY: the cell came from this source, and is empty.
        unsafe { self.blocks.release(row.cell.get(), vtable(row).source) };
        row.word.renew(pages::next_id(row.id()));
        row.state.set(State::Free);
        self.rows.give_back(row);
    }

    /// At the runtime's end: drops every future and every output, and gives up all rows.
    pub(crate) fn drop_all_tasks(&self) {
        // Nothing is spawned or polled any more, so this list stays complete, and it does not matter that rows are given
        // back while they are linked into the ready queue: `check_in` unlinks them all.
        for row in self.rows.all() {
            // Asked in each step, for the end of one task may abort another.
            if row.state.get().is_alive() {
                if !row.is(Flag::Callback) {
                    self.report(Unhandled::PendingAtDrop { task: TaskRef::of(row) });
                }
                self.end_early(row, Cancelled::new().because(Cause::by(Asker::Runtime)).into());
            }
        }
        for row in self.rows.all() {
            if row.state.get() == State::Done {
                // Held, because the output may itself hold the last handle.
                row.refs.set(row.refs.get() + 1);
                if row.stage.get() == Stage::Output {
                    self.drop_unread(row);
                }
                row.clear(Flag::Linked);
                row.refs.set(0);
                self.release(row);
            }
        }
        self.rows.check_in();
    }

    #[cold]
    fn drop_future(&self, row: &Row) {
        debug_assert_eq!(row.stage.get(), Stage::Future);
        row.stage.set(Stage::Empty);
        // Its destructors find the task-locals of the task, whoever is dropping it.
        let none = Slot::default();
        let _entered = in_force::enter(row.extras().map_or(&none, |extras| &extras.context));
        // SAFETY: the stage was `Future`.
        self.contain(|| unsafe { (vtable(row).drop_future)(row.cell.get()) });
    }

    pub(crate) fn drop_output(&self, row: &Row) {
        row.stage.set(Stage::Empty);
        // SAFETY: the callers have seen that the stage was `Output`.
        self.contain(|| unsafe { (vtable(row).drop_output)(row.cell.get()) });
    }

    fn put_error(&self, row: &Row, error: Error) {
        debug_assert_eq!(row.stage.get(), Stage::Empty);
        // SAFETY: the cell is empty.
        unsafe { (vtable(row).put_error)(row.cell.get(), error) };
        row.stage.set(Stage::Output);
    }

    /// Calls a destructor, an owner, or whatever else is not ours. A panic in it is reported, and goes no further.
    #[inline]
    pub(crate) fn contain<R>(&self, call: impl FnOnce() -> R) -> Option<R> {
        let called = catch_unwind(AssertUnwindSafe(call));
        called.map_err(|payload| self.report_panic(payload)).ok()
    }

    /// A destructor, owner, waker or callback panicked.
    #[cold]
    pub(crate) fn report_panic(&self, payload: PanicPayload) {
        self.report(Unhandled::CallbackPanicked { error: Error::from(Panicked::new(payload)) });
    }
}

/// Whether a task that was just made can be held back: not, if an observer has cancelled or ended it before it began.
pub(super) fn may_be_held(row: &Row) -> bool {
    row.state.get() == State::Created && !row.is(Flag::Must)
}

#[inline]
fn vtable(row: &Row) -> &'static VTable {
    row.vtable.get().expect("a row with a task has a table")
}

/// The error of a task that is done and still has its output (a clone: a count, shared).
pub(crate) fn error_of(row: &Row) -> Option<Error> {
    if row.stage.get() != Stage::Output || !row.is(Flag::Failed) {
        return None;
    }
    // SAFETY: the stage is `Output`; the reference ends before anybody else looks at the cell.
    unsafe { (vtable(row).error)(row.cell.get()).map(|error| error.as_ref().clone()) }
}

/// Calls `f` with the outcome of a task that is done. `f` may do anything, also drop the last handle of the task.
#[inline]
pub(crate) fn with_outcome<R>(row: &Row, f: impl FnOnce(Outcome<'_>) -> R) -> R {
    if !row.is(Flag::Failed) {
        return f(Outcome::Value);
    }
    match error_of(row) {
        None => f(Outcome::Value),
        Some(error) if row.is(Flag::Cancelled) => f(Outcome::Cancelled(&error)),
        Some(error) => f(Outcome::Failed(&error)),
    }
}

/// The name of a task: the given one, or `main`, or `Task-7`.
pub(crate) fn name(row: &Row) -> Cow<'static, str> {
    let given = row.extras().and_then(|extras| extras.name.get());
    if given.is_none() && row.is(Flag::Main) {
        return Cow::Borrowed("main");
    }
    given.unwrap_or_else(|| Cow::Owned(format!("Task-{}", row.number.get())))
}

/// A cancellation, with whose it was written on it, if it has anything else to tell. (Others get that at the task's end. But
/// tasks are cancelled by the thousand, and few of them are awaited.)
#[cold]
pub(crate) fn told(row: &Row, cancelled: Error) -> Error {
    if cancelled.is_plain() { cancelled } else { cancelled.with_origin(origin(row)) }
}

/// Who waits for a task from its spawn to its end, if its owner says so. The task has not ended.
pub(crate) fn waiter(row: &Row) -> Option<ScopeId> {
    debug_assert!(row.state.get().is_alive());
    // SAFETY: the owner is there until the task has ended.
    unsafe { (vtable(row).waiter)(row.cell.get()) }
}

fn origin(row: &Row) -> Origin {
    Origin { task: Some(name(row)), spawned_at: row.spawned_at.get() }
}

/// Wakes a waker that may be anybody's, and drops it. A panic in either is reported, and goes no further.
#[inline]
pub(crate) fn wake_foreign(waker: Waker) {
    if waker::task_of(&waker).is_some() {
        return waker.wake();
    }
    contain(|| waker.wake());
}

/// As [`Core::contain`], for what may also be called where no runtime is running.
#[inline]
pub(crate) fn contain<R>(call: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(call)).map_err(report_panic).ok()
}

#[cold]
fn report_panic(payload: PanicPayload) {
    let error = Error::from(Panicked::new(payload));
    crate::runtime::report_unhandled(Unhandled::CallbackPanicked { error });
}
