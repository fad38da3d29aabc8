//! The runtime: a loop that a program runs, or that sits in another's.
//!
//! ```text
//!   run(main)          all in one: build, run main, cancel what is left and wait for it
//!   Runner             run(main), run(main), …, close(): the same in steps
//!   Runtime            block_on(future)     the runtime has the thread
//!                      turn(budget)         a host has it, and gives it now and then
//!                      AsFd                 the one descriptor that tells when
//!   Handle             any thread           spawn_remote, call_soon
//! ```

mod builder;
pub(crate) mod core;
mod handle;
mod interrupt;
mod linger;
mod report;
mod resources;
mod rest;
mod runner;
mod settings;
mod settle;
mod tenancy;
mod turn;

use self::core::{Core, Phase};
use crate::black_box::Near;
use crate::context;
use crate::error::{Error, Interrupted, Result, RuntimeError};
use crate::hook::Unhandled;
use crate::locals;
use crate::task::cell::{TaskCell, on_stack};
use crate::task::reference::home;
use crate::task::row::Flag;
use crate::task::{Task, TaskRef};
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::pin::pin;

pub use crate::black_box::BlackBoxError;
pub use builder::Builder;
pub use handle::{Handle, RemoteTask};
pub use resources::Resources;
pub use runner::{Runner, run};
pub use settle::{Settle, settle};
pub use turn::{Budget, Turn};

pub(crate) use handle::Calls;
use interrupt::Interrupts;
#[cfg(all(target_os = "linux", not(homing_portable)))]
pub(crate) use interrupt::on_interrupt;
use tenancy::OwnedCore;

/// A single-threaded runtime.
///
/// It belongs to the thread it was made on. Tasks that are left when it is dropped are dropped with it, and each is
/// reported through the hook for unhandled errors; [`run`](Runtime::run) cancels them and waits for them instead.
/// [Blocking jobs](crate::blocking) that are running then are waited for in either case.
///
/// ```
/// let runtime = homing::Runtime::new();
/// let answer = runtime.block_on(async {
///     let task = homing::spawn(async { Ok(6 * 7) });
///     task.await
/// });
/// assert_eq!(answer.unwrap(), 42);
/// ```
#[derive(Debug)]
pub struct Runtime {
    pub(crate) core: OwnedCore,
}

impl Runtime {
    /// A runtime with the defaults of [`Builder`].
    pub fn new() -> Runtime {
        Builder::new().build()
    }

