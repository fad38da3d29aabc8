//! A program that is running, to be looked into.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// Names the program that this file is to be.
pub(crate) const VARIABLE: &str = "HOMING_LOOKED_INTO";

/// It has said that it is where it shall be. Killed when this is dropped.
pub(crate) struct Target {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Target {
    pub(crate) fn start(program: &str) -> Target {
        Target::start_as(&std::env::current_exe().unwrap(), program)
    }

    /// The same from another file.
    pub(crate) fn start_as(file: &Path, program: &str) -> Target {
        let mut command = Command::new(file);
        command.env(VARIABLE, program);
        Target::piped(command)
    }

    pub(crate) fn piped(mut command: Command) -> Target {
        command.stdout(Stdio::piped()).stdin(Stdio::piped());
        Target::begin(command)
    }

    /// Ends it with SIGKILL, at once.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn begin(mut command: Command) -> Target {
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut target = Target { child, output };
        assert_eq!(target.line(), "ready");
        // What it does after saying so, it does at once.
        std::thread::sleep(Duration::from_millis(100));
        target
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn name(&self) -> String {
        self.pid().to_string()
    }

    pub(crate) fn signal(&self, signal: i32) {
        // SAFETY: it takes numbers; the process is a child that has not been waited for.
        assert_eq!(unsafe { libc::kill(self.pid() as i32, signal) }, 0);
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file that is removed when this is dropped.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Scratch {
        Scratch(std::env::temp_dir().join(format!("homing-{}-{name}", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
