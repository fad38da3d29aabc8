//! Cancel scopes: a request that is meant for a part of a task.
//!
//! A timeout, or a group whose child fails, interrupts *its own body*, not whatever else the task is doing. With
//! asyncio the two are the same, since a task does one thing at a time; a Rust task may do several
//! (`join!(timeout(a), b)`), and `b` is nobody's business when `a` takes too long.
//!
//! ```text
//!   task            must  epoch 3
//!    └─ scope 1     must  epoch 0     timeout
//!        └─ scope 2 must  epoch 1     group body  ── leaf: sees any must of the three, and 3 + 0 + 1
//! ```
//!
//! While a scope polls its body, the row's [`FrameMark`] is that of its frame; a leaf compares it with what
//! it noted when it parked, and does not care how many frames there are. Requests of a scope are counted like all
//! others, so `cancelling()` is what asyncio shows. At its end, a scope takes its own request back and asks whether
//! others remain that were not there at its beginning: then the cancellation is not its own to absorb.

use crate::black_box::Told;
use crate::cancel::frame_mark::FrameMark;
use crate::cancel::request::{self, WHOLE_TASK};
use crate::clock::Nanos;
use crate::context;
use crate::error::{Cancelled, RuntimeError, ScopeNote};
use crate::observe;
use crate::outside::Field;
use crate::outside::published::Text;
use crate::task::extras::{Extras, NodeKind};
use crate::task::reference::home;
use crate::task::row::{Flag, Row};
use crate::task::state::State;
use crate::task::{TaskId, TaskRef};
use crate::time::Instant;
use crate::waker;
use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::offset_of;
use std::panic::Location;
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll, Waker};

/// One scope of a task, as the task's extras hold it.
pub(crate) struct ScopeEntry {
    id: u32,
    /// The scope around it; 0 for the task itself. As of its last poll.
    parent: u32,
    epoch: u32,
    /// The sum of the epochs around it, as of its last poll.
    epoch_around: u32,
    must: bool,
    /// It has made a request and not taken it back.
    asked: bool,
    /// What polls it, where that is not the task itself.
    waker: Option<Waker>,
    /// What it is, for people who look at the task.
    pub(crate) note: Option<ScopeNote>,
    /// When its time is over, the same.
    deadline: Option<Instant>,
    /// In which poll of the task it was last polled.
    polled: u32,
    shown: Shown,
}

/// The same for who reads it from outside.
struct Shown {
    kind: Text,
    name: Told,
    place: Option<&'static Location<'static>>,
    /// 0 for none.
    deadline: Nanos,
}

impl ScopeEntry {
    /// What another process is told of it.
    pub(crate) const FIELDS: [Field; 8] = [
        Field::new("scope", 0, size_of::<ScopeEntry>()),
        Field::new("scope.id", offset_of!(ScopeEntry, id), 4),
        Field::new("scope.parent", offset_of!(ScopeEntry, parent), 4),
        Field::new("scope.kind", offset_of!(ScopeEntry, shown.kind), size_of::<Text>()),
        Field::new("scope.name", offset_of!(ScopeEntry, shown.name), size_of::<Text>()),
        Field::new("scope.place", offset_of!(ScopeEntry, shown.place), size_of::<usize>()),
        Field::new("scope.deadline", offset_of!(ScopeEntry, shown.deadline), 8),
        Field::new("scope.polled", offset_of!(ScopeEntry, polled), 4),
    ];

