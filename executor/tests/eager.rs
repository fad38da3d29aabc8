//! Tasks that are started inside the spawning call (the rules EA).

mod support;

use homing::{Builder, TaskRef};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use support::{Log, blow_up, failure, forever, in_virtual_time, runtime, yields};

#[test]
fn ea_1_a_task_that_finishes_in_its_first_step_is_done_on_return_and_was_never_queued() {
    let (runtime, _) = runtime();
    runtime
        .block_on(async {
            let task = homing::task(async { Ok(3) }).eager().spawn();
            assert!(task.is_finished());
            assert_eq!(homing::all_tasks().len(), 1);
            assert_eq!(task.await?, 3);
            Ok(())
        })
        .unwrap();
}

#[test]
fn ea_2_one_that_suspends_goes_on_as_any_other() {
    in_virtual_time(async {
        let log = Log::default();
        let noted = log.clone();
        let task = homing::task(async move {
            noted.note("in the call");
            yields(1).await?;
            noted.note("later");
            Ok(())
        })
        .eager()
        .spawn();
        assert_eq!(log.take(), ["in the call"]);
        assert!(!task.is_finished());
        task.await?;
        assert_eq!(log.take(), ["later"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn ea_3_it_is_the_current_task_while_it_runs_and_the_spawner_is_again_afterwards() {
    in_virtual_time(async {
        let spawner = homing::current().unwrap();
        let inner = homing::task(async {
            let own = homing::current().unwrap();
            let innermost = homing::task(async { Ok(homing::current().unwrap().id()) }).eager().spawn();
            assert_eq!(homing::current().unwrap(), own);
            let id = innermost.id();
            assert_eq!(innermost.await?, id);
            Ok(own)
        })
        .eager()
        .spawn();
        assert_eq!(homing::current().unwrap(), spawner);
        let id = inner.id();
        assert_eq!(inner.await?.id(), id);
        Ok(())
    })
    .unwrap();
}

#[test]
fn ea_4_an_error_or_a_panic_in_the_first_step_is_kept_and_does_not_reach_the_spawner() {
    let (runtime, reports) = runtime();
    runtime
        .block_on(async {
            let failed = homing::task(async { Err::<(), _>(failure("early")) }).eager().spawn();
            assert!(failed.is_finished());
            assert!(failed.await.unwrap_err().to_string().contains("early"));
            let panicked =
                homing::task(async { if true { blow_up("bang") } else { Ok(()) } }).eager().spawn();
            reports.assert_one(&["bang"]);
            assert!(panicked.await.unwrap_err().is::<homing::Panicked>());
            assert!(homing::current().is_some());
            Ok(())
        })
        .unwrap();
}

#[test]
fn ea_5_a_runtime_can_start_all_its_tasks_eagerly_and_one_can_be_queued_all_the_same() {
    let runtime = Builder::new().virtual_time().eager_tasks(true).build();
    runtime
        .block_on(async {
            let eager = homing::spawn(async { Ok(()) });
            assert!(eager.is_finished());
            let queued = homing::task(async { Ok(()) }).queued().spawn();
            assert!(!queued.is_finished());
            queued.await
        })
        .unwrap();
    let outside = runtime.spawn(async { Ok(()) });
    assert!(!outside.is_finished(), "outside of a turn nothing is polled");
}

#[test]
fn ea_7_it_has_its_name_and_is_among_all_tasks_before_its_first_line() {
    in_virtual_time(async {
        let task = homing::task(async {
            let own = homing::current().unwrap();
            assert_eq!(own.name(), "early bird");
            assert!(homing::all_tasks().contains(&own));
            Ok(())
        })
        .name("early bird")
        .eager()
        .spawn();
        assert!(!homing::all_tasks().contains(&task));
        task.await
    })
    .unwrap();
}

#[test]
fn ea_8_to_cancel_it_after_it_has_finished_is_refused() {
    in_virtual_time(async {
        let task = homing::task(async { Ok(1) }).eager().spawn();
        assert!(!task.cancel());
        assert_eq!(task.await?, 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn ea_9_cancelled_after_it_suspended_it_can_clean_up() {
    in_virtual_time(async {
        let log = Log::default();
        let noted = log.clone();
        let task = homing::task(async move {
            let ended = forever().await;
            noted.note("cleans up");
            ended
        })
        .eager()
        .spawn();
        assert!(task.cancel_with("enough"));
        let error = task.await.unwrap_err();
        assert!(format!("{error:#}").contains("enough"));
        assert_eq!(log.take(), ["cleans up"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn ea_10_one_that_cancels_itself_and_returns_is_cancelled_on_return() {
    in_virtual_time(async {
        let task = homing::task(async {
            homing::current().unwrap().cancel();
            Ok(())
        })
        .eager()
        .spawn();
        assert!(task.is_finished() && task.is_cancelled());
        assert!(task.await.unwrap_err().is_cancelled());
        Ok(())
    })
    .unwrap();
}

#[test]
fn ea_10_one_that_cancels_itself_is_interrupted_where_it_suspends() {
    in_virtual_time(async {
        let task = homing::task(async {
            homing::current().unwrap().cancel();
            forever().await
        })
        .eager()
        .spawn();
        assert!(task.is_finished() && task.is_cancelled());
        let _ = task.await;
        Ok(())
    })
    .unwrap();
}

#[test]
fn ea_11_an_eager_child_that_cancels_its_spawner_interrupts_its_next_suspension() {
    in_virtual_time(async {
        let spawner = homing::spawn(async {
            let me = homing::current().unwrap();
            let child = homing::task(async move {
                me.cancel();
                Ok(5)
            })
            .eager()
            .spawn();
            // Done already: no suspension.
            assert_eq!(child.await?, 5);
            let error = forever().await.unwrap_err();
            assert!(error.is_cancelled());
            homing::current().unwrap().uncancel();
            yields(1).await?;
            Ok("went on")
        });
        assert_eq!(spawner.await?, "went on");
        Ok(())
    })
    .unwrap();
}

#[test]
fn ea_12_callbacks_and_awaiters_of_an_eager_task_go_on_a_turn_later() {
    in_virtual_time(async {
        let log = Log::default();
        let task = homing::task(async { Ok(()) }).eager().spawn();
        let noted = log.clone();
        task.on_done(move |_| noted.note("callback"));
        assert!(log.take().is_empty());
        yields(1).await?;
        assert_eq!(log.take(), ["callback"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn ea_15_a_long_chain_of_eager_spawns_falls_back_to_the_queue() {
    fn descend(left: u32, deepest: Rc<Cell<u32>>, depth: Rc<Cell<u32>>) -> homing::Task<u32> {
        homing::task(async move {
            depth.set(depth.get() + 1);
            deepest.set(deepest.get().max(depth.get()));
            let child = (left > 0).then(|| descend(left - 1, deepest.clone(), depth.clone()));
            depth.set(depth.get() - 1);
            match child {
                Some(child) => Ok(child.await? + 1),
                None => Ok(0),
            }
        })
        .eager()
        .spawn()
    }
    in_virtual_time(async {
        let deepest = Rc::new(Cell::new(0));
        let task = descend(20_000, deepest.clone(), Rc::default());
        assert_eq!(task.await?, 20_000);
        assert!((2..=200).contains(&deepest.get()), "{}", deepest.get());
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_eager_task_may_keep_handles_on_itself() {
    let (runtime, _) = runtime();
    runtime
        .block_on(async {
            let kept = Rc::new(RefCell::new(None::<TaskRef>));
            let keeper = kept.clone();
            let task = homing::task(async move {
                *keeper.borrow_mut() = homing::current();
                Ok([7u8; 3000])
            })
            .eager()
            .spawn();
            let id = task.id();
            drop(task);
            assert_eq!(kept.borrow().as_ref().unwrap().id(), id);
            assert!(kept.borrow().as_ref().unwrap().is_finished());
            kept.borrow_mut().take();
            // The row is free again, and once only.
            let first = homing::spawn(async { Ok(()) });
            let second = homing::spawn(async { Ok(()) });
            assert_ne!(first.id(), second.id());
            first.await?;
            second.await
        })
        .unwrap();
}

#[test]
fn an_eager_spawn_in_the_destructor_of_an_aborted_task_runs() {
    let (runtime, _) = runtime();
    runtime
        .block_on(async {
            let log = Log::default();
            let noted = log.clone();
            let guard = support::OnDrop(move || {
                let noted = noted.clone();
                drop(
                    homing::task(async move {
                        noted.note("ran");
                        Ok(())
                    })
                    .eager()
                    .spawn(),
                );
            });
            let task = homing::spawn(async move {
                let _guard = guard;
                forever().await
            });
            yields(1).await?;
            task.abort();
            assert_eq!(log.take(), ["ran"]);
            Ok(())
        })
        .unwrap();
    assert_eq!(runtime.task_count(), 0);
}
