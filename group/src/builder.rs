//! Options of a group: what it does otherwise than asyncio's.
//!
//! ```text
//!   name        what it is called in errors and reports
//!   supervise   a child's failure is its own: the others run on
//!   limit       so many children at a time; the others wait in line
//!   grace       so long a clean-up, and no longer
//! ```

use crate::grace::Grace;
use crate::limit::Limit;
use crate::task_group::{Group, TaskGroup};
use homing_executor::error::Result;
use std::borrow::Cow;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

/// Options of a group.
#[derive(Debug)]
#[must_use = "nothing runs before `.run(body)`"]
pub struct GroupBuilder {
    pub(crate) options: Options,
}

/// What was asked for when the group was built.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) name: Option<Cow<'static, str>>,
    pub(crate) place: &'static Location<'static>,
    pub(crate) on_failure: OnFailure,
    pub(crate) limit: Option<Limit>,
    pub(crate) grace: Option<Grace>,
    /// What people call it: `group`, `scope`.
    pub(crate) kind: &'static str,
}

/// What a child's failure does to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnFailure {
    CancelTheOthers,
    LetTheOthersRun,
}

impl GroupBuilder {
    /// What people are told that it is.
    pub(crate) fn called(mut self, kind: &'static str) -> GroupBuilder {
        self.options.kind = kind;
        self
    }

    pub(crate) fn new(place: &'static Location<'static>) -> GroupBuilder {
        let on_failure = OnFailure::CancelTheOthers;
        GroupBuilder {
            options: Options { name: None, place, on_failure, limit: None, grace: None, kind: "group" },
        }
    }

    /// Gives the group a name, for errors and reports.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.options.name = Some(name.into());
        self
    }

    /// Makes a child's failure the child's own: its siblings and the body run on.
    ///
    /// No failure is lost: when all have ended, their errors come out in one exception group as always, and the body's
    /// value goes for them. The errors are kept until then, one for each child that failed, so in a group that runs for
    /// days a child deals with its errors itself. Everything else still ends the group: the body's failure, a cancel from
    /// outside, [`TaskGroup::cancel`].
    ///
    /// # asyncio
    ///
    /// Has none; `gather(..., return_exceptions=True)` comes near.
    ///
    /// ```
    /// use homing::{Error, TaskGroup, sleep};
    /// use std::{cell::Cell, time::Duration};
    ///
    /// homing::run(async {
    ///     let served = Cell::new(0);
    ///     let outcome = TaskGroup::builder()
    ///         .supervise()
    ///         .run(async |tg| {
    ///             tg.spawn(async { Err::<(), _>(Error::msg("a bad request")) });
    ///             let good = tg.spawn(async { sleep(Duration::from_millis(1)).await?; Ok(1) });
    ///             served.set(good.await?);
    ///             Ok(())
    ///         })
    ///         .await;
    ///     assert_eq!(served.get(), 1);
    ///     assert_eq!(outcome.unwrap_err().as_group().unwrap().len(), 1);
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn supervise(mut self) -> Self {
        self.options.on_failure = OnFailure::LetTheOthersRun;
        self
    }

    /// Lets at most so many children run at a time. The others wait in line, and begin one by one as those before them
    /// end, first come, first served.
    ///
    /// `spawn` and `try_spawn` never wait: the task is there at once, and in line from its first poll on. An eager child
    /// begins inside `spawn` if there is room, and otherwise is in line when `spawn` returns. A child that is cancelled in
    /// line never begins: its future is dropped without being polled. A child that has begun counts until it has ended,
    /// whatever it waits for; so one that waits for a sibling in line may wait for ever. The body does not count.
    /// Mind that the time of a `sleep(…)` or `timeout(…)` begins where it is called: in an `async` block, when the child does.
    ///
    /// # Panics
    ///
    /// If `children` is zero: then none would ever begin.
    ///
    /// # asyncio
    ///
    /// Has none; one writes `async with semaphore` in each child.
    ///
    /// ```
    /// use homing::{Instant, TaskGroup, sleep};
    /// use std::time::Duration;
    ///
    /// let runtime = homing::Builder::new().virtual_time().build();
    /// runtime.block_on(async {
    ///     let begin = Instant::now();
    ///     TaskGroup::builder()
    ///         .limit(2)
    ///         .run(async |tg| {
    ///             for _ in 0..6 {
    ///                 tg.spawn(async { sleep(Duration::from_secs(1)).await });
    ///             }
    ///             Ok(())
    ///         })
    ///         .await?;
    ///     assert_eq!(begin.elapsed(), Duration::from_secs(3));
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    #[track_caller]
    pub fn limit(mut self, children: usize) -> Self {
        self.options.limit = Some(Limit::new(children));
        self
    }

    /// Gives the children so much time to clean up after the group has begun to shut down, whatever the reason; then those
    /// that are left are aborted, and end cancelled. The group waits for them in either case.
    ///
    /// Without it they have all the time in the world; with zero none at all: they are aborted in the next turn, some of
    /// them before they have been told. The body is no child: it is waited for as always. A child that never suspends
    /// cannot be aborted. A clean-up that was [deferred](TaskGroup::defer) has as much time, each for itself.
    ///
    /// # asyncio
    ///
    /// Has none: there, nothing but the task itself can end a task.
    ///
    /// ```
    /// use homing::{Instant, TaskGroup, sleep};
    /// use std::time::Duration;
    ///
    /// let runtime = homing::Builder::new().virtual_time().build();
    /// runtime.block_on(async {
    ///     let begin = Instant::now();
    ///     let group = TaskGroup::builder().grace(Duration::from_secs(5)).build();
    ///     group
    ///         .run_until_cancelled(async |tg| {
    ///             tg.spawn(async {
    ///                 let _ignored = sleep(Duration::from_secs(3600)).await;
    ///                 sleep(Duration::from_secs(3600)).await
    ///             });
    ///             sleep(Duration::from_secs(1)).await?;
    ///             Ok(tg.cancel())
    ///         })
    ///         .await?;
    ///     assert_eq!(begin.elapsed(), Duration::from_secs(6));
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn grace(mut self, duration: Duration) -> Self {
        self.options.grace = Some(Grace::new(duration));
        self
    }

    /// The group, not run yet. See [`TaskGroup::new`].
    pub fn build(self) -> TaskGroup {
        TaskGroup { group: Rc::new(Group::new(self.options)) }
    }

    /// Runs `body` in such a group. See [`task_group`](crate::task_group).
    ///
    /// # Errors
    ///
    /// Those of [`task_group`](crate::task_group).
    pub fn run<T, F>(self, body: F) -> impl Future<Output = Result<T>>
    where
        F: AsyncFnOnce(&TaskGroup) -> Result<T>,
    {
        self.build().run(body)
    }
}
