//! Driven tasks: tasks whose futures borrow, and are therefore polled where they were spawned and not by the loop.
//!
//! A task of the loop's own must be `'static`: the loop polls it whenever it is woken, whoever has gone in the meantime.
//! A driven task is polled by its [`Driver`], within the poll of a future, [`Drive`], that has the lifetime of what the
//! task borrows; and dropping that future drops the task. In all else it is a task: with a row, an id and a name, a waker
//! and a cancel count of its own; it is [`current`](super::current) while it is polled, and what it awaits is its affair.
//!
//! ```text
//!   the loop                                     the driver's own task
//!   wake ─► [ ready ] ─► a driven task's turn      polls the drive:
//!                          └► called ─► wake it ──► 1  the body
//!                                                   2  the tasks that were called, each as itself
//! ```
//!
//! So a wake of a driven task costs two turns in line in the place of one. The loop learns that a task is driven where it
//! looks for a request anyway, before the poll; nobody else's poll becomes slower by it.
//!
//! Why the lifetimes are right: all of [`Driver::spawn`], [`Driver::drive`] and [`Drive`] have the same `'scope`, which
//! `Driver` does not let vary. What is lent lives for `'scope`, and a `Drive` can be polled or dropped only within it. If it
//! is forgotten instead, the tasks are forgotten with it ([`lent`](super::lent) has the argument from the other side).

use super::birth;
use super::cell;
use super::handle::Task;
use super::lent::{Lent, Phase, Seat, StandIn, Value};
use super::life;
use super::options::{Start, TaskOptions};
use super::owner::Owner;
use super::reference::TaskRef;
use super::row::{Flag, Row};
use super::state::State;
use crate::context;
use crate::error::{Cancelled, Result, RuntimeError};
use crate::locals;
use crate::runtime::core::Core;
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// Spawns tasks that borrow, and has them polled with a future of the caller's.
///
/// The building block of [`scope`](https://docs.rs/homing/latest/homing/fn.scope.html), for whoever writes another such
/// construct: it neither waits for its tasks nor does anything about their errors. Make one, [`drive`](Driver::drive) a
/// body with it, and in the body, [`spawn`](Driver::spawn). Tasks that are left when the body ends are aborted.
///
/// Tasks may borrow what lives longer than the driver, and the driver itself, but nothing of the body's.
///
/// ```
/// use homing::task::Driver;
///
/// homing::run(async {
///     let mut words = vec!["one".to_owned(), "two".to_owned()];
///     let (first, second) = words.split_at_mut(1);
///     let driver = Driver::new();
///     let total: homing::Result<usize> = driver
///         .drive(async {
///             let one = driver.spawn(async { first[0].push('!'); Ok(first[0].len()) });
///             let two = driver.spawn(async { second[0].push('?'); Ok(second[0].len()) });
///             Ok(one.await? + two.await?)
///         })
///         .await;
///     assert_eq!(total?, 8);
///     assert_eq!(words, ["one!", "two?"]);
///     Ok(())
/// })
/// # .unwrap();
/// ```
pub struct Driver<'scope> {
    seat: Rc<Seat>,
    /// Neither longer nor shorter than what it was spawned with.
    _scope: PhantomData<Cell<&'scope ()>>,
}

