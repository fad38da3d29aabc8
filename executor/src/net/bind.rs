//! A socket with an address of its own: the first of several that can be had.

use socket2::{Domain, Socket, Type};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

/// What `make` makes of a new socket and the first address with which it succeeds.
pub(super) fn first<T>(
    address: impl ToSocketAddrs,
    kind: Type,
    mut make: impl FnMut(Socket, SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "there is no address to listen at");
    for address in address.to_socket_addrs()? {
        match Socket::new(Domain::for_address(address), kind, None).and_then(|socket| make(socket, address)) {
            Ok(made) => return Ok(made),
            Err(error) => last = error,
        }
    }
    Err(last)
}
