//! Details: what is not in a row itself, but a pointer or two away.
//!
//! ```text
//!   row.extras ──► name, where its text is      ──► text
//!                  scopes, where and how many   ──► scopes ──► their names
//!                  nodes, where and how many    ──► nodes  ──► lists of tasks
//! ```
//!
//! Each step is one call for very many tasks. What was found belongs together if rows and extras are the same afterwards: if
//! either has changed, that task is read again.

use crate::budget::{Budget, Budgets};
use crate::layout::{At, Layout};
use crate::limits;
use crate::memory::Memory;
use crate::rows::{Rows, settle};
use crate::texts::shown;
use homing_executor::outside::Meaning;
use std::collections::HashSet;
use std::ops::Range;

/// What it takes to keep a scope or a node, of which a record is made, at least.
const KEPT: usize = 192;

/// The details of one task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Details {
    pub(crate) name: Option<Name>,
    pub(crate) scopes: Vec<Vec<u8>>,
    pub(crate) nodes: Vec<Vec<u8>>,
    /// Beside the nodes, or the row, the ids that an address leads to; in the order of addresses.
    pub(crate) lists: Vec<(u64, Vec<u64>)>,
}

/// A name, as it was read. Text is made of it where records are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    /// Where it is among those of the block.
    bytes: Range<usize>,
    /// How long it is there, of which not all need have been read.
    length: u64,
}

/// The details of some rows of a block.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Each with the row's place, in their order.
    pub(crate) details: Vec<(usize, Details)>,
    pub(crate) names: Names,
}

/// The bytes of all names of a block.
#[derive(Debug, Default)]
pub(crate) struct Names(Vec<u8>);

impl Names {
    fn push(&mut self, bytes: &[u8], length: u64) -> Name {
        let start = self.0.len();
        self.0.extend_from_slice(bytes);
        Name { bytes: start..self.0.len(), length }
    }

    /// As text that can be shown.
    pub(crate) fn text(&self, name: &Name) -> String {
        shown(&self.0[name.bytes.clone()], name.length)
    }
}

impl Found {
    pub(crate) fn clear(&mut self) {
        self.details.clear();
        self.names.0.clear();
    }

    fn push(&mut self, at: usize, details: Details) {
        // The first time they come in order.
        if self.details.last().is_none_or(|(last, _)| *last < at) {
            return self.details.push((at, details));
        }
        match self.details.binary_search_by_key(&at, |(at, _)| *at) {
            Ok(place) => self.details[place].1 = details,
            Err(place) => self.details.insert(place, (at, details)),
        }
    }
}

/// Whether there is more to say of a row.
pub(crate) fn are_there(layout: &Layout, rows: &Rows, at: usize) -> bool {
    rows.get(at).state.is_some() && layout.row.extras.number(rows.bytes(at)) != 0
}

/// Where details are read to: memory that is used again for each block. (If it were new each time, the kernel would have to find
/// and clear more pages than there are to be read.)
#[derive(Debug, Default)]
pub(crate) struct Desk {
    extras: Parts,
    heads: Vec<Head>,
    /// What they lead to, one after the other.
    led_to: Parts,
    /// Rows and extras, read again.
    again: Parts,
}

/// What extras say: addresses, and how much there is.
#[derive(Debug, Default)]
struct Head {
    name: (u64, u64),
    scopes: (u64, u64),
    nodes: (u64, u64),
}

impl Desk {
    /// Reads the details of these rows together.
    pub(crate) fn read(
        &mut self,
        memory: &dyn Memory,
        layout: &Layout,
        rows: &Rows,
        which: &[usize],
        budget: &mut Budget,
        found: &mut Found,
    ) {
        let Desk { extras, heads, led_to, .. } = self;
        let window = &layout.extras_window;
        let parts = which.iter().map(|at| {
            let address = layout.row.extras.number(rows.bytes(*at));
            (address.saturating_add(window.start as u64), budget.take(window.len()))
        });
        extras.read(memory, parts);
        heads.clear();
        heads.extend(extras.iter().map(
            |extras| match extras.filter(|extras| extras.len() == window.len()) {
                Some(extras) => {
                    let pair = |at: At| at.since(window.start).pair(extras);
                    let fields = &layout.extras;
                    Head { name: pair(fields.name), scopes: pair(fields.scopes), nodes: pair(fields.nodes) }
                }
                None => Head::default(),
            },
        ));
        let names = heads.iter().map(|head| (head.name.0, budget.take(clamp(head.name.1, limits::NAME))));
        led_to.read(memory, names);
        let name = |(bytes, head): (Option<&[u8]>, &Head)| {
            let bytes = bytes.filter(|bytes| !bytes.is_empty())?;
            Some(found.names.push(bytes, head.name.1))
        };
        let names = led_to.iter().zip(&*heads).map(name);
        let mut all: Vec<Details> = names.map(|name| Details { name, ..Details::default() }).collect();
        // Most tasks are in no scope, and stand at one await.
        if heads.iter().any(|head| head.scopes.1 != 0) {
            let lists = heads.iter().map(|head| head.scopes);
            led_to.read_lists(memory, lists, layout.scope.size, limits::SCOPES, budget);
            let scopes = led_to.lists(layout.scope.size);
            all.iter_mut().zip(scopes).for_each(|(details, scopes)| details.scopes = scopes);
        }
        if heads.iter().any(|head| head.nodes.1 != 0) {
            let lists = heads.iter().map(|head| head.nodes);
            led_to.read_lists(memory, lists, layout.node.size, limits::NODES, budget);
            let nodes = led_to.lists(layout.node.size);
            all.iter_mut().zip(nodes).for_each(|(details, nodes)| details.nodes = nodes);
        }
        for (mut details, at) in all.into_iter().zip(which) {
            details.read_tasks(memory, layout, rows.bytes(*at), budget);
            found.push(*at, details);
        }
    }

