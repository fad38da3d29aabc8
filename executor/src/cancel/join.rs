//! The leaf of an await of other tasks: what was asked of the task goes on to those.
//!
//! ```text
//!   poll ─► leaf.resume_forwarding() ─► all ended? ──yes──► Requested: take_request, Ready(Err); else unpark, Ready
//!                                         └───no───► leaf.park_forwarding(cx, tasks): a pending request goes on
//! ```
//!
//! A request that is made while the task is parked goes on at once, if this is what the task certainly stands at (see
//! [`request`]); else it is handed over when the await is polled next.

use super::awaited_tasks::AwaitedTasks;
use super::leaf::{Leaf, UNSEEN, is_own};
use super::{place, request, scope};
use crate::context;
use crate::error::Cancelled;
use crate::runtime::core::Core;
use crate::task::extras::{Node, NodeKind};
use crate::task::joiner;
use crate::task::row::{AwaitKind, Flag, Row, Wait};
use crate::task::state::State;
use crate::waker;
use std::panic::Location;
use std::task::Context;

/// What happened since it parked to an await that forwards requests instead of taking them.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumed {
    /// Nothing that concerns it.
    Undisturbed,
    /// A request was made, and has gone on to the awaited tasks.
    Forwarded,
    /// A request is pending. If the await is over, because the awaited tasks have ended, and that had not been seen yet,
    /// the cancel wins: [`Leaf::take_request`] takes it. Otherwise [`Leaf::park_forwarding`] hands it on.
    Requested,
}

/// For a leaf that awaits other tasks, and so forwards a request to them instead of taking it (CX-4, GA-9).
impl Leaf {
    /// In place of [`resume`](Leaf::resume).
    #[inline]
    pub fn resume_forwarding(&mut self) -> Resumed {
        if self.task == 0 {
            return Resumed::Undisturbed;
        }
        match context::current_row() {
            Some(row) if self.node != 0 || !self.is_undisturbed(row) => self.resume_forwarding_disturbed(row),
            _ => Resumed::Undisturbed,
        }
    }

    /// Ends the await of a task of this runtime, unless something was asked of the one it is parked in; then
    /// [`resume_forwarding`](Leaf::resume_forwarding) says what.
    #[inline(always)]
    #[must_use]
    pub(crate) fn ends_undisturbed(&mut self, core: &Core) -> bool {
        let undisturbed = self.task == 0
            || self.node == 0 && core.current.get().is_some_and(|row| self.is_undisturbed(row));
        if undisturbed {
            self.task = 0;
        }
        undisturbed
    }

    #[cold]
    #[inline(never)]
    fn resume_forwarding_disturbed(&mut self, row: &'static Row) -> Resumed {
        if self.poll == row.polls.get() {
            self.withdraw(row);
        }
        if !self.stands_in(row) {
            self.unpark();
            return Resumed::Undisturbed;
        }
        if row.has_request() && scope::reaches(row, self.frame.scope()) {
            Resumed::Requested
        } else if self.frame.epoch() == row.frame.get().epoch() {
            Resumed::Undisturbed
        } else if self.was_forwarded(row) {
            Resumed::Forwarded
        } else {
            Resumed::Requested
        }
    }

    /// Whether the request that moved the epoch has gone on to the awaited tasks already.
    #[cold]
    fn was_forwarded(&self, row: &Row) -> bool {
        row.is(Flag::Forwarded) || self.asks_node(row, Node::is_linked)
    }

    /// Whether a request is to go on to the awaited tasks as this leaf parks: one that is pending, or one that was made
    /// while it was parked, when it was in doubt whether it still was.
    #[inline]
    fn owes_a_request(&self, row: &Row) -> bool {
        if row.has_request() && scope::reaches(row, row.frame.get().scope()) {
            return true;
        }
        self.task != 0
            && self.frame.epoch() != row.frame.get().epoch()
            && self.stands_in(row)
            && !self.was_forwarded(row)
    }

    /// Takes the request that [`resume_forwarding`](Leaf::resume_forwarding) has seen. It is not parked any more then.
    pub fn take_request(&mut self) -> Cancelled {
        self.unpark();
        context::current_row().map_or_else(Cancelled::new, scope::deliver)
    }

    /// In place of [`park`](Leaf::park): a pending request goes on to the awaited tasks. Says whether there was one.
    ///
    /// # Errors
    ///
    /// [`Cancelled`], if there was one, and it has nobody to go to, or has come back: the tasks await one another in a
    /// circle, which ends here.
    #[track_caller]
    pub fn park_forwarding(
        &mut self,
        cx: &mut Context<'_>,
        tasks: &AwaitedTasks,
    ) -> Result<Resumed, Cancelled> {
        let Some(row) = context::current_row() else { return Ok(Resumed::Undisturbed) };
        let requested = self.owes_a_request(row);
        if requested {
            tasks.note_forwarded(&self.hand_over(row, tasks.ids())?);
        }
        let wait = tasks.wait(row, place::of_await(Location::caller(), self.place));
        if is_own(row, cx) {
            row.awaiting.note_join();
            self.record(row, wait, NodeKind::OwnForwarding, Some(tasks));
        } else {
            self.link(row, wait, NodeKind::LinkedForwarding(None), Some(tasks));
        }
        Ok(if requested { Resumed::Forwarded } else { Resumed::Undisturbed })
    }

