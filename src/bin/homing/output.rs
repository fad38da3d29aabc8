//! The standard output, written to in pieces that are large, and no larger than a cache.

use std::io::{self, Write};

/// From so many bytes on, what has been collected is written.
const PIECE: usize = 64 << 10;

/// What is printed. An error is kept, and told at the end: those who draw need not look after it.
#[derive(Debug, Default)]
pub(crate) struct Output {
    collected: String,
    failed: Option<io::Error>,
}

impl Output {
    pub(crate) fn text(&mut self, text: &str) {
        self.collected.push_str(text);
        if self.collected.len() >= PIECE {
            self.write();
        }
    }

    pub(crate) fn line(&mut self, line: &str) {
        self.collected.push_str(line);
        self.text("\n");
    }

    /// Writes what is left.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.write();
        self.failed.map_or(Ok(()), Err)
    }

    fn write(&mut self) {
        if self.failed.is_none() {
            let mut output = io::stdout().lock();
            self.failed = output.write_all(self.collected.as_bytes()).and_then(|()| output.flush()).err();
        }
        self.collected.clear();
    }
}
