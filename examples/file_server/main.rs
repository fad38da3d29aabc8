//! A file server: a directory over HTTP, to as many as like, in pieces of any size.
//!
//! ```text
//!   cargo run --example file_server -- /usr/share/doc
//!   serving /usr/share/doc at http://127.0.0.1:43210
//!
//!   curl http://127.0.0.1:43210/bash/README            a file
//!   curl -r 100-199 http://127.0.0.1:43210/…           a part of it
//!   curl http://127.0.0.1:43210/bash/                  what is in a directory
//! ```
//!
//! One thread serves the connections, and never waits for the disk: each piece of a file is read by a job, when the client
//! has taken the one before. So a slow client costs a buffer, and a large file no memory. `SIGTERM` or Ctrl-C ends it.

mod body;
mod range;

use body::FileBody;
use homing::fs::{self, File};
use homing::hyper::HyperTimer;
use homing::net::{TcpListener, TcpStream};
use homing::signal::{self, SignalKind};
use homing::{Error, GroupCancelled, Interrupted, Result, TaskGroup};
use http_body_util::{Either, Full};
use hyper::body::Bytes;
use hyper::{Method, Request, Response, StatusCode, header};
use range::Part;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

type Answer = Response<Either<Full<Bytes>, FileBody>>;

pub(crate) fn main() -> Result<()> {
    run(std::env::args().skip(1))
}

pub(crate) fn run(mut arguments: impl Iterator<Item = String>) -> Result<()> {
    let root = arguments.next().unwrap_or_else(|| ".".to_owned());
    let port = arguments.next().map_or(Ok(0), |port| port.parse())?;
    let served = homing::run(async {
        let root: Rc<Path> = fs::canonicalize(root).await?.into();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let mut terminate = signal::unix(SignalKind::TERMINATE)?;
        println!("serving {} at http://{}", root.display(), listener.local_addr()?);
        io::stdout().flush()?;
        let ended = TaskGroup::builder().name("connections").run(async |tg| {
            tg.spawn({
                let tg = tg.clone();
                async move {
                    terminate.recv().await?;
                    Ok(tg.cancel())
                }
            });
            loop {
                let (stream, _) = listener.accept().await?;
                tg.spawn(talk(stream, root.clone()));
            }
        });
        ended.await
    });
    match served {
        // That is how it was to end: by SIGTERM, or by Ctrl-C.
        Err(error) if error.is::<GroupCancelled>() || error.is::<Interrupted>() => Ok(()),
        outcome => outcome,
    }
}

/// One connection, until the client has had enough.
async fn talk(stream: TcpStream, root: Rc<Path>) -> Result<()> {
    let service = hyper::service::service_fn(move |request| answer(request, root.clone()));
    let http = hyper::server::conn::http1::Builder::new().timer(HyperTimer).serve_connection(stream, service);
    match http.await.map_err(Error::from) {
        Err(error) if error.is_cancelled() => Err(error),
        // A client that hangs up in the middle is its own affair.
        Ok(()) | Err(_) => Ok(()),
    }
}

async fn answer<B>(request: Request<B>, root: Rc<Path>) -> Result<Answer> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return says(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD, please\n");
    }
    let Some(path) = inside(&root, request.uri().path()) else {
        return says(StatusCode::BAD_REQUEST, "no such path\n");
    };
    match serve(&request, &root, &path).await {
        Err(error) if error.is_cancelled() => Err(error),
        Err(error) => match error.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                says(StatusCode::NOT_FOUND, "there is nothing\n")
            }
            Some(io::ErrorKind::PermissionDenied) => says(StatusCode::FORBIDDEN, "not for you\n"),
            _ => {
                eprintln!("{}: {error:#}", path.display());
                says(StatusCode::INTERNAL_SERVER_ERROR, "something is wrong here\n")
            }
        },
        answer => answer,
    }
}

async fn serve<B>(request: &Request<B>, root: &Path, path: &Path) -> Result<Answer> {
    // A link may lead out.
    let path = fs::canonicalize(path).await?;
    if !path.starts_with(root) {
        return says(StatusCode::FORBIDDEN, "not for you\n");
    }
    let meta = fs::metadata(&path).await?;
    if meta.is_dir() {
        return says(StatusCode::OK, listing(&path).await?);
    }
    let file = File::open(&path).await?;
    let wanted = request.headers().get(header::RANGE).and_then(|range| range.to_str().ok());
    let response = Response::builder().header(header::ACCEPT_RANGES, "bytes");
    let (response, part) = match Part::of(meta.len(), wanted) {
        Ok(part) if part.is_all() => (response.status(StatusCode::OK), part),
        Ok(part) => {
            let place = format!("bytes {}-{}/{}", part.first, part.end - 1, meta.len());
            (response.status(StatusCode::PARTIAL_CONTENT).header(header::CONTENT_RANGE, place), part)
        }
        Err(range::OutOfRange) => {
            let all = format!("bytes */{}", meta.len());
            let response =
                response.status(StatusCode::RANGE_NOT_SATISFIABLE).header(header::CONTENT_RANGE, all);
            return Ok(response.body(Either::Left(Full::default()))?);
        }
    };
    let response = response.header(header::CONTENT_LENGTH, part.end - part.first);
    // To a HEAD, hyper sends the head alone.
    Ok(response.body(Either::Right(FileBody::new(file, part)))?)
}

async fn listing(directory: &Path) -> Result<String> {
    let mut entries = fs::read_dir(directory);
    let mut names = Vec::new();
    while let Some(entry) = entries.next_entry().await {
        names.push(entry?.file_name().to_string_lossy().into_owned() + "\n");
    }
    names.sort();
    Ok(names.concat())
}

/// The path that an address means, if it does not leave the directory.
fn inside(root: &Path, address: &str) -> Option<PathBuf> {
    let relative = PathBuf::from(decoded(address.trim_start_matches('/'))?);
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    relative.components().all(is_plain).then(|| root.join(relative))
}

/// `a%20b` is `a b`.
fn decoded(address: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = address.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: u8| (byte as char).to_digit(16);
                (digit(rest.next()?)? * 16 + digit(rest.next()?)?) as u8
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok().filter(|path| !path.contains('\0'))
}

fn says(status: StatusCode, text: impl Into<Bytes>) -> Result<Answer> {
    Ok(Response::builder().status(status).body(Either::Left(Full::new(text.into())))?)
}
