//! The loop.
//!
//! One turn, in order:
//!
//! ```text
//!   ┌─► admit_injected   wakes and calls from other threads
//!   │   expire_timers    wakes whatever is due
//!   │   poll_ready       the tasks that were ready when the turn began, first come, first polled
//!   └── sleep            nothing ready: until an event or the next deadline
//! ```
//!
//! Looking at the clock and at the kernel's events costs something, so while there is work it is done once in a few
//! dozen polls ([`LOOK_EVERY`]), and a turn makes no system call otherwise. Without work the thread sleeps in the
//! kernel, and nothing ticks.

use super::Calls;
use super::interrupt::Interrupts;
use super::linger::Linger;
use super::settings::Settings;
use super::settle::Settling;
use super::tenancy::{Guest, Tenancy};
use crate::black_box::{BlackBox, BlackBoxError, Near};
use crate::blocking::{BlockingOptions, Pool};
use crate::clock::{Clock, Nanos};
use crate::context;
use crate::error::Result;
use crate::hook::{self, Hook, Unhandled};
use crate::introspect::Finder;
use crate::locals;
use crate::memory::BlockPool;
use crate::observe::{self, Cause, Counts, Futurelocks, Watch};
use crate::outpost::{self, RuntimeOutpost};
use crate::reactor::{IoShare, Patience, Reactor, Share, Woken};
use crate::ready::ReadyQueue;
use crate::task::TaskRef;
use crate::task::life;
use crate::task::options::{Start, TaskOptions};
use crate::task::pages::{RowStore, row_of};
use crate::task::row::{Flag, Row};
use crate::task::state::State;
use crate::task::types::KnownTypes;
use crate::time::{Crowd, Deadlines, Wakes};
use std::cell::{Cell, OnceCell, RefCell};
use std::num::NonZeroU64;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Polls between two looks at the clock and the reactor while there is work.
pub(crate) const LOOK_EVERY: u32 = 64;

/// Messages of other threads that are taken in at once: a flood of them must not keep the tasks from their turns.
const ADMIT_AT_MOST: u32 = 1024;

/// The id that no row has: in the inbox it says that there are calls to run.
pub(crate) const CALLS_WAITING: u64 = 0;

/// All of one runtime. It is boxed (or in a black box), never moves, and belongs to one thread.
pub(crate) struct Core {
    /// Tells it from every other runtime of the process, also from a later one that uses the same outpost.
    pub(crate) serial: NonZeroU64,
    pub(crate) outpost: &'static RuntimeOutpost,
    /// The task that is being polled.
    pub(crate) current: Cell<Option<&'static Row>>,
    pub(crate) ready: ReadyQueue,
    pub(crate) rows: RowStore,
    pub(crate) blocks: BlockPool,
    /// The kinds of future that it has lately spawned.
    pub(crate) types: KnownTypes,
    pub(crate) deadlines: Deadlines,
    pub(crate) clock: Clock,
    pub(super) reactor: RefCell<Option<Reactor>>,
    io_share: IoShare,
    /// Room for those whom a look at the events brings and who are not woken on the spot, kept from one look to the next.
    pub(super) woken: Cell<Vec<Woken>>,
    calls: OnceCell<Arc<Calls>>,
    /// The threads for what blocks, from the first such job on.
    pub(super) blocking: OnceCell<Pool>,
    blocking_options: BlockingOptions,
    /// Tasks that wait until nothing else can run.
    pub(super) settling: Settling,
    /// How many tasks there are that have not ended.
    pub(crate) alive: Cell<usize>,
    pub(crate) eager_depth: Cell<u32>,
    pub(crate) default_start: Start,
    pub(crate) debug: bool,
    numbers: Cell<u64>,
    pub(super) until_look: Cell<u32>,
    /// Whether it pays to look out for messages before sleeping.
    pub(super) linger: Linger,
    /// Lets timers that come due thick and fast be served together.
    pub(super) crowd: Crowd,
    /// When the last look was taken.
    pub(super) looked_at: Cell<Nanos>,
    pub(super) phase: Cell<Phase>,
    /// The bell has been rung by the runtime itself, for its host, and nobody has looked yet.
    pub(super) rung: Cell<bool>,
    pub(super) hook: Hook,
    /// There if anybody is told of what the runtime does. See [`observe`](crate::observe).
    pub(crate) watch: Option<Box<Watch>>,
    pub(crate) counts: Counts,
    /// There if somebody is told of futurelocks.
    pub(crate) futurelocks: Option<Futurelocks>,
    /// There if it looks for tasks that nobody can wake any more.
    pub(crate) finder: Option<Box<Finder>>,
    /// Ctrl-C cancels the main task.
    interruptible: Cell<bool>,
    pub(crate) tenancy: Tenancy,
    /// Where this is kept, if it has to outlive the process. Taken out, it ends: last of all.
    pub(super) black_box: Cell<Option<BlackBox>>,
}

