//! The handler: what happens when a signal comes, and who has it.
//!
//! ```text
//!   open    ear ([`ears`](super::ears))      handler installed, if this is its first listener: the former one is remembered
//!   close   ear closed, then the pipe        the last listener: the former handler is put back
//! ```
//!
//! Invariant (counted): `Registry::users[s]` is the number of ears that listen to `s`, and one more while `run` listens
//! for Ctrl-C; the handler is in place exactly while that is not zero, unless somebody else has put another one over it.

use super::ears::{Ear, Ears, Inside};
use crate::net::call::QUIETLY;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

/// One more than the largest number of a signal.
const SIGNALS: usize = 128;

static EARS: Ears = Ears { first: AtomicPtr::new(ptr::null_mut()), running: AtomicUsize::new(0) };
/// Whose handler there was before ours.
static FORMER: [AtomicPtr<libc::sigaction>; SIGNALS] = [const { AtomicPtr::new(ptr::null_mut()) }; SIGNALS];

/// Who may change all that.
static REGISTRY: Mutex<Registry> = Mutex::new(Registry { users: [0; SIGNALS] });

struct Registry {
    users: [usize; SIGNALS],
}

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Listens to one signal, as long as it lives.
pub(crate) struct Listener {
    ear: &'static Ear,
    signal: i32,
    _wake: UnixStream,
}

impl Listener {
    /// Returns it with the end of the pipe that turns readable when the signal has come.
    ///
    /// # Errors
    ///
    /// Of kind `InvalidInput` for what is no signal, or none that can be listened to.
    pub(crate) fn open(signal: i32) -> io::Result<(Listener, UnixStream)> {
        check(signal)?;
        let (heard, wake) = UnixStream::pair()?;
        heard.set_nonblocking(true)?;
        wake.set_nonblocking(true)?;
        let mut registry = registry();
        registry.join(signal, Terms::Any)?;
        let ear = EARS.open(signal, wake.as_raw_fd());
        Ok((Listener { ear, signal, _wake: wake }, heard))
    }

    /// How often the signal has come, modulo 2³².
    pub(crate) fn came(&self) -> u32 {
        self.ear.came()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut registry = registry();
        EARS.close(self.ear);
        registry.leave(self.signal);
    }
}

/// Whether there is a [`Claim`]. Without one interrupts are nobody's here: somebody who has put a handler of his over ours may
/// call ours for as long as the process lives.
#[cfg(all(target_os = "linux", not(homing_portable)))]
static CLAIMED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// The hold that `run` has on Ctrl-C while main runs.
#[cfg(all(target_os = "linux", not(homing_portable)))]
pub(crate) struct Claim(());

#[cfg(all(target_os = "linux", not(homing_portable)))]
impl Claim {
    /// `None` if somebody else has a handler for it.
    pub(crate) fn on_interrupts() -> Option<Claim> {
        let mut registry = registry();
        // Before the handler is there, which is to miss none.
        CLAIMED.store(true, Ordering::Relaxed);
        let joined = registry.join(libc::SIGINT, Terms::OnlyOverTheDefault);
        CLAIMED.store(joined.is_ok(), Ordering::Relaxed);
        joined.ok().map(|()| Claim(()))
    }
}

#[cfg(all(target_os = "linux", not(homing_portable)))]
impl Drop for Claim {
    fn drop(&mut self) {
        CLAIMED.store(false, Ordering::Relaxed);
        registry().leave(libc::SIGINT);
    }
}

/// Over which former handler ours may be put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Terms {
    Any,
    OnlyOverTheDefault,
}

impl Registry {
    /// One more uses the handler of this signal. (counted)
    fn join(&mut self, signal: i32, terms: Terms) -> io::Result<()> {
        let place = signal as usize;
        let mut former = match self.users[place] {
            0 => setting(signal)?,
            // SAFETY: it was set when the first user came, and is freed when the last one leaves, which takes this lock.
            _ => unsafe { *FORMER[place].load(Ordering::Relaxed) },
        };
        if former.sa_sigaction == ours() {
            // Somebody has put it back who had found it here: there is nobody behind it.
            former.sa_sigaction = libc::SIG_DFL;
        }
        if terms == Terms::OnlyOverTheDefault && former.sa_sigaction != libc::SIG_DFL {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        if self.users[place] == 0 {
            // Before our handler, which looks there.
            FORMER[place].store(Box::into_raw(Box::new(former)), Ordering::Release);
            if let Err(error) = install(signal) {
                forget_former(place);
                return Err(error);
            }
        }
        self.users[place] += 1;
        Ok(())
    }

    fn leave(&mut self, signal: i32) {
        let place = signal as usize;
        self.users[place] -= 1;
        if self.users[place] > 0 {
            return;
        }
        // If somebody has put another handler over ours, that one stays.
        if setting(signal).is_ok_and(|present| present.sa_sigaction == ours()) {
            // SAFETY: set when the first user came; the setting is one that was in force before.
            unsafe { libc::sigaction(signal, FORMER[place].load(Ordering::Relaxed), ptr::null_mut()) };
        }
        forget_former(place);
    }
}

fn forget_former(place: usize) {
    let former = FORMER[place].swap(ptr::null_mut(), Ordering::Relaxed);
    EARS.wait_for_handlers();
    // SAFETY: it comes from a box, and no handler knows it any more.
    drop(unsafe { Box::from_raw(former) });
}

fn check(signal: i32) -> io::Result<()> {
    let why = match signal {
        libc::SIGKILL | libc::SIGSTOP => "cannot be listened to",
        // The instruction that has caused it would be run again, and again.
        libc::SIGSEGV | libc::SIGILL | libc::SIGFPE | libc::SIGBUS => {
            "must not be listened to: it tells of a fault"
        }
        1.. if (signal as usize) < SIGNALS => return Ok(()),
        _ => "is no signal",
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("signal {signal} {why}")))
}

