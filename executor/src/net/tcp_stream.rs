//! What only TCP connections have: addresses with ports, and a few options.

use super::connect::Connect;
use super::lookup::Destination;
use super::stream::{Stream, TcpStream};
use socket2::SockRef;
use std::io;
use std::time::Duration;

impl TcpStream {
    /// Connects to an address; to the first that answers, if there are several.
    ///
    /// A host's name is looked up first, on a thread (see [`lookup_host`](super::lookup_host)). The next address is tried
    /// when the one before has failed, or has not answered for 250 ms; see [`Connect`] for that, and for options that
    /// have to be set before.
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
    /// `asyncio.open_connection(host, port)`, with `happy_eyeballs_delay=0.25`.
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
    pub fn connect(address: impl Destination) -> Connect {
        Connect::new(address)
    }

    /// Takes over a connection of the standard library, and sets it not to block.
    ///
    /// # Errors
    ///
    /// When the operating system refuses that.
    #[track_caller]
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<TcpStream> {
        stream.set_nonblocking(true)?;
        Ok(Stream::from_io(stream))
    }

    /// The connection for the standard library. It is still set not to block.
    pub fn into_std(self) -> std::net::TcpStream {
        self.into_io()
    }

    /// Whether small writes are sent at once (`TCP_NODELAY`). At first they are not.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.io().nodelay()
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
        self.io().set_nodelay(nodelay)
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

    /// How long closing goes on trying to deliver what was written: `None`, as at first, for as long as it takes, in the
    /// background; `Some` zero for not at all, which resets the connection (`SO_LINGER`).
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        SockRef::from(self).linger()
    }

    /// Sets how long closing goes on trying. A time other than zero **blocks the thread** when the connection is closed,
    /// until all is delivered or the time is over; the operating system may round it to whole seconds.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        SockRef::from(self).set_linger(linger)
    }

    /// After how much silence the operating system asks whether the other side is still there; `None` if it never does
    /// (`SO_KEEPALIVE`, `TCP_KEEPIDLE`). At first it does not.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn keepalive(&self) -> io::Result<Option<Duration>> {
        let socket = SockRef::from(self);
        if socket.keepalive()? { socket.tcp_keepalive_time().map(Some) } else { Ok(None) }
    }

    /// Sets after how much silence the operating system asks whether the other side is still there, in whole seconds.
    /// A connection that does not answer is then broken off: who reads from it gets an error of kind `TimedOut`.
    ///
    /// How often it asks, and how many times, can be set through [`SockRef`](super::SockRef).
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn set_keepalive(&self, silence: Option<Duration>) -> io::Result<()> {
        let socket = SockRef::from(self);
        match silence {
            Some(silence) => socket.set_tcp_keepalive(&socket2::TcpKeepalive::new().with_time(silence)),
            None => socket.set_keepalive(false),
        }
    }
}
