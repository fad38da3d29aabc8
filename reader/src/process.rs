//! The memory of a process that runs, or is stopped, or hangs.
//!
//! ```text
//!   /proc/PID/maps          what is mapped where
//!   process_vm_readv        copies, up to 1,024 parts a call; the process does not notice
//! ```

use crate::error::{Error, Permission};
use crate::limits;
use crate::mapped;
use crate::memory::{Memory, Region, Unreadable};
use crate::spans;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Parts in one call: more are refused.
const PARTS: usize = 1024;

/// The memory of a process, which may run, hang, or be stopped.
#[derive(Debug)]
pub struct Process {
    pid: u32,
    regions: Vec<Region>,
    /// Used again each time that many parts are read.
    spans: Mutex<Vec<u8>>,
}

impl Process {
    /// Finds out what is mapped in the process.
    ///
    /// # Errors
    ///
    /// [`Error::NoProcess`], [`Error::Permission`].
    pub fn open(pid: u32) -> Result<Process, Error> {
        let mut maps = Vec::new();
        fs::File::open(format!("/proc/{pid}/maps"))
            .and_then(|list| list.take(limits::MAPS).read_to_end(&mut maps))
            .map_err(|error| refusal(pid, &error))?;
        // (A path may be no text.)
        let maps = String::from_utf8_lossy(&maps);
        let regions: Vec<Region> = maps.lines().filter_map(region).take(limits::MAPPINGS).collect();
        let process = Process { pid, regions, spans: Mutex::default() };
        let Some(first) = process.regions.first() else { return Err(Error::NoProcess(pid)) };
        // The right to read the list is not quite the same as that to read the memory.
        match process.copy(&[(first.start, 1)], &mut [0]) {
            Err(error) if error.raw_os_error() != Some(libc::EFAULT) => Err(refusal(pid, &error)),
            _ => Ok(process),
        }
    }

    /// Copies parts, each whole; returns how many bytes.
    fn copy(&self, parts: &[(u64, usize)], buffer: &mut [u8]) -> io::Result<usize> {
        let remote: Vec<libc::iovec> = parts
            .iter()
            .map(|(address, length)| libc::iovec {
                iov_base: std::ptr::without_provenance_mut(*address as usize),
                iov_len: *length,
            })
            .collect();
        let length = parts.iter().map(|(_, length)| length).sum();
        assert!(buffer.len() >= length && parts.len() <= PARTS, "no more is read than there is room for");
        let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: length };
        // SAFETY: the local part is the buffer, which has that length; the remote ones are addresses in another process,
        // which the kernel checks. Should it be this very process, what is read may change meanwhile: it is bytes to us.
        let copied = unsafe {
            libc::process_vm_readv(self.pid as libc::pid_t, &local, 1, remote.as_ptr(), remote.len() as _, 0)
        };
        usize::try_from(copied).map_err(|_| io::Error::last_os_error())
    }

    /// Copies parts, each whole or not at all, one after the other; says which.
    fn copy_all(&self, parts: &[(u64, usize)], buffer: &mut [u8]) -> Vec<bool> {
        let mut read = Vec::with_capacity(parts.len());
        let mut done = 0;
        while read.len() < parts.len() {
            let call = &parts[read.len()..(read.len() + PARTS).min(parts.len())];
            let mut copied = self.copy(call, &mut buffer[done..]).unwrap_or(0);
            // It ends before the first part that is not all there.
            for (_, length) in call {
                done += length;
                let is_whole = copied >= *length;
                copied = copied.saturating_sub(*length);
                read.push(is_whole);
                if !is_whole {
                    break;
                }
            }
        }
        read
    }
}

