//! What observers are told, and what is counted.

mod support;

use homing::observe::{
    CancelRequest, Metrics, Observer, PollEnd, PollMetrics, ScopeEntered, Spawned, Wait, WokenBy,
};
use homing::task::Outcome;
use homing::{Builder, Error, Result, Runtime, Task, TaskRef, cancel, sleep, spawn, task, yield_now};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};
use support::{Log, Reports};

/// Writes everything down.
struct Scribe(Log);

impl Observer for Scribe {
    fn spawned(&self, task: &TaskRef, _: &Spawned) {
        let parent = task.parent().map(|parent| format!(" by {}", parent.name())).unwrap_or_default();
        self.0.note(format!("spawned {}{parent}", task.name()));
    }

    fn poll_started(&self, task: &TaskRef, _: Instant) {
        self.0.note(format!("poll {}", task.name()));
    }

    fn poll_ended(&self, task: &TaskRef, poll: &PollEnd) {
        assert!(poll.ended >= poll.started);
        self.0.note(format!("{} {}", if poll.ready { "ready" } else { "pending" }, task.name()));
    }

    fn parked(&self, task: &TaskRef, waits: &[Wait]) {
        let kinds = waits.iter().map(|wait| {
            let kind = format!("{:?}", wait.awaiting);
            let place = wait.place.map_or("nowhere", |place| place.file());
            assert!(place.ends_with("observe.rs"), "{place}");
            kind.split('(').next().unwrap_or_default().to_owned()
        });
        self.0.note(format!("parked {}: {}", task.name(), kinds.collect::<Vec<_>>().join(", ")));
    }

    fn woken(&self, task: &TaskRef, by: &WokenBy) {
        let by = match by {
            WokenBy::Task(by) => format!("task {}", by.name()),
            WokenBy::EndOf(by) => format!("end of {}", by.name()),
            other => format!("{other:?}"),
        };
        self.0.note(format!("woken {} by {by}", task.name()));
    }

    fn cancel_requested(&self, task: &TaskRef, request: &CancelRequest<'_>) {
        let by = request.by.as_ref().map(|by| format!(" by {}", by.name())).unwrap_or_default();
        let part = if request.scope.is_some() { " in part" } else { "" };
        let forwarded = if request.forwarded { ", forwarded" } else { "" };
        self.0.note(format!("cancel {}{part}{by}{forwarded}", task.name()));
    }

    fn scope_entered(&self, task: &TaskRef, scope: &ScopeEntered<'_>) {
        let kind = scope.note.map_or("scope", |note| note.kind);
        self.0.note(format!("{} enters {kind}", task.name()));
    }

    fn scope_left(&self, task: &TaskRef, _: homing::cancel::ScopeId) {
        self.0.note(format!("{} leaves", task.name()));
    }

    fn done(&self, task: &TaskRef, outcome: Outcome<'_>) {
        let ended = match outcome {
            Outcome::Value => "value".to_owned(),
            Outcome::Failed(error) => format!("failed: {error}"),
            Outcome::Cancelled(_) => "cancelled".to_owned(),
        };
        self.0.note(format!("done {}: {ended}", task.name()));
    }
}

fn observed<T>(main: impl Future<Output = Result<T>>) -> Vec<String> {
    let log = Log::default();
    let runtime = Builder::new().virtual_time().observe(Scribe(log.clone())).build();
    runtime.block_on(main).map(drop).unwrap();
    log.take()
}

#[test]
fn an_observer_is_told_of_a_task_from_its_spawn_to_its_end() {
    let told = observed(async {
        task(async { sleep(Duration::from_secs(1)).await }).name("nap").spawn().await?;
        Ok(())
    });
    assert_eq!(
        told,
        [
            "spawned main",
            "poll main",
            "spawned nap by main",
            "pending main",
            "parked main: Task",
            "poll nap",
            "pending nap",
            "parked nap: Timer",
            "woken nap by Timer",
            "poll nap",
            "ready nap",
            "done nap: value",
            "woken main by end of nap",
            "poll main",
            "ready main",
            "done main: value",
        ]
    );
}

#[test]
fn a_cancel_is_told_of_with_who_asks_and_where_it_goes_on_to() {
    let told = observed(async {
        let inner = task(sleep(Duration::from_secs(1))).name("inner").spawn();
        let outer = task(inner).name("outer").spawn();
        yield_now().await?;
        yield_now().await?;
        outer.cancel();
        assert!(outer.await.unwrap_err().is_cancelled());
        Ok(())
    });
    let from = told.iter().position(|line| line.starts_with("cancel")).unwrap();
    let cancels: Vec<_> =
        told[from..].iter().filter(|line| line.starts_with("cancel") || line.starts_with("done")).collect();
    assert_eq!(
        cancels,
        [
            "cancel outer by main",
            "cancel inner by main, forwarded",
            "done inner: cancelled",
            "done outer: cancelled",
            "done main: value"
        ]
    );
}

