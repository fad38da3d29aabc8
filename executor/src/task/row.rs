//! The row: all that the runtime keeps for a task, but its future.
//!
//! Two cache lines. In the first is what the loop polls with; the second is the task's record, for joining, parking and
//! finishing, and for whoever wants to see what it is doing. (A poll counts itself there, so it touches both.) Rarely
//! needed things are a pointer away ([`Extras`]).
//!
//! ```text
//!  line 1  word  owner  next  cell  vtable  extras  state·stage·flags  count  frame
//!          └─ other threads   └──── the future ───┘                    └─ cancellation ─┘
//!  line 2  number·group  parent  joiner  spawned_at  awaiting: kind·joins·more·scope, operand, place  polls  refs
//! ```
//!
//! Rows are `repr(C)` and never move, and a change of the second line is bracketed by [`Awaiting`]'s sequence number,
//! so that another process can read a consistent picture out of this one's memory. The name of the future's type is
//! found by way of `vtable` ([`types`](super::types)).
//!
//! Invariant (one-thread): all but `word` and `owner` is touched by one thread only: that of the runtime that owns
//! the row. Whoever holds an id from elsewhere compares it with `word` first; a handle, which is `!Send`, and whose
//! id is current, is on that thread.

use super::cell::VTable;
use super::extras::Extras;
use super::pages::row_of;
use super::record;
use super::state::State;
use crate::black_box::Near;
use crate::cancel::FrameMark;
use crate::outpost::RuntimeOutpost;
use crate::outside::{Field, Label, LabelKind, Meaning};
use crate::remote::RowWord;
use std::cell::Cell;
use std::mem::offset_of;
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, Ordering, compiler_fence};

/// See the [module](self). A row that is all zero is a valid, free one.
#[repr(C, align(64))]
pub(crate) struct Row {
    // First line.
    pub(crate) word: RowWord,
    owner: AtomicPtr<RuntimeOutpost>,
    /// The ready queue's link while the task is in line, the free list's while the row is free.
    pub(crate) next: Cell<Option<&'static Row>>,
    /// The memory with the future, later the output.
    pub(crate) cell: Cell<*mut ()>,
    pub(crate) vtable: Cell<Option<&'static VTable>>,
    extras: Cell<*mut Extras>,
    pub(crate) state: Cell<State>,
    pub(crate) stage: Cell<Stage>,
    flags: Cell<u16>,
    /// What `cancelling()` returns: requests made and not taken back.
    pub(crate) count: Cell<u32>,
    /// Where in its cancel scopes it is being polled, and what has been delivered there. See [`cancel`](crate::cancel).
    pub(crate) frame: Cell<FrameMark>,

    // Second line. (The joiner stands between two words that are not zero when the task is new: zeroed by itself, as one word,
    // it can be read as one at once.)
    /// The running number that a nameless task is shown with (from four billion on it begins anew).
    pub(crate) number: Cell<u32>,
    /// Of the parent's scopes, the one that waits for the task from its spawn to its end, if there is one (see [`AWAITED`]).
    /// 0 for the whole task.
    pub(crate) group: Cell<u32>,
    /// The task that spawned this one, or in whose group it is; 0 for none. With [`AWAITED`], if that one waits for its end.
    pub(crate) parent: Cell<u64>,
    /// Who awaits this one ([`joiner`](super::joiner)); 0 for nobody. Further ones are in the extras.
    pub(crate) joiner: Cell<u64>,
    pub(crate) spawned_at: Cell<Option<&'static Location<'static>>>,
    pub(crate) awaiting: Awaiting,
    /// How often the task was polled.
    pub(crate) polls: Cell<u32>,
    /// How many handles there are. The row is recycled when the task is done and there is none.
    pub(crate) refs: Cell<u32>,
}

const _: () = assert!(size_of::<Row>() == 128);

// SAFETY: the invariant (one-thread): whoever is on another thread uses the atomics `word` and `owner` only.
unsafe impl Sync for Row {}