impl Memory for Process {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), Unreadable> {
        let length = buffer.len();
        match self.copy(&[(address, length)], buffer) {
            Ok(copied) if copied == length => Ok(()),
            _ => Err(Unreadable),
        }
    }

    fn read_many(&self, parts: &[(u64, usize)], buffer: &mut [u8]) -> Vec<bool> {
        let mut bytes = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        spans::read(parts, buffer, &mut bytes, |parts, buffer| self.copy_all(parts, buffer))
    }

    fn regions(&self) -> &[Region] {
        &self.regions
    }

    fn open_file(&self, region: &Region) -> Option<fs::File> {
        let path = region.file.as_ref()?;
        // The program itself is to be had even if its file has been replaced since.
        let program = format!("/proc/{}/exe", self.pid);
        if fs::read_link(&program).is_ok_and(|target| target == *path) {
            return mapped::open(program.as_ref());
        }
        let inside = path.strip_prefix("/").ok()?;
        mapped::open(&PathBuf::from(format!("/proc/{}/root", self.pid)).join(inside))
    }

    fn now(&self) -> Option<u64> {
        now()
    }

    fn thread_name(&self, thread: u64) -> Option<String> {
        let name = fs::read_to_string(format!("/proc/{}/task/{thread}/comm", self.pid)).ok()?;
        Some(name.trim_end_matches('\n').to_owned())
    }

    fn describe(&self) -> String {
        format!("process {}", self.pid)
    }
}

/// A line of `/proc/PID/maps`: `55d0a000-55d0b000 rw-p 00001000 fd:00 1234   /usr/bin/program`.
fn region(line: &str) -> Option<Region> {
    let mut words = line.splitn(6, ' ');
    let (start, end) = words.next()?.split_once('-')?;
    let rights = words.next()?;
    let offset = words.next()?;
    let path = words.nth(2).map(str::trim_start).filter(|path| path.starts_with('/'));
    if !rights.starts_with('r') {
        return None;
    }
    Some(Region {
        start: u64::from_str_radix(start, 16).ok()?,
        end: u64::from_str_radix(end, 16).ok()?,
        offset: u64::from_str_radix(offset, 16).ok()?,
        writable: rights.as_bytes().get(1) == Some(&b'w'),
        file: path.map(PathBuf::from),
    })
}

fn refusal(pid: u32, error: &io::Error) -> Error {
    let Ok(about) = fs::metadata(format!("/proc/{pid}")) else { return Error::NoProcess(pid) };
    if error.raw_os_error() == Some(libc::ESRCH) {
        return Error::NoProcess(pid);
    }
    // SAFETY: it takes nothing, and cannot fail.
    let own = unsafe { libc::geteuid() };
    let yama = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok();
    Error::Permission(Permission {
        pid,
        owner: Some((about.uid(), own)).filter(|(owner, asker)| owner != asker),
        yama: yama.and_then(|scope| scope.trim().parse().ok()),
    })
}

/// What `CLOCK_MONOTONIC` says, in nanoseconds.
pub(crate) fn now() -> Option<u64> {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes to `now`, and to nothing else.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    (result == 0).then(|| (now.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(now.tv_nsec as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_map_is_understood() {
        let line = "7f00-7f80 rw-p 00001000 fd:00 1234                       /usr/bin/a program";
        let region = region(line).unwrap();
        assert_eq!(
            (region.start, region.end, region.offset, region.writable),
            (0x7f00, 0x7f80, 0x1000, true)
        );
        assert_eq!(region.file, Some(PathBuf::from("/usr/bin/a program")));
        assert!(super::region("7f00-7f80 ---p 00000000 00:00 0 ").is_none());
        assert!(super::region("nonsense").is_none());
        assert_eq!(super::region("7f00-7f80 r--p 00000000 00:00 0 [heap]").unwrap().file, None);
    }

    #[test]
    fn of_many_parts_those_that_are_there_are_read_and_the_others_are_told() {
        let process = Process::open(std::process::id()).unwrap();
        let words: Vec<u64> = (0..3000).collect();
        let mut parts: Vec<(u64, usize)> =
            words.iter().map(|word| (std::ptr::from_ref(word) as u64, 8)).collect();
        for missing in [0, 1, 700, 1023, 1024, 2999] {
            parts[missing].0 = 8;
        }
        parts[5].1 = 0;
        let mut buffer = vec![0; parts.iter().map(|part| part.1).sum()];
        let read = process.read_many(&parts, &mut buffer);
        let mut at = 0;
        for (number, (address, length)) in parts.iter().enumerate() {
            if *length == 8 {
                assert_eq!(read[number], *address != 8, "{number}");
            }
            if read[number] && *length == 8 {
                assert_eq!(buffer[at..at + 8], (number as u64).to_ne_bytes());
            }
            at += length;
        }
    }
}
