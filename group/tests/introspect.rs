//! Who waits for whom, through each combinator: exactly while it does (CG-1 to CG-3).

use futures_util::future::{self, LocalBoxFuture};
use futures_util::{FutureExt, TryFutureExt};
use homing::introspect::{FrameKind, capture_call_graph_of, capture_tasks};
use homing::sync::{Barrier, Condition, Event, Mutex, Queue, Semaphore, channel, oneshot};
use homing::{Builder, Result, ReturnWhen, SharedTask, Task, TaskGroup, TaskRef};
use homing::{
    as_completed, gather, race, scope, shield, sleep, spawn, task, task_group, timeout, timeout_scope,
};
use homing::{wait, wait_for, yield_now};
use proptest::prelude::*;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

fn in_virtual_time<T>(main: impl Future<Output = Result<T>>) -> T {
    Builder::new().virtual_time().build().run(main).unwrap()
}

fn sleeper(name: &'static str) -> SharedTask<()> {
    task(sleep(HOUR)).name(name).spawn().share()
}

/// The names of those who await a task, sorted.
fn awaiters(task: &TaskRef) -> Vec<String> {
    let graph = capture_call_graph_of(task);
    let mut names: Vec<String> = graph.root().awaited_by().map(|task| task.name().into_owned()).collect();
    names.sort();
    names
}

/// What stands at the await of a task, and around it.
fn frames(task: &TaskRef) -> Vec<String> {
    let graph = capture_call_graph_of(task);
    let frames = graph.root().call_stack().iter().filter(|frame| frame.kind != FrameKind::Spawn);
    frames.map(|frame| format!("{} {}", frame.name, frame.detail).trim().to_owned()).collect()
}

/// Two sleepers, and a task that waits for them; then the ways out: the wait is cancelled, dropped by a timeout, or given
/// up in a `select!`; each leaves nothing behind.
fn leaves_nothing_behind<F, W>(waits: W)
where
    W: Fn([SharedTask<()>; 2]) -> F + Copy + 'static,
    F: Future<Output = Result<()>> + 'static,
{
    for way_out in ["cancel", "timeout", "select", "abort", "end"] {
        in_virtual_time(async move {
            let both = [sleeper("one"), sleeper("two")];
            let refs = both.each_ref().map(|task| TaskRef::clone(task));
            let theirs = both.clone();
            let waiter = task(async move {
                let _outcome = match way_out {
                    "timeout" => timeout(Duration::from_secs(1), waits(theirs)).await,
                    "select" => {
                        let mut late = pin!(sleep(Duration::from_secs(1)).fuse());
                        let mut waiting = pin!(waits(theirs).fuse());
                        futures_util::select! {
                            outcome = waiting => outcome,
                            _ = late => Ok(()),
                        }
                    }
                    _ => waits(theirs).await,
                };
                sleep(2 * HOUR).await
            })
            .name("waiter")
            .spawn();
            for _ in 0..3 {
                yield_now().await?;
            }
            assert_eq!(awaiters(&refs[0]), ["waiter"], "{way_out}");
            assert_eq!(awaiters(&refs[1]), ["waiter"], "{way_out}");
            match way_out {
                "cancel" => assert!(waiter.cancel()),
                "abort" => assert!(waiter.abort()),
                "end" => assert!(refs.iter().all(|task| task.abort())),
                _ => {}
            }
            sleep(Duration::from_secs(2)).await?;
            assert_eq!(awaiters(&refs[0]), Vec::<String>::new(), "{way_out}");
            assert_eq!(awaiters(&refs[1]), Vec::<String>::new(), "{way_out}");
            Ok(())
        });
    }
}

#[test]
fn a_gather_awaits_its_children_and_nothing_once_it_is_over() {
    leaves_nothing_behind(|tasks| async move { gather(tasks).await.map(drop) });
}

#[test]
fn a_wait_awaits_its_tasks_and_nothing_once_it_is_over() {
    leaves_nothing_behind(|tasks| async move { wait(tasks, ReturnWhen::AllCompleted).await.map(drop) });
}

#[test]
fn as_completed_awaits_what_is_left_while_it_waits() {
    leaves_nothing_behind(|tasks| async move {
        let mut tasks = as_completed(tasks);
        while let Some(task) = tasks.next().await {
            let _ = task?.await;
        }
        Ok(())
    });
}

