//! Many threads, one runtime each: all of them come home.

mod support;

use homing::error::{Panicked, RuntimeError};
use homing::sync::remote_channel;
use homing::threads::{Member, Threads};
use homing::{Builder, Result, sleep, spawn_blocking, timeout};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use support::{blow_up, failure, forever, millis};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn each_main_runs_on_a_thread_of_its_own_the_first_on_the_callers() {
    let caller = thread::current().id();
    let threads = Threads::new(3).name("web").run(async |member| {
        let name = homing::current().unwrap().name().into_owned();
        Ok((member.index(), thread::current().id(), name, member.crew().len()))
    });
    let threads = threads.unwrap();
    assert_eq!(threads[0].1, caller);
    assert!(threads[1].1 != caller && threads[1].1 != threads[2].1);
    for (index, thread) in threads.iter().enumerate() {
        assert_eq!((thread.0, thread.2.as_str(), thread.3), (index, &*format!("web-{index}"), 3));
    }
}

#[test]
fn mains_may_borrow_and_their_futures_need_not_be_send() {
    let total = AtomicUsize::new(0);
    Threads::new(4)
        .run(async |member| {
            let mine = std::rc::Rc::new(member.index());
            homing::yield_now().await?;
            total.fetch_add(*mine, Ordering::Relaxed);
            Ok(())
        })
        .unwrap();
    assert_eq!(total.into_inner(), 6);
}

#[test]
fn threads_are_named_and_built_as_told() {
    let names = Threads::new(2)
        .name("db")
        .stack_size(256 * 1024)
        .runtimes(|index| Builder::new().virtual_time().seed(index as u64))
        .run(async |_| {
            sleep(Duration::from_secs(3600)).await?;
            Ok(thread::current().name().map(str::to_owned))
        })
        .unwrap();
    assert_eq!(names[1].as_deref(), Some("db-1"));
}

#[test]
fn the_failure_of_one_cancels_the_others_and_all_are_waited_for() {
    let cleaned_up = AtomicUsize::new(0);
    let outcome: Result<Vec<()>> = Threads::new(3).name("web").run(async |member| {
        if member.index() == 1 {
            return Err(failure("the disk is full"));
        }
        let cancelled = sleep(LONG).await.unwrap_err();
        assert!(cancelled.to_string().contains("thread 'web-1' has failed"), "{cancelled}");
        sleep(millis(2)).await?; // a clean-up takes its time
        cleaned_up.fetch_add(1, Ordering::Relaxed);
        Err(cancelled)
    });
    let error = outcome.unwrap_err();
    let group = error.as_group().unwrap();
    assert_eq!((group.len(), cleaned_up.into_inner()), (1, 2));
    let told = format!("{error:#}");
    assert!(told.contains("the disk is full") && told.contains("task 'web-1'"), "{told}");
}

#[test]
fn so_does_a_panic_which_becomes_an_error() {
    let outcome: Result<Vec<()>> = Threads::new(3).run(async |member| match member.index() {
        2 => blow_up("no such page"),
        _ => forever().await,
    });
    let error = outcome.unwrap_err();
    let panicked = error.as_group().unwrap().errors()[0].downcast_ref::<Panicked>().unwrap();
    assert_eq!(panicked.to_string(), "task 'homing-2' panicked: no such page");
}

/// The end of the first runtime waits for its job, which waits for what the second thread holds until it is cancelled.
#[test]
fn a_failed_main_whose_job_waits_for_another_thread_cancels_that_first() {
    let fails: [fn() -> Result<()>; 2] = [|| Err(failure("the disk is full")), || blow_up("no such page")];
    for fail in fails {
        let (sender, receiver) = remote_channel::bounded::<()>(1);
        let ends = Mutex::new((Some(sender), Some(receiver)));
        let outcome: Result<Vec<()>> = Threads::new(2).run(async |member| {
            if member.index() == 0 {
                let receiver = ends.lock().unwrap().1.take().unwrap();
                let (begun, begins) = std::sync::mpsc::channel();
                let job = spawn_blocking(move || {
                    begun.send(()).unwrap();
                    receiver.recv_blocking()
                });
                job.detach();
                begins.recv().unwrap();
                return fail();
            }
            let _sender = ends.lock().unwrap().0.take().unwrap();
            // If the failure did not reach it, it would fail here as well, and not hang.
            timeout(Duration::from_secs(20), forever()).await
        });
        let error = outcome.unwrap_err();
        assert_eq!(error.as_group().unwrap().len(), 1, "{error:#}");
        let told = format!("{error:#}");
        assert!(told.contains("the disk is full") || told.contains("no such page"), "{told}");
    }
}