    /// `near` is where it will be kept.
    fn new(
        near: &Extras,
        id: u32,
        parent: u32,
        note: Option<ScopeNote>,
        deadline: Option<Instant>,
    ) -> ScopeEntry {
        let near = ptr::from_ref(near).cast();
        let shown = Shown {
            kind: Text::of(note.as_ref().map(|note| note.kind)),
            name: Told::of(near, note.as_ref().and_then(|note| note.name.as_deref())),
            place: note.as_ref().map(|note| note.place),
            deadline: deadline.map_or(0, Instant::nanos),
        };
        let (epoch, epoch_around, must, asked, waker, polled) = (0, 0, false, false, None, 0);
        ScopeEntry { id, parent, epoch, epoch_around, must, asked, waker, note, deadline, polled, shown }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(crate) fn polled(&self) -> u32 {
        self.polled
    }

    fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
        self.shown.deadline = deadline.map_or(0, Instant::nanos);
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn parent(&self) -> u32 {
        self.parent
    }
}

/// Which scope of which task. It may be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScopeId {
    pub(crate) task: u64,
    pub(crate) scope: u32,
}

impl ScopeId {
    /// The scope that is being polled, or the current task as a whole, if it is in none. `None` outside of tasks.
    pub fn current() -> Option<ScopeId> {
        context::current_row().map(|row| ScopeId { task: row.id(), scope: row.frame.get().scope() })
    }

    /// The task.
    pub fn task(self) -> TaskId {
        TaskId(self.task)
    }

    /// Shows another deadline as that of the scope. (What is to happen then, is for whoever entered it.)
    pub fn set_deadline(self, deadline: Option<Instant>) {
        if let Some(row) = Row::current(self.task) {
            with_entry(row, self.scope, |entry| entry.set_deadline(deadline));
        }
    }
}

/// A part of a task that can be cancelled by itself: the building block of timeouts and groups.
///
/// [`enter`](Scope::enter) it in a task, [`poll`](Scope::poll) a body through it, [`leave`](Scope::leave) it. In between,
/// [`cancel`](Scope::cancel) interrupts the body: each leaf parked in it returns `Err(Cancelled)`, or the next one that
/// would suspend. Dropping it takes an outstanding request back.
///
/// A scope also gives foreign futures a way to be cancelled: when a request, the scope's or any other that reaches into
/// it, is pending while the body is polled, and no leaf of homing's takes it, `poll` returns `Err(Cancelled)`, and the
/// caller drops the body.
///
/// # asyncio
///
/// The bookkeeping that `asyncio.timeout` and `TaskGroup` do by hand with `cancel()`, `cancelling()` and `uncancel()`
/// (CX-22, TO-8, TG-22).
#[derive(Debug)]
#[must_use = "a scope does nothing by itself: poll a body through it"]
pub struct Scope {
    task: u64,
    id: u32,
    /// How many requests there were at the beginning.
    count_at_entry: Cell<u32>,
    /// Of these, how many had been made of the task as a whole, and not by a scope.
    whole_task_at_entry: u32,
    /// One of them was pending, and had not been delivered.
    pending_at_entry: bool,
    _not_send: PhantomData<*const ()>,
}

/// What remains when a scope has taken its own request back.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    /// No request has come from outside since the scope was entered: a `Cancelled` out of the body is the scope's own.
    Quiet,
    /// Somebody else has asked too: a `Cancelled` out of the body goes on.
    Asked,
}

impl Scope {
    /// Enters a new scope in the current task.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::NoTask`] if no task is being polled on this thread (TO-2, TG-1).
    pub fn enter() -> Result<Scope, RuntimeError> {
        Scope::enter_noted(None, None)
    }

    /// The same, and tells people who look at the task what it is, and when its time is over.
    ///
    /// # Errors
    ///
    /// As [`enter`](Scope::enter).
    pub fn enter_as(note: ScopeNote, deadline: Option<Instant>) -> Result<Scope, RuntimeError> {
        Scope::enter_noted(Some(note), deadline)
    }

    fn enter_noted(note: Option<ScopeNote>, deadline: Option<Instant>) -> Result<Scope, RuntimeError> {
        let row = context::current_row().ok_or(RuntimeError::NoTask)?;
        let parent = row.frame.get().scope();
        let id = add_entry(row, note, deadline);
        Ok(Scope {
            task: row.id(),
            id,
            count_at_entry: Cell::new(requests_around(row, id)),
            whole_task_at_entry: requests_of_whole_task(row),
            pending_at_entry: reaches(row, parent),
            _not_send: PhantomData,
        })
    }

