//! Replays scenarios of the parity corpus: small concurrent programs with the traces that CPython's asyncio gave.
//!
//! ```text
//! cargo run --release --example parity -- tests/parity/visible.jsonl.gz
//! ```
//!
//! Takes any number of files of that format, gzipped or not; names each scenario whose traces differ, and how; ends with
//! one line `N passed, M failed`, and exit status 1 if any failed. The language is described in `tests/parity/`.

#[path = "../tests/parity/corpus.rs"]
mod corpus;
#[path = "../tests/parity/interpreter.rs"]
mod interpreter;

use clap::Parser;
use interpreter::{Verdict, check};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
#[command(about = "Replays scenarios, and compares with the traces of CPython's asyncio.")]
struct Arguments {
    /// Corpora: one JSON object a line, gzipped or not
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Run what is ready at one instant in a random order that depends on this number
    #[arg(long)]
    seed: Option<u64>,
    /// Also show how the traces differ
    #[arg(long)]
    verbose: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (mut passed, mut failed) = (0, 0);
    for file in &arguments.files {
        let scenarios = match corpus::read(file) {
            Ok(scenarios) => scenarios,
            Err(error) => {
                eprintln!("{}: {error}", file.display());
                failed += 1;
                continue;
            }
        };
        for scenario in scenarios {
            let name = scenario["name"].as_str().unwrap_or("?");
            match check(&scenario, arguments.seed) {
                Verdict::Same => passed += 1,
                Verdict::Different(tasks) => {
                    failed += 1;
                    println!("{name}");
                    for (task, expected, actual) in tasks.iter().filter(|_| arguments.verbose) {
                        println!("  {task}\n    CPython {expected}\n    homing  {actual}");
                    }
                }
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    ExitCode::from(u8::from(failed > 0))
}
