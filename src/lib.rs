//! A single-threaded async runtime in which every task comes home.
//!
//! No task outlives the scope that owns it, no error is lost, no cancellation is forgotten: the structured concurrency of
//! Python's asyncio, natively in Rust, on a hand-written poll loop.
//!
//! ```
//! use homing::{sleep, task_group, timeout};
//! use std::time::Duration;
//!
//! async fn fetch(what: &'static str) -> homing::Result<String> {
//!     sleep(Duration::from_millis(2)).await?;
//!     Ok(format!("<{what}>"))
//! }
//!
//! let page = homing::run(async {
//!     timeout(Duration::from_secs(2), task_group(async |tg| {
//!         let user = tg.spawn(fetch("user"));
//!         let orders = tg.spawn(fetch("orders"));
//!         Ok(user.await? + &orders.await?)
//!     }))
//!     .await
//! });
//! assert_eq!(page.unwrap(), "<user><orders>");
//! ```
//!
//! This crate only gathers what its parts offer:
//!
//! ```text
//!   homing ──► group      task_group, timeout, gather, sync: who waits for whom, and how long
//!                └──► executor   run, spawn, sleep, cancel, errors, sockets
//!                        └──► timers   the timer wheel
//! ```
//!
//! | to | see |
//! |----|-----|
//! | run a program | [`run`], [`Runner`], [`Runtime`], [`Builder`], [`Handle`] |
//! | sit in another program's loop | [`Runtime::turn`], [`Runtime::descriptor`](Runtime), [`runtime::Budget`] |
//! | spawn tasks, hold on to them | [`spawn`], [`task()`], [`Task`], [`TaskRef`], [`SharedTask`] |
//! | wait for them together | [`task_group`], [`TaskGroup`], [`scope()`]; [`gather()`], [`wait()`], [`as_completed`], [`race()`], [`shield()`] |
//! | run what blocks a thread, use files | [`spawn_blocking`], [`blocking`]; [`fs`] |
//! | have values that belong to a task | [`TaskLocal`], [`Context`] |
//! | limit time, pass time | [`timeout`], [`timeout_scope`], [`wait_for`], [`sleep`], [`time`] |
//! | share things among tasks | [`sync`] |
//! | talk to others | `net`: sockets, `io`: whatever else has a descriptor, on Unix; with the feature `hyper`, `hyper`'s traits on them |
//! | accept connections, and come to a graceful end | [`Server`]; with the feature `hyper`, `hyper::serve` |
//! | run other programs, hear signals | `process`, `signal`, on Unix |
//! | use several cores | [`threads`], a runtime on each; [`sync::remote_channel`] between them |
//! | handle errors | [`Error`], [`ExceptionGroup`], [`Except`], [`Cancelled`], [`TimedOut`], [`Panicked`], [`Interrupted`] |
//! | hear of what nobody has handled, or was used wrongly | [`Unhandled`], [`Builder::on_unhandled`]; [`RuntimeError`] |
//! | see what tasks did, and when | with the feature `record`: `record`; with the feature `tracing`: `observe::Spans` |
//! | test, in virtual time, on a network in memory | with the feature `testing`: `testing` |
//! | see which task waits for what, and where | [`introspect`]: call graphs, and a table of all tasks |
//! | see that of another process, also of one that hangs | with the feature `cli`: the command `homing ps`, `homing pstree` |
//! | find tasks that nobody can wake, and locks that nobody gets | [`Builder::find_stuck`], [`Builder::on_stuck`], [`Builder::on_futurelock`] |
//! | find tasks that do not give way | [`Builder::slow_poll`], [`Builder::on_slow_poll`] |
//! | be told of spawns, polls, wakes, cancels; count them | [`observe`], [`Builder::observe`], [`Runtime::metrics`] |
//! | write a future that can be cancelled | [`cancel`] |
//! | write a lock that says who holds it | [`holders`] |
//!
//! All of its features are off by default:
//!
//! | feature | brings |
//! |---------|--------|
//! | `hyper` | hyper's runtime traits on homing's sockets, tasks and timers: `hyper`, on Unix |
//! | `testing` | trials in virtual time and in many orders, a network in memory, a check for what is left behind: `testing` |
//! | `record` | time lines of what tasks do, as a page, a drawing, or a trace for Perfetto: `record` |
//! | `tracing` | a span of `tracing` for each task: `observe::Spans` |
//! | `cli` | the command `homing`, which shows the tasks of other processes, and of core files |
//!
//! If you come from asyncio, the book has a chapter with [its situations in both languages], side by side.
//!
//! [its situations in both languages]: https://github.com/homing-rs/homing/blob/main/docs/src/cookbook.md
#![forbid(unsafe_code)]

#[cfg(doctest)]
mod book;

pub use homing_executor::blocking::spawn_blocking;
pub use homing_executor::error::{
    Cancelled, Error, Except, ExceptionGroup, Interrupted, Panicked, Result, RuntimeError, TimedOut,
};
#[cfg(all(unix, feature = "hyper"))]
pub use homing_executor::hyper;
pub use homing_executor::locals::{Context, LocalError, TaskLocal};
pub use homing_executor::runtime::{Builder, Handle, RemoteTask, Runner, Runtime, call_soon, run};
pub use homing_executor::task::{
    ScopedTask, SharedTask, Task, TaskId, TaskRef, all_tasks, cancelling, current, spawn, task, uncancel,
};
pub use homing_executor::time::{Instant, sleep, sleep_until, yield_now};
pub use homing_executor::{
    Unhandled, blocking, cancel, error, fs, holders, introspect, locals, observe, runtime, task, threads,
    time,
};
#[cfg(unix)]
pub use homing_executor::{io, net, process, signal};
pub use homing_group::sync;
pub use homing_group::{
    AsCompleted, AsTask, EmptyWait, Gather, GatherChildren, GatherOutcomes, Gatherable, Next, Race,
    RaceOutcome, ReturnWhen, Shield, Wait, Waited, as_completed, gather, gather_iter, race, shield, wait,
    wait_for,
};
pub use homing_group::{
    ChildBuilder, GroupBuilder, GroupCancelled, GroupClosed, NeverStarted, Reschedule, Scope, ScopedBuilder,
    Served, Server, Start, StartWithTask, Started, Stopping, TaskGroup, Timeout, TimeoutScope, scope,
    task_group, timeout, timeout_at, timeout_scope,
};
#[cfg(feature = "record")]
pub use homing_record as record;
#[cfg(feature = "testing")]
pub use homing_testing as testing;
