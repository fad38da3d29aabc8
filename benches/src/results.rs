//! Results: what a run gave, as it is written to a file and read again.
//!
//! All samples are kept, lap by lap, so that whoever reads the file can form every ratio anew: those of two
//! runtimes pair the rounds of one lap.
//!
//! ```text
//! Results ─┬─ Setting        where, when, with which versions
//!          └─ Measurement*   a metric of a workload ── Cell*   a contestant: its samples, or why it has none
//! ```

use crate::lineup::{Entry, Kind, SUBJECT};
use crate::rounds::Rounds;
use crate::setting::Setting;
use crate::statistics::Middle;
use crate::workload::Better;
use serde::{Deserialize, Serialize};

/// A whole run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Results {
    /// Where, when, and how.
    pub setting: Setting,
    /// In the order in which they were measured.
    pub measurements: Vec<Measurement>,
}

/// One metric of one workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// The workload's name, and what of it: `timers-fire late-p99`.
    pub name: String,
    /// The workload's name alone.
    pub workload: String,
    /// What is done.
    pub about: String,
    /// Of what, per what.
    pub unit: String,
    /// Whether much of it is good.
    #[serde(default)]
    pub better: Better,
    /// Who took part, in order.
    pub cells: Vec<Cell>,
}

/// One contestant's part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// As tables call it.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// What a reader must know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Why it has no samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
    /// A figure for each lap.
    pub samples: Vec<f64>,
}

impl Measurement {
    /// The measurements of an entry: one for each metric.
    pub fn all_of(entry: &Entry, rounds: &[Rounds]) -> Vec<Measurement> {
        let of = |(index, metric): (usize, &crate::workload::Metric)| Measurement {
            name: metric.of(entry.name),
            workload: entry.name.to_owned(),
            about: entry.about.to_owned(),
            unit: metric.unit.to_owned(),
            better: metric.better,
            cells: entry
                .contestants
                .iter()
                .zip(rounds)
                .map(|(contestant, rounds)| Cell {
                    name: contestant.name.to_owned(),
                    kind: contestant.kind,
                    note: contestant.note.clone(),
                    left_out: rounds.as_ref().err().cloned(),
                    samples: rounds.iter().flatten().map(|figures| figures[index]).collect(),
                })
                .collect(),
        };
        entry.metrics.iter().enumerate().map(of).collect()
    }

    /// Who is compared with the others.
    pub fn subject(&self) -> Option<&Cell> {
        self.cell(SUBJECT)
    }

    /// The least code that does the job.
    pub fn limit(&self) -> Option<&Cell> {
        self.measured().find(|cell| cell.kind == Kind::Limit)
    }

    /// The peer with the best median.
    pub fn best_peer(&self) -> Option<&Cell> {
        let peers = self.measured().filter(|cell| cell.kind == Kind::Peer);
        peers.min_by(|one, other| {
            let (one, other) = (one.middle().median, other.middle().median);
            match self.better {
                Better::Less => one.total_cmp(&other),
                Better::More => other.total_cmp(&one),
            }
        })
    }

    /// A contestant that has samples.
    pub fn cell(&self, name: &str) -> Option<&Cell> {
        self.measured().find(|cell| cell.name == name)
    }

    /// Who was left out, together with others for the same reason.
    pub fn left_out(&self) -> Vec<(&str, Vec<&str>)> {
        let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
        for cell in &self.cells {
            let Some(reason) = cell.left_out.as_deref() else { continue };
            match reasons.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, names)) => names.push(&cell.name),
                None => reasons.push((reason, vec![&cell.name])),
            }
        }
        reasons
    }

    /// All that have samples.
    pub fn measured(&self) -> impl Iterator<Item = &Cell> {
        self.cells.iter().filter(|cell| !cell.samples.is_empty())
    }
}

impl Cell {
    /// The middle of the samples.
    ///
    /// # Panics
    ///
    /// If there are none.
    pub fn middle(&self) -> Middle {
        Middle::of(self.samples.iter().copied())
    }

