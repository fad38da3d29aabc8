//! Channels between threads: as [`channel`](super::channel), with ends that may be on different runtimes.
//!
//! ```text
//!   thread 1                     under one lock                        thread 2
//!   Sender ── send ──► [ items │ who waits for an item, for room ] ──► recv ── Receiver
//!                           wakers cross on their own: a push into an inbox, and a ring if the thread sleeps
//! ```
//!
//! For what has to cross. Within one runtime `channel` does the same without a lock and without an atomic instruction.
//!
//! An end may be used by tasks of any runtime, by futures of other executors, and by plain threads, for which there are
//! [`send_blocking`](Sender::send_blocking) and [`recv_blocking`](Receiver::recv_blocking).
//!
//! | file          | what it answers                                                        |
//! |---------------|------------------------------------------------------------------------|
//! | `mod.rs`      | what is there to call?                                                 |
//! | `state.rs`    | what is in the channel, and who may take it?                           |
//! | `line.rs`     | who is next?                                                           |
//! | `wait.rs`     | how does one wait, and what if one is cancelled?                       |
//! | `blocking.rs` | how does a thread wait that has no runtime?                            |

mod blocking;
mod line;
mod state;
mod wait;

use super::channel::{ChannelClosed, RecvRefused, SendRefused};
use super::turn::number_of;
use homing_executor::error::Result;
use homing_executor::introspect::{Awaitable, Target};
use state::{Shared, State};
use std::fmt;
use std::sync::Arc;
use wait::{AnItem, Room, Wait};

/// A channel for at most `capacity` items at a time: who sends more waits.
///
/// # Panics
///
/// If `capacity` is 0. There is no rendezvous channel.
///
/// # asyncio
///
/// Has none: a `queue.Queue` blocks the loop, and an `asyncio.Queue` belongs to one. Over there one writes
/// `loop.call_soon_threadsafe(queue.put_nowait, item)`, without back-pressure.
///
/// ```
/// use homing::sync::remote_channel;
///
/// let (sender, receiver) = remote_channel::bounded(2);
/// let thread = std::thread::spawn(move || homing::run(async move {
///     for item in 1..=100 {
///         sender.send(item).await?; // waits whenever the other thread is two items behind
///     }
///     Ok(())
/// }));
/// let sum = homing::run(async {
///     let mut sum = 0;
///     while let Some(item) = receiver.recv().await? {
///         sum += item;
///     }
///     Ok(sum)
/// })?;
/// assert_eq!(sum, 5050);
/// # thread.join().unwrap()?;
/// # Ok::<(), homing::Error>(())
/// ```
#[track_caller]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(capacity > 0, "a channel has room for at least one item: there is no rendezvous channel");
    with_capacity(capacity)
}

/// A channel for any number of items: who sends never waits.
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    with_capacity(usize::MAX)
}

fn with_capacity<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared::new(capacity));
    (Sender { shared: shared.clone() }, Receiver { shared })
}

/// The end that sends, from any thread. Clones send into the same channel.
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

