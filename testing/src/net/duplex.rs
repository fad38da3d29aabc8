//! The duplex: an end of a wire.

use super::link::Link;
use super::pipe::{Pipe, Waiting};
use super::transfer::{Extent, Reading, Writing};
use futures_io::{AsyncRead, AsyncWrite};
use std::cell::RefCell;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Two streams, wired to each other: what is written to one is read from the other. Each direction holds so many bytes that
/// have not been read; it takes no time.
///
/// # Panics
///
/// If the capacity is zero: nothing could ever be written.
///
/// ```
/// use homing::testing::{self, net::duplex};
///
/// testing::run(async || {
///     let (one, other) = duplex(64);
///     one.write_all(b"ping").await?;
///     let mut seen = [0; 4];
///     other.read_exact(&mut seen).await?;
///     assert_eq!(&seen, b"ping");
///     Ok(())
/// });
/// ```
#[track_caller]
pub fn duplex(capacity: usize) -> (Duplex, Duplex) {
    wired(Duration::ZERO, capacity)
}

#[track_caller]
pub(super) fn wired(latency: Duration, capacity: usize) -> (Duplex, Duplex) {
    assert!(capacity > 0, "a wire with no capacity could carry nothing");
    let (link, [there, back]) = Link::new(latency, capacity);
    let one = Duplex::new(back.clone(), there.clone(), link.clone());
    (one, Duplex::new(there, back, link))
}

/// One end of a wire in memory: a stream of bytes in each direction, that behaves as a socket does.
///
/// Any number of tasks may read and write it at once through its methods, which take `&self`; futures-io's traits remember
/// one reader and one writer. Dropping it closes the connection.
///
/// # Errors
///
/// `Cancelled`, if the task is cancelled while it waits; and an [`io::Error`] for what [happened to the
/// wire](super#a-network-in-memory-as-slow-as-lossy-and-as-broken-as-a-test-wants-it).
///
/// # Cancel safety
///
/// An operation that is cancelled or dropped has not happened. `read_exact` and `write_all`, which consist of several, may
/// stop midway, and tell how far they came.
pub struct Duplex {
    incoming: Rc<Pipe>,
    outgoing: Rc<Pipe>,
    link: Link,
    /// What the traits, whose futures are not ours, have to remember from poll to poll.
    reading: RefCell<Waiting>,
    writing: RefCell<Waiting>,
}

impl Duplex {
    #[track_caller]
    fn new(incoming: Rc<Pipe>, outgoing: Rc<Pipe>, link: Link) -> Duplex {
        let waiting = || RefCell::new(Waiting::new());
        Duplex { incoming, outgoing, link, reading: waiting(), writing: waiting() }
    }

    /// The wire: to do something to it.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// Reads what has arrived, up to the length of the buffer. Zero means that the other side will send no more, or that
    /// the buffer is empty.
    #[track_caller]
    pub fn read<'a>(&'a self, buffer: &'a mut [u8]) -> Reading<'a> {
        let (waiting, extent) = (Waiting::new(), Extent::Some);
        Reading { pipe: &self.incoming, waiting, buffer, filled: 0, extent }
    }

    /// Reads until the buffer is full.
    ///
    /// # Errors
    ///
    /// An [`io::Error`] of kind `UnexpectedEof`, if the other side has ended before that.
    #[track_caller]
    pub fn read_exact<'a>(&'a self, buffer: &'a mut [u8]) -> Reading<'a> {
        Reading { extent: Extent::All, ..self.read(buffer) }
    }

    /// Writes as much as there is room for: at least one byte, if there is one.
    #[track_caller]
    pub fn write<'a>(&'a self, bytes: &'a [u8]) -> Writing<'a> {
        let (waiting, extent) = (Waiting::new(), Extent::Some);
        Writing { pipe: &self.outgoing, waiting, bytes, written: 0, extent }
    }

    /// Writes all of it.
    #[track_caller]
    pub fn write_all<'a>(&'a self, bytes: &'a [u8]) -> Writing<'a> {
        Writing { extent: Extent::All, ..self.write(bytes) }
    }

    /// Will write no more: the other side reads what is on its way, and then the end. Reading goes on.
    pub fn close(&self) {
        self.outgoing.end();
    }
}

impl AsyncRead for &Duplex {
    #[track_caller]
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.incoming.poll_read(cx, &mut self.reading.borrow_mut(), buffer).map_err(io::Error::from)
    }
}

impl AsyncWrite for &Duplex {
    #[track_caller]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.outgoing.poll_write(cx, &mut self.writing.borrow_mut(), bytes).map_err(io::Error::from)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.close();
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Duplex {
    #[track_caller]
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Duplex {
    #[track_caller]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_close(cx)
    }
}

impl Drop for Duplex {
    fn drop(&mut self) {
        self.outgoing.end();
        self.incoming.leave_unread();
    }
}

impl fmt::Debug for Duplex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Duplex").field("link", &self.link).finish_non_exhaustive()
    }
}
