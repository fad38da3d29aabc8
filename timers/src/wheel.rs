//! The wheel: arm, disarm, advance.
//!
//! Where the timers are is the business of `hierarchy.rs`. Here is what the wheel promises about time: what
//! is due fires in order, exactly once, and what is armed while others fire waits for its turn.
//! ```text
//!                                     somebody asks for the first of all
//!             arm ──> deadline after now ──> [ tray ] ──> [ hierarchy ] ──due──> fired
//!              │                                                ^
//!              └────> already due ──> [ held back ] ────────────┘
//!                                             the next round begins
//! ```
//! A timer that was just armed lies in the *tray*, unsorted. It is filed into the hierarchy when the first
//! deadline of all is asked for and it might be that one, and not before. Many a timeout is disarmed by then:
//! what it was set on was ready at once, or came about within the same turn of a loop. It has cost a step
//! into a line and a step out of it.
//!
//! A *round* is the firing of everything that is due at one tick. A timer armed in a round with a deadline
//! that is already due is held back until the next one: were it fired in the same round, a task that arms
//! such a timer whenever one fires would keep its executor in the round for ever.

use std::fmt;

use crate::bank::Place;
use crate::entry::{Entries, NIL};
use crate::hierarchy::Hierarchy;
use crate::list::List;
use crate::{Tick, TimerKey};

/// A set of timers, each a deadline and a value of type `T`, that tells which are due and when the next
/// one will be.
///
/// * [`arm`](Self::arm), [`disarm`](Self::disarm) and [`rearm`](Self::rearm) take constant time. Firing
///   takes constant time a timer, on average over its life; it comes in portions, as the first look into a
///   slot sorts all that is in it. A timer costs no allocation: the wheel's tables grow with the largest
///   number of timers that were ever armed at once, and then are used again and again.
/// * Timers fire in order of deadline, and those with the same deadline in the order in which they were
///   armed.
/// * A deadline that is not after [`now`](Self::now) when the timer is armed counts as `now`: it is due at
///   once, and fires in the next round, after everything that was due before it.
/// * A *round* is a run of calls of [`pop_due`](Self::pop_due) with the same `now`, up to the one that
///   gives `None`; a call with a later `now` begins another. [`advance`](Self::advance) is one round.
///   What is armed in a round fires in a later one, never in the same.
///
/// ```
/// use homing_timers::TimerWheel;
///
/// let mut wheel = TimerWheel::new(100);
/// wheel.arm(250, "second");
/// wheel.arm(120, "first");
/// wheel.arm(250, "third");
///
/// let mut fired = Vec::new();
/// wheel.advance(300, |name| fired.push(name));
/// assert_eq!(fired, ["first", "second", "third"]);
/// assert!(wheel.is_empty());
/// ```
pub struct TimerWheel<T> {
    now: Tick,
    round: Round,
    /// Due already when they were armed: they join the others when the next round begins.
    ///
    /// Invariant (held-at-now): the deadline of each is `now`, for each new tick begins a round.
    pub(crate) held: List,
    /// Armed, and not filed yet, in the order of arming: after all in the hierarchy that have the same deadline.
    pub(crate) tray: List,
    pub(crate) entries: Entries<T>,
    pub(crate) hierarchy: Hierarchy,
    pub(crate) next: Next,
}

/// Whether timers are being fired.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Round {
    /// `pop_due` gave a timer last, and has not said yet that there are no more.
    Firing,
    Over,
}

/// What is known about the first timer in the hierarchy and the tray, so that it need not be looked for.
///
/// Invariant (bound-holds): no deadline in the hierarchy or the tray is before `bound`; and if there is an
/// `entry`, it is in the hierarchy, it is the first to fire, and `bound` is its deadline.
pub(crate) struct Next {
    pub(crate) bound: Tick,
    pub(crate) entry: u32,
}

impl Next {
    /// What is known if both are empty.
    const NONE: Next = Next { bound: Tick::MAX, entry: NIL };

    /// A timer with this deadline comes to lie in the tray.
    #[inline]
    fn lower(&mut self, deadline: Tick) {
        if deadline < self.bound {
            *self = Next { bound: deadline, entry: NIL };
        }
    }
}

impl<T> TimerWheel<T> {
    /// A wheel without timers, at the tick `now`.
    ///
    /// Allocates nothing before the first timer is armed, and then only for the levels that are used.
    ///
    /// ```
    /// use homing_timers::TimerWheel;
    ///
    /// let wheel = TimerWheel::<()>::new(1_000);
    /// assert_eq!(wheel.now(), 1_000);
    /// assert!(wheel.is_empty());
    /// ```
    pub const fn new(now: Tick) -> Self {
        TimerWheel {
            now,
            round: Round::Over,
            held: List::EMPTY,
            tray: List::EMPTY,
            entries: Entries::new(),
            hierarchy: Hierarchy::new(now),
            next: Next::NONE,
        }
    }

