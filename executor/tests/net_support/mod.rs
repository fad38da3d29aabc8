//! What the tests of sockets share.
#![allow(dead_code, reason = "each test file uses a part")]

use homing::net::{TcpListener, TcpStream};
use homing::{Error, Result};
use std::io;
use std::time::Duration;

/// Runs a test in a runtime. Nothing in these tests takes long, so what does has got stuck.
pub(crate) fn in_runtime(test: impl Future<Output = Result<()>>) {
    homing::run(homing::timeout(Duration::from_secs(20), test)).unwrap();
}

/// The two ends of a connection: who has connected, and who has accepted.
pub(crate) async fn connected_pair() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let connected = TcpStream::connect(listener.local_addr()?).await?;
    let (accepted, _) = listener.accept().await?;
    Ok((connected, accepted))
}

/// The kind of the `io::Error` that this is.
#[track_caller]
pub(crate) fn io_kind(error: &Error) -> io::ErrorKind {
    error.downcast_ref::<io::Error>().unwrap_or_else(|| panic!("an io::Error, not: {error:#}")).kind()
}
