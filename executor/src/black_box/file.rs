//! The file of a black box: how it is made, and how it grows.
//!
//! ```text
//!   something is there ──► locked by somebody? in use    no black box? left alone
//!         │                ended in an orderly way? removed        otherwise: renamed to `….previous`
//!         ▼
//!   made anew, for the owner only, locked ──► room is reserved ──► mapped ──► listed as a segment
//! ```
//!
//! A file that is mapped must never lose its blocks, nor lack them: either would end the process with a signal, in the middle
//! of whatever it does. So one that is there is never truncated, but replaced; and room is reserved on the disk before it
//! is mapped. The lock goes when the process does, however it ends.

use super::error::BlackBoxError;
use crate::outside::file::{CONTENTS_AT, FILE_MAGIC, FileHeader, SEGMENT_LIMIT, SEGMENTS_AT, Segment};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::mem::offset_of;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};
use std::sync::atomic::Ordering;

/// The file, open and locked.
#[derive(Debug)]
pub(super) struct BoxFile {
    file: File,
    /// How much of it there is room for.
    length: u64,
    header: NonNull<FileHeader>,
}

impl BoxFile {
    /// Makes it, with this many bytes for contents, which are mapped.
    pub(super) fn create(path: &Path, contents: usize) -> Result<(BoxFile, NonNull<u8>), BlackBoxError> {
        let failed = |error| BlackBoxError::File(path.to_owned(), error);
        let path = std::path::absolute(path).map_err(failed)?;
        let file = make(&path)?;
        let made = BoxFile::set_up(file, contents);
        made.map_err(|error| {
            // It is of no use to anybody.
            let _ = fs::remove_file(&path);
            failed(error)
        })
    }

    fn set_up(file: File, contents: usize) -> io::Result<(BoxFile, NonNull<u8>)> {
        let length = CONTENTS_AT + contents;
        reserve(&file, 0, length)?;
        let first = map(&file, 0, length)?;
        let made = BoxFile { file, length: length as u64, header: first.cast() };
        made.list(first.addr().get(), length, 0)?;
        // SAFETY: so much was mapped, and more.
        Ok((made, unsafe { first.add(CONTENTS_AT) }))
    }

    /// Its beginning, zeroed at first, but for the segments. It is mapped for as long as the arena is.
    pub(super) fn header(&self) -> NonNull<FileHeader> {
        self.header
    }

    /// Adds so many bytes, zeroed, and maps them.
    pub(super) fn extend(&mut self, length: usize) -> io::Result<NonNull<u8>> {
        self.check_room_for_segment()?;
        reserve(&self.file, self.length, length)?;
        let memory = map(&self.file, self.length, length)?;
        self.list(memory.addr().get(), length, self.length)?;
        self.length += length as u64;
        Ok(memory)
    }

    /// Adds a copy of what is in memory now.
    pub(super) fn copy(&mut self, start: usize, length: usize) -> io::Result<()> {
        self.check_room_for_segment()?;
        let room = length.next_multiple_of(super::memory::PAGE);
        self.write(start, length, room)?;
        self.list(start, length, self.length)?;
        self.length += room as u64;
        Ok(())
    }

    /// Adds memory that stays where it is: it is mapped from the file from now on. Other threads may read it meanwhile.
    ///
    /// # Safety
    ///
    /// It is private memory, begins at a page, and nobody changes it meanwhile.
    pub(super) unsafe fn attach(&mut self, memory: NonNull<u8>, length: usize) -> io::Result<()> {
        self.check_room_for_segment()?;
        let start = memory.addr().get();
        self.write(start, length, length)?;
        // SAFETY: what is replaced may be, and what replaces it is the same.
        unsafe { map_at(Some(memory), &self.file, self.length, length)? };
        self.list(start, length, self.length)?;
        self.length += length as u64;
        Ok(())
    }

