//! The load: a client that asks a server, and what it sees.
//!
//! One program for all servers, in a process of its own, on one thread, with no runtime: mio and a loop. Each
//! of its connections has one message under way; when the answer is there, the next one is sent.
//!
//! ```text
//!  this process                                          the client
//!  server on a runtime ──listens──► address ──argument──► connects; a message and its answer on each, in turn
//!                      ◄──────────── messages ──────────  all connections at once: what is measured
//!                      ◄──────────── closes ────────────
//!       what it spent              ◄──── output ────────  how many, in what time, latency p50 and p99
//! ```
//!
//! Such a load is *closed*: a slow server is asked less often, and its latency says how long the line is, with
//! as many in it as there are connections.

mod drive;
mod hold;
mod protocol;

pub(crate) use hold::Held;
#[cfg(feature = "report")]
pub(crate) use hold::hold_until_the_input_ends;
pub use protocol::Protocol;

use crate::solo;
use crate::tally::Tally;
use crate::workload::{Figures, Metric, Scale};
use std::env;
use std::fmt;
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::thread::{self, JoinHandle};

/// What a client is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// What is said.
    pub protocol: Protocol,
    /// On so many connections, all the time.
    pub connections: usize,
    /// So many messages in all, besides one a connection with which it begins.
    pub messages: u64,
    /// When a connection sends its next one.
    pub pace: Pace,
}

/// When a connection sends its next message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// When its last one has been answered.
    Steady,
    /// When those of all connections have been answered: they all send at once.
    Volleys,
}

/// What a client has seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// How many of its messages were answered, of those that are measured.
    pub messages: u64,
    /// In how many seconds.
    pub seconds: f64,
    /// Half of the answers came within so many microseconds.
    pub p50: f64,
    /// And 99 of 100 within so many.
    pub p99: f64,
}

/// What is measured of a server under load.
pub(crate) const METRICS: &[Metric] = &[
    Metric::rate("throughput", "messages/s"),
    Metric::named("p50", "µs"),
    Metric::named("p99", "µs"),
    Metric::named("cpu", "µs/message"),
];

impl Load {
    /// The tally of a server that is asked so much.
    pub(crate) fn tally(&self) -> Tally {
        let each = self.protocol.tallied_each();
        let begin = self.connections as u64 * each;
        Tally::new(begin, begin + self.messages * each)
    }

    /// Does it, in this thread.
    ///
    /// # Errors
    ///
    /// If the server cannot be reached, answers something else, hangs up, or says nothing for ten seconds.
    pub fn run(&self, address: SocketAddr) -> Result<Seen, String> {
        drive::drive(self, address)
    }
}

/// A client at work.
#[derive(Debug)]
pub(crate) struct Client {
    load: Load,
    at_work: JoinHandle<Result<Seen, String>>,
}

impl Client {
    /// Sets a client to work on a server that listens. At the scale of a smoke test it is a thread of this
    /// process, which may be a test that knows no commands.
    pub(crate) fn start(load: Load, address: SocketAddr, scale: Scale) -> Client {
        let at_work = thread::spawn(move || {
            let seen = match scale {
                Scale::Smoke => load.run(address),
                Scale::Quick | Scale::Full => in_a_process(load, address),
            };
            if seen.is_err() {
                // A server that still waits for connections gets them, each with its end, and is done. One
                // that listens no more needs none.
                (0..load.connections).take_while(|_| TcpStream::connect(address).is_ok()).for_each(drop);
            }
            seen
        });
        Client { load, at_work }
    }

    /// What it has seen, once the server is done.
    ///
    /// # Panics
    ///
    /// If the client was not served as it should have been, or the server counted otherwise.
    pub(crate) fn figures(self, tally: &Tally) -> Figures {
        let complaint = tally.complaint().map_or(String::new(), |said| format!("; the server said: {said}"));
        let seen = self.seen().unwrap_or_else(|reason| panic!("{reason}{complaint}"));
        let spent = tally.spent();
        let spent = spent.unwrap_or_else(|| panic!("the server has not answered them all{complaint}"));
        seen.figures(spent.as_nanos() as f64 / 1e3)
    }

