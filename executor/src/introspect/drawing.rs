//! Drawings of records, for which no table is made: when there are very many tasks, and they shall be seen at once.

use super::columns;
use super::cycles::CycleFound;
use super::picture::Picture;
use super::record::RuntimeRecord;
use super::sheet::Pieces;
use super::tree::{self, Marks};

/// Makes the text that the [table](super::TaskTable::of_records) of these records shows, and hands it out in pieces, each some
/// whole lines with their ends.
///
/// A hundred thousand tasks take a tenth of the time that it takes to make the table first.
///
/// ```
/// use homing::introspect::{RuntimeRecord, TaskRecord, TaskTable, draw_rows};
///
/// let tasks = vec![TaskRecord { id: 2, name: "nap".to_owned().into(), ..TaskRecord::default() }];
/// let runtimes = [RuntimeRecord { thread: 7, tasks, ..RuntimeRecord::default() }];
/// let mut text = String::new();
/// draw_rows(&runtimes, |lines| text.push_str(lines));
/// assert_eq!(text, TaskTable::of_records(&runtimes).to_string());
/// ```
pub fn draw_rows(runtimes: &[RuntimeRecord], take: impl FnMut(&str)) {
    let mut sheet = Pieces::new(take);
    columns::write(&Picture::of(runtimes), &mut sheet);
    sheet.finish();
}

/// Makes the lines of the [trees](super::TaskTable::tree) of these records, one tree after the other, and hands them out in
/// pieces, as [`draw_rows`] does.
///
/// # Errors
///
/// [`CycleFound`], if tasks await one another in a circle. Nothing is handed out then.
pub fn draw_tree(runtimes: &[RuntimeRecord], take: impl FnMut(&str)) -> Result<(), CycleFound> {
    let mut sheet = Pieces::new(take);
    tree::write(&Picture::of(runtimes), Marks::default(), &mut sheet)?;
    sheet.finish();
    Ok(())
}
