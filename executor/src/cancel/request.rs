//! Making, forwarding and taking back cancel requests: what `cancel()` and `uncancel()` do to the rows.
//!
//! | the task is              | `cancel()`                                                              |
//! |--------------------------|-------------------------------------------------------------------------|
//! | done                     | nothing; the answer is false                                            |
//! | parked on another task   | count + 1, and the same for that task (CX-4), if it is certain          |
//! | parked otherwise         | count + 1, epoch + 1, must; wake: that await returns `Err` (CX-3)       |
//! | created, ready, running  | count + 1, must: the next await that would suspend returns `Err` (CX-7) |

use crate::cancel::scope;
use crate::error::Cancelled;
use crate::observe::{self, Forwarded};
use crate::task::extras::{Node, NodeKind};
use crate::task::life;
use crate::task::row::{AwaitKind, Flag, Joins, Row, Wait};
use crate::task::state::State;
use std::task::Waker;

/// The scope that stands for the task as a whole.
pub(crate) const WHOLE_TASK: u32 = 0;

/// Asks a task to cancel. Says whether it was still there to be asked.
pub(crate) fn cancel(row: &'static Row, why: &Cancelled) -> bool {
    if !row.state.get().is_alive() {
        // Whoever cancels what has already failed does not want to hear of the failure (TK-12).
        row.set(Flag::Observed);
        return false;
    }
    row.count.set(row.count.get() + 1);
    aim(row, WHOLE_TASK, why);
    true
}

/// Brings a request, already counted, to the leaves of one scope, and from task to task as far as tasks await tasks.
///
/// Iterative, because a chain of tasks may be longer than the stack is deep.
pub(crate) fn aim(row: &'static Row, scope: u32, why: &Cancelled) {
    observe::tell_request(row, scope, why, Forwarded::No);
    let mut targets = Vec::new();
    pass_on(row, scope, why, &mut targets);
    if targets.is_empty() {
        return;
    }
    row.set(Flag::Forwarding);
    // In the order in which they are awaited, and so also polled.
    let mut next = 0;
    while let Some(target) = targets.get(next).copied() {
        next += 1;
        target.count.set(target.count.get() + 1);
        observe::tell_request(target, WHOLE_TASK, why, Forwarded::Yes);
        if target.is(Flag::Forwarding) {
            // A circle of tasks that await one another: the request has come round, and is delivered right here, which
            // breaks the circle.
            deliver(target, WHOLE_TASK, why, Accepted::ByLeaves);
        } else {
            target.set(Flag::Forwarding);
            pass_on(target, WHOLE_TASK, why, &mut targets);
        }
    }
    row.clear(Flag::Forwarding);
    targets.into_iter().for_each(|row| row.clear(Flag::Forwarding));
}

/// If the task is suspended on other tasks (within `scope`), and on nothing else for all one knows, lists those that are
/// unfinished. Otherwise makes the request pending here, and the task's leaves take it or pass it on when they are polled.
///
/// A parked task that forwards is woken all the same: beside the leaf that waits for a task there may be others.
fn pass_on(row: &'static Row, scope: u32, why: &Cancelled, targets: &mut Vec<&'static Row>) {
    let listed = targets.len();
    if !row.state.get().on_cpu() {
        awaited_tasks(row, scope, |task| targets.push(task));
    }
    if targets.len() == listed && row.awaiting.joins() == Joins::Certain {
        // It waits for tasks, and all of them have ended: nobody has accepted the request, and it can be taken back
        // until the end of the wait is seen (GA-10, CX-20).
        deliver(row, scope, why, Accepted::Not);
    } else if targets.len() == listed || row.awaiting.joins() == Joins::InDoubt {
        deliver(row, scope, why, Accepted::ByLeaves);
    } else {
        note_forwarded(row, scope, why);
        scope::bump(row, scope);
        row.set(Flag::Forwarded);
        // Beside those that wait for tasks there may be other leaves, which take it themselves.
        wake_linked_leaves(row, scope);
        wake(row);
    }
}

/// Calls `f` with every unfinished task that a leaf within `scope` awaits, except where that is in doubt.
fn awaited_tasks(row: &Row, scope: u32, mut f: impl FnMut(&'static Row)) {
    let mut see = |id: u64, at: u32| {
        if scope::is_within(row, at, scope)
            && let Some(task) = Row::current(id).filter(|task| task.state.get().is_alive())
        {
            f(task);
        }
    };
    let in_doubt = row.awaiting.joins() == Joins::InDoubt;
    let wait = row.awaiting.get();
    if wait.kind == AwaitKind::Task && !in_doubt {
        see(wait.operand, wait.scope);
    }
    if let Some(extras) = row.extras() {
        extras.nodes.for_each(|node| {
            if node.forwards() && stands(row, node) {
                node.for_each_task(|task| see(task, node.wait.scope));
            }
        });
    }
}

/// Tells the leaves within `scope` that await several tasks what goes on to those.
fn note_forwarded(row: &Row, scope: u32, why: &Cancelled) {
    let Some(extras) = row.extras() else { return };
    extras.nodes.for_each(|node| {
        if let Some(tasks) = &node.tasks
            && node.forwards()
            && scope::is_within(row, node.wait.scope, scope)
            && stands(row, node)
            && tasks.ids().filter_map(Row::current).any(|task| task.state.get().is_alive())
        {
            tasks.note_forwarded(why);
        }
    });
}

/// Whether a leaf that awaits tasks stands where its node says, for all one knows.
fn stands(row: &Row, node: &Node) -> bool {
    node.stands(row) && (node.is_linked() || row.awaiting.joins() != Joins::InDoubt)
}

/// Whether the leaves that are parked in a task are bound to return a request from now on (CX-21).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Accepted {
    ByLeaves,
    Not,
}

