//! A time line: what each task did, and when.
//!
//! ```text
//!   user             ─━━━━━━━━━━━━━✔                            31 ms
//!   orders           ─━━━━━━━━━━━━━━━━━✘                        41 ms  failed
//!   settings         ─━━━━━━━━━━━━━━━━━╳~~~                     48 ms  cancelled, cleaned up
//! ```

use homing::Instant;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

/// Columns of the drawing.
const WIDTH: usize = 52;

/// What can happen on a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Started,
    Waiting,
    Ended,
    Failed,
    Cancelled,
    CleanedUp,
}

/// The lanes of one round.
pub(crate) struct Timeline {
    begin: Instant,
    end: Cell<Instant>,
    lanes: Vec<Lane>,
}

/// One task's lane. A clone is the same lane.
#[derive(Clone)]
pub(crate) struct Lane {
    name: Rc<str>,
    marks: Rc<RefCell<Vec<(Instant, Mark)>>>,
}

impl Lane {
    pub(crate) fn mark(&self, mark: Mark) {
        self.marks.borrow_mut().push((Instant::now(), mark));
    }
}

impl Timeline {
    pub(crate) fn new(names: &[&str]) -> Timeline {
        let lane = |name: &&str| Lane { name: (*name).into(), marks: Rc::default() };
        let begin = Instant::now();
        Timeline { begin, end: Cell::new(begin), lanes: names.iter().map(lane).collect() }
    }

    pub(crate) fn lane(&self, index: usize) -> Lane {
        self.lanes[index].clone()
    }

    pub(crate) fn finish(&self) {
        self.end.set(Instant::now());
    }

    fn column(&self, at: Instant) -> usize {
        let whole = (self.end.get() - self.begin).as_nanos().max(1);
        let part = (at - self.begin).as_nanos().min(whole);
        (part * (WIDTH as u128 - 1) / whole) as usize
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for lane in &self.lanes {
            let marks = lane.marks.borrow();
            let mut drawing = [' '; WIDTH];
            for (index, (at, mark)) in marks.iter().enumerate() {
                let from = self.column(*at);
                let to = marks.get(index + 1).map_or(from, |(next, _)| self.column(*next));
                let (sign, line) = match mark {
                    Mark::Started => ('─', '─'),
                    Mark::Waiting => ('━', '━'),
                    Mark::Ended => ('✔', ' '),
                    Mark::Failed => ('✘', ' '),
                    Mark::Cancelled => ('╳', '~'),
                    Mark::CleanedUp => ('~', ' '),
                };
                drawing[from..to].fill(line);
                drawing[from] = sign;
            }
            let (ended, how) = match marks.last() {
                None => (self.begin, "cancelled before it began"),
                Some((at, Mark::Ended)) => (*at, ""),
                Some((at, Mark::Failed)) => (*at, "failed"),
                Some((at, Mark::CleanedUp)) => (*at, "cancelled, cleaned up"),
                Some((at, Mark::Cancelled)) => (*at, "cancelled"),
                Some((at, Mark::Started | Mark::Waiting)) => (*at, "dropped"),
            };
            let drawing: String = drawing.iter().collect();
            let took = (ended - self.begin).as_millis();
            writeln!(f, "   {:<18} {drawing} {took:>4} ms  {how}", lane.name)?;
        }
        writeln!(
            f,
            "   ─ connecting  ━ waiting for the answer  ✔ ended  ✘ failed  ╳ cancelled  ~ cleaning up\n"
        )
    }
}
