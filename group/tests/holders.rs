//! Who holds what a task waits for: named with the place, as long as it is so, and with what is not known said.

use futures_util::future::join;
use homing::holders::Hold;
use homing::introspect::{Frame, FrameKind, HeldBy, Taker, TaskTable};
use homing::introspect::{capture_call_graph_of, capture_tasks, format_call_graph_of};
use homing::sync::{BoundedSemaphore, Condition, Mutex, MutexGuard, Semaphore};
use homing::{Builder, Result, Task, TaskRef, gather, sleep, spawn, task, yield_now};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

fn in_virtual_time<T>(main: impl Future<Output = Result<T>>) -> T {
    Builder::new().virtual_time().build().run(main).unwrap()
}

/// The awaits at which a task stands.
fn awaits(task: &TaskRef) -> Vec<Frame> {
    let graph = capture_call_graph_of(task);
    let stack = graph.root().call_stack();
    stack.iter().filter(|frame| frame.kind == FrameKind::Await).cloned().collect()
}

/// Who holds the one thing that a task waits for.
fn held_by(task: &TaskRef) -> Vec<HeldBy> {
    let [at] = &awaits(task)[..] else { panic!("{}", format_call_graph_of(task)) };
    at.held_by.clone()
}

/// The same in words.
fn said(task: &TaskRef) -> String {
    let [at] = &awaits(task)[..] else { panic!("{}", format_call_graph_of(task)) };
    // The number of the lock comes first.
    at.detail.split_once(", ").map(|(_, said)| said.to_owned()).unwrap_or_default()
}

/// The names of those who await a task, sorted.
fn awaiters(task: &TaskRef) -> Vec<String> {
    let graph = capture_call_graph_of(task);
    let mut names: Vec<String> = graph.root().awaited_by().map(|task| task.name().into_owned()).collect();
    names.sort();
    names
}

fn line_of(held: &HeldBy) -> u32 {
    held.place.as_ref().expect("the place is known").line
}

fn waits_for(name: &'static str, mutex: &Rc<Mutex<u32>>) -> Task<()> {
    let mutex = mutex.clone();
    task(async move { mutex.lock().await.map(drop) }).name(name).spawn()
}

fn table_of(table: &TaskTable, name: &str) -> Vec<String> {
    let task = table.tasks().find(|task| task.name.as_deref() == Some(name)).unwrap();
    task.stack.iter().map(ToString::to_string).collect()
}

#[test]
fn who_waits_for_a_mutex_shows_who_holds_it_and_where_that_one_took_it() {
    in_virtual_time(async {
        let mutex = Rc::new(Mutex::new(0));
        let theirs = mutex.clone();
        let took_at = line!() + 2;
        let holds = task(async move {
            let _held = theirs.lock().await?;
            sleep(HOUR).await
        });
        let holds = holds.name("holds").spawn();
        yield_now().await?;
        let waits = waits_for("waits", &mutex);
        yield_now().await?;

        let [held] = &held_by(&waits)[..] else { panic!() };
        assert_eq!((&*held.name, held.taker, held.hold), ("holds", Taker::Alive, Hold::Borrowed));
        assert_eq!((held.task, held.permits, line_of(held)), (holds.id().as_u64(), 0, took_at));
        let words = format!("held by task 'holds' since group/tests/holders.rs:{took_at}:");
        assert!(said(&waits).starts_with(&words), "{}", said(&waits));
        // It is awaited by who waits for its lock, in each of the ways to show it.
        assert_eq!(awaiters(&holds), ["waits"]);
        assert!(format_call_graph_of(&waits).contains(&words));
        let table = capture_tasks();
        assert!(table_of(&table, "waits")[0].contains(&words));
        assert!(table.to_dot().contains(&words));
        let json: serde_json::Value = serde_json::from_str(&table.to_json()).unwrap();
        let tasks = json["threads"][0]["tasks"].as_array().unwrap();
        let of = |name: &str| tasks.iter().find(|task| task["name"] == name).unwrap();
        let held = &of("waits")["stack"][0]["held_by"][0];
        assert_eq!(
            (&held["name"], &held["hold"], &held["taker"]),
            (&"holds".into(), &"held".into(), &"alive".into())
        );
        assert_eq!((&held["task"], &held["place"]["line"]), (&of("holds")["id"], &took_at.into()));
        assert_eq!(of("holds")["awaited_by"][0]["awaiter"], of("waits")["id"]);
        let tree = table.tree().unwrap().concat().join("\n");
        assert!(tree.contains("(T) waits") && tree.contains("(T) holds"), "{tree}");

        holds.cancel();
        waits.await
    });
}

