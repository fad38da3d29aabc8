//! What it costs to be seen: the elementary operations with the records that rows keep for who looks at them, and without.
//!
//! Two builds of this program count, the usual one and one with `--cfg homing_unrecorded`, in which spawns and awaits write
//! no more than the runtime itself needs (`executor/src/task/record.rs`).

use super::committed::Count;
use std::fmt::Write;

/// What each operation takes in both, and the difference.
pub fn table(with: &[Count], without: &[Count]) -> String {
    let mut table = String::from("| | with | without | |\n|---|---:|---:|---:|\n");
    for count in with {
        let Some(bare) = without.iter().find(|bare| bare.name == count.name) else { continue };
        let (name, with, without) = (&count.name, count.each, bare.each);
        writeln!(table, "| {name} | {with:.0} | {without:.0} | {:+.0} |", with - without)
            .expect("a string takes all");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_is_what_the_records_take() {
        let count = |each| vec![Count { name: "spawn".to_owned(), each }];
        let table = table(&count(294.0), &count(280.0));
        assert!(table.ends_with("| spawn | 294 | 280 | +14 |\n"), "{table}");
    }
}
