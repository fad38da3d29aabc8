//! Programs of the system that a test needs: where one is missing, it says so.

use std::process::Command;

/// Runs it, and says whether it has done what it should. `None`: there is no such program.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Option<bool> {
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => Some(true),
        Ok(output) => {
            eprintln!("{program}: {}", String::from_utf8_lossy(&output.stderr));
            Some(false)
        }
        Err(_) => {
            eprintln!("\n!!! NOT TESTED: there is no program {program} here !!!\n");
            None
        }
    }
}
