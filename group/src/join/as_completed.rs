//! As completed: one task after the other, as they end.

use super::watch::{AsTask, Watch};
use crate::waiter::Waiter;
use futures_core::Stream;
use homing_executor::cancel::{AwaitedTasks, Leaf};
use homing_executor::error::{Result, TimedOut};
use homing_executor::task::TaskId;
use homing_executor::time::{Instant, Timer};
use std::cell::RefCell;
use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Gives the handles of these tasks back, one after the other, in the order in which the tasks end. It takes handles of
/// any kind, owned or borrowed; two handles on one task count as one.
///
/// A task that fails or ends cancelled is given like any other: reading it tells. The tasks are never cancelled, and
/// iteration may stop and go on at any time.
///
/// # Errors
///
/// Each item is a `Result`: [`TimedOut`], when the time is over (see [`timeout`](AsCompleted::timeout)); `Cancelled`, if
/// the consumer is cancelled.
///
/// # Cancel safety
///
/// Nothing is lost: what had ended when the consumer was cancelled or dropped its wait is given the next time.
///
/// # asyncio
///
/// `asyncio.as_completed`, as an asynchronous iterator (AC-1 to AC-6).
///
/// ```
/// use homing::{as_completed, sleep, spawn};
/// use std::time::Duration;
///
/// homing::run(async {
///     let nap = |ms| spawn(async move { sleep(Duration::from_millis(ms)).await?; Ok(ms) });
///     let mut order = Vec::new();
///     let mut naps = as_completed([nap(5), nap(1), nap(3)]);
///     while let Some(task) = naps.next().await {
///         order.push(task?.await?);
///     }
///     assert_eq!(order, [1, 3, 5]);
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[track_caller]
pub fn as_completed<I>(tasks: I) -> AsCompleted<I::Item>
where
    I: IntoIterator,
    I::Item: AsTask,
{
    let mut known: HashSet<TaskId> = HashSet::new();
    let tasks: Vec<I::Item> = tasks.into_iter().filter(|task| known.insert(task.as_task().id())).collect();
    let arrivals = Rc::new(Arrivals::default());
    let watch = Watch::new(tasks.iter().map(AsTask::as_task).enumerate(), {
        let arrivals = arrivals.clone();
        move |index, _| arrivals.push(index)
    });
    let awaited = AwaitedTasks::new(tasks.iter().map(AsTask::as_task));
    AsCompleted {
        awaited,
        left: tasks.len(),
        tasks: tasks.into_iter().map(Some).collect(),
        arrivals,
        watch,
        after: None,
        timer: None,
        leaf: Leaf::new(),
    }
}

/// See [`as_completed`]: a stream of handles.
#[must_use = "streams do nothing unless polled"]
pub struct AsCompleted<H> {
    tasks: Vec<Option<H>>,
    /// The same, for those who look at the consumer.
    awaited: AwaitedTasks,
    /// How many have not been given.
    left: usize,
    arrivals: Rc<Arrivals>,
    /// Taken back when the time is over: what ends after that is not given.
    watch: Watch,
    after: Option<Duration>,
    timer: Option<Deadline>,
    leaf: Leaf,
}

/// The time limit of a whole iteration.
enum Deadline {
    Running(Timer),
    Over,
}

/// Tasks that have ended and were not given yet.
#[derive(Default)]
struct Arrivals {
    queue: RefCell<VecDeque<usize>>,
    waiter: Waiter,
}

impl Arrivals {
    fn push(&self, index: usize) {
        self.queue.borrow_mut().push_back(index);
        self.waiter.wake();
    }
}

impl<H: AsTask> AsCompleted<H> {
    /// Limits the time of the whole iteration, counted from this call. What ended before is given first; then each task
    /// that is left gives a [`TimedOut`], if the consumer keeps asking (AC-5).
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.after = timeout.into();
        self.timer = self.after.map(|after| Deadline::Running(Timer::new(Instant::now() + after)));
        self
    }

    /// How many tasks have not been given.
    pub fn len(&self) -> usize {
        self.left
    }

    /// Whether all have been given.
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// Waits for the next one; `None` when there is none left.
    ///
    /// # Errors
    ///
    /// See [`as_completed`].
    #[track_caller]
    #[expect(clippy::should_implement_trait, reason = "it is awaited, and named as in `StreamExt`")]
    pub fn next(&mut self) -> Next<'_, H> {
        Next { stream: self }
    }

    fn is_over(&mut self, waker: &Waker) -> Result<bool> {
        if let Some(Deadline::Running(timer)) = &mut self.timer
            && timer.poll(waker)?.is_ready()
        {
            self.timer = Some(Deadline::Over);
            self.watch = Watch::default();
        }
        Ok(matches!(self.timer, Some(Deadline::Over)))
    }
}

// The handles are moved about as what they are: nothing in here is pinned.
impl<H> Unpin for AsCompleted<H> {}

impl<H: AsTask> Stream for AsCompleted<H> {
    type Item = Result<H>;

    #[track_caller]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<H>>> {
        let this = &mut *self;
        if let Err(cancelled) = this.leaf.resume() {
            return Poll::Ready(Some(Err(cancelled.into())));
        }
        let arrived = this.arrivals.queue.borrow_mut().pop_front();
        if let Some(task) = arrived.and_then(|index| this.tasks[index].take()) {
            this.leaf.unpark();
            this.left -= 1;
            if this.left == 0 {
                this.timer = None;
            }
            return Poll::Ready(Some(Ok(task)));
        }
        if this.left == 0 {
            return Poll::Ready(None);
        }
        if this.is_over(cx.waker())? {
            this.leaf.unpark();
            this.left -= 1;
            let timed_out = TimedOut::new().with_place(this.leaf.place());
            let timed_out = this.after.map_or(timed_out.clone(), |after| timed_out.with_after(after));
            return Poll::Ready(Some(Err(timed_out.into())));
        }
        if let Err(cancelled) = this.leaf.park_watching(cx, &this.awaited) {
            return Poll::Ready(Some(Err(cancelled.into())));
        }
        this.arrivals.waiter.register(cx.waker());
        Poll::Pending
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<H> fmt::Debug for AsCompleted<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted").field("left", &self.left).finish_non_exhaustive()
    }
}

/// The future of [`AsCompleted::next`].
#[must_use = "futures do nothing unless awaited"]
pub struct Next<'a, H> {
    stream: &'a mut AsCompleted<H>,
}

impl<H: AsTask> Future for Next<'_, H> {
    type Output = Option<Result<H>>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut *self.stream).poll_next(cx)
    }
}

impl<H> Drop for Next<'_, H> {
    fn drop(&mut self) {
        // The wait is over, also if the stream stays: a cancel that comes later is not for it.
        self.stream.leaf.unpark();
    }
}

impl<H> fmt::Debug for Next<'_, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").field("stream", &self.stream).finish()
    }
}
