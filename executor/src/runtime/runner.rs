//! A program from its first main to the end of its last task.
//!
//! ```text
//!   run(main)       a runtime ──► main ──────────────────────► sweep ──► the runtime is dropped
//!   Runtime::run                  main ──────────────────────► sweep
//!   Runner          a runtime ──► main ──► main ──► … close ─► sweep ──► the runtime is dropped
//!                   at first use  └ Ctrl-C cancels it
//!
//!   sweep           cancel every task ──► wait for them ──► is there another by now? once more
//! ```
//!
//! What is ready when a main ends takes its turn. Then all that it has left behind is frozen: nothing polls it before the
//! next main, or the sweep.

use super::core::Phase;
use super::{Builder, Role, Runtime};
use crate::context;
use crate::error::{Asker, Cancelled, Cause, Result, RuntimeError};
use crate::hook::Unhandled;
use crate::locals::Context;
use crate::task::TaskRef;
use crate::task::reference::InSweep;
use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};

/// Rounds of the final sweep: tasks that spawn tasks when they are cancelled get this many chances.
const SWEEPS: usize = 1000;

/// Runs a program: makes a runtime, runs `main` in it to its end, cancels the tasks that are left and waits for them.
///
/// # Errors
///
/// What `main` ended with; see [`Runtime::run`].
///
/// # Panics
///
/// If `main` panics.
///
/// # asyncio
///
/// `asyncio.run` (RU-1 to RU-14).
///
/// ```
/// let answer = homing::run(async {
///     homing::sleep(std::time::Duration::from_millis(1)).await?;
///     Ok(42)
/// });
/// assert_eq!(answer.unwrap(), 42);
/// ```
#[track_caller]
pub fn run<F, T>(main: F) -> Result<T>
where
    F: IntoFuture<Output = Result<T>>,
{
    Runtime::new().run(main)
}

impl Runtime {
    /// As [`block_on`](Runtime::block_on), and then cancels all tasks that are left, and waits for them: until none is
    /// left, also of those spawned in the meantime. Those that [clean up](TaskRef::spare_in_sweep) are only waited for.
    ///
    /// While `main` runs on the process's main thread, and nobody else has a handler for it, Ctrl-C cancels `main`, so that
    /// it can clean up. A second one aborts it. Both are heard between two polls; a third ends the process at once.
    /// While a task listens to it with [`signal`](crate::signal), it is that task's affair, and `main` is left alone.
    ///
    /// # Errors
    ///
    /// Those of `block_on`. Errors of the tasks that were left go to the hook for unhandled errors (RU-5).
    /// [`Interrupted`](crate::error::Interrupted), if the user pressed Ctrl-C and `main` ended cancelled for that reason,
    /// or had no await left to hear of it.
    ///
    /// # Panics
    ///
    /// As `block_on`, after the sweep.
    ///
    /// # asyncio
    ///
    /// `asyncio.run`, Ctrl-C included (RU-9 to RU-14; on Linux), with the sweep repeated until no task is left (RU-4, RU-6, KQ-8).
    #[track_caller]
    pub fn run<F, T>(&self, main: F) -> Result<T>
    where
        F: IntoFuture<Output = Result<T>>,
    {
        if context::with(|core| core.is_some()) {
            return Err(RuntimeError::NestedRuntime.into());
        }
        let place = Location::caller();
        let outcome = catch_unwind(AssertUnwindSafe(|| self.block_on_from(main, place, Role::Program, None)));
        match (outcome, self.sweep()) {
            (Ok(outcome), Ok(())) => outcome,
            (Ok(Ok(_)), Err(error)) => Err(error),
            (outcome, swept) => {
                self.report_unswept(swept);
                outcome.unwrap_or_else(|payload| resume_unwind(payload))
            }
        }
    }

