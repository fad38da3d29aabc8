//! A reverse proxy: each request is passed on to a server behind it, and the answer comes back, both as they come in.
//!
//! ```text
//!   client ── request ──► proxy ── request ──► upstream       a connection to it is kept, and used again
//!          ◄── answer ───       ◄── answer ───                 while it stands; else another one is made
//! ```
//!
//! A client that hangs up has its request cancelled here, and with that the connection that was used for it.

use clap::Parser;
use homing::net::{TcpListener, TcpStream};
use homing::{Result, Server, spawn};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONNECTION, FORWARDED, HOST, HeaderValue, UPGRADE};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use serving::http::{Version, converse};
use serving::{say, told_to_stop};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

#[derive(Parser)]
struct Options {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:0")]
    address: SocketAddr,
    /// Where the server behind it listens.
    #[arg(long)]
    upstream: SocketAddr,
}

fn main() -> Result<()> {
    let options = Options::parse();
    homing::run(async move {
        let listener = TcpListener::bind(options.address)?;
        say("proxy", listener.local_addr()?)?;
        let upstream = Upstream { address: options.upstream, idle: Rc::default() };
        let handler = |(stream, peer): (TcpStream, SocketAddr), stopping| {
            let upstream = upstream.clone();
            async move {
                let service = service_fn(move |request| {
                    let upstream = upstream.clone();
                    async move { upstream.answer(request, peer).await }
                });
                converse(stream, Version::Http1, service, stopping).await
            }
        };
        let served = Server::new().run(told_to_stop(), async || listener.accept().await, handler).await?;
        Ok(say("served", format_args!("{served:?}"))?)
    })
}

type AnyBody = BoxBody<Bytes, hyper::Error>;

/// The server behind, and the connections to it that nobody uses just now.
#[derive(Clone)]
struct Upstream {
    address: SocketAddr,
    idle: Rc<RefCell<Vec<SendRequest<Incoming>>>>,
}

impl Upstream {
    /// Passes a request on. What goes wrong behind is the client's to know of, as an answer.
    async fn answer(&self, request: Request<Incoming>, client: SocketAddr) -> Result<Response<AnyBody>> {
        match self.pass_on(request, client).await {
            Err(error) if error.is_cancelled() => Err(error),
            Err(error) => {
                let told = Full::from(format!("the server behind does not answer: {error}\n"));
                let mut answer = Response::new(told.map_err(|never| match never {}).boxed());
                *answer.status_mut() = StatusCode::BAD_GATEWAY;
                Ok(answer)
            }
            answer => answer,
        }
    }

    async fn pass_on(&self, mut request: Request<Incoming>, client: SocketAddr) -> Result<Response<AnyBody>> {
        let headers = request.headers_mut();
        // What is said between two neighbours is not passed on.
        headers.remove(CONNECTION);
        headers.remove(UPGRADE);
        headers.insert(FORWARDED, HeaderValue::try_from(format!("for={client}"))?);
        if !headers.contains_key(HOST) {
            headers.insert(HOST, HeaderValue::try_from(self.address.to_string())?);
        }
        let mut sender = self.connection().await?;
        let mut answer = sender.send_request(request).await?;
        answer.headers_mut().remove(CONNECTION);
        // It can be used again when the body has been read: `ready` waits for that.
        let idle = self.idle.clone();
        spawn(async move {
            if sender.ready().await.is_ok() {
                idle.borrow_mut().push(sender);
            }
            Ok(())
        });
        Ok(answer.map(BodyExt::boxed))
    }

    /// A connection that stands, kept or new.
    async fn connection(&self) -> Result<SendRequest<Incoming>> {
        let kept = || self.idle.borrow_mut().pop();
        while let Some(mut sender) = kept() {
            if sender.ready().await.is_ok() {
                return Ok(sender);
            }
        }
        let (sender, connection) = handshake(TcpStream::connect(self.address).await?).await?;
        // It ends when nobody holds its sender any more. What goes wrong in it is told to who uses it.
        homing::task(async { Ok(drop(connection.await)) }).name("upstream").spawn();
        Ok(sender)
    }
}
