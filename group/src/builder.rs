//! Options of a group: what it does otherwise than asyncio's.
//!
//! ```text
//!   name        what it is called in errors and reports
//!   supervise   a child's failure is its own: the others run on
//! ```

use crate::task_group::{Group, TaskGroup};
use homing_executor::error::Result;
use std::borrow::Cow;
use std::panic::Location;
use std::rc::Rc;

/// Options of a group.
#[derive(Debug)]
#[must_use = "nothing runs before `.run(body)`"]
pub struct GroupBuilder {
    options: Options,
}

/// What was asked for when the group was built.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) name: Option<Cow<'static, str>>,
    pub(crate) place: &'static Location<'static>,
    pub(crate) on_failure: OnFailure,
}

/// What a child's failure does to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnFailure {
    CancelTheOthers,
    LetTheOthersRun,
}

impl GroupBuilder {
    pub(crate) fn new(place: &'static Location<'static>) -> GroupBuilder {
        GroupBuilder { options: Options { name: None, place, on_failure: OnFailure::CancelTheOthers } }
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

    /// The group, not run yet. See [`TaskGroup::new`].
    pub fn build(self) -> TaskGroup {
        TaskGroup { group: Rc::new(Group::new(self.options)) }
    }

    /// Runs `body` in such a group. See [`task_group`](crate::task_group).
    ///
    /// # Errors
    ///
    /// Those of [`task_group`](crate::task_group).
    pub async fn run<T, F>(self, body: F) -> Result<T>
    where
        F: AsyncFnOnce(&TaskGroup) -> Result<T>,
    {
        self.build().run(body).await
    }
}
