//! Channels: a queue with two ends, each of which is closed when its handles are gone.
//!
//! ```text
//!   Sender ─┐                                      ┌─ Receiver
//!   Sender ─┼─ send ──► [ store, bounded ] ── recv ┼─ Receiver      each item goes to one receiver
//!   Sender ─┘                                      └─ Receiver
//!   all gone: `recv` gives what is left, then `None`        all gone: `send` fails, what is left is dropped
//! ```
//!
//! There may be several receivers, because a crowd of workers is what one task-per-connection programs are made of, and
//! the line keeps it fair at no cost. There is no rendezvous: a channel without room would have to hand an item over
//! before either side has seen the other, and take it back when one is cancelled.

mod error;
mod room;

use crate::sync::order::Fifo;
use crate::sync::store::{AnItem, NotNow, Store};
use crate::sync::turn::{At, Claim, Turn, number_of};
use crate::sync::wait_list::{Left, WaitList};
use homing_executor::cancel::Awaiting;
use homing_executor::error::Result;
use homing_executor::introspect::{Awaitable, Target};
use room::{Room, Send};
use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

pub use error::{ChannelClosed, ChannelEmpty, ChannelFull, RecvRefused, SendRefused};
pub use room::Reservation;

/// A channel for at most `capacity` items at a time: who sends more waits.
///
/// # Panics
///
/// If `capacity` is 0. There is no rendezvous channel.
///
/// # asyncio
///
/// An `asyncio.Queue` that is shut down by itself when one side is gone.
///
/// ```
/// use homing::sync::channel;
///
/// homing::run(async {
///     let (sender, receiver) = channel::bounded(2);
///     let sum = homing::spawn(async move {
///         let mut sum = 0;
///         while let Some(item) = receiver.recv().await? {
///             sum += item;
///         }
///         Ok(sum)
///     });
///     for item in 1..=4 {
///         sender.send(item).await?;
///     }
///     drop(sender);
///     assert_eq!(sum.await?, 10);
///     Ok(())
/// })
/// # .unwrap();
/// ```
#[track_caller]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(capacity > 0, "a channel has room for at least one item: there is no rendezvous channel");
    with_capacity(capacity)
}

/// A channel for any number of items: who sends never waits.
///
/// # asyncio
///
/// An `asyncio.Queue()` that is shut down by itself when one side is gone.
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    with_capacity(usize::MAX)
}

fn with_capacity<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let channel = Rc::new(Channel {
        store: Store::new(capacity, Awaiting::Channel),
        senders: Cell::new(1),
        receivers: Cell::new(1),
        watchers: WaitList::new(),
    });
    (Sender { channel: channel.clone() }, Receiver { channel })
}

struct Channel<T> {
    store: Store<Fifo<T>>,
    senders: Cell<usize>,
    receivers: Cell<usize>,
    /// Who waits for the receivers to be gone.
    watchers: WaitList<()>,
}

impl<T> Channel<T> {
    fn is_closed(&self) -> bool {
        self.receivers.get() == 0
    }
}

/// The end that sends. Clones send into the same channel.
pub struct Sender<T> {
    channel: Rc<Channel<T>>,
}

/// The end that receives. Clones receive from the same channel: each item goes to one of them.
pub struct Receiver<T> {
    channel: Rc<Channel<T>>,
}

impl<T> Sender<T> {
    /// Sends an item, and waits for room if there is none.
    ///
    /// # Errors
    ///
    /// [`ChannelClosed`], if all receivers are gone, before or while it waits; `Cancelled`, if the task is cancelled
    /// while it waits.
    ///
    /// # Cancel safety
    ///
    /// With an error, or dropped, it has not sent the item, and drops it; the room goes to the next in line. To keep the
    /// item, [`reserve`](Sender::reserve) room first.
    ///
    /// # asyncio
    ///
    /// `await queue.put(item)`.
    #[track_caller]
    pub fn send(&self, item: T) -> impl Future<Output = Result<()>> + Unpin {
        Turn::new(&*self.channel, Send(Some(item)), |_, sent| Ok(sent?))
    }

    /// Sends an item, if there is room.
    ///
    /// # Errors
    ///
    /// [`SendRefused`], with the item in it. `?` makes a [`ChannelFull`] or [`ChannelClosed`] of it.
    pub fn try_send(&self, item: T) -> Result<(), SendRefused<T>> {
        match self.channel.store.try_reserve() {
            Ok(()) => {
                self.channel.store.fill(item);
                Ok(())
            }
            Err(NotNow::Wait) => Err(SendRefused::Full(item)),
            Err(NotNow::Shut) => Err(SendRefused::Closed(item)),
        }
    }

