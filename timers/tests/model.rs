//! The wheel at random beside a model that is too simple to be wrong: a sorted map.
//!
//! The model keeps timers by deadline and by the count of those armed before. Everything that the wheel
//! answers is compared with what the model answers, and after each step the wheel's invariants are checked.

use std::collections::BTreeMap;

use homing_timers::{Tick, TimerKey, TimerWheel};
use proptest::prelude::*;

/// A timer by the order in which it was first armed; its value in the wheel.
type Id = usize;

#[derive(Default)]
struct Model {
    now: Tick,
    firing: bool,
    /// What was armed with this count or a later one is not fired in the round.
    fence: u64,
    armed_count: u64,
    timers: BTreeMap<(Tick, u64), Id>,
}

impl Model {
    fn arm(&mut self, deadline: Tick, id: Id) {
        self.timers.insert((deadline.max(self.now), self.armed_count), id);
        self.armed_count += 1;
    }

    fn place(&self, id: Id) -> Option<(Tick, u64)> {
        self.timers.iter().find(|&(_, &other)| other == id).map(|(&place, _)| place)
    }

    fn disarm(&mut self, id: Id) -> Option<Id> {
        self.place(id).and_then(|place| self.timers.remove(&place))
    }

    fn next_deadline(&self) -> Option<Tick> {
        self.timers.first_key_value().map(|(&(deadline, _), _)| deadline)
    }

    fn pop_due(&mut self, now: Tick) -> Option<Id> {
        let now = now.max(self.now);
        if !self.firing || now > self.now {
            self.fence = self.armed_count;
        }
        self.now = now;
        let due = self
            .timers
            .keys()
            .copied()
            .take_while(|&(deadline, _)| deadline <= now)
            .find(|&(_, count)| count < self.fence);
        self.firing = due.is_some();
        due.and_then(|place| self.timers.remove(&place))
    }
}

/// A tick, told relative to where the wheel stands, so that random ones hit the interesting places.
#[derive(Clone, Copy, Debug)]
enum When {
    Past(Tick),
    Near(Tick),
    /// So many slots of that level on, and a little to either side.
    Slots {
        level: u32,
        count: Tick,
        aside: i64,
    },
    /// The next tick at which the cursor comes to another slot of that level, and a little to either side.
    Boundary {
        level: u32,
        aside: i64,
    },
    /// That of a timer that may be armed.
    Like(Id),
    Anywhere(Tick),
    FromTheEnd(Tick),
}

