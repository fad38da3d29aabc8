//! The system calls that move bytes, by descriptor: the same for every kind of socket.
//!
//! Not through `Read` and `Write`, for two reasons. A program in another language, into which homing is built, may not
//! ignore `SIGPIPE` as Rust's do; so each send says that it wants none. And a Unix socket of the standard library cannot
//! be peeked into.
//!
//! The two that a server makes for each message are made right here; what comes more rarely is `socket2`'s.

use socket2::SockRef;
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd};

/// No signal if the other side has gone, but an error. Apple's systems have an option of the socket for that, which is
/// set where it is made.
pub(crate) const QUIETLY: libc::c_int = if cfg!(target_vendor = "apple") { 0 } else { libc::MSG_NOSIGNAL };

/// As many buffers as one call takes, on every system. What is beyond is for the next call.
const BUFFERS: usize = 1024;

/// As many bytes as one call takes. Apple's systems refuse more, others move as much as there is.
const BYTES: usize =
    if cfg!(target_vendor = "apple") { libc::c_int::MAX as usize - 1 } else { isize::MAX as usize };

#[inline]
pub(crate) fn recv(io: &impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    let descriptor = io.as_fd().as_raw_fd();
    // SAFETY: the descriptor is borrowed, so it is open; the call writes into the buffer, and no further than that reaches.
    moved(unsafe { libc::recv(descriptor, buffer.as_mut_ptr().cast(), buffer.len().min(BYTES), 0) })
}

pub(crate) fn recv_vectored(io: &impl AsFd, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
    let number = buffers.len().min(BUFFERS);
    (&*SockRef::from(io)).read_vectored(&mut buffers[..number])
}

pub(crate) fn peek(io: &impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the layout is the same, and who gets it, the kernel, never makes a byte uninitialised.
    let room = unsafe { &mut *(std::ptr::from_mut(buffer) as *mut [MaybeUninit<u8>]) };
    SockRef::from(io).peek(room)
}

#[inline]
pub(crate) fn send(io: &impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    let descriptor = io.as_fd().as_raw_fd();
    // SAFETY: as above; the call reads what is in the slice.
    moved(unsafe { libc::send(descriptor, bytes.as_ptr().cast(), bytes.len().min(BYTES), QUIETLY) })
}

/// What a call says that it has moved, or why it has not.
#[inline]
fn moved(bytes: isize) -> io::Result<usize> {
    usize::try_from(bytes).map_err(|_| io::Error::last_os_error())
}

pub(crate) fn send_vectored(io: &impl AsFd, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
    match &buffers[..buffers.len().min(BUFFERS)] {
        [buffer] => send(io, buffer),
        buffers if length(buffers) <= JOINED => send_joined(io, buffers),
        buffers => SockRef::from(io).send_vectored_with_flags(buffers, QUIETLY),
    }
}

/// Up to so many bytes in all are copied together and sent as one: the call that takes several buffers costs more than
/// that, as the head and the body of an answer in HTTP have it.
const JOINED: usize = 2048;

fn send_joined(io: &impl AsFd, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
    let mut room = [0; JOINED];
    let mut joined = 0;
    for buffer in buffers {
        room[joined..joined + buffer.len()].copy_from_slice(buffer);
        joined += buffer.len();
    }
    send(io, &room[..joined])
}

/// How many bytes one such call moves at most.
pub(crate) fn length<B: std::ops::Deref<Target = [u8]>>(buffers: &[B]) -> usize {
    buffers.iter().take(BUFFERS).map(|buffer| buffer.len()).sum()
}