impl<'scope> Driver<'scope> {
    /// A driver with nothing to drive.
    #[expect(
        clippy::new_without_default,
        reason = "its lifetime is chosen by how it is used; there is no default one"
    )]
    pub fn new() -> Driver<'scope> {
        Driver { seat: Seat::new(), _scope: PhantomData }
    }

    /// The future that polls `body`, and, after it, those of the driver's tasks whose turn has come. It gives what the body
    /// gives; tasks that are left then, or when it is dropped, are aborted, after the body has been dropped: when either
    /// returns, their destructors have run.
    ///
    /// In one poll it polls so many tasks at most as leave the loop enough time for its other business (some dozens);
    /// the others wait for the next turn.
    ///
    /// # Panics
    ///
    /// If the driver has been used for that before.
    pub fn drive<B: IntoFuture>(&'scope self, body: B) -> Drive<'scope, B::IntoFuture> {
        assert!(self.seat.phase() == Phase::Free, "a driver drives one body, once");
        self.seat.set_phase(Phase::Away);
        Drive { driver: self, body: Some(body.into_future()) }
    }

    /// Spawns a task that may borrow. Its first poll is in the next turn, in the order of spawning.
    ///
    /// If the driver's body has ended or is being dropped, the future is dropped, and the handle is dead: awaited, it gives
    /// [`RuntimeError::RuntimeGone`]. So is it in a runtime that is being dropped.
    ///
    /// # Panics
    ///
    /// Before [`drive`](Driver::drive), and outside of a runtime.
    #[track_caller]
    #[inline]
    pub fn spawn<F, T>(&'scope self, future: F) -> ScopedTask<'scope, T>
    where
        F: IntoFuture<Output = Result<T>>,
        F::IntoFuture: 'scope,
        T: 'scope,
    {
        self.task(future).spawn()
    }

    /// A task to be, with options: `driver.task(future).name("fetch").spawn()`.
    #[track_caller]
    #[inline]
    pub fn task<F, T>(&'scope self, future: F) -> DrivenBuilder<'scope, F::IntoFuture>
    where
        F: IntoFuture<Output = Result<T>>,
        F::IntoFuture: 'scope,
        T: 'scope,
    {
        DrivenBuilder { driver: self, future: future.into_future(), owner: (), options: TaskOptions::new() }
    }

    /// How many of its tasks have not ended.
    pub fn task_count(&self) -> usize {
        self.seat.len()
    }
}

impl fmt::Debug for Driver<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("tasks", &self.task_count()).finish_non_exhaustive()
    }
}

/// A driven task to be. See [`Driver::task`].
#[derive(Debug)]
#[must_use = "nothing is spawned before `.spawn()`"]
pub struct DrivenBuilder<'scope, F, O = ()> {
    driver: &'scope Driver<'scope>,
    future: F,
    owner: O,
    options: TaskOptions,
}

impl<'scope, F, O> DrivenBuilder<'scope, F, O> {
    /// Gives the task a name, in place of `Task-7`.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.options = self.options.name(name);
        self
    }

    /// Makes the first poll happen inside [`spawn`](DrivenBuilder::spawn). See
    /// [`TaskBuilder::eager`](super::TaskBuilder::eager).
    pub fn eager(mut self) -> Self {
        self.options = self.options.eager();
        self
    }

    /// Makes the first poll wait for its turn, also where the runtime starts tasks eagerly.
    pub fn queued(mut self) -> Self {
        self.options = self.options.queued();
        self
    }

    /// Makes the task run in this context, instead of a copy of its spawner's. See
    /// [`TaskBuilder::context`](super::TaskBuilder::context).
    pub fn context(mut self, context: &locals::Context) -> Self {
        self.options = self.options.context(context);
        self
    }

    /// Sets the place that is shown as where the task was spawned: for libraries that spawn for their caller.
    pub fn spawned_at(mut self, place: &'static Location<'static>) -> Self {
        self.options = self.options.spawned_at(place);
        self
    }

    /// Sets all options at once, those above among them.
    pub fn options(mut self, options: TaskOptions) -> Self {
        self.options = options;
        self
    }

    /// Sets who answers for the task, and is told of its end.
    pub fn owner<P: Owner>(self, owner: P) -> DrivenBuilder<'scope, F, P> {
        DrivenBuilder { driver: self.driver, future: self.future, owner, options: self.options }
    }

    /// Spawns the task on the running runtime.
    ///
    /// # Panics
    ///
    /// As [`Driver::spawn`].
    #[track_caller]
    pub fn spawn<T>(self) -> ScopedTask<'scope, T>
    where
        F: Future<Output = Result<T>> + 'scope,
        T: 'scope,
        O: Owner,
    {
        let seat = &self.driver.seat;
        assert!(seat.phase() != Phase::Free, "spawn before `drive`: nobody would poll the task");
        context::with(|core| match core {
            Some(core) => spawn_on(core, seat, self.future, self.owner, self.options),
            None => panic!("spawn outside of a runtime: call it in the body that the driver drives"),
        })
    }
}