impl Row {
    /// What another process is told of it.
    pub(crate) const FIELDS: [Field; 19] = [
        Field::new("row", 0, size_of::<Row>()),
        Field::new("row.word", offset_of!(Row, word), 8),
        Field::new("row.owner", offset_of!(Row, owner), size_of::<usize>()),
        Field::new("row.table", offset_of!(Row, vtable), size_of::<usize>()),
        Field::new("row.extras", offset_of!(Row, extras), size_of::<usize>()),
        Field::new("row.state", offset_of!(Row, state), 1),
        Field::new("row.flags", offset_of!(Row, flags), 2),
        Field::new("row.count", offset_of!(Row, count), 4),
        Field::new("row.number", offset_of!(Row, number), 4),
        Field::new("row.group", offset_of!(Row, group), 4),
        Field::new("row.parent", offset_of!(Row, parent), 8),
        Field::new("row.place", offset_of!(Row, spawned_at), size_of::<usize>()),
        Field::new("row.polls", offset_of!(Row, polls), 4),
        Field::new("row.await.kind", offset_of!(Row, awaiting.kind), 1),
        Field::new("row.await.more", offset_of!(Row, awaiting.more), 1),
        Field::new("row.await.sequence", offset_of!(Row, awaiting.sequence), 1),
        Field::new("row.await.scope", offset_of!(Row, awaiting.scope), 4),
        Field::new("row.await.operand", offset_of!(Row, awaiting.operand), 8),
        Field::new("row.await.place", offset_of!(Row, awaiting.place), size_of::<usize>()),
    ];
}

/// Added to the id of a parent that waits for the task from its spawn to its end. (In ids themselves that bit is 0.)
pub(crate) const AWAITED: u64 = 1;

/// What is in the memory behind [`Row::cell`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Stage {
    /// Nothing that would have to be dropped.
    Empty = 0,
    Future = 1,
    Output = 2,
}

/// One wait, as plain words: what for, and at which place in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Wait {
    pub(crate) kind: AwaitKind,
    /// The cancel scope in which the leaf stands.
    pub(crate) scope: u32,
    /// What the kind says it is.
    pub(crate) operand: u64,
    pub(crate) place: Option<&'static Location<'static>>,
}

/// What a task waits for: the first leaf that parked in its last poll. For people who look at it, be it from outside of
/// the process, and, if it is another task, for [`cancel`](crate::cancel), which forwards requests along it.
///
/// Emptied when a poll begins, so it holds what was parked in the last poll, and nothing that was let go since. Leaves that
/// park while it is taken (`join!`, `select!`), and those that a combinator polls with wakers of its own, have a
/// [`Node`](super::extras::Node) each; `more` says how many, as far as they parked in the last poll. If they
/// are very many, some are only counted.
///
/// Invariant (recorded-while-parked): the wait in here is that of a leaf which parked in the last poll with the task's own
/// waker, has no node (unless it is for a list of tasks, which the node keeps alive), and has neither ended nor been
/// dropped since.
#[repr(C)]
pub(crate) struct Awaiting {
    kind: Cell<AwaitKind>,
    joins: Cell<Joins>,
    more: Cell<u8>,
    /// Odd while the record is being changed.
    sequence: Cell<u8>,
    scope: Cell<u32>,
    operand: Cell<u64>,
    place: Cell<Option<&'static Location<'static>>>,
}

/// How many leaves that park in one poll get a node merely to be seen. It costs about as much as the parking itself.
const SEEN_BESIDE: u8 = 3;

