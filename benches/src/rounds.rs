//! The rounds: who is measured when.
//!
//! A shared machine is slow in one second and fast in the next, by a factor of two. Measured one after the other, one
//! runtime gets the bad second; so a workload's contestants take turns, a round each, in one process:
//!
//! ```text
//!  warm-up │ round 1 │ round 2 │ …
//!   A  B   │  A   B  │  A   B  │          each ratio is that of two neighbours
//! ```

use crate::lineup::{Entry, Round};

/// What a contestant's rounds took, in nanoseconds per operation, in the order of the rounds.
pub(crate) type Samples = Vec<f64>;

/// Measures all contestants in turn: so many rounds of each.
pub(crate) fn take_turns(entry: &Entry, rounds: usize) -> Vec<Samples> {
    let mut contestants: Vec<Round> =
        entry.contestants.iter().map(|contestant| contestant.prepare()).collect();
    let mut samples = vec![Samples::with_capacity(rounds); contestants.len()];
    for round in &mut contestants {
        round();
    }
    for _ in 0..rounds {
        for (round, samples) in contestants.iter_mut().zip(&mut samples) {
            samples.push(round().as_nanos() as f64 / f64::from(entry.operations));
        }
    }
    samples
}

/// The middle of some numbers, and the quartiles around it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Middle {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

impl Middle {
    /// Of at least one number.
    pub(crate) fn of(numbers: impl IntoIterator<Item = f64>) -> Middle {
        let mut sorted: Vec<f64> = numbers.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let quartile = |quarters: usize| sorted[(sorted.len() - 1) * quarters / 4];
        Middle { low: quartile(1), median: quartile(2), high: quartile(3) }
    }
}