    /// Counts a request that was pending at entry, and will be delivered in here, as one from outside that came after.
    ///
    /// For a scope, such as a group, that may put something else in the place of its delivery and has to know of it.
    pub fn with_pending_from_outside(mut self) -> Scope {
        if std::mem::take(&mut self.pending_at_entry) {
            *self.count_at_entry.get_mut() = self.count_at_entry.get().saturating_sub(1);
            let whole_task = self.row().is_some_and(|row| row.is(Flag::Must));
            self.whole_task_at_entry = self.whole_task_at_entry.saturating_sub(u32::from(whole_task));
        }
        self
    }

    /// Which one it is.
    pub fn id(&self) -> ScopeId {
        ScopeId { task: self.task, scope: self.id }
    }

    /// The task that the scope is in.
    pub fn task(&self) -> Option<TaskRef> {
        self.row().map(TaskRef::of)
    }

    fn row(&self) -> Option<&'static Row> {
        Row::current(self.task).filter(|row| row.state.get().is_alive())
    }

    /// Polls the body.
    ///
    /// `Err(Cancelled)` is the answer to a request that passed by a foreign future: the caller must drop the body, and
    /// goes on as if that had been its output (NC-3).
    ///
    /// In another task than the one it was entered in, a scope does nothing but poll.
    #[track_caller]
    pub fn poll<F: Future + ?Sized>(
        &self,
        cx: &mut Context<'_>,
        body: Pin<&mut F>,
    ) -> Poll<Result<F::Output, Cancelled>> {
        let Some(row) = context::current_row().filter(|row| row.id() == self.task) else {
            return body.poll(cx).map(Ok);
        };
        let frame = Frame::enter(row, self.id, cx.waker());
        let pending_before = row.has_request() && reaches(row, self.id);
        let polled = body.poll(cx);
        if polled.is_pending() && row.has_request() && reaches(row, self.id) {
            // A task that was asked to cancel has been polled, and is about to suspend as if nothing had happened.
            if request::forward_pending(row, self.id) {
                // Its leaves await other tasks, which have it now.
            } else if !pending_before {
                // It came in the middle of this poll. Leaves that had parked before get their chance to take it.
                request::wake_linked_leaves(row, self.id);
                cx.waker().wake_by_ref();
            } else if !is_coming_to_a_leaf(row, self.id) {
                let cancelled = deliver(row);
                drop(frame);
                return Poll::Ready(Err(cancelled));
            }
        }
        drop(frame);
        polled.map(Ok)
    }

    /// Asks the body to cancel. Once asked, asking again before the end adds nothing.
    ///
    /// Returns whether the request was made: not if the scope had one outstanding, or the task has ended.
    pub fn cancel(&self, why: &Cancelled) -> bool {
        let Some(row) = self.row() else { return false };
        let Some(extras) = row.extras() else { return false };
        let outer_pending = row.has_request() && reaches(row, parent_of(row, self.id));
        let waker = {
            let mut scopes = extras.scopes.borrow_items();
            let Some(entry) = scopes.iter_mut().find(|entry| entry.id == self.id) else { return false };
            if std::mem::replace(&mut entry.asked, true) {
                return false;
            }
            entry.waker.clone()
        };
        if outer_pending && self.pending_at_entry {
            // The request that was pending at the beginning still is. It will be delivered together with this one,
            // and must not be taken for it (KQ-1).
            self.count_at_entry.set(self.count_at_entry.get().saturating_sub(1));
        }
        row.count.set(row.count.get() + 1);
        request::aim(row, self.id, why);
        if let Some(waker) = waker {
            crate::task::life::wake_foreign(waker);
        }
        true
    }

    /// Whether the scope has an outstanding request of its own.
    pub fn has_asked(&self) -> bool {
        self.row().and_then(Row::extras).is_some_and(|extras| {
            extras.scopes.borrow().iter().any(|entry| entry.id == self.id && entry.asked)
        })
    }

    /// Takes the scope's own request back, if it made one, and tells whether others have asked since the beginning.
    pub fn take_back(&self) -> Outside {
        let Some(row) = self.row() else { return Outside::Quiet };
        let asked = with_entry(row, self.id, |entry| {
            entry.must = false;
            std::mem::take(&mut entry.asked)
        });
        settle_musts(row);
        if asked == Some(true) {
            request::uncancel(row);
        }
        self.outside(row)
    }

    /// Makes the requests from outside pending once more, without counting them again.
    ///
    /// For a scope that has used up their delivery for its own purposes, as a group does that waited for its children
    /// in spite of it and now ends with their errors (TG-20). Does nothing if there are none.
    pub fn ask_again(&self, why: &Cancelled) {
        let Some(row) = self.row() else { return };
        if self.outside(row) == Outside::Quiet {
            return;
        }
        let mut enclosing = Vec::new();
        for_each_in_chain(row, parent_of(row, self.id), |entry| {
            if entry.asked {
                enclosing.push(entry.id);
            }
        });
        enclosing.into_iter().for_each(|id| set_must(row, id));
        // Not for one that was there at the beginning: whoever has swallowed it is done with it (KQ-6).
        if requests_of_whole_task(row) > self.whole_task_at_entry {
            set_must(row, WHOLE_TASK);
        }
        request::note_cause(row, why);
    }

    fn outside(&self, row: &Row) -> Outside {
        if requests_around(row, self.id) > self.count_at_entry.get() {
            Outside::Asked
        } else {
            Outside::Quiet
        }
    }

    /// Ends the scope: takes its own request back and tells whether others have asked since it was entered.
    pub fn leave(self) -> Outside {
        self.take_back()
        // The entry goes with `self`.
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        let _ = self.take_back();
        if let Some(row) = Row::current(self.task) {
            remove_entry(row, self.id);
        }
    }
}

