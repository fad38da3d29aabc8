//! A limit: how many children of a group run at the same time.
//!
//! Each child is spawned at once, and first of all waits for its permit: so whoever spawns never waits, and a child in
//! line is a task like any other, which can be awaited and cancelled.
//!
//! ```text
//!   spawn ──► in line ──permit──► the child's future is polled ──ends──► the permit goes to the first in line
//!                └ cancelled: it leaves the line, and its future is dropped without being polled
//! ```

use crate::sync::{OwnedPermit, Semaphore};
use homing_executor::error::Result;
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// So many at a time.
#[derive(Debug)]
pub(crate) struct Limit(Rc<Semaphore>);

impl Limit {
    #[track_caller]
    pub(crate) fn new(children: usize) -> Limit {
        assert!(children > 0, "a limit of zero would never let a child run");
        Limit(Rc::new(Semaphore::new(children)))
    }

    /// The future, once it is its turn.
    pub(crate) fn in_turn<F, T>(&self, future: F) -> impl Future<Output = Result<T>> + use<F, T>
    where
        F: Future<Output = Result<T>>,
    {
        InTurn { future, place: Place::InLine(self.0.acquire_owned(1)) }
    }
}

pin_project! {
    /// The permit comes second: the child's destructors have run when the next one begins.
    struct InTurn<F, L> {
        #[pin]
        future: F,
        place: Place<L>,
    }
}

enum Place<L> {
    InLine(L),
    Running { _permit: OwnedPermit },
}

impl<F, L, T> Future for InTurn<F, L>
where
    F: Future<Output = Result<T>>,
    L: Future<Output = Result<OwnedPermit>> + Unpin,
{
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let this = self.project();
        if let Place::InLine(line) = this.place {
            let permit = ready!(Pin::new(line).poll(cx))?;
            *this.place = Place::Running { _permit: permit };
        }
        this.future.poll(cx)
    }
}
