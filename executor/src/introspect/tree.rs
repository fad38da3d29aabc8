//! The tree of all tasks: below each the awaits it stands at, below them the tasks that it awaits there.
//!
//! ```text
//! └── (T) main
//!     └──  app::main src/main.rs:8:5
//!         └──  group 'pages' src/main.rs:9:5
//!             ├── (T) user
//!             │   └──  app::fetch src/main.rs:10:9
//!             │       └──  timer due in 2s src/main.rs:3:10
//!             └── (T) orders
//!                 …
//! ```
//!
//! Awaits of the same kind in the same place are one branch. A task that several others await stands below each of them;
//! what is below it, only the first time (CG-10).
//!
//! A task that awaits no other has but its own frames below it, so only those that do are nodes with children:
//!
//! ```text
//!   awaiter ──► frames that lead to its awaits ──► the tasks that it awaits there     Node, children
//!   any other ──► its frames, one below the other                                     drawn as they are
//! ```

use super::cycles::{self, CycleFound, Which};
use super::drawn::{Awaiter, Drawn, Entries, Sketch};
use super::frame::Place;
use super::ids::IdMap;
use super::sheet::{Sheet, Trees};
use super::table::TaskTable;
use super::write::{push_decimal, push_hex, push_place};
use std::collections::HashMap;

/// What stands before a task's name, and before a frame, in a [tree](TaskTable::tree).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks<'a> {
    /// Before a task's name.
    pub task: &'a str,
    /// Before a frame.
    pub frame: &'a str,
}

impl Default for Marks<'_> {
    fn default() -> Self {
        Marks { task: "(T)", frame: "" }
    }
}

impl TaskTable {
    /// The trees of tasks, one for each that nobody awaits, as lines of text.
    ///
    /// # Errors
    ///
    /// [`CycleFound`], if tasks await one another in a circle.
    ///
    /// # asyncio
    ///
    /// `asyncio.tools.build_async_tree`, which `python -m asyncio pstree` prints (CG-11), except that what is below a task is
    /// drawn once.
    pub fn tree(&self) -> Result<Vec<Vec<String>>, CycleFound> {
        self.tree_with(Marks::default())
    }

    /// The same, with other marks.
    ///
    /// # Errors
    ///
    /// As [`tree`](TaskTable::tree).
    pub fn tree_with(&self, marks: Marks<'_>) -> Result<Vec<Vec<String>>, CycleFound> {
        let mut sheet = Trees::default();
        write(&Entries::of(self), marks, &mut sheet)?;
        Ok(sheet.trees)
    }
}

/// Writes all trees, one after the other; nothing, if there is a circle.
pub(super) fn write(tasks: &impl Drawn, marks: Marks<'_>, sheet: &mut impl Sheet) -> Result<(), CycleFound> {
    let which = cycles::to_follow(tasks)?;
    let forest = Forest::of(tasks, which);
    let drawn = vec![false; tasks.len()];
    let mut pen = Pen { tasks, marks, forest: &forest, drawn, places: LastPlaces::default(), sheet };
    for root in forest.roots(tasks, which) {
        pen.sheet.begin_tree();
        pen.draw(root);
    }
    Ok(())
}

/// What has a line of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Item {
    /// A task, by its place.
    Task(u32),
    /// A frame, or a task that is not there, by its node.
    Node(u32),
}

/// What lies below which task.
struct Forest {
    /// Of tasks that await others, and of the frames by which they do.
    nodes: Vec<Node>,
    /// Where among those a task is; [`NOWHERE`] for one that awaits no other.
    of_tasks: Vec<u32>,
}

const NOWHERE: u32 = u32::MAX;

struct Node {
    label: Label,
    children: Vec<Item>,
    /// The task that was put below it last.
    newest: u32,
}

enum Label {
    /// One that is there.
    Task,
    /// One that is not, by its id. It is a root of its own, so that its tasks are not lost from sight.
    Unknown(u64),
    Frame(String),
}

