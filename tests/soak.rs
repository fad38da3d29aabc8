//! Everything at once, for a while: sockets, timers, locks, queues, threads, cancels and drops, at random; and then nothing
//! is left of it.
//!
//! ```text
//!   clients ──► server      real loopback; a connection ends as one does: properly, midway, or cancelled
//!   sleepers                timers, most of which are cancelled before they are due
//!   workers ──► locks       permits and a mutex, which must all be back at the end
//!   producers ──► queue     each item arrives once
//!   other threads           wakes, calls and blocking jobs
//! ```
//!
//! Some seconds long. `HOMING_SOAK_SECONDS=600 cargo test --release --test soak -- --nocapture` makes it ten minutes, with a
//! line each few seconds, of which the memory and the descriptors should not grow.
#![cfg(target_os = "linux")]

use homing::net::{TcpListener, TcpStream};
use homing::sync::{Mutex, Queue, Semaphore, Shutdown};
use homing::{Error, Instant, Result, Runtime, TaskGroup, sleep, spawn, task_group, timeout};
use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

/// How often a thing was done. All are to have been done at the end.
#[derive(Debug, Default)]
struct Done {
    exchanges: Cell<u64>,
    broken_off: Cell<u64>,
    cancelled: Cell<u64>,
    timed_out: Cell<u64>,
    slept: Cell<u64>,
    locked: Cell<u64>,
    delivered: Cell<u64>,
    remote: Cell<u64>,
    given_up: Cell<u64>,
}

fn count(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}

/// What all of the soak shares.
struct Soak {
    end: Instant,
    done: Done,
    /// The state of a generator of random numbers (xorshift64).
    random: Cell<u64>,
    permits: Semaphore,
    sum: Mutex<u64>,
    items: Queue<u64>,
    put: Cell<u64>,
}

const PERMITS: usize = 4;

impl Soak {
    fn new(length: Duration) -> Rc<Soak> {
        Rc::new(Soak {
            end: Instant::now() + length,
            done: Done::default(),
            random: Cell::new(0x9E37_79B9_7F4A_7C15),
            permits: Semaphore::new(PERMITS),
            sum: Mutex::new(0),
            items: Queue::new(8),
            put: Cell::new(0),
        })
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }

    /// A number below `limit`.
    fn random(&self, limit: u64) -> u64 {
        let mut state = self.random.get();
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.random.set(state);
        state % limit
    }

    fn some_time(&self, below_micros: u64) -> Duration {
        Duration::from_micros(self.random(below_micros))
    }

    /// Mostly more than enough, also on a busy machine; now and then too little.
    fn patience(&self, too_little_micros: u64) -> Duration {
        if self.random(3) == 0 { self.some_time(too_little_micros) } else { Duration::from_secs(60) }
    }
}

/// What a broken-off connection may bring to the other side.
fn is_expected(error: &Error) -> bool {
    let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    matches!(
        kind,
        Some(
            ErrorKind::ConnectionReset
                | ErrorKind::BrokenPipe
                | ErrorKind::UnexpectedEof
                | ErrorKind::NotConnected
        )
    )
}

async fn serve(listener: TcpListener, tg: TaskGroup) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        tg.spawn(async move {
            match echo(&stream).await {
                Err(error) if is_expected(&error) => Ok(()),
                outcome => outcome,
            }
        });
    }
}

async fn echo(stream: &TcpStream) -> Result<()> {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            count => stream.write_all(&buffer[..count]).await?,
        }
    }
}

