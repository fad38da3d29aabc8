//! The registrar: the reactor as its sources know it.
//!
//! A socket has to reach the reactor that listens to it when it is dropped, and that may be between two turns, on
//! another thread, or after the runtime has gone. So what it holds on to is not the reactor but this: the kernel's
//! side of it, which any thread may use, and a list for the keys of those who have left.
//!
//! ```text
//!   socket dropped, anywhere:  deregister ─► keys of the departed        the reactor, before it hands out a key:
//!                                                     └──────────────────►  those keys are free again
//! ```

use super::source::{Source, Way};
use crate::context;
use crate::outpost::RuntimeOutpost;
use mio::{Interest, Registry, Token, event};
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// See the [module](self).
pub(crate) struct Registrar {
    registry: Registry,
    /// Whose reactor it is. Outposts are used by one runtime after the other, so this tells as long as it is open.
    outpost: &'static RuntimeOutpost,
    open: AtomicBool,
    departed: Mutex<Vec<usize>>,
    /// There are some. Changed with the list locked, and asked without that: each look at the events asks.
    has_departed: AtomicBool,
}

/// Whether a source can be waited for here and now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The runtime that listens to it is the one that is running here.
    Home,
    /// No runtime is running here.
    Outside,
    /// Another runtime is running here.
    Elsewhere,
    /// The runtime that listened to it has been dropped.
    Gone,
}

impl Registrar {
    pub(super) fn new(registry: &Registry, outpost: &'static RuntimeOutpost) -> io::Result<Registrar> {
        let registry = registry.try_clone()?;
        let (open, has_departed) = (AtomicBool::new(true), AtomicBool::new(false));
        Ok(Registrar { registry, outpost, open, departed: Mutex::default(), has_departed })
    }

    /// The runtime ends.
    pub(super) fn close(&self) {
        self.open.store(false, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn standing(&self) -> Standing {
        if !self.open.load(Ordering::Relaxed) {
            return Standing::Gone;
        }
        context::with(|core| match core {
            // Ours: it is open, and so its runtime still uses the outpost.
            Some(core) if std::ptr::eq(core.outpost, self.outpost) => Standing::Home,
            Some(_) => Standing::Elsewhere,
            None => Standing::Outside,
        })
    }

    pub(super) fn register(
        &self,
        io: &mut impl event::Source,
        key: usize,
        interest: Interest,
    ) -> io::Result<()> {
        self.registry.register(io, Token(key), interest)
    }

    /// Listens for something else too. What is true already is reported as if it had just become so.
    pub(crate) fn reregister(
        &self,
        io: &mut impl event::Source,
        source: &Source,
        interest: Interest,
    ) -> io::Result<()> {
        self.registry.reregister(io, Token(source.key()), interest)
    }

    /// Stops listening. From any thread, at any time.
    pub(crate) fn deregister(&self, io: &mut impl event::Source, source: &Source) {
        // It fails only if the descriptor was closed behind our back, and then the kernel has forgotten it as well.
        let _ = self.registry.deregister(io);
        source.direction(Way::Read).dissolve();
        source.direction(Way::Write).dissolve();
        // Last, so that no event for this source can reach the next one with its key.
        let mut departed = self.departed();
        departed.push(source.key());
        self.has_departed.store(true, Ordering::Relaxed);
    }

    /// The keys of those who have left since the last time.
    pub(super) fn take_departed(&self) -> Vec<usize> {
        if !self.has_departed.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let mut departed = self.departed();
        self.has_departed.store(false, Ordering::Relaxed);
        std::mem::take(&mut *departed)
    }

    fn departed(&self) -> std::sync::MutexGuard<'_, Vec<usize>> {
        self.departed.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
