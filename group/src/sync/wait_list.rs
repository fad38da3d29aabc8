//! The line: where everybody waits who waits for a lock, a permit, an event, an item. Fairness is decided here, once.
//!
//! First come, first served: who joins stands at the end, and only the first is ever granted anything. What is granted
//! is *kept* for that waiter, so that nobody can snatch it before the waiter has run, and so that it can be handed on
//! if the waiter leaves instead.
//!
//! ```text
//!   join ──► [ waiting: a ─ b ─ c ] ──grant──► [ called: a ] ──ring──► woken ──collect──► gone, with what was kept
//!                    │ leave                         │ leave               │ leave
//!                    ▼                               ▼                     ▼
//!                   gone                  gone: whoever runs the line hands what was kept to the next
//! ```
//!
//! | from            | on                   | to      | then                                           |
//! |-----------------|----------------------|---------|------------------------------------------------|
//! |                 | join                 | Waiting | at the end of the line                         |
//! | Waiting         | polled again         | Waiting | keep the newest waker                          |
//! | Waiting         | grant, being first   | Called  | out of the line; its waker is due              |
//! | Called          | ring                 | Woken   | wake                                           |
//! | Called or Woken | collect              | gone    | what was kept is the waiter's                  |
//! | Waiting         | leave (cancel, drop) | gone    | `Left::Waiting`: nothing was kept              |
//! | Called or Woken | leave (cancel, drop) | gone    | `Left::Granted`: the caller hands it on        |
//! | Waiting         | go first             | Waiting | in front of all who wait                        |
//! | Woken           | passed over          | Asleep  | what was kept is another's (see [`futurelock`]) |
//! | Asleep          | polled again         | gone    | it comes anew                                  |
//! | Asleep          | leave (cancel, drop) | gone    | `Left::Waiting`                                |
//!
//! Who is called and does not come, because his own task has ceased to poll him, is passed over in favour of another future
//! of the same task. He sleeps, and counts no more.
//!
//! [`futurelock`]: homing_executor::observe::Futurelock
//!
//! Invariant (no-foreign-code): wakers are cloned, woken and dropped only while the line is not borrowed. A foreign
//! waker may do anything meanwhile, even wait in this very line, or leave it. This is why granting and waking are two
//! steps: the first changes the line, the second may run others' code, and between two wakes the line is consistent.
//!
//! Places live in a slab and are linked by their keys: joining and leaving are O(1) wherever one stands, without
//! allocation once the slab has grown to the longest line there was, and without a line's having to be swept. An
//! intrusive list would save even the slab, but needs `unsafe` and pinned futures; tombstones in a deque would let the
//! places of the cancelled pile up behind a holder that does not let go.

use homing_executor::cancel::Awaiting;
use homing_executor::cancel::keep_waker;
use homing_executor::observe::{Grant, polls_of};
use homing_executor::task::TaskId;
use slab::Slab;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use std::task::Waker;

/// A line of waiters. With each stands a note, which says what it wants, and when it was granted, what it got.
pub(crate) struct WaitList<N> {
    /// How many stand here, but for those who were passed over. Beside the lines, because all that an uncontended lock wants to
    /// know is whether there is anybody.
    standing: Cell<usize>,
    lines: RefCell<Lines<N>>,
}

struct Lines<N> {
    places: Slab<Place<N>>,
    waiting: Chain,
    /// Granted, and to be woken.
    called: Chain,
    /// Woken, and not come yet.
    woken: Chain,
    /// How many are granted and have not collected: called or woken.
    granted: usize,
}

struct Place<N> {
    state: State,
    note: N,
    /// Who has waited here last, and where; `None` outside of homing's tasks.
    who: Option<Who>,
    /// How often his task had been polled when he was woken.
    woken_at: u32,
    /// While he is woken and has not come: what his runtime knows of it, if it is to notice that he does not.
    grant: Option<Grant>,
    /// That he does not come was reported.
    reported: bool,
    /// Taken when it is woken.
    waker: Option<Waker>,
    before: usize,
    behind: usize,
}

/// A task, and the await in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who {
    pub(crate) task: TaskId,
    pub(crate) place: &'static Location<'static>,
}

/// A place whose waiter was woken, and has not come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Uncollected<N> {
    pub(crate) key: usize,
    pub(crate) note: N,
    pub(crate) who: Who,
    /// How often his task had been polled when he was woken.
    pub(crate) woken_at: u32,
}

/// See the [table](self).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Called,
    Woken,
    Asleep,
}

/// The two ends of a line through the slab.
struct Chain {
    first: usize,
    last: usize,
    length: usize,
}

/// No place: beyond either end.
const NOBODY: usize = usize::MAX;

/// How a waiter left the line that had not collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "what was kept for it has to be handed on"]
pub(crate) enum Left<N> {
    /// Nothing was kept for it.
    Waiting,
    /// This was.
    Granted(N),
}

