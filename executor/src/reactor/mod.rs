//! The reactor: how the thread sleeps, and what wakes it.
//!
//! One `mio::Poll`, which is one descriptor (on Linux an epoll instance), holds everything that a sleeping runtime may
//! be woken by; whoever embeds the runtime can wait on that one descriptor in its place.
//!
//! ```text
//!   sockets ──────┐  readable, writable     ──► the source's wakers
//!   timer  ───────┼─► mio::Poll ── wait     ──► nothing: the deadline has come
//!   bell   ───────┘                         ──► nothing: look into the inbox
//! ```
//!
//! It is made when it is first needed. A program that never blocks and has no socket opens no descriptor.
// Elsewhere there are no sockets yet (see the book's chapter on platforms), and so nobody who registers a source.
#![cfg_attr(not(unix), allow(dead_code, unused_imports))]

mod alarm;
mod line;
mod registrar;
mod share;
mod source;
mod waking;

use crate::clock::Nanos;
use crate::runtime::core::LOOK_EVERY;
use alarm::Alarm;
use mio::{Events, Interest, Poll, Token, event};
use registrar::Registrar;
use source::SOURCES;
use std::io;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use line::Place;
pub(crate) use registrar::Standing;
pub(crate) use share::{IoShare, Share};
pub(crate) use source::{Source, SourceBlock, Way};
pub(crate) use waking::{Waking, Woken};

const BELL: Token = Token(usize::MAX);
const ALARM: Token = Token(usize::MAX - 1);
#[cfg(all(target_os = "linux", not(homing_portable)))]
const INTERRUPT: Token = Token(usize::MAX - 2);

/// As many events as one look at the poll brings at most. More wait in the kernel, in order, for the next look, which comes
/// after as many polls: so what a look has touched of a source and its task is still in the near caches when the task is polled.
const EVENTS: usize = LOOK_EVERY as usize;

pub(crate) struct Reactor {
    poll: Poll,
    events: Events,
    bell: Arc<mio::Waker>,
    alarm: Alarm,
    /// The sources, in the order of their keys.
    blocks: Vec<Arc<SourceBlock>>,
    /// The keys that are free. The last one is the next to be used.
    free: Vec<u32>,
    /// What the sources know of us; made for the first of them.
    registrar: Option<Arc<Registrar>>,
    /// The number by which the sources know the runtime.
    serial: NonZeroU64,
}

/// Whether a look has brought all that had happened.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Brought {
    All,
    /// Perhaps there is more.
    AsMuchAsFits,
}

/// How long [`Reactor::wait`] may block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Not at all.
    Look,
    /// Until the deadline, which is this far away.
    Until { deadline: Nanos, now: Nanos },
    /// Until something happens.
    Forever,
}

impl Reactor {
    /// # Errors
    ///
    /// When the operating system gives no descriptor, because there are too many open.
    pub(crate) fn new(serial: NonZeroU64) -> io::Result<Reactor> {
        let poll = Poll::new()?;
        let bell = Arc::new(mio::Waker::new(poll.registry(), BELL)?);
        let alarm = Alarm::new(poll.registry(), ALARM)?;
        let events = Events::with_capacity(EVENTS);
        let (blocks, free) = (Vec::new(), Vec::new());
        Ok(Reactor { poll, events, bell, alarm, blocks, free, registrar: None, serial })
    }

    pub(crate) fn bell(&self) -> Arc<mio::Waker> {
        self.bell.clone()
    }

    /// Whether there is anything but the bell and the alarm to listen to.
    pub(crate) fn has_sources(&mut self) -> bool {
        self.source_count() > 0
    }

    /// How many things there are to listen to, beside the bell and the alarm.
    pub(crate) fn source_count(&mut self) -> usize {
        self.forget_departed();
        self.blocks.len() * SOURCES - self.free.len()
    }

    /// Waits, at most as long as told, and wakes who waits for the sources that have become ready.
    ///
    /// Those who cannot be woken while the reactor is in use, the caller wakes later.
    pub(crate) fn wait(&mut self, patience: Patience, waking: &mut Waking<'_>) -> io::Result<Brought> {
        let timeout = match patience {
            Patience::Look => Some(Duration::ZERO),
            Patience::Forever => self.alarm.sleep(None)?,
            Patience::Until { deadline, now } => self.alarm.sleep(Some((deadline, now)))?,
        };
        match self.poll.poll(&mut self.events, timeout) {
            // A signal: the caller goes round again.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Brought::All),
            result => result?,
        }
        let mut brought = 0;
        for event in &self.events {
            brought += 1;
            match event.token() {
                BELL => {}
                ALARM => self.alarm.rang(),
                // It has woken us, which is all that it is for: the loop asks for interrupts in each round.
                #[cfg(all(target_os = "linux", not(homing_portable)))]
                INTERRUPT => {}
                // If it was taken out since the event was queued, nobody waits for it.
                Token(key) => {
                    let block = &self.blocks[SourceBlock::number_of(key)];
                    block.source(key as u32).notice(event, waking);
                }
            }
        }
        Ok(if brought < EVENTS { Brought::All } else { Brought::AsMuchAsFits })
    }

    /// Wakes the loop whenever this descriptor turns readable, until it is forgotten.
    #[cfg(all(target_os = "linux", not(homing_portable)))]
    pub(crate) fn listen_for_interrupts(&self, pipe: std::os::fd::RawFd) -> io::Result<()> {
        self.poll.registry().register(&mut mio::unix::SourceFd(&pipe), INTERRUPT, Interest::READABLE)
    }

    #[cfg(all(target_os = "linux", not(homing_portable)))]
    pub(crate) fn forget_interrupts(&self, pipe: std::os::fd::RawFd) -> io::Result<()> {
        self.poll.registry().deregister(&mut mio::unix::SourceFd(&pipe))
    }

    /// Makes the descriptor turn readable at the deadline, for a host that waits in our place.
    pub(crate) fn set_alarm(&mut self, deadline: Option<(Nanos, Nanos)>) -> io::Result<()> {
        self.alarm.sleep(deadline).map(drop)
    }

    /// Starts listening to a source, edge-triggered: each change is reported once, beginning with what is true already.
    /// Returns where it is kept, and its key.
    pub(crate) fn register(
        &mut self,
        io: &mut impl event::Source,
        interest: Interest,
    ) -> io::Result<(Arc<SourceBlock>, u32)> {
        self.forget_departed();
        let registrar = match &self.registrar {
            Some(registrar) => registrar,
            None => self.registrar.insert(Arc::new(Registrar::new(self.poll.registry())?)),
        };
        if self.free.is_empty() {
            let block = SourceBlock::new(registrar.clone(), self.blocks.len());
            self.free.extend(block.keys().rev());
            self.blocks.push(Arc::new(block));
        }
        let key = *self.free.last().expect("there are some now");
        registrar.register(io, key, interest)?;
        self.free.pop();
        let block = &self.blocks[SourceBlock::number_of(key as usize)];
        block.source(key).begin(self.serial, interest);
        Ok((block.clone(), key))
    }

    /// Frees the keys of sources that do not listen any more.
    fn forget_departed(&mut self) {
        if let Some(registrar) = &self.registrar {
            self.free.append(&mut registrar.take_departed());
        }
    }
}

impl Drop for Reactor {
    fn drop(&mut self) {
        if let Some(registrar) = &self.registrar {
            registrar.close();
        }
        self.blocks.iter().flat_map(|block| block.all()).for_each(Source::end);
    }
}

#[cfg(unix)]
impl std::os::fd::AsRawFd for Reactor {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.poll.as_raw_fd()
    }
}
