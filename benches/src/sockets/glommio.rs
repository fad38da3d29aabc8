//! glommio's sockets. Nobody keeps up anything that makes them hyper's.

use super::{ANYWHERE, Served, Sockets, futures_io};
use crate::tally::Tally;
use ::glommio::net::{TcpListener, TcpStream};
use std::net::SocketAddr;
use std::rc::Rc;

pub(crate) struct GlommioSockets;

impl Sockets for GlommioSockets {
    type Listener = TcpListener;
    type Stream = TcpStream;

    async fn listen() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind(ANYWHERE).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        (listener, address)
    }

    async fn accept(listener: &mut TcpListener) -> TcpStream {
        listener.accept().await.expect("a connection")
    }

    fn echo(stream: TcpStream, tally: Rc<Tally>) -> impl Future<Output = Served> + 'static {
        futures_io::echo(stream, tally)
    }
}
