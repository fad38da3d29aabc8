//! Circles of tasks that await one another: nothing in them can ever end.
//!
//! ```text
//!   a ── awaits ──► b ── awaits ──► c          a → b → c → a
//!   ▲                               │
//!   └───────────── awaits ──────────┘
//! ```
//!
//! Found by a search in depth: an await that leads back to a task which the way there came through closes a circle.

use super::drawn::{Drawn, Entries};
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
    OnTheWay(u32),
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
        check(&Entries::of(self))
    }
}

pub(super) fn check(tasks: &impl Drawn) -> Result<(), CycleFound> {
    let awaits = Awaits::of(tasks);
    let found = awaits.find_cycles();
    if found.is_empty() {
        return Ok(());
    }
    let shown = |at: &u32| tasks.task(*at as usize);
    let named = found.iter().flatten().map(shown);
    let names = named.map(|task| (task.id, task.name.to_string())).collect();
    let ids = |cycle: Vec<u32>| cycle.iter().map(|at| shown(at).id).collect();
    Err(CycleFound { cycles: found.into_iter().map(ids).collect(), names })
}

/// Which tasks each task awaits, all by their places. (One that is not there is awaited by nobody, so it is in no circle.)
struct Awaits {
    /// The awaiting ones, in the order in which they are mentioned, and whom they await.
    awaiting: Vec<(u32, Vec<u32>)>,
    /// Where among those a task is; [`NOWHERE`] for one that awaits no other.
    places: Vec<u32>,
}

const NOWHERE: u32 = u32::MAX;

impl Awaits {
    fn of(tasks: &impl Drawn) -> Awaits {
        let mut awaits = Awaits { awaiting: Vec::new(), places: vec![NOWHERE; tasks.len()] };
        // Children of a group follow one another.
        let mut latest = (0, None);
        for at in 0..tasks.len() {
            for number in 0..tasks.await_count(at) {
                let awaiter = tasks.awaiter(at, number).id;
                if latest.0 != awaiter {
                    latest = (awaiter, tasks.find(awaiter));
                }
                let Some(awaiter) = latest.1 else { continue };
                let place = &mut awaits.places[awaiter];
                if *place == NOWHERE {
                    *place = awaits.awaiting.len() as u32;
                    awaits.awaiting.push((awaiter as u32, Vec::new()));
                }
                let awaited = &mut awaits.awaiting[*place as usize].1;
                // All that is said of one task comes together.
                if awaited.last() != Some(&(at as u32)) {
                    awaited.push(at as u32);
                }
            }
        }
        awaits
    }

    fn awaited_by(&self, task: u32) -> &[u32] {
        let place = self.places[task as usize] as usize;
        self.awaiting.get(place).map_or(&[], |(_, awaited)| awaited)
    }

    fn find_cycles(&self) -> Vec<Vec<u32>> {
        let mut marks: Vec<Option<Mark>> = vec![None; self.places.len()];
        let mut cycles = Vec::new();
        for &(start, _) in &self.awaiting {
            if marks[start as usize].is_some() {
                continue;
            }
            // The way to where the search is, and for each step what is still to be tried there.
            let mut way = vec![start];
            let mut rest = vec![self.awaited_by(start).iter()];
            marks[start as usize] = Some(Mark::OnTheWay(0));
            while let Some(untried) = rest.last_mut() {
                let Some(&next) = untried.next() else {
                    rest.pop();
                    if let Some(task) = way.pop() {
                        marks[task as usize] = Some(Mark::Done);
                    }
                    continue;
                };
                match marks[next as usize] {
                    Some(Mark::Done) => {}
                    Some(Mark::OnTheWay(at)) => {
                        cycles.push(way[at as usize..].iter().copied().chain([next]).collect());
                    }
                    // Nothing leads on from there.
                    None if self.places[next as usize] == NOWHERE => {}
                    None => {
                        marks[next as usize] = Some(Mark::OnTheWay(way.len() as u32));
                        way.push(next);
                        rest.push(self.awaited_by(next).iter());
                    }
                }
            }
        }
        cycles
    }
}
