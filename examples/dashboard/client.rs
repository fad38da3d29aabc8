//! One HTTP request, and what it does when it is cancelled.

use crate::timeline::{Lane, Mark};
use homing::net::TcpStream;
use homing::{Error, Result, sleep, task_group};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::{Request, StatusCode, Uri, header};
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// The service did answer, but not with what was asked for.
#[derive(Debug)]
pub(crate) struct BadStatus {
    service: &'static str,
    status: StatusCode,
}

impl fmt::Display for BadStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answered {}", self.service, self.status)
    }
}

impl std::error::Error for BadStatus {}

/// Fetches one service's answer, and marks on its lane what happens.
///
/// Cancelled, it cleans up before it goes: clean-up may await, since the request was delivered and does not come
/// again.
pub(crate) async fn fetch(base: Uri, service: &'static str, path: String, lane: Lane) -> Result<Value> {
    lane.mark(Mark::Started);
    match get(&base, service, &path, &lane).await {
        Ok(answer) => {
            lane.mark(Mark::Ended);
            Ok(answer)
        }
        Err(error) if error.is_cancelled() => {
            lane.mark(Mark::Cancelled);
            sleep(Duration::from_millis(6)).await?; // as if a lease had to be given back
            lane.mark(Mark::CleanedUp);
            Err(error)
        }
        Err(error) => {
            lane.mark(Mark::Failed);
            Err(error)
        }
    }
}

async fn get(base: &Uri, service: &'static str, path: &str, lane: &Lane) -> Result<Value> {
    let authority = base.authority().ok_or_else(|| Error::msg(format!("no host in the URL {base}")))?.clone();
    let port = authority.port_u16().unwrap_or(80);
    let stream = TcpStream::connect((authority.host(), port)).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    lane.mark(Mark::Waiting);
    let request = Request::get(format!("/{path}.json"))
        .header(header::HOST, authority.as_str())
        .body(Empty::<Bytes>::new())?;
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
        return Err(BadStatus { service, status }.into());
    }
    Ok(serde_json::from_slice(&body)?)
}
