//! The table: all tasks, as plain data, whoever has collected it.
//!
//! ```text
//!   this process's rows ──┐                   ┌──► tree    who waits for whom
//!                         ├──►  TaskTable  ───┼──► rows    a line for each task and awaiter
//!   another process's ────┘                   └──► JSON, DOT
//! ```
//!
//! What is made of it are functions of the data alone, so that they work on what was read out of another process, or a core
//! file, as they do on one's own tasks.

use super::columns;
use super::drawn::Entries;
use super::frame::{Frame, Place, TaskState};
use super::ids::IdMap;
use super::shared_str::SharedStr;
use super::sheet::Pieces;
use std::fmt;
use std::sync::Arc;

/// All tasks of a process, or of a runtime: see [`capture_tasks`](super::capture_tasks).
///
/// Its [`Display`](fmt::Display) is the [rows](TaskTable::rows) in columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskTable {
    /// A runtime each.
    pub threads: Vec<ThreadTasks>,
}

/// The tasks of one thread's runtime.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThreadTasks {
    /// The operating system's number for the thread, if it has one.
    pub thread: u64,
    /// The thread's name; empty if it has none, or it is not known.
    pub name: String,
    /// Its tasks, in the order of their places in the runtime's tables.
    pub tasks: Vec<TaskEntry>,
}

/// One task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskEntry {
    /// Its id: unique in the process.
    pub id: u64,
    /// Its name, if it is known.
    pub name: Option<String>,
    /// What it is doing.
    pub state: TaskState,
    /// The name of its future's type, without what the compiler adds; empty if it is not known.
    pub type_name: SharedStr,
    /// Where it was spawned.
    pub spawned_at: Option<Place>,
    /// How often it was polled (from four billion on it begins anew).
    pub polls: u32,
    /// How many requests to cancel there are that were not taken back.
    pub cancelling: u32,
    /// The task that has spawned it, or in whose group it is; 0 if there is none, or it is not known.
    pub parent: u64,
    /// It has changed each time that it was read, from outside: what is said of it may not belong together.
    pub changing: bool,
    /// Where it stands, the innermost first.
    pub stack: Vec<Frame>,
    /// Who awaits it.
    pub awaited_by: Vec<AwaitedBy>,
}

/// A task that awaits another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AwaitedBy {
    /// Its id.
    pub awaiter: u64,
    /// The part of its stack that leads to the await, the innermost first. Children of one group have the same.
    pub stack: Arc<[Frame]>,
    /// It does not take this task: what is awaited is in the hands of several, and any of them may give it back. So with
    /// permits of a semaphore.
    pub one_of_several: bool,
}

/// A line of the table: a task and one of those who await it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableRow {
    /// The thread.
    pub thread: u64,
    /// The task's id, in hexadecimal.
    pub task_id: String,
    /// Its name; `None` if that is not known.
    pub task_name: String,
    /// The names of its frames, the innermost first, joined by arrows.
    pub stack: String,
    /// The same of the awaiter, as far as they lead to the await. Empty if nobody awaits it.
    pub awaiter_stack: String,
    /// The awaiter's name: `Unknown` if the table does not have it, empty if nobody awaits the task.
    pub awaiter_name: String,
    /// The awaiter's id, in hexadecimal: `0x0` if nobody awaits the task.
    pub awaiter_id: String,
}

impl TaskTable {
    /// All tasks, whatever their thread.
    pub fn tasks(&self) -> impl Iterator<Item = &TaskEntry> {
        self.threads.iter().flat_map(|thread| &thread.tasks)
    }

    /// A line for each task and each of its awaiters; tasks that nobody awaits have one as well.
    ///
    /// # asyncio
    ///
    /// `asyncio.tools.build_task_table`, which `python -m asyncio ps` prints (CG-12).
    pub fn rows(&self) -> Vec<TableRow> {
        let names: IdMap<&str> = self.tasks().map(|task| (task.id, task.shown_name())).collect();
        let mut rows = Vec::new();
        for thread in &self.threads {
            for task in &thread.tasks {
                let row = TableRow {
                    thread: thread.thread,
                    task_id: format!("{:#x}", task.id),
                    task_name: task.shown_name().to_owned(),
                    stack: chain(&task.stack),
                    awaiter_id: "0x0".to_owned(),
                    ..TableRow::default()
                };
                if task.awaited_by.is_empty() {
                    rows.push(row);
                    continue;
                }
                rows.extend(task.awaited_by.iter().map(|by| TableRow {
                    awaiter_stack: chain(&by.stack),
                    awaiter_name: names.get(&by.awaiter).copied().unwrap_or("Unknown").to_owned(),
                    awaiter_id: format!("{:#x}", by.awaiter),
                    ..row.clone()
                }));
            }
        }
        rows
    }
}

impl TaskEntry {
    /// How often it was woken, as far as each wake had a poll of its own; those that found it in line already are not
    /// counted, nor is the first turn, which it has from its spawn.
    ///
    /// Nothing is counted for this: each poll but the first comes of one such wake, and a task that is in line has had one
    /// more.
    ///
    /// ```
    /// use homing::{introspect, yield_now};
    ///
    /// homing::run(async {
    ///     for _ in 0..3 {
    ///         yield_now().await?; // It wakes itself.
    ///     }
    ///     let table = introspect::capture_tasks();
    ///     assert_eq!(table.tasks().next().unwrap().wakes(), 3);
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn wakes(&self) -> u32 {
        match self.state {
            // Its spawn has put it in line.
            TaskState::Ready if self.polls == 0 => 0,
            TaskState::Ready => self.polls,
            _ => self.polls.saturating_sub(1),
        }
    }

    /// The name to show.
    pub(super) fn shown_name(&self) -> &str {
        self.name.as_deref().unwrap_or("None")
    }
}

/// `task -> group -> app::main`: names only.
fn chain(stack: &[Frame]) -> String {
    stack.iter().map(|frame| frame.name.as_str()).collect::<Vec<_>>().join(" -> ")
}

impl fmt::Display for TaskTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut done = Ok(());
        let mut sheet = Pieces::new(|lines: &str| done = done.and_then(|()| f.write_str(lines)));
        columns::write(&Entries::of(self), &mut sheet);
        sheet.finish();
        done
    }
}
