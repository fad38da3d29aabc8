//! `test_queues.py`.
//!
//! The numbers of waiting getters and putters, and of what is unfinished, are read from the debug form.

use crate::support::exceptions::type_of;
use crate::support::{ms, nap, result_of, run};
use homing::sync::{
    Event, Fifo, GetRefused, Lifo, LifoQueue, Order, PriorityQueue, PutRefused, Queue, QueueIn,
    QueueShutDown, Shutdown, Smallest, TaskDoneTooOften,
};
use homing::{Result, Task, spawn, task_group, timeout, wait_for, yield_now};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// One poll, which is all there is outside of a runtime.
fn poll_once<T>(future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// `q.get()`, to be spawned.
fn get<O: Order + 'static>(q: &Rc<QueueIn<O>>) -> impl Future<Output = Result<O::Item>> + 'static {
    let q = q.clone();
    async move { q.get().await }
}

/// `q.put(item)`, to be spawned.
fn put<O: Order + 'static>(q: &Rc<QueueIn<O>>, item: O::Item) -> impl Future<Output = Result<()>> + 'static
where
    O::Item: 'static,
{
    let q = q.clone();
    async move { q.put(item).await }
}

/// Puts 1, 3 and 2, and says in which order they come out.
fn order<O: Order<Item = u32>>(q: &QueueIn<O>) -> Vec<u32> {
    for item in [1, 3, 2] {
        assert!(matches!(poll_once(q.put(item)), Poll::Ready(Ok(()))));
    }
    let items = (0..3).map(|_| match poll_once(q.get()) {
        Poll::Ready(Ok(item)) => item,
        other => panic!("there are three: {other:?}"),
    });
    items.collect()
}

mod queue_basic_tests {
    use super::*;

    /// What a queue shows of itself: an empty one, one with a getter, a putter or an item.
    async fn shows() -> Result<()> {
        assert_eq!(format!("{:?}", Queue::<u32>::unbounded()), "Queue [maxsize: 0]");

        let q = Rc::new(Queue::unbounded());
        let mut getter = task_group(async |tg| {
            let getter = tg.spawn(get(&q));
            yield_now().await?;
            assert_eq!(format!("{q:?}"), "Queue [maxsize: 0, getters: 1]");
            q.put_nowait(0)?;
            Ok(getter)
        })
        .await?;
        assert_eq!(result_of(&mut getter)?, 0);

        let q = Rc::new(Queue::new(1));
        let putter = task_group(async |tg| {
            q.put_nowait(1)?;
            let putter = tg.spawn(put(&q, 2));
            yield_now().await?;
            assert_eq!(format!("{q:?}"), "Queue [maxsize: 1, items: 1, putters: 1, unfinished: 1]");
            q.get_nowait()?;
            Ok(putter)
        })
        .await?;
        assert!(putter.is_finished());

        let q = Queue::unbounded();
        q.put_nowait(1)?;
        assert_eq!(format!("{q:?}"), "Queue [maxsize: 0, items: 1, unfinished: 1]");
        Ok(())
    }

    /// A queue shows its size, what is in it, and who waits (TK-14).
    ///
    /// Stands in: the number of items for the items, and no address.
    #[test]
    fn test_repr() {
        run(shows()).unwrap();
    }

    /// And has no other form in which it would show something else (TK-14).
    ///
    /// Stands in: the debug form, which is the only one, for `str`.
    #[test]
    fn test_str() {
        run(shows()).unwrap();
    }

    /// A queue is empty until something was put, and when that was got (QU-3, QU-4).
    #[test]
    fn test_empty() {
        run(async {
            let q = Queue::unbounded();
            assert!(q.is_empty());
            q.put(1).await?;
            assert!(!q.is_empty());
            assert_eq!(q.get().await?, 1);
            assert!(q.is_empty());
            Ok(())
        })
        .unwrap();
    }

    /// One without a size is never full, one with a size is when it holds as much (QU-1).
    #[test]
    fn test_full() {
        run(async {
            let q = Queue::new(0);
            assert!(!q.is_full());
            q.put(1).await?;
            assert!(!q.is_full());

            let q = Queue::new(1);
            assert!(!q.is_full());
            q.put(1).await?;
            assert!(q.is_full());
            Ok(())
        })
        .unwrap();
    }

    /// First in, first out (QU-2).
    #[test]
    fn test_order() {
        assert_eq!(order(&Queue::unbounded()), [1, 3, 2]);
    }

    /// A putter waits when the queue is full, and goes on when something was got (QU-1, QU-4).
    #[test]
    fn test_maxsize() {
        run(async {
            let q = Rc::new(Queue::new(2));
            assert_eq!(q.maxsize(), 2);
            let have_been_put = Rc::new(RefCell::new(Vec::new()));
            let mut t = spawn({
                let (q, have_been_put) = (q.clone(), have_been_put.clone());
                async move {
                    for item in 0..3 {
                        q.put(item).await?;
                        have_been_put.borrow_mut().push(item);
                    }
                    Ok(true)
                }
            });
            for _ in 0..2 {
                yield_now().await?;
            }
            assert_eq!(*have_been_put.borrow(), [0, 1]);
            assert_eq!(q.get().await?, 0);

            yield_now().await?;
            assert_eq!(*have_been_put.borrow(), [0, 1, 2]);
            assert_eq!(q.get().await?, 1);
            assert_eq!(q.get().await?, 2);
            assert!(result_of(&mut t)?);
            Ok(())
        })
        .unwrap();
    }
}

mod queue_get_tests {
    use super::*;

    /// `get` does not suspend if there is an item (QU-4).
    #[test]
    fn test_blocking_get() {
        let q = Queue::unbounded();
        q.put_nowait(1).unwrap();
        assert!(matches!(poll_once(q.get()), Poll::Ready(Ok(1))));
    }

    /// Each get wakes one putter (QU-6).
    ///
    /// Stands in: tasks that wait to put, for a future in the queue's own list.
    #[test]
    fn test_get_with_putters() {
        run(async {
            let q = Rc::new(Queue::new(1));
            q.put(1).await?;
            let putters = [spawn(put(&q, 2)), spawn(put(&q, 3))];
            yield_now().await?;
            assert_eq!(q.get().await?, 1);
            yield_now().await?;
            assert!(putters[0].is_finished() && !putters[1].is_finished());
            Ok(())
        })
        .unwrap();
    }

    /// `get` waits for an item if there is none (QU-4).
    #[test]
    fn test_blocking_get_wait() {
        run(async {
            let q = Rc::new(Queue::unbounded());
            let (started, finished) = (Rc::new(Event::new()), Rc::new(Cell::new(false)));
            let get_task = spawn({
                let (q, started, finished) = (q.clone(), started.clone(), finished.clone());
                async move {
                    started.set();
                    let item = q.get().await?;
                    finished.set(true);
                    Ok(item)
                }
            });
            started.wait().await?;
            assert!(!finished.get());
            drop(spawn(async move {
                nap(10).await?;
                Ok(q.put_nowait(1)?)
            }));
            assert_eq!(get_task.await?, 1);
            assert!(finished.get());
            Ok(())
        })
        .unwrap();
    }

    /// `get_nowait` gives an item that is there (QU-3).
    #[test]
    fn test_nonblocking_get() {
        let q = Queue::unbounded();
        q.put_nowait(1).unwrap();
        assert_eq!(q.get_nowait(), Ok(1));
    }

    /// And is refused if there is none (QU-3).
    #[test]
    fn test_nonblocking_get_exception() {
        assert_eq!(Queue::<u32>::unbounded().get_nowait(), Err(GetRefused::Empty));
    }

    /// A getter that was cancelled takes nothing from the one behind it (QU-7, QU-8).
    #[test]
    fn test_get_cancelled_race() {
        run(async {
            let q = Rc::new(Queue::unbounded());
            let (t1, t2) = (spawn(get(&q)), spawn(get(&q)));
            yield_now().await?;
            t1.cancel();
            yield_now().await?;
            assert!(t1.is_finished());
            q.put("a").await?;
            yield_now().await?;
            assert!(t2.is_finished());
            assert_eq!(t2.await?, "a");
            Ok(())
        })
        .unwrap();
    }

    /// What waits to be put comes in its order (QU-6).
    #[test]
    fn test_get_with_waiting_putters() {
        run(async {
            let q = Rc::new(Queue::new(1));
            drop((spawn(put(&q, "a")), spawn(put(&q, "b"))));
            assert_eq!(q.get().await?, "a");
            assert_eq!(q.get().await?, "b");
            Ok(())
        })
        .unwrap();
    }

    /// A producer and a consumer at a small queue do not wait for each other for ever (QU-5).
    #[test]
    fn test_why_are_getters_waiting() {
        run(async {
            let items = 5;
            let q = Rc::new(Queue::new(1));
            let (producing, consuming) = (q.clone(), q.clone());
            timeout(
                ms(1000),
                task_group(async |tg| {
                    drop(tg.spawn(async move {
                        for item in 0..items {
                            producing.put(item).await?;
                        }
                        Ok(())
                    }));
                    drop(tg.spawn(async move {
                        for item in 0..items {
                            assert_eq!(consuming.get().await?, item);
                        }
                        Ok(())
                    }));
                    Ok(())
                }),
            )
            .await?;
            assert!(q.is_empty());
            Ok(())
        })
        .unwrap();
    }

    /// A getter whose time is over leaves the queue (QU-7).
    #[test]
    fn test_cancelled_getters_not_being_held_in_self_getters() {
        run(async {
            let q = Rc::new(Queue::<u32>::new(5));
            assert!(wait_for(get(&q), ms(100)).await.unwrap_err().is_timeout());
            assert_eq!(format!("{q:?}"), "Queue [maxsize: 5]");
            Ok(())
        })
        .unwrap();
    }
}

mod queue_put_tests {
    use super::*;

    /// `put` does not suspend if there is room (QU-4).
    #[test]
    fn test_blocking_put() {
        let q = Queue::unbounded();
        assert!(matches!(poll_once(q.put(1)), Poll::Ready(Ok(()))));
        assert!(matches!(poll_once(q.get()), Poll::Ready(Ok(1))));
    }

    /// `put` waits for room if there is none (QU-4).
    #[test]
    fn test_blocking_put_wait() {
        run(async {
            let q = Rc::new(Queue::new(1));
            let (started, finished) = (Rc::new(Event::new()), Rc::new(Cell::new(false)));
            let getting = q.clone();
            drop(spawn(async move {
                nap(10).await?;
                Ok(getting.get_nowait()?)
            }));
            let put_task = spawn({
                let (q, started, finished) = (q.clone(), started.clone(), finished.clone());
                async move {
                    started.set();
                    q.put(1).await?;
                    q.put(2).await?;
                    finished.set(true);
                    Ok(())
                }
            });
            started.wait().await?;
            assert!(!finished.get());
            put_task.await?;
            assert!(finished.get());
            Ok(())
        })
        .unwrap();
    }

    /// `put_nowait` puts an item for which there is room (QU-3).
    #[test]
    fn test_nonblocking_put() {
        let q = Queue::unbounded();
        assert_eq!(q.put_nowait(1), Ok(()));
        assert_eq!(q.get_nowait(), Ok(1));
    }

    /// An item whose getter is cancelled after its wake-up is the next that is got (QU-8).
    #[test]
    fn test_get_cancel_drop_one_pending_reader() {
        run(async {
            let q = Rc::new(Queue::unbounded());
            let reader = spawn(get(&q));
            yield_now().await?;
            q.put_nowait(1)?;
            q.put_nowait(2)?;
            reader.cancel();
            let result = match reader.await {
                Err(error) if error.is_cancelled() => spawn(get(&q)).await,
                result => result,
            };
            assert_eq!(result?, 1, "if it is 2, then 1 got lost");
            Ok(())
        })
        .unwrap();
    }

    /// With several getters, the others have it (QU-5, QU-8).
    #[test]
    fn test_get_cancel_drop_many_pending_readers() {
        run(async {
            let q = Rc::new(Queue::unbounded());
            let results = task_group(async |tg| {
                let [reader1, mut reader2, reader3] = [(); 3].map(|()| tg.spawn(get(&q)));
                yield_now().await?;
                q.put_nowait(1)?;
                q.put_nowait(2)?;
                reader1.cancel();
                assert!(reader1.await.unwrap_err().is_cancelled());
                let third = reader3.await?;
                Ok(BTreeSet::from([result_of(&mut reader2)?, third]))
            })
            .await?;
            assert_eq!(results, BTreeSet::from([1, 2]));

            // Without another item, by which the next getter would be woken as well.
            let (reader1, reader2) = (spawn(get(&q)), spawn(get(&q)));
            yield_now().await?;
            q.put_nowait(3)?;
            reader1.cancel();
            assert!(reader1.await.unwrap_err().is_cancelled());
            assert_eq!(timeout(ms(1000), reader2).await?, 3);
            Ok(())
        })
        .unwrap();
    }

    /// A slot whose putter is cancelled after its wake-up stays free, and the item can be put again (QU-8).
    #[test]
    fn test_put_cancel_drop() {
        run(async {
            let q = Rc::new(Queue::new(1));
            q.put_nowait(1)?;
            let writer = spawn(put(&q, 2));
            yield_now().await?;
            assert_eq!(q.get_nowait(), Ok(1));
            writer.cancel();
            match writer.await {
                Err(error) if error.is_cancelled() => spawn(put(&q, 2)).await?,
                result => result?,
            }
            assert_eq!(q.get_nowait(), Ok(2));
            assert_eq!(q.len(), 0);
            Ok(())
        })
        .unwrap();
    }

    /// `put_nowait` is refused if there is no room, and gives the item back (QU-3).
    #[test]
    fn test_nonblocking_put_exception() {
        let q = Queue::new(1);
        q.put_nowait(1).unwrap();
        assert_eq!(q.put_nowait(2), Err(PutRefused::Full(2)));
    }

    /// A put that need not wait is done in its first step (QU-4).
    #[test]
    fn test_put_cancelled() {
        run(async {
            let q = Rc::new(Queue::unbounded());
            let putting = q.clone();
            let mut t = spawn(async move {
                putting.put(1).await?;
                Ok(true)
            });
            assert_eq!(q.get().await?, 1);
            assert!(result_of(&mut t)?);
            Ok(())
        })
        .unwrap();
    }

    /// A putter that was cancelled puts nothing, and is not in the way of another (QU-7, QU-8).
    #[test]
    fn test_put_cancelled_race() {
        run(async {
            let q = Rc::new(Queue::new(1));
            let (put_a, put_b, put_c) = (spawn(put(&q, "a")), spawn(put(&q, "b")), spawn(put(&q, "X")));
            yield_now().await?;
            assert!(put_a.is_finished());
            assert!(!put_b.is_finished());

            put_c.cancel();
            yield_now().await?;
            assert!(put_c.is_finished());
            assert_eq!(q.get_nowait(), Ok("a"));
            yield_now().await?;
            assert_eq!(q.get_nowait(), Ok("b"));
            put_b.await
        })
        .unwrap();
    }

    /// Each put wakes one getter (QU-6).
    #[test]
    fn test_put_with_waiting_getters() {
        run(async {
            let q = Rc::new(Queue::unbounded());
            let (first, second) = (spawn(get(&q)), spawn(get(&q)));
            yield_now().await?;
            q.put("a").await?;
            assert_eq!(first.await?, "a");
            assert!(!second.is_finished());
            Ok(())
        })
        .unwrap();
    }

    /// Putters for which a getter makes room in one step all go on (QU-5, QU-6).
    #[test]
    fn test_why_are_putters_waiting() {
        run(async {
            let q = Rc::new(Queue::new(2));
            let getting = q.clone();
            timeout(
                ms(1000),
                task_group(async |tg| {
                    drop(tg.spawn(async move {
                        yield_now().await?;
                        for _ in 0..getting.len() {
                            getting.get_nowait()?;
                        }
                        Ok(())
                    }));
                    for item in 0..4 {
                        drop(tg.spawn(put(&q, item)));
                    }
                    Ok(())
                }),
            )
            .await?;
            assert_eq!(q.len(), 2);
            Ok(())
        })
        .unwrap();
    }

    /// A putter that was cancelled leaves the queue (QU-7).
    #[test]
    fn test_cancelled_puts_not_being_held_in_self_putters() {
        run(async {
            let q = Rc::new(Queue::new(1));
            q.put_nowait(1)?;
            let put_task = spawn(put(&q, 1));
            yield_now().await?;
            assert_eq!(format!("{q:?}"), "Queue [maxsize: 1, items: 1, putters: 1, unfinished: 1]");
            put_task.cancel();
            assert!(put_task.await.unwrap_err().is_cancelled());
            assert_eq!(format!("{q:?}"), "Queue [maxsize: 1, items: 1, unfinished: 1]");
            Ok(())
        })
        .unwrap();
    }

    /// Also one that was woken before it was cancelled, which raises nothing else (QU-7).
    #[test]
    fn test_cancelled_put_silence_value_error_exception() {
        run(async {
            let q = Rc::new(Queue::new(1));
            q.put_nowait(1)?;
            let put_task = spawn(put(&q, 1));
            yield_now().await?;
            q.get_nowait()?;
            put_task.cancel();
            assert_eq!(type_of(&put_task.await.unwrap_err()), "CancelledError");
            assert_eq!(q.len(), 0);
            assert_eq!(q.put_nowait(2), Ok(()));
            Ok(())
        })
        .unwrap();
    }
}

mod lifo_queue_tests {
    use super::*;

    /// Last in, first out (QU-2).
    #[test]
    fn test_order() {
        assert_eq!(order(&LifoQueue::unbounded()), [2, 3, 1]);
    }
}

mod priority_queue_tests {
    use super::*;

    /// The smallest first (QU-2).
    #[test]
    fn test_order() {
        assert_eq!(order(&PriorityQueue::unbounded()), [1, 2, 3]);
    }
}

/// Runs a test for each kind of queue.
macro_rules! with_each_kind {
    ($test:ident) => {
        run($test::<Fifo<_>>()).unwrap();
        run($test::<Lifo<_>>()).unwrap();
        run($test::<Smallest<_>>()).unwrap();
    };
}

/// What a queue shows of its counts, without its kind.
fn format<O: Order>(q: &QueueIn<O>) -> String {
    let shown = format!("{q:?}");
    let counts = shown.split_once(" [").and_then(|(_, counts)| counts.strip_suffix(']'));
    counts.expect("kind [counts]").to_owned()
}

mod queue_join_test_mixin {
    use super::*;

    /// More items cannot be done than were put (QU-9).
    #[test]
    fn test_task_done_underflow() {
        async fn test<O: Order<Item = u32>>() -> Result<()> {
            let q = QueueIn::<O>::unbounded();
            assert_eq!(q.task_done(), Err(TaskDoneTooOften));
            Ok(())
        }
        with_each_kind!(test);
    }

    /// `join` returns when as many items are done as were put (QU-9, QU-10).
    #[test]
    fn test_task_done() {
        async fn test<O: Order<Item = u32> + 'static>() -> Result<()> {
            let q = Rc::new(QueueIn::<O>::unbounded());
            for item in 0..100 {
                q.put_nowait(item)?;
            }
            let (accumulator, running) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(true)));
            task_group(async |tg| {
                let workers = [(); 2].map(|()| {
                    let (q, accumulator, running) = (q.clone(), accumulator.clone(), running.clone());
                    tg.spawn(async move {
                        while running.get() {
                            accumulator.set(accumulator.get() + q.get().await?);
                            yield_now().await?;
                            q.task_done()?;
                        }
                        Ok(())
                    })
                });
                q.join().await?;
                assert_eq!(accumulator.get(), (0..100).sum());
                running.set(false);
                for _ in &workers {
                    q.put_nowait(0)?;
                }
                Ok(())
            })
            .await
        }
        with_each_kind!(test);
    }

    /// With nothing unfinished, `join` returns at once, and again (QU-10).
    #[test]
    fn test_join_empty_queue() {
        async fn test<O: Order<Item = u32>>() -> Result<()> {
            let q = QueueIn::<O>::unbounded();
            assert!(poll_once(q.join()).is_ready());
            q.join().await?;
            q.join().await
        }
        with_each_kind!(test);
    }

    /// A queue shows what is unfinished (TK-14).
    #[test]
    fn test_format() {
        async fn test<O: Order<Item = u32>>() -> Result<()> {
            let q = QueueIn::<O>::unbounded();
            assert_eq!(format(&q), "maxsize: 0");
            for item in [1, 2] {
                q.put(item).await?;
                q.get().await?;
            }
            assert_eq!(format(&q), "maxsize: 0, unfinished: 2");
            Ok(())
        }
        with_each_kind!(test);
    }
}

