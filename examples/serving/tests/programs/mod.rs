//! Programs: ours, which serve, and others', which are the clients.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take here. Machines are loaded, and a test that hangs is to be told of.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The program of that name, if this machine has it. Where it has not, that is said loudly, and the test is none.
pub(crate) fn client(name: &str) -> Option<Command> {
    let path = env::var_os("PATH").unwrap_or_default();
    if env::split_paths(&path).any(|folder| folder.join(name).is_file()) {
        return Some(Command::new(name));
    }
    eprintln!("\n!!! NOT TESTED: there is no program `{name}` here. !!!\n");
    None
}

/// A line of what a program says, as it comes.
pub(crate) struct Told(Receiver<String>);

impl Told {
    fn by(output: impl Read + Send + 'static) -> Told {
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Told(lines)
    }

    /// The next one.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        self.0.recv_timeout(PATIENCE).expect("a line of output")
    }

    /// All that are left, up to the end.
    pub(crate) fn rest(&self) -> Vec<String> {
        let mut rest = Vec::new();
        while let Ok(line) = self.0.recv_timeout(PATIENCE) {
            rest.push(line);
        }
        rest
    }
}

/// A program that runs. It is killed when the test is over.
pub(crate) struct Program {
    child: Child,
    pub(crate) told: Told,
    input: Option<ChildStdin>,
}

impl Program {
    pub(crate) fn start(command: &mut Command) -> Program {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let told = Told::by(child.stdout.take().unwrap());
        let input = child.stdin.take();
        Program { child, told, input }
    }

    /// One of our servers.
    pub(crate) fn server(path: &str, arguments: &[&str]) -> Program {
        Program::start(Command::new(path).args(arguments))
    }

    /// The place that it says in its next line.
    #[track_caller]
    pub(crate) fn place(&self, what: &str) -> String {
        let line = self.told.line();
        let (said, place) = line.split_once(" at ").unwrap_or_default();
        assert_eq!(said, what, "{line}");
        place.to_owned()
    }

    /// The same, as an address.
    #[track_caller]
    pub(crate) fn address(&self, what: &str) -> SocketAddr {
        self.place(what).parse().unwrap()
    }

    pub(crate) fn write(&mut self, text: &str) {
        let input = self.input.as_mut().unwrap();
        input.write_all(text.as_bytes()).and_then(|()| input.flush()).unwrap();
    }

    /// Ends what it reads.
    pub(crate) fn end_input(&mut self) {
        self.input = None;
    }

    /// Asks it to terminate.
    pub(crate) fn terminate(&self) {
        // SAFETY: a system call without pointers, on a child that has not been waited for.
        assert_eq!(unsafe { libc::kill(self.child.id() as libc::pid_t, libc::SIGTERM) }, 0);
    }

    /// Waits for its end, which is to be a good one, and gives what it had left to say.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> Vec<String> {
        let begin = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if begin.elapsed() > PATIENCE => panic!("it does not end"),
                None => thread::sleep(Duration::from_millis(5)),
            }
        };
        assert!(status.success(), "{status}");
        self.told.rest()
    }

    /// Asks it to terminate, and waits for that.
    #[track_caller]
    pub(crate) fn stop(&mut self) -> Vec<String> {
        self.terminate();
        self.ended()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a client to its end, which is to be a good one, and gives what it said.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let output = outcome(command);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{told}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    told
}

/// The same, whatever its end is.
pub(crate) fn outcome(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// A path of a test's own. What is made there goes with it.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Scratch {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("homing-served-{}-{number}-{name}", std::process::id()));
        Scratch(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn text(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
