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

use super::source::Source;
use crate::runtime::core::Core;
use mio::{Interest, Registry, Token, event};
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// See the [module](self).
pub(crate) struct Registrar {
    registry: Registry,
    open: AtomicBool,
    departed: Mutex<Vec<u32>>,
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
    pub(super) fn new(registry: &Registry) -> io::Result<Registrar> {
        let registry = registry.try_clone()?;
        let (open, has_departed) = (AtomicBool::new(true), AtomicBool::new(false));
        Ok(Registrar { registry, open, departed: Mutex::default(), has_departed })
    }

    /// The runtime ends.
    pub(super) fn close(&self) {
        self.open.store(false, Ordering::Relaxed);
    }

    /// How one of its sources stands to the runtime that is running here.
    #[inline(always)]
    pub(crate) fn standing(&self, source: &Source, running: Option<&Core>) -> Standing {
        match running {
            Some(core) if source.is_home(core.serial) => Standing::Home,
            _ => self.standing_abroad(running),
        }
    }

    #[cold]
    fn standing_abroad(&self, running: Option<&Core>) -> Standing {
        match running {
            _ if !self.open.load(Ordering::Relaxed) => Standing::Gone,
            Some(_) => Standing::Elsewhere,
            None => Standing::Outside,
        }
    }

    pub(super) fn register(
        &self,
        io: &mut impl event::Source,
        key: u32,
        interest: Interest,
    ) -> io::Result<()> {
        self.registry.register(io, Token(key as usize), interest)
    }

    /// Listens for something else too. What is true already is reported as if it had just become so.
    pub(crate) fn reregister(
        &self,
        io: &mut impl event::Source,
        key: u32,
        interest: Interest,
    ) -> io::Result<()> {
        self.registry.reregister(io, Token(key as usize), interest)
    }

    /// Stops listening. From any thread, at any time.
    pub(crate) fn deregister(&self, io: &mut impl event::Source, source: &Source, key: u32) {
        // It fails only if the descriptor was closed behind our back, and then the kernel has forgotten it as well.
        let _ = self.registry.deregister(io);
        source.dissolve();
        // Last, so that no event for this source can reach the next one with its key.
        let mut departed = self.departed();
        departed.push(key);
        self.has_departed.store(true, Ordering::Relaxed);
    }

    /// The keys of those who have left since the last time.
    pub(super) fn take_departed(&self) -> Vec<u32> {
        if !self.has_departed.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let mut departed = self.departed();
        self.has_departed.store(false, Ordering::Relaxed);
        std::mem::take(&mut *departed)
    }

    fn departed(&self) -> std::sync::MutexGuard<'_, Vec<u32>> {
        self.departed.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