mod queue_shutdown_test_mixin {
    use super::*;

    /// Neither puts nor gets are taken any more.
    async fn assert_is_shut_down<O: Order<Item = &'static str>>(q: &QueueIn<O>) {
        assert!(q.put("data").await.unwrap_err().is::<QueueShutDown>());
        assert_eq!(q.put_nowait("data"), Err(PutRefused::ShutDown("data")));
        assert!(q.get().await.unwrap_err().is::<QueueShutDown>());
        assert_eq!(q.get_nowait(), Err(GetRefused::ShutDown));
    }

    /// `q.join()`, spawned.
    fn spawn_join<O: Order + 'static>(q: &Rc<QueueIn<O>>) -> Task<()> {
        let q = q.clone();
        spawn(async move { q.join().await })
    }

    /// A queue shows that it was shut down (TK-14).
    #[test]
    fn test_format() {
        async fn test<O: Order<Item = u32>>() -> Result<()> {
            let q = QueueIn::<O>::unbounded();
            q.shutdown(Shutdown::Drain);
            assert_eq!(format(&q), "maxsize: 0, shut down");
            Ok(())
        }
        with_each_kind!(test);
    }

    /// A shutdown of an empty queue fails the getters that wait, and all puts and gets from then on (QU-11, QU-12).
    #[test]
    fn test_shutdown_empty() {
        async fn test<O: Order<Item = &'static str> + 'static>() -> Result<()> {
            let q = Rc::new(QueueIn::<O>::unbounded());
            let get_task = spawn(get(&q));
            yield_now().await?;
            q.shutdown(Shutdown::Drain);
            assert_eq!(q.len(), 0);
            q.join().await?;
            yield_now().await?;
            assert!(get_task.is_finished());
            assert!(get_task.await.unwrap_err().is::<QueueShutDown>());
            assert_is_shut_down(&q).await;
            Ok(())
        }
        with_each_kind!(test);
    }

    /// A shutdown fails the putters that wait; what is in the queue can be got, and `join` waits for it (QU-11 to QU-13).
    #[test]
    fn test_shutdown_nonempty() {
        async fn test<O: Order<Item = &'static str> + 'static>() -> Result<()> {
            let q = Rc::new(QueueIn::<O>::new(1));
            q.put_nowait("data")?;
            let mut join_task = spawn_join(&q);
            let put_task = spawn(put(&q, "data2"));
            yield_now().await?;
            assert!(!put_task.is_finished());

            q.shutdown(Shutdown::Drain);
            assert_eq!(q.len(), 1);
            yield_now().await?;
            assert!(put_task.is_finished());
            assert!(put_task.await.unwrap_err().is::<QueueShutDown>());
            assert_eq!(q.get().await?, "data");
            yield_now().await?;
            assert!(!join_task.is_finished());
            assert_is_shut_down(&q).await;

            q.task_done()?;
            yield_now().await?;
            result_of(&mut join_task)?;
            assert_eq!(q.task_done(), Err(TaskDoneTooOften));
            Ok(())
        }
        with_each_kind!(test);
    }

    /// An immediate shutdown throws the items away, and what was only in the queue counts as done (QU-14).
    #[test]
    fn test_shutdown_immediate() {
        async fn test<O: Order<Item = &'static str> + 'static>() -> Result<()> {
            let q = Rc::new(QueueIn::<O>::unbounded());
            q.put_nowait("data")?;
            let mut join_task = spawn_join(&q);
            q.shutdown(Shutdown::Immediate);
            assert_eq!(q.len(), 0);
            yield_now().await?;
            result_of(&mut join_task)?;
            assert_is_shut_down(&q).await;
            assert_eq!(q.task_done(), Err(TaskDoneTooOften));
            Ok(())
        }
        with_each_kind!(test);
    }

    /// What was taken out before an immediate shutdown is still waited for (QU-14).
    #[test]
    fn test_shutdown_immediate_with_unfinished() {
        async fn test<O: Order<Item = &'static str> + 'static>() -> Result<()> {
            let q = Rc::new(QueueIn::<O>::unbounded());
            q.put_nowait("data")?;
            q.put_nowait("data")?;
            let mut join_task = spawn_join(&q);
            assert_eq!(q.get().await?, "data");
            q.shutdown(Shutdown::Immediate);
            assert_eq!(q.len(), 0);
            yield_now().await?;
            assert!(!join_task.is_finished());
            assert_is_shut_down(&q).await;

            q.task_done()?;
            assert_eq!(q.task_done(), Err(TaskDoneTooOften));
            yield_now().await?;
            result_of(&mut join_task)
        }
        with_each_kind!(test);
    }
}
