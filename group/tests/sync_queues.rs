//! Every rule on queues (QU), each as a test that can fail.

mod common;

use common::{Log, in_every_mode, in_every_order, ms, nap, shown, started};
use futures_util::future::FutureExt;
use homing::sync::{
    GetRefused, LifoQueue, PriorityQueue, PutRefused, Queue, QueueEmpty, QueueFull, QueueShutDown, Shutdown,
    TaskDoneTooOften,
};
use homing::{Error, Result, Task, current, spawn, task_group, timeout};
use std::rc::Rc;

/// Gets one item, and logs it.
async fn getter(queue: &Rc<Queue<i32>>, log: &Log, name: &'static str) -> Task<i32> {
    let (queue, log) = (queue.clone(), log.clone());
    started(async move {
        let item = queue.get().await?;
        log.push(format!("{name} {item}"));
        Ok(item)
    })
    .await
}

async fn putter(queue: &Rc<Queue<i32>>, item: i32) -> Task<()> {
    let queue = queue.clone();
    started(async move { queue.put(item).await }).await
}

fn is_shut_down<T>(outcome: Result<T>) -> bool {
    outcome.is_err_and(|error| error.is::<QueueShutDown>())
}

/// QU-1
#[test]
fn with_a_maxsize_of_zero_a_queue_is_never_full() {
    let queue = Queue::new(0);
    (0..100).for_each(|item| queue.put_nowait(item).unwrap());
    assert_eq!((queue.is_full(), queue.maxsize(), queue.len()), (false, 0, 100));
    let queue = Queue::new(2);
    queue.put_nowait(1).unwrap();
    assert_eq!((queue.is_full(), queue.maxsize(), queue.is_empty()), (false, 2, false));
    queue.put_nowait(2).unwrap();
    assert!(queue.is_full());
}

/// QU-2
#[test]
fn items_come_out_in_the_order_of_the_queue() {
    let items = [(2, "a"), (1, "b"), (2, "c"), (3, "d")];
    let (fifo, lifo, smallest) = (Queue::unbounded(), LifoQueue::unbounded(), PriorityQueue::unbounded());
    for item in items {
        fifo.put_nowait(item).unwrap();
        lifo.put_nowait(item).unwrap();
        smallest.put_nowait(item).unwrap();
    }
    let names = |next: &dyn Fn() -> Result<(i32, &'static str), GetRefused>| -> String {
        std::iter::from_fn(|| next().ok()).map(|(_, name)| name).collect()
    };
    assert_eq!(names(&|| fifo.get_nowait()), "abcd");
    assert_eq!(names(&|| lifo.get_nowait()), "dcba");
    assert_eq!(names(&|| smallest.get_nowait()), "bacd");
}

/// QU-2: among equals, the first in
#[test]
fn equal_priorities_come_out_in_the_order_in_which_they_came() {
    #[derive(PartialEq, Eq, Debug)]
    struct Job(u8, usize);
    impl PartialOrd for Job {
        fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
            Some(self.cmp(other))
        }
    }
    impl Ord for Job {
        fn cmp(&self, other: &Self) -> std::cmp::Ordering {
            self.0.cmp(&other.0)
        }
    }
    let queue = PriorityQueue::unbounded();
    (0..50).for_each(|number| queue.put_nowait(Job(7, number)).unwrap());
    for number in 0..50 {
        assert_eq!(queue.get_nowait().unwrap().1, number);
    }
}

/// QU-3
#[test]
fn what_cannot_be_done_at_once_is_refused_and_the_item_comes_back() {
    let queue = Queue::new(1);
    assert_eq!(queue.get_nowait(), Err(GetRefused::Empty));
    queue.put_nowait("a").unwrap();
    let refused = queue.put_nowait("b").unwrap_err();
    assert!(refused.is_full() && refused == PutRefused::Full("b"));
    assert_eq!(refused.to_string(), "the queue is full; wait for a slot with `put`");
    assert_eq!(refused.into_item(), "b");
    // As errors they have types, and need not be `Send`.
    assert!(Error::from(PutRefused::Full(Rc::new(1))).is::<QueueFull>());
    assert!(Error::from(PutRefused::ShutDown(Rc::new(1))).is::<QueueShutDown>());
    assert!(Error::from(GetRefused::Empty).is::<QueueEmpty>());
    assert!(Error::from(GetRefused::ShutDown).is::<QueueShutDown>());
}

