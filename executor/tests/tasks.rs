//! Tasks: names, handles, outcomes, reports, panics (the rules TK).

mod support;

use homing::error::RuntimeError;
use homing::task::{Attention, Outcome, Owner, TaskBuilder, WeakTaskRef};
use homing::{Builder, Error, Runtime, TaskRef};
use std::cell::{Cell, RefCell};
use std::convert::identity;
use std::rc::Rc;
use support::{Drops, Log, OnDrop, Reports, blow_up, failure, forever, in_virtual_time, runtime, yields};

fn told(error: &Error) -> String {
    format!("{error:#}")
}

// Outcomes.

#[test]
fn tk_1_a_task_ends_with_the_result_of_its_future() {
    in_virtual_time(async {
        let fine = homing::spawn(async { Ok(7) });
        let failing = homing::spawn(async { Err::<(), _>(failure("no luck")) });
        let cancelled = homing::spawn(async { forever().await });
        yields(1).await?;
        cancelled.cancel();
        assert_eq!(fine.await?, 7);
        assert!(told(&failing.await.unwrap_err()).contains("no luck"));
        assert!(cancelled.await.unwrap_err().is_cancelled());
        Ok(())
    })
    .unwrap();
}

#[test]
fn tk_1_a_result_is_there_when_the_task_has_ended_and_once() {
    in_virtual_time(async {
        let mut task = homing::spawn(async { Ok(7) });
        assert!(task.try_result().is_none());
        yields(1).await?;
        assert!(task.is_finished());
        assert_eq!(task.try_result().unwrap()?, 7);
        assert!(task.try_result().is_none());
        let twice = task.await.unwrap_err();
        assert_eq!(twice.downcast_ref::<RuntimeError>(), Some(&RuntimeError::AlreadyTaken));
        assert!(twice.to_string().contains("taken already"), "{twice}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn tk_2_a_task_is_cancelled_when_a_cancellation_comes_out_of_it_whoever_made_it() {
    in_virtual_time(async {
        let task = homing::spawn(async { Err::<(), _>(homing::Cancelled::new().into()) });
        yields(1).await?;
        assert!(task.is_cancelled());
        assert_eq!(task.cancelling(), 0);
        let _ = task.await;
        Ok(())
    })
    .unwrap();
}

#[test]
fn tk_3_a_task_that_catches_its_cancellation_is_not_cancelled() {
    let (runtime, _reports) = runtime();
    runtime
        .block_on(async {
            let swallows = homing::spawn(async {
                assert!(forever().await.unwrap_err().is_cancelled());
                Ok(1)
            });
            let fails = homing::spawn(async {
                assert!(forever().await.unwrap_err().is_cancelled());
                Err::<(), _>(failure("another error"))
            });
            yields(1).await?;
            swallows.cancel();
            fails.cancel();
            yields(1).await?;
            assert!(swallows.is_finished() && !swallows.is_cancelled());
            assert!(fails.is_finished() && !fails.is_cancelled());
            assert_eq!(swallows.await?, 1);
            assert!(!fails.await.unwrap_err().is_cancelled());
            Ok(())
        })
        .unwrap();
}

#[test]
fn tk_4_awaiting_a_cancelled_task_leaves_the_count_of_the_awaiter_alone() {
    in_virtual_time(async {
        let task = homing::spawn(async { forever().await });
        yields(1).await?;
        task.cancel_with("out of time");
        let error = task.await.unwrap_err();
        assert!(error.is_cancelled());
        assert!(told(&error).contains("out of time"), "{error:#}");
        assert_eq!(homing::current().unwrap().cancelling(), 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn tk_5_those_who_share_a_task_go_on_in_the_order_in_which_they_began_to_wait() {
    in_virtual_time(async {
        let log = Log::default();
        let shared = homing::spawn(async { yields(3).await.map(|()| 5) }).share();
        let waiters: Vec<_> = (0..4)
            .map(|number| {
                let (shared, log) = (shared.clone(), log.clone());
                homing::spawn(async move {
                    let value = shared.await?;
                    log.note(format!("{number}: {value}"));
                    Ok(())
                })
            })
            .collect();
        for waiter in waiters {
            waiter.await?;
        }
        assert_eq!(log.take(), ["0: 5", "1: 5", "2: 5", "3: 5"]);
        assert_eq!(shared.try_result().unwrap()?, 5);
        Ok(())
    })
    .unwrap();
}

#[test]
fn tk_5_one_who_stops_waiting_for_a_shared_task_leaves_the_others_in_line() {
    in_virtual_time(async {
        let log = Log::default();
        let shared = homing::spawn(async { yields(5).await.map(|()| 5) }).share();
        let waiters: Vec<_> = (0..3)
            .map(|number| {
                let (shared, log) = (shared.clone(), log.clone());
                homing::spawn(async move {
                    shared.await?;
                    log.note(number);
                    Ok(())
                })
            })
            .collect();
        yields(2).await?;
        waiters[1].abort();
        yields(8).await?;
        assert_eq!(log.take(), ["0", "2"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn tk_6_a_task_that_awaits_itself_gets_an_error_that_says_so() {
    in_virtual_time(async {
        let slot = Rc::new(RefCell::new(None::<homing::Task<String>>));
        let own = slot.clone();
        let task = homing::task(async move {
            yields(1).await?;
            let me = own.borrow_mut().take().unwrap();
            Ok(me.await.unwrap_err().to_string())
        })
        .name("narcissus")
        .spawn();
        let seen = task.task_ref();
        *slot.borrow_mut() = Some(task);
        yields(4).await?;
        assert!(seen.is_finished());
        let shared = Rc::new(RefCell::new(None::<homing::SharedTask<String>>));
        let own = shared.clone();
        let task = homing::task(async move {
            yields(1).await?;
            let me = own.borrow().clone().unwrap();
            Ok(me.await.unwrap_err().to_string())
        })
        .name("narcissus")
        .spawn()
        .share();
        *shared.borrow_mut() = Some(task.clone());
        let text = task.await?;
        assert!(text.contains("'narcissus' awaits itself"), "{text}");
        shared.borrow_mut().take();
        Ok(())
    })
    .unwrap();
}

#[test]
fn tk_7_a_task_of_another_runtime_is_refused_at_the_await() {
    let other = Runtime::new();
    let foreign = other.spawn(async { Ok(()) });
    let error = in_virtual_time(foreign).unwrap_err();
    assert_eq!(error.downcast_ref::<RuntimeError>(), Some(&RuntimeError::OtherRuntime));
    assert!(error.to_string().contains("another runtime"), "{error}");
}

// Names, `current`, `all_tasks`.

#[test]
fn tk_8_a_nameless_task_gets_a_name_of_its_own_and_any_can_be_renamed() {
    in_virtual_time(async {
        assert_eq!(homing::current().unwrap().name(), "main");
        let first = homing::spawn(async { Ok(()) });
        let second = homing::spawn(async { Ok(()) });
        assert!(first.name().starts_with("Task-"), "{}", first.name());
        assert_ne!(first.name(), second.name());
        let named =
            homing::task(async { Ok(homing::current().unwrap().name().into_owned()) }).name("fetch").spawn();
        assert_eq!(named.name(), "fetch");
        named.set_name("fetch again");
        assert_eq!(named.await?, "fetch again");
        Ok(())
    })
    .unwrap();
}

#[test]
fn tk_8_callbacks_use_up_no_task_names() {
    in_virtual_time(async {
        let number = |task: &TaskRef| task.name()["Task-".len()..].parse::<u64>().unwrap();
        let first = homing::spawn(async { Ok(()) });
        (0..5).for_each(|_| assert!(homing::call_soon(|| {})));
        let second = homing::spawn(async { Ok(()) });
        assert_eq!(number(&second), number(&first) + 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn tk_9_the_current_task_is_the_running_one_and_none_in_a_callback_or_outside() {
    assert!(homing::current().is_none());
    in_virtual_time(async {
        let main = homing::current().unwrap();
        let in_callback = Rc::new(Cell::new(true));
        let seen = in_callback.clone();
        homing::call_soon(move || seen.set(homing::current().is_some()));
        let child = homing::spawn(async {
            let before = homing::current().unwrap();
            yields(2).await?;
            Ok((before, homing::current().unwrap()))
        });
        yields(1).await?;
        assert!(!in_callback.get());
        let id = child.id();
        let (before, after) = child.await?;
        assert_eq!((before.id(), after.id()), (id, id));
        assert_eq!(homing::current().unwrap(), main);
        Ok(())
    })
    .unwrap();
    assert!(homing::current().is_none());
}

#[test]
fn tk_10_all_tasks_are_those_that_have_not_ended() {
    let (runtime, _) = runtime();
    assert!(homing::all_tasks().is_empty());
    runtime
        .block_on(async {
            let stays = homing::task(async { forever().await }).name("stays").spawn();
            let _ends = homing::task(async { Ok(()) }).name("ends").spawn();
            homing::call_soon(|| {});
            let mut names: Vec<_> = homing::all_tasks().iter().map(|task| task.name().into_owned()).collect();
            names.sort();
            assert_eq!(names, ["ends", "main", "stays"]);
            yields(1).await?;
            let mut names: Vec<_> = homing::all_tasks().iter().map(|task| task.name().into_owned()).collect();
            names.sort();
            assert_eq!(names, ["main", "stays"]);
            stays.abort();
            assert_eq!(homing::all_tasks().len(), 1);
            Ok(())
        })
        .unwrap();
    assert_eq!(runtime.task_count(), 0);
}

#[test]
fn callbacks_that_wait_for_their_turn_do_not_count_as_tasks() {
    let (runtime, _) = runtime();
    runtime
        .block_on(async {
            homing::call_soon(|| {});
            homing::call_soon(|| homing::call_soon(|| {}).then_some(()).unwrap());
            Ok(())
        })
        .unwrap();
    assert_eq!(runtime.task_count(), 0);
    runtime.run_until_stalled().unwrap();
    assert_eq!(runtime.task_count(), 0);
    assert!(runtime.all_tasks().is_empty());
}

// Reports of errors that nobody has seen.

#[test]
fn tk_11_the_error_of_a_detached_task_is_reported_once() {
    let (runtime, reports) = runtime();
    runtime
        .block_on(async {
            drop(homing::task(async { Err::<(), _>(failure("lost")) }).name("orphan").spawn());
            yields(2).await
        })
        .unwrap();
    reports.assert_one(&["orphan", "lost", "nobody has read", file!()]);
    drop(runtime);
    reports.assert_none();
}

#[test]
fn tk_11_an_error_is_reported_when_the_handle_is_dropped_unread_after_the_end() {
    let (runtime, reports) = runtime();
    runtime
        .block_on(async {
            let task = homing::spawn(async { Err::<(), _>(failure("lost")) });
            yields(2).await?;
            reports.assert_none();
            drop(task);
            reports.assert_one(&["lost"]);
            Ok(())
        })
        .unwrap();
}

#[test]
fn tk_11_an_error_that_somebody_has_looked_at_is_not_reported() {
    let (runtime, reports) = runtime();
    runtime
        .block_on(async {
            let mut looked_at = homing::spawn(async { Err::<(), _>(failure("seen")) });
            let awaited = homing::spawn(async { Err::<(), _>(failure("seen")) });
            let shared = homing::spawn(async { Err::<(), _>(failure("seen")) }).share();
            yields(1).await?;
            assert!(looked_at.try_result().unwrap().is_err());
            assert!(awaited.await.is_err());
            assert!(shared.clone().await.is_err());
            Ok(())
        })
        .unwrap();
    drop(runtime);
    reports.assert_none();
}

#[test]
fn tk_11_a_shared_task_that_nobody_awaits_is_reported_with_its_last_handle() {
    let (runtime, reports) = runtime();
    runtime
        .block_on(async {
            let shared = homing::spawn(async { Err::<(), _>(failure("lost")) }).share();
            let second = shared.clone();
            yields(1).await?;
            drop(shared);
            reports.assert_none();
            drop(second);
            reports.assert_one(&["lost"]);
            Ok(())
        })
        .unwrap();
}

#[test]
fn tk_11_an_error_that_is_unread_when_the_runtime_ends_is_reported() {
    let (runtime, reports) = runtime();
    let task = runtime.spawn(async { Err::<(), _>(failure("lost")) });
    runtime.run_until_stalled().unwrap();
    reports.assert_none();
    drop(runtime);
    reports.assert_one(&["lost"]);
    drop(task);
    reports.assert_none();
}

#[test]
fn tk_12_cancelling_a_task_that_has_failed_suppresses_the_report() {
    let (runtime, reports) = runtime();
    runtime
        .block_on(async {
            let task = homing::spawn(async { Err::<(), _>(failure("who cares")) });
            yields(1).await?;
            assert!(!task.cancel());
            drop(task);
            Ok(())
        })
        .unwrap();
    reports.assert_none();
}

#[test]
fn a_cancelled_task_is_not_reported() {
    let (runtime, reports) = runtime();
    runtime
        .block_on(async {
            let task = homing::spawn(async { forever().await });
            yields(1).await?;
            task.cancel();
            drop(task);
            yields(2).await
        })
        .unwrap();
    drop(runtime);
    reports.assert_none();
}

#[test]
fn tk_13_a_task_that_is_pending_when_its_runtime_is_dropped_is_reported() {
    let (runtime, reports) = runtime();
    drop(runtime.spawn(async {
        homing::current().unwrap().set_name("stuck");
        forever().await
    }));
    runtime.run_until_stalled().unwrap();
    drop(runtime);
    reports.assert_one(&["stuck", "pending", "dropped", file!()]);
}

#[test]
fn tk_14_a_handle_shows_name_and_state() {
    let (runtime, _reports) = runtime();
    runtime
        .block_on(async {
            let inner = homing::task(async { forever().await }).name("inner").spawn();
            let inner_ref = inner.task_ref();
            let outer = homing::task(inner).name("outer").spawn();
            assert_eq!(format!("{outer:?}"), "Task(outer, pending)");
            yields(2).await?;
            assert_eq!(format!("{outer:?}"), "Task(outer, pending, awaits inner)");
            assert_eq!(outer.awaited().unwrap(), inner_ref);
            outer.cancel();
            assert_eq!(format!("{inner_ref:?}"), "Task(inner, cancelling)");
            yields(3).await?;
            assert_eq!(format!("{outer:?}"), "Task(outer, cancelled)");
            let fine = homing::task(async { Ok(()) }).name("fine").spawn();
            yields(1).await?;
            assert_eq!(format!("{fine:?}"), "Task(fine, finished)");
            Ok(())
        })
        .unwrap();
}

// Handles.

#[test]
fn a_task_whose_handle_is_dropped_goes_on() {
    in_virtual_time(async {
        let done = Rc::new(Cell::new(false));
        let flag = done.clone();
        drop(homing::spawn(async move {
            yields(3).await?;
            flag.set(true);
            Ok(())
        }));
        yields(6).await?;
        assert!(done.get());
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_output_of_a_task_nobody_can_read_is_dropped_when_it_ends() {
    in_virtual_time(async {
        let drops = Drops::default();
        let guard = drops.guard();
        let task = homing::spawn(async move { Ok(guard) });
        let kept = task.task_ref();
        drop(task);
        yields(2).await?;
        assert!(kept.is_finished());
        assert_eq!(drops.count(), 1, "a reference keeps the record, not the output");
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_output_of_a_finished_task_is_dropped_with_its_handle() {
    in_virtual_time(async {
        let drops = Drops::default();
        let guard = drops.guard();
        let task = homing::spawn(async move { Ok(guard) });
        let _kept = task.task_ref();
        yields(2).await?;
        assert_eq!(drops.count(), 0);
        drop(task);
        assert_eq!(drops.count(), 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_detached_task_that_returns_a_handle_on_itself_is_recycled() {
    let (runtime, _) = runtime();
    let drops = Drops::default();
    runtime
        .block_on(async {
            let guard = drops.guard();
            drop(homing::spawn(async move { Ok((homing::current(), guard)) }));
            yields(2).await
        })
        .unwrap();
    assert_eq!(drops.count(), 1);
}

#[test]
fn an_output_that_holds_a_handle_on_its_own_task_is_dropped_once_at_the_runtimes_end() {
    let (runtime, _) = runtime();
    let drops = Drops::default();
    let guard = drops.guard();
    // Large enough for the global allocator, where a second release would be noticed.
    let task = runtime.spawn(async move { Ok((homing::current(), guard, [0u8; 4096])) });
    runtime.run_until_stalled().unwrap();
    drop(runtime);
    assert_eq!(drops.count(), 1);
    assert!(task.is_finished());
    drop(task);
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_handle_outlives_its_runtime_harmlessly() {
    let runtime = Runtime::new();
    let mut task = runtime.spawn(async { forever().await });
    let reference = task.task_ref();
    runtime.run_until_stalled().unwrap();
    drop(runtime);
    assert!(task.is_finished() && task.is_cancelled());
    assert!(!task.cancel() && !task.abort());
    assert_eq!((task.cancelling(), task.uncancel()), (0, 0));
    assert_eq!(task.name(), "");
    assert!(task.try_result().is_none());
    assert!(reference.spawned_at().is_none() && reference.parent().is_none());
    assert_eq!(format!("{reference:?}"), "Task(, gone)");
    reference.set_name("too late");
    let key = reference.on_done(|_| unreachable!());
    assert!(!reference.remove_on_done(key));
    let error = in_virtual_time(task).unwrap_err();
    assert_eq!(error.downcast_ref::<RuntimeError>(), Some(&RuntimeError::RuntimeGone));
    assert!(error.to_string().contains("dropped"), "{error}");
}

#[test]
fn a_task_awaited_by_reference_keeps_its_result() {
    in_virtual_time(async {
        let mut task = homing::spawn(async { yields(3).await.map(|()| 9) });
        {
            let mut first = std::pin::pin!(async { (&mut task).await });
            std::future::poll_fn(|cx| {
                assert!(first.as_mut().poll(cx).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
        }
        assert_eq!(task.await?, 9);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_tasks_parent_is_the_one_that_spawned_it() {
    in_virtual_time(async {
        let child = homing::spawn(async { Ok(()) });
        assert_eq!(child.parent(), homing::current());
        assert!(homing::current().unwrap().parent().is_none());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_task_knows_where_it_was_spawned_and_what_it_is_made_of() {
    async fn fetch() -> homing::Result<()> {
        Ok(())
    }
    in_virtual_time(async {
        let task = homing::spawn(fetch());
        let place = task.spawned_at().unwrap();
        assert_eq!((place.file(), place.line()), (file!(), line!() - 2));
        assert!(task.type_name().contains("fetch"), "{}", task.type_name());
        Ok(())
    })
    .unwrap();
}

// Callbacks.

#[test]
fn tk_17_callbacks_run_once_in_order_in_the_turn_after_the_end() {
    in_virtual_time(async {
        let log = Log::default();
        let task = homing::spawn(async { Ok(()) });
        for number in 0..3 {
            let log = log.clone();
            task.on_done(move |task| {
                assert!(task.is_finished() && homing::current().is_none());
                log.note(number);
            });
        }
        yields(1).await?;
        assert!(task.is_finished());
        assert!(log.take().is_empty(), "not in the turn in which it ended");
        yields(1).await?;
        assert_eq!(log.take(), ["0", "1", "2"]);
        yields(2).await?;
        assert!(log.take().is_empty());
        Ok(())
    })
    .unwrap();
}

#[test]
fn tk_17_callbacks_run_also_after_a_cancellation_and_can_be_taken_back() {
    in_virtual_time(async {
        let log = Log::default();
        let task = homing::spawn(async { forever().await });
        let note = |text| {
            let log = log.clone();
            move |task: &TaskRef| log.note(format!("{text}: {}", task.is_cancelled()))
        };
        task.on_done(note("first"));
        let second = task.on_done(note("second"));
        task.on_done(note("third"));
        assert!(task.remove_on_done(second));
        assert!(!task.remove_on_done(second));
        yields(1).await?;
        task.cancel();
        yields(3).await?;
        assert_eq!(log.take(), ["first: true", "third: true"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn sc_3_a_callback_on_a_finished_task_runs_in_the_next_turn() {
    in_virtual_time(async {
        let log = Log::default();
        let task = homing::spawn(async { Ok(()) });
        yields(2).await?;
        let noted = log.clone();
        task.on_done(move |_| noted.note("called"));
        assert!(log.take().is_empty());
        yields(1).await?;
        assert_eq!(log.take(), ["called"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_callback_that_takes_another_back_while_it_is_dropped_does_no_harm() {
    in_virtual_time(async {
        let task = homing::spawn(async { forever().await });
        let reference = task.task_ref();
        let later = task.on_done(|_| {});
        let taken = Rc::new(Cell::new(false));
        let seen = taken.clone();
        let guard = OnDrop(move || seen.set(reference.remove_on_done(later)));
        let key = task.on_done(move |_| drop(guard));
        assert!(task.remove_on_done(key));
        assert!(taken.get());
        task.abort();
        Ok(())
    })
    .unwrap();
}

// Owners.

struct Group {
    children: Rc<RefCell<Vec<TaskRef>>>,
    log: Log,
}

impl Owner for Group {
    fn child_done(&self, child: &TaskRef, outcome: Outcome<'_>) -> Attention {
        // Drops what may well be the last handle on the child.
        self.children.borrow_mut().retain(|other| other != child);
        self.log.note(format!("{}, failed: {}", child.name(), outcome.is_failure()));
        Attention::Taken
    }
}

#[test]
fn an_owner_may_drop_the_last_handle_on_its_child() {
    let (runtime, reports) = runtime();
    let drops = Drops::default();
    let log = Log::default();
    runtime
        .block_on(async {
            let children = Rc::new(RefCell::new(Vec::new()));
            for number in 0..50 {
                let owner = Group { children: children.clone(), log: log.clone() };
                let guard = drops.guard();
                let task = homing::task(async move {
                    yields(number % 3).await?;
                    if number % 2 == 0 { Err(failure("no luck")) } else { Ok((guard, [0u8; 4096])) }
                })
                .name("child")
                .owner(owner)
                .spawn();
                children.borrow_mut().push(task.task_ref());
                drop(task);
            }
            yields(6).await?;
            assert!(children.borrow().is_empty());
            Ok(())
        })
        .unwrap();
    assert_eq!(log.take().len(), 50);
    assert_eq!(drops.count(), 50);
    assert_eq!(runtime.task_count(), 0);
    reports.assert_none();
}

/// Keeps what it is told of its child before that begins.
#[derive(Default)]
struct Expecting(Rc<RefCell<Vec<WeakTaskRef>>>);

impl Owner for Expecting {
    fn child_made(&self, child: WeakTaskRef) {
        assert!(child.upgrade().is_none(), "there is nothing to be looked at or cancelled yet");
        self.0.borrow_mut().push(child);
    }

    fn child_done(&self, child: &TaskRef, _outcome: Outcome<'_>) -> Attention {
        assert_eq!(self.0.borrow_mut().pop().and_then(WeakTaskRef::upgrade).as_ref(), Some(child));
        Attention::Unseen
    }
}

#[test]
fn an_owner_knows_its_child_before_it_begins() {
    in_virtual_time(async {
        let known = Rc::new(RefCell::new(Vec::new()));
        // The first one finds a fresh row, the others what the first one has left; the last one ends inside its spawn.
        for start in [identity, identity, TaskBuilder::eager, TaskBuilder::eager] {
            let begins = known.clone();
            let child = homing::task(async move {
                assert_eq!(begins.borrow().len(), 1);
                Ok(())
            });
            start(child.owner(Expecting(known.clone()))).spawn().await?;
            assert!(known.borrow().is_empty());
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_owner_that_sees_to_an_error_may_drop_the_handle_and_nothing_is_reported() {
    struct Keeper(RefCell<Option<homing::Task<()>>>);
    struct Shared(Rc<Keeper>);
    impl Owner for Shared {
        fn child_done(&self, _child: &TaskRef, _outcome: Outcome<'_>) -> Attention {
            self.0.0.take();
            Attention::Taken
        }
    }
    let (runtime, reports) = runtime();
    runtime
        .block_on(async {
            let keeper = Rc::new(Keeper(RefCell::new(None)));
            let task =
                homing::task(async { Err(failure("the owner knows")) }).owner(Shared(keeper.clone())).spawn();
            *keeper.0.borrow_mut() = Some(task);
            yields(2).await
        })
        .unwrap();
    reports.assert_none();
}

// Panics.

#[test]
fn a_panic_in_a_task_is_reported_at_once_and_is_its_error() {
    let (runtime, reports) = runtime();
    runtime
        .block_on(async {
            let task =
                homing::task(async { if true { blow_up("boom") } else { Ok(()) } }).name("bad").spawn();
            yields(1).await?;
            reports.assert_one(&["task 'bad' panicked", "boom", file!()]);
            let error = task.await.unwrap_err();
            assert!(error.is::<homing::Panicked>());
            assert!(told(&error).contains("boom"));
            assert_eq!(support::panic_text(error.into_panic().unwrap()), "boom");
            Ok(())
        })
        .unwrap();
    reports.assert_none();
}

#[test]
fn a_panic_that_nobody_reads_is_reported_only_once() {
    let (runtime, reports) = runtime();
    runtime
        .block_on(async {
            drop(homing::spawn(async { if true { blow_up("boom") } else { Ok(()) } }));
            yields(2).await
        })
        .unwrap();
    drop(runtime);
    reports.assert_one(&["boom"]);
}

#[test]
fn a_panic_in_the_destructor_of_a_future_is_reported_and_stops_there() {
    let (runtime, reports) = runtime();
    runtime
        .block_on(async {
            let bomb = OnDrop(|| blow_up("in drop"));
            let task = homing::spawn(async move {
                let _bomb = bomb;
                forever().await
            });
            yields(1).await?;
            task.abort();
            assert!(task.is_cancelled());
            reports.assert_one(&["in drop"]);
            let _ = task.await;
            let bomb = OnDrop(|| blow_up("at the end"));
            let task = homing::spawn(async move {
                let _bomb = bomb;
                Ok(())
            });
            let error = task.await.unwrap_err();
            assert!(error.is::<homing::Panicked>(), "{error}");
            reports.assert_one(&["at the end"]);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_panic_in_the_destructor_of_an_output_is_reported_and_stops_there() {
    let (runtime, reports) = runtime();
    runtime
        .block_on(async {
            drop(homing::spawn(async { Ok(OnDrop(|| blow_up("output"))) }));
            yields(2).await?;
            reports.assert_one(&["output"]);
            Ok(())
        })
        .unwrap();
    assert_eq!(runtime.task_count(), 0);
}

#[test]
fn a_panic_in_a_callback_is_reported_and_the_others_run() {
    let (runtime, reports) = runtime();
    let log = Log::default();
    runtime
        .block_on(async {
            homing::call_soon(|| blow_up("callback"));
            let task = homing::spawn(async { Ok(()) });
            task.on_done(|_| blow_up("done callback"));
            let noted = log.clone();
            task.on_done(move |_| noted.note("the other"));
            yields(3).await
        })
        .unwrap();
    let reported = reports.take();
    assert_eq!(reported.len(), 2, "{reported:?}");
    assert!(reported[0].contains("callback") && reported[1].contains("done callback"));
    assert_eq!(log.take(), ["the other"]);
}

#[test]
fn a_panic_in_an_owner_is_reported_and_the_owner_is_dropped() {
    struct Bad(#[allow(dead_code)] support::DropGuard);
    impl Owner for Bad {
        fn child_done(&self, _child: &TaskRef, _outcome: Outcome<'_>) -> Attention {
            blow_up("owner")
        }
    }
    let (runtime, reports) = runtime();
    let drops = Drops::default();
    runtime
        .block_on(async {
            let task = homing::task(async { Ok(3) }).owner(Bad(drops.guard())).spawn();
            assert_eq!(task.await?, 3);
            Ok(())
        })
        .unwrap();
    reports.assert_one(&["owner"]);
    assert_eq!(drops.count(), 1);
}

#[test]
fn an_owner_that_panics_when_its_child_is_made_is_reported_and_the_child_begins_all_the_same() {
    struct Startled;
    impl Owner for Startled {
        fn child_made(&self, _child: WeakTaskRef) {
            blow_up("owner")
        }

        fn child_done(&self, _child: &TaskRef, _outcome: Outcome<'_>) -> Attention {
            Attention::Unseen
        }
    }
    let (runtime, reports) = runtime();
    let task = async { homing::task(async { Ok(3) }).owner(Startled).spawn().await };
    assert_eq!(runtime.block_on(task).unwrap(), 3);
    reports.assert_one(&["owner"]);
    assert_eq!(runtime.task_count(), 0);
}

#[test]
fn an_error_that_an_owner_has_taken_is_not_reported_if_the_owner_s_destructor_panics() {
    struct Takes;
    impl Owner for Takes {
        fn child_done(&self, _child: &TaskRef, outcome: Outcome<'_>) -> Attention {
            assert!(outcome.is_failure());
            Attention::Taken
        }
    }
    impl Drop for Takes {
        fn drop(&mut self) {
            blow_up("destructor")
        }
    }
    let (runtime, reports) = runtime();
    runtime
        .block_on(async {
            drop(homing::task(async { Err::<(), _>(failure("taken")) }).owner(Takes).spawn());
            yields(2).await
        })
        .unwrap();
    reports.assert_one(&["destructor"]);
}

#[test]
fn a_hook_that_panics_does_not_stop_the_runtime() {
    let runtime = Builder::new().on_unhandled(|_| blow_up("hook")).build();
    runtime
        .block_on(async {
            drop(homing::spawn(async { Err::<(), _>(failure("printed instead")) }));
            yields(2).await
        })
        .unwrap();
}

#[test]
fn a_panic_in_main_goes_on_where_the_runtime_was_run_and_leaves_it_usable() {
    let (runtime, reports) = runtime();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        runtime.block_on(async { if true { blow_up("main") } else { Ok(()) } })
    }));
    assert_eq!(support::panic_text(caught.unwrap_err()), "main");
    reports.assert_none();
    assert_eq!(runtime.block_on(async { Ok(1) }).unwrap(), 1);
    assert_eq!(runtime.task_count(), 0);
}

// The edges of the runtime.

#[test]
fn to_spawn_outside_of_a_runtime_panics_and_says_what_to_do() {
    let caught = std::panic::catch_unwind(|| drop(homing::spawn(async { Ok(()) })));
    let text = support::panic_text(caught.unwrap_err());
    assert!(text.contains("outside of a runtime") && text.contains("Runtime::spawn"), "{text}");
    assert!(!homing::call_soon(|| {}));
}

#[test]
fn what_is_spawned_while_the_runtime_is_dropped_is_dropped_and_says_so() {
    let (runtime, _reports) = runtime();
    let drops = Drops::default();
    let outcome = Rc::new(RefCell::new(None));
    let (kept, counted) = (outcome.clone(), drops.clone());
    let spawns = OnDrop(move || {
        let guard = counted.guard();
        let task = homing::spawn(async move {
            drop(guard);
            Ok(())
        });
        assert!(task.is_finished());
        assert!(!homing::call_soon(|| {}));
        *kept.borrow_mut() = Some(task);
    });
    drop(runtime.spawn(async move {
        let _spawns = spawns;
        forever().await
    }));
    runtime.run_until_stalled().unwrap();
    drop(runtime);
    assert_eq!(drops.count(), 1);
    let task = outcome.borrow_mut().take().unwrap();
    let error = in_virtual_time(task).unwrap_err();
    assert_eq!(error.downcast_ref::<RuntimeError>(), Some(&RuntimeError::RuntimeGone));
}

#[test]
fn a_swallowed_cancellation_is_told_in_debug_mode_and_only_there() {
    for (debug, expected) in [(true, 1), (false, 0)] {
        let reports = Reports::default();
        let runtime = Builder::new().virtual_time().debug(debug).on_unhandled(reports.hook()).build();
        runtime
            .block_on(async {
                let task = homing::task(async {
                    let _ = forever().await;
                    Ok(())
                })
                .name("deaf")
                .spawn();
                yields(1).await?;
                task.cancel();
                task.await
            })
            .unwrap();
        let told = reports.take();
        assert_eq!(told.len(), expected, "{told:?}");
        assert!(told.iter().all(|text| text.contains("'deaf'") && text.contains("uncancel")));
    }
}

#[test]
fn a_detached_task_that_swallows_its_cancellation_is_recycled_once() {
    let (runtime, reports) = runtime();
    runtime
        .block_on(async {
            let task = homing::spawn(async {
                let _ = forever().await;
                Ok([0u8; 4096])
            });
            yields(1).await?;
            task.cancel();
            drop(task);
            yields(2).await
        })
        .unwrap();
    assert_eq!(runtime.task_count(), 0);
    let _ = reports.take();
}

#[test]
fn one_whose_request_went_on_to_another_task_has_swallowed_nothing() {
    let (runtime, reports) = runtime();
    runtime
        .block_on(async {
            let inner = homing::task(async {
                let _ = forever().await;
                homing::current().unwrap().uncancel();
                Ok(())
            })
            .name("inner")
            .spawn();
            let outer = homing::task(inner).name("outer").spawn();
            yields(2).await?;
            outer.cancel();
            outer.await
        })
        .unwrap();
    reports.assert_none();
}

/// KQ-13: the error of a task that another one awaited, and did not get to see before it was cancelled.
#[test]
fn an_error_beside_a_cancellation_that_nobody_reads_is_reported() {
    let (runtime, reports) = runtime();
    runtime
        .block_on(async {
            let failing = homing::spawn(async {
                homing::yield_now().await?;
                Err::<(), _>(failure("seen by nobody"))
            });
            let waiting = homing::spawn(failing);
            let cancelled = waiting.task_ref();
            drop(waiting);
            yields(2).await?;
            // `failing` has ended, and woken `waiting`, which has not run since.
            assert!(cancelled.cancel());
            homing::yield_now().await?;
            assert!(cancelled.is_cancelled());
            Ok(())
        })
        .unwrap();
    reports.assert_one(&["seen by nobody"]);
}
