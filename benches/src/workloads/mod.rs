//! What is measured: a file for each part of a runtime, a line for each workload.

mod group;
mod spawn;
mod start;
mod timers;
mod wake;
mod yields;

use crate::lineup::Entry;

/// Every workload, in the order in which they are measured and shown.
pub(crate) fn all() -> Vec<Entry> {
    vec![
        Entry::new::<spawn::Join>(),
        Entry::new::<spawn::One>(),
        Entry::new::<spawn::Eager>(),
        Entry::new::<yields::Own<1>>(),
        Entry::new::<yields::Own<1_000>>(),
        Entry::new::<yields::Common<1>>(),
        Entry::new::<yields::Common<1_000>>(),
        Entry::new::<wake::PingPong>(),
        Entry::new::<wake::Ring>(),
        Entry::new::<timers::Bulk>(),
        Entry::new::<timers::Single>(),
        Entry::new::<timers::Cancel>(),
        Entry::new::<group::Children>(),
        Entry::new::<start::Start>(),
    ]
}
