//! `TcpStream`: a connection.

use super::connect;
use super::registered::{Operation, Registered, Tried, Waiting};
use super::transfer::{ReadExact, Transfer, WriteAll};
use crate::error::Result;
use crate::reactor::Way;
use futures_io::{AsyncRead, AsyncWrite};
use std::cell::RefCell;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};

type TcpIo = mio::net::TcpStream;

/// A TCP connection: two streams of bytes, one in each direction.
///
/// It has methods of its own for reading and writing, and implements [`AsyncRead`] and [`AsyncWrite`] for what others
/// have built on these. All of them take `&self` or are there for `&TcpStream` as well, so a task may read while
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
/// [`read_exact`](TcpStream::read_exact) and [`write_all`](TcpStream::write_all), which consist of several, may stop
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
pub struct TcpStream {
    socket: Registered<TcpIo>,
    /// What the traits, whose futures are not ours, have to remember from poll to poll.
    reading: RefCell<Waiting>,
    writing: RefCell<Waiting>,
}

impl TcpStream {
    #[track_caller]
    pub(super) fn from_socket(socket: Registered<TcpIo>) -> TcpStream {
        TcpStream { socket, reading: RefCell::new(Waiting::new()), writing: RefCell::new(Waiting::new()) }
    }

    #[track_caller]
    pub(super) fn from_io(io: TcpIo) -> TcpStream {
        TcpStream::from_socket(Registered::new(io))
    }

    /// Connects to an address; to the first that answers, if there are several.
    ///
    /// They are tried one after the other, each for as long as the operating system has patience, which may be minutes.
    /// A host name is looked up by the operating system, and **blocks the thread** while it is; an IP address is not.
    ///
    /// # Errors
    ///
    /// That of the last address, with what happened to each in its notes; an [`io::Error`] of kind `InvalidInput` if
    /// there is none; and those of every operation (see [`TcpStream`]).
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped, it gives up: the half-made connection is closed.
    ///
    /// # asyncio
    ///
    /// `asyncio.open_connection(host, port)`.
    ///
    /// ```
    /// use homing::net::TcpStream;
    ///
    /// homing::run(async {
    ///     let addresses = ["127.0.0.1:1".parse()?, "127.0.0.1:2".parse()?];
    ///     let error = TcpStream::connect(&addresses[..]).await.unwrap_err();
    ///     assert_eq!(error.downcast_ref::<std::io::Error>().unwrap().kind(), std::io::ErrorKind::ConnectionRefused);
    ///     assert_eq!(error.notes().count(), 2);
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    #[track_caller]
    pub fn connect(address: impl ToSocketAddrs) -> impl Future<Output = Result<TcpStream>> {
        connect::connect(address, Waiting::new())
    }

    /// Takes over a connection of the standard library, and sets it not to block.
    ///
    /// # Errors
    ///
    /// When the operating system refuses that.
    #[track_caller]
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<TcpStream> {
        stream.set_nonblocking(true)?;
        Ok(TcpStream::from_io(TcpIo::from_std(stream)))
    }

    /// The connection for the standard library. It is still set not to block.
    pub fn into_std(self) -> std::net::TcpStream {
        self.socket.into_inner().into()
    }

