//! Who runs when (the rules SC), and who may not starve whom.

mod support;

use homing::{Builder, Runtime};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use support::{Gate, Log, forever, in_virtual_time, millis, runtime, yields};

/// A task that gives way for ever.
fn restless(polls: &Rc<Cell<u32>>) -> homing::Task<()> {
    let polls = polls.clone();
    homing::spawn(async move {
        loop {
            polls.set(polls.get() + 1);
            homing::yield_now().await?;
        }
    })
}

#[test]
fn sc_1_a_task_that_wakes_itself_lets_the_others_go_first() {
    in_virtual_time(async {
        let log = Log::default();
        let noted = log.clone();
        let first = homing::spawn(async move {
            noted.note("first");
            homing::yield_now().await?;
            noted.note("first again");
            Ok(())
        });
        let noted = log.clone();
        let second = homing::spawn(async move {
            noted.note("second");
            Ok(())
        });
        first.await?;
        second.await?;
        assert_eq!(log.take(), ["first", "second", "first again"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn sc_1_what_is_spawned_in_a_turn_runs_in_the_next_one() {
    let (runtime, _) = runtime();
    let log = Log::default();
    let noted = log.clone();
    drop(runtime.spawn(async move {
        noted.note("outer");
        let inner = noted.clone();
        drop(homing::spawn(async move {
            inner.note("inner");
            Ok(())
        }));
        Ok(())
    }));
    assert!(runtime.turn(homing::runtime::Budget::batch()).unwrap().more_ready);
    assert_eq!(log.take(), ["outer"]);
    assert!(!runtime.turn(homing::runtime::Budget::batch()).unwrap().more_ready);
    assert_eq!(log.take(), ["inner"]);
}

#[test]
fn sc_2_tasks_start_in_the_order_in_which_they_were_spawned_while_the_creator_goes_on() {
    in_virtual_time(async {
        let log = Log::default();
        for number in 0..200 {
            let log = log.clone();
            drop(homing::spawn(async move {
                log.note(number);
                Ok(())
            }));
        }
        assert!(log.take().is_empty());
        yields(1).await?;
        assert_eq!(log.take(), (0..200).map(|number| number.to_string()).collect::<Vec<_>>());
        Ok(())
    })
    .unwrap();
}

#[test]
fn sc_3_an_awaiter_goes_on_a_turn_after_the_end_behind_what_was_ready_before() {
    in_virtual_time(async {
        let log = Log::default();
        let awaited = homing::spawn({
            let log = log.clone();
            async move {
                log.note("ends");
                Ok(())
            }
        });
        let other = homing::spawn({
            let log = log.clone();
            async move {
                log.note("other");
                homing::yield_now().await?;
                log.note("other again");
                Ok(())
            }
        });
        awaited.await?;
        log.note("awaiter");
        other.await?;
        assert_eq!(log.take(), ["ends", "other", "awaiter", "other again"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn sc_4_to_await_what_has_ended_takes_no_turn() {
    in_virtual_time(async {
        let ended = homing::spawn(async { Ok(1) });
        yields(1).await?;
        let witness = Rc::new(Cell::new(0));
        let _restless = restless(&witness);
        assert_eq!(ended.await?, 1);
        assert_eq!(witness.get(), 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn sc_5_a_sleep_of_zero_takes_one_turn_and_no_timer() {
    let (runtime, _) = runtime();
    let turns = Rc::new(Cell::new(0));
    let counted = turns.clone();
    let sleeper = runtime.spawn(async {
        homing::sleep(Duration::ZERO).await?;
        homing::sleep(Duration::ZERO).await
    });
    drop(runtime.spawn(async move {
        loop {
            counted.set(counted.get() + 1);
            homing::yield_now().await?;
        }
        #[allow(unreachable_code)]
        Ok(())
    }));
    while !sleeper.is_finished() {
        let turn = runtime.turn(homing::runtime::Budget::batch()).unwrap();
        assert_eq!(turn.next_deadline, None);
    }
    assert_eq!(turns.get(), 3);
}

#[test]
fn sc_7_what_is_ready_runs_before_the_timers_that_fall_due_in_the_same_turn() {
    Runtime::new()
        .block_on(async {
            let log = Log::default();
            let noted = log.clone();
            let sleeper = homing::spawn(async move {
                homing::sleep(millis(1)).await?;
                noted.note("timer");
                Ok(())
            });
            yields(1).await?;
            std::thread::sleep(millis(3));
            let noted = log.clone();
            homing::call_soon(move || noted.note("ready"));
            sleeper.await?;
            assert_eq!(log.take(), ["ready", "timer"]);
            Ok(())
        })
        .unwrap();
}

#[test]
fn sc_8_timers_of_one_deadline_fire_in_the_order_in_which_they_were_armed() {
    in_virtual_time(async {
        let log = Log::default();
        let deadline = homing::Instant::now() + millis(5);
        let tasks: Vec<_> = (0..500)
            .map(|number| {
                let log = log.clone();
                homing::spawn(async move {
                    homing::sleep_until(deadline).await?;
                    log.note(number);
                    Ok(())
                })
            })
            .collect();
        for task in tasks {
            task.await?;
        }
        assert_eq!(log.take(), (0..500).map(|number| number.to_string()).collect::<Vec<_>>());
        Ok(())
    })
    .unwrap();
}

#[test]
fn sc_9_a_cancel_reaches_the_end_of_a_chain_in_the_next_turn_and_climbs_one_task_a_turn() {
    let (runtime, _) = runtime();
    let log = Log::default();
    runtime
        .block_on(async {
            let mut task = homing::spawn({
                let log = log.clone();
                async move {
                    let ended = forever().await;
                    log.note("0");
                    ended
                }
            });
            for depth in 1..4 {
                let (inner, log) = (task, log.clone());
                task = homing::spawn(async move {
                    let ended = inner.await;
                    log.note(depth);
                    ended
                });
            }
            yields(5).await?;
            task.cancel();
            for depth in 0..4 {
                yields(1).await?;
                assert_eq!(log.take(), [depth.to_string()]);
            }
            assert!(task.is_cancelled());
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_restless_task_starves_neither_others_nor_timers_nor_other_threads() {
    let runtime = Runtime::new();
    let handle = runtime.handle();
    runtime
        .block_on(async {
            let polls = Rc::new(Cell::new(0));
            let restless = restless(&polls);
            homing::sleep(millis(2)).await?;
            yields(10).await?;
            let remote = std::thread::spawn(move || handle.spawn_remote(|| async { Ok(5) }).wait());
            while !remote.is_finished() {
                homing::sleep(Duration::from_micros(100)).await?;
            }
            assert_eq!(remote.join().unwrap()?, 5);
            assert!(polls.get() > 10);
            restless.abort();
            Ok(())
        })
        .unwrap();
}

#[test]
#[cfg(unix)]
fn a_restless_task_does_not_starve_the_descriptors() {
    let runtime = Runtime::new();
    runtime
        .block_on(async {
            let polls = Rc::new(Cell::new(0));
            let restless = restless(&polls);
            let listener = homing::net::TcpListener::bind("127.0.0.1:0")?;
            let address = listener.local_addr()?;
            let server = homing::spawn(async move {
                let (stream, _) = listener.accept().await?;
                let mut read = [0; 4];
                stream.read_exact(&mut read).await?;
                Ok(read)
            });
            let client = homing::net::TcpStream::connect(address).await?;
            client.write_all(b"ping").await?;
            assert_eq!(&server.await?, b"ping");
            restless.abort();
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_turn_with_a_budget_returns_and_the_rest_comes_first_in_the_next() {
    let (runtime, _) = runtime();
    let log = Log::default();
    for number in 0..5 {
        let log = log.clone();
        drop(runtime.spawn(async move {
            log.note(number);
            homing::yield_now().await?;
            log.note(format!("{number} again"));
            Ok(())
        }));
    }
    let two = homing::runtime::Budget::polls(2);
    assert!(runtime.turn(two).unwrap().more_ready);
    assert_eq!(log.take(), ["0", "1"]);
    assert!(runtime.turn(two).unwrap().more_ready);
    assert_eq!(log.take(), ["2", "3"]);
    assert!(runtime.turn(two).unwrap().more_ready);
    assert_eq!(log.take(), ["4"]);
    runtime.run_until_stalled().unwrap();
    assert_eq!(log.take(), ["0 again", "1 again", "2 again", "3 again", "4 again"]);
}

#[test]
fn a_task_that_is_woken_many_times_is_polled_once() {
    in_virtual_time(async {
        let gate = Gate::default();
        let polls = Rc::new(Cell::new(0));
        let task = homing::spawn({
            let (gate, polls) = (gate.clone(), polls.clone());
            async move {
                let mut gate = std::pin::pin!(gate);
                std::future::poll_fn(|cx| {
                    polls.set(polls.get() + 1);
                    gate.as_mut().poll(cx)
                })
                .await;
                Ok(())
            }
        });
        yields(1).await?;
        let waker = gate.waker().unwrap();
        (0..10).for_each(|_| waker.wake_by_ref());
        waker.wake();
        yields(3).await?;
        assert_eq!(polls.get(), 2);
        gate.open();
        task.await
    })
    .unwrap();
}

fn order_with(seed: Option<u64>) -> Vec<String> {
    let builder = Builder::new().virtual_time();
    let runtime = seed.map_or_else(|| Builder::new().virtual_time(), |seed| builder.seed(seed)).build();
    let log = Log::default();
    for number in 0..20 {
        let log = log.clone();
        drop(runtime.spawn(async move {
            log.note(number);
            homing::yield_now().await?;
            log.note(number);
            Ok(())
        }));
    }
    runtime.run_until_stalled().unwrap();
    log.take()
}

#[test]
fn a_seeded_order_is_a_permutation_of_each_batch_and_depends_on_the_seed_alone() {
    let plain = order_with(None);
    let seeded = order_with(Some(1));
    assert_eq!(seeded, order_with(Some(1)));
    assert_ne!(seeded, order_with(Some(2)));
    assert_ne!(seeded, plain);
    for half in [&seeded[..20], &seeded[20..]] {
        let mut sorted = half.to_vec();
        sorted.sort();
        let mut expected = plain[..20].to_vec();
        expected.sort();
        assert_eq!(sorted, expected, "each batch is complete before the next begins");
    }
}

#[test]
fn callbacks_take_their_turn_among_the_tasks() {
    in_virtual_time(async {
        let log = Log::default();
        let note = |text| {
            let log = log.clone();
            move || log.note(text)
        };
        homing::call_soon(note("first"));
        let task = note("task");
        drop(homing::spawn(async move {
            task();
            Ok(())
        }));
        homing::call_soon(note("second"));
        yields(1).await?;
        assert_eq!(log.take(), ["first", "task", "second"]);
        Ok(())
    })
    .unwrap();
}
