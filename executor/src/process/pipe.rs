//! Pipes to and from a child.

use crate::error::{Error, Result};
use crate::net::registered::{Registered, Tried, Waiting};
use crate::reactor::Way;
use crate::sigpipe;
use futures_io::{AsyncRead, AsyncWrite};
use std::cell::RefCell;
use std::fmt;
use std::fs::File;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What a child writes, to be read here: its `stdout` or `stderr`.
///
/// # Errors
///
/// As those of [`TcpStream`](crate::net::TcpStream).
///
/// # Cancel safety
///
/// A read that is cancelled or dropped has read nothing.
///
/// # asyncio
///
/// `process.stdout`, a `StreamReader`; here nothing is buffered in between.
pub struct PipeReader {
    pipe: Registered<File>,
    /// What the trait has to remember from poll to poll.
    waiting: RefCell<Waiting>,
}

/// What a child reads, to be written here: its `stdin`. Dropped or closed, the child finds the end.
///
/// # Errors
///
/// As those of [`TcpStream`](crate::net::TcpStream): of kind `BrokenPipe`, if the child reads no more.
///
/// On Linux that raises no `SIGPIPE`, whatever the program does with it. Elsewhere a program that does not ignore it, as
/// Rust's do and those in other languages may not, is ended by it, or has its handler called.
///
/// # Cancel safety
///
/// A [`write`](PipeWriter::write) that is cancelled or dropped has written nothing.
///
/// # asyncio
///
/// `process.stdin`, a `StreamWriter`; here nothing is buffered in between, and there is no `drain`.
pub struct PipeWriter {
    /// `None` once it is closed.
    pipe: Option<Registered<File>>,
    waiting: RefCell<Waiting>,
}

/// Sets whether calls on a descriptor block: on our end only, the child's is another.
fn set_blocking(descriptor: BorrowedFd<'_>, blocking: bool) -> io::Result<()> {
    let raw = descriptor.as_raw_fd();
    // SAFETY: asks for flags, and sets flags, of a descriptor that is open.
    let set = unsafe {
        let flags = libc::fcntl(raw, libc::F_GETFL);
        let wanted = if blocking { flags & !libc::O_NONBLOCK } else { flags | libc::O_NONBLOCK };
        if flags < 0 { flags } else { libc::fcntl(raw, libc::F_SETFL, wanted) }
    };
    if set < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn take_charge(end: OwnedFd) -> io::Result<Registered<File>> {
    set_blocking(end.as_fd(), false)?;
    Ok(Registered::new(File::from(end)))
}

impl PipeReader {
    #[track_caller]
    pub(super) fn new(end: OwnedFd) -> io::Result<PipeReader> {
        Ok(PipeReader { pipe: take_charge(end)?, waiting: RefCell::new(Waiting::new()) })
    }

    /// Reads what there is, up to the length of the buffer; waits until there is something. Zero is the end.
    ///
    /// # Errors
    ///
    /// See [`PipeReader`].
    #[track_caller]
    pub fn read(&self, buffer: &mut [u8]) -> impl Future<Output = Result<usize>> {
        let mut waiting = Left { pipe: &self.pipe, way: Way::Read, waiting: Waiting::new() };
        poll_fn(move |cx| self.poll(cx, &mut waiting.waiting, buffer))
    }

    /// Reads to the end, and appends it all.
    ///
    /// # Errors
    ///
    /// See [`PipeReader`].
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped, what has been read by then is in the vector.
    #[track_caller]
    pub fn read_to_end(&self, all: &mut Vec<u8>) -> impl Future<Output = Result<usize>> {
        let mut waiting = Left { pipe: &self.pipe, way: Way::Read, waiting: Waiting::new() };
        let before = all.len();
        poll_fn(move |cx| self.poll_to_end(cx, &mut waiting.waiting, all).map_ok(|()| all.len() - before))
    }

    #[track_caller]
    fn poll(&self, cx: &mut Context<'_>, waiting: &mut Waiting, buffer: &mut [u8]) -> Poll<Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.pipe.poll(cx, Way::Read, waiting, |mut pipe| pipe.read(buffer).map(Tried::Ready))
    }

    #[track_caller]
    pub(super) fn poll_to_end(
        &self,
        cx: &mut Context<'_>,
        waiting: &mut Waiting,
        all: &mut Vec<u8>,
    ) -> Poll<Result<()>> {
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.poll(cx, waiting, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(length)) => all.extend_from_slice(&buffer[..length]),
            }
        }
    }

    pub(super) fn leave(&self, waiting: &mut Waiting) {
        waiting.leaf.abandon();
        self.pipe.leave(Way::Read, waiting);
    }

    /// The descriptor, set to block again: to be another process's `stdin`, by way of `Stdio::from`.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn into_blocking(self) -> io::Result<OwnedFd> {
        let end = OwnedFd::from(self.pipe.into_inner());
        set_blocking(end.as_fd(), true)?;
        Ok(end)
    }
}

