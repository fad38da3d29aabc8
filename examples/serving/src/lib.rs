//! What the servers share: when to stop, HTTP in both versions, and a certificate.
//!
//! ```text
//!   http_server     curl, wrk, python3        HTTP/1.1 and HTTP/2, plain, over TLS, and at a path
//!   reverse_proxy   curl                      each request passed on, over connections that are kept
//!   chat            nc                        everybody hears what anybody says
//!   tls_echo        openssl s_client          bytes, encrypted
//!   redis           redis-cli, redis-benchmark   a few commands of the Redis protocol
//! ```
//!
//! Each is a program of its own in `src/bin`, and ends when it is told to by Ctrl-C or `SIGTERM`: it accepts nobody any
//! more, lets what is in hand come to its end, and cancels the rest. `tests/served.rs` runs each against the clients in the
//! middle, of which nobody here has written any.

pub mod http;
pub mod tls;

use futures_util::future::select;
use homing::Result;
use homing::signal::{self, SignalKind};
use std::fmt::Display;
use std::io::Write;

/// Waits until the program is told to stop.
///
/// # Errors
///
/// When the operating system does not let it listen to signals; `Cancelled`.
pub async fn told_to_stop() -> Result<()> {
    let mut terminate = signal::unix(SignalKind::TERMINATE)?;
    let (told, _) = select(signal::ctrl_c(), terminate.recv()).await.factor_first();
    told.map(drop)
}

/// Says where a server listens, in a line of its own, so that tests (and people who let the system choose) know.
///
/// # Errors
///
/// When nobody reads what it says.
pub fn say(what: &str, place: impl Display) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{what} at {place}")?;
    out.flush()
}
