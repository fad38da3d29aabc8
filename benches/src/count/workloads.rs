//! Counts of workloads, on all runtimes.

use super::instructions;
use crate::lineup::Entry;
use crate::workload::Scale;
use crate::workloads;
use std::io;

const FEWER: u32 = 1;
const MORE: u32 = 3;

/// Counts all workloads whose name contains the filter and that can be counted, and prints a table in
/// Markdown as it goes.
///
/// # Errors
///
/// If there is no such workload, or valgrind does not run.
pub fn print_all(filter: &str) -> io::Result<()> {
    let can_be_counted = |entry: &Entry| (entry.operations)(Scale::Quick).is_some();
    let entries: Vec<Entry> = workloads::all()
        .into_iter()
        .filter(|entry| entry.name.contains(filter) && can_be_counted(entry))
        .collect();
    if entries.is_empty() {
        return Err(io::Error::other(format!("no workload that can be counted is called like '{filter}'")));
    }
    println!("| instructions per operation | | |\n|---|---|---:|");
    for entry in &entries {
        let operations = f64::from((entry.operations)(Scale::Quick).expect("those that cannot are left out"));
        for contestant in entry.contestants.iter().filter(|contestant| contestant.prepare.is_ok()) {
            let count = |rounds: u32| {
                instructions(&["solo", entry.name, contestant.name, &rounds.to_string(), "--scale", "quick"])
            };
            match count(FEWER).and_then(|fewer| Ok(count(MORE)? - fewer)) {
                Ok(more) => {
                    let each = more / (f64::from(MORE - FEWER) * operations);
                    println!("| {} | {} | {each:.1} |", entry.name, contestant.name);
                }
                // valgrind does not know every system call; and Python would be counted waiting.
                Err(error) if super::is_possible() => {
                    let reason = error.to_string();
                    let reason = reason.lines().last().unwrap_or_default();
                    println!("| {} | {} | – ({}) |", entry.name, contestant.name, reason.trim());
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}
