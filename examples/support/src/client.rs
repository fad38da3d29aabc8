//! One request: a connection, a question, an answer.

use homing::net::TcpStream;
use homing::{Result, task_group};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::{Request, StatusCode, header};
use std::fmt;
use std::net::SocketAddr;

/// The server did answer, but not with a page.
#[derive(Debug)]
pub struct HttpError {
    path: String,
    /// What it said instead.
    pub status: StatusCode,
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answered {}", self.path, self.status)
    }
}

impl std::error::Error for HttpError {}

pub(crate) async fn get(address: SocketAddr, path: String) -> Result<String> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    let request = Request::get(&path).header(header::HOST, address.to_string()).body(Empty::<Bytes>::new())?;
    // The connection has to be driven while the request is under way: by a task that lives as long as that.
    let (status, body) = task_group(async |tg| {
        tg.task(async { Ok(connection.await?) }).name("connection").spawn();
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        drop(sender);
        Ok((status, body))
    })
    .await?;
    if !status.is_success() {
        let path = path.split('?').next().unwrap_or_default().to_owned();
        return Err(HttpError { path, status }.into());
    }
    Ok(String::from_utf8(body.into())?)
}
