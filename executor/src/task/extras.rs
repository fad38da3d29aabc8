//! What a row has no room for, because few tasks need it: a given name, several joiners, callbacks, cancel scopes,
//! task-locals.
//!
//! Allocated when first needed, dropped when the row is recycled. Everything in it is reached through a shared
//! reference and belongs to the runtime's thread, hence the cells.

use super::nodes::Nodes;
use super::reference::TaskRef;
use super::row::{AwaitKind, Row, Wait};
use crate::black_box::Told;
use crate::cancel::AwaitedTasks;
use crate::cancel::scope::ScopeEntry;
use crate::error::Cancelled;
use crate::locals;
use crate::locals::in_force::Slot;
use crate::outside::Field;
use crate::outside::published::{Published, Text};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::mem::offset_of;
use std::ptr;
use std::task::Waker;

#[derive(Default)]
pub(crate) struct Extras {
    /// The name that the task was given.
    pub(crate) name: Name,
    /// Why the task was asked to cancel: all requests that have not been delivered yet.
    pub(crate) causes: RefCell<Option<Cancelled>>,
    /// Why it was, as the last `Cancelled` said: for the other leaves that are bound to return the same.
    pub(crate) delivered: RefCell<Option<Cancelled>>,
    /// Parked leaves, but for the one that is in the row's record.
    pub(crate) nodes: Nodes,
    /// The cancel scopes that the task is in.
    pub(crate) scopes: Published<ScopeEntry>,
    /// How many scopes there ever were: the last scope's id.
    pub(crate) scopes_made: Cell<u32>,
    /// While a scope is being polled: the row's epoch outside of all scopes.
    pub(crate) base_epoch: Cell<u32>,
    /// Who waits for the task's end, beside the row's `joiner`, in the order in which they began to.
    pub(crate) joiners: RefCell<VecDeque<Joiner>>,
    pub(crate) joiners_made: Cell<u32>,
    /// What to call after the task's end.
    pub(crate) callbacks: RefCell<Vec<Callback>>,
    pub(crate) callbacks_made: Cell<u64>,
    /// Observers were told of its spawn, and so are of all that becomes of it.
    pub(crate) told: Cell<bool>,
    /// It cleans up after others: the final sweep waits for it, and does not cancel it.
    pub(crate) spared: Cell<bool>,
    /// The values of its task-locals, until it ends.
    pub(crate) context: Slot,
}

impl Extras {
    /// What another process is told of it.
    pub(crate) const FIELDS: [Field; 3] = [
        Field::new("extras.name", offset_of!(Extras, name.text), size_of::<Text>()),
        Field::new("extras.nodes", offset_of!(Extras, nodes) + Nodes::LIST, size_of::<Text>()),
        Field::new("extras.scopes", offset_of!(Extras, scopes), size_of::<Text>()),
    ];
}

/// A name, and where it is.
#[derive(Default)]
pub(crate) struct Name {
    text: Told,
    given: RefCell<Option<Cow<'static, str>>>,
}

impl Name {
    pub(crate) fn get(&self) -> Option<Cow<'static, str>> {
        self.given.borrow().clone()
    }

    pub(crate) fn set(&self, name: Cow<'static, str>) {
        self.text.tell(ptr::from_ref(self).cast(), &name);
        let before = self.given.replace(Some(name));
        drop(before);
    }

    /// It has moved, perhaps into a black box.
    pub(super) fn retell(&self) {
        if let Some(name) = &*self.given.borrow() {
            self.text.tell(ptr::from_ref(self).cast(), name);
        }
    }
}

impl std::fmt::Debug for Extras {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Extras").field("name", &self.name.given).finish_non_exhaustive()
    }
}

/// Somebody who waits for a task's end.
pub(crate) struct Joiner {
    pub(crate) key: u32,
    pub(crate) waker: Waker,
}

/// A parked leaf that has no place in the row's record, or that is not simply found by polling its task again.
pub(crate) struct Node {
    /// What it waits for.
    pub(crate) wait: Wait,
    /// The poll of the task in which it parked.
    pub(crate) poll: u32,
    pub(crate) kind: NodeKind,
    /// The tasks that it waits for, if these are several.
    pub(crate) tasks: Option<AwaitedTasks>,
    /// Whether a combinator polls it when it sees fit: as the kind says.
    linked: bool,
}

