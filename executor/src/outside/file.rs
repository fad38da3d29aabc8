//! The format of a black box: a file that holds what a reader would find in the process's memory, at the same addresses.
//!
//! ```text
//!   0        FileHeader     magic, version, whose it is, when it began and ended, where the header of the tasks is
//!   4,096    Segment, …     addresses from 0x7f12_3450_0000, 262,144 bytes of them, are in the file from 0 on
//!   16,384   contents       what the segments say: pages of rows, extras, names; the program's constants
//! ```
//!
//! So it is read as a core file is. Numbers are in the byte order of the machine, and addresses have 64 bits.

use std::sync::atomic::{AtomicU32, AtomicU64};

/// The first bytes of each black box.
pub const FILE_MAGIC: [u8; 16] = *b"\x7fhoming\xe2\x86\xa9boxed\n";

/// What is there meanwhile: a file that begins so was never finished, and tells of nothing.
pub const UNFINISHED_MAGIC: [u8; 16] = *b"\x7fhoming\xe2\x86\xa9begun\n";

/// The version of this format: that of the header in it.
pub const FILE_VERSION: u32 = super::VERSION;

/// What [`FileHeader::byte_order`] says on the machine that wrote it.
pub const BYTE_ORDER: u32 = 0x0102_0304;

/// Where the segments are listed.
pub const SEGMENTS_AT: usize = 4096;

/// Where the contents begin.
pub const CONTENTS_AT: usize = 16_384;

/// The most segments that a file has.
pub const SEGMENT_LIMIT: usize = (CONTENTS_AT - SEGMENTS_AT) / size_of::<Segment>();

/// The beginning of a black box.
#[derive(Debug)]
#[repr(C)]
pub struct FileHeader {
    /// [`FILE_MAGIC`], which is written when all else is there.
    pub magic: [u8; 16],
    /// [`FILE_VERSION`].
    pub version: u32,
    /// [`BYTE_ORDER`].
    pub byte_order: u32,
    /// The crate's version, as text, with zeros after it.
    pub release: [u8; 16],
    /// The address of the header of the tasks ([`Fixed`](super::Fixed)).
    pub header: u64,
    /// The process.
    pub process: u64,
    /// The thread of the runtime.
    pub thread: u64,
    /// When the runtime was built, in seconds since 1970.
    pub began: u64,
    /// When it ended in an orderly way, the same; 0 if it has not.
    pub ended: AtomicU64,
    /// How often there was no room: what was to come in stayed outside.
    pub refused: AtomicU64,
    /// The thread's name, with zeros after it.
    pub thread_name: [u8; 16],
    /// The program's path, or its beginning, with zeros after it.
    pub program: [u8; 256],
    /// How many [`Segment`]s there are. Each is complete before it is counted.
    pub segment_count: AtomicU32,
}

/// A range of addresses, and where its contents are. They do not overlap.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Segment {
    /// Its first address.
    pub start: u64,
    /// How many bytes it has.
    pub length: u64,
    /// Where in the file they are.
    pub offset: u64,
}

const _: () = assert!(size_of::<FileHeader>() <= SEGMENTS_AT);