    /// Cancels all tasks and waits for them, again and again until none is left, nor a callback that waits for its turn.
    fn sweep(&self) -> Result<()> {
        let _entered = self.enter(Phase::Running)?;
        let why = Cancelled::new().because(Cause::by(Asker::Runtime));
        for _ in 0..SWEEPS {
            let mut tasks: Vec<TaskRef> = self.core.all_tasks();
            if tasks.iter().all(TaskRef::is_driven) && self.core.ready.is_empty() {
                break;
            }
            // Looked at before the first is cancelled: what that does may be anything.
            tasks.retain(|task| task.in_sweep() != InSweep::Leave);
            for task in tasks.iter().filter(|task| task.in_sweep() == InSweep::Cancel) {
                task.cancel_because(&why);
            }
            // A driven task ends with its driver, whose own task is waited for. If the driver was forgotten, it never does.
            tasks.retain(|task| !task.is_driven());
            let unfinished = Cell::new(0);
            self.core.run_until(|| {
                while tasks.get(unfinished.get()).is_some_and(TaskRef::is_finished) {
                    unfinished.set(unfinished.get() + 1);
                }
                unfinished.get() == tasks.len()
            })?;
        }
        Ok(())
    }

    /// For where the sweep's error cannot be returned.
    fn report_unswept(&self, swept: Result<()>) {
        if let Err(error) = swept {
            self.core.report(Unhandled::System { error });
        }
    }
}

/// Runs one main after another on one runtime, and at the end sees all tasks home: what [`run`] does, in steps.
///
/// For whoever calls async code now and then from code that is not: a prompt, a tool, a test's set-up and tear-down.
/// Connections, background tasks and everything else that was begun in one run is there in the next. In between nothing
/// of it runs.
///
/// | from   | on                                        | to     | then                                           |
/// |--------|-------------------------------------------|--------|------------------------------------------------|
/// | lazy   | [`run`](Runner::run), [`runtime`](Runner::runtime) | open | the runtime is built                    |
/// | lazy   | [`close`](Runner::close), drop            | closed | nothing                                        |
/// | open   | `run`                                     | open   | `main` runs, and whatever else there is        |
/// | open   | `close`, drop                             | closed | the tasks are swept, and the runtime dropped   |
/// | closed | `run`, `runtime`                          | closed | the error is [`RuntimeError::RunnerClosed`]    |
/// | closed | `close`, drop                             | closed | nothing                                        |
///
/// # asyncio
///
/// `asyncio.Runner` (RU-3, RU-7). Leaving its `with` block is dropping the runner.
///
/// ```
/// use homing::{Runner, sync::channel};
///
/// let mut runner = Runner::new();
/// let (words, inbox) = channel::bounded(8);
/// let counter = runner.run(async {
///     Ok(homing::spawn(async move {
///         let mut letters = 0;
///         while let Some(word) = inbox.recv().await? {
///             letters += str::len(word);
///         }
///         Ok(letters)
///     }))
/// })?;
///
/// runner.run(async { Ok(words.send("homing").await?) })?; // the same runtime: the counter is still there
/// drop(words);
/// assert_eq!(runner.run(counter)?, 6);
/// runner.close()?;
/// # Ok::<(), homing::Error>(())
/// ```
pub struct Runner {
    /// What the runtime is to be built with, until it is.
    builder: RefCell<Option<Builder>>,
    runtime: OnceCell<Runtime>,
    /// Of all its mains (CV-5).
    context: Context,
}

impl Runner {
    /// A runner whose runtime has the defaults of [`Builder`].
    pub fn new() -> Runner {
        Runner::with(Builder::new())
    }

    /// A runner whose runtime is built like this, when it is first needed.
    ///
    /// # asyncio
    ///
    /// `Runner(debug=…, loop_factory=…)`.
    pub fn with(builder: Builder) -> Runner {
        Runner { builder: RefCell::new(Some(builder)), runtime: OnceCell::new(), context: Context::new() }
    }

