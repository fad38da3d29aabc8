//! Start: spawning a child and waiting until it says that it is ready.
//!
//! A server is of no use before it listens, and whoever started it wants its address. So the child is given a
//! token, and whoever starts it waits until the child hands that in with a value. Up to then the child's
//! failure is the starter's own; from then on the child is one like any other.
//!
//! ```text
//!   starter   tg.start(serve) ─────────────── waits ────────────► the address
//!                    │                                                 ▲
//!   child            └──► bind … ──► listen ──► started.set(address) ──┘ ──► serves on, a child of the group
//!                           └──── fails: the error is the starter's alone
//! ```
//!
//! How far it has come, and what that means, is in the [handshake](crate::handshake). A cancel of the starter is
//! forwarded to the child until it has started, and to nobody afterwards.

use crate::child::{Membership, spawn_in_open_group};
use crate::handshake::{Concerns, Handshake, Left, State};
use crate::task_group::{GroupClosed, TaskGroup};
use homing_executor::cancel::{AwaitedTasks, Leaf, Resumed, ScopeId};
use homing_executor::error::{Cancelled, Error, Result};
use homing_executor::locals;
use homing_executor::task::{Attention, Outcome, Owner, Task, TaskOptions, TaskRef, WeakTaskRef};
use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

impl TaskGroup {
    /// Spawns a child, and waits until it has started: until it calls [`Started::set`], whose value this
    /// gives. The child goes on as any other child of the group.
    ///
    /// Nothing is spawned before the first poll. Options are set on what this returns, as in
    /// `tg.start(serve).name("server").await`.
    ///
    /// # Errors
    ///
    /// If there is an error, the child has ended. Its own error, if it fails before it has started: that goes
    /// to the caller alone, and leaves the group as it is. `Cancelled`, if it was cancelled by then, or the
    /// group is shutting down. [`NeverStarted`], if it ends, or drops its token, without having started.
    /// [`GroupClosed`], if the group has finished, or was not entered.
    ///
    /// # Cancel safety
    ///
    /// A cancel of the caller is forwarded to the child, which is waited for; if it is too late for that,
    /// because the child has started and the caller has not seen that yet, the caller is cancelled, the value
    /// is dropped, and the child goes on. A child that has caught the request, taken it back with
    /// [`uncancel`](homing_executor::task::TaskRef::uncancel), and starts all the same, has its way. Dropped
    /// midway, this aborts the child, if it has not started.
    ///
    /// # asyncio
    ///
    /// Has none. Trio's `nursery.start`, in which the child is handed over from a nursery of the caller's
    /// own: here it is a child of the group from the beginning, so the group's end cancels it too.
    ///
    /// ```
    /// use homing::{sync::Event, task_group};
    /// use std::rc::Rc;
    ///
    /// homing::run(task_group(async |tg| {
    ///     let stop = Rc::new(Event::new());
    ///     let stopped = stop.clone();
    ///     let port = tg
    ///         .start(async move |started| {
    ///             started.set(8080); // the socket listens
    ///             stopped.wait().await
    ///         })
    ///         .name("server")
    ///         .await?;
    ///     assert_eq!((port, tg.len()), (8080, 1)); // the server goes on
    ///     Ok(stop.set())
    /// }))
    /// # .unwrap();
    /// ```
    #[track_caller]
    pub fn start<V, T, F>(&self, body: F) -> Start<F, V, T>
    where
        F: AsyncFnOnce(Started<V>) -> Result<T> + 'static,
        V: 'static,
        T: 'static,
    {
        Start {
            step: Step::NotSpawned { group: self.clone(), body, options: TaskOptions::new() },
            leaf: Leaf::new(),
        }
    }
}

/// The future of [`TaskGroup::start`].
#[must_use = "nothing is spawned before it is awaited"]
pub struct Start<F, V, T> {
    step: Step<F, V, T>,
    leaf: Leaf,
}

/// The future of [`Start::with_task`].
#[must_use = "nothing is spawned before it is awaited"]
pub struct StartWithTask<F, V, T>(Start<F, V, T>);

enum Step<F, V, T> {
    NotSpawned { group: TaskGroup, body: F, options: TaskOptions },
    Waiting(Newcomer<V, T>),
    Over,
}

impl<F, V, T> Start<F, V, T> {
    /// Gives the task a name, in place of `Task-7`.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.option(|options| options.name(name));
        self
    }

    /// Makes the child's first poll happen when this is first polled. A child that starts within it makes
    /// nobody wait.
    pub fn eager(mut self) -> Self {
        self.option(TaskOptions::eager);
        self
    }

    /// Makes the child's first poll wait for its turn, also where the runtime starts tasks eagerly.
    pub fn queued(mut self) -> Self {
        self.option(TaskOptions::queued);
        self
    }

    /// Makes the child run in this context, instead of a copy of its spawner's. See
    /// [`TaskBuilder::context`](homing_executor::task::TaskBuilder::context).
    pub fn context(mut self, context: &locals::Context) -> Self {
        self.option(|options| options.context(context));
        self
    }

    /// Gives the child's handle as well, beside the value.
    pub fn with_task(self) -> StartWithTask<F, V, T> {
        StartWithTask(self)
    }

    fn option(&mut self, change: impl FnOnce(TaskOptions) -> TaskOptions) {
        match &mut self.step {
            Step::NotSpawned { options, .. } => {
                *options = change(std::mem::replace(options, TaskOptions::new()));
            }
            // It was polled by reference before.
            Step::Waiting(_) | Step::Over => panic!("the child has been spawned: its options come too late"),
        }
    }
}

