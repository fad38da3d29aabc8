//! Comparing two runs: what has become slower?
//!
//! Between two runs the machine has changed more than the code. But in both runs the peers were measured
//! beside homing, and their code is the same: what has changed with them is the machine. They are the control
//! group:
//!
//! ```text
//! homing:  new / old = 1.31  ┐
//! tokio:   new / old = 1.22  │   drift = median of the peers' = 1.22   homing's own change = 1.31 / 1.22 = 1.07
//! smol:    new / old = 1.25  │   noise = how far the peers are apart, and how well each median is known
//! monoio:  new / old = 1.18  ┘           a change counts when it is greater than that, and than 5 %
//! ```
//!
//! A peer whose version has changed is no control. Without peers in the files there is no drift to be seen,
//! and the figures are taken as they are.

use crate::lineup::Kind;
use crate::results::{Cell, Measurement, Results};
use crate::statistics::{number, percentile};
use crate::workload::Better;
use std::fmt;

/// A change below this is none, however sure it is: another layout of the program's code can make as much.
pub const TOLERANCE: f64 = 0.05;

/// What has become of one measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The measurement's name.
    pub name: String,
    /// The old median.
    pub old: f64,
    /// The new median.
    pub new: f64,
    /// New to old, the machine's drift taken out: 1.1 is ten per cent more.
    pub ratio: f64,
    /// Whether more is good.
    pub better: Better,
    /// By how much the ratio must differ from 1 to mean something.
    pub threshold: f64,
}

/// What a change means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Less time, or memory; or more, where more is better.
    Faster,
    /// No difference that can be told from noise.
    Same,
    /// The other way round.
    Slower,
}

/// Why two runs cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incomparable {
    /// One is quick and one is full: their rounds do different amounts of work.
    Scales(String, String),
    /// They have no measurement of homing in common.
    NothingInCommon,
}

impl Change {
    /// What it means.
    pub fn meaning(&self) -> Meaning {
        let (more, less) = match self.better {
            Better::Less => (Meaning::Slower, Meaning::Faster),
            Better::More => (Meaning::Faster, Meaning::Slower),
        };
        if self.ratio > 1.0 + self.threshold {
            more
        } else if self.ratio < 1.0 / (1.0 + self.threshold) {
            less
        } else {
            Meaning::Same
        }
    }
}

/// Compares two runs.
///
/// # Errors
///
/// If they cannot be compared.
pub fn compare(old: &Results, new: &Results) -> Result<Vec<Change>, Incomparable> {
    if old.setting.scale != new.setting.scale {
        return Err(Incomparable::Scales(old.setting.scale.clone(), new.setting.scale.clone()));
    }
    let changes: Vec<Change> = new
        .measurements
        .iter()
        .filter_map(|new_one| {
            let old_one = old.measurements.iter().find(|old_one| old_one.name == new_one.name)?;
            let control = |peer: &Cell| same_version(old, new, &peer.name);
            change(old_one, new_one, control)
        })
        .collect();
    if changes.is_empty() { Err(Incomparable::NothingInCommon) } else { Ok(changes) }
}

/// What has changed with homing, beside those peers that `control` lets pass.
fn change(old: &Measurement, new: &Measurement, control: impl Fn(&Cell) -> bool) -> Option<Change> {
    let (old_one, new_one) = (old.subject()?.middle(), new.subject()?.middle());
    let mut peers: Vec<f64> = new
        .measured()
        .filter(|peer| peer.kind == Kind::Peer && control(peer))
        .filter_map(|peer| Some((peer.middle().median, old.cell(&peer.name)?.middle().median)))
        .filter(|(_, old)| *old > 0.0)
        .map(|(new, old)| new / old)
        .collect();
    let drift = if peers.is_empty() { 1.0 } else { percentile(&mut peers, 0.5) };
    let mut scatter: Vec<f64> = peers.iter().map(|peer| (peer / drift - 1.0).abs()).collect();
    let scatter = if scatter.len() < 3 { 0.0 } else { percentile(&mut scatter, 0.75) };
    // How far off each median may be, as a part of it; the two are independent.
    let unsure =
        |from: f64, to: f64, median: f64| if median > 0.0 { (to - from) / 2.0 / median } else { 0.0 };
    let one = unsure(old_one.from, old_one.to, old_one.median);
    let other = unsure(new_one.from, new_one.to, new_one.median);
    let ratio = match (old_one.median > 0.0, new_one.median > 0.0) {
        (true, _) => new_one.median / old_one.median / drift,
        (false, true) => f64::INFINITY,
        (false, false) => 1.0,
    };
    let threshold = TOLERANCE.max(one.hypot(other).max(scatter));
    let (name, better) = (new.name.clone(), new.better);
    Some(Change { name, old: old_one.median, new: new_one.median, ratio, better, threshold })
}

/// Whether a runtime is the same code in both runs.
fn same_version(old: &Results, new: &Results, runtime: &str) -> bool {
    old.setting.versions.get(runtime) == new.setting.versions.get(runtime)
}

