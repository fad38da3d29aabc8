//! What only Unix sockets for messages have: paths, and pairs.

use super::datagram::{Datagram, UnixDatagram};
use std::io;
use std::net::Shutdown;
use std::path::Path;

impl UnixDatagram {
    /// A socket at a path, which must not be there yet. It stays there when the socket is dropped.
    ///
    /// # Errors
    ///
    /// Of kind `AddrInUse` if something is at the path.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<UnixDatagram> {
        UnixDatagram::from_std(std::os::unix::net::UnixDatagram::bind(path)?)
    }

    /// A socket without a path: it can send, and whoever gets its messages cannot answer.
    ///
    /// # Errors
    ///
    /// When the operating system has no descriptors left.
    pub fn unbound() -> io::Result<UnixDatagram> {
        UnixDatagram::from_std(std::os::unix::net::UnixDatagram::unbound()?)
    }

    /// Two sockets that are connected to each other.
    ///
    /// # Errors
    ///
    /// When the operating system has no descriptors left.
    ///
    /// ```
    /// use homing::net::UnixDatagram;
    ///
    /// homing::run(async {
    ///     let (near, far) = UnixDatagram::pair()?;
    ///     near.send(b"one").await?;
    ///     near.send(b"another").await?;
    ///     let mut buffer = [0; 16];
    ///     assert_eq!(far.recv(&mut buffer).await?, 3);
    ///     assert_eq!(far.recv(&mut buffer).await?, 7);
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (one, other) = std::os::unix::net::UnixDatagram::pair()?;
        Ok((UnixDatagram::from_std(one)?, UnixDatagram::from_std(other)?))
    }

    /// From now on it sends to the socket at this path by itself, and receives from there only.
    ///
    /// # Errors
    ///
    /// Of kind `NotFound` or `ConnectionRefused` if there is none.
    pub fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.io().connect(path)
    }

    /// Ends one direction, or both.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.io().shutdown(how)
    }

    /// Takes over a socket of the standard library, and sets it not to block.
    ///
    /// # Errors
    ///
    /// When the operating system refuses that.
    pub fn from_std(socket: std::os::unix::net::UnixDatagram) -> io::Result<UnixDatagram> {
        socket.set_nonblocking(true)?;
        Ok(Datagram::from_io(socket))
    }

    /// The socket for the standard library. It is still set not to block.
    pub fn into_std(self) -> std::os::unix::net::UnixDatagram {
        self.into_io()
    }
}
