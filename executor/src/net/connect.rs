//! Connecting: several addresses, and the first that answers.
//!
//! A host often has addresses of two families, one of which leads nowhere from here, and it may take minutes to find
//! that out. So the next address is tried when the one before has failed, or has not answered for a while; they all go on
//! side by side, and the first that answers is taken (RFC 8305, "happy eyeballs").
//!
//! ```text
//!   2001:db8::1   ─────────────────────────────────╳ given up, closed
//!   192.0.2.1               ├──── refused
//!   2001:db8::2                  ├──────────────── connected
//!                 └─ 250 ms ┘    └ at once, since one has failed
//! ```
//!
//! It is one future, and no task: what it has begun is closed when it is dropped.

use super::lookup::{Destination, LookupHost, lookup_host};
use super::registered::{Registered, Tried, Waiting};
use super::stream::TcpStream;
use crate::error::{Error, Result};
use crate::reactor::Way;
use crate::time::{Instant, Timer};
use socket2::{Domain, SockRef, Socket, Type};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// How long an address may be silent before the next one is tried as well, as RFC 8305 recommends.
const STAGGER: Duration = Duration::from_millis(250);

type Prepare = Box<dyn FnMut(&SockRef<'_>, SocketAddr) -> io::Result<()> + Send>;

/// The future of [`TcpStream::connect`].
#[must_use = "futures do nothing unless awaited"]
pub struct Connect {
    /// Until it has told the addresses.
    lookup: Option<LookupHost>,
    /// What is left to be tried.
    addresses: VecDeque<SocketAddr>,
    attempts: Vec<Attempt>,
    failures: Vec<(SocketAddr, Error)>,
    stagger: Duration,
    /// When the next address has its turn. There as long as there is one.
    next: Option<Timer>,
    prepare: Option<Prepare>,
    place: &'static Location<'static>,
}

/// A connection that has been begun.
struct Attempt {
    address: SocketAddr,
    socket: Registered<std::net::TcpStream>,
    waiting: Waiting,
}

impl Connect {
    #[track_caller]
    pub(super) fn new(host: impl Destination) -> Connect {
        Connect {
            lookup: Some(lookup_host(host)),
            addresses: VecDeque::new(),
            attempts: Vec::new(),
            failures: Vec::new(),
            stagger: STAGGER,
            next: None,
            prepare: None,
            place: Location::caller(),
        }
    }

    /// How long an address may be silent before the next one is tried as well; 250 ms, if nothing else is said.
    /// `Duration::MAX` tries them one after the other.
    ///
    /// # asyncio
    ///
    /// `loop.create_connection(…, happy_eyeballs_delay=…)`.
    pub fn stagger(mut self, silence: Duration) -> Connect {
        self.stagger = silence;
        self
    }

    /// Has each socket prepared before it is connected: for options, and for an address of this side to be bound to.
    /// An error is the failure of that address.
    ///
    /// # asyncio
    ///
    /// `loop.create_connection(…, local_addr=…)`.
    ///
    /// ```
    /// use homing::net::{TcpListener, TcpStream};
    ///
    /// homing::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let address = listener.local_addr()?;
    ///     let here: std::net::SocketAddr = "127.0.0.1:0".parse()?;
    ///     let connect = TcpStream::connect(address).prepare(move |socket, _address| {
    ///         socket.set_recv_buffer_size(64 << 10)?;
    ///         socket.bind(&here.into())
    ///     });
    ///     assert!(connect.await?.local_addr()?.ip().is_loopback());
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn prepare(
        mut self,
        prepare: impl FnMut(&SockRef<'_>, SocketAddr) -> io::Result<()> + Send + 'static,
    ) -> Connect {
        self.prepare = Some(Box::new(prepare));
        self
    }

    /// Begins with the next address.
    fn begin(&mut self, address: SocketAddr) -> Result<Attempt> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        if let Some(prepare) = &mut self.prepare {
            prepare(&SockRef::from(&socket), address)?;
        }
        begin(&socket, &address.into())?;
        let waiting = Waiting::made_at(self.place);
        Ok(Attempt { address, socket: Registered::new(socket.into()), waiting })
    }

    /// Polls the attempt in this place of the list.
    #[track_caller]
    fn poll_attempt(&mut self, cx: &mut Context<'_>, place: usize) -> Progress {
        let attempt = &mut self.attempts[place];
        match attempt.socket.poll(cx, Way::Write, &mut attempt.waiting, is_connected) {
            Poll::Pending => Progress::Waits,
            Poll::Ready(Ok(())) => {
                Progress::Over(Ok(TcpStream::from_socket(self.attempts.swap_remove(place).into_socket())))
            }
            Poll::Ready(Err(error)) if error.is::<io::Error>() => {
                let address = self.attempts.remove(place).address;
                self.failures.push((address, error));
                Progress::Failed
            }
            // Cancelled, or outside of a runtime: no other address would do better.
            Poll::Ready(Err(error)) => Progress::Over(Err(error)),
        }
    }

    /// Whether the next address has its turn because the last one has been silent for too long.
    fn is_time(&mut self, cx: &mut Context<'_>) -> Result<bool> {
        match &mut self.next {
            Some(timer) => match timer.poll(cx.waker()) {
                Poll::Ready(result) => result.map(|()| true).map_err(Error::from),
                Poll::Pending => Ok(false),
            },
            None => Ok(false),
        }
    }

    /// The last failure, with all of them told.
    #[cold]
    fn all_failed(&mut self) -> Error {
        let notes: Vec<String> = self
            .failures
            .iter()
            .map(|(address, error)| format!("connecting to {address}: {error}"))
            .collect();
        let last = match self.failures.pop() {
            Some((_, error)) => error,
            None => io::Error::new(io::ErrorKind::InvalidInput, "there is no address to connect to").into(),
        };
        notes.into_iter().fold(last, Error::with_note)
    }
}

/// What has become of an attempt.
enum Progress {
    Waits,
    Failed,
    Over(Result<TcpStream>),
}

impl Future for Connect {
    type Output = Result<TcpStream>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<TcpStream>> {
        let this = self.get_mut();
        if let Some(lookup) = &mut this.lookup {
            let addresses = ready!(Pin::new(lookup).poll(cx));
            this.lookup = None;
            this.addresses = interleaved(addresses?);
        }
        let mut place = 0;
        let mut one_has_failed = false;
        while place < this.attempts.len() {
            match this.poll_attempt(cx, place) {
                Progress::Waits => place += 1,
                Progress::Failed => one_has_failed = true,
                Progress::Over(result) => return Poll::Ready(result),
            }
        }
        loop {
            let its_turn = this.attempts.is_empty() || one_has_failed || this.is_time(cx)?;
            if !its_turn {
                return Poll::Pending;
            }
            let Some(address) = this.addresses.pop_front() else {
                this.next = None;
                if this.attempts.is_empty() {
                    return Poll::Ready(Err(this.all_failed()));
                }
                return Poll::Pending;
            };
            this.next = Some(Timer::new(Instant::now() + this.stagger));
            one_has_failed = false;
            match this.begin(address) {
                Ok(attempt) => {
                    this.attempts.push(attempt);
                    match this.poll_attempt(cx, this.attempts.len() - 1) {
                        Progress::Waits => {}
                        Progress::Failed => one_has_failed = true,
                        Progress::Over(result) => return Poll::Ready(result),
                    }
                }
                Err(error) => {
                    this.failures.push((address, error));
                    one_has_failed = true;
                }
            }
        }
    }
}

impl Attempt {
    fn into_socket(mut self) -> Registered<std::net::TcpStream> {
        self.socket.leave(Way::Write, &mut self.waiting);
        self.socket
    }
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begun: Vec<_> = self.attempts.iter().map(|attempt| attempt.address).collect();
        f.debug_struct("Connect")
            .field("begun", &begun)
            .field("to_come", &self.addresses)
            .finish_non_exhaustive()
    }
}