#[track_caller]
fn spawn_on<'scope, F, T, O>(
    core: &Core,
    seat: &Rc<Seat>,
    future: F,
    owner: O,
    options: TaskOptions,
) -> ScopedTask<'scope, T>
where
    F: Future<Output = Result<T>> + 'scope,
    T: 'scope,
    O: Owner,
{
    if core.is_closing() || matches!(seat.phase(), Phase::Leaving | Phase::Closed) {
        core.contain(|| drop((future, owner)));
        return ScopedTask { task: Task::adopt(None), value: None };
    }
    let lent = Lent::new(future);
    // SAFETY: the seat is a `Driver<'scope>`'s. It is taken in a poll or the drop of a `Drive<'scope, _>` of that driver
    // and nowhere else, which nobody can call outside of `'scope`; and `F` and `T` live that long.
    let stand_in = unsafe { seat.lend(lent.clone()) };
    let key = stand_in.key();
    let table = cell::pooled_for::<F, StandIn, (), O>();
    let row = core.found_task::<_, (), _>(stand_in, owner, table, options.place);
    row.set(Flag::Driven);
    core.outfit(row, options.extras);
    seat.name_row(key, row);
    let task = ScopedTask { task: Task::adopt(Some(row)), value: Some(lent) };
    // Not taken, if it is spawned from elsewhere in the drive's frame, between two polls.
    if seat.is_taken() && core.starts_eagerly(options.start) {
        core.one_deeper(|| core.poll_driven(row));
    } else if options.start == Some(Start::Held) && birth::may_be_held(row) {
        row.state.set(State::Held);
    } else {
        seat.call(row).into_iter().for_each(life::wake_foreign);
    }
    task
}

/// In the loop: a driven task's turn has come.
pub(super) fn call(row: &'static Row) {
    // When the seat is let go: a waker of somebody else's may do anything.
    let waker = StandIn::with_seat(row, |seat| seat.call(row));
    waker.into_iter().for_each(life::wake_foreign);
}

/// Whether a driven task that has not ended can be ended right now. Its driver can do so at any time.
pub(super) fn is_reachable(row: &Row) -> bool {
    StandIn::with_seat(row, Seat::is_taken)
}

/// See [`Driver::drive`].
///
/// # Cancel safety
///
/// Dropped, it drops the body and then the tasks that are left, which end cancelled.
#[must_use = "futures do nothing unless they are polled"]
pub struct Drive<'scope, B> {
    driver: &'scope Driver<'scope>,
    /// Pinned with the drive itself; `None` when it has ended.
    body: Option<B>,
}

impl<B> Drive<'_, B> {
    fn body(self: Pin<&mut Self>) -> Pin<&mut Option<B>> {
        // SAFETY: the body is pinned structurally: it is neither moved here or in the drop, and it is `Unpin` if the
        // drive is.
        unsafe { self.map_unchecked_mut(|this| &mut this.body) }
    }

    /// Drops the body, then aborts what it has left.
    fn leave(mut self: Pin<&mut Self>) {
        if self.driver.seat.phase() != Phase::Closed {
            let _leaving = Leaving::new(&self.driver.seat);
            self.as_mut().body().set(None);
        }
    }
}

impl<B: Future> Future for Drive<'_, B> {
    type Output = B::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<B::Output> {
        let seat = &self.driver.seat;
        assert!(seat.phase() == Phase::Away, "polled after it had completed");
        let driving = Driving::new(seat);
        seat.watch(cx.waker());
        // Those that are spawned in this poll wait for the next one, as any task waits for the next turn.
        let batch = seat.called();
        // The body first: what its tasks do in this poll it sees in the next turn, after whoever answers for them.
        let body = self.as_mut().body().as_pin_mut().expect("there until the seat is closed");
        if let Poll::Ready(output) = body.poll(cx) {
            drop(driving);
            self.leave();
            return Poll::Ready(output);
        }
        seat.poll_called(batch);
        if seat.called() > 0 {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl<B> Drop for Drive<'_, B> {
    fn drop(&mut self) {
        // SAFETY: it has been pinned if it was ever polled, and is not moved any more.
        unsafe { Pin::new_unchecked(self) }.leave();
    }
}

impl<B> fmt::Debug for Drive<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drive").field("driver", self.driver).finish_non_exhaustive()
    }
}

