//! Blocking jobs: who runs them, who gets what they return, and what becomes of them when nobody waits.

mod support;

use homing::blocking::{BlockingOptions, check_cancelled};
use homing::{Builder, Error, Panicked, Result, Runtime, RuntimeError, spawn_blocking, timeout};
use std::collections::HashSet;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};
use support::{Reports, failure, millis, poll_once};

/// Nothing here takes long, so what does has got stuck.
const STUCK: Duration = Duration::from_secs(20);

fn builder() -> (Builder, Reports) {
    let reports = Reports::default();
    (Builder::new().on_unhandled(reports.hook()), reports)
}

fn run<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
    homing::run(timeout(STUCK, main))
}

/// A job that says when it begins, and ends when it is told what to return.
fn held_job<T: Send + 'static>() -> (impl FnOnce() -> Result<T> + Send, Began, Sender<Result<T>>) {
    let (began, has_begun) = channel();
    let (end, ends) = channel();
    let job = move || {
        let _ = began.send(());
        ends.recv_timeout(STUCK).unwrap()
    };
    (job, Began(has_begun), end)
}

struct Began(Receiver<()>);

impl Began {
    /// Blocks the thread; the job needs nothing of it.
    fn wait(&self) {
        self.0.recv_timeout(STUCK).unwrap();
    }
}

/// Counts its drops.
#[derive(Clone, Default)]
struct Count(Arc<AtomicUsize>);

impl Count {
    fn get(&self) -> usize {
        self.0.load(SeqCst)
    }

