//! tokio's sockets, for both of its runtimes; hyper-util makes them hyper's.

use super::{ANYWHERE, ROOM, Served, Sockets, http};
use crate::tally::Tally;
use ::tokio::io::{AsyncReadExt, AsyncWriteExt};
use ::tokio::net::{TcpListener, TcpStream};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::rc::Rc;

pub(crate) struct TokioSockets;

impl Sockets for TokioSockets {
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
        let mut buffer = vec![0; ROOM];
        loop {
            let read = stream.read(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
            stream.write_all(&buffer[..read]).await?;
            tally.answered(read);
        }
    }

    fn http(stream: TcpStream, tally: Rc<Tally>) -> impl Future<Output = Served> + 'static {
        http::serve(TokioIo::new(stream), tally)
    }
}
