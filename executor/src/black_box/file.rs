//! The file of a black box: how it is made, and how it grows.
//!
//! ```text
//!   something is there ──► locked by somebody? in use    no black box? left alone
//!         │                ended in an orderly way, or never finished? removed
//!         │                otherwise: renamed to `….previous`, in place of such a one, and of nothing else
//!         ▼
//!   made anew, for the owner only, locked ──► room is reserved ──► mapped ──► listed as a segment
//! ```
//!
//! A file that is mapped must never lose its blocks, nor lack them: either would end the process with a signal, in the middle
//! of whatever it does. So one that is there is never truncated, but replaced; and room is reserved on the disk before it
//! is mapped. The lock goes when the process does, however it ends.

use super::error::BlackBoxError;
use super::memory::page;
use crate::outside::file::{
    CONTENTS_AT, FILE_MAGIC, FileHeader, SEGMENT_LIMIT, SEGMENTS_AT, Segment, UNFINISHED_MAGIC,
};
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
        let mut made = BoxFile { file: make(&path)?, length: 0, header: NonNull::dangling() };
        match made.set_up(contents) {
            Ok(memory) => Ok((made, memory)),
            Err(error) => {
                // It is of no use to anybody. As it is still locked, nobody has put another in its place.
                let _ = fs::remove_file(&path);
                Err(failed(error))
            }
        }
    }

    fn set_up(&mut self, contents: usize) -> io::Result<NonNull<u8>> {
        let length = CONTENTS_AT + contents;
        reserve(&self.file, 0, length)?;
        let first = map(&self.file, 0, length)?;
        (self.header, self.length) = (first.cast(), length as u64);
        // From here on it is known for one of ours, also if the process is killed before all else is there.
        // SAFETY: so much was mapped, and nobody else knows it.
        unsafe { (&raw mut (*self.header.as_ptr()).magic).write_volatile(UNFINISHED_MAGIC) };
        self.list(first.addr().get(), length, 0)?;
        // SAFETY: so much was mapped, and more.
        Ok(unsafe { first.add(CONTENTS_AT) })
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
        let room = length.next_multiple_of(page());
        let offset = self.write(start, length, room)?;
        self.list(start, length, offset)
    }

    /// Adds memory that stays where it is: it is mapped from the file from now on. Other threads may read it meanwhile.
    ///
    /// # Safety
    ///
    /// It is private memory, begins at a page, and nobody changes it meanwhile.
    pub(super) unsafe fn attach(&mut self, memory: NonNull<u8>, length: usize) -> io::Result<()> {
        self.check_room_for_segment()?;
        let start = memory.addr().get();
        let offset = self.write(start, length, length)?;
        // SAFETY: what is replaced may be, and what replaces it is the same.
        unsafe { map_at(Some(memory), &self.file, offset, length)? };
        self.list(start, length, offset)
    }

    /// Writes what is in memory behind what there is, where it gets so much room. Says where that is.
    fn write(&mut self, start: usize, length: usize, room: usize) -> io::Result<u64> {
        reserve(&self.file, self.length, room)?;
        let from = self.length;
        // Also if it fails in the middle: nobody is to get that room as memory that is zeroed.
        self.length += room as u64;
        let mut done = 0;
        while done < length {
            let offset = from + done as u64;
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
        Ok(from)
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
        if let Some((file, former)) = look_at(path)?
            && is_at(path, &file)
        {
            make_room(path, former)?;
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

/// What has been left at a path by somebody who uses it no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Former {
    /// The black box of a runtime that has ended in an orderly way.
    Ended,
    /// That of one which has not: it tells of its end.
    Left,
    /// One that never got so far as to tell of anything.
    Unfinished,
}

/// What is at this path, locked, if there is something.
///
/// # Errors
///
/// If it is in use, or no black box.
fn look_at(path: &Path) -> Result<Option<(File, Former)>, BlackBoxError> {
    let failed = |error| BlackBoxError::File(path.to_owned(), error);
    let not_one = || BlackBoxError::NotABlackBox(path.to_owned());
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ELOOP | libc::EISDIR)) => {
            return Err(not_one());
        }
        Err(error) => return Err(failed(error)),
    };
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(not_one());
    }
    if lock(&file).map_err(failed)? == Lock::Taken {
        return Err(BlackBoxError::InUse(path.to_owned()));
    }
    let mut bytes = [0; SEGMENTS_AT];
    let read = file.read_at(&mut bytes, 0).map_err(failed)?;
    let magic = &bytes[..FILE_MAGIC.len()];
    let ended = &bytes[offset_of!(FileHeader, ended)..][..8];
    // Without a magic, it is one for which room was reserved, and no more; or the machine has lost its power before the kernel
    // wrote the first page.
    let is_blank = metadata.len() >= CONTENTS_AT as u64 && bytes.iter().all(|byte| *byte == 0);
    let former = match magic == FILE_MAGIC && read >= size_of::<FileHeader>() {
        true if ended == [0; 8] => Former::Left,
        true => Former::Ended,
        false if metadata.len() == 0 || magic == UNFINISHED_MAGIC || is_blank => Former::Unfinished,
        false => return Err(not_one()),
    };
    Ok(Some((file, former)))
}

