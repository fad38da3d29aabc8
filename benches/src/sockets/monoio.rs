//! monoio's sockets, for both of its drivers: a buffer is lent with each operation, and comes back with its
//! result. monoio-compat makes them hyper's, as sockets that can be polled.

use super::{ANYWHERE, ROOM, Served, Sockets, http};
use crate::tally::Tally;
use ::monoio::io::{AsyncReadRent, AsyncWriteRentExt, IntoPollIo};
use ::monoio::net::{TcpListener, TcpStream};
use monoio_compat::hyper::MonoioIo;
use std::net::SocketAddr;
use std::rc::Rc;

pub(crate) struct MonoioSockets;

impl Sockets for MonoioSockets {
    type Listener = TcpListener;
    type Stream = TcpStream;

    async fn listen() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind(ANYWHERE).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        (listener, address)
    }

    async fn accept(listener: &mut TcpListener) -> TcpStream {
        listener.accept().await.expect("a connection").0
    }

    async fn echo(mut stream: TcpStream, tally: Rc<Tally>) -> Served {
        let mut buffer = Vec::with_capacity(ROOM);
        let mut result;
        loop {
            (result, buffer) = stream.read(buffer).await;
            let read = result?;
            if read == 0 {
                return Ok(());
            }
            (result, buffer) = stream.write_all(buffer).await;
            result?;
            buffer.clear();
            tally.answered(read);
        }
    }

    async fn http(stream: TcpStream, tally: Rc<Tally>) -> Served {
        http::serve(MonoioIo::new(stream.into_poll_io()?), tally).await
    }
}
