//! The rounds: who is measured when.
//!
//! A shared machine is slow in one second and fast in the next, by a factor of two. Measured one after the
//! other, one runtime gets the bad second; so a workload's contestants take turns, a round each, in one
//! process. What one leaves behind (warm caches, the allocator's free lists, a CPU's clock) the next one
//! finds, so each lap has another order:
//!
//! ```text
//!  warm-up   │  lap 1    │  lap 2    │  lap 3    │ …
//!   A  B  C  │  B  A  C  │  C  A  B  │  A  C  B  │        each ratio is that of two rounds of one lap
//! ```
//!
//! A contestant that panics (because it did not do what was asked, say) is out of it, and the others go on.
//!
//! How many laps there are follows from how long the warm-up took and how much time there is.

use crate::lineup::{Entry, Round};
use crate::workload::{Figures, Place, Scale};
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::time::{Duration, Instant};

/// How long a workload is measured.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How much is done in a round.
    pub scale: Scale,
    /// So long, all contestants together, within the limits below.
    pub time: Duration,
    /// At least so many laps.
    pub at_least: usize,
    /// At most so many laps.
    pub at_most: usize,
    /// So many laps, if each round has a process of its own: those need no warm-up, and hardly differ.
    pub apart: usize,
}

impl Plan {
    /// The plan of a scale.
    pub fn of(scale: Scale) -> Plan {
        let millis = scale.pick(15_000, 1_500, 0);
        let (at_least, at_most) = (scale.pick(9, 3, 1), scale.pick(101, 41, 1));
        Plan { scale, time: Duration::from_millis(millis), at_least, at_most, apart: scale.pick(5, 1, 1) }
    }

    fn laps(&self, one_took: Duration) -> usize {
        let laps = self.time.as_nanos() / one_took.as_nanos().max(1);
        usize::try_from(laps).unwrap_or(usize::MAX).clamp(self.at_least, self.at_most)
    }
}

/// What one contestant's rounds gave, lap by lap; or why it has been left out.
pub type Rounds = Result<Vec<Figures>, String>;

/// Measures all contestants in turn. `progress` hears of each round: how many are done, of how many.
pub fn take_turns(entry: &Entry, plan: Plan, mut progress: impl FnMut(usize, usize)) -> Vec<Rounds> {
    let mut seats: Vec<Seat> = entry
        .contestants
        .iter()
        .map(|contestant| match &contestant.prepare {
            Ok(prepare) => Seat::taken(|| prepare(plan.scale)),
            Err(reason) => Seat::Empty(reason.clone()),
        })
        .collect();
    let mut order: Vec<usize> = (0..seats.len()).collect();
    let laps = match entry.place {
        Place::Apart | Place::Traced => plan.apart,
        Place::Together => {
            let begin = Instant::now();
            seats.iter_mut().for_each(Seat::play);
            seats.iter_mut().for_each(Seat::forget_the_warm_up);
            plan.laps(begin.elapsed())
        }
    };
    let mut dice = Dice(0x5EED);
    for lap in 0..laps {
        dice.shuffle(&mut order);
        for (turn, &index) in order.iter().enumerate() {
            seats[index].play();
            progress(lap * order.len() + turn + 1, laps * order.len());
        }
    }
    seats.into_iter().map(Seat::leave).collect()
}

/// A contestant's place.
enum Seat {
    Taken { round: Round, figures: Vec<Figures> },
    Empty(String),
}

impl Seat {
    fn taken(prepare: impl FnOnce() -> Round) -> Seat {
        match catch(prepare) {
            Ok(round) => Seat::Taken { round, figures: Vec::new() },
            Err(reason) => Seat::Empty(reason),
        }
    }

    fn play(&mut self) {
        let Seat::Taken { round, figures } = self else { return };
        match catch(round) {
            Ok(these) => figures.push(these),
            Err(reason) => {
                let failed = mem::replace(self, Seat::Empty(reason));
                // What has panicked in the midst of something may well panic again. That it is given up is
                // enough.
                let _ = catch(move || drop(failed));
            }
        }
    }

    fn forget_the_warm_up(&mut self) {
        if let Seat::Taken { figures, .. } = self {
            figures.clear();
        }
    }

    fn leave(self) -> Rounds {
        match self {
            Seat::Taken { figures, .. } => Ok(figures),
            Seat::Empty(reason) => Err(reason),
        }
    }
}