    /// This one's figure, in the other's: the middle of the ratios, each of two rounds of one lap. `None` if the
    /// other one's is nothing.
    pub fn ratio_to(&self, other: &Cell) -> Option<Middle> {
        let pairs = self.samples.iter().zip(&other.samples).filter(|(_, other)| **other > 0.0);
        let ratios: Vec<f64> = pairs.map(|(one, other)| one / other).collect();
        (!ratios.is_empty()).then(|| Middle::of(ratios))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A measurement with homing, some peers and perhaps a limit.
    pub(crate) fn measurement(name: &str, cells: &[(&str, Kind, &[f64])]) -> Measurement {
        let cell = |(name, kind, samples): &(&str, Kind, &[f64])| Cell {
            name: (*name).to_owned(),
            kind: *kind,
            note: None,
            left_out: None,
            samples: samples.to_vec(),
        };
        Measurement {
            name: name.to_owned(),
            workload: name.to_owned(),
            about: format!("{name} is done"),
            unit: "ns/task".to_owned(),
            better: Better::Less,
            cells: cells.iter().map(cell).collect(),
        }
    }

    #[test]
    fn a_slow_lap_that_hurts_both_does_not_move_the_ratio() {
        let it = measurement(
            "spawn",
            &[
                ("homing", Kind::Subject, &[10.0, 30.0, 10.0, 50.0, 10.0]),
                ("tokio", Kind::Peer, &[20.0, 60.0, 20.0, 100.0, 20.0]),
            ],
        );
        let ratio = it.subject().unwrap().ratio_to(it.best_peer().unwrap()).unwrap();
        assert_eq!((ratio.low, ratio.median, ratio.high), (0.5, 0.5, 0.5));
    }

    #[test]
    fn neither_the_limit_nor_who_stands_aside_is_the_best_peer() {
        let it = measurement(
            "spawn",
            &[
                ("homing", Kind::Subject, &[3.0]),
                ("tokio", Kind::Peer, &[5.0]),
                ("smol", Kind::Peer, &[4.0]),
                ("moro", Kind::Aside, &[2.0]),
                ("limit", Kind::Limit, &[1.0]),
            ],
        );
        assert_eq!(it.best_peer().unwrap().name, "smol");
        assert_eq!(it.limit().unwrap().samples, [1.0]);
    }

    #[test]
    fn where_more_is_better_the_best_peer_has_the_most() {
        let cells: [(&str, Kind, &[f64]); 3] = [
            ("homing", Kind::Subject, &[30.0]),
            ("tokio", Kind::Peer, &[50.0]),
            ("smol", Kind::Peer, &[40.0]),
        ];
        let it = Measurement { better: Better::More, ..measurement("echo-50 throughput", &cells) };
        let best = it.best_peer().unwrap();
        assert_eq!(best.name, "tokio");
        assert_eq!(it.subject().unwrap().ratio_to(best).unwrap().median, 0.6);
    }

    #[test]
    fn who_is_left_out_for_the_same_reason_is_named_together() {
        let nobody: &[f64] = &[];
        let names = [("a", Kind::Peer, nobody), ("b", Kind::Peer, nobody), ("c", Kind::Peer, nobody)];
        let mut it = measurement("echo", &names);
        for (cell, reason) in it.cells.iter_mut().zip(["no sockets", "it failed", "no sockets"]) {
            cell.left_out = Some(reason.to_owned());
        }
        assert_eq!(it.left_out(), [("no sockets", vec!["a", "c"]), ("it failed", vec!["b"])]);
    }

    #[test]
    fn there_is_no_ratio_to_nothing() {
        let it = measurement("idle", &[("homing", Kind::Subject, &[0.0]), ("tokio", Kind::Peer, &[0.0])]);
        assert_eq!(it.subject().unwrap().ratio_to(it.best_peer().unwrap()), None);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let it = measurement("spawn", &[("homing", Kind::Subject, &[1.5, 2.5])]);
        let written = serde_json::to_string(&it).unwrap();
        assert_eq!(serde_json::from_str::<Measurement>(&written).unwrap(), it);
    }
}