impl When {
    fn tick(self, model: &Model) -> Tick {
        let slot = |level: u32| 1_u64 << (6 * level);
        match self {
            When::Past(ago) => model.now.saturating_sub(ago),
            When::Near(ahead) => model.now.saturating_add(ahead),
            When::Slots { level, count, aside } => {
                model.now.saturating_add(slot(level).saturating_mul(count)).saturating_add_signed(aside)
            }
            When::Boundary { level, aside } => {
                (model.now | (slot(level) - 1)).saturating_add(1).saturating_add_signed(aside)
            }
            When::Like(nth) if model.timers.is_empty() => model.now.saturating_add(nth as Tick),
            When::Like(nth) => model.timers.keys().nth(nth % model.timers.len()).unwrap().0,
            When::Anywhere(tick) => tick,
            When::FromTheEnd(before) => Tick::MAX - before,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Arm(When),
    /// Many, a few ticks apart: what it takes for a slot to be opened.
    ArmMany {
        first: When,
        count: u64,
        apart: Tick,
    },
    Disarm(usize),
    DisarmEarliest,
    Rearm(usize, When),
    NextDeadline,
    Advance(When),
    AdvanceToNext,
    /// One firing and no more: the round goes on.
    Pop(When),
    PopNext,
    Clear,
}

/// A distance that is small in one half of all cases.
fn aside() -> impl Strategy<Value = i64> {
    prop_oneof![-1..=1_i64, -70..=70_i64]
}

fn ahead() -> impl Strategy<Value = When> {
    prop_oneof![
        3 => (0..200_u64).prop_map(When::Near),
        4 => (0..4_u32, 0..64_u64, aside()).prop_map(|(level, count, aside)| When::Slots { level, count, aside }),
        2 => (0..11_u32, 0..4_u64, aside()).prop_map(|(level, count, aside)| When::Slots { level, count, aside }),
        3 => (0..11_u32, aside()).prop_map(|(level, aside)| When::Boundary { level, aside }),
        3 => (0..1_000_usize).prop_map(When::Like),
    ]
}

fn when() -> impl Strategy<Value = When> {
    prop_oneof![
        12 => ahead(),
        1 => (0..200_u64).prop_map(When::Past),
        1 => any::<Tick>().prop_map(When::Anywhere),
        1 => (0..3_u64).prop_map(When::FromTheEnd),
    ]
}

/// Where the clock goes: seldom so far that all the rest happens at the end of time.
fn clock() -> impl Strategy<Value = When> {
    prop_oneof![
        40 => ahead(),
        4 => (0..200_u64).prop_map(When::Past),
        1 => any::<Tick>().prop_map(When::Anywhere),
        1 => (0..3_u64).prop_map(When::FromTheEnd),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => when().prop_map(Step::Arm),
        3 => (when(), 2..24_u64, prop_oneof![0..3_u64, 0..100_u64, 0..10_000_u64])
            .prop_map(|(first, count, apart)| Step::ArmMany { first, count, apart }),
        6 => any::<usize>().prop_map(Step::Disarm),
        4 => Just(Step::DisarmEarliest),
        5 => (any::<usize>(), when()).prop_map(|(nth, when)| Step::Rearm(nth, when)),
        6 => Just(Step::NextDeadline),
        3 => clock().prop_map(Step::Advance),
        3 => Just(Step::AdvanceToNext),
        6 => clock().prop_map(Step::Pop),
        6 => Just(Step::PopNext),
        1 => (0..20_u32).prop_map(|n| if n == 0 { Step::Clear } else { Step::NextDeadline }),
    ]
}

/// The wheel and the model, going the same way.
struct Pair {
    wheel: TimerWheel<Id>,
    model: Model,
    /// Every key there ever was, most of them stale.
    keys: Vec<TimerKey>,
}

impl Pair {
    fn new(now: Tick) -> Self {
        let model = Model { now, ..Model::default() };
        Pair { wheel: TimerWheel::new(now), model, keys: Vec::new() }
    }

    fn arm(&mut self, deadline: Tick) {
        let id = self.keys.len();
        self.keys.push(self.wheel.arm(deadline, id));
        self.model.arm(deadline, id);
    }

    fn disarm(&mut self, id: Id) {
        assert_eq!(self.wheel.disarm(self.keys[id]), self.model.disarm(id));
        assert_eq!(self.wheel.disarm(self.keys[id]), None, "the key is stale now");
    }

    fn rearm(&mut self, id: Id, deadline: Tick) {
        let was_armed = self.model.disarm(id).is_some();
        assert_eq!(self.wheel.rearm(self.keys[id], deadline), was_armed);
        if was_armed {
            self.model.arm(deadline, id);
        }
    }

    fn pop_due(&mut self, now: Tick) -> Option<Id> {
        let fired = self.wheel.pop_due(now);
        assert_eq!(fired, self.model.pop_due(now));
        fired
    }

    fn advance(&mut self, now: Tick) {
        let mut fired = Vec::new();
        self.wheel.advance(now, |id| fired.push(id));
        let expected: Vec<Id> = std::iter::from_fn(|| self.model.pop_due(now)).collect();
        assert_eq!(fired, expected);
    }

    fn earliest(&self) -> Option<Id> {
        self.model.timers.first_key_value().map(|(_, &id)| id)
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Arm(when) => self.arm(when.tick(&self.model)),
            Step::ArmMany { first, count, apart } => {
                let first = first.tick(&self.model);
                for nth in 0..count {
                    // Not in order of deadline, and each one several times.
                    let steps = nth.wrapping_mul(7) % (count / 2).max(1);
                    self.arm(first.saturating_add(steps * apart));
                }
            }
            Step::Disarm(nth) if !self.keys.is_empty() => self.disarm(nth % self.keys.len()),
            Step::DisarmEarliest => {
                if let Some(id) = self.earliest() {
                    self.disarm(id);
                }
            }
            Step::Rearm(nth, when) if !self.keys.is_empty() => {
                self.rearm(nth % self.keys.len(), when.tick(&self.model));
            }
            Step::Disarm(_) | Step::Rearm(..) => {}
            Step::NextDeadline => assert_eq!(self.wheel.next_deadline(), self.model.next_deadline()),
            Step::Advance(when) => self.advance(when.tick(&self.model)),
            Step::AdvanceToNext => {
                let Some(deadline) = self.model.next_deadline() else { return };
                if deadline > self.model.now {
                    self.advance(deadline - 1);
                }
                self.advance(deadline);
            }
            Step::Pop(when) => {
                self.pop_due(when.tick(&self.model));
            }
            Step::PopNext => {
                if let Some(deadline) = self.model.next_deadline() {
                    self.pop_due(deadline);
                }
            }
            Step::Clear => {
                let mut drained: Vec<Id> = self.wheel.drain().collect();
                let mut expected: Vec<Id> = std::mem::take(&mut self.model.timers).into_values().collect();
                drained.sort();
                expected.sort();
                assert_eq!(drained, expected);
            }
        }
    }

    fn check(&self) {
        self.wheel.check_invariants();
        assert_eq!(self.wheel.now(), self.model.now);
        assert_eq!(self.wheel.len(), self.model.timers.len());
        assert_eq!(self.wheel.is_empty(), self.model.timers.is_empty());
    }

    /// What is told of each timer there ever was.
    fn check_each(&self) {
        for (id, &key) in self.keys.iter().enumerate() {
            let place = self.model.place(id);
            assert_eq!(self.wheel.deadline(key), place.map(|(deadline, _)| deadline));
            assert_eq!(self.wheel.get(key), place.map(|_| &id));
            assert_eq!(self.wheel.is_armed(key), place.is_some());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) })]

    #[test]
    fn the_wheel_does_what_a_sorted_map_does(
        start in prop_oneof![Just(0), 0..10_000_u64, any::<Tick>()],
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut pair = Pair::new(start);
        for step in steps {
            pair.take(step);
            pair.check();
        }
        pair.check_each();
        pair.advance(Tick::MAX);
        pair.advance(Tick::MAX); // what was held back
        pair.check();
        assert!(pair.wheel.is_empty());
    }

    #[test]
    fn sleeping_until_each_next_deadline_fires_every_timer_at_its_own(
        deadlines in prop::collection::vec(any::<Tick>(), 1..200),
        digits in 1..=64_u32,
    ) {
        let mut wheel = TimerWheel::new(0);
        let mut expected: Vec<Tick> = deadlines.iter().map(|deadline| deadline >> (64 - digits)).collect();
        for &deadline in &expected {
            wheel.arm(deadline, deadline);
        }
        expected.sort();
        let mut fired = Vec::new();
        while let Some(deadline) = wheel.next_deadline() {
            let before = fired.len();
            wheel.advance(deadline, |value| {
                assert_eq!(value, deadline);
                fired.push(value);
            });
            assert!(fired.len() > before, "a wake-up that finds nothing due");
            wheel.check_invariants();
        }
        assert_eq!(fired, expected);
    }
}