    /// The tick that the wheel was last advanced to.
    ///
    /// It never goes back. [`advance`](Self::advance) and [`pop_due`](Self::pop_due) move it, whether they
    /// fire anything or not; asking and arming do not.
    ///
    /// ```
    /// use homing_timers::TimerWheel;
    ///
    /// let mut wheel = TimerWheel::<()>::new(0);
    /// wheel.advance(20, |_| {});
    /// wheel.advance(10, |_| {});
    /// assert_eq!(wheel.now(), 20);
    /// ```
    #[inline]
    pub fn now(&self) -> Tick {
        self.now
    }

    /// How many timers are armed.
    ///
    /// ```
    /// use homing_timers::TimerWheel;
    ///
    /// let mut wheel = TimerWheel::new(0);
    /// wheel.arm(10, ());
    /// assert_eq!(wheel.len(), 1);
    /// ```
    #[inline]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no timer is armed.
    ///
    /// ```
    /// assert!(homing_timers::TimerWheel::<()>::new(0).is_empty());
    /// ```
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Arms a timer: `value` is given back when `deadline` has come, or when the timer is disarmed.
    ///
    /// Any deadline will do, up to [`Tick::MAX`]. One that is not after [`now`](Self::now) counts as `now`
    /// and fires in the next round, whatever tick that round is told.
    ///
    /// # Panics
    /// If 2³² - 1 timers are armed already.
    ///
    /// ```
    /// use homing_timers::TimerWheel;
    ///
    /// let mut wheel = TimerWheel::new(50);
    /// wheel.arm(60, "later");
    /// let late = wheel.arm(7, "at once");
    /// assert_eq!(wheel.deadline(late), Some(50));
    /// assert_eq!(wheel.pop_due(50), Some("at once"));
    /// assert_eq!(wheel.pop_due(50), None);
    /// ```
    #[inline(always)]
    pub fn arm(&mut self, deadline: Tick, value: T) -> TimerKey {
        if deadline <= self.now {
            return self.arm_held(value);
        }
        self.next.lower(deadline);
        match self.entries.reuse(deadline, value, Place::TRAY, &self.tray) {
            Ok(key) => {
                self.tray.admit(self.entries.links(), key.index);
                key
            }
            Err(value) => self.arm_in_tray(deadline, value),
        }
    }

    /// Arms a timer that is not due yet, for which there is no vacant entry.
    #[inline(never)]
    fn arm_in_tray(&mut self, deadline: Tick, value: T) -> TimerKey {
        let key = self.entries.push(deadline, value, Place::TRAY, &self.tray);
        self.tray.admit(self.entries.links(), key.index);
        key
    }

    /// Arms a timer that is due already.
    #[inline(never)]
    fn arm_held(&mut self, value: T) -> TimerKey {
        let key = self.entries.insert(self.now, value, Place::HELD, &self.held);
        self.held.admit(self.entries.links(), key.index);
        key
    }

    /// Disarms a timer and gives back its value; `None` if it has fired or was disarmed before.
    ///
    /// ```
    /// use homing_timers::TimerWheel;
    ///
    /// let mut wheel = TimerWheel::new(0);
    /// let key = wheel.arm(10, "never mind");
    /// assert_eq!(wheel.disarm(key), Some("never mind"));
    /// assert_eq!(wheel.disarm(key), None);
    /// ```
    #[inline(always)]
    pub fn disarm(&mut self, key: TimerKey) -> Option<T> {
        // Most are in the tray still, and leave it in one step.
        let Some((value, neighbours)) = self.entries.remove_from(Place::TRAY, key) else {
            return self.disarm_elsewhere(key);
        };
        self.tray.close_up(self.entries.links(), neighbours);
        if self.entries.len() == 0 {
            self.next = Next::NONE;
        }
        Some(value)
    }

    #[inline(never)]
    fn disarm_elsewhere(&mut self, key: TimerKey) -> Option<T> {
        if !self.is_armed(key) {
            return None;
        }
        self.unlink(key.index);
        Some(self.remove(key.index))
    }

