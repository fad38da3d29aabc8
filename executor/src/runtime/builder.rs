//! What a runtime can be told before it begins.

use super::Runtime;
use super::core::Core;
use super::settings::Settings;
use crate::black_box::BlackBoxError;
use crate::blocking::BlockingOptions;
use crate::clock::ClockKind;
use crate::hook::Unhandled;
use crate::introspect::Stuck;
use crate::observe::{Futurelock, Observer, SlowPoll};
use crate::task::options::Start;
use crate::time::GRAIN;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A poll that lasts so long is reported, unless the program says otherwise.
const SLOW_POLL: Duration = Duration::from_millis(100);

/// Options of a [`Runtime`].
///
/// ```
/// let runtime = homing::Builder::new().virtual_time().seed(7).build();
/// let begin = std::time::Instant::now();
/// runtime.block_on(homing::sleep(std::time::Duration::from_secs(3600))).unwrap();
/// assert!(begin.elapsed().as_secs() < 60);
/// ```
#[must_use = "nothing is built before `.build()`"]
pub struct Builder {
    settings: Settings,
}

impl Builder {
    /// The defaults: real time, first in, first out, tasks queued, debug mode as the program was built.
    pub fn new() -> Builder {
        Builder {
            settings: Settings {
                clock: ClockKind::Monotonic,
                seed: None,
                default_start: Start::Queued,
                debug: cfg!(debug_assertions),
                hook: None,
                blocking: BlockingOptions::new(),
                observers: Vec::new(),
                count_polls: false,
                grain: GRAIN,
                find_stuck: None,
                on_stuck: None,
                on_futurelock: None,
                slow_poll: cfg!(debug_assertions).then_some(SLOW_POLL),
                on_slow_poll: None,
                black_box: None,
            },
        }
    }

    /// A clock that stands still while anything can run, and then jumps to the next deadline. Events of real I/O are
    /// taken in before each jump, and waited for when there is no deadline.
    pub fn virtual_time(mut self) -> Self {
        self.settings.clock = ClockKind::Virtual;
        self
    }

    /// How long timers may be put off so that they are served together: 50 µs, if this is not called.
    ///
    /// To be woken for a deadline costs the thread some ten microseconds. So where several timers were due at once, the next
    /// wake-up for a deadline comes a grain later, and serves all that have come due by then. A timer that is alone does not
    /// wait, and none is ever early. A larger grain is for programs with very many timers that need not be so exact: with a
    /// timer every ten microseconds, 1 ms takes a hundredth of the wake-ups. With zero, every deadline is waited for by
    /// itself.
    ///
    /// # asyncio
    ///
    /// The resolution of its loop's clock, by which timers fire together there, only that none is early here.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let runtime = homing::Builder::new().timer_grain(Duration::from_millis(1)).build();
    /// # drop(runtime);
    /// ```
    pub fn timer_grain(mut self, grain: Duration) -> Self {
        self.settings.grain = grain;
        self
    }

