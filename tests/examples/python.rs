//! Running programs: Python's, if there is one, and whatever else prints something.

use std::env;
use std::fmt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// An interpreter that can run at least some of the examples.
#[derive(Clone)]
pub(crate) struct Python {
    pub(crate) program: String,
    pub(crate) version: (u32, u32),
}

impl fmt::Display for Python {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}.{})", self.program, self.version.0, self.version.1)
    }
}

/// The newest that is found on the path, or the one that the variable `PYTHON` names.
pub(crate) fn find() -> Option<Python> {
    let programs = match env::var("PYTHON") {
        Ok(program) => vec![program],
        Err(_) => {
            let numbered = (11..=16).map(|minor| format!("python3.{minor}"));
            numbered.chain(["python3".to_owned(), "python".to_owned()]).collect()
        }
    };
    let found = programs.into_iter().filter_map(|program| {
        let asked = "import sys; print('%d.%d' % sys.version_info[:2])";
        let answer = output(Command::new(&program).arg("-c").arg(asked)).ok()?;
        Some(Python { version: version(&answer).ok()?, program })
    });
    found.filter(|python| python.version >= (3, 11)).max_by_key(|python| python.version)
}

/// Reads the `3.11` at the beginning of a text.
pub(crate) fn version(text: &str) -> Result<(u32, u32), String> {
    let mut numbers = text.trim().split(|c: char| !c.is_ascii_digit()).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Ok((major, minor)),
        _ => Err(format!("no version of Python: {text:?}")),
    }
}

/// Runs a program, and gives what it printed. It has to succeed within a minute, and not to complain.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |error: std::io::Error| format!("{program}: {error}");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    let begin = Instant::now();
    // What it prints fits into the pipes, so it ends without our reading.
    while child.try_wait().map_err(failed)?.is_none() {
        if begin.elapsed() > Duration::from_secs(60) {
            let _ = child.kill();
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().map_err(failed)?;
    let (printed, complaints) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if !output.status.success() || !complaints.is_empty() {
        return Err(format!("{}\nprinted:\n{printed}\ncomplained:\n{complaints}", output.status));
    }
    Ok(printed.replace("\r\n", "\n"))
}