/// Does something, and says why it panicked, if it did.
fn catch<T>(action: impl FnOnce() -> T) -> Result<T, String> {
    panic::catch_unwind(AssertUnwindSafe(action)).map_err(|payload| {
        let message = payload.downcast_ref::<String>().map(String::as_str);
        let message = message.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("it panicked");
        // One that passes on another's panic quotes it, and so on.
        let message: String = message.chars().take(160).collect();
        format!("it failed: {message}")
    })
}

/// A small generator of numbers at random (xorshift), the same ones each time.
struct Dice(u64);

impl Dice {
    fn shuffle<T>(&mut self, things: &mut [T]) {
        for left in (1..things.len()).rev() {
            things.swap(left, (self.throw() % (left as u64 + 1)) as usize);
        }
    }

    fn throw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lineup::{Contestant, Kind};
    use std::cell::RefCell;
    use std::rc::Rc;

    /// Contestants that note down when it is their turn.
    fn an_entry(names: &[&'static str]) -> (Entry, Rc<RefCell<Vec<&'static str>>>) {
        let turns = Rc::new(RefCell::new(Vec::new()));
        let contestants = names.iter().map(|&name| {
            let turns = turns.clone();
            let prepare = move |_| -> Round {
                let turns = turns.clone();
                Box::new(move || {
                    turns.borrow_mut().push(name);
                    vec![1.0]
                })
            };
            Contestant { name, kind: Kind::Peer, note: None, prepare: Ok(Box::new(prepare)) }
        });
        (
            Entry {
                name: "some",
                about: "",
                metrics: &[],
                place: Place::Together,
                operations: |_| None,
                contestants: contestants.collect(),
            },
            turns,
        )
    }

    fn laps(laps: usize) -> Plan {
        Plan { scale: Scale::Smoke, time: Duration::ZERO, at_least: laps, at_most: laps, apart: laps }
    }

    #[test]
    fn everybody_has_one_turn_in_each_lap_and_a_warm_up() {
        let (entry, turns) = an_entry(&["a", "b", "c"]);
        take_turns(&entry, laps(8), |_, _| {});
        for lap in turns.borrow().chunks(3) {
            let mut lap = lap.to_vec();
            lap.sort_unstable();
            assert_eq!(lap, ["a", "b", "c"]);
        }
        assert_eq!(turns.borrow().len(), 9 * 3);
    }

    #[test]
    fn nobody_always_follows_the_same_one() {
        let (entry, turns) = an_entry(&["a", "b", "c"]);
        take_turns(&entry, laps(60), |_, _| {});
        let turns = turns.borrow();
        for (before, after) in [("a", "b"), ("b", "a"), ("c", "a"), ("b", "c")] {
            let often = turns.windows(2).filter(|pair| pair == &[before, after]).count();
            assert!((15..45).contains(&often), "{after} after {before}: {often} times of 60");
        }
    }

    #[test]
    fn who_is_left_out_has_no_rounds_and_the_others_have() {
        let (mut entry, _) = an_entry(&["a", "b"]);
        entry.contestants[0].prepare = Err("it is ill".to_owned());
        let rounds = take_turns(&entry, laps(5), |_, _| {});
        assert_eq!(rounds[0], Err("it is ill".to_owned()));
        assert_eq!(rounds[1].as_ref().unwrap().len(), 5);
    }

    #[test]
    fn who_panics_is_out_and_the_others_go_on() {
        let (mut entry, _) = an_entry(&["a", "b"]);
        let mut left = 3;
        let fails = move || {
            left -= 1;
            if left == 0 { panic!("out of breath") } else { vec![1.0] }
        };
        let fails = std::cell::Cell::new(Some(fails));
        entry.contestants[0].prepare = Ok(Box::new(move |_| Box::new(fails.take().unwrap())));
        let rounds = take_turns(&entry, laps(5), |_, _| {});
        assert_eq!(rounds[0], Err("it failed: out of breath".to_owned()));
        assert_eq!(rounds[1].as_ref().unwrap().len(), 5);
    }

    #[test]
    fn the_number_of_laps_follows_from_the_time_there_is() {
        let plan =
            Plan { scale: Scale::Full, time: Duration::from_secs(1), at_least: 3, at_most: 50, apart: 1 };
        assert_eq!(plan.laps(Duration::from_millis(100)), 10);
        assert_eq!(plan.laps(Duration::from_secs(10)), 3);
        assert_eq!(plan.laps(Duration::ZERO), 50);
    }
}