    /// What it has seen.
    ///
    /// # Errors
    ///
    /// If it was not served as it should have been.
    pub(crate) fn seen(self) -> Result<Seen, String> {
        let seen = self.at_work.join().map_err(|_| "the client panicked".to_owned())??;
        if seen.messages == self.load.messages {
            Ok(seen)
        } else {
            Err(format!("{} messages were to be answered, and {} were", self.load.messages, seen.messages))
        }
    }
}

impl Seen {
    /// In the order of [`METRICS`], with what the server has spent.
    pub(crate) fn figures(&self, spent_micros: f64) -> Figures {
        let messages = self.messages as f64;
        vec![messages / self.seconds, self.p50, self.p99, spent_micros / messages]
    }
}

/// Starts this program once more, as a client.
fn in_a_process(load: Load, address: SocketAddr) -> Result<Seen, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new(program)
        .args(["load", load.protocol.name(), &address.to_string()])
        .args([load.connections.to_string(), load.messages.to_string()])
        .args((load.pace == Pace::Volleys).then_some("--volleys"))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("no client could be started: {error}"))?;
    if output.status.success() {
        String::from_utf8_lossy(&output.stdout).parse()
    } else {
        Err(solo::last_words(&output, "the client"))
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.messages, self.seconds, self.p50, self.p99)
    }
}

/// The opposite of [`Display`](fmt::Display).
impl FromStr for Seen {
    type Err = String;

    fn from_str(said: &str) -> Result<Seen, String> {
        let mut words = said.split_whitespace();
        let mut next = || words.next().and_then(|word| word.parse::<f64>().ok());
        let (Some(messages), Some(seconds), Some(p50), Some(p99)) = (next(), next(), next(), next()) else {
            return Err(format!("the client said '{said}'"));
        };
        Ok(Seen { messages: messages as u64, seconds, p50, p99 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bare_server;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    /// What a client sees of a server that is this function, on a thread.
    fn of(load: Load, server: impl FnOnce(TcpListener) + Send + 'static) -> Result<Seen, String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serving = thread::spawn(move || server(listener));
        let seen = load.run(address);
        serving.join().expect("the server does not panic");
        seen
    }

    fn load(protocol: Protocol) -> Load {
        Load { protocol, connections: 7, messages: 100, pace: Pace::Steady }
    }

    #[test]
    fn as_many_messages_are_answered_as_were_to_be_and_the_server_counts_as_many() {
        for (protocol, pace) in
            [Protocol::Echo, Protocol::Http].into_iter().zip([Pace::Steady, Pace::Volleys])
        {
            let load = Load { pace, ..load(protocol) };
            let seen = of(load, move |listener| {
                let tally = load.tally();
                bare_server::serve(listener, load.connections, protocol, &tally).unwrap();
                assert!(tally.spent().is_some(), "the last one has been answered");
            });
            let seen = seen.unwrap();
            assert_eq!(seen.messages, 100);
            assert!(seen.seconds > 0.0 && seen.p50 > 0.0 && seen.p50 <= seen.p99, "{seen:?}");
        }
    }

    #[test]
    fn fewer_messages_than_connections_are_as_many_all_the_same() {
        let load = Load { messages: 3, ..load(Protocol::Echo) };
        let seen = of(load, move |listener| {
            bare_server::serve(listener, load.connections, load.protocol, &load.tally()).unwrap();
        });
        assert_eq!(seen.unwrap().messages, 3);
    }

    #[test]
    fn a_server_that_hangs_up_is_a_failure() {
        let seen = of(load(Protocol::Echo), |listener| drop(listener.accept().unwrap()));
        assert!(seen.is_err_and(|reason| reason.contains("could not be opened")));
    }

    #[test]
    fn a_server_that_answers_something_else_is_a_failure() {
        let seen = of(load(Protocol::Echo), |listener| {
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut [0; 64]).unwrap();
            // The client may have hung up by then.
            let _ = stream.write_all(&[b'!'; 64]);
        });
        assert!(seen.is_err_and(|reason| reason.contains("something else")));
    }

    #[test]
    fn what_a_client_says_is_understood() {
        let seen = Seen { messages: 100, seconds: 0.25, p50: 12.5, p99: 99.75 };
        assert_eq!(seen.to_string().parse(), Ok(seen));
        assert!("100 0.25 12.5".parse::<Seen>().is_err());
    }
}
