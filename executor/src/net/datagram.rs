//! `Datagram`: a socket for single messages, over UDP or a Unix socket.

use super::protocol::{Messages, Udp, Unix};
use super::registered::{Operation, Registered, Tried};
use super::{call, ready};
use crate::error::Result;
use crate::reactor::Way;
use std::borrow::Borrow;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

/// A UDP socket: see [`Datagram`] for what it does, and [`bind`](UdpSocket::bind) for how to get one.
pub type UdpSocket = Datagram<Udp>;

/// A Unix socket for messages: see [`Datagram`] for what it does, and [`bind`](UnixDatagram::bind) and
/// [`pair`](UnixDatagram::pair) for how to get one.
pub type UnixDatagram = Datagram<Unix>;

/// A socket for messages, each of which arrives whole. [`UdpSocket`] and [`UnixDatagram`] are its two kinds.
///
/// Over UDP a message may get lost on the way, come twice, or overtake another. Over a Unix socket it does not, and who
/// sends waits while the receiver's line is full.
///
/// Every method takes `&self`, and any number of tasks may wait at once. As a [`Stream`](super::Stream) it may be sent to
/// another thread until it has waited for something.
///
/// # Errors
///
/// Those of every operation, see [`Stream`](super::Stream).
///
/// # Cancel safety
///
/// An operation that is cancelled or dropped has not happened: no message was taken, and none sent.
///
/// # asyncio
///
/// `loop.create_datagram_endpoint`, with `await` in place of its callbacks.
///
/// ```
/// use homing::net::UdpSocket;
///
/// homing::run(async {
///     let server = UdpSocket::bind("127.0.0.1:0")?;
///     let client = UdpSocket::bind("127.0.0.1:0")?;
///     client.connect(server.local_addr()?)?;
///     client.send(b"ping").await?;
///     let mut buffer = [0; 16];
///     let (length, peer) = server.recv_from(&mut buffer).await?;
///     server.send_to(&buffer[..length], peer).await?;
///     assert_eq!(client.recv(&mut buffer).await?, 4);
///     Ok(())
/// })
/// # .unwrap();
/// ```
pub struct Datagram<P: Messages> {
    socket: Registered<P::Socket>,
}

impl<P: Messages> Datagram<P> {
    /// Takes charge of one that has been set not to block.
    pub(super) fn from_io(io: P::Socket) -> Datagram<P> {
        Datagram { socket: Registered::new(io) }
    }

    pub(super) fn io(&self) -> &P::Socket {
        self.socket.get()
    }

    pub(super) fn into_io(self) -> P::Socket {
        self.socket.into_inner()
    }

    /// Receives one message, and returns its length. What does not fit into the buffer is lost.
    ///
    /// A connected socket receives from its peer only.
    ///
    /// # Errors
    ///
    /// See [`Datagram`]. If a message that was sent before could not be delivered, this may be of kind
    /// `ConnectionRefused`, once.
    #[track_caller]
    pub fn recv<'a>(&'a self, buffer: &'a mut [u8]) -> impl Future<Output = Result<usize>> + 'a {
        Operation::new(&self.socket, Way::Read, |io: &P::Socket| call::recv(io, buffer).map(Tried::Ready))
    }

    /// The same, and tells who has sent it.
    ///
    /// # Errors
    ///
    /// As [`recv`](Datagram::recv).
    ///
    /// # asyncio
    ///
    /// `loop.sock_recvfrom`.
    #[track_caller]
    pub fn recv_from<'a>(
        &'a self,
        buffer: &'a mut [u8],
    ) -> impl Future<Output = Result<(usize, P::Address)>> + 'a {
        Operation::new(&self.socket, Way::Read, |io: &P::Socket| P::recv_from(io, buffer).map(Tried::Ready))
    }

    /// As [`recv`](Datagram::recv), but leaves the message where it is.
    ///
    /// # Errors
    ///
    /// As [`recv`](Datagram::recv).
    #[track_caller]
    pub fn peek<'a>(&'a self, buffer: &'a mut [u8]) -> impl Future<Output = Result<usize>> + 'a {
        Operation::new(&self.socket, Way::Read, |io: &P::Socket| call::peek(io, buffer).map(Tried::Ready))
    }

    /// Sends one message to the peer of a connected socket. Waits while there is no room for it.
    ///
    /// # Errors
    ///
    /// See [`Datagram`]. Of kind `NotConnected` (or, on some systems, another) if there is no peer; a message that is too
    /// long for the protocol is an error as well.
    #[track_caller]
    pub fn send<'a>(&'a self, message: &'a [u8]) -> impl Future<Output = Result<usize>> + 'a {
        Operation::new(&self.socket, Way::Write, |io: &P::Socket| P::send(io, message).map(Tried::Ready))
    }

    /// Sends one message to an address.
    ///
    /// # Errors
    ///
    /// As [`send`](Datagram::send).
    ///
    /// # asyncio
    ///
    /// `loop.sock_sendto`.
    #[track_caller]
    pub fn send_to<'a>(
        &'a self,
        message: &'a [u8],
        to: impl Borrow<P::Address> + 'a,
    ) -> impl Future<Output = Result<usize>> + 'a {
        Operation::new(&self.socket, Way::Write, move |io: &P::Socket| {
            P::send_to(io, message, to.borrow()).map(Tried::Ready)
        })
    }

    /// Waits until there is a message, or an error, to be had. Another receiver may be faster, so it is no promise.
    #[track_caller]
    pub fn readable(&self) -> impl Future<Output = Result<()>> {
        Operation::new(&self.socket, Way::Read, |io: &P::Socket| ready::is_readable(io))
    }

    /// Waits until there is room for a message.
    #[track_caller]
    pub fn writable(&self) -> impl Future<Output = Result<()>> {
        Operation::new(&self.socket, Way::Write, |io: &P::Socket| ready::is_writable(io))
    }

    /// The address of this side.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn local_addr(&self) -> io::Result<P::Address> {
        P::local_addr(self.io())
    }

    /// The address to which it is connected.
    ///
    /// # Errors
    ///
    /// Of kind `NotConnected` if it is not.
    pub fn peer_addr(&self) -> io::Result<P::Address> {
        P::peer_addr(self.io())
    }
}

impl<P: Messages> AsFd for Datagram<P> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io().as_fd()
    }
}

impl<P: Messages> AsRawFd for Datagram<P> {
    fn as_raw_fd(&self) -> RawFd {
        self.io().as_raw_fd()
    }
}

impl<P: Messages> fmt::Debug for Datagram<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct(P::DATAGRAM);
        if let Ok(address) = self.local_addr() {
            shown.field("local", &address);
        }
        shown.field("descriptor", &self.as_raw_fd()).finish()
    }
}
