//! The list of tasks that one await waits for, in a place where also another process can read it.

use crate::black_box::NearVec;
use crate::error::Cancelled;
use crate::task::TaskRef;
use crate::task::row::{AwaitKind, Row, Wait};
use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::ptr;
use std::rc::Rc;

/// The tasks that a leaf waits for. Cloned, it is the same list.
#[derive(Clone, Debug)]
pub struct AwaitedTasks(Rc<List>);

#[derive(Debug)]
struct List {
    /// Their number, then their ids: so that who has only the address can read them.
    numbers: NearVec<Cell<u64>>,
    /// What has gone on to them.
    forwarded: RefCell<Option<Cancelled>>,
}

impl AwaitedTasks {
    /// These tasks. Those that have ended count no more.
    pub fn new<'a>(tasks: impl IntoIterator<Item = &'a TaskRef>) -> AwaitedTasks {
        let mut tasks = tasks.into_iter().peekable();
        // They are all of one runtime, and of this thread.
        let first = tasks.peek().and_then(|task| Row::current(task.id().as_u64()));
        let near = first.map_or(ptr::null(), |row| ptr::from_ref(row).cast());
        let mut numbers = NearVec::with_capacity(near, 1 + tasks.size_hint().0);
        numbers.push(near, Cell::new(0));
        tasks.for_each(|task| numbers.push(near, Cell::new(task.id().as_u64())));
        numbers[0].set(numbers.len() as u64 - 1);
        AwaitedTasks(Rc::new(List { numbers, forwarded: RefCell::default() }))
    }

    /// From here on they are not waited for: the await is over, although some of the tasks are not.
    pub fn close(&self) {
        self.0.numbers[0].set(0);
    }

    /// The requests that have gone on to the tasks, as one, with the causes of all; `None` if there was none.
    ///
    /// For an await that ends cancelled after a request even if none of its tasks does.
    pub fn forwarded(&self) -> Option<Cancelled> {
        self.0.forwarded.borrow().clone()
    }

    pub(crate) fn note_forwarded(&self, why: &Cancelled) {
        let before = self.0.forwarded.take();
        let all = before.map_or_else(|| why.clone(), |before| before.and(why));
        let replaced = self.0.forwarded.replace(Some(all));
        drop(replaced);
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = u64> {
        let numbers = &self.0.numbers;
        numbers[1..].iter().take(numbers[0].get() as usize).map(Cell::get)
    }

    pub(super) fn wait(&self, row: &Row, place: &'static Location<'static>) -> Wait {
        let operand = self.0.numbers.as_ptr().addr() as u64;
        Wait { kind: AwaitKind::Tasks, scope: row.frame.get().scope(), operand, place: Some(place) }
    }
}
