//! Places: where among the records a task is, by its id.
//!
//! ```text
//!   1. which ids are asked for?   parents of groups, what is awaited, who awaits, who holds    ──► a small map
//!   2. whose are they?            each record's id is looked up in that                        ──► id: place
//! ```
//!
//! A map of a hundred thousand tasks is larger than a cache, and made of memory that was never touched before. Most tasks
//! are mentioned by nobody: so a drawing looks first who is.

use super::ids::IdMap;
use super::record::{RuntimeRecord, TaskRecord};

/// The place of what is nowhere. (There are fewer tasks.)
pub(super) const NOWHERE: u32 = u32::MAX;

/// Tasks of all runtimes together, by their ids. Of two with one id, which only a memory in disorder has, the last one.
pub(super) struct Places(IdMap<u32>);

impl Places {
    /// Those of all tasks, to be asked for any of them.
    pub(super) fn of_all(runtimes: &[RuntimeRecord]) -> Places {
        Places(tasks(runtimes).zip(0..).map(|(task, at)| (task.id, at)).collect())
    }

    /// Those of tasks that records mention, and of tasks that await others. All others are said not to be there.
    pub(super) fn of_mentioned(runtimes: &[RuntimeRecord]) -> Places {
        let mut places = IdMap::default();
        // Children of one parent come together.
        let mut latest = None;
        for task in tasks(runtimes) {
            if task.group.is_some() && latest.replace(task.parent) != Some(task.parent) {
                places.insert(task.parent, NOWHERE);
            }
            for wait in task.waits.iter().filter(|wait| wait.what.is_for_tasks()) {
                places.extend(wait.what.mentions().chain([task.id]).map(|id| (id, NOWHERE)));
            }
        }
        for (task, at) in tasks(runtimes).zip(0..) {
            if let Some(place) = places.get_mut(&task.id) {
                *place = at;
            }
        }
        Places(places)
    }

    pub(super) fn get(&self, id: u64) -> Option<u32> {
        self.0.get(&id).copied().filter(|place| *place != NOWHERE)
    }
}

fn tasks(runtimes: &[RuntimeRecord]) -> impl Iterator<Item = &TaskRecord> {
    runtimes.iter().flat_map(|runtime| &runtime.tasks)
}
