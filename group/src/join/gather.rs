//! Gather: all values, in order, or the first error.
//!
//! ```text
//!   pending ──a child fails──► decided: its error      the others go on
//!      │  └──all have ended──► decided: the values
//!      └─cancel: forwarded to all children; then the first of them that fails or ends cancelled decides, and if none
//!        does, `Cancelled` once all have ended
//! ```

use super::child::Child;
use super::watch::Watch;
use crate::waiter::Waiter;
use homing_executor::cancel::{AwaitedTasks, Leaf, Resumed};
use homing_executor::error::{Error, Result};
use homing_executor::task::TaskRef;
use std::cell::Cell;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// Waits for several tasks or futures at once, and gives all their values, in the order of the arguments.
///
/// Takes a tuple (up to twelve, of different types), a `Vec` or an array; [`gather_iter`] takes an iterator. Futures that
/// are no handles are spawned as tasks, here and now. If all have ended already, awaiting it does not suspend; so it is
/// for none at all.
///
/// # Errors
///
/// The error of the first that fails, or ends cancelled, at once. The others are *not* cancelled: they run on, and if
/// nobody else has a handle and they fail too, that is reported through the hook for unhandled errors. In a
/// [`task_group`](crate::task_group), nothing runs on.
///
/// # Panics
///
/// Outside of a runtime, if there is anything to spawn.
///
/// # Cancel safety
///
/// A cancel is forwarded to every child that has not ended. Dropped, it leaves them running.
///
/// # asyncio
///
/// `asyncio.gather` (GA-1 to GA-14).
///
/// ```
/// use homing::{gather, sleep};
/// use std::time::Duration;
///
/// homing::run(async {
///     let slow = async { sleep(Duration::from_millis(2)).await?; Ok("slow") };
///     let task = homing::spawn(async { Ok(42) });
///     assert_eq!(gather((slow, task)).await?, ("slow", 42));
///
///     let squares: Vec<u64> = gather((1..=3).map(|n| async move { Ok(n * n) }).collect::<Vec<_>>()).await?;
///     assert_eq!(squares, [1, 4, 9]);
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[track_caller]
pub fn gather<G: Gatherable>(children: G) -> Gather<G::Children> {
    Gather::new(children.into_children(Location::caller()), Mode::Values)
}

/// As [`gather`], for the items of an iterator.
#[track_caller]
pub fn gather_iter<I, F, T>(children: I) -> Gather<Vec<GatherChild<T>>>
where
    I: IntoIterator<Item = F>,
    F: IntoFuture<Output = Result<T>>,
    F::IntoFuture: 'static,
    T: 'static,
{
    let place = Location::caller();
    let children = children.into_iter().map(|child| GatherChild(Child::new(child.into_future(), place)));
    Gather::new(children.collect(), Mode::Values)
}

/// The future of [`gather`].
#[must_use = "the tasks run all the same, but nobody waits for them"]
pub struct Gather<C> {
    /// Until its outcome has been given.
    children: Option<C>,
    state: Rc<State>,
    /// Taken back when the outcome is decided.
    watch: Watch,
    leaf: Leaf,
}

/// The future of [`Gather::return_exceptions`].
#[must_use = "the tasks run all the same, but nobody waits for them"]
pub struct GatherOutcomes<C>(Gather<C>);

/// What an error of a child means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// It is the gather's.
    Values,
    /// It is one outcome among others.
    Outcomes,
}

/// What the callbacks on the children bring about.
struct State {
    mode: Cell<Mode>,
    running: Cell<usize>,
    /// The first child that failed or ended cancelled.
    first_failure: Cell<Option<usize>>,
    forward_to: AwaitedTasks,
    waiter: Waiter,
}

impl State {
    fn arrived(&self, index: usize, task: &TaskRef) {
        self.running.set(self.running.get() - 1);
        if self.first_failure.get().is_none() && (task.has_failed() || task.is_cancelled()) {
            self.first_failure.set(Some(index));
        }
        if self.is_decided() {
            // A cancel that comes from here on is too late for the children (GA-10).
            self.forward_to.close();
            self.waiter.wake();
        }
    }

    fn is_decided(&self) -> bool {
        self.running.get() == 0 || self.mode.get() == Mode::Values && self.first_failure.get().is_some()
    }
}

