//! The bars: what homing wants to reach, against whom.
//!
//! A bar is part of the tree, so that a change which goes below one is seen as such, and lowering one is a
//! commit.

use crate::results::{Cell, Measurement, Results};

/// A figure to reach.
#[derive(Clone, Copy, Debug)]
pub struct Bar {
    /// Of which measurement.
    pub measurement: &'static str,
    /// Compared with what.
    pub against: Against,
    /// At most this.
    pub at_most: f64,
}

/// What a bar compares with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// The best peer in the same workload.
    BestPeer,
    /// The best peer in another workload, for what peers do not have.
    BestPeerIn(&'static str),
    /// One runtime.
    Peer(&'static str),
    /// Nobody: it is the figure itself.
    Itself,
}

const fn bar(measurement: &'static str, against: Against, at_most: f64) -> Bar {
    Bar { measurement, against, at_most }
}

/// The table.
pub const BARS: &[Bar] = &[
    bar("spawn-join", Against::BestPeer, 0.6),
    bar("spawn-one-task", Against::BestPeer, 0.95),
    bar("spawn-one-root", Against::BestPeer, 0.8),
    bar("spawn-eager", Against::BestPeerIn("spawn-join"), 0.2),
    bar("yield-common-1", Against::BestPeer, 0.8),
    bar("yield-common-1000", Against::BestPeer, 0.8),
    bar("yield-own-1", Against::BestPeer, 0.6),
    bar("yield-own-1000", Against::BestPeer, 0.6),
    bar("ping-pong", Against::BestPeer, 0.6),
    bar("ring-1000", Against::BestPeer, 0.6),
    bar("group-100", Against::BestPeer, 0.7),
    bar("group-100-unordered", Against::BestPeer, 0.7),
    bar("cancel-sleepers", Against::BestPeer, 0.5),
    bar("timers-bulk", Against::BestPeer, 0.4),
    bar("timers-single", Against::BestPeer, 0.8),
    bar("timers-fire cpu", Against::BestPeer, 0.8),
    bar("timers-fire late-p99", Against::BestPeer, 1.0),
    bar("sleep-1ms late-p50", Against::BestPeer, 1.1),
    bar("sleep-100us late-p50", Against::BestPeer, 1.1),
    bar("wake-asleep p50", Against::BestPeer, 1.1),
    bar("wake-flood", Against::Peer("tokio"), 0.8),
    bar("memory", Against::Peer("tokio"), 0.45),
    bar("start-up", Against::Itself, 500.0),
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

impl Bar {
    /// The bar of a measurement, if it has one.
    pub fn of(measurement: &str) -> Option<&'static Bar> {
        BARS.iter().find(|bar| bar.measurement == measurement)
    }

    /// What became of it. `None` if one side was not measured.
    pub fn outcome(&self, results: &Results) -> Option<Outcome> {
        let measured = |name: &str| results.measurements.iter().find(|one| one.name == name);
        let here = measured(self.measurement)?;
        let subject = here.subject()?;
        let (middle, with) = match self.against {
            Against::BestPeer => ratio(subject, here.best_peer()?)?,
            Against::Peer(name) => ratio(subject, here.cell(name)?)?,
            Against::BestPeerIn(other) => {
                let peer = measured(other).and_then(Measurement::best_peer)?;
                let (one, other) = (subject.middle(), peer.middle());
                // Of different workloads, so no two rounds are of one lap.
                ((one.median / other.median, one.from / other.to, one.to / other.from), peer.name.clone())
            }
            Against::Itself => {
                let middle = subject.middle();
                ((middle.median, middle.from, middle.to), "itself".to_owned())
            }
        };
        let (reached, from, to) = middle;
        Some(Outcome {
            reached,
            verdict: if reached <= self.at_most { Verdict::Met } else { Verdict::Missed },
            close: from <= self.at_most && self.at_most < to,
            with,
        })
    }
}

fn ratio(one: &Cell, other: &Cell) -> Option<((f64, f64, f64), String)> {
    let middle = one.ratio_to(other)?;
    Some(((middle.median, middle.from, middle.to), other.name.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lineup::Kind::{Peer, Subject};
    use crate::results::tests::measurement;
    use crate::setting::Setting;
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
            if let Against::BestPeerIn(other) = bar.against {
                assert!(names.iter().any(|name| name == other), "{bar:?}");
            }
        }
    }

    #[test]
    fn a_bar_is_met_below_and_missed_above() {
        let outcome = |figure| {
            let cells = [("homing", Subject, &[figure; 9][..]), ("smol", Peer, &[100.0; 9][..])];
            Bar::of("spawn-join").unwrap().outcome(&results(vec![measurement("spawn-join", &cells)])).unwrap()
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
        assert!(Bar::of("spawn-join").unwrap().outcome(&results).unwrap().close);
    }

    #[test]
    fn an_eager_spawn_is_compared_with_the_peers_plain_one() {
        let joined = measurement("spawn-join", &[("homing", Subject, &[1.0]), ("smol", Peer, &[100.0])]);
        let eager = measurement("spawn-eager", &[("homing", Subject, &[19.0]), ("smol", Peer, &[20.0])]);
        let outcome = Bar::of("spawn-eager").unwrap().outcome(&results(vec![joined, eager])).unwrap();
        assert_eq!((outcome.reached, outcome.verdict), (0.19, Verdict::Met));
    }

    #[test]
    fn without_a_peer_there_is_no_outcome() {
        let alone = measurement("spawn-join", &[("homing", Subject, &[1.0])]);
        assert_eq!(Bar::of("spawn-join").unwrap().outcome(&results(vec![alone])), None);
    }
}
