//! What is read from: the memory of something that once ran.

use std::path::PathBuf;

/// Some of what was asked for is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// A part of the memory.
#[derive(Clone, Debug)]
pub struct Region {
    /// Its first address.
    pub start: u64,
    /// The one after its last.
    pub end: u64,
    /// Where in the file it begins, if it is mapped from one.
    pub offset: u64,
    /// Whether it may be written to.
    pub writable: bool,
    /// The file that it is mapped from, if there is one.
    pub file: Option<PathBuf>,
}

/// The memory of a process, alive or dead. It may be read by several threads.
pub trait Memory: Sync {
    /// Fills the buffer with what is at the address.
    ///
    /// # Errors
    ///
    /// [`Unreadable`], if not all of it can be read. The buffer may hold anything then.
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), Unreadable>;

    /// Reads many parts, one after the other, into a buffer that has room for all of them. Says which could be read.
    fn read_many(&self, parts: &[(u64, usize)], buffer: &mut [u8]) -> Vec<bool> {
        let mut rest = buffer;
        let mut read = Vec::with_capacity(parts.len());
        for (address, length) in parts {
            let (part, after) = std::mem::take(&mut rest).split_at_mut(*length);
            read.push(self.read(*address, part).is_ok());
            rest = after;
        }
        read
    }

    /// What there is of it.
    fn regions(&self) -> &[Region];

    /// The contents of a file that a region is mapped from, as it was when it was mapped, if it is still there.
    fn open_file(&self, _region: &Region) -> Option<std::fs::File> {
        None
    }

    /// What `CLOCK_MONOTONIC` says there, in nanoseconds, if time goes on.
    fn now(&self) -> Option<u64> {
        None
    }

    /// The name of a thread, if it is known.
    fn thread_name(&self, _thread: u64) -> Option<String> {
        None
    }

    /// What it is, for people: `process 4711`.
    fn describe(&self) -> String;

    /// Where the header is, if that is known: then it is not searched for.
    fn header(&self) -> Option<u64> {
        None
    }

    /// What else people should know of it: for instance, that the process was killed.
    fn story(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Reads a number of 64 bits.
pub(crate) fn read_u64(memory: &dyn Memory, address: u64) -> Result<u64, Unreadable> {
    let mut bytes = [0; 8];
    memory.read(address, &mut bytes)?;
    Ok(u64::from_ne_bytes(bytes))
}
