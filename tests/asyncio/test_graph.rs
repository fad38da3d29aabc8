//! `test_graph.py`.

use crate::support::{Promise, run, runtime};
use homing::introspect::{CallGraph, Frame, FrameKind, FutureCallGraph};
use homing::introspect::{
    capture_call_graph, capture_call_graph_of, format_call_graph, format_call_graph_of,
};
use homing::{Result, ReturnWhen, RuntimeError, SharedTask};
use homing::{gather, shield, sleep, spawn, task, task_group, timeout, wait, yield_now};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// A frame in two words.
fn word(frame: &Frame) -> String {
    match frame.kind {
        FrameKind::Running => "running".into(),
        FrameKind::Await => format!("at {}", frame.name),
        FrameKind::Scope => format!("in {}", frame.name),
        _ => format!("async {}", frame.name.rsplit("::").next().unwrap_or_default()),
    }
}

/// What `capture_test_stack` gives: the name, the frames, and the same of the awaiters, sorted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Stack {
    name: String,
    frames: Vec<String>,
    awaited_by: Vec<Stack>,
}

fn stack(name: &str, frames: &[&str], awaited_by: &[Stack]) -> Stack {
    let frames = frames.iter().map(|&frame| frame.into()).collect();
    Stack { name: name.into(), frames, awaited_by: awaited_by.to_vec() }
}

fn walk(graph: FutureCallGraph<'_>) -> Stack {
    let mut awaited_by: Vec<Stack> = graph.awaited_by().map(walk).collect();
    awaited_by.sort();
    Stack {
        name: graph.name().into_owned(),
        frames: graph.call_stack().iter().map(word).collect(),
        awaited_by,
    }
}

/// The graph of the current task, and as text.
#[track_caller]
fn capture_test_stack() -> (Stack, String) {
    let graph = capture_call_graph().unwrap().expect("this is a task");
    (walk(graph.root()), format_call_graph().unwrap())
}

/// Where a test keeps what was captured inside of it.
type Captured = Rc<RefCell<Option<(Stack, String)>>>;

async fn captures(captured: Captured) -> Result<()> {
    yield_now().await?;
    captured.replace(Some(capture_test_stack()));
    Ok(())
}

#[track_caller]
fn taken(captured: &Captured) -> (Stack, String) {
    captured.take().expect("it was captured")
}

mod call_stack_test_base {
    use super::*;

    /// A task that two others await, all of them in one group (CG-2, CG-4, CG-6).
    ///
    /// Stands in: of the functions within a task the await, the scopes and the outermost are known.
    #[test]
    fn test_stack_tgroup() {
        fn c5(captured: &Captured) {
            captured.replace(Some(capture_test_stack()));
        }
        async fn c4(captured: Captured) -> Result<()> {
            yield_now().await?;
            Ok(c5(&captured))
        }
        async fn c3(captured: Captured) -> Result<()> {
            c4(captured).await
        }
        async fn c2(captured: Captured) -> Result<()> {
            c3(captured).await
        }
        async fn c1(task: SharedTask<()>) -> Result<()> {
            task.await
        }
        let captured = Captured::default();
        run(task_group(async |tg| {
            let task = tg.task(c2(captured.clone())).name("c2_root").spawn().share();
            tg.task(c1(task.clone())).name("sub_main_1").spawn();
            tg.task(c1(task)).name("sub_main_2").spawn();
            Ok(())
        }))
        .unwrap();
        let (found, text) = taken(&captured);
        let main = Stack { frames: found.awaited_by[0].frames.clone(), ..stack("main", &[], &[]) };
        assert_eq!(main.frames[..2], ["at children", "in group"]);
        assert_eq!(
            found,
            stack(
                "c2_root",
                &["running", "async c2"],
                &[
                    main.clone(),
                    stack("sub_main_1", &["at task", "async c1"], std::slice::from_ref(&main)),
                    stack("sub_main_2", &["at task", "async c1"], std::slice::from_ref(&main)),
                ]
            )
        );
        assert!(
            text.contains(" async asyncio::test_graph::call_stack_test_base::test_stack_tgroup::c2()"),
            "{text}"
        );
    }

