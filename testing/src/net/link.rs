//! The link: the wire between two streams, in the hands of the test.

use super::pipe::Pipe;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// The wire between two [`Duplex`](super::Duplex) streams: [`Duplex::link`](super::Duplex::link), or
/// [`Network::links`](super::Network::links). Cloned, it is the same.
///
/// ```
/// use homing::testing::{self, net::duplex, settle};
///
/// testing::run(async || {
///     let (client, server) = duplex(1024);
///     client.write_all(b"lost").await?;
///     client.link().cut();
///     client.write_all(b"as well").await?;   // Nobody tells.
///     let reading = homing::spawn(async move { server.read(&mut [0; 8]).await });
///     settle().await?;
///     assert!(!reading.is_finished());
///
///     client.link().reset();
///     let error = reading.await.unwrap_err();
///     assert_eq!(error.downcast_ref::<std::io::Error>().unwrap().kind(), std::io::ErrorKind::ConnectionReset);
///     Ok(())
/// });
/// ```
#[derive(Clone)]
pub struct Link(Rc<Conditions>);

/// What a wire is like at the moment. Both of its pipes ask.
pub(super) struct Conditions {
    latency: Cell<Duration>,
    carrying: Cell<Carrying>,
    /// So many bytes more, and then it fails.
    left: Cell<Option<usize>>,
    pipes: RefCell<Vec<Weak<Pipe>>>,
}

/// What a wire does with what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrying {
    Everything,
    /// It keeps it.
    Later,
    /// It loses it.
    Nothing,
}

impl Link {
    /// A wire, and its two directions.
    pub(super) fn new(latency: Duration, capacity: usize) -> (Link, [Rc<Pipe>; 2]) {
        let conditions = Rc::new(Conditions {
            latency: Cell::new(latency),
            carrying: Cell::new(Carrying::Everything),
            left: Cell::new(None),
            pipes: RefCell::default(),
        });
        let pipes = [(); 2].map(|()| Rc::new(Pipe::new(conditions.clone(), capacity)));
        *conditions.pipes.borrow_mut() = pipes.iter().map(Rc::downgrade).collect();
        (Link(conditions), pipes)
    }

    /// How long it takes from one end to the other, for what is written from now on. Bytes never overtake one another.
    pub fn set_latency(&self, latency: Duration) {
        self.0.latency.set(latency);
    }

    /// How long it takes from one end to the other.
    pub fn latency(&self) -> Duration {
        self.0.latency.get()
    }

    /// From now on nothing arrives, and nothing is lost, until it is [released](Link::release).
    pub fn hold(&self) {
        self.0.carry(Carrying::Later);
    }

    /// What was held goes on. A wire that was [cut](Link::cut) carries again; what was lost stays so.
    pub fn release(&self) {
        self.0.carry(Carrying::Everything);
    }

    /// What is on its way is lost, and so is what is written from now on, and neither side is told: a half-open
    /// connection, as after a crash of the other host.
    pub fn cut(&self) {
        self.0.carry(Carrying::Nothing);
        self.0.for_each_pipe(Pipe::lose);
    }

    /// The connection is reset: what is on its way is lost, and both sides get `ConnectionReset`.
    pub fn reset(&self) {
        self.0.for_each_pipe(Pipe::lose);
        self.0.fail();
    }

    /// After so many more bytes, of both directions together, the connection is reset. These arrive. With zero, that is now.
    ///
    /// ```
    /// use homing::testing::{self, net::duplex};
    ///
    /// testing::run(async || {
    ///     let (client, server) = duplex(1024);
    ///     client.link().reset_after(3);
    ///     assert_eq!(client.write(b"hello").await?, 3);
    ///     assert!(client.write(b"lo").await.is_err());
    ///     let mut seen = [0; 8];
    ///     assert_eq!(server.read(&mut seen).await?, 3);
    ///     assert!(server.read(&mut seen).await.is_err());
    ///     Ok(())
    /// });
    /// ```
    pub fn reset_after(&self, bytes: usize) {
        self.0.left.set(Some(bytes));
        if bytes == 0 {
            self.0.fail();
        }
    }

    /// Whether both of its ends are still there.
    pub fn is_open(&self) -> bool {
        // Each end holds both pipes.
        self.0.pipes.borrow().iter().all(|pipe| pipe.strong_count() == 2)
    }
}

impl Conditions {
    pub(super) fn latency(&self) -> Duration {
        self.latency.get()
    }

    pub(super) fn carrying(&self) -> Carrying {
        self.carrying.get()
    }

    /// How many of so many bytes still go through.
    pub(super) fn spend(&self, bytes: usize) -> usize {
        let Some(left) = self.left.get() else { return bytes };
        let count = bytes.min(left);
        self.left.set(Some(left - count));
        count
    }

    pub(super) fn is_spent(&self) -> bool {
        self.left.get() == Some(0)
    }

    /// Both directions fail. What is on its way can still be read.
    pub(super) fn fail(&self) {
        self.for_each_pipe(Pipe::fail);
    }

    fn carry(&self, carrying: Carrying) {
        self.carrying.set(carrying);
        self.for_each_pipe(Pipe::ring);
    }

    fn for_each_pipe(&self, call: impl Fn(&Pipe)) {
        let pipes: Vec<Rc<Pipe>> = self.pipes.borrow().iter().filter_map(Weak::upgrade).collect();
        pipes.iter().for_each(|pipe| call(pipe));
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("latency", &self.0.latency.get())
            .field("carrying", &self.0.carrying.get())
            .field("open", &self.is_open())
            .finish()
    }
}
