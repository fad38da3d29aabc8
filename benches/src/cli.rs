//! The command line.

use crate::compare::{Meaning, compare, table};
use crate::count::operations::OPERATIONS;
use crate::count::{self, committed, records};
use crate::load::{Load, Pace, Protocol, hold_until_the_input_ends};
use crate::report;
use crate::setting::rustc;
use crate::solo;
use crate::standing;
use crate::workload::Scale;
use crate::workloads;
use clap::{Parser, Subcommand};
use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Microbenchmarks of executors, in turn.
#[derive(Parser)]
#[command(name = "homing-benches", about, long_about = None)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measures everything, and writes report.md, report.html and report.json
    Report {
        /// Only workloads whose name contains this
        #[arg(default_value = "")]
        filter: String,
        /// As much work as each workload says: twenty minutes instead of a minute and a half
        #[arg(long)]
        full: bool,
        /// Where to
        #[arg(long, default_value = "target/benches")]
        out: PathBuf,
    },
    /// Writes the pages of a run anew, from its report.json
    Draw {
        /// The report.json
        run: PathBuf,
        /// Where to
        #[arg(long, default_value = "target/benches")]
        out: PathBuf,
    },
    /// Measures, and prints tables
    Measure {
        /// Only workloads whose name contains this
        #[arg(default_value = "")]
        filter: String,
        /// As much work as each workload says
        #[arg(long)]
        full: bool,
    },
    /// Tells what has become slower between two runs; fails if something has
    Compare {
        /// The report.json of the older run
        old: PathBuf,
        /// The report.json of the newer run
        new: PathBuf,
    },
    /// Counts instructions per operation: of homing's elementary ones, or of workloads (needs valgrind)
    Count {
        /// Workloads whose name contains this, on all runtimes
        #[arg(conflicts_with_all = ["check", "commit", "without"])]
        filter: Option<String>,
        /// Fails if one takes over five per cent more than `counts.tsv` says
        #[arg(long)]
        check: bool,
        /// Writes `counts.tsv` anew
        #[arg(long)]
        commit: bool,
        /// Counts as well in this program, a build of the harness with `--cfg homing_unrecorded`, and tells what the records
        /// cost that rows keep for who looks at them
        #[arg(long, conflicts_with_all = ["check", "commit"])]
        without: Option<PathBuf>,
    },
    /// Does one of homing's elementary operations so many times, and nothing else
    #[command(hide = true)]
    Operation { name: String, times: u32 },
    /// Runs one workload on one runtime, and nothing else: for a profiler
    Solo {
        /// Its name
        workload: String,
        /// Its name, or `limit`
        runtime: String,
        /// How many
        #[arg(value_parser = clap::value_parser!(u32).range(1..))]
        rounds: u32,
        /// full, quick, or smoke
        #[arg(long, default_value = "full", value_parser = scale)]
        scale: Scale,
    },
    /// Asks a server, as the workloads' client does, and tells what it has seen: how many messages, in how many
    /// seconds, latency p50 and p99 in microseconds
    Load {
        /// echo or http
        protocol: Protocol,
        /// The server's
        address: SocketAddr,
        /// How many
        #[arg(value_parser = clap::value_parser!(u32).range(1..))]
        connections: u32,
        /// How many in all
        #[arg(value_parser = clap::value_parser!(u64).range(1..))]
        messages: u64,
        /// All at once, when all have their answers; else each on its own
        #[arg(long)]
        volleys: bool,
    },
    /// Holds connections to an echo server until its input ends
    #[command(hide = true)]
    Hold { address: SocketAddr, connections: usize },
    /// Serves on one runtime until it is interrupted: for another load generator
    Serve {
        /// echo or http
        protocol: Protocol,
        /// Its name
        runtime: String,
    },
    /// Lists the workloads, and who takes part
    List,
}

