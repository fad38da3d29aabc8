//! A corpus of scenarios: gzip, one JSON object a line.

use serde_json::Value;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

/// Reads all scenarios of a file.
pub fn read(path: &Path) -> io::Result<Vec<Value>> {
    let lines = BufReader::new(flate2::read::MultiGzDecoder::new(File::open(path)?)).lines();
    lines.map(|line| serde_json::from_str(&line?).map_err(io::Error::from)).collect()
}
