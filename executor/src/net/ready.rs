//! Whether a descriptor is ready: a question to the kernel, which knows better than we do. Others may have read through
//! the same descriptor.

use super::registered::Tried;
use std::io;
use std::os::fd::AsRawFd;

/// As a system call that would block unless a read would not.
pub(crate) fn is_readable(io: &impl AsRawFd) -> io::Result<Tried<()>> {
    is_ready(io, libc::POLLIN)
}

/// As a system call that would block unless a write would not.
pub(crate) fn is_writable(io: &impl AsRawFd) -> io::Result<Tried<()>> {
    is_ready(io, libc::POLLOUT)
}

fn is_ready(io: &impl AsRawFd, events: libc::c_short) -> io::Result<Tried<()>> {
    let mut asked = libc::pollfd { fd: io.as_raw_fd(), events, revents: 0 };
    // SAFETY: one valid entry, and its number is one. The call does not wait.
    match unsafe { libc::poll(&mut asked, 1, 0) } {
        0 => Err(io::ErrorKind::WouldBlock.into()),
        1 => Ok(Tried::Ready(())),
        _ => Err(io::Error::last_os_error()),
    }
}
