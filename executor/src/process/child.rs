//! A child: a process that runs, or has ended and is still ours to ask about.

use super::command::OnDrop;
use super::exchange::Exchange;
use super::exit::Exit;
use super::orphans::{self, Fate};
use super::pipe::{PipeReader, PipeWriter, noted};
use crate::error::{Error, Result};
use crate::net::registered::Waiting;
use crate::signal::SignalKind;
use crate::time::{Sleep, sleep};
use std::fmt;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::process::{ExitStatus, Output};
use std::task::{Context, Poll};
use std::time::Duration;

/// A child process, started by [`Command::spawn`](super::Command::spawn).
///
/// Dropped while it runs, it is killed and reaped, so that it does not outlive what it was started for; or, if the
/// [command](super::Command::on_drop) says so, left to itself, and reaped when it ends.
///
/// # asyncio
///
/// `asyncio.subprocess.Process`. There, too, a process whose transport goes is killed.
///
/// ```
/// use homing::process::{Command, Stdio};
///
/// homing::run(async {
///     let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
///     child.stdin.take().unwrap().write_all(b"meow").await?; // dropped at once: cat finds the end
///     let mut said = Vec::new();
///     child.stdout.as_ref().unwrap().read_to_end(&mut said).await?;
///     assert_eq!(said, b"meow");
///     assert!(child.wait().await?.success());
///     Ok(())
/// })
/// # .unwrap();
/// ```
pub struct Child {
    /// What it reads, if the command says `Stdio::piped()`. Take it out to close it.
    pub stdin: Option<PipeWriter>,
    /// What it writes, if the command says `Stdio::piped()`.
    pub stdout: Option<PipeReader>,
    /// What it complains of, if the command says `Stdio::piped()`.
    pub stderr: Option<PipeReader>,
    /// `None` once it has been given away by the destructor.
    exit: Option<Exit>,
    on_drop: OnDrop,
    grace: Duration,
}

impl Child {
    #[track_caller]
    pub(super) fn new(mut child: std::process::Child, on_drop: OnDrop, grace: Duration) -> io::Result<Child> {
        let stdin = child.stdin.take().map(|end| PipeWriter::new(end.into()));
        let stdout = child.stdout.take().map(|end| PipeReader::new(end.into()));
        let stderr = child.stderr.take().map(|end| PipeReader::new(end.into()));
        // Whole before anything can fail, so that it is seen home then.
        let mut whole =
            Child { stdin: None, stdout: None, stderr: None, exit: Some(Exit::new(child)), on_drop, grace };
        (whole.stdin, whole.stdout, whole.stderr) =
            (stdin.transpose()?, stdout.transpose()?, stderr.transpose()?);
        Ok(whole)
    }

    fn exit(&mut self) -> &mut Exit {
        self.exit.as_mut().expect("only the destructor gives it away")
    }

    /// The process's id. It is nobody else's, as long as the child has not been waited for.
    ///
    /// # asyncio
    ///
    /// `process.pid`.
    pub fn id(&self) -> u32 {
        self.exit.as_ref().expect("only the destructor gives it away").id()
    }