/// What kind of thing a [`Wait`] is for, and what its operand means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum AwaitKind {
    Nothing = 0,
    /// The id of another task, to which a cancel is forwarded.
    Task = 1,
    /// A deadline, in nanoseconds of the runtime's clock.
    Timer = 2,
    /// A descriptor's readiness.
    Readable = 3,
    Writable = 4,
    /// The children of a group: how many are left.
    Children = 5,
    /// Something else; the operand is its address or number, as the leaf's author chose.
    Other = 6,
    /// Not waiting: it has been asked to cancel. The place is that of the caller of `cancel()`.
    Request = 7,
    /// Several tasks: the address of a list of their ids, which begins with their number.
    Tasks = 8,
    /// The id of another task, to which a cancel is not forwarded.
    Shielded = 9,
    /// The next turn.
    Turn = 10,
    /// A future of another library.
    Foreign = 11,
    /// The address of the lock's [board](crate::holders::Board), or another number of its author's choice.
    Mutex = 12,
    Semaphore = 13,
    /// The address of such a thing, or of the line in which one waits for it.
    Event = 14,
    Condition = 15,
    Barrier = 16,
    Queue = 17,
    Channel = 18,
    Oneshot = 19,
    /// A job on a thread for what blocks: its number.
    Job = 20,
    /// A signal of the operating system: its number.
    Signal = 21,
    /// The end of another process: its id.
    Process = 22,
}

impl AwaitKind {
    /// All of them. What is missing here, is shown to other processes as a number.
    const ALL: [AwaitKind; 23] = [
        AwaitKind::Nothing,
        AwaitKind::Task,
        AwaitKind::Timer,
        AwaitKind::Readable,
        AwaitKind::Writable,
        AwaitKind::Children,
        AwaitKind::Other,
        AwaitKind::Request,
        AwaitKind::Tasks,
        AwaitKind::Shielded,
        AwaitKind::Turn,
        AwaitKind::Foreign,
        AwaitKind::Mutex,
        AwaitKind::Semaphore,
        AwaitKind::Event,
        AwaitKind::Condition,
        AwaitKind::Barrier,
        AwaitKind::Queue,
        AwaitKind::Channel,
        AwaitKind::Oneshot,
        AwaitKind::Job,
        AwaitKind::Signal,
        AwaitKind::Process,
    ];

    /// The same with their names and meanings, for other processes.
    pub(crate) const LABELS: [Label; Self::ALL.len()] = {
        let mut labels = [Label::new(LabelKind::Await, 0, "", Meaning::Nothing); Self::ALL.len()];
        let mut at = 0;
        while at < labels.len() {
            let (name, meaning) = Self::ALL[at].told();
            labels[at] = Label::new(LabelKind::Await, Self::ALL[at] as u32, name, meaning);
            at += 1;
        }
        labels
    };

    /// What it is called, and what its operand is.
    pub(crate) const fn told(self) -> (&'static str, Meaning) {
        match self {
            AwaitKind::Nothing => ("nothing", Meaning::Nothing),
            AwaitKind::Request => ("request", Meaning::Request),
            AwaitKind::Task => ("task", Meaning::Task),
            AwaitKind::Shielded => ("shield", Meaning::Task),
            AwaitKind::Tasks => ("tasks", Meaning::Tasks),
            AwaitKind::Children => ("children", Meaning::Left),
            AwaitKind::Timer => ("timer", Meaning::Deadline),
            AwaitKind::Readable => ("readable", Meaning::Descriptor),
            AwaitKind::Writable => ("writable", Meaning::Descriptor),
            AwaitKind::Turn => ("turn", Meaning::Plain),
            AwaitKind::Foreign => ("foreign", Meaning::Plain),
            AwaitKind::Mutex => ("mutex", Meaning::Lock),
            AwaitKind::Semaphore => ("semaphore", Meaning::Lock),
            AwaitKind::Event => ("event", Meaning::Thing),
            AwaitKind::Condition => ("condition", Meaning::Thing),
            AwaitKind::Barrier => ("barrier", Meaning::Thing),
            AwaitKind::Queue => ("queue", Meaning::Thing),
            AwaitKind::Channel => ("channel", Meaning::Thing),
            AwaitKind::Oneshot => ("oneshot", Meaning::Thing),
            AwaitKind::Other => ("other", Meaning::Thing),
            AwaitKind::Job => ("job", Meaning::Number),
            AwaitKind::Signal => ("signal", Meaning::Number),
            AwaitKind::Process => ("process", Meaning::Number),
        }
    }
}

