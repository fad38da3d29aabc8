//! Why a black box could not be made.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a black box could not be made. Its text says what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum BlackBoxError {
    /// Another runtime that is running, of this process or another, has its black box there.
    InUse(PathBuf),
    /// Something else is there, which is not overwritten.
    NotABlackBox(PathBuf),
    /// The file could not be made, or there is no room for it.
    File(PathBuf, io::Error),
    /// There are no black boxes on this system.
    Unsupported,
}

impl fmt::Display for BlackBoxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BlackBoxError::InUse(path) => write!(
                f,
                "another runtime has its black box at {}: each needs a file of its own (put the process's id, or a number, \
                 into its name)",
                path.display()
            ),
            BlackBoxError::NotABlackBox(path) => write!(
                f,
                "there is something at {} that is no black box, and is not overwritten: move it away, or choose another path",
                path.display()
            ),
            BlackBoxError::File(path, error) => {
                write!(f, "the black box {} could not be made: {error}", path.display())
            }
            BlackBoxError::Unsupported => f.write_str("there are black boxes on Linux only"),
        }
    }
}

impl std::error::Error for BlackBoxError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            BlackBoxError::File(_, error) => Some(error),
            _ => None,
        }
    }
}
