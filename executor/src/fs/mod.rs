//! Files, on the threads for what blocks.
//!
//! The kernel has no readiness for a plain file: whoever reads it waits, be it for microseconds or, on a disk that sleeps, for
//! seconds. So each call is a [blocking job](crate::blocking), and each function gives the job's handle.
//!
//! ```text
//!   fs::read(path) ──► a job: std::fs::read ──► .await
//!   File           ──► one job at a time; what it has read and nobody has taken yet, it keeps
//! ```
//!
//! They are thin: what a function does, and what it fails with, is in the standard library's documentation of the one with the
//! same name. To the error is added which path it was about.
//!
//! A job begins when the function is called. Cancelled, the await waits until the operation has ended, so that what comes next
//! finds the files in a known state; and see [`spawn_blocking`] for what else can be chosen. Many small calls in a row are
//! faster in one job of your own: each of them crosses to another thread and back.
//!
//! | file          | what it answers                                     |
//! |---------------|-----------------------------------------------------|
//! | `file.rs`     | how is an open file read and written, piece by piece? |
//! | `read_dir.rs` | what is in a directory?                             |

mod file;
mod read_dir;

pub use file::File;
pub use read_dir::{DirEntry, ReadDir, read_dir};
pub use std::fs::{Metadata, OpenOptions, Permissions};

use crate::blocking::{Blocking, spawn_blocking};
use crate::error::Error;
use crate::sigpipe;
use std::io;
use std::path::{Path, PathBuf};

/// A job on a path.
#[track_caller]
fn job<T: Send + 'static>(
    doing: &'static str,
    path: impl AsRef<Path>,
    call: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> Blocking<T> {
    let path = path.as_ref().to_owned();
    spawn_blocking(move || call(&path).map_err(|error| noted(error, doing, &path)))
}

/// A job on two of them.
#[track_caller]
fn job_from_to<T: Send + 'static>(
    doing: &'static str,
    from: impl AsRef<Path>,
    to: impl AsRef<Path>,
    call: impl FnOnce(&Path, &Path) -> io::Result<T> + Send + 'static,
) -> Blocking<T> {
    let (from, to) = (from.as_ref().to_owned(), to.as_ref().to_owned());
    spawn_blocking(move || {
        let noted = |error| Error::from(error).with_note(format!("{doing} {from:?} to {to:?}"));
        call(&from, &to).map_err(noted)
    })
}

fn noted(error: io::Error, doing: &str, path: &Path) -> Error {
    Error::from(error).with_note(format!("{doing} {path:?}"))
}

macro_rules! calls {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $kind:ty),*) -> $gives:ty, $doing:literal;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        ///
        /// The operating system's, with the path; and those of [`spawn_blocking`].
        #[track_caller]
        pub fn $name(path: impl AsRef<Path> $(, $argument: $kind)*) -> Blocking<$gives> {
            job($doing, path, move |path| std::fs::$name(path $(, $argument)*))
        }
    )*};
}

calls! {
    /// All that is in a file.
    ///
    /// ```
    /// homing::run(async {
    ///     let text = homing::fs::read_to_string("Cargo.toml").await?;
    ///     assert_eq!(homing::fs::read("Cargo.toml").await?, text.as_bytes());
    ///     let error = homing::fs::read("no such file").await.unwrap_err();
    ///     assert!(error.notes().any(|note| note.contains("no such file")));
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    read() -> Vec<u8>, "reading";
    /// All that is in a file, as text.
    read_to_string() -> String, "reading";
    /// What is known of a path: of what it leads to, if it is a link.
    metadata() -> Metadata, "looking at";
    /// What is known of a path: of the link, if it is one.
    symlink_metadata() -> Metadata, "looking at";
    /// Sets who may do what with it.
    set_permissions(permissions: Permissions) -> (), "setting the permissions of";
    /// Where a path leads, in full.
    canonicalize() -> PathBuf, "finding";
    /// Where a link leads.
    read_link() -> PathBuf, "reading the link";
    /// Makes a directory.
    create_dir() -> (), "making the directory";
    /// Makes a directory, and those that it is in.
    create_dir_all() -> (), "making the directory";
    /// Removes a file.
    remove_file() -> (), "removing";
    /// Removes a directory that is empty.
    remove_dir() -> (), "removing the directory";
    /// Removes a directory with all that is in it.
    remove_dir_all() -> (), "removing the directory";
}

/// Writes a whole file, in place of what was there.
///
/// # Errors
///
/// As [`read`].
///
/// # Cancel safety
///
/// Cancelled, it has been written, or the operating system has refused, unless the job was still in line. To replace a file
/// so that nobody ever sees half of it, write another and [`rename`] it.
///
/// ```
/// homing::run(async {
///     let path = std::env::temp_dir().join(format!("homing-doc-{}", std::process::id()));
///     homing::fs::write(&path, "some text").await?;
///     assert_eq!(homing::fs::metadata(&path).await?.len(), 9);
///     homing::fs::remove_file(&path).await
/// })
/// # .unwrap();
/// ```
#[track_caller]
pub fn write(path: impl AsRef<Path>, bytes: impl AsRef<[u8]> + Send + 'static) -> Blocking<()> {
    job("writing", path, move |path| sigpipe::without(|| std::fs::write(path, bytes)))
}

/// Whether there is anything at this path.
///
/// # Errors
///
/// If that cannot be found out.
#[track_caller]
pub fn try_exists(path: impl AsRef<Path>) -> Blocking<bool> {
    job("looking for", path, |path| path.try_exists())
}

/// Copies a file, with its permissions. Gives the number of bytes.
///
/// # Errors
///
/// As [`read`].
#[track_caller]
pub fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Blocking<u64> {
    job_from_to("copying", from, to, |from, to| sigpipe::without(|| std::fs::copy(from, to)))
}

/// Renames a file or directory, in place of what may be there.
///
/// # Errors
///
/// As [`read`].
#[track_caller]
pub fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Blocking<()> {
    job_from_to("renaming", from, to, |from, to| std::fs::rename(from, to))
}

/// Gives a file another name as well.
///
/// # Errors
///
/// As [`read`].
#[track_caller]
pub fn hard_link(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Blocking<()> {
    job_from_to("linking", from, to, |from, to| std::fs::hard_link(from, to))
}

/// Makes `to` a link that leads to `from`.
///
/// # Errors
///
/// As [`read`].
#[cfg(unix)]
#[track_caller]
pub fn symlink(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Blocking<()> {
    job_from_to("linking", from, to, |from, to| std::os::unix::fs::symlink(from, to))
}