/// What is set for a signal now.
fn setting(signal: i32) -> io::Result<libc::sigaction> {
    let mut present = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: asks only; the answer is written to `present`.
    if unsafe { libc::sigaction(signal, ptr::null(), present.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has succeeded.
    Ok(unsafe { present.assume_init() })
}

fn ours() -> libc::sighandler_t {
    let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = on_signal;
    handler as libc::sighandler_t
}

fn install(signal: i32) -> io::Result<()> {
    // SAFETY: all zero is a valid setting: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = ours();
    // Blocking calls elsewhere in the program go on as if nothing had happened. The reactor's wakes all the same.
    action.sa_flags = libc::SA_RESTART | libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: the handler only does what a handler may do, for as long as the process lives.
    if unsafe { libc::sigaction(signal, &action, ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// The handler. All that it does may be done in one.
extern "C" fn on_signal(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the thread's own `errno`, which is put back for the code that was interrupted.
    let errno = errno().map(|errno| (errno, unsafe { *errno }));
    let ears = EARS.enter();
    let is_heard = tell(&ears, signal);
    let former = FORMER.get(signal as usize).map_or(ptr::null_mut(), |former| former.load(Ordering::Acquire));
    // SAFETY: while this handler is inside, nobody frees it.
    let former = unsafe { former.as_ref() }.map(|former| (former.sa_sigaction, former.sa_flags));
    drop(ears);
    #[cfg(all(target_os = "linux", not(homing_portable)))]
    if signal == libc::SIGINT && !is_heard && CLAIMED.load(Ordering::Relaxed) {
        crate::runtime::on_interrupt();
    }
    #[cfg(any(not(target_os = "linux"), homing_portable))]
    let _ = is_heard;
    if let Some((handler, flags)) = former
        && handler != libc::SIG_DFL
        && handler != libc::SIG_IGN
    {
        call(handler, flags, signal, info, context);
    }
    if let Some((errno, before)) = errno {
        // SAFETY: as above.
        unsafe { *errno = before };
    }
}

/// In the handler: says whether anybody listens.
fn tell(ears: &Inside<'_>, signal: i32) -> bool {
    ears.tell(signal, |pipe| {
        // SAFETY: the byte is there, and the pipe, which is a pair of sockets, is open as long as this handler is inside. If
        // it is full, nobody needs another byte.
        unsafe { libc::send(pipe, [0u8].as_ptr().cast(), 1, QUIETLY) };
    })
}

/// In the handler: calls the one that was there before.
fn call(
    handler: libc::sighandler_t,
    flags: libc::c_int,
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    if flags & libc::SA_SIGINFO != 0 {
        // SAFETY: whoever has set it has said that it is such a function, neither the default nor to be ignored.
        let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
            unsafe { std::mem::transmute(handler) };
        handler(signal, info, context);
    } else {
        // SAFETY: as above.
        let handler: extern "C" fn(libc::c_int) = unsafe { std::mem::transmute(handler) };
        handler(signal);
    }
}

/// Where the thread's `errno` is, on systems of which we know it.
fn errno() -> Option<*mut libc::c_int> {
    // SAFETY: gives the address of the thread's own `errno`.
    #[cfg(target_os = "linux")]
    return Some(unsafe { libc::__errno_location() });
    // SAFETY: as above.
    #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
    return Some(unsafe { libc::__error() });
    // SAFETY: as above.
    #[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
    return Some(unsafe { libc::__errno() });
    #[cfg(not(any(
        target_os = "linux",
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "android",
        target_os = "netbsd",
        target_os = "openbsd"
    )))]
    None
}