#[test]
fn scopes_are_told_of_and_requests_for_them() {
    let told = observed(async {
        assert!(homing::timeout(Duration::from_secs(1), sleep(Duration::from_secs(2))).await.is_err());
        homing::task_group(async |tg| {
            tg.task(async { Ok(()) }).name("child").spawn();
            Ok(())
        })
        .await
    });
    let about: Vec<_> = told
        .iter()
        .filter(|line| line.contains("enters") || line.contains("leaves") || line.contains("cancel"))
        .collect();
    assert_eq!(
        about,
        [
            "main enters timeout",
            "cancel main in part by main",
            "main leaves",
            "main enters group",
            "main leaves"
        ]
    );
}

#[test]
fn a_child_of_a_group_says_so() {
    #[derive(Default)]
    struct Groups(Rc<RefCell<Vec<(String, bool)>>>);
    impl Observer for Groups {
        fn spawned(&self, task: &TaskRef, spawned: &Spawned) {
            self.0.borrow_mut().push((task.name().into_owned(), spawned.group.is_some()));
        }
    }
    let groups = Groups::default();
    let seen = groups.0.clone();
    let runtime = Builder::new().observe(groups).build();
    let main = async {
        homing::task_group(async |tg| {
            tg.task(async { Ok(()) }).name("child").spawn();
            task(async { Ok(()) }).name("stranger").spawn().await
        })
        .await
    };
    runtime.block_on(main).unwrap();
    let expected = [("main", false), ("child", true), ("stranger", false)];
    assert_eq!(*seen.borrow(), expected.map(|(name, grouped)| (name.to_owned(), grouped)));
}

#[test]
fn eager_and_driven_tasks_are_polled_within_others() {
    let told = observed(async {
        task(async { Ok(()) }).name("eager").eager().spawn().await?;
        homing::scope(async |s| {
            s.task(async { Ok(()) }).name("driven").spawn().await?;
            Ok(())
        })
        .await
    });
    let of = |name: &str| told.iter().filter(|line| line.contains(name)).cloned().collect::<Vec<_>>();
    assert_eq!(of("eager"), ["spawned eager by main", "poll eager", "ready eager", "done eager: value"]);
    let driven = of("driven");
    assert_eq!(driven[0], "spawned driven by main");
    assert_eq!(driven[driven.len() - 4..][..3], ["poll driven", "ready driven", "done driven: value"]);
    assert!(driven.last().unwrap().ends_with("by end of driven"), "{driven:?}");
}

#[test]
fn who_wakes_is_told_apart() {
    let log = Log::default();
    let runtime = Builder::new().observe(Scribe(log.clone())).build();
    let handle = runtime.handle();
    runtime
        .block_on(async {
            let event = Rc::new(homing::sync::Event::new());
            let waiter = task({
                let event = event.clone();
                async move { event.wait().await }
            });
            let waiter = waiter.name("waiter").spawn();
            let remote = task(async move {
                let thread = std::thread::spawn(move || handle.spawn_remote(|| async { Ok(()) }).wait());
                let flag = Rc::new(homing::sync::Event::new());
                homing::call_soon({
                    let flag = flag.clone();
                    move || flag.set()
                });
                flag.wait().await?;
                while !thread.is_finished() {
                    yield_now().await?;
                }
                thread.join().unwrap()
            });
            let remote = remote.name("remote").spawn();
            yield_now().await?;
            event.set();
            waiter.await?;
            remote.await
        })
        .unwrap();
    let told = log.take();
    let woken = |line: &str| assert!(told.iter().any(|told| told == line), "{line} in {told:#?}");
    woken("woken waiter by task main");
    woken("woken main by end of waiter");
    woken("woken remote by Elsewhere");
}

#[test]
fn a_wake_from_another_thread_is_told_as_such() {
    let log = Log::default();
    let runtime = Builder::new().observe(Scribe(log.clone())).build();
    runtime
        .block_on(async {
            let mut woken = false;
            std::future::poll_fn(|cx| {
                if std::mem::replace(&mut woken, true) {
                    return std::task::Poll::Ready(());
                }
                let waker = cx.waker().clone();
                std::thread::spawn(move || waker.wake()).join().unwrap();
                std::task::Poll::Pending
            })
            .await;
            Ok(())
        })
        .unwrap();
    // It had not parked yet, and was woken when the message was taken in.
    assert!(log.take().contains(&"woken main by Thread".to_owned()));
    assert_eq!(runtime.metrics().injected, 1);
    assert_eq!(runtime.metrics().polls.unwrap().remote_wakes, 1);
}

