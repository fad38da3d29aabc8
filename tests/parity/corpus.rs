//! A corpus of scenarios: one JSON object a line, gzipped or not.

use serde_json::Value;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// Reads all scenarios of a file.
pub(crate) fn read(path: &Path) -> io::Result<Vec<Value>> {
    let bytes = fs::read(path)?;
    let content: Box<dyn Read> = if bytes.starts_with(&[0x1f, 0x8b]) {
        Box::new(flate2::read::MultiGzDecoder::new(&bytes[..]))
    } else {
        Box::new(&bytes[..])
    };
    let lines =
        BufReader::new(content).lines().filter(|line| !matches!(line, Ok(line) if line.trim().is_empty()));
    lines.map(|line| serde_json::from_str(&line?).map_err(io::Error::from)).collect()
}