    /// A child of a gather is awaited by the task that really waits (CG-2).
    #[test]
    fn test_stack_gather() {
        async fn c1(captured: Captured) -> Result<()> {
            yield_now().await?;
            captures(captured).await
        }
        async fn c2() -> Result<()> {
            yield_now().await
        }
        let captured = Captured::default();
        run(async { gather((c1(captured.clone()), c2())).await }).unwrap();
        let main = stack("main", &["at tasks", "async test_stack_gather"], &[]);
        assert_eq!(taken(&captured).0, stack("Task-2", &["running", "async c1"], &[main]));
    }

    /// So is what stands behind a shield (CG-2).
    #[test]
    fn test_stack_shield() {
        async fn c1(captured: Captured) -> Result<()> {
            yield_now().await?;
            captures(captured).await
        }
        let captured = Captured::default();
        run(async { shield(c1(captured.clone())).await }).unwrap();
        let main = stack("main", &["at shield", "async test_stack_shield"], &[]);
        assert_eq!(taken(&captured).0, stack("Task-2", &["running", "async c1"], &[main]));
    }

    /// A timeout adds no waiter of its own; here it is a frame (CG-2, CG-6).
    #[test]
    fn test_stack_timeout() {
        async fn c1(captured: Captured) -> Result<()> {
            timeout(Duration::from_secs(1), async {
                yield_now().await?;
                captures(captured).await
            })
            .await
        }
        let captured = Captured::default();
        run(async { shield(c1(captured.clone())).await }).unwrap();
        let main = stack("main", &["at shield", "async test_stack_timeout"], &[]);
        assert_eq!(taken(&captured).0, stack("Task-2", &["running", "in timeout", "async c1"], &[main]));
    }

    /// And what is waited for with `wait` (CG-2).
    #[test]
    fn test_stack_wait() {
        async fn c1(captured: Captured) -> Result<()> {
            timeout(Duration::from_secs(1), async {
                yield_now().await?;
                captures(captured).await
            })
            .await
        }
        async fn c2() -> Result<()> {
            for _ in 0..3 {
                yield_now().await?;
            }
            Ok(())
        }
        let captured = Captured::default();
        run(async {
            let (t1, t2) = (spawn(c1(captured.clone())), spawn(c2()));
            loop {
                let waited = wait([&t1, &t2], ReturnWhen::AllCompleted).await?;
                if waited.pending.is_empty() {
                    break;
                }
            }
            t1.await?;
            t2.await
        })
        .unwrap();
        let main = stack("main", &["at tasks", "async test_stack_wait"], &[]);
        assert_eq!(taken(&captured).0, stack("Task-2", &["running", "in timeout", "async c1"], &[main]));
    }

    /// A task that another one awaits (CG-1).
    #[test]
    fn test_stack_task() {
        async fn c1(captured: Captured) -> Result<()> {
            captures(captured).await
        }
        async fn c2(captured: Captured) -> Result<()> {
            task(c1(captured)).name("there there").spawn().await
        }
        let captured = Captured::default();
        run(async { c2(captured.clone()).await }).unwrap();
        let main = stack("main", &["at task", "async test_stack_task"], &[]);
        assert_eq!(taken(&captured).0, stack("there there", &["running", "async c1"], &[main]));
    }

    /// What is no task has awaiters as well, and no frames (CG-1, CG-6, CG-9).
    #[test]
    fn test_stack_future() {
        async fn a2(future: Promise<()>) -> Result<()> {
            future.wait().await
        }
        async fn a1(future: Promise<()>) -> Result<()> {
            a2(future).await
        }
        async fn b1(future: Promise<()>) -> Result<()> {
            future.wait().await
        }
        let found: Rc<Cell<Option<(Stack, String)>>> = Rc::default();
        run(async {
            let future = Promise::new();
            task_group(async |tg| {
                tg.task(a1(future.clone())).name("task A").spawn();
                tg.task(b1(future.clone())).name("task B").spawn();
                for _ in 0..5 {
                    yield_now().await?;
                }
                let graph = capture_call_graph_of(&future);
                found.set(Some((walk(graph.root()), format_call_graph_of(&future))));
                Ok(future.set(()))
            })
            .await
        })
        .unwrap();
        let (found, text) = found.take().unwrap();
        let main = stack("main", &["running", "in group", "async test_stack_future"], &[]);
        assert_eq!(
            found,
            stack(
                "Future",
                &[],
                &[
                    stack("task A", &["at other", "async a1"], std::slice::from_ref(&main)),
                    stack("task B", &["at other", "async b1"], std::slice::from_ref(&main)),
                ]
            )
        );
        assert!(text.starts_with("* Future(id="), "{text}");
    }

