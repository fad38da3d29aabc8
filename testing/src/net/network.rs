//! The network: who listens at which name.

use super::CAPACITY;
use super::duplex::{Duplex, wired};
use super::link::Link;
use super::listener::{Arrivals, Listener};
use homing_executor::error::{Error, Result};
use homing_executor::time::sleep;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// Connections that a listener has room for before it accepts them.
const BACKLOG: usize = 128;

/// Names, and who listens at them. Cloned, it is the same network.
///
/// ```
/// use homing::testing::{self, net::Network};
/// use homing::timeout;
/// use std::time::Duration;
///
/// testing::run(async || {
///     let network = Network::new().latency(Duration::from_millis(20));
///     assert!(network.connect("database").await.is_err(), "nobody listens: refused");
///
///     let _listener = network.listen("database")?;
///     network.unplug("database");
///     let connecting = timeout(Duration::from_secs(5), network.connect("database"));
///     assert!(connecting.await.unwrap_err().is_timeout(), "nobody answers");
///     Ok(())
/// });
/// ```
#[derive(Clone, Default)]
pub struct Network(Rc<State>);

struct State {
    latency: Cell<Duration>,
    capacity: Cell<usize>,
    listeners: RefCell<HashMap<String, Rc<Arrivals>>>,
    unplugged: RefCell<HashSet<String>>,
    /// Every wire that was made, with the name that was connected to.
    links: RefCell<Vec<(String, Link)>>,
    connections: Cell<u64>,
}

impl Default for State {
    fn default() -> Self {
        State {
            latency: Cell::default(),
            capacity: Cell::new(CAPACITY),
            listeners: RefCell::default(),
            unplugged: RefCell::default(),
            links: RefCell::default(),
            connections: Cell::default(),
        }
    }
}

impl Network {
    /// A network on which nothing takes any time.
    pub fn new() -> Network {
        Network::default()
    }

    /// How long it takes from one end to the other, on wires that are made from now on. Connecting takes it twice.
    pub fn latency(self, latency: Duration) -> Network {
        self.0.latency.set(latency);
        self
    }

    /// How many bytes each direction of a new wire holds.
    ///
    /// # Panics
    ///
    /// If that is zero: nothing could ever be written.
    pub fn capacity(self, capacity: usize) -> Network {
        assert!(capacity > 0, "a wire with no capacity could carry nothing");
        self.0.capacity.set(capacity);
        self
    }

    /// Listens at a name.
    ///
    /// # Errors
    ///
    /// An [`io::Error`] of kind `AddrInUse`, if somebody does already.
    pub fn listen(&self, name: impl Into<String>) -> Result<Listener> {
        let name = name.into();
        let mut listeners = self.0.listeners.borrow_mut();
        if listeners.contains_key(&name) {
            let error = Error::from(io::Error::from(io::ErrorKind::AddrInUse));
            return Err(error.with_note(format!("somebody listens at '{name}' already")));
        }
        let arrivals = Rc::new(Arrivals::new(BACKLOG));
        listeners.insert(name.clone(), arrivals.clone());
        Ok(Listener::new(self.clone(), name, arrivals))
    }

    /// Connects to whoever listens at this name. That takes a round trip; and as long as it takes them to make room, if very
    /// many have connected whom they have not accepted.
    ///
    /// # Errors
    ///
    /// An [`io::Error`] of kind `ConnectionRefused`, if nobody listens there. `Cancelled`, if the task is cancelled while it
    /// waits.
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped, there is no connection.
    pub async fn connect(&self, name: &str) -> Result<Duplex> {
        let latency = self.0.latency.get();
        sleep(latency * 2).await?;
        if self.0.unplugged.borrow().contains(name) {
            // Nobody answers, neither with a yes nor with a no.
            homing_executor::cancel::Cancellable::cancellable(std::future::pending::<()>()).await?;
        }
        let Some(arrivals) = self.0.listeners.borrow().get(name).cloned() else { return Err(refused(name)) };
        let (mine, theirs) = wired(latency, self.0.capacity.get());
        let number = self.0.connections.get() + 1;
        self.0.connections.set(number);
        let link = mine.link().clone();
        arrivals
            .put((theirs, format!("client-{number}")))
            .await
            .map_err(|error| if error.is_cancelled() { error } else { refused(name) })?;
        let mut links = self.0.links.borrow_mut();
        links.retain(|(_, link)| link.is_open());
        links.push((name.to_owned(), link));
        Ok(mine)
    }

    /// The wires to this name whose ends are both still there, in the order in which they were made.
    pub fn links(&self, name: &str) -> Vec<Link> {
        let links = self.0.links.borrow();
        links.iter().filter(|(to, link)| to == name && link.is_open()).map(|(_, link)| link.clone()).collect()
    }

    /// Whoever has this name vanishes from the network: its wires are [cut](Link::cut), and who connects waits for an answer
    /// that does not come.
    pub fn unplug(&self, name: impl Into<String>) {
        let name = name.into();
        self.links(&name).iter().for_each(Link::cut);
        self.0.unplugged.borrow_mut().insert(name);
    }

    /// Whoever has this name is back: its wires carry again, and who connects from now on is answered.
    pub fn plug(&self, name: &str) {
        self.0.unplugged.borrow_mut().remove(name);
        self.links(name).iter().for_each(Link::release);
    }

    pub(super) fn forget_listener(&self, name: &str) {
        self.0.listeners.borrow_mut().remove(name);
    }
}

fn refused(name: &str) -> Error {
    let error = Error::from(io::Error::from(io::ErrorKind::ConnectionRefused));
    error.with_note(format!("nobody listens at '{name}'"))
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listeners = self.0.listeners.borrow();
        f.debug_struct("Network").field("listeners", &listeners.keys()).finish_non_exhaustive()
    }
}
