//! `test_eager_task_factory.py`.

use crate::support::exceptions::ValueError;
use crate::support::{Loop, Promise, ms, nap, reason, run};
use homing::{Error, Result, TaskId, TaskLocal, all_tasks, current, gather, race, spawn, task, task_group};
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;

type Boxed<T> = Pin<Box<dyn Future<Output = Result<T>>>>;

mod eager_task_factory_loop_tests {
    use super::*;

    /// A runtime can be told to start its tasks eagerly, and then does (EA-5).
    #[test]
    fn test_eager_task_factory_set() {
        let started_at_once = |l: Loop| {
            l.block_on(async {
                let task = spawn(async { Ok(()) });
                let done = task.is_finished();
                task.await?;
                Ok(done)
            })
        };
        assert!(started_at_once(Loop::eager()).unwrap());
        assert!(!started_at_once(Loop::new()).unwrap());
    }

    /// What an eager task brings about in its first step has come about when the call returns (EA-1).
    #[test]
    fn test_await_future_during_eager_step() {
        let outcome = Loop::eager().block_on(async {
            let promise = Promise::new();
            let to_set = promise.clone();
            let task = spawn(async move {
                to_set.set("my message");
                Ok(())
            });
            assert!(task.is_finished());
            promise.wait().await
        });
        assert_eq!(outcome.unwrap(), "my message");
    }

    /// A task that does not suspend is done when the call returns, and can be awaited all the same (EA-1).
    #[test]
    fn test_eager_completion() {
        let outcome = Loop::eager().block_on(async {
            let task = spawn(async { Ok("hello") });
            assert!(task.is_finished());
            task.await
        });
        assert_eq!(outcome.unwrap(), "hello");
    }

    /// A task that suspends in its first step goes on as any other (EA-2).
    #[test]
    fn test_block_after_eager_step() {
        let l = Loop::eager();
        let outcome = l.block_on(async {
            let task = spawn(finish_after_blocking());
            let task_ref = task.task_ref();
            assert!(!task.is_finished());
            let result = task.await;
            assert!(task_ref.is_finished());
            result
        });
        assert_eq!(outcome.unwrap(), "finished after blocking");
        assert_eq!(l.time(), 100);
    }

