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

use super::place;
use crate::black_box::NearVec;
use crate::cancel::{request, scope};
use crate::context;
use crate::error::Cancelled;
use crate::task::extras::{Node, NodeKind};
use crate::task::row::{AwaitKind, Flag, Row, Wait};
use crate::task::{TaskId, TaskRef};
use crate::waker;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use std::ptr;
use std::rc::Rc;
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
    task: u64,
    /// The frame in which it is parked, and the epoch it saw there.
    scope: u32,
    epoch: u32,
    /// The poll of the task in which it parked.
    poll: u32,
    /// Its place among the extras' nodes; 0 for none: then, while it is parked, it may be the one in the row's record; or
    /// [`UNSEEN`].
    node: u32,
    place: &'static Location<'static>,
}

/// In place of a node: one of very many that have parked in one poll, which is counted and not recorded.
const UNSEEN: u32 = u32::MAX;

/// What a leaf waits for: for people who look at the task, and nothing else.
///
/// Where it is a thing, the number is its address, or that of the line in which one waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Awaiting {
    /// The end of a task that a cancel is kept away from.
    Task(TaskId),
    /// A deadline, in nanoseconds of the runtime's clock.
    Timer(u64),
    /// That a descriptor becomes readable.
    Readable(u64),
    /// That a descriptor becomes writable.
    Writable(u64),
    /// That the children of a group have ended: how many are left.
    Children(u64),
    /// The next turn.
    Turn,
    /// A future of another library.
    Foreign,
    /// A lock. With the number of its [board](crate::holders::Board), people see who holds it.
    Mutex(u64),
    /// Permits of a semaphore. The same.
    Semaphore(u64),
    /// An event.
    Event(u64),
    /// A condition.
    Condition(u64),
    /// The others at a barrier.
    Barrier(u64),
    /// An item of a queue, or room in it.
    Queue(u64),
    /// A message of a channel, or room in it.
    Channel(u64),
    /// A value that is sent once.
    Oneshot(u64),
    /// The end of a [blocking job](crate::blocking): its number.
    Job(u64),
    /// A signal of the operating system: its number.
    Signal(u64),
    /// The end of another process: its id.
    Process(u64),
    /// Something else: a number of the leaf author's choice.
    Other(u64),
}

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
        Leaf { task: 0, scope: 0, epoch: 0, poll: 0, node: 0, place }
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
        match context::current_row() {
            Some(row) if !self.is_undisturbed(row) => self.resume_disturbed(row),
            _ => Ok(()),
        }
    }

    /// The usual case: this is another poll of the task in which it parked, in the same frame, and nobody has asked
    /// anything of that task since.
    #[inline(always)]
    fn is_undisturbed(&self, row: &Row) -> bool {
        self.task == row.id()
            && self.epoch == row.epoch.get()
            && self.scope == row.scope.get()
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
        self.task == row.id()
            && self.scope == row.scope.get()
            && (polled_last_time || self.asks_node(row, Node::is_linked))
    }

    /// Asks its node, if it has one.
    fn asks_node(&self, row: &Row, question: impl FnOnce(&Node) -> bool) -> bool {
        let key = self.node.checked_sub(1).map(|key| key as usize);
        let nodes = key.zip(row.extras()).map(|(key, extras)| (key, extras.nodes.borrow()));
        nodes.is_some_and(|(key, nodes)| nodes.get(key).is_some_and(question))
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
        self.park_in(waker::own_row(cx.waker()), cx, awaiting, place)
    }

    /// As [`park_at`](Leaf::park_at), for who has looked already whether it is polled with the running task's own waker.
    #[inline(always)]
    pub(crate) fn park_in(
        &mut self,
        own: Option<&Row>,
        cx: &Context<'_>,
        awaiting: Awaiting,
        place: &'static Location<'static>,
    ) -> Result<(), Cancelled> {
        match own {
            Some(row) if self.node == 0 && row.awaiting.is_vacant() && !row.has_request() => {
                let (kind, operand) = awaiting.recorded();
                self.enter(row, row.id());
                row.awaiting.set(Wait { kind, scope: self.scope, operand, place: Some(place) });
                Ok(())
            }
            _ => self.park_otherwise(cx, awaiting, place),
        }
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
    fn take_pending(&mut self, row: &Row) -> Result<(), Cancelled> {
        if !scope::reaches(row, row.scope.get()) {
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
                self.enter(row, row.id());
                row.awaiting.set(Wait { kind, scope: self.scope, operand, place: Some(place) });
                return;
            }
        }
        let recorded = self.node == 0 && self.poll == row.polls.get() && self.task == row.id();
        let unseen = self.node == UNSEEN || self.node == 0 && !recorded;
        if unseen && row.awaiting.is_crowded() && is_own(row, cx) {
            return self.count(row);
        }
        let wait = Wait { kind, scope: row.scope.get(), operand, place: Some(place) };
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
    fn park_plainly(&mut self, row: &Row, cx: &Context<'_>, wait: Wait, tasks: Option<&AwaitedTasks>) {
        row.awaiting.cast_doubt();
        if is_own(row, cx) {
            self.record(row, wait, NodeKind::Own, tasks);
        } else {
            self.link(row, wait, NodeKind::Linked(cx.waker().clone()), tasks);
        }
    }

    /// Writes down what a leaf waits for that is polled with the task's own waker: in the row, if there is room.
    #[cold]
    fn record(&mut self, row: &Row, wait: Wait, kind: NodeKind, tasks: Option<&AwaitedTasks>) {
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
    fn enter(&mut self, row: &Row, id: u64) {
        self.task = id;
        self.scope = row.scope.get();
        self.epoch = row.epoch.get();
        self.poll = row.polls.get();
    }

    /// Parks unseen.
    #[inline]
    fn count(&mut self, row: &Row) {
        row.awaiting.cast_doubt();
        if self.node == 0 || self.poll != row.polls.get() {
            row.awaiting.count_more();
        }
        self.enter(row, row.id());
        self.node = UNSEEN;
    }

    /// Parks with a node.
    #[cold]
    fn link(&mut self, row: &Row, wait: Wait, kind: NodeKind, tasks: Option<&AwaitedTasks>) {
        self.enter(row, row.id());
        let is_recorded = tasks.is_some() && row.awaiting.get() == wait;
        let node = Node::new(wait, self.poll, kind, tasks);
        let nodes = &row.extras_or_new().nodes;
        let replaced = match self.node {
            0 | UNSEEN => {
                self.node = nodes.insert(node) + 1;
                None
            }
            // Still in its place from the last time.
            key => Some(nodes.replace(key - 1, node)),
        };
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
        let node = extras.nodes.remove(key);
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
    fn withdraw(&mut self, row: &Row) {
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
        if self.task == 0 {
            return;
        }
        match context::current_row() {
            // The usual case: within a poll of its task, and it has no node.
            Some(row) if row.id() == self.task && matches!(self.node, 0 | UNSEEN) => self.leave_record(row),
            _ => self.leave_parked(),
        }
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
fn is_own(row: &Row, cx: &Context<'_>) -> bool {
    waker::task_of(cx.waker()) == Some(row.id())
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

/// The tasks that a leaf waits for. Cloned, it is the same list.
#[derive(Clone, Debug)]
pub struct AwaitedTasks(Rc<List>);

#[derive(Debug)]
struct List {
    /// Their number, then their ids: so that who has only the address can read them.
    numbers: NearVec<Cell<u64>>,
    /// What has gone on to them.
    forwarded: RefCell<Option<Cancelled>>,
}

impl AwaitedTasks {
    /// These tasks. Those that have ended count no more.
    pub fn new<'a>(tasks: impl IntoIterator<Item = &'a TaskRef>) -> AwaitedTasks {
        let mut tasks = tasks.into_iter().peekable();
        // They are all of one runtime, and of this thread.
        let first = tasks.peek().and_then(|task| Row::current(task.id().as_u64()));
        let near = first.map_or(ptr::null(), |row| ptr::from_ref(row).cast());
        let mut numbers = NearVec::with_capacity(near, 1 + tasks.size_hint().0);
        numbers.push(near, Cell::new(0));
        tasks.for_each(|task| numbers.push(near, Cell::new(task.id().as_u64())));
        numbers[0].set(numbers.len() as u64 - 1);
        AwaitedTasks(Rc::new(List { numbers, forwarded: RefCell::default() }))
    }

    /// From here on they are not waited for: the await is over, although some of the tasks are not.
    pub fn close(&self) {
        self.0.numbers[0].set(0);
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

    pub(crate) fn ids(&self) -> impl Iterator<Item = u64> {
        let numbers = &self.0.numbers;
        numbers[1..].iter().take(numbers[0].get() as usize).map(Cell::get)
    }

    fn wait(&self, row: &Row, place: &'static Location<'static>) -> Wait {
        let operand = self.0.numbers.as_ptr().addr() as u64;
        Wait { kind: AwaitKind::Tasks, scope: row.scope.get(), operand, place: Some(place) }
    }
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

    /// Ends the await, unless something was asked of the task while it was parked; then
    /// [`resume_forwarding`](Leaf::resume_forwarding) says what.
    #[inline(always)]
    #[must_use]
    pub(crate) fn ends_undisturbed(&mut self) -> bool {
        let undisturbed = self.task == 0
            || self.node == 0 && context::current_row().is_some_and(|row| self.is_undisturbed(row));
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
        row.is(Flag::Forwarded) || self.asks_node(row, Node::is_linked)
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
            self.link(row, wait, NodeKind::LinkedForwarding, Some(tasks));
        }
        Ok(if requested { Resumed::Forwarded } else { Resumed::Undisturbed })
    }

    /// Begins to wait for one task, which is what the rows of both have room for. Says whether it has, for this is only the
    /// usual case: the await was not parked before, and stands for the whole of a running task, of which nothing was asked.
    #[track_caller]
    #[inline(always)]
    #[must_use]
    pub(crate) fn joins_undisturbed(&mut self, cx: &Context<'_>, awaited: &'static Row) -> bool {
        let place = place::of_await(Location::caller(), self.place);
        let Some(core) = context::running() else { return false };
        let Some(row) = core.current.get() else { return false };
        let undisturbed = self.task == 0
            && self.node == 0
            && is_own(row, cx)
            && row.awaiting.is_vacant()
            && !row.has_request()
            && awaited.state.get().is_alive()
            && core.owns(awaited)
            && !std::ptr::eq(row, awaited);
        if undisturbed {
            self.enter(row, row.id());
            row.awaiting.note_first_join();
            let (kind, operand) = (AwaitKind::Task, awaited.id());
            row.awaiting.set(Wait { kind, scope: self.scope, operand, place: Some(place) });
            awaited.joiner.set(self.task);
        }
        undisturbed
    }

    /// The same in any case, for whoever sees to it that the waker is woken.
    #[track_caller]
    #[cold]
    pub(crate) fn park_join(&mut self, cx: &Context<'_>, awaited: &'static Row) -> Result<(), Cancelled> {
        let place = place::of_await(Location::caller(), self.place);
        let Some(row) = context::current_row() else { return Ok(()) };
        if self.owes_a_request(row) {
            let _forwarded = self.hand_over(row, std::iter::once(awaited.id()))?;
        }
        let (kind, scope) = (AwaitKind::Task, row.scope.get());
        let wait = Wait { kind, scope, operand: awaited.id(), place: Some(place) };
        if is_own(row, cx) {
            row.awaiting.note_join();
            self.record(row, wait, NodeKind::OwnForwarding, None);
        } else {
            self.link(row, wait, NodeKind::LinkedForwarding, None);
        }
        Ok(())
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
    /// What is recorded of it, the other way round. The end of a task is that, whether a cancel goes on to it or not; lists of
    /// tasks, and requests, are nothing of the kind.
    pub(crate) fn of(wait: Wait) -> Option<Awaiting> {
        let operand = wait.operand;
        Some(match wait.kind {
            AwaitKind::Nothing | AwaitKind::Request | AwaitKind::Tasks => return None,
            AwaitKind::Task | AwaitKind::Shielded => Awaiting::Task(TaskId(operand)),
            AwaitKind::Timer => Awaiting::Timer(operand),
            AwaitKind::Readable => Awaiting::Readable(operand),
            AwaitKind::Writable => Awaiting::Writable(operand),
            AwaitKind::Children => Awaiting::Children(operand),
            AwaitKind::Turn => Awaiting::Turn,
            AwaitKind::Foreign => Awaiting::Foreign,
            AwaitKind::Mutex => Awaiting::Mutex(operand),
            AwaitKind::Semaphore => Awaiting::Semaphore(operand),
            AwaitKind::Event => Awaiting::Event(operand),
            AwaitKind::Condition => Awaiting::Condition(operand),
            AwaitKind::Barrier => Awaiting::Barrier(operand),
            AwaitKind::Queue => Awaiting::Queue(operand),
            AwaitKind::Channel => Awaiting::Channel(operand),
            AwaitKind::Oneshot => Awaiting::Oneshot(operand),
            AwaitKind::Job => Awaiting::Job(operand),
            AwaitKind::Signal => Awaiting::Signal(operand),
            AwaitKind::Process => Awaiting::Process(operand),
            AwaitKind::Other => Awaiting::Other(operand),
        })
    }

    #[inline]
    pub(crate) fn recorded(self) -> (AwaitKind, u64) {
        match self {
            Awaiting::Task(task) => (AwaitKind::Shielded, task.as_u64()),
            Awaiting::Timer(deadline) => (AwaitKind::Timer, deadline),
            Awaiting::Readable(descriptor) => (AwaitKind::Readable, descriptor),
            Awaiting::Writable(descriptor) => (AwaitKind::Writable, descriptor),
            Awaiting::Children(left) => (AwaitKind::Children, left),
            Awaiting::Turn => (AwaitKind::Turn, 0),
            Awaiting::Foreign => (AwaitKind::Foreign, 0),
            Awaiting::Mutex(address) => (AwaitKind::Mutex, address),
            Awaiting::Semaphore(address) => (AwaitKind::Semaphore, address),
            Awaiting::Event(address) => (AwaitKind::Event, address),
            Awaiting::Condition(address) => (AwaitKind::Condition, address),
            Awaiting::Barrier(address) => (AwaitKind::Barrier, address),
            Awaiting::Queue(address) => (AwaitKind::Queue, address),
            Awaiting::Channel(address) => (AwaitKind::Channel, address),
            Awaiting::Oneshot(address) => (AwaitKind::Oneshot, address),
            Awaiting::Job(number) => (AwaitKind::Job, number),
            Awaiting::Signal(number) => (AwaitKind::Signal, number),
            Awaiting::Process(id) => (AwaitKind::Process, id),
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
        self.abandon();
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaf").field("parked", &self.is_parked()).field("place", &self.place).finish()
    }
}
