//! The futures of homing among those of the ecosystem: each of them in `join!`, `select!` and `FuturesUnordered`, where it
//! ends, is cancelled and is dropped; and futures that homing has not written, in groups.
//!
//! The combinators poll what is in them each in its own way: `join!` with the task's waker and always all of them,
//! `select!` until one is ready, `FuturesUnordered` with wakers of its own and only those that were woken.

use futures_util::future::LocalBoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use futures_util::{FutureExt, join, select};
use homing::cancel::Cancellable;
use homing::sync::{Barrier, Condition, Event, Mutex, Queue, Semaphore, channel, oneshot};
use homing::{Builder, Result, ReturnWhen, Task, TaskGroup, sleep, spawn, task_group};
use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(3600);

/// One future, which waits for what `release` brings about.
struct Case {
    future: LocalBoxFuture<'static, Result<()>>,
    release: Box<dyn FnOnce()>,
}

/// Makes one, in the task that is to wait.
type Make = fn() -> Case;

fn case(future: impl Future<Output = Result<()>> + 'static, release: impl FnOnce() + 'static) -> Case {
    Case { future: future.boxed_local(), release: Box::new(release) }
}

/// A task that ends once the event is set.
fn waiting(event: &Rc<Event>) -> Task<()> {
    let event = event.clone();
    spawn(async move { event.wait().await })
}

/// An event, and what sets it.
fn event() -> (Rc<Event>, impl FnOnce() + 'static) {
    let event = Rc::new(Event::new());
    let setting = event.clone();
    (event, move || setting.set())
}

/// Every future of homing that can wait.
fn catalogue() -> Vec<(&'static str, Make)> {
    vec![
        ("event", || {
            let (event, set) = event();
            case(async move { event.wait().await }, set)
        }),
        ("task", || {
            let (event, set) = event();
            case(async move { waiting(&event).await }, set)
        }),
        ("shared task", || {
            let (event, set) = event();
            case(async move { waiting(&event).share().await }, set)
        }),
        ("gather", || {
            let (event, set) = event();
            case(async move { homing::gather((waiting(&event), waiting(&event))).await.map(|_both| ()) }, set)
        }),
        ("wait", || {
            let (event, set) = event();
            case(
                async move {
                    let waited = homing::wait([waiting(&event)], ReturnWhen::AllCompleted).await;
                    waited.map(|waited| assert!(waited.pending.is_empty()))
                },
                set,
            )
        }),
        ("as_completed", || {
            let (event, set) = event();
            case(
                async move {
                    let mut completed = homing::as_completed([waiting(&event)]);
                    completed.next().await.expect("one")?.await
                },
                set,
            )
        }),
        ("shield", || {
            let (event, set) = event();
            case(async move { homing::shield(waiting(&event)).await }, set)
        }),
        ("wait_for", || {
            let (event, set) = event();
            case(async move { homing::wait_for(waiting(&event), LONG).await }, set)
        }),
        ("race", || {
            let (event, set) = event();
            case(
                async move {
                    let attempts = [async move { event.wait().await }];
                    homing::race(attempts).await?.into_value()
                },
                set,
            )
        }),
        ("timeout", || {
            let (event, set) = event();
            case(async move { homing::timeout(LONG, event.wait()).await }, set)
        }),
        ("timeout_scope", || {
            let (event, set) = event();
            case(async move { homing::timeout_scope(LONG, async |_| event.wait().await).await }, set)
        }),
        ("task_group", || {
            let (event, set) = event();
            case(task_group(async move |tg| Ok(drop(tg.spawn(async move { event.wait().await })))), set)
        }),
        ("start", || {
            let (event, set) = event();
            case(
                task_group(async move |tg| {
                    tg.start(async move |started| {
                        event.wait().await?;
                        started.set(());
                        Ok(())
                    })
                    .await
                }),
                set,
            )
        }),
        ("scope", || {
            let (event, set) = event();
            case(
                async move { homing::scope(async |s| Ok(drop(s.spawn(async { event.wait().await })))).await },
                set,
            )
        }),
        ("mutex", || {
            let mutex = Rc::new(Mutex::new(()));
            let held = mutex.try_lock_owned();
            case(async move { mutex.lock().await.map(drop) }, move || drop(held))
        }),
        ("semaphore", || {
            let semaphore = Rc::new(Semaphore::new(0));
            let released = semaphore.clone();
            case(async move { semaphore.acquire().await.map(drop) }, move || released.release())
        }),
        ("condition", || {
            let (condition, mutex) = (Rc::new(Condition::new()), Rc::new(Mutex::new(())));
            let notified = (condition.clone(), mutex.clone());
            let future = async move {
                let mut guard = mutex.lock().await?;
                condition.wait(&mut guard).await
            };
            case(future, move || {
                let guard = notified.1.try_lock().expect("the waiter has let it go");
                notified.0.notify(&guard, 1);
            })
        }),
        ("barrier", || {
            let barrier = Rc::new(Barrier::new(2));
            let other = barrier.clone();
            case(async move { barrier.wait().await.map(drop) }, move || {
                drop(spawn(async move { other.wait().await.map(drop) }));
            })
        }),
        ("queue", || {
            let queue = Rc::new(Queue::unbounded());
            let filled = queue.clone();
            case(async move { queue.get().await }, move || filled.put_nowait(()).expect("unbounded"))
        }),
        ("channel", || {
            let (sender, receiver) = channel::unbounded();
            case(async move { receiver.recv().await.map(drop) }, move || {
                sender.try_send(()).expect("unbounded");
            })
        }),
        ("oneshot", || {
            let (sender, receiver) = oneshot::channel();
            case(receiver, move || sender.send(()).expect("it waits"))
        }),
        ("foreign, cancellable", || {
            let (sender, receiver) = futures_util::future::abortable(pending::<()>());
            case(async move { sender.cancellable().await.map(drop) }, move || receiver.abort())
        }),
    ]
}

