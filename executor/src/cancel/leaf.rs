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

use crate::cancel::{request, scope};
use crate::context;
use crate::error::Cancelled;
use crate::task::TaskRef;
use crate::task::extras::{Node, NodeKind};
use crate::task::row::{AwaitKind, Flag, Joins, Row};
use crate::waker;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::task::Context;

/// The cancellation side of one await.
///
/// Keep one in a future that parks the task, next to whatever it waits for, and use it as the module's picture shows.
/// Everything in homing that suspends is built with it.
///
/// Polled outside of homing's tasks, a leaf never reports a cancellation, and does no harm.
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
    task: u64,
    /// The frame in which it is parked, and the epoch it saw there.
    scope: u32,
    epoch: u32,
    /// The poll of the task in which it parked.
    poll: u32,
    /// Its place among the extras' nodes, where a cancel has to reach it by itself; 0 for none.
    node: u32,
    place: &'static Location<'static>,
}

/// What a leaf waits for: for people who look at the task, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Awaiting {
    /// A deadline, in nanoseconds of the runtime's clock.
    Timer(u64),
    /// That a descriptor becomes readable.
    Readable(u64),
    /// That a descriptor becomes writable.
    Writable(u64),
    /// That the children of a group have ended: how many are left.
    Children(u64),
    /// Something else: a number of the leaf author's choice.
    Other(u64),
}

impl Leaf {
    /// A leaf that is not parked. The caller's place is shown as that of the await.
    #[track_caller]
    #[inline]
    pub fn new() -> Leaf {
        Leaf { task: 0, scope: 0, epoch: 0, poll: 0, node: 0, place: Location::caller() }
    }

    /// Where it was made.
    pub fn place(&self) -> &'static Location<'static> {
        self.place
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
        let Some(row) = context::current_row() else { return Ok(()) };
        let undisturbed = self.task == row.id()
            && self.epoch == row.epoch.get()
            && self.scope == row.scope.get()
            && !row.has_request();
        if undisturbed { Ok(()) } else { self.resume_disturbed(row) }
    }