#[test]
fn all_errors_are_collected() {
    let gate = AtomicUsize::new(0);
    let outcome: Result<Vec<()>> = Threads::new(3).run(async |member| {
        // Nobody is told of another's failure before all have failed.
        gate.fetch_add(1, Ordering::SeqCst);
        while gate.load(Ordering::SeqCst) < 3 {
            thread::yield_now();
        }
        Err(homing::Error::msg(format!("no luck with {}", member.index())))
    });
    let error = outcome.unwrap_err();
    let told: Vec<String> = error.as_group().unwrap().errors().iter().map(ToString::to_string).collect();
    assert_eq!(told, ["no luck with 0", "no luck with 1", "no luck with 2"]);
}

#[test]
fn a_main_that_ends_cancelled_on_its_own_cancels_nobody() {
    let others = AtomicUsize::new(0);
    let outcome: Result<Vec<()>> = Threads::new(3).run(async |member| {
        if member.index() == 0 {
            homing::current().unwrap().cancel_with("I give up");
            forever().await
        } else {
            sleep(millis(3)).await?;
            others.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    });
    let error = outcome.unwrap_err();
    assert_eq!(error.as_cancelled().unwrap().reason(), Some("I give up"));
    assert_eq!(others.into_inner(), 2);
}

#[test]
fn the_crew_can_be_cancelled_from_any_of_its_threads() {
    let outcome: Result<Vec<()>> = Threads::new(3).run(async |member| {
        if member.index() == 2 {
            member.crew().cancel("closing time");
        }
        forever().await
    });
    assert_eq!(outcome.unwrap_err().as_cancelled().unwrap().reason(), Some("closing time"));
}

#[test]
fn to_stop_is_no_cancel_and_reaches_those_that_wait_and_those_that_come_later() {
    let outcome = Threads::new(3).run(async |member| {
        let stopping = member.crew().stopping();
        if member.index() == 1 {
            sleep(millis(2)).await?;
            member.crew().stop();
            member.crew().stop();
        }
        stopping.await?;
        member.crew().stopping().await?;
        assert!(member.crew().is_stopping());
        Ok("in peace")
    });
    assert_eq!(outcome.unwrap(), ["in peace"; 3]);
}

#[test]
fn whoever_waits_for_the_stop_can_be_cancelled_and_dropped() {
    Threads::new(1)
        .run(async |member| {
            let crew = member.crew().clone();
            let waiter = homing::spawn(async move { crew.stopping().await });
            let crew = member.crew().clone();
            let aborted = homing::spawn(async move { crew.stopping().await });
            homing::yield_now().await?;
            waiter.cancel();
            aborted.abort();
            assert!(waiter.await.unwrap_err().is_cancelled());
            member.crew().stop();
            Ok(())
        })
        .unwrap();
}

#[test]
fn each_reaches_each_of_the_others_also_those_whose_main_has_ended() {
    let sums = Threads::new(3)
        .run(async |member| {
            let here = member.index();
            // The first is done when the last has not begun to ask.
            sleep(millis(2 * here as u64)).await?;
            let mut sum = 0;
            for other in 0..member.crew().len() {
                sum += member.crew().handle(other).spawn_remote(move || async move { Ok(here) }).await?;
            }
            Ok(sum)
        })
        .unwrap();
    assert_eq!(sums, [0, 3, 6]);
}

#[test]
fn a_main_that_has_ended_is_not_cancelled_with_the_others() {
    let outcome = Threads::new(2).run(async |member| {
        if member.index() == 0 {
            return Ok("done");
        }
        sleep(millis(5)).await?;
        member.crew().cancel("too late for the first");
        Ok(if forever().await.is_err() { "cancelled" } else { "woken" })
    });
    assert_eq!(outcome.unwrap(), ["done", "cancelled"]);
}

#[test]
fn no_main_begins_if_a_runtime_cannot_be_built() {
    let begun = AtomicUsize::new(0);
    let threads =
        Threads::new(3).runtimes(|index| if index == 1 { blow_up("no runtime") } else { Builder::new() });
    let outcome: Result<Vec<()>> = threads.run(async |_| {
        begun.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    let error = outcome.unwrap_err();
    assert!(error.as_group().unwrap().errors()[0].is::<Panicked>(), "{error:#}");
    assert_eq!(begun.into_inner(), 0);
}

#[test]
fn no_main_begins_if_a_thread_cannot_be_had() {
    let begun = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = begun.clone();
    // No address space is that large.
    let threads = || Threads::new(3).stack_size(1 << 60);
    let outcome: Result<Vec<()>> = threads().run(async |_| {
        begun.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    assert!(outcome.unwrap_err().is::<std::io::Error>());
    let outcome = threads().start(async move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    assert!(outcome.unwrap_err().is::<std::io::Error>());
    assert_eq!(begun.load(Ordering::Relaxed), 0);
}

#[test]
fn within_a_runtime_it_is_refused() {
    homing::run(async {
        let refused = Threads::new(2).run(async |_| Ok(())).unwrap_err();
        Ok(assert_eq!(refused.downcast_ref(), Some(&RuntimeError::NestedRuntime)))
    })
    .unwrap();
}

#[test]
#[should_panic(expected = "at least one thread")]
fn no_threads_at_all_are_a_mistake() {
    drop(Threads::new(0));
}

#[test]
fn tasks_that_are_left_are_swept_on_every_thread() {
    static SWEPT: AtomicUsize = AtomicUsize::new(0);
    Threads::new(3)
        .run(async |_| {
            drop(homing::spawn(async {
                let cancelled = forever().await;
                SWEPT.fetch_add(1, Ordering::Relaxed);
                cancelled
            }));
            homing::yield_now().await
        })
        .unwrap();
    assert_eq!(SWEPT.load(Ordering::Relaxed), 3);
}

#[test]
fn started_threads_work_by_themselves_until_they_are_joined() {
    let running = Threads::new(2)
        .start(async |member: Member| {
            member.crew().stopping().await?;
            Ok(member.index())
        })
        .unwrap();
    // From outside, right away: it waits until they are there.
    let answer = running.crew().handle(1).spawn_remote(|| async { Ok(42) });
    assert_eq!(answer.wait().unwrap(), 42);
    assert!(!running.is_finished());
    running.crew().stop();
    assert_eq!(running.join().unwrap(), [0, 1]);
}

#[test]
fn started_threads_that_are_dropped_are_cancelled_and_waited_for() {
    static BEGUN: AtomicUsize = AtomicUsize::new(0);
    static CLEANED_UP: AtomicUsize = AtomicUsize::new(0);
    let begin = Instant::now();
    let running = Threads::new(2).start(async |_| {
        BEGUN.fetch_add(1, Ordering::Relaxed);
        let cancelled = sleep(LONG).await;
        CLEANED_UP.fetch_add(1, Ordering::Relaxed);
        cancelled
    });
    while BEGUN.load(Ordering::Relaxed) < 2 {
        thread::sleep(millis(1));
    }
    drop(running.unwrap());
    assert_eq!(CLEANED_UP.load(Ordering::Relaxed), 2);
    assert!(begin.elapsed() < LONG / 2);
}

#[test]
fn the_error_of_threads_that_are_dropped_is_reported() {
    let reports = support::Reports::default();
    let runtime = Builder::new().on_unhandled(reports.hook()).build();
    runtime
        .block_on(async {
            let running: homing::threads::Running<()> =
                Threads::new(2).start(async |member| match member.index() {
                    0 => Err(failure("nobody reads this")),
                    _ => forever().await,
                })?;
            drop(running);
            Ok(())
        })
        .unwrap();
    reports.assert_one(&["nobody reads this"]);
}

#[test]
fn a_handle_is_to_be_had_within_a_runtime_and_nowhere_else() {
    assert!(homing::Handle::current().is_none());
    homing::run(async {
        let handle = homing::Handle::current().unwrap();
        assert_eq!(handle.spawn_remote(|| async { Ok(1) }).await?, 1);
        Ok(())
    })
    .unwrap();
}

#[cfg(all(target_os = "linux", not(homing_portable)))]
#[test]
fn pinned_threads_run_on_a_core_each_and_the_caller_is_untied_afterwards() {
    // SAFETY: asks on which core this runs.
    let core_of_this_thread = || unsafe { libc::sched_getcpu() } as usize;
    let allowed = || {
        // SAFETY: a set of cores is plain bits; it is as large as is said.
        unsafe {
            let mut cores: libc::cpu_set_t = std::mem::zeroed();
            assert_eq!(libc::sched_getaffinity(0, size_of_val(&cores), &mut cores), 0);
            libc::CPU_COUNT(&cores)
        }
    };
    // A thread of its own: others of this process are not to be tied.
    thread::spawn(move || {
        let before = allowed();
        let seen = Mutex::new(Vec::new());
        Threads::per_core()
            .pin()
            .run(async |member| {
                let core = member.cpu().expect("this system lets threads be tied to cores");
                assert_eq!((allowed(), core_of_this_thread()), (1, core));
                seen.lock().unwrap().push(core);
                Ok(())
            })
            .unwrap();
        let mut seen = seen.into_inner().unwrap();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!((seen.len(), allowed()), (before as usize, before));
    })
    .join()
    .unwrap();
}