    /// Gives a timer another deadline, earlier or later; `false` if it has fired or was disarmed before.
    ///
    /// The same as disarming it and arming it anew, except that it keeps its key: it comes after those
    /// that already have the deadline, even if that is the one it had, and a deadline that is not after
    /// [`now`](Self::now) counts as `now`.
    ///
    /// ```
    /// use homing_timers::TimerWheel;
    ///
    /// let mut wheel = TimerWheel::new(0);
    /// let idle = wheel.arm(30, "idle for 30 ticks");
    /// wheel.advance(20, |_| {});
    /// assert!(wheel.rearm(idle, 20 + 30)); // something came in
    /// assert_eq!(wheel.next_deadline(), Some(50));
    /// ```
    #[inline]
    #[must_use = "`false` means that the timer is gone and will not fire"]
    pub fn rearm(&mut self, key: TimerKey, deadline: Tick) -> bool {
        if !self.is_armed(key) {
            return false;
        }
        self.unlink(key.index);
        let deadline = deadline.max(self.now);
        self.entries.links()[key.index as usize].deadline = deadline;
        self.link(key.index, deadline);
        true
    }

    /// Whether the timer is still armed: neither fired nor disarmed.
    ///
    /// ```
    /// use homing_timers::TimerWheel;
    ///
    /// let mut wheel = TimerWheel::new(0);
    /// let key = wheel.arm(10, ());
    /// assert!(wheel.is_armed(key));
    /// wheel.advance(10, |_| {});
    /// assert!(!wheel.is_armed(key));
    /// ```
    #[inline]
    pub fn is_armed(&self, key: TimerKey) -> bool {
        self.entries.get(key).is_some()
    }

    /// The value of a timer; `None` if it has fired or was disarmed.
    ///
    /// ```
    /// use homing_timers::TimerWheel;
    ///
    /// let mut wheel = TimerWheel::new(0);
    /// let key = wheel.arm(10, "value");
    /// assert_eq!(wheel.get(key), Some(&"value"));
    /// ```
    #[inline]
    pub fn get(&self, key: TimerKey) -> Option<&T> {
        self.entries.get(key).map(|(_, value)| value)
    }

    /// The value of a timer, to be changed; `None` if it has fired or was disarmed.
    ///
    /// ```
    /// use homing_timers::TimerWheel;
    ///
    /// let mut wheel = TimerWheel::new(0);
    /// let key = wheel.arm(10, 1);
    /// *wheel.get_mut(key).unwrap() += 1;
    /// assert_eq!(wheel.disarm(key), Some(2));
    /// ```
    #[inline]
    pub fn get_mut(&mut self, key: TimerKey) -> Option<&mut T> {
        self.entries.get_mut(key)
    }

    /// When the timer is due; `None` if it has fired or was disarmed.
    ///
    /// It is the deadline that it was armed with, or the tick at which it was armed if that was later.
    ///
    /// ```
    /// use homing_timers::TimerWheel;
    ///
    /// let mut wheel = TimerWheel::new(5);
    /// let (on_time, late) = (wheel.arm(10, ()), wheel.arm(1, ()));
    /// assert_eq!(wheel.deadline(on_time), Some(10));
    /// assert_eq!(wheel.deadline(late), Some(5));
    /// ```
    #[inline]
    pub fn deadline(&self, key: TimerKey) -> Option<Tick> {
        self.entries.get(key).map(|(entry, _)| entry.deadline)
    }

    /// The earliest deadline of all; `None` if no timer is armed.
    ///
    /// It is exact: a round at that tick fires something, and one at any tick before fires nothing. If it
    /// is not after [`now`](Self::now), something is due that has not been fired.
    ///
    /// Takes `&mut self` because it may sort a part of the wheel to find out. That is work which would
    /// have to be done later anyway, and asking again costs nothing.
    ///
    /// ```
    /// use homing_timers::TimerWheel;
    ///
    /// let mut wheel = TimerWheel::new(0);
    /// let key = wheel.arm(1_000_003, ());
    /// wheel.arm(1_000_019, ());
    /// assert_eq!(wheel.next_deadline(), Some(1_000_003));
    /// wheel.disarm(key);
    /// assert_eq!(wheel.next_deadline(), Some(1_000_019));
    /// ```
    #[inline]
    pub fn next_deadline(&mut self) -> Option<Tick> {
        let in_hierarchy = self.find_next().map(|_| self.next.bound);
        if self.held.is_empty() {
            return in_hierarchy;
        }
        // held-at-now. In the middle of a round there may be earlier ones, still to be fired.
        Some(in_hierarchy.map_or(self.now, |deadline| deadline.min(self.now)))
    }

