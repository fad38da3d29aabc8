//! One value, once, from one task to another.
//!
//! There is one who waits at either end, so there is no line: each end has room for one waker.
//!
//! ```text
//!   Sender ──send──► [ value ] ──await──► Receiver
//!     └ dropped: the receiver's await fails      └ dropped, or closed: the value comes back from `send`
//! ```
//!
//! A value that has been sent stays in the middle until an await of the receiver returns it. Cancelled, that await
//! returns `Err`, and the next one the value, if the receiver is still there.

use super::turn::number_of;
use homing_executor::cancel::{Awaiting, Leaf, keep_waker};
use homing_executor::error::Result;
use homing_executor::introspect::{Awaitable, Target};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// The two ends of a channel for one value.
///
/// # asyncio
///
/// A bare `asyncio.Future`: `set_result` is `send`.
///
/// ```
/// use homing::sync::oneshot;
///
/// homing::run(async {
///     let (sender, receiver) = oneshot::channel();
///     homing::spawn(async move {
///         sender.send(42).expect("the receiver waits");
///         Ok(())
///     });
///     assert_eq!(receiver.await?, 42);
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[track_caller]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let middle = Rc::new(Middle {
        value: Cell::new(None),
        sender: Cell::new(true),
        receiver: Cell::new(true),
        sender_waits: Slot::default(),
        receiver_waits: Slot::default(),
    });
    (Sender { middle: middle.clone() }, Receiver { middle, leaf: Leaf::new() })
}

struct Middle<T> {
    value: Cell<Option<T>>,
    /// Whether the ends are there.
    sender: Cell<bool>,
    receiver: Cell<bool>,
    sender_waits: Slot,
    receiver_waits: Slot,
}

impl<T> Middle<T> {
    /// Who looks at the task sees which channel it waits for.
    fn awaiting(&self) -> Awaiting {
        Awaiting::Oneshot(number_of(self))
    }
}

/// Room for one waker. Wakers are dropped and woken when it is not borrowed: they may be anybody's.
#[derive(Default)]
struct Slot(RefCell<Option<Waker>>);

impl Slot {
    fn keep(&self, waker: &Waker) {
        if !self.0.borrow().as_ref().is_some_and(|kept| kept.will_wake(waker)) {
            let waker = keep_waker(waker);
            let _replaced = self.0.replace(Some(waker));
        }
    }

    fn wake(&self) {
        let waker = self.0.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn clear(&self) {
        let _forgotten = self.0.take();
    }
}

/// The end that sends. Dropped unused, it makes the receiver's await fail.
pub struct Sender<T> {
    middle: Rc<Middle<T>>,
}

/// The end that receives: a future of the value.
///
/// # Errors
///
/// [`SenderDropped`], if nothing was and nothing will be sent; `Cancelled`, if the task is cancelled while it waits.
///
/// # Cancel safety
///
/// Awaited by reference (`(&mut receiver).await`), a value that came and was not seen is there for the next await.
#[must_use = "a receiver is a future of the value, and does nothing unless awaited"]
pub struct Receiver<T> {
    middle: Rc<Middle<T>>,
    leaf: Leaf,
}

impl<T> Sender<T> {
    /// Sends the value. It does not wait for the receiver to see it.
    ///
    /// # Errors
    ///
    /// The value comes back if the receiver is gone or closed.
    pub fn send(self, value: T) -> Result<(), T> {
        if !self.middle.receiver.get() {
            return Err(value);
        }
        self.middle.value.set(Some(value));
        // Dropping the sender wakes the receiver.
        Ok(())
    }

    /// Whether the receiver is gone or closed.
    pub fn is_closed(&self) -> bool {
        !self.middle.receiver.get()
    }

    /// Waits until the receiver is gone or closed: nobody wants the value any more.
    ///
    /// # Errors
    ///
    /// `Cancelled`, if the task is cancelled while it waits.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[track_caller]
    pub fn closed(&mut self) -> impl Future<Output = Result<()>> + Unpin {
        Closed { middle: &self.middle, leaf: Leaf::new() }
    }
}

struct Closed<'a, T> {
    middle: &'a Middle<T>,
    leaf: Leaf,
}

impl<T> Future for Closed<'_, T> {
    type Output = Result<()>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        this.leaf.resume()?;
        if !this.middle.receiver.get() {
            this.leaf.unpark();
            return Poll::Ready(Ok(()));
        }
        this.leaf.park(cx, this.middle.awaiting())?;
        this.middle.sender_waits.keep(cx.waker());
        Poll::Pending
    }
}

impl<T> Drop for Closed<'_, T> {
    fn drop(&mut self) {
        self.middle.sender_waits.clear();
    }
}

impl<T> Receiver<T> {
    /// The value, if it has been sent.
    ///
    /// # Errors
    ///
    /// [`SenderDropped`], if nothing was and nothing will be sent, or the value has been taken.
    pub fn try_recv(&mut self) -> Result<Option<T>, SenderDropped> {
        match self.middle.value.take() {
            Some(value) => Ok(Some(value)),
            None if self.middle.sender.get() => Ok(None),
            None => Err(SenderDropped),
        }
    }

    /// Makes `send` fail from now on. A value that was sent before can still be received.
    pub fn close(&mut self) {
        self.middle.receiver.set(false);
        self.middle.sender_waits.wake();
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let this = self.get_mut();
        this.leaf.resume()?;
        match this.try_recv() {
            Ok(Some(value)) => {
                this.leaf.unpark();
                Poll::Ready(Ok(value))
            }
            Err(dropped) => {
                this.leaf.unpark();
                Poll::Ready(Err(dropped.into()))
            }
            Ok(None) => {
                this.leaf.park(cx, this.middle.awaiting())?;
                this.middle.receiver_waits.keep(cx.waker());
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.middle.sender.set(false);
        self.middle.receiver_waits.wake();
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.middle.receiver_waits.clear();
        self.close();
        // The value goes with the receiver, not with a sender that may be kept for long.
        let _unread = self.middle.value.take();
    }
}

impl<T> Awaitable for Receiver<T> {
    fn target(&self) -> Target {
        Target::thing("Oneshot", [number_of(&*self.middle)])
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oneshot::Sender [{}]", if self.is_closed() { "closed" } else { "open" })
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oneshot::Receiver [{}]", if self.middle.sender.get() { "open" } else { "sent or closed" })
    }
}

/// The sender was dropped without having sent, or the value has been received before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderDropped;

impl fmt::Display for SenderDropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is nothing to receive: the sender is gone")
    }
}

impl std::error::Error for SenderDropped {}
