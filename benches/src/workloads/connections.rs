//! Idle connections: what the server's process grows by for one that is open and says nothing, and what it
//! does meanwhile.
//!
//! Each is a connection of an echo server, which has answered one message and waits for the next: a task, its
//! future, the room for a message, and what the runtime keeps to be woken. Moved by: the size of each of
//! these; timers and sweeps over all connections, if there are any. What the kernel keeps for a connection is
//! the same for all, and not in the figure.
//!
//! ```text
//! server   ─listens─►  a hundred come  ─► RSS ─►  ten thousand come  ─► RSS ─►  two seconds  ─► all go
//! (a process)          (what is made once                                └ wake-ups, CPU ┘
//!                       is there)            their other ends are another process's
//! ```

use super::server::BY_HAND;
use crate::arrivals::Arrivals;
use crate::bare_server;
use crate::descriptors;
use crate::load::{Held, Protocol};
use crate::proc::{Noted, resident_bytes};
use crate::runtime::{Ability, Runtime};
use crate::sockets::{ANYWHERE, Sockets};
use crate::tally::Tally;
use crate::workload::{Figures, Limit, Metric, Place, Scale, Workload, in_a_task};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Ten thousand connections with nothing to say.
pub(crate) struct Connections;

/// Come before the others, so that what is made once is there.
const FIRST: usize = 100;

/// Until then the server has gone to sleep.
const SETTLED: Duration = Duration::from_millis(200);

/// How many, besides the first.
fn connections(scale: Scale) -> usize {
    scale.pick(10_000, 1_000, 10)
}

fn watched(scale: Scale) -> Duration {
    Duration::from_millis(scale.pick(2_000, 300, 5))
}

impl Workload for Connections {
    const NAME: &'static str = "connections";
    const ABOUT: &'static str = "10,000 idle connections (quick: 1,000) of an echo server with 1 KiB of room for each: \
         growth of RSS, and what the process does meanwhile";
    const METRICS: &'static [Metric] = &[
        Metric::named("memory", "bytes/connection"),
        Metric::named("wake-ups", "per second"),
        Metric::named("cpu", "µs per second"),
    ];
    const NEEDS: &'static [Ability] = &[Ability::Spawn, Ability::Join, Ability::Sockets, Ability::Park];
    const PLACE: Place = Place::Apart;
    const LIMIT: Option<Limit> = Some(Limit { about: BY_HAND, round: by_hand });

    fn round<R: Runtime>(runtime: &R, scale: Scale) -> Figures {
        descriptors::allow_many();
        let tally = Rc::new(uncounted());
        let complaints = tally.clone();
        let watcher = in_a_task(runtime, async move |runtime: R| {
            let (mut listener, address) = R::Sockets::listen().await;
            let watcher = watch(address, scale);
            let over = Rc::new(Arrivals::default());
            for _ in 0..FIRST + connections(scale) {
                let stream = R::Sockets::accept(&mut listener).await;
                let (over, tally) = (over.clone(), tally.clone());
                // Not the future of another function, which would hold that of the echo twice over.
                R::detach(runtime.spawn(async move {
                    if let Err(error) = R::Sockets::echo(stream, tally.clone()).await {
                        tally.complain(&error);
                    }
                    over.arrive();
                }));
            }
            over.reach(FIRST + connections(scale)).await;
            watcher
        });
        seen(watcher, &complaints)
    }
}

fn by_hand(scale: Scale) -> Figures {
    descriptors::allow_many();
    let tally = uncounted();
    let listener = TcpListener::bind(ANYWHERE).expect("a free port");
    let watcher = watch(listener.local_addr().expect("it is bound"), scale);
    bare_server::serve(listener, FIRST + connections(scale), Protocol::Echo, &tally)
        .expect("the server goes on");
    seen(watcher, &tally)
}

/// A tally that is there for the complaints: there is no last message.
fn uncounted() -> Tally {
    Tally::new(u64::MAX, u64::MAX)
}

fn seen(watcher: JoinHandle<Result<Figures, String>>, tally: &Tally) -> Figures {
    let complaint = tally.complaint().map_or(String::new(), |said| format!("; the server said: {said}"));
    let seen = watcher.join().expect("the watcher saw everything");
    seen.unwrap_or_else(|reason| panic!("{reason}{complaint}"))
}

/// Has the connections made, watches this process while they idle, and has them closed.
fn watch(address: SocketAddr, scale: Scale) -> JoinHandle<Result<Figures, String>> {
    thread::spawn(move || {
        let seen = look(address, scale);
        if seen.is_err() {
            // A server that still waits for connections gets them, each with its end, and is done.
            let all = FIRST + connections(scale);
            (0..all).take_while(|_| TcpStream::connect(address).is_ok()).for_each(drop);
        }
        seen
    })
}

fn look(address: SocketAddr, scale: Scale) -> Result<Figures, String> {
    // A smoke test may be a test that knows no commands.
    let hold = if scale == Scale::Smoke { Held::here } else { Held::elsewhere };
    let first = hold(address, FIRST)?;
    thread::sleep(SETTLED);
    let before = resident_bytes();
    let all = hold(address, connections(scale))?;
    thread::sleep(SETTLED);
    let grown = resident_bytes().saturating_sub(before);
    let idle = Noted::about_the_others();
    thread::sleep(watched(scale));
    let still_idle = Noted::about_the_others();
    drop((first, all));
    let seconds = watched(scale).as_secs_f64();
    Ok(vec![
        grown as f64 / connections(scale) as f64,
        (still_idle.sleeps - idle.sleeps) as f64 / seconds,
        (still_idle.cpu - idle.cpu).as_nanos() as f64 / 1e3 / seconds,
    ])
}