#[test]
fn a_shield_awaits_its_task_and_nothing_once_it_is_over() {
    leaves_nothing_behind(|[one, two]| async move {
        let (one, two) = future::join(shield(one), shield(two)).await;
        one.and(two)
    });
}

#[test]
fn a_join_awaits_its_tasks_and_nothing_once_it_is_over() {
    leaves_nothing_behind(|[one, two]| async move {
        let (one, two) = future::join(one, two).await;
        one.and(two)
    });
}

#[test]
fn a_gather_that_has_failed_does_not_await_its_survivors() {
    in_virtual_time(async {
        let survivor = sleeper("survivor");
        let fails = task(async {
            sleep(Duration::from_secs(1)).await?;
            Err::<(), _>(homing::Error::msg("oh"))
        });
        let fails = fails.spawn().share();
        let theirs = survivor.clone();
        let waiter = spawn(async move {
            let _ = gather([theirs, fails]).await;
            sleep(2 * HOUR).await
        });
        yield_now().await?;
        assert_eq!(awaiters(&survivor).len(), 1);
        sleep(Duration::from_secs(2)).await?;
        assert_eq!(awaiters(&survivor).len(), 0);
        assert!(!survivor.is_finished() && !waiter.is_finished());
        Ok(())
    });
}

#[test]
fn a_wait_for_with_no_time_awaits_the_task_that_it_has_cancelled() {
    in_virtual_time(async {
        let stubborn = task(async {
            let _ = sleep(HOUR).await;
            sleep(Duration::from_secs(5)).await
        });
        let stubborn = stubborn.name("stubborn").spawn().share();
        let theirs = stubborn.clone();
        let waiter = task(async move { wait_for(theirs, Duration::ZERO).await }).name("waiter").spawn();
        yield_now().await?;
        yield_now().await?;
        assert_eq!(awaiters(&stubborn), ["waiter"]);
        let _ = waiter.await;
        Ok(())
    });
}

#[test]
fn a_group_awaits_a_child_from_its_spawn_to_its_end_whatever_its_body_does() {
    in_virtual_time(async {
        let ended = task_group(async |tg| {
            let child = tg.task(sleep(Duration::from_secs(1))).name("child").spawn();
            assert_eq!(awaiters(&child), ["main"]);
            assert_eq!(child.parent().map(|parent| parent.name().into_owned()).as_deref(), Some("main"));
            sleep(Duration::from_millis(500)).await?;
            assert_eq!(awaiters(&child), ["main"]);
            let sibling = tg.clone();
            let spawned = tg.spawn(async move { Ok(sibling.task(sleep(HOUR)).spawn().task_ref()) }).await?;
            assert_eq!(awaiters(&spawned), ["main"]);
            assert_eq!(spawned.parent().map(|parent| parent.name().into_owned()).as_deref(), Some("main"));
            spawned.abort();
            let child_ref = child.task_ref();
            child.await?;
            assert_eq!(awaiters(&child_ref), Vec::<String>::new());
            Ok(child_ref)
        })
        .await?;
        assert_eq!(awaiters(&ended), Vec::<String>::new());
        Ok(())
    });
}

#[test]
fn a_race_awaits_its_attempts() {
    in_virtual_time(async {
        let attempts = ["one", "two"].map(|name| async move {
            homing::current().unwrap().set_name(name);
            sleep(HOUR).await
        });
        let racer = task(async { race(attempts).stagger(Duration::from_secs(1)).await.map(drop) });
        let racer = racer.name("racer").spawn();
        sleep(Duration::from_secs(2)).await?;
        let one = homing::all_tasks().into_iter().find(|task| task.name() == "one").unwrap();
        assert_eq!(awaiters(&one), ["racer"]);
        assert_eq!(frames(&racer), ["children (2 left)"]);
        racer.abort();
        Ok(())
    });
}

#[test]
fn a_scopes_children_are_awaited_by_whoever_runs_the_scope() {
    in_virtual_time(async {
        let number = 7;
        scope(async |s| {
            let child = s.spawn(async { sleep(Duration::from_secs(u64::from(number > 0))).await });
            yield_now().await?;
            assert_eq!(awaiters(&child), ["main"]);
            child.await
        })
        .await
    });
}

