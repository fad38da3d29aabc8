//! What only TCP listeners have: how they come to listen at an address with a port.

use super::bind;
use super::listener::{Listener, TcpListener};
use super::lookup::{Destination, lookup_host};
use crate::error::Result;
use socket2::{SockRef, Type};
use std::io;
use std::net::ToSocketAddrs;

/// As many connections may wait to be accepted as the system allows.
const BACKLOG: i32 = if cfg!(target_os = "linux") { -1 } else { libc::SOMAXCONN };

impl TcpListener {
    /// Listens at an address; at the first that can be had, if there are several. Port 0 lets the system choose.
    ///
    /// The address can be used again at once after a former listener has gone (`SO_REUSEADDR`). As many connections may
    /// wait to be accepted as the system allows.
    ///
    /// To bind takes no time, so nothing is awaited, and it can be done before there is a runtime. A *name* has to be looked
    /// up for it, which may take seconds, and this thread with it: in a task, use [`bind_host`](TcpListener::bind_host).
    ///
    /// # Errors
    ///
    /// That of the last address; of kind `InvalidInput` if there is none.
    ///
    /// # asyncio
    ///
    /// `asyncio.start_server(handler, host, port)`, which listens at all of the addresses.
    #[track_caller]
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
        TcpListener::bind_with(address, |_| Ok(()))
    }

    /// The same, with options that have to be set before: `prepare` gets the socket when it has no address yet.
    ///
    /// # Errors
    ///
    /// As [`bind`](TcpListener::bind), and those of `prepare`.
    ///
    /// # asyncio
    ///
    /// `asyncio.start_server(…, reuse_port=True)`.
    ///
    /// ```
    /// use homing::net::TcpListener;
    ///
    /// // One listener for each of several threads; the system deals out the connections.
    /// let first = TcpListener::bind_with("127.0.0.1:0", |socket| socket.set_reuse_port(true))?;
    /// let second = TcpListener::bind_with(first.local_addr()?, |socket| socket.set_reuse_port(true))?;
    /// assert_eq!(first.local_addr()?, second.local_addr()?);
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn bind_with(
        address: impl ToSocketAddrs,
        mut prepare: impl FnMut(&SockRef<'_>) -> io::Result<()>,
    ) -> io::Result<TcpListener> {
        bind::first(address, Type::STREAM, |socket, address| {
            socket.set_reuse_address(true)?;
            prepare(&SockRef::from(&socket))?;
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            TcpListener::from_std(socket.into())
        })
    }

    /// As [`bind`](TcpListener::bind), but a name is [looked up](lookup_host) on a thread of the runtime's, while the other
    /// tasks go on. An address is bound to at once.
    ///
    /// # Errors
    ///
    /// Those of [`lookup_host`] and of [`bind`](TcpListener::bind).
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped, it listens nowhere.
    ///
    /// # asyncio
    ///
    /// `asyncio.start_server(handler, host, port)`, which looks names up on a thread as well.
    ///
    /// ```
    /// use homing::net::TcpListener;
    ///
    /// homing::run(async {
    ///     let listener = TcpListener::bind_host(("localhost", 0)).await?;
    ///     assert!(listener.local_addr()?.ip().is_loopback());
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    #[track_caller]
    pub fn bind_host(host: impl Destination) -> impl Future<Output = Result<TcpListener>> {
        let lookup = lookup_host(host);
        async { Ok(TcpListener::bind(&lookup.await?[..])?) }
    }

    /// Takes over a listener of the standard library, and sets it not to block.
    ///
    /// # Errors
    ///
    /// When the operating system refuses that.
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<TcpListener> {
        listener.set_nonblocking(true)?;
        Ok(Listener::from_io(mio::net::TcpListener::from_std(listener)))
    }

    /// The listener for the standard library. It is still set not to block.
    pub fn into_std(self) -> std::net::TcpListener {
        self.into_io().into()
    }

    /// How many hops a packet may take (`IP_TTL`).
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn ttl(&self) -> io::Result<u32> {
        self.io().ttl()
    }

    /// Sets how many hops a packet may take, for the connections that it accepts too.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.io().set_ttl(ttl)
    }
}
