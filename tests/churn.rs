//! Connections that come and go, in every way in which one can end; and after each wave of them all is as it was before.
//!
//! ```text
//!   wave ──► 64 clients ──► connect ──► an end, in turn ──► connect ──► …        the server accepts, echoes,
//!     ▲                                                                          and sees each end
//!     └── as many accepted and ended as were made? tasks, sources, descriptors as before? memory? ──┘
//! ```
//!
//! Some thousand of them. `HOMING_CHURN_CONNECTIONS=1000000 cargo test --release --test churn -- --nocapture` makes it a
//! million, with a line for each wave. Both ends are in this process, and on the same runtime.
#![cfg(target_os = "linux")]

use homing::net::{TcpListener, TcpStream};
use homing::{Error, Result, Runtime, TaskGroup, sleep, spawn, task_group, yield_now};
use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

const WAVES: usize = 10;

/// At a time.
const CLIENTS: usize = 64;

/// A closed connection keeps its pair of addresses for a minute, of which there are 28,000 between one and another.
const LISTENERS: u8 = 16;

/// What the server is asked to send back, in several pieces.
const MESSAGE: [u8; 6000] = [b'.'; 6000];

/// How a connection comes to its end, unless its client is cancelled.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// As soon as it is there.
    AtOnce,
    /// By a reset, as soon as it is there: maybe before it has been accepted.
    ResetAtOnce,
    /// Properly: all has been said, and heard.
    Proper,
    /// One direction first, and the answer is still heard.
    HalfClosed,
    /// By a reset, with an answer under way that nobody hears.
    Reset,
    /// With an answer that lies there and is not read.
    Unread,
}

const ENDS: [End; 6] = [End::AtOnce, End::ResetAtOnce, End::Proper, End::HalfClosed, End::Reset, End::Unread];

/// What both sides have seen.
#[derive(Debug, Default)]
struct Seen {
    /// Connections that were there, for the client.
    made: Cell<usize>,
    /// Cancelled before they were there: the server may know of them, or not.
    not_made: Cell<usize>,
    accepted: Cell<usize>,
    ended: Cell<usize>,
    broken: Cell<usize>,
}

fn count(counter: &Cell<usize>) {
    counter.set(counter.get() + 1);
}

impl Seen {
    /// Every connection that was made has been accepted, and each that was accepted has ended.
    fn is_complete(&self) -> bool {
        self.accepted.get() >= self.made.get() && self.ended.get() == self.accepted.get()
    }
}

async fn serve(listener: TcpListener, tg: TaskGroup, seen: Rc<Seen>) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        count(&seen.accepted);
        let seen = seen.clone();
        tg.spawn(async move {
            let outcome = echo(&stream).await;
            count(&seen.ended);
            match outcome {
                Err(error) if is_reset(&error) => {
                    count(&seen.broken);
                    Ok(())
                }
                outcome => outcome,
            }
        });
    }
}

async fn echo(stream: &TcpStream) -> Result<()> {
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            length => stream.write_all(&buffer[..length]).await?,
        }
    }
}

fn is_reset(error: &Error) -> bool {
    let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    matches!(kind, Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe))
}

async fn connect(address: SocketAddr, seen: &Seen) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    count(&seen.made);
    Ok(stream)
}

/// One connection, from its beginning to this end.
async fn converse(address: SocketAddr, end: End, seen: &Seen) -> Result<()> {
    let stream = connect(address, seen).await?;
    let mut answer = [0; MESSAGE.len()];
    if matches!(end, End::ResetAtOnce | End::Reset) {
        stream.set_linger(Some(Duration::ZERO))?;
    }
    match end {
        End::AtOnce | End::ResetAtOnce => {}
        End::Proper => {
            stream.write_all(&MESSAGE).await?;
            stream.read_exact(&mut answer).await?;
            assert!(answer == MESSAGE, "the bytes that were sent come back");
        }
        End::HalfClosed => {
            stream.write_all(&MESSAGE).await?;
            stream.shutdown(Shutdown::Write)?;
            stream.read_exact(&mut answer).await?;
            assert!(answer == MESSAGE, "the bytes that were sent come back");
            assert_eq!(stream.read(&mut answer).await?, 0, "the server's end follows");
        }
        End::Reset => {
            stream.write_all(&MESSAGE).await?;
            stream.read_exact(&mut answer[..10]).await?;
        }
        End::Unread => {
            stream.write_all(&MESSAGE).await?;
            stream.readable().await?;
        }
    }
    Ok(())
}

