//! Queues: items for a crowd of workers, with a count of what is not done yet.
//!
//! ```text
//!   put ──► [ store, at most maxsize ] ──► get ──► work ──► task_done
//!    └ unfinished + 1                                          └ unfinished - 1 ──► 0: all who `join` go on
//! ```
//!
//! `shutdown` ends it: no more puts; gets go on until it is empty, or, at once, it is emptied.

use super::order::{Fifo, Lifo, Order, Smallest};
use super::queue_error::{GetRefused, PutRefused, QueueShutDown, TaskDoneTooOften};
use super::store::{ASlot, AnItem, NotNow, Shut, Store};
use super::turn::{At, Claim, Turn, number_of};
use super::wait_list::{Left, WaitList};
use homing_executor::cancel::Awaiting;
use homing_executor::error::Result;
use homing_executor::introspect::{Awaitable, Target};
use std::cell::Cell;
use std::fmt;

/// A queue: first in, first out. See [`QueueIn`] for what it can do.
///
/// # asyncio
///
/// `asyncio.Queue` (QU-1 to QU-14).
///
/// ```
/// use homing::sync::{Queue, QueueShutDown, Shutdown};
/// use homing::task_group;
///
/// homing::run(async {
///     let queue = std::rc::Rc::new(Queue::new(2));
///     let sum = task_group(async |tg| {
///         let worker = tg.spawn({
///             let queue = queue.clone();
///             async move {
///                 let mut sum = 0;
///                 loop {
///                     match queue.get().await {
///                         Ok(item) => sum += item,
///                         Err(error) if error.is::<QueueShutDown>() => return Ok(sum),
///                         Err(error) => return Err(error), // cancelled, for one: not the end of the queue
///                     }
///                     queue.task_done()?;
///                 }
///             }
///         });
///         for item in 1..=4 {
///             queue.put(item).await?;
///         }
///         queue.join().await?;
///         queue.shutdown(Shutdown::Drain);
///         worker.await
///     })
///     .await?;
///     assert_eq!(sum, 10);
///     Ok(())
/// })
/// # .unwrap();
/// ```
pub type Queue<T> = QueueIn<Fifo<T>>;

/// A queue: last in, first out. See [`QueueIn`] for what it can do.
///
/// # asyncio
///
/// `asyncio.LifoQueue` (QU-2).
pub type LifoQueue<T> = QueueIn<Lifo<T>>;

/// A queue: the smallest first, and among equals the first in. See [`QueueIn`] for what it can do.
///
/// The items' `Ord` must not use the queue.
///
/// # asyncio
///
/// `asyncio.PriorityQueue`, whose order among equals is open (QU-2).
///
/// ```
/// use homing::sync::PriorityQueue;
///
/// let queue = PriorityQueue::new(0);
/// for item in [3, 1, 2] {
///     queue.put_nowait(item).unwrap();
/// }
/// assert_eq!(queue.get_nowait(), Ok(1));
/// ```
pub type PriorityQueue<T> = QueueIn<Smallest<T>>;

/// A queue that gives its items in a certain order: [`Queue`], [`LifoQueue`], [`PriorityQueue`].
///
/// Who waits is served in the order of arrival, and not overtaken: a slot that comes free, or an item that comes in, is
/// kept for the first in line. (With asyncio, a newcomer may be faster: QU-5, KQ-11.)
pub struct QueueIn<O: Order> {
    store: Store<O>,
    /// Put, and not said to be done.
    unfinished: Cell<usize>,
    joiners: WaitList<()>,
}

/// How a queue is shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// What is in it may still be got.
    Drain,
    /// What is in it is dropped, and counts as done.
    Immediate,
}

impl<O: Order> QueueIn<O> {
    /// A queue that holds at most so many items; 0 stands for any number.
    pub fn new(maxsize: usize) -> Self {
        let capacity = if maxsize == 0 { usize::MAX } else { maxsize };
        QueueIn {
            store: Store::new(capacity, Awaiting::Queue),
            unfinished: Cell::new(0),
            joiners: WaitList::new(),
        }
    }

    /// A queue that holds any number of items.
    pub fn unbounded() -> Self {
        QueueIn::new(0)
    }

    /// How many items it may hold; 0 stands for any number.
    pub fn maxsize(&self) -> usize {
        if self.store.capacity() == usize::MAX { 0 } else { self.store.capacity() }
    }

