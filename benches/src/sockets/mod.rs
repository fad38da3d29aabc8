//! Sockets: what a runtime that has some does with them.
//!
//! Each adapter is its runtime's own idiom, as its documentation shows an echo server: how it listens,
//! accepts, reads and writes. Buffers are as large for all, and on the heap.
//!
//! ```text
//! listen ─► accept ─► accept ─► …           in one task
//!              │         └────► echo        a task for each connection, until the other side closes it
//!              └──────────────► http        the same with hyper, by the adapter that is kept up for the runtime
//! ```

pub(crate) mod homing;
pub(crate) mod http;

#[cfg(feature = "peers")]
pub(crate) mod compio;
#[cfg(feature = "peers")]
mod futures_io;
#[cfg(feature = "peers")]
pub(crate) mod glommio;
#[cfg(feature = "peers")]
pub(crate) mod local_runtime;
#[cfg(feature = "peers")]
pub(crate) mod monoio;
#[cfg(feature = "peers")]
pub(crate) mod nio;
#[cfg(feature = "peers")]
pub(crate) mod smol;
#[cfg(feature = "peers")]
pub(crate) mod tokio;

use crate::tally::Tally;
use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::rc::Rc;

/// The bytes that a server has room for, on each connection.
pub const ROOM: usize = 1024;

/// Where servers listen: on loopback, wherever the system says.
pub const ANYWHERE: &str = "127.0.0.1:0";

/// How serving a connection ended.
pub type Served = Result<(), Box<dyn Error>>;

/// A runtime's TCP sockets. They belong to the runtime in whose task they are made.
pub trait Sockets: 'static {
    /// What accepts connections.
    type Listener: 'static;

    /// A connection.
    type Stream: 'static;

    /// Listens [`ANYWHERE`], and says where that is.
    fn listen() -> impl Future<Output = (Self::Listener, SocketAddr)>;

    /// Waits for the next connection.
    fn accept(listener: &mut Self::Listener) -> impl Future<Output = Self::Stream>;

    /// Sends back whatever comes, and tells the tally of each that has been sent, until the other side closes
    /// the connection.
    fn echo(stream: Self::Stream, tally: Rc<Tally>) -> impl Future<Output = Served> + 'static;

    /// Answers HTTP requests, with `http::serve` on what makes the stream one of hyper's. Not called for
    /// runtimes that lack [`Ability::Http`](crate::runtime::Ability::Http).
    fn http(stream: Self::Stream, _tally: Rc<Tally>) -> impl Future<Output = Served> + 'static {
        drop(stream);
        async { panic!("it has nothing that makes its sockets hyper's: the lineup should have left it out") }
    }
}

/// The sockets of a runtime that has none.
#[derive(Debug)]
pub struct NoSockets;

impl Sockets for NoSockets {
    type Listener = Infallible;
    type Stream = Infallible;

    async fn listen() -> (Self::Listener, SocketAddr) {
        panic!("it has no sockets: the lineup should have left it out")
    }

    async fn accept(listener: &mut Self::Listener) -> Self::Stream {
        match *listener {}
    }

    async fn echo(stream: Self::Stream, _tally: Rc<Tally>) -> Served {
        match stream {}
    }
}