fn scale(name: &str) -> Result<Scale, String> {
    Scale::by_name(name).ok_or_else(|| "there are full, quick and smoke".to_owned())
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Report { filter, full, out } => write_report(&filter, full, &out),
        Command::Draw { run, out } => draw(&run, &out),
        Command::Measure { filter, full } => {
            let results = report::measure(&filter, how_much(full));
            println!("{}\n{}", report::details(&results), report::summary(&results));
            Ok(ExitCode::SUCCESS)
        }
        Command::Compare { old, new } => show_changes(&old, &new),
        Command::Count { filter: Some(filter), .. } => {
            count::workloads::print_all(&filter).map(|()| ExitCode::SUCCESS).map_err(Into::into)
        }
        Command::Count { without: Some(program), .. } => count_records(&program),
        Command::Count { filter: None, check, commit, .. } => count_operations(check, commit),
        Command::Operation { name, times } => operate(&name, times),
        Command::Solo { workload, runtime, rounds, scale } => {
            solo::run(&workload, &runtime, rounds, scale).map_err(Into::into).map(|figures| {
                let figures: Vec<String> = figures.iter().map(f64::to_string).collect();
                println!("{}", figures.join(" "));
                ExitCode::SUCCESS
            })
        }
        Command::Load { protocol, address, connections, messages, volleys } => {
            let pace = if volleys { Pace::Volleys } else { Pace::Steady };
            let load = Load { protocol, connections: connections as usize, messages, pace };
            load.run(address).map_err(Into::into).map(|seen| {
                println!("{seen}");
                ExitCode::SUCCESS
            })
        }
        Command::Hold { address, connections } => {
            hold_until_the_input_ends(address, connections).map_err(Into::into).map(|()| ExitCode::SUCCESS)
        }
        Command::Serve { protocol, runtime } => Err(standing::serve(protocol, &runtime).into()),
        Command::List => {
            list();
            Ok(ExitCode::SUCCESS)
        }
    };
    done.unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}

fn how_much(full: bool) -> Scale {
    if full { Scale::Full } else { Scale::Quick }
}

fn write_report(filter: &str, full: bool, out: &Path) -> Result<ExitCode, Box<dyn Error>> {
    let results = report::measure(filter, how_much(full));
    report::write(&results, out)?;
    println!("{}", report::summary(&results));
    results.setting.misgivings().iter().for_each(|misgiving| println!("Mind: {misgiving}."));
    println!("Written: report.html, report.md and report.json in {}", out.display());
    Ok(ExitCode::SUCCESS)
}

fn draw(run: &Path, out: &Path) -> Result<ExitCode, Box<dyn Error>> {
    report::write(&report::read(run)?, out)?;
    println!("Written: report.html, report.md and report.json in {}", out.display());
    Ok(ExitCode::SUCCESS)
}

fn show_changes(old: &Path, new: &Path) -> Result<ExitCode, Box<dyn Error>> {
    let changes = compare(&report::read(old)?, &report::read(new)?)?;
    println!("{}", table(&changes));
    let slower = changes.iter().filter(|change| change.meaning() == Meaning::Slower).count();
    println!("{slower} of {} measurements became slower.", changes.len());
    Ok(if slower == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn count_operations(check: bool, commit: bool) -> Result<ExitCode, Box<dyn Error>> {
    let counted = committed::count_all()?;
    let table = committed::table(&counted, &rustc());
    print!("{table}");
    if commit {
        fs::write(committed::path(), &table)?;
        println!("written: {}", committed::path().display());
    }
    if !check {
        return Ok(ExitCode::SUCCESS);
    }
    let before = fs::read_to_string(committed::path())?;
    if !committed::is_of_this_processor(&before) {
        println!("NOT CHECKED: the committed counts are of another kind of processor.");
        return Ok(ExitCode::SUCCESS);
    }
    let complaints = committed::complaints(&committed::parse(&before)?, &counted);
    if complaints.is_empty() {
        println!("None takes over {} % more than is committed.", committed::MAY_GROW * 100.0);
        return Ok(ExitCode::SUCCESS);
    }
    complaints.iter().for_each(|complaint| eprintln!("{complaint}"));
    eprintln!(
        "If that is what it costs, say so: `count --commit`, and the reason in the commit. The table was:"
    );
    eprintln!("{}", before.lines().next().unwrap_or_default());
    Ok(ExitCode::FAILURE)
}

fn count_records(without: &Path) -> Result<ExitCode, Box<dyn Error>> {
    let (with, without) = (committed::count_all()?, committed::count_all_of(without)?);
    print!("{}", records::table(&with, &without));
    Ok(ExitCode::SUCCESS)
}

fn operate(name: &str, times: u32) -> Result<ExitCode, Box<dyn Error>> {
    let operation = OPERATIONS.iter().find(|operation| operation.name == name);
    operation.ok_or("there is no such operation")?.run(times);
    Ok(ExitCode::SUCCESS)
}

fn list() {
    for entry in workloads::all() {
        println!("{}: {}", entry.name, entry.about);
        for contestant in &entry.contestants {
            match (&contestant.prepare, &contestant.note) {
                (Err(reason), _) => println!("    {:<18} left out: {reason}", contestant.name),
                (Ok(_), note) => {
                    println!("    {:<18} {}", contestant.name, note.as_deref().unwrap_or_default())
                }
            }
        }
    }
}
