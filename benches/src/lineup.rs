//! The lineup: a workload, and everybody who takes part in it, with types no more.
//!
//! ```text
//! Workload × Runtime, …, Limit ──► Entry { contestants: [ Contestant, … ] } ──prepare──► Round, Round, …
//! ```

use crate::runtime::{Ability, Runtime};
use crate::runtimes::{Visitor, visit_all};
use crate::solo;
use crate::workload::{Figures, Limit, Metric, Place, Scale, Workload};
use std::fmt;
use std::marker::PhantomData;

/// A workload with its contestants.
#[derive(Debug)]
pub struct Entry {
    /// The workload's.
    pub name: &'static str,
    /// What is done, in a sentence.
    pub about: &'static str,
    /// What is measured.
    pub metrics: &'static [Metric],
    /// Where rounds are run.
    pub place: Place,
    /// How many operations a round is at a scale, if its instructions can be counted.
    pub operations: fn(Scale) -> Option<u32>,
    /// In the order in which they are shown.
    pub contestants: Vec<Contestant>,
}

/// Who takes part in a workload, or why not.
pub struct Contestant {
    /// As tables and commands call it.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What a reader of its figure must know.
    pub note: Option<String>,
    /// Builds it, once for all rounds; or why it is left out.
    pub prepare: Result<Prepare, String>,
}

/// Builds a contestant at some scale. What it gives runs one round each time it is called.
pub type Prepare = Box<dyn Fn(Scale) -> Round>;

/// Runs a round and gives its figures.
pub type Round = Box<dyn FnMut() -> Figures>;

/// What kind of contestant it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Who is compared.
    Subject,
    /// With whom.
    Peer,
    /// No runtime, but the least code that does the job.
    Limit,
    /// Something else, such as a scope without tasks, or another language: shown, and never the best peer.
    Aside,
}

/// Who is compared with the others.
pub const SUBJECT: &str = "homing";

/// What the row of the limit is called.
pub const LIMIT: &str = "limit";

impl Entry {
    /// A workload's entry, with all runtimes and the limit.
    pub fn new<W: Workload>() -> Entry {
        let mut lined_up = LineUp { contestants: Vec::new(), workload: PhantomData::<W> };
        visit_all(&mut lined_up);
        let mut contestants = lined_up.contestants;
        contestants.extend(W::LIMIT.map(|limit| Contestant {
            name: LIMIT,
            kind: Kind::Limit,
            note: Some(limit.about.to_owned()),
            prepare: Ok(place::<W>(LIMIT, move |scale| prepare_limit(limit, scale))),
        }));
        #[cfg(feature = "peers")]
        contestants.extend(crate::python::contestants(W::NAME, W::LOAD));
        Entry {
            name: W::NAME,
            about: W::ABOUT,
            metrics: W::METRICS,
            place: W::PLACE,
            operations: W::operations,
            contestants,
        }
    }

    /// The contestant of that name.
    pub fn contestant(&self, name: &str) -> Option<&Contestant> {
        self.contestants.iter().find(|contestant| contestant.name == name)
    }
}

struct LineUp<W> {
    contestants: Vec<Contestant>,
    workload: PhantomData<W>,
}

impl<W: Workload> Visitor for LineUp<W> {
    fn visit<R: Runtime>(&mut self) {
        self.contestants.push(Contestant {
            name: R::NAME,
            kind: match R::NAME {
                SUBJECT => Kind::Subject,
                _ if R::LACKS.contains(&Ability::Spawn) => Kind::Aside,
                _ => Kind::Peer,
            },
            note: R::note(W::NAME).map(str::to_owned),
            prepare: match why_not::<R>(W::NEEDS) {
                Some(reason) => Err(reason),
                None => Ok(place::<W>(R::NAME, prepare::<W, R>)),
            },
        });
    }
}

/// Why a runtime cannot do what needs all these, if so.
pub(crate) fn why_not<R: Runtime>(needs: &[Ability]) -> Option<String> {
    let lacking = needs.iter().find(|ability| R::LACKS.contains(ability));
    R::unavailable().or(lacking.map(|ability| format!("it has no {}", ability.describe())))
}

fn prepare<W: Workload, R: Runtime>(scale: Scale) -> Round {
    let runtime = R::new();
    Box::new(move || W::round(&runtime, scale))
}

fn prepare_limit(limit: Limit, scale: Scale) -> Round {
    Box::new(move || (limit.round)(scale))
}

/// Runs rounds where they belong. In a process of its own it runs what is prepared here, as the one
/// contestant there is.
fn place<W: Workload>(name: &'static str, here: impl Fn(Scale) -> Round + 'static) -> Prepare {
    Box::new(move |scale| match W::PLACE {
        _ if solo::is_this_process() || scale == Scale::Smoke => here(scale),
        Place::Together => here(scale),
        Place::Apart => Box::new(move || solo::in_a_process(W::NAME, name, scale)),
        Place::Traced => Box::new(move || solo::in_a_traced_process(W::NAME, name, scale)),
    })
}

impl fmt::Debug for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:?}, {:?})", self.name, self.kind, self.prepare.as_ref().map(|_| "takes part"))
    }
}