impl PipeWriter {
    #[track_caller]
    pub(super) fn new(end: OwnedFd) -> io::Result<PipeWriter> {
        Ok(PipeWriter { pipe: Some(take_charge(end)?), waiting: RefCell::new(Waiting::new()) })
    }

    /// Writes as much as the pipe takes now; waits until it takes some.
    ///
    /// # Errors
    ///
    /// See [`PipeWriter`].
    #[track_caller]
    pub fn write(&self, bytes: &[u8]) -> impl Future<Output = Result<usize>> {
        let mut waiting = Left::of_writer(self, Location::caller());
        poll_fn(move |cx| self.poll(cx, waiting.waiting(), bytes))
    }

    /// Writes it all.
    ///
    /// # Errors
    ///
    /// See [`PipeWriter`]. A note tells how many bytes had been written.
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped, it may have written some.
    #[track_caller]
    pub fn write_all(&self, bytes: &[u8]) -> impl Future<Output = Result<()>> {
        let mut waiting = Left::of_writer(self, Location::caller());
        let mut written = 0;
        poll_fn(move |cx| {
            self.poll_all(cx, waiting.waiting(), bytes, &mut written).map_err(|error| match written {
                0 => error,
                _ => error.with_note(format!("{written} of {} bytes had been written by then", bytes.len())),
            })
        })
    }

    #[track_caller]
    fn poll(&self, cx: &mut Context<'_>, waiting: &mut Waiting, bytes: &[u8]) -> Poll<Result<usize>> {
        let Some(pipe) = &self.pipe else {
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::BrokenPipe).into()));
        };
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        pipe.poll(cx, Way::Write, waiting, |mut pipe| {
            sigpipe::without(|| pipe.write(bytes)).map(Tried::Ready)
        })
    }

    #[track_caller]
    pub(super) fn poll_all(
        &self,
        cx: &mut Context<'_>,
        waiting: &mut Waiting,
        bytes: &[u8],
        written: &mut usize,
    ) -> Poll<Result<()>> {
        while *written < bytes.len() {
            match self.poll(cx, waiting, &bytes[*written..]) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Err(io::Error::from(io::ErrorKind::WriteZero).into()));
                }
                Poll::Ready(Ok(length)) => *written += length,
            }
        }
        Poll::Ready(Ok(()))
    }

    pub(super) fn leave(&self, waiting: &mut Waiting) {
        waiting.leaf.abandon();
        if let Some(pipe) = &self.pipe {
            pipe.leave(Way::Write, waiting);
        }
    }
}

/// A wait that leaves the line when it is dropped.
struct Left<'a> {
    pipe: &'a Registered<File>,
    way: Way,
    waiting: Waiting,
}

impl Drop for Left<'_> {
    fn drop(&mut self) {
        self.pipe.leave(self.way, &mut self.waiting);
    }
}

/// The same for a pipe that may be closed, and then has no line.
enum LeftIfOpen<'a> {
    Open(Left<'a>),
    Closed(Waiting),
}

impl<'a> Left<'a> {
    fn of_writer(writer: &'a PipeWriter, place: &'static Location<'static>) -> LeftIfOpen<'a> {
        let waiting = Waiting::made_at(place);
        match &writer.pipe {
            Some(pipe) => LeftIfOpen::Open(Left { pipe, way: Way::Write, waiting }),
            None => LeftIfOpen::Closed(waiting),
        }
    }
}

impl LeftIfOpen<'_> {
    fn waiting(&mut self) -> &mut Waiting {
        match self {
            LeftIfOpen::Open(left) => &mut left.waiting,
            LeftIfOpen::Closed(waiting) => waiting,
        }
    }
}

impl AsyncRead for &PipeReader {
    #[track_caller]
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll(cx, &mut self.waiting.borrow_mut(), buffer).map_err(io::Error::from)
    }
}

impl AsyncRead for PipeReader {
    #[track_caller]
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read(cx, buffer)
    }
}

impl AsyncWrite for PipeWriter {
    #[track_caller]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll(cx, &mut self.waiting.borrow_mut(), bytes).map_err(io::Error::from)
    }

    /// There is nothing in between that could be flushed.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Closes the pipe: the child finds the end.
    fn poll_close(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pipe = None;
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for PipeReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PipeReader").field(&self.pipe.get().as_raw_fd()).finish()
    }
}

impl fmt::Debug for PipeWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let descriptor = self.pipe.as_ref().map(|pipe| pipe.get().as_raw_fd());
        f.debug_tuple("PipeWriter").field(&descriptor).finish()
    }
}

/// So that `?` works on what the standard library gives.
pub(super) fn noted(error: io::Error, what: &str) -> Error {
    Error::from(error).with_note(what.to_owned())
}