    /// Reads the extras of those rows again, and says which are not what they were.
    pub(crate) fn changed(&mut self, memory: &dyn Memory, which: &[usize]) -> Vec<usize> {
        let Desk { extras, again, .. } = self;
        again.read(memory, extras.parts.iter().copied());
        let before = extras.iter().map(Option::unwrap_or_default);
        let changed = again.iter().zip(before).zip(which).filter(|((now, before), _)| *now != Some(*before));
        changed.map(|(_, at)| *at).collect()
    }

    /// The same with the rows themselves: which rows or extras have changed.
    fn changed_with_rows(
        &mut self,
        memory: &dyn Memory,
        layout: &Layout,
        rows: &Rows,
        which: &[usize],
    ) -> Vec<usize> {
        self.again.read(memory, which.iter().map(|at| (rows.get(*at).address, layout.row.size)));
        let differs = |(now, at): &(Option<&[u8]>, &usize)| *now != Some(rows.bytes(**at));
        let changed = self.again.iter().zip(which).filter(differs);
        let mut changed: Vec<usize> = changed.map(|(_, at)| *at).collect();
        changed.extend(self.changed(memory, which));
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    /// Reads the details of rows that have changed, until they settle; those that do not are marked as changing.
    pub(crate) fn read_again(
        &mut self,
        memory: &dyn Memory,
        layout: &Layout,
        rows: &mut Rows,
        mut left: Vec<usize>,
        budgets: &mut Budgets,
        found: &mut Found,
    ) {
        let have_changed: HashSet<usize> = left.iter().copied().collect();
        for _ in 0..limits::TRIES {
            left.retain(|at| are_there(layout, rows, *at));
            let length = left.len() * (layout.row.size + layout.extras.size);
            if left.is_empty() || !budgets.again.take_all(length) {
                break;
            }
            self.read(memory, layout, rows, &left, &mut budgets.details, found);
            left = self.changed_with_rows(memory, layout, rows, &left);
            settle(memory, layout, rows, left.clone(), &mut budgets.again);
        }
        // Some have no details any more.
        found.details.retain(|(at, _)| !have_changed.contains(at) || are_there(layout, rows, *at));
        for at in left {
            rows.mark_as_changing(at);
        }
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

/// Parts of the memory, read together.
#[derive(Debug, Default)]
struct Parts {
    parts: Vec<(u64, usize)>,
    /// The parts, one after the other, and perhaps what is left of others before.
    bytes: Vec<u8>,
    is_read: Vec<bool>,
}

impl Parts {
    fn read(&mut self, memory: &dyn Memory, parts: impl Iterator<Item = (u64, usize)>) {
        self.parts.clear();
        self.parts.extend(parts);
        let length = self.parts.iter().map(|part| part.1).sum();
        if self.bytes.len() < length {
            self.bytes.resize(length, 0);
        }
        self.is_read = match length {
            // As often, when there are no scopes, or no leaves beside the first.
            0 => vec![true; self.parts.len()],
            _ => memory.read_many(&self.parts, &mut self.bytes[..length]),
        };
    }

    /// Reads lists of items of this size, of which addresses and counts are known.
    fn read_lists(
        &mut self,
        memory: &dyn Memory,
        lists: impl Iterator<Item = (u64, u64)>,
        size: usize,
        limit: usize,
        budget: &mut Budget,
    ) {
        let parts = lists.map(|(address, count)| {
            // Small items are charged for what it takes to keep them.
            let charge = size.max(KEPT);
            (address, budget.take(clamp(count, limit) * charge) / charge * size)
        });
        self.read(memory, parts);
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

    /// The same as lists of items.
    fn lists(&self, size: usize) -> impl Iterator<Item = Vec<Vec<u8>>> {
        let items = move |list: &[u8]| list.chunks_exact(size).map(<[u8]>::to_vec).collect();
        self.iter().map(move |list| list.map_or_else(Vec::new, items))
    }
}

fn clamp(number: u64, limit: usize) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX).min(limit)
}
