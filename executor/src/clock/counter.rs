//! The processor's counter: what time it is at the latest, without asking for the time.
//!
//! Programs make very many deadlines that begin "now": of all that a sleep takes, which is armed and dropped, asking the
//! operating system for the time is more than half. But a deadline may be later than asked, if it is only never earlier. So
//! it is reckoned from a *bound*: what the operating system said last, and what the processor has counted since, at a rate
//! that is more than the true one.
//!
//! ```text
//!   asked            asked again                    bound ≥ time: the count is read before the time,
//!     ├─ count ─►       ├─ count ─►                 and the rate is rounded up, by a thousandth
//! ────┴─────────────────┴────────────► time
//!      at most 2²⁰ counts: 0.3 ms, so that the bound is at most about 1 µs late
//! ```
//!
//! It is believed only if the processor says that it counts at one rate, whatever it does; if two measurements of that rate
//! agree; and if the operating system answers so fast that it goes by the same counter. Each time that it is asked the bound
//! is checked: one that turns out to be before the time puts an end to it for the whole process. Who moves to a processor
//! that counts differently, or wakes up in another machine, finds a count that is not shortly after the last one, and asks.

use super::{Nanos, monotonic};
use std::cell::Cell;

/// See the [module](self).
///
/// | `good_for` | what is said | then |
/// |---|---|---|
/// | 0: the rate is not known, or not believed; or it took long to ask | the time | at `ask_again`, is it known by now? |
/// | as many counts have not passed since it was asked | the bound | |
/// | they have | the time, which is asked for | the rate is still believed? |
#[derive(Debug, Default)]
pub(crate) struct Counter {
    /// The count right before the operating system was asked, and the time that it said.
    asked: Cell<Reading>,
    /// For how many counts after that the rate is to be used.
    good_for: Cell<u64>,
    /// Nanoseconds a count, times 2³², and a little more.
    rate: Cell<u64>,
    /// What it has said last: it never goes back.
    bound: Cell<Nanos>,
    /// When it is worth it to ask for the rate.
    ask_again: Cell<Nanos>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Reading {
    count: u64,
    nanos: Nanos,
}

impl Counter {
    /// A time that is not before now, and about 1 µs after it at most.
    #[inline]
    pub(crate) fn now_at_latest(&self) -> Nanos {
        let good_for = self.good_for.get();
        if good_for == 0 {
            return self.read_the_clock();
        }
        let count = processor::count();
        let asked = self.asked.get();
        let since = count.wrapping_sub(asked.count);
        if since >= good_for {
            return self.ask(count);
        }
        self.raise(asked.nanos + reckoned(since, self.rate.get()))
    }

    /// Without a rate.
    #[inline(never)]
    fn read_the_clock(&self) -> Nanos {
        let now = monotonic();
        if now >= self.ask_again.get() {
            return self.ask(processor::count());
        }
        self.raise(now)
    }

    #[inline(never)]
    fn ask(&self, count: u64) -> Nanos {
        let now = Reading { count, nanos: monotonic() };
        self.good_for.set(0);
        if processor::count().wrapping_sub(count) >= PROMPT {
            // If something else has run between count and time, they do not belong together.
            self.ask_again.set(now.nanos + RETRY);
            return self.raise(now.nanos);
        }
        match rate::known(self.asked.replace(now), now) {
            Known::Rate(rate) => {
                self.rate.set(rate);
                self.good_for.set(GOOD_FOR);
            }
            Known::NotYet => self.ask_again.set(now.nanos + rate::MEASURED_FOR.start),
            Known::Never => self.ask_again.set(Nanos::MAX),
        }
        self.raise(now.nanos)
    }

    #[inline(always)]
    fn raise(&self, now: Nanos) -> Nanos {
        let bound = now.max(self.bound.get());
        self.bound.set(bound);
        bound
    }
}

const GOOD_FOR: u64 = 1 << 20;

/// So many counts it takes at most to ask for the time, 0.3 µs. It takes longer where the operating system goes by another
/// clock, for it does not trust this one.
const PROMPT: u64 = 1 << 10;

/// After an answer that was not prompt: soon, for mostly the thread was only interrupted, and not each time, for perhaps it
/// never is.
const RETRY: Nanos = 100_000;

/// What the process knows of the rate.
enum Known {
    NotYet,
    Rate(u64),
    /// It is not to be believed.
    Never,
}

/// How many nanoseconds so many counts are, for less than 2³² of them.
#[inline(always)]
fn reckoned(counts: u64, rate: u64) -> Nanos {
    (counts * rate) >> 32
}

/// The rate, which is the same for the whole process.
mod rate {
    use super::{GOOD_FOR, Known, Nanos, Reading, processor, reckoned};
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// What is added, as a part of it: more than the operating system lets its clock run faster to set it right, which is a
    /// two-thousandth.
    const ADDED: u64 = 1024;

