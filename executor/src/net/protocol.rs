//! Which protocol a socket speaks: the little in which TCP and Unix sockets differ.
//!
//! ```text
//!   TcpStream   = Stream<Tcp>      TcpListener  = Listener<Tcp>      UdpSocket    = Datagram<Udp>
//!   UnixStream  = Stream<Unix>     UnixListener = Listener<Unix>     UnixDatagram = Datagram<Unix>
//! ```
//!
//! What a socket *does* is the same for both and written once, by descriptor. A protocol says what an address is, and
//! which of the standard library's types knows it.

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::SocketAddr as UnixAddr;

/// TCP, as the protocol of a [`Stream`](super::Stream) or [`Listener`](super::Listener).
#[derive(Clone, Copy, Debug)]
pub enum Tcp {}

/// UDP, as the protocol of a [`Datagram`](super::Datagram) socket.
#[derive(Clone, Copy, Debug)]
pub enum Udp {}

/// Unix domain sockets: between processes of one machine, with paths for addresses.
#[derive(Clone, Copy, Debug)]
pub enum Unix {}

/// What addresses of a protocol are. It is implemented for [`Tcp`], [`Udp`] and [`Unix`], and cannot be for others.
pub trait Addresses: sealed::Named {
    /// An address.
    type Address: Debug + Clone + 'static;
}

/// A protocol of connections: [`Tcp`] or [`Unix`].
pub trait Connections: Addresses + sealed::Streams<Peer = <Self as Addresses>::Address> {}

/// A protocol of single messages: [`Udp`] or [`Unix`].
pub trait Messages: Addresses + sealed::Datagrams<Peer = <Self as Addresses>::Address> {}

impl Addresses for Tcp {
    type Address = SocketAddr;
}

impl Addresses for Udp {
    type Address = SocketAddr;
}

impl Addresses for Unix {
    type Address = UnixAddr;
}

impl Connections for Tcp {}
impl Connections for Unix {}
impl Messages for Udp {}
impl Messages for Unix {}

/// Out of reach for others, who have no name for it.
pub(super) mod sealed {
    use super::*;