#[test]
fn it_is_always_the_present_holder_that_is_shown_and_who_it_is_kept_for_in_between() {
    in_virtual_time(async {
        let mutex = Rc::new(Mutex::new(0));
        let held = mutex.lock().await?;
        let next = task({
            let mutex = mutex.clone();
            async move {
                let _held = mutex.lock().await?;
                yield_now().await?;
                yield_now().await
            }
        });
        let next = next.name("next").spawn();
        let last = waits_for("last", &mutex);
        yield_now().await?;
        assert!(said(&next).starts_with("held by task 'main' since "), "{}", said(&next));
        assert!(said(&last).starts_with("held by task 'main' since "), "{}", said(&last));
        drop(held);
        // Nobody has it, and it is not free.
        assert!(said(&last).starts_with("kept for task 'next', which awaits it at "), "{}", said(&last));
        assert_eq!(held_by(&last)[0].hold, Hold::Kept);
        assert_eq!(awaiters(&next), ["last"]);
        yield_now().await?;
        assert!(said(&last).starts_with("held by task 'next' since "), "{}", said(&last));
        assert_eq!(awaiters(&next), ["last"]);
        next.await?;
        last.await
    });
}

#[test]
fn whatever_order_tasks_run_in_the_holder_that_is_shown_is_the_one_that_has_the_lock() {
    for seed in 0..40 {
        Builder::new()
            .virtual_time()
            .seed(seed)
            .build()
            .run(async move {
                let (mutex, has_it) = (Rc::new(Mutex::new(0)), Rc::new(Cell::new(None)));
                let looks = Rc::new(Cell::new(0));
                let workers: Vec<Task<()>> = (0..5)
                    .map(|number| {
                        let (mutex, has_it) = (mutex.clone(), has_it.clone());
                        task(async move {
                            for _ in 0..4 {
                                let _held = mutex.lock().await?;
                                has_it.set(Some(number));
                                yield_now().await?;
                                has_it.set(None);
                            }
                            Ok(())
                        })
                        .name(format!("worker {number}"))
                        .spawn()
                    })
                    .collect();
                while !workers.iter().all(|worker| worker.is_finished()) {
                    for worker in &workers {
                        let awaits = awaits(worker);
                        let [at] = &awaits[..] else { continue };
                        if at.name != "mutex" {
                            continue;
                        }
                        let held: Vec<&HeldBy> =
                            at.held_by.iter().filter(|held| held.hold != Hold::Kept).collect();
                        let names: Vec<&str> = held.iter().map(|held| held.name.as_str()).collect();
                        let expected = has_it.get().map(|number: u32| format!("worker {number}"));
                        assert_eq!(names, expected.iter().collect::<Vec<_>>());
                        looks.set(looks.get() + 1);
                    }
                    yield_now().await?;
                }
                assert!(looks.get() > 10, "{}", looks.get());
                gather(workers).await.map(drop)
            })
            .unwrap();
    }
}

#[test]
fn a_guard_that_was_forgotten_is_held_by_a_task_that_is_done() {
    in_virtual_time(async {
        let (one, other) = (Rc::new(Mutex::new(0)), Rc::new(Mutex::new(0)));
        let forgets = |mutex: &Rc<Mutex<u32>>| {
            let mutex = mutex.clone();
            async move {
                std::mem::forget(mutex.lock().await?);
                Ok(())
            }
        };
        let known = task(forgets(&one)).name("forgets").spawn();
        let id = {
            let unknown = task(forgets(&other)).name("forgets too").spawn();
            yield_now().await?;
            unknown.id()
        };
        let (waits, waits_too) = (waits_for("waits", &one), waits_for("waits too", &other));
        yield_now().await?;
        // As long as somebody has its handle, its name is known.
        assert!(known.is_finished());
        let words = "held by task 'forgets' (done), which took it at group/tests/holders.rs:";
        assert!(said(&waits).starts_with(words), "{}", said(&waits));
        let words = format!("held by task {id} (done), which took it at group/tests/holders.rs:");
        assert!(said(&waits_too).starts_with(&words), "{}", said(&waits_too));
        assert_eq!(held_by(&waits_too)[0].taker, Taker::Done);
        waits.cancel();
        waits_too.cancel();
        Ok(())
    });
}