    /// Moves the clock to `now` and calls `fire` with the value of every timer that is due, in order of
    /// deadline, those with equal ones in the order in which they were armed.
    ///
    /// Due is a deadline that is not after `now`. A `now` before [`now()`](Self::now) counts as that: time
    /// does not go back, but what is due already fires. Should `fire` panic, the timers that it had not
    /// been called with are still armed.
    ///
    /// ```
    /// use homing_timers::TimerWheel;
    ///
    /// let mut wheel = TimerWheel::new(0);
    /// for deadline in [30, 10, 20] {
    ///     wheel.arm(deadline, deadline);
    /// }
    /// let mut fired = Vec::new();
    /// wheel.advance(20, |deadline| fired.push(deadline));
    /// assert_eq!(fired, [10, 20]);
    /// ```
    #[inline]
    pub fn advance(&mut self, now: Tick, mut fire: impl FnMut(T)) {
        while let Some(value) = self.pop_due(now) {
            fire(value);
        }
    }

    /// Moves the clock to `now` and gives the first timer that is due, or `None` if there are no more.
    ///
    /// This is [`advance`](Self::advance) one timer at a time, so that others may be armed and disarmed in
    /// between. A timer that is disarmed in time does not fire. One that is armed, or armed anew, with a
    /// deadline that is due already waits for the next round, so a loop that pops until `None` ends even if
    /// each timer that fires arms another. Whoever passes a later `now` to each call begins a round each
    /// time, and has no such promise.
    ///
    /// If nothing is due, this is a comparison or two.
    ///
    /// ```
    /// use homing_timers::TimerWheel;
    ///
    /// let mut wheel = TimerWheel::new(0);
    /// wheel.arm(1, "again and again");
    ///
    /// let mut fired = 0;
    /// while let Some(name) = wheel.pop_due(10) {
    ///     fired += 1;
    ///     wheel.arm(1, name); // due already: but not in this round
    /// }
    /// assert_eq!(fired, 1);
    /// assert_eq!(wheel.next_deadline(), Some(10));
    /// assert_eq!(wheel.pop_due(10), Some("again and again"));
    /// ```
    #[inline]
    pub fn pop_due(&mut self, now: Tick) -> Option<T> {
        if self.is_quiet_at(now) { None } else { self.pop_due_at(now.max(self.now)) }
    }

    /// Until when there is nothing to do: before this tick, [`pop_due`](Self::pop_due) would find nothing. At it, something
    /// may be due. `Tick::MAX` if no timer is armed; the wheel's own time if timers are held back for the next round, or the
    /// last one is not over.
    ///
    /// For loops that ask far more often than timers come due: they keep it, and the earliest deadline that was armed
    /// since.
    ///
    /// ```
    /// use homing_timers::TimerWheel;
    ///
    /// let mut wheel = TimerWheel::new(0);
    /// assert_eq!(wheel.quiet_until(), u64::MAX);
    /// wheel.arm(10, ());
    /// assert_eq!(wheel.quiet_until(), 10);
    /// assert_eq!(wheel.pop_due(10), Some(()));
    /// assert_eq!(wheel.quiet_until(), 10); // for the round is not over
    /// assert_eq!(wheel.pop_due(10), None);
    /// assert_eq!(wheel.quiet_until(), u64::MAX);
    /// ```
    #[inline]
    pub fn quiet_until(&self) -> Tick {
        if self.held.is_empty() && self.round == Round::Over { self.next.bound } else { self.now }
    }

    /// Whether the wheel stands at `now` already, nothing is due, and the last round is over.
    #[inline]
    fn is_quiet_at(&self, now: Tick) -> bool {
        now <= self.now && self.now < self.quiet_until()
    }

    fn pop_due_at(&mut self, now: Tick) -> Option<T> {
        if !self.held.is_empty() && (self.round == Round::Over || now > self.now) {
            self.admit_held();
        }
        self.now = now;
        if now >= self.next.bound
            && let Some(index) = self.find_next()
            && now >= self.next.bound
        {
            self.round = Round::Firing;
            self.unlink_filed(index);
            return Some(self.remove(index));
        }
        self.round = Round::Over;
        self.hierarchy.move_cursor(now, self.entries.links());
        None
    }

    /// Disarms every timer and drops the values. The clock stays where it is, and so does the memory.
    ///
    /// ```
    /// use homing_timers::TimerWheel;
    ///
    /// let mut wheel = TimerWheel::new(0);
    /// let key = wheel.arm(10, ());
    /// wheel.clear();
    /// assert!(wheel.is_empty());
    /// assert_eq!(wheel.disarm(key), None);
    /// ```
    pub fn clear(&mut self) {
        drop(self.drain());
    }

