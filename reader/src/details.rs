//! Details: what is not in a row itself, but a pointer or two away.
//!
//! ```text
//!   row.extras ──► name, where its text is      ──► text
//!                  scopes, where and how many   ──► scopes ──► their names
//!                  nodes, where and how many    ──► nodes  ──► lists of tasks
//! ```
//!
//! Each step is one call for very many tasks. At the end rows and extras are read once more: if either has changed, what
//! was found need not belong together, and that task is read again.

use crate::budget::{Budget, Budgets};
use crate::layout::{At, Layout};
use crate::limits;
use crate::memory::Memory;
use crate::rows::{Rows, settle};
use crate::texts::shown;
use homing_executor::outside::Meaning;
use std::collections::HashSet;

/// What it takes to keep a scope or a node, of which a record is made, at least.
const KEPT: usize = 192;

/// The details of one task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Details {
    pub(crate) name: Option<String>,
    pub(crate) scopes: Vec<Vec<u8>>,
    pub(crate) nodes: Vec<Vec<u8>>,
    /// Beside the nodes, or the row, the ids that an address leads to; in the order of addresses.
    pub(crate) lists: Vec<(u64, Vec<u64>)>,
}

/// Reads the details of all rows that have some, each with the row's place, in their order; those that do not settle are
/// marked as changing.
pub(crate) fn read_all(
    memory: &dyn Memory,
    layout: &Layout,
    rows: &mut Rows,
    budgets: &mut Budgets,
) -> Vec<(usize, Details)> {
    let with_extras = |rows: &Rows, at: usize| {
        rows.get(at).state.is_some() && layout.row.extras.number(rows.bytes(at)) != 0
    };
    let mut left: Vec<usize> = (0..rows.len()).filter(|at| with_extras(rows, *at)).collect();
    let mut found: Vec<(usize, Details)> = Vec::new();
    for tries in 0..limits::TRIES {
        let length = left.len() * (layout.row.size + layout.extras.size);
        if left.is_empty() || (tries > 0 && !budgets.again.take_all(length)) {
            break;
        }
        let batch = Batch::read(memory, layout, rows, &left, &mut budgets.details);
        let is_settled = batch.recheck(memory, layout, rows, &left);
        let mut unsettled = Vec::new();
        for ((at, details), is_settled) in left.into_iter().zip(batch.details).zip(is_settled) {
            match found.binary_search_by_key(&at, |(at, _)| *at) {
                Ok(place) => found[place].1 = details,
                // The first time, which is in order.
                Err(_) => found.push((at, details)),
            }
            if !is_settled {
                unsettled.push(at);
            }
        }
        settle(memory, layout, rows, unsettled.clone(), &mut budgets.again);
        let lost: HashSet<usize> = unsettled.extract_if(.., |at| !with_extras(rows, *at)).collect();
        if !lost.is_empty() {
            found.retain(|(at, _)| !lost.contains(at));
        }
        left = unsettled;
    }
    for at in left {
        rows.mark_as_changing(at);
    }
    found
}

/// The details of many tasks, read together.
struct Batch {
    /// What they were found by.
    extras: Parts,
    details: Vec<Details>,
}

impl Batch {
    fn read(
        memory: &dyn Memory,
        layout: &Layout,
        rows: &Rows,
        which: &[usize],
        budget: &mut Budget,
    ) -> Batch {
        let addresses = which.iter().map(|at| layout.row.extras.number(rows.bytes(*at)));
        let parts = addresses.map(|address| (address, budget.take(layout.extras.size))).collect();
        let extras = Parts::read(memory, parts);
        let pairs = |at: At| -> Vec<(u64, u64)> {
            let whole =
                extras.iter().map(|extras| extras.filter(|extras| extras.len() == layout.extras.size));
            whole.map(|extras| extras.map_or((0, 0), |extras| at.pair(extras))).collect()
        };
        let names = pairs(layout.extras.name);
        let parts =
            names.iter().map(|(at, length)| (*at, budget.take(clamp(*length, limits::NAME)))).collect();
        let read = Parts::read(memory, parts);
        let name = |(name, (_, length)): (Option<&[u8]>, &(u64, u64))| {
            name.filter(|name| !name.is_empty()).map(|name| shown(name, *length))
        };
        let names = read.iter().zip(&names).map(name);
        let mut lists = |at: At, size: usize, limit: usize| {
            read_lists(memory, &pairs(at), size, limit, budget).into_iter()
        };
        let scopes = lists(layout.extras.scopes, layout.scope.size, limits::SCOPES);
        let nodes = lists(layout.extras.nodes, layout.node.size, limits::NODES);
        let of_extras = names.zip(scopes).zip(nodes);
        let mut details: Vec<Details> = of_extras
            .map(|((name, scopes), nodes)| Details { name, scopes, nodes, lists: Vec::new() })
            .collect();
        for (details, at) in details.iter_mut().zip(which) {
            details.read_tasks(memory, layout, rows.bytes(*at), budget);
        }
        Batch { extras, details }
    }