    /// Reads what there is, up to the length of the buffer, and returns how many bytes that was.
    ///
    /// Waits until there is something. Zero means that the other side will send no more, or that the buffer is empty.
    ///
    /// # Errors
    ///
    /// See [`TcpStream`].
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
        Transfer::new(&self.socket, Way::Read, buffer.len(), |mut io: &TcpIo| io.read(buffer))
    }

    /// As [`read`](TcpStream::read), into several buffers, one after the other.
    #[track_caller]
    pub fn read_vectored<'a>(
        &'a self,
        buffers: &'a mut [IoSliceMut<'_>],
    ) -> impl Future<Output = Result<usize>> + 'a {
        let asked = buffers.iter().map(|buffer| buffer.len()).sum();
        Transfer::new(&self.socket, Way::Read, asked, |mut io: &TcpIo| io.read_vectored(buffers))
    }

    /// Reads until the buffer is full.
    ///
    /// # Errors
    ///
    /// An [`io::Error`] of kind `UnexpectedEof` if the other side has ended before that; and see [`TcpStream`].
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
    pub fn read_exact<'a>(&'a self, buffer: &'a mut [u8]) -> ReadExact<'a> {
        ReadExact::new(&self.socket, buffer)
    }

    /// As [`read`](TcpStream::read), but leaves the bytes where they are for the next read.
    #[track_caller]
    pub fn peek<'a>(&'a self, buffer: &'a mut [u8]) -> impl Future<Output = Result<usize>> + 'a {
        // Never drained: what was seen is still there.
        Operation::new(&self.socket, Way::Read, |io: &TcpIo| io.peek(buffer).map(Tried::Ready))
    }

    /// Writes as much as the kernel takes now, and returns how many bytes that was. Waits until it takes some.
    ///
    /// # Errors
    ///
    /// See [`TcpStream`]. A peer that has gone is an [`io::Error`] of kind `BrokenPipe` or `ConnectionReset`; often it
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
        Transfer::new(&self.socket, Way::Write, bytes.len(), |mut io: &TcpIo| io.write(bytes))
    }

    /// As [`write`](TcpStream::write), from several buffers, one after the other.
    #[track_caller]
    pub fn write_vectored<'a>(
        &'a self,
        buffers: &'a [IoSlice<'_>],
    ) -> impl Future<Output = Result<usize>> + 'a {
        let asked = buffers.iter().map(|buffer| buffer.len()).sum();
        Transfer::new(&self.socket, Way::Write, asked, |mut io: &TcpIo| io.write_vectored(buffers))
    }

    /// Writes all of the bytes.
    ///
    /// # Errors
    ///
    /// See [`TcpStream`]. A note tells how many had been written.
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
    pub fn write_all<'a>(&'a self, bytes: &'a [u8]) -> WriteAll<'a> {
        WriteAll::new(&self.socket, bytes)
    }

    /// Waits until a read would not have to wait: there are bytes, or the end, or an error to be had.
    ///
    /// Another reader may be faster, so it is no promise.
    #[track_caller]
    pub fn readable(&self) -> impl Future<Output = Result<()>> {
        Operation::new(&self.socket, Way::Read, |io: &TcpIo| is_ready(io, libc::POLLIN))
    }

    /// Waits until a write would not have to wait.
    #[track_caller]
    pub fn writable(&self) -> impl Future<Output = Result<()>> {
        Operation::new(&self.socket, Way::Write, |io: &TcpIo| is_ready(io, libc::POLLOUT))
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
        self.socket.get().shutdown(how)
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
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get().peer_addr()
    }

    /// The address of this side.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get().local_addr()
    }

    /// Whether small writes are sent at once (`TCP_NODELAY`). At first they are not.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.socket.get().nodelay()
    }

    /// Whether small writes are to be sent at once, instead of being collected while an answer is outstanding.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    ///
    /// # asyncio
    ///
    /// There it is always on.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket.get().set_nodelay(nodelay)
    }

    /// How many hops a packet may take (`IP_TTL`).
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn ttl(&self) -> io::Result<u32> {
        self.socket.get().ttl()
    }

    /// Sets how many hops a packet may take.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket.get().set_ttl(ttl)
    }

    /// The error that the connection has come to and nobody was told of (`SO_ERROR`), once.
    ///
    /// # Errors
    ///
    /// When the operating system does not tell.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket.get().take_error()
    }

    /// One poll of a read, for the traits.
    #[track_caller]
    #[inline]
    fn poll_read_with(
        &self,
        cx: &mut Context<'_>,
        asked: usize,
        try_io: impl FnMut(&TcpIo) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let waiting = &mut *self.reading.borrow_mut();
        self.socket.poll_transfer(cx, Way::Read, waiting, asked, try_io).map_err(io::Error::from)
    }

    /// One poll of a read into memory that need not be initialised: so many bytes at its beginning are afterwards.
    #[track_caller]
    #[cfg(feature = "hyper")]
    pub(crate) fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        room: &mut [std::mem::MaybeUninit<u8>],
    ) -> Poll<io::Result<usize>> {
        self.poll_read_with(cx, room.len(), |io| recv(io, room))
    }

    /// One poll of a write, for the traits.
    #[track_caller]
    #[inline]
    fn poll_write_with(
        &self,
        cx: &mut Context<'_>,
        asked: usize,
        try_io: impl FnMut(&TcpIo) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let waiting = &mut *self.writing.borrow_mut();
        self.socket.poll_transfer(cx, Way::Write, waiting, asked, try_io).map_err(io::Error::from)
    }
}

/// Receives into memory that need not be initialised, and leaves alone what it does not fill.
#[cfg(feature = "hyper")]
fn recv(io: &TcpIo, room: &mut [std::mem::MaybeUninit<u8>]) -> io::Result<usize> {
    // SAFETY: the kernel writes at most `room.len()` bytes to the room, which is valid for that and borrowed for us.
    let received = unsafe { libc::recv(io.as_raw_fd(), room.as_mut_ptr().cast(), room.len(), 0) };
    usize::try_from(received).map_err(|_| io::Error::last_os_error())
}

/// Asks the kernel, which knows better than we do: others may have read through the descriptor.
fn is_ready(io: &TcpIo, events: libc::c_short) -> io::Result<Tried<()>> {
    let mut asked = libc::pollfd { fd: io.as_raw_fd(), events, revents: 0 };
    // SAFETY: one valid entry, and its number is one. The call does not wait.
    match unsafe { libc::poll(&mut asked, 1, 0) } {
        0 => Err(io::ErrorKind::WouldBlock.into()),
        1 => Ok(Tried::Ready(())),
        _ => Err(io::Error::last_os_error()),
    }
}

impl AsyncRead for &TcpStream {
    #[track_caller]
    #[inline]
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_read_with(cx, buffer.len(), |mut io| io.read(buffer))
    }

    #[track_caller]
    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let asked = buffers.iter().map(|buffer| buffer.len()).sum();
        self.poll_read_with(cx, asked, |mut io| io.read_vectored(buffers))
    }
}

impl AsyncWrite for &TcpStream {
    #[track_caller]
    #[inline]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, bytes.len(), |mut io| io.write(bytes))
    }

    #[track_caller]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let asked = buffers.iter().map(|buffer| buffer.len()).sum();
        self.poll_write_with(cx, asked, |mut io| io.write_vectored(buffers))
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

impl AsyncRead for TcpStream {
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

impl AsyncWrite for TcpStream {
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

impl AsFd for TcpStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.get().as_fd()
    }
}

impl AsRawFd for TcpStream {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.get().as_raw_fd()
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("TcpStream");
        if let Ok(address) = self.local_addr() {
            shown.field("local", &address);
        }
        if let Ok(address) = self.peer_addr() {
            shown.field("peer", &address);
        }
        shown.field("descriptor", &self.as_raw_fd()).finish()
    }
}
