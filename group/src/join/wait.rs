//! Wait: which tasks have ended, and which have not.

use super::watch::{AsTask, Watch};
use crate::waiter::Waiter;
use homing_executor::cancel::{AwaitedTasks, Leaf};
use homing_executor::error::Result;
use homing_executor::task::TaskId;
use homing_executor::time::{Instant, Timer};
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Waits for some or all of these tasks, and says which have ended. It takes handles of any kind, owned or borrowed, and
/// gives them back sorted; two handles on one task count as one, and the first of them is given back.
///
/// It never fails because a task has failed, and never cancels one: not when its time is over, and not when the waiter is
/// cancelled. It always suspends, if only for a turn, even if there is nothing left to wait for.
///
/// # Errors
///
/// [`EmptyWait`], if there are no tasks; `Cancelled`, if the waiter is cancelled.
///
/// # Cancel safety
///
/// Cancelled or dropped, it leaves the tasks running. Handles that were given to it by value are dropped with it, so lend
/// them if you need them after that.
///
/// # asyncio
///
/// `asyncio.wait` (WA-1 to WA-8).
///
/// ```
/// use homing::{ReturnWhen, sleep, spawn, wait};
/// use std::time::Duration;
///
/// homing::run(async {
///     let nap = |ms| spawn(async move { sleep(Duration::from_millis(ms)).await?; Ok(ms) });
///     let waited = wait([nap(1), nap(3_600_000)], ReturnWhen::FirstCompleted).await?;
///     assert_eq!((waited.done.len(), waited.pending.len()), (1, 1));
///     waited.pending[0].cancel();
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[track_caller]
pub fn wait<I>(tasks: I, when: ReturnWhen) -> Wait<I::Item>
where
    I: IntoIterator,
    I::Item: AsTask,
{
    let mut known: HashSet<TaskId> = HashSet::new();
    let tasks: Vec<I::Item> = tasks.into_iter().filter(|task| known.insert(task.as_task().id())).collect();
    let state = Rc::new(State {
        when,
        running: Cell::new(tasks.len()),
        satisfied: Cell::new(false),
        waiter: Waiter::default(),
    });
    let awaited = AwaitedTasks::new(tasks.iter().map(AsTask::as_task));
    Wait { tasks, awaited, state, watch: None, timeout: None, timer: None, leaf: Leaf::new() }
}

/// When [`wait`] is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnWhen {
    /// When all have ended.
    AllCompleted,
    /// When at least one has.
    FirstCompleted,
    /// When one has failed, or else when all have ended. One that ends cancelled has not failed (WA-4).
    FirstException,
}

/// There was nothing to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmptyWait;

impl fmt::Display for EmptyWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`wait` was given no tasks, so there is nothing that could ever end")
    }
}

impl std::error::Error for EmptyWait {}

/// What [`wait`] gives: the handles, in the order in which it got them.
#[derive(Debug)]
pub struct Waited<H> {
    /// Those of tasks that have ended.
    pub done: Vec<H>,
    /// The others.
    pub pending: Vec<H>,
}

/// The future of [`wait`].
#[must_use = "futures do nothing unless awaited"]
pub struct Wait<H> {
    tasks: Vec<H>,
    /// The same, for those who look at the waiter.
    awaited: AwaitedTasks,
    state: Rc<State>,
    watch: Option<Watch>,
    timeout: Option<Duration>,
    timer: Option<Timer>,
    leaf: Leaf,
}

struct State {
    when: ReturnWhen,
    running: Cell<usize>,
    satisfied: Cell<bool>,
    waiter: Waiter,
}

impl<H: AsTask> Wait<H> {
    /// Waits no longer than this, counted from when it is first polled. That is no error: what has not ended is in
    /// `pending`.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.timeout = timeout.into();
        self
    }

    fn begin(&mut self) {
        let state = self.state.clone();
        let tasks = self.tasks.iter().map(AsTask::as_task).enumerate();
        self.watch = Some(Watch::new(tasks, move |_, task| {
            state.running.set(state.running.get() - 1);
            let enough = match state.when {
                ReturnWhen::AllCompleted => false,
                ReturnWhen::FirstCompleted => true,
                ReturnWhen::FirstException => task.has_failed(),
            };
            if enough || state.running.get() == 0 {
                state.satisfied.set(true);
                state.waiter.wake();
            }
        }));
        self.timer = self.timeout.map(|timeout| Timer::new(Instant::now() + timeout));
    }

    fn end(&mut self) {
        self.leaf.unpark();
        self.watch = None;
        self.timer = None;
    }
}

// The handles are moved about as what they are: nothing in here is pinned.
impl<H> Unpin for Wait<H> {}

impl<H: AsTask> Future for Wait<H> {
    type Output = Result<Waited<H>>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Err(cancelled) = this.leaf.resume() {
            this.end();
            return Poll::Ready(Err(cancelled.into()));
        }
        if this.tasks.is_empty() {
            return Poll::Ready(Err(EmptyWait.into()));
        }
        if this.watch.is_none() {
            this.begin();
        }
        let over = match &mut this.timer {
            Some(timer) => timer.poll(cx.waker())?.is_ready(),
            None => false,
        };
        if over || this.state.satisfied.get() {
            this.end();
            // As it is now: what has ended in the meantime is done, too (WA-5).
            let tasks = std::mem::take(&mut this.tasks);
            let (done, pending) = tasks.into_iter().partition(|task| task.as_task().is_finished());
            return Poll::Ready(Ok(Waited { done, pending }));
        }
        if let Err(cancelled) = this.leaf.park_watching(cx, &this.awaited) {
            this.end();
            return Poll::Ready(Err(cancelled.into()));
        }
        this.state.waiter.register(cx.waker());
        Poll::Pending
    }
}

impl<H> fmt::Debug for Wait<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait")
            .field("when", &self.state.when)
            .field("running", &self.state.running.get())
            .finish_non_exhaustive()
    }
}