    /// As [`Builder::new`].
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) fn from_core(core: Near<Core>) -> Runtime {
        Runtime { core: OwnedCore::new(core) }
    }

    /// Runs a future to its end, and everything else that is ready or becomes so in the meantime.
    ///
    /// The future is a task like others (named `main`), except that it need not be `'static`. Tasks that are left when
    /// it ends stay as they are, frozen, until the runtime is run again.
    ///
    /// # Errors
    ///
    /// What the future ended with; a [`Cancelled`](crate::error::Cancelled), if somebody cancelled it and it let that
    /// happen; [`RuntimeError::NestedRuntime`] on a thread that is running a runtime already, in which case the future is
    /// dropped unpolled (RU-2); an [`std::io::Error`] if the operating system refuses what is needed to sleep, in which
    /// case it is dropped where it stands.
    ///
    /// # Panics
    ///
    /// If the future panics, with its panic. A panic in another task does not get here: it is that task's error.
    ///
    /// # asyncio
    ///
    /// `loop.run_until_complete` (RU-3).
    #[track_caller]
    pub fn block_on<F, T>(&self, future: F) -> Result<T>
    where
        F: IntoFuture<Output = Result<T>>,
    {
        self.block_on_from(future, Location::caller(), Role::Future, None)
    }

    /// With a context, the future runs in that, and not in an empty one.
    fn block_on_from<F, T>(
        &self,
        future: F,
        place: &'static Location<'static>,
        role: Role,
        context: Option<&locals::Context>,
    ) -> Result<T>
    where
        F: IntoFuture<Output = Result<T>>,
    {
        let _entered = self.enter(Phase::Running)?;
        let core = &*self.core;
        // The output, of which the future is dropped before this function ends, also when something here panics.
        let mut cell = pin!(ManuallyDrop::new(TaskCell::new(future.into_future(), ())));
        // SAFETY: nothing is moved out of the pinned cell; it is handed over as the memory that the vtable works with.
        let memory: *mut ManuallyDrop<TaskCell<F::IntoFuture, T, ()>> =
            unsafe { cell.as_mut().get_unchecked_mut() };
        let row = core.found_row(memory.cast(), on_stack::<F::IntoFuture, T, ()>(), place);
        row.set(Flag::Main);
        if let Some(context) = context {
            locals::in_force::give(row, context.clone());
        }
        // Its drop guard, too: on every way out the future is gone before its memory is.
        let mut main = Main { task: Task::<T>::adopt(Some(row)) };
        core.tell_spawned(row);
        core.start(row, Some(crate::task::options::Start::Queued));
        let interrupts = match role {
            Role::Program => Interrupts::install(core),
            Role::Future => None,
        };
        core.set_interruptible(interrupts.is_some());
        core.run_main(row, interrupts.as_ref())?;
        if role == Role::Program {
            // One more turn, or a task that main has spawned last would be cancelled before its first line (RU-4).
            core.run_until(|| true)?;
        }
        core.set_interruptible(false);
        let interrupts = interrupts.map(Interrupts::end).unwrap_or_default();
        match main.task.try_result() {
            // Cancelled by interrupts, and by nobody else (RU-10, RU-11).
            Some(Err(error)) if error.is_cancelled() && interrupts.is_why(&main.task) => {
                Err(Interrupted::new(error.as_cancelled().cloned()).into())
            }
            // As if main had ended with a request pending (CX-12): the interrupt is not forgotten.
            Some(Ok(_)) if interrupts.too_late() => Err(Interrupted::default().into()),
            // The panic of another task, which the future has passed on, is an error as any other.
            Some(Err(error)) if row.is(Flag::Panicked) => Err(resume_panic(error)),
            Some(Err(error)) => Err(error),
            Some(Ok(value)) => Ok(value),
            None => Err(RuntimeError::AlreadyTaken.into()),
        }
    }

    /// Spawns a task from outside: it runs when the runtime does.
    #[track_caller]
    pub fn spawn<F, T>(&self, future: F) -> Task<T>
    where
        F: IntoFuture<Output = Result<T>>,
        F::IntoFuture: 'static,
        T: 'static,
    {
        Task::adopt(self.core.spawn_from_outside(future.into_future(), Location::caller()))
    }

    /// For a host that has a loop of its own: takes one turn, and never blocks.
    ///
    /// Takes in what has happened (unless there is work left over, and it was looked for within the last 100 µs), polls the
    /// tasks that are ready, as far as the budget goes, and says when the next turn makes sense. Then the host waits: for its own events, for
    /// the runtime's [`descriptor`](Runtime::descriptor), and for [`Turn::wait`] at most. How that looks in one host and
    /// another, the book's chapter on [embedding] shows.
    ///
    /// A turn may be taken at any time, also in vain, and from any place in the host's code, with these exceptions:
    ///
    /// | what | what comes of it |
    /// |------|------------------|
    /// | a turn, or `block_on`, within a turn: by a task, a callback, a waker, a destructor, the hook | refused with [`RuntimeError::NestedRuntime`]; the turn goes on |
    /// | the same with another runtime | refused likewise: one runtime has the thread at a time |
    /// | two runtimes in one thread, turn about | works; a wake from one to the other makes the other's descriptor readable |
    /// | the runtime is moved between two turns | works; descriptor, handles and wakers stay as they are |
    /// | the runtime is dropped between two turns | its tasks are dropped, and reported; what waits for them elsewhere is told |
    /// | it is dropped within its own turn, by a task that holds the last `Rc` of it | cannot be: the host's `&self` outlives the turn |
    /// | it is dropped by a task of another one | works: it goes at once, and the other one's turn goes on |
    /// | a task, a callback, a waker, or a destructor panics | caught: it is that task's error, or goes to the hook. A turn does not panic |
    ///
    /// If the runtime [looks for stuck tasks](Builder::find_stuck), it does so at the end of a turn that leaves nothing to do,
    /// and tells the [hook](Builder::on_stuck); a turn does not fail for it. Where all tasks wait for locks, events and the like,
    /// it is said to be doubtful ([`Doubt::Host`](crate::introspect::Doubt::Host)), because the host may help.
    ///
    /// [embedding]: https://github.com/homing-rs/homing/blob/main/docs/src/embedding.md
    ///
    /// # Errors
    ///
    /// [`RuntimeError::NestedRuntime`] on a thread that is running a runtime already: nothing was polled. An
    /// [`std::io::Error`], if the descriptor could not be prepared for the wait: the turn has been taken all the same,
    /// and the host may take the next.
    ///
    /// # asyncio
    ///
    /// Has none: `loop._run_once` is private, and blocks. There one hands the whole thread over.
    ///
    /// ```
    /// use homing::runtime::Budget;
    ///
    /// let runtime = homing::Runtime::new();
    /// let task = runtime.spawn(async { homing::yield_now().await?; Ok("done") });
    /// while runtime.turn(Budget::polls(10)).unwrap().more_ready {
    ///     // The host does something else.
    /// }
    /// assert!(task.is_finished());
    /// ```
    pub fn turn(&self, budget: Budget) -> Result<Turn> {
        let _entered = self.enter(Phase::Hosted)?;
        self.core.turn(budget);
        self.core.end_turn();
        self.core.hand_over()?;
        Ok(Turn::of(&self.core))
    }

    /// Takes turns until no task is ready, without waiting for anything; so a virtual clock stands still after the first
    /// turn.
    ///
    /// A task that wakes itself again and again keeps it going; then use [`turn`](Runtime::turn).
    ///
    /// # Errors
    ///
    /// Those of `turn`.
    pub fn run_until_stalled(&self) -> Result<()> {
        while self.turn(Budget::batch())?.more_ready {}
        Ok(())
    }

    /// A handle for other threads.
    pub fn handle(&self) -> Handle {
        Handle::new(self.core.calls())
    }

    /// Whether it is in [debug mode](Builder::debug).
    ///
    /// # asyncio
    ///
    /// `loop.get_debug`.
    pub fn is_debug(&self) -> bool {
        self.core.debug
    }

    /// How many tasks there are that have not ended.
    pub fn task_count(&self) -> usize {
        self.core.alive.get()
    }

    /// Every task that has not ended.
    pub fn all_tasks(&self) -> Vec<TaskRef> {
        self.core.all_tasks()
    }

    fn enter(&self, phase: Phase) -> Result<Entered<'_>, RuntimeError> {
        if context::with(|core| core.is_some()) {
            return Err(RuntimeError::NestedRuntime);
        }
        self.core.set_phase(phase);
        Ok(Entered { core: &self.core, _context: context::enter(&self.core) })
    }
}