#[test]
fn what_an_observer_does_works_and_is_not_told() {
    struct Meddler(Log);
    impl Observer for Meddler {
        fn spawned(&self, task: &TaskRef, _: &Spawned) {
            self.0.note(format!("spawned {}", task.name()));
            if task.name() == "victim" {
                spawn({
                    let log = self.0.clone();
                    async move {
                        log.note("its own task runs");
                        Ok(())
                    }
                });
                task.cancel();
            }
        }
        fn cancel_requested(&self, task: &TaskRef, _: &CancelRequest<'_>) {
            self.0.note(format!("cancel {}", task.name()));
        }
    }
    for held in [false, true] {
        let log = Log::default();
        let runtime = Builder::new().observe(Meddler(log.clone())).build();
        let ended = runtime.block_on(async {
            let victim = task(async { Ok(()) }).name("victim");
            let victim = if held { victim.held() } else { victim };
            victim.spawn().await
        });
        assert!(ended.unwrap_err().is_cancelled());
        assert_eq!(log.take(), ["spawned main", "spawned victim", "its own task runs"]);
    }
}

#[test]
fn a_task_that_an_observer_aborts_as_it_is_spawned_never_runs() {
    struct Killer;
    impl Observer for Killer {
        fn spawned(&self, task: &TaskRef, _: &Spawned) {
            if task.name() != "main" {
                task.abort();
            }
        }
    }
    let runtime = Builder::new().observe(Killer).build();
    runtime
        .block_on(async {
            let never = || async { unreachable!("aborted before it began") };
            let spawned: [homing::Task<()>; 3] =
                [task(never()).spawn(), task(never()).held().spawn(), task(never()).eager().spawn()];
            for task in spawned {
                assert!(task.await.unwrap_err().is_cancelled());
            }
            homing::scope(async |s| {
                assert!(s.spawn(never()).await.unwrap_err().is_cancelled());
                assert!(s.task(never()).eager().spawn().await.unwrap_err().is_cancelled());
                Ok(())
            })
            .await
        })
        .unwrap();
    assert_eq!(runtime.task_count(), 0);
}

#[test]
fn a_panic_in_an_observer_is_reported_and_goes_no_further() {
    struct Clumsy;
    impl Observer for Clumsy {
        fn poll_started(&self, _: &TaskRef, _: Instant) {
            panic!("dropped the pen");
        }
    }
    let reports = Reports::default();
    let runtime = Builder::new().observe(Clumsy).on_unhandled(reports.hook()).build();
    assert_eq!(runtime.block_on(async { Ok(7) }).unwrap(), 7);
    reports.assert_one(&["dropped the pen"]);
}

#[test]
fn a_task_that_panics_has_ended_its_poll_and_failed() {
    let log = Log::default();
    let reports = Reports::default();
    let runtime = Builder::new().observe(Scribe(log.clone())).on_unhandled(reports.hook()).build();
    let task = runtime.spawn(async { if true { panic!("ouch") } else { Ok(()) } });
    runtime.run_until_stalled().unwrap();
    drop(task);
    let told = log.take();
    assert_eq!(told[..3], ["spawned Task-1", "poll Task-1", "pending Task-1"]);
    assert!(told[3].starts_with("done Task-1: failed"), "{told:?}");
    reports.assert_one(&["ouch"]);
}