/// The seat is taken for a poll.
struct Driving<'a>(&'a Seat);

impl<'a> Driving<'a> {
    fn new(seat: &'a Seat) -> Self {
        seat.set_phase(Phase::Driving);
        Driving(seat)
    }
}

impl Drop for Driving<'_> {
    fn drop(&mut self) {
        self.0.set_phase(Phase::Away);
    }
}

/// The seat is taken for the last time.
struct Leaving<'a>(&'a Seat);

impl<'a> Leaving<'a> {
    fn new(seat: &'a Seat) -> Self {
        seat.set_phase(Phase::Leaving);
        Leaving(seat)
    }
}

impl Drop for Leaving<'_> {
    /// Also if the body's destructor has panicked.
    fn drop(&mut self) {
        self.0.abort_all(&Cancelled::new().with_reason("its driver was dropped"));
        self.0.set_phase(Phase::Closed);
    }
}

/// The owning handle of a task that borrows: as [`Task`], but it cannot leave the scope.
///
/// # Errors
///
/// Those of [`Task`].
///
/// # Cancel safety
///
/// That of [`Task`].
pub struct ScopedTask<'scope, T> {
    /// The row has the error, if it is one.
    task: Task<()>,
    /// And this the value. `None` if nothing was spawned.
    value: Option<Rc<dyn Value<T> + 'scope>>,
}

impl<T> ScopedTask<'_, T> {
    /// An untyped handle on the same task. It may leave the scope.
    pub fn task_ref(&self) -> TaskRef {
        self.task.task_ref()
    }

    /// The result, if the task has ended and it has not been taken.
    pub fn try_result(&mut self) -> Option<Result<T>> {
        self.task.try_result().map(|ended| self.result(ended))
    }

    fn result(&mut self, ended: Result<()>) -> Result<T> {
        let value = self.value.as_ref().and_then(|value| value.take());
        // Beside an error there may be a value that came too late (CX-12).
        ended.and_then(|()| value.ok_or_else(|| RuntimeError::AlreadyTaken.into()))
    }
}

impl<T> Future for ScopedTask<'_, T> {
    type Output = Result<T>;

    #[track_caller]
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let ended = ready!(Pin::new(&mut self.task).poll(cx));
        Poll::Ready(self.result(ended))
    }
}

impl<T> Deref for ScopedTask<'_, T> {
    type Target = TaskRef;

    fn deref(&self) -> &TaskRef {
        &self.task
    }
}

impl<T> fmt::Debug for ScopedTask<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.task.fmt(f)
    }
}

/// What must not compile: a task that would see what it borrows go.
///
/// ```compile_fail,E0373
/// // What the body has made.
/// let driver = homing::task::Driver::new();
/// let drive = driver.drive(async {
///     let local = String::new();
///     driver.spawn(async { Ok(local.len()) }).await
/// });
/// ```
/// ```compile_fail,E0505
/// // What is gone before the drive is.
/// let local = String::new();
/// let driver = homing::task::Driver::new();
/// let drive = driver.drive(async { driver.spawn(async { Ok(local.len()) }).await });
/// drop(local);
/// drop(drive);
/// ```
/// ```compile_fail,E0597
/// // The same, by the order of the declarations.
/// let driver = homing::task::Driver::new();
/// let drive;
/// let local = String::new();
/// drive = driver.drive(async { driver.spawn(async { Ok(local.len()) }).await });
/// ```
/// ```compile_fail
/// // A lifetime that is made shorter for the spawn and longer for the drive.
/// use homing::task::Driver;
/// fn shorten<'long, 'short>(driver: &'short Driver<'long>) -> &'short Driver<'short> { driver }
/// ```
/// ```compile_fail,E0505
/// // The driver itself.
/// let driver = homing::task::Driver::new();
/// let drive = driver.drive(async {});
/// drop(driver);
/// drop(drive);
/// ```
#[cfg(doctest)]
struct Rejected;
