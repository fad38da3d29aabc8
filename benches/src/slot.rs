//! A slot: the channel that all runtimes use. Room for one message, from one sender to one receiver, on one
//! thread.
//!
//! Ours, knows no runtime, and does next to nothing, so that what is measured is the wake and the poll, not
//! the channel.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// Room for one message.
#[derive(Default)]
pub(crate) struct Slot {
    message: Cell<Option<u32>>,
    receiver: Cell<Option<Waker>>,
}

impl Slot {
    /// Puts a message in. The receiver must have taken the last one.
    pub(crate) fn send(&self, message: u32) {
        self.message.set(Some(message));
        if let Some(receiver) = self.receiver.take() {
            receiver.wake();
        }
    }

    /// Waits for a message.
    pub(crate) async fn receive(&self) -> u32 {
        poll_fn(|cx| {
            if let Some(message) = self.message.take() {
                return Poll::Ready(message);
            }
            self.receiver.set(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await
    }
}
