//! The two directions of a stream as values of their own.
//!
//! ```text
//!   split(&stream)         ReadHalf<&Stream>          WriteHalf<&Stream>           the stream stays where it is
//!   into_split(stream)     ReadHalf<Shared> ──► Rc ◄── WriteHalf<Closing>          each goes where it likes
//!                                                       dropped: the direction ends
//! ```

use super::protocol::Connections;
use super::stream::Stream;
use super::transfer::{ReadExact, WriteAll};
use crate::error::Result;
use futures_io::{AsyncRead, AsyncWrite};
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::ops::Deref;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// The direction of a stream that is read, borrowed ([`Stream::split`]) or owned ([`OwnedReadHalf`]).
#[derive(Debug)]
pub struct ReadHalf<S> {
    stream: S,
}

/// The direction of a stream that is written, borrowed ([`Stream::split`]) or owned ([`OwnedWriteHalf`]).
#[derive(Debug)]
pub struct WriteHalf<S> {
    stream: S,
}

/// The reading half that [`Stream::into_split`] gives.
pub type OwnedReadHalf<P> = ReadHalf<Shared<P>>;

/// The writing half that [`Stream::into_split`] gives. When it is dropped, the direction ends.
pub type OwnedWriteHalf<P> = WriteHalf<Closing<P>>;

/// A stream that its two owned halves share.
pub struct Shared<P: Connections>(Rc<Stream<P>>);

/// The same, in the half whose end is the end of what is written.
pub struct Closing<P: Connections> {
    /// Taken out where the halves are put together again.
    stream: Option<Rc<Stream<P>>>,
}

pub(super) fn borrowed<P: Connections>(stream: &Stream<P>) -> (ReadHalf<&Stream<P>>, WriteHalf<&Stream<P>>) {
    (ReadHalf { stream }, WriteHalf { stream })
}

pub(super) fn owned<P: Connections>(stream: Stream<P>) -> (OwnedReadHalf<P>, OwnedWriteHalf<P>) {
    let stream = Rc::new(stream);
    let closing = Closing { stream: Some(stream.clone()) };
    (ReadHalf { stream: Shared(stream) }, WriteHalf { stream: closing })
}

impl<S: Deref<Target = Stream<P>>, P: Connections> ReadHalf<S> {
    /// The whole stream, for its addresses and options.
    pub fn stream(&self) -> &Stream<P> {
        &self.stream
    }

    /// See [`Stream::read`].
    #[track_caller]
    pub fn read<'a>(&'a self, buffer: &'a mut [u8]) -> impl Future<Output = Result<usize>> + 'a
    where
        P: 'a,
    {
        self.stream().read(buffer)
    }

    /// See [`Stream::read_vectored`].
    #[track_caller]
    pub fn read_vectored<'a>(
        &'a self,
        buffers: &'a mut [IoSliceMut<'_>],
    ) -> impl Future<Output = Result<usize>> + 'a
    where
        P: 'a,
    {
        self.stream().read_vectored(buffers)
    }

    /// See [`Stream::read_exact`].
    #[track_caller]
    pub fn read_exact<'a>(&'a self, buffer: &'a mut [u8]) -> ReadExact<'a, P::Stream> {
        self.stream().read_exact(buffer)
    }

    /// See [`Stream::peek`].
    #[track_caller]
    pub fn peek<'a>(&'a self, buffer: &'a mut [u8]) -> impl Future<Output = Result<usize>> + 'a
    where
        P: 'a,
    {
        self.stream().peek(buffer)
    }
}

impl<S: Deref<Target = Stream<P>>, P: Connections> WriteHalf<S> {
    /// The whole stream, for its addresses and options.
    pub fn stream(&self) -> &Stream<P> {
        &self.stream
    }

    /// See [`Stream::write`].
    #[track_caller]
    pub fn write<'a>(&'a self, bytes: &'a [u8]) -> impl Future<Output = Result<usize>> + 'a
    where
        P: 'a,
    {
        self.stream().write(bytes)
    }

    /// See [`Stream::write_vectored`].
    #[track_caller]
    pub fn write_vectored<'a>(
        &'a self,
        buffers: &'a [IoSlice<'_>],
    ) -> impl Future<Output = Result<usize>> + 'a
    where
        P: 'a,
    {
        self.stream().write_vectored(buffers)
    }

    /// See [`Stream::write_all`].
    #[track_caller]
    pub fn write_all<'a>(&'a self, bytes: &'a [u8]) -> WriteAll<'a, P::Stream> {
        self.stream().write_all(bytes)
    }

    /// Ends the direction: the other side reads to the end of what was written, and then finds the end.
    ///
    /// # Errors
    ///
    /// As [`Stream::shutdown`].
    pub fn shutdown(&self) -> io::Result<()> {
        self.stream().shutdown(Shutdown::Write)
    }
}

/// Halves that do not belong together, given back by [`OwnedReadHalf::reunite`].
pub struct NotOfOneStream<P: Connections>(
    /// The reading half of one stream.
    pub OwnedReadHalf<P>,
    /// The writing half of another.
    pub OwnedWriteHalf<P>,
);

impl<P: Connections> OwnedReadHalf<P> {
    /// Puts the halves of a stream together again.
    ///
    /// # Errors
    ///
    /// [`NotOfOneStream`] if they are of two.
    pub fn reunite(self, mut other: OwnedWriteHalf<P>) -> Result<Stream<P>, NotOfOneStream<P>> {
        if !std::ptr::eq(self.stream(), other.stream()) {
            return Err(NotOfOneStream(self, other));
        }
        drop(other.stream.stream.take());
        Ok(Rc::into_inner(self.stream.0).expect("a stream is shared by its two halves and nobody else"))
    }
}

impl<P: Connections> Deref for Shared<P> {
    type Target = Stream<P>;

    fn deref(&self) -> &Stream<P> {
        &self.0
    }
}

impl<P: Connections> Deref for Closing<P> {
    type Target = Stream<P>;

    fn deref(&self) -> &Stream<P> {
        self.stream.as_ref().expect("taken out only by what consumes the half")
    }
}

impl<P: Connections> Drop for Closing<P> {
    fn drop(&mut self) {
        if let Some(stream) = &self.stream {
            // It fails if the connection has come to its end, and then there is nothing to be ended.
            let _ = stream.shutdown(Shutdown::Write);
        }
    }
}

impl<S: Deref<Target = Stream<P>> + Unpin, P: Connections> AsyncRead for ReadHalf<S> {
    #[track_caller]
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self.stream).poll_read(cx, buffer)
    }

    #[track_caller]
    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self.stream).poll_read_vectored(cx, buffers)
    }
}

impl<S: Deref<Target = Stream<P>> + Unpin, P: Connections> AsyncWrite for WriteHalf<S> {
    #[track_caller]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self.stream).poll_write(cx, bytes)
    }

    #[track_caller]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self.stream).poll_write_vectored(cx, buffers)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self.stream).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self.stream).poll_close(cx)
    }
}

impl<P: Connections> fmt::Debug for Shared<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<P: Connections> fmt::Debug for Closing<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stream.fmt(f)
    }
}

impl<P: Connections> fmt::Debug for NotOfOneStream<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NotOfOneStream").field(&self.0).field(&self.1).finish()
    }
}

impl<P: Connections> fmt::Display for NotOfOneStream<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("these halves are of two streams")
    }
}

impl<P: Connections> std::error::Error for NotOfOneStream<P> {}
