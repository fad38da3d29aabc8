//! hyper on homing: its runtime traits for our sockets, tasks and timers (feature `hyper`).
//!
//! ```text
//!   hyper asks for           and gets
//!   rt::Read, rt::Write      TcpStream itself, or Io<T> around anything that reads and writes as futures-io does
//!   rt::Executor             HyperExecutor: a task for each future
//!   rt::Timer                HyperTimer: the runtime's timers
//! ```
//!
//! And [`serve`] drives a connection of its server as a task of homing's should be driven: it ends when it is told to,
//! and it is cancelled when it is cancelled.
//!
//! Nothing here has to be `Send` but what hyper wants so. A request that is cancelled, or a connection whose task is,
//! ends in a `hyper::Error` that [`Error::is_cancelled`](crate::error::Error::is_cancelled) knows for what it is.
//!
//! ```
//! use http_body_util::{BodyExt, Empty, Full};
//! use homing::hyper::HyperTimer;
//! use homing::net::{TcpListener, TcpStream};
//! use hyper::body::{Bytes, Incoming};
//! use hyper::{Request, Response, client, server, service::service_fn};
//!
//! async fn greet(request: Request<Incoming>) -> homing::Result<Response<Full<Bytes>>> {
//!     Ok(Response::new(Full::from(format!("hello, {}", request.uri().path()))))
//! }
//!
//! homing::run(async {
//!     let listener = TcpListener::bind("127.0.0.1:0")?;
//!     let address = listener.local_addr()?;
//!     let server = homing::spawn(async move {
//!         let (stream, _) = listener.accept().await?;
//!         let mut http = server::conn::http1::Builder::new();
//!         Ok(http.timer(HyperTimer).serve_connection(stream, service_fn(greet)).await?)
//!     });
//!
//!     let stream = TcpStream::connect(address).await?;
//!     let (mut sender, connection) = client::conn::http1::handshake(stream).await?;
//!     let connection = homing::spawn(async { Ok(connection.await?) });
//!     let response = sender.send_request(Request::get("/world").body(Empty::<Bytes>::new())?).await?;
//!     assert_eq!(response.into_body().collect().await?.to_bytes(), "hello, /world");
//!
//!     drop(sender);
//!     connection.await?;
//!     server.await
//! })
//! # .unwrap();
//! ```

use crate::cancel::{Watched, unswallowed};
use crate::error::{Error, Result};
use crate::net::{Connections, Stream};
use crate::task::task;
use crate::time::{Instant, Timer};
use futures_io::{AsyncRead, AsyncWrite};
use hyper::rt::{Executor, Read, ReadBufCursor, Sleep, Write};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{self, Duration};

impl<P: Connections> Read for Stream<P> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        // SAFETY: the bytes are written by the kernel or not at all; none is made uninitialised again.
        let room = unsafe { buffer.as_mut() };
        let polled = self.poll_recv(cx, room);
        polled.map_ok(|filled| {
            // SAFETY: so many bytes were just written to the beginning of the room.
            unsafe { buffer.advance(filled) }
        })
    }
}

impl<P: Connections> Write for Stream<P> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(self, cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(self, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_close(self, cx)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write_vectored(self, cx, buffers)
    }
}

/// Anything that reads and writes as futures-io does, such as a TLS stream, for hyper; and the other way round.
///
/// A [`Stream`] needs no wrapper.
#[derive(Clone, Debug)]
pub struct Io<T> {
    inner: T,
}

impl<T> Io<T> {
    /// Wraps it.
    pub fn new(inner: T) -> Io<T> {
        Io { inner }
    }

    /// What it wraps.
    pub fn inner(&self) -> &T {
        &self.inner
    }

    /// What it wraps, to be changed.
    pub fn inner_mut(&mut self) -> &mut T {
        &mut self.inner
    }

    /// Takes off the wrapper.
    pub fn into_inner(self) -> T {
        self.inner
    }
}

impl<T: AsyncRead + Unpin> Read for Io<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        // The reader may look at what is in its buffer, so there has to be something; hyper remembers what is.
        let polled = Pin::new(&mut self.inner).poll_read(cx, buffer.initialize_unfilled());
        polled.map_ok(|filled| {
            assert!(
                filled <= buffer.remaining(),
                "a reader says that it has filled more than there is room for"
            );
            // SAFETY: all of the room is initialised, and `filled` lies within.
            unsafe { buffer.advance(filled) }
        })
    }
}

impl<T: AsyncWrite + Unpin> Write for Io<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }

    fn is_write_vectored(&self) -> bool {
        // futures-io does not tell; whoever has no better way writes the first buffer, which is no worse.
        true
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, buffers)
    }
}

