//! Seeing inside: which task waits for what, where, and who waits for it.
//!
//! Nothing is kept for this but the few words that a parked leaf leaves with its task. All that is shown is derived from
//! them at the moment in which somebody looks, so there is no second set of edges that could be stale:
//!
//! ```text
//!   row, nodes ──► one task's waits and scopes ──► frames ──┐
//!   owner ───────► whose group it is in        ──► edges  ──┴─► CallGraph   one task, and all that wait for it
//!                                                           └─► TaskTable   all tasks, as plain data
//!                                                                 ├─ tree, rows   as `asyncio pstree` and `ps` show them
//!                                                                 └─ JSON, DOT    for other programs
//! ```
//!
//! * [`capture_call_graph`], [`format_call_graph`] and [`print_call_graph`] begin at a task, usually the current one, and go
//!   from there to whoever awaits it, and so on: what a traceback is for functions. With `_of`, at any task, or at anything
//!   else that is [`Awaitable`]: a mutex, a queue.
//! * [`capture_tasks`] gives all tasks of the runtime.
//!
//! A frame is a place that was recorded, not a function that is on a stack (a suspended future is on none): the `.await` at
//! which the task stands, the scopes around it (groups, timeouts), and the future that the task was spawned with.
//!
//! # asyncio
//!
//! `asyncio.capture_call_graph`, `format_call_graph`, `print_call_graph`, `python -m asyncio ps` and `pstree` (CG-1 to
//! CG-14).
//!
//! ```
//! use homing::{introspect, sleep, task, task_group};
//! use std::time::Duration;
//!
//! homing::run(async {
//!     task_group(async |tg| {
//!         tg.task(sleep(Duration::from_millis(1))).name("nap").spawn();
//!         let graph = tg.task(async { Ok(introspect::capture_call_graph()?.unwrap()) }).name("looks").spawn().await?;
//!         let waiting: Vec<_> = graph.root().awaited_by().map(|task| task.name()).collect();
//!         assert_eq!(waiting, ["main"]);
//!         Ok(())
//!     })
//!     .await
//! })
//! # .unwrap();
//! ```

mod capture;
mod columns;
mod cycles;
mod dot;
mod drawing;
mod drawn;
mod few;
mod frame;
mod framed;
mod graph;
mod held_by;
mod ids;
mod json;
mod picture;
mod places;
mod record;
mod shared_str;
mod sheet;
mod stuck;
mod table;
mod text;
mod tree;
mod write;

pub use capture::{Awaitable, Target};
pub use cycles::{Circle, CircleStep, CycleFound};
pub use drawing::{draw_rows, draw_tree};
pub use few::Few;
pub use frame::{Frame, FrameKind, Place, TaskState};
pub use framed::{Framed, WithFrame};
pub use graph::{CallGraph, FutureCallGraph, Subject};
pub use held_by::{HeldBy, Taker};
pub use record::{
    Elsewhere, HolderRecord, LockRecord, Running, RuntimeRecord, ScopeRecord, TaskName, TaskRecord,
    WaitRecord, What,
};
pub use shared_str::SharedStr;
pub use table::{AwaitedBy, TableRow, TaskEntry, TaskTable, ThreadTasks};
pub use tree::Marks;

pub use stuck::{Doubt, Stuck, find_stuck};

pub(crate) use stuck::{Alarm, Finder, StuckHook, Verdict, print as print_stuck};

use crate::context;
use crate::error::RuntimeError;
use capture::Snapshot;
use std::panic::Location;

/// The call graph of the current task: where it stands, who awaits it, where they stand, and who awaits them.
///
/// Its first frame is the place of this call; a helper that captures for its caller is `#[track_caller]` itself.
///
/// `None` in a callback, where no task is being polled. It looks through all tasks of the runtime, so it is not for hot
/// paths.
///
/// # Errors
///
/// [`RuntimeError::NoRuntime`] outside of a runtime.
///
/// # asyncio
///
/// `asyncio.capture_call_graph()` (CG-4 to CG-8). `limit` is [`CallGraph::limited`]; `depth` is what `#[track_caller]` does.
///
/// ```
/// homing::run(async {
///     let graph = homing::introspect::capture_call_graph()?.expect("this is a task");
///     assert_eq!(graph.root().name(), "main");
///     assert_eq!(graph.root().awaited_by().count(), 0);
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[track_caller]
pub fn capture_call_graph() -> Result<Option<CallGraph>, RuntimeError> {
    let here = Location::caller();
    context::with(|core| {
        let core = core.ok_or(RuntimeError::NoRuntime)?;
        let Some(current) = core.current.get() else { return Ok(None) };
        Ok(Some(Snapshot::of(core, Some(here)).graph_of_task(current)))
    })
}

