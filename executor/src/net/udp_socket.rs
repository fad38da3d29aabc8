//! What only UDP sockets have: addresses with ports, and options of the network.

use super::bind;
use super::datagram::{Datagram, UdpSocket};
use super::lookup::{Destination, lookup_host};
use crate::error::Result;
use socket2::{SockRef, Type};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, ToSocketAddrs};

impl UdpSocket {
    /// A socket at an address; at the first that can be had, if there are several. Port 0 lets the system choose.
    ///
    /// A *name* is looked up, which may take this thread seconds: in a task, use [`bind_host`](UdpSocket::bind_host).
    ///
    /// # Errors
    ///
    /// That of the last address; of kind `InvalidInput` if there is none.
    ///
    /// # asyncio
    ///
    /// `loop.create_datagram_endpoint(…, local_addr=…)`.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<UdpSocket> {
        UdpSocket::bind_with(address, |_| Ok(()))
    }

    /// The same, with options that have to be set before: `prepare` gets the socket when it has no address yet.
    ///
    /// # Errors
    ///
    /// As [`bind`](UdpSocket::bind), and those of `prepare`.
    pub fn bind_with(
        address: impl ToSocketAddrs,
        mut prepare: impl FnMut(&SockRef<'_>) -> io::Result<()>,
    ) -> io::Result<UdpSocket> {
        bind::first(address, Type::DGRAM, |socket, address| {
            prepare(&SockRef::from(&socket))?;
            socket.bind(&address.into())?;
            UdpSocket::from_std(socket.into())
        })
    }

    /// As [`bind`](UdpSocket::bind), but a name is [looked up](lookup_host) on a thread of the runtime's, while the other
    /// tasks go on. An address is bound to at once.
    ///
    /// # Errors
    ///
    /// Those of [`lookup_host`] and of [`bind`](UdpSocket::bind).
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped, there is no socket.
    ///
    /// # asyncio
    ///
    /// `loop.create_datagram_endpoint(…, local_addr=(host, port))`.
    #[track_caller]
    pub fn bind_host(host: impl Destination) -> impl Future<Output = Result<UdpSocket>> {
        let lookup = lookup_host(host);
        async { Ok(UdpSocket::bind(&lookup.await?[..])?) }
    }

    /// From now on it sends to this address by itself, and receives from there only. Nothing is sent. A name is looked up
    /// here and now: in a task, give it what [`lookup_host`] has found.
    ///
    /// # Errors
    ///
    /// That of the last address.
    pub fn connect(&self, address: impl ToSocketAddrs) -> io::Result<()> {
        self.io().connect(address)
    }

    /// Takes over a socket of the standard library, and sets it not to block.
    ///
    /// # Errors
    ///
    /// When the operating system refuses that.
    pub fn from_std(socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
        socket.set_nonblocking(true)?;
        Ok(Datagram::from_io(socket))
    }

    /// The socket for the standard library. It is still set not to block.
    pub fn into_std(self) -> std::net::UdpSocket {
        self.into_io()
    }

    /// Whether it may send to broadcast addresses (`SO_BROADCAST`). At first it may not.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn broadcast(&self) -> io::Result<bool> {
        self.io().broadcast()
    }

    /// Lets it send to broadcast addresses, or not.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn set_broadcast(&self, broadcast: bool) -> io::Result<()> {
        self.io().set_broadcast(broadcast)
    }

    /// How many hops a packet may take (`IP_TTL`).
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn ttl(&self) -> io::Result<u32> {
        self.io().ttl()
    }

    /// Sets how many hops a packet may take.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.io().set_ttl(ttl)
    }

    /// Joins a group of receivers, on the interface that has this address.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn join_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.io().join_multicast_v4(&group, &interface)
    }

    /// Leaves such a group.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn leave_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.io().leave_multicast_v4(&group, &interface)
    }

    /// Joins a group of receivers, on the interface with this number.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn join_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        self.io().join_multicast_v6(&group, interface)
    }

    /// Leaves such a group.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn leave_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        self.io().leave_multicast_v6(&group, interface)
    }
}
