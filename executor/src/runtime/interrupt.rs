//! Ctrl-C: an interrupt that cancels the main task, so that the program cleans up before it ends.
//!
//! ```text
//!   SIGINT ──► handler: count it, write a byte ──► the sleeping loop wakes ──► first: main.cancel()
//!              (all that a handler may do)                                     second: main.abort()
//!              third: the default action, which ends the process
//! ```
//!
//! The loop hears of an interrupt between two polls. Should a task never return from one, the third ends the program. One
//! that comes when main has ended, or is about to, has nobody to cancel: then it is the outcome of the run.
//!
//! Installed by [`run`](super::run), and by a [`Runner`](super::Runner), while the main task runs, on the process's main
//! thread, and only where nobody else has a handler; the former one is put back afterwards. Elsewhere they work without.
//! While a task listens to the signal itself ([`signal`](crate::signal)), it is that task's affair, and main is left alone.

use super::core::Core;
use crate::error::{Asker, Cancelled, Cause};
use crate::task::TaskRef;
use crate::task::row::Row;
use std::cell::Cell;

/// While it lives, interrupts are meant for the main task.
pub(crate) struct Interrupts<'a> {
    installed: os::Installed<'a>,
    /// How many of them have been seen.
    seen: Cell<u32>,
    /// How many of these the main task could still be told of.
    told: Cell<u32>,
}

/// How many interrupts came while the main task ran, and how many of them it could be told of.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Came {
    all: u32,
    told: u32,
}

impl Came {
    /// Of a main task that has ended cancelled: whether it was for the interrupts alone. Takes their request back.
    pub(crate) fn is_why(self, main: &TaskRef) -> bool {
        let by_others = if self.told > 0 { main.uncancel() } else { main.cancelling() };
        self.all > 0 && by_others == 0
    }

    /// Whether the last one came in the main task's last poll, or after it.
    pub(crate) fn too_late(self) -> bool {
        self.all > self.told
    }
}

impl<'a> Interrupts<'a> {
    /// `None` where a handler cannot or must not be installed.
    pub(crate) fn install(core: &'a Core) -> Option<Interrupts<'a>> {
        Some(Interrupts { installed: os::Installed::new(core)?, seen: Cell::new(0), told: Cell::new(0) })
    }

    /// Passes on what has come in: the first interrupt cancels, the second aborts (RU-9, RU-13).
    #[inline]
    pub(crate) fn pass_on(&self, main: &'static Row) {
        let came = os::count();
        if came != self.seen.get() {
            self.cancel(&TaskRef::of(main), came);
        }
    }

    #[cold]
    fn cancel(&self, main: &TaskRef, came: u32) {
        let why = Cancelled::new().because(Cause::by(Asker::Interrupt));
        let is_first = self.seen.replace(came) == 0;
        let is_told = (is_first && main.cancel_because(&why)) | (came > 1 && main.abort_because(&why));
        if is_told {
            self.told.set(came);
        }
    }

    /// Main has ended. From here on interrupts are no longer meant for it.
    pub(crate) fn end(self) -> Came {
        drop(self.installed);
        Came { all: os::count(), told: self.told.get() }
    }
}

#[cfg(all(target_os = "linux", not(homing_portable)))]
pub(crate) use os::on_interrupt;

#[cfg(all(target_os = "linux", not(homing_portable)))]
mod os {
    use super::Core;
    use crate::signal::handler::Claim;
    use std::io::Read;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

    /// Interrupts since the handler was installed.
    static CAME: AtomicU32 = AtomicU32::new(0);
    /// The pipe that wakes the loop. Made once and never closed: a handler may run on any thread, and be late.
    static PIPE: OnceLock<Option<Pipe>> = OnceLock::new();
    /// Its end for the handler, which may not look into a lock; -1 before it is made.
    static WAKE: AtomicI32 = AtomicI32::new(-1);

    struct Pipe {
        heard: UnixStream,
        _wake: UnixStream,
    }

    fn pipe() -> Option<&'static Pipe> {
        let make = || {
            let (heard, wake) = UnixStream::pair().ok()?;
            heard.set_nonblocking(true).ok()?;
            wake.set_nonblocking(true).ok()?;
            WAKE.store(wake.as_raw_fd(), Ordering::Relaxed);
            Some(Pipe { heard, _wake: wake })
        };
        PIPE.get_or_init(make).as_ref()
    }

    pub(super) fn count() -> u32 {
        CAME.load(Ordering::Relaxed)
    }

    /// In the handler, for an interrupt that nobody listens to.
    pub(crate) fn on_interrupt() {
        let came = CAME.fetch_add(1, Ordering::Relaxed) + 1;
        let wake = WAKE.load(Ordering::Relaxed);
        // SAFETY: all of these may be called in a handler. The byte is there; the descriptor is the pipe's, which is never
        // closed. If the pipe is full, nobody needs another byte.
        unsafe {
            libc::write(wake, [0u8].as_ptr().cast(), 1);
            if came > 2 {
                libc::signal(libc::SIGINT, libc::SIG_DFL);
                libc::raise(libc::SIGINT);
            }
        }
    }

    /// The hold on the handler, and the loop that it wakes.
    pub(super) struct Installed<'a> {
        pipe: &'static Pipe,
        core: &'a Core,
        _claim: Claim,
    }

    impl<'a> Installed<'a> {
        pub(super) fn new(core: &'a Core) -> Option<Installed<'a>> {
            // SAFETY: two system calls without arguments. The main thread's id is the process's.
            if unsafe { libc::getpid() != libc::gettid() } {
                return None;
            }
            let pipe = pipe()?;
            // Before the loop can hear of any.
            CAME.store(0, Ordering::Relaxed);
            let claim = Claim::on_interrupts()?;
            core.with_reactor(|reactor| reactor.listen_for_interrupts(pipe.heard.as_raw_fd())).ok()?;
            Some(Installed { pipe, core, _claim: claim })
        }
    }

    impl Drop for Installed<'_> {
        fn drop(&mut self) {
            let heard = self.pipe.heard.as_raw_fd();
            // It is registered, and there is nothing to be done about it if that were not so.
            let _ = self.core.with_reactor(|reactor| reactor.forget_interrupts(heard));
            while matches!((&self.pipe.heard).read(&mut [0; 64]), Ok(read) if read > 0) {}
        }
    }
}

#[cfg(any(not(target_os = "linux"), homing_portable))]
mod os {
    use super::Core;

    pub(super) fn count() -> u32 {
        0
    }

    pub(super) struct Installed<'a>(std::marker::PhantomData<&'a Core>);

    impl<'a> Installed<'a> {
        pub(super) fn new(_core: &'a Core) -> Option<Installed<'a>> {
            None
        }
    }
}