    /// How long a measurement takes, in nanoseconds: it is off by some 50 of them, at either end.
    pub(super) const MEASURED_FOR: std::ops::Range<Nanos> = 10_000_000..1_000_000_000;

    /// Two measurements agree if they differ by less than such a part.
    const AGREE: u64 = 8192;

    /// 0 while it is not known, and [`NONE`].
    static RATE: AtomicU64 = AtomicU64::new(0);
    const NONE: u64 = u64::MAX;

    /// What is known of the rate, after these two readings of one counter.
    pub(super) fn known(former: Reading, now: Reading) -> Known {
        match RATE.load(Ordering::Relaxed) {
            NONE => Known::Never,
            0 => {
                measure(now);
                Known::NotYet
            }
            rate if is_refuted(rate, former, now) => {
                RATE.store(NONE, Ordering::Relaxed);
                Known::Never
            }
            rate => Known::Rate(rate),
        }
    }

    /// Whether who had asked for the bound in place of the time would have been told less than the time.
    pub(super) fn is_refuted(rate: u64, former: Reading, now: Reading) -> bool {
        let since = now.count.wrapping_sub(former.count);
        // From longer ago nobody reckons: the machine may have slept.
        since < 2 * GOOD_FOR && former.nanos + reckoned(since, rate) < now.nanos
    }

    #[derive(Default)]
    struct Measurement {
        begin: Option<Reading>,
        former: u64,
    }

    #[cold]
    fn measure(now: Reading) {
        static MEASUREMENT: Mutex<Measurement> = Mutex::new(Measurement { begin: None, former: 0 });
        let Ok(mut measurement) = MEASUREMENT.try_lock() else { return };
        let Some(begin) = measurement.begin else {
            measurement.begin = Some(now);
            return;
        };
        let nanos = now.nanos.saturating_sub(begin.nanos);
        if nanos < MEASURED_FOR.start {
            return;
        }
        let counts = now.count.wrapping_sub(begin.count);
        let rate = (u128::from(nanos) << 32).checked_div(u128::from(counts)).unwrap_or(u128::MAX);
        // Where it counts less than once a nanosecond, there is no such processor.
        let rate = u32::try_from(rate).ok().filter(|_| nanos < MEASURED_FOR.end).map_or(0, u64::from);
        if rate != 0 && rate.abs_diff(measurement.former) < rate / AGREE {
            // Last, for it takes some microseconds where a hypervisor answers.
            let rate = if processor::counts_evenly() { rate + rate / ADDED + 1 } else { NONE };
            RATE.store(rate, Ordering::Relaxed);
        }
        *measurement = Measurement { begin: Some(now), former: rate };
    }
}

/// The time-stamp counter.
#[cfg(target_arch = "x86_64")]
mod processor {
    use std::arch::x86_64::{__cpuid, _rdtsc};

    #[inline(always)]
    pub(super) fn count() -> u64 {
        // SAFETY: every processor of this architecture has it. (Where a process may not read it, it has no clock either.)
        unsafe { _rdtsc() }
    }

    /// Whether the counter is *invariant*: at one rate in all states of the processor.
    #[cold]
    pub(super) fn counts_evenly() -> bool {
        const FEATURES: u32 = 0x8000_0007;
        __cpuid(0x8000_0000).eax >= FEATURES && __cpuid(FEATURES).edx & 1 << 8 != 0
    }
}

/// Where nothing is known of one, the time is asked for.
#[cfg(not(target_arch = "x86_64"))]
mod processor {
    pub(super) fn count() -> u64 {
        0
    }

    pub(super) fn counts_evenly() -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_believed_until_a_bound_would_have_been_before_the_time() {
        // Two counts a nanosecond, and how much it is then said to be.
        let (true_rate, asked) = (1 << 31, Reading { count: 1_000, nanos: 5_000 });
        let later = |counts: u64| Reading { count: 1_000 + counts, nanos: 5_000 + counts / 2 };
        let counts = GOOD_FOR - 1;
        assert!(!rate::is_refuted(true_rate + true_rate / 1024, asked, later(counts)));
        assert!(rate::is_refuted(true_rate - true_rate / 1024, asked, later(counts)));
        // After a day nobody has reckoned with it.
        assert!(!rate::is_refuted(true_rate / 2, asked, later(1 << 48)));
    }

    #[test]
    fn the_bound_is_never_before_the_time_nor_far_behind_it_and_does_not_go_back() {
        let counter = Counter::default();
        let (begin, mut former) = (monotonic(), 0);
        while monotonic() < begin + 100_000_000 {
            let before = monotonic();
            let bound = counter.now_at_latest();
            let after = monotonic();
            assert!(before <= bound && former <= bound, "{before} and {former} are after {bound}");
            assert!(bound <= after + 2_000, "{bound} is {} ns after {after}", bound - after);
            former = bound;
        }
    }
}
