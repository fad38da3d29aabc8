//! The clock: where the runtime's time comes from.
//!
//! A point in time is a number of nanoseconds since the process first asked. The loop reads the clock once in a while
//! and keeps what it read, so deciding what is due costs nothing; `Instant::now()` asks anew.
//!
//! A virtual clock stands still while anything can run. Where the thread would sleep until the next deadline, the loop
//! makes it jump there instead; nothing else in the executor knows the difference.

mod counter;

use counter::Counter;
use std::cell::Cell;
use std::mem::offset_of;
use std::sync::atomic::AtomicU64;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::sync::atomic::Ordering;

/// Nanoseconds since the process first asked.
pub(crate) type Nanos = u64;

#[derive(Debug)]
pub(crate) struct Clock {
    /// What the clock last said.
    now: Cell<Nanos>,
    kind: ClockKind,
    counter: Counter,
}

/// Whose time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ClockKind {
    /// The operating system's monotonic clock.
    Monotonic,
    /// One that moves only when nothing else can.
    Virtual,
}

impl Clock {
    /// Where the last reading is, for who reads it from outside; and what kind of clock it is.
    pub(crate) const NOW: usize = offset_of!(Clock, now);
    pub(crate) const KIND: usize = offset_of!(Clock, kind);

    pub(crate) fn new(kind: ClockKind) -> Clock {
        let clock = Clock { now: Cell::new(0), kind, counter: Counter::default() };
        clock.read();
        clock
    }

    pub(crate) fn is_virtual(&self) -> bool {
        self.kind == ClockKind::Virtual
    }

    /// The time at which this turn stands: what the clock said when it was last read.
    #[inline(always)]
    pub(crate) fn turn(&self) -> Nanos {
        self.now.get()
    }

    /// Reads the clock.
    #[inline]
    pub(crate) fn read(&self) -> Nanos {
        if self.kind == ClockKind::Monotonic {
            self.now.set(monotonic());
        }
        self.now.get()
    }

    /// A time that is not before now: what deadlines are reckoned from, for which it takes less.
    #[inline]
    pub(crate) fn at_latest(&self) -> Nanos {
        match self.kind {
            ClockKind::Monotonic => self.counter.now_at_latest(),
            ClockKind::Virtual => self.now.get(),
        }
    }

    /// Nothing else can run: a virtual clock jumps to the next deadline.
    pub(crate) fn jump(&self, deadline: Nanos) {
        debug_assert!(self.is_virtual());
        self.now.set(self.now.get().max(deadline));
    }
}

/// When the process first asked for the time, as other processes count: by `CLOCK_MONOTONIC`. 0 before, and where that is
/// not known.
pub(crate) static ORIGIN_NANOS: AtomicU64 = AtomicU64::new(0);

/// The operating system's monotonic clock, in nanoseconds since its first call in this process. (They last 584 years.)
#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
pub(crate) fn monotonic() -> Nanos {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // Asked by itself, it takes two thirds of the time that `std::time::Instant` takes, which converts to and fro.
    // SAFETY: it writes to `now`, and to nothing else. This clock exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    let now = now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64;
    match ORIGIN_NANOS.load(Ordering::Relaxed) {
        0 => now - first_time(now),
        origin => now.saturating_sub(origin),
    }
}

/// Makes `now` the origin, unless another thread has been faster. Returns the origin, or `now` if that is earlier.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[cold]
fn first_time(now: u64) -> u64 {
    let former = ORIGIN_NANOS.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
    former.map_or_else(|origin| origin.min(now), |_none| now)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn monotonic() -> Nanos {
    static ORIGIN: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    ORIGIN.get_or_init(std::time::Instant::now).elapsed().as_nanos() as Nanos
}
