//! A small server of the Redis protocol: `redis-cli -p PORT`, `redis-benchmark -p PORT -t ping,set,get,incr`.
//!
//! The frames are cut by a codec of asynchronous-codec, over any stream that reads and writes as futures-io says. All
//! clients share one table, in an `Rc`: on one thread there is nothing to be locked, and each command is atomic because
//! nobody awaits in the middle of it.

use asynchronous_codec::{BytesMut, Decoder, Encoder, Framed};
use clap::Parser;
use futures_util::future::{Either, select};
use futures_util::{SinkExt, StreamExt};
use homing::net::{TcpListener, TcpStream};
use homing::{Error, Result, Server, Stopping};
use serving::{say, told_to_stop};
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;

#[derive(Parser)]
struct Options {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:0")]
    address: SocketAddr,
}

type Bytes = Vec<u8>;
type Table = Rc<RefCell<HashMap<Bytes, Bytes>>>;

fn main() -> Result<()> {
    let options = Options::parse();
    homing::run(async move {
        let listener = TcpListener::bind(options.address)?;
        say("redis", listener.local_addr()?)?;
        let table = Table::default();
        let handler = |(stream, _peer), stopping| talk(stream, table.clone(), stopping);
        let served = Server::new()
            .limit(10_000)
            .run(told_to_stop(), async || listener.accept().await, handler)
            .await?;
        Ok(say("served", format_args!("{served:?}"))?)
    })
}

/// One client's conversation.
async fn talk(stream: TcpStream, table: Table, mut stopping: Stopping) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut frames = Framed::new(stream, Resp);
    loop {
        let command = match select(frames.next(), &mut stopping).await {
            Either::Left((Some(Ok(command)), _)) => command,
            Either::Left((Some(Err(error)), _)) => return its_own_affair(error.into()),
            Either::Left((None, _)) | Either::Right(((), _)) => return Ok(()),
        };
        let reply = execute(&command, &mut table.borrow_mut());
        // Commands that came together are answered together.
        if let Err(error) = frames.feed(reply).await {
            return its_own_affair(error.into());
        }
        if frames.read_buffer().is_empty()
            && let Err(error) = frames.flush().await
        {
            return its_own_affair(error.into());
        }
    }
}

/// A client that hangs up or says nonsense ends its own connection. A cancellation goes on.
fn its_own_affair(error: Error) -> Result<()> {
    if error.is_cancelled() { Err(error) } else { Ok(()) }
}

/// What the server says.
enum Reply {
    Status(&'static str),
    Error(String),
    Number(i64),
    Text(Bytes),
    Nothing,
    List(Vec<Reply>),
}

fn execute(command: &[Bytes], table: &mut HashMap<Bytes, Bytes>) -> Reply {
    let Some((name, arguments)) = command.split_first() else { return Reply::Error("empty command".into()) };
    match (&*name.to_ascii_uppercase(), arguments) {
        (b"PING", []) => Reply::Status("PONG"),
        (b"PING" | b"ECHO", [text]) => Reply::Text(text.clone()),
        (b"SET", [key, value]) => {
            table.insert(key.clone(), value.clone());
            Reply::Status("OK")
        }
        (b"GET", [key]) => table.get(key).map_or(Reply::Nothing, |value| Reply::Text(value.clone())),
        (b"MGET", keys) => Reply::List(
            keys.iter()
                .map(|key| table.get(key).map_or(Reply::Nothing, |value| Reply::Text(value.clone())))
                .collect(),
        ),
        (b"DEL", keys) => {
            Reply::Number(keys.iter().filter(|key| table.remove(*key).is_some()).count() as i64)
        }
        (b"EXISTS", keys) => Reply::Number(keys.iter().filter(|key| table.contains_key(*key)).count() as i64),
        (b"INCR", [key]) => {
            let value = table.entry(key.clone()).or_insert_with(|| b"0".to_vec());
            let number = std::str::from_utf8(value).ok().and_then(|text| text.parse::<i64>().ok());
            match number.and_then(|number| number.checked_add(1)) {
                Some(number) => {
                    *value = number.to_string().into_bytes();
                    Reply::Number(number)
                }
                None => Reply::Error("value is not an integer or out of range".into()),
            }
        }
        (b"DBSIZE", []) => Reply::Number(table.len() as i64),
        (b"CONFIG" | b"COMMAND", _) => Reply::List(Vec::new()),
        _ => Reply::Error(format!(
            "unknown command, or wrong number of arguments: '{}'",
            String::from_utf8_lossy(name)
        )),
    }
}

/// The frames of the protocol: commands are lists of strings, which say how long they are.
struct Resp;

/// As much as a client may send in one command.
const LONGEST: usize = 1 << 20;

impl Decoder for Resp {
    type Item = Vec<Bytes>;
    type Error = std::io::Error;

    fn decode(&mut self, source: &mut BytesMut) -> std::io::Result<Option<Vec<Bytes>>> {
        let mut rest = &source[..];
        let Some(command) = command(&mut rest)? else {
            return if source.len() > LONGEST { Err(invalid("the command is too long")) } else { Ok(None) };
        };
        let read = source.len() - rest.len();
        drop(source.split_to(read));
        Ok(Some(command))
    }
}

/// A command, if all of it is there.
fn command(rest: &mut &[u8]) -> std::io::Result<Option<Vec<Bytes>>> {
    let Some(first) = line(rest) else { return Ok(None) };
    let Some(count) = first.strip_prefix(b"*") else {
        // As people type it: words in a line.
        let words = first.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        return Ok(Some(words.map(<[u8]>::to_vec).collect()));
    };
    let mut command = Vec::new();
    for _ in 0..length(count)? {
        let Some(head) = line(rest) else { return Ok(None) };
        let length = length(head.strip_prefix(b"$").ok_or_else(|| invalid("a string was expected"))?)?;
        if rest.len() < length + 2 {
            return Ok(None);
        }
        let (text, after) = rest.split_at(length);
        *rest =
            after.strip_prefix(b"\r\n").ok_or_else(|| invalid("a string has another length than it says"))?;
        command.push(text.to_vec());
    }
    Ok(Some(command))
}

fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let (line, after) = rest.split_at(end + 1);
    *rest = after;
    Some(line.strip_suffix(b"\r\n").unwrap_or(&line[..end]))
}

fn length(digits: &[u8]) -> std::io::Result<usize> {
    let length = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    length.filter(|length| *length <= LONGEST).ok_or_else(|| invalid("a length was expected"))
}

fn invalid(what: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, what)
}

impl Encoder for Resp {
    type Item<'a> = Reply;
    type Error = std::io::Error;

    fn encode(&mut self, reply: Reply, to: &mut BytesMut) -> std::io::Result<()> {
        match reply {
            Reply::Status(text) => to.extend_from_slice(format!("+{text}\r\n").as_bytes()),
            Reply::Error(text) => to.extend_from_slice(format!("-ERR {text}\r\n").as_bytes()),
            Reply::Number(number) => to.extend_from_slice(format!(":{number}\r\n").as_bytes()),
            Reply::Nothing => to.extend_from_slice(b"$-1\r\n"),
            Reply::Text(text) => {
                to.extend_from_slice(format!("${}\r\n", text.len()).as_bytes());
                to.extend_from_slice(&text);
                to.extend_from_slice(b"\r\n");
            }
            Reply::List(replies) => {
                to.extend_from_slice(format!("*{}\r\n", replies.len()).as_bytes());
                for reply in replies {
                    self.encode(reply, to)?;
                }
            }
        }
        Ok(())
    }
}
