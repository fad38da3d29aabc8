//! Writes to a pipe that nobody reads any more, without the signal that comes of it.
//!
//! A program in another language, into which homing is built, may not ignore `SIGPIPE` as Rust's do, and the signal would end
//! it. A socket can be told so with each call; for a pipe there is no such flag. So the thread holds the signal back meanwhile:
//!
//! ```text
//!   ignored? ──yes──► write                                                  one system call more
//!      └──no──► one there already? ──► hold back ──► write ─────► as before       and three more
//!                                                      └ EPIPE ─► take it, unless one was there already: as before
//! ```
//!
//! On Linux and Android. Elsewhere (Apple's systems lack the call that takes a signal at once) a program that does not ignore
//! `SIGPIPE` gets it.
//!
//! So write the pipes to [other processes](crate::process), and [files](crate::fs), which may be pipes with a name.

use std::io;

/// Makes a system call that may raise `SIGPIPE` on this thread, and sees to it that nobody hears of that.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn without<T>(call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    if is_ignored() {
        return call();
    }
    let pipe = only_sigpipe();
    let was_pending = is_pending();
    let before = hold_back(&pipe);
    let result = call();
    // One that was there before is somebody else's; and a signal is there once or not at all.
    if !was_pending && result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        take(&pipe);
    }
    // SAFETY: puts back what there was.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut()) };
    result
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn without<T>(call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    call()
}

/// Asked each time: anybody may change it at any time.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_ignored() -> bool {
    let mut present = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: asks only; the answer is there if the call has succeeded.
    unsafe {
        libc::sigaction(libc::SIGPIPE, std::ptr::null(), present.as_mut_ptr()) == 0
            && present.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn only_sigpipe() -> libc::sigset_t {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: the first call makes it a set.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGPIPE);
        set.assume_init()
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_pending() -> bool {
    let mut pending = only_sigpipe();
    // SAFETY: asks only, and the answer takes the place of what is there.
    unsafe { libc::sigpending(&mut pending) == 0 && libc::sigismember(&pending, libc::SIGPIPE) == 1 }
}

/// Says what was held back before.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn hold_back(set: &libc::sigset_t) -> libc::sigset_t {
    let mut before = *set;
    // SAFETY: the mask is this thread's; the former one takes the place of what is there.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, set, &mut before) };
    before
}

/// Takes one that is there, and does not wait for any.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn take(set: &libc::sigset_t) {
    let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the set and the time are there; who it came from is not asked for.
    while unsafe { libc::sigtimedwait(set, std::ptr::null_mut(), &at_once) } == -1
        && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
    {}
}
