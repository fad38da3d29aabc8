//! What the tests of sockets share.
#![allow(dead_code, reason = "each test file uses a part")]

use homing::net::{TcpListener, TcpStream};
use homing::{Error, Result};
use std::io;
use std::path::{Path, PathBuf};
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

/// Bytes in which each place tells where it is.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place.wrapping_mul(31) ^ (place >> 8)) as u8).collect()
}

/// Reads until the stream ends.
pub(crate) async fn read_to_end(stream: &TcpStream) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    let mut buffer = vec![0; 30_000];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(all),
            length => all.extend_from_slice(&buffer[..length]),
        }
    }
}

/// Closes a connection the hard way: the peer is told of a reset.
pub(crate) fn reset(stream: TcpStream) {
    stream.set_linger(Some(Duration::ZERO)).unwrap();
}

/// A path of this test's own, where nothing is. What is made there goes with it.
pub(crate) fn scratch(name: &str) -> Scratch {
    let path = std::env::temp_dir().join(format!("homing-{}-{name}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    Scratch(path)
}

pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
