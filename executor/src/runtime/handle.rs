//! `Handle`: a runtime as other threads see it.
//!
//! ```text
//!   any thread                                    the runtime's thread
//!   spawn_remote(f) ──► calls ──► note in the outpost's inbox ──► run f here: spawn, await, send the result back
//! ```

use super::core::CALLS_WAITING;
use crate::error::{Cancelled, Error, Panicked, Result, RuntimeError};
use crate::hook::Unhandled;
use crate::outpost::RuntimeOutpost;
use crate::sync::{AtomicBool, Ordering, Queue, fence};
use crate::task::{self, Task, life};
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};

type Call = Box<dyn FnOnce() + Send>;

/// What other threads ask a runtime to call.
pub(crate) struct Calls {
    queue: Queue<Call>,
    /// A note is in the outpost's inbox.
    announced: AtomicBool,
    closed: AtomicBool,
    outpost: &'static RuntimeOutpost,
    /// The runtime's thread.
    thread: ThreadId,
}

impl Calls {
    pub(crate) fn new(outpost: &'static RuntimeOutpost) -> Calls {
        Calls {
            queue: Queue::new(),
            announced: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            outpost,
            thread: thread::current().id(),
        }
    }

    pub(crate) fn send(&self, call: Call) -> Result<(), RuntimeError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(RuntimeError::RuntimeGone);
        }
        self.queue.push(call);
        // Pairs with the fence in `close`: either that one sees the call, or this one sees that it is closed.
        fence(Ordering::SeqCst);
        if self.closed.load(Ordering::Relaxed) {
            self.drop_all();
            return Err(RuntimeError::RuntimeGone);
        }
        if !self.announced.swap(true, Ordering::AcqRel) {
            self.outpost.ring(self.outpost.send(CALLS_WAITING));
        }
        Ok(())
    }

    /// The runtime's thread: calls everything that has been sent.
    pub(crate) fn run_all(&self) {
        // Before the queue is looked at: what is sent from here on is announced anew.
        self.announced.swap(false, Ordering::AcqRel);
        for _ in 0..self.queue.len() {
            let Some(call) = self.queue.pop() else { return };
            crate::context::with(|core| match core {
                // As a callback, so that a panic stays where it belongs.
                Some(core) => core.call_soon(call),
                None => drop(call),
            });
        }
    }

    /// The runtime ends: what was sent and not called is dropped, by whoever notices.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
        self.drop_all();
    }

    fn drop_all(&self) {
        while let Some(call) = self.queue.pop() {
            // One by one: a destructor that panics must not keep the others, and those who wait for them, waiting.
            life::contain(|| drop(call));
        }
    }
}

/// A runtime, as other threads may use it.
///
/// Cloned freely. It does not keep the runtime alive: once that is dropped, every call fails.
///
/// # asyncio
///
/// `loop.call_soon_threadsafe` and `asyncio.run_coroutine_threadsafe`.
///
/// ```
/// let runtime = homing::Runtime::new();
/// let handle = runtime.handle();
/// let thread = std::thread::spawn(move || {
///     handle.spawn_remote(|| async { Ok(6 * 7) }).wait()
/// });
/// // The runtime's own thread runs it while it waits for something else.
/// while !thread.is_finished() {
///     runtime.block_on(homing::sleep(std::time::Duration::from_millis(1))).unwrap();
/// }
/// assert_eq!(thread.join().unwrap().unwrap(), 42);
/// ```
#[derive(Clone)]
pub struct Handle {
    calls: Arc<Calls>,
}

impl Handle {
    pub(crate) fn new(calls: Arc<Calls>) -> Handle {
        Handle { calls }
    }

    /// The handle of the runtime that is running on this thread; `None` outside of one, and in one that is being dropped.
    ///
    /// ```
    /// homing::run(async {
    ///     let handle = homing::Handle::current().expect("this is a task");
    ///     let thread = std::thread::spawn(move || handle.spawn_remote(async || Ok(6 * 7)));
    ///     let task = thread.join().expect("it does not panic");
    ///     assert_eq!(task.await?, 42);
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # asyncio
    ///
    /// `asyncio.get_running_loop`.
    pub fn current() -> Option<Handle> {
        crate::context::with(|core| {
            core.filter(|core| !core.is_closing()).map(|core| Handle::new(core.calls()))
        })
    }

    /// Has the runtime call something, in its thread, in one of its next turns.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::RuntimeGone`] if the runtime has been dropped. If that happens later, the callback is dropped
    /// uncalled.
    pub fn call_soon(&self, call: impl FnOnce() + Send + 'static) -> Result<(), RuntimeError> {
        self.calls.send(Box::new(call))
    }

    /// Spawns a task on the runtime, from any thread.
    ///
    /// What travels is the closure, so only it has to be `Send`; the future that it makes lives on the runtime's thread.
    /// The task goes on if the handle is dropped; its error then goes to the hook for unhandled errors.
    #[track_caller]
    pub fn spawn_remote<M, F, T>(&self, make: M) -> RemoteTask<T>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future<Output = Result<T>> + 'static,
        T: Send + 'static,
    {
        let place = std::panic::Location::caller();
        let shared = Arc::new(Shared { state: Mutex::new(State::default()), done: Condvar::new() });
        // Should the call be dropped anywhere on the way, the guard tells whoever waits.
        let guard = Completion { shared: shared.clone() };
        // If it is refused, the guard has been dropped with it, and has said so.
        let _ = self.call_soon(move || {
            // The future is made in the task, so that a panic in the making is the task's, too.
            let task = task::task(async move { make().await }).spawned_at(place).queued().spawn();
            guard.shared.lock().task = Some(task.id().as_u64());
            if guard.shared.lock().cancel {
                task.cancel();
            }
            // Eagerly: cancelled before its first poll, it would have nothing to relay.
            drop(
                task::task(relay(task, guard))
                    .name("relay of a remote task")
                    .spawned_at(place)
                    .eager()
                    .spawn(),
            );
        });
        RemoteTask { shared, calls: self.calls.clone() }
    }
}