impl<C: GatherChildren> Gather<C> {
    fn new(children: C, mode: Mode) -> Self {
        let tasks = children.tasks();
        let state = Rc::new(State {
            mode: Cell::new(mode),
            running: Cell::new(tasks.len()),
            first_failure: Cell::new(None),
            forward_to: AwaitedTasks::new(&tasks),
            waiter: Waiter::default(),
        });
        // Those that have ended count at once, in order (GA-3).
        let ended = tasks.iter().enumerate().filter(|(_, task)| task.is_finished());
        ended.for_each(|(index, task)| state.arrived(index, task));
        let running = tasks.iter().enumerate().filter(|(_, task)| !task.is_finished());
        let watch = Watch::new(running, {
            let state = state.clone();
            move |index, task| state.arrived(index, task)
        });
        Gather { children: Some(children), state, watch, leaf: Leaf::new() }
    }

    /// Waits for all of them in any case, and gives every outcome in its place, error or not (GA-7, GA-8).
    pub fn return_exceptions(self) -> GatherOutcomes<C> {
        self.state.mode.set(Mode::Outcomes);
        GatherOutcomes(self)
    }

    /// Waits for the decision. The children are there then.
    #[track_caller]
    fn poll_decided(&mut self, cx: &mut Context<'_>) -> Poll<Result<C>> {
        if self.leaf.resume_forwarding() == Resumed::Requested && self.state.is_decided() {
            // Decided, but not yet seen: the cancel wins (CX-7), and an error is kept beside it (KQ-13).
            let cancelled = Error::from(self.leaf.take_request());
            let displaced = self.first_error().filter(|error| !error.is_cancelled());
            return Poll::Ready(Err(match displaced {
                Some(displaced) => cancelled.with_displaced(displaced),
                None => cancelled,
            }));
        }
        if !self.state.is_decided() {
            // A request that is pending while children run goes on to them.
            let _resumed = self.leaf.park_forwarding(cx, &self.state.forward_to)?;
            self.state.waiter.register(cx.waker());
            return Poll::Pending;
        }
        self.leaf.unpark();
        self.watch = Watch::default();
        if self.state.mode.get() == Mode::Values
            && let Some(error) = self.first_error()
        {
            return Poll::Ready(Err(error));
        }
        if let Some(cancelled) = self.state.forward_to.forwarded() {
            // All have ended, and none of them in a way that says so (GA-12, GA-13).
            let from_a_child = self.first_error().and_then(|error| error.as_cancelled().cloned());
            return Poll::Ready(Err(from_a_child.unwrap_or(cancelled).into()));
        }
        Poll::Ready(Ok(self.children.take().expect("a gather gives its outcome once")))
    }

    fn first_error(&mut self) -> Option<Error> {
        let index = self.state.first_failure.get()?;
        self.children.as_mut()?.error(index)
    }
}

impl<C: GatherChildren + Unpin> Future for Gather<C> {
    type Output = Result<C::Values>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_decided(cx)?.map(C::into_values)
    }
}

impl<C: GatherChildren + Unpin> Future for GatherOutcomes<C> {
    type Output = Result<C::Outcomes>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll_decided(cx)?.map(|children| Ok(children.into_outcomes()))
    }
}

impl<C> fmt::Debug for Gather<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather").field("running", &self.state.running.get()).finish_non_exhaustive()
    }
}

impl<C> fmt::Debug for GatherOutcomes<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What [`gather`] takes: a tuple, a `Vec` or an array of tasks and futures.
pub trait Gatherable {
    /// The same as tasks.
    type Children: GatherChildren + Unpin;

    /// Spawns what is no task yet.
    #[doc(hidden)]
    fn into_children(self, place: &'static Location<'static>) -> Self::Children;
}

/// The tasks of a [`Gather`], and what their outcomes make together.
pub trait GatherChildren {
    /// All values.
    type Values;
    /// All outcomes.
    type Outcomes;

    #[doc(hidden)]
    fn tasks(&self) -> Vec<TaskRef>;
    #[doc(hidden)]
    fn error(&mut self, index: usize) -> Option<Error>;
    #[doc(hidden)]
    fn into_values(self) -> Result<Self::Values>;
    #[doc(hidden)]
    fn into_outcomes(self) -> Self::Outcomes;
}

/// One task of a [`Gather`].
pub struct GatherChild<T>(Child<T>);

impl<T> fmt::Debug for GatherChild<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatherChild").finish_non_exhaustive()
    }
}

impl<T: 'static> GatherChildren for Vec<GatherChild<T>> {
    type Values = Vec<T>;
    type Outcomes = Vec<Result<T>>;

    fn tasks(&self) -> Vec<TaskRef> {
        self.iter().map(|child| child.0.task().clone()).collect()
    }

    fn error(&mut self, index: usize) -> Option<Error> {
        self.get_mut(index)?.0.outcome().err()
    }

    fn into_values(self) -> Result<Vec<T>> {
        self.into_iter().map(|mut child| child.0.outcome()).collect()
    }

    fn into_outcomes(self) -> Vec<Result<T>> {
        self.into_iter().map(|mut child| child.0.outcome()).collect()
    }
}

