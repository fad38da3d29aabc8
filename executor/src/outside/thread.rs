//! The number that the operating system has for a thread.

/// This thread's, which other tools show too; 0 where it has none.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn thread_id() -> u64 {
    // SAFETY: it takes nothing, and cannot fail.
    let id = unsafe { libc::gettid() };
    u64::from(id.unsigned_abs())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn thread_id() -> u64 {
    0
}