/// QU-4, CX-11
#[test]
fn put_and_get_do_not_suspend_without_need() {
    in_every_mode(async |_| {
        let queue = Rc::new(Queue::new(1));
        let task = spawn({
            let queue = queue.clone();
            async move {
                current().expect("a task").cancel();
                queue.put(1).await?;
                assert_eq!(queue.get().await?, 1);
                queue.put(2).await?;
                queue.put(3).await
            }
        });
        assert_eq!(shown(&task.await), "cancelled");
        assert_eq!(queue.get_nowait(), Ok(2));
        assert!(queue.is_empty(), "a put that fails has not put");
        Ok(())
    });
}

/// QU-4: CPython's `test_why_are_getters_waiting`, `test_why_are_putters_waiting`
#[test]
fn producers_and_consumers_of_different_speeds_get_everything_through() {
    in_every_order(async |_| {
        for (put_pause, get_pause) in [(0, 0), (2, 0), (0, 2), (1, 1)] {
            let queue = Rc::new(Queue::new(1));
            let got = Log::new();
            task_group(async |tg| {
                for producer in 0..2 {
                    let queue = queue.clone();
                    tg.spawn(async move {
                        for item in 0..5 {
                            queue.put(producer * 10 + item).await?;
                            nap(put_pause).await?;
                        }
                        Ok(())
                    });
                }
                for _ in 0..2 {
                    let (queue, got) = (queue.clone(), got.clone());
                    tg.spawn(async move {
                        for _ in 0..5 {
                            got.push(format!("{:02}", queue.get().await?));
                            nap(get_pause).await?;
                        }
                        Ok(())
                    });
                }
                Ok(())
            })
            .await?;
            let got = got.take();
            for producer in ["0", "1"] {
                let mine: Vec<_> = got.iter().filter(|item| item.starts_with(producer)).collect();
                assert!(mine.is_sorted() && mine.len() == 5, "{got:?}");
            }
        }
        Ok(())
    });
}

/// QU-5, KQ-11
#[test]
fn a_newcomer_overtakes_neither_a_woken_putter_nor_a_woken_getter() {
    in_every_order(async |_| {
        let (queue, log) = (Rc::new(Queue::new(1)), Log::new());
        queue.put_nowait(1)?;
        let second = putter(&queue, 2).await;
        assert_eq!(queue.get_nowait()?, 1);
        assert!(queue.put_nowait(3).unwrap_err().is_full(), "the slot is kept for the first in line");
        let third = putter(&queue, 3).await;
        second.await?;
        assert_eq!(queue.get().await?, 2);
        third.await?;
        assert_eq!(queue.get().await?, 3);
        let first = getter(&queue, &log, "first").await;
        queue.put(4).await?;
        assert_eq!(queue.get_nowait(), Err(GetRefused::Empty), "the item is kept for the first in line");
        assert_eq!(queue.len(), 1);
        assert_eq!(first.await?, 4);
        Ok(())
    });
}

/// QU-6
#[test]
fn each_put_serves_one_getter_and_each_get_one_putter_in_order() {
    in_every_mode(async |_| {
        let (queue, log) = (Rc::new(Queue::new(2)), Log::new());
        let a = getter(&queue, &log, "a").await;
        let b = getter(&queue, &log, "b").await;
        queue.put(1).await?;
        nap(1).await?;
        assert_eq!(log.take(), ["a 1"]);
        queue.put(2).await?;
        nap(1).await?;
        assert_eq!(log.take(), ["b 2"]);
        drop((a, b));
        queue.put(3).await?;
        queue.put(4).await?;
        let x = putter(&queue, 5).await;
        let y = putter(&queue, 6).await;
        assert_eq!(queue.get().await?, 3);
        nap(1).await?;
        assert_eq!((x.is_finished(), y.is_finished()), (true, false));
        for item in 4..=6 {
            assert_eq!(queue.get().await?, item);
        }
        x.await?;
        y.await
    });
}

/// QU-7
#[test]
fn a_cancelled_waiter_leaves_its_line() {
    in_every_order(async |_| {
        let queue = Rc::new(Queue::<i32>::new(1));
        let outcome = timeout(ms(5), queue.get()).await;
        assert!(outcome.unwrap_err().is_timeout());
        assert_eq!(format!("{queue:?}"), "Queue [maxsize: 1]");
        queue.put_nowait(1)?;
        let outcome = timeout(ms(5), queue.put(2)).await;
        assert!(outcome.unwrap_err().is_timeout());
        assert_eq!(format!("{queue:?}"), "Queue [maxsize: 1, items: 1, unfinished: 1]");
        Ok(())
    });
}

