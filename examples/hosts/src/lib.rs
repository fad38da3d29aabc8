//! What homing does in each of the hosts of this folder: everything that a turn can be about.
//!
//! ```text
//!   naps      a timer             calls    a wake from another thread
//!   lines     a socket            yields   work that is left when a turn's budget is used up
//! ```
//!
//! It is the same in all of them, so that what differs in the files of `bin/` is the host.

use homing::net::{TcpListener, TcpStream};
use homing::sync::remote_channel;
use homing::{Result, sleep, task_group, yield_now};
use std::fmt;
use std::thread;
use std::time::Duration;

/// What the guest has done.
#[derive(Debug)]
pub struct Done {
    naps: u32,
    lines: u32,
    calls: u32,
    yields: u32,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Done { naps, lines, calls, yields } = self;
        write!(f, "{naps} naps, {lines} lines echoed, {calls} calls from another thread, {yields} yields")
    }
}

/// The guest.
pub async fn guest() -> Result<Done> {
    task_group(async |tg| {
        let naps = tg.task(nap()).name("naps").spawn();
        let lines = tg.task(talk()).name("lines").spawn();
        let calls = tg.task(listen_to_a_thread()).name("calls").spawn();
        let yields = tg.task(give_way()).name("yields").spawn();
        Ok(Done { naps: naps.await?, lines: lines.await?, calls: calls.await?, yields: yields.await? })
    })
    .await
}

async fn nap() -> Result<u32> {
    for _ in 0..5 {
        sleep(Duration::from_millis(3)).await?;
    }
    Ok(5)
}

async fn talk() -> Result<u32> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    task_group(async |tg| {
        tg.task(async move {
            let (stream, _) = listener.accept().await?;
            let mut line = [0; 5];
            while stream.read_exact(&mut line).await.is_ok() {
                stream.write_all(&line).await?;
            }
            Ok(())
        })
        .name("echo")
        .spawn();

        let stream = TcpStream::connect(address).await?;
        for number in 0..20_u32 {
            let (line, mut echo) = (format!("{number:04}\n"), [0; 5]);
            stream.write_all(line.as_bytes()).await?;
            stream.read_exact(&mut echo).await?;
            assert_eq!(echo, line.as_bytes());
        }
        Ok(20)
    })
    .await
}

async fn listen_to_a_thread() -> Result<u32> {
    let (sender, receiver) = remote_channel::unbounded();
    let thread = thread::spawn(move || {
        for call in 0..5 {
            thread::sleep(Duration::from_millis(2));
            // Refused, if nobody listens any more; then nobody misses it.
            let _ = sender.try_send(call);
        }
    });
    let mut calls = 0;
    while receiver.recv().await?.is_some() {
        calls += 1;
    }
    thread.join().expect("it does not panic");
    Ok(calls)
}

async fn give_way() -> Result<u32> {
    for _ in 0..1000 {
        yield_now().await?;
    }
    Ok(1000)
}