    /// The values of all armed timers, in no particular order.
    ///
    /// ```
    /// use homing_timers::TimerWheel;
    ///
    /// let mut wheel = TimerWheel::new(0);
    /// wheel.arm(10, "one");
    /// assert!(wheel.values().eq(&["one"]));
    /// ```
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.entries.values()
    }

    /// Disarms every timer and gives the values, in no particular order.
    ///
    /// They are disarmed when this returns; values that are not taken out of the iterator are dropped with
    /// it. For the order of deadlines, [`advance`](Self::advance) to [`Tick::MAX`] instead, if the clock
    /// need not be used any more.
    ///
    /// ```
    /// use homing_timers::TimerWheel;
    ///
    /// let mut wheel = TimerWheel::new(0);
    /// wheel.arm(10, "one");
    /// wheel.arm(20, "two");
    /// let mut left: Vec<_> = wheel.drain().collect();
    /// left.sort();
    /// assert_eq!(left, ["one", "two"]);
    /// assert!(wheel.is_empty());
    /// ```
    pub fn drain(&mut self) -> impl Iterator<Item = T> {
        (self.held, self.tray) = (List::EMPTY, List::EMPTY);
        self.next = Next::NONE;
        self.hierarchy.reset();
        self.entries.drain()
    }

    /// Puts an entry where its deadline says, which is not before now.
    #[inline]
    fn link(&mut self, index: u32, deadline: Tick) {
        let (line, place) = if deadline <= self.now {
            (&mut self.held, Place::HELD)
        } else {
            self.next.lower(deadline);
            (&mut self.tray, Place::TRAY)
        };
        line.push_back(self.entries.links(), index);
        self.entries.links()[index as usize].place = place;
    }

    /// Takes an entry out of wherever it is.
    #[inline]
    fn unlink(&mut self, index: u32) {
        match self.entries[index].place {
            Place::TRAY => self.tray.unlink(self.entries.links(), index),
            Place::HELD => self.held.unlink(self.entries.links(), index),
            _ => self.unlink_filed(index),
        }
    }

    fn unlink_filed(&mut self, index: u32) {
        if self.next.entry == index {
            // bound-holds: if no equal comes after it, there may be a later first one, but no earlier.
            self.next.entry = self.hierarchy.equal_after(self.entries.links(), index);
        }
        self.hierarchy.unlink(self.entries.links(), index);
    }

    /// Removes an entry that is in no line any more.
    #[inline]
    fn remove(&mut self, index: u32) -> T {
        let value = self.entries.remove(index);
        if self.entries.len() == 0 {
            self.next = Next::NONE;
        }
        value
    }

    /// The first entry of the hierarchy and the tray, and its deadline in `next.bound`.
    #[inline]
    fn find_next(&mut self) -> Option<u32> {
        if self.next.entry == NIL {
            self.look_for_next();
        }
        (self.next.entry != NIL).then_some(self.next.entry)
    }

    fn look_for_next(&mut self) {
        self.file_tray();
        if self.next.entry == NIL {
            self.next = match self.hierarchy.earliest(self.entries.links()) {
                Some(entry) => Next { bound: self.entries[entry].deadline, entry },
                None => Next::NONE,
            };
        }
    }

    /// Files what is in the tray.
    fn file_tray(&mut self) {
        if self.tray.is_empty() {
            return;
        }
        if self.hierarchy.is_empty() {
            // Of what is filed from the beginning the first is known.
            self.next = Next::NONE;
        }
        let mut tray = std::mem::replace(&mut self.tray, List::EMPTY);
        while let Some(index) = tray.next(self.entries.links()) {
            self.file(index);
        }
    }

    #[inline]
    fn file(&mut self, index: u32) {
        let deadline = self.entries[index].deadline;
        self.hierarchy.link(self.entries.links(), index);
        // Strictly: of equals, the one armed before comes first, and it may not even be known which it is.
        if deadline < self.next.bound {
            self.next = Next { bound: deadline, entry: index };
        }
    }

    /// Lets those that were held back join the others: a round begins.
    ///
    /// Called before the clock moves. Their deadline is the tick of the round before (held-at-now), and
    /// they come after all that had it then, as they were armed later.
    #[cold]
    fn admit_held(&mut self) {
        // In the middle of a round there may be some in the tray that are due, and were armed before it.
        self.file_tray();
        let mut held = std::mem::replace(&mut self.held, List::EMPTY);
        while let Some(index) = held.next(self.entries.links()) {
            debug_assert_eq!(self.entries[index].deadline, self.now, "held-at-now");
            self.file(index);
        }
    }
}

impl<T> fmt::Debug for TimerWheel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimerWheel").field("now", &self.now).field("len", &self.len()).finish_non_exhaustive()
    }
}