    /// Polls each turn's tasks in a random order that depends on the seed alone: for tests that must not rely on the
    /// order.
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = Some(seed);
        self
    }

    /// Whether tasks are started eagerly unless they say otherwise (see
    /// [`TaskBuilder::eager`](crate::task::TaskBuilder::eager)).
    ///
    /// # asyncio
    ///
    /// `loop.set_task_factory(asyncio.eager_task_factory)` (EA-5).
    pub fn eager_tasks(mut self, eager: bool) -> Self {
        self.settings.default_start = if eager { Start::Eager } else { Start::Queued };
        self
    }

    /// Debug mode: also reports cancellations that a task has swallowed, finds stuck tasks unless
    /// [told otherwise](Builder::find_stuck), and prints futurelocks that no [hook](Builder::on_futurelock) takes. By default
    /// it is on in programs that are built with debug assertions.
    ///
    /// # asyncio
    ///
    /// `asyncio.run(…, debug=True)` (RU-1).
    pub fn debug(mut self, debug: bool) -> Self {
        self.settings.debug = debug;
        self
    }

    /// The threads for [blocking jobs](crate::blocking::spawn_blocking): how many, how long they stay, what they are called.
    ///
    /// # asyncio
    ///
    /// `loop.set_default_executor`.
    pub fn blocking(mut self, options: BlockingOptions) -> Self {
        self.settings.blocking = options;
        self
    }

    /// What is called with errors that nobody else will see. By default they are printed to the standard error.
    ///
    /// A panic in the hook is caught, and what it was called with is printed.
    ///
    /// # asyncio
    ///
    /// `loop.set_exception_handler`.
    pub fn on_unhandled(mut self, hook: impl Fn(&Unhandled) + 'static) -> Self {
        self.settings.hook = Some(Box::new(hook));
        self
    }

    /// Has an observer told of what becomes of the tasks. Several are told one after the other, in the order in which they
    /// were added.
    ///
    /// Without one, there is nearly nothing to pay; see [`observe`](crate::observe), also for an example.
    pub fn observe(mut self, observer: impl Observer + 'static) -> Self {
        self.settings.observers.push(Box::new(observer));
        self
    }

    /// Whether polls and wakes are counted, for [`metrics`](Runtime::metrics): two readings of the clock for each poll. Where
    /// there is an observer, they are anyway.
    pub fn count_polls(mut self, count: bool) -> Self {
        self.settings.count_polls = count;
        self
    }

    /// Has polls reported that take so long or longer: while they last, by a thread that looks after that, and when they have
    /// ended. By default, in programs that are built with debug assertions, those of 100 ms; otherwise none. `None` turns it off.
    ///
    /// In a runtime that does this, each poll writes down who is polled, and reads the clock. A thread is started, one for the
    /// whole process, which sleeps while no runtime has anything to do.
    ///
    /// # asyncio
    ///
    /// `loop.slow_callback_duration`, in debug mode; the report comes when the callback has ended.
    pub fn slow_poll(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.settings.slow_poll = limit.into();
        self
    }

    /// What is called with [slow polls](Builder::slow_poll). By default they are printed to the standard error. If no limit is
    /// set, one of 100 ms is.
    ///
    /// It is called on two threads: with a poll that still lasts on that of the watchdog, for which any other runtime's waits
    /// meanwhile; with one that has ended on the runtime's own.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use std::time::Duration;
    ///
    /// let (send, reports) = mpsc::channel();
    /// let send = std::sync::Mutex::new(send);
    /// let runtime = homing::Builder::new()
    ///     .slow_poll(Duration::from_millis(20))
    ///     .on_slow_poll(move |slow| drop(send.lock().unwrap().send(slow.clone())))
    ///     .build();
    /// runtime.block_on(async {
    ///     // Here it should say `homing::sleep(…).await?`.
    ///     let slow = reports.recv_timeout(Duration::from_secs(60)).unwrap();
    ///     assert_eq!((&*slow.name, slow.still_running), ("main", true));
    ///     Ok(())
    /// }).unwrap();
    /// assert!(!reports.recv().unwrap().still_running);
    /// ```
    pub fn on_slow_poll(mut self, hook: impl Fn(&SlowPoll) + Send + Sync + 'static) -> Self {
        self.settings.slow_poll.get_or_insert(SLOW_POLL);
        self.settings.on_slow_poll = Some(Arc::new(hook));
        self
    }

    /// Whether tasks are found that nobody can wake any more. By default they are in [debug mode](Builder::debug).
    ///
    /// When it is about to sleep, the runtime looks at what its tasks wait for. Those that can never go on are reported
    /// ([`on_stuck`](Builder::on_stuck)). If that is true of all tasks, and nothing from outside can help,
    /// [`block_on`](Runtime::block_on) and [`run`](Runtime::run) fail with
    /// [`RuntimeError::Deadlock`](crate::error::RuntimeError::Deadlock), which names them, instead of sleeping for ever. A
    /// program that waits for Ctrl-C, for a signal, or for another thread that has a [`Handle`](super::Handle), is not taken
    /// for one that is stuck.
    ///
    /// In such a runtime clones of wakers are counted, which costs an atomic operation each, and every poll goes the way of
    /// those that are [observed](Builder::observe).
    ///
    /// # asyncio
    ///
    /// Has none: it sleeps for ever.
    ///
    /// ```
    /// use homing::RuntimeError;
    /// use homing::sync::Mutex;
    ///
    /// let runtime = homing::Builder::new().find_stuck(true).build();
    /// let deadlock = runtime.block_on(async {
    ///     let mutex = Mutex::new(());
    ///     let _first = mutex.lock().await?;
    ///     let _second = mutex.lock().await?;
    ///     Ok(())
    /// });
    /// match deadlock.unwrap_err().downcast_ref::<RuntimeError>() {
    ///     Some(RuntimeError::Deadlock(stuck)) => assert!(stuck.to_string().contains("awaiting mutex")),
    ///     other => panic!("{other:?}"),
    /// }
    /// ```
    pub fn find_stuck(mut self, find: bool) -> Self {
        self.settings.find_stuck = Some(find);
        self
    }

    /// What is called with tasks that nobody can wake any more, once for each, and once if it is doubtful whether anything can.
    /// By default the former are printed to the standard error. Has them [found](Builder::find_stuck).
    pub fn on_stuck(mut self, hook: impl Fn(&Stuck) + 'static) -> Self {
        self.settings.find_stuck = Some(true);
        self.settings.on_stuck = Some(Box::new(hook));
        self
    }

    /// What is called when a lock or a permit turns out to be granted to a future that its own task has stopped polling: see
    /// [`Futurelock`]. By default it is printed to the standard error in [debug mode](Builder::debug).
    ///
    /// If the same task waits for it elsewhere, it is given what the other future does not take, and nothing is lost but the other
    /// one's place in line. Otherwise the lock stays with the future that does not take it until that is polled or dropped.
    ///
    /// It is noticed when somebody comes to wait, or is polled while he waits; and, whoever waits, when the runtime is about to
    /// sleep, or a [turn](crate::runtime::Runtime::turn) leaves nothing to do, and the task has been polled since the grant
    /// without polling that future. It may come back to it all the same (the body of a `select!` loop does), but keeps the lock from
    /// everybody until then. Each grant is reported once; that it was taken over is told in any case.
    ///
    /// A runtime without this hook keeps no list of grants.
    pub fn on_futurelock(mut self, hook: impl Fn(&Futurelock) + 'static) -> Self {
        self.settings.on_futurelock = Some(Box::new(hook));
        self
    }

    /// Keeps the table of tasks in a file, where it is still to be read when the process is not there any more: killed
    /// (`SIGKILL`, the kernel when memory runs out), or dead of something else.
    ///
    /// `homing pstree FILE`, and `ps`, `dot` and `json`, then show the tasks as they stood at the last instant: names, types,
    /// what each awaits and where, parents, who waits for whom. The file says as well whether the runtime has ended in an
    /// orderly way. While the process lives, it can be read likewise, without the right to look into the process.
    ///
    /// The file is made when the runtime is built, for its owner only (mode `0600`); a path that is not absolute begins in the
    /// directory in which the process is then. Each runtime needs one of its own. A black box that is there already, of a
    /// runtime that has ended, is replaced; one of a runtime that did not get there is first renamed, to `….previous` (in place
    /// of an earlier such one), so that a program which is started anew does not destroy what tells of its end. Anything else that
    /// is there, under either name, is left alone, and is an [error](BlackBoxError).
    ///
    /// It takes half a megabyte, as much again as the program has constants, and then 128 bytes for each of the most tasks
    /// that ever lived at once; more for those with names, or in groups and timeouts. Room is reserved before it is used,
    /// in steps that double it. Where there is none any more, what comes from then on is not in the file, which says so; the
    /// program goes on as without one. More than two million tasks are not in it either.
    ///
    /// Nothing is written twice: the file is the memory that the tasks are in. So a poll costs what it costs anyway, and
    /// runtimes without a black box pay nothing.
    ///
    /// In a directory in memory (`/dev/shm`, `/run`) it costs no disk access, and survives all but the machine. On a disk
    /// the kernel writes what has changed every half a minute or so, and a poll may have to wait for that; if the machine loses
    /// its power, the file is not to be relied on. File systems that never write to the same place twice (Btrfs, ZFS) cannot
    /// reserve room, and are no place for it: if they are full, the process may end by `SIGBUS`.
    ///
    /// Do not write to the file, and do not truncate it while the process lives: it *is* the process's memory. It may be
    /// copied, renamed and removed. After a `fork` without `exec`, which leaves no runtime usable anyway, the child does
    /// not have that memory; but until it ends, or calls `exec`, the file is in use, as if the process itself lived.
    ///
    /// For Linux; elsewhere, building fails. A [`Runner`](super::Runner), which builds its runtime when
    /// it first needs one, then panics as [`build`](Builder::build).
    ///
    /// # asyncio
    ///
    /// Has none: `python -m asyncio pstree` needs the process.
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("homing-doc-{}.tasks", std::process::id()));
    /// let runtime = match homing::Builder::new().black_box(&path).try_build() {
    ///     Ok(runtime) => runtime,
    ///     // The program is worth more than its black box.
    ///     Err(error) => {
    ///         eprintln!("without a black box: {error}");
    ///         homing::Runtime::new()
    ///     }
    /// };
    /// runtime.run(async { Ok("served") }).unwrap();
    /// # drop(runtime);
    /// # let _ = std::fs::remove_file(path);
    /// ```
    pub fn black_box(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.black_box = Some(path.into());
        self
    }

    /// Builds the runtime. It asks nothing of the operating system before it has to.
    ///
    /// # Panics
    ///
    /// If its [black box](Builder::black_box) cannot be made. See [`try_build`](Builder::try_build).
    #[track_caller]
    pub fn build(self) -> Runtime {
        self.try_build().unwrap_or_else(|error| panic!("{error}"))
    }

    /// The same for runtimes with a [black box](Builder::black_box), which may not be to be had.
    ///
    /// # Errors
    ///
    /// [`BlackBoxError`]. Without a black box, nothing fails.
    #[track_caller]
    pub fn try_build(self) -> Result<Runtime, BlackBoxError> {
        Core::new(self.settings).map(Runtime::from_core)
    }
}

impl Default for Builder {
    fn default() -> Self {
        Builder::new()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("clock", &self.settings.clock)
            .field("seed", &self.settings.seed)
            .finish_non_exhaustive()
    }
}
