//! The pool: which thread runs a job, when there is another thread, and when one less.
//!
//! ```text
//!   submit ──► [ jobs ] ──first come──► a thread that is idle
//!                 │                     else a new one, if there may be another
//!                 │                     else whoever is done first
//!                 ▼
//!              withdraw                 a thread that finds no job for a while ends
//! ```
//!
//! This is where the executor starts threads. One lock guards it all; it is held for a few steps, and while a thread is
//! being started, so that counts and threads agree.
//!
//! Invariant (served): if there is a job in line, there is a thread that will come for it. A thread ends only when it finds
//! the line empty, under the lock; and a job for which no thread could be started, while there is none, is refused.

use super::options::BlockingOptions;
use super::slot::Orphan;
use crate::error::{Error, Panicked, Result};
use crate::hook::{self, Unhandled};
use crate::runtime::{Calls, report_unhandled};
use crate::task::life;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// A job without its type. It never unwinds.
pub(super) type Work = Box<dyn FnOnce() + Send>;

/// The runtime's hold on its pool.
pub(crate) struct Pool(Arc<Shared>);

/// What the runtime, its threads and the handles of jobs share.
pub(super) struct Shared {
    options: BlockingOptions,
    line: Mutex<Line>,
    work_came: Condvar,
    thread_left: Condvar,
    /// How many jobs somebody awaits that have not been given yet.
    awaited: AtomicUsize,
    /// How many jobs are in line or running.
    unfinished: AtomicUsize,
    /// The way to the runtime's thread, for what is to be reported there.
    calls: Arc<Calls>,
}

/// What the lock guards.
struct Line {
    /// In the order in which they came. Ordered by number, so that one in the middle can be taken out.
    jobs: BTreeMap<u64, Work>,
    next_job: u64,
    threads: HashMap<u64, JoinHandle<()>>,
    next_thread: u64,
    /// Threads that wait for a job.
    idle: usize,
    /// The last thread that has ended by itself: the next one to do so joins it, so that no more than one is left behind.
    last_to_leave: Option<JoinHandle<()>>,
    /// The last try to start a thread has failed, and that was reported.
    is_short: bool,
    orphans: Vec<Orphan>,
    stage: Stage,
}

/// | from    | on                                      | to      |
/// |---------|-----------------------------------------|---------|
/// | Open    | the runtime ends                        | Closing |
/// | Closing | all threads are gone, or patience is    | Gone    |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    /// Threads end when the line is empty.
    Closing,
    /// There is no runtime to report to.
    Gone,
}

impl Pool {
    pub(crate) fn new(options: BlockingOptions, calls: Arc<Calls>) -> Pool {
        let line = Line {
            jobs: BTreeMap::new(),
            next_job: 1,
            threads: HashMap::new(),
            next_thread: 1,
            idle: 0,
            last_to_leave: None,
            is_short: false,
            orphans: Vec::new(),
            stage: Stage::Open,
        };
        Pool(Arc::new(Shared {
            options,
            line: Mutex::new(line),
            work_came: Condvar::new(),
            thread_left: Condvar::new(),
            awaited: AtomicUsize::new(0),
            unfinished: AtomicUsize::new(0),
            calls,
        }))
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        self.0.clone()
    }

    /// Whether somebody awaits a job.
    pub(crate) fn is_awaited(&self) -> bool {
        self.0.awaited.load(Ordering::Relaxed) > 0
    }

    /// How many jobs are in line or running.
    pub(crate) fn jobs(&self) -> usize {
        self.0.unfinished.load(Ordering::Relaxed)
    }