/// Makes a request pending in a task, or bound for the leaves that are parked in it.
fn deliver(row: &'static Row, scope: u32, why: &Cancelled, accepted: Accepted) {
    note_cause(row, why);
    scope::set_must(row, scope);
    row.clear(Flag::Forwarded);
    match row.state.get() {
        State::Parked | State::Watched => {
            if accepted == Accepted::ByLeaves {
                scope::bump(row, scope);
            }
            wake_linked_leaves(row, scope);
            wake(row);
        }
        State::Ready => {
            wake_linked_leaves(row, scope);
        }
        State::Running | State::Rewoken => {
            // The leaf that takes it will be polled in any case. But leaves that have parked earlier in this same poll
            // were parked at the moment of the request as well, and have to be polled again to hear of it.
            wake_linked_leaves(row, scope);
            wake(row);
        }
        // Never begun, and to be ended in its turn.
        State::Held => wake(row),
        State::Created | State::Done | State::Free => {}
    }
}

fn wake(row: &'static Row) {
    crate::waker::waker(row.id()).wake_by_ref();
}

/// Wakes the leaves within `scope` that were polled with another waker than the task's own. Says whether there are.
pub(crate) fn wake_linked_leaves(row: &Row, scope: u32) -> bool {
    let Some(extras) = row.extras() else { return false };
    // Collected first: a foreign waker may run anything.
    let wakers: Vec<Waker> = extras
        .nodes
        .borrow()
        .iter()
        .filter(|node| scope::is_within(row, node.wait.scope, scope))
        .filter_map(|node| match &node.kind {
            NodeKind::Linked(waker) => Some(waker.clone()),
            NodeKind::LinkedForwarding(_) | NodeKind::Own | NodeKind::OwnForwarding | NodeKind::Vacant => {
                None
            }
        })
        .collect();
    let any = !wakers.is_empty();
    wakers.into_iter().for_each(life::wake_foreign);
    any
}

/// At the end of a poll, a request is still pending that came while the task was running: if leaves that await tasks
/// are parked in it, forwards it to them, as it would have been had it come a moment later. Says whether it did.
pub(crate) fn forward_pending(row: &'static Row, scope: u32) -> bool {
    let mut targets = Vec::new();
    awaited_tasks(row, scope, |task| targets.push(task));
    if targets.is_empty() {
        return false;
    }
    let why = scope::take(row);
    note_forwarded(row, scope, &why);
    row.set(Flag::Forwarded);
    for target in targets {
        cancel(target, &why);
    }
    true
}

/// Takes back one request. Returns how many remain.
pub(crate) fn uncancel(row: &Row) -> u32 {
    let count = row.count.get().saturating_sub(1);
    row.count.set(count);
    if count == 0 {
        scope::rescind_all(row);
    }
    count
}

/// Keeps the cause of a request until it is delivered.
///
/// One that says no more than where `cancel()` was called goes into the row, in place of what the task was waiting
/// for, so that cancelling many plain sleepers allocates nothing.
pub(crate) fn note_cause(row: &Row, why: &Cancelled) {
    let noted = row.extras().is_some_and(|extras| extras.causes.borrow().is_some());
    // Not in place of a wait for tasks, along which it may have to go on; nor of one that is recorded while the task is
    // being polled, for its leaf may still take it back.
    let is_free = match row.awaiting.kind() {
        AwaitKind::Nothing => row.awaiting.joins() == Joins::None,
        AwaitKind::Request => false,
        _ => row.awaiting.joins() == Joins::None && !row.state.get().on_cpu(),
    };
    if is_free
        && !noted
        && let Some(place) = why.only_a_place()
    {
        row.awaiting.set(Wait { kind: AwaitKind::Request, scope: WHOLE_TASK, operand: 0, place });
        return;
    }
    let all = take_causes(row).and(why);
    *row.extras_or_new().causes.borrow_mut() = Some(all);
}

/// The `Cancelled` that stands for all requests which have been noted.
pub(crate) fn take_causes(row: &Row) -> Cancelled {
    let recorded = row.awaiting.get();
    if recorded.kind == AwaitKind::Request {
        row.awaiting.forget_request();
        return recorded.place.map_or_else(Cancelled::new, Cancelled::at);
    }
    row.extras().and_then(|extras| extras.causes.take()).unwrap_or_default()
}