impl<N: Copy> WaitList<N> {
    /// An empty line. Allocates nothing before somebody waits.
    pub(crate) const fn new() -> WaitList<N> {
        let (waiting, called, woken) = (Chain::EMPTY, Chain::EMPTY, Chain::EMPTY);
        let lines = Lines { places: Slab::new(), waiting, called, woken, granted: 0 };
        WaitList { standing: Cell::new(0), lines: RefCell::new(lines) }
    }

    /// Goes to the end of the line. The key is valid until the waiter collects or leaves.
    pub(crate) fn join(&self, note: N, waker: Waker, who: Option<Who>) -> usize {
        let mut lines = self.lines.borrow_mut();
        let place = Place {
            state: State::Waiting,
            note,
            who,
            woken_at: 0,
            grant: None,
            reported: false,
            waker: Some(waker),
            before: NOBODY,
            behind: NOBODY,
        };
        let key = lines.places.insert(place);
        let Lines { places, waiting, .. } = &mut *lines;
        waiting.push(places, key);
        self.standing.set(self.standing.get() + 1);
        key
    }

    /// The waiter is polled again: takes what was kept for it, and leaves the line with it. `None`: it has to wait on.
    pub(crate) fn collect(&self, key: usize) -> Option<N> {
        if matches!(self.lines.borrow().places[key].state, State::Waiting | State::Asleep) {
            return None;
        }
        Some(self.remove(key).note)
    }

    /// The waiter waits on, and was polled with this waker.
    pub(crate) fn renew(&self, key: usize, waker: &Waker, who: Option<Who>) {
        self.lines.borrow_mut().places[key].who = who;
        let keeps =
            |lines: &Lines<N>| lines.places[key].waker.as_ref().is_some_and(|kept| kept.will_wake(waker));
        if keeps(&self.lines.borrow()) {
            return;
        }
        let waker = keep_waker(waker);
        let replaced = self.lines.borrow_mut().places[key].waker.replace(waker);
        drop(replaced); // no-foreign-code
    }

    /// The waiter goes without having collected.
    pub(crate) fn leave(&self, key: usize) -> Left<N> {
        let place = self.remove(key);
        match place.state {
            State::Waiting | State::Asleep => Left::Waiting,
            State::Called | State::Woken => Left::Granted(place.note),
        }
        // Its waker is dropped here: no-foreign-code.
    }

    /// Grants the first who waits what the note says. Says whether there was anybody. To be followed by `ring`.
    pub(crate) fn grant(&self, note: N) -> bool {
        let mut lines = self.lines.borrow_mut();
        let Lines { places, waiting, called, granted, .. } = &mut *lines;
        let key = waiting.first;
        if key == NOBODY {
            return false;
        }
        waiting.unlink(places, key);
        called.push(places, key);
        *granted += 1;
        places[key].state = State::Called;
        places[key].note = note;
        true
    }

    /// Wakes all who were granted something, in that order.
    pub(crate) fn ring(&self) {
        while let Some(waker) = self.next_called(|_| None) {
            waker.wake();
        }
    }

    /// The same; and that one of them does not come is to be noticed also if nobody else comes to wait for this.
    pub(crate) fn ring_with_notice(&self, awaited: Awaiting) {
        while let Some(waker) = self.next_called(|who| Grant::note(who.task, who.place, awaited)) {
            waker.wake();
        }
    }

    #[inline]
    fn next_called(&self, note: impl FnOnce(Who) -> Option<Grant>) -> Option<Waker> {
        let mut lines = self.lines.borrow_mut();
        let Lines { places, called, woken, .. } = &mut *lines;
        let key = called.first;
        if key == NOBODY {
            return None;
        }
        called.unlink(places, key);
        woken.push(places, key);
        let place = &mut places[key];
        place.state = State::Woken;
        if let Some(who) = place.who {
            place.woken_at = polls_of(who.task).unwrap_or_default();
            place.grant = note(who);
        }
        place.waker.take()
    }

    /// Of those who were woken and have not come, the first of whom this is true.
    pub(crate) fn find_uncollected(
        &self,
        is_wanted: impl Fn(&Uncollected<N>) -> bool,
    ) -> Option<Uncollected<N>> {
        let lines = self.lines.borrow();
        let mut key = lines.woken.first;
        while key != NOBODY {
            let place = &lines.places[key];
            if let Some(who) = place.who {
                let found = Uncollected { key, note: place.note, who, woken_at: place.woken_at };
                if is_wanted(&found) {
                    return Some(found);
                }
            }
            key = place.behind;
        }
        None
    }

    /// That a waiter does not come is being reported. Says whether it was not before.
    pub(crate) fn note_report(&self, key: usize) -> bool {
        let place = &mut self.lines.borrow_mut().places[key];
        let is_known = place.grant.as_ref().is_some_and(|grant| !grant.note_report());
        !std::mem::replace(&mut place.reported, true) && !is_known
    }

