//! The black box of a runtime: a file with what a reader would find in the process's memory, at the same addresses.
//!
//! ```text
//!   FileHeader ──► header of the tasks        so nothing has to be searched for
//!   Segment    address ──► place in the file  read as those of a core file
//!   lock       held? the process lives        then time goes on, and segments may come
//! ```
//!
//! The file may be cut off, damaged, or made to do harm: it is only ever read, at offsets that are checked when it is done.

use crate::error::Error;
use crate::mapped;
use crate::memory::{Memory, Region, Unreadable};
use crate::texts::shown;
use homing_executor::outside::file::{
    BYTE_ORDER, FILE_MAGIC, FILE_VERSION, FileHeader, SEGMENT_LIMIT, SEGMENTS_AT, Segment,
};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::mem::offset_of;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

/// A black box: see [`Builder::black_box`](https://docs.rs/homing/latest/homing/struct.Builder.html#method.black_box).
#[derive(Debug)]
pub struct BlackBoxFile {
    path: PathBuf,
    file: Mutex<File>,
    header: u64,
    process: u64,
    thread: u64,
    thread_name: String,
    program: String,
    began: u64,
    /// Sorted by their addresses; more may come while the process lives.
    segments: Mutex<Vec<Segment>>,
}

/// What has become of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It has the file open.
    Lives,
    /// The runtime has ended, in seconds since 1970.
    Ended(u64),
    /// The process has ended, and the runtime had not.
    Died,
}

impl BlackBoxFile {
    /// Whether a file begins like one.
    pub(crate) fn is_one(path: &Path) -> bool {
        let mut magic = [0; FILE_MAGIC.len()];
        mapped::open(path).is_some_and(|file| read_at(&file, 0, &mut magic) && magic == FILE_MAGIC)
    }

    /// Reads what the file says of itself.
    ///
    /// # Errors
    ///
    /// [`Error::File`]; [`Error::NotABlackBox`]; [`Error::Version`].
    pub fn open(path: &Path) -> Result<BlackBoxFile, Error> {
        let not_one = |why: &str| Error::NotABlackBox(path.to_owned(), why.to_owned());
        let file = mapped::open_regular(path).map_err(|error| Error::File(path.to_owned(), error))?;
        let file = file.ok_or_else(|| not_one("it is a pipe, a device or a directory"))?;
        let mut header = [0; size_of::<FileHeader>()];
        if !read_at(&file, 0, &mut header) || header[..FILE_MAGIC.len()] != FILE_MAGIC {
            return Err(not_one("it does not begin like one"));
        }
        let word = |at: usize| u64::from_ne_bytes(header[at..at + 8].try_into().expect("eight bytes"));
        let half = |at: usize| u32::from_ne_bytes(header[at..at + 4].try_into().expect("four bytes"));
        let text = |at: usize, length: usize| {
            let bytes = &header[at..at + length];
            let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(length);
            shown(&bytes[..end], end as u64)
        };
        if half(offset_of!(FileHeader, byte_order)) != BYTE_ORDER {
            return Err(not_one("it comes from a machine with another byte order"));
        }
        let version = half(offset_of!(FileHeader, version));
        if version != FILE_VERSION {
            return Err(Error::Version { version, release: text(offset_of!(FileHeader, release), 16) });
        }
        let opened = BlackBoxFile {
            path: path.to_owned(),
            header: word(offset_of!(FileHeader, header)),
            process: word(offset_of!(FileHeader, process)),
            thread: word(offset_of!(FileHeader, thread)),
            began: word(offset_of!(FileHeader, began)),
            thread_name: text(offset_of!(FileHeader, thread_name), 16),
            program: text(offset_of!(FileHeader, program), 256),
            segments: Mutex::new(segments(&file)),
            file: Mutex::new(file),
        };
        Ok(opened)
    }

    fn file(&self) -> MutexGuard<'_, File> {
        self.file.lock().unwrap_or_else(|p| p.into_inner())
    }

    /// What it says now at this place of its header.
    fn word(&self, at: usize) -> u64 {
        let mut word = [0; 8];
        if read_at(&self.file(), at as u64, &mut word) { u64::from_ne_bytes(word) } else { 0 }
    }

    fn fate(&self) -> Fate {
        // In this order: who lets go of the file, has written first that it has ended.
        let is_locked = is_locked(&self.file());
        match self.word(offset_of!(FileHeader, ended)) {
            0 if is_locked => Fate::Lives,
            0 => Fate::Died,
            ended => Fate::Ended(ended),
        }
    }

    /// Whether the file is shorter than its segments say.
    fn is_cut_off(&self) -> bool {
        let length = self.file().metadata().map_or(0, |metadata| metadata.len());
        let segments = self.segments.lock().unwrap_or_else(|p| p.into_inner());
        segments.iter().any(|segment| segment.offset.saturating_add(segment.length) > length)
    }

    /// As much as there is from this address on.
    fn read_some(&self, address: u64, buffer: &mut [u8]) -> usize {
        let segments = self.segments.lock().unwrap_or_else(|p| p.into_inner());
        let after = segments.partition_point(|segment| segment.start <= address);
        let Some(segment) = after.checked_sub(1).map(|at| segments[at]) else { return 0 };
        drop(segments);
        let within = address - segment.start;
        let length = segment.length.saturating_sub(within).min(buffer.len() as u64) as usize;
        let Some(offset) = segment.offset.checked_add(within) else { return 0 };
        if length > 0 && read_at(&self.file(), offset, &mut buffer[..length]) { length } else { 0 }
    }

    /// Whether segments have come since they were last looked at.
    fn has_grown(&self) -> bool {
        let mut known = self.segments.lock().unwrap_or_else(|p| p.into_inner());
        if known.len() >= segment_count(&self.file()) {
            return false;
        }
        *known = segments(&self.file());
        true
    }
}

