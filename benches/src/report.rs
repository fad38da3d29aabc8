//! The report: criterion for each runtime by itself, and one table of them side by side.
//!
//! criterion measures one benchmark after the other, which is what the [rounds](crate::rounds) are there to avoid. So
//! the rounds are taken first, and criterion is handed what they took, sample by sample. It does the statistics,
//! remembers them (`--save-baseline`, `--baseline`) and tells what has changed; the iterations and seconds that it
//! says it will take are those of the handing over, not those of the measurement.

use crate::contenders::YARDSTICK;
use crate::lineup::Entry;
use crate::rounds::{Middle, Samples, take_turns};
use crate::workloads;
use criterion::{Bencher, Criterion, SamplingMode};
use std::cell::OnceCell;
use std::env;
use std::process::ExitCode;
use std::time::Duration;

/// Measures what the command line asks for, as criterion understands it.
pub(crate) fn run() -> ExitCode {
    let mut criterion = Criterion::default().configure_from_args();
    // Without the option that `cargo bench` gives, criterion only tries whether everything runs.
    let only_trying = !env::args().any(|word| word == "--bench");
    let mut table = Vec::new();
    for entry in workloads::all() {
        let rounds = if only_trying { 1 } else { entry.rounds };
        // Measured when the first of them is asked for: none may be, or not all.
        let measured = OnceCell::new();
        let mut group = criterion.benchmark_group(entry.name);
        group.sampling_mode(SamplingMode::Flat).sample_size(entry.rounds);
        // Criterion's warm-up watches the real clock, by which the handing over takes next to no time.
        group.warm_up_time(Duration::from_nanos(1)).measurement_time(Duration::from_secs(1));
        for (index, contestant) in entry.contestants.iter().enumerate() {
            let mut circle = None;
            group.bench_function(contestant.name, |bencher| {
                let samples: &Vec<Samples> = measured.get_or_init(|| take_turns(&entry, rounds));
                hand_over(bencher, circle.get_or_insert_with(|| samples[index].iter().copied().cycle()));
            });
        }
        group.finish();
        if let Some(samples) = measured.into_inner() {
            table.push((entry, samples));
        }
    }
    criterion.final_summary();
    if !only_trying && !table.is_empty() {
        print(&table);
    }
    ExitCode::SUCCESS
}

/// Lets criterion have one sample after the other. It begins with one or a few as a warm-up, so it is given them in a
/// circle.
fn hand_over(bencher: &mut Bencher<'_>, samples: &mut impl Iterator<Item = f64>) {
    bencher.iter_custom(|iterations| {
        let sample = samples.next().expect("a circle has no end");
        Duration::from_nanos((sample * iterations as f64) as u64)
    });
}

/// The table, in Markdown: medians of all rounds, in brackets the quartiles.
fn print(table: &[(Entry, Vec<Samples>)]) {
    let names: Vec<&str> = table[0].0.contestants.iter().map(|contestant| contestant.name).collect();
    let Some(yardstick) = names.iter().position(|name| *name == YARDSTICK) else { return };
    print!("\n| {:<18} ", "ns per operation");
    names.iter().for_each(|name| print!("| {name:<22} "));
    compared(&names, yardstick).for_each(|(_, name)| print!("| {:<22} ", format!("{name} : {YARDSTICK}")));
    println!("|\n|--------------------{}|", "|------------------------".repeat(2 * names.len() - 1));
    for (entry, samples) in table {
        print!("| {:<18} ", entry.name);
        samples.iter().for_each(|samples| print_middle(samples.iter().copied(), 1));
        for (index, _) in compared(&names, yardstick) {
            // Of each round by itself: the two were measured right after one another.
            print_middle(samples[index].iter().zip(&samples[yardstick]).map(|(one, other)| one / other), 2);
        }
        println!("|");
    }
}

fn compared<'a>(names: &'a [&'a str], yardstick: usize) -> impl Iterator<Item = (usize, &'a str)> {
    names.iter().copied().enumerate().filter(move |(index, _)| *index != yardstick)
}

fn print_middle(numbers: impl Iterator<Item = f64>, digits: usize) {
    let Middle { low, median, high } = Middle::of(numbers);
    print!("| {:<22} ", format!("{median:.digits$} ({low:.digits$}–{high:.digits$})"));
}
