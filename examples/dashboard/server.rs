//! The services: a hyper server that serves this example's JSON files, each with a latency of its own.

use homing::hyper::HyperTimer;
use homing::net::{TcpListener, TcpStream};
use homing::{Result, TaskGroup, sleep};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Uri, header};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

/// A server that listens already.
pub(crate) struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Listens on a free port of the loopback interface.
    pub(crate) fn bind() -> Result<Server> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        Ok(Server { listener, address })
    }

    pub(crate) fn url(&self) -> Uri {
        format!("http://{}", self.address).parse().expect("an address makes a URL")
    }

    /// Serves until it is cancelled; then its connections are, and it ends when they have ended.
    pub(crate) async fn serve(self) -> Result<()> {
        TaskGroup::builder()
            .name("connections")
            .run(async |connections| {
                loop {
                    let (stream, peer) = self.listener.accept().await?;
                    connections.task(talk(stream)).name(format!("connection from {peer}")).spawn();
                }
            })
            .await
    }
}

/// One connection, until the client has had enough.
async fn talk(stream: TcpStream) -> Result<()> {
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(HyperTimer)
        .serve_connection(stream, service_fn(answer))
        .await;
    match connection.map_err(homing::Error::from) {
        Err(error) if error.is_cancelled() => Err(error),
        // A client that hangs up in the middle is its own affair, and no reason to end the server.
        Ok(()) | Err(_) => Ok(()),
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
    let service = request.uri().path().trim_start_matches('/').trim_end_matches(".json");
    sleep(latency(service)).await?;
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/dashboard/data").join(format!("{service}.json"));
    let response = Response::builder().header(header::CONTENT_TYPE, "application/json");
    Ok(match crate::SERVICES.contains(&service).then(|| std::fs::read(file)) {
        Some(Ok(bytes)) => response.body(Full::from(bytes))?,
        _ => response.status(StatusCode::SERVICE_UNAVAILABLE).body(Full::default())?,
    })
}

/// How long each service takes to think.
fn latency(service: &str) -> Duration {
    Duration::from_millis(match service {
        "settings" => 15,
        "user" => 30,
        "notifications" => 55,
        "orders" => 80,
        "recommendations" => 120,
        _ => 40,
    })
}
