//! `Listener`: where connections come in.

use super::protocol::{Connections, Tcp, Unix};
use super::registered::{Registered, Tried, Waiting};
use super::stream::Stream;
use crate::cancel::Awaiting;
use crate::error::{Error, Result};
use crate::reactor::Way;
use crate::time::{Instant, Timer};
use futures_core as futures;
use std::cell::Cell;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// A socket that accepts TCP connections: see [`Listener`], and [`bind`](TcpListener::bind) for how to get one.
pub type TcpListener = Listener<Tcp>;

/// A socket that accepts connections at a path: see [`Listener`], and [`bind`](UnixListener::bind) for how to get one.
pub type UnixListener = Listener<Unix>;

/// A socket that accepts connections. [`TcpListener`] and [`UnixListener`] are its two kinds.
///
/// Like a [`Stream`] it may be sent to another thread until it has waited for something.
///
/// # asyncio
///
/// The server that `asyncio.start_server` returns. That one starts a task for each connection by itself; here the loop
/// is the program's, which thereby says whose tasks they are.
///
/// ```
/// use homing::net::{TcpListener, TcpStream};
///
/// homing::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0")?;
///     let address = listener.local_addr()?;
///     let server = homing::spawn(async move {
///         loop {
///             let (stream, peer) = listener.accept().await?;
///             homing::task(async move { stream.write_all(peer.to_string().as_bytes()).await }).name("greeter").spawn();
///         }
///         # #[allow(unreachable_code)] Ok(())
///     });
///
///     let stream = TcpStream::connect(address).await?;
///     let mut greeting = [0; 30];
///     let length = stream.read(&mut greeting).await?;
///     assert_eq!(greeting[..length], *stream.local_addr()?.to_string().as_bytes());
///     server.cancel();
///     Ok(())
/// })
/// # .unwrap();
/// ```
pub struct Listener<P: Connections> {
    socket: Registered<P::Listener>,
    exhaustion: Cell<Option<Exhaustion>>,
}

/// The system has run out of descriptors or memory for connections: when to ask again.
#[derive(Clone, Copy, Debug)]
struct Exhaustion {
    until: Instant,
    pause: Duration,
}

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

impl<P: Connections> Listener<P> {
    /// Takes charge of one that has been set not to block.
    pub(super) fn from_io(io: P::Listener) -> Listener<P> {
        Listener { socket: Registered::new(io), exhaustion: Cell::new(None) }
    }

    pub(super) fn io(&self) -> &P::Listener {
        self.socket.get()
    }

    pub(super) fn into_io(self) -> P::Listener {
        self.socket.into_inner()
    }

    /// Waits for the next connection.
    ///
    /// One that has been broken off before it was accepted is passed over.
    ///
    /// # Errors
    ///
    /// Those of every operation, see [`Stream`]. When the program has run out of descriptors (or the system out of
    /// descriptors or memory), the caller is told at once, so that it can close something. The connection is still
    /// there, and so would the error be: therefore the next `accept` first waits for 10 ms, and for twice as long after
    /// each further such error, up to 100 ms. So a loop that ignores errors neither spins nor keeps other tasks from
    /// running. Descriptors that are freed in the meantime are noticed after the wait.
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped, it has accepted nothing: the connection waits for the next `accept`.
    ///
    /// # asyncio
    ///
    /// `loop.sock_accept`. There, a server that has run out of descriptors stops listening for a second.
    #[track_caller]
    pub fn accept(&self) -> impl Future<Output = Result<(Stream<P>, P::Address)>> {
        Accept { listener: self, waiting: Waiting::new(), timer: None }
    }