    /// The graph of a task that looks at itself, within two timeouts and a group.
    fn of_the_current_task() -> CallGraph {
        let found: Rc<Cell<Option<CallGraph>>> = Rc::default();
        let theirs = found.clone();
        run(task_group(async |tg| {
            let inner = async move { Ok(theirs.set(capture_call_graph()?)) };
            tg.spawn(async { timeout(Duration::from_secs(2), timeout(Duration::from_secs(1), inner)).await });
            Ok(())
        }))
        .unwrap();
        found.take().expect("it was captured")
    }

    /// That of one which sleeps there.
    fn of_another_task() -> CallGraph {
        let found: Rc<Cell<Option<CallGraph>>> = Rc::default();
        run(task_group(async |tg| {
            let nap = timeout(Duration::from_secs(2), timeout(Duration::from_secs(1), sleep(Duration::ZERO)));
            let sleeper = tg.spawn(async {
                nap.await?;
                Ok(())
            });
            yield_now().await?;
            Ok(found.set(Some(capture_call_graph_of(&sleeper))))
        }))
        .unwrap();
        found.take().expect("it was captured")
    }

    fn words(graph: &CallGraph) -> Vec<String> {
        let words: Vec<String> = graph.root().call_stack().iter().map(word).collect();
        words.into_iter().map(|word| word.split_whitespace().next().unwrap().to_owned()).collect()
    }

    /// A positive limit keeps the frames next to the task's entry, of every task (CG-7).
    ///
    /// Stands in: `limited(n)` for the argument `limit`.
    #[test]
    fn test_capture_call_graph_positive_limit() {
        let graph = of_the_current_task();
        assert_eq!(words(&graph), ["running", "in", "in", "async"]);
        let graph = graph.limited(2);
        assert_eq!(words(&graph), ["in", "async"]);
        assert!(graph.iter().all(|task| task.call_stack().len() <= 2));
        assert_eq!(graph.root().awaited_by().count(), 1);
    }

    /// A negative one keeps the innermost (CG-7).
    ///
    /// Stands in: `limited(n)` for the argument `limit`.
    #[test]
    fn test_capture_call_graph_negative_limit() {
        assert_eq!(words(&of_the_current_task().limited(-2)), ["running", "in"]);
    }

    /// With a limit of zero there are awaiters only (CG-7).
    ///
    /// Stands in: `limited(n)` for the argument `limit`.
    #[test]
    fn test_capture_call_graph_zero_limit() {
        let graph = of_the_current_task().limited(0);
        assert_eq!(words(&graph), Vec::<String>::new());
        assert_eq!(graph.root().awaited_by().count(), 1);
    }

    /// The same for a task that is suspended (CG-7).
    ///
    /// Stands in: `limited(n)` for the argument `limit`.
    #[test]
    fn test_build_graph_for_future_positive_limit() {
        let graph = of_another_task();
        assert_eq!(words(&graph), ["at", "in", "in", "async"]);
        assert_eq!(words(&graph.limited(2)), ["in", "async"]);
    }

    /// The same for a task that is suspended (CG-7).
    ///
    /// Stands in: `limited(n)` for the argument `limit`.
    #[test]
    fn test_build_graph_for_future_negative_limit() {
        assert_eq!(words(&of_another_task().limited(-2)), ["at", "in"]);
    }

    /// Where no runtime is running there is no current task, and that is an error (CG-5).
    #[test]
    fn test_capture_call_graph_outside_loop() {
        assert_eq!(capture_call_graph().unwrap_err(), RuntimeError::NoRuntime);
        assert_eq!(format_call_graph().unwrap_err(), RuntimeError::NoRuntime);
    }

    /// In a callback there is none, and that is none (CG-5).
    #[test]
    fn test_capture_call_graph_no_current_task() {
        let results = Rc::new(RefCell::new(Vec::new()));
        let theirs = results.clone();
        runtime()
            .run(async move {
                homing::call_soon(move || {
                    theirs.borrow_mut().push((capture_call_graph().unwrap().is_none(), format_call_graph()));
                });
                yield_now().await
            })
            .unwrap();
        assert_eq!(results.take(), [(true, Ok(String::new()))]);
    }
}