/// Who polls a parked leaf, and what becomes of a cancel.
pub(crate) enum NodeKind {
    /// It is polled with the task's own waker, and so stands here as long as every poll of the task polls it too.
    Own,
    /// The same, and it passes a cancel on to the tasks that it waits for.
    OwnForwarding,
    /// It was polled with a waker that is not its task's, so a combinator will poll it only when that one is woken.
    Linked(Waker),
    /// The same for one that passes a cancel on, and so need not be woken for it. If it awaits a single task, its waker is kept for
    /// that one's end ([`joiner`](super::joiner)).
    LinkedForwarding(Option<Waker>),
    /// It is no leaf's: free.
    Vacant,
}

impl Node {
    /// What another process is told of it. A kind of await that is `nothing` says that it is vacant.
    pub(crate) const FIELDS: [Field; 7] = [
        Field::new("node", 0, size_of::<Node>()),
        Field::new("node.kind", offset_of!(Node, wait.kind), 1),
        Field::new("node.scope", offset_of!(Node, wait.scope), 4),
        Field::new("node.operand", offset_of!(Node, wait.operand), 8),
        Field::new("node.place", offset_of!(Node, wait.place), size_of::<usize>()),
        Field::new("node.poll", offset_of!(Node, poll), 4),
        Field::new("node.linked", offset_of!(Node, linked), 1),
    ];

    #[inline(always)]
    pub(crate) fn new(wait: Wait, poll: u32, kind: NodeKind, tasks: Option<&AwaitedTasks>) -> Node {
        let linked = matches!(kind, NodeKind::Linked(_) | NodeKind::LinkedForwarding(_));
        Node { wait, poll, kind, tasks: tasks.cloned(), linked }
    }

    /// A vacant one, which links to the next that is vacant.
    pub(super) fn vacant(next: u32) -> Node {
        let wait = Wait { kind: AwaitKind::Nothing, scope: 0, operand: next.into(), place: None };
        Node::new(wait, 0, NodeKind::Vacant, None)
    }

    /// Makes it a vacant one. Nothing is in it that would have to be dropped.
    #[inline(always)]
    pub(super) fn vacate(&mut self, next: u32) {
        debug_assert!(self.is_spent());
        self.wait.kind = AwaitKind::Nothing;
        self.wait.operand = next.into();
        std::mem::forget(std::mem::replace(&mut self.kind, NodeKind::Vacant));
    }

    pub(super) fn is_vacant(&self) -> bool {
        matches!(self.kind, NodeKind::Vacant)
    }

    /// Whether it is a leaf's that was made in this poll of the task.
    pub(super) fn is_of(&self, poll: u32) -> bool {
        !self.is_vacant() && self.poll == poll
    }

    /// Whether it merely says what its leaf waits for, which is polled whenever the task is.
    pub(super) fn is_plainly_own(&self) -> bool {
        matches!(self.kind, NodeKind::Own) && self.tasks.is_none()
    }

    /// Whether it is that of an await of a task which has ended, and has taken the waker that was kept here for that.
    #[inline(always)]
    pub(super) fn is_spent(&self) -> bool {
        matches!(self.kind, NodeKind::LinkedForwarding(None)) && self.tasks.is_none()
    }

    /// Whether it is parked, as far as one can know: it was not dropped; and what is polled in every poll of its task was
    /// polled in the last one.
    pub(crate) fn stands(&self, row: &Row) -> bool {
        self.is_linked() || self.poll == row.polls.get()
    }

    /// Whether a combinator polls it when it sees fit.
    pub(crate) fn is_linked(&self) -> bool {
        self.linked
    }

    /// Whether a cancel goes on from here to the awaited tasks.
    pub(crate) fn forwards(&self) -> bool {
        matches!(self.kind, NodeKind::OwnForwarding | NodeKind::LinkedForwarding(_))
    }

    /// Calls `f` with the id of each task that it waits for; some may have ended.
    pub(crate) fn for_each_task(&self, f: impl FnMut(u64)) {
        match (&self.tasks, self.wait.kind) {
            (Some(tasks), _) => tasks.ids().for_each(f),
            (None, AwaitKind::Task | AwaitKind::Shielded) => std::iter::once(self.wait.operand).for_each(f),
            (None, _) => {}
        }
    }
}

/// One [`TaskRef::on_done`].
pub(crate) struct Callback {
    pub(crate) key: u64,
    pub(crate) call: Box<dyn FnOnce(&TaskRef)>,
    /// What it is called in (CV-4).
    pub(crate) context: Option<locals::Context>,
}