#[test]
fn several_observers_are_told_in_their_order() {
    struct Named(&'static str, Log);
    impl Observer for Named {
        fn spawned(&self, _: &TaskRef, _: &Spawned) {
            self.1.note(self.0);
        }
    }
    let log = Log::default();
    let builder = Builder::new().observe(Named("first", log.clone())).observe(Named("second", log.clone()));
    builder.build().block_on(async { Ok(()) }).unwrap();
    assert_eq!(log.take(), ["first", "second"]);
}

#[test]
fn a_turn_in_which_nothing_is_ready_is_not_counted() {
    let runtime = Builder::new().virtual_time().count_polls(true).build();
    let naps = async {
        for _ in 0..3 {
            sleep(Duration::from_secs(1)).await?;
        }
        Ok(())
    };
    runtime.block_on(naps).unwrap();
    assert_eq!(runtime.metrics().polls.unwrap().turns, 4);
}

#[test]
fn what_happens_seldom_is_always_counted_and_polls_only_on_request() {
    let work = |runtime: &Runtime| {
        let both = async {
            let naps: Vec<_> = (1..=3).map(|ms| spawn(sleep(Duration::from_millis(ms)))).collect();
            for nap in naps {
                nap.await?;
            }
            Ok(())
        };
        runtime.block_on(both).unwrap();
        runtime.metrics()
    };
    let plain: Metrics = work(&Builder::new().build());
    assert_eq!((plain.spawned, plain.alive, plain.timers, plain.timers_fired), (4, 0, 0, 3));
    assert!(plain.sleeps >= 1 && plain.slept >= Duration::from_micros(500), "{plain:?}");
    assert_eq!(plain.polls, None);

    let counted: PollMetrics = work(&Builder::new().count_polls(true).build()).polls.unwrap();
    // main: once, and once after each nap that it had to wait for; each nap twice.
    assert!((8..=10).contains(&counted.polls), "{counted:?}");
    assert!(counted.turns >= 4 && counted.wakes >= 4, "{counted:?}");
    assert!(counted.longest <= counted.busy && counted.busy > Duration::ZERO, "{counted:?}");
}

#[test]
fn a_handle_asks_for_metrics_from_another_thread() {
    let runtime = Runtime::new();
    let handle = runtime.handle();
    let thread = std::thread::spawn(move || handle.metrics().wait());
    while !thread.is_finished() {
        runtime.block_on(sleep(Duration::from_millis(1))).unwrap();
    }
    assert!(thread.join().unwrap().unwrap().spawned >= 1);
    assert_eq!(homing::observe::metrics(), None);
}

#[test]
fn observed_programs_do_what_they_do_unobserved() {
    struct Silent;
    impl Observer for Silent {}
    let program = |runtime: Runtime| {
        let log = Log::default();
        let noted = log.clone();
        runtime
            .block_on(async move {
                let scope = cancel::Scope::enter()?;
                drop(scope);
                for number in 0..5 {
                    let log = noted.clone();
                    let task = task(async move {
                        log.note(format!("begin {number}"));
                        sleep(Duration::from_millis(10 - number)).await?;
                        log.note(format!("end {number}"));
                        Ok(())
                    });
                    let task = if number % 2 == 0 { task.eager() } else { task };
                    task.spawn();
                }
                sleep(Duration::from_millis(8)).await?;
                homing::all_tasks().iter().filter(|task| task.name() != "main").for_each(|task| {
                    task.cancel();
                });
                yield_now().await?;
                noted.note(format!("{} left", homing::all_tasks().len()));
                Ok(())
            })
            .unwrap();
        log.take()
    };
    let plain = program(Builder::new().virtual_time().build());
    assert_eq!(program(Builder::new().virtual_time().observe(Silent).build()), plain);
    assert_eq!(program(Builder::new().virtual_time().count_polls(true).build()), plain);
}

/// An observer that tries to take a task's result as soon as its last poll has returned.
struct Impatient {
    task: Rc<RefCell<Option<Task<String>>>>,
    taken: Rc<Cell<bool>>,
}

impl Observer for Impatient {
    fn poll_ended(&self, task: &TaskRef, poll: &PollEnd) {
        let mut kept = self.task.borrow_mut();
        if let Some(kept) = kept.as_mut().filter(|kept| poll.ready && kept.id() == task.id()) {
            let result = kept.try_result();
            self.taken.set(result.is_some());
        }
    }
}

#[test]
fn at_the_end_of_a_poll_an_observer_does_not_take_what_the_runtime_has_not_looked_at() {
    for ends in [Ok("a value that is on the heap".to_owned()), Err("an error")] {
        let (kept, taken) = (Rc::default(), Rc::new(Cell::new(false)));
        let observer = Impatient { task: Rc::clone(&kept), taken: taken.clone() };
        let runtime = Builder::new().virtual_time().on_unhandled(|_| {}).observe(observer).build();
        let result = runtime.block_on(async {
            let fails = ends.is_err();
            let task = spawn(async move {
                // With a request pending, its value is replaced at its end.
                homing::current().unwrap().cancel();
                ends.map_err(Error::msg)
            });
            *kept.borrow_mut() = Some(task);
            yield_now().await?;
            let mut task = kept.take().unwrap();
            let result = task.try_result().expect("it has ended, and nobody has taken its result");
            assert_eq!(result.as_ref().is_err_and(Error::is_cancelled), !fails, "{result:?}");
            Ok(())
        });
        result.unwrap();
        assert!(!taken.get());
    }
}