    /// Waits for room, and keeps it until an item is sent into it, or the reservation is dropped.
    ///
    /// # Errors
    ///
    /// As [`send`](Sender::send).
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped, it gives up its place in the line, and the room to the next.
    ///
    /// ```
    /// # homing::run(async {
    /// let (sender, receiver) = homing::sync::channel::bounded(1);
    /// let room = sender.reserve().await?;
    /// room.send("made when it was clear that it can be sent");
    /// assert!(receiver.recv().await?.is_some());
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn reserve(&self) -> impl Future<Output = Result<Reservation<'_, T>>> + Unpin {
        Turn::new(&*self.channel, Room, |channel, room| {
            room?;
            Ok(Reservation::new(channel))
        })
    }

    /// Whether all receivers are gone.
    pub fn is_closed(&self) -> bool {
        self.channel.is_closed()
    }

    /// Waits until all receivers are gone: nobody wants the items any more.
    ///
    /// # Errors
    ///
    /// `Cancelled`, if the task is cancelled while it waits.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[track_caller]
    pub fn closed(&self) -> impl Future<Output = Result<()>> + Unpin {
        Turn::new(&*self.channel, NobodyReceives, |_, ()| Ok(()))
    }

    /// How many items have been sent and not received.
    pub fn len(&self) -> usize {
        self.channel.store.len()
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
    /// With an error, or dropped, it has received nothing; the item that was kept for it goes to the next in line.
    ///
    /// # asyncio
    ///
    /// `await queue.get()`, which raises `QueueShutDown` where this is `None`.
    #[track_caller]
    pub fn recv(&self) -> impl Future<Output = Result<Option<T>>> + Unpin {
        Turn::new(&self.channel.store, AnItem, |_, item| Ok(item.ok()))
    }

    /// Receives the next item, if there is one that is kept for nobody else.
    ///
    /// # Errors
    ///
    /// [`RecvRefused`]. `?` makes a [`ChannelEmpty`] or [`ChannelClosed`] of it.
    pub fn try_recv(&self) -> Result<T, RecvRefused> {
        self.channel.store.try_get().map_err(|not_now| match not_now {
            NotNow::Wait => RecvRefused::Empty,
            NotNow::Shut => RecvRefused::Closed,
        })
    }

    /// How many items have been sent and not received.
    pub fn len(&self) -> usize {
        self.channel.store.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The claim that there be no receiver.
struct NobodyReceives;

impl<T> Claim<Channel<T>> for NobodyReceives {
    type Note = ();
    type Gain = ();

    fn line(channel: &Channel<T>) -> &WaitList<()> {
        &channel.watchers
    }

    fn awaited(_: &Channel<T>, line: u64) -> Awaiting {
        Awaiting::Channel(line)
    }

    fn note(&self) {}

    fn take_at_once(&mut self, channel: &Channel<T>, _: At) -> Option<()> {
        channel.is_closed().then_some(())
    }

    fn collect(&mut self, _: &Channel<T>, (): (), _: At) {}

    fn left(&mut self, _: &Channel<T>, _: Left<()>) {}
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.channel.senders.set(self.channel.senders.get() + 1);
        Sender { channel: self.channel.clone() }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.channel.receivers.set(self.channel.receivers.get() + 1);
        Receiver { channel: self.channel.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.channel.senders.set(self.channel.senders.get() - 1);
        if self.channel.senders.get() == 0 {
            self.channel.store.close();
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.channel.receivers.set(self.channel.receivers.get() - 1);
        if self.channel.is_closed() {
            let _unread = self.channel.store.close_now();
            while self.channel.watchers.grant(()) {}
            self.channel.watchers.ring();
        }
    }
}

impl<T> Channel<T> {
    fn write_state(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (items, senders, receivers) = (self.store.len(), self.senders.get(), self.receivers.get());
        write!(f, " [items: {items}, senders: {senders}, receivers: {receivers}]")
    }
}

impl<T> Channel<T> {
    fn numbers(&self) -> [u64; 3] {
        [number_of(&self.store.getters), number_of(&self.store.putters), number_of(&self.watchers)]
    }
}

impl<T> Awaitable for Sender<T> {
    fn target(&self) -> Target {
        Target::thing("Channel", self.channel.numbers())
    }
}

impl<T> Awaitable for Receiver<T> {
    fn target(&self) -> Target {
        Target::thing("Channel", self.channel.numbers())
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("channel::Sender")?;
        self.channel.write_state(f)
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("channel::Receiver")?;
        self.channel.write_state(f)
    }
}
