//! The black box: a table of tasks that is still there when the process is not.
//!
//! A process that is killed takes its memory with it, and what it was waiting for is never known. A runtime that was built
//! with [`Builder::black_box`](crate::runtime::Builder::black_box) has the part of its memory that readers look at in a
//! mapped file: the kernel keeps that, whatever becomes of the process.
//!
//! ```text
//!   file      what it looks like on the disk; whose it is; how it grows      Segment: address ──► place in the file
//!   arena     memory in it, for whatever belongs to a row or to the core     row ── near ──► extras ── near ──► lists, names
//!   images    copies of the program's constants: places, names of files
//!   contents  a header as every process has one, and what it leads to
//!   near      how the rest of the crate asks for memory: "beside this row"
//! ```
//!
//! Nothing is written twice: rows *are* in the file, and a poll changes them there. So other runtimes pay nothing for this
//! but a look, where memory for extras is taken or given back, whether their thread has an arena at all.
//!
//! At the runtime's end, pages of rows must stay, since wakers may be left. They are then replaced by memory with the same
//! contents at the same addresses, and the file is let go.

mod error;
mod near;

#[cfg(all(target_os = "linux", not(homing_portable)))]
mod arena;
#[cfg(all(target_os = "linux", not(homing_portable)))]
mod contents;
#[cfg(all(target_os = "linux", not(homing_portable)))]
mod file;
#[cfg(all(target_os = "linux", not(homing_portable)))]
mod images;
#[cfg(all(target_os = "linux", not(homing_portable)))]
mod memory;

#[cfg(any(not(target_os = "linux"), homing_portable))]
#[path = "unsupported.rs"]
mod arena;

pub(crate) use arena::{Arena, BlackBox, arena_of, free};
pub use error::BlackBoxError;
pub(crate) use near::{Near, NearVec, Told};
