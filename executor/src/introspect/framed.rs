//! Frames that the program names itself: what is in between, and on no stack.
//!
//! ```text
//!   awaiting readable descriptor 7     src/http.rs:52
//!   in frame 'reading the header'      src/http.rs:31       request.head().frame("reading the header").await
//!   in frame 'GET /orders'             src/server.rs:18
//!   spawned async server::serve()      src/server.rs:9
//! ```
//!
//! A frame lies in the list of the task's scopes, which both kinds of readers know how to show, and is none: it takes no
//! cancel, and is not asked.

use crate::cancel::scope::{self, Frame};
use crate::context;
use crate::error::ScopeNote;
use crate::task::row::Row;
use std::borrow::Cow;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What such a frame is called among the scopes.
pub(super) const KIND: &str = "frame";

/// Gives any future a frame of its own in call graphs.
pub trait Framed: Future + Sized {
    /// The same future, which is shown by this name, with the place of this call, between the await at which the task stands
    /// and what is around that: in process, and from outside.
    ///
    /// For what one wants to see that no scope, and no task of its own, shows: a step of many, the request that is being
    /// served. Frames may be within one another, in scopes, and beside each other in a `join!`. A frame is shown from the first
    /// poll to the end; not when it is dropped midway, and not when it is kept without being polled (`select!` on `&mut
    /// future`) while its task is, unless a combinator has yet to poll it.
    ///
    /// It changes nothing: cancels go through it as if it were not there. Of a task that is in no group and no timeout, and has
    /// no name, the first frame allocates; further ones do not, once there were as many at a time. Outside of tasks it does
    /// nothing.
    ///
    /// # Cancel safety
    ///
    /// That of the future.
    ///
    /// # asyncio
    ///
    /// There coroutines are on a stack of their own, and shown without being told to (CG-4, CG-14).
    ///
    /// ```
    /// use homing::introspect::{self, Framed};
    /// use homing::{sleep, task, yield_now};
    /// use std::time::Duration;
    ///
    /// homing::run(async {
    ///     let serves = task(async {
    ///         let header = async { sleep(Duration::from_secs(1)).frame("reading the header").await };
    ///         header.frame("GET /orders").await
    ///     })
    ///     .spawn();
    ///     yield_now().await?;
    ///     let graph = introspect::capture_call_graph_of(&serves);
    ///     let names: Vec<&str> = graph.root().call_stack().iter().map(|frame| &*frame.detail).collect();
    ///     assert_eq!(names[1..3], ["'reading the header'", "'GET /orders'"]);
    ///     serves.cancel();
    ///     Ok(())
    /// })
    /// # .unwrap();
    /// ```
    #[track_caller]
    fn frame(self, name: impl Into<Cow<'static, str>>) -> WithFrame<Self> {
        WithFrame {
            future: self,
            entry: Entry { name: name.into(), place: Location::caller(), task: 0, id: 0 },
        }
    }
}

impl<F: Future> Framed for F {}

/// The future of [`Framed::frame`].
#[must_use = "futures do nothing unless awaited"]
pub struct WithFrame<F> {
    /// Pinned with the whole, and dropped before its frame is taken out.
    future: F,
    /// Not pinned.
    entry: Entry,
}

/// The frame's place in the list of a task.
struct Entry {
    name: Cow<'static, str>,
    place: &'static Location<'static>,
    /// The task that has polled it last; 0 for none.
    task: u64,
    /// Which of its scopes it is.
    id: u32,
}

impl Entry {
    /// Enters the frame, where it is not that of this task already, for the time of a poll.
    fn enter(&mut self, row: &'static Row) -> Frame {
        if self.task != row.id() {
            self.leave();
            let note = ScopeNote { kind: KIND, name: Some(self.name.clone()), place: self.place };
            (self.task, self.id) = (row.id(), scope::enter_frame(row, note));
        }
        Frame::pass(row, self.id)
    }

    fn leave(&mut self) {
        let task = std::mem::take(&mut self.task);
        // On another thread it must not touch the row. It goes when the task does, and is not shown until then.
        if let Some(row) = Row::current(task).filter(|row| context::core_that_owns(row).is_some()) {
            scope::leave_frame(row, self.id);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.leave();
    }
}

impl<F: Future> Future for WithFrame<F> {
    type Output = F::Output;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: `future` is pinned with the whole and never moved out of it (the type has no destructor of its own, and
        // is `Unpin` only if `F` is); `entry` is never pinned.
        let (future, entry) = unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut this.future), &mut this.entry)
        };
        let Some(row) = context::current_row() else { return future.poll(cx) };
        let frame = entry.enter(row);
        let polled = future.poll(cx);
        drop(frame);
        if polled.is_ready() {
            entry.leave();
        }
        polled
    }
}

impl<F: fmt::Debug> fmt::Debug for WithFrame<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithFrame").field("name", &self.entry.name).field("future", &self.future).finish()
    }
}
