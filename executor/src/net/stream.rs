//! `Stream`: a connection, over TCP or a Unix socket.

use super::duplex::Duplex;
use super::protocol::{Connections, Tcp, Unix};
use super::registered::{Operation, Registered, Tried};
use super::split::{self, OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use super::transfer::{ReadExact, Transfer, WriteAll};
use super::{call, ready};
use crate::error::Result;
use crate::reactor::Way;
use futures_io::{AsyncRead, AsyncWrite};
use socket2::SockRef;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A TCP connection: see [`Stream`] for what it does, and [`connect`](TcpStream::connect) for how to get one.
pub type TcpStream = Stream<Tcp>;

/// A connection over a Unix domain socket: see [`Stream`] for what it does, and [`connect`](UnixStream::connect) and
/// [`pair`](UnixStream::pair) for how to get one.
pub type UnixStream = Stream<Unix>;

/// A connection: two streams of bytes, one in each direction. [`TcpStream`] and [`UnixStream`] are its two kinds.
///
/// It has methods of its own for reading and writing, and implements [`AsyncRead`] and [`AsyncWrite`] for what others
/// have built on these. All of them take `&self` or are there for `&Stream` as well, so a task may read while
/// another one writes. Of the methods any number may wait at once, in different tasks; the traits remember one reader
/// and one writer for each stream.
///
/// It may be sent to another thread until it has waited for something; from then on it can be used only in that
/// runtime. It can be dropped anywhere, which closes the connection.
///
/// # Errors
///
/// The waiting methods give a [`homing::Error`](crate::error::Error), which is one of
/// * a [`Cancelled`](crate::error::Cancelled), if the task is cancelled while it stands there;
/// * an [`std::io::Error`], found with `error.downcast_ref::<io::Error>()`;
/// * a [`RuntimeError`](crate::error::RuntimeError): `NoRuntime` if it would have to wait outside of a runtime,
///   `OtherRuntime` if it has waited in another one before, and `RuntimeGone` if that has been dropped.
///
/// The traits give the same in an `io::Error`, out of which `?` takes it again.
///
/// # Cancel safety
///
/// An operation that is cancelled or dropped has not happened: it has consumed nothing, and written nothing. Only
/// [`read_exact`](Stream::read_exact) and [`write_all`](Stream::write_all), which consist of several, may stop
/// midway, and tell how far they came.
///
/// Where a future of the traits is dropped (in a `select!`), the stream does not hear of it: it may wake the task once
/// for nothing, and a cancel of that very moment may come out of the next use of the traits. The methods have no such
/// remainder.
///
/// # asyncio
///
/// The pair of `StreamReader` and `StreamWriter` that `asyncio.open_connection` returns. Here nothing is buffered in
/// between: `read` gives what the kernel has, and `write` waits until the kernel has taken something, so there is no
/// `drain` to forget.
///
/// ```
/// use homing::net::{TcpListener, TcpStream};
///
/// homing::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0")?;
///     let address = listener.local_addr()?;
///     let server = homing::spawn(async move {
///         let (stream, _peer) = listener.accept().await?;
///         let mut question = [0; 5];
///         stream.read_exact(&mut question).await?;
///         stream.write_all(b"pong!").await?;
///         Ok(question)
///     });
///
///     let stream = TcpStream::connect(address).await?;
///     stream.write_all(b"ping?").await?;
///     let mut answer = [0; 5];
///     stream.read_exact(&mut answer).await?;
///     assert_eq!((&server.await?, &answer), (b"ping?", b"pong!"));
///     Ok(())
/// })
/// # .unwrap();
/// ```
pub struct Stream<P: Connections> {
    duplex: Duplex<P::Stream>,
}

impl<P: Connections> Stream<P> {
    #[track_caller]
    pub(super) fn from_socket(socket: Registered<P::Stream>) -> Stream<P> {
        Stream { duplex: Duplex::new(socket) }
    }

    /// Takes charge of one that has been set not to block.
    #[track_caller]
    pub(super) fn from_io(io: P::Stream) -> Stream<P> {
        Stream::from_socket(Registered::new(io))
    }

    pub(super) fn into_io(self) -> P::Stream {
        self.duplex.socket.into_inner()
    }

    pub(super) fn io(&self) -> &P::Stream {
        self.duplex.socket.get()
    }

    /// Reads what there is, up to the length of the buffer, and returns how many bytes that was.
    ///
    /// Waits until there is something. Zero means that the other side will send no more, or that the buffer is empty.
    ///
    /// # Errors
    ///
    /// See [`Stream`].
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped, it has read nothing.
    ///
    /// # asyncio
    ///
    /// `await reader.read(n)`.
    #[track_caller]
    #[inline]
    pub fn read<'a>(&'a self, buffer: &'a mut [u8]) -> impl Future<Output = Result<usize>> + 'a {
        Transfer::reading(&self.duplex.socket, buffer.len(), |io: &P::Stream| call::recv(io, buffer))
    }

    /// As [`read`](Stream::read), into several buffers, one after the other.
    #[track_caller]
    pub fn read_vectored<'a>(
        &'a self,
        buffers: &'a mut [IoSliceMut<'_>],
    ) -> impl Future<Output = Result<usize>> + 'a {
        let asked = call::length(buffers);
        Transfer::reading(&self.duplex.socket, asked, |io: &P::Stream| call::recv_vectored(io, buffers))
    }

    /// Reads until the buffer is full.
    ///
    /// # Errors
    ///
    /// An [`io::Error`] of kind `UnexpectedEof` if the other side has ended before that; and see [`Stream`].
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it may have read some: [`ReadExact::filled`] tells how many bytes, and awaiting it again goes on from
    /// there. Dropped midway, these are in the buffer, and their number is lost.
    ///
    /// # asyncio
    ///
    /// `await reader.readexactly(n)`, which keeps the bytes in its buffer in that case.
    #[track_caller]
    #[inline]
    pub fn read_exact<'a>(&'a self, buffer: &'a mut [u8]) -> ReadExact<'a, P::Stream> {
        ReadExact::new(&self.duplex.socket, buffer)
    }

    /// As [`read`](Stream::read), but leaves the bytes where they are for the next read.
    #[track_caller]
    pub fn peek<'a>(&'a self, buffer: &'a mut [u8]) -> impl Future<Output = Result<usize>> + 'a {
        // Never drained: what was seen is still there.
        Operation::new(&self.duplex.socket, Way::Read, |io: &P::Stream| {
            call::peek(io, buffer).map(Tried::Ready)
        })
    }

    /// Writes as much as the kernel takes now, and returns how many bytes that was. Waits until it takes some.
    ///
    /// # Errors
    ///
    /// See [`Stream`]. A peer that has gone is an [`io::Error`] of kind `BrokenPipe` or `ConnectionReset`; often it
    /// is only the write after the next that finds out.
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped, it has written nothing.
    ///
    /// # asyncio
    ///
    /// `writer.write(data)` with `await writer.drain()`, but without a buffer in between.
    #[track_caller]
    #[inline]
    pub fn write<'a>(&'a self, bytes: &'a [u8]) -> impl Future<Output = Result<usize>> + 'a {
        Transfer::writing(&self.duplex.socket, bytes.len(), |io: &P::Stream| call::send(io, bytes))
    }

    /// As [`write`](Stream::write), from several buffers, one after the other.
    #[track_caller]
    pub fn write_vectored<'a>(
        &'a self,
        buffers: &'a [IoSlice<'_>],
    ) -> impl Future<Output = Result<usize>> + 'a {
        let asked = call::length(buffers);
        Transfer::writing(&self.duplex.socket, asked, |io: &P::Stream| call::send_vectored(io, buffers))
    }

    /// Writes all of the bytes.
    ///
    /// # Errors
    ///
    /// See [`Stream`]. A note tells how many had been written.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it may have written some: [`WriteAll::written`] tells how many bytes, and awaiting it again goes on
    /// from there.
    ///
    /// # asyncio
    ///
    /// `writer.write(data)` with `await writer.drain()`; a cancelled `drain` does not keep the data from being written.
    ///
    /// ```
    /// use homing::net::{TcpListener, TcpStream};
    ///
    /// homing::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let stream = TcpStream::connect(listener.local_addr()?).await?;
    ///     let task = homing::spawn(async move {
    ///         let bytes = vec![0; 64 << 20]; // more than the kernel takes while nobody reads
    ///         let mut write = stream.write_all(&bytes);
    ///         let error = (&mut write).await.unwrap_err();
    ///         assert!(error.is_cancelled());
    ///         Ok(write.written())
    ///     });
    ///     homing::yield_now().await?;
    ///     task.cancel();
    ///     assert!((1..64 << 20).contains(&task.await?));
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    #[track_caller]
    #[inline]
    pub fn write_all<'a>(&'a self, bytes: &'a [u8]) -> WriteAll<'a, P::Stream> {
        WriteAll::new(&self.duplex.socket, bytes)
    }

    /// Waits until a read would not have to wait: there are bytes, or the end, or an error to be had.
    ///
    /// Another reader may be faster, so it is no promise.
    #[track_caller]
    pub fn readable(&self) -> impl Future<Output = Result<()>> {
        Operation::new(&self.duplex.socket, Way::Read, |io: &P::Stream| ready::is_readable(io))
    }

    /// Waits until a write would not have to wait.
    #[track_caller]
    pub fn writable(&self) -> impl Future<Output = Result<()>> {
        Operation::new(&self.duplex.socket, Way::Write, |io: &P::Stream| ready::is_writable(io))
    }

    /// Does something that reads, as soon as it does not say `WouldBlock`: any system call on the socket.
    ///
    /// For what has no method here: a message with descriptors in it, `splice`, and so on.
    ///
    /// # Errors
    ///
    /// Those of `operation`, but `WouldBlock` and `Interrupted`, after which it is called again; and see [`Stream`].
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped, `operation` has not been called, or has said `WouldBlock` each time.
    ///
    /// # asyncio
    ///
    /// `loop.add_reader(fd, callback)`.
    #[track_caller]
    pub fn read_with<T>(
        &self,
        mut operation: impl FnMut(&SockRef<'_>) -> io::Result<T>,
    ) -> impl Future<Output = Result<T>> {
        Operation::new(&self.duplex.socket, Way::Read, move |io: &P::Stream| {
            operation(&SockRef::from(io)).map(Tried::Ready)
        })
    }

    /// Does something that writes, as soon as it does not say `WouldBlock`: `sendfile`, for one, which takes a file's
    /// bytes from the kernel's memory, and not through ours.
    ///
    /// # Errors
    ///
    /// As [`read_with`](Stream::read_with).
    ///
    /// # Cancel safety
    ///
    /// As [`read_with`](Stream::read_with).
    ///
    /// # asyncio
    ///
    /// `loop.add_writer(fd, callback)`; `loop.sendfile`.
    #[track_caller]
    pub fn write_with<T>(
        &self,
        mut operation: impl FnMut(&SockRef<'_>) -> io::Result<T>,
    ) -> impl Future<Output = Result<T>> {
        Operation::new(&self.duplex.socket, Way::Write, move |io: &P::Stream| {
            operation(&SockRef::from(io)).map(Tried::Ready)
        })
    }

    /// Ends one direction, or both: the other side reads to the end of what was written, and then finds the end.
    ///
    /// # Errors
    ///
    /// When the operating system refuses; of kind `NotConnected` if the connection has come to its end by itself.
    ///
    /// # asyncio
    ///
    /// `writer.write_eof()`, for `Shutdown::Write`.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        SockRef::from(self.io()).shutdown(how)
    }

    /// The two directions, as values of their own, for who takes something that reads and something that writes.
    ///
    /// Not needed for reading and writing at the same time: both take `&self`.
    ///
    /// # asyncio
    ///
    /// The reader and the writer of `asyncio.open_connection`.
    pub fn split(&self) -> (ReadHalf<&Stream<P>>, WriteHalf<&Stream<P>>) {
        split::borrowed(self)
    }

    /// The two directions, each of which may go to a task of its own.
    ///
    /// When the writing half is dropped, the other side finds the end of what was written (as after
    /// [`shutdown`](Stream::shutdown) of that direction); when both are, the connection is closed.
    /// [`reunite`](OwnedReadHalf::reunite) puts them together again.
    ///
    /// ```
    /// use homing::net::UnixStream;
    ///
    /// homing::run(async {
    ///     let (near, far) = UnixStream::pair()?;
    ///     let (reader, writer) = near.into_split();
    ///     let writing = homing::spawn(async move { writer.write_all(b"all of it").await }); // and drops it
    ///     let mut buffer = [0; 16];
    ///     assert_eq!(far.read(&mut buffer).await?, 9);
    ///     assert_eq!(far.read(&mut buffer).await?, 0);
    ///     writing.await?;
    ///     far.write_all(b"an answer").await?;
    ///     assert_eq!(reader.read(&mut buffer).await?, 9);
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn into_split(self) -> (OwnedReadHalf<P>, OwnedWriteHalf<P>) {
        split::owned(self)
    }

    /// The address of the other side.
    ///
    /// # Errors
    ///
    /// Of kind `NotConnected` if there is no other side any more.
    ///
    /// # asyncio
    ///
    /// `writer.get_extra_info("peername")`.
    pub fn peer_addr(&self) -> io::Result<P::Address> {
        P::peer_addr(self.io())
    }

    /// The address of this side.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn local_addr(&self) -> io::Result<P::Address> {
        P::local_addr(self.io())
    }

    /// The error that the connection has come to and nobody was told of (`SO_ERROR`), once.
    ///
    /// # Errors
    ///
    /// When the operating system does not tell.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        SockRef::from(self.io()).take_error()
    }

    /// One poll of a read into memory that need not be initialised: so many bytes at its beginning are afterwards.
    #[track_caller]
    #[cfg(feature = "hyper")]
    pub(crate) fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        room: &mut [std::mem::MaybeUninit<u8>],
    ) -> Poll<io::Result<usize>> {
        self.duplex.poll_transfer(cx, Way::Read, room.len(), |io| SockRef::from(io).recv(room))
    }
}

