//! Many threads, one runtime each, and every thread comes home.
//!
//! ```text
//!   Threads::new(3).run(main)
//!     thread 0 (the caller's)   thread 1               thread 2
//!     runtime, main(member 0)   runtime, main(1)       runtime, main(2)      nothing shared: no lock, no stealing
//!         │                         ╳ fails                │
//!         │◄── cancel ── crew ──────┘───── cancel ────────►│                 as in a group: the others are cancelled,
//!         └────────────► joined ◄───────── joined ─────────┘                 waited for, and the errors collected
//! ```
//!
//! A runtime uses one core. A program that needs more of them runs one runtime on each, and divides its work among them
//! where it comes in: each listens at the same port for itself, or one accepts and hands out. What runs on one thread runs as if
//! there were no others; what must cross does so by a [`Handle`](crate::runtime::Handle), or a channel between threads.
//!
//! This is the group among threads: who starts them waits for them, the failure of one cancels the others, and there is no
//! way to lose one.
//!
//! | file          | what it answers                                            |
//! |---------------|------------------------------------------------------------|
//! | `mod.rs`      | how are they started, and what comes of them?              |
//! | `crew.rs`     | what do they know of one another?                          |
//! | `member.rs`   | what does one of them do, from its first step to its last? |
//! | `stopping.rs` | how do all hear that the end has come?                     |
//! | `running.rs`  | and if nobody is to wait for them yet?                     |
//! | `affinity.rs` | on which core does a thread run?                           |

mod affinity;
mod crew;
mod member;
mod running;
mod stopping;

use crate::context;
use crate::error::{Error, ExceptionGroup, Interrupted, Result, RuntimeError};
use crate::runtime::Builder;
use affinity::Affinity;
use std::fmt;
use std::num::NonZero;
use std::sync::Arc;
use std::thread;

pub use crew::Crew;
pub use member::Member;
pub use running::Running;
pub use stopping::Stopping;

/// Threads with a runtime each, about to be started.
///
/// ```
/// use homing::threads::Threads;
///
/// // Each counts the primes of its share; none knows of the others.
/// let counts = Threads::new(2).name("primes").run(async |member| {
///     let mine = (2..1000).filter(|n| n % member.crew().len() == member.index());
///     Ok(mine.filter(|n| (2..*n).all(|d| n % d > 0)).count())
/// })?;
/// assert_eq!(counts.iter().sum::<usize>(), 168);
/// # Ok::<(), homing::Error>(())
/// ```
#[must_use = "no thread is started before `.run()` or `.start()`"]
#[derive(Clone)]
pub struct Threads {
    count: usize,
    name: String,
    pinned: Pinned,
    stack_size: Option<usize>,
    runtimes: Arc<dyn Fn(usize) -> Builder + Send + Sync>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pinned {
    ToACoreEach,
    No,
}

impl Threads {
    /// So many threads.
    ///
    /// # Panics
    ///
    /// If `count` is 0.
    #[track_caller]
    pub fn new(count: usize) -> Threads {
        assert!(count > 0, "somebody has to run the program: at least one thread");
        Threads {
            count,
            name: "homing".to_owned(),
            pinned: Pinned::No,
            stack_size: None,
            runtimes: Arc::new(|_| Builder::new()),
        }
    }

    /// As many threads as the program may use cores ([`std::thread::available_parallelism`]); one, if nobody knows.
    pub fn per_core() -> Threads {
        Threads::new(thread::available_parallelism().map_or(1, NonZero::get))
    }

    /// What they are called: `web-0`, `web-1` and so on for "web", and so are their main tasks. The thread of the caller
    /// keeps its name.
    pub fn name(mut self, name: impl Into<String>) -> Threads {
        self.name = name.into();
        self
    }

    /// Ties each to a core of its own, of those that the program may use; if there are more threads than these, several to
    /// one. [`Member::cpu`] tells which.
    ///
    /// A thread that always runs on one core finds its memory in that core's cache. It also waits for that core while
    /// another is idle: for machines that do nothing else. On Linux; elsewhere, and where the system refuses, it changes
    /// nothing. The thread of the caller is untied again at the end.
    pub fn pin(mut self) -> Threads {
        self.pinned = Pinned::ToACoreEach;
        self
    }

    /// The size of their stacks, in bytes, instead of that of the standard library. That of the caller is what it is.
    pub fn stack_size(mut self, bytes: usize) -> Threads {
        self.stack_size = Some(bytes);
        self
    }

    /// What their runtimes are built with: called once on each thread, with its number.
    ///
    /// ```
    /// use homing::{Builder, threads::Threads};
    ///
    /// let threads = Threads::new(2).runtimes(|index| Builder::new().virtual_time().seed(index as u64));
    /// # threads.run(async |_| homing::sleep(std::time::Duration::from_secs(3600)).await)?;
    /// # Ok::<(), homing::Error>(())
    /// ```
    pub fn runtimes(mut self, builder: impl Fn(usize) -> Builder + Send + Sync + 'static) -> Threads {
        self.runtimes = Arc::new(builder);
        self
    }