/// Drives a connection of hyper's server until it ends by itself, or after the request in hand once `stop` is ready.
///
/// `graceful_shutdown` is the method of that name of the connection, which is another one for each kind:
/// `hyper::server::conn::http1::Connection`, its `UpgradeableConnection`, and `http2::Connection`.
///
/// `stop` is polled beside the connection, and must not take a cancel in its place: so it is no future that parks a
/// leaf of homing's. That of `homing::Stopping` is made for this; [`std::future::pending`] never stops.
///
/// # Errors
///
/// That of the connection. `Cancelled`, also where hyper makes nothing of it (it takes the error of an idle connection
/// for its end) or another error (HTTP/2 keeps only its text): see [`unswallowed`].
///
/// # Cancel safety
///
/// Cancelled, the await of the connection or of its handler at which the task stands ends, and so does the connection.
///
/// ```
/// use homing::hyper::serve;
/// use homing::net::UnixStream;
/// use http_body_util::Full;
/// use hyper::body::{Bytes, Incoming};
/// use hyper::server::conn::http1;
/// use hyper::{Request, Response, service::service_fn};
///
/// async fn greet(_: Request<Incoming>) -> homing::Result<Response<Full<Bytes>>> {
///     Ok(Response::new(Full::from("hello")))
/// }
///
/// homing::run(async {
///     let (client, stream) = UnixStream::pair()?;
///     let connection = http1::Builder::new().serve_connection(stream, service_fn(greet));
///     let stop = std::future::ready(()); // at once: so it answers one request at most
///     let server = homing::spawn(serve(connection, stop, http1::Connection::graceful_shutdown));
///     assert_eq!(client.read(&mut [0; 16]).await?, 0);
///     server.await
/// })
/// # .unwrap();
/// ```
pub async fn serve<C, E>(
    connection: C,
    stop: impl Future<Output = ()>,
    graceful_shutdown: impl FnOnce(Pin<&mut C>),
) -> Result<()>
where
    C: Future<Output = Result<(), E>>,
    E: Into<Error>,
{
    let mut connection = pin!(unswallowed(connection));
    let mut stop = pin!(stop);
    let mut graceful_shutdown = Some(graceful_shutdown);
    poll_fn(|cx| {
        if let Poll::Ready(result) = connection.as_mut().poll(cx) {
            return Poll::Ready(result);
        }
        if graceful_shutdown.is_some() && stop.as_mut().poll(cx).is_ready() {
            if let Some(shut_down) = graceful_shutdown.take() {
                shut_down(connection.as_mut().get_pin_mut());
            }
            return connection.as_mut().poll(cx);
        }
        Poll::Pending
    })
    .await
}

/// Runs the futures that hyper wants to have run, such as the streams of an HTTP/2 connection: each is a task, named
/// `hyper`.
///
/// # Panics
///
/// Outside of a runtime, as [`spawn`](crate::task::spawn()).
#[derive(Clone, Copy, Debug, Default)]
pub struct HyperExecutor;

impl<F: Future + 'static> Executor<F> for HyperExecutor {
    #[track_caller]
    fn execute(&self, future: F) {
        let run = async move {
            // hyper tells what comes of it elsewhere; but a cancel is the task's own.
            let (output, delivered) = Watched::new(future).await;
            drop(output);
            delivered.map_or(Ok(()), |cancelled| Err(cancelled.into()))
        };
        drop(task(run).name("hyper").spawn());
    }
}

/// The runtime's timers for hyper: header timeouts, keep-alive and the like.
///
/// hyper reckons with the standard library's clock. A point in time of that is taken as how far away it is, so with a
/// [virtual clock](crate::runtime::Builder::virtual_time) timeouts are virtual as well.
///
/// # Panics
///
/// A timer that is waited for outside of a runtime panics, since it would never fire. (It may be dropped there.)
#[derive(Clone, Copy, Debug, Default)]
pub struct HyperTimer;

impl hyper::rt::Timer for HyperTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(HyperSleep { timer: Timer::new(Instant::now() + duration), over: false })
    }

    fn sleep_until(&self, deadline: time::Instant) -> Pin<Box<dyn Sleep>> {
        self.sleep(deadline.saturating_duration_since(time::Instant::now()))
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn Sleep>>, deadline: time::Instant) {
        match sleep.as_mut().downcast_mut_pin::<HyperSleep>() {
            Some(mut ours) => {
                let duration = deadline.saturating_duration_since(time::Instant::now());
                ours.timer.reset(Instant::now() + duration);
                ours.over = false;
            }
            None => *sleep = self.sleep_until(deadline),
        }
    }
}

/// A timer and no leaf: it is the connection around it that is cancelled, at its socket.
struct HyperSleep {
    timer: Timer,
    over: bool,
}

impl Sleep for HyperSleep {}

impl Future for HyperSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.over {
            return Poll::Ready(());
        }
        match self.timer.poll(cx.waker()) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) => {
                self.over = true;
                Poll::Ready(())
            }
            Poll::Ready(Err(error)) => panic!("a timer of hyper's cannot fire here: {error}"),
        }
    }
}
