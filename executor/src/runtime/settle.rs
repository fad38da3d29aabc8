//! Settling: waiting until nothing else can run.
//!
//! A test that has done something wants to see what comes of it, all of it, before it does the next thing. How many
//! turns that takes is nobody's business. So it waits for the moment in which the loop would go to sleep:
//!
//! ```text
//!   nothing ready ──► a look: events? messages? due timers? ──► something: go on
//!                                                          └──► nothing: whoever is settling goes on;
//!                                                               the clock stands still, also a virtual one
//! ```

use super::core::Core;
use crate::cancel::{Awaiting, Leaf};
use crate::context;
use crate::error::{Result, RuntimeError};
use crate::task::life;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Waits until nothing else can run: every other task waits for a time that has not come, for another process or thread, or
/// for the task that calls this. No time passes meanwhile, if the clock is [virtual](super::Builder::virtual_time).
///
/// For tests. If several tasks settle at once, they go on in the same turn. A task that keeps waking itself keeps others from
/// settling for ever; so may a peer that never stops sending.
///
/// # Errors
///
/// `Cancelled`, if the task is cancelled while it stands here; [`RuntimeError::NoRuntime`] outside of a runtime.
///
/// # Cancel safety
///
/// Nothing to lose.
///
/// # asyncio
///
/// Has none; its tests call `asyncio.sleep(0)` as often as it takes (`test_utils.run_briefly`). It is Trio's
/// `wait_all_tasks_blocked`.
///
/// ```
/// use std::{cell::Cell, rc::Rc, time::Duration};
///
/// homing::Builder::new().virtual_time().build().run(async {
///     let steps = Rc::new(Cell::new(0));
///     homing::spawn({
///         let steps = steps.clone();
///         async move {
///             for step in 1..=5 {
///                 steps.set(step);
///                 homing::yield_now().await?;
///             }
///             homing::sleep(Duration::from_secs(1)).await?;
///             steps.set(6);
///             Ok(())
///         }
///     });
///     homing::runtime::settle().await?;
///     assert_eq!(steps.get(), 5);
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[track_caller]
pub fn settle() -> Settle {
    Settle { standing: None, leaf: Leaf::new() }
}

/// The future of [`settle`].
#[must_use = "futures do nothing unless awaited"]
pub struct Settle {
    standing: Option<Rc<Standing>>,
    leaf: Leaf,
}

/// One that waits. Shared between its future and the runtime, as long as that has not come to rest.
#[derive(Default)]
struct Standing {
    /// The runtime has come to rest since.
    settled: Cell<bool>,
    /// `None`, if it has given up.
    waker: RefCell<Option<Waker>>,
}

/// Those who wait in one runtime.
#[derive(Default)]
pub(super) struct Settling(RefCell<Vec<Rc<Standing>>>);

impl Settling {
    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// This is the moment.
    pub(super) fn settled(&self) {
        for standing in self.0.take() {
            standing.settled.set(true);
            let waker = standing.waker.take();
            waker.into_iter().for_each(life::wake_foreign);
        }
    }
}

impl Core {
    /// In place of sleeping, where somebody waits for just that: if a look brings nothing new, the moment has come.
    #[cold]
    pub(super) fn come_to_rest(&self) -> std::io::Result<()> {
        self.clock.read();
        self.look_at_events()?;
        if self.is_at_rest() {
            self.settling.settled();
        }
        Ok(())
    }
}

impl Future for Settle {
    type Output = Result<()>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        this.leaf.resume()?;
        if this.standing.as_ref().is_some_and(|standing| standing.settled.get()) {
            this.leaf.unpark();
            return Poll::Ready(Ok(()));
        }
        let Some(core) = context::running() else { return Poll::Ready(Err(RuntimeError::NoRuntime.into())) };
        this.leaf.park(cx, Awaiting::Turn)?;
        let standing = this.standing.get_or_insert_with(|| {
            let standing = Rc::new(Standing::default());
            core.settling.0.borrow_mut().push(standing.clone());
            standing
        });
        let replaced = standing.waker.replace(Some(cx.waker().clone()));
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for Settle {
    fn drop(&mut self) {
        if let Some(standing) = &self.standing {
            // The runtime finds nobody to wake.
            drop(standing.waker.take());
        }
    }
}

impl fmt::Debug for Settle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settled = self.standing.as_ref().map(|standing| standing.settled.get());
        f.debug_struct("Settle").field("settled", &settled.unwrap_or(false)).finish_non_exhaustive()
    }
}