    /// Writes what is in memory behind what there is, where it gets so much room.
    fn write(&self, start: usize, length: usize, room: usize) -> io::Result<()> {
        reserve(&self.file, self.length, room)?;
        let mut done = 0;
        while done < length {
            let offset = self.length + done as u64;
            let descriptor = libc::c_long::from(self.file.as_raw_fd());
            // Not by way of the C library's function, which a sanitizer replaces by one that looks at what lies between
            // the program's variables.
            // SAFETY: the kernel reads the memory, and says so if it cannot. Nothing else does, so that others may write to it.
            let written =
                unsafe { libc::syscall(libc::SYS_pwrite64, descriptor, start + done, length - done, offset) };
            match usize::try_from(written) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => done += written,
                Err(_) => match io::Error::last_os_error() {
                    error if error.kind() == ErrorKind::Interrupted => {}
                    error => return Err(error),
                },
            }
        }
        Ok(())
    }

    /// Lists a segment: what would be at `start` is in the file from `offset` on.
    pub(super) fn list(&self, start: usize, length: usize, offset: u64) -> io::Result<()> {
        self.check_room_for_segment()?;
        // SAFETY: the header is mapped as long as this is there.
        let count = unsafe { &(*self.header.as_ptr()).segment_count };
        let number = count.load(Ordering::Relaxed);
        let segment = Segment { start: start as u64, length: length as u64, offset };
        // SAFETY: there is room for it, in what is mapped; only this writes there, and nobody reads it yet.
        unsafe { self.header.byte_add(SEGMENTS_AT).cast::<Segment>().add(number as usize).write(segment) };
        count.store(number + 1, Ordering::Release);
        Ok(())
    }

    fn check_room_for_segment(&self) -> io::Result<()> {
        // SAFETY: as above.
        let count = unsafe { (*self.header.as_ptr()).segment_count.load(Ordering::Relaxed) };
        if (count as usize) < SEGMENT_LIMIT { Ok(()) } else { Err(ErrorKind::FileTooLarge.into()) }
    }
}

/// An empty file at this path, which is new, and locked.
fn make(path: &Path) -> Result<File, BlackBoxError> {
    let failed = |error| BlackBoxError::File(path.to_owned(), error);
    // Others may be doing the same. Who comes first has it, and the others see that at the latest when they try again.
    for _ in 0..100 {
        match open(path) {
            Ok(former) => make_room(path, &former)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) if matches!(error.raw_os_error(), Some(libc::ELOOP | libc::EISDIR)) => {
                return Err(BlackBoxError::NotABlackBox(path.to_owned()));
            }
            Err(error) => return Err(failed(error)),
        }
        let new = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path);
        match new {
            Ok(file) if lock(&file).map_err(failed)? == Lock::Ours && is_at(path, &file) => return Ok(file),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Err(BlackBoxError::InUse(path.to_owned()))
}

/// Opens what is there, whatever it is, without waiting for anybody, and without following a link.
fn open(path: &Path) -> io::Result<File> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_NOFOLLOW;
    OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)
}

/// Moves away what is there, if it is a black box that nobody uses.
fn make_room(path: &Path, former: &File) -> Result<(), BlackBoxError> {
    let failed = |error| BlackBoxError::File(path.to_owned(), error);
    let metadata = former.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(BlackBoxError::NotABlackBox(path.to_owned()));
    }
    if lock(former).map_err(failed)? == Lock::Taken {
        return Err(BlackBoxError::InUse(path.to_owned()));
    }
    let mut bytes = [0; size_of::<FileHeader>()];
    let is_black_box = former.read_exact_at(&mut bytes, 0).is_ok() && bytes[..FILE_MAGIC.len()] == FILE_MAGIC;
    // One that is empty, or all zero, is a black box that never got further.
    if !is_black_box && (metadata.len() > 0 && bytes.iter().any(|byte| *byte != 0) || !fits(&metadata)) {
        return Err(BlackBoxError::NotABlackBox(path.to_owned()));
    }
    if !is_at(path, former) {
        return Ok(());
    }
    let ended = &bytes[offset_of!(FileHeader, ended)..][..8];
    let moved = if is_black_box && ended == [0; 8] {
        fs::rename(path, previous(path))
    } else {
        fs::remove_file(path)
    };
    match moved {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(error)),
        _ => Ok(()),
    }
}

/// Whether something without a header has a length that a black box may have.
fn fits(metadata: &fs::Metadata) -> bool {
    metadata.len() == 0 || metadata.len() >= CONTENTS_AT as u64
}

/// Where the black box of a runtime that has not ended is kept when another takes its place.
fn previous(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".previous");
    name.into()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lock {
    Ours,
    Taken,
}

