//! A task's steps: woken, polled, suspended.
//!
//! ```text
//!   wake ──► ready queue ──► poll ──► pending: suspend ──► parked, or in line again
//!                             │
//!                             └─────► ready, or a panic: finish (module `end`)
//! ```
//!
//! The usual step has a way of its own, which asks two questions: is there anything special about the row, before the
//! poll; and has anything been asked of it, after. What is not usual takes the same poll by a longer way.

use super::cell::{Ended, VTable};
use super::driven;
use super::life::vtable;
use super::pages::row_of;
use super::row::{Flag, Row};
use super::state::{State, Wake};
use crate::cancel::{request, scope};
use crate::runtime::core::Core;
use crate::waker;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll};

impl Core {
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
    pub(super) fn poll_for(&self, row: &'static Row) {
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
    pub(super) fn poll_with(
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
}
