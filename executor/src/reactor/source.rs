//! A source: one descriptor that the reactor listens to, and who waits for it.
//!
//! Readiness is edge-triggered: the kernel reports a change once, and the source remembers it until somebody finds out
//! that it is no longer true. So the way to use one is: try first; when there is nothing to be had, stand in line, and
//! be woken by the next edge.
//!
//! ```text
//!            edge from the kernel               a try finds nothing more
//!   Waiting ──────────────────────► Ready ────────────────────────────────► Waiting
//!              wakes all in line                 exhausted, drained
//! ```
//!
//! The reactor and the socket share the source. All in it is safe to touch from any thread, because a socket may be
//! sent to another one; but only the thread of the runtime that listens *changes* readiness. A thread that cleared it
//! while the reactor is about to report the next edge would lose that edge.
//!
//! Sources lie side by side in blocks, a cache line each: a server with many connections comes to one after the other, and finds
//! each gone from the nearest caches. What an event and the operation after it touch is one line.

use super::line::{Lines, Place};
use super::registrar::Registrar;
use super::waking::Waking;
use mio::Interest;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::Waker;

/// Some sources, and what all of them need seldom.
pub(crate) struct SourceBlock {
    pub(crate) registrar: Arc<Registrar>,
    /// The key of the first one.
    first_key: u32,
    sources: [Source; SOURCES],
}

/// How many sources are in a block: a power of two.
pub(super) const SOURCES: usize = 32;

impl SourceBlock {
    /// The block with this number.
    pub(super) fn new(registrar: Arc<Registrar>, number: usize) -> SourceBlock {
        let first_key = u32::try_from(number * SOURCES).expect("there are fewer descriptors");
        SourceBlock { registrar, first_key, sources: [const { Source::new() }; SOURCES] }
    }

    /// In which block the source with this key is.
    #[inline(always)]
    pub(super) fn number_of(key: usize) -> usize {
        key / SOURCES
    }

    pub(super) fn all(&self) -> &[Source] {
        &self.sources
    }

    /// The source with this key, which is in this block.
    #[inline(always)]
    pub(crate) fn source(&self, key: u32) -> &Source {
        &self.sources[key as usize % SOURCES]
    }

    pub(super) fn keys(&self) -> std::ops::Range<u32> {
        self.first_key..self.first_key + SOURCES as u32
    }
}

/// See the [module](self).
#[repr(align(64))]
pub(crate) struct Source {
    lines: Lines,
    readiness: [AtomicU8; 2],
    /// Which directions the kernel was asked to report.
    listens: [AtomicBool; 2],
    /// The runtime that listens, by its serial number; 0 for none.
    home: AtomicU64,
}

const _: () = assert!(size_of::<Source>() == 64);

/// Which of a descriptor's two directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Read = 0,
    Write = 1,
}

/// What is known of a direction: whether a try may be worth it.
///
/// | from              | edge  | edge: closed, urgent | exhausted | drained |
/// |-------------------|-------|----------------------|-----------|---------|
/// | Waiting or Ready  | Ready | UntilRefused         | Waiting   | Waiting |
/// | UntilRefused      |       |                      | Waiting   |         |
///
/// `UntilRefused` is there for the end of a stream that the kernel reports together with the last bytes: a read that takes
/// these finds the socket drained, but no edge will ever come again. And for an urgent byte (`MSG_OOB`): a read stops before
/// it, and what is behind it is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Readiness {
    /// There is nothing to be had; an edge will come.
    Waiting,
    /// There may be something. So it begins: nobody has tried yet.
    Ready,
    /// There may be something, however little the last try found, until one finds nothing (`WouldBlock`).
    UntilRefused,
}

impl Source {
    const fn new() -> Source {
        let (readiness, listens) = ([const { AtomicU8::new(0) }; 2], [const { AtomicBool::new(false) }; 2]);
        Source { lines: Lines::new(), readiness, listens, home: AtomicU64::new(0) }
    }

    /// A runtime listens, as it does to what nobody has tried yet.
    pub(super) fn begin(&self, home: NonZeroU64, interest: Interest) {
        self.set(Way::Read, Readiness::Ready);
        self.set(Way::Write, Readiness::Ready);
        self.listens[Way::Read as usize].store(interest.is_readable(), Ordering::Relaxed);
        self.listens[Way::Write as usize].store(interest.is_writable(), Ordering::Relaxed);
        self.home.store(home.get(), Ordering::Relaxed);
    }

    /// The runtime ends.
    pub(super) fn end(&self) {
        self.home.store(0, Ordering::Relaxed);
    }

    /// Whether this is the runtime that listens.
    #[inline(always)]
    pub(crate) fn is_home(&self, serial: NonZeroU64) -> bool {
        self.home.load(Ordering::Relaxed) == serial.get()
    }