    /// What the sockets of a protocol are called, in `Debug`.
    pub trait Named: 'static {
        const STREAM: &'static str = "";
        const LISTENER: &'static str = "";
        const DATAGRAM: &'static str = "";
    }

    impl Named for Tcp {
        const STREAM: &'static str = "TcpStream";
        const LISTENER: &'static str = "TcpListener";
    }

    impl Named for Udp {
        const DATAGRAM: &'static str = "UdpSocket";
    }

    impl Named for Unix {
        const STREAM: &'static str = "UnixStream";
        const LISTENER: &'static str = "UnixListener";
        const DATAGRAM: &'static str = "UnixDatagram";
    }

    /// The standard library's connections and mio's listeners (which accept connections that do not block, in one call).
    pub trait Streams {
        type Peer;
        type Stream: Bytes + Debug + Unpin + Send + Sync + 'static;
        type Listener: AsFd + AsRawFd + Debug + Unpin + Send + Sync + 'static;
        fn local_addr(stream: &Self::Stream) -> io::Result<Self::Peer>;
        fn peer_addr(stream: &Self::Stream) -> io::Result<Self::Peer>;
        fn listener_addr(listener: &Self::Listener) -> io::Result<Self::Peer>;
        fn accept(listener: &Self::Listener) -> io::Result<(Self::Stream, Self::Peer)>;
    }

    /// A connection as a pipe for bytes.
    pub trait Bytes: AsFd + AsRawFd {
        /// Whether a read that got less than it asked for has found all there was, so that the next one would find
        /// nothing, and an edge will come when that changes.
        const SHORT_READ_DRAINS: bool;
    }

    /// Only where the reactor is told of urgent bytes: a read stops before one, with more behind it. (See
    /// [`Home`](crate::net::registered).)
    impl Bytes for std::net::TcpStream {
        const SHORT_READ_DRAINS: bool = cfg!(any(target_os = "linux", target_os = "android"));
    }

    /// A read stops behind bytes with which descriptors were sent, and where the sender changes. Nothing tells of that.
    impl Bytes for std::os::unix::net::UnixStream {
        const SHORT_READ_DRAINS: bool = false;
    }

    impl Streams for Tcp {
        type Peer = SocketAddr;
        type Stream = std::net::TcpStream;
        type Listener = mio::net::TcpListener;

        fn local_addr(stream: &Self::Stream) -> io::Result<SocketAddr> {
            stream.local_addr()
        }

        fn peer_addr(stream: &Self::Stream) -> io::Result<SocketAddr> {
            stream.peer_addr()
        }

        fn listener_addr(listener: &Self::Listener) -> io::Result<SocketAddr> {
            listener.local_addr()
        }

        fn accept(listener: &Self::Listener) -> io::Result<(Self::Stream, SocketAddr)> {
            listener.accept().map(|(stream, peer)| (stream.into(), peer))
        }
    }

    impl Streams for Unix {
        type Peer = UnixAddr;
        type Stream = std::os::unix::net::UnixStream;
        type Listener = mio::net::UnixListener;

        fn local_addr(stream: &Self::Stream) -> io::Result<UnixAddr> {
            stream.local_addr()
        }

        fn peer_addr(stream: &Self::Stream) -> io::Result<UnixAddr> {
            stream.peer_addr()
        }

        fn listener_addr(listener: &Self::Listener) -> io::Result<UnixAddr> {
            listener.local_addr()
        }

        fn accept(listener: &Self::Listener) -> io::Result<(Self::Stream, UnixAddr)> {
            listener.accept().map(|(stream, peer)| (stream.into(), peer))
        }
    }

    /// The standard library's sockets for messages.
    pub trait Datagrams {
        type Peer;
        type Socket: AsFd + AsRawFd + Debug + Unpin + Send + Sync + 'static;
        fn local_addr(socket: &Self::Socket) -> io::Result<Self::Peer>;
        fn peer_addr(socket: &Self::Socket) -> io::Result<Self::Peer>;
        fn send(socket: &Self::Socket, message: &[u8]) -> io::Result<usize>;
        fn send_to(socket: &Self::Socket, message: &[u8], to: &Self::Peer) -> io::Result<usize>;
        fn recv_from(socket: &Self::Socket, buffer: &mut [u8]) -> io::Result<(usize, Self::Peer)>;
    }

    impl Datagrams for Udp {
        type Peer = SocketAddr;
        type Socket = std::net::UdpSocket;

        fn local_addr(socket: &Self::Socket) -> io::Result<SocketAddr> {
            socket.local_addr()
        }

        fn peer_addr(socket: &Self::Socket) -> io::Result<SocketAddr> {
            socket.peer_addr()
        }

        fn send(socket: &Self::Socket, message: &[u8]) -> io::Result<usize> {
            socket.send(message)
        }

        fn send_to(socket: &Self::Socket, message: &[u8], to: &SocketAddr) -> io::Result<usize> {
            socket.send_to(message, to)
        }

        fn recv_from(socket: &Self::Socket, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
            socket.recv_from(buffer)
        }
    }

    impl Datagrams for Unix {
        type Peer = UnixAddr;
        type Socket = std::os::unix::net::UnixDatagram;

        fn local_addr(socket: &Self::Socket) -> io::Result<UnixAddr> {
            socket.local_addr()
        }

        fn peer_addr(socket: &Self::Socket) -> io::Result<UnixAddr> {
            socket.peer_addr()
        }

        fn send(socket: &Self::Socket, message: &[u8]) -> io::Result<usize> {
            socket.send(message)
        }

        fn send_to(socket: &Self::Socket, message: &[u8], to: &UnixAddr) -> io::Result<usize> {
            socket.send_to_addr(message, to)
        }

        fn recv_from(socket: &Self::Socket, buffer: &mut [u8]) -> io::Result<(usize, UnixAddr)> {
            socket.recv_from(buffer)
        }
    }
}
