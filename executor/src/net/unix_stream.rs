//! What only Unix sockets have: paths, and pairs.

use super::connect::{begin, is_connected};
use super::listener::{Listener, UnixListener};
use super::registered::{Operation, Registered};
use super::stream::{Stream, UnixStream};
use crate::error::Result;
use crate::reactor::Way;
use crate::time::sleep;
use socket2::{Domain, SockAddr, Socket, Type};
use std::io;
use std::path::Path;
use std::time::Duration;

/// How long who finds the listener's line full waits before it asks again, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

impl UnixStream {
    /// Connects to the listener at a path.
    ///
    /// If its line is full, this waits until there is room. (Linux does not report that, so it asks now and then.) On
    /// Linux a path that begins with a zero byte is a name in the abstract namespace.
    ///
    /// # Errors
    ///
    /// An [`io::Error`], of kind `NotFound` or `ConnectionRefused` if nobody listens there; and those of every operation
    /// (see [`Stream`]).
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped, it gives up.
    ///
    /// # asyncio
    ///
    /// `asyncio.open_unix_connection(path)`.
    ///
    /// ```
    /// use homing::net::{UnixListener, UnixStream};
    ///
    /// homing::run(async {
    ///     let path = std::env::temp_dir().join(format!("homing-doc-{}", std::process::id()));
    ///     let listener = UnixListener::bind(&path)?;
    ///     let near = UnixStream::connect(&path).await?;
    ///     let (far, _) = listener.accept().await?;
    ///     near.write_all(b"hello").await?;
    ///     assert_eq!(far.read(&mut [0; 16]).await?, 5);
    ///     Ok(std::fs::remove_file(path)?)
    /// })
    /// # .unwrap();
    /// ```
    #[track_caller]
    pub fn connect(path: impl AsRef<Path>) -> impl Future<Output = Result<UnixStream>> {
        connect(SockAddr::unix(path))
    }

    /// Two sockets that are connected to each other.
    ///
    /// # Errors
    ///
    /// When the operating system has no descriptors left.
    ///
    /// # asyncio
    ///
    /// `socket.socketpair()`.
    #[track_caller]
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (one, other) = std::os::unix::net::UnixStream::pair()?;
        Ok((UnixStream::from_std(one)?, UnixStream::from_std(other)?))
    }

    /// Takes over a connection of the standard library, and sets it not to block.
    ///
    /// # Errors
    ///
    /// When the operating system refuses that.
    #[track_caller]
    pub fn from_std(stream: std::os::unix::net::UnixStream) -> io::Result<UnixStream> {
        stream.set_nonblocking(true)?;
        Ok(Stream::from_io(stream))
    }

    /// The connection for the standard library. It is still set not to block.
    pub fn into_std(self) -> std::os::unix::net::UnixStream {
        self.into_io()
    }
}

async fn connect(address: io::Result<SockAddr>) -> Result<UnixStream> {
    let address = address?;
    let mut pause = FIRST_PAUSE;
    let socket = loop {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        match begin(&socket, &address) {
            Ok(()) => break Registered::new(std::os::unix::net::UnixStream::from(socket)),
            // The line is full, and nothing has been begun.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                sleep(pause).await?;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(error) => return Err(error.into()),
        }
    };
    Operation::new(&socket, Way::Write, |io: &std::os::unix::net::UnixStream| is_connected(io)).await?;
    Ok(Stream::from_socket(socket))
}

impl UnixListener {
    /// Listens at a path, which must not be there yet. It stays there when the listener is dropped: whoever has made it
    /// removes it.
    ///
    /// # Errors
    ///
    /// Of kind `AddrInUse` if something is at the path.
    ///
    /// # asyncio
    ///
    /// `asyncio.start_unix_server(handler, path)`, which removes a socket that it finds there.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<UnixListener> {
        mio::net::UnixListener::bind(path).map(Listener::from_io)
    }

    /// Takes over a listener of the standard library, and sets it not to block.
    ///
    /// # Errors
    ///
    /// When the operating system refuses that.
    pub fn from_std(listener: std::os::unix::net::UnixListener) -> io::Result<UnixListener> {
        listener.set_nonblocking(true)?;
        Ok(Listener::from_io(mio::net::UnixListener::from_std(listener)))
    }

    /// The listener for the standard library. It is still set not to block.
    pub fn into_std(self) -> std::os::unix::net::UnixListener {
        let descriptor: std::os::fd::OwnedFd = self.into_io().into();
        descriptor.into()
    }
}
