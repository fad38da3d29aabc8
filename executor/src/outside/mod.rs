//! What another process, or whoever has a core file, finds the tasks by.
//!
//! A process that hangs cannot be asked. But its memory can be read, and all that there is to know about its tasks lies there
//! as plain numbers: rows never move, and are never freed. What is missing is where, and in which layout, and that is what
//! the header tells. It is made when the program is compiled, so that it costs the program nothing:
//!
//! ```text
//!   found by                        header                      leads to
//!   section `.homing`       ──┐     version, its own address    pages ──► rows ──► extras: name, scopes, nodes
//!   note `homing`           ──┼──►  fields: row.state  48  1    types ──► names of the futures' types
//!   magic, in what is       ──┘     labels: await 2 = timer     runtimes: threads, clocks
//!   mapped and writable             layout of `Location`
//! ```
//!
//! The header describes itself: a reader looks fields up by their names ([`Field`]), and learns from [`Label`]s what the
//! numbers in them mean. So rows may change from version to version; [`VERSION`] only changes when what is written here does
//! not hold any more. The reader is the crate `homing-reader`, and the command `homing` is made of it.
//!
//! It must never trust what it reads, which may change while it does, or be anything at all. Some rules on this side make
//! that possible:
//!
//! * A row's state is the last thing that is set when a task is made, and nothing else counts while it is `free`.
//! * What a row awaits is written between two increments of a sequence number.
//! * The lowest bit of `row.parent` says that the parent waits for the task from its spawn to its end, in the scope
//!   `row.group`.
//! * Lists (of scopes, of nodes) publish where they begin and how long they are (`Published`).

pub mod file;
mod format;
mod header;
mod location;
pub(crate) mod published;
mod thread;

pub use format::{
    Address, Field, Fixed, Label, LabelKind, LocationLayout, MAGIC, Meaning, NOTE_NAME, SECTION, VERSION,
};
pub(crate) use header::announce;
#[cfg(all(target_os = "linux", not(homing_portable)))]
pub(crate) use header::{Header, Tables};
#[cfg(all(target_os = "linux", not(homing_portable)))]
pub(crate) use location::here as specimen;
pub(crate) use thread::thread_id;

/// This process's header, for tools that look at their own process.
pub fn header_address() -> usize {
    header::address()
}
