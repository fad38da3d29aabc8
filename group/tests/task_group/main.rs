//! Every rule on task groups (TG), each as a test that can fail.

#[path = "../common/mod.rs"]
mod common;

mod accounting;
mod counts;
mod dropped_midway;
mod eager;
mod entering;
mod failure;
mod foreign_awaits;
mod group_cancel;
mod nesting;
mod normal_end;
mod outside_cancel;
mod panics;
mod together;

use common::{
    Alive, Log, Oops, count, forever, group, in_every_mode, in_every_order, ms, nap, oops, run, shown,
    started, tree,
};
use futures_util::future::{FutureExt, join, pending, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use homing::error::Asker;
use homing::{
    GroupCancelled, GroupClosed, Panicked, Result, RuntimeError, Task, TaskGroup, call_soon, current, sleep,
    spawn, task_group, timeout, timeout_scope, yield_now,
};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// A child that holds a guard from before its first poll, and waits for ever.
fn holding(alive: &Alive) -> impl Future<Output = Result<()>> + 'static {
    let guard = alive.guard();
    async move {
        let _guard = guard;
        forever().await
    }
}

/// A child that waits to be cancelled, takes its time to clean up, and then ends as told.
async fn slow_to_end(log: Log, milliseconds: u64, then: Result<()>) -> Result<()> {
    let cancelled = forever::<()>().await.unwrap_err();
    nap(milliseconds).await.expect("not cancelled twice");
    log.push("cleaned up");
    then.and(Err(cancelled))
}

/// Panics with a message.
fn explode(message: &'static str) -> Result<()> {
    std::panic::panic_any(message)
}
