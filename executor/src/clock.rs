//! The clock: where the runtime's time comes from.
//!
//! A point in time is a number of nanoseconds since the process first asked. The loop reads the clock once in a while
//! and keeps what it read, so deciding what is due costs nothing; `Instant::now()` asks anew.
//!
//! A virtual clock stands still while anything can run. Where the thread would sleep until the next deadline, the loop
//! makes it jump there instead; nothing else in the executor knows the difference.

use std::cell::Cell;
use std::sync::OnceLock;
use std::time;

/// Nanoseconds since the process first asked.
pub(crate) type Nanos = u64;

#[derive(Debug)]
pub(crate) struct Clock {
    /// What the clock last said.
    now: Cell<Nanos>,
    kind: ClockKind,
}

/// Whose time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClockKind {
    /// The operating system's monotonic clock.
    Monotonic,
    /// One that moves only when nothing else can.
    Virtual,
}

impl Clock {
    pub(crate) fn new(kind: ClockKind) -> Clock {
        let clock = Clock { now: Cell::new(0), kind };
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

    /// Nothing else can run: a virtual clock jumps to the next deadline.
    pub(crate) fn jump(&self, deadline: Nanos) {
        debug_assert!(self.is_virtual());
        self.now.set(self.now.get().max(deadline));
    }
}

/// The operating system's monotonic clock, in nanoseconds since its first call in this process.
pub(crate) fn monotonic() -> Nanos {
    static ORIGIN: OnceLock<time::Instant> = OnceLock::new();
    let origin = *ORIGIN.get_or_init(time::Instant::now);
    // 584 years.
    origin.elapsed().as_nanos() as Nanos
}
