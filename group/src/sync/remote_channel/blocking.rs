//! A thread that has no runtime waits: it is parked, and the waker unparks it.

use homing_executor::error::{Result, RuntimeError};
use homing_executor::runtime::takes_tasks;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Blocks the thread until the future is ready.
pub(super) fn wait_for<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    if takes_tasks() {
        return Err(RuntimeError::NestedRuntime.into());
    }
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(result) => return result,
            // Somebody else may have unparked it: then it looks in vain, and parks again.
            Poll::Pending => thread::park(),
        }
    }
}
