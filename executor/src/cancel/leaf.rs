//! The leaf: the part of an await that knows about cancellation. This is what futures that park a task are built with.
//!
//! ```text
//!  poll ─► leaf.resume()? ─► ready? ──yes──► leaf.unpark(), Ready(Ok(…))
//!              │               └──no───► leaf.park(cx, …)? ─► keep cx.waker(), Pending
//!              │ Err: parked, and cancelled             │ Err: a request was pending
//!              ▼                                        ▼
//!          give back what was handed to this await, Ready(Err(cancelled))
//! ```
//!
//! The order is the rule. What is ready at once is no delivery point (CX-11), so a fresh await looks whether it is
//! ready before it parks; but one that had parked asks `resume` first, so that a cancel wins over what became ready in
//! the meantime and was not yet seen (CX-7).
//!
//! A parked leaf is also what people see who look at the task ([`introspect`](crate::introspect)): it leaves a few words on
//! what it waits for, and where, with its task, and takes them back when it ends or is dropped.

use super::awaited_tasks::AwaitedTasks;
use super::awaiting::Awaiting;
use super::frame_mark::FrameMark;
use super::{place, scope};
use crate::context;
use crate::error::Cancelled;
use crate::task::extras::{Node, NodeKind};
use crate::task::nodes::Nodes;
use crate::task::row::{AwaitKind, Row, Wait};
use crate::waker;
use std::fmt;
use std::panic::Location;
use std::task::Context;

/// The cancellation side of one await.
///
/// Keep one in a future that parks the task, next to whatever it waits for, and use it as the module's picture shows.
/// Everything in homing that suspends is built with it.
///
/// Polled outside of homing's tasks, a leaf never reports a cancellation, and does no harm.
///
/// Put `#[track_caller]` on the future's `poll`, and on whatever makes it, as the example does: then people who look at the
/// task see the place of the very `.await`.
///
/// ```
/// use homing::cancel::{Awaiting, Leaf};
/// use std::{cell::Cell, pin::Pin, rc::Rc, task::{Context, Poll, Waker}};
///
/// /// A flag that one task may wait for.
/// #[derive(Default)]
/// struct Flag { raised: Cell<bool>, waiter: Cell<Option<Waker>> }
///
/// impl Flag {
///     fn raise(&self) {
///         self.raised.set(true);
///         if let Some(waker) = self.waiter.take() { waker.wake() }
///     }
/// }
///
/// struct Raised { flag: Rc<Flag>, leaf: Leaf }
///
/// impl Future for Raised {
///     type Output = homing::Result<()>;
///
///     #[track_caller]
///     fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
///         let this = &mut *self;
///         this.leaf.resume()?;
///         if this.flag.raised.get() {
///             this.leaf.unpark();
///             return Poll::Ready(Ok(()));
///         }
///         this.leaf.park(cx, Awaiting::Other(0))?;
///         this.flag.waiter.set(Some(cx.waker().clone()));
///         Poll::Pending
///     }
/// }
///
/// homing::run(async {
///     let flag = Rc::new(Flag::default());
///     let waiter = homing::spawn(Raised { flag: flag.clone(), leaf: Leaf::new() });
///     let cancelled = homing::spawn(Raised { flag: flag.clone(), leaf: Leaf::new() });
///     homing::yield_now().await?;
///     cancelled.cancel();
///     flag.raise();
///     assert!(cancelled.await.unwrap_err().is_cancelled());
///     // The flag knows one waiter only, and `cancelled` was the last to come: `waiter` would wait for ever.
///     waiter.abort();
///     Ok(())
/// })
/// # .unwrap();
/// ```
pub struct Leaf {
    /// The task in which it is parked; 0 while it is not.
    pub(super) task: u64,
    /// The frame in which it is parked, and the epoch it saw there.
    pub(super) frame: FrameMark,
    /// The poll of the task in which it parked.
    pub(super) poll: u32,
    /// Its place among the extras' nodes; 0 for none: then, while it is parked, it may be the one in the row's record; or
    /// [`UNSEEN`].
    pub(super) node: u32,
    pub(super) place: &'static Location<'static>,
}

/// In place of a node: one of very many that have parked in one poll, which is counted and not recorded.
pub(super) const UNSEEN: u32 = u32::MAX;