/// What the runtime is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Between turns.
    Idle,
    /// In `block_on`.
    Running,
    /// In a turn for a host, who waits on the descriptor: a look must take in all that made it readable.
    Hosted,
    /// Being dropped: takes no more tasks.
    Closing,
}

impl Core {
    #[track_caller]
    pub(crate) fn new(mut settings: Settings) -> Result<Near<Core>, BlackBoxError> {
        static SERIALS: AtomicU64 = AtomicU64::new(1);
        let clock = Clock::new(settings.clock);
        let black_box = match settings.black_box.take() {
            Some(path) => Some(BlackBox::create(&path)?),
            None => None,
        };
        let watch = settings.watch();
        let finder = settings.finder();
        let futurelocks = settings.futurelocks();
        let near = black_box.as_ref().map_or(std::ptr::null(), BlackBox::place);
        let serial = NonZeroU64::new(SERIALS.fetch_add(1, Ordering::Relaxed)).expect("they begin with 1");
        let room = Near::new_uninit(near);
        let core = Core {
            serial,
            outpost: outpost::check_out(),
            current: Cell::new(None),
            ready: ReadyQueue::new(settings.seed),
            rows: RowStore::default(),
            blocks: BlockPool::default(),
            types: KnownTypes::default(),
            deadlines: Deadlines::new(clock.turn()),
            clock,
            reactor: RefCell::new(None),
            io_share: IoShare::default(),
            woken: Cell::default(),
            calls: OnceCell::new(),
            blocking: OnceCell::new(),
            blocking_options: settings.blocking,
            settling: Settling::default(),
            alive: Cell::new(0),
            eager_depth: Cell::new(0),
            default_start: settings.default_start,
            debug: settings.debug,
            numbers: Cell::new(0),
            until_look: Cell::new(LOOK_EVERY),
            linger: Linger::default(),
            crowd: Crowd::new(settings.grain),
            looked_at: Cell::new(0),
            phase: Cell::new(Phase::Idle),
            rung: Cell::new(false),
            watch,
            counts: Counts::default(),
            finder,
            futurelocks,
            interruptible: Cell::new(false),
            hook: settings.hook.unwrap_or_else(|| Box::new(hook::print)),
            tenancy: Tenancy::default(),
            black_box: Cell::new(None),
        };
        // There from the start: nothing between the two lines can fail, so nothing has to be moved.
        let core = Near::write(room, core);
        core.outpost.set_home(&*core);
        if let Some(black_box) = &black_box {
            black_box.tell_of(core.outpost, &core);
        }
        core.black_box.set(black_box);
        Ok(core)
    }

    /// Whether the row is one of this runtime's.
    #[inline(always)]
    pub(crate) fn owns(&self, row: &Row) -> bool {
        row.is_owned_by(self.outpost)
    }

    /// The loop: turns until `done`.
    ///
    /// # Errors
    ///
    /// When the operating system refuses what is needed to sleep; when no task can ever run again, and that is certain.
    pub(crate) fn run_until(&self, done: impl Fn() -> bool) -> Result<()> {
        if self.ready.has_rest() {
            // Of a turn for a host.
            self.poll_batch(u32::MAX);
        }
        // What does not change while it runs is asked once, and not in each turn.
        let usual = self.watch.is_none() && !self.ready.is_shuffled();
        loop {
            self.admit_injected();
            self.expire_timers();
            let found = if usual { self.poll_ready() } else { self.poll_batch(u32::MAX) > 0 };
            if done() {
                return Ok(());
            }
            if !found {
                self.sleep()?;
            }
        }
    }

    /// The loop until the end of the task that `block_on` waits for.
    pub(super) fn run_main(&self, main: &'static Row, interrupts: Option<&Interrupts<'_>>) -> Result<()> {
        let is_done = || main.state.get() == State::Done;
        match interrupts {
            None => self.run_until(is_done),
            Some(interrupts) => self.run_until(|| {
                interrupts.pass_on(main);
                is_done()
            }),
        }
    }

    /// What other threads have sent.
    #[inline]
    pub(crate) fn admit_injected(&self) {
        if !self.outpost.is_empty() {
            self.admit_all();
        }
    }

    #[cold]
    fn admit_all(&self) {
        for _ in 0..ADMIT_AT_MOST {
            let Some(id) = self.outpost.receive() else { return };
            observe::add(&self.counts.injected, 1);
            if id == CALLS_WAITING {
                self.calls.get().into_iter().for_each(|calls| calls.run_all());
            } else if row_of(id).word.unmark(id) {
                self.because(Cause::Thread, || self.wake(row_of(id)));
            }
        }
    }