fn lock(file: &File) -> io::Result<Lock> {
    // SAFETY: it is plain data, for which all zero is: from the beginning to the end, whatever that is.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    // Of the open file, not of the process: so two runtimes of one process exclude each other as well. And readers can ask
    // whether there is one without taking it themselves.
    // SAFETY: it reads the lock, which is there.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) } == 0 {
        return Ok(Lock::Ours);
    }
    match io::Error::last_os_error() {
        error if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(Lock::Taken),
        error => Err(error),
    }
}

/// Whether the file is still the one at that path.
fn is_at(path: &Path, file: &File) -> bool {
    let (Ok(there), Ok(ours)) = (fs::symlink_metadata(path), file.metadata()) else { return false };
    (there.dev(), there.ino()) == (ours.dev(), ours.ino())
}

/// Makes sure that there is room on the disk, zeroed.
fn reserve(file: &File, offset: u64, length: usize) -> io::Result<()> {
    let end = offset + length as u64;
    if end > size_limit() {
        // The kernel would send a signal, of which the process ends.
        return Err(ErrorKind::FileTooLarge.into());
    }
    loop {
        let (from, bytes) = (offset as libc::off_t, length as libc::off_t);
        // SAFETY: it takes numbers.
        if unsafe { libc::fallocate(file.as_raw_fd(), 0, from, bytes) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR) => {}
            // Not every file system can.
            Some(libc::EOPNOTSUPP | libc::ENOSYS | libc::EINVAL) => return write_zeros(file, offset, length),
            _ => return Err(error),
        }
    }
}

fn write_zeros(file: &File, offset: u64, length: usize) -> io::Result<()> {
    const ZEROS: [u8; 16 << 10] = [0; 16 << 10];
    let mut done = 0;
    while done < length {
        let now = ZEROS.len().min(length - done);
        file.write_all_at(&ZEROS[..now], offset + done as u64)?;
        done += now;
    }
    Ok(())
}

/// How large a file may become in this process.
fn size_limit() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: it writes to `limit`, and to nothing else.
    match unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &mut limit) } {
        0 => limit.rlim_cur,
        _ => u64::MAX,
    }
}

fn map(file: &File, offset: u64, length: usize) -> io::Result<NonNull<u8>> {
    // SAFETY: nothing is replaced.
    unsafe { map_at(None, file, offset, length) }
}

/// Maps a part of the file, which has room for it: somewhere, or in the place of what is there.
///
/// # Safety
///
/// What is there is memory that may be replaced.
unsafe fn map_at(
    there: Option<NonNull<u8>>,
    file: &File,
    offset: u64,
    length: usize,
) -> io::Result<NonNull<u8>> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_SHARED | there.map_or(0, |_| libc::MAP_FIXED);
    let at = there.map_or(ptr::null_mut(), |memory| memory.as_ptr().cast());
    // SAFETY: memory that nobody has, or that may be replaced, is mapped from a file that has room for it.
    let memory =
        unsafe { libc::mmap(at, length, protection, flags, file.as_raw_fd(), offset as libc::off_t) };
    if memory == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // A child that was forked must not write to its parent's tasks. (It cannot use the parent's runtime in any case.)
    // SAFETY: what was just mapped.
    unsafe { libc::madvise(memory, length, libc::MADV_DONTFORK) };
    Ok(NonNull::new(memory.cast()).expect("nothing is mapped at null"))
}

/// Puts private memory with the same contents in the place of what is mapped here. Other threads may read it meanwhile, and
/// find one or the other. If there is no memory for that, `false`, and it stays mapped.
///
/// # Safety
///
/// The memory is mapped, begins at a page, and nobody changes it meanwhile.
pub(super) unsafe fn detach(memory: NonNull<u8>, length: usize) -> bool {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: memory that nobody has is mapped, gets the contents, and then takes the place of what the caller says may go.
    unsafe {
        let copy = libc::mmap(ptr::null_mut(), length, protection, flags, -1, 0);
        if copy == libc::MAP_FAILED {
            return false;
        }
        copy.cast::<u8>().copy_from_nonoverlapping(memory.as_ptr(), length);
        let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        if libc::mremap(copy, length, length, flags, memory.as_ptr()) == libc::MAP_FAILED {
            libc::munmap(copy, length);
            return false;
        }
    }
    true
}

/// Unmaps it.
///
/// # Safety
///
/// The memory is mapped, begins at a page, and nobody uses it any more.
pub(super) unsafe fn unmap(start: usize, length: usize) {
    // SAFETY: as promised.
    unsafe { libc::munmap(ptr::with_exposed_provenance_mut(start), length) };
}
