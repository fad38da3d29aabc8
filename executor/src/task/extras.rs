//! What a row has no room for, because few tasks need it: a given name, several joiners, callbacks, cancel scopes,
//! task-locals.
//!
//! Allocated when first needed, dropped when the row is recycled. Everything in it is reached through a shared
//! reference and belongs to the runtime's thread, hence the cells.

use super::reference::TaskRef;
use crate::cancel::leaf::ForwardTo;
use crate::cancel::scope::ScopeEntry;
use crate::error::Cancelled;
use crate::locals;
use crate::locals::in_force::Slot;
use slab::Slab;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::task::Waker;

#[derive(Default)]
pub(crate) struct Extras {
    /// The name that the task was given.
    pub(crate) name: RefCell<Option<Cow<'static, str>>>,
    /// Why the task was asked to cancel: all requests that have not been delivered yet.
    pub(crate) causes: RefCell<Option<Cancelled>>,
    /// Why it was, as the last `Cancelled` said: for the other leaves that are bound to return the same.
    pub(crate) delivered: RefCell<Option<Cancelled>>,
    /// Parked leaves that a cancel has to reach by itself.
    pub(crate) nodes: RefCell<Slab<Node>>,
    /// The cancel scopes that the task is in.
    pub(crate) scopes: RefCell<Vec<ScopeEntry>>,
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
    /// It cleans up after others: the final sweep waits for it, and does not cancel it.
    pub(crate) spared: Cell<bool>,
    /// The values of its task-locals, until it ends.
    pub(crate) context: Slot,
}

impl std::fmt::Debug for Extras {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Extras").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Somebody who waits for a task's end.
pub(crate) struct Joiner {
    pub(crate) key: u32,
    pub(crate) waker: Waker,
}

/// A parked leaf that is not simply found by polling its task again.
pub(crate) struct Node {
    /// The cancel scope it stands in.
    pub(crate) scope: u32,
    /// The poll of the task in which it parked.
    pub(crate) poll: u32,
    pub(crate) kind: NodeKind,
}

pub(crate) enum NodeKind {
    /// It was polled with a waker that is not its task's, so a combinator will poll it only when that one is woken.
    Leaf(Waker),
    /// It awaits another task, to which a cancel is forwarded, and was polled with a waker that is not its task's.
    Join(u64),
    /// It awaits several. Polled with the task's own waker, it stands here as long as every poll of the task polls it too.
    Joins { tasks: ForwardTo, own: bool },
}

/// One [`TaskRef::on_done`].
pub(crate) struct Callback {
    pub(crate) key: u64,
    pub(crate) call: Box<dyn FnOnce(&TaskRef)>,
    /// What it is called in (CV-4).
    pub(crate) context: Option<locals::Context>,
}