/// Adds a scope to the task's, within that which is being polled, and says which one it is.
fn add_entry(row: &'static Row, note: Option<ScopeNote>, deadline: Option<Instant>) -> u32 {
    let extras = row.extras_or_new();
    let id = extras.scopes_made.get() + 1;
    extras.scopes_made.set(id);
    let parent = row.frame.get().scope();
    extras.scopes.borrow_mut().push(ScopeEntry::new(extras, id, parent, note, deadline));
    observe::tell_scope_entered(row, extras);
    id
}

fn remove_entry(row: &'static Row, id: u32) {
    let Some(extras) = row.extras() else { return };
    let mut scopes = extras.scopes.borrow_mut();
    let own = scopes.iter().position(|entry| entry.id == id);
    let left = own.map(|index| scopes.remove(index));
    drop(scopes);
    drop(left);
    observe::tell_scope_left(row, extras, id);
}

/// A frame that is only there to be seen: a scope of which nothing is asked.
pub(crate) fn enter_frame(row: &'static Row, note: ScopeNote) -> u32 {
    add_entry(row, Some(note), None)
}

/// See [`enter_frame`].
pub(crate) fn leave_frame(row: &'static Row, id: u32) {
    remove_entry(row, id);
}

/// While it lives, the row's mark is that of a scope's frame.
pub(crate) struct Frame {
    row: &'static Row,
    id: u32,
    outer: u32,
}

impl Frame {
    fn enter(row: &'static Row, id: u32, waker: &Waker) -> Frame {
        // Cloned before, and dropped after the entry is in use: a foreign waker may do anything.
        let foreign = (waker::task_of(waker) != Some(row.id())).then(|| waker.clone());
        let replaced = with_entry(row, id, |entry| std::mem::replace(&mut entry.waker, foreign));
        drop(replaced);
        Frame::pass(row, id)
    }