#[test]
fn a_lock_that_was_taken_outside_of_any_task_says_so() {
    let mutex = Rc::new(Mutex::new(0));
    let held = mutex.try_lock().unwrap();
    let took_at = line!() - 1;
    in_virtual_time(async {
        let waits = waits_for("waits", &mutex);
        yield_now().await?;
        let words = format!("held from outside of any task, taken at group/tests/holders.rs:{took_at}:");
        assert!(said(&waits).starts_with(&words), "{}", said(&waits));
        waits.cancel();
        Ok(())
    });
    drop(held);
}

#[test]
fn a_lock_that_a_task_of_another_runtime_holds_says_so() {
    let mutex = Rc::new(Mutex::new(0));
    let other = Builder::new().build();
    let theirs = mutex.clone();
    let holds = other.spawn(async move {
        let _held = theirs.lock().await?;
        std::future::pending::<Result<()>>().await
    });
    other.run_until_stalled().unwrap();
    in_virtual_time(async {
        let waits = waits_for("waits", &mutex);
        yield_now().await?;
        let words = format!("held by task {} of another runtime since ", holds.id());
        assert!(said(&waits).starts_with(&words), "{}", said(&waits));
        waits.cancel();
        Ok(())
    });
    holds.abort();
}

#[test]
fn of_an_owned_guard_it_is_said_that_it_may_have_been_given_away() {
    in_virtual_time(async {
        let mutex = Rc::new(Mutex::new(0));
        let held = mutex.lock_owned().await?;
        let keeps = task(async move {
            let _held = held;
            sleep(HOUR).await
        });
        let keeps = keeps.name("keeps").spawn();
        let waits = waits_for("waits", &mutex);
        yield_now().await?;
        assert_eq!((&*held_by(&waits)[0].name, held_by(&waits)[0].hold), ("main", Hold::Owned));
        assert!(said(&waits).ends_with(", unless it gave the guard away"), "{}", said(&waits));
        keeps.cancel();
        waits.await
    });
}

#[test]
fn who_has_waited_for_a_condition_holds_the_lock_since_that_wait() {
    in_virtual_time(async {
        let (mutex, condition) = (Rc::new(Mutex::new(0)), Rc::new(Condition::new()));
        let theirs = (mutex.clone(), condition.clone());
        let again_at = line!() + 3;
        let notified = task(async move {
            let mut held = theirs.0.lock().await?;
            theirs.1.wait(&mut held).await?;
            sleep(HOUR).await
        });
        let notified = notified.name("notified").spawn();
        yield_now().await?;
        {
            let held = mutex.lock().await?;
            condition.notify(&held, 1);
        }
        let waits = waits_for("waits", &mutex);
        yield_now().await?;
        yield_now().await?;
        assert_eq!((&*held_by(&waits)[0].name, line_of(&held_by(&waits)[0])), ("notified", again_at));
        notified.cancel();
        waits.await
    });
}

#[test]
fn a_semaphore_names_three_who_have_permits_and_counts_those_of_the_others() {
    in_virtual_time(async {
        let semaphore = Rc::new(Semaphore::new(9));
        let holder = |number: usize| {
            let semaphore = semaphore.clone();
            let holds = async move {
                let _permits = semaphore.acquire_many(number).await?;
                sleep(HOUR).await
            };
            task(holds).name(format!("has {number}")).spawn()
        };
        let holders = [1, 2, 1, 4, 1].map(holder);
        yield_now().await?;
        let waits = task(async move { semaphore.acquire().await.map(drop) }).name("waits").spawn();
        yield_now().await?;
        let held = held_by(&waits);
        let has: Vec<(&str, u32)> = held.iter().map(|held| (&*held.name, held.permits)).collect();
        assert_eq!(has, [("has 1", 1), ("has 2", 2), ("has 1", 1)]);
        let said = said(&waits);
        assert!(said.starts_with("held by task 'has 1' (1 permit) since group/"), "{said}");
        assert!(said.contains("; held by task 'has 2' (2 permits) since group/"), "{said}");
        assert!(said.ends_with("; and 5 permits more"), "{said}");
        // Each that is named is awaited, and the others, of whom nothing is known, are not.
        let awaited = holders.each_ref().map(|holder| awaiters(holder).len());
        assert_eq!(awaited, [1, 1, 1, 0, 0]);
        for holder in &holders {
            holder.cancel();
        }
        waits.await
    });
}

