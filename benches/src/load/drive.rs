//! The client's loop.
//!
//! ```text
//! connect, one message, its answer   on each connection in turn: the server has accepted it, and answers
//!        │
//!        ▼  all send one
//! wait ─► readable ─► read ─► answered? note how long it took ─► send the next, if there is one to be sent
//!   ▲                                                                  │
//!   └──────────────────────── until as many are answered as were to be ┘
//! ```

use super::protocol::Protocol;
use super::{Load, Pace, Seen};
use crate::descriptors;
use crate::statistics::percentile;
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A server that says nothing for so long has died.
const PATIENCE: Duration = Duration::from_secs(10);

/// More than any answer.
const ROOM: usize = 1024;

pub(super) fn drive(load: &Load, address: SocketAddr) -> Result<Seen, String> {
    descriptors::allow_many();
    let connections: Result<Vec<Connection>, String> =
        (0..load.connections).map(|_| Connection::open(load.protocol, address)).collect();
    let poll = Poll::new().map_err(|error| error.to_string())?;
    let mut drive = Drive {
        connections: connections?,
        poll,
        pace: load.pace,
        under_way: 0,
        to_send: load.messages,
        latencies: Vec::with_capacity(load.messages as usize),
    };
    let seconds = drive.all(load.messages).map_err(|error| format!("the client cannot go on: {error}"))?;
    let mut latencies = drive.latencies;
    Ok(Seen {
        messages: latencies.len() as u64,
        seconds,
        p50: percentile(&mut latencies, 0.5),
        p99: percentile(&mut latencies, 0.99),
    })
}

struct Drive {
    connections: Vec<Connection>,
    poll: Poll,
    pace: Pace,
    /// How many messages are not answered yet.
    under_way: usize,
    /// How many messages are still to be sent.
    to_send: u64,
    /// In microseconds, of those that were answered.
    latencies: Vec<f64>,
}

impl Drive {
    /// Sends so many messages, sees them answered, and says how many seconds that took.
    fn all(&mut self, messages: u64) -> io::Result<f64> {
        for (index, connection) in self.connections.iter_mut().enumerate() {
            self.poll.registry().register(&mut connection.stream, Token(index), Interest::READABLE)?;
        }
        let mut events = Events::with_capacity(self.connections.len());
        let begin = Instant::now();
        self.all_ask()?;
        while (self.latencies.len() as u64) < messages {
            match self.poll.poll(&mut events, Some(PATIENCE)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            if events.is_empty() {
                return Err(io::Error::other(format!("the server says nothing for {PATIENCE:?}")));
            }
            for event in &events {
                self.hear(event)?;
            }
        }
        Ok(begin.elapsed().as_secs_f64())
    }

    fn hear(&mut self, event: &Event) -> io::Result<()> {
        let index = event.token().0;
        let Some(took) = self.connections[index].hear()? else { return Ok(()) };
        self.latencies.push(took.as_nanos() as f64 / 1e3);
        self.under_way -= 1;
        match self.pace {
            Pace::Steady => self.ask(index),
            Pace::Volleys if self.under_way == 0 => self.all_ask(),
            Pace::Volleys => Ok(()),
        }
    }

    fn all_ask(&mut self) -> io::Result<()> {
        (0..self.connections.len()).try_for_each(|index| self.ask(index))
    }

    /// Sends a message, if there is one left.
    fn ask(&mut self, index: usize) -> io::Result<()> {
        if self.to_send > 0 {
            self.to_send -= 1;
            self.under_way += 1;
            self.connections[index].ask()?;
        }
        Ok(())
    }
}

/// A connection with at most one message under way.
struct Connection {
    stream: TcpStream,
    protocol: Protocol,
    asked: Instant,
    received: Box<[u8; ROOM]>,
    filled: usize,
}

impl Connection {
    /// Connects, and sees a first message answered: now the server has accepted it.
    fn open(protocol: Protocol, address: SocketAddr) -> Result<Connection, String> {
        let open = || -> io::Result<Connection> {
            let mut stream = std::net::TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            let mut received = Box::new([0; ROOM]);
            let mut filled = 0;
            stream.write_all(protocol.message())?;
            while !is_answer(protocol, &received[..filled])? {
                filled += some(stream.read(&mut received[filled..]))?;
            }
            stream.set_nonblocking(true)?;
            let stream = TcpStream::from_std(stream);
            Ok(Connection { stream, protocol, asked: Instant::now(), received, filled: 0 })
        };
        open().map_err(|error| format!("a connection could not be opened: {error}"))
    }

    fn ask(&mut self) -> io::Result<()> {
        self.asked = Instant::now();
        self.filled = 0;
        // The last message has been answered, so there is room for this one in the socket.
        self.stream.write_all(self.protocol.message())
    }

    /// Reads what has come. Says how long the answer took, if it is there.
    fn hear(&mut self) -> io::Result<Option<Duration>> {
        loop {
            let room = &mut self.received[self.filled..];
            let (read, room) = match self.stream.read(room) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                read => (some(read)?, room.len()),
            };
            self.filled += read;
            if is_answer(self.protocol, &self.received[..self.filled])? {
                return Ok(Some(self.asked.elapsed()));
            }
            if read < room {
                // All that was there: the next event tells of more.
                return Ok(None);
            }
        }
    }
}

/// A read that gave something.
fn some(read: io::Result<usize>) -> io::Result<usize> {
    match read {
        Ok(0) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server hung up")),
        read => read,
    }
}

/// Whether this is a whole answer.
fn is_answer(protocol: Protocol, received: &[u8]) -> io::Result<bool> {
    match protocol.answer(received).map_err(io::Error::other)? {
        Some(length) if received.len() > length => Err(io::Error::other("more than was asked for")),
        Some(length) => Ok(received.len() == length),
        None if received.len() == ROOM => Err(io::Error::other("an answer that is too long")),
        None => Ok(false),
    }
}