/// The end that receives, on any thread. Clones receive from the same channel: each item goes to one of them.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Sender<T> {
    /// Sends an item, and waits for room if there is none. First come, first served.
    ///
    /// # Errors
    ///
    /// [`ChannelClosed`], if all receivers are gone, before or while it waits; `Cancelled`, if the task is cancelled
    /// while it waits.
    ///
    /// # Cancel safety
    ///
    /// With an error, or dropped, it has not sent the item, and drops it; room that was kept for it goes to the next in
    /// line.
    #[track_caller]
    pub fn send(&self, item: T) -> impl Future<Output = Result<()>> + Unpin + use<'_, T> {
        Wait::new(&*self.shared, Room(Some(item)))
    }

    /// Sends an item, if there is room that is kept for nobody.
    ///
    /// # Errors
    ///
    /// [`SendRefused`], with the item in it.
    pub fn try_send(&self, item: T) -> Result<(), SendRefused<T>> {
        let woken = {
            let mut state = self.shared.lock();
            if state.receivers == 0 {
                return Err(SendRefused::Closed(item));
            }
            if !state.has_free_room() {
                return Err(SendRefused::Full(item));
            }
            state.push(item)
        };
        woken.wake();
        Ok(())
    }

    /// Sends an item from a thread that has no runtime, and blocks it until there is room.
    ///
    /// # Errors
    ///
    /// [`ChannelClosed`], if all receivers are gone;
    /// [`NestedRuntime`](homing_executor::error::RuntimeError::NestedRuntime) on a thread that is running a runtime,
    /// where it would keep everybody else waiting. The item is dropped in both cases.
    pub fn send_blocking(&self, item: T) -> Result<()> {
        blocking::wait_for(Wait::new(&*self.shared, Room(Some(item))))
    }

    /// Whether all receivers are gone.
    pub fn is_closed(&self) -> bool {
        self.shared.lock().receivers == 0
    }

    /// How many items have been sent and not received. Another thread may change that at any time.
    pub fn len(&self) -> usize {
        self.shared.lock().items.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Receiver<T> {
    /// Receives the next item, and waits for one if there is none. `None`: all senders are gone, and nothing is left.
    ///
    /// # Errors
    ///
    /// `Cancelled`, if the task is cancelled while it waits.
    ///
    /// # Cancel safety
    ///
    /// With an error, or dropped, it has received nothing; an item that was kept for it goes to the next in line.
    #[track_caller]
    pub fn recv(&self) -> impl Future<Output = Result<Option<T>>> + Unpin + use<'_, T> {
        Wait::new(&*self.shared, AnItem)
    }

    /// Receives the next item, if there is one that is kept for nobody else.
    ///
    /// # Errors
    ///
    /// [`RecvRefused`].
    pub fn try_recv(&self) -> Result<T, RecvRefused> {
        let (item, woken) = {
            let mut state = self.shared.lock();
            if !state.has_free_item() {
                return Err(if state.is_exhausted() { RecvRefused::Closed } else { RecvRefused::Empty });
            }
            state.pop()
        };
        woken.wake();
        Ok(item)
    }

    /// Receives an item on a thread that has no runtime, and blocks it until there is one.
    ///
    /// # Errors
    ///
    /// [`NestedRuntime`](homing_executor::error::RuntimeError::NestedRuntime) on a thread that is running a runtime.
    pub fn recv_blocking(&self) -> Result<Option<T>> {
        blocking::wait_for(Wait::new(&*self.shared, AnItem))
    }

    /// How many items have been sent and not received. Another thread may change that at any time.
    pub fn len(&self) -> usize {
        self.shared.lock().items.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.lock().senders += 1;
        Sender { shared: self.shared.clone() }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.shared.lock().receivers += 1;
        Receiver { shared: self.shared.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let woken = self.shared.lock().sender_gone();
        woken.wake();
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let (unread, woken) = self.shared.lock().receiver_gone();
        woken.wake();
        // Last, and not under the lock: their destructors may do anything.
        drop(unread);
    }
}

impl<T> Awaitable for Sender<T> {
    fn target(&self) -> Target {
        Target::thing("RemoteChannel", [number_of(&*self.shared)])
    }
}

impl<T> Awaitable for Receiver<T> {
    fn target(&self) -> Target {
        Target::thing("RemoteChannel", [number_of(&*self.shared)])
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.lock().write("remote_channel::Sender", f)
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.lock().write("remote_channel::Receiver", f)
    }
}

impl<T> State<T> {
    fn write(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (items, senders, receivers) = (self.items.len(), self.senders, self.receivers);
        write!(f, "{name} [items: {items}, senders: {senders}, receivers: {receivers}]")
    }
}

/// What a `send` says that nobody can receive.
fn closed<T>() -> Result<T> {
    Err(ChannelClosed.into())
}
