//! One connection of an HTTP server, in the version that the client speaks.

use homing::hyper::{HyperExecutor, HyperTimer, serve};
use homing::net::{Connections, Stream};
use homing::{Error, Result, sleep};
use hyper::body::{Body, Incoming};
use hyper::rt::{Read, Write};
use hyper::server::conn::{http1, http2};
use hyper::service::HttpService;
use std::time::Duration;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// One request after the other.
    Http1,
    /// Several at once, as streams within the connection, each of which is a task.
    Http2,
}

impl Version {
    /// The version that the client begins to speak on a connection without TLS (which would say so by itself).
    ///
    /// HTTP/2 begins with `PRI`, which is no method of HTTP/1.1.
    ///
    /// # Errors
    ///
    /// Those of the connection; `Cancelled`.
    pub async fn spoken<P: Connections>(stream: &Stream<P>) -> Result<Version> {
        let mut first = [0; 3];
        loop {
            match stream.peek(&mut first).await? {
                3 if &first == b"PRI" => return Ok(Version::Http2),
                length @ (1 | 2) if b"PRI".starts_with(&first[..length]) => {
                    // There is something, so waiting for the socket would not help.
                    sleep(Duration::from_millis(1)).await?;
                }
                _ => return Ok(Version::Http1),
            }
        }
    }
}

/// Serves a connection until the client has had enough, or the server stops (and tells so by a `homing::Stopping`).
///
/// What the client does wrong (it hangs up, or says nonsense) is the end of its connection, and not an error of the
/// server's.
///
/// # Errors
///
/// `Cancelled`.
pub async fn converse<S, H>(
    stream: S,
    version: Version,
    service: H,
    stopping: impl Future<Output = ()>,
) -> Result<()>
where
    S: Read + Write + Unpin + 'static,
    H: HttpService<Incoming> + 'static,
    H::Future: 'static,
    H::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    H::ResBody: Body + 'static,
    <H::ResBody as Body>::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    <H::ResBody as Body>::Data: 'static,
{
    let served = match version {
        Version::Http1 => {
            let mut http = http1::Builder::new();
            // A client that will send no more still gets its answer.
            http.timer(HyperTimer).header_read_timeout(Duration::from_secs(10)).half_close(true);
            let connection = http.serve_connection(stream, service);
            serve(connection, stopping, http1::Connection::graceful_shutdown).await
        }
        Version::Http2 => {
            let mut http = http2::Builder::new(HyperExecutor);
            http.timer(HyperTimer).keep_alive_interval(Duration::from_secs(20));
            let connection = http.serve_connection(stream, service);
            serve(connection, stopping, http2::Connection::graceful_shutdown).await
        }
    };
    served.or_else(its_own_affair)
}

/// Lets cancellations through, and nothing else.
fn its_own_affair(error: Error) -> Result<()> {
    if error.is_cancelled() { Err(error) } else { Ok(()) }
}
