//! Circles of tasks that await one another: nothing in them can ever end.
//!
//! ```text
//!   a ── awaits ──► b ── awaits ──► c          a → b → c → a
//!   ▲                               │
//!   └───────────── awaits ──────────┘
//! ```
//!
//! An await of a lock leads to the task that holds it, so these may be circles of tasks that hold what the next one wants.
//! Of permits that several hold, any one may come back: such an await leads to all of them, and closes a circle only for who
//! knows that none of them goes on ([`Which::All`]).
//!
//! Found by a search in depth: an await that leads back to a task which the way there came through closes a circle.

use super::drawn::{Awaiter, Drawn, Entries, Sketch};
use super::frame::{Frame, FrameKind};
use super::table::TaskTable;
use super::text;
use std::fmt;

/// Tasks that await one another, or hold what the one before awaits, in a circle. `{}` names them, `{:#}` says also where they
/// stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circle {
    /// The tasks, each of which awaits the next one, and the last of them the first.
    pub steps: Vec<CircleStep>,
}

/// A task of a [`Circle`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CircleStep {
    /// Its id.
    pub task: u64,
    /// Its name, or what else it is known by.
    pub name: String,
    /// The await that leads to the next one: its place, and if it is that of a lock, who holds that, and since where.
    pub awaits: Option<Frame>,
}

impl Circle {
    /// The names; the last is the first again.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().chain(self.steps.first()).map(|step| step.name.as_str())
    }
}

/// `a → b → a`. In the alternate form there follows a line for each task: `a: awaiting mutex 0x…, held by task 'b' since …`.
impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().collect::<Vec<_>>().join(" → "))?;
        if !f.alternate() {
            return Ok(());
        }
        let mut known = self.steps.iter().filter_map(|step| Some((&step.name, step.awaits.as_ref()?)));
        known.try_for_each(|(name, awaits)| write!(f, "\n    {name}: {}", text::Line(awaits)))
    }
}

/// The tasks cannot be drawn as a tree: some await one another in a circle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CycleFound {
    cycles: Vec<Vec<u64>>,
    circles: Vec<Circle>,
}

impl CycleFound {
    /// The ids of each circle's tasks, each awaiting the next one; the last is the first again.
    pub fn cycles(&self) -> &[Vec<u64>] {
        &self.cycles
    }

    /// The same, with names and places.
    pub fn circles(&self) -> &[Circle] {
        &self.circles
    }
}

/// Lines for each circle: `cycle: a → b → a`, and where each of them stands.
impl fmt::Display for CycleFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tasks await one another in a circle, so there is no tree to draw")?;
        self.circles.iter().try_for_each(|circle| write!(f, "\ncycle: {circle:#}"))
    }
}

impl std::error::Error for CycleFound {}

/// Which awaits are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// Those that only the one awaited task can end.
    Certain,
    /// As well those that any of several can end.
    All,
}

impl Which {
    pub(super) fn follows(self, awaiter: Awaiter) -> bool {
        self == Which::All || !awaiter.one_of_several
    }
}

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
        to_follow(&Entries::of(self)).map(drop)
    }

    /// The circles that awaits close, also those that any of several could end.
    pub(super) fn circles(&self) -> Vec<Circle> {
        let tasks = Entries::of(self);
        let found = Awaits::of(&tasks, Which::All).find_cycles();
        found.iter().map(|cycle| circle(&tasks, cycle)).collect()
    }
}

/// Which awaits are to be followed, so that one does not come round. What any of several can end may lead back, and is no
/// circle: then those are left out.
pub(super) fn to_follow(tasks: &impl Drawn) -> Result<Which, CycleFound> {
    let awaits = Awaits::of(tasks, Which::Certain);
    let found = awaits.find_cycles();
    if found.is_empty() {
        let all = !awaits.has_left_out || Awaits::of(tasks, Which::All).find_cycles().is_empty();
        return Ok(if all { Which::All } else { Which::Certain });
    }
    let ids = |cycle: &Vec<u32>| cycle.iter().map(|at| tasks.task(*at as usize).id).collect();
    let cycles = found.iter().map(ids).collect();
    Err(CycleFound { cycles, circles: found.iter().map(|cycle| circle(tasks, cycle)).collect() })
}

/// The circle of these tasks, of which the last is the first again.
fn circle(tasks: &impl Drawn, cycle: &[u32]) -> Circle {
    let step = |pair: &[u32]| {
        let (task, awaited) = (tasks.task(pair[0] as usize), pair[1] as usize);
        let number =
            (0..tasks.await_count(awaited)).find(|number| tasks.awaiter(awaited, *number).id == task.id);
        let mut path = Vec::new();
        number.into_iter().for_each(|number| tasks.path(awaited, number, &mut path));
        // Tables of other systems have functions only.
        let awaits = path.first().filter(|sketch| sketch.kind != FrameKind::Function);
        CircleStep {
            task: task.id,
            name: task.name.to_string(),
            awaits: awaits.copied().map(Sketch::to_frame),
        }
    };
    Circle { steps: cycle.windows(2).map(step).collect() }
}

/// Which tasks each task awaits, all by their places. (One that is not there is awaited by nobody, so it is in no circle.)
struct Awaits {
    /// The awaiting ones, in the order in which they are mentioned, and whom they await.
    awaiting: Vec<(u32, Vec<u32>)>,
    /// Where among those a task is; [`NOWHERE`] for one that awaits no other.
    places: Vec<u32>,
    /// There are others, which are not followed.
    has_left_out: bool,
}

const NOWHERE: u32 = u32::MAX;

impl Awaits {
    fn of(tasks: &impl Drawn, which: Which) -> Awaits {
        let places = vec![NOWHERE; tasks.len()];
        let mut awaits = Awaits { awaiting: Vec::new(), places, has_left_out: false };
        // Children of a group follow one another.
        let mut latest = (0, None);
        for at in 0..tasks.len() {
            for number in 0..tasks.await_count(at) {
                let awaiter = tasks.awaiter(at, number);
                if !which.follows(awaiter) {
                    awaits.has_left_out = true;
                    continue;
                }
                let awaiter = awaiter.id;
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
