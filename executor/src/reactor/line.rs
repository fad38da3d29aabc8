//! A line: who waits for one direction of a source, first come, first woken.
//!
//! Nearly always that is one task, or nobody. So the first spot is in the line itself, and only a crowd takes memory of its
//! own: a source whose connection idles costs no more than its one waiter.
//!
//! ```text
//!   first ●     others ─► [ ● │ ● │ … ]    made when a second one comes
//!         └ is given out only while nobody else is there, so that who has it came before all others
//! ```

use slab::Slab;
use std::task::Waker;

/// See the [module](self).
#[derive(Default)]
pub(super) struct Line {
    first: Spot,
    others: Option<Box<Others>>,
}

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

/// What is in the first place.
#[derive(Default)]
enum Spot {
    #[default]
    Free,
    /// Without a waker, if he has been woken and not come back.
    Taken(Option<Waker>),
}

#[derive(Default)]
struct Others {
    waiters: Slab<Waiter>,
    /// How many have come so far.
    come: u64,
}

struct Waiter {
    /// He was the so many-th to come. Keys are used again, so they do not tell.
    order: u64,
    waker: Option<Waker>,
}

impl Line {
    /// Stands in line, or, with a place from the last time, stays there. Gives back the waker from then.
    pub(super) fn wait(&mut self, place: &mut Place, waker: Waker) -> Option<Waker> {
        let kept = match *place {
            Place::Nowhere => None,
            Place::First => match &mut self.first {
                Spot::Free => None,
                Spot::Taken(waker) => Some(waker),
            },
            Place::Other(key) => self.other(key).map(|waiter| &mut waiter.waker),
        };
        match kept {
            Some(kept) => kept.replace(waker),
            None => {
                *place = self.enter(waker);
                None
            }
        }
    }

    fn enter(&mut self, waker: Waker) -> Place {
        if self.is_empty() {
            self.first = Spot::Taken(Some(waker));
            return Place::First;
        }
        let others = self.others.get_or_insert_default();
        others.come += 1;
        let key = others.waiters.insert(Waiter { order: others.come, waker: Some(waker) });
        Place::Other(u32::try_from(key).expect("fewer wait for one descriptor than there can be tasks"))
    }

    fn is_empty(&self) -> bool {
        let others = self.others.as_ref().is_some_and(|others| !others.waiters.is_empty());
        matches!(self.first, Spot::Free) && !others
    }

    /// Leaves the line. Gives back the waker, which the caller drops.
    pub(super) fn leave(&mut self, place: Place) -> Option<Waker> {
        match place {
            Place::Nowhere => None,
            Place::First => match std::mem::take(&mut self.first) {
                Spot::Free => None,
                Spot::Taken(waker) => waker,
            },
            Place::Other(key) => self.others.as_mut()?.waiters.try_remove(key as usize)?.waker,
        }
    }

    /// Hands out all wakers. Everybody keeps his place.
    #[inline]
    pub(super) fn wake_all(&mut self, woken: &mut Vec<Waker>) {
        if let Spot::Taken(waker) = &mut self.first {
            woken.extend(waker.take());
        }
        if let Some(others) = &mut self.others {
            others.wake_in_order(woken);
        }
    }

    fn other(&mut self, key: u32) -> Option<&mut Waiter> {
        self.others.as_mut()?.waiters.get_mut(key as usize)
    }
}

impl Others {
    /// First come, first woken, and so first to try.
    #[cold]
    fn wake_in_order(&mut self, woken: &mut Vec<Waker>) {
        let mut waiters: Vec<&mut Waiter> = self.waiters.iter_mut().map(|(_, waiter)| waiter).collect();
        waiters.sort_unstable_by_key(|waiter| waiter.order);
        woken.extend(waiters.into_iter().filter_map(|waiter| waiter.waker.take()));
    }
}

#[cfg(test)]
mod tests {
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

    fn woken(line: &mut Line) -> Vec<Waker> {
        let mut woken = Vec::new();
        line.wake_all(&mut woken);
        woken
    }

    fn are_same(woken: &[Waker], expected: &[&Waker]) -> bool {
        woken.len() == expected.len() && woken.iter().zip(expected).all(|(a, b)| a.will_wake(b))
    }

    #[test]
    fn all_are_woken_once_in_the_order_in_which_they_came() {
        let [a, b, c] = wakers();
        let mut line = Line::default();
        let mut places = [Place::Nowhere; 3];
        for (place, waker) in places.iter_mut().zip([&a, &b, &c]) {
            assert!(line.wait(place, waker.clone()).is_none());
        }
        assert!(are_same(&woken(&mut line), &[&a, &b, &c]));
        assert!(woken(&mut line).is_empty());
        // They have kept their places, and so their order, whoever comes back first.
        for (place, waker) in places.iter_mut().zip([&a, &b, &c]).rev() {
            assert!(line.wait(place, waker.clone()).is_none());
        }
        assert!(are_same(&woken(&mut line), &[&a, &b, &c]));
    }

    #[test]
    fn who_comes_after_the_first_has_left_stands_behind_those_who_stayed() {
        let [a, b, c, d] = wakers();
        let mut line = Line::default();
        let mut places = [Place::Nowhere; 4];
        let [first, second, third, fourth] = &mut places;
        line.wait(first, a);
        line.wait(second, b.clone());
        line.leave(*first);
        line.wait(third, c.clone());
        line.leave(*second);
        // In the memory of the second.
        line.wait(fourth, d.clone());
        assert!(are_same(&woken(&mut line), &[&c, &d]));
        line.leave(*third);
        line.leave(*fourth);
        assert!(line.is_empty());
        line.wait(second, b);
        assert_eq!(*second, Place::First);
    }

    #[test]
    fn who_has_left_is_woken_no_more_and_who_stays_only_by_his_last_waker() {
        let [a, b, c] = wakers();
        let mut line = Line::default();
        let (mut first, mut second) = (Place::Nowhere, Place::Nowhere);
        line.wait(&mut first, a.clone());
        line.wait(&mut second, b.clone());
        assert!(line.wait(&mut first, c.clone()).is_some_and(|former| former.will_wake(&a)));
        assert!(line.wait(&mut second, a.clone()).is_some_and(|former| former.will_wake(&b)));
        assert!(line.leave(first).is_some_and(|waker| waker.will_wake(&c)));
        assert!(are_same(&woken(&mut line), &[&a]));
        assert!(line.leave(second).is_none());
    }
}
