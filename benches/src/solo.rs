//! Solo: one workload on one contestant in a process, and nothing else. For profilers and valgrind, and for
//! workloads that measure the process.

use crate::lineup::Entry;
use crate::traced;
use crate::workload::{Figures, Scale};
use crate::workloads;
use std::env;
use std::process::{Command, Output};
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
    let output = itself(workload, contestant, scale).output();
    figures(&output.expect("a program that runs can be run again"), contestant)
}

/// The same, with its system calls counted: how many there were for each of what the round says it did.
///
/// # Panics
///
/// If that process fails, or processes may not be traced here.
pub(crate) fn in_a_traced_process(workload: &str, contestant: &str, scale: Scale) -> Figures {
    let traced = traced::run(itself(workload, contestant, scale));
    let traced = traced.unwrap_or_else(|error| panic!("system calls cannot be counted: {error}"));
    let done = figures(&traced.output, contestant);
    done.iter().map(|done| traced.calls as f64 / done).collect()
}

fn itself(workload: &str, contestant: &str, scale: Scale) -> Command {
    let mut command = Command::new(env::current_exe().expect("the program knows where it is"));
    command.args(["solo", workload, contestant, "1", "--scale", scale.name()]);
    command
}

fn figures(output: &Output, contestant: &str) -> Figures {
    assert!(output.status.success(), "{}", last_words(output, contestant));
    let said = String::from_utf8_lossy(&output.stdout);
    let figures: Option<Figures> = said.split_whitespace().map(|figure| figure.parse().ok()).collect();
    figures.unwrap_or_else(|| panic!("{contestant} said '{said}'"))
}

/// Why a process failed, as far as it said.
pub(crate) fn last_words(output: &Output, who: &str) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    match said.trim() {
        "" => format!("{who} ended with {}", output.status),
        said => format!("{who} failed: {said}"),
    }
}
