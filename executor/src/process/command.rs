//! A command: what is to be run, and how.

use super::child::Child;
use super::orphans;
use super::pipe::noted;
use crate::error::Result;
use std::ffi::OsStr;
use std::fmt;
use std::panic::Location;
use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

/// A process to be: a program, its arguments, its surroundings.
///
/// It is the standard library's `Command`, with what a task needs besides. What is not repeated here is reached with
/// [`as_std_mut`](Command::as_std_mut), such as a process group of its own.
///
/// # asyncio
///
/// `asyncio.create_subprocess_exec`. There is no `create_subprocess_shell`: `Command::new("sh").args(["-c", line])` says what
/// it does.
///
/// ```
/// use homing::process::Command;
///
/// homing::run(async {
///     let output = Command::new("echo").arg("here").output().await?;
///     assert_eq!(output.stdout, b"here\n");
///     let status = Command::new("sh").args(["-c", "exit 3"]).status().await?;
///     assert_eq!(status.code(), Some(3));
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[must_use = "nothing is run before `spawn`, `status` or `output`"]
pub struct Command {
    std: std::process::Command,
    streams: Streams,
    on_drop: OnDrop,
    grace: Duration,
}

/// What becomes of a child that runs when its [`Child`] is dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDrop {
    /// It is killed.
    #[default]
    Kill,
    /// It goes on. When it ends, it is reaped, as long as this program goes on, too.
    Leave,
}

/// Which of its streams have been spoken of.
#[derive(Clone, Copy, Debug, Default)]
struct Streams {
    stdin: bool,
    stdout: bool,
    stderr: bool,
}

impl Command {
    /// How long a child that is to be stopped has to end by itself, unless told otherwise.
    const GRACE: Duration = Duration::from_secs(5);

    /// A command that runs this program: a path, or a name that is looked for in `PATH`.
    pub fn new(program: impl AsRef<OsStr>) -> Command {
        Command::from(std::process::Command::new(program))
    }

    /// Adds an argument.
    pub fn arg(&mut self, argument: impl AsRef<OsStr>) -> &mut Self {
        self.std.arg(argument);
        self
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(&mut self, arguments: impl IntoIterator<Item = S>) -> &mut Self {
        self.std.args(arguments);
        self
    }

    /// Sets a variable of its environment, which is otherwise that of this process.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.std.env(name, value);
        self
    }

    /// Takes a variable out of its environment.
    pub fn env_remove(&mut self, name: impl AsRef<OsStr>) -> &mut Self {
        self.std.env_remove(name);
        self
    }

    /// Gives it an empty environment, to which [`env`](Command::env) may add.
    pub fn env_clear(&mut self) -> &mut Self {
        self.std.env_clear();
        self
    }

    /// Where it runs.
    pub fn current_dir(&mut self, directory: impl AsRef<Path>) -> &mut Self {
        self.std.current_dir(directory);
        self
    }

    /// What it reads: that of this process, if nothing is said; nothing, for [`output`](Command::output).
    pub fn stdin(&mut self, stdin: impl Into<Stdio>) -> &mut Self {
        self.streams.stdin = true;
        self.std.stdin(stdin);
        self
    }

    /// Where it writes: to that of this process, if nothing is said; a pipe, for [`output`](Command::output).
    pub fn stdout(&mut self, stdout: impl Into<Stdio>) -> &mut Self {
        self.streams.stdout = true;
        self.std.stdout(stdout);
        self
    }

    /// Where it complains: as with [`stdout`](Command::stdout).
    pub fn stderr(&mut self, stderr: impl Into<Stdio>) -> &mut Self {
        self.streams.stderr = true;
        self.std.stderr(stderr);
        self
    }

    /// What becomes of it when its [`Child`] is dropped while it runs. By default it is killed.
    pub fn on_drop(&mut self, on_drop: OnDrop) -> &mut Self {
        self.on_drop = on_drop;
        self
    }

    /// How long it has to end by itself, when a task is cancelled that runs it to its end, before it is killed: five seconds,
    /// if nothing is said. None at all kills it at once.
    pub fn grace(&mut self, grace: Duration) -> &mut Self {
        self.grace = grace;
        self
    }

    /// The standard library's command, for what has no method here.
    pub fn as_std_mut(&mut self) -> &mut std::process::Command {
        &mut self.std
    }

    /// Starts it. That takes some hundred microseconds, during which nothing else runs here.
    ///
    /// # Errors
    ///
    /// An [`io::Error`](std::io::Error): of kind `NotFound` if there is no such program, `PermissionDenied` if it cannot be
    /// run, and whatever else the operating system has against it.
    ///
    /// # asyncio
    ///
    /// `await asyncio.create_subprocess_exec(…)`.
    #[track_caller]
    pub fn spawn(&mut self) -> Result<Child> {
        orphans::reap();
        let (on_drop, grace) = (self.on_drop, self.grace);
        let started = self.std.spawn().and_then(|child| Child::new(child, on_drop, grace));
        started.map_err(|error| noted(error, &format!("starting {:?}", self.std.get_program())))
    }

    /// Runs it to its end.
    ///
    /// # Errors
    ///
    /// Those of [`spawn`](Command::spawn) and of [`Child::wait`].
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it [stops](Child::stop) the child, with this command's [grace](Command::grace), and gives `Cancelled` when
    /// that has ended: nothing that a task has started outlives it. Dropped, the child is killed, unless
    /// [told otherwise](Command::on_drop).
    ///
    /// # asyncio
    ///
    /// Has none; it is Trio's `run_process(…, check=False)`.
    #[track_caller]
    pub fn status(&mut self) -> impl Future<Output = Result<ExitStatus>> + use<> {
        let place = Location::caller();
        let child = self.spawn();
        async move {
            let mut child = child?;
            let ended = child.wait_at(place).await;
            let Err(error) = &ended else { return ended };
            if error.is_cancelled() {
                child.come_home().await?;
            }
            ended
        }
    }

    /// Runs it to its end, and gives all that it has written. Its `stdin` is empty, unless it was spoken of.
    ///
    /// # Errors
    ///
    /// Those of [`spawn`](Command::spawn) and of [`Child::communicate`].
    ///
    /// # Cancel safety
    ///
    /// As [`status`](Command::status).
    ///
    /// # asyncio
    ///
    /// `create_subprocess_exec(…, stdout=PIPE, stderr=PIPE)`, and `communicate()`.
    #[track_caller]
    pub fn output(&mut self) -> impl Future<Output = Result<Output>> + use<> {
        let streams = self.streams;
        if !streams.stdin {
            self.std.stdin(Stdio::null());
        }
        if !streams.stdout {
            self.std.stdout(Stdio::piped());
        }
        if !streams.stderr {
            self.std.stderr(Stdio::piped());
        }
        let child = self.spawn();
        // As they were: nobody has spoken of them.
        if !streams.stdin {
            self.std.stdin(Stdio::inherit());
        }
        if !streams.stdout {
            self.std.stdout(Stdio::inherit());
        }
        if !streams.stderr {
            self.std.stderr(Stdio::inherit());
        }
        async move { child?.communicate(b"").await }
    }
}

/// With the defaults of [`Command::new`]. What it says of its streams is not seen from outside: [`Command::output`] sets
/// those that were not spoken of since.
impl From<std::process::Command> for Command {
    fn from(std: std::process::Command) -> Command {
        Command { std, streams: Streams::default(), on_drop: OnDrop::default(), grace: Command::GRACE }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.std, f)
    }
}
