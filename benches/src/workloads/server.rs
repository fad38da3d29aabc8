//! Servers: what all workloads with sockets have in common.
//!
//! The runtime under test is the server, in this process. The client is another process, the same program for
//! all, that knows no runtime ([`load`](crate::load)). CPU time is that of this process, helper threads
//! included and the client not, between the first and the last of the messages that are measured.

use crate::arrivals::Arrivals;
use crate::bare_server;
use crate::descriptors;
use crate::load::{Client, Load, Protocol};
use crate::runtime::Runtime;
use crate::sockets::{ANYWHERE, Served, Sockets};
use crate::tally::Tally;
use crate::workload::{Figures, Scale, in_a_task};
use std::net::TcpListener;
use std::rc::Rc;

/// A server with a task that accepts, and a task for each connection.
pub(super) fn on_a_runtime<R: Runtime>(runtime: &R, load: Load, scale: Scale) -> Figures {
    descriptors::allow_many();
    let tally = Rc::new(load.tally());
    let counted = tally.clone();
    let client = in_a_task(runtime, async move |runtime: R| {
        let (mut listener, address) = R::Sockets::listen().await;
        let client = Client::start(load, address, scale);
        let over = Rc::new(Arrivals::default());
        for _ in 0..load.connections {
            let stream = R::Sockets::accept(&mut listener).await;
            let (over, tally) = (over.clone(), tally.clone());
            R::detach(match load.protocol {
                Protocol::Echo => {
                    runtime.spawn(to_its_end(R::Sockets::echo(stream, tally.clone()), tally, over))
                }
                Protocol::Http => {
                    runtime.spawn(to_its_end(R::Sockets::http(stream, tally.clone()), tally, over))
                }
            });
        }
        over.reach(load.connections).await;
        client
    });
    client.figures(&counted)
}

async fn to_its_end(serve: impl Future<Output = Served>, tally: Rc<Tally>, over: Rc<Arrivals>) {
    if let Err(error) = serve.await {
        tally.complain(&error);
    }
    over.arrive();
}

/// The same by hand.
pub(super) fn by_hand(load: Load, scale: Scale) -> Figures {
    descriptors::allow_many();
    let tally = load.tally();
    let listener = TcpListener::bind(ANYWHERE).expect("a free port");
    let client = Client::start(load, listener.local_addr().expect("it is bound"), scale);
    bare_server::serve(listener, load.connections, load.protocol, &tally).expect("the server goes on");
    client.figures(&tally)
}

/// What the limits are.
pub(super) const BY_HAND: &str = "mio and a loop, a table of connections, no futures";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lineup::{Contestant, Entry, Kind, Round};
    use crate::load::Pace;
    use crate::rounds::{Plan, take_turns};
    use crate::sockets::homing::HomingSockets;
    use crate::workload::Place;
    use std::cell::Cell;
    use std::net::SocketAddr;

    const LOAD: Load = Load { protocol: Protocol::Echo, connections: 5, messages: 50, pace: Pace::Steady };

    /// homing, but for its sockets.
    struct On<S>(Rc<homing::Runtime>, std::marker::PhantomData<S>);

    impl<S> Clone for On<S> {
        fn clone(&self) -> Self {
            On(self.0.clone(), self.1)
        }
    }

    impl<S: Sockets> Runtime for On<S> {
        const NAME: &'static str = "on homing";
        const PACKAGE: &'static str = "homing";
        type Handle = homing::Task<()>;
        type Sockets = S;

        fn new() -> Self {
            On(Rc::new(homing::Runtime::new()), std::marker::PhantomData)
        }

        fn block_on<T: 'static>(&self, main: impl Future<Output = T> + 'static) -> T {
            self.0.block_on(async { Ok(main.await) }).expect("nothing fails")
        }

        fn spawn(&self, future: impl Future<Output = ()> + 'static) -> Self::Handle {
            homing::spawn(async { Ok(future.await) })
        }

        async fn join(handle: Self::Handle) {
            handle.await.unwrap_or_else(|error| panic!("{error}"));
        }
    }

    thread_local! {
        static LEFT: Cell<u32> = const { Cell::new(0) };
    }

    /// Serves some connections as it should, and then is ill.
    struct FallingIll;

    impl Sockets for FallingIll {
        type Listener = <HomingSockets as Sockets>::Listener;
        type Stream = <HomingSockets as Sockets>::Stream;

        fn listen() -> impl Future<Output = (Self::Listener, SocketAddr)> {
            HomingSockets::listen()
        }

        fn accept(listener: &mut Self::Listener) -> impl Future<Output = Self::Stream> {
            HomingSockets::accept(listener)
        }

        async fn echo(stream: Self::Stream, tally: Rc<Tally>) -> Served {
            if LEFT.get() == 0 {
                return Err("I feel sick".into());
            }
            LEFT.set(LEFT.get() - 1);
            HomingSockets::echo(stream, tally).await
        }
    }

    /// Listens, and dies when the first one comes.
    struct Dying;

    impl Sockets for Dying {
        type Listener = <HomingSockets as Sockets>::Listener;
        type Stream = <HomingSockets as Sockets>::Stream;

        fn listen() -> impl Future<Output = (Self::Listener, SocketAddr)> {
            HomingSockets::listen()
        }

        async fn accept(listener: &mut Self::Listener) -> Self::Stream {
            drop(HomingSockets::accept(listener).await);
            panic!("farewell")
        }

        async fn echo(_stream: Self::Stream, _tally: Rc<Tally>) -> Served {
            unreachable!("nobody is accepted")
        }
    }

    fn served_by<S: Sockets>() -> Contestant {
        let prepare = |scale| -> Round {
            let runtime = On::<S>::new();
            Box::new(move || on_a_runtime(&runtime, LOAD, scale))
        };
        Contestant { name: "on homing", kind: Kind::Peer, note: None, prepare: Ok(Box::new(prepare)) }
    }

    fn why_left_out<S: Sockets>() -> String {
        let entry = Entry {
            name: "echo",
            about: "",
            metrics: crate::load::METRICS,
            place: Place::Together,
            operations: |_| None,
            contestants: vec![served_by::<S>(), served_by::<HomingSockets>()],
        };
        let mut rounds = take_turns(&entry, Plan::of(Scale::Smoke), |_, _| {});
        assert_eq!(rounds.pop().unwrap().expect("the others go on").len(), 1);
        rounds.pop().unwrap().expect_err("it is left out")
    }

    #[test]
    fn a_server_that_hangs_up_is_left_out_with_what_both_sides_say() {
        LEFT.set(3);
        let why = why_left_out::<FallingIll>();
        assert!(why.contains("could not be opened") && why.contains("I feel sick"), "{why}");
    }

    #[test]
    fn a_server_that_dies_is_left_out() {
        let why = why_left_out::<Dying>();
        assert!(why.contains("farewell"), "{why}");
    }

    #[test]
    fn both_servers_are_measured_in_the_same_four_figures() {
        for figures in
            [on_a_runtime(&On::<HomingSockets>::new(), LOAD, Scale::Smoke), by_hand(LOAD, Scale::Smoke)]
        {
            let [throughput, p50, p99, cpu] = figures[..] else { panic!("{figures:?}") };
            assert!(throughput > 0.0 && p50 > 0.0 && p50 <= p99 && cpu >= 0.0, "{figures:?}");
        }
    }
}