fn in_virtual_time(main: impl AsyncFnOnce() -> Result<()>) {
    let reports = Rc::new(RefCell::new(Vec::new()));
    let told = reports.clone();
    let runtime =
        Builder::new().virtual_time().on_unhandled(move |it| told.borrow_mut().push(it.to_string())).build();
    runtime.run(main()).unwrap();
    assert_eq!(*reports.borrow(), Vec::<String>::new());
}

/// A case's future, and in half an hour it is released.
fn released_later(make: Make) -> LocalBoxFuture<'static, Result<()>> {
    let case = make();
    drop(spawn(async move {
        sleep(LONG / 2).await?;
        Ok((case.release)())
    }));
    case.future
}

#[test]
fn each_comes_to_its_end_in_a_join() {
    in_virtual_time(async || {
        for (name, make) in catalogue() {
            let future = released_later(make);
            let slept = async { sleep(Duration::from_secs(1)).await };
            let (ended, slept) = join!(future, slept);
            assert!(ended.is_ok() && slept.is_ok(), "{name}: {ended:?}, {slept:?}");
        }
        Ok(())
    });
}

#[test]
fn each_comes_to_its_end_in_a_select_and_survives_other_branches() {
    in_virtual_time(async || {
        for (name, make) in catalogue() {
            let mut future = released_later(make).fuse();
            loop {
                let mut tick = sleep(Duration::from_secs(600)).fuse();
                select! {
                    ended = future => { assert!(ended.is_ok(), "{name}: {ended:?}"); break }
                    _ = tick => {}
                }
            }
        }
        Ok(())
    });
}

#[test]
fn all_come_to_their_ends_in_one_futures_unordered() {
    in_virtual_time(async || {
        let cases = catalogue();
        let expected = cases.len();
        let mut unordered: FuturesUnordered<_> =
            cases.into_iter().map(|(name, make)| async move { (name, released_later(make).await) }).collect();
        let mut ended = 0;
        while let Some((name, outcome)) = unordered.next().await {
            assert!(outcome.is_ok(), "{name}: {outcome:?}");
            ended += 1;
        }
        assert_eq!(ended, expected);
        Ok(())
    });
}

