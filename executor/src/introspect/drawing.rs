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

#[cfg(test)]
mod tests {
    use super::super::{Few, ScopeRecord, TaskRecord, TaskState, TaskTable, WaitRecord, What};
    use super::*;

    fn wait(name: &str, what: What, scope: u32) -> Few<WaitRecord> {
        [WaitRecord { name: name.into(), what, scope, place: None }].into_iter().collect()
    }

    fn scope(kind: &str) -> ScopeRecord {
        ScopeRecord { id: 1, kind: kind.into(), ..ScopeRecord::default() }
    }

    /// Twins, of which each pair differs from the one before in one thing only.
    fn twins() -> Vec<RuntimeRecord> {
        let first = TaskRecord {
            state: TaskState::Parked,
            type_name: "app::nap".into(),
            parent: 2,
            group: Some(1),
            waits: wait("timer", What::Deadline(u64::MAX), 0),
            ..TaskRecord::default()
        };
        let steps: [fn(&mut TaskRecord); 13] = [
            |_| {},
            |task| task.type_name = "app::fetch".into(),
            |task| task.waits = wait("event", What::Thing(7), 0),
            |task| task.scopes = vec![scope("timeout")],
            |task| task.waits = wait("event", What::Thing(7), 1),
            |task| task.scopes = vec![scope("group")],
            |task| task.scopes[0].was_passed_by = true,
            |task| task.more = 3,
            |task| task.group = Some(2),
            |task| task.parent = 3,
            |task| task.parent = 99,
            |task| task.group = None,
            |task| (task.waits, task.more) = (Few::default(), 0),
        ];
        let parent = |id: u64| TaskRecord {
            id,
            group: None,
            scopes: vec![scope("group"), ScopeRecord { id: 2, ..scope("timeout") }],
            ..first.clone()
        };
        let mut tasks = vec![parent(2), parent(3)];
        let mut task = first.clone();
        for step in steps {
            step(&mut task);
            for _ in 0..2 {
                task.id = 10 + tasks.len() as u64;
                task.name = format!("number {}", task.id).into();
                tasks.push(task.clone());
            }
        }
        // The first of these is awaited by the last, beside its group.
        let waits = wait("task", What::Task(12), 0);
        tasks.extend([40, 41].map(|id| TaskRecord { id, waits: waits.clone(), ..first.clone() }));
        // Like the last one, in another runtime.
        let alike = TaskRecord { id: 50, ..tasks[tasks.len() - 1].clone() };
        let other = RuntimeRecord { thread: 8, tasks: vec![alike], ..RuntimeRecord::default() };
        vec![RuntimeRecord { thread: 7, tasks, ..RuntimeRecord::default() }, other]
    }

    #[test]
    fn what_is_like_the_line_before_in_all_but_one_thing_is_drawn_as_it_is() {
        let runtimes = twins();
        let mut text = String::new();
        draw_rows(&runtimes, |lines| text.push_str(lines));
        assert_eq!(text, TaskTable::of_records(&runtimes).to_string());
        let different: std::collections::HashSet<&str> =
            text.lines().filter_map(|line| line.split_once("number ")).map(|(_, rest)| &rest[2..]).collect();
        assert!(different.len() > 8, "{text}");
        let mut tree = String::new();
        draw_tree(&runtimes, |lines| tree.push_str(lines)).unwrap();
        assert_eq!(
            tree.lines().collect::<Vec<_>>(),
            TaskTable::of_records(&runtimes).tree().unwrap().concat()
        );
    }
}
