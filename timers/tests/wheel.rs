//! What the wheel promises, one promise a test; and where wheels are known to go wrong.

use std::cell::Cell;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use homing_timers::{Tick, TimerKey, TimerWheel};

/// What fires in one round at `now`, in order.
fn fired<T>(wheel: &mut TimerWheel<T>, now: Tick) -> Vec<T> {
    let mut values = Vec::new();
    wheel.advance(now, |value| values.push(value));
    wheel.check_invariants();
    values
}

/// The sizes of the slots of all levels: 1, 64, 4,096, …
fn slot_sizes() -> impl Iterator<Item = Tick> {
    (0..11).map(|level| 1 << (6 * level))
}

mod order {
    use super::*;

    #[test]
    fn timers_fire_in_order_of_deadline_however_far_apart_they_are() {
        let mut wheel = TimerWheel::new(0);
        let deadlines: Vec<Tick> = slot_sizes().flat_map(|size| [size, size + size / 2, size - 1]).collect();
        for &deadline in &deadlines {
            wheel.arm(deadline, deadline);
        }
        let mut expected = deadlines;
        expected.sort();
        assert_eq!(fired(&mut wheel, 0), [0]);
        assert_eq!(fired(&mut wheel, Tick::MAX), expected[1..]);
    }

    #[test]
    fn equal_deadlines_fire_in_arming_order_after_any_number_of_cascades() {
        const DEADLINE: Tick = 64 * 64 * 64 * 7 + 64 * 64 * 5 + 64 * 3 + 1;
        let mut wheel = TimerWheel::new(0);
        let mut expected = Vec::new();
        // Each is armed on a lower level than the one before, which has come down there by cascading.
        for (nth, now) in [0, DEADLINE & !0o77_7777, DEADLINE & !0o7777, DEADLINE & !0o77, DEADLINE - 1]
            .into_iter()
            .enumerate()
        {
            assert!(fired(&mut wheel, now).is_empty());
            for half in [2 * nth, 2 * nth + 1] {
                wheel.arm(DEADLINE, half);
                expected.push(half);
            }
        }
        assert_eq!(fired(&mut wheel, DEADLINE), expected);
    }

    #[test]
    fn equal_deadlines_fire_in_arming_order_when_their_slot_is_opened_between_two_of_them() {
        let mut wheel = TimerWheel::new(0);
        let nearer = wheel.arm(1, 0);
        for nth in 0..20 {
            wheel.arm(100_000 + nth % 2, nth);
        }
        assert_eq!(wheel.next_deadline(), Some(1)); // files them all
        wheel.disarm(nearer); // so that the next is not known
        assert_eq!(wheel.next_deadline(), Some(100_000));
        assert!(wheel.moves() > 0, "the slot was opened");
        for nth in 20..30 {
            wheel.arm(100_000 + nth % 2, nth);
        }
        let (even, odd): (Vec<u64>, Vec<u64>) = (0..30).partition(|nth| nth % 2 == 0);
        assert_eq!(fired(&mut wheel, 200_000), [even, odd].concat());
    }

    #[test]
    fn a_rearmed_timer_comes_after_its_equals() {
        let mut wheel = TimerWheel::new(0);
        let first = wheel.arm(500, "first");
        wheel.arm(500, "second");
        assert!(wheel.rearm(first, 500));
        assert_eq!(fired(&mut wheel, 500), ["second", "first"]);
    }
}

mod edges {
    use super::*;

    #[test]
    fn a_deadline_at_a_boundary_of_any_level_fires_at_its_tick_and_not_before() {
        for size in slot_sizes() {
            for slots in [1, 2, 15] {
                for deadline in [size * slots - 1, size * slots, size * slots + 1] {
                    for start in [0, 1, deadline / 2, deadline.saturating_sub(1)] {
                        let mut wheel = TimerWheel::new(start);
                        wheel.arm(deadline, deadline);
                        assert_eq!(wheel.next_deadline(), Some(deadline.max(start)));
                        if deadline > start {
                            assert_eq!(fired(&mut wheel, deadline - 1), []);
                        }
                        assert_eq!(fired(&mut wheel, deadline), [deadline]);
                    }
                }
            }
        }
    }