impl<F, T> Gatherable for Vec<F>
where
    F: IntoFuture<Output = Result<T>>,
    F::IntoFuture: 'static,
    T: 'static,
{
    type Children = Vec<GatherChild<T>>;

    fn into_children(self, place: &'static Location<'static>) -> Self::Children {
        self.into_iter().map(|child| GatherChild(Child::new(child.into_future(), place))).collect()
    }
}

impl<T: 'static, const N: usize> GatherChildren for [GatherChild<T>; N] {
    type Values = [T; N];
    type Outcomes = [Result<T>; N];

    fn tasks(&self) -> Vec<TaskRef> {
        self.iter().map(|child| child.0.task().clone()).collect()
    }

    fn error(&mut self, index: usize) -> Option<Error> {
        self.get_mut(index)?.0.outcome().err()
    }

    fn into_values(self) -> Result<[T; N]> {
        let values: Vec<T> = self.into_iter().map(|mut child| child.0.outcome()).collect::<Result<_>>()?;
        Ok(values.try_into().unwrap_or_else(|_| unreachable!("as many values as children")))
    }

    fn into_outcomes(self) -> [Result<T>; N] {
        self.map(|mut child| child.0.outcome())
    }
}

impl<F, T, const N: usize> Gatherable for [F; N]
where
    F: IntoFuture<Output = Result<T>>,
    F::IntoFuture: 'static,
    T: 'static,
{
    type Children = [GatherChild<T>; N];

    fn into_children(self, place: &'static Location<'static>) -> Self::Children {
        self.map(|child| GatherChild(Child::new(child.into_future(), place)))
    }
}

macro_rules! gather_tuples {
    ($($future:ident $value:ident $index:tt),*) => {
        impl<$($value: 'static),*> GatherChildren for ($(GatherChild<$value>,)*) {
            type Values = ($($value,)*);
            type Outcomes = ($(Result<$value>,)*);

            fn tasks(&self) -> Vec<TaskRef> {
                vec![$(self.$index.0.task().clone()),*]
            }

            fn error(&mut self, index: usize) -> Option<Error> {
                match index {
                    $($index => self.$index.0.outcome().err(),)*
                    _ => None,
                }
            }

            #[allow(unused_mut, clippy::unused_unit)]
            fn into_values(mut self) -> Result<Self::Values> {
                Ok(($(self.$index.0.outcome()?,)*))
            }

            #[allow(unused_mut, clippy::unused_unit)]
            fn into_outcomes(mut self) -> Self::Outcomes {
                ($(self.$index.0.outcome(),)*)
            }
        }

        impl<$($future, $value),*> Gatherable for ($($future,)*)
        where
            $($future: IntoFuture<Output = Result<$value>>, $future::IntoFuture: 'static, $value: 'static,)*
        {
            type Children = ($(GatherChild<$value>,)*);

            #[allow(unused_variables, clippy::unused_unit)]
            fn into_children(self, place: &'static Location<'static>) -> Self::Children {
                ($(GatherChild(Child::new(self.$index.into_future(), place)),)*)
            }
        }
    };
}

gather_tuples!();
gather_tuples!(FA A 0);
gather_tuples!(FA A 0, FB B 1);
gather_tuples!(FA A 0, FB B 1, FC C 2);
gather_tuples!(FA A 0, FB B 1, FC C 2, FD D 3);
gather_tuples!(FA A 0, FB B 1, FC C 2, FD D 3, FE E 4);
gather_tuples!(FA A 0, FB B 1, FC C 2, FD D 3, FE E 4, FF F 5);
gather_tuples!(FA A 0, FB B 1, FC C 2, FD D 3, FE E 4, FF F 5, FG G 6);
gather_tuples!(FA A 0, FB B 1, FC C 2, FD D 3, FE E 4, FF F 5, FG G 6, FH H 7);
gather_tuples!(FA A 0, FB B 1, FC C 2, FD D 3, FE E 4, FF F 5, FG G 6, FH H 7, FI I 8);
gather_tuples!(FA A 0, FB B 1, FC C 2, FD D 3, FE E 4, FF F 5, FG G 6, FH H 7, FI I 8, FJ J 9);
gather_tuples!(FA A 0, FB B 1, FC C 2, FD D 3, FE E 4, FF F 5, FG G 6, FH H 7, FI I 8, FJ J 9, FK K 10);
gather_tuples!(FA A 0, FB B 1, FC C 2, FD D 3, FE E 4, FF F 5, FG G 6, FH H 7, FI I 8, FJ J 9, FK K 10, FL L 11);
