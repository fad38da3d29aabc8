//! The bars: what homing wants to reach, against whom.
//!
//! A bar is part of the tree, so that a change which goes below one is seen as such, and lowering one is a
//! commit.

use crate::results::{Cell, Measurement, Results};
use crate::statistics::Middle;

use Against::{BestPeer, BestPeerIn, Itself, Limit, One};
use Mark::{AtLeast, AtMost, Times};

/// A figure to reach.
#[derive(Clone, Copy, Debug)]
pub struct Bar {
    /// Of which measurement.
    pub measurement: &'static str,
    /// Compared with what.
    pub against: Against,
    /// How far.
    pub mark: Mark,
}

/// What a bar compares with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// The best peer in the same workload.
    BestPeer,
    /// The best peer in another workload, for what peers do not have.
    BestPeerIn(&'static str),
    /// One of the others, a peer or not.
    One(&'static str),
    /// The least code that does the job.
    Limit,
    /// Nobody: it is the figure itself.
    Itself,
}

/// How high a bar is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mark {
    /// The ratio, or the figure, is to be at most this.
    AtMost(f64),
    /// The ratio is to be at least this: where more is better.
    AtLeast(f64),
    /// The other one is to take so many times as much.
    Times(f64),
}

const fn bar(measurement: &'static str, against: Against, mark: Mark) -> Bar {
    Bar { measurement, against, mark }
}

/// The table.
pub const BARS: &[Bar] = &[
    bar("spawn-join", BestPeer, AtMost(0.6)),
    bar("spawn-one-task", BestPeer, AtMost(0.95)),
    bar("spawn-one-root", BestPeer, AtMost(0.8)),
    bar("spawn-eager", BestPeerIn("spawn-join"), AtMost(0.2)),
    bar("yield-common-1", BestPeer, AtMost(0.8)),
    bar("yield-common-1000", BestPeer, AtMost(0.8)),
    bar("yield-own-1", BestPeer, AtMost(0.6)),
    bar("yield-own-1000", BestPeer, AtMost(0.6)),
    bar("ping-pong", BestPeer, AtMost(0.6)),
    bar("ring-1000", BestPeer, AtMost(0.6)),
    bar("group-100", BestPeer, AtMost(0.7)),
    bar("group-100-unordered", BestPeer, AtMost(0.7)),
    bar("cancel-sleepers", BestPeer, AtMost(0.5)),
    bar("timers-bulk", BestPeer, AtMost(0.4)),
    bar("timers-single", BestPeer, AtMost(0.8)),
    bar("timers-fire cpu", BestPeer, AtMost(0.8)),
    bar("timers-fire late-p99", BestPeer, AtMost(1.0)),
    bar("sleep-1ms late-p50", BestPeer, AtMost(1.1)),
    bar("sleep-100us late-p50", BestPeer, AtMost(1.1)),
    bar("wake-asleep p50", BestPeer, AtMost(1.1)),
    bar("wake-flood", One("tokio"), AtMost(0.8)),
    bar("echo-1 throughput", BestPeer, AtLeast(0.95)),
    bar("echo-1 p99", BestPeer, AtMost(1.05)),
    bar("echo-1 cpu", Limit, AtMost(1.05)),
    bar("echo-50 throughput", BestPeer, AtLeast(0.95)),
    bar("echo-50 p99", BestPeer, AtMost(1.05)),
    bar("echo-50 cpu", Limit, AtMost(1.05)),
    bar("echo-1000 throughput", BestPeer, AtLeast(0.95)),
    bar("echo-1000 p99", BestPeer, AtMost(1.05)),
    bar("echo-1000 cpu", Limit, AtMost(1.05)),
    bar("echo-50-calls", Itself, AtMost(2.1)),
    bar("memory", One("tokio"), AtMost(0.45)),
    bar("start-up", Itself, AtMost(500.0)),
    // Where people come from.
    bar("spawn-join", One("asyncio"), Times(100.0)),
    bar("spawn-join", One("uvloop"), Times(60.0)),
    bar("yield-own-1000", One("asyncio"), Times(100.0)),
    bar("yield-own-1000", One("uvloop"), Times(60.0)),
    bar("ring-1000", One("asyncio"), Times(100.0)),
    bar("ring-1000", One("uvloop"), Times(60.0)),
    bar("group-100", One("asyncio"), Times(100.0)),
    bar("group-100", One("uvloop"), Times(60.0)),
];