    #[test]
    fn a_clock_that_stops_at_a_boundary_of_any_level_leaves_what_is_due_after_it() {
        for size in slot_sizes().skip(1) {
            for stop in [size - 1, size, size + 1] {
                let mut wheel = TimerWheel::new(0);
                for deadline in size - 3..=size + 3 {
                    wheel.arm(deadline, deadline);
                }
                assert_eq!(fired(&mut wheel, stop), (size - 3..=stop).collect::<Vec<_>>());
                assert_eq!(wheel.next_deadline(), Some(stop + 1));
                assert_eq!(fired(&mut wheel, size + 3), (stop + 1..=size + 3).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn the_top_level_does_not_wrap() {
        let top_slot: Tick = 1 << 60;
        let mut wheel = TimerWheel::new(Tick::MAX - top_slot - 5);
        let deadlines = [Tick::MAX - top_slot, Tick::MAX - top_slot + 1, Tick::MAX - 1, Tick::MAX];
        for deadline in deadlines {
            wheel.arm(deadline, deadline);
        }
        for deadline in deadlines {
            assert_eq!(wheel.next_deadline(), Some(deadline));
            assert_eq!(fired(&mut wheel, deadline), [deadline]);
        }
        assert_eq!(wheel.now(), Tick::MAX);
    }

    #[test]
    fn the_last_tick_is_a_deadline_like_any_other() {
        let mut wheel = TimerWheel::new(0);
        wheel.arm(Tick::MAX, "first");
        let second = wheel.arm(Tick::MAX, "second");
        assert_eq!(wheel.next_deadline(), Some(Tick::MAX));
        assert!(fired(&mut wheel, Tick::MAX - 1).is_empty());
        assert_eq!(wheel.deadline(second), Some(Tick::MAX));
        assert_eq!(fired(&mut wheel, Tick::MAX), ["first", "second"]);
        wheel.arm(Tick::MAX, "after the end");
        assert_eq!(fired(&mut wheel, Tick::MAX), ["after the end"]);
    }

    #[test]
    fn advancing_by_years_at_once_fires_everything_in_between() {
        const YEAR: Tick = 365 * 24 * 3_600 * 1_000_000_000;
        let mut wheel = TimerWheel::new(123_456_789);
        let deadlines: Vec<Tick> = (1..=1_000).map(|nth| 123_456_789 + nth * (YEAR / 100)).collect();
        for &deadline in deadlines.iter().rev() {
            wheel.arm(deadline, deadline);
        }
        assert_eq!(fired(&mut wheel, 123_456_789 + 5 * YEAR), deadlines[..500]);
        assert_eq!(wheel.next_deadline(), Some(deadlines[500]));
        assert_eq!(fired(&mut wheel, 123_456_789 + 50 * YEAR), deadlines[500..]);
    }

    #[test]
    fn time_that_goes_backwards_stands_still() {
        let mut wheel = TimerWheel::new(0);
        wheel.arm(60, "later");
        assert!(fired(&mut wheel, 50).is_empty());
        wheel.arm(20, "overdue");
        assert_eq!(fired(&mut wheel, 10), ["overdue"]);
        assert_eq!(wheel.now(), 50);
        assert_eq!(fired(&mut wheel, 60), ["later"]);
    }
}

mod rounds {
    use super::*;

    #[test]
    fn a_past_deadline_fires_in_the_next_round_after_what_was_due_before_it() {
        let mut wheel = TimerWheel::new(1_000);
        wheel.arm(1_001, "due soon");
        wheel.arm(0, "overdue");
        wheel.arm(1_000, "due now");
        assert_eq!(wheel.next_deadline(), Some(1_000));
        assert_eq!(fired(&mut wheel, 1_001), ["overdue", "due now", "due soon"]);
    }

    #[test]
    fn a_timer_that_rearms_itself_in_the_past_does_not_keep_the_round_from_ending() {
        let mut wheel = TimerWheel::new(0);
        wheel.arm(5, 0);
        for round in 0..10 {
            let mut count = 0;
            while let Some(value) = wheel.pop_due(10) {
                assert_eq!(value, round);
                wheel.arm(value % 2 * 10, value + 1);
                wheel.check_invariants();
                count += 1;
            }
            assert_eq!(count, 1);
            assert_eq!(wheel.next_deadline(), Some(10), "the thread is not to sleep");
        }
    }

    #[test]
    fn a_timer_rearmed_in_a_round_to_a_later_deadline_of_that_round_waits_for_the_next() {
        let mut wheel = TimerWheel::new(0);
        wheel.arm(1, "first");
        let second = wheel.arm(2, "second");
        assert_eq!(wheel.pop_due(10), Some("first"));
        assert!(wheel.rearm(second, 5));
        assert_eq!(wheel.pop_due(10), None);
        assert_eq!(wheel.pop_due(10), Some("second"));
    }

    #[test]
    fn a_timer_disarmed_in_a_round_does_not_fire_in_it() {
        let mut wheel = TimerWheel::new(0);
        wheel.arm(1, "first");
        let second = wheel.arm(1, "second");
        let third = wheel.arm(70, "third");
        wheel.arm(5_000, "fourth");
        assert_eq!(wheel.pop_due(10_000), Some("first"));
        assert_eq!(wheel.disarm(second), Some("second"));
        assert_eq!(wheel.disarm(third), Some("third"));
        assert_eq!(wheel.pop_due(10_000), Some("fourth"));
        assert_eq!(wheel.pop_due(10_000), None);
        wheel.check_invariants();
    }

    #[test]
    fn a_held_back_timer_may_be_disarmed_and_rearmed() {
        let mut wheel = TimerWheel::new(100);
        let (gone, later, stays) = (wheel.arm(1, "gone"), wheel.arm(2, "later"), wheel.arm(3, "stays"));
        assert_eq!(wheel.disarm(gone), Some("gone"));
        assert!(wheel.rearm(later, 300));
        assert_eq!(wheel.deadline(stays), Some(100));
        assert_eq!(fired(&mut wheel, 200), ["stays"]);
        assert_eq!(fired(&mut wheel, 300), ["later"]);
    }

    #[test]
    fn a_later_clock_in_the_middle_of_a_round_begins_another_in_order_of_deadline() {
        let mut wheel = TimerWheel::new(0);
        for deadline in [10, 20, 30, 40] {
            wheel.arm(deadline, deadline);
        }
        assert_eq!(wheel.pop_due(25), Some(10));
        wheel.arm(1, 25); // counts as 25, and is held back
        assert_eq!(wheel.pop_due(35), Some(20));
        assert_eq!(wheel.pop_due(35), Some(25));
        assert_eq!(wheel.pop_due(35), Some(30));
        assert_eq!(wheel.pop_due(35), None);
    }

    #[test]
    fn a_panic_while_firing_loses_only_the_timer_that_was_fired() {
        let mut wheel = TimerWheel::new(0);
        for deadline in [1, 2, 3] {
            wheel.arm(deadline, deadline);
        }
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            wheel.advance(10, |deadline| assert_ne!(deadline, 2, "as it should"));
        }));
        assert!(panicked.is_err());
        wheel.check_invariants();
        assert_eq!(fired(&mut wheel, 10), [3]);
    }
}

mod keys {
    use super::*;

