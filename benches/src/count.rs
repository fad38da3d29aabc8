//! Instructions per operation: the figure that does not depend on how busy the machine is.
//!
//! valgrind counts a process from beginning to end. So each pair of workload and runtime runs in two processes, with more
//! rounds in one than in the other; the difference is what those rounds took, without start-up and first use.

use crate::lineup::Entry;
use crate::workload::Scale;
use crate::workloads;
use std::env;
use std::io;
use std::process::Command;

const FEWER: u32 = 1;
const MORE: u32 = 3;

/// Counts all workloads whose name contains the filter, and prints a table in Markdown.
///
/// # Errors
///
/// If there is no such workload, or valgrind does not run.
pub fn count_all(filter: &str) -> io::Result<()> {
    let entries: Vec<Entry> = workloads::all()
        .into_iter()
        .filter(|entry| entry.name.contains(filter) && (entry.operations)(Scale::Full).is_some())
        .collect();
    let Some(first) = entries.first() else {
        return Err(io::Error::other(format!("no workload that can be counted is called like '{filter}'")));
    };
    print!("| {:<26} ", "instructions per operation");
    first.contestants.iter().for_each(|contestant| print!("| {:<8} ", contestant.name));
    println!("|\n|----------------------------{}|", "|----------".repeat(first.contestants.len()));
    for entry in &entries {
        print!("| {:<26} ", entry.name);
        for contestant in &entry.contestants {
            let count = |rounds| instructions(entry.name, contestant.name, rounds);
            if contestant.prepare.is_err() {
                print!("| {:<8} ", "–");
                continue;
            }
            let counted = count(MORE)? - count(FEWER)?;
            let operations =
                f64::from(MORE - FEWER) * f64::from((entry.operations)(Scale::Full).expect("filtered above"));
            print!("| {:<8.1} ", counted / operations);
        }
        println!("|");
    }
    Ok(())
}

/// The instructions of a whole process that does nothing but so many rounds.
fn instructions(workload: &str, contestant: &str, rounds: u32) -> io::Result<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe()?)
        .args(["solo", workload, contestant, &rounds.to_string()])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let counted = said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    counted.ok_or_else(|| io::Error::other(said.into_owned()))
}