/// QU-8: CPython's `test_get_cancel_drop_one_pending_reader`, `…_many_pending_readers`
#[test]
fn an_item_kept_for_a_cancelled_getter_stays_in_its_place_and_goes_to_the_next() {
    in_every_order(async |_| {
        for abort in [false, true] {
            let (queue, log) = (Rc::new(Queue::new(0)), Log::new());
            let a = getter(&queue, &log, "a").await;
            let b = getter(&queue, &log, "b").await;
            let c = getter(&queue, &log, "c").await;
            queue.put_nowait(1)?;
            queue.put_nowait(2)?;
            if abort {
                a.abort()
            } else {
                a.cancel()
            };
            let mut got = [b.await?, c.await?];
            got.sort();
            assert_eq!(got, [1, 2]);
            assert!(a.is_finished() && queue.is_empty());
            // With nobody behind, it is there for whoever comes.
            let a = getter(&queue, &log, "a").await;
            queue.put_nowait(3)?;
            queue.put_nowait(4)?;
            if abort {
                a.abort()
            } else {
                a.cancel()
            };
            assert_eq!((queue.get().await?, queue.get().await?), (3, 4));
            drop(a);
        }
        Ok(())
    });
}

/// QU-8: CPython's `test_put_cancel_drop`, `test_put_cancelled_race`
#[test]
fn a_slot_kept_for_a_cancelled_putter_goes_to_the_next_and_the_item_is_not_put() {
    in_every_order(async |_| {
        for abort in [false, true] {
            let queue = Rc::new(Queue::new(1));
            queue.put_nowait(1)?;
            let a = putter(&queue, 2).await;
            let b = putter(&queue, 3).await;
            assert_eq!(queue.get_nowait()?, 1);
            if abort {
                a.abort()
            } else {
                a.cancel()
            };
            b.await?;
            assert_eq!((queue.get_nowait(), queue.get_nowait()), (Ok(3), Err(GetRefused::Empty)));
            assert!(a.is_finished());
            assert_eq!(queue.unfinished(), 2);
        }
        Ok(())
    });
}

/// QU-9
#[test]
fn a_task_done_too_many_is_an_error() {
    let queue = Queue::new(0);
    assert_eq!(queue.task_done(), Err(TaskDoneTooOften));
    queue.put_nowait(1).unwrap();
    queue.get_nowait().unwrap();
    assert_eq!(queue.task_done(), Ok(()));
    assert_eq!(queue.task_done(), Err(TaskDoneTooOften));
    assert_eq!(TaskDoneTooOften.to_string(), "`task_done` was called more often than items were put");
}

/// QU-10
#[test]
fn join_waits_until_all_that_was_put_is_done() {
    in_every_order(async |_| {
        let queue = Rc::new(Queue::new(0));
        assert!(queue.join().now_or_never().is_some(), "at once, if nothing was put");
        for item in 0..3 {
            queue.put_nowait(item)?;
        }
        let joined = started({
            let queue = queue.clone();
            async move { queue.join().await }
        })
        .await;
        for _ in 0..3 {
            assert!(!joined.is_finished());
            queue.get().await?;
            nap(1).await?;
            queue.task_done()?;
        }
        // Woken: it goes on though something was put since.
        queue.put_nowait(4)?;
        joined.await
    });
}

/// QU-11
#[test]
fn after_a_shutdown_puts_fail_and_gets_go_on_until_it_is_empty() {
    in_every_order(async |_| {
        let queue = Queue::new(1);
        queue.put_nowait(1)?;
        queue.shutdown(Shutdown::Drain);
        assert_eq!(queue.put_nowait(2), Err(PutRefused::ShutDown(2)), "and not: full");
        assert!(is_shut_down(queue.put(2).await));
        assert_eq!(queue.get().await?, 1);
        assert!(is_shut_down(queue.get().await));
        assert_eq!(queue.get_nowait(), Err(GetRefused::ShutDown));
        assert!(queue.is_shut_down());
        Ok(())
    });
}

/// QU-12
#[test]
fn a_shutdown_wakes_everybody() {
    in_every_order(async |_| {
        let (queue, log) = (Rc::new(Queue::new(1)), Log::new());
        let a = getter(&queue, &log, "a").await;
        let b = getter(&queue, &log, "b").await;
        queue.shutdown(Shutdown::Drain);
        assert!(is_shut_down(a.await) && is_shut_down(b.await));
        let queue = Rc::new(Queue::new(1));
        queue.put_nowait(1)?;
        let woken = putter(&queue, 2).await;
        let waiting = putter(&queue, 3).await;
        assert_eq!(queue.get_nowait()?, 1);
        queue.shutdown(Shutdown::Drain);
        assert!(is_shut_down(woken.await), "though a slot was kept for it");
        assert!(is_shut_down(waiting.await));
        assert_eq!(queue.unfinished(), 1);
        Ok(())
    });
}

