//! A server written by hand: mio and a loop, a table of connections, and nothing else. The limit of what a
//! runtime can be as a server.
//!
//! ```text
//! wait ─► listener: accept until there is no more
//!   ▲  └► connection: read what there is, write the reply; at its end: close it
//!   └──── until as many have been closed as were to come
//! ```

use crate::load::Protocol;
use crate::sockets::ROOM;
use crate::sockets::http::BODY;
use crate::tally::Tally;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::io::{self, Read, Write};

const LISTENER: Token = Token(usize::MAX);

/// Serves so many connections, until the last one has been closed.
pub(crate) fn serve(
    listener: std::net::TcpListener,
    connections: usize,
    protocol: Protocol,
    tally: &Tally,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut listener = TcpListener::from_std(listener);
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut open: Vec<Option<TcpStream>> = Vec::new();
    let mut left = connections;
    let mut events = Events::with_capacity(1024);
    let mut buffer = [0; ROOM];
    let reply = Reply::of(protocol);
    while left > 0 {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &events {
            if event.token() == LISTENER {
                accept_all(&listener, &poll, &mut open)?;
                continue;
            }
            let place = &mut open[event.token().0];
            let stream = place.as_mut().expect("a connection has events until it is closed");
            if serve_one(stream, &mut buffer, &reply, tally)? == Connection::Ended {
                *place = None;
                left -= 1;
            }
        }
    }
    Ok(())
}

fn accept_all(listener: &TcpListener, poll: &Poll, open: &mut Vec<Option<TcpStream>>) -> io::Result<()> {
    loop {
        match listener.accept() {
            Ok((mut stream, _)) => {
                poll.registry().register(&mut stream, Token(open.len()), Interest::READABLE)?;
                open.push(Some(stream));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

#[derive(PartialEq)]
enum Connection {
    GoesOn,
    Ended,
}

fn serve_one(
    stream: &mut TcpStream,
    buffer: &mut [u8; ROOM],
    reply: &Reply,
    tally: &Tally,
) -> io::Result<Connection> {
    loop {
        let read = match stream.read(buffer) {
            Ok(0) => return Ok(Connection::Ended),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Connection::GoesOn),
            Err(error) => return Err(error),
        };
        reply.give(stream, &buffer[..read], tally)?;
        if read < buffer.len() {
            // All that was there: the next event tells of more.
            return Ok(Connection::GoesOn);
        }
    }
}

/// What is replied. The other side speaks only when it has heard everything, so that there is always room in
/// the socket, and a message comes in one piece.
enum Reply {
    Echo,
    Always(String),
}

impl Reply {
    fn of(protocol: Protocol) -> Reply {
        match protocol {
            Protocol::Echo => Reply::Echo,
            Protocol::Http => {
                let date = "date: Thu, 01 Jan 1970 00:00:00 GMT";
                let length = BODY.len();
                Reply::Always(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n{date}\r\n\r\n{BODY}"))
            }
        }
    }

    fn give(&self, stream: &mut TcpStream, received: &[u8], tally: &Tally) -> io::Result<()> {
        match self {
            Reply::Echo => {
                stream.write_all(received)?;
                tally.answered(received.len());
            }
            Reply::Always(reply) => {
                assert!(received.ends_with(b"\r\n\r\n"), "a request comes in one piece");
                stream.write_all(reply.as_bytes())?;
                tally.answered(1);
            }
        }
        Ok(())
    }
}
