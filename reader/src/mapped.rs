//! Opening files that somebody else has named: one that a memory says is mapped from it, or a core file.
//!
//! ```text
//!   path ──► a regular file? ──► open, without waiting ──► still a regular file? ──► File
//! ```
//!
//! The path was chosen by whoever made the core file, or by a process that may have unlinked what it has mapped and put
//! something else in its place. To open a FIFO waits for a writer, and to open a device does something: neither is done.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Opens a regular file to be read. `None` if it is something else, or not there.
pub(crate) fn open(path: &Path) -> Option<File> {
    open_regular(path).ok().flatten()
}

/// Opens a regular file to be read. `None` if it is something else.
pub(crate) fn open_regular(path: &Path) -> io::Result<Option<File>> {
    if !fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    let file = open_at_once(path)?;
    // Between the two it may have been replaced.
    Ok(file.metadata()?.is_file().then_some(file))
}

#[cfg(unix)]
fn open_at_once(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    // (O_CLOEXEC, std sets by itself.)
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
    fs::OpenOptions::new().read(true).custom_flags(flags).open(path)
}

#[cfg(not(unix))]
fn open_at_once(path: &Path) -> io::Result<File> {
    File::open(path)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn a_fifo_in_the_place_of_a_mapped_file_is_not_waited_for() {
        let path = std::env::temp_dir().join(format!("homing-mapped-{} (deleted)", std::process::id()));
        let name = CString::new(path.as_os_str().as_bytes()).unwrap();
        // SAFETY: the name ends with a zero, and lives until the call has returned.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        let (fifo, at_once) = (open(&path), open_at_once(&path));
        fs::remove_file(&path).unwrap();
        assert!(fifo.is_none());
        assert!(
            at_once.is_ok(),
            "it was opened, without a writer: it must not wait even if it is a FIFO by then"
        );
    }

    #[test]
    fn devices_and_directories_are_no_mapped_files() {
        assert!(open(Path::new("/dev/null")).is_none());
        assert!(open(Path::new("/")).is_none());
        assert!(open(Path::new("/no/such/file")).is_none());
        assert!(open(&std::env::current_exe().unwrap()).is_some());
    }
}
