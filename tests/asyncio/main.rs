//! CPython's own tests of asyncio, as far as their behaviour can be asserted here: one Rust test for each portable method,
//! named after it, in files and modules named after CPython's files and classes.
//!
//! They port the behaviour, not the code. A test that cannot be literal says in one line what stands in for what. Rule ids
//! (`TG-26`) are those of the semantics chapter. `docs/src/parity.md`, which is generated from these files, lists every
//! method: ported, standing in, or not portable and why.

mod support;

mod test_eager_task_factory;
mod test_except_star;
mod test_exception_group;
mod test_graph;
mod test_locks;
mod test_queues;
mod test_runners;
mod test_staggered;
mod test_taskgroups;
mod test_tasks;
mod test_timeouts;
mod test_tools;
mod test_waitfor;
