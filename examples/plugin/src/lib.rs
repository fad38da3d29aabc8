//! homing behind a C interface: a library that a program in any language may load.
//!
//! ```text
//!   host (C, C++, Python's ctypes, a game engine, …)        include/homing_plugin.h
//!   plugin_fd ──► poll(2), epoll, kqueue, a GUI's loop
//!   plugin_turn ────────────────────────────────────► turn ─► done(context, status, text)
//!   plugin_ask ─────────────────────────────────────► a task: connect, ask, wait for the answer, at most so long
//!   plugin_destroy ─────────────────────────────────► cancel what is left, wait for it: each `done` is called once
//! ```
//!
//! What it does is little, and real: it asks a question of a server, a line, and hands over the answer, a line. The rest is
//! what every such interface needs:
//!
//! * **No panic crosses it.** Each function catches what comes, and says [`PLUGIN_PANICKED`].
//! * **Each callback is called exactly once**, on the host's thread, from within a turn or from `plugin_destroy`: also
//!   that of a request that was cancelled before it began.
//! * **Wrong use is told**: a null pointer, another thread, a turn from within a callback.

mod abi;
mod request;

use homing::Runtime;
use homing::runtime::Budget;
use homing::task::TaskRef;
use request::{Done, Request};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::thread::{self, ThreadId};
use std::time::Duration;

pub use abi::{
    PLUGIN_BAD_ARGUMENT, PLUGIN_BUSY, PLUGIN_NO_SUCH_REQUEST, PLUGIN_PANICKED, PLUGIN_SYSTEM,
    PLUGIN_WRONG_THREAD, plugin_ask, plugin_cancel, plugin_create, plugin_destroy, plugin_fd, plugin_turn,
};
pub use request::{Callback, PLUGIN_CANCELLED, PLUGIN_FAILED, PLUGIN_OK, PLUGIN_TIMED_OUT};

/// What the host has a pointer to.
#[derive(Debug)]
pub struct Plugin {
    runtime: Runtime,
    /// The host's thread, on which it was made.
    thread: ThreadId,
    requests: RefCell<HashMap<i64, TaskRef>>,
    last: Cell<i64>,
}

impl Plugin {
    fn new() -> Plugin {
        Plugin {
            runtime: Runtime::new(),
            thread: thread::current().id(),
            requests: RefCell::default(),
            last: Cell::new(0),
        }
    }

    fn ask(&self, request: Request, done: Done) -> i64 {
        let number = self.last.get() + 1;
        self.last.set(number);
        let task = self.runtime.spawn(request.answer(done));
        let mut requests = self.requests.borrow_mut();
        requests.retain(|_, task| !task.is_finished());
        requests.insert(number, task.task_ref());
        // The task goes on by itself: `done` gets all there is to be had, also an error.
        drop(task);
        number
    }

    fn cancel(&self, number: i64) -> bool {
        let task = self.requests.borrow().get(&number).cloned();
        task.is_some_and(|task| task.cancel_with("the host does not want it any more"))
    }

    fn turn(&self, budget: Duration) -> homing::Result<i32> {
        Ok(self.runtime.turn(Budget::time(budget))?.wait_millis())
    }

    /// Every task comes home.
    fn close(&self) -> homing::Result<()> {
        self.runtime.run(async { Ok(()) })
    }
}