    #[cold]
    fn resume_disturbed(&mut self, row: &'static Row) -> Result<(), Cancelled> {
        if !self.stands_in(row) {
            self.unpark();
            return Ok(());
        }
        if self.epoch != row.epoch.get() || scope::reaches(row, self.scope) {
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
    fn stands_in(&self, row: &Row) -> bool {
        let polled_last_time = row.polls.get().wrapping_sub(self.poll) <= 1;
        self.task == row.id() && self.scope == row.scope.get() && (polled_last_time || self.node != 0)
    }

    /// Last thing before `Poll::Pending`: takes a pending request, or else parks.
    ///
    /// # Errors
    ///
    /// [`Cancelled`], if a request is pending: this is the next await that would suspend (CX-10).
    #[inline]
    pub fn park(&mut self, cx: &mut Context<'_>, awaiting: Awaiting) -> Result<(), Cancelled> {
        let Some(row) = context::current_row() else { return Ok(()) };
        if row.has_request() && scope::reaches(row, row.scope.get()) {
            self.unpark();
            return Err(scope::deliver(row));
        }
        self.enter(row);
        if row.awaiting.joins() != Joins::None {
            row.awaiting.cast_doubt();
        }
        if row.awaiting.kind() != AwaitKind::Task {
            let (kind, operand) = awaiting.recorded();
            row.awaiting.set(kind, self.scope, operand, Some(self.place));
        }
        if !self.is_own(cx) {
            self.link(row, NodeKind::Leaf(cx.waker().clone()));
        }
        Ok(())
    }

    /// Whether it is polled with its task's own waker, and so whenever the task is.
    fn is_own(&self, cx: &Context<'_>) -> bool {
        waker::task_of(cx.waker()) == Some(self.task)
    }

    /// The await is over, or begins anew: the leaf is not parked any more.
    #[inline]
    pub fn unpark(&mut self) {
        if self.node != 0 {
            self.unlink();
        }
        self.task = 0;
    }

    #[inline]
    fn enter(&mut self, row: &Row) {
        self.task = row.id();
        self.scope = row.scope.get();
        self.epoch = row.epoch.get();
        self.poll = row.polls.get();
    }

    #[cold]
    fn link(&mut self, row: &Row, kind: NodeKind) {
        let node = Node { scope: self.scope, poll: self.poll, kind };
        let mut nodes = row.extras_or_new().nodes.borrow_mut();
        match self.node {
            0 => self.node = nodes.insert(node) as u32 + 1,
            // Still in its place from the last poll: at most the waker has changed.
            place => {
                let replaced = std::mem::replace(&mut nodes[place as usize - 1], node);
                drop(nodes);
                drop(replaced);
            }
        }
    }

    #[cold]
    fn unlink(&mut self) {
        let key = std::mem::replace(&mut self.node, 0) as usize - 1;
        // A leaf may be sent to another thread, which must not touch the row. Its node then goes when the task does.
        let own = Row::current(self.task).filter(|row| context::core_that_owns(row).is_some());
        let Some(extras) = own.and_then(Row::extras) else { return };
        // Bound to a name, so that the waker in it is dropped after the borrow has ended.
        let _node = extras.nodes.borrow_mut().try_remove(key);
    }
}

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

/// The tasks that a leaf forwards requests to. Cloned, it is the same list.
#[derive(Clone, Debug)]
pub struct ForwardTo(Rc<Forwarding>);

#[derive(Debug)]
struct Forwarding {
    tasks: Vec<u64>,
    closed: Cell<bool>,
    /// What has gone on to them.
    forwarded: RefCell<Option<Cancelled>>,
}

impl ForwardTo {
    /// These tasks. Those that have ended when a request comes are passed over.
    pub fn new<'a>(tasks: impl IntoIterator<Item = &'a TaskRef>) -> ForwardTo {
        let tasks = tasks.into_iter().map(|task| task.id().as_u64()).collect();
        ForwardTo(Rc::new(Forwarding { tasks, closed: Cell::new(false), forwarded: RefCell::default() }))
    }

    /// From here on nothing is forwarded: the await is over, although some of its tasks are not.
    pub fn close(&self) {
        self.0.closed.set(true);
    }

    /// The requests that have gone on to the tasks, as one, with the causes of all; `None` if there was none.
    ///
    /// For an await that ends cancelled after a request even if none of its tasks does.
    pub fn forwarded(&self) -> Option<Cancelled> {
        self.0.forwarded.borrow().clone()
    }

    pub(crate) fn note_forwarded(&self, why: &Cancelled) {
        let before = self.0.forwarded.take();
        let all = before.map_or_else(|| why.clone(), |before| before.and(why));
        let replaced = self.0.forwarded.replace(Some(all));
        drop(replaced);
    }

    pub(crate) fn ids(&self) -> &[u64] {
        if self.0.closed.get() { &[] } else { &self.0.tasks }
    }
}

/// For a leaf that awaits other tasks, and so forwards a request to them instead of taking it (CX-4, GA-9).
impl Leaf {
    /// In place of [`resume`](Leaf::resume).
    #[inline]
    pub fn resume_forwarding(&mut self) -> Resumed {
        let Some(row) = context::current_row().filter(|_| self.task != 0) else {
            return Resumed::Undisturbed;
        };
        if !self.stands_in(row) {
            self.unpark();
            return Resumed::Undisturbed;
        }
        if row.has_request() && scope::reaches(row, self.scope) {
            Resumed::Requested
        } else if self.epoch == row.epoch.get() {
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
        let polled_by_others =
            |node: &Node| matches!(node.kind, NodeKind::Join(_) | NodeKind::Joins { own: false, .. });
        let node = self.node.checked_sub(1).map(|key| key as usize);
        row.is(Flag::Forwarded)
            || node
                .zip(row.extras())
                .is_some_and(|(key, extras)| extras.nodes.borrow().get(key).is_some_and(polled_by_others))
    }

    /// Whether a request is to go on to the awaited tasks as this leaf parks: one that is pending, or one that was made
    /// while it was parked, when it was in doubt whether it still was.
    #[inline]
    fn owes_a_request(&self, row: &Row) -> bool {
        if row.has_request() && scope::reaches(row, row.scope.get()) {
            return true;
        }
        self.task != 0 && self.epoch != row.epoch.get() && self.stands_in(row) && !self.was_forwarded(row)
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
    pub fn park_forwarding(&mut self, cx: &mut Context<'_>, tasks: &ForwardTo) -> Result<Resumed, Cancelled> {
        let Some(row) = context::current_row() else { return Ok(Resumed::Undisturbed) };
        let requested = self.owes_a_request(row);
        if requested {
            tasks.note_forwarded(&self.hand_over(row, tasks.ids())?);
        }
        self.enter(row);
        let own = self.is_own(cx);
        if own {
            row.awaiting.note_join();
        }
        self.link(row, NodeKind::Joins { tasks: tasks.clone(), own });
        Ok(if requested { Resumed::Forwarded } else { Resumed::Undisturbed })
    }

    /// The same for one awaited task, which is what the row has room for.
    #[inline]
    pub(crate) fn park_join(&mut self, cx: &Context<'_>, awaited: &'static Row) -> Result<(), Cancelled> {
        let Some(row) = context::current_row() else { return Ok(()) };
        if self.owes_a_request(row) {
            let _forwarded = self.hand_over(row, &[awaited.id()])?;
        }
        self.enter(row);
        if !self.is_own(cx) {
            self.link(row, NodeKind::Join(awaited.id()));
            return Ok(());
        }
        if self.node != 0 {
            self.unlink();
        }
        row.awaiting.note_join();
        if row.awaiting.kind() != AwaitKind::Task {
            row.awaiting.set(AwaitKind::Task, self.scope, awaited.id(), Some(self.place));
        }
        Ok(())
    }

    /// The await of a task is over: a request is not to go there any more.
    pub(crate) fn leave_join(&mut self, awaited: u64) {
        let row = Row::current(self.task);
        if let Some(row) = row.filter(|row| row.awaiting.is_for_task(awaited)) {
            row.awaiting.clear();
        }
        self.unpark();
    }

    /// Hands a pending request on to the awaited tasks, and says what it was.
    #[cold]
    fn hand_over(&mut self, row: &'static Row, tasks: &[u64]) -> Result<Cancelled, Cancelled> {
        let cancelled = scope::take(row);
        let mut taken = false;
        for task in tasks.iter().filter_map(|id| Row::current(*id)) {
            taken |= request::cancel(task, &cancelled);
        }
        let came_back = row.has_request() && scope::reaches(row, row.scope.get());
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

impl Awaiting {
    fn recorded(self) -> (AwaitKind, u64) {
        match self {
            Awaiting::Timer(deadline) => (AwaitKind::Timer, deadline),
            Awaiting::Readable(descriptor) => (AwaitKind::Readable, descriptor),
            Awaiting::Writable(descriptor) => (AwaitKind::Writable, descriptor),
            Awaiting::Children(left) => (AwaitKind::Children, left),
            Awaiting::Other(number) => (AwaitKind::Other, number),
        }
    }
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
        if self.node != 0 {
            self.unlink();
        }
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaf").field("parked", &self.is_parked()).field("place", &self.place).finish()
    }
}
