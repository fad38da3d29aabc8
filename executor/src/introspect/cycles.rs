//! Circles of tasks that await one another: nothing in them can ever end.
//!
//! ```text
//!   a ── awaits ──► b ── awaits ──► c          a → b → c → a
//!   ▲                               │
//!   └───────────── awaits ──────────┘
//! ```
//!
//! Found by a search in depth: an await that leads back to a task which the way there came through closes a circle.

use super::table::TaskTable;
use std::collections::HashMap;
use std::fmt;

/// The tasks cannot be drawn as a tree: some await one another in a circle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CycleFound {
    cycles: Vec<Vec<u64>>,
    names: HashMap<u64, String>,
}

impl CycleFound {
    /// The ids of each circle's tasks, each awaiting the next one; the last is the first again.
    pub fn cycles(&self) -> &[Vec<u64>] {
        &self.cycles
    }
}

/// A line for each circle: `cycle: a → b → a`.
impl fmt::Display for CycleFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tasks await one another in a circle, so there is no tree to draw")?;
        for cycle in &self.cycles {
            let names = cycle.iter().map(|id| match self.names.get(id) {
                Some(name) => name.clone(),
                None => format!("{id:#x}"),
            });
            write!(f, "\ncycle: {}", names.collect::<Vec<_>>().join(" → "))?;
        }
        Ok(())
    }
}

impl std::error::Error for CycleFound {}

/// Where the search has been.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// At this place of the way that it is on.
    OnTheWay(usize),
    Done,
}

impl TaskTable {
    /// Looks for tasks that await one another in a circle.
    ///
    /// # Errors
    ///
    /// [`CycleFound`], if there are any.
    ///
    /// # asyncio
    ///
    /// What `asyncio.tools` does before it draws a tree (CG-13).
    pub fn check_cycles(&self) -> Result<(), CycleFound> {
        let cycles = self.find_cycles();
        if cycles.is_empty() {
            return Ok(());
        }
        let names = self.tasks().map(|task| (task.id, task.shown_name().to_owned()));
        Err(CycleFound { cycles, names: names.collect() })
    }

    fn find_cycles(&self) -> Vec<Vec<u64>> {
        let (order, awaits) = self.awaits();
        let none: &[u64] = &[];
        let awaited_by_this = |task: u64| awaits.get(&task).map_or(none, Vec::as_slice);
        let mut marks: HashMap<u64, Mark> = HashMap::new();
        let mut cycles = Vec::new();
        for start in order {
            if marks.contains_key(&start) {
                continue;
            }
            // The way to where the search is, and for each step what is still to be tried there.
            let mut way = vec![start];
            let mut rest = vec![awaited_by_this(start).iter()];
            marks.insert(start, Mark::OnTheWay(0));
            while let Some(untried) = rest.last_mut() {
                let Some(&next) = untried.next() else {
                    rest.pop();
                    marks.extend(way.pop().map(|task| (task, Mark::Done)));
                    continue;
                };
                match marks.get(&next) {
                    Some(Mark::Done) => {}
                    Some(Mark::OnTheWay(at)) => {
                        cycles.push(way[*at..].iter().copied().chain([next]).collect());
                    }
                    None => {
                        marks.insert(next, Mark::OnTheWay(way.len()));
                        way.push(next);
                        rest.push(awaited_by_this(next).iter());
                    }
                }
            }
        }
        cycles
    }

    /// Which tasks each task awaits, and in which order the awaiting ones are mentioned.
    fn awaits(&self) -> (Vec<u64>, HashMap<u64, Vec<u64>>) {
        let mut order = Vec::new();
        let mut awaits: HashMap<u64, Vec<u64>> = HashMap::new();
        for task in self.tasks() {
            for by in &task.awaited_by {
                let awaited = awaits.entry(by.awaiter).or_insert_with(|| {
                    order.push(by.awaiter);
                    Vec::new()
                });
                if !awaited.contains(&task.id) {
                    awaited.push(task.id);
                }
            }
        }
        (order, awaits)
    }
}
