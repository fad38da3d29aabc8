//! Moving bytes, as futures.

use super::pipe::{Pipe, Waiting};
use homing_executor::error::{Error, Result};
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// When an operation is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// As soon as anything was moved.
    Some,
    /// When everything was.
    All,
}

/// The future of [`Duplex::read`](super::Duplex::read) and [`Duplex::read_exact`](super::Duplex::read_exact): how many bytes
/// it has read.
///
/// One that was to read all, and has failed, still knows how far it came; awaited once more (by `&mut`) it goes on from
/// there.
#[must_use = "futures do nothing unless awaited"]
pub struct Reading<'a> {
    pub(super) pipe: &'a Pipe,
    pub(super) waiting: Waiting,
    pub(super) buffer: &'a mut [u8],
    pub(super) filled: usize,
    pub(super) extent: Extent,
}

/// The future of [`Duplex::write`](super::Duplex::write) and [`Duplex::write_all`](super::Duplex::write_all): how many bytes
/// it has written. As for [`Reading`].
#[must_use = "futures do nothing unless awaited"]
pub struct Writing<'a> {
    pub(super) pipe: &'a Pipe,
    pub(super) waiting: Waiting,
    pub(super) bytes: &'a [u8],
    pub(super) written: usize,
    pub(super) extent: Extent,
}

impl Reading<'_> {
    /// How many bytes of the buffer have been filled.
    pub fn filled(&self) -> usize {
        self.filled
    }
}

impl Writing<'_> {
    /// How many of the bytes are on their way.
    pub fn written(&self) -> usize {
        self.written
    }
}

impl Future for Reading<'_> {
    type Output = Result<usize>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<usize>> {
        let this = self.get_mut();
        loop {
            let rest = &mut this.buffer[this.filled..];
            let wanted = rest.len();
            let count = ready!(this.pipe.poll_read(cx, &mut this.waiting, rest))?;
            this.filled += count;
            if this.extent == Extent::Some || count == wanted {
                return Poll::Ready(Ok(this.filled));
            }
            if count == 0 {
                return Poll::Ready(Err(Error::from(io::Error::from(io::ErrorKind::UnexpectedEof))));
            }
        }
    }
}

impl Future for Writing<'_> {
    type Output = Result<usize>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<usize>> {
        let this = self.get_mut();
        loop {
            let rest = &this.bytes[this.written..];
            let count = ready!(this.pipe.poll_write(cx, &mut this.waiting, rest))?;
            this.written += count;
            if this.extent == Extent::Some || count == rest.len() {
                return Poll::Ready(Ok(this.written));
            }
        }
    }
}

impl fmt::Debug for Reading<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").field("filled", &self.filled).field("of", &self.buffer.len()).finish()
    }
}

impl fmt::Debug for Writing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writing").field("written", &self.written).field("of", &self.bytes.len()).finish()
    }
}
