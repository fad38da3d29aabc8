//! What can be in the way, and what to do about it.

use std::fmt;
use std::path::PathBuf;

/// Why tasks could not be read. Its text says what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// There is no such process.
    NoProcess(u32),
    /// What was read before cannot be read any more: the process has ended.
    Ended(String),
    /// It may not be looked into.
    Permission(Permission),
    /// There is no homing in it, or its header is not to be found.
    NoHoming(String),
    /// Another version of the format.
    Version {
        /// Which.
        version: u32,
        /// The version of the crate that it was built with, as far as it can be read.
        release: String,
    },
    /// The header contradicts itself: what is wrong with it.
    Corrupt(String),
    /// The file cannot be read.
    File(PathBuf, std::io::Error),
    /// The file is no core file that can be read here (and no black box either, which it would begin like).
    NotACore(PathBuf, String),
    /// The file is no black box that can be read here.
    NotABlackBox(PathBuf, String),
    /// The memory of other processes cannot be read on this system.
    Unsupported,
}

/// Why a process may not be looked into.
#[derive(Debug)]
pub struct Permission {
    pub(crate) pid: u32,
    /// Who it belongs to, and who asks, if those are not the same.
    pub(crate) owner: Option<(u32, u32)>,
    /// The setting `kernel.yama.ptrace_scope`, where the system has it.
    pub(crate) yama: Option<u32>,
}

impl Error {
    /// The exit status of a command that ends because of this: a different one for each kind.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::NoProcess(_) | Error::Ended(_) => 3,
            Error::Permission(_) => 4,
            Error::NoHoming(_) => 5,
            Error::Version { .. } => 6,
            Error::Corrupt(_) => 7,
            Error::File(..) => 8,
            Error::NotACore(..) | Error::NotABlackBox(..) => 9,
            Error::Unsupported => 10,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoProcess(pid) => write!(f, "there is no process {pid}, or it has just ended"),
            Error::Ended(what) => write!(f, "{what} has ended, or runs another program now"),
            Error::Permission(permission) => permission.fmt(f),
            Error::NoHoming(what) => write!(
                f,
                "there is no homing in {what}: no mapped file has its section, its note or its header. Is it the program \
                 itself, or a shell or a container around it? Was it built with homing 0.1 or newer?"
            ),
            Error::Version { version, release } => write!(
                f,
                "it was built with homing {release}, which describes its tasks in format {version}; this reads format {}. \
                 Use the command `homing` of that version: cargo install homing --features cli --version {release}",
                homing_executor::outside::VERSION
            ),
            Error::Corrupt(what) => write!(
                f,
                "its header contradicts itself ({what}): the memory is damaged, or this is no homing at all"
            ),
            Error::File(path, error) => write!(f, "{} cannot be read: {error}", path.display()),
            Error::NotACore(path, why) => write!(
                f,
                "{} is no core file that can be read here: {why}. `gcore PID` makes one, and so does the kernel, if \
                 `ulimit -c` allows it. Nor is it a black box of a runtime that was built with `Builder::black_box`",
                path.display()
            ),
            Error::NotABlackBox(path, why) => write!(
                f,
                "{} is no black box that can be read here: {why}. A runtime makes one that is built with \
                 `Builder::black_box`",
                path.display()
            ),
            Error::Unsupported => f.write_str("the memory of other processes can be read on Linux only"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::File(_, error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Permission { pid, owner, yama } = self;
        write!(f, "process {pid} may not be looked into: that takes the right to attach a debugger to it.")?;
        match owner {
            Some((owner, asker)) => {
                write!(
                    f,
                    " It belongs to user {owner}, and you are user {asker}: become that user, or use sudo."
                )?;
            }
            None => f.write_str(" It belongs to you, so something else forbids it.")?,
        }
        match yama {
            Some(1) => f.write_str(
                " kernel.yama.ptrace_scope is 1: only the ancestors of a process may look into it. Use sudo, or let the \
                 program allow it with prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY), or set it to 0 with sysctl.",
            ),
            Some(2) => f.write_str(" kernel.yama.ptrace_scope is 2: only the administrator may. Use sudo."),
            Some(3) => f.write_str(" kernel.yama.ptrace_scope is 3: nobody may until the next boot."),
            _ => f.write_str(
                " A program that has changed its user, or is not readable for you, needs sudo as well; in a container, \
                 CAP_SYS_PTRACE.",
            ),
        }
    }
}