    /// As [`enter`](Frame::enter), for one that is never woken itself.
    pub(crate) fn pass(row: &'static Row, id: u32) -> Frame {
        let outer = row.frame.get().scope();
        if outer == WHOLE_TASK {
            row.extras_or_new().base_epoch.set(row.frame.get().epoch());
        }
        let epoch = with_entry(row, id, |entry| {
            entry.polled = row.polls.get();
            if std::mem::replace(&mut entry.parent, outer) != outer {
                // Moved to another place since its last poll, where the epochs around it are others. Its leaves must not
                // take the difference for a request.
                let shift = entry.epoch_around.wrapping_sub(row.frame.get().epoch());
                entry.epoch = entry.epoch.wrapping_add(shift);
            }
            entry.epoch
        })
        .unwrap_or_default();
        row.frame.set(FrameMark::new(id, row.frame.get().after(epoch).epoch()));
        Frame { row, id, outer }
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        // Summed up anew, because any of the epochs may have moved in the meantime.
        let base = self.row.extras().map_or(0, |extras| extras.base_epoch.get());
        let mut epoch = base;
        for_each_in_chain(self.row, self.outer, |entry| epoch = epoch.wrapping_add(entry.epoch));
        with_entry(self.row, self.id, |entry| entry.epoch_around = epoch);
        self.row.frame.set(FrameMark::new(self.outer, epoch));
    }
}

fn with_entry<R>(row: &Row, id: u32, f: impl FnOnce(&mut ScopeEntry) -> R) -> Option<R> {
    let mut scopes = row.extras()?.scopes.borrow_items();
    scopes.iter_mut().rev().find(|entry| entry.id == id).map(f)
}

fn for_each_entry(row: &Row, mut f: impl FnMut(&mut ScopeEntry)) {
    if let Some(extras) = row.extras() {
        extras.scopes.borrow_items().iter_mut().for_each(&mut f);
    }
}

/// Calls `f` with the scope and all around it, the innermost first.
fn for_each_in_chain(row: &Row, mut id: u32, mut f: impl FnMut(&mut ScopeEntry)) {
    while id != WHOLE_TASK {
        let outer = with_entry(row, id, |entry| {
            f(entry);
            entry.parent
        });
        id = outer.unwrap_or(WHOLE_TASK);
    }
}

fn parent_of(row: &Row, id: u32) -> u32 {
    with_entry(row, id, |entry| entry.parent).unwrap_or(WHOLE_TASK)
}

/// Whether a leaf that stands in the scope `inner` is reached by what is aimed at the scope `outer`.
pub(crate) fn is_within(row: &Row, inner: u32, outer: u32) -> bool {
    if outer == WHOLE_TASK || inner == outer {
        return true;
    }
    let mut found = false;
    for_each_in_chain(row, inner, |entry| found |= entry.id == outer);
    found
}

/// The requests on the task that concern this scope: all but those that other scopes, neither this one nor around it,
/// have made for themselves. In a task that does one thing at a time there are no such scopes.
fn requests_around(row: &Row, id: u32) -> u32 {
    let mut elsewhere = 0;
    for_each_entry(row, |entry| elsewhere += u32::from(entry.asked));
    if elsewhere > 0 {
        for_each_in_chain(row, id, |entry| elsewhere -= u32::from(entry.asked));
    }
    row.count.get().saturating_sub(elsewhere)
}

/// The requests that have been made of the task as a whole, and not by a scope of its.
fn requests_of_whole_task(row: &Row) -> u32 {
    let mut made_by_scopes = 0;
    for_each_entry(row, |entry| made_by_scopes += u32::from(entry.asked));
    row.count.get().saturating_sub(made_by_scopes)
}

pub(crate) fn has_linked_leaf(row: &Row, id: u32) -> bool {
    row.extras().is_some_and(|extras| {
        extras
            .nodes
            .any(|node| matches!(node.kind, NodeKind::Linked(_)) && is_within(row, node.wait.scope, id))
    })
}

