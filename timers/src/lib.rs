//! A hierarchical timing wheel: which deadlines are due, and when is the next one?
//!
//! An executor arms a timer for almost everything it waits for and disarms nearly all of them before they
//! fire: a timeout is a bet that it will not be needed. So arming and disarming must cost next to nothing,
//! however many timers there are, and firing may cost a little more. A heap has it the wrong way round. A
//! *timing wheel* sorts a timer only as far as is needed now: one due in an hour is thrown into a slot
//! "about an hour away" with all its like, and is looked at again when the hour draws near, if it is still
//! there at all.
//!
//! A deadline is read as eleven digits of base 64. The highest digit in which it differs from the
//! *cursor*, the tick the wheel stands at, is the timer's *level*; the digit itself is its *slot*:
//! ```text
//! digit      3  2  1  0
//! cursor     0  7 12 63
//! timer A    0  7 13  0    the very next tick: but it differs in digit 1, so level 1, slot 13
//! timer B    0 50 41  8    differs in digit 2: level 2, slot 50
//!
//! slot       0 …  7 … 12 13 … 50 … 63
//! level 0    .    .    .  .    .    ^      one tick a slot
//! level 1    .    .    ^  A    .    .      64 ticks a slot
//! level 2    .    ^    .  .    B    .      4,096 ticks a slot
//!                 └ the cursor's digit: what is left of it is past, and empty
//! ```
//! When the cursor comes to a slot of a higher level, what is in it moves down (it *cascades*), at most
//! once a level. Within a slot timers stand in line, so those with one deadline fire in the order in which
//! they were armed. This is scheme 7 of Varghese and Lauck, *Hashed and Hierarchical Timing Wheels: Data
//! Structures for the Efficient Implementation of a Timer Facility* (1987); the digits in place of turning
//! wheels are those of a radix heap.
//!
//! What an ordinary wheel cannot do is to say exactly when the next timer is due: it knows the slot, and
//! wakes the thread up to look inside. This one *opens* the nearest slot *ahead of time* and sorts it one
//! digit finer, into 64 slots of its own, which the cursor later takes over as they are. It is the cascade
//! done early, so it costs nothing more, and no wake-up finds nothing due. `hierarchy.rs` tells how.
//!
//! The wheel is told the time and never asks: what a tick is, the caller decides.
//! ```
//! use homing_timers::TimerWheel;
//!
//! let mut wheel = TimerWheel::new(0);
//! wheel.arm(30, "tea");
//! let eggs = wheel.arm(7, "eggs");
//! wheel.arm(30, "toast");
//! assert_eq!(wheel.next_deadline(), Some(7));
//!
//! assert_eq!(wheel.disarm(eggs), Some("eggs"));
//! assert_eq!(wheel.next_deadline(), Some(30));
//!
//! let mut served = Vec::new();
//! wheel.advance(29, |dish| served.push(dish));
//! assert!(served.is_empty());
//! wheel.advance(1_000, |dish| served.push(dish));
//! assert_eq!(served, ["tea", "toast"]);
//! assert_eq!(wheel.next_deadline(), None);
//! ```
//!
//! | to read                | it explains                                                        |
//! |------------------------|--------------------------------------------------------------------|
//! | `src/digits.rs`        | a deadline as eleven digits                                        |
//! | `src/entry.rs`         | an armed timer, and how a stale key is told apart                  |
//! | `src/generation.rs`    | the number by which that is told                                   |
//! | `src/list.rs`          | timers standing in line                                            |
//! | `src/bank.rs`          | 64 slots and the word that says which of them are occupied         |
//! | `src/hierarchy.rs`     | where a timer is, what cascades, what is opened ahead of time      |
//! | `src/wheel.rs`         | the face of it all: arm, disarm, advance; rounds and their fence   |
//! | `src/audit.rs`         | the invariants, checked                                            |
//! | `src/whereabouts.rs`   | where each timer lies, for pictures                                |
#![forbid(unsafe_code)]

mod audit;
mod bank;
mod digits;
mod entry;
mod generation;
mod hierarchy;
mod key;
mod list;
mod wheel;
mod whereabouts;

pub use key::TimerKey;
pub use wheel::TimerWheel;
#[doc(hidden)]
pub use whereabouts::Whereabouts;

/// A point in time, in ticks.
///
/// How long a tick is and when tick 0 was is for the caller to say; the wheel only compares. All of `u64`
/// may be used: [`Tick::MAX`] is a deadline like any other.
///
/// ```
/// use homing_timers::{Tick, TimerWheel};
///
/// let mut wheel = TimerWheel::new(0);
/// wheel.arm(Tick::MAX, "at the end of time");
/// assert_eq!(wheel.next_deadline(), Some(Tick::MAX));
/// ```
pub type Tick = u64;