impl Memory for BlackBoxFile {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), Unreadable> {
        let mut done = 0;
        while done < buffer.len() {
            let address = address.checked_add(done as u64).ok_or(Unreadable)?;
            let mut read = self.read_some(address, &mut buffer[done..]);
            if read == 0 && self.has_grown() {
                read = self.read_some(address, &mut buffer[done..]);
            }
            if read == 0 {
                return Err(Unreadable);
            }
            done += read;
        }
        Ok(())
    }

    fn regions(&self) -> &[Region] {
        &[]
    }

    fn header(&self) -> Option<u64> {
        Some(self.header)
    }

    fn now(&self) -> Option<u64> {
        (self.fate() == Fate::Lives).then(now).flatten()
    }

    fn thread_name(&self, thread: u64) -> Option<String> {
        (thread == self.thread).then(|| self.thread_name.clone())
    }

    fn describe(&self) -> String {
        format!("black box {}", self.path.display())
    }

    fn story(&self) -> Vec<String> {
        let BlackBoxFile { process, program, .. } = self;
        let began = utc(self.began);
        let mut story = vec![match self.fate() {
            Fate::Lives => {
                format!("process {process}, {program}, is still running: its runtime began at {began}")
            }
            Fate::Ended(ended) => format!(
                "the runtime of process {process}, {program}, ended in an orderly way, at {}; it began at {began}",
                utc(ended)
            ),
            Fate::Died => format!(
                "process {process}, {program}, ended without its runtime: killed, crashed, or left early. This is how its tasks \
                 stood. The runtime began at {began}"
            ),
        }];
        if self.word(offset_of!(FileHeader, refused)) > 0 {
            story.push(
                "there was no room for all of it: tasks, names or awaits are missing (was the disk full?)"
                    .to_owned(),
            );
        }
        if self.is_cut_off() {
            story.push("the file is shorter than it says: what lay behind its end is missing".to_owned());
        }
        story
    }
}

/// How many segments there are said to be, as far as there may be so many.
fn segment_count(file: &File) -> usize {
    let mut count = [0; 4];
    if !read_at(file, offset_of!(FileHeader, segment_count) as u64, &mut count) {
        return 0;
    }
    (u32::from_ne_bytes(count) as usize).min(SEGMENT_LIMIT)
}

/// The segments, sorted by their addresses.
fn segments(file: &File) -> Vec<Segment> {
    let mut bytes = vec![0; segment_count(file) * size_of::<Segment>()];
    if !read_at(file, SEGMENTS_AT as u64, &mut bytes) {
        return Vec::new();
    }
    let segment = |bytes: &[u8]| {
        let word = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        Segment {
            start: word(offset_of!(Segment, start)),
            length: word(offset_of!(Segment, length)),
            offset: word(offset_of!(Segment, offset)),
        }
    };
    let mut segments: Vec<Segment> = bytes.chunks_exact(size_of::<Segment>()).map(segment).collect();
    segments.sort_by_key(|segment| segment.start);
    segments
}

/// Whether all of the buffer could be filled.
fn read_at(mut file: &File, offset: u64, buffer: &mut [u8]) -> bool {
    file.seek(SeekFrom::Start(offset)).is_ok() && file.read_exact(buffer).is_ok()
}

/// Whether a process has it open as its black box.
#[cfg(target_os = "linux")]
fn is_locked(file: &File) -> bool {
    use std::os::fd::AsRawFd;
    // SAFETY: it is plain data, for which all zero is: from the beginning to the end, whatever that is.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    // SAFETY: it writes to `lock`, and to nothing else.
    let asked = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) };
    asked == 0 && lock.l_type != libc::F_UNLCK as libc::c_short
}

#[cfg(not(target_os = "linux"))]
fn is_locked(_file: &File) -> bool {
    false
}

#[cfg(target_os = "linux")]
fn now() -> Option<u64> {
    crate::process::now()
}

#[cfg(not(target_os = "linux"))]
fn now() -> Option<u64> {
    None
}

/// Reads `2026-07-04 17:05:09 UTC`.
fn utc(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    if days > 4_000_000 {
        // No clock says that, and a year has four digits, or five.
        return format!("second {seconds} since 1970");
    }
    // Days of eras of 400 years, which begin on the first of March (Hinnant, `civil_from_days`).
    let since_march = days + 719_468;
    let (era, day) = (since_march / 146_097, since_march % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{date:02} {:02}:{:02}:{:02} UTC", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_told_as_dates() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(utc(1_783_184_709), "2026-07-04 17:05:09 UTC");
        assert_eq!(utc(4_107_542_399), "2100-02-28 23:59:59 UTC");
        assert_eq!(utc(u64::MAX), format!("second {} since 1970", u64::MAX));
    }
}
