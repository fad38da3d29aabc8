//! Connecting: one address after the other, until one answers.

use super::TcpStream;
use super::registered::{Registered, Tried, Waiting};
use crate::error::{Error, Result};
use crate::reactor::Way;
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

type TcpIo = mio::net::TcpStream;

/// See [`TcpStream::connect`].
pub(super) async fn connect(addresses: impl ToSocketAddrs, mut waiting: Waiting) -> Result<TcpStream> {
    let mut failures = Vec::new();
    for address in addresses.to_socket_addrs()? {
        match connect_to(address, &mut waiting).await {
            Ok(socket) => return Ok(TcpStream::from_socket(socket)),
            Err(error) if error.is::<io::Error>() => failures.push((address, error)),
            // Cancelled, or outside of a runtime: no other address would do better.
            Err(error) => return Err(error),
        }
    }
    Err(all_failed(failures))
}

async fn connect_to(address: SocketAddr, waiting: &mut Waiting) -> Result<Registered<TcpIo>> {
    let socket = Registered::new(TcpIo::connect(address)?);
    let connected = poll_fn(|cx| socket.poll(cx, Way::Write, waiting, is_connected)).await;
    socket.leave(Way::Write, waiting);
    connected.map(|()| socket)
}

/// Whether the connection that was begun stands. A socket may turn writable without that, so it is asked for its peer.
fn is_connected(io: &TcpIo) -> io::Result<Tried<()>> {
    if let Some(error) = io.take_error()? {
        return Err(error);
    }
    match io.peer_addr() {
        Ok(_) => Ok(Tried::Ready(())),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => Err(error),
    }
}

/// The last failure, with all of them told.
#[cold]
fn all_failed(mut failures: Vec<(SocketAddr, Error)>) -> Error {
    let notes: Vec<String> =
        failures.iter().map(|(address, error)| format!("connecting to {address}: {error}")).collect();
    let last = match failures.pop() {
        Some((_, error)) => error,
        None => io::Error::new(io::ErrorKind::InvalidInput, "there is no address to connect to").into(),
    };
    notes.into_iter().fold(last, Error::with_note)
}