/// Whether a combinator with wakers of its own is on its way to a leaf in the scope. It has woken the task for that: if
/// nobody has, it has been let go, and its leaves with it.
pub(crate) fn is_coming_to_a_leaf(row: &Row, id: u32) -> bool {
    row.state.get() == State::Rewoken && has_linked_leaf(row, id)
}

/// Whether a request is pending in the scope or in one around it.
pub(crate) fn reaches(row: &Row, id: u32) -> bool {
    let mut pending = row.is(Flag::Must);
    if row.is(Flag::ScopeMust) {
        for_each_in_chain(row, id, |entry| pending |= entry.must);
    }
    pending
}

/// Makes a request pending in a scope, or the whole task.
pub(crate) fn set_must(row: &Row, id: u32) {
    if id == WHOLE_TASK {
        row.set(Flag::Must);
    } else if with_entry(row, id, |entry| entry.must = true).is_some() {
        row.set(Flag::ScopeMust);
    }
}

/// Moves the epoch of a scope, or the whole task: all leaves parked in it are bound to return `Err`.
pub(crate) fn bump(row: &Row, id: u32) {
    let being_polled = is_within(row, row.frame.get().scope(), id);
    if id != WHOLE_TASK {
        with_entry(row, id, |entry| entry.epoch = entry.epoch.wrapping_add(1));
    } else if row.frame.get().scope() != WHOLE_TASK
        && let Some(extras) = row.extras()
    {
        extras.base_epoch.set(extras.base_epoch.get().wrapping_add(1));
    }
    if being_polled {
        row.frame.set(row.frame.get().after(1));
    }
}

/// Takes every request that reaches the frame being polled: from here on they are delivered, and all leaves that were
/// parked within reach of one are bound to return `Err` too. Several collapse into one `Cancelled` (CX-15).
pub(crate) fn take(row: &Row) -> Cancelled {
    if !row.has_request() {
        // It was taken by another leaf before, or taken back when this one was bound to return it already.
        return last_delivered(row);
    }
    if row.is(Flag::Must) {
        row.clear(Flag::Must);
        bump(row, WHOLE_TASK);
    }
    if row.is(Flag::ScopeMust) {
        let mut taken = Vec::new();
        for_each_in_chain(row, row.frame.get().scope(), |entry| {
            if std::mem::take(&mut entry.must) {
                taken.push(entry.id);
            }
        });
        taken.into_iter().for_each(|id| bump(row, id));
        settle_musts(row);
    }
    keep_delivered(row, request::take_causes(row))
}

/// As `take`, for an await that returns it.
pub(crate) fn deliver(row: &Row) -> Cancelled {
    row.set(Flag::Delivered);
    let cancelled = take(row);
    if home(row).debug {
        // It may turn out to be swallowed, and then it is told what it was.
        row.extras_or_new().delivered.replace(Some(cancelled.clone()));
    }
    cancelled
}

/// What has last been delivered to a task, if anybody has kept it.
pub(crate) fn last_delivered(row: &Row) -> Cancelled {
    row.extras().and_then(|extras| extras.delivered.borrow().clone()).unwrap_or_default()
}

fn keep_delivered(row: &Row, cancelled: Cancelled) -> Cancelled {
    if let Some(extras) = row.extras() {
        extras.delivered.replace(Some(cancelled.clone()));
    }
    cancelled
}

/// Drops all pending requests (CX-20).
pub(crate) fn rescind_all(row: &Row) {
    row.clear(Flag::Must);
    for_each_entry(row, |entry| entry.must = false);
    row.clear(Flag::ScopeMust);
    row.clear(Flag::Delivered);
    // Not quite forgotten: a leaf may be bound to return it (CX-21).
    keep_delivered(row, request::take_causes(row));
}

/// Brings the row's summary of its scopes' musts up to date.
fn settle_musts(row: &Row) {
    let mut any = false;
    for_each_entry(row, |entry| any |= entry.must);
    if any { row.set(Flag::ScopeMust) } else { row.clear(Flag::ScopeMust) }
}