    async fn finish_after_blocking() -> Result<&'static str> {
        nap(100).await?;
        Ok("finished after blocking")
    }

    /// A task that is done after its first step cannot be cancelled (CX-1, EA-8).
    #[test]
    fn test_cancellation_after_eager_completion() {
        let outcome = Loop::eager().block_on(async {
            let task = spawn(async { Ok("finished without blocking") });
            assert!(!task.cancel());
            let task_ref = task.task_ref();
            let result = task.await;
            assert!(!task_ref.is_cancelled());
            result
        });
        assert_eq!(outcome.unwrap(), "finished without blocking");
    }

    /// A task that is cancelled after it suspended in its first step gets the `Cancelled` there, with its reason (CX-24,
    /// EA-9).
    #[test]
    fn test_cancellation_after_eager_step_blocks() {
        let outcome = Loop::eager().block_on(async {
            let task = spawn(finish_after_blocking());
            task.cancel_with("cancellation message");
            assert!(task.cancelling() > 0);
            task.await
        });
        assert_eq!(reason(outcome).as_deref(), Some("cancellation message"));
    }

    /// The eager task is the current one in its first step, and after it was suspended (EA-3).
    #[test]
    fn test_current_task() {
        Loop::eager()
            .block_on(async {
                let spawner = current().map(|task| task.id());
                let seen = Rc::new(Cell::new(None));
                let task = spawn({
                    let seen = seen.clone();
                    async move {
                        let own = current().map(|task| task.id());
                        seen.set(own);
                        nap(100).await?;
                        assert_eq!(current().map(|task| task.id()), own);
                        Ok(())
                    }
                });
                assert_eq!(seen.get(), Some(task.id()));
                assert_eq!(current().map(|task| task.id()), spawner);
                task.await
            })
            .unwrap();
    }

    fn listed() -> Vec<TaskId> {
        all_tasks().iter().map(|task| task.id()).collect()
    }

    /// An eager task is among all tasks in its first step, and no more when it ends there (EA-7, TK-10).
    #[test]
    fn test_all_tasks_with_eager_completion() {
        Loop::eager()
            .block_on(async {
                let task = spawn(async { Ok(listed()) });
                assert!(!listed().contains(&task.id()));
                let id = task.id();
                assert!(task.await?.contains(&id));
                Ok(())
            })
            .unwrap();
    }

    /// An eager task that suspends is among all tasks until it ends (EA-7, TK-10).
    #[test]
    fn test_all_tasks_with_blocking() {
        Loop::eager()
            .block_on(async {
                let (first, second) = (Promise::new(), Promise::new());
                let seen = Rc::new(RefCell::new(Vec::new()));
                let task = spawn({
                    let (first, second, seen) = (first.clone(), second.clone(), seen.clone());
                    async move {
                        seen.replace(listed());
                        first.wait().await?;
                        second.set(());
                        Ok(())
                    }
                });
                assert!(seen.borrow().contains(&task.id()));
                assert!(listed().contains(&task.id()));
                first.set(());
                second.wait().await?;
                assert!(!listed().contains(&task.id()));
                Ok(())
            })
            .unwrap();
    }

    /// An eager step runs in a copy of the spawner's context, and afterwards that one is in force again (CV-2, EA-13).
    #[test]
    fn test_context_vars() {
        static CV: TaskLocal<u32> = TaskLocal::inherited().with_default(|| 0);
        let steps = Rc::new(Cell::new(0));
        let counted = steps.clone();
        let body = async move {
            assert_eq!(CV.get(), 1);
            CV.set(2);
            assert_eq!(CV.get(), 2);
            counted.set(1);
            nap(100).await?;
            assert_eq!(CV.get(), 2);
            CV.set(3);
            assert_eq!(CV.get(), 3);
            counted.set(2);
            Ok(())
        };
        let outcome = Loop::eager().block_on(async {
            CV.set(1);
            let task = spawn(body);
            assert_eq!(steps.get(), 1);
            assert_eq!(CV.get(), 1);
            task.await?;
            assert_eq!(steps.get(), 2);
            assert_eq!(CV.get(), 1);
            Ok(())
        });
        outcome.unwrap();
    }

    /// A race starts its attempts as it should when the runtime starts tasks eagerly (ST-5).
    #[test]
    fn test_staggered_race_with_eager_tasks() {
        let l = Loop::eager();
        let outcome = l.block_on(async {
            let attempts: [Boxed<&'static str>; 3] = [
                Box::pin(Promise::new().wait()),
                Box::pin(async {
                    nap(1000).await?;
                    Ok("sleep1")
                }),
                Box::pin(async {
                    nap(0).await?;
                    Err(ValueError("no good").into())
                }),
            ];
            race(attempts).stagger(ms(250)).await
        });
        let outcome = outcome.unwrap();
        assert_eq!(outcome.winner, Some((1, "sleep1")));
        assert!(outcome.errors[1].is_none());
        assert!(outcome.errors[0].as_ref().is_some_and(Error::is_cancelled));
        assert!(outcome.errors[2].as_ref().is_some_and(|error| error.is::<ValueError>()));
        assert_eq!(l.time(), 1250);
    }

    /// The same without a delay, where an attempt could fail before the race knows it (ST-5).
    #[test]
    fn test_staggered_race_with_eager_tasks_no_delay() {
        let l = Loop::eager();
        let outcome = l.block_on(async {
            let attempts: [Boxed<&'static str>; 3] = [
                Box::pin(async { Err(ValueError("no good").into()) }),
                Box::pin(async {
                    nap(1000).await?;
                    Ok("sleep1")
                }),
                Box::pin(async {
                    nap(0).await?;
                    Ok("sleep0")
                }),
            ];
            race(attempts).stagger(None).await
        });
        let outcome = outcome.unwrap();
        assert_eq!(outcome.winner, Some((1, "sleep1")));
        assert_eq!(outcome.errors.len(), 2);
        assert!(outcome.errors[1].is_none());
        assert!(outcome.errors[0].as_ref().is_some_and(|error| error.is::<ValueError>()));
        assert_eq!(l.time(), 1000);
    }

    /// In a runtime that starts tasks eagerly, a single one can be queued (EA-5).
    #[test]
    fn test_eager_start_false() {
        Loop::eager()
            .block_on(async {
                let name = Rc::new(RefCell::new(None));
                let body = {
                    let name = name.clone();
                    async move {
                        name.replace(current().map(|task| task.name()));
                        Ok(())
                    }
                };
                let task = task(body).queued().name("example").spawn();
                assert!(!task.is_finished());
                assert!(name.borrow().is_none());
                task.await?;
                assert_eq!(name.take().as_deref(), Some("example"));
                Ok(())
            })
            .unwrap();
    }
}

