//! Wakers: kept for too long, used anywhere, and never lost.

mod support;

use homing::{Builder, Runtime};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};
use support::{Gate, OnDrop, forever, in_virtual_time, runtime, yields};

/// The waker of the running task.
async fn own_waker() -> Waker {
    poll_fn(|cx| Poll::Ready(cx.waker().clone())).await
}

/// A task that counts its polls, never ends, and gives its waker away.
fn counter(
    polls: &Rc<Cell<u32>>,
    wakers: &Rc<RefCell<Vec<Waker>>>,
) -> impl Future<Output = homing::Result<()>> + 'static {
    let (polls, wakers) = (polls.clone(), wakers.clone());
    poll_fn(move |cx| {
        polls.set(polls.get() + 1);
        wakers.borrow_mut().push(cx.waker().clone());
        Poll::Pending
    })
}

#[test]
fn a_waker_knows_its_like() {
    in_virtual_time(async {
        let (first, again) = (own_waker().await, own_waker().await);
        assert!(first.will_wake(&again) && first.will_wake(&first.clone()));
        let other = homing::spawn(async { Ok(own_waker().await) }).await?;
        assert!(!first.will_wake(&other));
        assert!(!first.will_wake(Waker::noop()));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_waker_that_outlives_its_task_wakes_nobody() {
    in_virtual_time(async {
        let kept = homing::spawn(async { Ok(own_waker().await) }).await?;
        let (polls, wakers) = (Rc::default(), Rc::default());
        // In all likelihood in the same row.
        let next: Vec<_> = (0..4).map(|_| homing::spawn(counter(&polls, &wakers))).collect();
        yields(1).await?;
        assert_eq!(polls.get(), 4);
        kept.wake_by_ref();
        let clone = kept.clone();
        clone.wake();
        let elsewhere = kept.clone();
        std::thread::spawn(move || elsewhere.wake()).join().unwrap();
        yields(3).await?;
        assert_eq!(polls.get(), 4);
        next.iter().for_each(|task| assert!(task.abort()));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_waker_that_outlives_its_runtime_and_its_thread_is_harmless() {
    let kept = std::thread::spawn(|| {
        let (runtime, _) = runtime();
        let wakers = Rc::default();
        let task = runtime.spawn(counter(&Rc::default(), &wakers));
        runtime.run_until_stalled().unwrap();
        drop((task, runtime));
        wakers.take()
    })
    .join()
    .unwrap();
    kept.iter().for_each(Waker::wake_by_ref);
    in_virtual_time(async {
        kept.iter().for_each(Waker::wake_by_ref);
        yields(2).await
    })
    .unwrap();
    std::thread::spawn(move || kept.into_iter().for_each(Waker::wake)).join().unwrap();
}

#[test]
fn a_waker_may_be_used_by_a_destructor_while_the_runtime_ends() {
    let (runtime, reports) = runtime();
    let gates: Vec<Gate> = (0..10).map(|_| Gate::default()).collect();
    for number in 0..10 {
        let (mine, next) = (gates[number].clone(), gates[(number + 1) % 10].clone());
        let opens = OnDrop(move || next.open());
        drop(runtime.spawn(async move {
            let _opens = opens;
            mine.await;
            Ok(())
        }));
    }
    runtime.run_until_stalled().unwrap();
    drop(runtime);
    assert_eq!(reports.take().len(), 10);
    gates.iter().for_each(Gate::open);
}

#[test]
fn a_waker_may_be_used_by_other_threads_while_the_runtime_ends() {
    let wakers: Arc<Mutex<Vec<Waker>>> = Arc::default();
    let stop = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let (wakers, stop) = (wakers.clone(), stop.clone());
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let some = wakers.lock().unwrap().clone();
                    some.iter().for_each(Waker::wake_by_ref);
                    std::thread::yield_now();
                }
            })
        })
        .collect();
    for _ in 0..40 {
        let runtime = Builder::new().on_unhandled(|_| {}).build();
        for _ in 0..20 {
            let wakers = wakers.clone();
            drop(runtime.spawn(poll_fn(move |cx| {
                let mut wakers = wakers.lock().unwrap();
                if wakers.len() < 500 {
                    wakers.push(cx.waker().clone());
                }
                Poll::<homing::Result<()>>::Pending
            })));
        }
        runtime.block_on(homing::sleep(Duration::from_micros(100))).unwrap();
        drop(runtime);
    }
    stop.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_waker_may_be_used_by_the_destructor_of_a_thread_local() {
    struct AtExit(RefCell<Vec<Waker>>);
    impl Drop for AtExit {
        fn drop(&mut self) {
            self.0.borrow().iter().for_each(Waker::wake_by_ref);
            assert!(homing::current().is_none());
            assert!(!homing::call_soon(|| {}));
        }
    }
    thread_local! {
        static AT_EXIT: AtExit = const { AtExit(RefCell::new(Vec::new())) };
    }
    std::thread::spawn(|| {
        // Made first, and so destroyed last: the runtime is another thread-local, and goes with the thread, too.
        thread_local! {
            static RUNTIME: Runtime = Builder::new().on_unhandled(|_| {}).build();
        }
        AT_EXIT.with(|_| ());
        RUNTIME.with(|runtime| {
            drop(runtime.spawn(poll_fn(|cx| {
                AT_EXIT.with(|kept| kept.0.borrow_mut().push(cx.waker().clone()));
                Poll::<homing::Result<()>>::Pending
            })));
            runtime.run_until_stalled().unwrap();
        });
    })
    .join()
    .unwrap();
}

#[test]
fn wakes_of_a_task_that_is_in_line_already_change_nothing() {
    let (runtime, _) = runtime();
    let (polls, wakers): (Rc<Cell<u32>>, Rc<RefCell<Vec<Waker>>>) = Default::default();
    let task = runtime.spawn(counter(&polls, &wakers));
    runtime.run_until_stalled().unwrap();
    let waker = wakers.borrow()[0].clone();
    for _ in 0..3 {
        waker.wake_by_ref();
    }
    let elsewhere = waker.clone();
    std::thread::spawn(move || (0..3).for_each(|_| elsewhere.wake_by_ref())).join().unwrap();
    runtime.run_until_stalled().unwrap();
    assert_eq!(polls.get(), 2);
    runtime.run_until_stalled().unwrap();
    assert_eq!(polls.get(), 2);
    task.abort();
}

#[test]
fn a_wake_during_the_poll_has_the_task_polled_once_more() {
    in_virtual_time(async {
        let polls = Rc::new(Cell::new(0));
        let counted = polls.clone();
        let task = homing::spawn(poll_fn(move |cx| {
            counted.set(counted.get() + 1);
            if counted.get() == 1 {
                cx.waker().wake_by_ref();
                let elsewhere = cx.waker().clone();
                std::thread::spawn(move || elsewhere.wake()).join().unwrap();
            }
            Poll::<homing::Result<()>>::Pending
        }));
        yields(5).await?;
        // One for the wake here; the one from the other thread came while the task was in line, or is one more.
        assert!((2..=3).contains(&polls.get()), "{}", polls.get());
        task.abort();
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_task_that_wakes_itself_and_ends_in_the_same_poll_leaves_nothing_in_line() {
    let (runtime, _) = runtime();
    runtime
        .block_on(async {
            for _ in 0..10 {
                let task = homing::spawn(poll_fn(|cx| {
                    cx.waker().wake_by_ref();
                    Poll::Ready(Ok(()))
                }));
                task.await?;
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(runtime.task_count(), 0);
    assert!(!runtime.turn(homing::runtime::Budget::batch()).unwrap().more_ready);
}

/// Counts up with each wake that it was promised.
struct Signal {
    count: AtomicU64,
    waker: Mutex<Option<Waker>>,
}

#[test]
fn no_wake_from_another_thread_is_lost() {
    const SIGNALS: u64 = 3_000;
    let runtime = Runtime::new();
    let signal = Arc::new(Signal { count: AtomicU64::new(0), waker: Mutex::new(None) });
    let (sender, receiver) = mpsc::channel::<()>();
    let thread = {
        let signal = signal.clone();
        std::thread::spawn(move || {
            // Ping-pong: the next signal is given only when the last one has been heard.
            for number in 1..=SIGNALS {
                signal.count.store(number, Ordering::Relaxed);
                let waker = signal.waker.lock().unwrap().clone();
                if let Some(waker) = waker {
                    waker.wake();
                }
                receiver.recv_timeout(Duration::from_secs(20)).expect("a wake was lost");
            }
        })
    };
    runtime
        .block_on(async {
            for number in 1..=SIGNALS {
                poll_fn(|cx| {
                    *signal.waker.lock().unwrap() = Some(cx.waker().clone());
                    if signal.count.load(Ordering::Relaxed) >= number {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                })
                .await;
                sender.send(()).unwrap();
            }
            Ok(())
        })
        .unwrap();
    thread.join().unwrap();
}

#[test]
fn no_wake_is_lost_while_runtimes_come_and_go_and_stale_wakers_are_everywhere() {
    let stale: Arc<Mutex<Vec<Waker>>> = Arc::default();
    let stop = Arc::new(AtomicBool::new(false));
    let pest = {
        let (stale, stop) = (stale.clone(), stop.clone());
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let wakers = stale.lock().unwrap().clone();
                wakers.iter().for_each(Waker::wake_by_ref);
            }
        })
    };
    let begin = Instant::now();
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let stale = stale.clone();
            std::thread::spawn(move || {
                while begin.elapsed() < Duration::from_millis(400) {
                    one_runtime_whose_tasks_are_woken_from_elsewhere(&stale);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    stop.store(true, Ordering::Relaxed);
    pest.join().unwrap();
}

fn one_runtime_whose_tasks_are_woken_from_elsewhere(stale: &Arc<Mutex<Vec<Waker>>>) {
    const TASKS: usize = 10;
    let runtime = Runtime::new();
    let (sender, receiver) = mpsc::channel::<(Arc<AtomicBool>, Waker)>();
    let waking = std::thread::spawn(move || {
        while let Ok((flag, waker)) = receiver.recv() {
            flag.store(true, Ordering::Release);
            waker.wake();
        }
    });
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (sender, stale) = (sender.clone(), stale.clone());
            runtime.spawn(async move {
                for _ in 0..10 {
                    let flag = Arc::new(AtomicBool::new(false));
                    let mut sent = false;
                    poll_fn(|cx| {
                        if !std::mem::replace(&mut sent, true) {
                            sender.send((flag.clone(), cx.waker().clone())).unwrap();
                            let mut stale = stale.lock().unwrap();
                            if stale.len() < 200 {
                                stale.push(cx.waker().clone());
                            } else {
                                stale.clear();
                            }
                        }
                        if flag.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
                    })
                    .await;
                }
                Ok(())
            })
        })
        .collect();
    drop(sender);
    runtime
        .block_on(async {
            for task in tasks {
                let mut task = std::pin::pin!(task);
                let late = homing::sleep(Duration::from_secs(20));
                match futures_util::future::select(task.as_mut(), late).await {
                    futures_util::future::Either::Left((ended, _)) => ended?,
                    futures_util::future::Either::Right(_) => panic!("a wake was lost"),
                }
            }
            Ok(())
        })
        .unwrap();
    waking.join().unwrap();
}

#[test]
fn a_flood_of_messages_does_not_keep_the_tasks_from_their_turns() {
    let runtime = Runtime::new();
    let stop = Arc::new(AtomicBool::new(false));
    let wakers: Arc<Mutex<Vec<Waker>>> = Arc::default();
    let tasks: Vec<_> = (0..200)
        .map(|_| {
            let wakers = wakers.clone();
            runtime.spawn(async move {
                let waker = own_waker().await;
                wakers.lock().unwrap().push(waker);
                forever().await
            })
        })
        .collect();
    runtime.run_until_stalled().unwrap();
    let flood = {
        let (stop, wakers) = (stop.clone(), wakers.lock().unwrap().clone());
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                wakers.iter().for_each(Waker::wake_by_ref);
            }
        })
    };
    runtime
        .block_on(async {
            yields(2000).await?;
            homing::sleep(Duration::from_millis(1)).await
        })
        .unwrap();
    stop.store(true, Ordering::Relaxed);
    flood.join().unwrap();
    tasks.iter().for_each(|task| assert!(task.abort()));
}