    /// Wakes whoever's deadline has come, by the clock as it was last read.
    #[inline(always)]
    pub(crate) fn expire_timers(&self) {
        let now = self.clock.turn();
        if !self.deadlines.are_quiet_at(now) {
            self.fire_timers(now);
        }
    }

    #[inline(never)]
    fn fire_timers(&self, now: Nanos) {
        let mut fired = 0;
        while let Some(wakes) = self.deadlines.pop_due(now) {
            fired += 1;
            self.because(Cause::Timer, || match wakes {
                Wakes::Task(task) => self.wake_by_id(task.get()),
                Wakes::Foreign(waker) => life::wake_foreign(waker),
            });
        }
        observe::add(&self.counts.timers_fired, fired.into());
        self.crowd.served(fired, now);
    }

    /// Polls what was ready when it began. Says whether anything was.
    #[inline(always)]
    fn poll_ready(&self) -> bool {
        let Some(mut row) = self.ready.begin_next_batch() else { return false };
        loop {
            self.io_share.renew();
            self.poll(row);
            self.count_poll();
            match self.ready.next() {
                Some(next) => row = next,
                None => return true,
            }
        }
    }

    /// The same, but `limit` of them at most, and whatever the runtime is told to do beside. Returns how many it has polled.
    pub(crate) fn poll_batch(&self, limit: u32) -> u32 {
        self.ready.begin_batch();
        if let Some(watch) = &self.watch {
            return self.poll_batch_watched(watch, limit);
        }
        let mut polled = 0;
        while polled < limit
            && let Some(row) = self.next_row()
        {
            self.poll(row);
            polled += 1;
            self.count_poll();
        }
        polled
    }

    #[cold]
    fn poll_batch_watched(&self, watch: &Watch, limit: u32) -> u32 {
        if self.ready.has_rest() {
            watch.counters.note_turn();
        }
        let mut polled = 0;
        while polled < limit
            && let Some(row) = self.next_row()
        {
            self.poll_special(row);
            polled += 1;
            self.count_poll();
        }
        polled
    }

