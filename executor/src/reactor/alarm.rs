//! The alarm: what ends a sleep at a deadline.
//!
//! The kernel's poll call takes its timeout in whole milliseconds, rounded up, so a sleep of 100 µs would take ten
//! times as long. Linux has a descriptor for this, which has the nanosecond's precision, and makes the runtime's one
//! descriptor readable when the time has come, for hosts that wait on it. It is watched edge-triggered, so nobody
//! has to read it. Elsewhere the poll call's timeout has to do.

use crate::clock::Nanos;
use mio::{Registry, Token};
use std::io;
use std::time::Duration;

#[cfg(all(target_os = "linux", not(homing_portable)))]
pub(super) use self::linux::Alarm;
#[cfg(any(not(target_os = "linux"), homing_portable))]
pub(super) use self::portable::Alarm;

#[cfg(all(target_os = "linux", not(homing_portable)))]
mod linux {
    use super::*;
    use mio::Interest;
    use mio::unix::SourceFd;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

    /// A timer descriptor, and what it is set to.
    pub(crate) struct Alarm {
        timer: OwnedFd,
        set_to: Option<Nanos>,
    }

    impl Alarm {
        pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<Alarm> {
            // SAFETY: a system call without pointers.
            let timer = unsafe {
                libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC | libc::TFD_NONBLOCK)
            };
            if timer < 0 {
                return Err(io::Error::last_os_error());
            }
            // SAFETY: the descriptor was just opened, and nobody else knows it.
            let timer = unsafe { OwnedFd::from_raw_fd(timer) };
            registry.register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)?;
            Ok(Alarm { timer, set_to: None })
        }

        /// Prepares a sleep until the deadline: `(deadline, now)`. Returns the timeout for the poll call.
        ///
        /// Makes no system call if the alarm is set to that deadline already.
        pub(crate) fn sleep(&mut self, deadline: Option<(Nanos, Nanos)>) -> io::Result<Option<Duration>> {
            let wanted = deadline.map(|(deadline, _)| deadline);
            if wanted != self.set_to {
                // A deadline that is due already still has to ring; zero would switch the timer off.
                self.set(deadline.map_or(0, |(deadline, now)| deadline.saturating_sub(now).max(1)))?;
                self.set_to = wanted;
            }
            Ok(None)
        }

        /// It has rung, and is not set any more.
        pub(crate) fn rang(&mut self) {
            self.set_to = None;
        }

        fn set(&self, nanos: Nanos) -> io::Result<()> {
            let value = libc::timespec {
                // Within the range of any `time_t` of 64 bits; a smaller one is cut off at its end, and the loop
                // sleeps again when it wakes too early.
                tv_sec: (nanos / 1_000_000_000).try_into().unwrap_or(libc::time_t::MAX),
                tv_nsec: (nanos % 1_000_000_000) as _,
            };
            let once =
                libc::itimerspec { it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
            // SAFETY: the descriptor is open, `once` is a valid setting, and the old one is not asked for.
            let result =
                unsafe { libc::timerfd_settime(self.timer.as_raw_fd(), 0, &once, std::ptr::null_mut()) };
            if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
        }
    }
}

#[cfg(any(not(target_os = "linux"), homing_portable))]
mod portable {
    use super::*;

    /// Nothing but the poll call's timeout.
    pub(crate) struct Alarm;

    impl Alarm {
        pub(crate) fn new(_registry: &Registry, _token: Token) -> io::Result<Alarm> {
            Ok(Alarm)
        }

        pub(crate) fn sleep(&mut self, deadline: Option<(Nanos, Nanos)>) -> io::Result<Option<Duration>> {
            Ok(deadline.map(|(deadline, now)| Duration::from_nanos(deadline.saturating_sub(now))))
        }

        pub(crate) fn rang(&mut self) {}
    }
}
