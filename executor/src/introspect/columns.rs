//! The table as text, in columns, as `ps` shows it: a line for each task and each of its awaiters.
//!
//! ```text
//!   first  how wide is each column?  ──► widths       nothing is kept from one pass to the other: cells are made anew,
//!   then   cell, spaces, cell, …     ──► line         most of them of what the line before has left
//! ```

use super::drawn::{Awaiter, Drawn, Name, Sketch};
use super::record::TaskName;
use super::shared_str::SharedStr;
use super::write::{decimal_width, hex_width, push_hex};

const HEAD: [&str; 7] = ["thread", "task", "name", "stack", "awaiter stack", "awaiter", "awaiter id"];

/// How wide a column may be. A cell that is wider pushes the rest of its line aside, and no other.
const WIDEST: usize = 120;

/// Makes the lines, each without its end.
pub(super) fn each_line(tasks: &impl Drawn, mut take: impl FnMut(&str)) {
    let mut widths = HEAD.map(str::len);
    each_row(tasks, |cells| {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = cell.width().min(WIDEST).max(*width);
        }
    });
    let mut line = String::new();
    for (head, width) in HEAD.iter().zip(widths) {
        Cell::Text(head, head.len()).push_to(&mut line, width);
    }
    take(line.trim_end());
    each_row(tasks, |cells| {
        line.clear();
        for (cell, width) in cells.iter().zip(widths) {
            cell.push_to(&mut line, width);
        }
        take(line.trim_end());
    });
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

fn each_row<'a, D: Drawn>(tasks: &'a D, mut take: impl FnMut(&[Cell<'_>; 7])) {
    let mut frames: Vec<Sketch<'a>> = Vec::new();
    let (mut stack, mut path) = (Chain::default(), Chain::default());
    // Of the line before: the thread, and who awaits the task, by which way.
    let (mut thread, mut awaiter): (Option<Thread>, Option<By<'a>>) = (None, None);
    for at in 0..tasks.len() {
        let task = tasks.task(at);
        let thread = Thread::kept(&mut thread, task.thread);
        frames.clear();
        tasks.stack(at, &mut frames);
        stack.update(&frames);
        let mut with = |[awaiter_stack, awaiter, awaiter_id]: [Cell<'_>; 3]| {
            let (id, name) = (Cell::Hex(task.id), Cell::Name(task.name));
            take(&[thread.cell(), id, name, stack.cell(), awaiter_stack, awaiter, awaiter_id]);
        };
        let awaits = tasks.await_count(at);
        for number in 0..awaits {
            let this = tasks.awaiter(at, number);
            if awaiter.as_ref().is_none_or(|by| by.awaiter != this) {
                frames.clear();
                tasks.path(at, number, &mut frames);
                path.update(&frames);
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
    fn update(&mut self, frames: &[Sketch<'a>]) {
        let names = frames.iter().map(|frame| frame.name);
        if names.clone().eq(self.names.iter().copied()) {
            return;
        }
        self.names.clear();
        self.names.extend(names);
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