impl Forest {
    fn of(tasks: &impl Drawn, which: Which) -> Forest {
        let mut forest = Forest { nodes: Vec::new(), of_tasks: vec![NOWHERE; tasks.len()] };
        let mut growth = Growth::default();
        // Children of a group follow one another.
        let mut latest: Option<(Awaiter, u32)> = None;
        for at in 0..tasks.len() {
            for number in 0..tasks.await_count(at) {
                let awaiter = tasks.awaiter(at, number);
                if !which.follows(awaiter) {
                    continue;
                }
                let branch = match latest {
                    Some((known, branch)) if known == awaiter => branch,
                    _ => growth.branch(&mut forest, tasks, at, number),
                };
                latest = Some((awaiter, branch));
                let node = &mut forest.nodes[branch as usize];
                // It may await the same task twice in the same place.
                if node.newest != at as u32 {
                    node.newest = at as u32;
                    node.children.push(Item::Task(at as u32));
                }
            }
        }
        forest
    }

    fn add(&mut self, label: Label) -> u32 {
        self.nodes.push(Node { label, children: Vec::new(), newest: NOWHERE });
        (self.nodes.len() - 1) as u32
    }

    fn add_task(&mut self, at: usize) -> u32 {
        if self.of_tasks[at] == NOWHERE {
            self.of_tasks[at] = self.add(Label::Task);
        }
        self.of_tasks[at]
    }

    /// The tasks that nobody awaits, and those that are not there.
    fn roots(&self, tasks: &impl Drawn, which: Which) -> impl Iterator<Item = Item> {
        let is_awaited =
            move |at| (0..tasks.await_count(at)).any(|number| which.follows(tasks.awaiter(at, number)));
        let of_tasks = (0..tasks.len()).filter(move |at| !is_awaited(*at));
        let unknown = self.nodes.iter().zip(0..).filter(|(node, _)| matches!(node.label, Label::Unknown(_)));
        of_tasks.map(|at| Item::Task(at as u32)).chain(unknown.map(|(_, at)| Item::Node(at)))
    }

    fn children(&self, item: Item) -> &[Item] {
        let node = match item {
            Item::Task(at) => self.of_tasks[at as usize],
            Item::Node(at) => at,
        };
        self.nodes.get(node as usize).map_or(&[], |node| &node.children)
    }
}

/// What is known while a forest grows.
#[derive(Default)]
struct Growth {
    /// The node of a task that is not there, by its id.
    unknown: IdMap<u32>,
    /// Where a way ends.
    ends: HashMap<Awaiter, u32>,
    /// The node of a frame, by the one above it and its text.
    frames: HashMap<(u32, String), u32>,
}

impl Growth {
    /// The end of the way by which a task is awaited.
    fn branch(&mut self, forest: &mut Forest, tasks: &impl Drawn, at: usize, number: usize) -> u32 {
        let awaiter = tasks.awaiter(at, number);
        if let Some(end) = self.ends.get(&awaiter) {
            return *end;
        }
        let task = match tasks.find(awaiter.id) {
            Some(at) => forest.add_task(at),
            None => {
                let new = || forest.add(Label::Unknown(awaiter.id));
                *self.unknown.entry(awaiter.id).or_insert_with(new)
            }
        };
        let mut path = Vec::new();
        tasks.path(at, number, &mut path);
        let end = path.iter().rev().fold(task, |above, frame| self.below(forest, above, frame));
        self.ends.insert(awaiter, end);
        end
    }

    fn below(&mut self, forest: &mut Forest, above: u32, frame: &Sketch<'_>) -> u32 {
        let mut text = String::new();
        frame.push_to(&mut text);
        let key = (above, text);
        if let Some(known) = self.frames.get(&key) {
            return *known;
        }
        let node = forest.add(Label::Frame(key.1.clone()));
        forest.nodes[above as usize].children.push(Item::Node(node));
        self.frames.insert(key, node);
        node
    }
}

/// Draws trees.
struct Pen<'a, D, S> {
    tasks: &'a D,
    marks: Marks<'a>,
    forest: &'a Forest,
    /// Which tasks have been: what is below them is drawn once. (What is no task is below one other only.)
    drawn: Vec<bool>,
    places: LastPlaces<'a>,
    sheet: &'a mut S,
}

/// The places that were written last, each of a task's first frame, its second, and so on: most tasks stand where the one before
/// does.
#[derive(Default)]
struct LastPlaces<'a>(Vec<(Option<&'a Place>, String)>);

