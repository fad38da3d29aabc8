//! Drawings of records, for which no table is made: when there are very many tasks, and they shall be seen at once.

use super::columns;
use super::cycles::CycleFound;
use super::picture::Picture;
use super::record::RuntimeRecord;
use super::tree::{self, Marks};

/// Makes the lines that the [table](super::TaskTable::of_records) of these records shows, each without its end.
///
/// A hundred thousand tasks take a tenth of the time that it takes to make the table first.
///
/// ```
/// use homing::introspect::{RuntimeRecord, TaskRecord, TaskTable, draw_rows};
///
/// let tasks = vec![TaskRecord { id: 2, name: "nap".to_owned().into(), ..TaskRecord::default() }];
/// let runtimes = [RuntimeRecord { thread: 7, tasks, ..RuntimeRecord::default() }];
/// let mut text = String::new();
/// draw_rows(&runtimes, |line| text += &format!("{line}\n"));
/// assert_eq!(text, TaskTable::of_records(&runtimes).to_string());
/// ```
pub fn draw_rows(runtimes: &[RuntimeRecord], take: impl FnMut(&str)) {
    columns::each_line(&Picture::of(runtimes), take);
}

/// Makes the lines of the [trees](super::TaskTable::tree) of these records, one tree after the other.
///
/// # Errors
///
/// [`CycleFound`], if tasks await one another in a circle. No line is made then.
pub fn draw_tree(runtimes: &[RuntimeRecord], mut take: impl FnMut(&str)) -> Result<(), CycleFound> {
    tree::each_line(&Picture::of(runtimes), Marks::default(), |_, line| take(line))
}
