//! The workload: something that every runtime can be asked to do, and how long it took.

use crate::contender::Contender;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// Written once, against [`Contender`].
pub(crate) trait Workload {
    /// As it is called in tables and filters.
    const NAME: &'static str;
    /// How many operations a round is: what its time is divided by.
    const OPERATIONS: u32;
    /// How many rounds are measured. A round takes a millisecond or a few: short enough to fall between two
    /// disturbances more often than not, long enough for the clock.
    const ROUNDS: usize = 101;

    /// Runs one round, and says how long the part took that is meant. The contender is the same in each round.
    fn round<C: Contender>(contender: &C) -> Duration;
}

/// Runs the body of a round in a task, where programs do their work. (The future that a runtime blocks on is a special
/// case for most of them, with costs of its own.)
pub(crate) fn in_a_task<C: Contender>(
    contender: &C,
    body: impl Future<Output = Duration> + 'static,
) -> Duration {
    let took = Rc::new(Cell::new(None));
    let result = took.clone();
    contender.block_on(async {
        C::join(C::spawn(async move { result.set(Some(body.await)) })).await;
    });
    took.get().expect("the body did not come to its end")
}