    /// The next task of the batch, whose turn it is.
    #[inline(always)]
    fn next_row(&self) -> Option<&'static Row> {
        let row = self.ready.next()?;
        self.io_share.renew();
        Some(row)
    }

    /// A task has had its turn.
    #[inline(always)]
    pub(super) fn count_poll(&self) {
        self.until_look.set(self.until_look.get() - 1);
        if self.until_look.get() == 0 {
            self.look();
        }
    }

    /// In the middle of work: a look at the clock, the other threads and the kernel's events, without waiting.
    #[cold]
    pub(super) fn look(&self) {
        self.until_look.set(LOOK_EVERY);
        observe::add(&self.counts.looks, 1);
        self.looked_at.set(self.clock.read());
        self.admit_injected();
        if let Err(error) = self.listen(Patience::Look) {
            self.report(Unhandled::System { error: error.into() });
        }
        self.expire_timers();
    }

    /// How many tasks a driver may poll in one poll of its own: about as many as there are polls until the next look.
    pub(crate) fn driven_share(&self) -> u32 {
        self.until_look.get().max(LOOK_EVERY / 2)
    }

    /// A driver polls one of its tasks, which counts as any poll. The look itself waits until the driver's poll returns.
    #[inline]
    pub(crate) fn begin_driven_poll(&self) {
        self.io_share.renew();
        self.until_look.set((self.until_look.get() - 1).max(1));
    }

    /// Before each operation of a socket. Where a task has had its share, others may be waiting for events as well:
    /// the next look is due after this poll.
    #[inline]
    #[cfg_attr(not(unix), allow(dead_code, reason = "sockets draw on it"))]
    pub(crate) fn draw_io(&self) -> Share {
        // Outside of tasks there is nobody to give way.
        let share = if self.current.get().is_some() { self.io_share.draw() } else { Share::Left };
        if share == Share::UsedUp {
            self.until_look.set(1);
        }
        share
    }

    /// Calls `f` as if in a turn of this runtime, wherever it is called from.
    #[inline]
    pub(crate) fn inside<R>(&self, f: impl FnOnce() -> R) -> R {
        if context::is_running(self) { f() } else { self.inside_from_elsewhere(f) }
    }

    #[cold]
    fn inside_from_elsewhere<R>(&self, f: impl FnOnce() -> R) -> R {
        let guest = Guest::enter(self);
        let result = {
            let _entered = context::enter(self);
            f()
        };
        if self.phase.get() == Phase::Idle && !guest.is_alone() {
            self.tell_host();
        }
        result
    }

    /// What [`Handle`](super::Handle)s send their calls through.
    pub(crate) fn calls(&self) -> Arc<Calls> {
        self.calls.get_or_init(|| Arc::new(Calls::new(self.outpost))).clone()
    }

    /// The threads for what blocks.
    pub(crate) fn blocking(&self) -> &Pool {
        self.blocking.get_or_init(|| Pool::new(self.blocking_options.clone(), self.calls()))
    }

    /// How many blocking jobs are in line or running.
    pub(crate) fn blocking_jobs(&self) -> usize {
        self.blocking.get().map_or(0, Pool::jobs)
    }

    /// Queues a callback: it takes its turn like a task, but is none. Its context is a copy of the one in force.
    #[track_caller]
    pub(crate) fn call_soon(&self, call: impl FnOnce() + 'static) {
        self.call_soon_in(locals::in_force::to_inherit(), call);
    }

    /// The same with a context that was captured before; `None` for an empty one.
    #[track_caller]
    pub(crate) fn call_soon_in(&self, context: Option<locals::Context>, call: impl FnOnce() + 'static) {
        let future = std::future::poll_fn({
            let mut call = Some(call);
            move |cx| {
                if let Some(call) = call.take() {
                    locals::in_force::in_own_context(cx, call);
                }
                std::task::Poll::Ready(Ok(()))
            }
        });
        if let Some(row) = self.make(future, Location::caller()) {
            if let Some(context) = context {
                locals::in_force::give(row, context);
            }
            row.set(Flag::Callback);
            row.clear(Flag::Handle);
            row.refs.set(0);
            // It is no task: it is not counted, and uses up no name.
            self.alive.set(self.alive.get() - 1);
            self.numbers.set(self.numbers.get() - 1);
            self.ready.push(row);
        }
        if self.phase.get() == Phase::Idle {
            self.tell_host();
        }
    }

    /// Spawns a task from outside of any turn.
    pub(crate) fn spawn_from_outside<F, T>(
        &self,
        future: F,
        place: &'static Location<'static>,
    ) -> Option<&'static Row>
    where
        F: Future<Output = crate::error::Result<T>> + 'static,
        T: 'static,
    {
        let row = self.spawn(future, (), TaskOptions::new().queued().spawned_at(place));
        if self.phase.get() == Phase::Idle {
            self.tell_host();
        }
        row
    }

    /// How many tasks there have been.
    pub(crate) fn spawned(&self) -> u64 {
        self.numbers.get()
    }

    /// As a row has it, which is half of it.
    pub(crate) fn next_number(&self) -> u32 {
        let number = self.numbers.get() + 1;
        self.numbers.set(number);
        number as u32
    }

    pub(crate) fn all_tasks(&self) -> Vec<TaskRef> {
        let rows = self.rows.all();
        let alive = rows.filter(|row| row.state.get().is_alive() && !row.is(Flag::Callback));
        alive.map(TaskRef::of).collect()
    }

    /// Whether another thread has a handle on it.
    pub(crate) fn has_handles(&self) -> bool {
        let own = 1 + usize::from(self.blocking.get().is_some());
        self.calls.get().is_some_and(|calls| Arc::strong_count(calls) > own)
    }

    /// Whether Ctrl-C cancels the main task.
    pub(crate) fn is_interruptible(&self) -> bool {
        self.interruptible.get()
    }

    pub(crate) fn set_interruptible(&self, interruptible: bool) {
        self.interruptible.set(interruptible);
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        self.phase.set(phase);
        if let Some(watch) = &self.watch {
            match phase {
                Phase::Running | Phase::Hosted => watch.come_on_duty(),
                Phase::Idle | Phase::Closing => drop(watch.go_off_duty()),
            }
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.phase.get() == Phase::Closing
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.phase.set(Phase::Closing);
        {
            let _entered = context::enter(self);
            self.calls.get().into_iter().for_each(|calls| calls.close());
            self.drop_all_tasks();
            // Jobs that are still running are waited for; those that somebody has awaited are not, unless they run.
            self.blocking.get().into_iter().for_each(|pool| pool.close(|unhandled| self.report(unhandled)));
            // Wakers of others that the tasks have left behind. Taken out first: their destructors may do anything.
            if self.deadlines.len() > 0 {
                let wakers = self.deadlines.disarm_all();
                self.contain(|| drop(wakers));
            }
            if let Some(reactor) = self.reactor.take() {
                self.outpost.take_down_bell();
                self.contain(|| drop(reactor));
            }
        }
        outpost::check_in(self.outpost);
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core")
            .field("tasks", &self.alive.get())
            .field("phase", &self.phase.get())
            .finish_non_exhaustive()
    }
}