/// Runs `body` in a task that is cancelled a second later, and gives what it has counted.
async fn cancelled_midway<F: Future<Output = Result<()>> + 'static>(
    body: impl FnOnce(Rc<Cell<usize>>) -> F,
) -> usize {
    let cancelled = Rc::new(Cell::new(0));
    let task = spawn(body(cancelled.clone()));
    sleep(Duration::from_secs(1)).await.expect("nobody cancels this one");
    task.cancel();
    task.await.expect("it has counted, and gone on");
    cancelled.get()
}

fn count(cancelled: &Cell<usize>, name: &str, outcome: Result<()>) {
    assert!(outcome.as_ref().is_err_and(homing::Error::is_cancelled), "{name}: {outcome:?}");
    cancelled.set(cancelled.get() + 1);
}

#[test]
fn each_gives_one_cancelled_in_a_join_and_so_does_its_neighbour() {
    in_virtual_time(async || {
        for (name, make) in catalogue() {
            let cancelled = cancelled_midway(|cancelled| async move {
                let case = make();
                let (one, other) = join!(case.future, async { sleep(LONG).await });
                count(&cancelled, name, one);
                count(&cancelled, "sleep", other);
                let _none_left = homing::current().expect("in a task").uncancel();
                Ok(())
            })
            .await;
            assert_eq!(cancelled, 2, "{name}");
        }
        Ok(())
    });
}

#[test]
fn all_give_one_cancelled_each_in_one_futures_unordered() {
    in_virtual_time(async || {
        let cancelled = cancelled_midway(|cancelled| async move {
            let mut releases = Vec::new();
            let mut unordered = FuturesUnordered::new();
            for (name, make) in catalogue() {
                let case = make();
                releases.push(case.release);
                unordered.push(async move { (name, case.future.await) });
            }
            while let Some((name, outcome)) = unordered.next().await {
                count(&cancelled, name, outcome);
            }
            let _none_left = homing::current().expect("in a task").uncancel();
            Ok(())
        })
        .await;
        assert_eq!(cancelled, catalogue().len());
        Ok(())
    });
}

#[test]
fn each_may_be_dropped_by_a_select_and_leaves_nothing_behind() {
    in_virtual_time(async || {
        for (name, make) in catalogue() {
            let case = make();
            let before = homing::all_tasks().len();
            let mut future = case.future.fuse();
            let mut tick = sleep(Duration::from_secs(1)).fuse();
            select! {
                ended = future => panic!("{name} has ended: {ended:?}"),
                _ = tick => {}
            }
            drop(future);
            // What it waited for is a task of its own in some cases: that one goes on until it is released.
            drop(case.release);
            homing::all_tasks().iter().filter(|task| Some(*task) != homing::current().as_ref()).for_each(
                |task| {
                    task.cancel();
                },
            );
            sleep(Duration::from_secs(1)).await?;
            assert_eq!(homing::all_tasks().len(), before, "{name}");
        }
        Ok(())
    });
}

#[test]
fn futures_of_others_are_children_like_any_and_go_with_their_group() {
    in_virtual_time(async || {
        let dropped = Rc::new(Cell::new(0));
        struct Counts(Rc<Cell<usize>>);
        impl Drop for Counts {
            fn drop(&mut self) {
                self.0.set(self.0.get() + 1);
            }
        }
        let ended = TaskGroup::new()
            .run_until_cancelled(async |tg| {
                for kind in 0..3 {
                    let counts = Counts(dropped.clone());
                    tg.spawn(async move {
                        let _counts = counts;
                        match kind {
                            0 => pending().await,
                            1 => pending::<()>().cancellable().await.map(drop),
                            _ => {
                                let mut unordered: FuturesUnordered<_> =
                                    (0..3).map(|_| pending::<()>()).collect();
                                let _never = unordered.next().await;
                                Ok(())
                            }
                        }
                    });
                }
                sleep(Duration::from_secs(1)).await?;
                Ok(tg.cancel())
            })
            .await?;
        assert_eq!((ended, dropped.get()), (Some(()), 3));
        Ok(())
    });
}
