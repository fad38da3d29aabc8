//! How much is read at most, whatever the memory says.
//!
//! They are far beyond what a healthy program has, so what they cut off in one is told ([`Left`](crate::Left)).

/// Fields and labels of a header.
pub const DESCRIPTIONS: u32 = 1024;
/// The size of a structure.
pub const STRUCTURE: u32 = 65_536;
/// Rows in a page.
pub const PAGE_ROWS: u32 = 65_536;
/// Pages.
pub const PAGES: u64 = 65_536;
/// Homings in one process: its own, and those of libraries. What follows, all of them share.
pub const PARTS: usize = 64;
/// Bytes of pages, runtimes and types that are read in one reading (rows twice), and once more as many to read again what
/// has changed. There may be far more rows than tasks: those of tasks that have ended, and of callbacks.
pub const READS: usize = 2 << 30;
/// Tasks that have not ended.
pub const TASKS: usize = 2_000_000;
/// Bytes of their rows.
pub const ROWS: usize = 1 << 30;
/// Kinds of futures.
pub const TYPES: usize = 65_536;
/// Runtimes there are, or were.
pub const RUNTIMES: usize = 65_536;
/// Bytes of a text: a file's name, a type's.
pub const TEXT: usize = 4096;
/// Bytes of a name that was given to a task or a scope.
pub const NAME: usize = 256;
/// Scopes of one task.
pub const SCOPES: usize = 1024;
/// Leaves of one task.
pub const NODES: usize = 4096;
/// Tasks that one leaf awaits.
pub const AWAITED: usize = 1_000_000;
/// Bytes of names, scopes, leaves and lists in one reading.
pub const DETAILS: usize = 448 << 20;
/// Bytes of names of scopes, and of what is told of locks, in one reading.
pub const TOLD: usize = 64 << 20;
/// Bytes of texts and places that are remembered, to be read once, with what it takes to find them.
pub const TEXTS: usize = 128 << 20;
/// How often a record that changes is read before it is taken as it is.
pub const TRIES: u32 = 20;
/// Program headers of a core file.
pub const SEGMENTS: u32 = 65_536;
/// Bytes of all notes of a core file, and the mappings that they tell of. (Linux has 65,530 of a process, unless it is told
/// otherwise.)
pub const CORE_NOTES: usize = 16 << 20;
/// See above.
pub const MAPPINGS: usize = 65_536;
/// Bytes of the list of mappings of a process.
pub const MAPS: u64 = 64 << 20;
/// Bytes of the path of a mapped file, and of all of them.
pub const PATH: usize = 4096;
/// See above.
pub const PATHS: usize = 64 << 20;
/// Mapped files that are held open.
pub const FILES: usize = 512;
/// Mapped files in which a header is looked for, and program headers of one.
pub const IMAGES: usize = 4096;
/// See above.
pub const IMAGE_SEGMENTS: u32 = 1024;
/// Bytes of one group of notes of a mapped file, of those of all files, and the sections of all files.
pub const NOTES: usize = 64 << 10;
/// See above.
pub const NOTES_IN_ALL: usize = 64 << 20;
/// See above.
pub const SECTIONS: usize = 65_536;
/// Places where a header may be.
pub const CANDIDATES: usize = 4096;