    #[test]
    fn a_stale_key_does_nothing_after_its_place_was_used_again() {
        let mut wheel = TimerWheel::new(0);
        let disarmed = wheel.arm(10, "disarmed");
        wheel.disarm(disarmed);
        let fired_key = wheel.arm(10, "fired");
        fired(&mut wheel, 10);
        let live = wheel.arm(20, "live");
        for stale in [disarmed, fired_key] {
            assert!(!wheel.is_armed(stale));
            assert_eq!(wheel.disarm(stale), None);
            assert!(!wheel.rearm(stale, 15));
            assert_eq!(wheel.get(stale), None);
            assert_eq!(wheel.get_mut(stale), None);
            assert_eq!(wheel.deadline(stale), None);
        }
        assert_eq!(wheel.disarm(live), Some("live"));
    }

    #[test]
    fn a_stale_key_stays_stale_after_the_wheel_was_cleared() {
        let mut wheel = TimerWheel::new(0);
        let stale: Vec<TimerKey> = (0..10).map(|deadline| wheel.arm(deadline, "old")).collect();
        wheel.clear();
        wheel.check_invariants();
        let live: Vec<TimerKey> = (0..10).map(|deadline| wheel.arm(deadline, "new")).collect();
        assert!(stale.iter().all(|&key| wheel.disarm(key).is_none()));
        assert!(live.iter().all(|&key| wheel.disarm(key) == Some("new")));
    }

