//! Looking up names: what one can connect to, and which addresses that has.
//!
//! ```text
//!   ("192.0.2.1", 80)      is an address: nobody has to be asked
//!   ("example.org", 80)    is a name: the operating system is asked, on a thread of the pool
//! ```
//!
//! The operating system's `getaddrinfo` knows `/etc/hosts`, the resolver's settings, and whatever else this machine has been
//! taught; but it blocks, for many seconds if need be.

use crate::blocking::{Blocking, spawn_blocking};
use crate::error::{Error, Result};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, ToSocketAddrs};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The addresses of a host: `lookup_host(("example.org", 443))`, `lookup_host("example.org:443")`.
///
/// In the order in which the operating system recommends them. A name is looked up on a [thread](crate::blocking) of the
/// runtime's; what is an address already is given at once, and no thread is asked.
///
/// # Errors
///
/// An [`io::Error`] of kind `InvalidInput` if it is neither; the operating system's, if there is no such name, or no server
/// answers; of kind `NotFound` if the name has no address; and those of [`spawn_blocking`].
///
/// # Cancel safety
///
/// Cancelled or dropped, it ends at once. The operating system cannot be told to stop: the thread is busy until it answers.
///
/// # asyncio
///
/// `loop.getaddrinfo(host, port)`.
///
/// ```
/// use homing::net::lookup_host;
///
/// homing::run(async {
///     let addresses = lookup_host(("localhost", 80)).await?;
///     assert!(addresses.iter().all(|address| address.ip().is_loopback() && address.port() == 80));
///     assert_eq!(lookup_host("[::1]:7").await?, ["[::1]:7".parse()?]);
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[track_caller]
pub fn lookup_host(host: impl Destination) -> LookupHost {
    let state = match host.target() {
        Ok(Target(Named::Addresses(addresses))) => State::Known(Ok(addresses)),
        Ok(Target(Named::Name(name, port))) => State::Named(name, port),
        Err(error) => State::Known(Err(error)),
    };
    LookupHost { state }
}

/// The future of [`lookup_host`].
#[must_use = "futures do nothing unless awaited"]
pub struct LookupHost {
    state: State,
}

/// | from   | polled                        | to      |
/// |--------|-------------------------------|---------|
/// | Known  | ready                         | Over    |
/// | Named  | gives the question to a thread | Asked  |
/// | Asked  | until there is an answer      | Over    |
enum State {
    Known(io::Result<Vec<SocketAddr>>),
    Named(String, u16),
    Asked(Blocking<Vec<SocketAddr>>),
    Over,
}

impl Future for LookupHost {
    type Output = Result<Vec<SocketAddr>>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let State::Named(name, port) = &mut this.state {
            let (name, port) = (std::mem::take(name), *port);
            this.state = State::Asked(spawn_blocking(move || ask(&name, port)).abandon_on_cancel());
        }
        if let State::Asked(answer) = &mut this.state {
            let answer = ready!(Pin::new(answer).poll(cx));
            this.state = State::Over;
            return Poll::Ready(answer);
        }
        match std::mem::replace(&mut this.state, State::Over) {
            State::Known(addresses) => Poll::Ready(addresses.map_err(Error::from)),
            _ => Poll::Ready(Err(crate::error::RuntimeError::AlreadyTaken.into())),
        }
    }
}

/// On a thread that may be blocked.
fn ask(name: &str, port: u16) -> Result<Vec<SocketAddr>> {
    let noted = |error: io::Error| Error::from(error).with_note(format!("looking up '{name}'"));
    let addresses: Vec<SocketAddr> = (name, port).to_socket_addrs().map_err(noted)?.collect();
    if addresses.is_empty() {
        return Err(noted(io::Error::new(io::ErrorKind::NotFound, "the name has no address")));
    }
    Ok(addresses)
}

impl fmt::Debug for LookupHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            State::Known(addresses) => f.debug_tuple("LookupHost").field(addresses).finish(),
            State::Named(name, port) => f.debug_tuple("LookupHost").field(name).field(port).finish(),
            State::Asked(_) => f.write_str("LookupHost(asked)"),
            State::Over => f.write_str("LookupHost(over)"),
        }
    }
}

/// Where one can connect to: addresses, or a host's name and a port.
///
/// Implemented for what the standard library's `ToSocketAddrs` is implemented for. That one blocks the thread; this one only
/// says what is to be looked up.
pub trait Destination {
    /// What is meant.
    ///
    /// # Errors
    ///
    /// Of kind `InvalidInput`, if a string is not of the form `host:port`.
    fn target(&self) -> io::Result<Target>;
}

/// What a [`Destination`] means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target(Named);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Named {
    Addresses(Vec<SocketAddr>),
    Name(String, u16),
}

impl Target {
    /// Addresses that are known.
    pub fn addresses(addresses: impl IntoIterator<Item = SocketAddr>) -> Target {
        Target(Named::Addresses(addresses.into_iter().collect()))
    }

    /// A host, by name or by address.
    pub fn host(host: &str, port: u16) -> Target {
        match host.parse::<IpAddr>() {
            Ok(address) => Target::addresses([SocketAddr::new(address, port)]),
            Err(_) => Target(Named::Name(host.to_owned(), port)),
        }
    }

    /// The addresses, if nothing has to be looked up.
    pub fn known(&self) -> Option<&[SocketAddr]> {
        match &self.0 {
            Named::Addresses(addresses) => Some(addresses),
            Named::Name(..) => None,
        }
    }
}

/// What is meant already.
impl Destination for Target {
    fn target(&self) -> io::Result<Target> {
        Ok(self.clone())
    }
}

macro_rules! addresses {
    ($($type:ty),*) => {$(
        impl Destination for $type {
            fn target(&self) -> io::Result<Target> {
                Ok(Target::addresses([SocketAddr::from(*self)]))
            }
        }
    )*};
}

addresses!(SocketAddr, SocketAddrV4, SocketAddrV6, (IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16));

impl Destination for [SocketAddr] {
    fn target(&self) -> io::Result<Target> {
        Ok(Target::addresses(self.iter().copied()))
    }
}

impl<const N: usize> Destination for [SocketAddr; N] {
    fn target(&self) -> io::Result<Target> {
        self[..].target()
    }
}

impl Destination for Vec<SocketAddr> {
    fn target(&self) -> io::Result<Target> {
        self[..].target()
    }
}

impl Destination for (&str, u16) {
    fn target(&self) -> io::Result<Target> {
        Ok(Target::host(self.0, self.1))
    }
}

impl Destination for (String, u16) {
    fn target(&self) -> io::Result<Target> {
        Ok(Target::host(&self.0, self.1))
    }
}

/// `host:port`, where the host may be a name, an IPv4 address, or an IPv6 address in brackets.
impl Destination for str {
    fn target(&self) -> io::Result<Target> {
        if let Ok(address) = self.parse::<SocketAddr>() {
            return address.target();
        }
        let invalid = |what| io::Error::new(io::ErrorKind::InvalidInput, format!("'{self}' {what}"));
        let (host, port) = self.rsplit_once(':').ok_or_else(|| invalid("has no port"))?;
        let port = port.parse::<u16>().map_err(|_| invalid("has a port that is no number up to 65535"))?;
        Ok(Target::host(host, port))
    }
}

impl Destination for String {
    fn target(&self) -> io::Result<Target> {
        (**self).target()
    }
}

impl<T: Destination + ?Sized> Destination for &T {
    fn target(&self) -> io::Result<Target> {
        (**self).target()
    }
}