impl<P: Connections> AsyncRead for &Stream<P> {
    #[track_caller]
    #[inline]
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.duplex.poll_transfer(cx, Way::Read, buffer.len(), |io| call::recv(io, buffer))
    }

    #[track_caller]
    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let asked = call::length(buffers);
        self.duplex.poll_transfer(cx, Way::Read, asked, |io| call::recv_vectored(io, buffers))
    }
}

impl<P: Connections> AsyncWrite for &Stream<P> {
    #[track_caller]
    #[inline]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.duplex.poll_transfer(cx, Way::Write, bytes.len(), |io| call::send(io, bytes))
    }

    #[track_caller]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let asked = call::length(buffers);
        self.duplex.poll_transfer(cx, Way::Write, asked, |io| call::send_vectored(io, buffers))
    }

    /// There is nothing to flush: what is written is the kernel's.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Ends this side's direction.
    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match self.shutdown(Shutdown::Write) {
            // It has ended already, with the whole connection.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        })
    }
}

impl<P: Connections> AsyncRead for Stream<P> {
    #[track_caller]
    #[inline]
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read(cx, buffer)
    }

    #[track_caller]
    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read_vectored(cx, buffers)
    }
}

impl<P: Connections> AsyncWrite for Stream<P> {
    #[track_caller]
    #[inline]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write(cx, bytes)
    }

    #[track_caller]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write_vectored(cx, buffers)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_close(cx)
    }
}

impl<P: Connections> AsFd for Stream<P> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io().as_fd()
    }
}

impl<P: Connections> AsRawFd for Stream<P> {
    fn as_raw_fd(&self) -> RawFd {
        self.io().as_raw_fd()
    }
}

impl<P: Connections> From<Stream<P>> for OwnedFd
where
    P::Stream: Into<OwnedFd>,
{
    /// The descriptor, still set not to block.
    fn from(stream: Stream<P>) -> OwnedFd {
        stream.into_io().into()
    }
}

impl<P: Connections> fmt::Debug for Stream<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct(P::STREAM);
        if let Ok(address) = self.local_addr() {
            shown.field("local", &address);
        }
        if let Ok(address) = self.peer_addr() {
            shown.field("peer", &address);
        }
        shown.field("descriptor", &self.as_raw_fd()).finish()
    }
}
