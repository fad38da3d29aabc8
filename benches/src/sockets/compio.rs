//! compio's sockets: a buffer is lent with each operation, and comes back with its result. cyper-core makes
//! them hyper's.

use super::{ANYWHERE, ROOM, Served, Sockets, http};
use crate::tally::Tally;
use ::compio::BufResult;
use ::compio::io::{AsyncRead, AsyncWriteExt};
use ::compio::net::{TcpListener, TcpStream};
use cyper_core::HyperStream;
use std::net::SocketAddr;
use std::rc::Rc;

pub(crate) struct CompioSockets;

impl Sockets for CompioSockets {
    type Listener = TcpListener;
    type Stream = TcpStream;

    async fn listen() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind(ANYWHERE).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        (listener, address)
    }

    async fn accept(listener: &mut TcpListener) -> TcpStream {
        listener.accept().await.expect("a connection").0
    }

    async fn echo(mut stream: TcpStream, tally: Rc<Tally>) -> Served {
        let mut buffer = Vec::with_capacity(ROOM);
        loop {
            let BufResult(result, filled) = stream.read(buffer).await;
            let read = result?;
            if read == 0 {
                return Ok(());
            }
            let BufResult(result, written) = stream.write_all(filled).await;
            result?;
            buffer = written;
            buffer.clear();
            tally.answered(read);
        }
    }

    fn http(stream: TcpStream, tally: Rc<Tally>) -> impl Future<Output = Served> + 'static {
        http::serve(HyperStream::new_plain(stream), tally)
    }
}