/// Whether a bar has been reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has.
    Met,
    /// It has not.
    Missed,
}

/// What became of a bar in one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The ratio, or, compared with nobody, the figure.
    pub reached: f64,
    /// Whether that is enough.
    pub verdict: Verdict,
    /// Whether another run may well say otherwise: the bar lies where the true median may lie.
    pub close: bool,
    /// Who or what it was compared with.
    pub with: String,
}

/// A median, and where the true one may lie.
#[derive(Clone, Copy)]
struct Known {
    median: f64,
    from: f64,
    to: f64,
}

impl Bar {
    /// The bars of a measurement.
    pub fn of(measurement: &str) -> impl Iterator<Item = &'static Bar> {
        BARS.iter().filter(move |bar| bar.measurement == measurement)
    }

    /// What became of it. `None` if one side was not measured.
    pub fn outcome(&self, results: &Results) -> Option<Outcome> {
        let measured = |name: &str| results.measurements.iter().find(|one| one.name == name);
        let here = measured(self.measurement)?;
        let subject = here.subject()?;
        let (known, with) = match self.against {
            BestPeer => self.compare(subject, here.best_peer()?)?,
            One(name) => self.compare(subject, here.cell(name)?)?,
            Limit => self.compare(subject, here.limit()?)?,
            BestPeerIn(other) => {
                let peer = measured(other).and_then(Measurement::best_peer)?;
                let (one, other) = (subject.middle(), peer.middle());
                // Of different workloads, so no two rounds are of one lap.
                let known = Known {
                    median: one.median / other.median,
                    from: one.from / other.to,
                    to: one.to / other.from,
                };
                (known, peer.name.clone())
            }
            Itself => (subject.middle().into(), "itself".to_owned()),
        };
        let is_met = |figure| match self.mark {
            AtMost(mark) => figure <= mark,
            AtLeast(mark) | Times(mark) => figure >= mark,
        };
        Some(Outcome {
            reached: known.median,
            verdict: if is_met(known.median) { Verdict::Met } else { Verdict::Missed },
            close: is_met(known.from) != is_met(known.to),
            with,
        })
    }

    fn compare(&self, subject: &Cell, other: &Cell) -> Option<(Known, String)> {
        let middle = match self.mark {
            AtMost(_) | AtLeast(_) => subject.ratio_to(other)?,
            Times(_) => other.ratio_to(subject)?,
        };
        Some((middle.into(), other.name.clone()))
    }
}

