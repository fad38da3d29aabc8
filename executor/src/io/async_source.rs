//! `Async`: any source of events, to be waited for.
//!
//! ```text
//!   read_with(op) ─► known to be empty? ──no──► op(&source) ──► Ok, or an error: that is the result
//!                         │ yes                     │ WouldBlock
//!                         ▼                         ▼
//!                     stand in line ◄───────────────┘    an edge wakes
//! ```
//!
//! Whatever mio can listen to becomes something that tasks wait for, with the promises of homing's own sockets: a
//! cancelled operation has not happened, waiters are woken in order, and who waits can be seen. The difference is that it
//! is registered when it is made, since only its owner knows how; so it belongs to the runtime in which that was.

use crate::error::Result;
use crate::net::duplex::Duplex;
use crate::net::registered::{Operation, Registered, Tried};
use crate::reactor::Way;
use futures_io::{AsyncRead, AsyncWrite};
use mio::{Interest, event};
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A source of events that tasks can wait for: see the example.
///
/// What mio has, or another crate that implements its `Source`, goes in as it is; what has only a descriptor, within a
/// [`Descriptor`](super::Descriptor). The source must not block.
///
/// If it implements [`Read`] or [`Write`], this implements [`AsyncRead`] and [`AsyncWrite`].
///
/// Readiness comes in edges: it is noted, and believed, until an operation says `WouldBlock`. So operations go through
/// [`read_with`](Async::read_with) and its like, which see what they say. Who only waits for [`readable`](Async::readable)
/// and then finds nothing, without telling, is told at once that it is readable still.
///
/// # Errors
///
/// The waiting methods give what those of a [`Stream`](crate::net::Stream) do.
///
/// # Cancel safety
///
/// An operation that is cancelled or dropped has not been called, or has said `WouldBlock` each time.
///
/// # asyncio
///
/// `loop.add_reader(fd, callback)`, `loop.add_writer(fd, callback)`.
///
/// ```
/// use homing::io::{Async, Descriptor, mio};
/// use std::io::{Read, Write};
///
/// homing::run(async {
///     let (mut sender, receiver) = mio::unix::pipe::new()?;
///     let receiver = Async::new(receiver)?;
///     sender.write_all(b"through a pipe")?;
///     let mut buffer = [0; 32];
///     let length = receiver.read_with(|mut pipe| pipe.read(&mut buffer)).await?;
///     assert_eq!(&buffer[..length], b"through a pipe");
///
///     // The same with a descriptor that mio knows nothing of.
///     let (mut sender, receiver) = std::os::unix::net::UnixStream::pair()?;
///     receiver.set_nonblocking(true)?;
///     let receiver = Async::new(Descriptor(receiver))?;
///     sender.write_all(b"x")?;
///     assert_eq!(receiver.read_with(|source| (&source.0).read(&mut buffer)).await?, 1);
///     Ok(())
/// })
/// # .unwrap();
/// ```
pub struct Async<S: event::Source> {
    /// Taken out where it is given back.
    io: Option<S>,
    duplex: Duplex<Elsewhere>,
}

/// What the registration knows of a source that is kept beside it: nothing but a number to be shown.
struct Elsewhere(RawFd);

impl AsRawFd for Elsewhere {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

/// In place of a descriptor. A source may have none, or several.
const UNKNOWN: RawFd = -1;

impl<S: event::Source> Async<S> {
    /// Listens to a source, for reading and for writing, in the running runtime.
    ///
    /// Who [looks](crate::introspect) at a task that waits for it sees the descriptor that it has now.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::NoRuntime`](crate::error::RuntimeError::NoRuntime) outside of a runtime; an [`io::Error`] when the operating system refuses, as for
    /// plain files, or for a descriptor that is registered already.
    #[track_caller]
    pub fn new(source: S) -> Result<Async<S>>
    where
        S: AsRawFd,
    {
        Async::with_interest(source, Interest::READABLE | Interest::WRITABLE)
    }

    /// The same, for one direction only: waiting for the other is an error.
    ///
    /// # Errors
    ///
    /// As [`new`](Async::new).
    #[track_caller]
    pub fn with_interest(source: S, interest: Interest) -> Result<Async<S>>
    where
        S: AsRawFd,
    {
        let descriptor = source.as_raw_fd();
        Async::shown_as(descriptor, source, interest)
    }

    /// The same, for a source that has no descriptor of its own, or several: who looks sees "a source".
    ///
    /// # Errors
    ///
    /// As [`new`](Async::new).
    ///
    /// ```
    /// use homing::io::{Async, Descriptor, mio};
    /// use mio::{Interest, Registry, Token, event};
    /// use std::io::{self, Read, Write};
    /// use std::os::unix::net::UnixStream;
    ///
    /// /// Heard at the first of two.
    /// struct Pair(Descriptor<UnixStream>, UnixStream);
    ///
    /// impl event::Source for Pair {
    ///     fn register(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
    ///         self.0.register(registry, token, interest)
    ///     }
    ///     fn reregister(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
    ///         self.0.reregister(registry, token, interest)
    ///     }
    ///     fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
    ///         self.0.deregister(registry)
    ///     }
    /// }
    ///
    /// homing::run(async {
    ///     let (near, far) = UnixStream::pair()?;
    ///     near.set_nonblocking(true)?;
    ///     let pair = Async::without_descriptor(Pair(Descriptor(near), far), Interest::READABLE)?;
    ///     (&pair.get_ref().1).write_all(b"x")?;
    ///     assert_eq!(pair.read_with(|pair| (&pair.0.0).read(&mut [0; 8])).await?, 1);
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    #[track_caller]
    pub fn without_descriptor(source: S, interest: Interest) -> Result<Async<S>> {
        Async::shown_as(UNKNOWN, source, interest)
    }

