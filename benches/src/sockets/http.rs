//! HTTP/1.1 with hyper: the same service for every runtime, on whatever hyper can read from and write to.

use super::Served;
use crate::tally::Tally;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::rt::{Read, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use std::convert::Infallible;
use std::future::ready;
use std::rc::Rc;

/// What is answered.
pub(crate) const BODY: &str = "Hello, world!";

/// Answers the requests of one connection, until the other side closes it.
pub(crate) async fn serve(stream: impl Read + Write + Unpin + 'static, tally: Rc<Tally>) -> Served {
    let hello = service_fn(move |_request: Request<Incoming>| {
        tally.answered(1);
        ready(Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(BODY.as_bytes())))))
    });
    Ok(http1::Builder::new().serve_connection(stream, hello).await?)
}