#[test]
fn permits_that_go_back_or_are_forgotten_are_held_by_nobody() {
    in_virtual_time(async {
        let semaphore = Rc::new(BoundedSemaphore::new(4));
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(semaphore.acquire_owned(1).await?);
        }
        let theirs = semaphore.clone();
        let waits = task(async move { theirs.acquire_many(3).await.map(drop) }).name("waits").spawn();
        yield_now().await?;
        assert!(said(&waits).ends_with("; and 1 permit more"), "{}", said(&waits));
        held.pop(); // it was only counted
        assert_eq!(held_by(&waits).len(), 3);
        assert!(!said(&waits).contains(" more"), "{}", said(&waits));
        held.pop().unwrap().forget();
        assert_eq!(held_by(&waits).len(), 2);
        held.pop();
        assert_eq!(held_by(&waits).len(), 1);
        assert!(semaphore.release().is_ok());
        waits.await
    });
}

#[test]
fn a_task_that_locks_a_mutex_twice_waits_for_itself() {
    in_virtual_time(async {
        let mutex = Rc::new(Mutex::new(0));
        let twice = task(async move {
            let _once = mutex.lock().await?;
            mutex.lock().await.map(drop)
        });
        let twice = twice.name("twice").spawn();
        yield_now().await?;
        assert!(said(&twice).starts_with("held by itself since "), "{}", said(&twice));
        assert_eq!(awaiters(&twice), ["twice"]);
        let text = format_call_graph_of(&twice);
        assert!(text.contains("(a cycle: see above)"), "{text}");
        let found = capture_tasks().tree().unwrap_err();
        assert_eq!(found.circles()[0].to_string(), "twice → twice");
        twice.cancel();
        Ok(())
    });
}

#[test]
fn a_circle_through_locks_and_joins_is_told_with_both_places_of_each() {
    in_virtual_time(async {
        let (one, two) = (Rc::new(Mutex::new(0)), Rc::new(Mutex::new(0)));
        let slot: Rc<RefCell<Option<Task<()>>>> = Rc::default();
        let first = task({
            let (one, two) = (one.clone(), two.clone());
            async move {
                let _one = one.lock().await?;
                yield_now().await?;
                two.lock().await.map(drop)
            }
        });
        let _first = first.name("first").spawn();
        let second = task({
            let slot = slot.clone();
            async move {
                let _two = two.lock().await?;
                yield_now().await?;
                let third = slot.borrow_mut().take().unwrap();
                gather((third,)).await.map(drop)
            }
        });
        let second = second.name("second").spawn();
        slot.replace(Some(waits_for("third", &one)));
        for _ in 0..3 {
            yield_now().await?;
        }
        let found = capture_tasks().check_cycles().unwrap_err();
        let [circle] = found.circles() else { panic!("{found}") };
        assert_eq!(circle.steps.len(), 3);
        for step in &circle.steps {
            let awaits = step.awaits.as_ref().unwrap();
            assert!(awaits.place.is_some());
            match &*step.name {
                "first" => assert_eq!((&*awaits.name, &*awaits.held_by[0].name), ("mutex", "second")),
                "second" => assert_eq!((&*awaits.name, &*awaits.detail), ("tasks", "'third'")),
                "third" => assert_eq!((&*awaits.name, &*awaits.held_by[0].name), ("mutex", "first")),
                other => panic!("{other}"),
            }
            assert!(awaits.held_by.iter().all(|held| held.place.is_some()));
        }
        let text = found.to_string();
        assert!(text.contains("cycle: ") && text.contains("held by task 'second' since group/"), "{text}");
        second.cancel();
        Ok(())
    });
}