/// The call graph of any task of the running runtime, or of anything else that tasks wait for.
///
/// A task that has ended, or is another runtime's, is shown without frames and awaiters.
///
/// # asyncio
///
/// `asyncio.capture_call_graph(future)`.
///
/// ```
/// use homing::sync::Event;
/// use std::rc::Rc;
///
/// homing::run(async {
///     let event = Rc::new(Event::new());
///     let theirs = event.clone();
///     homing::task(async move { theirs.wait().await }).name("waits").spawn();
///     homing::yield_now().await?;
///     let graph = homing::introspect::capture_call_graph_of(&*event);
///     assert_eq!(graph.root().awaited_by().next().unwrap().name(), "waits");
///     event.set();
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[track_caller]
pub fn capture_call_graph_of(what: &(impl Awaitable + ?Sized)) -> CallGraph {
    let here = Location::caller();
    let target = what.target();
    context::with(|core| match core {
        Some(core) => Snapshot::of(core, Some(here)).graph_of(target),
        None => CallGraph::alone(target),
    })
}

/// [`capture_call_graph`] as text; empty in a callback.
///
/// Each task is described once; where it comes again, the text refers back to that.
///
/// # Errors
///
/// As [`capture_call_graph`].
///
/// # asyncio
///
/// `asyncio.format_call_graph()` (CG-9, CG-10).
///
/// ```
/// homing::run(async {
///     let text = homing::introspect::format_call_graph()?;
///     assert!(text.starts_with("* Task(name='main', id=0x"), "{text}");
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[track_caller]
pub fn format_call_graph() -> Result<String, RuntimeError> {
    Ok(capture_call_graph()?.map(|graph| graph.to_string()).unwrap_or_default())
}

/// [`capture_call_graph_of`] as text.
///
/// # asyncio
///
/// `asyncio.format_call_graph(future)` (CG-9, CG-10).
#[track_caller]
pub fn format_call_graph_of(what: &(impl Awaitable + ?Sized)) -> String {
    capture_call_graph_of(what).to_string()
}

/// Prints [`format_call_graph`] to standard output; nothing in a callback.
///
/// # Errors
///
/// As [`capture_call_graph`].
///
/// # asyncio
///
/// `asyncio.print_call_graph()`.
#[track_caller]
pub fn print_call_graph() -> Result<(), RuntimeError> {
    if let Some(graph) = capture_call_graph()? {
        println!("{graph}");
    }
    Ok(())
}

/// Prints [`format_call_graph_of`] to standard output.
///
/// # asyncio
///
/// `asyncio.print_call_graph(future)`.
#[track_caller]
pub fn print_call_graph_of(what: &(impl Awaitable + ?Sized)) {
    println!("{}", capture_call_graph_of(what));
}

/// All tasks of the running runtime that have not ended, as plain data; an empty table outside of one.
///
/// # asyncio
///
/// What `python -m asyncio ps` and `pstree` read out of another process.
///
/// ```
/// homing::run(async {
///     let nap = homing::task(homing::sleep(std::time::Duration::from_millis(1))).name("nap").spawn();
///     homing::yield_now().await?;
///     let table = homing::introspect::capture_tasks();
///     assert_eq!(table.threads[0].tasks.len(), 2);
///     println!("{table}");
///     nap.await
/// })
/// # .unwrap();
/// ```
#[track_caller]
pub fn capture_tasks() -> TaskTable {
    let here = Location::caller();
    context::with(|core| {
        core.map(|core| TaskTable::of_records(Snapshot::of(core, Some(here)).runtime())).unwrap_or_default()
    })
}