/// Whether the task is suspended on other tasks, as far as its last poll tells.
///
/// Whoever parks after a join in the same poll casts doubt on it: in a `join!` both stand, but a `select!` on `&mut task`
/// has let the join go, of which nobody hears. Which of the two it is, shows in the next poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Joins {
    None = 0,
    /// One leaf that waits for tasks has parked, and nothing after it.
    Certain = 1,
    /// One has, and another leaf after it.
    InDoubt = 2,
}

impl Awaiting {
    pub(crate) fn joins(&self) -> Joins {
        self.joins.get()
    }

    /// A leaf that waits for tasks parks, where nothing has parked before.
    #[inline(always)]
    pub(crate) fn note_first_join(&self) {
        debug_assert!(self.is_vacant());
        self.joins.set(Joins::Certain);
    }

    /// A leaf that waits for tasks parks.
    pub(crate) fn note_join(&self) {
        self.joins.set(match self.joins.get() {
            Joins::None => Joins::Certain,
            Joins::Certain | Joins::InDoubt => Joins::InDoubt,
        });
    }

    /// A leaf that waits for tasks was dropped. If there was another one, it stays in doubt.
    pub(crate) fn forget_join(&self) {
        if self.joins.get() == Joins::Certain {
            self.joins.set(Joins::None);
        }
    }

    /// Another leaf parks, perhaps after one that waits for tasks.
    #[inline]
    pub(crate) fn cast_doubt(&self) {
        if self.joins.get() != Joins::None {
            self.joins.set(Joins::InDoubt);
        }
    }

    #[inline(always)]
    pub(crate) fn kind(&self) -> AwaitKind {
        self.kind.get()
    }

    /// Whether nothing at all has parked in this poll.
    #[inline(always)]
    pub(crate) fn is_vacant(&self) -> bool {
        // (One comparison of both bytes would have to wait until what was lately stored in each has left the store buffer.)
        self.kind.get() == AwaitKind::Nothing && self.joins.get() == Joins::None
    }

    /// How many leaves have parked in the last poll beside the one that is recorded here; 255 stands for that or more.
    pub(crate) fn more(&self) -> u8 {
        self.more.get()
    }

    /// Whether so many have parked in this poll that the next one shall only be counted.
    #[inline(always)]
    pub(crate) fn is_crowded(&self) -> bool {
        self.more.get() >= SEEN_BESIDE && self.kind.get() != AwaitKind::Nothing
    }

    #[inline]
    pub(crate) fn count_more(&self) {
        self.more.set(self.more.get().saturating_add(1));
    }

    pub(crate) fn count_less(&self) {
        if self.more.get() != u8::MAX {
            self.more.set(self.more.get().saturating_sub(1));
        }
    }

    /// What is recorded, be it a wait or a request.
    pub(crate) fn get(&self) -> Wait {
        Wait {
            kind: self.kind.get(),
            scope: self.scope.get(),
            operand: self.operand.get(),
            place: self.place.get(),
        }
    }

    #[inline(always)]
    pub(crate) fn set(&self, wait: Wait) {
        if !record::IS_KEPT {
            self.kind.set(wait.kind);
            return self.operand.set(wait.operand);
        }
        let sequence = self.sequence.get();
        self.sequence.set(sequence.wrapping_add(1));
        // Without these the compiler would see two stores to the same place, and leave the first one out.
        compiler_fence(Ordering::Release);
        self.kind.set(wait.kind);
        self.scope.set(wait.scope);
        self.operand.set(wait.operand);
        self.place.set(wait.place);
        compiler_fence(Ordering::Release);
        self.sequence.set(sequence.wrapping_add(2));
    }

    /// A new task, which waits for nothing.
    #[inline(always)]
    pub(crate) fn clear(&self) {
        self.kind.set(AwaitKind::Nothing);
        self.joins.set(Joins::None);
        self.more.set(0);
        self.sequence.set(0);
    }

