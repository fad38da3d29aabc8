//! What a runtime in virtual time is told of futurelocks.

use homing::observe::Futurelock;
use homing::{Builder, Result};
use std::cell::RefCell;
use std::rc::Rc;

#[derive(Clone, Default)]
pub(crate) struct Reports(Rc<RefCell<Vec<Futurelock>>>);

impl Reports {
    pub(crate) fn builder(&self) -> Builder {
        let reports = self.0.clone();
        Builder::new().virtual_time().on_futurelock(move |found| reports.borrow_mut().push(found.clone()))
    }

    /// Runs what must not fail in such a runtime.
    #[track_caller]
    pub(crate) fn run<T>(&self, main: impl Future<Output = Result<T>>) -> T {
        self.builder().build().block_on(main).unwrap()
    }

    /// What has been told since it was last asked for.
    pub(crate) fn take(&self) -> Vec<Futurelock> {
        self.0.take()
    }
}
