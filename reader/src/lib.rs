//! Reads the tasks of homing's runtimes out of another process's memory, a core file, or a black box.
//!
//! No code runs in that process: it is not stopped, has no port open, and has prepared nothing. It may be stuck in a poll
//! that does not return, stopped by a signal, or dead, and left as a core file or a [black box](BlackBoxFile).
//!
//! ```text
//!   Memory                 find              layout            block: rows, details   RuntimeRecord
//!   Process  (/proc/PID) ─┐  note, section,    fields by name,   each read twice:       of `introspect`: tree,
//!   CoreFile (a file)   ──┼► magic         ──► labels        ──► what has not settled   table, JSON, DOT come
//!   BlackBoxFile        ──┘ (a black box                         is read again          of the same code as in process
//!                            says where)
//! ```
//!
//! What is read may change meanwhile, or be anything at all, so nothing of it is believed: each length has a limit
//! ([`limits`]), each list an end, each offset is checked, and each record is taken only if two readings agree and its
//! sequence number is even. What does not settle is shown as changing.
//!
//! ```no_run
//! let mut reader = homing_reader::open("4711")?;
//! let table = reader.read()?.table();
//! println!("{table}");
//! # Ok::<(), homing_reader::Error>(())
//! ```
//!
//! The command `homing` (feature `cli` of the crate `homing`) is made of this.

pub mod limits;

mod ahead;
mod black_box;
mod block;
mod budget;
mod core_file;
mod details;
mod error;
mod find;
mod layout;
mod locks;
mod mapped;
mod memory;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod process;
mod reader;
mod room;
mod rows;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod spans;
mod texts;

pub use black_box::BlackBoxFile;
pub use core_file::CoreFile;
pub use error::{Error, Permission};
pub use memory::{Memory, Region, Unreadable};
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use process::Process;
pub use reader::{Busy, Left, Reader, Reading};

/// Opens a process, if `what` is a number, or else a core file or a black box, as the file says.
///
/// # Errors
///
/// What there is to say about it, and what to do: see [`Error`].
pub fn open(what: &str) -> Result<Reader, Error> {
    match what.parse::<u32>() {
        Ok(pid) => open_process(pid),
        Err(_) if BlackBoxFile::is_one(what.as_ref()) => {
            Reader::new(Box::new(BlackBoxFile::open(what.as_ref())?))
        }
        Err(_) => Reader::new(Box::new(CoreFile::open(what.as_ref())?)),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn open_process(pid: u32) -> Result<Reader, Error> {
    Reader::new(Box::new(Process::open(pid)?))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn open_process(_pid: u32) -> Result<Reader, Error> {
    Err(Error::Unsupported)
}
