//! CPython's asyncio, and uvloop: where people come from.
//!
//! Each runs in a process of its own, which sleeps until it is told to run a round. So it takes its turns as
//! the others do. Where it is a server, the client is the same as for the others, and started here.
//!
//! ```text
//! this process ──"ping-pong quick"──► python3 workloads.py asyncio
//!              ◄────"3911.2"────────
//!
//!              ──"echo-50 quick 50 10000"──►           connections, messages
//!              ◄────"40123"─────────────────           its port: now the client is started
//!              ◄────"21.5"──────────────────           CPU time for each message
//! ```
//!
//! They stand aside: they are never the best peer.

use crate::lineup::{Contestant, Kind, Round};
use crate::load::{Client, Load};
use crate::solo;
use crate::workload::{Figures, Scale};
use std::cell::RefCell;
use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::LazyLock;

const PROGRAM: &str = include_str!("workloads.py");

/// What is called what in tables.
pub const LOOPS: [&str; 2] = ["asyncio", "uvloop"];

/// What each of the two says of itself, or why it cannot run.
static INTRODUCTIONS: LazyLock<[Result<Introduction, String>; 2]> =
    LazyLock::new(|| LOOPS.map(|event_loop| Python::start(event_loop).map(|(_, said)| said)));

/// What a process says first.
#[derive(Clone, Debug)]
struct Introduction {
    version: String,
    workloads: Vec<String>,
}

/// Which version of a loop would run, or why none.
pub fn version(event_loop: &str) -> String {
    let place = LOOPS.iter().position(|name| *name == event_loop);
    match place.map(|place| &INTRODUCTIONS[place]) {
        Some(Ok(introduction)) => introduction.version.clone(),
        Some(Err(reason)) => reason.clone(),
        None => "?".to_owned(),
    }
}

/// The two contestants of a workload; none if Python has no such workload, or is not there. `load` is what the
/// client asks for, where they are servers.
pub(crate) fn contestants(workload: &'static str, load: Option<fn(Scale) -> Load>) -> Vec<Contestant> {
    if solo::is_this_process() {
        return Vec::new();
    }
    let known = |introduction: &Introduction| introduction.workloads.iter().any(|name| name == workload);
    LOOPS
        .iter()
        .zip(INTRODUCTIONS.iter())
        .filter(|(_, introduction)| introduction.as_ref().is_ok_and(known))
        .map(|(event_loop, _)| Contestant {
            name: event_loop,
            kind: Kind::Aside,
            note: note(workload).map(str::to_owned),
            prepare: Ok(Box::new(move |scale| prepare(workload, event_loop, scale, load))),
        })
        .collect()
}

fn note(workload: &str) -> Option<&'static str> {
    Some(match workload {
        "ping-pong" | "ring-1000" => "a future each message, as a channel of asyncio's would",
        "group-100" => "TaskGroup; the children sleep(0)",
        "timers-bulk" | "timers-single" => "call_later and cancel: callbacks, not tasks",
        "echo-1" | "echo-50" | "echo-1000" => "start_server, with its streams",
        "timers-fire" => "a tenth of the density, lest it cannot keep up",
        _ => return None,
    })
}

fn prepare(workload: &'static str, event_loop: &str, scale: Scale, load: Option<fn(Scale) -> Load>) -> Round {
    let (python, _) = Python::start(event_loop).expect("it could be started before");
    let python = RefCell::new(python);
    Box::new(move || {
        let mut python = python.borrow_mut();
        match load {
            None => python.round(workload, scale).expect("Python runs a round"),
            Some(load) => python.serve(workload, scale, load(scale)),
        }
    })
}

/// A process that runs rounds.
struct Python {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Python {
    /// Starts one, and hears what it is.
    fn start(event_loop: &str) -> Result<(Python, Introduction), String> {
        let interpreter = env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
        let mut process = Command::new(interpreter)
            .args(["-c", PROGRAM, event_loop])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("there is no python3: {error}"))?;
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().expect("it was asked for"));
        let mut python = Python { process, input, output };
        let said = python.hear().map_err(|_| format!("python3 has no {event_loop} that works here"))?;
        let (version, workloads) = said.split_once(';').ok_or("it introduces itself in an unknown way")?;
        let workloads = workloads.split_whitespace().map(str::to_owned).collect();
        Ok((python, Introduction { version: version.to_owned(), workloads }))
    }

    fn round(&mut self, workload: &str, scale: Scale) -> io::Result<Figures> {
        self.say(&format!("{workload} {}", scale.name()))?;
        self.figures()
    }

    fn serve(&mut self, workload: &str, scale: Scale, load: Load) -> Figures {
        let address = self.listen(workload, scale, load).expect("Python listens");
        let seen = Client::start(load, address, scale).seen().unwrap_or_else(|reason| panic!("{reason}"));
        let spent_each = self.figures().expect("Python served")[0];
        seen.figures(spent_each * load.messages as f64)
    }

    fn listen(&mut self, workload: &str, scale: Scale, load: Load) -> io::Result<SocketAddr> {
        self.say(&format!("{workload} {} {} {}", scale.name(), load.connections, load.messages))?;
        let port = self.hear()?.parse().map_err(io::Error::other)?;
        Ok((Ipv4Addr::LOCALHOST, port).into())
    }

    fn say(&mut self, what: &str) -> io::Result<()> {
        writeln!(self.input.as_mut().expect("it is closed in the end only"), "{what}")
    }

    fn figures(&mut self) -> io::Result<Figures> {
        let said = self.hear()?;
        let figures: Option<Figures> = said.split_whitespace().map(|figure| figure.parse().ok()).collect();
        figures.ok_or_else(|| io::Error::other(format!("it said '{said}'")))
    }

    fn hear(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.output.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim().to_owned()),
        }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // It ends when there is nothing more to read.
        drop(self.input.take());
        let _ = self.process.wait();
    }
}
