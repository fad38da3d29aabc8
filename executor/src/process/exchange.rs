//! An exchange: saying everything, hearing everything, and waiting for the end, at once.
//!
//! ```text
//!   input  ──► stdin ───┐
//!   stdout ◄────────────┤  the child
//!   stderr ◄────────────┤
//!   status ◄──── end ───┘
//! ```
//!
//! One after the other would not do: a child that writes more than a pipe holds, before it has read all, would wait for us as
//! we wait for it.

use super::exit::Exit;
use super::pipe::{PipeReader, PipeWriter};
use crate::error::{Error, Result};
use crate::net::registered::Waiting;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::process::{ExitStatus, Output};
use std::task::{Context, Poll};

/// See the [module](self).
pub(super) struct Exchange<'a> {
    exit: &'a mut Exit,
    input: &'a [u8],
    written: usize,
    stdin: Option<PipeWriter>,
    stdout: Heard,
    stderr: Heard,
    status: Option<ExitStatus>,
    /// One for the pipe that is written, one for the end.
    writing: Waiting,
    ending: Waiting,
}

/// One of its two voices.
struct Heard {
    /// `None` when the end was heard.
    pipe: Option<PipeReader>,
    bytes: Vec<u8>,
    waiting: Waiting,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(
        (stdin, stdout, stderr): (Option<PipeWriter>, Option<PipeReader>, Option<PipeReader>),
        exit: &'a mut Exit,
        input: &'a [u8],
        place: &'static Location<'static>,
    ) -> Exchange<'a> {
        let heard = |pipe| Heard { pipe, bytes: Vec::new(), waiting: Waiting::made_at(place) };
        Exchange {
            exit,
            input,
            written: 0,
            stdin,
            stdout: heard(stdout),
            stderr: heard(stderr),
            status: None,
            writing: Waiting::made_at(place),
            ending: Waiting::made_at(place),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let Some(pipe) = &self.stdin else { return Ok(()) };
        match pipe.poll_all(cx, &mut self.writing, self.input, &mut self.written) {
            Poll::Pending => return Ok(()),
            // It has heard enough.
            Poll::Ready(Err(error)) if is_broken_pipe(&error) => {}
            Poll::Ready(result) => result?,
        }
        pipe.leave(&mut self.writing);
        self.stdin = None;
        Ok(())
    }
}

fn is_broken_pipe(error: &Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

impl Heard {
    fn poll(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let Some(pipe) = &self.pipe else { return Ok(()) };
        if let Poll::Ready(result) = pipe.poll_to_end(cx, &mut self.waiting, &mut self.bytes) {
            pipe.leave(&mut self.waiting);
            self.pipe = None;
            result?;
        }
        Ok(())
    }

    fn leave(&mut self) {
        if let Some(pipe) = &self.pipe {
            pipe.leave(&mut self.waiting);
        }
    }
}

impl Future for Exchange<'_> {
    type Output = Result<Output>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Output>> {
        let this = &mut *self;
        this.poll_write(cx)?;
        this.stdout.poll(cx)?;
        this.stderr.poll(cx)?;
        if this.status.is_none()
            && let Poll::Ready(ended) = this.exit.poll(cx, &mut this.ending)
        {
            this.status = Some(ended?);
        }
        let Some(status) = this.status else { return Poll::Pending };
        // It may have ended and left its pipes to a child of its own: then we wait for that one, as everybody does.
        if this.stdout.pipe.is_some() || this.stderr.pipe.is_some() {
            return Poll::Pending;
        }
        let (stdout, stderr) = (&mut this.stdout.bytes, &mut this.stderr.bytes);
        Poll::Ready(Ok(Output { status, stdout: std::mem::take(stdout), stderr: std::mem::take(stderr) }))
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        self.stdout.leave();
        self.stderr.leave();
        if let Some(pipe) = &self.stdin {
            pipe.leave(&mut self.writing);
        }
        self.exit.leave(&mut self.ending);
    }
}
