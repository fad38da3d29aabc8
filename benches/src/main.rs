//! The commands of the harness.

use homing_benches::cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
