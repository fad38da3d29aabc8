//! An HTTP server with a graceful end: HTTP/1.1 and HTTP/2, plain, over TLS, and at a path, all in one group.
//!
//! ```text
//!   cargo run -p homing-examples-serving --bin http_server -- --address 127.0.0.1:8080 --tls 127.0.0.1:8443 --unix /tmp/http.sock
//!   curl http://127.0.0.1:8080/hello/you
//! ```
//!
//! Its pages are an axum router, which wants its handlers to be `Send`. On one thread nothing has to be, so the handler
//! that waits for one of homing's own things puts that into a `SendWrapper`, which vouches that it stays where it is.

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use clap::Parser;
use futures_rustls::TlsAcceptor;
use homing::hyper::Io;
use homing::net::{Connections, Listener, TcpListener, UnixListener};
use homing::sync::Semaphore;
use homing::{Result, Server, Stopping, sleep, task_group, timeout};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use send_wrapper::SendWrapper;
use serving::http::{Version, converse};
use serving::tls::Certificate;
use serving::{say, told_to_stop};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use tower::ServiceExt;

#[derive(Parser)]
struct Options {
    /// Where to listen for plain connections.
    #[arg(long, default_value = "127.0.0.1:0")]
    address: SocketAddr,
    /// Where to listen for TLS.
    #[arg(long)]
    tls: Option<SocketAddr>,
    /// Where to write the certificate to that clients are to trust.
    #[arg(long)]
    certificate: Option<PathBuf>,
    /// A path at which to listen.
    #[arg(long)]
    unix: Option<PathBuf>,
    /// How many connections at a time, at each of them.
    #[arg(long, default_value_t = 10_000)]
    limit: usize,
    /// How long requests may take to finish at the end, in milliseconds.
    #[arg(long, default_value_t = 5_000)]
    grace: u64,
}

fn main() -> Result<()> {
    let options = Options::parse();
    homing::run(async move {
        let server = Server::new().limit(options.limit).grace(Duration::from_millis(options.grace));
        task_group(async |tg| {
            let listener = TcpListener::bind(options.address)?;
            say("http", listener.local_addr()?)?;
            tg.task(serve(server, listener, None)).name("http").spawn();
            if let Some(address) = options.tls {
                let certificate = Certificate::new()?;
                if let Some(path) = &options.certificate {
                    std::fs::write(path, certificate.pem())?;
                }
                let listener = TcpListener::bind(address)?;
                say("https", listener.local_addr()?)?;
                let acceptor = certificate.acceptor(&["h2", "http/1.1"])?;
                tg.task(serve(server, listener, Some(acceptor))).name("https").spawn();
            }
            if let Some(path) = &options.unix {
                let listener = UnixListener::bind(path)?;
                say("unix", path.display())?;
                tg.task(serve(server, listener, None)).name("unix").spawn();
            }
            Ok(())
        })
        .await?;
        if let Some(path) = &options.unix {
            std::fs::remove_file(path)?;
        }
        Ok(())
    })
}

/// Serves what comes in at one place, until the program is told to stop.
async fn serve<P: Connections>(
    server: Server,
    listener: Listener<P>,
    acceptor: Option<TlsAcceptor>,
) -> Result<()> {
    let pages = pages();
    let handler = |(stream, _peer), stopping| talk(stream, acceptor.clone(), pages.clone(), stopping);
    let served = server.run(told_to_stop(), async || listener.accept().await, handler).await?;
    say("served", format_args!("{served:?}"))?;
    Ok(())
}

/// One connection.
async fn talk<P: Connections>(
    stream: homing::net::Stream<P>,
    acceptor: Option<TlsAcceptor>,
    pages: Router,
    stopping: Stopping,
) -> Result<()> {
    let service = service_fn(move |request: Request<Incoming>| pages.clone().oneshot(request.map(Body::new)));
    let Some(acceptor) = acceptor else {
        let Ok(version) = within_ten_seconds(Version::spoken(&stream)).await? else { return Ok(()) };
        return converse(stream, version, service, stopping).await;
    };
    let handshake = async { Ok(acceptor.accept(stream).await?) };
    let Ok(stream) = within_ten_seconds(handshake).await? else { return Ok(()) };
    let version = match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => Version::Http2,
        _ => Version::Http1,
    };
    converse(Io::new(stream), version, service, stopping).await
}

/// What a client has to do before it may ask. If it does not, that is its own affair: the inner error.
async fn within_ten_seconds<T>(beginning: impl Future<Output = Result<T>>) -> Result<Result<T>> {
    match timeout(Duration::from_secs(10), beginning).await {
        Err(error) if error.is_cancelled() => Err(error),
        outcome => Ok(outcome),
    }
}

fn pages() -> Router {
    // Shared by all requests of this listener, and not `Send`.
    let thinking = SendWrapper::new(Rc::new(Semaphore::new(100)));
    Router::new()
        .route("/", get(async || "homing\n"))
        .route("/hello/{name}", get(async |Path(name): Path<String>| format!("hello, {name}\n")))
        .route("/echo", post(async |body: Body| body))
        .route(
            "/slow/{ms}",
            get(move |Path(ms): Path<u64>| {
                let thinking = (*thinking).clone();
                SendWrapper::new(
                    async move { slow(thinking, Duration::from_millis(ms)).await.map_err(failed) },
                )
            }),
        )
}

/// A page that has to be thought about, at most a hundred at a time.
async fn slow(thinking: Rc<Semaphore>, duration: Duration) -> Result<String> {
    let _turn = thinking.acquire().await?;
    say("thinking", format_args!("{} ms", duration.as_millis()))?;
    sleep(duration).await?;
    Ok(format!("thought about it for {} ms\n", duration.as_millis()))
}

fn failed(error: homing::Error) -> impl IntoResponse {
    (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n"))
}
