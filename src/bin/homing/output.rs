//! The standard output, as those who draw see it: they hand over text, and need not look after errors.

use std::io::{self, Write};

/// What is printed. An error is kept, and told at the end.
#[derive(Debug, Default)]
pub(crate) struct Output {
    failed: Option<io::Error>,
}

impl Output {
    /// Writes it at once, and as a whole: so it should be much.
    pub(crate) fn text(&mut self, text: &str) {
        if self.failed.is_none() {
            self.failed = io::stdout().lock().write_all(text.as_bytes()).err();
        }
    }

    /// Says whether all could be written.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        if self.failed.is_none() {
            self.failed = io::stdout().lock().flush().err();
        }
        self.failed.map_or(Ok(()), Err)
    }
}