impl<'a> LastPlaces<'a> {
    fn push_to(&mut self, line: &mut String, number: usize, place: Option<&'a Place>) {
        if self.0.len() <= number {
            self.0.resize_with(number + 1, Default::default);
        }
        let (last, text) = &mut self.0[number];
        if *last != place {
            *last = place;
            text.clear();
            if let Some(place) = place {
                text.push(' ');
                push_place(text, place);
            }
        }
        line.push_str(text);
    }
}

impl<'a, D: Drawn, S: Sheet> Pen<'a, D, S> {
    fn draw(&mut self, root: Item) {
        let forest = self.forest;
        let mut frames: Vec<Sketch<'a>> = Vec::new();
        let mut depth = Depth::default();
        // Without recursion: a chain of tasks may be longer than the stack is deep.
        let mut rest = vec![(root, 0, Branch::Last)];
        while let Some((item, level, branch)) = rest.pop() {
            depth.rise_to(level);
            let children = forest.children(item);
            // One that awaits no other has its own frames below it.
            frames.clear();
            let mut again = false;
            if let Item::Task(at) = item {
                if children.is_empty() {
                    self.tasks.stack(at as usize, |frame| frames.push(frame));
                }
                let is_leaf = children.is_empty() && frames.is_empty();
                again = std::mem::replace(&mut self.drawn[at as usize], true) && !is_leaf;
            }
            self.write_item(&depth, branch, item);
            self.sheet.line().push_str(if again { " (see above)" } else { "" });
            self.sheet.end_line();
            if again {
                continue;
            }
            depth.sink(branch);
            let level = depth.level();
            let last = children.len().saturating_sub(1);
            rest.extend(children.iter().enumerate().rev().map(|(number, child)| {
                (*child, level, if number == last { Branch::Last } else { Branch::Inner })
            }));
            for (number, frame) in frames.iter().enumerate().rev() {
                self.begin(&depth, Branch::Last, self.marks.frame);
                frame.push_all_but_place(self.sheet.line());
                self.places.push_to(self.sheet.line(), number, frame.place);
                self.sheet.end_line();
                depth.sink(Branch::Last);
            }
        }
    }

    fn write_item(&mut self, depth: &Depth, branch: Branch, item: Item) {
        match item {
            Item::Task(at) => {
                self.begin(depth, branch, self.marks.task);
                self.tasks.task(at as usize).name.push_to(self.sheet.line());
            }
            Item::Node(at) => match &self.forest.nodes[at as usize].label {
                Label::Frame(text) => {
                    self.begin(depth, branch, self.marks.frame);
                    self.sheet.line().push_str(text);
                }
                Label::Unknown(id) => {
                    self.begin(depth, branch, self.marks.task);
                    let line = self.sheet.line();
                    line.push_str("Unknown ");
                    push_hex(line, *id);
                }
                Label::Task => unreachable!("a task is an item by itself"),
            },
        }
    }

    /// Begins a line with all that stands before what is told in it.
    fn begin(&mut self, depth: &Depth, branch: Branch, mark: &str) {
        let line = self.sheet.line();
        depth.push_to(line);
        line.push_str(branch.turn());
        line.push_str(mark);
        line.push(' ');
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Branch {
    Inner,
    Last,
}

impl Branch {
    fn turn(self) -> &'static str {
        match self {
            Branch::Inner => "├── ",
            Branch::Last => "└── ",
        }
    }
}

/// What is to the left of a line, and how deep that is.
#[derive(Default)]
struct Depth {
    prefix: String,
    /// For each level the length of what is to the left of it.
    lengths: Vec<usize>,
}

impl Depth {
    /// From this level on the lines go no further to the right, and the level is written out.
    const DEEPEST: usize = 200;

    fn level(&self) -> usize {
        self.lengths.len()
    }

    /// One level deeper, below such a branch.
    fn sink(&mut self, branch: Branch) {
        if self.level() < Depth::DEEPEST {
            self.prefix.push_str(if branch == Branch::Last { "    " } else { "│   " });
        }
        self.lengths.push(self.prefix.len());
    }

    /// Back to a level that it came from.
    fn rise_to(&mut self, level: usize) {
        self.lengths.truncate(level);
        self.prefix.truncate(self.lengths.last().copied().unwrap_or(0));
    }

    fn push_to(&self, line: &mut String) {
        line.push_str(&self.prefix);
        if self.level() > Depth::DEEPEST {
            line.push_str("(level ");
            push_decimal(line, self.level() as u64);
            line.push_str(") ");
        }
    }
}
