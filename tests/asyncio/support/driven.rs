//! A runtime that a test drives from outside, turn by turn where need be.

use homing::runtime::Budget;
use homing::{Builder, Instant, Runtime, Unhandled, yield_now};
use std::cell::RefCell;
use std::ops::Deref;
use std::rc::Rc;

/// A runtime in virtual time that a test drives from outside, as CPython's tests drive their loop.
pub(crate) struct Loop {
    runtime: Runtime,
    begin: Instant,
    reports: Rc<RefCell<Vec<String>>>,
}

impl Loop {
    pub(crate) fn new() -> Loop {
        Loop::with(Builder::new())
    }

    /// One whose tasks start eagerly.
    pub(crate) fn eager() -> Loop {
        Loop::with(Builder::new().eager_tasks(true))
    }

    fn with(builder: Builder) -> Loop {
        let reports = Rc::new(RefCell::new(Vec::new()));
        let hook = {
            let reports = reports.clone();
            move |unhandled: &Unhandled| reports.borrow_mut().push(report(unhandled))
        };
        let runtime = builder.virtual_time().debug(false).on_unhandled(hook).build();
        let begin = runtime.block_on(async { Ok(Instant::now()) }).expect("it cannot fail");
        Loop { runtime, begin, reports }
    }

    /// Runs what is ready, and what that makes ready, two turns in all, while no time passes.
    pub(crate) fn run_briefly(&self) {
        self.runtime.block_on(yield_now()).expect("nobody knows the task, so nobody cancels it");
    }

    /// Milliseconds since the loop was made.
    pub(crate) fn time(&self) -> u128 {
        let elapsed = self.runtime.block_on(async { Ok(self.begin.elapsed()) });
        elapsed.expect("it cannot fail").as_millis()
    }

    /// Runs what is ready, in one turn, and tells how many milliseconds of the loop's life the next timer is away.
    pub(crate) fn next_timer(&self) -> Option<u128> {
        assert!(self.runtime.task_count() > 0, "with nothing to do, a turn would end in the future");
        let turn = self.runtime.turn(Budget::batch()).expect("the runtime is not running");
        turn.next_deadline.map(|deadline| deadline.saturating_duration_since(self.begin).as_millis())
    }

    /// What went to the hook for unhandled errors since the last call.
    pub(crate) fn reports(&self) -> Vec<String> {
        self.reports.take()
    }
}

impl Deref for Loop {
    type Target = Runtime;

    fn deref(&self) -> &Runtime {
        &self.runtime
    }
}

fn report(unhandled: &Unhandled) -> String {
    match unhandled {
        Unhandled::TaskFailed { error, .. } => format!("failed: {error}"),
        Unhandled::TaskPanicked { error, .. } => format!("panicked: {error}"),
        Unhandled::Displaced { error } => format!("displaced: {error}"),
        other => other.to_string(),
    }
}