    /// How many items are in it, with those that are kept for somebody.
    ///
    /// # asyncio
    ///
    /// `queue.qsize()`.
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it holds as many items as it may.
    ///
    /// # asyncio
    ///
    /// `queue.full()` (QU-1).
    pub fn is_full(&self) -> bool {
        self.len() >= self.store.capacity()
    }

    /// Whether it was shut down.
    pub fn is_shut_down(&self) -> bool {
        self.store.is_shut()
    }

    /// How many items were put and are not said to be done.
    pub fn unfinished(&self) -> usize {
        self.unfinished.get()
    }

    /// Puts an item in, and waits for a free slot if the queue is full.
    ///
    /// # Errors
    ///
    /// [`QueueShutDown`], if the queue is shut down, before or while it waits; `Cancelled`, if the task is cancelled while
    /// it waits.
    ///
    /// # Cancel safety
    ///
    /// With an error, or dropped, it has not put the item, and drops it; the slot goes to the next in line.
    ///
    /// # asyncio
    ///
    /// `await queue.put(item)` (QU-4 to QU-8, QU-11, QU-12).
    #[track_caller]
    pub fn put(&self, item: O::Item) -> impl Future<Output = Result<()>> + Unpin {
        Turn::new(self, Put(Some(item)), |_, put| Ok(put?))
    }

    /// Takes the next item out, and waits for one if there is none.
    ///
    /// # Errors
    ///
    /// [`QueueShutDown`], if the queue is shut down and empty, before or while it waits; `Cancelled`, if the task is
    /// cancelled while it waits.
    ///
    /// # Cancel safety
    ///
    /// With an error, or dropped, it has taken nothing; the item that was kept for it goes to the next in line.
    ///
    /// # asyncio
    ///
    /// `await queue.get()` (QU-4 to QU-8, QU-11, QU-12).
    #[track_caller]
    pub fn get(&self) -> impl Future<Output = Result<O::Item>> + Unpin {
        Turn::new(&self.store, AnItem, |_, item| Ok(item.map_err(|Shut| QueueShutDown)?))
    }

    /// Puts an item in, if that can be done at once.
    ///
    /// # Errors
    ///
    /// [`PutRefused`], with the item in it. `?` makes a [`QueueFull`](super::QueueFull) or [`QueueShutDown`] of it.
    ///
    /// # asyncio
    ///
    /// `queue.put_nowait(item)` (QU-3, QU-11).
    pub fn put_nowait(&self, item: O::Item) -> Result<(), PutRefused<O::Item>> {
        match self.store.try_reserve() {
            Ok(()) => {
                self.fill(item);
                Ok(())
            }
            Err(NotNow::Wait) => Err(PutRefused::Full(item)),
            Err(NotNow::Shut) => Err(PutRefused::ShutDown(item)),
        }
    }

    /// Takes the next item out, if that can be done at once.
    ///
    /// # Errors
    ///
    /// [`GetRefused`]. `?` makes a [`QueueEmpty`](super::QueueEmpty) or [`QueueShutDown`] of it.
    ///
    /// # asyncio
    ///
    /// `queue.get_nowait()` (QU-3, QU-11).
    pub fn get_nowait(&self) -> Result<O::Item, GetRefused> {
        self.store.try_get().map_err(|not_now| match not_now {
            NotNow::Wait => GetRefused::Empty,
            NotNow::Shut => GetRefused::ShutDown,
        })
    }

    /// Says that an item which was taken out is done.
    ///
    /// # Errors
    ///
    /// [`TaskDoneTooOften`], if all that were put are done already.
    ///
    /// # asyncio
    ///
    /// `queue.task_done()`, which raises `ValueError` (QU-9).
    pub fn task_done(&self) -> Result<(), TaskDoneTooOften> {
        if self.unfinished.get() == 0 {
            return Err(TaskDoneTooOften);
        }
        self.finish(1);
        Ok(())
    }

    /// Waits until all items that were put are said to be done. A shutdown alone does not end the wait.
    ///
    /// # Errors
    ///
    /// `Cancelled`, if the task is cancelled while it waits.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    ///
    /// # asyncio
    ///
    /// `await queue.join()` (QU-10, QU-13).
    #[track_caller]
    pub fn join(&self) -> impl Future<Output = Result<()>> + Unpin {
        Turn::new(self, AllDone, |_, ()| Ok(()))
    }