    /// Runs `main` to its end, and everything else that is ready or becomes so in the meantime. What is left then stays
    /// as it is, frozen, until the next run or the sweep of [`close`](Runner::close).
    ///
    /// All mains of a runner have one [context](Runner::context): a task-local that one has set, the next one finds.
    ///
    /// Ctrl-C is heard as in [`Runtime::run`], as long as `main` runs; afterwards it does what it did before.
    ///
    /// # Errors
    ///
    /// What `main` ended with; [`Interrupted`](crate::error::Interrupted), if that was because of Ctrl-C;
    /// [`RuntimeError::NestedRuntime`] on a thread that is running a runtime already, be it this one, and
    /// [`RuntimeError::RunnerClosed`] after `close`. In these two cases `main` is dropped unpolled.
    ///
    /// # Panics
    ///
    /// If `main` panics, with its panic. The runner can be used as before.
    ///
    /// # asyncio
    ///
    /// `Runner.run` (RU-3, RU-9 to RU-14, CV-5).
    #[track_caller]
    pub fn run<F, T>(&self, main: F) -> Result<T>
    where
        F: IntoFuture<Output = Result<T>>,
    {
        // Asked first: a refusal makes no runtime.
        if context::with(|core| core.is_some()) {
            return Err(RuntimeError::NestedRuntime.into());
        }
        self.runtime()?.block_on_from(main, Location::caller(), Role::Program, Some(&self.context))
    }

    /// The runtime, which is built now if it was not needed before: to spawn on it from outside, to get a
    /// [`Handle`](super::Handle) for other threads, to count its tasks.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::RunnerClosed`] after [`close`](Runner::close).
    ///
    /// # asyncio
    ///
    /// `Runner.get_loop`.
    pub fn runtime(&self) -> Result<&Runtime, RuntimeError> {
        if let Some(builder) = self.builder.take() {
            return Ok(self.runtime.get_or_init(|| builder.build()));
        }
        self.runtime.get().ok_or(RuntimeError::RunnerClosed)
    }

    /// The context in which its mains run, one after the other: to give them something, or to see what they have left.
    ///
    /// # asyncio
    ///
    /// Its like for `Runner.run(…, context=…)`, where it is not shown.
    ///
    /// ```
    /// use homing::{Runner, TaskLocal};
    /// static USER: TaskLocal<&str> = TaskLocal::inherited();
    ///
    /// let runner = Runner::new();
    /// runner.context().run(|| USER.set("ann"));
    /// runner.run(async { Ok(assert_eq!(USER.replace("bob"), Some("ann"))) })?;
    /// runner.run(async { Ok(assert_eq!(USER.get(), "bob")) })?;
    /// # Ok::<(), homing::Error>(())
    /// ```
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Cancels all tasks and waits for them, again and again until none is left, and drops the runtime. The second time
    /// it does nothing.
    ///
    /// Dropping a runner closes it as well, also while a panic unwinds.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::NestedRuntime`] on a thread that is running a runtime, where nobody can wait for the tasks; the
    /// runner stays open. An [`std::io::Error`] if the operating system refuses what is needed to sleep; then it is closed,
    /// and the tasks that are left are dropped with the runtime and reported. If it is dropped, and cannot return that
    /// error, it goes to the hook for unhandled errors.
    ///
    /// Errors of the tasks go there, too (RU-5).
    ///
    /// # asyncio
    ///
    /// `Runner.close` (RU-4 to RU-7), except that it also closes a runner that was never used.
    pub fn close(&mut self) -> Result<()> {
        if self.runtime.get().is_some() && context::with(|core| core.is_some()) {
            return Err(RuntimeError::NestedRuntime.into());
        }
        self.builder.take();
        self.runtime.take().map_or(Ok(()), |runtime| runtime.sweep())
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        if context::with(|core| core.is_some()) {
            // Dropped by a task of another runtime: to wait here would hold that one up. What is left is reported.
            return;
        }
        runtime.report_unswept(runtime.sweep());
    }
}

impl Default for Runner {
    fn default() -> Self {
        Runner::new()
    }
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.runtime.get() {
            Some(runtime) => f.debug_tuple("Runner").field(runtime).finish(),
            None => {
                f.write_str(if self.builder.borrow().is_some() { "Runner(lazy)" } else { "Runner(closed)" })
            }
        }
    }
}
