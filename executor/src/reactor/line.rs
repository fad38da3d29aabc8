//! The lines: who waits for the two directions of a source, first come, first woken.
//!
//! Nearly always that is one task, or nobody. So the first place in each is one word: the task's id, which is all that its
//! waker consists of. Only a crowd takes memory of its own, and a lock; and so does whoever waits with a waker of another kind,
//! which may be anybody's code.
//!
//! ```text
//!   to read    first ●  ┐
//!   to write   first    ┴ others ─► [ ● │ ● │ … ]    made when one comes who cannot be the first
//!                   └ is given out only while nobody else is in that line, so that who has it came before all others
//! ```

use super::source::Way;
use super::waking::Waking;
use crate::waker;
use slab::Slab;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::task::Waker;

/// See the [module](self).
pub(super) struct Lines {
    /// For each direction, the id of the task that has the first place; or [`FREE`], or [`WOKEN`].
    first: [AtomicU64; 2],
    others: OnceLock<Box<Mutex<Others>>>,
}

/// Nobody has the first place.
const FREE: u64 = 0;

/// Who has it has been woken, and not come back. (The last bit of an id is 0.)
const WOKEN: u64 = 1;

/// Where somebody stands. He keeps it, also when he has been woken, until he leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// In no line.
    #[default]
    Nowhere,
    First,
    /// Among the others, under this key.
    Other(u32),
}

#[derive(Default)]
struct Others {
    waiters: Slab<Waiter>,
    /// How many have come so far.
    come: u64,
}

struct Waiter {
    way: Way,
    /// He was the so many-th to come. Keys are used again, so they do not tell.
    order: u64,
    /// Gone, if he has been woken and not come back.
    waker: Option<Waker>,
}

impl Lines {
    pub(super) const fn new() -> Lines {
        Lines { first: [const { AtomicU64::new(FREE) }; 2], others: OnceLock::new() }
    }

    /// Stands in line, or, with a place from the last time, stays there.
    #[inline(always)]
    pub(super) fn wait(&self, way: Way, place: &mut Place, waker: &Waker) {
        let may_be_first = match *place {
            Place::Nowhere => self.is_empty(way),
            Place::First => true,
            Place::Other(_) => false,
        };
        match waker::plain_task_of(waker) {
            Some(task) if may_be_first => {
                self.set_first(way, task);
                *place = Place::First;
            }
            _ => self.wait_among_others(way, place, waker),
        }
    }

    #[cold]
    #[inline(never)]
    fn wait_among_others(&self, way: Way, place: &mut Place, waker: &Waker) {
        // Cloned before the others are locked, and the former one dropped after that: wakers may be anybody's code.
        let waker = waker.clone();
        if *place == Place::First {
            self.set_first(way, FREE);
        }
        let replaced = lock(self.others.get_or_init(Box::default)).wait(way, place, waker);
        drop(replaced);
    }

    #[inline(always)]
    fn is_empty(&self, way: Way) -> bool {
        self.first(way) == FREE && self.others.get().is_none_or(|others| lock(others).is_empty(way))
    }

    /// Leaves the line.
    #[inline]
    pub(super) fn leave(&self, way: Way, place: Place) {
        match place {
            Place::Nowhere => {}
            Place::First => self.set_first(way, FREE),
            Place::Other(key) => self.leave_others(key),
        }
    }

    #[cold]
    fn leave_others(&self, key: u32) {
        let left = self.others.get().and_then(|others| lock(others).leave(key));
        drop(left);
    }

    /// Wakes all in one of the lines. Everybody keeps his place.
    #[inline(always)]
    pub(super) fn wake_all(&self, way: Way, waking: &mut Waking<'_>) {
        let first = self.first(way);
        if first > WOKEN {
            self.set_first(way, WOKEN);
            waking.wake_task(first);
        }
        if let Some(others) = self.others.get() {
            lock(others).wake_all(way, waking);
        }
    }

