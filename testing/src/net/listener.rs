//! The listener: where connections to a name arrive.

use super::duplex::Duplex;
use super::network::Network;
use homing_executor::error::Result;
use homing_group::sync::Queue;
use std::fmt;
use std::rc::Rc;

/// Listens at a name of a [`Network`]. Dropped, it gives the name back, and resets the connections that nobody has accepted.
pub struct Listener {
    network: Network,
    name: String,
    arrivals: Rc<Arrivals>,
}

/// Connections that have been made, and not been accepted: each with the name of its peer.
pub(super) type Arrivals = Queue<(Duplex, String)>;

impl Listener {
    pub(super) fn new(network: Network, name: String, arrivals: Rc<Arrivals>) -> Listener {
        Listener { network, name, arrivals }
    }

    /// Waits for a connection: the stream, and the peer's name, such as `client-7`.
    ///
    /// # Errors
    ///
    /// `Cancelled`, if the task is cancelled while it waits.
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped, it has accepted nothing.
    #[track_caller]
    pub fn accept(&self) -> impl Future<Output = Result<(Duplex, String)>> + use<'_> {
        self.arrivals.get()
    }

    /// The name it listens at.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.network.forget_listener(&self.name);
        while let Ok((stream, _)) = self.arrivals.get_nowait() {
            stream.link().reset();
        }
        // Whoever stands in line with a connection is refused.
        self.arrivals.shutdown(homing_group::sync::Shutdown::Immediate);
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("name", &self.name).field("waiting", &self.arrivals.len()).finish()
    }
}
