//! The table as text, in columns, as `ps` shows it: a line for each task and each of its awaiters.
//!
//! ```text
//!   thread  task    name    stack             awaiter stack     awaiter  awaiter id
//!   4711    0x5028  Task-7  timer -> app::nap group -> app::all main     0x2
//!   ^^^^^^^^        ........^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
//!   left                    right: mostly the same as in the line before, and then copied as a whole
//! ```
//!
//! First it is found out how wide each column is; then lines are written. Nothing is kept from one pass to the other: to make
//! cells twice costs less than to keep them.

use super::drawn::{Awaiter, Drawn, Name, Sketch};
use super::record::TaskName;
use super::shared_str::SharedStr;
use super::sheet::Sheet;
use super::write::{decimal_width, hex_width, push_hex};

const HEAD: [&str; 7] = ["thread", "task", "name", "stack", "awaiter stack", "awaiter", "awaiter id"];

/// How wide a column may be. A cell that is wider pushes the rest of its line aside, and no other.
const WIDEST: usize = 120;

/// Writes all lines.
pub(super) fn write(tasks: &impl Drawn, sheet: &mut impl Sheet) {
    let mut widths = HEAD.map(str::len);
    each_row(tasks, |row| {
        let widen = |(width, cell): (&mut usize, &Cell<'_>)| *width = cell.width().min(WIDEST).max(*width);
        let [thread, task, name, right @ ..] = &mut widths;
        [task, name].into_iter().zip(&[Cell::Hex(row.id), Cell::Name(row.name)]).for_each(widen);
        if let Rest::New { thread: cell, right: cells } = &row.rest {
            widen((thread, cell));
            right.iter_mut().zip(cells).for_each(widen);
        }
    });
    let [thread, task, name, right @ ..] = widths;
    let write_right = |text: &mut String, cells: &[Cell<'_>; 4]| {
        for (cell, width) in cells.iter().zip(right) {
            cell.push_to(text, width);
        }
        // The last cell has nothing to its right.
        text.truncate(text.trim_end().len());
    };
    let head = HEAD.map(|head| Cell::Text(head, head.len()));
    let [head_left @ .., _, _, _, _] = &head;
    for (cell, width) in head_left.iter().zip([thread, task, name]) {
        cell.push_to(sheet.line(), width);
    }
    write_right(sheet.line(), head.last_chunk().expect("there are seven"));
    sheet.end_line();
    let (mut left_text, mut right_text) = (String::new(), String::new());
    each_row(tasks, |row| {
        if let Rest::New { thread: cell, right: cells } = &row.rest {
            left_text.clear();
            cell.push_to(&mut left_text, thread);
            right_text.clear();
            write_right(&mut right_text, cells);
        }
        let line = sheet.line();
        line.push_str(&left_text);
        Cell::Hex(row.id).push_to(line, task);
        Cell::Name(row.name).push_to(line, name);
        line.push_str(&right_text);
        sheet.end_line();
    });
}

/// A line.
struct Row<'r> {
    id: u64,
    name: Name<'r>,
    rest: Rest<'r>,
}

/// What else is in a line.
enum Rest<'r> {
    /// The same as in the line before.
    Same,
    New {
        thread: Cell<'r>,
        /// Stack, stack of the awaiter, its name and its id.
        right: [Cell<'r>; 4],
    },
}

/// What is in one column of one line.
#[derive(Clone, Copy)]
enum Cell<'a> {
    Hex(u64),
    Name(Name<'a>),
    /// A text, and how many characters it has.
    Text(&'a str, usize),
}

impl Cell<'_> {
    fn width(&self) -> usize {
        match *self {
            Cell::Hex(number) => hex_width(number),
            Cell::Name(Name::Text(name)) => width(name),
            Cell::Name(Name::Recorded(TaskName::Given(name))) => width(name),
            Cell::Name(Name::Recorded(TaskName::Number(number))) => "Task-".len() + decimal_width(*number),
            Cell::Text(_, width) => width,
        }
    }

    /// With spaces up to the next column.
    fn push_to(&self, line: &mut String, column_width: usize) {
        /// So many spaces are copied at once.
        const SPACES: &str = "                                                                ";
        match *self {
            Cell::Hex(number) => push_hex(line, number),
            Cell::Name(name) => name.push_to(line),
            Cell::Text(text, _) => line.push_str(text),
        }
        let mut missing = column_width.saturating_sub(self.width()) + 2;
        while missing > 0 {
            let now = missing.min(SPACES.len());
            line.push_str(&SPACES[..now]);
            missing -= now;
        }
    }
}

