//! The workloads under criterion: `cargo bench -p homing-benches --features peers -- [FILTER] [criterion's
//! options]`.
//!
//! criterion measures one benchmark after the other, which is what the [rounds](homing_benches::rounds) are
//! there to avoid. So the rounds are taken first, and criterion is handed what they gave, sample by sample.
//! It does its statistics, remembers them (`--save-baseline`, `--baseline`) and tells what has changed; the
//! iterations and seconds that it says it will take are those of the handing over, not those of the
//! measurement. It knows times only: of messages in a second it is told what one takes.

use criterion::{Bencher, BenchmarkGroup, Criterion, SamplingMode, measurement::WallTime};
use homing_benches::cli;
use homing_benches::lineup::Entry;
use homing_benches::rounds::{Plan, Rounds, take_turns};
use homing_benches::workload::Scale;
use homing_benches::workloads;
use std::cell::OnceCell;
use std::env;
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    // Workloads that want a process of their own, and the clients of servers, start this program again.
    if matches!(env::args().nth(1).as_deref(), Some("solo" | "load")) {
        return cli::main();
    }
    let mut criterion = Criterion::default().configure_from_args();
    // Without the option that `cargo bench` gives, criterion only tries whether everything runs.
    let only_trying = !env::args().any(|word| word == "--bench");
    let plan = Plan::of(if only_trying { Scale::Smoke } else { Scale::Quick });
    for entry in workloads::all() {
        bench(&mut criterion, &entry, plan);
    }
    criterion.final_summary();
    ExitCode::SUCCESS
}

fn bench(criterion: &mut Criterion, entry: &Entry, plan: Plan) {
    // Measured when the first of them is asked for: none may be, or not all.
    let measured = OnceCell::new();
    for (index, metric) in entry.metrics.iter().enumerate() {
        let name = metric.of(entry.name);
        // Criterion can show times: what is none, such as bytes, and may be zero, is left to the report.
        if metric.nanos(1.0).is_none() {
            continue;
        }
        let mut group = criterion.benchmark_group(name);
        configure(&mut group);
        for (place, contestant) in entry.contestants.iter().enumerate() {
            if contestant.prepare.is_err() {
                continue;
            }
            let mut turn = 0;
            group.bench_function(contestant.name, |bencher| {
                let rounds: &Vec<Rounds> = measured.get_or_init(|| take_turns(entry, plan, |_, _| {}));
                let rounds =
                    rounds[place].as_ref().unwrap_or_else(|reason| panic!("{}: {reason}", contestant.name));
                hand_over(bencher, || {
                    turn += 1;
                    metric.nanos(rounds[turn % rounds.len()][index]).expect("it is a time")
                });
            });
        }
        group.finish();
    }
}

fn configure(group: &mut BenchmarkGroup<'_, WallTime>) {
    group.sampling_mode(SamplingMode::Flat).sample_size(40);
    // Criterion's warm-up watches the real clock, by which the handing over takes next to no time.
    group.warm_up_time(Duration::from_nanos(1)).measurement_time(Duration::from_secs(1));
}

/// Lets criterion have one sample after the other. It begins with one or a few as a warm-up, so they come in
/// a circle.
fn hand_over(bencher: &mut Bencher<'_>, mut next: impl FnMut() -> f64) {
    bencher.iter_custom(|iterations| Duration::from_nanos((next() * iterations as f64) as u64));
}
