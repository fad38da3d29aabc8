//! The end of a process: how a task learns of it, and who collects what it leaves.
//!
//! A process that has ended stays a *zombie* until its parent has asked for its status. Until then its id is nobody else's, so
//! as long as only this file asks, and asks for this one id, no signal ever goes to a stranger.
//!
//! ```text
//!   wait ──► status known? ──yes──► give it
//!              │ no
//!              ▼
//!            waitpid(id, no waiting) ──ended──► keep the status; nothing is left to be listened to
//!              │ still running
//!              ▼
//!            stand in line at its descriptor; or, where there is none, at SIGCHLD
//! ```

use crate::cancel::Awaiting;
use crate::error::{Error, Result};
use crate::net::registered::{Registered, Tried, Waiting};
use crate::reactor::Way;
use crate::signal::{self, Signal, SignalKind};
use std::io;
use std::os::fd::OwnedFd;
use std::process::ExitStatus;
use std::task::{Context, Poll, ready};

/// A process of ours, and what is known of its end.
pub(super) struct Exit {
    child: std::process::Child,
    watch: Watch,
    status: Option<ExitStatus>,
}

/// What tells that it may have ended. Opened by the first wait: until then nothing can be missed.
enum Watch {
    None,
    /// Its pidfd.
    #[cfg_attr(any(not(target_os = "linux"), homing_portable), allow(dead_code))]
    Descriptor(Registered<OwnedFd>),
    /// `SIGCHLD`, which may be for any child.
    Signal(Box<Signal>),
}

/// How it is to be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Best,
    #[cfg(test)]
    Signal,
}

impl Exit {
    pub(super) fn new(child: std::process::Child) -> Exit {
        Exit { child, watch: Watch::None, status: None }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The status, if it has ended.
    pub(super) fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.status.is_none() {
            self.status = self.child.try_wait()?;
        }
        Ok(self.status)
    }

    #[track_caller]
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, waiting: &mut Waiting) -> Poll<Result<ExitStatus>> {
        self.poll_by(cx, waiting, By::Best)
    }

    #[track_caller]
    fn poll_by(&mut self, cx: &mut Context<'_>, waiting: &mut Waiting, by: By) -> Poll<Result<ExitStatus>> {
        if let Err(cancelled) = waiting.leaf.resume() {
            self.leave(waiting);
            return Poll::Ready(Err(cancelled.into()));
        }
        let polled = loop {
            match self.try_wait() {
                Ok(None) => {}
                Ok(Some(status)) => break Poll::Ready(Ok(status)),
                Err(error) => break Poll::Ready(Err(self.unwaitable(error))),
            }
            if matches!(self.watch, Watch::None) {
                // And asked once more after that: it may have ended before anybody listened.
                self.watch = match Watch::open(self.id(), by) {
                    Ok(watch) => watch,
                    Err(error) => break Poll::Ready(Err(error)),
                };
                continue;
            }
            match self.stand_in_line(cx, waiting) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        };
        waiting.leaf.unpark();
        self.leave(waiting);
        if matches!(polled, Poll::Ready(Ok(_))) {
            self.watch = Watch::None;
        }
        polled
    }

    /// Ready when it may be worth asking again.
    #[track_caller]
    fn stand_in_line(&mut self, cx: &mut Context<'_>, waiting: &mut Waiting) -> Poll<Result<()>> {
        let Exit { child, watch, status } = self;
        let id = u64::from(child.id());
        let awaiting = || Awaiting::Process(id);
        match watch {
            Watch::None => Poll::Ready(Ok(())),
            Watch::Descriptor(descriptor) => {
                let ended = ready!(descriptor.poll_as(cx, Way::Read, waiting, awaiting, |_| {
                    match child.try_wait()? {
                        Some(ended) => Ok(Tried::Ready(ended)),
                        None => Err(io::ErrorKind::WouldBlock.into()),
                    }
                }))?;
                *status = Some(ended);
                Poll::Ready(Ok(()))
            }
            Watch::Signal(signal) => signal.poll_as(cx, waiting, awaiting),
        }
    }

    /// The wait is over, or given up.
    pub(super) fn leave(&self, waiting: &mut Waiting) {
        match &self.watch {
            Watch::None => {}
            Watch::Descriptor(descriptor) => descriptor.leave(Way::Read, waiting),
            Watch::Signal(signal) => signal.leave(waiting),
        }
    }

    #[cold]
    fn unwaitable(&self, error: io::Error) -> Error {
        let is_gone = error.raw_os_error() == Some(libc::ECHILD);
        let error = Error::from(error).with_note(format!("waiting for process {}", self.id()));
        if is_gone {
            return error.with_note("somebody else in this program has waited for it, or ignores SIGCHLD");
        }
        error
    }
}

impl Watch {
    fn open(id: u32, by: By) -> Result<Watch> {
        #[cfg(all(target_os = "linux", not(homing_portable)))]
        if by == By::Best {
            match open_pidfd(id) {
                Ok(descriptor) => return Ok(Watch::Descriptor(Registered::new(descriptor))),
                // An old kernel, or a filter for system calls that does not know this one.
                Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {}
                Err(error) => return Err(Error::from(error).with_note(format!("listening to process {id}"))),
            }
        }
        // Elsewhere there is one way.
        let _ = (id, by);
        Ok(Watch::Signal(Box::new(signal::unix(SignalKind::CHILD)?)))
    }
}

#[cfg(all(target_os = "linux", not(homing_portable)))]
fn open_pidfd(id: u32) -> io::Result<OwnedFd> {
    use std::os::fd::FromRawFd;
    // SAFETY: two numbers go in, a descriptor or an error comes out.
    let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, id as libc::pid_t, 0) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made it, for us.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor as libc::c_int) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Runtime;
    use std::future::poll_fn;
    use std::process::Command;

    /// As on a system without pidfds.
    #[test]
    fn without_a_descriptor_sigchld_tells_of_the_end() {
        Runtime::new()
            .block_on(async {
                let mut exits: Vec<Exit> = (0..5)
                    .map(|code| {
                        let script = format!("sleep 0.0{code}; exit {code}");
                        Exit::new(Command::new("sh").args(["-c", &script]).spawn().unwrap())
                    })
                    .collect();
                let mut codes = Vec::new();
                for exit in exits.iter_mut().rev() {
                    let mut waiting = Waiting::new();
                    let status = poll_fn(|cx| exit.poll_by(cx, &mut waiting, By::Signal)).await?;
                    codes.push(status.code());
                }
                assert_eq!(codes, [Some(4), Some(3), Some(2), Some(1), Some(0)]);
                Ok(())
            })
            .unwrap();
    }
}