impl From<Middle> for Known {
    fn from(middle: Middle) -> Known {
        Known { median: middle.median, from: middle.from, to: middle.to }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lineup::Kind::{self, Aside, Peer, Subject};
    use crate::results::tests::measurement;
    use crate::setting::Setting;
    use crate::workload::Better;
    use crate::workloads;

    fn results(measurements: Vec<Measurement>) -> Results {
        Results { setting: Setting::default(), measurements }
    }

    #[test]
    fn every_bar_is_that_of_a_measurement_and_compares_with_one() {
        let entries = workloads::all();
        let names: Vec<String> = entries
            .iter()
            .flat_map(|entry| entry.metrics.iter().map(|metric| metric.of(entry.name)))
            .collect();
        for bar in BARS {
            assert!(names.iter().any(|name| name == bar.measurement), "{bar:?}");
            if let BestPeerIn(other) = bar.against {
                assert!(names.iter().any(|name| name == other), "{bar:?}");
            }
        }
    }

    #[test]
    fn a_bar_is_met_below_and_missed_above() {
        let outcome = |figure| {
            let cells = [("homing", Subject, &[figure; 9][..]), ("smol", Peer, &[100.0; 9][..])];
            Bar::of("spawn-join")
                .next()
                .unwrap()
                .outcome(&results(vec![measurement("spawn-join", &cells)]))
                .unwrap()
        };
        assert_eq!((outcome(59.0).verdict, outcome(59.0).close), (Verdict::Met, false));
        assert_eq!((outcome(61.0).verdict, outcome(61.0).close), (Verdict::Missed, false));
        assert_eq!(outcome(59.0).with, "smol");
    }

    #[test]
    fn a_bar_within_the_noise_is_close() {
        let wavering: Vec<f64> = (0..20).map(|lap| 58.0 + f64::from(lap % 5)).collect();
        let cells = [("homing", Subject, &wavering[..]), ("smol", Peer, &[100.0; 20][..])];
        let results = results(vec![measurement("spawn-join", &cells)]);
        assert!(Bar::of("spawn-join").next().unwrap().outcome(&results).unwrap().close);
    }

    #[test]
    fn an_eager_spawn_is_compared_with_the_peers_plain_one() {
        let joined = measurement("spawn-join", &[("homing", Subject, &[1.0]), ("smol", Peer, &[100.0])]);
        let eager = measurement("spawn-eager", &[("homing", Subject, &[19.0]), ("smol", Peer, &[20.0])]);
        let outcome = Bar::of("spawn-eager").next().unwrap().outcome(&results(vec![joined, eager])).unwrap();
        assert_eq!((outcome.reached, outcome.verdict), (0.19, Verdict::Met));
    }

    #[test]
    fn where_more_is_better_a_bar_is_met_above_and_missed_below() {
        let verdict = |figure| {
            let cells = [("homing", Subject, &[figure; 9][..]), ("tokio", Peer, &[100.0; 9][..])];
            let bar = Bar::of("echo-50 throughput").next().unwrap();
            let measured = Measurement { better: Better::More, ..measurement("echo-50 throughput", &cells) };
            bar.outcome(&results(vec![measured])).unwrap().verdict
        };
        assert_eq!((verdict(96.0), verdict(94.0)), (Verdict::Met, Verdict::Missed));
    }

    #[test]
    fn python_is_to_take_so_many_times_as_long() {
        let outcome = |asyncio| {
            let cells = [("homing", Subject, &[10.0; 9][..]), ("asyncio", Aside, &[asyncio; 9][..])];
            let bar = Bar::of("ring-1000").find(|bar| bar.against == One("asyncio")).unwrap();
            bar.outcome(&results(vec![measurement("ring-1000", &cells)])).unwrap()
        };
        assert_eq!((outcome(1_500.0).reached, outcome(1_500.0).verdict), (150.0, Verdict::Met));
        assert_eq!((outcome(900.0).reached, outcome(900.0).verdict), (90.0, Verdict::Missed));
    }

    #[test]
    fn the_limit_is_compared_with_as_a_peer_is() {
        let cells = [("homing", Subject, &[104.0; 9][..]), ("limit", Kind::Limit, &[100.0; 9][..])];
        let results = results(vec![measurement("echo-1 cpu", &cells)]);
        let outcome = Bar::of("echo-1 cpu").next().unwrap().outcome(&results).unwrap();
        assert_eq!((outcome.verdict, outcome.with.as_str()), (Verdict::Met, "limit"));
    }

    #[test]
    fn without_a_peer_there_is_no_outcome() {
        let alone = measurement("spawn-join", &[("homing", Subject, &[1.0])]);
        assert_eq!(Bar::of("spawn-join").next().unwrap().outcome(&results(vec![alone])), None);
    }
}
