//! local-runtime's sockets: the standard library's, in its `Async`. They read and write as futures-io does,
//! which smol-hyper makes hyper's.

use super::{ANYWHERE, Served, Sockets, futures_io, http};
use crate::tally::Tally;
use ::local_runtime::io::Async;
use smol_hyper::rt::FuturesIo;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;

pub(crate) struct LocalRuntimeSockets;

impl Sockets for LocalRuntimeSockets {
    type Listener = Async<TcpListener>;
    type Stream = Async<TcpStream>;

    async fn listen() -> (Async<TcpListener>, SocketAddr) {
        let address: SocketAddr = ANYWHERE.parse().expect("it is an address");
        let listener = Async::<TcpListener>::bind(address).expect("a free port");
        let address = listener.get_ref().local_addr().expect("it is bound");
        (listener, address)
    }

    async fn accept(listener: &mut Async<TcpListener>) -> Async<TcpStream> {
        listener.accept().await.expect("a connection").0
    }

    fn echo(stream: Async<TcpStream>, tally: Rc<Tally>) -> impl Future<Output = Served> + 'static {
        futures_io::echo(stream, tally)
    }

    fn http(stream: Async<TcpStream>, tally: Rc<Tally>) -> impl Future<Output = Served> + 'static {
        http::serve(FuturesIo::new(stream), tally)
    }
}
