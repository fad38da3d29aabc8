//! A runtime's beginning and end: built, made to run something that is ready at once, dropped.
//!
//! Moved by: descriptors that are opened before anybody needs them, tables that are allocated up front.

use crate::bare;
use crate::runtime::{Ability, Runtime};
use crate::workload::{Figures, Limit, Metric, Scale, Workload, nanos_each};
use std::hint::black_box;
use std::pin::pin;
use std::time::Instant;

/// A hundred runtimes, one after the other.
pub(crate) struct StartUp;

fn runtimes(scale: Scale) -> u32 {
    scale.pick(100, 100, 2)
}

impl Workload for StartUp {
    const NAME: &'static str = "start-up";
    const ABOUT: &'static str = "a runtime is built, blocks on a future that is ready, and is dropped";
    const METRICS: &'static [Metric] = &[Metric::only("ns")];
    const NEEDS: &'static [Ability] = &[];
    const LIMIT: Option<Limit> = Some(Limit {
        about: "the poll of a future that is ready",
        round: |scale| {
            let begin = Instant::now();
            for _ in 0..runtimes(scale) {
                assert!(bare::poll_pinned(pin!(black_box(async {}))).is_ready());
            }
            nanos_each(begin.elapsed(), runtimes(scale))
        },
    });

    fn operations(scale: Scale) -> Option<u32> {
        Some(runtimes(scale))
    }

    fn round<R: Runtime>(_runtime: &R, scale: Scale) -> Figures {
        let begin = Instant::now();
        for _ in 0..runtimes(scale) {
            R::new().block_on(async {});
        }
        nanos_each(begin.elapsed(), runtimes(scale))
    }
}
