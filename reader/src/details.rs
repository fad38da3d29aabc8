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
use crate::rows::{RawRow, settle};
use std::collections::HashMap;

/// What it takes to keep a scope or a node, of which a record is made, at least.
const KEPT: usize = 192;

/// The details of one task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Details {
    extras: Vec<u8>,
    pub(crate) name: Option<Vec<u8>>,
    pub(crate) name_length: u64,
    pub(crate) scopes: Vec<Vec<u8>>,
    pub(crate) nodes: Vec<Vec<u8>>,
    /// Beside the nodes, or the row, the ids that an address leads to.
    pub(crate) lists: HashMap<u64, Vec<u64>>,
}

/// Reads the details of all rows that have some; those that do not settle are marked as changing.
pub(crate) fn read_all(
    memory: &dyn Memory,
    layout: &Layout,
    rows: &mut [RawRow],
    budgets: &mut Budgets,
) -> HashMap<u64, Details> {
    let mut found = HashMap::new();
    let with_extras = |row: &RawRow| layout.row.extras.number(&row.bytes) != 0;
    let mut left: Vec<usize> = (0..rows.len()).filter(|at| with_extras(&rows[*at])).collect();
    for tries in 0..limits::TRIES {
        let length = left.len() * (layout.row.size + layout.extras.size);
        if left.is_empty() || (tries > 0 && !budgets.again.take_all(length)) {
            break;
        }
        let batch = read_batch(memory, layout, rows, &left, &mut budgets.details);
        let is_settled = recheck(memory, layout, rows, &left, &batch);
        let mut unsettled = Vec::new();
        for ((at, details), is_settled) in left.into_iter().zip(batch).zip(is_settled) {
            found.insert(rows[at].address, details);
            if !is_settled {
                unsettled.push(at);
            }
        }
        settle(memory, layout, rows, unsettled.clone(), &mut budgets.again);
        unsettled.retain(|at| {
            let has_some = with_extras(&rows[*at]);
            if !has_some {
                found.remove(&rows[*at].address);
            }
            has_some
        });
        left = unsettled;
    }
    for at in left {
        rows[at].settled = false;
    }
    found
}

fn read_batch(
    memory: &dyn Memory,
    layout: &Layout,
    rows: &[RawRow],
    which: &[usize],
    budget: &mut Budget,
) -> Vec<Details> {
    let mut parts: Vec<(u64, usize)> = Vec::new();
    for at in which {
        parts.push((layout.row.extras.number(&rows[*at].bytes), budget.take(layout.extras.size)));
    }
    let mut details: Vec<Details> = read_parts(memory, &parts)
        .into_iter()
        .map(|extras| Details { extras: extras.unwrap_or_default(), ..Details::default() })
        .collect();
    let extras_size = layout.extras.size;
    let pair = |details: &Details, at: At| {
        if details.extras.len() == extras_size { at.pair(&details.extras) } else { (0, 0) }
    };
    // Names.
    let parts: Vec<(u64, usize)> = details
        .iter()
        .map(|details| {
            let (address, length) = pair(details, layout.extras.name);
            (address, budget.take(clamp(length, limits::NAME)))
        })
        .collect();
    for (details, (name, (_, length))) in
        details.iter_mut().zip(read_parts(memory, &parts).into_iter().zip(&parts))
    {
        details.name_length = pair(details, layout.extras.name).1;
        details.name = name.filter(|_| *length > 0);
    }
    // Scopes, and nodes.
    let scopes = read_lists(
        memory,
        &details,
        |d| pair(d, layout.extras.scopes),
        layout.scope.size,
        limits::SCOPES,
        budget,
    );
    let nodes = read_lists(
        memory,
        &details,
        |d| pair(d, layout.extras.nodes),
        layout.node.size,
        limits::NODES,
        budget,
    );
    for ((details, scopes), nodes) in details.iter_mut().zip(scopes).zip(nodes) {
        details.scopes = scopes;
        details.nodes = nodes;
    }
    // Lists of tasks.
    for (details, at) in details.iter_mut().zip(which) {
        let waits = details
            .nodes
            .iter()
            .map(|node| (layout.node.kind.number(node), layout.node.operand.number(node)));
        let row = &rows[*at].bytes;
        let own = (layout.row.await_kind.number(row), layout.row.await_operand.number(row));
        let lists: Vec<u64> = waits
            .chain([own])
            .filter(|(kind, _)| layout.meaning(*kind) == homing_executor::outside::Meaning::Tasks)
            .map(|(_, address)| address)
            .collect();
        for address in lists {
            let ids = ids(memory, address, budget);
            details.lists.insert(address, ids);
        }
    }
    details
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
    details: &[Details],
    list: impl Fn(&Details) -> (u64, u64),
    size: usize,
    limit: usize,
    budget: &mut Budget,
) -> Vec<Vec<Vec<u8>>> {
    let parts: Vec<(u64, usize)> = details
        .iter()
        .map(|details| {
            let (address, count) = list(details);
            // Small items are charged for what it takes to keep them.
            let charge = size.max(KEPT);
            (address, budget.take(clamp(count, limit) * charge) / charge * size)
        })
        .collect();
    let lists = read_parts(memory, &parts).into_iter();
    lists.map(|list| list.unwrap_or_default().chunks_exact(size).map(<[u8]>::to_vec).collect()).collect()
}

fn read_parts(memory: &dyn Memory, parts: &[(u64, usize)]) -> Vec<Option<Vec<u8>>> {
    let mut buffer = vec![0; parts.iter().map(|part| part.1).sum()];
    let read = memory.read_many(parts, &mut buffer);
    let mut rest = &buffer[..];
    let parts = parts.iter().zip(read).map(|((_, length), is_read)| {
        let (part, after) = rest.split_at(*length);
        rest = after;
        is_read.then(|| part.to_vec())
    });
    parts.collect()
}

/// Whether rows and extras are still what they were.
fn recheck(
    memory: &dyn Memory,
    layout: &Layout,
    rows: &[RawRow],
    which: &[usize],
    batch: &[Details],
) -> Vec<bool> {
    let row_parts: Vec<(u64, usize)> = which.iter().map(|at| (rows[*at].address, layout.row.size)).collect();
    let extras_parts: Vec<(u64, usize)> = which
        .iter()
        .zip(batch)
        .map(|(at, details)| (layout.row.extras.number(&rows[*at].bytes), details.extras.len()))
        .collect();
    let read = read_parts(memory, &row_parts).into_iter().zip(read_parts(memory, &extras_parts));
    let same = read.zip(which.iter().zip(batch)).map(|((row, extras), (at, details))| {
        row.is_some_and(|row| *row == *rows[*at].bytes)
            && extras.is_some_and(|extras| extras == details.extras)
    });
    same.collect()
}

fn clamp(number: u64, limit: usize) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX).min(limit)
}
