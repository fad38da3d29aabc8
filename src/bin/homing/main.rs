//! The command `homing`: which task of that program waits for what, where, and who waits for it?
//!
//! ```text
//!   homing ps | pstree                WHAT ──► Reader ──► Reading ──────────────────► lines
//!   homing dot | json                 WHAT ──► Reader ──► Reading ──► TaskTable ──► text
//!   homing top                        WHAT ──► Reader ──► Sampler ──► rows ───────► screen, or text
//! ```
//!
//! WHAT is the id of a process, a core file, or a black box. See `homing-reader` for how it is read.
#![forbid(unsafe_code)]

mod output;
mod sampler;
mod screen;
mod top;

use crate::output::Output;
use clap::{Args, Parser, Subcommand};
use homing::introspect::{draw_rows, draw_tree};
use homing_reader::{Error, Reader, Reading, open};
use std::fmt;
use std::io::{self, ErrorKind};
use std::process::ExitCode;

/// What the help says at its end.
const AFTER_HELP: &str = "\
WHAT is the id of a process, or a core file (of gcore, or of the kernel). The process is only read: it is not stopped, no
code runs in it, and it need not have prepared anything. It may hang, or be stopped.

Or it is the black box of a runtime: a file that `Builder::black_box(path)` makes, and that shows the tasks as they stood at
the last instant when the process has been killed.

EXIT STATUS
  0   all went well
  1   nothing can be drawn: tasks await one another in a circle (pstree)
  2   the command was not understood, or is not for WHAT (top, of a core file)
  3   no such process            7   the process's header is damaged
  4   no permission              8   the file cannot be read
  5   no homing in it            9   the file is no core file, and no black box
  6   another version            10  not possible on this system

To look into a process takes the right to attach a debugger to it. Where kernel.yama.ptrace_scope is 1, as on Ubuntu, that
is sudo, or the program allows it itself, with prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY).";

/// Shows the tasks of programs that run on homing.
#[derive(Parser)]
#[command(name = "homing", version, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Lists all tasks: a line for each and each of those who await it.
    Ps(What),
    /// Draws who awaits whom, as trees.
    Pstree(What),
    /// Shows what the tasks are doing, the busiest first, again and again.
    Top(top::Options),
    /// Writes who awaits whom as a graph for Graphviz: `homing dot PID | dot -Tsvg`.
    Dot(What),
    /// Writes all that is known as JSON.
    Json(What),
}

#[derive(Args)]
struct What {
    /// The id of a process, a core file, or a black box.
    what: String,
}

/// Why a command ends early.
enum Failure {
    /// It could not be read.
    Read(Error),
    /// It was read, and cannot be drawn.
    Cycle(String),
    /// It was to be watched, and does not change: what it is.
    Still(String),
    /// It could not be written.
    Write(io::Error),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Ps(What { what }) => show(&what, |reading, output| {
            draw_rows(&reading.runtimes, |lines| output.text(lines));
            Ok(())
        }),
        Command::Pstree(What { what }) => show(&what, |reading, output| {
            draw_tree(&reading.runtimes, |lines| output.text(lines))
                .map_err(|cycle| Failure::Cycle(cycle.to_string()))
        }),
        Command::Dot(What { what }) => show(&what, |reading, output| {
            output.text(&reading.table().to_dot());
            Ok(())
        }),
        Command::Json(What { what }) => show(&what, |reading, output| {
            output.text(&(reading.table().to_json() + "\n"));
            Ok(())
        }),
        Command::Top(options) => top::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // As when the output goes to `head`: whoever reads it has seen enough.
        Err(Failure::Write(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("homing: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Reads once, and prints what is made of it.
fn show(what: &str, draw: impl FnOnce(&Reading, &mut Output) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut reader = open(what)?;
    let reading = reader.read()?;
    let mut output = Output::default();
    draw(&reading, &mut output)?;
    output.finish()?;
    for note in notes(what, &reader, &reading) {
        eprintln!("{note}");
    }
    // The process ends now, and with it all of its memory: to give back a hundred thousand records one by one would take
    // as long as to draw them.
    std::mem::forget(reading);
    Ok(())
}

/// What is to be said beside the picture.
fn notes(what: &str, reader: &Reader, reading: &Reading) -> Vec<String> {
    // Of a black box, there is always something.
    let mut notes = reader.story();
    let is_black_box = !notes.is_empty();
    if reading.task_count() == 0 {
        notes.push(format!("{} has no tasks at the moment", reader.describe()));
    }
    for busy in &reading.busy {
        let tasks = reading.runtimes.iter().flat_map(|runtime| &runtime.tasks);
        let name = tasks
            .into_iter()
            .find(|task| task.id == busy.task)
            .map_or_else(|| "?".to_owned(), |task| task.name.to_string());
        let thread = busy.thread;
        notes.push(if what.parse::<u32>().is_ok() {
            format!("task '{name}' is being polled {busy}; where it is: gdb -p {thread} -batch -ex bt")
        } else if is_black_box {
            format!("task '{name}' was being polled {busy}; where in it, only a core file would tell")
        } else {
            format!("task '{name}' is being polled {busy}; where it is: gdb -c {what}, then `info threads`")
        });
    }
    let changing = reading.changing;
    if changing > 0 {
        notes.push(format!(
            "{changing} tasks have changed each time that they were read: what is said of those may not belong together"
        ));
    }
    if reading.left.tasks {
        notes.push("there are more tasks than are read: the others are left out".to_owned());
    }
    if reading.left.details {
        notes.push(
            "there is more to say of the tasks than is read: names, scopes or awaits are left out".to_owned(),
        );
    }
    notes
}

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Failure::Read(error) => error.exit_code(),
            Failure::Cycle(_) => 1,
            Failure::Still(_) => 2,
            Failure::Write(_) => 8,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Read(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Write(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Read(error) => error.fmt(f),
            Failure::Cycle(told) => f.write_str(told),
            Failure::Still(what) => write!(
                f,
                "{what} does not change any more, so there is nothing to watch: `homing ps` and `homing pstree` show what is \
                 in it"
            ),
            Failure::Write(error) => write!(f, "the output cannot be written: {error}"),
        }
    }
}