    /// Waits for its end. Its `stdin`, if nobody has taken that out, is closed first, for it may be waiting for more.
    ///
    /// Any number of times; once it has ended the answer is there at once. What it writes into a pipe that nobody reads may
    /// keep it from ever ending: see [`communicate`](Child::communicate).
    ///
    /// # Errors
    ///
    /// `Cancelled`, if the task is cancelled while it stands here; an [`io::Error`] if there is no descriptor left to listen
    /// with, or somebody else in this program has waited for it.
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped, it has done nothing to the child, which goes on as long as this handle is there.
    ///
    /// # asyncio
    ///
    /// `await process.wait()`.
    #[track_caller]
    pub fn wait(&mut self) -> Wait<'_> {
        self.wait_at(Location::caller())
    }

    pub(super) fn wait_at(&mut self, place: &'static Location<'static>) -> Wait<'_> {
        self.stdin = None;
        Wait { exit: self.exit(), waiting: Waiting::made_at(place) }
    }

    /// Its status, if it has ended.
    ///
    /// # Errors
    ///
    /// An [`io::Error`], if somebody else in this program has waited for it.
    ///
    /// # asyncio
    ///
    /// `process.returncode`.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.exit().try_wait()?)
    }

    /// Sends it a signal. One that has ended hears nothing, and that is no error.
    ///
    /// # Errors
    ///
    /// An [`io::Error`]: of kind `InvalidInput` for what is no signal, of kind `PermissionDenied` if it runs as somebody else.
    ///
    /// # asyncio
    ///
    /// `process.send_signal`, and `process.terminate()` for [`SignalKind::TERMINATE`].
    pub fn signal(&mut self, kind: SignalKind) -> Result<()> {
        if self.exit().try_wait()?.is_some() {
            return Ok(());
        }
        // It has not been waited for, so the id is its own, though it be dead by now.
        // SAFETY: two numbers.
        if unsafe { libc::kill(self.id() as libc::pid_t, kind.as_raw()) } != 0 {
            return Err(noted(
                io::Error::last_os_error(),
                &format!("sending {kind} to process {}", self.id()),
            ));
        }
        Ok(())
    }

    /// Kills it, and does not wait: [`wait`](Child::wait) does. One that has ended is none the worse for it.
    ///
    /// # Errors
    ///
    /// As [`signal`](Child::signal).
    ///
    /// # asyncio
    ///
    /// `process.kill()`.
    pub fn kill(&mut self) -> Result<()> {
        self.signal(SignalKind::KILL)
    }

    /// Asks it to end (`SIGTERM`), and waits; after `grace` kills it, and waits. With no grace at all it kills it at once.
    ///
    /// # Errors
    ///
    /// As [`wait`](Child::wait) and [`signal`](Child::signal).
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it has no more patience: it kills the child, waits for its end all the same, and gives `Cancelled` then.
    /// Dropped, the child is there as before, and has been asked to end.
    ///
    /// # asyncio
    ///
    /// Has none; it is what Trio's `run_process` does when it is cancelled.
    pub async fn stop(&mut self, grace: Duration) -> Result<ExitStatus> {
        let mut cancelled = None;
        if !grace.is_zero() {
            self.signal(SignalKind::TERMINATE)?;
            match (Limited { wait: self.wait(), limit: sleep(grace) }).await {
                Some(Err(error)) if error.is_cancelled() => cancelled = Some(error),
                Some(outcome) => return outcome,
                None => {}
            }
        }
        self.kill()?;
        loop {
            match self.wait().await {
                // It cannot be long now.
                Err(error) if error.is_cancelled() => {
                    cancelled.get_or_insert(error);
                }
                Ok(status) => return cancelled.map_or(Ok(status), Err),
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes `input` into its `stdin`, reads its `stdout` and `stderr` to their ends, and waits for its end: all at once, so
    /// that neither side waits for the other for ever. Of what is no pipe, or was taken out, nothing is written or read.
    ///
    /// A child that does not want to read all of its input is no error.
    ///
    /// # Errors
    ///
    /// As [`wait`](Child::wait), and those of the pipes.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it [stops](Child::stop) the child, with the command's [grace](super::Command::grace), and gives
    /// `Cancelled` when that has ended. Dropped, the child is there as before; what was read is gone.
    ///
    /// # asyncio
    ///
    /// `await process.communicate(input)`; cancelled, that leaves the child as it is.
    ///
    /// ```
    /// use homing::process::{Command, Stdio};
    ///
    /// homing::run(async {
    ///     let mut child = Command::new("sort").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    ///     let output = child.communicate(b"pear\napple\n").await?;
    ///     assert_eq!(output.stdout, b"apple\npear\n");
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    #[track_caller]
    pub fn communicate(&mut self, input: &[u8]) -> impl Future<Output = Result<Output>> {
        let place = Location::caller();
        async move {
            let pipes = (self.stdin.take(), self.stdout.take(), self.stderr.take());
            let exchanged = Exchange::new(pipes, self.exit(), input, place).await;
            let Err(error) = &exchanged else { return exchanged };
            if error.is_cancelled() {
                self.come_home().await?;
            }
            exchanged
        }
    }

    /// After a cancel: stops it and waits. A second request, which makes it hurry, is as good as the first.
    pub(super) async fn come_home(&mut self) -> Result<()> {
        match self.stop(self.grace).await {
            Err(error) if !error.is_cancelled() => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // To kill it fails only for one that runs as somebody else, and that one is free then.
        let killed = self.on_drop == OnDrop::Kill && self.kill().is_ok();
        let fate = if killed { Fate::Killed } else { Fate::Free };
        if let Some(exit) = self.exit.take() {
            orphans::adopt(exit, fate);
        }
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("id", &self.id())
            .field("on_drop", &self.on_drop)
            .finish_non_exhaustive()
    }
}

/// The future of [`Child::wait`].
#[must_use = "futures do nothing unless awaited"]
pub struct Wait<'a> {
    exit: &'a mut Exit,
    waiting: Waiting,
}

impl Future for Wait<'_> {
    type Output = Result<ExitStatus>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<ExitStatus>> {
        let this = &mut *self;
        let polled = this.exit.poll(cx, &mut this.waiting);
        if matches!(polled, Poll::Ready(Ok(_))) {
            orphans::reap();
        }
        polled
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.exit.leave(&mut self.waiting);
    }
}

impl fmt::Debug for Wait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").field("process", &self.exit.id()).finish()
    }
}

/// A wait that gives up after a while: then it gives nothing.
struct Limited<'a> {
    wait: Wait<'a>,
    limit: Sleep,
}

impl Future for Limited<'_> {
    type Output = Option<Result<ExitStatus>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(outcome) = Pin::new(&mut self.wait).poll(cx) {
            return Poll::Ready(Some(outcome));
        }
        match Pin::new(&mut self.limit).poll(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(None),
            Poll::Ready(Err(error)) => Poll::Ready(Some(Err::<_, Error>(error))),
            Poll::Pending => Poll::Pending,
        }
    }
}