/// Begins to connect. It may stand at once; if not, [`is_connected`] tells later.
pub(super) fn begin(socket: &Socket, address: &socket2::SockAddr) -> io::Result<()> {
    match socket.connect(address) {
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok(()),
        result => result,
    }
}

/// Whether the connection that was begun stands. A socket may turn writable without that, so it is asked for its peer.
pub(super) fn is_connected(io: &impl AsFd) -> io::Result<Tried<()>> {
    let socket = SockRef::from(io);
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    match socket.peer_addr() {
        Ok(_) => Ok(Tried::Ready(())),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => Err(error),
    }
}

/// The addresses in the order in which they are tried: the families by turns, beginning with that of the first.
fn interleaved(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let Some(first) = addresses.first().map(SocketAddr::is_ipv6) else { return VecDeque::new() };
    let (these, those): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first);
    let (mut these, mut those) = (these.into_iter(), those.into_iter());
    let mut order = VecDeque::new();
    loop {
        let (one, other) = (these.next(), those.next());
        if one.is_none() && other.is_none() {
            return order;
        }
        order.extend(one.into_iter().chain(other));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_families_take_turns_and_the_first_address_stays_first() {
        let parsed = |addresses: &[&str]| -> Vec<SocketAddr> {
            addresses.iter().map(|address| address.parse().unwrap()).collect()
        };
        let sorted = |addresses: &[&str]| Vec::from(interleaved(parsed(addresses)));
        assert_eq!(sorted(&[]), []);
        assert_eq!(
            sorted(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"]),
            parsed(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"])
        );
        assert_eq!(
            sorted(&["1.1.1.1:1", "2.2.2.2:1", "[::1]:1"]),
            parsed(&["1.1.1.1:1", "[::1]:1", "2.2.2.2:1"])
        );
    }
}
