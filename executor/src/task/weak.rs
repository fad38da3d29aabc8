//! `WeakTaskRef`: a handle that costs nothing to keep.
//!
//! A [`TaskRef`] is counted, so that the task's record stays for as long as somebody may look at it. Whoever hears of the
//! task's end anyway, as a group does of its children's, needs no count:
//!
//! ```text
//!   TaskRef      ──downgrade──►  WeakTaskRef      copied, stored and dropped like a number
//!   Option<TaskRef> ◄──upgrade──┘                  None once the record is gone
//! ```

use super::reference::TaskRef;
use super::row::Row;
use super::state::State;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};

/// A handle on a task that does not keep the task's record. The default one is a handle on nothing.
///
/// ```
/// homing::run(async {
///     let task = homing::spawn(async { Ok(()) });
///     let weak = task.downgrade();
///     assert_eq!(weak.upgrade(), Some(task.task_ref()));
///     task.await?;
///     assert_eq!(weak.upgrade(), None);
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[derive(Clone, Copy, Default)]
pub struct WeakTaskRef {
    place: Option<&'static Row>,
    id: u64,
    _not_send: PhantomData<*const ()>,
}

impl WeakTaskRef {
    #[inline]
    pub(crate) fn new(place: Option<&'static Row>, id: u64) -> WeakTaskRef {
        WeakTaskRef { place, id, _not_send: PhantomData }
    }

    /// The handle proper, unless the task has ended and its record is gone, or is still being made.
    #[inline]
    pub fn upgrade(self) -> Option<TaskRef> {
        // (Free, with this id already: it is being made. See `Owner::child_made`.)
        let is_there = |row: &&Row| row.id() == self.id && row.state.get() != State::Free;
        self.place.filter(|row| is_there(row)).map(TaskRef::of)
    }
}

// As for `TaskRef`.
impl UnwindSafe for WeakTaskRef {}
impl RefUnwindSafe for WeakTaskRef {}

impl fmt::Debug for WeakTaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.upgrade().fmt(f)
    }
}