    /// One who was woken and has not come gets nothing; what was kept for him is the caller's.
    pub(crate) fn pass_over(&self, key: usize) {
        let mut lines = self.lines.borrow_mut();
        let Lines { places, woken, granted, .. } = &mut *lines;
        debug_assert_eq!(places[key].state, State::Woken);
        woken.unlink(places, key);
        *granted -= 1;
        places[key].state = State::Asleep;
        places[key].grant = None;
        self.standing.set(self.standing.get() - 1);
    }

    /// The waiter stands in front of all who wait, from now on.
    pub(crate) fn go_first(&self, key: usize) {
        let mut lines = self.lines.borrow_mut();
        let Lines { places, waiting, .. } = &mut *lines;
        debug_assert_eq!(places[key].state, State::Waiting);
        waiting.unlink(places, key);
        waiting.push_first(places, key);
    }

    /// Whether the waiter was passed over.
    pub(crate) fn is_asleep(&self, key: usize) -> bool {
        self.lines.borrow().places[key].state == State::Asleep
    }

    /// The first for whom something is kept, if he is a task.
    pub(crate) fn first_kept(&self) -> Option<Who> {
        let lines = &*self.lines.borrow();
        let first = lines.places.get(lines.woken.first).or_else(|| lines.places.get(lines.called.first))?;
        first.who
    }

    /// Shows `f` those for whom something is kept, as far as they are tasks: who, and what the note says.
    pub(crate) fn with_kept<R>(&self, f: impl FnOnce(&mut dyn Iterator<Item = (Who, N)>) -> R) -> R {
        let lines = &*self.lines.borrow();
        let kept = lines.in_chain(&lines.woken).chain(lines.in_chain(&lines.called));
        f(&mut kept.filter_map(|place| Some((place.who?, place.note))))
    }

    /// What the first who waits wants.
    pub(crate) fn first(&self) -> Option<N> {
        let lines = self.lines.borrow();
        lines.places.get(lines.waiting.first).map(|place| place.note)
    }

    fn remove(&self, key: usize) -> Place<N> {
        let place = self.lines.borrow_mut().remove(key);
        if place.state != State::Asleep {
            self.standing.set(self.standing.get() - 1);
        }
        place
    }

    /// Nobody waits, and nobody has something kept.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many stand here, with something kept for them or without.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.standing.get()
    }

    /// `, waiters: 2`, or nothing if there are none: for the debug forms.
    pub(crate) fn write_waiters(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.len() {
            0 => Ok(()),
            waiters => write!(f, ", waiters: {waiters}"),
        }
    }

    /// How many wait, with nothing kept for them.
    pub(crate) fn waiting(&self) -> usize {
        self.lines.borrow().waiting.length
    }

    /// How many have something kept for them, and have not collected it.
    pub(crate) fn granted(&self) -> usize {
        self.lines.borrow().granted
    }
}

impl<N> Lines<N> {
    fn in_chain(&self, chain: &Chain) -> impl Iterator<Item = &Place<N>> {
        let first = self.places.get(chain.first);
        std::iter::successors(first, |place| self.places.get(place.behind))
    }

    fn remove(&mut self, key: usize) -> Place<N> {
        let state = self.places[key].state;
        match state {
            State::Waiting => self.waiting.unlink(&mut self.places, key),
            State::Called => self.called.unlink(&mut self.places, key),
            State::Woken => self.woken.unlink(&mut self.places, key),
            State::Asleep => {}
        }
        if matches!(state, State::Called | State::Woken) {
            self.granted -= 1;
        }
        self.places.remove(key)
    }
}

impl Chain {
    const EMPTY: Chain = Chain { first: NOBODY, last: NOBODY, length: 0 };

    fn push<N>(&mut self, places: &mut Slab<Place<N>>, key: usize) {
        places[key].before = self.last;
        places[key].behind = NOBODY;
        match self.last {
            NOBODY => self.first = key,
            last => places[last].behind = key,
        }
        self.last = key;
        self.length += 1;
    }

    fn push_first<N>(&mut self, places: &mut Slab<Place<N>>, key: usize) {
        places[key].before = NOBODY;
        places[key].behind = self.first;
        match self.first {
            NOBODY => self.last = key,
            first => places[first].before = key,
        }
        self.first = key;
        self.length += 1;
    }

    fn unlink<N>(&mut self, places: &mut Slab<Place<N>>, key: usize) {
        let (before, behind) = (places[key].before, places[key].behind);
        match before {
            NOBODY => self.first = behind,
            before => places[before].behind = behind,
        }
        match behind {
            NOBODY => self.last = before,
            behind => places[behind].before = before,
        }
        self.length -= 1;
    }
}
