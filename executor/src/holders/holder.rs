//! One holder, as a lock remembers it: in two words.

use crate::context;
use crate::outside::{Label, LabelKind, Meaning};
use crate::task::TaskId;
use std::fmt;
use std::panic::Location;

/// Who has taken a lock, and at which place in the source.
///
/// For who writes locks: keep one beside what is locked, and set it whenever somebody takes it. That costs a look at which
/// task is running, and two stores.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// The task's id, 0 for none; with [`OWNED`].
    word: u64,
    place: &'static Location<'static>,
}

/// In ids that bit is 0.
const OWNED: u64 = 1;

/// How a lock is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u32)]
pub enum Hold {
    /// By who took it, as far as one can know: the guard borrows the lock.
    #[default]
    Borrowed = 0,
    /// By a guard without a lifetime, which who took it may have given to another task.
    Owned = 1,
    /// By nobody yet: it is kept for who stands first in line, and has not come for it.
    Kept = 2,
}

impl Holder {
    /// The task that is being polled, which takes it at this place; nobody's, outside of tasks.
    #[inline]
    pub fn running(place: &'static Location<'static>) -> Holder {
        Holder { word: context::current_row().map_or(0, |row| row.id()), place }
    }

    /// Another task.
    pub fn of(task: TaskId, place: &'static Location<'static>) -> Holder {
        Holder { word: task.as_u64(), place }
    }

    /// The same, with a guard that can be given away.
    #[inline]
    pub fn owned(self) -> Holder {
        Holder { word: self.word | OWNED, ..self }
    }

    /// The task; `None`, if it was taken outside of tasks.
    pub fn task(self) -> Option<TaskId> {
        Some(TaskId(self.id())).filter(|task| task.as_u64() != 0)
    }

    /// Where it was taken.
    pub fn place(self) -> &'static Location<'static> {
        self.place
    }

    /// How it is held.
    pub fn hold(self) -> Hold {
        if self.word & OWNED == 0 { Hold::Borrowed } else { Hold::Owned }
    }

    pub(super) fn id(self) -> u64 {
        self.word & !OWNED
    }
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holder")
            .field("task", &self.task())
            .field("place", &format_args!("{}", self.place))
            .field("hold", &self.hold())
            .finish()
    }
}

impl Hold {
    const ALL: [Hold; 3] = [Hold::Borrowed, Hold::Owned, Hold::Kept];

    /// The same with their names, for other processes.
    pub(crate) const LABELS: [Label; 3] = [
        Label::new(LabelKind::Hold, Hold::Borrowed as u32, Hold::Borrowed.as_str(), Meaning::Plain),
        Label::new(LabelKind::Hold, Hold::Owned as u32, Hold::Owned.as_str(), Meaning::Plain),
        Label::new(LabelKind::Hold, Hold::Kept as u32, Hold::Kept.as_str(), Meaning::Plain),
    ];

    /// The one that is called so: see [`as_str`](Hold::as_str).
    pub fn from_name(name: &str) -> Option<Hold> {
        Hold::ALL.into_iter().find(|hold| hold.as_str() == name)
    }

    pub(super) fn from_number(number: u32) -> Hold {
        Hold::ALL.into_iter().find(|hold| *hold as u32 == number).unwrap_or_default()
    }

    /// In a word: `held`, `owned`, `kept`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Hold::Borrowed => "held",
            Hold::Owned => "owned",
            Hold::Kept => "kept",
        }
    }
}