    /// Sends everybody away. Nobody is woken.
    pub(super) fn dissolve(&self) {
        self.set_first(Way::Read, FREE);
        self.set_first(Way::Write, FREE);
        let left = self.others.get().map(|others| std::mem::take(&mut lock(others).waiters));
        drop(left);
    }

    // Relaxed: only the thread of the runtime that listens enters or wakes. Another one may merely leave, and a task that has
    // been woken for nothing in that moment sees so.
    #[inline(always)]
    fn first(&self, way: Way) -> u64 {
        self.first[way as usize].load(Ordering::Relaxed)
    }

    #[inline(always)]
    fn set_first(&self, way: Way, first: u64) {
        self.first[way as usize].store(first, Ordering::Relaxed);
    }
}

fn lock(others: &Mutex<Others>) -> MutexGuard<'_, Others> {
    others.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Others {
    fn wait(&mut self, way: Way, place: &mut Place, waker: Waker) -> Option<Waker> {
        if let Place::Other(key) = *place
            && let Some(waiter) = self.waiters.get_mut(key as usize)
        {
            return waiter.waker.replace(waker);
        }
        // Who has had the first place stays before all others.
        let order = if *place == Place::First { 0 } else { self.come + 1 };
        self.come = self.come.max(order);
        let key = self.waiters.insert(Waiter { way, order, waker: Some(waker) });
        *place =
            Place::Other(u32::try_from(key).expect("fewer wait for one descriptor than there can be tasks"));
        None
    }

    fn leave(&mut self, key: u32) -> Option<Waiter> {
        let left = self.waiters.try_remove(key as usize);
        if self.waiters.is_empty() {
            // Else everybody who comes after a crowd would look through all the places that it has left.
            self.waiters.clear();
        }
        left
    }

    #[cold]
    fn is_empty(&self, way: Way) -> bool {
        self.waiters.iter().all(|(_, waiter)| waiter.way != way)
    }

    /// First come, first woken, and so first to try.
    #[cold]
    fn wake_all(&mut self, way: Way, waking: &mut Waking<'_>) {
        let waiting = |(_, waiter): &(usize, &mut Waiter)| waiter.way == way && waiter.waker.is_some();
        let mut waiters = self.waiters.iter_mut().filter(waiting).map(|(_, waiter)| waiter);
        let (first, second) = (waiters.next(), waiters.next());
        if second.is_none() {
            // Nearly always.
            return first
                .and_then(|waiter| waiter.waker.take())
                .into_iter()
                .for_each(|waker| waking.wake_foreign(waker));
        }
        let mut all: Vec<&mut Waiter> = first.into_iter().chain(second).chain(waiters).collect();
        all.sort_unstable_by_key(|waiter| waiter.order);
        all.into_iter().filter_map(|waiter| waiter.waker.take()).for_each(|waker| waking.wake_foreign(waker));
    }
}

#[cfg(test)]
mod tests {
    use super::super::waking::Woken;
    use super::*;
    use std::sync::Arc;
    use std::task::Wake;

    struct Named;

    impl Wake for Named {
        fn wake(self: Arc<Self>) {}
    }

    /// Wakers that can be told from each other.
    fn wakers<const N: usize>() -> [Waker; N] {
        std::array::from_fn(|_| Waker::from(Arc::new(Named)))
    }

    /// A task's own waker.
    fn waker_of(task: u64) -> Waker {
        std::mem::ManuallyDrop::into_inner(waker::waker(task))
    }

    /// Who is woken now: wakers, or the same as ids.
    fn woken(lines: &Lines) -> Vec<Waker> {
        let mut waking = Waking::later(Vec::new());
        lines.wake_all(Way::Read, &mut waking);
        let woken = waking.into_later().into_iter().map(|who| match who {
            Woken::Task(task) => waker_of(task),
            Woken::Foreign(waker) => waker,
        });
        woken.collect()
    }