/// One that is cancelled before it has begun, while it connects, or while it reads: after so many turns.
async fn be_cancelled(address: SocketAddr, turns: usize, seen: &Rc<Seen>) -> Result<()> {
    let connected = Rc::new(Cell::new(false));
    let task = spawn({
        let (seen, connected) = (seen.clone(), connected.clone());
        async move {
            let stream = connect(address, &seen).await?;
            connected.set(true);
            // The server has nothing to answer.
            stream.read(&mut [0]).await
        }
    });
    for _ in 0..turns {
        yield_now().await?;
    }
    task.cancel();
    assert!(task.await.unwrap_err().is_cancelled());
    if !connected.get() {
        count(&seen.not_made);
    }
    Ok(())
}

async fn be_a_client(addresses: Rc<[SocketAddr]>, number: usize, share: usize, seen: Rc<Seen>) -> Result<()> {
    for turn in 0..share {
        let address = addresses[(number + turn) % addresses.len()];
        match ENDS.get((number + turn) % (ENDS.len() + 1)) {
            Some(&end) => converse(address, end, &seen).await?,
            None => be_cancelled(address, turn % 4, &seen).await?,
        }
    }
    Ok(())
}

/// What a program must not use more of, however long it runs.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Used {
    tasks: usize,
    sources: usize,
    descriptors: usize,
}

impl Used {
    fn now(runtime: &Runtime) -> Used {
        let resources = runtime.resources();
        let descriptors = std::fs::read_dir("/proc/self/fd").unwrap().count();
        Used { tasks: resources.tasks, sources: resources.descriptors, descriptors }
    }
}

/// In RAM, in KiB.
fn memory() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4
}

/// Sends the waves, and says how much memory there was in use after each.
async fn program(runtime: &Runtime, connections: usize, seen: Rc<Seen>) -> Result<Vec<u64>> {
    let listeners: Vec<TcpListener> = (1..=LISTENERS)
        .map(|host| TcpListener::bind((Ipv4Addr::new(127, 0, 0, host), 0)))
        .collect::<std::io::Result<_>>()?;
    let addresses: Rc<[SocketAddr]> =
        listeners.iter().map(TcpListener::local_addr).collect::<std::io::Result<_>>()?;
    let after_waves = RefCell::new(Vec::new());
    task_group(async |server| {
        for listener in listeners {
            server.task(serve(listener, server.clone(), seen.clone())).name("server").spawn();
        }
        let mut before = None;
        for wave in 1..=WAVES {
            let begin = Instant::now();
            task_group(async |tg| {
                for number in 0..CLIENTS {
                    let share = connections / WAVES / CLIENTS;
                    tg.spawn(be_a_client(addresses.clone(), number, share, seen.clone()));
                }
                Ok(())
            })
            .await?;
            // What is on its way arrives meanwhile.
            sleep(Duration::from_millis(2)).await?;
            while !seen.is_complete() {
                assert!(begin.elapsed() < Duration::from_secs(600), "a connection was lost: {seen:?}");
                sleep(Duration::from_millis(1)).await?;
            }
            let used = Used::now(runtime);
            assert_eq!(*before.get_or_insert(used), used, "after wave {wave}, {seen:?}");
            let kib = memory();
            println!(
                "wave {wave:>2} in {:>6.1?}: {kib} KiB, {used:?}, {} made",
                begin.elapsed(),
                seen.made.get()
            );
            after_waves.borrow_mut().push(kib);
        }
        server.cancel();
        Ok(())
    })
    .await?;
    Ok(after_waves.into_inner())
}

#[test]
fn however_many_connections_come_and_go_nothing_is_left_of_them() {
    let connections = std::env::var("HOMING_CHURN_CONNECTIONS").ok();
    let connections =
        connections.map_or(WAVES * CLIENTS * 4, |text| text.parse().expect("how many connections"));
    let descriptors_before = std::fs::read_dir("/proc/self/fd").unwrap().count();
    let unhandled = Rc::new(RefCell::new(Vec::new()));
    let runtime = homing::Builder::new()
        .on_unhandled({
            let unhandled = unhandled.clone();
            move |what| unhandled.borrow_mut().push(what.to_string())
        })
        .build();
    let seen = Rc::new(Seen::default());
    let begin = Instant::now();
    let after_waves = runtime.run(program(&runtime, connections, seen.clone())).unwrap();
    println!("{:?} after {:.1?}", seen, begin.elapsed());

    assert_eq!(runtime.resources(), Default::default(), "all have come home");
    drop(runtime);
    assert_eq!(unhandled.take(), Vec::<String>::new());
    assert_eq!(std::fs::read_dir("/proc/self/fd").unwrap().count(), descriptors_before);
    let planned = WAVES * CLIENTS * (connections / WAVES / CLIENTS);
    assert_eq!(seen.made.get() + seen.not_made.get(), planned, "{seen:?}");
    assert!(seen.broken.get() > 0, "resets were seen as what they are: {seen:?}");
    let (early, late) = (after_waves[1], *after_waves.last().unwrap());
    assert!(late <= early + early / 20 + 1024, "memory is flat: {early} KiB, then {late}");
}