    /// The connections as a stream that has no end. After an error it may be asked for the next.
    #[track_caller]
    pub fn incoming(&self) -> Incoming<'_, P> {
        Incoming { accept: Accept { listener: self, waiting: Waiting::new(), timer: None } }
    }

    /// The address at which it listens.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn local_addr(&self) -> io::Result<P::Address> {
        P::listener_addr(self.socket.get())
    }

    /// The system has run out of something: the next accept is to wait.
    #[cold]
    fn exhausted(&self) {
        let before = self.exhaustion.get();
        let pause = before.map_or(FIRST_PAUSE, |before| (before.pause * 2).min(LONGEST_PAUSE));
        self.exhaustion.set(Some(Exhaustion { until: Instant::now() + pause, pause }));
    }
}

/// Whether an [`accept`](Listener::accept) has failed because the program or the system has run out of something:
/// descriptors, buffers or memory. The connection is still there, and a later `accept` may get it.
pub fn is_exhaustion(error: &Error) -> bool {
    error.downcast_ref().is_some_and(means_exhaustion)
}

fn means_exhaustion(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

/// The future of `accept`.
#[must_use = "futures do nothing unless awaited"]
struct Accept<'a, P: Connections> {
    listener: &'a Listener<P>,
    waiting: Waiting,
    /// Armed while it waits because of an earlier exhaustion.
    timer: Option<Timer>,
}

impl<P: Connections> Accept<'_, P> {
    /// Waits until what was exhausted may be there again.
    #[track_caller]
    #[cold]
    fn poll_pause(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<Result<()>> {
        if until <= Instant::now() {
            self.timer = None;
            return Poll::Ready(Ok(()));
        }
        if let Err(cancelled) = self.waiting.leaf.resume() {
            self.timer = None;
            return Poll::Ready(Err(cancelled.into()));
        }
        let timer = self.timer.get_or_insert_with(|| Timer::new(until));
        if timer.deadline() != until {
            timer.reset(until);
        }
        if let Poll::Ready(result) = timer.poll(cx.waker()) {
            self.timer = None;
            return Poll::Ready(result.map_err(Into::into));
        }
        if let Err(cancelled) = self.waiting.leaf.park(cx, Awaiting::Timer(until.nanos())) {
            self.timer = None;
            return Poll::Ready(Err(cancelled.into()));
        }
        Poll::Pending
    }
}

impl<P: Connections> Future for Accept<'_, P> {
    type Output = Result<(Stream<P>, P::Address)>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let listener = this.listener;
        if let Some(exhaustion) = listener.exhaustion.get() {
            ready!(this.poll_pause(cx, exhaustion.until))?;
        }
        let polled = listener.socket.poll(cx, Way::Read, &mut this.waiting, |io| {
            loop {
                match P::accept(io) {
                    Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                    // One after the other until there is none: batches of connections cost one edge.
                    result => break result.map(Tried::Ready),
                }
            }
        });
        let result = ready!(polled);
        match &result {
            Ok(_) => listener.exhaustion.set(None),
            Err(error) if is_exhaustion(error) => listener.exhausted(),
            Err(_) => {}
        }
        Poll::Ready(result.map(|(io, peer)| (Stream::from_io(io), peer)))
    }
}

impl<P: Connections> Drop for Accept<'_, P> {
    fn drop(&mut self) {
        self.listener.socket.leave(Way::Read, &mut self.waiting);
    }
}

/// See [`Listener::incoming`].
#[must_use = "streams do nothing unless polled"]
pub struct Incoming<'a, P: Connections> {
    accept: Accept<'a, P>,
}

impl<P: Connections> futures::Stream for Incoming<'_, P> {
    type Item = Result<(Stream<P>, P::Address)>;

    #[track_caller]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.accept).poll(cx).map(Some)
    }
}

impl<P: Connections> AsFd for Listener<P> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.get().as_fd()
    }
}

impl<P: Connections> AsRawFd for Listener<P> {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.get().as_raw_fd()
    }
}

impl<P: Connections> fmt::Debug for Listener<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct(P::LISTENER);
        if let Ok(address) = self.local_addr() {
            shown.field("local", &address);
        }
        shown.field("descriptor", &self.as_raw_fd()).finish()
    }
}

impl<P: Connections> fmt::Debug for Incoming<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("listener", self.accept.listener).finish()
    }
}
