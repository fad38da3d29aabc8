//! Who is there and says nothing: connections that are held open.
//!
//! ```text
//! connect, one message, its answer    on each in turn: the server has accepted it, and answers
//! say that all are there
//! wait                                until this process's input ends, and the connections with it
//! ```

use super::Protocol;
use crate::descriptors;
use crate::solo;
use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server that says nothing for so long has died.
const PATIENCE: Duration = Duration::from_secs(10);

/// And one that takes so long for all of them looks at each whenever one comes.
const PATIENCE_FOR_ALL: Duration = Duration::from_secs(30);

/// What is said when all are there.
const HELD: &str = "held";

/// Connections that are held: by this process, or by another that ends when its input does.
#[derive(Debug)]
pub(crate) enum Held {
    Here { _streams: Vec<TcpStream> },
    Elsewhere { client: Child },
}

impl Held {
    /// So many, by this process.
    ///
    /// # Errors
    ///
    /// If one of them is not served.
    pub(crate) fn here(address: SocketAddr, connections: usize) -> Result<Held, String> {
        descriptors::allow_many();
        let begin = Instant::now();
        let mut streams = Vec::with_capacity(connections);
        while streams.len() < connections {
            streams
                .push(open(address).map_err(|error| format!("a connection could not be opened: {error}"))?);
            if begin.elapsed() > PATIENCE_FOR_ALL {
                return Err(format!(
                    "after {PATIENCE_FOR_ALL:?} it has accepted {} connections",
                    streams.len()
                ));
            }
        }
        Ok(Held::Here { _streams: streams })
    }

    /// So many, by another process of this program.
    ///
    /// # Errors
    ///
    /// If one of them is not served.
    pub(crate) fn elsewhere(address: SocketAddr, connections: usize) -> Result<Held, String> {
        let program = env::current_exe().map_err(|error| error.to_string())?;
        let mut client = Command::new(program)
            .args(["hold", &address.to_string(), &connections.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("no client could be started: {error}"))?;
        let mut said = String::new();
        let output = client.stdout.take().expect("it is a pipe");
        BufReader::new(output).read_line(&mut said).map_err(|error| error.to_string())?;
        if said.trim() == HELD {
            return Ok(Held::Elsewhere { client });
        }
        let output = client.wait_with_output().map_err(|error| error.to_string())?;
        Err(solo::last_words(&output, "the client"))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Held::Elsewhere { client } = self {
            drop(client.stdin.take());
            // However it ended: its connections have.
            let _ = client.wait();
        }
    }
}

/// Holds so many connections until this process's input ends: what [`Held::elsewhere`] starts.
///
/// # Errors
///
/// If one of them is not served.
#[cfg_attr(not(feature = "report"), allow(dead_code, reason = "the command calls it"))]
pub(crate) fn hold_until_the_input_ends(address: SocketAddr, connections: usize) -> Result<(), String> {
    let held = Held::here(address, connections)?;
    println!("{HELD}");
    io::copy(&mut io::stdin(), &mut io::sink()).map_err(|error| error.to_string())?;
    drop(held);
    Ok(())
}

fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let message = Protocol::Echo.message();
    let mut answer = vec![0; message.len()];
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(message)?;
    stream.read_exact(&mut answer)?;
    if answer == message { Ok(stream) } else { Err(io::Error::other("the server sent back something else")) }
}
