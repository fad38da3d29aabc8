//! [`Interrupted`]: the user pressed Ctrl-C.

use super::Cancelled;
use std::fmt;

/// The program was interrupted: its main task was cancelled by Ctrl-C, and ended for that reason.
///
/// # asyncio
/// `KeyboardInterrupt`, as `asyncio.run` raises it (RU-10).
#[derive(Clone, Debug, Default)]
pub struct Interrupted {
    cause: Option<Cancelled>,
}

impl Interrupted {
    /// With the cancellation that the main task ended with.
    pub fn new(cause: Option<Cancelled>) -> Self {
        Interrupted { cause }
    }

    /// The cancellation that the main task ended with.
    pub fn cause(&self) -> Option<&Cancelled> {
        self.cause.as_ref()
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}
