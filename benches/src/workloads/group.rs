//! A scope with a hundred children that give way once: spawned, waited for, gone.
//!
//! Moved by: what a spawn costs and what the scope adds to it: entering and leaving the list of children, noticing the
//! last one's end, and, where each child's end is collected one by one, that.

use crate::contender::Contender;
use crate::workload::{Workload, in_a_task};
use std::time::{Duration, Instant};

const CHILDREN: u32 = 100;
const GROUPS: u32 = 50;

/// Fifty such scopes, one after the other.
pub(crate) struct Children;

impl Workload for Children {
    const NAME: &'static str = "group-100";
    const OPERATIONS: u32 = CHILDREN * GROUPS;

    fn round<C: Contender>(contender: &C) -> Duration {
        in_a_task(contender, async {
            let begin = Instant::now();
            for _ in 0..GROUPS {
                C::group(CHILDREN as usize, || async { drop(C::yield_now().await) }).await;
            }
            begin.elapsed()
        })
    }
}
