//! How much more several threads do than one.
//!
//! Each thread is server and clients at once, over real sockets, and has as much to do as it can: there is no other program
//! that would need a core of its own, and nothing that one thread has from another. Two ways of comparing, side by side:
//!
//! * **by the clock**: operations a second, the best of several rounds, in which one thread and all of them take turns. Whoever
//!   else uses the machine makes that less.
//! * **by processor time**: what an operation costs a thread when it is alone, against what it costs when all are at work,
//!   times their number. That counts what threads do to one another, and not what other programs do to them.

use super::serve::{digest, talk};
use homing::net::{TcpListener, TcpStream};
use homing::threads::Threads;
use homing::{Result, sleep_until, task_group, yield_now};
use std::cell::Cell;
use std::fmt::Write;
use std::future::pending;
use std::hint::black_box;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Of each thread.
const CLIENTS: u32 = 16;

const REQUEST: &[u8] = b"GET /a/page/of/some/length HTTP/1.1\r\nhost: here\r\n\r\n";

/// What the threads do.
#[derive(Clone, Copy, Debug)]
enum Work {
    /// Nothing but arithmetic.
    Arithmetic,
    /// Lines of 64 bytes, there and back.
    Echo,
    /// Requests of a page that takes some microseconds to compute, on connections that stay.
    Http,
}

/// What all threads together have done.
#[derive(Clone, Copy, Debug, Default)]
struct Done {
    per_second: f64,
    /// Nanoseconds of processor time for each operation.
    cost: f64,
}

/// The table: how much one thread does, and how much so many do.
pub(crate) fn measure(threads: usize, window: Duration, rounds: u32) -> Result<String> {
    let mut table = format!(
        "{:<12} {:>12} {:>12} {:>14} {:>20}\n",
        "per second",
        "1 thread",
        format!("{threads} threads"),
        "by the clock",
        "by processor time"
    );
    for work in [Work::Arithmetic, Work::Echo, Work::Http] {
        let (mut one, mut all) = (Done::default(), Done::default());
        for _ in 0..rounds {
            one = one.or_better(run(work, 1, window)?);
            all = all.or_better(run(work, threads, window)?);
        }
        let (by_clock, by_cost) = (all.per_second / one.per_second, threads as f64 * one.cost / all.cost);
        let name = format!("{work:?}").to_lowercase();
        writeln!(
            table,
            "{name:<12} {:>12.0} {:>12.0} {by_clock:>12.2} × {by_cost:>18.2} ×",
            one.per_second, all.per_second
        )?;
    }
    Ok(table)
}

impl Done {
    fn or_better(self, other: Done) -> Done {
        let cost = if self.cost == 0.0 { other.cost } else { self.cost.min(other.cost) };
        Done { per_second: self.per_second.max(other.per_second), cost }
    }
}

/// One round.
fn run(work: Work, threads: usize, window: Duration) -> Result<Done> {
    // All begin at the same time, when the last of them has certainly started.
    let begin = Instant::now() + Duration::from_millis(20);
    let outcomes = Threads::new(threads).pin().run(async |_| {
        sleep_until(homing::Instant::now() + begin.saturating_duration_since(Instant::now())).await?;
        let (begun, cpu_begun) = (Instant::now(), cpu_time());
        let count = Rc::new(Cell::new(0_u64));
        match work {
            Work::Arithmetic => arithmetic(begun + window, &count).await?,
            Work::Echo => serve_oneself(begun + window, &count, echo, send_line).await?,
            Work::Http => serve_oneself(begun + window, &count, http, send_request).await?,
        }
        Ok((count.get() as f64, begun.elapsed(), cpu_time() - cpu_begun))
    })?;
    let operations: f64 = outcomes.iter().map(|(count, ..)| count).sum();
    Ok(Done {
        per_second: outcomes.iter().map(|(count, elapsed, _)| count / elapsed.as_secs_f64()).sum(),
        cost: outcomes.iter().map(|(.., cpu)| cpu.as_nanos() as f64).sum::<f64>() / operations,
    })
}

async fn arithmetic(end: Instant, count: &Cell<u64>) -> Result<()> {
    while Instant::now() < end {
        black_box(digest(black_box(REQUEST)));
        count.set(count.get() + 1);
        yield_now().await?;
    }
    Ok(())
}

/// Server and clients in one.
async fn serve_oneself(
    end: Instant,
    count: &Rc<Cell<u64>>,
    serve: impl AsyncFn(TcpStream) -> Result<()> + Copy + 'static,
    ask: impl AsyncFn(&TcpStream) -> Result<()> + Copy + 'static,
) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address: SocketAddr = listener.local_addr()?;
    task_group(async |servers| {
        let acceptor = servers.clone();
        servers.spawn::<_, ()>(async move {
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                acceptor.spawn(async move { serve(stream).await });
            }
        });
        task_group(async |clients| {
            for _ in 0..CLIENTS {
                let count = count.clone();
                clients.spawn(async move {
                    let stream = TcpStream::connect(address).await?;
                    stream.set_nodelay(true)?;
                    while Instant::now() < end {
                        ask(&stream).await?;
                        count.set(count.get() + 1);
                    }
                    Ok(())
                });
            }
            Ok(())
        })
        .await?;
        Ok(servers.cancel())
    })
    .await
}

async fn echo(stream: TcpStream) -> Result<()> {
    let mut line = [0; 64];
    while stream.read_exact(&mut line).await.is_ok() {
        stream.write_all(&line).await?;
    }
    Ok(())
}

async fn send_line(stream: &TcpStream) -> Result<()> {
    stream.write_all(&[7; 64]).await?;
    stream.read_exact(&mut [0; 64]).await?;
    Ok(())
}

async fn http(stream: TcpStream) -> Result<()> {
    talk(stream, pending(), Rc::default()).await
}

async fn send_request(stream: &TcpStream) -> Result<()> {
    stream.write_all(REQUEST).await?;
    let (mut answer, mut length) = ([0; 512], 0);
    // The head ends in an empty line, and the page is as long as it always is.
    while !answer[..length].ends_with(b"\n") || answer[..length].ends_with(b"\r\n") {
        match stream.read(&mut answer[length..]).await? {
            0 => return Err(homing::Error::msg("the server has hung up")),
            more => length += more,
        }
    }
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    Ok(())
}

/// How long this thread has run.
#[allow(unsafe_code)]
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call fills it in.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(result, 0, "every thread has such a clock");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
