//! What people see who look at a task: the await at which it stands, and who waits for it. Never one that is over.

mod support;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt, future, select};
use homing::cancel::{Awaiting, Cancellable, Leaf};
use homing::introspect::{
    self, CallGraph, Frame, FrameKind, FutureCallGraph, TaskState, capture_call_graph_of, capture_tasks,
};
use homing::{Result, Task, TaskRef, sleep, sleep_until, spawn, task, yield_now};
use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use support::in_virtual_time;

const HOUR: Duration = Duration::from_secs(3600);

/// The names of a task's awaits.
fn awaits(task: &TaskRef) -> Vec<String> {
    let graph = capture_call_graph_of(task);
    let awaits = graph.root().call_stack().iter().filter(|frame| frame.kind == FrameKind::Await);
    awaits.map(|frame| format!("{} {}", frame.name, frame.detail).trim().to_owned()).collect()
}

/// The names of those who await a task.
fn awaiters(task: &TaskRef) -> Vec<String> {
    let graph = capture_call_graph_of(task);
    graph.root().awaited_by().map(|awaiter| awaiter.name().into_owned()).collect()
}

fn frame(graph: &CallGraph, kind: FrameKind) -> Frame {
    let frames: Vec<&Frame> = graph.root().call_stack().iter().filter(|frame| frame.kind == kind).collect();
    assert_eq!(frames.len(), 1, "{graph:#?}");
    frames[0].clone()
}

/// Spawned and parked.
async fn parked<T: 'static>(future: impl Future<Output = Result<T>> + 'static) -> Result<Task<T>> {
    let task = task(future).name("it").spawn();
    yield_now().await?;
    Ok(task)
}

/// A task that sleeps for an hour.
fn sleeper(name: &'static str) -> Task<()> {
    task(sleep(HOUR)).name(name).spawn()
}

#[test]
fn a_frame_has_the_place_of_the_await_and_not_of_what_is_awaited() {
    in_virtual_time(async {
        let nap = sleep(HOUR);
        let line = line!() + 2;
        let task = parked(async {
            nap.await?;
            Ok(())
        })
        .await?;
        let graph = capture_call_graph_of(&task);
        let place = frame(&graph, FrameKind::Await).place.expect("it is known");
        assert_eq!((place.file.as_str(), place.line), (file!(), line));
        task.abort();
        Ok(())
    })
    .unwrap();
}

