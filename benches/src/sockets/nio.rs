//! nio's sockets. They read and write as futures-io does, which smol-hyper makes hyper's.

use super::{ANYWHERE, Served, Sockets, futures_io, http};
use crate::tally::Tally;
use ::nio::net::{TcpListener, TcpStream};
use smol_hyper::rt::FuturesIo;
use std::net::SocketAddr;
use std::rc::Rc;

pub(crate) struct NioSockets;

impl Sockets for NioSockets {
    type Listener = TcpListener;
    type Stream = TcpStream;

    async fn listen() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind(ANYWHERE).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        (listener, address)
    }

    async fn accept(listener: &mut TcpListener) -> TcpStream {
        listener.accept().await.expect("a connection").connect().await.expect("it can be registered")
    }

    fn echo(stream: TcpStream, tally: Rc<Tally>) -> impl Future<Output = Served> + 'static {
        futures_io::echo(stream, tally)
    }

    fn http(stream: TcpStream, tally: Rc<Tally>) -> impl Future<Output = Served> + 'static {
        http::serve(FuturesIo::new(stream), tally)
    }
}
