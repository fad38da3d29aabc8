//! What a trial finds when the test is over.

use homing_executor::Unhandled;
use homing_executor::introspect;
use homing_executor::task::TaskRef;
use std::fmt;

/// Something that has not come home. A [`Trial`](super::Trial) fails if there is any that it was not told to
/// [tolerate](super::Trial::tolerate).
#[derive(Debug)]
#[non_exhaustive]
pub enum Finding<'a> {
    /// A task that had not ended when the test's body had. It is cancelled and waited for after this.
    Task(&'a TaskRef),
    /// So many timers were still armed when every task had ended.
    Timers(usize),
    /// To so many descriptors the runtime still listened when every task had ended.
    Descriptors(usize),
    /// What went to the hook for unhandled errors, during the test or at its end.
    Unhandled(&'a Unhandled),
}

impl fmt::Display for Finding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Task(task) => {
                let standing = introspect::format_call_graph_of(*task);
                write!(f, "a task was left when the test was over:\n{}", standing.trim_end())
            }
            Finding::Timers(1) => write!(f, "a timer was left armed"),
            Finding::Timers(count) => write!(f, "{count} timers were left armed"),
            Finding::Descriptors(1) => write!(f, "a descriptor was left open"),
            Finding::Descriptors(count) => write!(f, "{count} descriptors were left open"),
            Finding::Unhandled(unhandled) => unhandled.fmt(f),
        }
    }
}