    /// The runtime ends: what is in line is run, what is running is waited for, as long as patience lasts. Then all is
    /// reported that has not been.
    pub(crate) fn close(&self, report: impl Fn(Unhandled)) {
        let begin = Instant::now();
        let mut line = self.0.lock();
        line.stage = Stage::Closing;
        self.0.work_came.notify_all();
        while !line.threads.is_empty() {
            let left = self.0.options.patience.saturating_sub(begin.elapsed());
            if left.is_zero() {
                break;
            }
            let waited = self.0.thread_left.wait_timeout(line, left);
            line = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
        line.stage = Stage::Gone;
        let last = line.last_to_leave.take();
        let orphans = std::mem::take(&mut line.orphans);
        // Threads that merely have not found the time to leave are none of anybody's business.
        let running = self.jobs();
        drop(line);
        // Not before they have really gone: the code that they run might be unloaded with the runtime.
        last.map(JoinHandle::join);
        for orphan in orphans {
            report(orphan.into_unhandled());
        }
        if running > 0 {
            let patience = self.0.options.patience;
            let error = Error::msg(format!(
                "{running} blocking jobs were still running {patience:?} after the end of their runtime; they go on alone"
            ));
            report(Unhandled::System { error });
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(super) fn note_awaited(&self) {
        self.awaited.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn note_unawaited(&self) {
        self.awaited.fetch_sub(1, Ordering::Relaxed);
    }

    /// A job has come to its end. Said before its task hears of it, who may ask then how many are left.
    pub(super) fn note_ended(&self) {
        self.unfinished.fetch_sub(1, Ordering::Relaxed);
    }

    /// The runtime's thread: puts a job in line, and sees to it that there is somebody to run it. Returns its number.
    pub(super) fn submit(self: &Arc<Self>, work: Work) -> Result<u64> {
        let mut line = self.lock();
        let number = line.next_job;
        line.next_job += 1;
        line.jobs.insert(number, work);
        self.unfinished.fetch_add(1, Ordering::Relaxed);
        if line.jobs.len() <= line.idle {
            self.work_came.notify_one();
            return Ok(number);
        }
        if line.threads.len() == self.options.threads {
            return Ok(number);
        }
        let Err(error) = self.start_thread(&mut line) else {
            line.is_short = false;
            return Ok(number);
        };
        let error = Error::from(error).with_note("a thread for blocking jobs could not be started");
        if line.threads.is_empty() {
            // (served): it would wait for ever.
            let refused = line.jobs.remove(&number);
            self.note_ended();
            drop(line);
            life::contain(|| drop(refused));
            return Err(error);
        }
        let was_short = std::mem::replace(&mut line.is_short, true);
        drop(line);
        if !was_short {
            report_unhandled(Unhandled::System { error });
        }
        Ok(number)
    }

    /// Takes a job out of line, if no thread has.
    pub(super) fn withdraw(&self, number: u64) -> Option<Work> {
        let work = self.lock().jobs.remove(&number)?;
        self.note_ended();
        Some(work)
    }

    fn start_thread(self: &Arc<Self>, line: &mut Line) -> io::Result<()> {
        let id = line.next_thread;
        let mut builder = thread::Builder::new().name(format!("{}-{id}", self.options.name));
        if let Some(size) = self.options.stack_size {
            builder = builder.stack_size(size);
        }
        let shared = self.clone();
        // The standard library panics over sizes that make no sense to it, and over names with a zero in them.
        let started = catch_unwind(AssertUnwindSafe(|| builder.spawn(move || shared.serve(id))));
        let thread = started.unwrap_or_else(|payload| {
            let why = Panicked::new(payload).message().to_owned();
            Err(io::Error::new(io::ErrorKind::InvalidInput, why))
        })?;
        line.threads.insert(id, thread);
        line.next_thread += 1;
        Ok(())
    }

    /// A thread's life.
    fn serve(self: Arc<Self>, id: u64) {
        let mut line = self.lock();
        loop {
            if let Some((_, work)) = line.jobs.pop_first() {
                drop(line);
                work();
                line = self.lock();
                continue;
            }
            if line.stage != Stage::Open {
                break;
            }
            line.idle += 1;
            let has_nothing = |line: &mut Line| line.jobs.is_empty() && line.stage == Stage::Open;
            let waited = self.work_came.wait_timeout_while(line, self.options.keep_alive, has_nothing);
            let timed_out;
            (line, timed_out) = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
            line.idle -= 1;
            if timed_out.timed_out() && line.jobs.is_empty() {
                break;
            }
        }
        debug_assert!(line.jobs.is_empty(), "served: a thread leaves while there is work");
        let own = line.threads.remove(&id);
        let before = std::mem::replace(&mut line.last_to_leave, own);
        drop(line);
        // First the one before, so that who waits for the last has waited for all.
        before.map(JoinHandle::join);
        self.thread_left.notify_all();
    }

    /// Has an error reported that nobody else will see: by the runtime, on its own thread.
    pub(super) fn report(self: &Arc<Self>, orphan: Orphan) {
        let mut line = self.lock();
        if line.stage == Stage::Gone {
            drop(line);
            return hook::print(&orphan.into_unhandled());
        }
        line.orphans.push(orphan);
        drop(line);
        let shared = self.clone();
        // If the runtime is ending and takes no more calls, it looks by itself.
        let _ = self.calls.send(Box::new(move || {
            let orphans = std::mem::take(&mut shared.lock().orphans);
            orphans.into_iter().for_each(|orphan| report_unhandled(orphan.into_unhandled()));
        }));
    }
}

impl Orphan {
    fn into_unhandled(self) -> Unhandled {
        let Orphan { place, error, panicked } = self;
        if panicked { Unhandled::CallbackPanicked { error } } else { Unhandled::JobFailed { place, error } }
    }
}
