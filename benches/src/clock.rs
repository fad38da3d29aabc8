//! What the kernel knows of time: how long this process has been computing, and how exactly a thread is
//! woken.
//!
//! CPU time is that of the process, for some runtimes have helper threads, and what those burn their users
//! pay.

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

/// Does something on this thread with exact sleeps: else Linux lets a plain thread oversleep by 50 µs, to
/// serve several with one interrupt. (What waits by a timerfd, or in epoll with one, is always served
/// exactly.)
pub(crate) fn with_exact_sleeps<T>(action: impl FnOnce() -> T) -> T {
    let set_slack = |nanos: libc::c_ulong| {
        // SAFETY: the call sets a number that belongs to this thread, and touches no memory of ours.
        #[cfg(target_os = "linux")]
        unsafe {
            libc::prctl(libc::PR_SET_TIMERSLACK, nanos)
        };
        #[cfg(not(target_os = "linux"))]
        let _ = nanos;
    };
    set_slack(1);
    let result = action();
    // Zero stands for what it was at first.
    set_slack(0);
    result
}