impl<F, V, T> Start<F, V, T>
where
    F: AsyncFnOnce(Started<V>) -> Result<T> + 'static,
    V: 'static,
    T: 'static,
{
    #[track_caller]
    fn poll_started(&mut self, cx: &mut Context<'_>) -> Poll<Result<(V, Task<T>)>> {
        if let Step::NotSpawned { .. } = self.step
            && let Step::NotSpawned { group, body, options } = std::mem::replace(&mut self.step, Step::Over)
        {
            self.step = Step::Waiting(Newcomer::spawn(&group, body, options)?);
        }
        let Step::Waiting(newcomer) = &mut self.step else { panic!("a start was polled after it had ended") };
        match newcomer.poll(cx, &mut self.leaf) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => {
                self.step = Step::Over;
                Poll::Ready(Err(error))
            }
            Poll::Ready(Ok(value)) => match std::mem::replace(&mut self.step, Step::Over) {
                Step::Waiting(newcomer) => Poll::Ready(Ok((value, newcomer.into_task()))),
                Step::NotSpawned { .. } | Step::Over => unreachable!("just polled"),
            },
        }
    }
}

// Nothing in here is pinned: the body is called in the child.
impl<F, V, T> Unpin for Start<F, V, T> {}
impl<F, V, T> Unpin for StartWithTask<F, V, T> {}

impl<F, V, T> Future for Start<F, V, T>
where
    F: AsyncFnOnce(Started<V>) -> Result<T> + 'static,
    V: 'static,
    T: 'static,
{
    type Output = Result<V>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<V>> {
        self.poll_started(cx).map_ok(|(value, _detached)| value)
    }
}

impl<F, V, T> Future for StartWithTask<F, V, T>
where
    F: AsyncFnOnce(Started<V>) -> Result<T> + 'static,
    V: 'static,
    T: 'static,
{
    type Output = Result<(V, Task<T>)>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(V, Task<T>)>> {
        self.0.poll_started(cx)
    }
}

impl<F, V, T> fmt::Debug for Start<F, V, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let child = match &self.step {
            Step::Waiting(newcomer) => newcomer.task.as_ref().map(Task::task_ref),
            Step::NotSpawned { .. } | Step::Over => None,
        };
        f.debug_struct("Start").field("child", &child).finish_non_exhaustive()
    }
}

impl<F, V, T> fmt::Debug for StartWithTask<F, V, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The token by which a child says that it has started: see [`TaskGroup::start`].
///
/// A child that drops it is taken to have given up: it is cancelled. So one that fails drops it last, after
/// its clean-up.
#[must_use = "whoever starts the child waits until it is set"]
pub struct Started<V> {
    handshake: Rc<Handshake<V>>,
}

impl<V> Started<V> {
    /// The child has started. `value` goes to whoever has started it; if they are gone, it is dropped.
    pub fn set(self, value: V) {
        self.handshake.set(value);
    }

    /// A token that nobody waits for: so that what is written to be started can be spawned as well, or just
    /// awaited.
    ///
    /// # asyncio
    ///
    /// Trio's `TASK_STATUS_IGNORED`.
    ///
    /// ```
    /// use homing::{Started, task_group};
    ///
    /// async fn serve(started: Started<u16>) -> homing::Result<()> {
    ///     started.set(8080);
    ///     Ok(())
    /// }
    ///
    /// homing::run(task_group(async |tg| {
    ///     assert_eq!(tg.start(serve).await?, 8080);
    ///     tg.spawn(serve(Started::ignored())).await
    /// }))
    /// # .unwrap();
    /// ```
    pub fn ignored() -> Started<V> {
        Started { handshake: Rc::new(Handshake::new(State::Abandoned)) }
    }
}

impl<V> Drop for Started<V> {
    fn drop(&mut self) {
        self.handshake.give_up();
    }
}

impl<V> fmt::Debug for Started<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Started").finish_non_exhaustive()
    }
}

/// A child that was to be started has ended, or dropped its [`Started`], without having called
/// [`Started::set`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeverStarted {
    task: Cow<'static, str>,
}

impl NeverStarted {
    /// The child's name.
    pub fn task_name(&self) -> &str {
        &self.task
    }
}

impl fmt::Display for NeverStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task '{}' never said that it had started: call `Started::set`", self.task)
    }
}

impl std::error::Error for NeverStarted {}