/// Some exchanges on one connection, whose bytes are checked.
async fn converse(soak: &Soak, address: SocketAddr) -> Result<()> {
    let stream = TcpStream::connect(address).await?;
    for _ in 0..soak.random(6) {
        let first = soak.random(256) as u8;
        let sent: Vec<u8> =
            (0..1 + soak.random(20_000)).map(|index| first.wrapping_add(index as u8)).collect();
        let mut received = vec![0; sent.len()];
        // At once: neither side has room for all of it.
        let (written, read) = futures_util::join!(stream.write_all(&sent), stream.read_exact(&mut received));
        written?;
        read?;
        assert_eq!(received, sent, "the bytes that were sent come back");
        count(&soak.done.exchanges);
        if soak.random(8) == 0 {
            // With bytes on their way, of which nobody will read the echo.
            stream.write_all(&sent[..1]).await?;
            count(&soak.done.broken_off);
            return Ok(());
        }
    }
    stream.shutdown(std::net::Shutdown::Write)?;
    assert_eq!(stream.read(&mut [0]).await?, 0);
    Ok(())
}

async fn be_a_client(soak: Rc<Soak>, address: SocketAddr) -> Result<()> {
    while !soak.is_over() {
        match soak.random(4) {
            0 => {
                let task = spawn({
                    let soak = soak.clone();
                    async move { converse(&soak, address).await }
                });
                sleep(soak.some_time(800)).await?;
                task.cancel();
                match task.await {
                    Err(error) if error.is_cancelled() => count(&soak.done.cancelled),
                    outcome => outcome?,
                }
            }
            1 => match timeout(soak.some_time(800), converse(&soak, address)).await {
                Err(error) if error.is_timeout() => count(&soak.done.timed_out),
                outcome => outcome?,
            },
            _ => converse(&soak, address).await?,
        }
    }
    Ok(())
}

async fn sleep_around(soak: Rc<Soak>) -> Result<()> {
    while !soak.is_over() {
        task_group(async |tg| {
            for _ in 0..20 {
                tg.spawn(sleep(soak.some_time(20_000)));
            }
            sleep(soak.some_time(4_000)).await?;
            tg.cancel();
            Ok(())
        })
        .await?;
        count(&soak.done.slept);
    }
    Ok(())
}

