//! Scopes without an executor: many futures in one, polled by whoever polls that one. They have children and
//! no tasks.
//!
//! `FuturesUnordered` is the bare collection; moro (in its local variant, for futures that are not `Send`)
//! makes a scope of it, whose children may borrow from the stack.

use crate::runtime::{Ability, Runtime};
use crate::sockets::NoSockets;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::convert::Infallible;

const NO_TASKS: &[Ability] = &[
    Ability::Spawn,
    Ability::Join,
    Ability::Eager,
    Ability::Cancel,
    Ability::Sleep,
    Ability::Sockets,
    Ability::Http,
];

/// futures' `FuturesUnordered`.
#[derive(Clone, Copy)]
pub(crate) struct Unordered;

impl Runtime for Unordered {
    const NAME: &'static str = "futures-unordered";
    const PACKAGE: &'static str = "futures-util";
    const LACKS: &'static [Ability] = NO_TASKS;

    type Handle = Infallible;
    type Sockets = NoSockets;

    fn new() -> Self {
        Unordered
    }

    fn block_on<T: 'static>(&self, main: impl Future<Output = T> + 'static) -> T {
        futures_executor::block_on(main)
    }

    fn spawn(&self, _future: impl Future<Output = ()> + 'static) -> Self::Handle {
        unreachable!("it lacks tasks")
    }

    async fn join(handle: Self::Handle) {
        match handle {}
    }

    async fn group<F: Future<Output = ()> + 'static>(&self, count: usize, child: impl Fn() -> F) {
        let mut children: FuturesUnordered<F> = (0..count).map(|_| child()).collect();
        while children.next().await.is_some() {}
    }

    fn note(workload: &str) -> Option<&'static str> {
        note(workload)
    }
}

/// moro.
#[derive(Clone, Copy)]
pub(crate) struct Moro;

impl Runtime for Moro {
    const NAME: &'static str = "moro";
    const PACKAGE: &'static str = "moro-local";
    const LACKS: &'static [Ability] = NO_TASKS;

    type Handle = Infallible;
    type Sockets = NoSockets;

    fn new() -> Self {
        Moro
    }

    fn block_on<T: 'static>(&self, main: impl Future<Output = T> + 'static) -> T {
        futures_executor::block_on(main)
    }

    fn spawn(&self, _future: impl Future<Output = ()> + 'static) -> Self::Handle {
        unreachable!("it lacks tasks")
    }

    async fn join(handle: Self::Handle) {
        match handle {}
    }

    async fn group<F: Future<Output = ()> + 'static>(&self, count: usize, child: impl Fn() -> F) {
        let child = &child;
        moro_local::async_scope!(|scope| {
            for _ in 0..count {
                drop(scope.spawn(child()));
            }
        })
        .await;
    }

    fn note(workload: &str) -> Option<&'static str> {
        note(workload)
    }
}

fn note(workload: &str) -> Option<&'static str> {
    Some(match workload {
        "group-100" => "all children are one task: nothing else runs between two of them",
        "start-up" => "nothing is built: a bare block_on",
        _ => return None,
    })
}
