//! A pipe: one direction of a wire.
//!
//! ```text
//!   write ──► [ chunk, arrives at t₁ │ chunk, arrives at t₂ │ … ] ──► read
//!                 never more than `capacity` bytes that have not been read
//! ```
//!
//! Each pipe is used by whoever holds one end for writing and by whoever holds the other for reading. Whatever changes wakes
//! all who wait: they look for themselves.

use super::link::{Carrying, Conditions};
use homing_executor::cancel::{Awaiting, Leaf};
use homing_executor::error::Result;
use homing_executor::time::{Instant, Timer};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// See the [module](self).
pub(super) struct Pipe {
    conditions: Rc<Conditions>,
    chunks: RefCell<VecDeque<Chunk>>,
    /// Bytes in `chunks`.
    unread: Cell<usize>,
    capacity: usize,
    state: Cell<State>,
    reader: Cell<Reader>,
    waiting: RefCell<Vec<Waker>>,
}

/// Bytes on their way.
struct Chunk {
    bytes: Vec<u8>,
    read: usize,
    arrives: Instant,
}

/// | from           | on                               | to              |
/// |----------------|----------------------------------|-----------------|
/// | Open           | the writer closes, or is dropped | Ended (now + latency) |
/// | Open, Ended    | a reset                          | Reset           |
///
/// In either, what is on its way can still be read; a reset that loses it takes it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// There will be no more; the reader hears of it then.
    Ended {
        at: Instant,
    },
    Reset,
}

/// Whether anybody is left to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    There,
    Gone,
}

/// What an await of a pipe keeps from poll to poll.
pub(super) struct Waiting {
    leaf: Leaf,
    /// For what is on its way.
    arrival: Option<Timer>,
}

impl Waiting {
    #[track_caller]
    pub(super) fn new() -> Waiting {
        Waiting { leaf: Leaf::new(), arrival: None }
    }

    /// Whether this time has come; if not, the task is woken when it does.
    fn poll_arrival(&mut self, cx: &mut Context<'_>, arrival: Instant) -> Result<Poll<()>> {
        let timer = self.arrival.get_or_insert_with(|| Timer::new(arrival));
        if timer.deadline() != arrival {
            timer.reset(arrival);
        }
        Ok(match timer.poll(cx.waker()) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(fired) => {
                fired?;
                self.arrival = None;
                Poll::Ready(())
            }
        })
    }
}

/// What a try has come to.
enum Tried<T> {
    Done(T),
    /// Nothing before this point in time, unless something changes.
    NotBefore(Instant),
    /// Nothing unless something changes.
    Never,
}

impl Pipe {
    pub(super) fn new(conditions: Rc<Conditions>, capacity: usize) -> Pipe {
        Pipe {
            conditions,
            chunks: RefCell::default(),
            unread: Cell::new(0),
            capacity,
            state: Cell::new(State::Open),
            reader: Cell::new(Reader::There),
            waiting: RefCell::default(),
        }
    }

