//! What is measured: a file for each part of a runtime, a line for each workload.

mod cancel;
mod connections;
mod echo;
mod group;
mod http;
mod idle;
mod memory;
mod messages;
mod server;
mod sleeps;
mod spawn;
mod start;
mod threads;
mod timers;
mod yields;

use crate::lineup::Entry;

/// Every workload, in the order in which they are measured and shown.
pub fn all() -> Vec<Entry> {
    vec![
        Entry::new::<spawn::Join>(),
        Entry::new::<spawn::OneFromTask>(),
        Entry::new::<spawn::OneFromRoot>(),
        Entry::new::<spawn::Eager>(),
        Entry::new::<yields::Common<1>>(),
        Entry::new::<yields::Common<1_000>>(),
        Entry::new::<yields::Own<1>>(),
        Entry::new::<yields::Own<1_000>>(),
        Entry::new::<messages::PingPong>(),
        Entry::new::<messages::Ring>(),
        Entry::new::<group::Children>(),
        Entry::new::<group::Unordered>(),
        Entry::new::<cancel::Sleepers>(),
        Entry::new::<timers::Bulk>(),
        Entry::new::<timers::Single>(),
        Entry::new::<sleeps::Fire>(),
        Entry::new::<sleeps::Sequential<1_000>>(),
        Entry::new::<sleeps::Sequential<100>>(),
        Entry::new::<threads::Asleep>(),
        Entry::new::<threads::Flood>(),
        Entry::new::<echo::Echo<1>>(),
        Entry::new::<echo::Echo<50>>(),
        Entry::new::<echo::Echo<1_000>>(),
        Entry::new::<echo::Calls>(),
        Entry::new::<http::Http<1>>(),
        Entry::new::<http::Http<50>>(),
        Entry::new::<http::Http<1_000>>(),
        Entry::new::<start::StartUp>(),
        Entry::new::<memory::IdleTasks>(),
        Entry::new::<idle::Idle>(),
        Entry::new::<connections::Connections>(),
    ]
}
