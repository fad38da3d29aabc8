//! Moving bytes: what reading and writing a stream have in common.

use super::call;
use super::protocol::sealed::Bytes;
use super::registered::{Keeps, Once, Registered, Tried, Waiting};
use crate::error::{Error, Result};
use crate::reactor::Way;
use std::fmt;
use std::io;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::task::{Context, Poll};

impl<S: Bytes> Registered<S> {
    /// As [`poll`](Registered::poll), for a call that moves up to `asked` bytes of a stream. To move none takes no call.
    #[track_caller]
    #[inline]
    pub(super) fn poll_transfer(
        &self,
        cx: &mut Context<'_>,
        way: Way,
        waiting: impl Keeps,
        asked: usize,
        mut try_io: impl FnMut(&S) -> io::Result<usize>,
    ) -> Poll<Result<usize>> {
        if asked == 0 {
            return Poll::Ready(Ok(0));
        }
        let short_drains = match way {
            Way::Read => S::SHORT_READ_DRAINS,
            Way::Write => SHORT_WRITE_FILLS,
        };
        self.poll(cx, way, waiting, |io| {
            // Zero is the end, not a drain: it is there for everybody who asks.
            try_io(io).map(|moved| {
                if short_drains && moved < asked && moved > 0 {
                    Tried::Drained(moved)
                } else {
                    Tried::Ready(moved)
                }
            })
        })
    }
}

/// Whether a write that did less than it was asked for tells that there is no more room, and that an edge will come when
/// this changes. So it is for epoll and kqueue; where mio has to use `poll`, only `WouldBlock` tells.
const SHORT_WRITE_FILLS: bool = cfg!(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
));

/// One such call as a future. The direction is part of its type, so that nothing of it is asked at run time.
#[must_use = "futures do nothing unless awaited"]
pub(super) struct Transfer<'a, S: AsRawFd, F, const WRITES: bool> {
    socket: &'a Registered<S>,
    waiting: Waiting,
    asked: usize,
    try_io: F,
}

impl<'a, S: AsRawFd, F> Transfer<'a, S, F, false> {
    #[track_caller]
    #[inline]
    pub(super) fn reading(socket: &'a Registered<S>, asked: usize, try_io: F) -> Self {
        Transfer { socket, waiting: Waiting::new(), asked, try_io }
    }
}

impl<'a, S: AsRawFd, F> Transfer<'a, S, F, true> {
    #[track_caller]
    #[inline]
    pub(super) fn writing(socket: &'a Registered<S>, asked: usize, try_io: F) -> Self {
        Transfer { socket, waiting: Waiting::new(), asked, try_io }
    }
}

impl<S: AsRawFd, F, const WRITES: bool> Transfer<'_, S, F, WRITES> {
    const WAY: Way = if WRITES { Way::Write } else { Way::Read };
}

// The function is called, never pinned.
impl<S: AsRawFd, F, const WRITES: bool> Unpin for Transfer<'_, S, F, WRITES> {}

impl<S: Bytes, F: FnMut(&S) -> io::Result<usize>, const WRITES: bool> Future for Transfer<'_, S, F, WRITES> {
    type Output = Result<usize>;

    #[track_caller]
    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<usize>> {
        let this = self.get_mut();
        this.socket.poll_transfer(cx, Self::WAY, Once(&mut this.waiting), this.asked, &mut this.try_io)
    }
}

impl<S: AsRawFd, F, const WRITES: bool> Drop for Transfer<'_, S, F, WRITES> {
    #[inline]
    fn drop(&mut self) {
        self.socket.leave(Self::WAY, &mut self.waiting);
    }
}

/// The future of [`Stream::read_exact`](super::Stream::read_exact).
///
/// When it has failed, it still knows how far it came; awaited once more (by `&mut`), it goes on from there.
#[must_use = "futures do nothing unless awaited"]
pub struct ReadExact<'a, S: AsRawFd> {
    socket: &'a Registered<S>,
    waiting: Waiting,
    buffer: &'a mut [u8],
    filled: usize,
}

impl<'a, S: AsRawFd> ReadExact<'a, S> {
    #[track_caller]
    pub(super) fn new(socket: &'a Registered<S>, buffer: &'a mut [u8]) -> Self {
        ReadExact { socket, waiting: Waiting::new(), buffer, filled: 0 }
    }

    /// How many bytes of the buffer have been filled.
    pub fn filled(&self) -> usize {
        self.filled
    }
}

impl<S: Bytes> Future for ReadExact<'_, S> {
    type Output = Result<()>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        while this.filled < this.buffer.len() {
            let rest = &mut this.buffer[this.filled..];
            let asked = rest.len();
            let polled =
                this.socket.poll_transfer(cx, Way::Read, &mut this.waiting, asked, |io| call::recv(io, rest));
            let end = match polled {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => io::Error::from(io::ErrorKind::UnexpectedEof).into(),
                Poll::Ready(Ok(moved)) => {
                    this.filled += moved;
                    continue;
                }
                Poll::Ready(Err(error)) => error,
            };
            return Poll::Ready(Err(progress(end, "read", this.filled, this.buffer.len())));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsRawFd> Drop for ReadExact<'_, S> {
    fn drop(&mut self) {
        self.socket.leave(Way::Read, &mut self.waiting);
    }
}

/// The future of [`Stream::write_all`](super::Stream::write_all).
///
/// When it has failed, it still knows how far it came; awaited once more (by `&mut`), it goes on from there.
#[must_use = "futures do nothing unless awaited"]
pub struct WriteAll<'a, S: AsRawFd> {
    socket: &'a Registered<S>,
    waiting: Waiting,
    bytes: &'a [u8],
    written: usize,
}

impl<'a, S: AsRawFd> WriteAll<'a, S> {
    #[track_caller]
    pub(super) fn new(socket: &'a Registered<S>, bytes: &'a [u8]) -> Self {
        WriteAll { socket, waiting: Waiting::new(), bytes, written: 0 }
    }

    /// How many of the bytes have been handed to the operating system.
    pub fn written(&self) -> usize {
        self.written
    }
}

impl<S: Bytes> Future for WriteAll<'_, S> {
    type Output = Result<()>;

    #[track_caller]
    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        while this.written < this.bytes.len() {
            let rest = &this.bytes[this.written..];
            let polled = this
                .socket
                .poll_transfer(cx, Way::Write, &mut this.waiting, rest.len(), |io| call::send(io, rest));
            let end = match polled {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => io::Error::from(io::ErrorKind::WriteZero).into(),
                Poll::Ready(Ok(moved)) => {
                    this.written += moved;
                    continue;
                }
                Poll::Ready(Err(error)) => error,
            };
            return Poll::Ready(Err(progress(end, "written", this.written, this.bytes.len())));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsRawFd> Drop for WriteAll<'_, S> {
    #[inline]
    fn drop(&mut self) {
        self.socket.leave(Way::Write, &mut self.waiting);
    }
}

/// Says how far it came, unless that was nowhere.
#[cold]
fn progress(error: Error, done: &str, moved: usize, asked: usize) -> Error {
    if moved == 0 {
        return error;
    }
    error.with_note(format!("{moved} of {asked} bytes had been {done} by then"))
}

impl<S: AsRawFd> fmt::Debug for ReadExact<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadExact").field("filled", &self.filled).field("of", &self.buffer.len()).finish()
    }
}

impl<S: AsRawFd> fmt::Debug for WriteAll<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteAll").field("written", &self.written).field("of", &self.bytes.len()).finish()
    }
}