    /// The leaf that is recorded here has ended, or was dropped. A request that has come in its place stays.
    pub(crate) fn forget_wait(&self) {
        if self.kind.get() != AwaitKind::Request {
            self.kind.set(AwaitKind::Nothing);
        }
    }

    /// The request that is recorded here is delivered.
    pub(crate) fn forget_request(&self) {
        self.kind.set(AwaitKind::Nothing);
    }

    /// A poll begins. What the task waited for is over, or will be registered anew; who asked it to cancel is kept.
    #[inline(always)]
    pub(crate) fn begin_poll(&self) {
        self.joins.set(Joins::None);
        self.more.set(0);
        if self.kind.get() != AwaitKind::Request {
            self.kind.set(AwaitKind::Nothing);
        }
    }
}

/// The row's yes-or-no facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Flag {
    /// A cancel request is pending for the task as a whole: asked for, and neither delivered nor forwarded.
    Must = 1 << 0,
    /// The same for one of its cancel scopes (which one is in the extras).
    ScopeMust = 1 << 1,
    /// Somebody has seen the error, or nobody needs to: no report (TK-11, TK-12).
    Observed = 1 << 2,
    /// Not a task but a queued callback: nobody's current task, and not listed.
    Callback = 1 << 3,
    /// Done, but still linked into the ready queue: recycled when its turn comes.
    Linked = 1 << 4,
    /// `abort()` was called while it was being polled.
    Abort = 1 << 5,
    /// The owning handle, `Task`, exists.
    Handle = 1 << 6,
    /// Ended cancelled.
    Cancelled = 1 << 7,
    /// Ended in an error, or cancelled.
    Failed = 1 << 8,
    /// A cancel is being forwarded through it: a circle of tasks that await one another ends here.
    Forwarding = 1 << 9,
    /// The future of a `block_on`: its cell is on the stack, and a panic in it goes on there.
    Main = 1 << 10,
    /// A `Cancelled` has come out of one of its awaits, and was not taken back with `uncancel()`.
    Delivered = 1 << 11,
    /// The last request went on to the awaited tasks at once; otherwise their joins pass it on when they are polled.
    Forwarded = 1 << 12,
    /// Ended in a panic of its own.
    Panicked = 1 << 13,
    /// Polled by a driver, and not by the loop. See [`driven`](super::driven).
    Driven = 1 << 14,
    /// It may be that task-locals are to be found in it, or were entered for it. See [`locals`](crate::locals).
    Locals = 1 << 15,
}

impl Row {
    #[inline(always)]
    pub(crate) fn id(&self) -> u64 {
        self.word.id()
    }

