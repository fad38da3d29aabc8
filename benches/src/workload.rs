//! The workload: something that every runtime can be asked to do, and what is measured of it.
//!
//! ```text
//! Workload ──round(runtime)──► Figures      one number for each of METRICS, of one round
//!    └───────LIMIT.round()───► Figures      the same job, by the least code that does it
//! ```

use crate::load::Load;
use crate::runtime::{Ability, Runtime, common_yield};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// Written once, against [`Runtime`].
pub trait Workload: 'static {
    /// As tables, filters and the table of bars call it.
    const NAME: &'static str;
    /// One sentence for the reader of a report: what is done.
    const ABOUT: &'static str;
    /// What is measured: one figure each.
    const METRICS: &'static [Metric];
    /// What a runtime must be able to do.
    const NEEDS: &'static [Ability] = &[Ability::Spawn, Ability::Join];
    /// Where it is measured.
    const PLACE: Place = Place::Together;
    /// What is physically there to be won.
    const LIMIT: Option<Limit> = None;
    /// What the client asks for, where the runtime is a server.
    const LOAD: Option<fn(Scale) -> Load> = None;

    /// How many operations a round is, if its instructions can be counted: if it neither waits nor starts
    /// threads.
    fn operations(_scale: Scale) -> Option<u32> {
        None
    }

    /// Runs one round, and gives one figure for each metric. The runtime is the same in each round.
    fn round<R: Runtime>(runtime: &R, scale: Scale) -> Figures;
}

/// One round's figures, in the order of the workload's metrics.
pub type Figures = Vec<f64>;

/// One thing that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// What it is, after the workload's name: empty where it is the only one.
    pub name: &'static str,
    /// Of what, per what: `ns/task`.
    pub unit: &'static str,
    /// Whether much of it is good.
    pub better: Better,
}

/// Which of two figures is the better one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// The smaller one: of time, and of all that a thing costs.
    #[default]
    Less,
    /// The larger one: of what is achieved in a time.
    More,
}

impl Metric {
    /// Of a workload that has one.
    pub const fn only(unit: &'static str) -> Metric {
        Metric { name: "", unit, better: Better::Less }
    }

    /// One of several.
    pub const fn named(name: &'static str, unit: &'static str) -> Metric {
        Metric { name, unit, better: Better::Less }
    }

    /// One of several, of which more is better.
    pub const fn rate(name: &'static str, unit: &'static str) -> Metric {
        Metric { name, unit, better: Better::More }
    }

    /// As tables call it: the workload's name, and what of it.
    pub fn of(&self, workload: &str) -> String {
        if self.name.is_empty() { workload.to_owned() } else { format!("{workload} {}", self.name) }
    }

    /// A figure as nanoseconds, if it is a length of time, or says how much is done in one.
    pub fn nanos(&self, figure: f64) -> Option<f64> {
        match self.unit.split_once('/').unwrap_or((self.unit, "")) {
            ("ns", _) => Some(figure),
            ("µs", _) => Some(figure * 1e3),
            (_, "s") => Some(1e9 / figure),
            _ => None,
        }
    }
}

/// Whether the runtimes share a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// All in one process, in turn.
    Together,
    /// Each round in a process of its own: what is measured is the process.
    Apart,
    /// Likewise, and its system calls are counted. The round says how much it did, and the figure is how many
    /// calls that took for each. (As a smoke test it runs in this process, and nothing is counted.)
    Traced,
}

/// The least code that does the job.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// What it is.
    pub about: &'static str,
    /// Runs a round of it.
    pub round: fn(Scale) -> Figures,
}

/// How much is done in a round. Figures are per operation at any scale, but caches make scales differ: only
/// figures of the same scale are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// As little as shows that it works.
    Smoke,
    /// A minute and a half for everything.
    Quick,
    /// As the workload says.
    Full,
}

impl Scale {
    /// One of three numbers.
    pub fn pick<T>(self, full: T, quick: T, smoke: T) -> T {
        match self {
            Scale::Full => full,
            Scale::Quick => quick,
            Scale::Smoke => smoke,
        }
    }

    /// As reports call it.
    pub fn name(self) -> &'static str {
        self.pick("full", "quick", "smoke")
    }

    /// The opposite of [`name`](Scale::name).
    pub fn by_name(name: &str) -> Option<Scale> {
        [Scale::Full, Scale::Quick, Scale::Smoke].into_iter().find(|scale| scale.name() == name)
    }
}

/// Nanoseconds per operation.
pub fn nanos_each(took: Duration, operations: u32) -> Figures {
    vec![took.as_nanos() as f64 / f64::from(operations)]
}

/// Runs the body of a round in a task, where programs do their work. (The future that a runtime blocks on is
/// a special case for most of them, with costs of its own.) Who has no tasks does all in that future.
pub fn in_a_task<R: Runtime, T: 'static>(runtime: &R, body: impl AsyncFnOnce(R) -> T + 'static) -> T {
    if R::LACKS.contains(&Ability::Spawn) {
        let inside = runtime.clone();
        return runtime.block_on(async move { body(inside).await });
    }
    let result = Rc::new(Cell::new(None));
    // Some runtimes let a task spawn others only when it has been polled before.
    let body = async move |inside: R| {
        common_yield().await;
        body(inside).await
    };
    let (root, written) = (runtime.clone(), result.clone());
    runtime.block_on(async move {
        let inside = root.clone();
        R::join(root.spawn(async move { written.set(Some(body(inside).await)) })).await;
    });
    result.take().expect("the body came to its end")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_time_or_done_in_one_can_be_told_in_nanoseconds() {
        assert_eq!(Metric::only("ns/task").nanos(5.0), Some(5.0));
        assert_eq!(Metric::only("µs").nanos(5.0), Some(5_000.0));
        assert_eq!(Metric::rate("", "messages/s").nanos(200_000.0), Some(5_000.0));
        assert_eq!(Metric::only("bytes/task").nanos(5.0), None);
        assert_eq!(Metric::only("µs per second").nanos(5.0), None);
    }
}