    /// Ends the queue: all puts fail from now on, also those that wait, and gets when it is empty.
    ///
    /// It cannot be undone. Said twice, the more immediate counts.
    ///
    /// # asyncio
    ///
    /// `queue.shutdown(immediate)` (QU-11 to QU-14).
    pub fn shutdown(&self, how: Shutdown) {
        match how {
            Shutdown::Drain => self.store.close(),
            Shutdown::Immediate => {
                let items = self.store.close_now();
                self.finish(items.count());
                // The items are dropped here: their destructors may use the queue.
            }
        }
    }

    /// Puts an item into a reserved slot.
    fn fill(&self, item: O::Item) {
        self.unfinished.set(self.unfinished.get() + 1);
        self.store.fill(item);
    }

    fn finish(&self, items: usize) {
        // Those that a shutdown throws away may have been said to be done before they were got.
        self.unfinished.set(self.unfinished.get().saturating_sub(items));
        if self.unfinished.get() == 0 {
            while self.joiners.grant(()) {}
            self.joiners.ring();
        }
    }
}

/// The claim on a slot, to put an item there.
struct Put<T>(Option<T>);

impl<T> Put<T> {
    fn fill<O: Order<Item = T>>(
        &mut self,
        queue: &QueueIn<O>,
        slot: Result<(), Shut>,
    ) -> Result<(), QueueShutDown> {
        slot.map_err(|Shut| QueueShutDown)?;
        queue.fill(self.0.take().expect("a put puts once"));
        Ok(())
    }
}

impl<O: Order> Claim<QueueIn<O>> for Put<O::Item> {
    type Note = <ASlot as Claim<Store<O>>>::Note;
    type Gain = Result<(), QueueShutDown>;

    fn line(queue: &QueueIn<O>) -> &WaitList<Self::Note> {
        ASlot::line(&queue.store)
    }

    fn awaited(_: &QueueIn<O>, line: u64) -> Awaiting {
        Awaiting::Queue(line)
    }

    fn note(&self) -> Self::Note {
        Claim::<Store<O>>::note(&ASlot)
    }

    fn take_at_once(&mut self, queue: &QueueIn<O>, at: At) -> Option<Self::Gain> {
        ASlot.take_at_once(&queue.store, at).map(|slot| self.fill(queue, slot))
    }

    fn collect(&mut self, queue: &QueueIn<O>, kept: Self::Note, at: At) -> Self::Gain {
        let slot = ASlot.collect(&queue.store, kept, at);
        self.fill(queue, slot)
    }

    fn left(&mut self, queue: &QueueIn<O>, left: Left<Self::Note>) {
        ASlot.left(&queue.store, left);
    }
}

/// The claim that nothing be unfinished.
struct AllDone;

impl<O: Order> Claim<QueueIn<O>> for AllDone {
    type Note = ();
    type Gain = ();

    fn line(queue: &QueueIn<O>) -> &WaitList<()> {
        &queue.joiners
    }

    fn awaited(_: &QueueIn<O>, line: u64) -> Awaiting {
        Awaiting::Queue(line)
    }

    fn note(&self) {}

    fn take_at_once(&mut self, queue: &QueueIn<O>, _: At) -> Option<()> {
        (queue.unfinished.get() == 0).then_some(())
    }

    fn collect(&mut self, _: &QueueIn<O>, (): (), _: At) {}

    fn left(&mut self, _: &QueueIn<O>, _: Left<()>) {}
}

impl<O: Order> Awaitable for QueueIn<O> {
    fn target(&self) -> Target {
        Target::thing(
            "Queue",
            [number_of(&self.store.getters), number_of(&self.store.putters), number_of(&self.joiners)],
        )
    }
}

impl<O: Order> Default for QueueIn<O> {
    fn default() -> Self {
        QueueIn::unbounded()
    }
}

impl<O: Order> fmt::Debug for QueueIn<O> {
    /// `Queue [maxsize: 3, items: 3, putters: 1, unfinished: 5, shut down]`: what is zero is left out (TK-14).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [maxsize: {}", O::QUEUE, self.maxsize())?;
        let counts = [
            ("items", self.len()),
            ("getters", self.store.getters.len()),
            ("putters", self.store.putters.len()),
            ("unfinished", self.unfinished()),
        ];
        for (what, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            write!(f, ", {what}: {count}")?;
        }
        f.write_str(if self.is_shut_down() { ", shut down]" } else { "]" })
    }
}
