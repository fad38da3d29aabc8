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
pub const DETAILS: usize = 512 << 20;
/// Texts that are remembered, to be read once.
pub const TEXTS: usize = 1 << 20;
/// How often a record that changes is read before it is taken as it is.
pub const TRIES: u32 = 20;
/// Program headers of a file, and bytes of its notes.
pub const SEGMENTS: u32 = 65_536;
/// See above.
pub const NOTES: usize = 64 << 10;