#[test]
fn polled_by_another_crate_a_frame_has_the_place_where_the_future_was_made() {
    in_virtual_time(async {
        let line = line!() + 1;
        let nap = Box::pin(sleep(HOUR));
        let task = parked(nap).await?;
        let graph = capture_call_graph_of(&task);
        let place = frame(&graph, FrameKind::Await).place.expect("it is known");
        assert_eq!((place.file.as_str(), place.line), (file!(), line));
        task.abort();
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_outermost_frame_is_the_future_and_where_it_was_spawned() {
    async fn fetch() -> Result<()> {
        sleep(HOUR).await
    }
    in_virtual_time(async {
        let line = line!() + 1;
        let task = spawn(fetch());
        yield_now().await?;
        let graph = capture_call_graph_of(&task);
        let stack = graph.root().call_stack();
        assert_eq!(stack.len(), 2);
        assert_eq!(stack[1].kind, FrameKind::Spawn);
        assert!(stack[1].name.ends_with("::fetch"), "{}", stack[1].name);
        assert_eq!(stack[1].place.as_ref().map(|place| place.line), Some(line));
        assert_eq!(graph.root().spawned_at(), stack[1].place);
        task.abort();
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_state_of_a_task_is_shown_as_it_is_when_one_asks() {
    in_virtual_time(async {
        let task = task(sleep(Duration::from_millis(1))).spawn();
        let graph = capture_call_graph_of(&task);
        assert_eq!(graph.root().state(), Some(TaskState::Created));
        yield_now().await?;
        assert_eq!(graph.root().state(), Some(TaskState::Parked));
        task.cancel();
        assert_eq!(graph.root().state(), Some(TaskState::Ready));
        yield_now().await?;
        assert_eq!(graph.root().state(), Some(TaskState::Done));
        let me = introspect::capture_call_graph()?.expect("a task");
        assert_eq!(me.root().state(), Some(TaskState::Running));
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_a_task_awaits_is_named() {
    in_virtual_time(async {
        let other = sleeper("other");
        let awaited = other.task_ref();
        let joins = parked(other).await?;
        let naps = parked(async { sleep(Duration::from_millis(1500)).await }).await?;
        let never = parked(async { sleep_until(homing::Instant::FAR_FUTURE).await }).await?;
        let foreign = parked(async { pending::<Result<()>>().await }).await?;
        let adapted = parked(async { pending::<()>().cancellable().await }).await?;
        assert_eq!(awaits(&joins), ["task 'other'"]);
        assert_eq!(awaits(&naps), ["timer due in 1.5s"]);
        assert_eq!(awaits(&never), ["timer never due"]);
        assert_eq!(awaits(&foreign), ["foreign"]);
        assert_eq!(awaits(&adapted), ["foreign"]);
        assert_eq!(awaiters(&awaited), ["it"]);
        joins.abort();
        naps.abort();
        never.abort();
        foreign.abort();
        adapted.abort();
        awaited.abort();
        Ok(())
    })
    .unwrap();
}

#[test]
fn all_branches_of_a_join_are_seen() {
    in_virtual_time(async {
        let (one, two) = (sleeper("one"), sleeper("two"));
        let (first, second) = (one.task_ref(), two.task_ref());
        let both = parked(async {
            let (nap, one, two) = future::join3(sleep(HOUR), one, two).await;
            nap.and(one).and(two)
        })
        .await?;
        assert_eq!(awaits(&both), ["timer due in 3600s", "task 'one'", "task 'two'"]);
        assert_eq!(awaiters(&first), ["it"]);
        assert_eq!(awaiters(&second), ["it"]);
        first.abort();
        yield_now().await?;
        assert_eq!(awaits(&both), ["timer due in 3600s", "task 'two'"]);
        assert_eq!(awaiters(&first), Vec::<String>::new());
        second.abort();
        both.abort();
        Ok(())
    })
    .unwrap();
}

#[test]
fn of_very_many_branches_the_first_few_are_seen_and_the_rest_is_counted() {
    in_virtual_time(async {
        let many = parked(async {
            let naps: Vec<_> = (1..=20).map(|n| Box::pin(sleep(n * HOUR))).collect();
            future::join_all(naps.into_iter().map(future::maybe_done)).await;
            Ok(())
        });
        let many = many.await?;
        let seen = awaits(&many);
        assert_eq!(
            seen,
            [
                "timer due in 3600s",
                "timer due in 7200s",
                "timer due in 10800s",
                "timer due in 14400s",
                "more (16)",
            ]
        );
        sleep(HOUR).await?;
        yield_now().await?;
        assert_eq!(awaits(&many).last().unwrap(), "more (15)");
        many.abort();
        Ok(())
    })
    .unwrap();
}

#[test]
fn awaits_that_are_kept_are_seen_when_they_are_polled_again_and_a_cancel_finds_all_of_them() {
    in_virtual_time(async {
        let cancelled = Rc::new(Cell::new(0));
        let counts = cancelled.clone();
        let keeps = parked(async move {
            let mut naps: Vec<_> = (1..=12).map(|n| Box::pin(sleep(n * HOUR))).collect();
            let mut polls = 0;
            // In each of four polls other three, and then all of them.
            poll_fn(|cx| {
                polls += 1;
                let polled = if polls <= 4 { &mut naps[3 * polls - 3..3 * polls] } else { &mut naps[..] };
                let ends = polled.iter_mut().map(|nap| nap.as_mut().poll(cx)).filter(Poll::is_ready).count();
                if polls <= 4 {
                    cx.waker().wake_by_ref();
                }
                counts.set(ends);
                if ends == 0 { Poll::Pending } else { Poll::Ready(Ok(())) }
            })
            .await
        })
        .await?;
        for _ in 0..2 {
            yield_now().await?;
            assert_eq!(awaits(&keeps).len(), 3);
            yield_now().await?;
        }
        let seen = awaits(&keeps);
        assert_eq!(seen.iter().filter(|seen| seen.starts_with("timer due in")).count(), 10, "{seen:?}");
        assert_eq!(seen.last().unwrap(), "more (2)", "{seen:?}");
        keeps.cancel();
        yield_now().await?;
        assert_eq!(cancelled.get(), 12);
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_branch_that_a_select_drops_is_not_seen_any_more() {
    in_virtual_time(async {
        let other = sleeper("other");
        let awaited = other.task_ref();
        let chooses = parked(async move {
            // Both branches park in the poll in which the third one is ready.
            let mut turns = 0;
            let third = poll_fn(|cx| {
                turns += 1;
                cx.waker().wake_by_ref();
                if turns < 2 { Poll::Pending } else { Poll::Ready(()) }
            });
            {
                let mut nap = pin!(sleep(HOUR).fuse());
                let mut other = other.fuse();
                let mut third = pin!(third.fuse());
                futures_util::select_biased! {
                    _ = nap => unreachable!(),
                    _ = other => unreachable!(),
                    () = third => {}
                }
            }
            sleep(2 * HOUR).await
        })
        .await?;
        assert_eq!(awaits(&chooses), ["timer due in 3600s", "task 'other'"]);
        assert_eq!(awaiters(&awaited), ["it"]);
        yield_now().await?;
        assert_eq!(awaits(&chooses), ["timer due in 7200s"]);
        assert_eq!(awaiters(&awaited), Vec::<String>::new());
        chooses.abort();
        awaited.abort();
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_select_in_a_loop_shows_each_branch_once() {
    in_virtual_time(async {
        let (sender, receiver) = homing::sync::channel::unbounded();
        let loops = parked(async move {
            let mut nap = pin!(sleep(HOUR).fuse());
            loop {
                let mut next = pin!(receiver.recv().fuse());
                select! {
                    _ = nap => return Ok(()),
                    item = next => drop(item),
                }
            }
        })
        .await?;
        for _ in 0..3 {
            sender.try_send(()).unwrap();
            sender.try_send(()).unwrap();
            yield_now().await?;
            let mut seen = awaits(&loops);
            seen.sort();
            assert_eq!(seen.len(), 2, "{seen:?}");
            assert!(seen[0].starts_with("channel 0x"), "{seen:?}");
            assert_eq!(seen[1], "timer due in 3600s");
        }
        loops.abort();
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_ends_in_the_poll_in_which_it_parked_is_not_seen_any_more() {
    /// Parks, is polled again in the same poll of its task, and is ready.
    struct Impatient(Leaf, bool);

    impl Future for Impatient {
        type Output = Result<()>;

        #[track_caller]
        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
            let this = &mut *self;
            this.0.resume()?;
            if this.1 {
                this.0.unpark();
                return Poll::Ready(Ok(()));
            }
            this.1 = true;
            this.0.park(cx, Awaiting::Other(7))?;
            Poll::Pending
        }
    }

    in_virtual_time(async {
        let task = parked(async {
            let mut impatient = pin!(Impatient(Leaf::new(), false));
            poll_fn(|cx| {
                assert!(impatient.as_mut().poll(cx).is_pending());
                impatient.as_mut().poll(cx)
            })
            .await?;
            sleep(HOUR).await
        })
        .await?;
        assert_eq!(awaits(&task), ["timer due in 3600s"]);
        task.abort();
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_leaf_that_is_dropped_elsewhere_is_not_seen_any_more() {
    in_virtual_time(async {
        let shared = Rc::new(Cell::new(Some(Box::pin(sleep(HOUR)))));
        let theirs = shared.clone();
        let task = parked(poll_fn(move |cx| {
            let mut nap = theirs.take().expect("polled once");
            assert!(nap.as_mut().poll(cx).is_pending());
            theirs.set(Some(nap));
            Poll::<Result<()>>::Pending
        }))
        .await?;
        assert_eq!(awaits(&task), ["timer due in 3600s"]);
        drop(shared.take());
        assert_eq!(awaits(&task), ["foreign"]);
        task.abort();
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_leaf_that_another_task_polls_next_is_seen_there() {
    in_virtual_time(async {
        let shared = Rc::new(Cell::new(Some(Box::pin(sleep(HOUR)))));
        let poll_once = |shared: Rc<Cell<Option<_>>>| {
            poll_fn(move |cx| {
                let mut nap: Pin<Box<homing::time::Sleep>> = shared.take().expect("polled once each");
                assert!(nap.as_mut().poll(cx).is_pending());
                shared.set(Some(nap));
                Poll::<Result<()>>::Pending
            })
        };
        let first = parked(poll_once(shared.clone())).await?;
        assert_eq!(awaits(&first), ["timer due in 3600s"]);
        let second = parked(poll_once(shared.clone())).await?;
        assert_eq!(awaits(&second), ["timer due in 3600s"]);
        drop(shared.take());
        assert_eq!(awaits(&second), ["foreign"]);
        first.abort();
        second.abort();
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_leaves_of_a_combinator_with_wakers_of_its_own_are_seen_as_long_as_they_are_parked() {
    in_virtual_time(async {
        let tasks: Vec<Task<()>> = ["one", "two", "three"].map(sleeper).into();
        let refs: Vec<TaskRef> = tasks.iter().map(Task::task_ref).collect();
        let all = parked(async move {
            let mut all: FuturesUnordered<_> = tasks.into_iter().collect();
            while all.next().await.is_some() {}
            Ok(())
        })
        .await?;
        let mut seen = awaits(&all);
        seen.sort();
        assert_eq!(seen, ["task 'one'", "task 'three'", "task 'two'"]);
        // In the poll that follows only this one's await is polled.
        refs[0].abort();
        yield_now().await?;
        let mut seen = awaits(&all);
        seen.sort();
        assert_eq!(seen, ["task 'three'", "task 'two'"]);
        assert_eq!(awaiters(&refs[1]), ["it"]);
        all.abort();
        assert_eq!(awaiters(&refs[1]), Vec::<String>::new());
        for task in &refs {
            task.abort();
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_cancel_leaves_no_edge_behind() {
    in_virtual_time(async {
        let other = sleeper("other").share();
        let awaited = TaskRef::clone(&other);
        let cleans_up = parked(async move {
            let chosen = future::select(Box::pin(sleep(HOUR)), other).await;
            drop(chosen);
            sleep(2 * HOUR).await
        })
        .await?;
        assert_eq!(awaiters(&awaited), ["it"]);
        cleans_up.cancel();
        sleep(Duration::from_millis(1)).await?;
        assert_eq!(awaiters(&awaited), Vec::<String>::new());
        assert_eq!(awaits(&cleans_up), ["timer due in 7199.999s"]);
        cleans_up.abort();
        awaited.abort();
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_task_that_was_asked_to_cancel_and_waits_for_its_turn_awaits_nothing() {
    in_virtual_time(async {
        let nap = parked(async { sleep(HOUR).await }).await?;
        nap.cancel();
        assert_eq!(awaits(&nap), Vec::<String>::new());
        assert!(nap.await.unwrap_err().is_cancelled());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_shared_awaiter_is_in_the_graph_once() {
    in_virtual_time(async {
        // Each layer of three awaits all of the next: the ways double with every layer.
        let mut layer = vec![sleeper("deepest").share()];
        let deepest = TaskRef::clone(&layer[0]);
        for _ in 0..30 {
            let all = |_| {
                let tasks: Vec<_> = layer.clone();
                spawn(async move { future::try_join_all(tasks).await.map(drop) }).share()
            };
            layer = (0..3).map(all).collect();
        }
        yield_now().await?;
        let graph = capture_call_graph_of(&deepest);
        assert_eq!(graph.iter().count(), 1 + 30 * 3);
        let text = graph.to_string();
        assert_eq!(text.matches("  + Call stack:").count(), 1 + 30 * 3);
        assert!(text.contains(" (see above)"));
        deepest.abort();
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_circle_of_tasks_is_told_in_the_graph_and_in_the_table() {
    in_virtual_time(async {
        let slot: Rc<Cell<Option<Task<()>>>> = Rc::default();
        let theirs = slot.clone();
        let a = task(async move { theirs.take().expect("put there").await }).name("a").spawn();
        let first = a.task_ref();
        let b = task(a).name("b").spawn();
        slot.set(Some(b));
        yield_now().await?;
        let text = introspect::format_call_graph_of(&first);
        assert_eq!(text.matches("* Task(name='a'").count(), 2, "{text}");
        assert!(text.ends_with(" (a cycle: see above)"), "{text}");
        let cycle = capture_tasks().tree().unwrap_err().to_string();
        assert!(cycle.contains("\ncycle: b → a → b\n") || cycle.contains("\ncycle: a → b → a\n"), "{cycle}");
        for step in
            ["    a: File 'executor/", ", awaiting task 'b'", "    b: File 'executor/", ", awaiting task 'a'"]
        {
            assert!(cycle.contains(step), "'{step}' is missing in: {cycle}");
        }
        first.abort();
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_chain_as_long_as_memory_allows_can_be_printed() {
    const LENGTH: usize = 20_000;
    in_virtual_time(async {
        let deepest = sleeper("deepest");
        let awaited = deepest.task_ref();
        let mut last = deepest;
        for _ in 0..LENGTH {
            last = spawn(last);
        }
        yield_now().await?;
        let text = introspect::format_call_graph_of(&awaited);
        assert!(text.contains(&format!(" (level {LENGTH})")));
        assert_eq!(capture_tasks().tree().expect("no circle").len(), 2);
        awaited.abort();
        drop(last.await);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_limit_keeps_the_outermost_or_the_innermost_frames() {
    in_virtual_time(async {
        let nap = parked(async { homing::timeout(HOUR, sleep(2 * HOUR)).await }).await?;
        let graph = capture_call_graph_of(&nap);
        let kinds = |graph: &CallGraph| -> Vec<FrameKind> {
            graph.root().call_stack().iter().map(|frame| frame.kind).collect()
        };
        assert_eq!(kinds(&graph), [FrameKind::Await, FrameKind::Scope, FrameKind::Spawn]);
        assert_eq!(kinds(&graph.clone().limited(2)), [FrameKind::Scope, FrameKind::Spawn]);
        assert_eq!(kinds(&graph.clone().limited(-1)), [FrameKind::Await]);
        assert_eq!(kinds(&graph.clone().limited(0)), []);
        assert_eq!(kinds(&graph.clone().limited(9)).len(), 3);
        assert_eq!(kinds(&graph.limited(-9)).len(), 3);
        nap.abort();
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_task_that_has_ended_is_shown_without_frames_that_it_does_not_stand_at() {
    in_virtual_time(async {
        let task = spawn(async { Ok(()) });
        let reference = task.task_ref();
        task.await?;
        let graph = capture_call_graph_of(&reference);
        assert_eq!(graph.root().state(), Some(TaskState::Done));
        assert_eq!(graph.root().awaited_by().count(), 0);
        assert_eq!(awaits(&reference), Vec::<String>::new());
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_table_has_all_tasks_and_can_be_written_in_other_languages() {
    in_virtual_time(async {
        let nap = task(sleep(HOUR)).name("a \"nap\"").spawn();
        let waits = task(nap).name("waits").spawn();
        yield_now().await?;
        let table = capture_tasks();
        let names: Vec<_> = table.tasks().map(|task| task.name.clone().unwrap()).collect();
        assert_eq!(names, ["main", "a \"nap\"", "waits"]);
        let nap = &table.threads[0].tasks[1];
        assert_eq!((nap.state, nap.polls, nap.cancelling), (TaskState::Parked, 1, 0));
        assert_eq!(nap.awaited_by[0].awaiter, waits.id().as_u64());

        let json = table.to_json();
        assert!(json.starts_with("{\"threads\":[{\"thread\":"), "{json}");
        assert!(json.contains("\"name\":\"a \\\"nap\\\"\",\"state\":\"parked\""), "{json}");
        let dot = table.to_dot();
        assert!(dot.contains("[label=\"a \\\"nap\\\"\\nparked\\ntimer due in 3600s"), "{dot}");
        let edge =
            format!("\"{:#x}\" -> \"{:#x}\" [label=\"task 'a \\\"nap\\\"'", waits.id().as_u64(), nap.id);
        assert!(dot.contains(&edge), "{dot}");
        let text = table.to_string();
        assert_eq!(text.lines().count(), 1 + 3, "{text}");
        waits.abort();
        Ok(())
    })
    .unwrap();
}

/// A whole graph, as text without places and numbers.
fn shape(graph: FutureCallGraph<'_>) -> String {
    let by: Vec<String> = graph.awaited_by().map(shape).collect();
    format!("{}({})", graph.name(), by.join(" "))
}

#[test]
fn outside_of_a_task_there_is_no_current_one_and_outside_of_a_runtime_there_is_none_at_all() {
    assert_eq!(introspect::capture_call_graph().unwrap_err(), homing::RuntimeError::NoRuntime);
    assert_eq!(capture_tasks().tasks().count(), 0);
    in_virtual_time(async {
        let seen = Rc::new(Cell::new(false));
        let theirs = seen.clone();
        homing::call_soon(move || {
            assert!(introspect::capture_call_graph().unwrap().is_none());
            assert_eq!(introspect::format_call_graph().unwrap(), "");
            theirs.set(true);
        });
        yield_now().await?;
        assert!(seen.get());
        let graph = introspect::capture_call_graph()?.unwrap();
        assert_eq!(shape(graph.root()), "main()");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_table_with_a_very_wide_cell_can_be_written() {
    let entry = |name: String| introspect::TaskEntry { name: Some(name), ..introspect::TaskEntry::default() };
    let tasks = vec![entry("x".repeat(70_000)), entry("y".to_owned())];
    let table =
        introspect::TaskTable { threads: vec![introspect::ThreadTasks { tasks, ..Default::default() }] };
    let text = table.to_string();
    let longest_of_others = text.lines().filter(|line| !line.contains("xx")).map(str::len).max();
    assert!(longest_of_others < Some(500), "{longest_of_others:?}");
}