async fn relay<T>(task: Task<T>, guard: Completion<T>) -> Result<()> {
    let reference = task.task_ref();
    let result = task.await;
    if let Err(error) = &result
        && Arc::strong_count(&guard.shared) == 1
        && !error.is_cancelled()
        && !error.is::<Panicked>()
    {
        super::report_unhandled(Unhandled::TaskFailed { task: reference, error: error.clone() });
    }
    guard.shared.complete(result);
    Ok(())
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("closed", &self.calls.closed.load(Ordering::Relaxed)).finish()
    }
}

/// A task on a runtime of another thread: await it anywhere, also outside of homing, or [`wait`](RemoteTask::wait) for it.
///
/// # Errors
///
/// What the task ended with; [`RuntimeError::RuntimeGone`] if its runtime was dropped before that. An error that nobody
/// has read when this is dropped goes to the runtime's hook for unhandled errors.
///
/// # asyncio
///
/// The `concurrent.futures.Future` of `run_coroutine_threadsafe` (NC-19).
#[must_use = "it goes on when this is dropped, but nobody gets its result: await it or wait for it"]
pub struct RemoteTask<T> {
    shared: Arc<Shared<T>>,
    calls: Arc<Calls>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    done: Condvar,
}

struct State<T> {
    task: Option<u64>,
    cancel: bool,
    finished: bool,
    result: Option<Result<T>>,
    waker: Option<Waker>,
}

impl<T> Default for State<T> {
    fn default() -> Self {
        State { task: None, cancel: false, finished: false, result: None, waker: None }
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn complete(&self, result: Result<T>) {
        let mut state = self.lock();
        if state.finished {
            return;
        }
        state.finished = true;
        state.result = Some(result);
        let waker = state.waker.take();
        drop(state);
        self.done.notify_all();
        if let Some(waker) = waker {
            life::wake_foreign(waker);
        }
    }
}

/// Completes the remote side, at the latest when it is dropped.
struct Completion<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Drop for Completion<T> {
    fn drop(&mut self) {
        self.shared.complete(Err(RuntimeError::RuntimeGone.into()));
    }
}

impl<T: Send + 'static> RemoteTask<T> {
    /// Asks the task to cancel, by way of its runtime.
    #[track_caller]
    pub fn cancel(&self) {
        let why = Cancelled::here();
        self.shared.lock().cancel = true;
        let shared = self.shared.clone();
        // A runtime that is gone has cancelled it already.
        let _ = self.calls.send(Box::new(move || {
            // One that has ended may have left its id to another.
            let task = Some(shared.lock()).filter(|state| !state.finished).and_then(|state| state.task);
            if let Some(row) = task.and_then(crate::task::row::Row::current) {
                crate::cancel::request::cancel(row, &why);
            }
        }));
    }

    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        self.shared.lock().finished
    }

    /// Blocks the thread until the task has ended.
    ///
    /// # Errors
    ///
    /// As awaiting it; and [`RuntimeError::NestedRuntime`] on a thread that is running a runtime, and on that of the
    /// task's own: nothing could go on there meanwhile, not even the task itself. Await it instead.
    pub fn wait(self) -> Result<T> {
        if crate::context::with(|core| core.is_some()) {
            return Err(RuntimeError::NestedRuntime.into());
        }
        let mut state = self.shared.lock();
        if !state.finished && self.calls.thread == thread::current().id() {
            return Err(RuntimeError::NestedRuntime.into());
        }
        while !state.finished {
            state = self.shared.done.wait(state).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
        state.result.take().unwrap_or_else(|| Err(RuntimeError::AlreadyTaken.into()))
    }
}

impl<T> Future for RemoteTask<T> {
    type Output = Result<T, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.shared.lock();
        if state.finished {
            return Poll::Ready(
                state.result.take().unwrap_or_else(|| Err(RuntimeError::AlreadyTaken.into())),
            );
        }
        let replaced = state.waker.replace(cx.waker().clone());
        drop(state);
        drop(replaced);
        Poll::Pending
    }
}

/// An error that nobody has read goes to the hook of the task's runtime; if that is gone, it is printed.
impl<T> Drop for RemoteTask<T> {
    fn drop(&mut self) {
        let Some(Err(error)) = self.shared.lock().result.take() else { return };
        let expected =
            error.is_cancelled() || error.downcast_ref::<RuntimeError>() == Some(&RuntimeError::RuntimeGone);
        // A panic was reported when it happened.
        if expected || error.is::<Panicked>() {
            return;
        }
        let unread = Unread(error);
        // Dropped there, or on the way, if the runtime ends first; dropped here, if it is gone.
        let _ = self.calls.send(Box::new(move || drop(unread)));
    }
}

/// An error that is reported wherever it is dropped: in a runtime to its hook, elsewhere it is printed.
struct Unread(Error);

impl Drop for Unread {
    fn drop(&mut self) {
        super::report_unhandled(Unhandled::Displaced { error: self.0.clone() });
    }
}

impl<T> fmt::Debug for RemoteTask<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteTask").field("finished", &self.shared.lock().finished).finish()
    }
}
