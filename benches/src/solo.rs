//! Solo: one workload on one contestant in a process, and nothing else. For profilers and valgrind, and for
//! workloads that measure the process.

use crate::lineup::Entry;
use crate::workload::{Figures, Scale};
use crate::workloads;
use std::env;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

static THIS_PROCESS: AtomicBool = AtomicBool::new(false);

/// Whether this process runs solo.
pub(crate) fn is_this_process() -> bool {
    THIS_PROCESS.load(Ordering::Relaxed)
}

/// Runs so many rounds, and gives the figures of the last one.
///
/// # Errors
///
/// If there is no such workload, or the contestant takes no part in it: why.
///
/// # Panics
///
/// If `rounds` is zero.
pub fn run(workload: &str, contestant: &str, rounds: u32, scale: Scale) -> Result<Figures, String> {
    THIS_PROCESS.store(true, Ordering::Relaxed);
    let entries = workloads::all();
    let prepare = find(&entries, workload, contestant)?;
    let mut round = prepare(scale);
    let figures = (0..rounds).map(|_| round()).last();
    Ok(figures.expect("at least one round"))
}

fn find<'a>(
    entries: &'a [Entry],
    workload: &str,
    contestant: &str,
) -> Result<&'a crate::lineup::Prepare, String> {
    let entry = entries.iter().find(|entry| entry.name == workload);
    let entry = entry.ok_or_else(|| format!("there is no workload '{workload}'"))?;
    let found = entry.contestant(contestant);
    let found = found.ok_or_else(|| format!("'{contestant}' is unknown in '{workload}'"))?;
    found.prepare.as_ref().map_err(|reason| format!("'{contestant}' is left out of '{workload}': {reason}"))
}

/// Runs one round in a new process of this program.
///
/// # Panics
///
/// If that process fails.
pub(crate) fn in_a_process(workload: &str, contestant: &str, scale: Scale) -> Figures {
    let program = env::current_exe().expect("the program knows where it is");
    let output = Command::new(program)
        .args(["solo", workload, contestant, "1", "--scale", scale.name()])
        .output()
        .expect("a program that runs can be run again");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{contestant} failed in {workload}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let figures: Option<Figures> = said.split_whitespace().map(|figure| figure.parse().ok()).collect();
    figures.unwrap_or_else(|| panic!("{contestant} in {workload} said '{said}'"))
}