/// The table, in Markdown.
pub fn table(changes: &[Change]) -> String {
    let mut table = String::from(
        "| measurement | old | new | change, drift taken out | must exceed | |\n\
         |---|---:|---:|---:|---:|---|\n",
    );
    for change in changes {
        let meaning = match change.meaning() {
            Meaning::Faster => "faster",
            Meaning::Same => "",
            Meaning::Slower => "**slower**",
        };
        let percent = (change.ratio - 1.0) * 100.0;
        let threshold = change.threshold * 100.0;
        table.push_str(&format!(
            "| {} | {} | {} | {percent:+.1} % | {threshold:.1} % | {meaning} |\n",
            change.name,
            number(change.old),
            number(change.new)
        ));
    }
    table
}

impl fmt::Display for Incomparable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Incomparable::Scales(old, new) => {
                write!(f, "the old run was at scale '{old}', the new one at '{new}': their rounds differ")
            }
            Incomparable::NothingInCommon => write!(f, "the two runs have no measurement in common"),
        }
    }
}

impl std::error::Error for Incomparable {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lineup::Kind::{Peer, Subject};
    use crate::results::tests::measurement;
    use crate::setting::Setting;

    fn run(scale: &str, homing: &[f64], peers: &[f64]) -> Results {
        let names = ["tokio", "smol", "monoio", "compio"];
        let peers: Vec<Vec<f64>> = peers.iter().map(|&figure| vec![figure; 15]).collect();
        let mut cells = vec![("homing", Subject, homing)];
        cells.extend(names.iter().zip(&peers).map(|(name, samples)| (*name, Peer, &samples[..])));
        let setting = Setting { scale: scale.to_owned(), ..Setting::default() };
        Results { setting, measurements: vec![measurement("spawn-join", &cells)] }
    }

    fn meaning(old: &Results, new: &Results) -> Meaning {
        compare(old, new).unwrap()[0].meaning()
    }

    #[test]
    fn what_has_become_slower_by_more_than_the_noise_is_slower() {
        let old = run("full", &[100.0; 15], &[200.0; 4]);
        assert_eq!(meaning(&old, &run("full", &[112.0; 15], &[200.0; 4])), Meaning::Slower);
        assert_eq!(meaning(&old, &run("full", &[103.0; 15], &[200.0; 4])), Meaning::Same);
        assert_eq!(meaning(&old, &run("full", &[80.0; 15], &[200.0; 4])), Meaning::Faster);
    }

    #[test]
    fn where_more_is_better_less_is_slower() {
        let throughput = |figure| {
            let mut run = run("full", &[figure; 15], &[200.0; 4]);
            run.measurements[0].better = Better::More;
            run
        };
        assert_eq!(meaning(&throughput(100.0), &throughput(112.0)), Meaning::Faster);
        assert_eq!(meaning(&throughput(100.0), &throughput(97.0)), Meaning::Same);
        assert_eq!(meaning(&throughput(100.0), &throughput(80.0)), Meaning::Slower);
    }

    #[test]
    fn a_slower_machine_is_not_a_slower_runtime() {
        let old = run("full", &[100.0; 15], &[200.0; 4]);
        let new = run("full", &[150.0; 15], &[300.0; 4]);
        assert_eq!(meaning(&old, &new), Meaning::Same);
    }

    #[test]
    fn a_machine_that_got_faster_does_not_hide_a_slower_runtime() {
        let old = run("full", &[100.0; 15], &[200.0; 4]);
        let new = run("full", &[100.0; 15], &[100.0; 4]);
        assert_eq!(meaning(&old, &new), Meaning::Slower);
    }

    #[test]
    fn where_the_peers_differ_among_themselves_a_small_change_means_nothing() {
        let old = run("full", &[100.0; 15], &[200.0; 4]);
        let new = run("full", &[112.0; 15], &[160.0, 190.0, 210.0, 240.0]);
        assert_eq!(meaning(&old, &new), Meaning::Same);
    }

    #[test]
    fn a_median_that_is_not_well_known_cannot_have_changed_much() {
        let wavering: Vec<f64> = (0..15).map(|lap| 70.0 + 5.0 * f64::from(lap)).collect();
        let old = run("full", &wavering, &[200.0; 4]);
        let new = run("full", &[118.0; 15], &[200.0; 4]);
        assert_eq!(meaning(&old, &new), Meaning::Same);
    }

    #[test]
    fn a_peer_of_another_version_is_no_control() {
        let old = run("full", &[100.0; 15], &[200.0]);
        let mut new = run("full", &[100.0; 15], &[100.0]);
        new.setting.versions.insert("tokio".to_owned(), "2.0.0".to_owned());
        assert_eq!(meaning(&old, &new), Meaning::Same);
    }

    #[test]
    fn waking_up_where_there_was_no_wake_up_is_slower() {
        let old = run("full", &[0.0; 15], &[200.0; 4]);
        assert_eq!(meaning(&old, &run("full", &[3.0; 15], &[200.0; 4])), Meaning::Slower);
        assert_eq!(meaning(&old, &run("full", &[0.0; 15], &[200.0; 4])), Meaning::Same);
    }

    #[test]
    fn a_quick_run_is_not_compared_with_a_full_one() {
        let (old, new) = (run("quick", &[1.0], &[]), run("full", &[1.0], &[]));
        assert!(matches!(compare(&old, &new), Err(Incomparable::Scales(..))));
    }
}
