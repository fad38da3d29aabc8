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

use super::line::{Line, Place};
use super::registrar::Registrar;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;

/// See the [module](self).
pub(crate) struct Source {
    key: usize,
    registrar: Arc<Registrar>,
    read: Direction,
    write: Direction,
}

/// Which of a descriptor's two directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Read,
    Write,
}

impl Source {
    pub(super) fn new(key: usize, registrar: Arc<Registrar>) -> Source {
        Source { key, registrar, read: Direction::new(), write: Direction::new() }
    }

    pub(crate) fn key(&self) -> usize {
        self.key
    }

    pub(crate) fn registrar(&self) -> &Registrar {
        &self.registrar
    }

    #[inline]
    pub(crate) fn direction(&self, way: Way) -> &Direction {
        match way {
            Way::Read => &self.read,
            Way::Write => &self.write,
        }
    }

    /// The kernel has reported a change. Errors and hang-ups concern both directions: the next try tells.
    pub(super) fn notice(&self, event: &mio::event::Event, woken: &mut Vec<Waker>) {
        if event.is_read_closed() || event.is_priority() {
            self.read.notice(Readiness::UntilRefused, woken);
        } else if event.is_readable() || event.is_error() {
            self.read.notice(Readiness::Ready, woken);
        }
        if event.is_write_closed() {
            self.write.notice(Readiness::UntilRefused, woken);
        } else if event.is_writable() || event.is_error() {
            self.write.notice(Readiness::Ready, woken);
        }
    }
}

/// One direction of a source.
pub(crate) struct Direction {
    readiness: AtomicU8,
    line: Mutex<Line>,
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

impl Direction {
    fn new() -> Direction {
        Direction { readiness: AtomicU8::new(Readiness::Ready as u8), line: Mutex::default() }
    }

    fn notice(&self, edge: Readiness, woken: &mut Vec<Waker>) {
        if !self.is(Readiness::UntilRefused) {
            self.set(edge);
        }
        // Everybody: who comes first may be cancelled before he looks, or leave something for the next. They keep
        // their places.
        self.line().wake_all(woken);
    }

    #[inline]
    pub(crate) fn is_ready(&self) -> bool {
        !self.is(Readiness::Waiting)
    }

    /// A try has found that there is nothing to be had (`WouldBlock`).
    pub(crate) fn exhausted(&self) {
        self.set(Readiness::Waiting);
    }

    /// A try has taken all there was: the next one would find nothing.
    #[inline]
    pub(crate) fn drained(&self) {
        if !self.is(Readiness::UntilRefused) {
            self.set(Readiness::Waiting);
        }
    }

    /// Stands in line, or, with the place from the last time, stays there.
    pub(crate) fn wait(&self, place: &mut Place, waker: &Waker) {
        // Cloned before the line is locked, and the former one dropped after that: wakers may be anybody's code.
        let waker = waker.clone();
        let replaced = self.line().wait(place, waker);
        drop(replaced);
    }

    /// Leaves the line.
    pub(crate) fn leave(&self, place: &mut Place) {
        let left = self.line().leave(std::mem::take(place));
        drop(left);
    }

    /// Sends everybody away. Nobody is woken.
    pub(super) fn dissolve(&self) {
        let line = std::mem::take(&mut *self.line());
        drop(line);
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    // Relaxed: of what else one thread writes, readiness says nothing to the other.
    #[inline]
    fn is(&self, readiness: Readiness) -> bool {
        self.readiness.load(Ordering::Relaxed) == readiness as u8
    }

    #[inline]
    fn set(&self, readiness: Readiness) {
        self.readiness.store(readiness as u8, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn edge(direction: &Direction, readiness: Readiness) -> usize {
        let mut woken = Vec::new();
        direction.notice(readiness, &mut woken);
        woken.len()
    }

    #[test]
    fn an_edge_wakes_each_waiter_once_and_leaves_it_in_its_place() {
        let direction = Direction::new();
        let waker = Waker::from(Arc::new(Count::default()));
        let (mut first, mut second) = (Place::Nowhere, Place::Nowhere);
        direction.wait(&mut first, &waker);
        direction.wait(&mut second, &waker);
        assert_eq!(edge(&direction, Readiness::Ready), 2);
        assert_eq!(edge(&direction, Readiness::Ready), 0);
        let place = first;
        direction.wait(&mut first, &waker);
        assert_eq!(first, place);
        direction.leave(&mut first);
        assert_eq!(first, Place::Nowhere);
        assert_eq!(edge(&direction, Readiness::Ready), 0);
    }

    #[test]
    fn what_is_closed_stays_worth_a_try_until_the_kernel_says_otherwise() {
        let direction = Direction::new();
        edge(&direction, Readiness::UntilRefused);
        direction.drained();
        assert!(direction.is_ready());
        edge(&direction, Readiness::Ready);
        direction.drained();
        assert!(direction.is_ready());
        direction.exhausted();
        assert!(!direction.is_ready());
    }

    #[test]
    fn what_is_drained_waits_for_the_next_edge() {
        let direction = Direction::new();
        assert!(direction.is_ready());
        direction.drained();
        assert!(!direction.is_ready());
        edge(&direction, Readiness::Ready);
        assert!(direction.is_ready());
    }
}
