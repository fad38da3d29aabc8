//! Every workload runs, on every runtime that has been compiled in, and beside its limit.

use homing_benches::rounds::{Plan, take_turns};
use homing_benches::workload::Scale;
use homing_benches::workloads;

#[test]
fn every_workload_gives_a_figure_for_each_metric_of_whoever_takes_part() {
    for entry in workloads::all() {
        let rounds = take_turns(&entry, Plan::of(Scale::Smoke), |_, _| {});
        for (contestant, rounds) in entry.contestants.iter().zip(rounds) {
            if contestant.prepare.is_err() {
                continue;
            }
            let rounds =
                rounds.unwrap_or_else(|reason| panic!("{} on {}: {reason}", entry.name, contestant.name));
            assert_eq!(rounds.len(), 1, "{} on {}", entry.name, contestant.name);
            for figures in rounds {
                assert_eq!(figures.len(), entry.metrics.len(), "{} on {}", entry.name, contestant.name);
                assert!(figures.iter().all(|figure| figure.is_finite() && *figure >= 0.0), "{figures:?}");
            }
        }
    }
}

#[test]
fn homing_takes_part_in_every_workload() {
    for entry in workloads::all() {
        let homing = entry.contestant("homing").expect("homing is known everywhere");
        assert!(homing.prepare.is_ok(), "{}: {homing:?}", entry.name);
    }
}

#[test]
fn no_two_workloads_have_the_same_name() {
    let mut names: Vec<&str> = workloads::all().iter().map(|entry| entry.name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "{names:?}");
}