async fn lock_and_unlock(soak: Rc<Soak>) -> Result<()> {
    while !soak.is_over() {
        let patience = soak.patience(1_000);
        let worked = timeout(patience, async {
            let _permit = soak.permits.acquire().await?;
            sleep(soak.some_time(200)).await?;
            let mut sum = soak.sum.lock().await?;
            homing::yield_now().await?;
            *sum += 1;
            Ok(())
        });
        match worked.await {
            Ok(()) => count(&soak.done.locked),
            Err(error) if error.is_timeout() => count(&soak.done.timed_out),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn produce(soak: Rc<Soak>) -> Result<()> {
    while !soak.is_over() {
        match timeout(soak.some_time(300), soak.items.put(1)).await {
            Ok(()) => soak.put.set(soak.put.get() + 1),
            Err(error) if error.is_timeout() => {}
            Err(error) => return Err(error),
        }
        sleep(soak.some_time(100)).await?;
    }
    Ok(())
}

/// Until the queue is shut down, and empty.
async fn consume(soak: Rc<Soak>) -> Result<()> {
    loop {
        match timeout(soak.some_time(500), soak.items.get()).await {
            Ok(_) => count(&soak.done.delivered),
            Err(error) if error.is_timeout() => {}
            Err(error) if error.is::<homing::sync::QueueShutDown>() => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Other threads wake and call, and do what would block.
async fn go_elsewhere(soak: Rc<Soak>, handle: homing::Handle) -> Result<()> {
    while !soak.is_over() {
        let handle = handle.clone();
        let (number, pause) = (soak.random(1_000), soak.some_time(300));
        let job = homing::spawn_blocking(move || {
            std::thread::sleep(pause);
            let remote = handle.spawn_remote(move || async move {
                homing::yield_now().await?;
                Ok(number)
            });
            remote.wait()
        });
        match timeout(soak.patience(1_000), job).await {
            Ok(back) => {
                assert_eq!(back, number);
                count(&soak.done.remote);
            }
            Err(error) if error.is_timeout() => count(&soak.done.given_up),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Memory in KiB, and descriptors.
fn used() -> (u64, usize) {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    (pages * 4, std::fs::read_dir("/proc/self/fd").unwrap().count())
}

#[test]
fn after_a_while_of_everything_at_once_nothing_is_left() {
    let seconds = std::env::var("HOMING_SOAK_SECONDS").ok().map_or(3, |text| text.parse().expect("seconds"));
    let length = Duration::from_secs(seconds);
    let (_, descriptors_before) = used();
    let unhandled = Rc::new(RefCell::new(Vec::new()));
    let runtime = homing::Builder::new()
        .debug(true)
        .on_unhandled({
            let unhandled = unhandled.clone();
            move |what| unhandled.borrow_mut().push(what.to_string())
        })
        .build();
    let soak = Soak::new(length);
    let memory = Rc::new(RefCell::new(Vec::new()));
    runtime.run(program(&runtime, soak.clone(), length, memory.clone())).unwrap();

    let left = runtime.resources();
    assert_eq!((left.tasks, left.timers, left.descriptors), (0, 0, 0), "all have come home");
    drop(runtime);
    assert_eq!(unhandled.take(), Vec::<String>::new());
    assert_eq!(soak.permits.available_permits(), PERMITS, "all permits are back");
    assert!(!soak.sum.is_locked());
    assert_eq!(soak.put.get(), soak.done.delivered.get(), "each item arrives once");
    let done = &soak.done;
    println!("{done:#?}");
    for counter in [
        &done.exchanges,
        &done.broken_off,
        &done.cancelled,
        &done.slept,
        &done.locked,
        &done.delivered,
        &done.remote,
    ] {
        assert!(counter.get() > 0, "everything was done at least once: {done:?}");
    }
    let (_, descriptors) = used();
    assert_eq!(descriptors, descriptors_before, "no descriptor is left open");
    let memory = memory.take();
    // What is kept for the next task grows in the beginning, to what is needed at most.
    let (early, late) = (memory[memory.len() / 4], *memory.last().unwrap());
    assert!(late <= early + early / 4 + 8 * 1024, "memory is flat: {early} KiB, then {late}");
}

async fn program(
    runtime: &Runtime,
    soak: Rc<Soak>,
    length: Duration,
    memory: Rc<RefCell<Vec<u64>>>,
) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let handle = runtime.handle();
    task_group(async |server| {
        server.task(serve(listener, server.clone())).name("server").spawn();
        task_group(async |consumers| {
            (0..3).for_each(|_| drop(consumers.task(consume(soak.clone())).name("consumer").spawn()));
            task_group(async |tg| {
                (0..16).for_each(|_| drop(tg.task(be_a_client(soak.clone(), address)).name("client").spawn()));
                (0..4).for_each(|_| drop(tg.task(sleep_around(soak.clone())).name("sleeper").spawn()));
                (0..12).for_each(|_| drop(tg.task(lock_and_unlock(soak.clone())).name("worker").spawn()));
                (0..4).for_each(|_| drop(tg.task(produce(soak.clone())).name("producer").spawn()));
                (0..2).for_each(|_| {
                    drop(tg.task(go_elsewhere(soak.clone(), handle.clone())).name("elsewhere").spawn());
                });
                while !soak.is_over() {
                    sleep(length / 20).await?;
                    let (kib, descriptors) = used();
                    memory.borrow_mut().push(kib);
                    let left = soak.end.saturating_duration_since(Instant::now()).as_secs();
                    let (exchanges, tasks) = (soak.done.exchanges.get(), runtime.task_count());
                    println!(
                        "{left:>4} s left: {kib:>6} KiB, {descriptors:>3} descriptors, {tasks:>3} tasks, {exchanges:>8} exchanges"
                    );
                }
                Ok(())
            })
            .await?;
            soak.items.shutdown(Shutdown::Drain);
            Ok(())
        })
        .await?;
        server.cancel();
        Ok(())
    })
    .await
}