impl Leaf {
    /// A leaf that is not parked. The caller's place is shown as that of the await.
    #[track_caller]
    #[inline]
    pub fn new() -> Leaf {
        Leaf::made_at(Location::caller())
    }

    /// A leaf that is not parked, and was made in this place.
    #[inline]
    pub fn made_at(place: &'static Location<'static>) -> Leaf {
        Leaf { task: 0, frame: FrameMark::START, poll: 0, node: 0, place }
    }

    /// Where it was made.
    pub fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// The place that [`park`](Leaf::park) shows: that of the caller, or, if it is in another crate's source, where the leaf was
    /// made.
    #[track_caller]
    pub fn place_of_await(&self) -> &'static Location<'static> {
        place::of_await(Location::caller(), self.place)
    }

    /// Whether it is parked in a task.
    pub fn is_parked(&self) -> bool {
        self.task != 0
    }

    /// First thing in a poll: has the task been cancelled while the leaf was parked in it?
    ///
    /// # Errors
    ///
    /// [`Cancelled`], once per request, if the leaf was parked when it was made. It is not parked any more then.
    /// The caller gives back what may have been handed to it, and returns.
    #[inline]
    pub fn resume(&mut self) -> Result<(), Cancelled> {
        if self.task == 0 {
            return Ok(());
        }
        self.resume_in(context::current_row())
    }

    /// As [`resume`](Leaf::resume), for who knows already which task is being polled.
    #[inline(always)]
    pub(crate) fn resume_in(&mut self, current: Option<&'static Row>) -> Result<(), Cancelled> {
        match current {
            Some(row) if self.task != 0 && !self.is_undisturbed(row) => self.resume_disturbed(row),
            _ => Ok(()),
        }
    }

    /// Whether [`resume`](Leaf::resume) has nothing to say, in a poll of this task: it is not parked, or all is as usual.
    #[inline(always)]
    #[cfg_attr(not(unix), allow(dead_code, reason = "sockets ask it"))]
    pub(crate) fn may_go_on(&self, row: &Row) -> bool {
        self.task == 0 || self.is_undisturbed(row)
    }

    /// The usual case: this is another poll of the task in which it parked, in the same frame, and nobody has asked
    /// anything of that task since.
    #[inline(always)]
    pub(super) fn is_undisturbed(&self, row: &Row) -> bool {
        self.task == row.id()
            && self.frame == row.frame.get()
            && self.poll != row.polls.get()
            && !row.has_request()
    }

    #[cold]
    #[inline(never)]
    fn resume_disturbed(&mut self, row: &'static Row) -> Result<(), Cancelled> {
        self.withdraw(row);
        if !self.stands_in(row) {
            self.unpark();
            return Ok(());
        }
        if self.frame != row.frame.get() || scope::reaches(row, self.frame.scope()) {
            self.unpark();
            return Err(scope::deliver(row));
        }
        Ok(())
    }

    /// Whether it has been parked in this task and frame up to now.
    ///
    /// Not if it was moved to another task, or out of a scope that is over, or if the await that it belongs to was
    /// dropped without it (`select!` on a `&mut` future): then it was not polled together with the rest of the task.
    /// What happened to the task in the meantime is not for it.
    pub(super) fn stands_in(&self, row: &Row) -> bool {
        let polled_last_time = row.polls.get().wrapping_sub(self.poll) <= 1;
        self.task == row.id()
            && self.frame.scope() == row.frame.get().scope()
            && (polled_last_time || self.asks_node(row, Node::is_linked))
    }

    /// Asks its node, if it has one.
    pub(super) fn asks_node(&self, row: &Row, question: impl FnOnce(&Node) -> bool) -> bool {
        let node = self.node.checked_sub(1).zip(row.extras());
        node.is_some_and(|(key, extras)| extras.nodes.has(key, self.poll, question))
    }