    #[track_caller]
    fn shown_as(descriptor: RawFd, mut source: S, interest: Interest) -> Result<Async<S>> {
        let socket = Registered::at_home(Elsewhere(descriptor), &mut source, interest)?;
        Ok(Async { io: Some(source), duplex: Duplex::new(socket) })
    }

    /// The source.
    pub fn get_ref(&self) -> &S {
        self.io.as_ref().expect(THERE)
    }

    /// The source, to be changed. Another one that is put in its place is not listened to.
    pub fn get_mut(&mut self) -> &mut S {
        self.io.as_mut().expect(THERE)
    }

    /// Stops listening to it.
    pub fn into_inner(mut self) -> S {
        self.depart().expect(THERE)
    }

    /// Stops listening, unless that has been done.
    fn depart(&mut self) -> Option<S> {
        let mut io = self.io.take()?;
        self.duplex.socket.deregister(&mut io);
        Some(io)
    }

    /// Waits until there may be something to read.
    ///
    /// # Errors
    ///
    /// See [`Async`].
    #[track_caller]
    pub fn readable(&self) -> impl Future<Output = Result<()>> {
        self.until(Way::Read, |_| Ok(()))
    }

    /// Waits until there may be room to write.
    ///
    /// # Errors
    ///
    /// See [`Async`].
    #[track_caller]
    pub fn writable(&self) -> impl Future<Output = Result<()>> {
        self.until(Way::Write, |_| Ok(()))
    }

    /// Does something that reads, as soon as it does not say `WouldBlock`.
    ///
    /// # Errors
    ///
    /// Those of `operation`, but `WouldBlock` and `Interrupted`, after which it is called again; and see [`Async`].
    #[track_caller]
    pub fn read_with<T>(
        &self,
        operation: impl FnMut(&S) -> io::Result<T>,
    ) -> impl Future<Output = Result<T>> {
        self.until(Way::Read, operation)
    }

    /// Does something that writes, as soon as it does not say `WouldBlock`.
    ///
    /// # Errors
    ///
    /// As [`read_with`](Async::read_with).
    #[track_caller]
    pub fn write_with<T>(
        &self,
        operation: impl FnMut(&S) -> io::Result<T>,
    ) -> impl Future<Output = Result<T>> {
        self.until(Way::Write, operation)
    }

    /// As [`read_with`](Async::read_with), for what needs the source to itself.
    ///
    /// # Errors
    ///
    /// As [`read_with`](Async::read_with).
    #[track_caller]
    pub fn read_with_mut<T>(
        &mut self,
        mut operation: impl FnMut(&mut S) -> io::Result<T>,
    ) -> impl Future<Output = Result<T>> {
        let io = self.io.as_mut().expect(THERE);
        Operation::new(&self.duplex.socket, Way::Read, move |_: &Elsewhere| operation(io).map(Tried::Ready))
    }

    /// As [`write_with`](Async::write_with), for what needs the source to itself.
    ///
    /// # Errors
    ///
    /// As [`read_with`](Async::read_with).
    #[track_caller]
    pub fn write_with_mut<T>(
        &mut self,
        mut operation: impl FnMut(&mut S) -> io::Result<T>,
    ) -> impl Future<Output = Result<T>> {
        let io = self.io.as_mut().expect(THERE);
        Operation::new(&self.duplex.socket, Way::Write, move |_: &Elsewhere| operation(io).map(Tried::Ready))
    }

    #[track_caller]
    fn until<T>(
        &self,
        way: Way,
        mut operation: impl FnMut(&S) -> io::Result<T>,
    ) -> impl Future<Output = Result<T>> {
        Operation::new(&self.duplex.socket, way, move |_: &Elsewhere| {
            operation(self.get_ref()).map(Tried::Ready)
        })
    }
}

const THERE: &str = "a source is taken out only by what consumes its wrapper";

impl<S: event::Source> Drop for Async<S> {
    fn drop(&mut self) {
        drop(self.depart());
    }
}

impl<S: event::Source + Read + Unpin> AsyncRead for Async<S> {
    #[track_caller]
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let io = this.io.as_mut().expect(THERE);
        this.duplex.poll_call(cx, Way::Read, |_| io.read(buffer))
    }

    #[track_caller]
    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let io = this.io.as_mut().expect(THERE);
        this.duplex.poll_call(cx, Way::Read, |_| io.read_vectored(buffers))
    }
}

impl<S: event::Source + Write + Unpin> AsyncWrite for Async<S> {
    #[track_caller]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let io = this.io.as_mut().expect(THERE);
        this.duplex.poll_call(cx, Way::Write, |_| io.write(bytes))
    }

    #[track_caller]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let io = this.io.as_mut().expect(THERE);
        this.duplex.poll_call(cx, Way::Write, |_| io.write_vectored(buffers))
    }

    #[track_caller]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let io = this.io.as_mut().expect(THERE);
        this.duplex.poll_call(cx, Way::Write, |_| io.flush())
    }

    /// Flushes. How a source is closed, it does not say: it is when it is dropped.
    #[track_caller]
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl<S: event::Source + fmt::Debug> fmt::Debug for Async<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Async").field(self.get_ref()).finish()
    }
}