    #[inline]
    pub(crate) fn listens(&self, way: Way) -> bool {
        self.listens[way as usize].load(Ordering::Relaxed)
    }

    /// The kernel has been asked to report this direction, too.
    pub(crate) fn listens_also(&self, way: Way) {
        self.listens[way as usize].store(true, Ordering::Relaxed);
    }

    /// The kernel has reported a change. Errors and hang-ups concern both directions: the next try tells.
    #[inline(always)]
    pub(super) fn notice(&self, event: &mio::event::Event, waking: &mut Waking<'_>) {
        if event.is_read_closed() || event.is_priority() {
            self.turn(Way::Read, Readiness::UntilRefused, waking);
        } else if event.is_readable() || event.is_error() {
            self.turn(Way::Read, Readiness::Ready, waking);
        }
        if event.is_write_closed() {
            self.turn(Way::Write, Readiness::UntilRefused, waking);
        } else if event.is_writable() || event.is_error() {
            self.turn(Way::Write, Readiness::Ready, waking);
        }
    }

    #[inline]
    fn turn(&self, way: Way, edge: Readiness, waking: &mut Waking<'_>) {
        if !self.is(way, Readiness::UntilRefused) {
            self.set(way, edge);
        }
        // Everybody: who comes first may be cancelled before he looks, or leave something for the next. They keep
        // their places.
        self.lines.wake_all(way, waking);
    }

    #[inline]
    pub(crate) fn is_ready(&self, way: Way) -> bool {
        !self.is(way, Readiness::Waiting)
    }

    /// A try has found that there is nothing to be had (`WouldBlock`).
    #[inline]
    pub(crate) fn exhausted(&self, way: Way) {
        self.set(way, Readiness::Waiting);
    }

    /// A try has taken all there was: the next one would find nothing.
    #[inline]
    pub(crate) fn drained(&self, way: Way) {
        if !self.is(way, Readiness::UntilRefused) {
            self.set(way, Readiness::Waiting);
        }
    }

    /// Stands in line, or, with the place from the last time, stays there.
    #[inline]
    pub(crate) fn wait(&self, way: Way, place: &mut Place, waker: &Waker) {
        self.lines.wait(way, place, waker);
    }

    /// Leaves the line.
    #[inline]
    pub(crate) fn leave(&self, way: Way, place: &mut Place) {
        self.lines.leave(way, std::mem::take(place));
    }

    /// Sends everybody away. Nobody is woken.
    pub(super) fn dissolve(&self) {
        self.lines.dissolve();
    }

    // Relaxed: of what else one thread writes, readiness says nothing to the other.
    #[inline]
    fn is(&self, way: Way, readiness: Readiness) -> bool {
        self.readiness[way as usize].load(Ordering::Relaxed) == readiness as u8
    }

    #[inline]
    fn set(&self, way: Way, readiness: Readiness) {
        self.readiness[way as usize].store(readiness as u8, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(source: &Source, readiness: Readiness) -> usize {
        let mut waking = Waking::later(Vec::new());
        source.turn(Way::Read, readiness, &mut waking);
        waking.into_later().len()
    }

    fn begun() -> Source {
        let source = Source::new();
        source.begin(NonZeroU64::MIN, Interest::READABLE);
        source
    }

    #[test]
    fn an_edge_wakes_each_waiter_once_and_leaves_it_in_its_place() {
        let (source, waker) = (begun(), Waker::noop());
        let (mut first, mut second, mut writer) = (Place::Nowhere, Place::Nowhere, Place::Nowhere);
        source.wait(Way::Read, &mut first, waker);
        source.wait(Way::Read, &mut second, waker);
        source.wait(Way::Write, &mut writer, waker);
        assert_eq!(edge(&source, Readiness::Ready), 2);
        assert_eq!(edge(&source, Readiness::Ready), 0);
        let place = first;
        source.wait(Way::Read, &mut first, waker);
        assert_eq!(first, place);
        source.leave(Way::Read, &mut first);
        assert_eq!(first, Place::Nowhere);
        assert_eq!(edge(&source, Readiness::Ready), 0);
    }

    #[test]
    fn what_is_closed_stays_worth_a_try_until_the_kernel_says_otherwise() {
        let source = begun();
        edge(&source, Readiness::UntilRefused);
        source.drained(Way::Read);
        assert!(source.is_ready(Way::Read));
        edge(&source, Readiness::Ready);
        source.drained(Way::Read);
        assert!(source.is_ready(Way::Read));
        source.exhausted(Way::Read);
        assert!(!source.is_ready(Way::Read));
    }

    #[test]
    fn what_is_drained_waits_for_the_next_edge() {
        let source = begun();
        assert!(source.is_ready(Way::Read));
        source.drained(Way::Read);
        assert!(!source.is_ready(Way::Read) && source.is_ready(Way::Write));
        edge(&source, Readiness::Ready);
        assert!(source.is_ready(Way::Read));
    }
}