    /// Reads what has arrived. Zero is the end, or an empty buffer.
    #[track_caller]
    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        waiting: &mut Waiting,
        buffer: &mut [u8],
    ) -> Poll<Result<usize>> {
        self.poll(cx, waiting, || self.try_read(buffer))
    }

    /// Writes as much as there is room for.
    #[track_caller]
    pub(super) fn poll_write(
        &self,
        cx: &mut Context<'_>,
        waiting: &mut Waiting,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        self.poll(cx, waiting, || self.try_write(bytes))
    }

    /// Tries; and waits, if that has come to nothing.
    #[track_caller]
    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        waiting: &mut Waiting,
        mut attempt: impl FnMut() -> Result<Tried<T>>,
    ) -> Poll<Result<T>> {
        // Before the attempt: an operation that is cancelled has not happened.
        if let Err(cancelled) = waiting.leaf.resume() {
            waiting.arrival = None;
            return Poll::Ready(Err(cancelled.into()));
        }
        let attempted = loop {
            match attempt() {
                Ok(Tried::Done(value)) => break Ok(value),
                Err(error) => break Err(error),
                Ok(Tried::NotBefore(arrival)) => {
                    if waiting.poll_arrival(cx, arrival)?.is_pending() {
                        return self.park(cx, waiting);
                    }
                }
                Ok(Tried::Never) => {
                    waiting.arrival = None;
                    return self.park(cx, waiting);
                }
            }
        };
        waiting.arrival = None;
        waiting.leaf.unpark();
        Poll::Ready(attempted)
    }

    #[track_caller]
    fn park<T>(&self, cx: &mut Context<'_>, waiting: &mut Waiting) -> Poll<Result<T>> {
        if let Err(cancelled) =
            waiting.leaf.park(cx, Awaiting::Channel(std::ptr::from_ref(self).addr() as u64))
        {
            waiting.arrival = None;
            return Poll::Ready(Err(cancelled.into()));
        }
        let mut wakers = self.waiting.borrow_mut();
        if !wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }

    fn try_read(&self, buffer: &mut [u8]) -> Result<Tried<usize>> {
        if buffer.is_empty() {
            return Ok(Tried::Done(0));
        }
        if self.conditions.carrying() != Carrying::Everything {
            return if self.state.get() == State::Reset { Err(reset()) } else { Ok(Tried::Never) };
        }
        let mut chunks = self.chunks.borrow_mut();
        let mut filled = 0;
        while let Some(chunk) = chunks.front_mut() {
            if chunk.arrives > Instant::now() {
                if filled == 0 {
                    return Ok(Tried::NotBefore(chunk.arrives));
                }
                break;
            }
            let count = (chunk.bytes.len() - chunk.read).min(buffer.len() - filled);
            buffer[filled..filled + count].copy_from_slice(&chunk.bytes[chunk.read..chunk.read + count]);
            filled += count;
            chunk.read += count;
            if chunk.read < chunk.bytes.len() {
                break;
            }
            chunks.pop_front();
        }
        drop(chunks);
        if filled > 0 {
            self.unread.set(self.unread.get() - filled);
            self.ring();
            return Ok(Tried::Done(filled));
        }
        match self.state.get() {
            State::Open => Ok(Tried::Never),
            State::Ended { at } if at > Instant::now() => Ok(Tried::NotBefore(at)),
            State::Ended { .. } => Ok(Tried::Done(0)),
            State::Reset => Err(reset()),
        }
    }

    fn try_write(&self, bytes: &[u8]) -> Result<Tried<usize>> {
        match self.state.get() {
            State::Reset => return Err(reset()),
            State::Ended { .. } => return Err(io::Error::from(io::ErrorKind::BrokenPipe).into()),
            State::Open => {}
        }
        if bytes.is_empty() {
            return Ok(Tried::Done(0));
        }
        if self.conditions.carrying() == Carrying::Nothing {
            // The network does not tell that nobody receives it.
            return Ok(Tried::Done(bytes.len()));
        }
        if self.reader.get() == Reader::Gone {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe).into());
        }
        let room = self.capacity - self.unread.get();
        if room == 0 {
            return Ok(Tried::Never);
        }
        let count = self.conditions.spend(bytes.len().min(room));
        if count > 0 {
            let arrives = Instant::now() + self.conditions.latency();
            self.chunks.borrow_mut().push_back(Chunk { bytes: bytes[..count].to_vec(), read: 0, arrives });
            self.unread.set(self.unread.get() + count);
            self.ring();
        }
        if self.conditions.is_spent() {
            self.conditions.fail();
        }
        if count > 0 { Ok(Tried::Done(count)) } else { Err(reset()) }
    }

    /// The writer will write no more.
    pub(super) fn end(&self) {
        if self.state.get() == State::Open {
            self.state.set(State::Ended { at: Instant::now() + self.conditions.latency() });
            self.ring();
        }
    }

    /// The reader has gone.
    pub(super) fn leave_unread(&self) {
        self.reader.set(Reader::Gone);
        self.ring();
    }

    /// The connection fails, for both sides. What is on its way can still be read.
    pub(super) fn fail(&self) {
        self.state.set(State::Reset);
        self.ring();
    }

    /// What is on its way is lost.
    pub(super) fn lose(&self) {
        self.chunks.borrow_mut().clear();
        self.unread.set(0);
        self.ring();
    }

    /// Something has changed: whoever waits looks again.
    pub(super) fn ring(&self) {
        // Taken out first: a foreign waker may do anything.
        for waker in self.waiting.take() {
            waker.wake();
        }
    }
}

fn reset() -> homing_executor::error::Error {
    io::Error::from(io::ErrorKind::ConnectionReset).into()
}