    #[test]
    fn a_key_that_no_timer_ever_had_does_nothing() {
        let mut wheel = TimerWheel::new(0);
        let key = wheel.arm(1, ());
        wheel.disarm(key);
        for bits in [0, 1, u64::MAX, key.to_bits() ^ 1, key.to_bits() ^ 1 << 32, u32::MAX as u64] {
            assert_eq!(wheel.disarm(TimerKey::from_bits(bits)), None);
            assert!(!wheel.rearm(TimerKey::from_bits(bits), 1));
        }
        wheel.check_invariants();
    }

    #[test]
    fn a_key_of_another_wheel_does_nothing() {
        let mut wheels = [TimerWheel::new(0), TimerWheel::new(0)];
        let keys: [Vec<TimerKey>; 2] =
            wheels.each_mut().map(|wheel| (0..5_000).map(|deadline| wheel.arm(deadline, ())).collect());
        let [one, other] = &mut wheels;
        assert!(
            keys[1].iter().all(|&key| !one.is_armed(key) && one.disarm(key).is_none() && !one.rearm(key, 7))
        );
        assert!(keys[0].iter().all(|&key| one.is_armed(key) && other.get(key).is_none()));
        one.check_invariants();
    }

    #[test]
    fn no_two_timers_armed_at_once_share_a_key() {
        let mut wheel = TimerWheel::new(0);
        let mut keys: Vec<TimerKey> = (0..100).map(|deadline| wheel.arm(deadline, ())).collect();
        for key in keys.drain(..50) {
            wheel.disarm(key);
        }
        keys.extend((0..100).map(|deadline| wheel.arm(deadline, ())));
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), wheel.len());
        assert!(keys.iter().all(|&key| TimerKey::from_bits(key.to_bits()) == key));
    }

    #[test]
    fn a_value_can_be_changed_while_its_timer_is_armed() {
        let mut wheel = TimerWheel::new(0);
        let key = wheel.arm(1, 1);
        *wheel.get_mut(key).unwrap() += 1;
        assert_eq!(wheel.get(key), Some(&2));
        assert_eq!(fired(&mut wheel, 1), [2]);
    }
}

mod next_deadline {
    use super::*;

    #[test]
    fn the_next_deadline_is_exact_while_the_earliest_of_many_in_a_far_slot_are_disarmed() {
        const BASE: Tick = 30 << 24;
        let mut wheel = TimerWheel::new(0);
        let keys: Vec<TimerKey> = (0..10_000).map(|nth| wheel.arm(BASE + nth * 7, nth)).collect();
        for (nth, key) in (0..).zip(keys) {
            assert_eq!(wheel.next_deadline(), Some(BASE + nth * 7));
            assert_eq!(wheel.disarm(key), Some(nth));
        }
        assert_eq!(wheel.next_deadline(), None);
        wheel.check_invariants();
    }