/// Two tasks have a permit each; the one awaits the other, and that one a third permit. It may get the first one's, or its
/// own, if somebody else gives one back: so that is no circle, and there is a tree to be drawn.
#[test]
fn what_any_of_several_may_give_back_closes_no_circle() {
    in_virtual_time(async {
        let semaphore = Rc::new(Semaphore::new(2));
        let theirs = semaphore.clone();
        let has = task(async move {
            let _permit = theirs.acquire().await?;
            sleep(HOUR).await
        });
        let has = has.name("has").spawn();
        let theirs = semaphore.clone();
        let wants = task(async move {
            yield_now().await?;
            theirs.acquire().await.map(drop)
        });
        let wants = wants.name("wants").spawn();
        let awaited = wants.share();
        let theirs = (semaphore.clone(), awaited.clone());
        let awaits = task(async move {
            let _permit = theirs.0.acquire().await?;
            theirs.1.await
        });
        let awaits = awaits.name("awaits").spawn();
        for _ in 0..3 {
            yield_now().await?;
        }
        assert_eq!(awaiters(&has), ["wants"]);
        assert_eq!(awaiters(&awaits), ["wants"]);
        let table = capture_tasks();
        assert!(table.check_cycles().is_ok());
        let tree = table.tree().unwrap().concat().join("\n");
        for name in ["has", "wants", "awaits"] {
            assert!(tree.contains(&format!("(T) {name}")), "{tree}");
        }
        has.cancel();
        awaits.await
    });
}

#[test]
fn two_locks_that_are_awaited_at_once_have_each_their_own_holder() {
    in_virtual_time(async {
        let locks = [(); 2].map(|()| Rc::new(Mutex::new(0)));
        let holders: Vec<Task<()>> = locks
            .iter()
            .zip(["left", "right"])
            .map(|(mutex, name)| {
                let mutex = mutex.clone();
                let holds = async move {
                    let _held = mutex.lock().await?;
                    sleep(HOUR).await
                };
                task(holds).name(name).spawn()
            })
            .collect();
        yield_now().await?;
        let waits = task(async move {
            let (left, right) = join(locks[0].lock(), locks[1].lock()).await;
            drop((left?, right?));
            Ok(())
        });
        let waits = waits.name("waits").spawn();
        yield_now().await?;
        let names: Vec<String> = awaits(&waits).iter().map(|at| at.held_by[0].name.clone()).collect();
        assert_eq!(names, ["left", "right"]);
        for holder in &holders {
            holder.cancel();
        }
        waits.await
    });
}

#[test]
fn looking_is_harmless_when_a_wait_was_forgotten_and_its_lock_is_gone() {
    /// What is forgotten on purpose is still known, as leak checkers understand it.
    static FORGOTTEN: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());
    in_virtual_time(async {
        let forgets = task(async {
            let mutex = Mutex::new(0);
            let held = mutex.lock().await?;
            let mut wait = Box::pin(mutex.lock());
            std::future::poll_fn(|cx| {
                assert!(wait.as_mut().poll(cx).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
            FORGOTTEN.store(std::ptr::from_ref(&*wait).cast_mut().cast(), Ordering::Relaxed);
            std::mem::forget(wait);
            drop(held);
            drop(mutex);
            sleep(HOUR).await
        });
        let forgets = forgets.name("forgets").spawn();
        yield_now().await?;
        assert!(format_call_graph_of(&forgets).contains("mutex 0x"));
        // Another lock may have its board by now.
        let others: Vec<Rc<Mutex<u32>>> = (0..300).map(|_| Rc::new(Mutex::new(0))).collect();
        let held: Vec<MutexGuard<'_, u32>> = others.iter().map(|mutex| mutex.try_lock().unwrap()).collect();
        let waiting: Vec<Task<()>> = others.iter().map(|mutex| waits_for("waits", mutex)).collect();
        yield_now().await?;
        assert_eq!(capture_tasks().tasks().count(), 302);
        drop(held);
        gather(waiting).await?;
        forgets.cancel();
        Ok(())
    });
}

#[test]
fn a_lock_that_is_only_tried_names_who_took_it_all_the_same() {
    in_virtual_time(async {
        let semaphore = Rc::new(Semaphore::new(1));
        let permit = semaphore.try_acquire().unwrap();
        let took_at = line!() - 1;
        let theirs = semaphore.clone();
        let waits = spawn(async move { theirs.acquire().await.map(drop) });
        yield_now().await?;
        assert_eq!((&*held_by(&waits)[0].name, line_of(&held_by(&waits)[0])), ("main", took_at));
        drop(permit);
        waits.await
    });
}
