//! The clock of the CPU: how long this process has been computing, on all its threads.
//!
//! Of the process, for some runtimes have helper threads, and what those burn their users pay.

use std::time::Duration;

/// The CPU time of the process so far.
///
/// # Panics
///
/// Where there is no such clock.
pub(crate) fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes the structure that it is given, and nothing else.
    let answer = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    assert_eq!(answer, 0, "this system has no clock for CPU time");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