    /// Last thing before `Poll::Pending`: takes a pending request, or else parks.
    ///
    /// Whoever looks at the task sees the caller's place, which is that of the `.await` if the future's `poll` is
    /// `#[track_caller]`. If that is not in the program's own source, because the future is polled by a combinator of
    /// another crate, it is the place where the leaf was made.
    ///
    /// # Errors
    ///
    /// [`Cancelled`], if a request is pending: this is the next await that would suspend (CX-10).
    #[track_caller]
    #[inline]
    pub fn park(&mut self, cx: &mut Context<'_>, awaiting: Awaiting) -> Result<(), Cancelled> {
        self.park_at(cx, awaiting, place::of_await(Location::caller(), self.place))
    }

    /// As [`park`](Leaf::park), where the caller knows better which place to show.
    ///
    /// # Errors
    ///
    /// As [`park`](Leaf::park).
    #[inline]
    pub fn park_at(
        &mut self,
        cx: &mut Context<'_>,
        awaiting: Awaiting,
        place: &'static Location<'static>,
    ) -> Result<(), Cancelled> {
        match waker::own_row(cx.waker()) {
            Some(row) if self.node == 0 && self.parks_first(row, awaiting, place) => Ok(()),
            _ => self.park_otherwise(cx, awaiting, place),
        }
    }

    /// Parks one that has no node, and is polled with this task's own waker, if there is no more to it than to write down what it
    /// waits for. If there is, nothing has happened, and [`park_at`](Leaf::park_at) is to be called.
    #[inline(always)]
    pub(crate) fn parks_first(
        &mut self,
        row: &Row,
        awaiting: Awaiting,
        place: &'static Location<'static>,
    ) -> bool {
        debug_assert!(self.node == 0);
        let first = row.awaiting.is_vacant() && !row.has_request();
        if first {
            let (kind, operand) = awaiting.recorded();
            self.enter_recorded(row, row.id(), kind, operand, place);
        }
        first
    }

    /// The same for one that may have been parked before, and may be only counted, as one of very many.
    #[inline(always)]
    pub(crate) fn parks_plainly(
        &mut self,
        row: &Row,
        awaiting: Awaiting,
        place: &'static Location<'static>,
    ) -> bool {
        if self.task != 0 || self.node != 0 || row.has_request() {
            return false;
        }
        if self.parks_first(row, awaiting, place) {
            return true;
        }
        if row.awaiting.is_crowded() {
            row.awaiting.count_more();
            self.enter_unseen(row);
            return true;
        }
        false
    }

    /// Parks where there is more to it: a request is pending, the leaf is not the first one, or it is polled by a
    /// combinator's waker.
    #[cold]
    #[inline(never)]
    fn park_otherwise(
        &mut self,
        cx: &Context<'_>,
        awaiting: Awaiting,
        place: &'static Location<'static>,
    ) -> Result<(), Cancelled> {
        let Some(row) = context::current_row() else { return Ok(()) };
        if row.has_request() {
            self.take_pending(row)?;
        }
        let (kind, operand) = awaiting.recorded();
        self.park_beside(row, cx, kind, operand, place);
        Ok(())
    }

    /// A request is pending somewhere in the task: takes it, if it reaches as far as here.
    #[cold]
    #[inline(never)]
    pub(super) fn take_pending(&mut self, row: &Row) -> Result<(), Cancelled> {
        if !scope::reaches(row, row.frame.get().scope()) {
            return Ok(());
        }
        self.unpark();
        Err(scope::deliver(row))
    }

    /// Parks a leaf that is not the first one, or is polled by a combinator's waker.
    fn park_beside(
        &mut self,
        row: &Row,
        cx: &Context<'_>,
        kind: AwaitKind,
        operand: u64,
        place: &'static Location<'static>,
    ) {
        if self.node == UNSEEN && self.poll != row.polls.get() {
            // That was in another poll.
            self.node = 0;
            if row.awaiting.is_vacant() && is_own(row, cx) {
                return self.enter_recorded(row, row.id(), kind, operand, place);
            }
        }
        let recorded = self.node == 0 && self.poll == row.polls.get() && self.task == row.id();
        let unseen = self.node == UNSEEN || self.node == 0 && !recorded;
        if unseen && row.awaiting.is_crowded() && is_own(row, cx) {
            return self.count(row);
        }
        let wait = Wait { kind, scope: row.frame.get().scope(), operand, place: Some(place) };
        self.park_plainly(row, cx, wait, None);
    }

