//! Instructions per operation: the figure that does not depend on how busy the machine is.
//!
//! valgrind counts a process from beginning to end. So each pair of workload and contender runs in two processes, with
//! more rounds in one than in the other; the difference is what those rounds took, without start-up and first use.

use crate::lineup::Entry;
use crate::workloads;
use std::env;
use std::io;
use std::process::{Command, ExitCode};

const FEWER: u32 = 1;
const MORE: u32 = 3;

/// Counts all workloads whose name contains the filter, and prints a table in Markdown.
pub(crate) fn count_all(filter: &str) -> ExitCode {
    let entries: Vec<Entry> =
        workloads::all().into_iter().filter(|entry| entry.name.contains(filter)).collect();
    let Some(first) = entries.first() else {
        eprintln!("no workload is called like '{filter}'");
        return ExitCode::FAILURE;
    };
    print!("| {:<26} ", "instructions per operation");
    first.contestants.iter().for_each(|contestant| print!("| {:<8} ", contestant.name));
    println!("|\n|----------------------------{}|", "|----------".repeat(first.contestants.len()));
    for entry in &entries {
        print!("| {:<26} ", entry.name);
        for contestant in &entry.contestants {
            let count = |rounds| instructions(entry.name, contestant.name, rounds);
            match count(FEWER).and_then(|fewer| Ok(count(MORE)? - fewer)) {
                Ok(counted) => print!("| {:<8.1} ", counted / f64::from((MORE - FEWER) * entry.operations)),
                Err(error) => {
                    eprintln!("\nvalgrind cannot be run, or has not counted: {error}");
                    return ExitCode::FAILURE;
                }
            }
        }
        println!("|");
    }
    ExitCode::SUCCESS
}

/// The instructions of a whole process that does nothing but so many rounds.
fn instructions(workload: &str, contender: &str, rounds: u32) -> io::Result<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe()?)
        .args(["solo", workload, contender, &rounds.to_string()])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let counted = said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    counted.ok_or_else(|| io::Error::other(said.into_owned()))
}

/// Runs so many rounds of one workload on one contender, and nothing else.
pub(crate) fn solo(workload: &str, contender: &str, rounds: &str) -> ExitCode {
    let entries = workloads::all();
    let entry = entries.iter().find(|entry| entry.name == workload);
    let contestant = entry.and_then(|entry| entry.contestants.iter().find(|other| other.name == contender));
    let (Some(contestant), Ok(rounds)) = (contestant, rounds.parse::<u32>()) else {
        eprintln!(
            "solo WORKLOAD CONTENDER ROUNDS: there is no '{workload}' for '{contender}', or '{rounds}' is no number"
        );
        return ExitCode::FAILURE;
    };
    let mut round = contestant.prepare();
    for _ in 0..rounds {
        round();
    }
    ExitCode::SUCCESS
}