#[test]
fn scopes_are_frames_with_their_names_and_deadlines() {
    in_virtual_time(async {
        let block = timeout(
            Duration::from_secs(60),
            TaskGroup::builder().name("pages").run(async |tg| {
                tg.spawn(sleep(HOUR));
                sleep(Duration::from_secs(5)).await
            }),
        );
        let task = spawn(block);
        sleep(Duration::from_secs(1)).await?;
        assert_eq!(frames(&task), ["timer due in 4s", "group 'pages'", "timeout due in 59s"]);
        sleep(Duration::from_secs(5)).await?;
        assert_eq!(frames(&task), ["children (1 left)", "group 'pages'", "timeout due in 54s"]);
        task.abort();
        Ok(())
    });
}

#[test]
fn a_deadline_that_was_moved_is_shown_as_it_is() {
    in_virtual_time(async {
        let handle = Rc::new(RefCell::new(None));
        let theirs = handle.clone();
        let task = spawn(timeout_scope(Duration::from_secs(1), async move |t| {
            theirs.replace(Some(t.clone()));
            sleep(HOUR).await
        }));
        yield_now().await?;
        assert_eq!(frames(&task), ["timer due in 3600s", "timeout due in 1s"]);
        handle
            .borrow()
            .as_ref()
            .unwrap()
            .reschedule(homing::Instant::now() + Duration::from_secs(9))
            .unwrap();
        assert_eq!(frames(&task), ["timer due in 3600s", "timeout due in 9s"]);
        handle.borrow().as_ref().unwrap().reschedule(None).unwrap();
        assert_eq!(frames(&task), ["timer due in 3600s", "timeout"]);
        task.abort();
        Ok(())
    });
}

#[test]
fn whoever_waits_for_a_thing_is_found_by_the_thing() {
    in_virtual_time(async {
        let waiting = |task: Task<()>| async move {
            yield_now().await?;
            Ok::<_, homing::Error>(task)
        };
        macro_rules! found {
            ($thing:expr, $kind:literal, $wait:expr) => {{
                let thing = Rc::new($thing);
                let theirs = thing.clone();
                let task = waiting(spawn(async move { $wait(&*theirs).await })).await?;
                let graph = capture_call_graph_of(&*thing);
                let found = graph.root().awaited_by().next().expect($kind);
                assert_eq!(found.task().unwrap().id(), task.id(), $kind);
                assert_eq!(found.call_stack()[0].name, $kind);
                task.abort();
                assert_eq!(capture_call_graph_of(&*thing).root().awaited_by().count(), 0, $kind);
            }};
        }
        found!(Event::new(), "event", async |event: &Event| event.wait().await);
        found!(Barrier::new(2), "barrier", async |barrier: &Barrier| barrier.wait().await.map(drop));
        found!(Semaphore::new(0), "semaphore", async |semaphore: &Semaphore| {
            semaphore.acquire().await.map(drop)
        });
        found!(Queue::<u8>::new(1), "queue", async |queue: &Queue<u8>| queue.get().await.map(drop));
        found!((Mutex::new(()), Condition::new()).1, "condition", async |condition: &Condition| {
            let mutex = Mutex::new(());
            let mut guard = mutex.lock().await?;
            condition.wait(&mut guard).await
        });
        let mutex = Rc::new(Mutex::new(()));
        let guard = mutex.lock().await?;
        let theirs = mutex.clone();
        let task = waiting(spawn(async move { theirs.lock().await.map(drop) })).await?;
        assert_eq!(capture_call_graph_of(&*mutex).root().awaited_by().count(), 1);
        task.abort();
        drop(guard);

        let (sender, receiver) = channel::unbounded::<u8>();
        let task = waiting(spawn(async move { receiver.recv().await.map(drop) })).await?;
        assert_eq!(capture_call_graph_of(&sender).root().awaited_by().count(), 1);
        task.abort();
        let (_sender, receiver) = oneshot::channel::<u8>();
        let task = waiting(spawn(async move { receiver.await.map(drop) })).await?;
        assert!(frames(&task)[0].starts_with("oneshot"));
        task.abort();
        Ok(())
    });
}

/// What a task of a random program does; numbers stand for tasks before it.
#[derive(Clone, Debug)]
enum Does {
    Sleeps,
    Joins(usize),
    JoinsBoth(usize, usize),
    Gathers(Vec<usize>),
    WaitsForAny(Vec<usize>),
    Shields(usize),
    /// So many children.
    Groups(usize),
    /// Polls a join once, drops it, and sleeps.
    GivesUp(usize),
}

