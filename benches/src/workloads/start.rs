//! A runtime's beginning and end: built, made to run something that is ready at once, dropped.
//!
//! Moved by: descriptors that are opened before anybody needs them, tables that are allocated up front.

use crate::contender::Contender;
use crate::workload::Workload;
use std::time::{Duration, Instant};

/// A hundred runtimes, one after the other.
pub(crate) struct Start;

impl Workload for Start {
    const NAME: &'static str = "start-up";
    const OPERATIONS: u32 = 100;

    fn round<C: Contender>(_contender: &C) -> Duration {
        let begin = Instant::now();
        for _ in 0..Self::OPERATIONS {
            C::new().block_on(async {});
        }
        begin.elapsed()
    }
}