    /// The case that an ordinary wheel is bad at: very many timeouts of equal length, of which the earliest
    /// is put off once a turn. Each timer may be moved once a level, however often it is asked.
    #[test]
    fn the_next_deadline_takes_no_search_through_all_timers_in_a_slot() {
        const TIMERS: u64 = 50_000;
        const TIMEOUT: Tick = 30_000_000;
        let mut wheel = TimerWheel::new(0);
        let mut keys: std::collections::VecDeque<TimerKey> =
            (0..TIMERS).map(|nth| wheel.arm(TIMEOUT + nth / 8, nth)).collect();
        let turns = 2 * TIMERS;
        for turn in 0..turns {
            let now = turn / 8;
            assert_eq!(wheel.next_deadline(), Some(TIMEOUT + now));
            let key = keys.pop_front().unwrap();
            assert!(wheel.rearm(key, TIMEOUT + (TIMERS + turn) / 8));
            keys.push_back(key);
            assert_eq!(wheel.pop_due(now), None);
        }
        wheel.check_invariants();
        let most = 5 * (TIMERS + turns); // armed on level 4 at most: four levels down, and one to spare
        assert!(wheel.moves() <= most, "{} moves, more than {most}", wheel.moves());
    }

    #[test]
    fn a_nearer_timer_armed_after_a_slot_was_opened_comes_first() {
        let mut wheel = TimerWheel::new(0);
        for nth in 0..100 {
            wheel.arm(1_000_000 + nth * 50, "far");
        }
        assert_eq!(wheel.next_deadline(), Some(1_000_000));
        let within = wheel.arm(999_999, "in the opened slot");
        assert_eq!(wheel.next_deadline(), Some(999_999));
        let before = wheel.arm(3, "in a slot before it");
        assert_eq!(wheel.next_deadline(), Some(3));
        wheel.check_invariants();
        assert_eq!(wheel.disarm(before), Some("in a slot before it"));
        assert_eq!(wheel.next_deadline(), Some(999_999));
        assert_eq!(wheel.disarm(within), Some("in the opened slot"));
        assert_eq!(wheel.next_deadline(), Some(1_000_000));
        wheel.check_invariants();
    }

    #[test]
    fn opened_slots_close_when_their_last_timer_leaves() {
        let mut wheel = TimerWheel::new(0);
        for _ in 0..3 {
            let keys: Vec<TimerKey> = (0..64).map(|nth| wheel.arm((1 << 40) + nth, nth)).collect();
            assert_eq!(wheel.next_deadline(), Some(1 << 40));
            for key in keys {
                wheel.disarm(key);
            }
            wheel.check_invariants();
            assert_eq!(wheel.next_deadline(), None);
        }
    }

    #[test]
    fn the_cursor_takes_over_what_was_opened_without_moving_it_again() {
        let mut wheel = TimerWheel::new(0);
        let nearer = wheel.arm(1, 0);
        for nth in 0..64 {
            wheel.arm((1 << 18) + nth, nth);
        }
        assert_eq!(wheel.next_deadline(), Some(1)); // files them all
        wheel.disarm(nearer); // so that the next is not known
        assert_eq!(wheel.next_deadline(), Some(1 << 18));
        let opened = wheel.moves();
        assert_eq!(opened, 3 * 64, "down from level 3 to level 0");
        assert_eq!(fired(&mut wheel, 1 << 18), [0]);
        assert_eq!(fired(&mut wheel, (1 << 18) + 63), (1..64).collect::<Vec<_>>());
        assert_eq!(wheel.moves(), opened);
    }