mod c_eager_task_factory_loop_tests {
    use super::*;

    /// An eager task has its name before its first line (EA-7, TK-8).
    #[test]
    fn test_name() {
        Loop::eager()
            .block_on(async {
                let name = Rc::new(RefCell::new(None));
                let body = {
                    let name = name.clone();
                    async move {
                        name.replace(current().map(|task| task.name()));
                        Ok(())
                    }
                };
                let task = task(body).name("test name").spawn();
                assert_eq!(name.take().as_deref(), Some("test name"));
                task.await
            })
            .unwrap();
    }
}

mod default_task_factory_eager_start {
    use super::*;

    /// In a runtime that queues its tasks, a single one can be started eagerly (EA-1, EA-5).
    #[test]
    fn test_eager_start_true_with_default_factory() {
        run(async {
            let name = Rc::new(RefCell::new(None));
            let body = {
                let name = name.clone();
                async move {
                    name.replace(current().map(|task| task.name()));
                    Ok(())
                }
            };
            let task = task(body).eager().name("example").spawn();
            assert!(task.is_finished());
            assert_eq!(name.take().as_deref(), Some("example"));
            task.await
        })
        .unwrap();
    }
}

mod base_task_counting_tests {
    use super::*;

    /// Counts the tasks whose first step was not inside of the call that made them.
    #[derive(Clone, Default)]
    struct Queued(Rc<Cell<usize>>);

    impl Queued {
        /// Makes tasks of these bodies, and counts.
        fn count<B, T>(&self, bodies: Vec<B>, make: impl FnOnce(Vec<Boxed<()>>) -> T) -> T
        where
            B: Future<Output = Result<()>> + 'static,
        {
            let started = Rc::new(Cell::new(0));
            let made = bodies.len();
            let watched = bodies.into_iter().map(|body| -> Boxed<()> {
                let started = started.clone();
                Box::pin(async move {
                    started.set(started.get() + 1);
                    body.await
                })
            });
            let tasks = make(watched.collect());
            self.0.set(self.0.get() + made - started.get());
            tasks
        }
    }

    /// Runs a body as one task, and checks how many tasks were queued for it: in the usual order, and with eager starts.
    fn counted(body: impl Fn(Queued) -> Boxed<()>, lazy: usize, eager: usize) {
        for (l, expected) in [(Loop::new(), lazy), (Loop::eager(), eager)] {
            let queued = Queued::default();
            l.block_on(async {
                let root = queued.count(vec![body(queued.clone())], |mut bodies| spawn(bodies.remove(0)));
                root.await
            })
            .unwrap();
            assert_eq!(queued.0.get(), expected);
        }
    }

    /// Futures that are awaited in place, to any depth, are one task, which is not queued if it starts eagerly (EA-14).
    #[test]
    fn test_awaitables_chain() {
        fn chain(depth: u32) -> Boxed<u32> {
            Box::pin(async move { if depth == 0 { Ok(0) } else { Ok(1 + chain(depth - 1).await?) } })
        }
        let body = |_| -> Boxed<()> {
            Box::pin(async {
                assert_eq!(chain(100).await?, 100);
                Ok(())
            })
        };
        counted(body, 1, 0);
    }

    /// Groups in groups in groups make a task of each child, and queue none if they start eagerly (EA-14).
    #[test]
    fn test_recursive_taskgroups() {
        fn recursive(queued: Queued, width: usize, depth: usize) -> Boxed<()> {
            Box::pin(async move {
                if depth == 0 {
                    return Ok(());
                }
                task_group(async |tg| {
                    for _ in 0..width {
                        let child = recursive(queued.clone(), width, depth - 1);
                        drop(queued.count(vec![child], |mut bodies| tg.spawn(bodies.remove(0))));
                    }
                    Ok(())
                })
                .await
            })
        }
        counted(|queued| recursive(queued, 5, 4), 781, 0);
    }

    /// Gathers in gathers in gathers make a task of each child, and queue none if they start eagerly (EA-14, GA-3).
    #[test]
    fn test_recursive_gather() {
        fn recursive(queued: Queued, width: usize, depth: usize) -> Boxed<()> {
            Box::pin(async move {
                if depth == 0 {
                    return Ok(());
                }
                let children = (0..width).map(|_| recursive(queued.clone(), width, depth - 1)).collect();
                queued.count(children, gather).await.map(drop)
            })
        }
        counted(|queued| recursive(queued, 5, 4), 781, 0);
    }
}
