//! The lineup: a workload, and everybody who takes part in it, with types no more.

use crate::contender::Contender;
use crate::contenders::{Visitor, visit_all};
use crate::workload::Workload;
use std::marker::PhantomData;
use std::time::Duration;

/// A workload with its contestants.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) operations: u32,
    pub(crate) rounds: usize,
    pub(crate) contestants: Vec<Contestant>,
}

/// A runtime that takes part in a workload.
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    prepare: fn() -> Round,
}

/// Runs a round and says how long it took.
pub(crate) type Round = Box<dyn FnMut() -> Duration>;

impl Contestant {
    /// Builds the runtime. It is the same one in all rounds.
    pub(crate) fn prepare(&self) -> Round {
        (self.prepare)()
    }
}

impl Entry {
    pub(crate) fn new<W: Workload>() -> Entry {
        let mut lined_up = LineUp { contestants: Vec::new(), workload: PhantomData::<W> };
        visit_all(&mut lined_up);
        Entry {
            name: W::NAME,
            operations: W::OPERATIONS,
            rounds: W::ROUNDS,
            contestants: lined_up.contestants,
        }
    }
}

struct LineUp<W> {
    contestants: Vec<Contestant>,
    workload: PhantomData<W>,
}

impl<W: Workload> Visitor for LineUp<W> {
    fn visit<C: Contender>(&mut self) {
        self.contestants.push(Contestant { name: C::NAME, prepare: prepare::<W, C> });
    }
}

fn prepare<W: Workload, C: Contender>() -> Round {
    let contender = C::new();
    Box::new(move || W::round(&contender))
}
