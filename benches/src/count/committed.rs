//! The committed counts: a table in the tree, and the check against it.
//!
//! The table is of one compiler and one kind of processor, named in it. Another compiler may well count
//! differently; then whoever updates it updates the table.

use super::instructions_of;
use super::operations::{OPERATIONS, Operation};
use std::env;
use std::fmt::Write;
use std::io;
use std::path::Path;

/// How much a count may grow.
pub const MAY_GROW: f64 = 0.05;

const FEWER: u32 = 200;
const MORE: u32 = 2_200;

/// A line of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Count {
    /// The operation's name.
    pub name: String,
    /// Instructions each time.
    pub each: f64,
}

/// Counts all operations.
///
/// # Errors
///
/// If valgrind does not run.
pub fn count_all() -> io::Result<Vec<Count>> {
    count_all_of(&env::current_exe()?)
}

/// The same in another build of this program.
///
/// # Errors
///
/// If valgrind does not run, or the program is none.
pub fn count_all_of(program: &Path) -> io::Result<Vec<Count>> {
    OPERATIONS.iter().map(|operation| count(program, operation)).collect()
}

fn count(program: &Path, operation: &Operation) -> io::Result<Count> {
    let of = |times: u32| instructions_of(program, &["operation", operation.name, &times.to_string()]);
    let each = (of(MORE)? - of(FEWER)?) / f64::from(MORE - FEWER);
    Ok(Count { name: operation.name.to_owned(), each })
}

/// The table as it is committed.
pub fn table(counts: &[Count], compiler: &str) -> String {
    let mut table = format!(
        "# Instructions each time, counted by valgrind on {} with {compiler}.\n\
         # Made by: cargo run --release -p homing-benches --features report -- count --commit\n",
        std::env::consts::ARCH
    );
    for count in counts {
        writeln!(table, "{}\t{:.0}", count.name, count.each).expect("a string takes all");
    }
    table
}

/// Reads the table.
///
/// # Errors
///
/// If a line is not a name, a tab and a number: that line.
pub fn parse(table: &str) -> Result<Vec<Count>, String> {
    let lines = table.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let (name, each) = line.split_once('\t').ok_or(line)?;
            Ok(Count { name: name.to_owned(), each: each.parse().map_err(|_| line)? })
        })
        .collect()
}

/// Whether the table is of this kind of processor.
pub fn is_of_this_processor(table: &str) -> bool {
    table.lines().next().is_some_and(|first| first.contains(&format!(" on {} ", std::env::consts::ARCH)))
}

/// What has grown by more than it may, or has not been committed: a line each.
pub fn complaints(committed: &[Count], counted: &[Count]) -> Vec<String> {
    let complaint = |now: &Count| match committed.iter().find(|before| before.name == now.name) {
        None => Some(format!("{}: {:.0} instructions, and none are committed", now.name, now.each)),
        Some(before) if now.each > before.each * (1.0 + MAY_GROW) => Some(format!(
            "{}: {:.0} instructions, {:.0} are committed: {:+.1} %",
            now.name,
            now.each,
            before.each,
            (now.each / before.each - 1.0) * 100.0
        )),
        Some(_) => None,
    };
    counted.iter().filter_map(complaint).collect()
}

/// Where the table is, in the source tree.
pub fn path() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/counts.tsv"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(counts: &[(&str, f64)]) -> Vec<Count> {
        counts.iter().map(|&(name, each)| Count { name: name.to_owned(), each }).collect()
    }

    #[test]
    fn what_grows_by_more_than_a_twentieth_is_complained_of() {
        let committed = counts(&[("spawn", 200.0), ("wake", 100.0)]);
        assert_eq!(
            complaints(&committed, &counts(&[("spawn", 209.0), ("wake", 80.0)])),
            Vec::<String>::new()
        );
        assert_eq!(
            complaints(&committed, &counts(&[("spawn", 211.0), ("wake", 100.0)])),
            ["spawn: 211 instructions, 200 are committed: +5.5 %"]
        );
    }

    #[test]
    fn what_is_not_committed_is_complained_of() {
        assert_eq!(
            complaints(&[], &counts(&[("spawn", 9.0)])),
            ["spawn: 9 instructions, and none are committed"]
        );
    }

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let some = counts(&[("spawn", 200.0), ("timer-fire", 314.0)]);
        let written = table(&some, "rustc 1.0.0");
        assert_eq!(parse(&written).unwrap(), some);
        assert!(is_of_this_processor(&written));
    }

    #[test]
    fn the_committed_table_has_every_operation_and_no_other() {
        let committed = parse(&std::fs::read_to_string(path()).unwrap()).unwrap();
        let names: Vec<&str> = committed.iter().map(|count| count.name.as_str()).collect();
        assert_eq!(names, OPERATIONS.iter().map(|operation| operation.name).collect::<Vec<_>>());
    }
}
