//! A server on all cores: each thread has a listener of its own at the same address, and the system deals out the
//! connections. All come to an end together.

use homing::hyper::HyperTimer;
use homing::net::{TcpListener, TcpStream};
use homing::threads::Threads;
use homing::{Result, Server};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::rc::Rc;
use std::sync::Mutex;
use std::time::Duration;

/// Serves until `stop` has ended, which runs on the first thread. Says how many requests each thread has answered.
pub(crate) fn serve(
    threads: Threads,
    address: &str,
    ready: impl Fn(SocketAddr) + Sync,
    stop: impl AsyncFn() -> Result<()> + Sync,
) -> Result<Vec<u64>> {
    // Before the threads, so that a port that the system chooses is the same for all.
    let first = listen(address)?;
    let address = first.local_addr()?;
    let first = Mutex::new(Some(first));
    threads.run(async |member| {
        let mine = if member.index() == 0 { first.lock().expect("nobody panics").take() } else { None };
        let listener = mine.map_or_else(|| listen(address), Ok)?;
        let answered = Rc::new(Cell::new(0));
        let stop = async {
            if member.index() > 0 {
                return member.crew().stopping().await;
            }
            ready(address);
            stop().await?;
            Ok(member.crew().stop())
        };
        Server::new()
            .grace(Duration::from_secs(5))
            .run(
                stop,
                async || listener.accept().await,
                |(stream, _), stopping| {
                    let answered = answered.clone();
                    async move { talk(stream, stopping, answered).await }
                },
            )
            .await?;
        Ok(answered.get())
    })
}

fn listen(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
    TcpListener::bind_with(address, |socket| socket.set_reuse_port(true))
}

/// One connection, until the client has had enough, or is told that there is no more.
pub(crate) async fn talk(
    stream: TcpStream,
    stop: impl Future<Output = ()>,
    answered: Rc<Cell<u64>>,
) -> Result<()> {
    let service = service_fn(|request: Request<Incoming>| {
        answered.set(answered.get() + 1);
        let answer = answer(request.uri().path());
        async { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new().timer(HyperTimer).serve_connection(stream, service);
    match homing::hyper::serve(connection, stop, http1::Connection::graceful_shutdown).await {
        Err(error) if error.is_cancelled() => Err(error),
        // A client that hangs up in the middle is its own affair, and no reason to end the server.
        Ok(()) | Err(_) => Ok(()),
    }
}

/// What is computed for an answer: light, but not nothing. 16 digits and the end of the line.
fn answer(path: &str) -> Response<Full<Bytes>> {
    Response::new(Full::from(format!("{:016x}\n", digest(path.as_bytes()))))
}

/// FNV-1a, over and over: some microseconds of arithmetic.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    let mut digest = 0xcbf2_9ce4_8422_2325_u64;
    for _ in 0..200 {
        for byte in bytes {
            digest = (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    digest
}