    /// In place of [`park`](Leaf::park), for an await of several tasks that takes a cancel itself.
    ///
    /// # Errors
    ///
    /// As [`park`](Leaf::park).
    #[track_caller]
    pub fn park_watching(&mut self, cx: &mut Context<'_>, tasks: &AwaitedTasks) -> Result<(), Cancelled> {
        let Some(row) = context::current_row() else { return Ok(()) };
        if row.has_request() {
            self.take_pending(row)?;
        }
        let place = place::of_await(Location::caller(), self.place);
        self.park_plainly(row, cx, tasks.wait(row, place), Some(tasks));
        Ok(())
    }

    /// Parks a leaf that takes a cancel itself.
    pub(super) fn park_plainly(
        &mut self,
        row: &Row,
        cx: &Context<'_>,
        wait: Wait,
        tasks: Option<&AwaitedTasks>,
    ) {
        row.awaiting.cast_doubt();
        if is_own(row, cx) {
            self.record(row, wait, NodeKind::Own, tasks);
        } else {
            self.link(row, wait, NodeKind::Linked(cx.waker().clone()), tasks);
        }
    }

    /// Writes down what a leaf waits for that is polled with the task's own waker: in the row, if there is room.
    #[cold]
    pub(super) fn record(&mut self, row: &Row, wait: Wait, kind: NodeKind, tasks: Option<&AwaitedTasks>) {
        self.withdraw(row);
        let has_room = row.awaiting.kind() == AwaitKind::Nothing;
        if has_room && tasks.is_none() {
            self.unlink();
            self.enter(row, row.id());
            row.awaiting.set(wait);
            return;
        }
        if has_room {
            row.awaiting.set(wait);
        }
        self.link(row, wait, kind, tasks);
    }

    /// The await is over, or begins anew: the leaf is not parked any more.
    ///
    /// For use after [`resume`](Leaf::resume). One that gives up in the very poll in which it has parked uses
    /// [`abandon`](Leaf::abandon).
    #[inline]
    pub fn unpark(&mut self) {
        if self.node != 0 {
            self.unlink();
        }
        self.task = 0;
    }

    #[inline(always)]
    pub(super) fn enter(&mut self, row: &Row, id: u64) {
        self.task = id;
        self.frame = row.frame.get();
        self.poll = row.polls.get();
    }

    /// Parks as the one that the row has room for.
    #[inline(always)]
    pub(super) fn enter_recorded(
        &mut self,
        row: &Row,
        id: u64,
        kind: AwaitKind,
        operand: u64,
        place: &'static Location<'static>,
    ) {
        self.enter(row, id);
        row.awaiting.set(Wait { kind, scope: self.frame.scope(), operand, place: Some(place) });
    }

    /// Parks unseen.
    #[inline]
    fn count(&mut self, row: &Row) {
        if self.node == 0 || self.poll != row.polls.get() {
            row.awaiting.count_more();
        }
        self.enter_unseen(row);
    }

    #[inline(always)]
    fn enter_unseen(&mut self, row: &Row) {
        row.awaiting.cast_doubt();
        self.enter(row, row.id());
        self.node = UNSEEN;
    }

    /// Parks with a node.
    // In line, and with the usual case by itself, so that the node's parts are stored where they stay, and not moved there.
    #[inline(always)]
    pub(super) fn link(&mut self, row: &Row, wait: Wait, kind: NodeKind, tasks: Option<&AwaitedTasks>) {
        let former_poll = self.poll;
        self.enter(row, row.id());
        let nodes = &row.extras_or_new().nodes;
        if !matches!(self.node, 0 | UNSEEN) {
            return self.relink(row, nodes, former_poll, Node::new(wait, self.poll, kind, tasks));
        }
        let is_recorded = tasks.is_some() && row.awaiting.get() == wait;
        self.node = nodes.insert_with(self.poll, || Node::new(wait, self.poll, kind, tasks)) + 1;
        if !is_recorded {
            row.awaiting.count_more();
        }
    }