    #[test]
    fn what_is_disarmed_before_anybody_asks_is_never_filed() {
        let mut wheel = TimerWheel::new(0);
        wheel.arm(1_000, "first");
        assert_eq!(wheel.next_deadline(), Some(1_000));
        // None of these can be the first, however many there are.
        let keys: Vec<TimerKey> = (0..100).map(|nth| wheel.arm(1_000_000 + nth, "given up")).collect();
        for now in 0..100 {
            assert_eq!(wheel.pop_due(now), None);
            assert_eq!(wheel.next_deadline(), Some(1_000));
        }
        assert_eq!(wheel.unfiled(), 100);
        for key in keys {
            assert_eq!(wheel.disarm(key), Some("given up"));
        }
        wheel.check_invariants();
        assert_eq!(wheel.unfiled(), 0);
        assert_eq!(fired(&mut wheel, 2_000_000), ["first"]);
    }

    #[test]
    fn a_timer_that_was_not_filed_yet_fires_before_one_that_is_held_back() {
        let mut wheel = TimerWheel::new(0);
        wheel.arm(8, "first");
        assert_eq!(wheel.next_deadline(), Some(8));
        wheel.arm(10, "in the tray");
        assert_eq!(wheel.pop_due(10), Some("first"));
        wheel.arm(3, "held back"); // and so due at 10
        wheel.check_invariants();
        assert_eq!(fired(&mut wheel, 20), ["in the tray", "held back"]);
    }

    #[test]
    fn a_few_timers_far_apart_are_never_moved_to_find_the_next() {
        let mut wheel = TimerWheel::new(0);
        for deadline in [1_000_003, 1_000_001, 1_000_002] {
            wheel.arm(deadline, deadline);
        }
        assert_eq!(wheel.next_deadline(), Some(1_000_001));
        assert_eq!(fired(&mut wheel, 2_000_000), [1_000_001, 1_000_002, 1_000_003]);
        assert_eq!(wheel.moves(), 0);
    }
}

mod values {
    use super::*;

    /// Counts its drops.
    struct Counted(Rc<Cell<usize>>);

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }

    fn wheel_of(count: u64, drops: &Rc<Cell<usize>>) -> (TimerWheel<Counted>, Vec<TimerKey>) {
        let mut wheel = TimerWheel::new(10);
        let keys = (0..count).map(|nth| wheel.arm(nth * nth * nth, Counted(drops.clone()))).collect();
        (wheel, keys)
    }

    #[test]
    fn every_value_is_dropped_exactly_once_whichever_way_it_leaves() {
        let drops = Rc::new(Cell::new(0));
        let (mut wheel, keys) = wheel_of(100, &drops);
        drop(wheel.disarm(keys[99]));
        assert_eq!(drops.get(), 1);
        wheel.advance(30 * 30 * 30, drop);
        assert_eq!(drops.get(), 1 + 31);
        drop(wheel.pop_due(31 * 31 * 31));
        assert_eq!(drops.get(), 1 + 31 + 1);
        assert_eq!(wheel.len(), 100 - drops.get());
        drop(wheel);
        assert_eq!(drops.get(), 100);
    }

    #[test]
    fn clearing_drops_every_value_and_leaves_the_wheel_usable() {
        let drops = Rc::new(Cell::new(0));
        let (mut wheel, _) = wheel_of(50, &drops);
        wheel.clear();
        assert_eq!((drops.get(), wheel.len(), wheel.now()), (50, 0, 10));
        assert_eq!(wheel.next_deadline(), None);
        wheel.arm(20, Counted(drops.clone()));
        wheel.check_invariants();
        assert_eq!(wheel.next_deadline(), Some(20));
    }

    #[test]
    fn a_drain_that_is_dropped_early_or_leaked_still_disarms_everything() {
        let drops = Rc::new(Cell::new(0));
        let (mut wheel, keys) = wheel_of(50, &drops);
        drop(wheel.drain().next());
        assert_eq!(drops.get(), 50);

        for _ in 0..5 {
            wheel.arm(100, Counted(drops.clone()));
        }
        std::mem::forget(wheel.drain());
        wheel.check_invariants();
        assert!(wheel.is_empty());
        assert!(keys.iter().all(|&key| !wheel.is_armed(key)));
    }
}
