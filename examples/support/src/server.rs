//! The server: hyper, one task for each connection.

use homing::hyper::HyperTimer;
use homing::net::{TcpListener, TcpStream};
use homing::{Error, Result, TaskGroup, sleep};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper::{Response, StatusCode, Uri};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// How many requests it is thinking about.
#[derive(Debug, Default)]
pub(crate) struct Load {
    now: Cell<usize>,
    pub(crate) most: Cell<usize>,
}

/// One of them, until this is dropped.
struct Thinking(Rc<Load>);

impl Thinking {
    fn about_one_more(load: &Rc<Load>) -> Thinking {
        load.now.set(load.now.get() + 1);
        load.most.set(load.most.get().max(load.now.get()));
        Thinking(load.clone())
    }
}

impl Drop for Thinking {
    fn drop(&mut self) {
        self.0.now.set(self.0.now.get() - 1);
    }
}

/// Serves until it is aborted, and its connections with it.
pub(crate) async fn serve(listener: TcpListener, load: Rc<Load>) -> Result<()> {
    TaskGroup::builder()
        .name("connections")
        .run(async |tg| {
            loop {
                let (stream, _) = listener.accept().await?;
                tg.spawn(talk(stream, load.clone()));
            }
        })
        .await
}

/// One connection, until the client has had enough.
async fn talk(stream: TcpStream, load: Rc<Load>) -> Result<()> {
    let service = service_fn(|request: hyper::Request<_>| answer(request.uri().clone(), load.clone()));
    let http = hyper::server::conn::http1::Builder::new().timer(HyperTimer).serve_connection(stream, service);
    match http.await.map_err(Error::from) {
        Err(error) if error.is_cancelled() => Err(error),
        // A client that hangs up in the middle is its own affair, and no reason to end the server.
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Does what the address says: see the [crate](crate).
async fn answer(uri: Uri, load: Rc<Load>) -> Result<Response<Full<Bytes>>> {
    let _thinking = Thinking::about_one_more(&load);
    let wish = |name: &str| {
        let mut wishes = uri.query().unwrap_or_default().split('&').filter_map(|wish| wish.split_once('='));
        wishes.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    if let Some(ms) = wish("ms") {
        sleep(Duration::from_millis(ms.parse()?)).await?;
    }
    let status = wish("status").map_or(Ok(StatusCode::OK), str::parse)?;
    let page = format!("<{}>", uri.path().trim_start_matches('/'));
    Ok(Response::builder().status(status).body(Full::from(page))?)
}