    #[inline(always)]
    pub(crate) fn owner(&self) -> Option<&'static RuntimeOutpost> {
        // SAFETY: an owner is set by `set_owner`, to an outpost, and those are never freed.
        unsafe { self.owner.load(Ordering::Acquire).as_ref() }
    }

    #[inline(always)]
    pub(crate) fn is_owned_by(&self, outpost: &'static RuntimeOutpost) -> bool {
        std::ptr::eq(self.owner.load(Ordering::Acquire), outpost)
    }

    #[inline]
    pub(crate) fn set_owner(&self, outpost: &'static RuntimeOutpost) {
        self.owner.store(std::ptr::from_ref(outpost).cast_mut(), Ordering::Release);
    }

    #[inline(always)]
    pub(crate) fn is(&self, flag: Flag) -> bool {
        self.flags.get() & flag as u16 != 0
    }

    #[inline(always)]
    pub(crate) fn set(&self, flag: Flag) {
        self.flags.set(self.flags.get() | flag as u16);
    }

    #[inline(always)]
    pub(crate) fn clear(&self, flag: Flag) {
        self.flags.set(self.flags.get() & !(flag as u16));
    }

    /// Whether any request is pending anywhere in the task: the one question that every leaf asks.
    #[inline(always)]
    pub(crate) fn has_request(&self) -> bool {
        self.flags.get() & (Flag::Must as u16 | Flag::ScopeMust as u16) != 0
    }

    /// Whether its turn is to be looked at more closely: a request is pending for the whole task, or it is driven, or it
    /// was aborted while in line.
    #[inline(always)]
    pub(crate) fn is_special(&self) -> bool {
        self.flags.get() & (Flag::Must as u16 | Flag::Driven as u16 | Flag::Linked as u16) != 0
    }

    /// Whether the task is over, its output gone, and one handle left.
    #[inline(always)]
    pub(crate) fn is_spent(&self) -> bool {
        self.state.get() == State::Done && self.stage.get() == Stage::Empty && self.refs.get() == 1
    }

    /// Whether the task has ended, and its output is there for whoever holds the handle. (It is in the cell a little before
    /// that, when the poll has just returned: then it is still the runtime's, to look at and perhaps to replace.)
    #[inline(always)]
    pub(crate) fn has_outcome(&self) -> bool {
        self.state.get() == State::Done && self.stage.get() == Stage::Output
    }

    /// The first line of a task that begins here, with one handle. (All that is zero or known, side by side: the compiler makes
    /// one store of it, and the state, which others look at first, does not come before the rest.)
    #[inline(always)]
    pub(crate) fn begin(&self) {
        self.stage.set(Stage::Future);
        self.flags.set(Flag::Handle as u16);
        self.count.set(0);
        self.frame.set(FrameMark::START);
        self.state.set(State::Created);
    }

    /// The rarely needed parts, if the task has any.
    #[inline(always)]
    pub(crate) fn extras(&self) -> Option<&Extras> {
        // SAFETY: the pointer is null or comes from a `Near` that `extras_or_new` or `adopt_extras` leaked;
        // `take_extras` frees it, on this same thread, when the task's row is recycled, which nobody does while
        // working with the task.
        unsafe { self.extras.get().as_ref() }
    }

    #[inline]
    pub(crate) fn extras_or_new(&self) -> &Extras {
        self.extras().unwrap_or_else(|| self.new_extras())
    }

    #[inline(never)]
    fn new_extras(&self) -> &Extras {
        self.extras.set(Near::new(self.place(), Extras::default()).into_raw().as_ptr());
        self.extras().expect("just made")
    }

    /// Gives a task that was just made what its spawner has filled in.
    #[cold]
    pub(crate) fn adopt_extras(&self, extras: Box<Extras>) {
        if !extras.context.is_empty() {
            self.set(Flag::Locals);
        }
        let extras = Near::from_box(self.place(), extras);
        extras.name.retell();
        let before = self.extras.replace(extras.into_raw().as_ptr());
        debug_assert!(before.is_null(), "a task that was just made has no extras");
    }

    /// Takes the extras away, to be dropped by the caller.
    pub(crate) fn take_extras(&self) -> Option<Near<Extras>> {
        let extras = NonNull::new(self.extras.replace(std::ptr::null_mut()))?;
        // SAFETY: a pointer that is not null comes from a `Near` that was leaked here, and is gone from the row.
        Some(unsafe { Near::from_raw(extras) })
    }

    /// Where it is: in a black box, or not.
    fn place(&self) -> *const () {
        std::ptr::from_ref(self).cast()
    }

    /// The live row behind an id, if the task still has one.
    ///
    /// For callers that are on the thread of the runtime which gave the id out, as every `!Send` handle is.
    #[inline(always)]
    pub(crate) fn current(id: u64) -> Option<&'static Row> {
        if id == 0 {
            return None;
        }
        let row = row_of(id);
        (row.id() == id).then_some(row)
    }
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Row")
            .field("id", &format_args!("{:#x}", self.id()))
            .field("state", &self.state.get())
            .field("number", &self.number.get())
            .field("awaiting", &self.awaiting.get())
            .field("more", &self.awaiting.more())
            .finish_non_exhaustive()
    }
}
