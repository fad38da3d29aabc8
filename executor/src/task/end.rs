//! A task's end: from its outcome to the row's next use.
//!
//! ```text
//!   ready ─────┐                                     the last handle is gone ─┐
//!   a panic ───┼──► outcome ──► finish ──► done ──────────────────────────────┴──► release ──► free
//!   abort, ────┘                  │
//!   cancelled before it began     └─ tells the owner, the joiners, the callbacks, observers;
//!                                    an error that nobody has seen goes to the hook
//! ```

use super::cell::{Ended, OwnerTable, VTable};
use super::driven;
use super::extras::Extras;
use super::life::{PanicPayload, error_of, origin, vtable, wake_foreign, with_outcome};
use super::owner::{Attention, Outcome};
use super::pages;
use super::reference::TaskRef;
use super::row::{Flag, Row, Stage};
use super::state::State;
use crate::cancel::{request, scope};
use crate::error::{Asker, Cancelled, Cause, Error, Panicked};
use crate::hook::Unhandled;
use crate::locals::in_force::{self, Slot};
use crate::memory::Source;
use crate::runtime::core::Core;
use crate::waker;

impl Core {
    /// Ends a task whose future is still there: drops it, and puts an error in its place.
    pub(super) fn end_early(&self, row: &'static Row, error: Error) {
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
    pub(super) fn finish_polled(&self, row: &'static Row, vtable: &'static VTable, ended: Ended) {
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
    pub(super) fn finish_panicked(&self, row: &'static Row, payload: PanicPayload) {
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
            if let Some(owner) = &vtable.owner {
                self.note_end(row);
                return self.tell_of_value(row, vtable, owner);
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
        self.hold(row, || {
            if ended == Ended::Error {
                self.note_failure(row);
            } else if row.count.get() > 0 {
                self.note_swallowed(row);
            }
            if self.watch.is_some() {
                self.tell_done(row);
            }
            self.tell_all(row);
        });
    }

    /// Calls `tell`, and recycles the row only then: those who are told of a task's end may drop its last handle.
    #[inline(always)]
    fn hold(&self, row: &'static Row, tell: impl FnOnce()) {
        row.refs.set(row.refs.get() + 1);
        tell();
        let refs = row.refs.get() - 1;
        row.refs.set(refs);
        if refs == 0 {
            self.release(row);
        }
    }

    /// Tells who answers for the task, and who awaits it, of a value. Nobody else is to be told: there are no extras.
    #[inline(never)]
    fn tell_of_value(&self, row: &'static Row, vtable: &'static VTable, owner: &OwnerTable) {
        self.hold(row, || {
            let child = TaskRef::borrowed(row);
            // SAFETY: the owner is there, and is told once.
            self.contain(|| unsafe { (owner.conclude)(row.cell.get(), &child, Outcome::Value) });
            self.wake_joiner(row);
            if !row.is(Flag::Handle) && row.stage.get() == Stage::Output {
                self.drop_value(row, vtable);
            }
        });
    }

    /// Tells who answers for the task, who awaits it, and whoever else is in the extras, that it is done. If nobody will look at
    /// its output, that goes, and with the last handle the row.
    #[inline(never)]
    fn tell_all(&self, row: &'static Row) {
        self.hold(row, || {
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
        });
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
        match vtable(row).source {
            source @ Source::Class(_) if !row.is(Flag::Linked) && row.extras().is_none() => {
                self.recycle(row, source);
            }
            _ => self.release_in_full(row),
        }
    }

    /// Where there is more to it. (A call that comes last: so the usual way calls nothing that it would have to save anything for.)
    #[cold]
    #[inline(never)]
    fn release_in_full(&self, row: &'static Row) {
        if row.is(Flag::Linked) {
            return;
        }
        let extras = row.take_extras();
        self.recycle(row, vtable(row).source);
        if let Some(extras) = extras {
            // Last, so that their destructors find the row gone already.
            self.inside(|| self.contain(|| drop(extras)));
        }
    }

    #[inline(always)]
    fn recycle(&self, row: &'static Row, source: Source) {
        // SAFETY: the cell came from this source, and is empty.
        unsafe { self.blocks.release(row.cell.get(), source) };
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
        self.rows.check_in(self.outpost);
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

    /// Drops an output that is a value: often there is nothing to do for that.
    #[inline(always)]
    fn drop_value(&self, row: &Row, vtable: &VTable) {
        debug_assert!(!row.is(Flag::Failed));
        if vtable.value_needs_drop {
            return self.drop_output(row);
        }
        row.stage.set(Stage::Empty);
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
}