    fn guard(&self) -> Counted {
        Counted(self.0.clone())
    }
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[track_caller]
fn poll<F: Future + Unpin>(future: &mut F) -> std::task::Poll<F::Output> {
    poll_once(Pin::new(future))
}

#[test]
fn a_job_runs_on_a_thread_of_its_own_and_gives_what_it_returns() {
    run(async {
        let here = thread::current().id();
        let (there, name) =
            spawn_blocking(|| Ok((thread::current().id(), thread::current().name().map(str::to_owned))))
                .await?;
        assert_ne!(here, there);
        assert_eq!(name.as_deref(), Some("homing-job-1"));
        let error = spawn_blocking(|| Err::<(), _>(failure("no luck"))).await.unwrap_err();
        assert_eq!(error.to_string(), "no luck");
        Ok(())
    })
    .unwrap();
}

#[test]
fn other_tasks_go_on_while_a_job_runs() {
    run(async {
        let (job, _, end) = held_job();
        let waiter = homing::spawn(spawn_blocking(job));
        homing::sleep(millis(1)).await?;
        assert!(!waiter.is_finished());
        end.send(Ok(7)).unwrap();
        assert_eq!(waiter.await?, 7);
        Ok(())
    })
    .unwrap();
}

#[test]
fn jobs_begin_before_they_are_awaited() {
    run(async {
        let (first, first_began, first_end) = held_job();
        let (second, second_began, second_end) = held_job();
        let (first, second) = (spawn_blocking(first), spawn_blocking(second));
        first_began.wait();
        second_began.wait();
        second_end.send(Ok(2)).unwrap();
        first_end.send(Ok(1)).unwrap();
        assert_eq!((first.await?, second.await?), (1, 2));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_panic_is_reported_and_becomes_the_awaits_error() {
    let (builder, reports) = builder();
    let error = builder
        .build()
        .run(async {
            let job = spawn_blocking(|| support::blow_up("boom") as Result<()>);
            Ok(homing::task(job).name("digger").spawn().await.unwrap_err())
        })
        .unwrap();
    assert_eq!(error.downcast_ref::<Panicked>().unwrap().message(), "boom");
    reports.assert_one(&[
        "task 'digger' panicked: boom",
        "blocking job begun at",
        "tests/blocking.rs",
        "homing-job-1",
    ]);
}

#[test]
fn a_job_in_line_is_taken_out_when_its_task_is_cancelled() {
    let options = BlockingOptions::new().threads(1);
    Builder::new()
        .blocking(options)
        .build()
        .run(async {
            let (job, began, end) = held_job::<()>();
            let first = spawn_blocking(job);
            began.wait();
            let (ran, dropped) = (Arc::new(AtomicBool::new(false)), Count::default());
            let second = homing::spawn(spawn_blocking({
                let (ran, guard) = (ran.clone(), dropped.guard());
                move || {
                    let _captured = guard;
                    ran.store(true, SeqCst);
                    Ok(())
                }
            }));
            homing::yield_now().await?;
            second.cancel();
            assert!(second.await.unwrap_err().is_cancelled());
            assert_eq!(dropped.get(), 1, "what it had captured is gone at once");
            end.send(Ok(())).unwrap();
            first.await?;
            spawn_blocking(|| Ok(())).await?;
            assert!(!ran.load(SeqCst));
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_job_that_must_take_place_does_whatever_happens_to_those_who_wait() {
    let options = BlockingOptions::new().threads(1);
    Builder::new()
        .blocking(options)
        .build()
        .run(async {
            let (job, began, end) = held_job::<()>();
            let first = spawn_blocking(job);
            began.wait();
            let done = Count::default();
            let (guards, job) = ((done.guard(), done.guard()), |guard: Counted| move || Ok(drop(guard)));
            let waiter = homing::spawn(spawn_blocking(job(guards.0)).in_any_case());
            drop(spawn_blocking(job(guards.1)).in_any_case());
            homing::yield_now().await?;
            waiter.cancel();
            homing::yield_now().await?;
            assert!(!waiter.is_finished());
            assert_eq!(done.get(), 0);
            end.send(Ok(())).unwrap();
            assert!(waiter.await.unwrap_err().is_cancelled());
            first.await?;
            spawn_blocking(|| Ok(())).await?;
            assert_eq!(done.get(), 2);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_cancelled_await_waits_for_the_running_job_and_keeps_its_value() {
    run(async {
        let (job, began, end) = held_job();
        let task = homing::spawn(async move {
            let mut job = spawn_blocking(job);
            let error = (&mut job).await.unwrap_err();
            assert!(error.is_cancelled());
            homing::current().unwrap().uncancel();
            job.await
        });
        homing::yield_now().await?;
        began.wait();
        task.cancel();
        homing::sleep(millis(5)).await?;
        assert!(!task.is_finished(), "it waits for the job's end");
        end.send(Ok("value")).unwrap();
        assert_eq!(task.await?, "value");
        Ok(())
    })
    .unwrap();
}

#[test]
fn further_requests_do_not_end_the_wait_and_come_out_as_one() {
    run(async {
        let (job, began, end) = held_job::<()>();
        let task = homing::spawn(spawn_blocking(job));
        homing::yield_now().await?;
        began.wait();
        for reason in ["first", "second", "third"] {
            task.cancel_with(reason);
            homing::yield_now().await?;
            homing::yield_now().await?;
        }
        assert!(!task.is_finished());
        end.send(Ok(())).unwrap();
        let error = task.await.unwrap_err();
        let causes = error.as_cancelled().unwrap().to_string();
        assert!(["first", "second", "third"].iter().all(|reason| causes.contains(reason)), "{causes}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn cancelled_before_the_await_it_waits_for_the_running_job_as_well() {
    run(async {
        let (job, began, end) = held_job::<()>();
        let task = homing::spawn(async move {
            let job = spawn_blocking(job);
            began.wait();
            homing::current().unwrap().cancel();
            job.await
        });
        homing::sleep(millis(2)).await?;
        assert!(!task.is_finished());
        end.send(Ok(())).unwrap();
        assert!(task.await.unwrap_err().is_cancelled());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_cancel_wins_over_a_value_that_nobody_has_seen_and_over_an_error_which_it_keeps() {
    run(async {
        let mut lost = Vec::new();
        for outcome in [Ok(5), Err(failure("disk full"))] {
            let (job, began, end) = held_job();
            let task = homing::spawn(async move {
                let mut job = spawn_blocking(job);
                let error = (&mut job).await.unwrap_err();
                Ok((error, job.await))
            });
            homing::yield_now().await?;
            began.wait();
            task.cancel();
            end.send(outcome).unwrap();
            lost.push(task.await?);
        }
        let [(of_value, value), (of_error, error)] = &lost[..] else { panic!() };
        assert!(of_value.is_cancelled() && of_error.is_cancelled());
        assert_eq!(*value.as_ref().unwrap(), 5);
        assert_eq!(of_error.displaced().next().unwrap().to_string(), "disk full");
        assert_eq!(error.as_ref().unwrap_err().downcast_ref(), Some(&RuntimeError::AlreadyTaken));
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_abandoned_job_ends_alone_and_its_error_is_reported() {
    let (builder, reports) = builder();
    let runtime = builder.build();
    runtime
        .run(async {
            let (job, began, end) = held_job::<()>();
            let task = homing::spawn(spawn_blocking(job).abandon_on_cancel());
            homing::yield_now().await?;
            began.wait();
            task.cancel();
            assert!(task.await.unwrap_err().is_cancelled());
            end.send(Err(failure("too late"))).unwrap();
            Ok(())
        })
        .unwrap();
    drop(runtime);
    reports.assert_one(&["blocking job begun at", "tests/blocking.rs", "too late"]);
}

#[test]
fn an_abandoned_jobs_value_is_dropped_and_its_panic_reported() {
    let (builder, reports) = builder();
    let dropped = Count::default();
    let runtime = builder.build();
    let end = runtime
        .run(async {
            let (job, began, end) = held_job();
            let mut job = pin!(spawn_blocking(job));
            assert!(job.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            began.wait();
            Ok(end)
        })
        .unwrap();
    end.send(Ok(dropped.guard())).unwrap();
    let end = runtime
        .run(async {
            let (job, began, end) = held_job::<()>();
            drop(spawn_blocking(move || job().map(|()| support::blow_up("unseen") as u8)));
            // Dropped in line or running: it is the thread's affair which.
            Ok(began.0.recv_timeout(millis(50)).ok().map(|()| end))
        })
        .unwrap();
    let began = end.map(|end| end.send(Ok(())).unwrap()).is_some();
    drop(runtime);
    assert_eq!(dropped.get(), 1);
    if began {
        reports.assert_one(&["panicked: unseen"]);
    }
}

#[test]
fn a_detached_job_runs_in_any_case_and_the_end_of_the_runtime_waits_for_it() {
    let (builder, reports) = builder();
    let done = Count::default();
    builder
        .blocking(BlockingOptions::new().threads(1))
        .build()
        .run(async {
            for _ in 0..5 {
                let guard = done.guard();
                spawn_blocking(move || {
                    thread::sleep(millis(2));
                    drop(guard);
                    Ok(())
                })
                .detach();
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(done.get(), 5);
    reports.assert_none();
}

#[test]
fn a_runtime_whose_patience_is_over_ends_and_says_so() {
    let (builder, reports) = builder();
    let (job, began, end) = held_job::<()>();
    let runtime = builder.blocking(BlockingOptions::new().patience(millis(5))).build();
    runtime
        .run(async {
            spawn_blocking(job).detach();
            Ok(began.wait())
        })
        .unwrap();
    let begin = Instant::now();
    drop(runtime);
    assert!(begin.elapsed() >= millis(5));
    reports.assert_one(&["1 blocking jobs were still running 5ms after"]);
    end.send(Ok(())).unwrap();
}

#[test]
fn a_runtime_without_patience_has_nothing_to_say_of_threads_without_jobs() {
    for _ in 0..20 {
        let (builder, reports) = builder();
        let options = BlockingOptions::new().patience(Duration::ZERO);
        builder.blocking(options).build().run(async { spawn_blocking(|| Ok(())).await }).unwrap();
        reports.assert_none();
    }
}

#[test]
fn a_job_may_use_its_runtime_until_that_is_gone() {
    let runtime = Runtime::new();
    let handle = runtime.handle();
    let (tell, told) = channel();
    let (go_on, goes_on) = channel::<()>();
    runtime
        .run(timeout(STUCK, async {
            let inside = handle.clone();
            let answer = spawn_blocking(move || inside.spawn_remote(|| async { Ok(6 * 7) }).wait()).await?;
            assert_eq!(answer, 42);
            spawn_blocking(move || {
                let _ = goes_on.recv();
                let refused = handle.spawn_remote(|| async { Ok(()) }).wait();
                Ok(tell.send(refused.unwrap_err())?)
            })
            .detach();
            Ok(())
        }))
        .unwrap();
    drop(go_on);
    drop(runtime);
    let refused: Error = told.recv().unwrap();
    // Either it was asked in time and dropped with the runtime, or it was too late.
    assert_eq!(refused.downcast_ref(), Some(&RuntimeError::RuntimeGone));
}

#[test]
fn ten_thousand_short_jobs_come_home_on_a_few_threads() {
    let options = BlockingOptions::new().threads(4);
    Builder::new()
        .blocking(options)
        .build()
        .run(timeout(STUCK, async {
            let threads = Arc::new(Mutex::new(HashSet::new()));
            let running = Arc::new(AtomicUsize::new(0));
            let jobs: Vec<_> = (0..10_000_u64)
                .map(|number| {
                    let (threads, running) = (threads.clone(), running.clone());
                    spawn_blocking(move || {
                        assert!(running.fetch_add(1, SeqCst) < 4);
                        threads.lock().unwrap().insert(thread::current().id());
                        running.fetch_sub(1, SeqCst);
                        Ok(number)
                    })
                })
                .collect();
            let mut sum = 0;
            for job in jobs {
                sum += job.await?;
            }
            assert_eq!(sum, 10_000 * 9_999 / 2);
            assert!(threads.lock().unwrap().len() <= 4);
            Ok(())
        }))
        .unwrap();
}

#[test]
fn with_one_thread_jobs_run_in_the_order_in_which_they_came() {
    Builder::new()
        .blocking(BlockingOptions::new().threads(1))
        .build()
        .run(async {
            let order = Arc::new(Mutex::new(Vec::new()));
            let jobs: Vec<_> = (0..100)
                .map(|number| {
                    let order = order.clone();
                    spawn_blocking(move || Ok(order.lock().unwrap().push(number)))
                })
                .collect();
            for job in jobs.into_iter().rev() {
                job.await?;
            }
            assert_eq!(*order.lock().unwrap(), Vec::from_iter(0..100));
            Ok(())
        })
        .unwrap();
}

/// The threads of this process whose names begin so.
#[cfg(target_os = "linux")]
fn threads_called(name: &str) -> usize {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let names = threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok());
    names.filter(|found| found.starts_with(name)).count()
}

#[cfg(target_os = "linux")]
#[test]
fn threads_leave_when_there_is_nothing_to_do_and_come_back_when_there_is() {
    let options = BlockingOptions::new().keep_alive(millis(5)).name("leaving");
    Builder::new()
        .blocking(options)
        .build()
        .run(timeout(STUCK, async {
            for _ in 0..3 {
                let held: Vec<_> = (0..5).map(|_| held_job::<()>()).collect();
                let mut jobs = Vec::new();
                for (job, began, end) in held {
                    jobs.push((spawn_blocking(job), end));
                    began.wait();
                }
                assert_eq!(threads_called("leaving"), 5);
                for (job, end) in jobs {
                    end.send(Ok(())).unwrap();
                    job.await?;
                }
                while threads_called("leaving") > 0 {
                    homing::sleep(millis(2)).await?;
                }
            }
            Ok(())
        }))
        .unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn no_thread_is_left_when_the_runtime_is_gone() {
    let options = BlockingOptions::new().name("going");
    Builder::new()
        .blocking(options)
        .build()
        .run(async {
            let jobs: Vec<_> = (0..20).map(|_| spawn_blocking(|| Ok(thread::sleep(millis(1))))).collect();
            for job in jobs {
                job.await?;
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(threads_called("going"), 0);
}

#[test]
fn an_idle_thread_takes_the_next_job() {
    run(async {
        let mut threads = HashSet::new();
        for _ in 0..100 {
            threads.insert(spawn_blocking(|| Ok(thread::current().id())).await?);
            // It is idle a moment after it has woken us.
            homing::sleep(Duration::from_micros(300)).await?;
        }
        assert!(threads.len() < 50, "{} threads for one job at a time", threads.len());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_thread_that_cannot_be_started_is_a_clear_error_and_nobody_hangs() {
    let options = BlockingOptions::new().stack_size(usize::MAX / 2);
    let (builder, reports) = builder();
    builder
        .blocking(options)
        .build()
        .run(timeout(STUCK, async {
            let dropped = Count::default();
            for round in 1..=3 {
                let guard = dropped.guard();
                let error = spawn_blocking(move || Ok(drop(guard))).await.unwrap_err();
                assert!(error.is::<io::Error>(), "{error:#}");
                assert!(error.notes().any(|note| note.contains("thread for blocking jobs")), "{error:#}");
                assert_eq!(dropped.get(), round);
            }
            Ok(())
        }))
        .unwrap();
    reports.assert_none();
}

#[test]
fn a_name_that_no_thread_can_have_is_an_error_too() {
    let options = BlockingOptions::new().name("zero\0");
    let outcome = Builder::new().blocking(options).build().run(async { spawn_blocking(|| Ok(())).await });
    assert!(outcome.unwrap_err().is::<io::Error>());
}

#[test]
#[should_panic(expected = "without a thread, no job would ever run")]
fn a_pool_of_no_threads_is_refused() {
    let _ = BlockingOptions::new().threads(0);
}

#[test]
fn outside_of_a_runtime_there_is_nobody_to_run_it() {
    let is_no_runtime = |error: &Error| error.downcast_ref() == Some(&RuntimeError::NoRuntime);
    let mut job = spawn_blocking(|| Ok(()));
    assert!(matches!(poll(&mut job), std::task::Poll::Ready(Err(error)) if is_no_runtime(&error)));
    run(async {
        let inner = spawn_blocking(|| Ok(spawn_blocking(|| Ok(())))).await?;
        assert!(is_no_runtime(&inner.await.unwrap_err()));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_runtime_that_is_being_dropped_takes_no_more_jobs() {
    let refused = Arc::new(Mutex::new(None));
    let runtime = Runtime::new();
    let on_drop = support::OnDrop({
        let refused = refused.clone();
        move || {
            let polled = poll(&mut spawn_blocking(|| Ok(())));
            *refused.lock().unwrap() = Some(polled);
        }
    });
    let task = runtime.spawn(async move {
        let _on_drop = on_drop;
        support::forever().await
    });
    runtime.run_until_stalled().unwrap();
    drop(task);
    drop(runtime);
    let Some(std::task::Poll::Ready(Err(error))) = refused.lock().unwrap().take() else { panic!() };
    assert_eq!(error.downcast_ref(), Some(&RuntimeError::RuntimeGone));
}

#[test]
fn a_handle_can_be_awaited_only_once() {
    run(async {
        let mut job = spawn_blocking(|| Ok(1));
        assert_eq!((&mut job).await?, 1);
        assert_eq!(job.await.unwrap_err().downcast_ref(), Some(&RuntimeError::AlreadyTaken));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_virtual_clock_does_not_jump_over_a_job_that_is_awaited() {
    let (runtime, reports) = support::runtime();
    runtime
        .block_on(async {
            let begin = homing::Instant::now();
            let slow = || Ok(thread::sleep(millis(20)));
            timeout(millis(1), async { spawn_blocking(slow).await }).await?;
            assert_eq!(begin.elapsed(), Duration::ZERO);
            // Nobody awaits this one.
            spawn_blocking(slow).detach();
            homing::sleep(Duration::from_secs(3600)).await?;
            assert_eq!(begin.elapsed(), Duration::from_secs(3600));
            Ok(())
        })
        .unwrap();
    reports.assert_none();
}

#[test]
fn a_host_is_not_told_to_come_at_once_for_a_virtual_deadline_behind_a_job() {
    let (runtime, _) = support::runtime();
    let (job, began, end) = held_job::<()>();
    let task = runtime.spawn(timeout(millis(1), async { spawn_blocking(job).await }));
    runtime.run_until_stalled().unwrap();
    began.wait();
    let turn = runtime.turn(homing::runtime::Budget::batch()).unwrap();
    assert_eq!((turn.more_ready, turn.wait()), (false, None));
    end.send(Ok(())).unwrap();
    let begin = Instant::now();
    while !task.is_finished() && begin.elapsed() < STUCK {
        runtime.run_until_stalled().unwrap();
        thread::sleep(millis(1));
    }
    runtime.block_on(task).unwrap();
}

#[test]
fn a_job_that_asks_learns_that_nobody_wants_it_any_more() {
    let (builder, reports) = builder();
    builder
        .build()
        .run(timeout(STUCK, async {
            assert!(check_cancelled().is_ok());
            let endless = || loop {
                check_cancelled()?;
                thread::sleep(millis(1));
            };
            let limited = timeout(millis(10), async { spawn_blocking(endless).await as Result<()> }).await;
            assert!(limited.unwrap_err().is_timeout());
            // Dropped while it runs, or abandoned, it hears of it, too; the end of the runtime would wait for ever otherwise.
            let mut dropped = spawn_blocking(endless);
            assert!(poll(&mut dropped).is_pending());
            homing::sleep(millis(5)).await?;
            drop(dropped);
            Ok(())
        }))
        .unwrap();
    reports.assert_none();
}

#[test]
fn a_timeout_around_a_job_lasts_as_long_as_the_job_unless_it_may_be_abandoned() {
    run(async {
        let (job, began, end) = held_job::<()>();
        let limited = homing::spawn(timeout(millis(1), async { spawn_blocking(job).await }));
        homing::yield_now().await?;
        began.wait();
        homing::sleep(millis(10)).await?;
        assert!(!limited.is_finished());
        end.send(Ok(())).unwrap();
        assert!(limited.await.unwrap_err().is_timeout());

        let (job, _began, _end) = held_job::<()>();
        let limited = timeout(millis(1), async { spawn_blocking(job).abandon_on_cancel().await }).await;
        assert!(limited.unwrap_err().is_timeout());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_group_whose_child_waits_for_a_job_ends_after_the_job() {
    run(async {
        let (job, began, end) = held_job::<()>();
        let ended = Arc::new(AtomicBool::new(false));
        let helper = thread::spawn({
            let ended = ended.clone();
            move || {
                began.wait();
                thread::sleep(millis(10));
                ended.store(true, SeqCst);
                end.send(Ok(())).unwrap();
            }
        });
        let outcome = homing::task_group(async |tg| {
            tg.spawn(spawn_blocking(job));
            homing::sleep(millis(5)).await?;
            Err::<(), _>(failure("no luck"))
        })
        .await;
        assert!(outcome.is_err());
        assert!(ended.load(SeqCst), "no child outlives its group, nor what it waits for");
        helper.join().unwrap();
        Ok(())
    })
    .unwrap();
}

#[test]
fn who_looks_at_the_task_sees_that_it_waits_for_a_job() {
    run(async {
        let (job, _began, end) = held_job::<()>();
        let task = homing::spawn(spawn_blocking(job));
        homing::yield_now().await?;
        let graph = homing::introspect::format_call_graph_of(&task);
        assert!(graph.contains("job 1"), "{graph}");
        end.send(Ok(())).unwrap();
        task.await
    })
    .unwrap();
}

#[test]
fn in_the_combinators_of_the_ecosystem_each_job_gives_one_cancelled() {
    use futures_util::stream::{FuturesUnordered, StreamExt};
    run(async {
        let (first, first_began, first_end) = held_job::<()>();
        let (second, second_began, second_end) = held_job::<()>();
        let task = homing::spawn(async move {
            let jobs: FuturesUnordered<_> =
                [spawn_blocking(first), spawn_blocking(second)].into_iter().collect();
            let outcomes: Vec<Result<()>> = jobs.collect().await;
            let (third, fourth) = (held_job::<()>(), held_job::<()>());
            let joined = futures_util::join!(
                spawn_blocking(third.0).abandon_on_cancel(),
                spawn_blocking(fourth.0).abandon_on_cancel(),
            );
            assert!(outcomes.iter().all(|outcome| outcome.as_ref().is_err_and(Error::is_cancelled)));
            assert!(joined.0.is_err_and(|error| error.is_cancelled()));
            assert!(joined.1.is_err_and(|error| error.is_cancelled()));
            Ok(homing::current().unwrap().uncancel())
        });
        homing::yield_now().await?;
        first_began.wait();
        second_began.wait();
        task.cancel();
        homing::sleep(millis(2)).await?;
        second_end.send(Ok(())).unwrap();
        first_end.send(Ok(())).unwrap();
        homing::sleep(millis(20)).await?;
        assert!(!task.is_finished(), "the joined jobs were begun after the request");
        task.cancel();
        assert_eq!(task.await?, 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_runtime_counts_its_jobs() {
    let runtime = Runtime::new();
    let (job, began, end) = held_job::<()>();
    let task = runtime.spawn(async { spawn_blocking(job).await });
    runtime.run_until_stalled().unwrap();
    began.wait();
    assert_eq!(runtime.resources().jobs, 1);
    end.send(Ok(())).unwrap();
    runtime.block_on(task).unwrap();
    assert_eq!(runtime.resources().jobs, 0);
}

/// Each job's value is seen once or dropped once, or the job was never run, whatever happens to those who wait.
#[test]
fn under_cancels_at_random_no_job_is_lost_and_none_leaks() {
    let (builder, reports) = builder();
    let (made, dropped, captured) = (Arc::new(AtomicUsize::new(0)), Count::default(), Count::default());
    builder
        .blocking(BlockingOptions::new().threads(3))
        .build()
        .run(timeout(STUCK, async {
            let mut random = 7_u64;
            let mut tasks = Vec::new();
            for number in 0..2_000 {
                random =
                    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let choice = random >> 60;
                let (made, value, capture) = (made.clone(), dropped.clone(), captured.guard());
                let job = move || {
                    let _capture = capture;
                    made.fetch_add(1, SeqCst);
                    Ok(value.guard())
                };
                match choice {
                    0 => drop(spawn_blocking(job)),
                    1 => spawn_blocking(job).detach(),
                    2..6 => tasks.push((choice, homing::spawn(spawn_blocking(job).abandon_on_cancel()))),
                    _ => tasks.push((choice, homing::spawn(spawn_blocking(job)))),
                }
                if number % 7 == 0 {
                    homing::yield_now().await?;
                }
                if choice.is_multiple_of(3)
                    && let Some((_, task)) = tasks.last()
                {
                    task.cancel();
                }
            }
            for (_, task) in tasks {
                match task.await {
                    Ok(value) => drop(value),
                    Err(error) => assert!(error.is_cancelled(), "{error:#}"),
                }
            }
            Ok(())
        }))
        .unwrap();
    assert_eq!(dropped.get(), made.load(SeqCst));
    assert_eq!(captured.get(), 2_000);
    reports.assert_none();
}