    /// Whether rows and extras are still what they were.
    fn recheck(&self, memory: &dyn Memory, layout: &Layout, rows: &Rows, which: &[usize]) -> Vec<bool> {
        let parts = which.iter().map(|at| (rows.get(*at).address, layout.row.size)).collect();
        let now = Parts::read(memory, parts);
        let same_row = now.iter().zip(which).map(|(now, at)| now.is_some_and(|now| now == rows.bytes(*at)));
        let extras = Parts::read(memory, self.extras.parts.clone());
        let before = self.extras.iter().map(Option::unwrap_or_default);
        let same_extras = extras.iter().zip(before).map(|(now, before)| now.is_some_and(|now| now == before));
        same_row.zip(same_extras).map(|(row, extras)| row && extras).collect()
    }
}

impl Details {
    /// Reads the lists of tasks that its leaves wait for.
    fn read_tasks(&mut self, memory: &dyn Memory, layout: &Layout, row: &[u8], budget: &mut Budget) {
        let waits =
            self.nodes.iter().map(|node| (layout.node.kind.number(node), layout.node.operand.number(node)));
        let own = (layout.row.await_kind.number(row), layout.row.await_operand.number(row));
        let lists = waits.chain([own]).filter(|(kind, _)| layout.meaning(*kind) == Meaning::Tasks);
        self.lists = lists.map(|(_, address)| (address, ids(memory, address, budget))).collect();
        self.lists.sort_by_key(|list| list.0);
    }

    /// The ids that an address leads to.
    pub(crate) fn tasks(&self, address: u64) -> &[u64] {
        let found = self.lists.binary_search_by_key(&address, |list| list.0);
        found.map_or(&[], |at| &self.lists[at].1)
    }
}

/// A number, and so many ids.
fn ids(memory: &dyn Memory, address: u64, budget: &mut Budget) -> Vec<u64> {
    let mut number = [0; 8];
    if memory.read(address, &mut number).is_err() {
        return Vec::new();
    }
    let count = budget.take(clamp(u64::from_ne_bytes(number), limits::AWAITED) * 8) / 8;
    let mut bytes = vec![0; count * 8];
    match address.checked_add(8).map(|first| memory.read(first, &mut bytes)) {
        Some(Ok(())) => {
            bytes.chunks_exact(8).map(|id| u64::from_ne_bytes(id.try_into().expect("eight bytes"))).collect()
        }
        _ => Vec::new(),
    }
}

fn read_lists(
    memory: &dyn Memory,
    lists: &[(u64, u64)],
    size: usize,
    limit: usize,
    budget: &mut Budget,
) -> Vec<Vec<Vec<u8>>> {
    let parts = lists.iter().map(|(address, count)| {
        // Small items are charged for what it takes to keep them.
        let charge = size.max(KEPT);
        (*address, budget.take(clamp(*count, limit) * charge) / charge * size)
    });
    let lists = Parts::read(memory, parts.collect());
    let items =
        lists.iter().map(|list| list.unwrap_or_default().chunks_exact(size).map(<[u8]>::to_vec).collect());
    items.collect()
}

/// Parts of the memory, read together.
struct Parts {
    parts: Vec<(u64, usize)>,
    bytes: Vec<u8>,
    is_read: Vec<bool>,
}

impl Parts {
    fn read(memory: &dyn Memory, parts: Vec<(u64, usize)>) -> Parts {
        let mut bytes = vec![0; parts.iter().map(|part| part.1).sum()];
        let is_read = memory.read_many(&parts, &mut bytes);
        Parts { parts, bytes, is_read }
    }

    /// Those that could be read.
    fn iter(&self) -> impl Iterator<Item = Option<&[u8]>> {
        let mut rest = &self.bytes[..];
        self.parts.iter().zip(&self.is_read).map(move |((_, length), is_read)| {
            let (part, after) = rest.split_at(*length);
            rest = after;
            is_read.then_some(part)
        })
    }
}

fn clamp(number: u64, limit: usize) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX).min(limit)
}