    /// Begins to wait for one task of this runtime, which is what the rows of both have room for. Says whether it has, for this
    /// is only the usual case: the await was not parked before, and stands for the whole of the runtime's running task, of which
    /// nothing was asked.
    #[track_caller]
    #[inline(always)]
    #[must_use]
    pub(crate) fn joins_undisturbed(&mut self, cx: &Context<'_>, core: &Core, awaited: &'static Row) -> bool {
        debug_assert!(core.owns(awaited));
        let place = place::of_await(Location::caller(), self.place);
        let Some(row) = core.current.get() else { return false };
        debug_assert!(self.task != 0 || self.node == 0, "what is not parked has no node");
        let id = row.id();
        let undisturbed = self.task == 0
            && waker::task_of(cx.waker()) == Some(id)
            && row.awaiting.is_vacant()
            && !row.has_request()
            && awaited.state.get() != State::Done
            && !std::ptr::eq(row, awaited);
        if undisturbed {
            row.awaiting.note_first_join();
            self.enter_recorded(row, id, AwaitKind::Task, awaited.id(), place);
            awaited.joiner.set(id);
        }
        undisturbed
    }

    /// The same for a task of whatever runtime, where a combinator polls the await with a waker of its own: that is kept for the
    /// end of the awaited task, in the node that the await gets.
    #[track_caller]
    #[must_use]
    pub(crate) fn joins_linked(&mut self, cx: &Context<'_>, awaited: &'static Row) -> bool {
        let place = place::of_await(Location::caller(), self.place);
        if self.task != 0 || waker::task_of(cx.waker()).is_some() {
            return false;
        }
        // Before the rest is looked at, which it may change: it may be anybody's code.
        let waker = cx.waker().clone();
        let row = context::core_that_owns(awaited).and_then(|core| core.current.get());
        let Some(row) = row.filter(|row| !row.has_request() && !std::ptr::eq(*row, awaited)) else {
            return false;
        };
        if awaited.state.get() == State::Done {
            return false;
        }
        self.enter(row, row.id());
        let (kind, scope) = (AwaitKind::Task, self.frame.scope());
        let wait = Wait { kind, scope, operand: awaited.id(), place: Some(place) };
        let kind = NodeKind::LinkedForwarding(Some(waker));
        let nodes = &row.extras_or_new().nodes;
        let number = nodes.insert_with(self.poll, || Node::new(wait, self.poll, kind, None));
        self.node = number + 1;
        row.awaiting.count_more();
        awaited.joiner.set(joiner::word(self.task, number));
        true
    }

    /// Ends such an await, if nothing was asked of the task in which it is parked. (Then it makes no difference whether it still
    /// stands there: what has been asked elsewhere is not for it.)
    #[inline(always)]
    #[must_use]
    pub(crate) fn ends_linked(&mut self) -> bool {
        let (Some(number), Some(row)) = (self.node.checked_sub(1), context::current_row()) else {
            return false;
        };
        let undisturbed = self.task == row.id()
            && self.frame == row.frame.get()
            && self.poll != row.polls.get()
            && !row.has_request();
        let ended =
            undisturbed && row.extras().is_some_and(|extras| extras.nodes.remove_spent(number, self.poll));
        if ended {
            self.node = 0;
            self.task = 0;
        }
        ended
    }

    /// The same as [`joins_undisturbed`](Leaf::joins_undisturbed) in any case, for whoever sees to it that the waker is woken.
    #[track_caller]
    #[cold]
    pub(crate) fn park_join(&mut self, cx: &Context<'_>, awaited: &'static Row) -> Result<(), Cancelled> {
        let place = place::of_await(Location::caller(), self.place);
        let Some(row) = context::current_row() else { return Ok(()) };
        if self.owes_a_request(row) {
            let _forwarded = self.hand_over(row, std::iter::once(awaited.id()))?;
        }
        let (kind, scope) = (AwaitKind::Task, row.frame.get().scope());
        let wait = Wait { kind, scope, operand: awaited.id(), place: Some(place) };
        if is_own(row, cx) {
            row.awaiting.note_join();
            self.record(row, wait, NodeKind::OwnForwarding, None);
        } else {
            self.link(row, wait, NodeKind::LinkedForwarding(None), None);
        }
        Ok(())
    }

    /// The task in which it is parked by a combinator's waker, and its node there.
    pub(crate) fn linked(&self) -> Option<(&'static Row, u32)> {
        let node = self.node.checked_sub(1).filter(|_| self.node != UNSEEN)?;
        Some((Row::current(self.task)?, node))
    }

    /// The await of a task was dropped while parked: a request is not to go there any more. (The handle that it is part of
    /// is on the task's thread.)
    pub(crate) fn leave_join(&mut self) {
        if let Some(row) = Row::current(self.task).filter(|row| row.polls.get() == self.poll) {
            row.awaiting.forget_join();
            self.withdraw(row);
        }
        self.unpark();
    }

    /// Hands a pending request on to the awaited tasks, and says what it was.
    #[cold]
    fn hand_over(
        &mut self,
        row: &'static Row,
        tasks: impl Iterator<Item = u64>,
    ) -> Result<Cancelled, Cancelled> {
        let cancelled = scope::take(row);
        let mut taken = false;
        for task in tasks.filter_map(Row::current) {
            taken |= request::cancel(task, &cancelled);
        }
        let came_back = row.has_request() && scope::reaches(row, row.frame.get().scope());
        if came_back {
            let _same_again = scope::take(row);
        }
        if taken && !came_back {
            return Ok(cancelled);
        }
        self.unpark();
        row.set(Flag::Delivered);
        Err(cancelled)
    }
}
