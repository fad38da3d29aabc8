//! Descriptors: a thousand connections need more of them than many systems give a process at first.

/// Lets this process have as many descriptors as it may. Should that be too few, opening one will fail.
pub(crate) fn allow_many() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the call writes the structure that it is given, and nothing else.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 {
        return;
    }
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: the call reads the structure that it is given.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) };
}