    /// The same for one that had a node when it parked the last time. Perhaps that is still in its place.
    #[cold]
    #[inline(never)]
    fn relink(&mut self, row: &Row, nodes: &Nodes, former_poll: u32, node: Node) {
        let is_recorded = node.tasks.is_some() && row.awaiting.get() == node.wait;
        let replaced = nodes.replace(self.node - 1, former_poll, node);
        let replaced = replaced.map_err(|node| self.node = nodes.insert(node) + 1).ok();
        if !is_recorded && replaced.as_ref().is_none_or(|before| before.poll != self.poll) {
            row.awaiting.count_more();
        }
        // Last: the waker in it may be anybody's.
        drop(replaced);
    }

    #[cold]
    fn unlink(&mut self) {
        if self.node == UNSEEN {
            self.node = 0;
            return;
        }
        // A leaf may be sent to another thread, which must not touch the row. Its node then goes when the task does.
        let Some(row) = self.own_row() else { return self.node = 0 };
        let Some(key) = std::mem::take(&mut self.node).checked_sub(1) else { return };
        let Some(extras) = row.extras() else { return };
        let node = extras.nodes.remove(key, self.poll);
        if let Some(node) = node.as_ref().filter(|node| node.poll == row.polls.get()) {
            if node.tasks.is_some() && row.awaiting.get() == node.wait {
                row.awaiting.forget_wait();
            } else {
                row.awaiting.count_less();
            }
        }
    }

    /// Takes the row's record back, if it is that of this leaf: it has been polled again, or dropped, in or after the very
    /// poll in which it parked. (recorded-while-parked)
    #[cold]
    pub(super) fn withdraw(&mut self, row: &Row) {
        if self.task == row.id() && self.poll == row.polls.get() && matches!(self.node, 0 | UNSEEN) {
            self.leave_record(row);
            self.node = 0;
            // As if it had been parked since the poll before, so that this happens once.
            self.poll = self.poll.wrapping_sub(1);
        }
    }

    /// The row of the task in which it is parked, if that is one of this thread's, and still there.
    fn own_row(&self) -> Option<&'static Row> {
        let running = context::current_row().filter(|row| row.id() == self.task);
        running.or_else(|| Row::current(self.task).filter(|row| context::core_that_owns(row).is_some()))
    }

    /// It is given up where it is parked, as when it is dropped there.
    #[inline]
    pub fn abandon(&mut self) {
        if self.task != 0 {
            self.abandon_parked();
        }
    }

    #[inline(never)]
    fn abandon_parked(&mut self) {
        match context::current_row() {
            // The usual case: within a poll of its task, and it has no node.
            Some(row) if self.is_plain_in(row) => self.leave(row),
            _ => {
                self.leave_parked();
                self.node = 0;
                self.task = 0;
            }
        }
    }

    /// Whether it is parked in this task, without a node.
    #[inline(always)]
    pub(crate) fn is_plain_in(&self, row: &Row) -> bool {
        self.task == row.id() && matches!(self.node, 0 | UNSEEN)
    }

    /// As [`abandon`](Leaf::abandon), for one that [is parked](Leaf::is_plain_in) in the task that is being polled.
    #[inline(always)]
    pub(crate) fn leave(&mut self, row: &Row) {
        self.leave_record(row);
        self.node = 0;
        self.task = 0;
    }

    #[cold]
    #[inline(never)]
    fn leave_parked(&mut self) {
        match self.own_row() {
            Some(row) if matches!(self.node, 0 | UNSEEN) => self.leave_record(row),
            _ => self.unlink(),
        }
    }

    /// Takes back what it has left in the row, unless that has been done by the beginning of another poll.
    #[inline]
    fn leave_record(&self, row: &Row) {
        if self.poll == row.polls.get() {
            match self.node {
                0 => row.awaiting.forget_wait(),
                _ => row.awaiting.count_less(),
            }
        }
    }
}

/// Whether a leaf is polled with its task's own waker, and so whenever the task is.
#[inline(always)]
pub(super) fn is_own(row: &Row, cx: &Context<'_>) -> bool {
    waker::task_of(cx.waker()) == Some(row.id())
}

impl Default for Leaf {
    #[track_caller]
    fn default() -> Self {
        Leaf::new()
    }
}

impl Drop for Leaf {
    #[inline]
    fn drop(&mut self) {
        self.abandon();
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaf").field("parked", &self.is_parked()).field("place", &self.place).finish()
    }
}