/// QU-12: an item that is kept for a getter is not lost in a shutdown, whoever is cancelled
#[test]
fn a_getter_behind_a_kept_item_waits_until_it_is_clear_who_gets_it() {
    in_every_order(async |_| {
        for cancel in [false, true] {
            let (queue, log) = (Rc::new(Queue::new(0)), Log::new());
            let a = getter(&queue, &log, "a").await;
            let b = getter(&queue, &log, "b").await;
            queue.put_nowait(1)?;
            queue.shutdown(Shutdown::Drain);
            assert_eq!(queue.get_nowait(), Err(GetRefused::Empty));
            if cancel {
                a.cancel();
                assert_eq!(b.await?, 1);
            } else {
                assert!(!a.is_finished());
                assert!(is_shut_down(b.await));
                assert_eq!(a.await?, 1);
            }
            assert_eq!(queue.get_nowait(), Err(GetRefused::ShutDown));
        }
        Ok(())
    });
}

/// QU-13
#[test]
fn join_is_not_cut_short_by_a_shutdown() {
    in_every_order(async |_| {
        let queue = Rc::new(Queue::new(0));
        queue.put_nowait(1)?;
        let joined = started({
            let queue = queue.clone();
            async move { queue.join().await }
        })
        .await;
        queue.shutdown(Shutdown::Drain);
        nap(1).await?;
        assert!(!joined.is_finished());
        queue.get().await?;
        queue.task_done()?;
        joined.await
    });
}

/// QU-14
#[test]
fn an_immediate_shutdown_throws_the_items_away_and_counts_them_as_done() {
    in_every_order(async |_| {
        let (queue, log) = (Rc::new(Queue::new(0)), Log::new());
        let join = |queue: &Rc<Queue<i32>>| {
            let queue = queue.clone();
            started(async move { queue.join().await })
        };
        let woken = getter(&queue, &log, "woken").await;
        for item in 0..3 {
            queue.put_nowait(item)?;
        }
        let joined = join(&queue).await;
        let kept = !woken.is_finished();
        queue.shutdown(Shutdown::Immediate);
        assert_eq!(queue.len(), 0);
        assert_eq!(is_shut_down(woken.await), kept, "an item that was kept is thrown away too");
        assert!(is_shut_down(queue.get().await));
        if !kept {
            assert!(!joined.is_finished());
            queue.task_done()?;
        }
        joined.await?;
        assert_eq!(queue.task_done(), Err(TaskDoneTooOften));
        // Final, and the same said again.
        queue.shutdown(Shutdown::Drain);
        queue.shutdown(Shutdown::Immediate);
        assert!(is_shut_down(queue.put(1).await));
        Ok(())
    });
}

/// QU-14
#[test]
fn after_an_immediate_shutdown_join_waits_for_what_was_taken_out() {
    in_every_order(async |_| {
        let queue = Rc::new(Queue::new(0));
        queue.put_nowait(1)?;
        queue.put_nowait(2)?;
        queue.get().await?;
        let joined = started({
            let queue = queue.clone();
            async move { queue.join().await }
        })
        .await;
        queue.shutdown(Shutdown::Immediate);
        nap(1).await?;
        assert!(!joined.is_finished());
        queue.task_done()?;
        joined.await
    });
}

#[test]
fn items_thrown_away_may_use_the_queue_when_they_are_dropped() {
    struct Item(Rc<Queue<Item>>);
    impl Drop for Item {
        fn drop(&mut self) {
            assert!(self.0.get_nowait().is_err());
            assert!(self.0.is_empty());
        }
    }
    let queue = Rc::new(Queue::new(0));
    queue.put_nowait(Item(queue.clone())).unwrap();
    queue.shutdown(Shutdown::Immediate);
    assert_eq!(Rc::strong_count(&queue), 1);
}

/// TK-14
#[test]
fn its_debug_form_tells_what_there_is() {
    let queue = LifoQueue::new(1);
    assert_eq!(format!("{queue:?}"), "LifoQueue [maxsize: 1]");
    let mut get = queue.get();
    assert!((&mut get).now_or_never().is_none());
    assert_eq!(format!("{queue:?}"), "LifoQueue [maxsize: 1, getters: 1]");
    drop(get);
    queue.put_nowait(1).unwrap();
    let mut put = queue.put(2);
    assert!((&mut put).now_or_never().is_none());
    assert_eq!(format!("{queue:?}"), "LifoQueue [maxsize: 1, items: 1, putters: 1, unfinished: 1]");
    drop(put);
    queue.shutdown(Shutdown::Immediate);
    assert_eq!(format!("{queue:?}"), "LifoQueue [maxsize: 1, shut down]");
    assert_eq!(format!("{:?}", PriorityQueue::<i32>::default()), "PriorityQueue [maxsize: 0]");
}
