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

use super::cycles::CycleFound;
use super::frame::Frame;
use super::table::{TaskEntry, TaskTable};
use std::collections::{HashMap, HashSet};

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
        self.check_cycles()?;
        let forest = Forest::of(self);
        let mut drawn = HashSet::new();
        Ok(forest.roots().map(|root| forest.draw(root, marks, &mut drawn)).collect())
    }
}

/// Tasks and frames, as nodes.
#[derive(Default)]
struct Forest {
    nodes: Vec<Node>,
    /// The node of a task, by its id.
    tasks: HashMap<u64, usize>,
    /// The node of a frame, by the one above it and its text.
    frames: HashMap<(usize, String), usize>,
}

struct Node {
    label: String,
    is_task: bool,
    children: Vec<usize>,
    is_root: bool,
}

impl Forest {
    fn of(table: &TaskTable) -> Forest {
        let mut forest = Forest::default();
        for task in table.tasks() {
            forest.task(task.id, || task.shown_name().to_owned());
        }
        let mut awaiting = HashSet::new();
        for task in table.tasks() {
            let node = forest.tasks[&task.id];
            for by in &task.awaited_by {
                awaiting.insert(by.awaiter);
                // One that is not in the table is a root of its own, so that its tasks are not lost from sight.
                let awaiter = forest.task(by.awaiter, || format!("Unknown {:#x}", by.awaiter));
                let branch = forest.branch(awaiter, &by.stack);
                forest.put_below(branch, node);
            }
        }
        for TaskEntry { id, stack, .. } in table.tasks() {
            if !awaiting.contains(id) {
                forest.branch(forest.tasks[id], stack);
            }
        }
        forest
    }

    fn task(&mut self, id: u64, label: impl FnOnce() -> String) -> usize {
        match self.tasks.get(&id) {
            Some(node) => *node,
            None => {
                let node = self.add(label(), true);
                self.tasks.insert(id, node);
                node
            }
        }
    }

    /// The end of a branch with these frames, the outermost next to `node`.
    fn branch(&mut self, node: usize, stack: &[Frame]) -> usize {
        stack.iter().rev().fold(node, |above, frame| {
            let key = (above, frame.to_string());
            match self.frames.get(&key) {
                Some(known) => *known,
                None => {
                    let frame = self.add(key.1.clone(), false);
                    self.frames.insert(key, frame);
                    self.put_below(above, frame);
                    frame
                }
            }
        })
    }

    fn add(&mut self, label: String, is_task: bool) -> usize {
        self.nodes.push(Node { label, is_task, children: Vec::new(), is_root: true });
        self.nodes.len() - 1
    }

    fn put_below(&mut self, above: usize, node: usize) {
        if !self.nodes[above].children.contains(&node) {
            self.nodes[above].children.push(node);
        }
        self.nodes[node].is_root = false;
    }

    fn roots(&self) -> impl Iterator<Item = usize> {
        (0..self.nodes.len()).filter(|node| self.nodes[*node].is_root)
    }

    fn draw(&self, root: usize, marks: Marks<'_>, drawn: &mut HashSet<usize>) -> Vec<String> {
        let mut lines = Vec::new();
        // Without recursion: a chain of tasks may be longer than the stack is deep.
        let mut rest = vec![(root, Depth::default(), Branch::Last)];
        while let Some((index, depth, branch)) = rest.pop() {
            let node = &self.nodes[index];
            let mark = if node.is_task { marks.task } else { marks.frame };
            let again = !drawn.insert(index) && !node.children.is_empty();
            let see_above = if again { " (see above)" } else { "" };
            lines.push(format!("{}{}{mark} {}{see_above}", depth.indent(), branch.turn(), node.label));
            if again {
                continue;
            }
            let below = depth.below(branch);
            let children = node.children.iter().enumerate().rev();
            rest.extend(children.map(|(at, child)| {
                let branch = if at + 1 == node.children.len() { Branch::Last } else { Branch::Inner };
                (*child, below.clone(), branch)
            }));
        }
        lines
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
#[derive(Clone, Default)]
struct Depth {
    prefix: String,
    level: usize,
}

impl Depth {
    /// From this level on the lines go no further to the right, and the level is written out.
    const DEEPEST: usize = 200;

    fn below(&self, branch: Branch) -> Depth {
        let mut prefix = self.prefix.clone();
        if self.level < Depth::DEEPEST {
            prefix.push_str(if branch == Branch::Last { "    " } else { "│   " });
        }
        Depth { prefix, level: self.level + 1 }
    }

    fn indent(&self) -> String {
        match self.level.checked_sub(Depth::DEEPEST + 1) {
            None => self.prefix.clone(),
            Some(_) => format!("{}(level {}) ", self.prefix, self.level),
        }
    }
}