    /// Runs `main` on each thread, of which the calling one is the first, and returns when all have come home: what each
    /// `main` gave, in the order of their numbers.
    ///
    /// Each is run as by [`Runtime::run`](crate::runtime::Runtime::run): with its tasks swept at the end, and on a
    /// program's main thread with Ctrl-C, which cancels the first main. All runtimes are there before the first of the
    /// mains begins, and go on until the last has ended, so that each can be reached by the others all the time. `main` may borrow what is around, and its futures need not be `Send`: only what they return.
    ///
    /// # Errors
    ///
    /// If a main fails, or panics, the mains of the others are cancelled, all are waited for, and this gives an
    /// [`ExceptionGroup`] of all that went wrong; a main that panicked is in it with a
    /// [`Panicked`](crate::error::Panicked). An [`Interrupted`] comes alone if nothing else has happened. If mains were
    /// cancelled and none failed, the first `Cancelled`.
    ///
    /// An [`std::io::Error`] if the system gave no thread: then no main has begun. [`RuntimeError::NestedRuntime`] on a
    /// thread that is running a runtime.
    ///
    /// # asyncio
    ///
    /// Has none; there one starts processes.
    pub fn run<M, T>(self, main: M) -> Result<Vec<T>>
    where
        M: AsyncFn(Member) -> Result<T> + Sync,
        T: Send,
    {
        if context::with(|core| core.is_some()) {
            return Err(RuntimeError::NestedRuntime.into());
        }
        let crew = Crew::new(&self);
        let outcomes = thread::scope(|scope| {
            let mut threads = Vec::new();
            for index in 1..self.count {
                let (all, main) = (crew.clone(), &main);
                match self.thread(index).spawn_scoped(scope, move || member::serve(all, index, main)) {
                    Ok(thread) => threads.push(thread),
                    Err(error) => {
                        crew.call_off();
                        return Err(error);
                    }
                }
            }
            let _affinity = Affinity::remembered(self.pinned);
            let mut outcomes = vec![member::serve(crew.clone(), 0, &main)];
            outcomes.extend(threads.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)));
            Ok(outcomes)
        });
        outcome_of_all(outcomes?)
    }

    /// Starts the threads, none of them the caller's, and leaves them to a handle that has to be
    /// [joined](Running::join); dropped, it cancels and joins them.
    ///
    /// For a host that has something else to do meanwhile.
    ///
    /// # Errors
    ///
    /// An [`std::io::Error`] if the system gave no thread: then no main has begun.
    pub fn start<M, T>(self, main: M) -> Result<Running<T>>
    where
        M: AsyncFn(Member) -> Result<T> + Send + Sync + 'static,
        T: Send + 'static,
    {
        let crew = Crew::new(&self);
        let main = Arc::new(main);
        let mut running = Running::new(crew.clone());
        for index in 0..self.count {
            let (all, main) = (crew.clone(), main.clone());
            match self.thread(index).spawn(move || member::serve(all, index, &*main)) {
                Ok(thread) => running.add(thread),
                Err(error) => {
                    crew.call_off();
                    return Err(error.into());
                }
            }
        }
        Ok(running)
    }

    fn thread(&self, index: usize) -> thread::Builder {
        let builder = thread::Builder::new().name(format!("{}-{index}", self.name));
        match self.stack_size {
            Some(bytes) => builder.stack_size(bytes),
            None => builder,
        }
    }
}

/// A thread has ended by a panic that did not come out of its main: that of a destructor, after everything else.
fn panicked<T>(payload: Box<dyn std::any::Any + Send>) -> Result<T> {
    Err(crate::error::Panicked::new(payload).into())
}

/// What `run` says, of what each has said.
fn outcome_of_all<T>(outcomes: Vec<Result<T>>) -> Result<Vec<T>> {
    let mut values = Vec::new();
    let (mut failures, mut cancelled) = (Vec::new(), None);
    for outcome in outcomes {
        match outcome {
            Ok(value) => values.push(value),
            Err(error) if error.is_cancelled() => cancelled = cancelled.or(Some(error)),
            Err(error) => failures.push(error),
        }
    }
    match (&failures[..], cancelled) {
        ([], None) => Ok(values),
        ([], Some(cancelled)) => Err(cancelled),
        ([only], _) if only.is::<Interrupted>() => Err(only.clone()),
        _ => Err(grouped(failures)),
    }
}

fn grouped(failures: Vec<Error>) -> Error {
    ExceptionGroup::new("unhandled errors in threads", failures).expect("there are some").into()
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threads")
            .field("count", &self.count)
            .field("name", &self.name)
            .field("pinned", &self.pinned)
            .finish_non_exhaustive()
    }
}
