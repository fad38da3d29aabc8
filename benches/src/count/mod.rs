//! Instructions per operation: the figure that does not depend on how busy the machine is.
//!
//! valgrind's callgrind counts a process from beginning to end. So everything is run in two processes, more
//! often in one than in the other; the difference is what the additional times took, without start-up and
//! first use:
//!
//! ```text
//! start-up │ first use │ ░░                      │        fewer
//! start-up │ first use │ ░░░░░░░░░░░░░░░░░░░░░░░ │        more: the difference, by so many operations
//! ```
//!
//! * [`workloads`]: any workload, on any runtime, to compare them.
//! * [`operations`]: homing's elementary operations. What they take is [committed]; a change that makes one
//!   of them longer by more than a twentieth is found by the check.
//! * [`records`]: the same without the records that rows keep for who looks at them: what does seeing cost?
//!
//! A count knows nothing of cache misses and of mispredicted branches: fewer instructions are not always less
//! time.

pub mod committed;
pub mod operations;
pub mod records;
pub mod workloads;

use std::env;
use std::io;
use std::path::Path;
use std::process::Command;

/// The instructions of a whole process of this program with these arguments.
fn instructions(arguments: &[&str]) -> io::Result<f64> {
    instructions_of(&env::current_exe()?, arguments)
}

/// The same of another program.
fn instructions_of(program: &Path, arguments: &[&str]) -> io::Result<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(arguments)
        .output()
        .map_err(|error| io::Error::new(error.kind(), format!("valgrind cannot be run: {error}")))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let counted = said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    match counted {
        Some(counted) if output.status.success() => Ok(counted),
        _ => Err(io::Error::other(format!("valgrind has not counted '{}': {said}", arguments.join(" ")))),
    }
}

/// Whether there is a valgrind to count with.
pub fn is_possible() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success())
}
