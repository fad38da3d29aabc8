//! What the examples share: pages on the loopback interface, and a client that fetches them.
//!
//! The server knows no pages. It does what the address says, so each example shows what it is about to meet:
//!
//! ```text
//!   web.get("/user")                       Ok("<user>")
//!   web.get("/user?ms=40")                 the same, after 40 ms
//!   web.get("/orders?ms=40&status=503")    Err(HttpError): /orders answered 503 Service Unavailable
//!   Web::nowhere().get("/user")            Err(io::Error): nobody listens there
//! ```
//!
//! It is all HTTP, over real sockets, in one process and on one thread.

mod client;
mod server;

pub use client::HttpError;

use homing::net::TcpListener;
use homing::{Result, Task, spawn};
use server::Load;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;

/// Where the pages are. A clone is the same place.
#[derive(Clone, Debug)]
pub struct Web {
    address: SocketAddr,
    load: Rc<Load>,
}

/// Runs `lesson` with a server beside it, which ends when the lesson has.
pub async fn with_web<T>(lesson: impl AsyncFnOnce(Web) -> Result<T>) -> Result<T> {
    let (web, server) = open()?;
    let outcome = lesson(web).await;
    server.abort(); // nothing of it is worth a clean-up
    outcome
}

fn open() -> Result<(Web, Task<()>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let web = Web { address: listener.local_addr()?, load: Rc::default() };
    let server = spawn(server::serve(listener, web.load.clone()));
    Ok((web, server))
}

impl Web {
    /// A place where nobody listens: connecting to it fails.
    pub fn nowhere() -> Web {
        // Bound and closed again, so that it is no one else's.
        let port = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
        Web { address: port.expect("the loopback interface has a free port"), load: Rc::default() }
    }

    /// Fetches a page. (Boxed, so that what hyper makes of it is compiled in this package.)
    ///
    /// # Errors
    ///
    /// [`HttpError`], if the answer is not a page; [`std::io::Error`], if there is none; `Cancelled`.
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped, it closes the connection.
    pub fn get(&self, path: &str) -> Pin<Box<dyn Future<Output = Result<String>>>> {
        Box::pin(client::get(self.address, path.to_owned()))
    }

    /// How many requests the server has had to think about at once, at most.
    pub fn busiest(&self) -> usize {
        self.load.most.get()
    }
}