    fn are_same(woken: &[Waker], expected: &[&Waker]) -> bool {
        woken.len() == expected.len() && woken.iter().zip(expected).all(|(a, b)| a.will_wake(b))
    }

    fn are_woken_in_order(a: Waker, b: Waker, c: Waker) {
        let lines = Lines::new();
        let mut places = [Place::Nowhere; 3];
        for (place, waker) in places.iter_mut().zip([&a, &b, &c]) {
            lines.wait(Way::Read, place, waker);
        }
        assert!(are_same(&woken(&lines), &[&a, &b, &c]));
        assert!(woken(&lines).is_empty());
        // They have kept their places, and so their order, whoever comes back first.
        for (place, waker) in places.iter_mut().zip([&a, &b, &c]).rev() {
            lines.wait(Way::Read, place, waker);
        }
        assert!(are_same(&woken(&lines), &[&a, &b, &c]));
    }

    #[test]
    fn all_are_woken_once_in_the_order_in_which_they_came() {
        let [a, b, c] = wakers();
        are_woken_in_order(waker_of(2), waker_of(4), waker_of(6));
        are_woken_in_order(a.clone(), b.clone(), c);
        are_woken_in_order(waker_of(2), a.clone(), waker_of(4));
        are_woken_in_order(a, waker_of(2), b);
    }

    #[test]
    fn who_comes_after_the_first_has_left_stands_behind_those_who_stayed() {
        let [a, b, c, d] = [2, 4, 6, 8].map(waker_of);
        let lines = Lines::new();
        let mut places = [Place::Nowhere; 4];
        let [first, second, third, fourth] = &mut places;
        lines.wait(Way::Read, first, &a);
        assert_eq!(*first, Place::First);
        lines.wait(Way::Read, second, &b);
        lines.leave(Way::Read, *first);
        lines.wait(Way::Read, third, &c);
        lines.leave(Way::Read, *second);
        // In the memory of the second.
        lines.wait(Way::Read, fourth, &d);
        assert!(are_same(&woken(&lines), &[&c, &d]));
        lines.leave(Way::Read, *third);
        lines.leave(Way::Read, *fourth);
        assert!(lines.is_empty(Way::Read));
        *second = Place::Nowhere;
        lines.wait(Way::Read, second, &b);
        assert_eq!(*second, Place::First);
    }

    #[test]
    fn the_first_stays_before_the_others_when_he_comes_with_another_kind_of_waker() {
        let ([a], b) = (wakers(), waker_of(4));
        let lines = Lines::new();
        let (mut first, mut second) = (Place::Nowhere, Place::Nowhere);
        lines.wait(Way::Read, &mut first, &waker_of(2));
        lines.wait(Way::Read, &mut second, &b);
        lines.wait(Way::Read, &mut first, &a);
        assert!(are_same(&woken(&lines), &[&a, &b]));
        lines.wait(Way::Read, &mut second, &b);
        lines.wait(Way::Read, &mut first, &waker_of(2));
        assert!(are_same(&woken(&lines), &[&waker_of(2), &b]));
    }

    #[test]
    fn who_has_left_is_woken_no_more_and_who_stays_only_by_his_last_waker() {
        let [a, b] = wakers();
        let lines = Lines::new();
        let (mut first, mut second) = (Place::Nowhere, Place::Nowhere);
        lines.wait(Way::Read, &mut first, &waker_of(2));
        lines.wait(Way::Read, &mut second, &a);
        lines.wait(Way::Read, &mut first, &waker_of(4));
        lines.wait(Way::Read, &mut second, &b);
        lines.leave(Way::Read, first);
        assert!(are_same(&woken(&lines), &[&b]));
        lines.wait(Way::Read, &mut second, &a);
        lines.dissolve();
        assert!(woken(&lines).is_empty() && lines.is_empty(Way::Read));
    }
}