fn each_row<'a, D: Drawn>(tasks: &'a D, mut take: impl FnMut(&Row<'_>)) {
    let mut frames: Vec<Sketch<'a>> = Vec::new();
    let mut names: Vec<&'a SharedStr> = Vec::new();
    let (mut stack, mut path) = (Chain::default(), Chain::default());
    // Of the line before: the thread, and who awaits the task, by which way.
    let (mut thread, mut awaiter): (Option<Thread>, Option<By<'a>>) = (None, None);
    for at in 0..tasks.len() {
        let task = tasks.task(at);
        if tasks.is_like_before(at) {
            take(&Row { id: task.id, name: task.name, rest: Rest::Same });
            continue;
        }
        names.clear();
        tasks.stack(at, |frame| names.push(frame.name));
        stack.update(&names);
        let thread = Thread::kept(&mut thread, task.thread).cell();
        let mut with = |[awaiter_stack, awaiter, awaiter_id]: [Cell<'_>; 3]| {
            let right = [stack.cell(), awaiter_stack, awaiter, awaiter_id];
            take(&Row { id: task.id, name: task.name, rest: Rest::New { thread, right } });
        };
        let awaits = tasks.await_count(at);
        for number in 0..awaits {
            let this = tasks.awaiter(at, number);
            if awaiter.as_ref().is_none_or(|by| by.awaiter != this) {
                frames.clear();
                tasks.path(at, number, &mut frames);
                names.clear();
                names.extend(frames.iter().map(|frame| frame.name));
                path.update(&names);
                awaiter = Some(By::of(tasks, this));
            }
            let by = awaiter.as_ref().expect("just found");
            with([path.cell(), by.name, Cell::Text(&by.id, by.id.len())]);
        }
        if awaits == 0 {
            with([Cell::Text("", 0), Cell::Text("", 0), Cell::Text("0x0", 3)]);
        }
    }
}

/// A thread's number, as text.
struct Thread {
    number: u64,
    text: String,
}

impl Thread {
    /// The one that is kept, if it is this one.
    fn kept(kept: &mut Option<Thread>, number: u64) -> &Thread {
        if kept.as_ref().is_some_and(|thread| thread.number != number) {
            *kept = None;
        }
        kept.get_or_insert_with(|| Thread { number, text: number.to_string() })
    }

    fn cell(&self) -> Cell<'_> {
        Cell::Text(&self.text, self.text.len())
    }
}

/// By whom a task is awaited.
struct By<'a> {
    awaiter: Awaiter,
    name: Cell<'a>,
    id: String,
}

impl<'a> By<'a> {
    fn of(tasks: &'a impl Drawn, awaiter: Awaiter) -> By<'a> {
        let name = tasks.find(awaiter.id).map_or(Name::Text("Unknown"), |at| tasks.task(at).name);
        By { awaiter, name: Cell::Name(name), id: format!("{:#x}", awaiter.id) }
    }
}

/// `task -> group -> app::main`: the names of frames. Most tasks have the same as the one before.
#[derive(Default)]
struct Chain<'a> {
    names: Vec<&'a SharedStr>,
    text: String,
    width: usize,
}

impl<'a> Chain<'a> {
    fn update(&mut self, names: &[&'a SharedStr]) {
        if names == self.names {
            return;
        }
        names.clone_into(&mut self.names);
        self.text = self.names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" -> ");
        self.width = width(&self.text);
    }

    fn cell(&self) -> Cell<'_> {
        Cell::Text(&self.text, self.width)
    }
}

fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}