#[cfg(unix)]
impl Runtime {
    /// The one descriptor that a host waits on: readable whenever a turn would make progress, be it because of I/O, a
    /// timer, or a wake from another thread. It is made at the first call, prepared at the end of each turn, and stays the
    /// same as long as the runtime lives. The host only waits for it: it neither reads nor closes it.
    ///
    /// A host that waits *level-triggered* (`poll`, `select`, most event loops) need not look at the [`Turn`] at all. One
    /// that waits *edge-triggered* (`EPOLLET`, tokio's `AsyncFd`) is told of what is new, not of what is left: it takes
    /// turns until one says that there is nothing [`more_ready`](Turn::more_ready), and waits then. Nothing is lost in
    /// between: whatever happens after the last turn has looked is a new edge.
    ///
    /// Timers make it readable on Linux only, where there is a descriptor for them. Elsewhere the host limits its wait by
    /// [`Turn::wait`].
    ///
    /// # Errors
    ///
    /// When the operating system gives no descriptor.
    pub fn descriptor(&self) -> std::io::Result<std::os::fd::BorrowedFd<'_>> {
        use std::os::fd::{AsRawFd, BorrowedFd};
        let descriptor = self.core.with_reactor(|reactor| Ok(reactor.as_raw_fd()))?;
        self.core.hand_over()?;
        // SAFETY: the reactor stays open as long as the runtime lives, and is never replaced.
        Ok(unsafe { BorrowedFd::borrow_raw(descriptor) })
    }
}

/// See [`Runtime::descriptor`].
#[cfg(unix)]
impl std::os::fd::AsFd for Runtime {
    /// # Panics
    ///
    /// When the operating system gives no descriptor.
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.descriptor().expect("the operating system gave no descriptor for the runtime's reactor")
    }
}

impl Default for Runtime {
    fn default() -> Self {
        Runtime::new()
    }
}

/// What the future of a `block_on` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// A future to wait for.
    Future,
    /// A program's main: Ctrl-C cancels it, and what it has made ready takes its turn.
    Program,
}

/// While it lives, the runtime has the thread.
struct Entered<'a> {
    core: &'a Core,
    _context: context::Entered<'a>,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.core.set_phase(Phase::Idle);
    }
}

/// The main task of a `block_on`, which must not outlive the memory of its future.
struct Main<T> {
    task: Task<T>,
}

impl<T> Drop for Main<T> {
    fn drop(&mut self) {
        if let Some(row) = self.task.row()
            && row.state.get().is_alive()
        {
            // `block_on` is left early: the loop has returned an error, or panicked.
            home(row).evict(row);
        }
        // Drops the output, if it is still there.
        drop(self.task.try_result());
    }
}

fn resume_panic(error: Error) -> Error {
    match error.into_panic() {
        Ok(payload) => std::panic::resume_unwind(payload),
        Err(error) => error,
    }
}

/// Whether a runtime is running on this thread that takes tasks: not outside of one, and not in one that is being dropped.
pub fn takes_tasks() -> bool {
    context::with(|core| core.is_some_and(|core| !core.is_closing()))
}

/// Queues a callback on the running runtime: it is called in the next turn, after what is ready already.
///
/// A callback is nobody's current task. A panic in it goes to the hook for unhandled errors. Outside of a runtime, and in
/// one that is being dropped, it is dropped uncalled, and the answer is `false`.
///
/// # asyncio
///
/// `loop.call_soon` (SC-1).
pub fn call_soon(callback: impl FnOnce() + 'static) -> bool {
    context::with(|core| match core {
        Some(core) if !core.is_closing() => {
            core.call_soon(callback);
            true
        }
        _ => false,
    })
}

/// Gives something that would go unseen to the hook for unhandled errors; outside of a runtime it is printed.
///
/// For whoever takes errors upon themselves, as a group does with its children's, and finds that there is nobody to
/// pass them on to.
///
/// # asyncio
///
/// `loop.call_exception_handler`.
pub fn report_unhandled(unhandled: Unhandled) {
    context::with(|core| match core {
        Some(core) => core.report(unhandled),
        None => crate::hook::print(&unhandled),
    });
}