/// Moves away what is there. The caller has it locked.
fn make_room(path: &Path, former: Former) -> Result<(), BlackBoxError> {
    let moved = match former {
        Former::Left => {
            let previous = previous(path);
            // What is replaced must be what may be replaced. It is held until then, so that nobody takes it into use.
            let _held = look_at(&previous)?;
            fs::rename(path, previous)
        }
        Former::Ended | Former::Unfinished => fs::remove_file(path),
    };
    match moved {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(BlackBoxError::File(path.to_owned(), error)),
        _ => Ok(()),
    }
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
    debug_assert!(is_whole_pages(memory.addr().get(), length));
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
    debug_assert!(is_whole_pages(start, length));
    // SAFETY: as promised.
    unsafe { libc::munmap(ptr::with_exposed_provenance_mut(start), length) };
}

/// Whether what is done to this memory is done to all of it, and to nothing beside: the kernel deals in whole pages.
fn is_whole_pages(start: usize, length: usize) -> bool {
    start.is_multiple_of(page()) && length.is_multiple_of(page())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::slice;

    const CONTENTS: usize = (64 << 10) - CONTENTS_AT;

    /// A directory of its own, which is removed afterwards.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Scratch {
            let path = std::env::temp_dir().join(format!("homing-file-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Scratch(path)
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn create(path: &Path) -> Result<(BoxFile, NonNull<u8>), BlackBoxError> {
        BoxFile::create(path, CONTENTS)
    }

    /// Lets go of a file as a process does that is killed.
    fn kill((file, memory): (BoxFile, NonNull<u8>)) {
        drop(file);
        // SAFETY: it was mapped so, and is used no more.
        unsafe { unmap(memory.addr().get() - CONTENTS_AT, CONTENTS_AT + CONTENTS) };
    }

    /// The same, after it was finished.
    fn leave(path: &Path) {
        let made = create(path).unwrap();
        // SAFETY: it is mapped.
        unsafe { (&raw mut (*made.0.header().as_ptr()).magic).write_volatile(FILE_MAGIC) };
        kill(made);
    }

    #[test]
    fn a_file_whose_maker_was_killed_before_it_was_finished_does_not_stand_in_the_way_of_the_next() {
        let scratch = Scratch::new("unfinished");
        let path = scratch.path("box");
        kill(create(&path).unwrap());
        kill(create(&path).unwrap());
        assert!(!previous(&path).exists(), "it tells of nothing");
    }

    #[test]
    fn only_a_black_box_that_nobody_uses_is_replaced_by_the_one_that_was_left_last() {
        let scratch = Scratch::new("previous");
        let path = scratch.path("box");
        leave(&path);
        let in_use = create(&previous(&path)).unwrap();
        let error = create(&path).unwrap_err();
        assert!(matches!(&error, BlackBoxError::InUse(at) if *at == previous(&path)), "{error}");
        kill(in_use);
        fs::write(previous(&path), "letters").unwrap();
        let error = create(&path).unwrap_err();
        assert!(matches!(&error, BlackBoxError::NotABlackBox(at) if *at == previous(&path)), "{error}");
        assert_eq!(fs::read(previous(&path)).unwrap(), b"letters");
        fs::remove_file(previous(&path)).unwrap();
        for _ in 0..2 {
            kill(create(&path).unwrap());
            assert_eq!(fs::read(previous(&path)).unwrap()[..16], FILE_MAGIC);
            leave(&path);
        }
    }

    #[test]
    fn an_image_of_a_disk_that_begins_with_zeros_is_no_black_box() {
        let scratch = Scratch::new("disk");
        let path = scratch.path("box");
        let mut disk = vec![0_u8; 64 << 10];
        disk[1024 + 56] = 0x53;
        fs::write(&path, &disk).unwrap();
        assert!(matches!(create(&path), Err(BlackBoxError::NotABlackBox(_))));
        assert_eq!(fs::read(&path).unwrap(), disk);
    }

    #[test]
    fn memory_is_zeroed_also_after_a_copy_that_has_failed_in_the_middle() {
        let scratch = Scratch::new("zeroed");
        let mut made = create(&scratch.path("box")).unwrap();
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: memory that nobody has is mapped, filled, and its second half taken away from all.
        let half_readable = unsafe {
            let memory = libc::mmap(ptr::null_mut(), 2 * page(), protection, flags, -1, 0);
            assert_ne!(memory, libc::MAP_FAILED);
            memory.cast::<u8>().write_bytes(0xAA, 2 * page());
            assert_eq!(libc::mprotect(memory.byte_add(page()), page(), libc::PROT_NONE), 0);
            memory.addr()
        };
        assert!(made.0.copy(half_readable, 2 * page()).is_err());
        let memory = made.0.extend(64 << 10).unwrap();
        // SAFETY: so much was mapped.
        let bytes = unsafe { slice::from_raw_parts(memory.as_ptr(), 64 << 10) };
        assert!(bytes.iter().all(|byte| *byte == 0));
        // SAFETY: both are mapped so, and used no more.
        unsafe {
            unmap(half_readable, 2 * page());
            unmap(memory.addr().get(), 64 << 10);
        }
        kill(made);
    }
}
