//! Two directions at once: what the `AsyncRead` and `AsyncWrite` of a socket have to remember from poll to poll.
//!
//! The futures of the methods carry their own [`Waiting`]. Those of the traits are others', and know nothing of it; so
//! the socket remembers one reader and one writer for them.

use super::protocol::sealed::Bytes;
use super::registered::{Registered, Tried, Waiting};
use crate::reactor::Way;
use std::cell::RefCell;
use std::io;
use std::os::fd::AsRawFd;
use std::task::{Context, Poll};

pub(crate) struct Duplex<S> {
    pub(crate) socket: Registered<S>,
    reading: RefCell<Waiting>,
    writing: RefCell<Waiting>,
}

impl<S: AsRawFd> Duplex<S> {
    #[track_caller]
    pub(crate) fn new(socket: Registered<S>) -> Duplex<S> {
        Duplex { socket, reading: RefCell::new(Waiting::new()), writing: RefCell::new(Waiting::new()) }
    }

    /// One poll of a read or a write that moves up to `asked` bytes, for the traits.
    #[track_caller]
    #[inline]
    pub(crate) fn poll_transfer(
        &self,
        cx: &mut Context<'_>,
        way: Way,
        asked: usize,
        try_io: impl FnMut(&S) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>>
    where
        S: Bytes,
    {
        let waiting = &mut *self.waiting(way).borrow_mut();
        self.socket.poll_transfer(cx, way, waiting, asked, try_io).map_err(io::Error::from)
    }

    /// One poll of a call of which nothing is known but that it may block.
    #[track_caller]
    pub(crate) fn poll_call<T>(
        &self,
        cx: &mut Context<'_>,
        way: Way,
        mut try_io: impl FnMut(&S) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        let waiting = &mut *self.waiting(way).borrow_mut();
        self.socket.poll(cx, way, waiting, |io| try_io(io).map(Tried::Ready)).map_err(io::Error::from)
    }

    #[inline]
    fn waiting(&self, way: Way) -> &RefCell<Waiting> {
        match way {
            Way::Read => &self.reading,
            Way::Write => &self.writing,
        }
    }
}
