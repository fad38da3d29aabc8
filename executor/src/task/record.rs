//! The record: what a row keeps only so that somebody can see what its task is and where it stands.
//!
//! ```text
//!   spawn ──► parent, group, place, number, name of the type          kept here
//!   await ──► sequence, scope, place, beside kind and operand         `Awaiting::set`, which asks this
//!   poll  ──► nothing: its count tells leaves apart, and is no record
//! ```
//!
//! Nothing in the runtime works differently without it: names, places, parents and edges are missing. So that it can be
//! known what it costs, it can be left out, with `--cfg homing_unrecorded`; the harness counts both (`count --without`). It
//! is for nothing else.

use super::cell::VTable;
use super::row::{AWAITED, Row};
use crate::cancel::ScopeId;
use crate::runtime::core::Core;
use std::panic::Location;

/// Whether there is any.
pub(super) const IS_KEPT: bool = !cfg!(homing_unrecorded);

/// A task is spawned: in this scope, or by the task that is being polled.
#[inline(always)]
pub(super) fn spawned(
    core: &Core,
    row: &Row,
    waiter: Option<ScopeId>,
    spawner: Option<&Row>,
    place: &'static Location<'static>,
) {
    if !IS_KEPT {
        return;
    }
    let (parent, group) = match waiter {
        Some(waiter) => (waiter.task | AWAITED, waiter.scope),
        None => (spawner.map_or(0, Row::id), 0),
    };
    row.parent.set(parent);
    row.group.set(group);
    row.spawned_at.set(Some(place));
    row.number.set(core.next_number());
}

/// A row is taken by another kind of task than the one before.
#[inline(always)]
pub(super) fn has_type(core: &Core, vtable: &'static VTable) {
    if IS_KEPT {
        core.types.note(vtable);
    }
}