fn does() -> impl Strategy<Value = Does> {
    let one = 0usize..64;
    let some = prop::collection::vec(0usize..64, 1..4);
    prop_oneof![
        Just(Does::Sleeps),
        one.clone().prop_map(Does::Joins),
        (one.clone(), one.clone()).prop_map(|(one, two)| Does::JoinsBoth(one, two)),
        some.clone().prop_map(Does::Gathers),
        some.prop_map(Does::WaitsForAny),
        one.clone().prop_map(Does::Shields),
        (0usize..4).prop_map(Does::Groups),
        one.prop_map(Does::GivesUp),
    ]
}

/// Which edges there are, by name: who waits, and for whom.
type Edges = BTreeSet<(String, String)>;

fn captured_edges() -> Edges {
    let table = capture_tasks();
    let names: BTreeMap<u64, &str> =
        table.tasks().map(|task| (task.id, task.name.as_deref().unwrap())).collect();
    let by = table.tasks().flat_map(|task| task.awaited_by.iter().map(move |by| (by.awaiter, task.id)));
    by.map(|(waiter, awaited)| (names[&waiter].to_owned(), names[&awaited].to_owned())).collect()
}

/// The task's future, and the names of those for whom it waits.
fn future(
    name: &str,
    does: &Does,
    before: &[SharedTask<()>],
) -> (LocalBoxFuture<'static, Result<()>>, Vec<String>) {
    let pick = |index: usize| before[index % before.len()].clone();
    let all = |indices: &[usize]| -> Vec<SharedTask<()>> { indices.iter().copied().map(pick).collect() };
    let names = |tasks: &[SharedTask<()>]| tasks.iter().map(|task| task.name().into_owned()).collect();
    match does {
        Does::Sleeps => (sleep(HOUR).boxed_local(), vec![]),
        Does::Joins(one) => (pick(*one).boxed_local(), names(&[pick(*one)])),
        Does::JoinsBoth(one, two) => {
            let both = future::join(pick(*one), pick(*two)).map(|(one, two)| one.and(two));
            (both.boxed_local(), names(&[pick(*one), pick(*two)]))
        }
        Does::Gathers(some) => (gather(all(some)).map_ok(drop).boxed_local(), names(&all(some))),
        Does::WaitsForAny(some) => {
            let waits = wait(all(some), ReturnWhen::FirstCompleted).map_ok(drop);
            (waits.boxed_local(), names(&all(some)))
        }
        Does::Shields(one) => (shield(pick(*one)).boxed_local(), names(&[pick(*one)])),
        Does::Groups(children) => {
            let children: Vec<String> = (0..*children).map(|child| format!("{name}.{child}")).collect();
            let spawned = children.clone();
            let group = task_group(async move |tg| {
                for child in spawned {
                    tg.task(sleep(HOUR)).name(child).spawn();
                }
                sleep(HOUR).await
            });
            (group.boxed_local(), children)
        }
        Does::GivesUp(one) => {
            let mut given_up = Some(pick(*one));
            let gives_up = async move {
                poll_fn(|cx| {
                    let polled = given_up.take().map(|mut task| task.poll_unpin(cx).is_pending());
                    assert_ne!(polled, Some(false));
                    Poll::Ready(())
                })
                .await;
                sleep(HOUR).await
            };
            (gives_up.boxed_local(), vec![])
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// What is captured is what a program does, no edge more and none less; and nothing when all is over.
    #[test]
    fn the_edges_of_a_random_program_are_those_of_its_waits(program in prop::collection::vec(does(), 1..12)) {
        in_virtual_time(async {
            let mut tasks = vec![sleeper("t0")];
            let mut expected = Edges::new();
            for (index, does) in program.iter().enumerate() {
                let name = format!("t{}", index + 1);
                let (future, awaited) = future(&name, does, &tasks);
                expected.extend(awaited.into_iter().map(|awaited| (name.clone(), awaited)));
                tasks.push(task(future).name(name).spawn().share());
            }
            yield_now().await?;
            yield_now().await?;
            assert_eq!(captured_edges(), expected);
            for task in &tasks {
                task.abort();
            }
            yield_now().await?;
            assert_eq!(captured_edges(), Edges::new());
            Ok(())
        });
    }
}
