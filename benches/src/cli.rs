//! The command line.

use crate::count;
use crate::rounds::{Plan, take_turns};
use crate::solo;
use crate::statistics::Middle;
use crate::workload::Scale;
use crate::workloads;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Microbenchmarks of executors, in turn.
#[derive(Parser)]
#[command(about, long_about = None)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measures the workloads whose name contains the filter, and prints medians
    Measure {
        #[arg(default_value = "")]
        filter: String,
        #[arg(long, default_value = "quick", value_parser = scale)]
        scale: Scale,
    },
    /// Counts instructions per operation (needs valgrind)
    Count {
        #[arg(default_value = "")]
        filter: String,
    },
    /// Runs one workload on one runtime, and nothing else: for a profiler
    Solo {
        workload: String,
        runtime: String,
        #[arg(value_parser = clap::value_parser!(u32).range(1..))]
        rounds: u32,
        /// full, quick, or smoke
        #[arg(long, default_value = "full", value_parser = scale)]
        scale: Scale,
    },
}

fn scale(name: &str) -> Result<Scale, String> {
    Scale::by_name(name).ok_or_else(|| "there are full, quick and smoke".to_owned())
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Measure { filter, scale } => {
            measure(&filter, scale);
            ExitCode::SUCCESS
        }
        Command::Count { filter } => match count::count_all(&filter) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("valgrind cannot be run, or has not counted: {error}");
                ExitCode::FAILURE
            }
        },
        Command::Solo { workload, runtime, rounds, scale } => {
            match solo::run(&workload, &runtime, rounds, scale) {
                Ok(figures) => {
                    let figures: Vec<String> = figures.iter().map(f64::to_string).collect();
                    println!("{}", figures.join(" "));
                    ExitCode::SUCCESS
                }
                Err(reason) => {
                    eprintln!("{reason}");
                    ExitCode::FAILURE
                }
            }
        }
    }
}

fn measure(filter: &str, scale: Scale) {
    for entry in workloads::all().into_iter().filter(|entry| entry.name.contains(filter)) {
        let rounds = take_turns(&entry, Plan::of(scale), |_, _| {});
        for (index, metric) in entry.metrics.iter().enumerate() {
            println!("{} {} ({})", entry.name, metric.name, metric.unit);
            for (contestant, rounds) in entry.contestants.iter().zip(&rounds) {
                match &contestant.prepare {
                    Ok(_) => {
                        let middle = Middle::of(rounds.iter().map(|figures| figures[index]));
                        println!(
                            "    {:<12} {:>10.1} ({:.1}–{:.1}) {}",
                            contestant.name,
                            middle.median,
                            middle.low,
                            middle.high,
                            rounds.len()
                        );
                    }
                    Err(reason) => println!("    {:<12} left out: {reason}", contestant.name),
                }
            }
        }
    }
}