/// A child on its way in, as its starter sees it. Dropped midway, it aborts the child.
struct Newcomer<V, T> {
    /// There until it is given away.
    task: Option<Task<T>>,
    handshake: Rc<Handshake<V>>,
    forward_to: AwaitedTasks,
    /// It has dropped its token, and was cancelled for that.
    sent_away: bool,
}

impl<V: 'static, T: 'static> Newcomer<V, T> {
    fn spawn<F>(group: &TaskGroup, body: F, options: TaskOptions) -> Result<Newcomer<V, T>>
    where
        F: AsyncFnOnce(Started<V>) -> Result<T> + 'static,
    {
        group.group.check_open().map_err(|closed| match closed {
            GroupClosed::ShuttingDown => Cancelled::new().with_reason(closed.to_string()).into(),
            GroupClosed::NotEntered | GroupClosed::Finished => Error::from(closed),
        })?;
        let handshake = Rc::new(Handshake::new(State::Starting));
        let started = Started { handshake: handshake.clone() };
        let answers = handshake.clone();
        let child = async move { body(started).await };
        let task = spawn_in_open_group(&group.group, child, options, |membership| Liable {
            handshake: answers,
            membership,
        });
        let forward_to = AwaitedTasks::new([&task.task_ref()]);
        let _unset = handshake.forward_to.set(forward_to.clone());
        Ok(Newcomer { task: Some(task), handshake, forward_to, sent_away: false })
    }

    #[track_caller]
    fn poll(&mut self, cx: &mut Context<'_>, leaf: &mut Leaf) -> Poll<Result<V>> {
        if leaf.resume_forwarding() == Resumed::Requested && self.handshake.is_decided() {
            // Decided, but not yet seen: the cancel wins (CX-7), and an error is kept beside it (KQ-13).
            let cancelled = Error::from(leaf.take_request());
            return Poll::Ready(Err(match self.outcome() {
                Some(Err(displaced)) if !displaced.is_cancelled() => cancelled.with_displaced(displaced),
                _ => cancelled,
            }));
        }
        if self.handshake.is_given_up() && !self.sent_away {
            self.sent_away = true;
            self.task().cancel_with("it dropped its `Started`");
        }
        if !self.handshake.is_decided() {
            if let Err(cancelled) = leaf.park_forwarding(cx, &self.forward_to) {
                return Poll::Ready(Err(cancelled.into()));
            }
            self.handshake.starter.register(cx.waker());
            return Poll::Pending;
        }
        leaf.unpark();
        Poll::Ready(match self.handshake.take_value() {
            // A request has gone to the child, and is not taken back: it was meant for the starter, who gets
            // it, too.
            Some(_too_late) if self.forward_to.forwarded().is_some() && self.task().cancelling() > 0 => {
                Err(self.forward_to.forwarded().unwrap_or_default().into())
            }
            Some(value) => Ok(value),
            None => Err(self.why_not()),
        })
    }

    /// Why the child, which has ended, did not start.
    fn why_not(&mut self) -> Error {
        let asked = self.forward_to.forwarded();
        let requests = self.task().cancelling();
        let never = Error::from(NeverStarted { task: self.task().name() });
        match self.outcome() {
            Some(Err(error)) if self.sent_away && asked.is_none() && error.is_cancelled() => never,
            Some(Err(error)) => error,
            // It was asked to cancel and, not having taken that back, ended with a value: the request says
            // more than that it did not start.
            _ if requests > u32::from(self.sent_away) => {
                let unknown =
                    || Cancelled::new().with_reason("the child was cancelled before it had started");
                asked.unwrap_or_else(unknown).into()
            }
            _ => never,
        }
    }
}

impl<V, T> Newcomer<V, T> {
    fn task(&self) -> &Task<T> {
        self.task.as_ref().expect("given away at the end only")
    }

    /// What the child ended with.
    fn outcome(&mut self) -> Option<Result<T>> {
        self.task.as_mut()?.try_result()
    }

    fn into_task(mut self) -> Task<T> {
        self.task.take().expect("given away here only")
    }
}

impl<V, T> Drop for Newcomer<V, T> {
    fn drop(&mut self) {
        if self.handshake.abandon() == Left::Unstarted
            && let Some(task) = &self.task
        {
            task.abort_because(&Cancelled::new().with_reason("whoever was starting it is gone"));
        }
    }
}

/// The owner of a child that was to be started.
struct Liable<V> {
    handshake: Rc<Handshake<V>>,
    membership: Membership,
}

impl<V: 'static> Owner for Liable<V> {
    fn child_made(&self, child: WeakTaskRef) {
        self.membership.child_made(child);
    }

    fn child_done(&self, child: &TaskRef, outcome: Outcome<'_>) -> Attention {
        match self.handshake.child_ended() {
            Concerns::TheGroup => self.membership.child_done(child, outcome),
            // Who reads it from the handle; dropped unread, it is reported.
            Concerns::TheStarter => Attention::Unseen,
        }
    }

    fn waiter(&self) -> Option<ScopeId> {
        self.membership.waiter()
    }
}
