//! Ctrl-C: an interrupt that cancels the main task, so that the program cleans up before it ends.
//!
//! ```text
//!   SIGINT ──► handler: count it, write a byte ──► the sleeping loop wakes ──► first: main.cancel()
//!              (all that a handler may do)                                     second: main.abort()
//! ```
//!
//! Installed by [`run`](super::run) while its main task runs, on the process's main thread, and only where nobody else
//! has a handler; the former one is put back afterwards. Elsewhere `run` works without.

use super::core::Core;
use crate::error::{Asker, Cancelled, Cause};
use crate::task::TaskRef;
use std::cell::Cell;

/// While it lives, interrupts are meant for the main task.
pub(crate) struct Interrupts {
    _installed: os::Installed,
    /// How many of them have been seen.
    seen: Cell<u32>,
}

impl Interrupts {
    /// `None` where a handler cannot or must not be installed.
    pub(crate) fn install(core: &Core) -> Option<Interrupts> {
        Some(Interrupts { _installed: os::Installed::new(core)?, seen: Cell::new(0) })
    }

    /// Passes on what has come in: the first interrupt cancels, the second aborts (RU-9, RU-13).
    #[inline]
    pub(crate) fn pass_on(&self, main: &TaskRef) {
        let came = os::count();
        if came != self.seen.get() {
            self.cancel(main, came);
        }
    }

    #[cold]
    fn cancel(&self, main: &TaskRef, came: u32) {
        let why = Cancelled::new().because(Cause::by(Asker::Interrupt));
        if self.seen.replace(came) == 0 {
            main.cancel_because(&why);
        }
        if came > 1 {
            main.abort_because(&why);
        }
    }

    /// Whether there was one.
    pub(crate) fn came(&self) -> bool {
        self.seen.get() > 0
    }
}

#[cfg(target_os = "linux")]
mod os {
    use super::Core;
    use std::io::Read;
    use std::mem::MaybeUninit;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;
    use std::ptr;
    use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

    /// Interrupts since the handler was installed.
    static CAME: AtomicU32 = AtomicU32::new(0);
    /// Where the handler writes; -1 if nowhere.
    static WAKE: AtomicI32 = AtomicI32::new(-1);

    pub(super) fn count() -> u32 {
        CAME.load(Ordering::Relaxed)
    }

    extern "C" fn on_interrupt(_signal: libc::c_int) {
        CAME.fetch_add(1, Ordering::Relaxed);
        let wake = WAKE.load(Ordering::Relaxed);
        // SAFETY: `write` may be called in a handler; the byte is there; the descriptor is ours and open, or -1. If the
        // pipe is full, nobody needs another byte. `errno` is put back for the code that was interrupted.
        unsafe {
            let errno = libc::__errno_location();
            let before = *errno;
            libc::write(wake, [0u8].as_ptr().cast(), 1);
            *errno = before;
        }
    }

    /// The handler, and the pipe that wakes the loop.
    pub(super) struct Installed {
        former: libc::sigaction,
        heard: UnixStream,
        _wake: UnixStream,
    }

    impl Installed {
        pub(super) fn new(core: &Core) -> Option<Installed> {
            // SAFETY: two system calls without arguments. The main thread's id is the process's.
            if unsafe { libc::getpid() != libc::gettid() } {
                return None;
            }
            let mut former = MaybeUninit::<libc::sigaction>::uninit();
            // SAFETY: asks for the present setting, which is written to `former`.
            if unsafe { libc::sigaction(libc::SIGINT, ptr::null(), former.as_mut_ptr()) } != 0 {
                return None;
            }
            // SAFETY: the call has succeeded.
            let former = unsafe { former.assume_init() };
            if former.sa_sigaction != libc::SIG_DFL {
                return None;
            }
            let (heard, wake) = UnixStream::pair().ok()?;
            heard.set_nonblocking(true).ok()?;
            wake.set_nonblocking(true).ok()?;
            core.with_reactor(|reactor| reactor.listen_for_interrupts(heard.as_raw_fd())).ok()?;
            CAME.store(0, Ordering::Relaxed);
            WAKE.store(wake.as_raw_fd(), Ordering::Relaxed);
            let handler: extern "C" fn(libc::c_int) = on_interrupt;
            // SAFETY: all zero is a valid setting: no flags, an empty mask.
            let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
            action.sa_sigaction = handler as libc::sighandler_t;
            // SAFETY: the handler only does what a handler may do, for as long as the process lives.
            if unsafe { libc::sigaction(libc::SIGINT, &action, ptr::null_mut()) } != 0 {
                WAKE.store(-1, Ordering::Relaxed);
                return None;
            }
            Some(Installed { former, heard, _wake: wake })
        }
    }

    impl Drop for Installed {
        fn drop(&mut self) {
            // SAFETY: puts back what `new` has found.
            unsafe { libc::sigaction(libc::SIGINT, &self.former, ptr::null_mut()) };
            WAKE.store(-1, Ordering::Relaxed);
            // Emptied, so that the reactor has nothing to say about a descriptor that is about to be closed.
            while matches!(self.heard.read(&mut [0; 64]), Ok(read) if read > 0) {}
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod os {
    use super::Core;

    pub(super) fn count() -> u32 {
        0
    }

    pub(super) struct Installed;

    impl Installed {
        pub(super) fn new(_core: &Core) -> Option<Installed> {
            None
        }
    }
}
